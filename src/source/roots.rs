//! The trust roots that this machine has walked to, so that an interrupted walk goes on where it stopped.
//!
//! ```text
//! <state>/roots/<fingerprint of the first root>/1.root.json … N.root.json
//! ```
//!
//! They are public facts, kept to be found again: whoever loads one verifies it again. Each is written whole before the next
//! is looked at. As with all of the state, a link or what others may write is refused.
//!
//! Lacks: removal. One that does not verify counts as none, and is written again by the walk that fetches it.

use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use super::state::{Expected, StateError, check, create_private};
use super::{durable, plain};
use crate::bundle::Limits;
use crate::digest::Sha256Digest;

const DIRECTORY: &str = "roots";

/// The file name of a version.
#[must_use]
pub fn file_name(version: u64) -> String {
    format!("{version}.root.json")
}

/// The version that a file name stands for; only as [`file_name`] writes it.
#[must_use]
pub fn version_of(name: &str) -> Option<u64> {
    let version = name.strip_suffix(".root.json")?.parse().ok()?;
    (version > 0 && file_name(version) == name).then_some(version)
}

/// The kept roots of one trust domain. Cheap to make; touches nothing until it is used.
#[derive(Debug, Clone)]
pub struct KeptRoots {
    state: PathBuf,
    directory: PathBuf,
}

impl KeptRoots {
    /// Those under the state directory `state` whose first root has this fingerprint.
    #[must_use]
    pub fn new(state: &Path, fingerprint: &Sha256Digest) -> Self {
        Self {
            state: state.to_owned(),
            directory: state.join(DIRECTORY).join(fingerprint.to_hex()),
        }
    }

    /// Where they are.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The bytes kept of a version; nothing of them is verified.
    ///
    /// # Errors
    /// [`StateError`] when the file or a directory above it is unsafe, or cannot be read.
    pub fn load(&self, version: u64, limits: &Limits) -> Result<Option<Vec<u8>>, StateError> {
        for directory in self.directories() {
            if !check(directory, Expected::Directory)? {
                return Ok(None);
            }
        }
        let path = self.directory.join(file_name(version));
        if !check(&path, Expected::File)? {
            return Ok(None);
        }
        // One byte more than is allowed is enough to refuse it.
        let read = |path: &Path| -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let file = plain::open(path)?;
            file.take(limits.envelope_bytes as u64 + 1)
                .read_to_end(&mut bytes)?;
            Ok(bytes)
        };
        let bytes = read(&path).map_err(|source| StateError::Io { path, source })?;
        Ok(Some(bytes))
    }

    /// Keeps the bytes of a version that was verified; it is on the disk when this returns.
    ///
    /// # Errors
    /// [`StateError`]; what was kept before stands.
    pub fn keep(&self, version: u64, bytes: &[u8]) -> Result<(), StateError> {
        for directory in self.directories() {
            if !check(directory, Expected::Directory)? {
                create_private(directory).map_err(|source| StateError::Io {
                    path: directory.to_owned(),
                    source,
                })?;
            }
        }
        let path = self.directory.join(file_name(version));
        check(&path, Expected::File)?;
        durable::replace(&path, |out| out.write_all(bytes))
            .map_err(|source| StateError::Io { path, source })
    }

    /// From the top down.
    fn directories(&self) -> impl Iterator<Item = &Path> {
        let middle = self.directory.parent().unwrap_or(&self.state);
        [self.state.as_path(), middle, self.directory.as_path()].into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn names_round_trip_and_no_version_has_two() {
        assert_eq!(version_of(&file_name(12)), Some(12));
        for name in [
            "0.root.json",
            "01.root.json",
            "+1.root.json",
            "1.root.json~",
            "root.json",
        ] {
            assert_eq!(version_of(name), None, "{name}");
        }
    }

    #[test]
    fn kept_roots_are_found_again_and_refused_where_others_could_change_them() {
        let parent = tempfile::tempdir().unwrap();
        let state = parent.path().join("state");
        let kept = KeptRoots::new(&state, &Sha256Digest::of(b"root"));
        let limits = Limits::default();
        assert_eq!(kept.load(1, &limits).unwrap(), None);
        kept.keep(1, b"one").unwrap();
        kept.keep(1, b"eins").unwrap();
        assert_eq!(
            kept.load(1, &limits).unwrap().as_deref(),
            Some(&b"eins"[..])
        );
        assert_eq!(kept.load(2, &limits).unwrap(), None);
        let mode = |path: &Path, mode| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let file = kept.directory().join("1.root.json");
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        for (path, loose, tight) in [
            (file.as_path(), 0o620, 0o600),
            (kept.directory(), 0o770, 0o700),
            (&state.join("roots"), 0o702, 0o700),
            (&state, 0o777, 0o700),
        ] {
            mode(path, loose);
            assert!(matches!(
                kept.load(1, &limits),
                Err(StateError::Writable { .. })
            ));
            assert!(matches!(
                kept.keep(1, b"x"),
                Err(StateError::Writable { .. })
            ));
            mode(path, tight);
        }
        std::fs::rename(&file, kept.directory().join("elsewhere")).unwrap();
        symlink("elsewhere", &file).unwrap();
        assert!(matches!(
            kept.load(1, &limits),
            Err(StateError::Link { .. })
        ));
        assert!(matches!(kept.keep(1, b"x"), Err(StateError::Link { .. })));
    }
}
