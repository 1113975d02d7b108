//! What an envelope that nobody verified may decide for its next signer: the signatures on it are not looked at, so
//! whoever can write to the directory can put one there.

use super::{NextRevision, SignError};
use crate::bundle::{Predicate, Requirement};

/// The highest revision that is signed without being asked for by its number. Someone who plants an envelope near the end of
/// the numbers would otherwise have the next signer burn all that are left.
pub const MAX_UNASKED_REVISION: u64 = 1_000_000;

impl NextRevision {
    /// Nobody who asks for something gets a signature on something else.
    pub(super) fn admit_cosigning(&self, there: &Predicate) -> Result<(), SignError> {
        let differs = |what| Err(SignError::CoSign { what });
        if let Some(wanted) = self.epoch.filter(|wanted| *wanted != there.epoch) {
            return differs(format!("epoch {}, not {wanted}", there.epoch));
        }
        if let Some(wanted) = self.revision.filter(|wanted| *wanted != there.revision) {
            return differs(format!("revision {}, not {wanted}", there.revision));
        }
        let Some(wanted) = &self.requires else {
            return Ok(());
        };
        let is_met = |by: &Requirement, wanted: &Requirement| {
            (&by.bundle, by.epoch, by.revision) == (&wanted.bundle, wanted.epoch, wanted.revision)
                && (wanted.payload_sha256.is_none() || by.payload_sha256 == wanted.payload_sha256)
        };
        let there = &there.requires;
        let is_same = wanted.iter().all(|w| there.iter().any(|by| is_met(by, w)))
            && there.iter().all(|by| wanted.iter().any(|w| is_met(by, w)));
        if is_same {
            return Ok(());
        }
        differs("other requirements than `--requires`".to_owned())
    }

    /// A revision that nobody reaches by counting must be asked for.
    pub(super) fn admit_revision(&self, predicate: &Predicate) -> Result<(), SignError> {
        let revision = predicate.revision;
        if revision.get() > MAX_UNASKED_REVISION && self.revision != Some(revision) {
            return Err(SignError::Unasked {
                revision: revision.get(),
            });
        }
        Ok(())
    }
}
