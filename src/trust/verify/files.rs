//! Files against subjects: steps 6 and 7 of the pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use rayon::prelude::*;

use super::error::VerifyError;
use crate::bundle::{BundlePath, FetchedBundle, Statement};
use crate::digest::Sha256Digest;

/// Bytes from which on files are hashed on all cores.
const PARALLEL_BYTES: usize = 1 << 20;

/// The digest of every file, sorted by name.
pub(super) type Digests<'a> = Vec<(&'a BundlePath, Sha256Digest)>;

/// Hashes the files on the other cores while `work` is done on this one.
pub(super) fn while_hashing<T: Send>(
    fetched: &FetchedBundle,
    work: impl FnOnce() -> T + Send,
) -> (Digests<'_>, T) {
    if is_small(fetched) {
        (fetched.files.iter().map(digest_of).collect(), work())
    } else {
        rayon::join(|| digests_of(fetched), work)
    }
}

fn digests_of(fetched: &FetchedBundle) -> Vec<(&BundlePath, Sha256Digest)> {
    let files: Vec<_> = fetched.files.iter().collect();
    files.into_par_iter().map(digest_of).collect()
}

fn digest_of<'a>((path, bytes): (&'a BundlePath, &Arc<[u8]>)) -> (&'a BundlePath, Sha256Digest) {
    (path, Sha256Digest::of(bytes))
}

/// Whether hashing takes less time than it takes to begin threads for it.
fn is_small(fetched: &FetchedBundle) -> bool {
    // A hash costs about as much as that of some hundred bytes more than there are.
    let sizes = fetched.files.values().map(|bytes| bytes.len() + 256);
    sizes.sum::<usize>() < PARALLEL_BYTES
}

/// The files are exactly the subjects, and each has its signed digest. Both are sorted by name.
pub(super) fn check_files(found: &Digests<'_>, statement: &Statement) -> Result<(), VerifyError> {
    let subjects = &statement.subjects;
    if !found.iter().map(|(path, _)| *path).eq(subjects.keys()) {
        let names: BTreeSet<&BundlePath> = found.iter().map(|(path, _)| *path).collect();
        if let Some(path) = names.iter().find(|path| !subjects.contains_key(**path)) {
            let path = (*path).clone();
            return Err(VerifyError::Unlisted { path });
        }
        if let Some(path) = subjects.keys().find(|path| !names.contains(path)) {
            return Err(VerifyError::MissingFile { path: path.clone() });
        }
    }
    let differing = found
        .iter()
        .zip(subjects.values())
        .find(|((_, found), signed)| found != *signed);
    differing.map_or(Ok(()), |((path, found), signed)| {
        Err(VerifyError::FileDigest {
            path: (*path).clone(),
            signed: *signed,
            found: *found,
        })
    })
}
