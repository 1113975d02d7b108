//! Files that appear whole or not at all, and survive a crash once the call returns.

use std::fs::{File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

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
    let dir = directory(path);
    let file = prepare(dir, bytes, access)?;
    file.persist(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

/// Writes a file that must not be there yet.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`], and the operating system's; nothing is written.
pub fn create(path: &Path, bytes: &[u8], access: Access) -> io::Result<()> {
    let dir = directory(path);
    let file = prepare(dir, bytes, access)?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    File::open(dir)?.sync_all()
}

fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|dir| !dir.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn prepare(dir: &Path, bytes: &[u8], access: Access) -> io::Result<tempfile::NamedTempFile> {
    let mut file = tempfile::Builder::new()
        .prefix(".ordain-")
        .tempfile_in(dir)?;
    file.write_all(bytes)?;
    let mode = match access {
        Access::Shared => 0o644,
        Access::Private => 0o600,
    };
    file.as_file()
        .set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    Ok(file)
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
}
