//! What this machine remembers beside the marks: trust roots that it took on first use, and signers caught with two contents
//! under one number.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{State, StateError, change};
use crate::digest::Sha256Digest;
use crate::name::BundleName;

/// The most equivocations that are kept. The first ones are the evidence; a server could invent more without end.
const MAX_EQUIVOCATIONS: usize = 100;

/// The fingerprint of a source's first trust root, where the configuration names none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Anchor {
    /// The fingerprint.
    pub fingerprint: Sha256Digest,
    /// When it was first used, or confirmed without having been.
    pub since: Timestamp,
    /// When someone held it against a second channel.
    pub confirmed: Option<Timestamp>,
}

/// Two contents under one number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Equivocation {
    /// The fingerprint of the trust root under which it happened.
    pub root: Sha256Digest,
    /// What has two contents.
    pub of: Equivocated,
    /// The payload that this machine knew.
    pub seen: Sha256Digest,
    /// The other one.
    pub found: Sha256Digest,
    /// When it was found.
    pub time: Timestamp,
}

/// What has two contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Equivocated {
    /// A revision of a bundle.
    Bundle {
        /// Which.
        name: BundleName,
        /// Its epoch.
        epoch: u64,
        /// Its revision.
        revision: u64,
    },
    /// A version of the trust root.
    Root {
        /// Which.
        version: u64,
    },
}

/// What holding a fingerprint against the remembered one says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// They are the same; this is what is remembered now.
    Confirmed(Anchor),
    /// They differ.
    Differs {
        /// What was remembered.
        remembered: Sha256Digest,
    },
}

impl State {
    /// The fingerprint remembered for a source.
    #[must_use]
    pub fn anchor(&self, source: &str) -> Option<&Anchor> {
        self.anchors.get(source)
    }

    /// Every case of two contents under one number that this machine has met, the first ones first.
    #[must_use]
    pub fn equivocations(&self) -> &[Equivocation] {
        &self.equivocations
    }
}

/// Remembers the fingerprint of a source that is trusted on first use; one that is remembered already stays.
///
/// # Errors
/// [`StateError`]; the state then stands as it stood.
pub fn first_use(
    directory: &Path,
    source: &str,
    fingerprint: Sha256Digest,
    now: Timestamp,
) -> Result<(), StateError> {
    let anchor = Anchor {
        fingerprint,
        since: now,
        confirmed: None,
    };
    change(directory, |state| {
        state.anchors.entry(source.to_owned()).or_insert(anchor);
        Ok(())
    })?;
    Ok(())
}

/// Holds a fingerprint of a second channel against the remembered one; with none remembered it is remembered as confirmed.
/// SECURITY: an unconfirmed one that differs is withdrawn, so that nothing is decided with it any more.
///
/// # Errors
/// [`StateError`]; the state then stands as it stood.
pub fn confirm(
    directory: &Path,
    source: &str,
    fingerprint: Sha256Digest,
    now: Timestamp,
) -> Result<Said, StateError> {
    let (_, said) = change(directory, |state| {
        let known = state.anchors.get(source).cloned();
        if let Some(known) = known.as_ref().filter(|k| k.fingerprint != fingerprint) {
            if known.confirmed.is_none() {
                state.anchors.remove(source);
            }
            return Ok(Said::Differs {
                remembered: known.fingerprint,
            });
        }
        let anchor = Anchor {
            fingerprint,
            since: known.as_ref().map_or(now, |known| known.since),
            confirmed: known.and_then(|known| known.confirmed).or(Some(now)),
        };
        state.anchors.insert(source.to_owned(), anchor.clone());
        Ok(Said::Confirmed(anchor))
    })?;
    Ok(said)
}

/// Writes down two contents under one number, once.
///
/// # Errors
/// [`StateError`]; the state then stands as it stood.
pub fn record(directory: &Path, found: &Equivocation) -> Result<(), StateError> {
    change(directory, |state| {
        let is_known = state.equivocations.iter().any(|known| {
            (known.root, &known.of, known.seen, known.found)
                == (found.root, &found.of, found.seen, found.found)
        });
        if !is_known && state.equivocations.len() < MAX_EQUIVOCATIONS {
            state.equivocations.push(found.clone());
        }
        Ok(())
    })?;
    Ok(())
}
