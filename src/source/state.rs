//! What this machine has seen, so that policy never goes back: the highest revision of each bundle under each trust root,
//! the newest root version, and the latest time.
//!
//! ```text
//! <state>/lock         held while the file is read and replaced
//!        /state.json   `StateV1`
//! ```
//!
//! It also keeps the fingerprints that no configuration holds, confirmed or not ([`Anchor`]), and the evidence of two
//! contents under one number ([`Equivocation`]).
//!
//! INVARIANT: marks only grow. Every writer reads again under the lock, so that of two processes neither undoes the other's
//! mark.
//!
//! SECURITY: a state that others may write protects from nothing, so a link or a group-writable file is refused, not
//! repaired.

mod access;
mod error;
mod memory;

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{durable, plain};
use crate::diag::plain_words;
use crate::digest::Sha256Digest;
use crate::json;
use crate::name::BundleName;

pub(super) use access::{Expected, check, create as create_private};
pub use access::{lock, lock_patiently};
pub use error::StateError;
pub use memory::{Anchor, Equivocated, Equivocation, Said, confirm, first_use, record};

const FILE: &str = "state.json";
const LOCK: &str = "lock";
const FORMAT: &str = "ordain-state/v1";
/// How much later a time must be than the one written down to be written too: flushing a file to disk for every decision's
/// clock would cost more than the decision.
const TIME_STEP: SignedDuration = SignedDuration::from_mins(1);
/// The most bytes of the file.
const MAX_BYTES: usize = 16 << 20;

/// The highest revision seen of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The role's epoch.
    pub epoch: u64,
    /// The revision within the epoch.
    pub revision: u64,
    /// The payload that had them.
    pub payload: Sha256Digest,
}

/// What has been verified, and when.
#[derive(Debug, Clone, Copy)]
pub struct Advance<'a> {
    /// The fingerprint of the trust root that this machine pins.
    pub root: &'a Sha256Digest,
    /// The version of the newest root that was walked to.
    pub root_version: u64,
    /// The bundle and its revision; none when only the root was verified.
    pub bundle: Option<(&'a BundleName, Mark)>,
    /// Now.
    pub time: Timestamp,
}

/// The state as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    last_seen: Option<Timestamp>,
    roots: BTreeMap<Sha256Digest, RootV1>,
    anchors: BTreeMap<String, Anchor>,
    equivocations: Vec<Equivocation>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateV1 {
    format: String,
    last_seen: Option<Timestamp>,
    roots: BTreeMap<Sha256Digest, RootV1>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    anchors: BTreeMap<String, Anchor>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    equivocations: Vec<Equivocation>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootV1 {
    version: u64,
    bundles: BTreeMap<BundleName, Mark>,
}

impl State {
    /// Reads the state in `directory`; empty where there is none yet. Takes no lock: replacing is atomic.
    ///
    /// # Errors
    /// [`StateError`] when it is unsafe, damaged or unreadable.
    pub fn load(directory: &Path) -> Result<Self, StateError> {
        let path = directory.join(FILE);
        if !check(directory, Expected::Directory)? || !check(&path, Expected::File)? {
            return Ok(Self::default());
        }
        let failed = |source| StateError::Io {
            path: path.clone(),
            source,
        };
        // One byte more than is allowed is enough to refuse it.
        // Room for most at once: without it they are read in small steps.
        let mut bytes = Vec::with_capacity(4 << 10);
        let file = plain::open(&path).map_err(failed)?;
        file.take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Self::parse(&bytes, &path)
    }

    /// Reads the bytes of the file at `path`, which only the errors name.
    ///
    /// # Errors
    /// [`StateError::Json`] and [`StateError::Shape`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, StateError> {
        let shape = |reason: String| StateError::Shape {
            path: path.to_owned(),
            reason,
        };
        let value = json::parse(bytes, MAX_BYTES).map_err(|source| StateError::Json {
            path: path.to_owned(),
            source,
        })?;
        let state: StateV1 =
            json::from_value(value).map_err(|error| shape(plain_words(&error.to_string())))?;
        if state.format != FORMAT {
            return Err(shape(format!("its format is not `{FORMAT}`")));
        }
        Ok(Self {
            last_seen: state.last_seen,
            roots: state.roots,
            anchors: state.anchors,
            equivocations: state.equivocations,
        })
    }

    /// The highest revision seen of `bundle` under the trust root with this fingerprint.
    #[must_use]
    pub fn mark(&self, root: &Sha256Digest, bundle: &BundleName) -> Option<&Mark> {
        self.roots.get(root)?.bundles.get(bundle)
    }

    /// The newest version seen of the trust root with this fingerprint.
    #[must_use]
    pub fn root_version(&self, root: &Sha256Digest) -> Option<u64> {
        self.roots.get(root).map(|root| root.version)
    }

    /// The latest time at which anything was verified, to the minute: a clock well before it was set back.
    #[must_use]
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.last_seen
    }

    fn apply(&mut self, advance: &Advance<'_>) -> Result<(), StateError> {
        let root = self.roots.entry(*advance.root).or_default();
        if advance.root_version < root.version {
            return Err(StateError::RootRollback {
                offered: advance.root_version,
                seen: root.version,
            });
        }
        root.version = advance.root_version;
        if let Some((bundle, offered)) = advance.bundle {
            if let Some(seen) = root.bundles.get(bundle) {
                let (new, old) = (
                    (offered.epoch, offered.revision),
                    (seen.epoch, seen.revision),
                );
                let (bundle, seen) = (bundle.clone(), *seen);
                if new < old {
                    return Err(StateError::Rollback {
                        bundle,
                        offered,
                        seen,
                    });
                }
                if new == old && offered.payload != seen.payload {
                    return Err(StateError::Equivocation {
                        bundle,
                        offered,
                        seen,
                    });
                }
            }
            root.bundles.insert(bundle.clone(), offered);
        }
        let is_news = self
            .last_seen
            .is_none_or(|seen| advance.time.duration_since(seen) >= TIME_STEP);
        if is_news {
            self.last_seen = Some(advance.time);
        }
        Ok(())
    }
}

/// Raises the marks of the state in `directory`, all or none, and returns the new state. Waits for another process that
/// does the same.
///
/// # Errors
/// [`StateError`]; the marks then stand where they stood.
pub fn advance(directory: &Path, advances: &[Advance<'_>]) -> Result<State, StateError> {
    let apply = |state: &mut State| advances.iter().try_for_each(|advance| state.apply(advance));
    Ok(change(directory, apply)?.0)
}

/// Reads the state again under its lock, changes it, and writes it if that made a difference.
fn change<T>(
    directory: &Path,
    work: impl FnOnce(&mut State) -> Result<T, StateError>,
) -> Result<(State, T), StateError> {
    let _lock = lock(directory, LOCK)?;
    let before = State::load(directory)?;
    let mut state = before.clone();
    let answer = work(&mut state)?;
    if state != before {
        let path = directory.join(FILE);
        let wire = StateV1 {
            format: FORMAT.to_owned(),
            last_seen: state.last_seen,
            roots: state.roots.clone(),
            anchors: state.anchors.clone(),
            equivocations: state.equivocations.clone(),
        };
        durable::replace(&path, |out| {
            serde_json::to_writer_pretty(&mut *out, &wire)?;
            out.write_all(b"\n")
        })
        .map_err(|source| StateError::Io { path, source })?;
    }
    Ok((state, answer))
}

#[cfg(test)]
mod tests;
