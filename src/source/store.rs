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

mod evidence;

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use super::content::{Collector, admit};
use super::{durable, plain};
use crate::bundle::{BundlePath, ENVELOPE_FILE, FetchedBundle, Limits, Origin};
use crate::diag::{Code, plain_words};
use crate::digest::{CommitId, Sha256Digest};

use evidence::{GitV1, evidence, objects};

const MAGIC: &str = "ordain-store/v1";
const ENDING: &str = "bundle";
/// The most bytes of a header: some 300 for each of the files that the default limits allow.
pub(super) const MAX_HEADER: usize = 16 << 20;

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

/// What stands before the bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeaderV1 {
    commit: Option<CommitId>,
    /// Bytes of the envelope.
    envelope: Option<u64>,
    /// Names and bytes, sorted by name.
    files: Vec<(BundlePath, u64)>,
    /// The Git objects around them; absent in what an older version wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    git: Option<GitV1>,
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

/// Writes a bundle in the format of the store.
pub(super) fn write_entry(out: &mut dyn Write, bundle: &FetchedBundle) -> io::Result<()> {
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    let header = HeaderV1 {
        commit: bundle.origin.commit().cloned(),
        envelope: bundle.envelope.as_deref().map(length),
        files: bundle
            .files
            .iter()
            .map(|(name, bytes)| (name.clone(), length(bytes)))
            .collect(),
        git: evidence(bundle).map(GitV1::of),
    };
    let header = serde_json::to_vec(&header)?;
    out.write_all(format!("{MAGIC}\n{}\n", header.len()).as_bytes())?;
    out.write_all(&header)?;
    out.write_all(b"\n")?;
    for object in evidence(bundle).into_iter().flat_map(objects) {
        out.write_all(object)?;
    }
    out.write_all(bundle.envelope.as_deref().unwrap_or_default())?;
    for bytes in bundle.files.values() {
        out.write_all(bytes)?;
    }
    Ok(())
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

#[derive(Debug)]
pub(super) enum ReadError {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
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

pub(super) fn damaged(reason: impl ToString) -> ReadError {
    ReadError::Damaged(reason.to_string())
}

/// What serde says of a header names its members, whatever they hold.
fn misshapen(error: serde_json::Error) -> ReadError {
    damaged(plain_words(&error.to_string()))
}

/// Reads a bundle of exactly `length` bytes.
pub(super) fn read_entry(
    reader: &mut impl BufRead,
    length: u64,
    limits: &Limits,
) -> Result<FetchedBundle, ReadError> {
    let (header, before) = read_header(reader, MAGIC)?;
    let value = crate::json::parse(&header, MAX_HEADER).map_err(damaged)?;
    let header: HeaderV1 = serde_json::from_value(value).map_err(misshapen)?;

    // Sizes are checked as a whole before anything is allocated for them.
    let sizes = header.files.iter().map(|(_, size)| *size);
    let git = header.git.iter().flat_map(GitV1::sizes);
    if header
        .git
        .as_ref()
        .is_some_and(|git| !git.is_within(limits))
    {
        return Err(damaged("its git objects are too many or too large"));
    }
    let body = sizes
        .chain(header.envelope)
        .chain(git)
        .try_fold(0u64, u64::checked_add)
        .ok_or_else(|| damaged("its sizes"))?;
    if before.checked_add(body) != Some(length) {
        return Err(damaged("its length is not what its header says"));
    }
    let git = header
        .git
        .map(|git| git.read(reader).map(Arc::new))
        .transpose()?;
    let total = AtomicU64::new(0);
    let mut collector = Collector::new(limits);
    let envelope_name: BundlePath = ENVELOPE_FILE.parse().map_err(damaged)?;
    let envelope = header.envelope.map(|size| (envelope_name, size));
    let mut files = Vec::with_capacity(header.files.len() + 1);
    for (name, size) in envelope.into_iter().chain(header.files) {
        collector
            .file(name.as_str().as_bytes())
            .and_then(|_| admit(limits, &total, &name, size))
            .map_err(damaged)?;
        // Read into its place at once: most bundles are nearly all of what a process has in memory.
        let size = usize::try_from(size).map_err(damaged)?;
        let mut bytes: Arc<[u8]> = std::iter::repeat_n(0, size).collect();
        if let Some(bytes) = Arc::get_mut(&mut bytes) {
            reader.read_exact(bytes)?;
        }
        files.push((name, bytes));
    }
    let origin = Origin::Store {
        commit: header.commit,
    };
    let mut bundle = Collector::finish(origin, files);
    bundle.git = git;
    Ok(bundle)
}

/// Where the envelope of an entry stands.
#[derive(Deserialize)]
struct EnvelopeV1 {
    envelope: Option<u64>,
    #[serde(default)]
    git: Option<GitV1>,
}

/// Reads the envelope of an entry. Whether the rest of it is sound is not looked at: a signature says whether this is.
pub(super) fn read_envelope(
    reader: &mut impl BufRead,
    limits: &Limits,
) -> Result<Vec<u8>, ReadError> {
    let (header, _) = read_header(reader, MAGIC)?;
    let header: EnvelopeV1 = serde_json::from_slice(&header).map_err(misshapen)?;
    let size = header
        .envelope
        .and_then(|size| usize::try_from(size).ok())
        .filter(|size| *size <= limits.envelope_bytes)
        .ok_or_else(|| damaged("it has no envelope within the limits"))?;
    // SECURITY: a header that promises more would be read for hours.
    let is_within = |git: &GitV1| git.is_within(limits);
    if !header.git.as_ref().is_none_or(is_within) {
        return Err(damaged("its git objects are too many or too large"));
    }
    let mut git = header.git.iter().flat_map(GitV1::sizes);
    let before = git
        .try_fold(0u64, u64::checked_add)
        .ok_or_else(|| damaged("its sizes"))?;
    io::copy(&mut Read::take(reader.by_ref(), before), &mut io::sink())?;
    let mut envelope = vec![0; size];
    reader.read_exact(&mut envelope)?;
    Ok(envelope)
}

/// `<magic> LF <length> LF <JSON> LF`: the JSON's bytes, and the bytes of all of it.
pub(super) fn read_header(
    reader: &mut impl BufRead,
    magic: &str,
) -> Result<(Vec<u8>, u64), ReadError> {
    let (found, magic_bytes) = line(reader)?;
    if found != magic {
        return Err(damaged("it is of another format"));
    }
    let (length, length_bytes) = line(reader)?;
    let length: usize = length.parse().map_err(|_| damaged("its header's length"))?;
    if length > MAX_HEADER {
        return Err(damaged("its header is too long"));
    }
    let mut header = vec![0; length];
    reader.read_exact(&mut header)?;
    let mut end = [0; 1];
    reader.read_exact(&mut end)?;
    if end != *b"\n" {
        return Err(damaged("its header does not end where it says"));
    }
    let before = magic_bytes + length_bytes + u64::try_from(length).map_err(damaged)? + 1;
    Ok((header, before))
}

/// A short line, without its end, and its bytes.
fn line(reader: &mut impl BufRead) -> Result<(String, u64), ReadError> {
    let mut bytes = Vec::new();
    Read::take(reader.by_ref(), 64).read_until(b'\n', &mut bytes)?;
    let length = u64::try_from(bytes.len()).map_err(damaged)?;
    match bytes.pop() {
        Some(b'\n') => Ok((String::from_utf8_lossy(&bytes).into_owned(), length)),
        _ => Err(damaged("it is of another format")),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bundle::GitEvidence;

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
    fn git_objects_without_bytes_or_number_are_refused_before_anything_is_read() {
        let read = |git: &str| {
            let header =
                format!("{{\"commit\":null,\"envelope\":null,\"files\":[],\"git\":{git}}}");
            let entry = format!("{MAGIC}\n{}\n{header}\n", header.len()).into_bytes();
            let length = entry.len() as u64 + 65;
            let body = [entry, vec![b'x'; 65]].concat();
            read_entry(&mut &*body, length, &Limits::default())
        };
        let git = |commit: u64, trees: &[u64]| {
            format!("{{\"reference\":null,\"commit\":{commit},\"tag\":null,\"trees\":{trees:?}}}")
        };
        assert!(read(&git(1, &[1; 64])).is_ok());
        for git in [
            git(0, &[1; 65]),
            git(65, &[0]),
            git(65, &[0; 100_000]),
            git((1 << 20) + 1, &[]),
            git((1 << 53) - 1, &[1]),
        ] {
            match read(&git) {
                Err(ReadError::Damaged(reason)) => {
                    assert_eq!(reason, "its git objects are too many or too large");
                }
                _ => panic!("it was read: {} bytes", git.len()),
            }
        }
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

    /// Nothing of an entry is read that its header has no right to promise.
    #[test]
    fn an_envelope_behind_a_promise_of_terabytes_is_refused_at_once() {
        let header = r#"{"envelope":2,"git":{"reference":null,"commit":17000000000000,"tag":null,"trees":[]}}"#;
        let entry = format!("{MAGIC}\n{}\n{header}\n{{}}", header.len());
        let rest = entry.as_bytes().chain(io::repeat(0)).take(1 << 20);
        let read = read_envelope(&mut io::BufReader::new(rest), &Limits::default());
        assert!(matches!(read, Err(ReadError::Damaged(_))), "{read:?}");
    }
}
