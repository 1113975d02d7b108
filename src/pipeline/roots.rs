//! Trust roots from a directory.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use jiff::Timestamp;

use super::error::PipelineError;
use crate::bundle::Limits;
use crate::digest::Sha256Digest;
use crate::trust::{RootChain, RootError, TrustRoot};

/// The bytes of `1.root.json`, `2.root.json` and so on, without a gap.
///
/// # Errors
/// [`RootError::Gap`] when a later root is there and one before it is not, and what reading says.
pub fn root_files(dir: &Path, limits: &Limits) -> Result<Vec<Vec<u8>>, PipelineError> {
    let mut files = Vec::new();
    let mut version = 1_u64;
    loop {
        let path = dir.join(format!("{version}.root.json"));
        match read(&path, limits) {
            Ok(bytes) => files.push(bytes),
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(source) => return Err(PipelineError::RootUnreadable { path, source }),
        }
        if files.len() > limits.roots {
            return Err(RootError::TooManyRoots {
                limit: limits.roots,
            }
            .into());
        }
        version += 1;
    }
    if has_later(dir, version) {
        return Err(RootError::Gap { missing: version }.into());
    }
    Ok(files)
}

/// One byte more than is allowed shows that there are too many.
fn read(path: &Path, limits: &Limits) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path)?;
    file.take(limits.envelope_bytes as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn has_later(dir: &Path, missing: u64) -> bool {
    let Ok(entries) = fs::read_dir(dir) else {
        return false;
    };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let version = name
            .to_str()
            .and_then(|name| name.strip_suffix(".root.json")?.parse::<u64>().ok());
        version.is_some_and(|version| version > missing)
    })
}

/// Walks the roots of a directory from the pinned first one to the last.
///
/// # Errors
/// [`RootError`] for the first step that fails, and what reading says.
pub fn trust_root(
    dir: &Path,
    fingerprint: Sha256Digest,
    now: Timestamp,
    limits: &Limits,
) -> Result<TrustRoot, PipelineError> {
    let files = root_files(dir, limits)?;
    let (first, later) = files.split_first().ok_or(RootError::Missing)?;
    let mut chain = RootChain::begin(first, Some(fingerprint), limits)?;
    for bytes in later {
        chain.step(bytes, limits)?;
    }
    Ok(chain.finish(now)?)
}
