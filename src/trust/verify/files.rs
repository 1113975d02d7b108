//! Files against subjects: steps 7 and 8 of the pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::error::VerifyError;
use crate::bundle::{BundlePath, Predicate, Statement, StatementRef};
use crate::digest::Sha256Digest;

/// Bytes from which on files are hashed on all cores.
const PARALLEL_BYTES: usize = 1 << 20;

/// Files that a core takes at once at most: what one has begun, the other cannot help with.
const FILES_AT_ONCE: usize = 8;

/// The files, sorted by name: as in the bundle, where it takes longer to go from one to the next.
pub(super) type Files<'a> = Vec<(&'a BundlePath, &'a Arc<[u8]>)>;

/// The digest of every file, sorted by name.
pub(super) type Digests<'a> = Vec<(&'a BundlePath, Sha256Digest)>;

/// Hashes the files on the other cores while `work` is done on this one.
pub(super) fn while_hashing<'a, T: Send>(
    files: &Files<'a>,
    work: impl FnOnce() -> T + Send,
) -> (Digests<'a>, T) {
    // A hash costs about as much as that of some hundred bytes more than there are.
    let sizes = files.iter().map(|(_, bytes)| bytes.len() + 256);
    if sizes.sum::<usize>() < PARALLEL_BYTES {
        (files.iter().map(digest_of).collect(), work())
    } else {
        let files = files.par_iter().with_max_len(FILES_AT_ONCE);
        rayon::join(|| files.map(digest_of).collect(), work)
    }
}

fn digest_of<'a>(
    (path, bytes): &(&'a BundlePath, &'a Arc<[u8]>),
) -> (&'a BundlePath, Sha256Digest) {
    (path, Sha256Digest::of(bytes))
}

/// The files are exactly the subjects: what else was signed, and the signed digest of every file.
pub(super) fn check_file_set<'a>(
    files: &Files<'a>,
    statement: StatementRef<'_>,
) -> Result<(Predicate, Digests<'a>), VerifyError> {
    let paths = || files.iter().map(|(path, _)| *path);
    let listed = statement.subjects().map(|(name, _)| name);
    if paths().map(BundlePath::as_str).eq(listed) {
        let digests = statement.subjects().map(|(_, digest)| digest);
        let signed = paths().zip(digests).collect();
        return Ok((statement.predicate, signed));
    }
    let Statement {
        subjects,
        predicate,
    } = statement.into_owned();
    if let Some(path) = paths().find(|path| !subjects.contains_key(*path)) {
        return Err(VerifyError::Unlisted { path: path.clone() });
    }
    let names: BTreeSet<&BundlePath> = paths().collect();
    if let Some(path) = subjects.keys().find(|path| !names.contains(path)) {
        return Err(VerifyError::MissingFile { path: path.clone() });
    }
    Ok((predicate, paths().zip(subjects.into_values()).collect()))
}

/// Every file has its signed digest.
///
/// INVARIANT: both are of the same files, in the same order: neither goes on where the other ends.
pub(super) fn check_digests(found: &Digests<'_>, signed: &Digests<'_>) -> Result<(), VerifyError> {
    let mut pairs = found.iter().zip(signed);
    let differing = pairs.find(|((_, found), (_, signed))| found != signed);
    differing.map_or(Ok(()), |((path, found), (_, signed))| {
        Err(VerifyError::FileDigest {
            path: (*path).clone(),
            signed: *signed,
            found: *found,
        })
    })
}
