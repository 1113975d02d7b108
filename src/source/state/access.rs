//! The state directory: made for its owner alone, refused where others could write to it, locked by one process at a time.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::StateError;

/// How often a waiting process looks again.
const POLL: Duration = Duration::from_millis(50);

/// Locks `name` in the state directory, which is made where there is none; waits for another process that holds it.
/// Dropping the file unlocks.
///
/// # Errors
/// [`StateError`] when the directory or the file is unsafe or cannot be used.
pub fn lock(directory: &Path, name: &str) -> Result<File, StateError> {
    let (path, lock) = open_lock(directory, name)?;
    lock.lock()
        .map_err(|source| StateError::Io { path, source })?;
    Ok(lock)
}

/// As [`lock`], for a wait that may be long: `waiting` is told of it, and `interrupt` ends it.
///
/// # Errors
/// [`StateError::Interrupted`], and as for [`lock`].
pub fn lock_patiently(
    directory: &Path,
    name: &str,
    interrupt: &AtomicBool,
    waiting: impl FnOnce(),
) -> Result<File, StateError> {
    let (path, lock) = open_lock(directory, name)?;
    let mut waiting = Some(waiting);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(source)) => return Err(StateError::Io { path, source }),
            Err(TryLockError::WouldBlock) if interrupt.load(Ordering::Relaxed) => {
                return Err(StateError::Interrupted);
            }
            Err(TryLockError::WouldBlock) => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                std::thread::sleep(POLL);
            }
        }
    }
}

fn open_lock(directory: &Path, name: &str) -> Result<(PathBuf, File), StateError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StateError::Io { path, source }
    };
    if !check(directory, Expected::Directory)? {
        create(directory).map_err(failed(directory))?;
    }
    let path = directory.join(name);
    check(&path, Expected::File)?;
    let lock = private()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed(&path))?;
    Ok((path, lock))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum Expected {
    File,
    Directory,
}

/// Whether `path` is there; refuses what is of another kind, or what others may write.
pub(in crate::source) fn check(path: &Path, expected: Expected) -> Result<bool, StateError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            return Err(StateError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let fits = match expected {
        Expected::File => metadata.is_file(),
        Expected::Directory => metadata.is_dir(),
    };
    if !fits {
        return Err(StateError::Link {
            path: path.to_owned(),
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(StateError::Writable {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(true)
}

/// Makes the directory for its owner alone.
pub(in crate::source) fn create(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

/// Opens files for their owner alone.
pub(in crate::source) fn private() -> fs::OpenOptions {
    #[allow(unused_mut, reason = "changed on unix only")]
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}
