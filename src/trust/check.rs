//! The checks of [`verify`](super::verify()), in the order in which they are made.

use std::fmt;

use serde::{Serialize, Serializer};

use super::verify::VerifyError;

/// One check of a bundle.
///
/// INVARIANT: the order of the variants is the order in which [`verify`](super::verify()) fails; a test tries every pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// There is an envelope, and it decodes.
    Envelope,
    /// Some publisher role has its threshold of signatures.
    Signatures,
    /// The payload's type is in-toto's.
    PayloadType,
    /// The payload is a statement about a bundle.
    Statement,
    /// It is about the bundle that was asked for.
    Name,
    /// The role that speaks for its namespace is one of those that signed.
    Namespace,
    /// The epoch is the role's; epoch and revision do not go back, and stand for one payload.
    Revision,
    /// It is issued, not expired, and not older than the consumer accepts.
    Times,
    /// The trust root revokes neither the payload nor the revision.
    Revocation,
    /// Git's own signature, where the role requires one.
    GitSignature,
    /// The files are exactly those of the statement.
    FileSet,
    /// Every file has its signed digest.
    Digests,
    /// `bundle.yaml` says the same as the statement.
    Manifest,
}

impl Check {
    /// All of them, in order.
    pub const ALL: [Self; 13] = [
        Self::Envelope,
        Self::Signatures,
        Self::PayloadType,
        Self::Statement,
        Self::Name,
        Self::Namespace,
        Self::Revision,
        Self::Times,
        Self::Revocation,
        Self::GitSignature,
        Self::FileSet,
        Self::Digests,
        Self::Manifest,
    ];

    /// Its stable name, in output for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Envelope => "envelope",
            Self::Signatures => "signatures",
            Self::PayloadType => "payload-type",
            Self::Statement => "statement",
            Self::Name => "bundle-name",
            Self::Namespace => "namespace",
            Self::Revision => "revision",
            Self::Times => "times",
            Self::Revocation => "revocation",
            Self::GitSignature => "git-signature",
            Self::FileSet => "file-set",
            Self::Digests => "digests",
            Self::Manifest => "manifest",
        }
    }

    /// What it asks, for people.
    #[must_use]
    pub fn question(self) -> &'static str {
        match self {
            Self::Envelope => "`bundle.dsse.json` is there and decodes",
            Self::Signatures => {
                "some publisher role has its threshold of distinct principals, with distinct, unrevoked keys, over the payload"
            }
            Self::PayloadType => "the signed payload's type is in-toto's; only now is it parsed",
            Self::Statement => "the payload is a statement about a bundle, in strict JSON",
            Self::Name => "it is about the bundle that was asked for",
            Self::Namespace => "the role that speaks for its namespace is one of those that signed",
            Self::Revision => {
                "the epoch is the role's; epoch and revision are not below the high-water mark, and not the same with another payload"
            }
            Self::Times => {
                "issued is at most five minutes ahead, expires is not past, nor is the consumer's `max_age`"
            }
            Self::Revocation => "the trust root revokes neither payload nor revision",
            Self::GitSignature => {
                "where the role requires it, a member signed the Git tag or commit too"
            }
            Self::FileSet => "the files are exactly those that were signed",
            Self::Digests => "every file has the SHA-256 that was signed",
            Self::Manifest => "`bundle.yaml`, from those bytes, says the same as the statement",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Check {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl VerifyError {
    /// The check that failed.
    #[must_use]
    pub fn check(&self) -> Check {
        match self {
            Self::EnvelopeMissing | Self::Envelope(_) => Check::Envelope,
            Self::NoPublisher | Self::Threshold(_) => Check::Signatures,
            Self::PayloadType { .. } => Check::PayloadType,
            Self::Statement(_) => Check::Statement,
            Self::Name { .. } => Check::Name,
            Self::Namespace { .. } => Check::Namespace,
            Self::Epoch { .. } | Self::Rollback { .. } | Self::Equivocation { .. } => {
                Check::Revision
            }
            Self::Future { .. } | Self::Expired { .. } | Self::TooOld { .. } => Check::Times,
            Self::Revoked { .. } => Check::Revocation,
            Self::GitSignature { .. } => Check::GitSignature,
            Self::Unlisted { .. } | Self::MissingFile { .. } => Check::FileSet,
            Self::FileDigest { .. } => Check::Digests,
            Self::Manifest(_) | Self::ManifestDiffers { .. } => Check::Manifest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_in_order_under_names_of_their_own() {
        assert!(
            Check::ALL
                .windows(2)
                .all(|pair| matches!(pair, [a, b] if a < b))
        );
        let names: std::collections::BTreeSet<&str> =
            Check::ALL.iter().map(|check| check.name()).collect();
        assert_eq!(names.len(), Check::ALL.len());
    }
}
