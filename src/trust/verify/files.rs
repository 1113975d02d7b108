//! Files against subjects: steps 7 and 8 of the pipeline.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::error::VerifyError;
use crate::bundle::{BundlePath, Predicate, Statement, StatementRef};
use crate::digest::Sha256Digest;

/// Bytes from which on files are hashed on all cores.
const PARALLEL_BYTES: usize = 1 << 20;

/// Bytes that a core takes at once, if a file has no more: what one has begun, the other cannot help with.
const SPAN_BYTES: usize = 32 << 10;

/// What hashing a file costs besides its bytes, in bytes.
const FILE_COST: usize = 256;

/// The files, sorted by name: as in the bundle, where it takes longer to go from one to the next.
pub(super) type Files<'a> = Vec<(&'a BundlePath, &'a Arc<[u8]>)>;

/// The digest of every file, in the order of the files.
pub(super) type Digests = Vec<Sha256Digest>;

/// Hashes the files on the other cores while `work` is done on this one, which then helps them.
pub(super) fn while_hashing<T>(files: &Files<'_>, work: impl FnOnce() -> T) -> (Digests, T) {
    let sizes = files.iter().map(|(_, bytes)| bytes.len() + FILE_COST);
    // A single file is one core's, and what else there is to do waits for no thread.
    if files.len() < 2 || sizes.sum::<usize>() < PARALLEL_BYTES {
        return (files.iter().map(digest_of).collect(), work());
    }
    let spans = spans(files);
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(spans.len()));
    let hash = || {
        let mut hashed = Vec::with_capacity(spans.len());
        while let Some(span) = spans.get(next.fetch_add(1, Ordering::Relaxed)) {
            let files = files.get(span.clone()).unwrap_or_default();
            let digests: Digests = files.iter().map(digest_of).collect();
            hashed.push((span.start, digests));
        }
        let mut found = found.lock().unwrap_or_else(PoisonError::into_inner);
        found.append(&mut hashed);
    };
    let answer = rayon::in_place_scope(|scope| {
        for _ in 1..rayon::current_num_threads() {
            scope.spawn(|_| hash());
        }
        let answer = work();
        hash();
        answer
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_unstable_by_key(|(start, _)| *start);
    let mut digests = Vec::with_capacity(files.len());
    for (_, part) in found {
        digests.extend(part);
    }
    (digests, answer)
}

/// The files in spans that take about as long as one another; a larger file is one by itself.
fn spans(files: &Files<'_>) -> Vec<Range<usize>> {
    let mut spans = Vec::new();
    let (mut start, mut cost) = (0, 0_usize);
    for (position, (_, bytes)) in files.iter().enumerate() {
        cost = cost.saturating_add(bytes.len()).saturating_add(FILE_COST);
        if cost >= SPAN_BYTES {
            spans.push(start..position + 1);
            (start, cost) = (position + 1, 0);
        }
    }
    if start < files.len() {
        spans.push(start..files.len());
    }
    spans
}

fn digest_of((_, bytes): &(&BundlePath, &Arc<[u8]>)) -> Sha256Digest {
    Sha256Digest::of(bytes)
}

/// The files are exactly the subjects: what else was signed, and the signed digest of every file.
pub(super) fn check_file_set(
    files: &Files<'_>,
    statement: StatementRef<'_>,
) -> Result<(Predicate, Digests), VerifyError> {
    let paths = || files.iter().map(|(path, _)| *path);
    let listed = statement.subjects().map(|(name, _)| name);
    if paths().map(BundlePath::as_str).eq(listed) {
        let digests = statement.subjects().map(|(_, digest)| digest).collect();
        return Ok((statement.predicate, digests));
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
    Ok((predicate, subjects.into_values().collect()))
}

/// Every file has its signed digest.
///
/// INVARIANT: both are of the same files, in the same order. SECURITY: a file without either would count as missing.
pub(super) fn check_digests(
    files: &Files<'_>,
    found: &Digests,
    signed: &Digests,
) -> Result<(), VerifyError> {
    let mut pairs = found.iter().zip(signed);
    for (path, _) in files {
        let path = || (*path).clone();
        match pairs.next() {
            Some((found, signed)) if found == signed => {}
            Some((found, signed)) => {
                return Err(VerifyError::FileDigest {
                    path: path(),
                    signed: *signed,
                    found: *found,
                });
            }
            None => return Err(VerifyError::MissingFile { path: path() }),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_hashed_once_and_in_its_place() {
        for (count, size) in [(0, 0), (1, 5), (1, 3 << 20), (3, 1 << 20), (2_000, 1_500)] {
            let owned: Vec<(BundlePath, Arc<[u8]>)> = (0..count)
                .map(|number: usize| {
                    let bytes = number.to_le_bytes().repeat(size / 8 + number % 9);
                    (format!("f{number:05}").parse().unwrap(), bytes.into())
                })
                .collect();
            let files: Files<'_> = owned.iter().map(|(path, bytes)| (path, bytes)).collect();
            let covered: Vec<usize> = spans(&files).into_iter().flatten().collect();
            assert_eq!(covered, (0..count).collect::<Vec<_>>());
            let (found, answer) = while_hashing(&files, || 7);
            let expected: Digests = files.iter().map(digest_of).collect();
            assert_eq!((&found, answer), (&expected, 7));
            assert_eq!(check_digests(&files, &found, &expected), Ok(()));
            let short = found.get(1..).unwrap_or_default().to_vec();
            for (found, signed) in [(&short, &expected), (&expected, &short)] {
                assert_eq!(check_digests(&files, found, signed).is_ok(), count == 0);
            }
        }
    }
}
