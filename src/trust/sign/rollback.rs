//! A step back that is meant: the contents of an older revision, signed as a new one that says so.
//!
//! SECURITY: what the new statement claims is that its files are those of the older *payload*. That payload lists its files
//! by digest, and they are compared here, so the claim can be checked by whoever holds the older envelope, and cannot be
//! made of other files.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use super::SignError;
use crate::bundle::{Limits, Manifest, Predicate, RollsBack, Statement};
use crate::digest::Sha256Digest;
use crate::trust::envelope::Envelope;

/// How an older revision is named: `EPOCH.REVISION`, or its payload's digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RevisionName {
    /// By number.
    Number {
        /// The epoch.
        epoch: NonZeroU64,
        /// The revision within it.
        revision: NonZeroU64,
    },
    /// By payload.
    Payload(Sha256Digest),
}

impl fmt::Display for RevisionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { epoch, revision } => write!(f, "{epoch}.{revision}"),
            Self::Payload(payload) => payload.fmt(f),
        }
    }
}

/// A text that names no revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is neither EPOCH.REVISION, such as 1.12, nor a payload's digest, sha256:…", .0.escape_debug())]
pub struct RevisionNameError(String);

impl FromStr for RevisionName {
    type Err = RevisionNameError;
    fn from_str(text: &str) -> Result<Self, RevisionNameError> {
        let error = || RevisionNameError(text.chars().take(80).collect());
        if let Ok(payload) = text.parse() {
            return Ok(Self::Payload(payload));
        }
        let number = |digits: &str| {
            let plain = digits.bytes().all(|b| b.is_ascii_digit());
            digits.parse().ok().filter(|_| plain)
        };
        let (epoch, revision) = text.split_once('.').ok_or_else(error)?;
        Ok(Self::Number {
            epoch: number(epoch).ok_or_else(error)?,
            revision: number(revision).ok_or_else(error)?,
        })
    }
}

/// The statement of a revision to return to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OlderRevision {
    statement: Statement,
    payload: Sha256Digest,
}

impl OlderRevision {
    /// Reads the envelope of an older revision. Its signatures are not looked at.
    ///
    /// # Errors
    /// [`SignError::Envelope`] and [`SignError::Existing`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, SignError> {
        let envelope = Envelope::parse(bytes, limits)?;
        Ok(Self {
            statement: Statement::parse(envelope.payload()).map_err(SignError::Existing)?,
            payload: envelope.payload_digest(),
        })
    }

    /// What it says.
    #[must_use]
    pub fn predicate(&self) -> &Predicate {
        &self.statement.predicate
    }

    /// The digest of its payload.
    #[must_use]
    pub fn payload(&self) -> Sha256Digest {
        self.payload
    }

    /// Whether this is the revision of that name.
    #[must_use]
    pub fn is(&self, name: &RevisionName) -> bool {
        let Predicate {
            epoch, revision, ..
        } = self.statement.predicate;
        match *name {
            RevisionName::Payload(payload) => payload == self.payload,
            RevisionName::Number {
                epoch: wanted_epoch,
                revision: wanted,
            } => (epoch, revision) == (wanted_epoch, wanted),
        }
    }

    /// Holds what is to be signed against it.
    pub(super) fn check(
        &self,
        manifest: &Manifest,
        files: &Statement,
        last: Option<&Predicate>,
        wanted: Option<NonZeroU64>,
    ) -> Result<(), SignError> {
        let older = &self.statement.predicate;
        if older.bundle != manifest.name {
            return Err(SignError::RollbackOfAnother {
                found: older.bundle.clone(),
                expected: manifest.name.clone(),
            });
        }
        let (then, now) = (&self.statement.subjects, &files.subjects);
        let differs = then
            .iter()
            .find(|(path, digest)| now.get(*path) != Some(*digest))
            .or_else(|| now.iter().find(|(path, _)| !then.contains_key(*path)));
        if let Some((path, _)) = differs {
            return Err(SignError::RollbackFiles {
                path: path.clone(),
                epoch: older.epoch.get(),
                revision: older.revision.get(),
            });
        }
        // Restored with its own envelope, the directory no longer knows which revision was the last.
        let is_newer =
            |last: &Predicate| (last.epoch, last.revision) > (older.epoch, older.revision);
        if wanted.is_none() && !last.is_some_and(is_newer) {
            return Err(SignError::NewestUnknown {
                epoch: older.epoch.get(),
                revision: older.revision.get(),
            });
        }
        Ok(())
    }

    /// What the new statement says of it.
    pub(super) fn rolls_back(&self) -> RollsBack {
        RollsBack {
            epoch: self.statement.predicate.epoch,
            revision: self.statement.predicate.revision,
            payload_sha256: self.payload,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_revisions_round_trip_and_refuse_the_rest() {
        let payload = Sha256Digest::of(b"x").to_string();
        for text in ["1.12", "2.1", payload.as_str()] {
            let name: RevisionName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
        for text in [
            "",
            "12",
            "1.",
            ".1",
            "0.1",
            "1.0",
            "+1.1",
            "1.-1",
            "1.2.3",
            "sha256:12",
        ] {
            assert!(text.parse::<RevisionName>().is_err(), "{text}");
        }
    }
}
