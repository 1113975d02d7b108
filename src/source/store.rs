//! The content-addressed store of verified bundles, verbatim, keyed by payload digest.
//!
//! ```text
//! <cache>/store/v1/<sha256 of the payload>.bundle
//!
//! ordain-store/v1 LF  <length of the header> LF  <header: JSON> LF  <commit> <tag> <tree> … <envelope> <file> …
//! ```
//!
//! One file a bundle: ten thousand policies load with one sequential read instead of ten thousand opens, and one rename
//! makes a bundle appear or not. Two processes that insert the same bundle write the same bytes, and the later rename wins.
//!
//! The store proves nothing. It is user-writable, so whoever loads a bundle verifies it again, every hash included; what is
//! checked here is that the container is whole and its names are sound.

mod container;
mod evidence;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::{durable, plain};
use crate::bundle::{FetchedBundle, Limits};
use crate::diag::Code;
use crate::digest::Sha256Digest;

use container::read_envelope;
pub(super) use container::{MAX_HEADER, ReadError, damaged, read_entry, read_header, write_entry};
use evidence::evidence;

const ENDING: &str = "bundle";

/// Bundles on this machine. Cheap to make; touches nothing until it is used.
#[derive(Debug, Clone)]
pub struct Store {
    directory: PathBuf,
}

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("cannot use the bundle store at `{}`: {source}", path.display().to_string().escape_debug())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that is not what this program writes.
    #[error("`{}` in the bundle store is damaged: {reason}", path.display().to_string().escape_debug())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

impl StoreError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io { .. } => Code::SOURCE_STORE,
            Self::Damaged { .. } => Code::SOURCE_STORE_DAMAGED,
        }
    }
}

impl Store {
    /// The store under `cache`.
    #[must_use]
    pub fn new(cache: &Path) -> Self {
        Self {
            directory: cache.join("store").join("v1"),
        }
    }

    /// Adds a bundle. One that is there already, whole and the same, is left alone.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it cannot be written; the store then holds what it held before.
    pub fn insert(&self, payload: &Sha256Digest, bundle: &FetchedBundle) -> Result<(), StoreError> {
        if let Ok(Some(present)) = self.load(payload, &unlimited())
            && present.envelope == bundle.envelope
            && present.files == bundle.files
            && present.git.as_deref() == evidence(bundle)
        {
            return Ok(());
        }
        let path = self.path(payload);
        let failed = |source| StoreError::Io {
            path: path.clone(),
            source,
        };
        durable::replace(&path, |out| Self::write(out, bundle)).map_err(failed)
    }

    /// The bundle with this payload, if it is there. Its bytes are what is on the disk: verify them.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a file that is cut, too long, or passes the limits.
    pub fn load(
        &self,
        payload: &Sha256Digest,
        limits: &Limits,
    ) -> Result<Option<FetchedBundle>, StoreError> {
        self.open(payload, |path, file| {
            let failed = |source| StoreError::Io {
                path: path.to_owned(),
                source,
            };
            let length = file.metadata().map_err(failed)?.len();
            let mut reader = BufReader::with_capacity(256 << 10, file);
            Self::read(&mut reader, length, path, limits)
        })
    }

    /// Reads a bundle of exactly `length` bytes, as the store keeps it; `path` is for messages.
    ///
    /// # Errors
    /// As for [`Store::load`].
    pub fn read(
        reader: &mut impl BufRead,
        length: u64,
        path: &Path,
        limits: &Limits,
    ) -> Result<FetchedBundle, StoreError> {
        read_entry(reader, length, limits).map_err(|error| error.of(path))
    }

    /// Writes a bundle as the store keeps it.
    ///
    /// # Errors
    /// The writer's.
    pub fn write(out: &mut dyn Write, bundle: &FetchedBundle) -> io::Result<()> {
        write_entry(out, bundle)
    }

    /// The envelope of the bundle with this payload, if that is there. No other file of it is read.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] for a file that ends before it, or holds none within the limits.
    pub fn envelope(
        &self,
        payload: &Sha256Digest,
        limits: &Limits,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.open(payload, |path, file| {
            Self::read_envelope(&mut BufReader::new(file), path, limits)
        })
    }

    /// Reads the envelope of a bundle, as the store keeps it; `path` is for messages.
    ///
    /// # Errors
    /// As for [`Store::envelope`].
    pub fn read_envelope(
        reader: &mut impl BufRead,
        path: &Path,
        limits: &Limits,
    ) -> Result<Vec<u8>, StoreError> {
        read_envelope(reader, limits).map_err(|error| error.of(path))
    }

    fn open<T>(
        &self,
        payload: &Sha256Digest,
        read: impl FnOnce(&Path, File) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let path = self.path(payload);
        match plain::open(&path) {
            Ok(file) => read(&path, file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::Io { path, source }),
        }
    }

    /// The payloads of all bundles, sorted.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the directory is there and cannot be listed.
    pub fn list(&self) -> Result<Vec<Sha256Digest>, StoreError> {
        let failed = |source| StoreError::Io {
            path: self.directory.clone(),
            source,
        };
        let entries = match fs::read_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(failed)?,
        };
        let mut payloads = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            let name = name.to_string_lossy();
            if let Some((stem, ENDING)) = name.rsplit_once('.')
                && let Ok(payload) = Sha256Digest::from_hex(stem)
            {
                payloads.push(payload);
            }
        }
        payloads.sort_unstable();
        Ok(payloads)
    }

    /// Removes a bundle; whether it was there.
    ///
    /// # Errors
    /// [`StoreError::Io`] when it is there and cannot be removed.
    pub fn remove(&self, payload: &Sha256Digest) -> Result<bool, StoreError> {
        let path = self.path(payload);
        match fs::remove_file(&path) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(source) => return Err(StoreError::Io { path, source }),
        }
        durable::sync_directory(&self.directory)
            .map_err(|source| StoreError::Io { path, source })?;
        Ok(true)
    }

    /// What is wrong with an entry that holds another bundle than its name says.
    #[must_use]
    pub fn other(&self, payload: &Sha256Digest) -> StoreError {
        StoreError::Damaged {
            path: self.path(payload),
            reason: "it is not the bundle of its name".to_owned(),
        }
    }

    /// The file that holds a bundle.
    #[must_use]
    pub fn path(&self, payload: &Sha256Digest) -> PathBuf {
        self.directory
            .join(format!("{}.{ENDING}", payload.to_hex()))
    }
}

