//! Opening files where somebody else may have put another thing in their place.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a plain file for reading, and nothing else.
///
/// SECURITY: what is checked before it is opened may be replaced in between. A pipe would wait for somebody to write, and a link
/// lead elsewhere; so neither is followed or waited for, and what was opened is looked at.
///
/// # Errors
/// The operating system's, and [`io::ErrorKind::InvalidInput`] for what is no plain file.
pub(super) fn open(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::NONBLOCK | OFlags::NOFOLLOW)
}

/// Opens a plain file for reading, and nothing else, through links: its owner may have put it elsewhere.
///
/// # Errors
/// The operating system's, and [`io::ErrorKind::InvalidInput`] for what is no plain file.
pub fn open_through_links(path: &Path) -> io::Result<File> {
    open_with(path, OFlags::NONBLOCK)
}

fn open_with(path: &Path, flags: OFlags) -> io::Result<File> {
    let mut options = File::options();
    options.read(true).custom_flags(flags.bits().cast_signed());
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        let reason = "it is not a plain file";
        Err(io::Error::new(io::ErrorKind::InvalidInput, reason))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_pipe_or_a_link_is_refused_at_once() {
        let directory = tempfile::tempdir().unwrap();
        let [file, link, pipe] = ["file", "link", "pipe"].map(|name| directory.path().join(name));
        std::fs::write(&file, "x").unwrap();
        symlink(&file, &link).unwrap();
        let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert!(open(&file).is_ok());
        assert!(open(&link).is_err());
        assert!(open_through_links(&link).is_ok());
        assert!(open_through_links(&pipe).is_err());
        let refused = open(&pipe).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        let refused = open(directory.path()).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
}
