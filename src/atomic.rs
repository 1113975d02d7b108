//! Files that appear whole or not at all, and survive a crash once the call returns.
//!
//! A process that is killed leaves its temporary file behind. Whoever writes into the same directory next removes it: the
//! owner of a temporary file holds a lock on it, which the system takes from the dead.

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

/// What the names of temporary files begin with; six letters or digits follow.
const TEMPORARY: &str = ".ordain-tmp-";
/// How often another process may take a fresh temporary file for a dead one's: each time takes its bad luck.
const ATTEMPTS: u32 = 16;
/// Bytes gathered before they are handed to the system.
const BUFFER: usize = 256 << 10;

/// Who may read a file that is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everyone: 0644.
    Shared,
    /// The owner: 0600.
    Private,
}

/// Writes a file, in place of the one that is there.
///
/// # Errors
/// The operating system's; the old file stands.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    replace_with(path, access, |out| out.write_all(bytes))
}

/// As [`replace`], for contents that are written piece by piece. The directory must be there.
///
/// # Errors
/// The operating system's, and those of `write`; the old file stands.
pub fn replace_with(
    path: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let dir = directory(path);
    let file = prepare(dir, access, write)?;
    file.persist(path).map_err(|error| error.error)?;
    sync_directory(dir)
}

/// Makes renames and removals in a directory last.
///
/// # Errors
/// The operating system's.
pub fn sync_directory(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Writes a file that must not be there yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], and the operating system's; nothing is written.
pub fn create(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let dir = directory(path);
    let file = prepare(dir, access, |out| out.write_all(bytes))?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    sync_directory(dir)
}

/// Removes a file, for good.
///
/// # Errors
/// The operating system's.
pub fn remove(path: &Path) -> io::Result<()> {
    std::fs::remove_file(path)?;
    File::open(directory(path))?.sync_all()
}

fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn prepare(
    dir: &Path,
    access: Access,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<tempfile::NamedTempFile> {
    let mut file = temporary(dir)?;
    let mut writer = BufWriter::with_capacity(BUFFER, file.as_file_mut());
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    let mode = match access {
        Access::Shared => 0o644,
        Access::Private => 0o600,
    };
    file.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
}

/// Makes a temporary file in `dir`, for its owner alone, and removes those of the dead.
///
/// # Errors
/// The operating system's.
fn temporary(dir: &Path) -> io::Result<tempfile::NamedTempFile> {
    remove_leftovers(dir);
    for _ in 0..ATTEMPTS {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .tempfile_in(dir)?;
        file.as_file().lock()?;
        // Between its making and its lock it looked like a dead one's.
        if file.as_file().metadata()?.nlink() > 0 {
            return Ok(file);
        }
    }
    Err(io::Error::other("temporary files vanish"))
}

/// What cannot be removed is somebody else's worry: nothing reads it.
fn remove_leftovers(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let is_temporary = name
            .to_str()
            .and_then(|name| name.strip_prefix(TEMPORARY))
            .is_some_and(|end| end.len() == 6 && end.bytes().all(|b| b.is_ascii_alphanumeric()));
        if is_temporary
            && entry.file_type().is_ok_and(|kind| kind.is_file())
            && let Ok(file) = File::open(entry.path())
            && file.try_lock().is_ok()
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn create_never_overwrites_and_replace_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        create(&path, b"one", Access::Private).unwrap();
        assert_eq!(
            create(&path, b"two", Access::Private).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        replace(&path, b"two", Access::Shared).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o644);
        assert_eq!(
            dir.path().read_dir().unwrap().count(),
            1,
            "no temporary file is left"
        );
    }

    #[test]
    fn what_a_killed_process_left_is_removed_by_the_next_writer() {
        let dir = tempfile::tempdir().unwrap();
        let names = |dir: &Path| {
            let entries = dir.read_dir().unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        for name in [".ordain-tmp-a1B2c3", ".ordain-tmp-mine", ".ordain-notes"] {
            std::fs::write(dir.path().join(name), b"x").unwrap();
        }
        let alive = temporary(dir.path()).unwrap();
        replace(&dir.path().join("file"), b"x", Access::Shared).unwrap();
        let alive = alive.path().file_name().unwrap().to_owned();
        let mut expected = vec![
            ".ordain-notes".into(),
            ".ordain-tmp-mine".into(),
            alive,
            "file".into(),
        ];
        expected.sort();
        assert_eq!(names(dir.path()), expected);
    }

    #[test]
    fn many_writers_of_one_directory_do_not_take_each_other_for_dead() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let path = dir.path().join(writer.to_string());
                scope.spawn(move || {
                    for round in 0..100 {
                        replace(&path, &[round], Access::Shared).unwrap();
                    }
                });
            }
        });
        assert_eq!(dir.path().read_dir().unwrap().count(), 4);
    }
}