/// For comparing with what is there: the bundle at hand passed its own limits.
fn unlimited() -> Limits {
    Limits {
        files: usize::MAX,
        file_bytes: u64::MAX,
        total_bytes: u64::MAX,
        envelope_bytes: usize::MAX,
        ..Limits::default()
    }
}

impl ReadError {
    /// Of a file.
    fn of(self, path: &Path) -> StoreError {
        let path = path.to_owned();
        let reason = match self {
            Self::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
                return StoreError::Io { path, source };
            }
            Self::Io(_) => "it is cut short".to_owned(),
            Self::Damaged(reason) => reason,
        };
        StoreError::Damaged { path, reason }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::bundle::{BundlePath, GitEvidence, Origin};

    fn bundle(files: &[(&str, &[u8])]) -> FetchedBundle {
        let files: BTreeMap<BundlePath, Arc<[u8]>> = files
            .iter()
            .map(|(name, bytes)| (name.parse().unwrap(), Arc::from(*bytes)))
            .collect();
        FetchedBundle {
            origin: Origin::Store {
                commit: Some("0123456789abcdef0123456789abcdef01234567".parse().unwrap()),
            },
            envelope: Some(b"{\"payload\":1}".to_vec()),
            files,
            git: Some(Arc::new(GitEvidence {
                reference: Some("refs/tags/v1".to_owned()),
                commit: b"tree 1\n".to_vec(),
                tag: Some(b"object 1\n".to_vec()),
                trees: vec![b"above".to_vec(), b"between".to_vec()],
            })),
        }
    }

    #[test]
    fn bundles_come_back_verbatim() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let payload = Sha256Digest::of(b"p");
        let limits = Limits::default();
        assert!(store.load(&payload, &limits).unwrap().is_none());
        assert_eq!(store.list().unwrap(), []);

        let bundle = bundle(&[
            ("bundle.yaml", b"a\0\xff"),
            ("policies/é.yaml", b""),
            ("z", b"\n"),
        ]);
        for _ in 0..2 {
            store.insert(&payload, &bundle).unwrap();
            let loaded = store.load(&payload, &limits).unwrap().unwrap();
            assert_eq!(loaded.files, bundle.files);
            assert_eq!(loaded.envelope, bundle.envelope);
            assert_eq!(loaded.origin, bundle.origin);
            assert_eq!(loaded.git, bundle.git);
            let envelope = store.envelope(&payload, &limits).unwrap();
            assert_eq!(envelope, bundle.envelope);
        }
        assert_eq!(store.list().unwrap(), [payload]);
        assert!(store.remove(&payload).unwrap());
        assert!(!store.remove(&payload).unwrap());
    }

    #[test]
    fn damage_is_found_and_healed_by_the_next_insert() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let payload = Sha256Digest::of(b"p");
        let bundle = bundle(&[("a", b"12345")]);
        store.insert(&payload, &bundle).unwrap();
        let path = store.path(&payload);
        let whole = fs::read(&path).unwrap();
        for end in 0..whole.len() {
            fs::write(&path, &whole[..end]).unwrap();
            assert!(
                matches!(
                    store.load(&payload, &Limits::default()),
                    Err(StoreError::Damaged { .. })
                ),
                "cut at {end}"
            );
        }
        fs::write(&path, [&whole[..], b"x"].concat()).unwrap();
        assert!(store.load(&payload, &Limits::default()).is_err());
        let evil = String::from_utf8(whole.clone())
            .unwrap()
            .replace("\"a\"", "\"/\"");
        fs::write(&path, evil).unwrap();
        assert!(store.load(&payload, &Limits::default()).is_err());
        store.insert(&payload, &bundle).unwrap();
        assert_eq!(fs::read(&path).unwrap(), whole);
    }

    #[test]
    fn other_git_objects_of_the_same_bundle_take_their_place() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let payload = Sha256Digest::of(b"p");
        let limits = Limits::default();
        let mut bundle = bundle(&[("a", b"12345")]);
        let whole = bundle.git.take();
        store.insert(&payload, &bundle).unwrap();
        // As an older version wrote it.
        let old = fs::read(store.path(&payload)).unwrap();
        assert!(!String::from_utf8(old).unwrap().contains("git"));
        assert_eq!(store.load(&payload, &limits).unwrap().unwrap().git, None);
        bundle.git = whole;
        store.insert(&payload, &bundle).unwrap();
        let loaded = store.load(&payload, &limits).unwrap().unwrap();
        assert_eq!(loaded.git, bundle.git);
        let small = Limits {
            evidence_bytes: 4,
            ..limits
        };
        assert!(store.load(&payload, &small).is_err());
    }

    #[test]
    fn limits_hold_on_load() {
        let cache = tempfile::tempdir().unwrap();
        let store = Store::new(cache.path());
        let payload = Sha256Digest::of(b"p");
        store.insert(&payload, &bundle(&[("a", b"12345")])).unwrap();
        let limits = Limits {
            file_bytes: 4,
            ..Limits::default()
        };
        assert!(store.load(&payload, &limits).is_err());
    }
}
