//! Trust roots from a directory, and what a walk over roots of several places comes to.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path;

use jiff::Timestamp;

use super::error::PipelineError;
use crate::bundle::Limits;
use crate::digest::Sha256Digest;
use crate::source::open_through_links;
use crate::source::roots::{file_name, version_of};
use crate::trust::{RootChain, RootError, TrustRoot};

/// How sure the consumer is of the first root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmation {
    /// Its fingerprint stands in the configuration, or was given on the command line.
    Pinned,
    /// Its fingerprint was held against one of a second channel on this machine.
    Confirmed,
    /// It was trusted on first use, and nobody has confirmed it.
    FirstUse,
}

impl Confirmation {
    /// What every report says while nobody has confirmed the root.
    #[must_use]
    pub fn warning(self) -> Option<&'static str> {
        match self {
            Self::FirstUse => Some("root: unconfirmed (trusted on first use)"),
            Self::Pinned | Self::Confirmed => None,
        }
    }
}

/// The trust root in force, and how this machine came to it.
#[derive(Debug, Clone)]
pub struct Trusted {
    /// The root.
    pub root: TrustRoot,
    /// The version that was in force on this machine before, where a later one is now.
    pub advanced_from: Option<u64>,
    /// How sure the consumer is of the first root.
    pub confirmation: Confirmation,
}

/// The bytes of `1.root.json`, `2.root.json` and so on, without a gap.
///
/// # Errors
/// [`RootError::Gap`] when a later root is there and one before it is not, and what reading says.
pub fn root_files(dir: &Path, limits: &Limits) -> Result<Vec<Vec<u8>>, PipelineError> {
    let mut files = Vec::new();
    let mut version = 1_u64;
    loop {
        let path = dir.join(file_name(version));
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
    // Room for most at once: without it they are read in small steps.
    let mut bytes = Vec::with_capacity(4 << 10);
    let file = open_through_links(path)?;
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
        let version = name.to_str().and_then(version_of);
        version.is_some_and(|version| version > missing)
    })
}

/// Says which file of `dir` an error is about.
pub(super) fn in_directory(
    dir: &Path,
    version: u64,
) -> impl FnOnce(RootError) -> PipelineError + use<> {
    let path = dir.join(file_name(version)).display().to_string();
    in_file(format!("`{}`", path.escape_debug()))
}

/// Says what an error is about, in words that are fit for a terminal.
pub(super) fn in_file(file: String) -> impl FnOnce(RootError) -> PipelineError {
    move |error| PipelineError::RootFile {
        file,
        error: Box::new(error),
    }
}

/// Walks the roots of a directory from the pinned first one to the last.
///
/// # Errors
/// [`RootError`] for the first step that fails, with the file that it is about, and what reading says.
pub fn trust_root(
    dir: &Path,
    fingerprint: Sha256Digest,
    now: Timestamp,
    limits: &Limits,
) -> Result<TrustRoot, PipelineError> {
    let files = root_files(dir, limits)?;
    let (first, later) = files.split_first().ok_or(RootError::Missing)?;
    let mut chain =
        RootChain::begin(first, Some(fingerprint), limits).map_err(in_directory(dir, 1))?;
    for bytes in later {
        let version = chain.next_version();
        chain
            .step(bytes, limits)
            .map_err(in_directory(dir, version))?;
    }
    Ok(chain.finish(now)?)
}
