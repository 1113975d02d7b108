//! One bundle as the store keeps it, and as an export carries it: written to and read from bytes.
//!
//! INVARIANT: memory is made for bytes that are there, but for one header of 16 MiB at most, and one envelope within its limit.

use std::io::{self, BufRead, Read, Write};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use serde::{Deserialize, Serialize};

use super::super::content::{Collector, admit};
use super::evidence::{GitV1, evidence, objects};
use crate::bundle::{BundlePath, ENVELOPE_FILE, FetchedBundle, Limits, Origin};
use crate::diag::plain_words;
use crate::digest::CommitId;

const MAGIC: &str = "ordain-store/v1";
/// The most bytes of a header: some 300 for each of the files that the default limits allow.
pub(in crate::source) const MAX_HEADER: usize = 16 << 20;

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

/// Writes a bundle in the format of the store.
pub(in crate::source) fn write_entry(
    out: &mut dyn Write,
    bundle: &FetchedBundle,
) -> io::Result<()> {
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

#[derive(Debug)]
pub(in crate::source) enum ReadError {
    Io(io::Error),
    Damaged(String),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

pub(in crate::source) fn damaged(reason: impl ToString) -> ReadError {
    ReadError::Damaged(reason.to_string())
}

/// What serde says of a header names its members, whatever they hold.
fn misshapen(error: serde_json::Error) -> ReadError {
    damaged(plain_words(&error.to_string()))
}

/// Reads a bundle of exactly `length` bytes.
pub(in crate::source) fn read_entry(
    reader: &mut impl BufRead,
    length: u64,
    limits: &Limits,
) -> Result<FetchedBundle, ReadError> {
    let (header, before) = read_header(reader, MAGIC)?;
    let value = crate::json::parse(&header, MAX_HEADER).map_err(damaged)?;
    let header: HeaderV1 = crate::json::from_value(value).map_err(misshapen)?;

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
pub(in crate::source) fn read_envelope(
    reader: &mut impl BufRead,
    limits: &Limits,
) -> Result<Vec<u8>, ReadError> {
    let (header, _) = read_header(reader, MAGIC)?;
    let header: EnvelopeV1 = crate::json::from_slice(&header).map_err(misshapen)?;
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
pub(in crate::source) fn read_header(
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
    use super::*;

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
