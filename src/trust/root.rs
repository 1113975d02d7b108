//! Trust roots: from the pinned first one, step by step, to the last.
//!
//! 1. The first root's payload has the fingerprint that the consumer pinned, and satisfies its own `root` role.
//! 2. Root N+1 has version N+1 and satisfies the `root` roles of N *and* of N+1 (TUF 1.0.34, section 5.3).
//! 3. A role of both N and N+1 is in no earlier epoch in N+1.
//! 4. Only the last root's expiry counts.

use jiff::Timestamp;

use super::envelope::{Envelope, EnvelopeError, ROOT_PAYLOAD_TYPE};
use super::keys::KeyId;
use super::root_document::{Role, RootDocument};
use super::threshold::{Shortfall, ValidSignatures};
use crate::bundle::{Limits, Signer};
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::json::JsonError;
use crate::name::{Namespace, PrincipalName, RoleName};

/// Why a trust root is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RootError {
    /// Not an envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// The payload is not strict JSON.
    #[error("the trust root is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// The payload is JSON of another shape.
    #[error("the trust root does not have the right shape: {message}")]
    Shape {
        /// What serde said.
        message: String,
    },
    /// A payload of another type.
    #[error("the trust root's payload type is `{}`, not `{ROOT_PAYLOAD_TYPE}`", found.escape_debug())]
    PayloadType {
        /// What it claims.
        found: String,
    },
    /// The first root is not the pinned one.
    #[error("the trust root has the fingerprint {found}, not the pinned {pinned}")]
    Fingerprint {
        /// What the consumer pinned.
        pinned: Sha256Digest,
        /// What the file has.
        found: Sha256Digest,
    },
    /// No root at all.
    #[error("there is no `1.root.json`")]
    Missing,
    /// A root with another version than its place in the chain.
    #[error("trust root {expected} carries the version {found}")]
    Version {
        /// The version after the one before.
        expected: u64,
        /// The version in the document.
        found: u64,
    },
    /// A file further on, and none at this version.
    #[error("trust root {missing} is missing, and a later one is there")]
    Gap {
        /// The version without a file.
        missing: u64,
    },
    /// More roots than are walked.
    #[error("more than {limit} trust roots")]
    TooManyRoots {
        /// The cap.
        limit: usize,
    },
    /// Too few of a root role's members signed.
    #[error("trust root {version} has {} of the {} signature{} that the `root` role of version {by} requires", shortfall.signed.len(), shortfall.threshold, shortfall.plural())]
    Unsigned {
        /// The root that was signed.
        version: u64,
        /// The root whose role was not satisfied.
        by: u64,
        /// Who signed and who did not.
        shortfall: Box<Shortfall>,
    },
    /// The last root has expired.
    #[error("trust root {version} expired at {expires}")]
    Expired {
        /// Its version.
        version: u64,
        /// When.
        expires: Timestamp,
    },
    /// An older root than this machine has seen.
    #[error(
        "the trust root's version is {found}, but {seen} was seen before, by this machine or its `ordain.lock`"
    )]
    Rollback {
        /// The version of the last root given.
        found: u64,
        /// The highest version seen.
        seen: u64,
    },
    /// Two roots of one version.
    #[error("trust root {version} is {found} here, and {seen} was walked before")]
    Equivocation {
        /// The version of both.
        version: u64,
        /// The payload that was walked before.
        seen: Sha256Digest,
        /// This payload.
        found: Sha256Digest,
    },
    /// More principals, keys or roles than are allowed.
    #[error("more than 256 principals, 8 keys of a principal, or 1024 roles")]
    TooMany,
    /// No `root` role.
    #[error("the trust root has no role `root`")]
    NoRootRole,
    /// One key of two principals, or twice of one.
    #[error("the key {keyid} stands twice: under `{first}` and under `{second}`")]
    SharedKey {
        /// The key.
        keyid: KeyId,
        /// The principal seen first.
        first: PrincipalName,
        /// The principal seen second.
        second: PrincipalName,
    },
    /// A member that is no principal, or one without keys.
    #[error("role `{role}` names `{principal}`, who is not a principal with a key")]
    UnknownPrincipal {
        /// The role.
        role: RoleName,
        /// The member.
        principal: PrincipalName,
    },
    /// A threshold that cannot be met.
    #[error("role `{role}` has a threshold of {threshold} and {members} members")]
    Threshold {
        /// The role.
        role: RoleName,
        /// Its threshold.
        threshold: u32,
        /// Its members.
        members: usize,
    },
    /// A publisher without its own namespace, or another role with one.
    #[error("role `{role}` must list its own namespace if it is a publisher, and none otherwise")]
    Namespaces {
        /// The role.
        role: RoleName,
    },
    /// A requirement on Git's signatures where nothing comes from Git.
    #[error("role `{role}` requires a Git signature, which is for publishers only")]
    GitSignature {
        /// The role.
        role: RoleName,
    },
    /// A role in an earlier epoch than in the root before.
    #[error(
        "role `{role}` is in epoch {found}, and was in epoch {before} in the trust root before"
    )]
    EpochLowered {
        /// The role.
        role: RoleName,
        /// Its epoch in the root before.
        before: u64,
        /// Its epoch in this root.
        found: u64,
    },
    /// A namespace of two publishers.
    #[error("the namespace `{namespace}` belongs to both `{first}` and `{second}`")]
    Overlap {
        /// The namespace.
        namespace: Namespace,
        /// The role seen first.
        first: RoleName,
        /// The role seen second.
        second: RoleName,
    },
}

impl RootError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Envelope(error) => error.code(),
            Self::Json(_) => Code::ROOT_JSON,
            Self::Shape { .. } => Code::ROOT_SHAPE,
            Self::PayloadType { .. } => Code::ROOT_PAYLOAD_TYPE,
            Self::Fingerprint { .. } => Code::ROOT_FINGERPRINT,
            Self::Missing => Code::ROOT_MISSING,
            Self::Version { .. } | Self::Gap { .. } | Self::TooManyRoots { .. } => {
                Code::ROOT_VERSION
            }
            Self::Unsigned { .. } => Code::ROOT_UNSIGNED,
            Self::Expired { .. } => Code::ROOT_EXPIRED,
            Self::Rollback { .. } => Code::ROOT_ROLLBACK,
            Self::Equivocation { .. } => Code::ROOT_EQUIVOCATION,
            Self::TooMany
            | Self::NoRootRole
            | Self::UnknownPrincipal { .. }
            | Self::Namespaces { .. }
            | Self::GitSignature { .. }
            | Self::EpochLowered { .. } => Code::ROOT_RULES,
            Self::SharedKey { .. } => Code::ROOT_SHARED_KEY,
            Self::Threshold { .. } => Code::ROOT_THRESHOLD,
            Self::Overlap { .. } => Code::ROOT_OVERLAP,
        }
    }
}

/// A trust root that its signers vouch for. Made by [`RootChain`] only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    document: RootDocument,
    fingerprint: Sha256Digest,
    payload: Sha256Digest,
    signers: Vec<Signer>,
}

impl TrustRoot {
    /// The content.
    #[must_use]
    pub fn document(&self) -> &RootDocument {
        &self.document
    }

    /// The fingerprint of the *first* root of its chain: what consumers pin, and the name of this trust domain.
    #[must_use]
    pub fn fingerprint(&self) -> Sha256Digest {
        self.fingerprint
    }

    /// SHA-256 of this root's own payload.
    #[must_use]
    pub fn payload(&self) -> Sha256Digest {
        self.payload
    }

    /// The version.
    #[must_use]
    pub fn version(&self) -> u64 {
        self.document.version.get()
    }

    /// Whose signatures counted.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }
}

/// A walk from the pinned root to the last one.
#[derive(Debug, Clone)]
pub struct RootChain {
    last: TrustRoot,
    steps: usize,
}

impl RootChain {
    /// Begins with the first root. Without a pinned fingerprint the caller has decided to trust what it found.
    ///
    /// # Errors
    /// [`RootError`] when the root is not the pinned one, is malformed, or is not signed by its own `root` role.
    pub fn begin(
        bytes: &[u8],
        pinned: Option<Sha256Digest>,
        limits: &Limits,
    ) -> Result<Self, RootError> {
        let envelope = Envelope::parse(bytes, limits)?;
        let fingerprint = envelope.payload_digest();
        // The pin comes first: nothing else of another root is worth a look.
        if let Some(pinned) = pinned.filter(|pinned| *pinned != fingerprint) {
            return Err(RootError::Fingerprint {
                pinned,
                found: fingerprint,
            });
        }
        let document = open(&envelope, 1)?;
        let signers = satisfied(&envelope, &document, 1)?;
        Ok(Self {
            last: TrustRoot {
                document,
                fingerprint,
                payload: fingerprint,
                signers,
            },
            steps: 1,
        })
    }

    /// Goes one step on.
    ///
    /// # Errors
    /// [`RootError`] when the root is not the next one, not signed by both sides, or lowers a role's epoch.
    pub fn step(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), RootError> {
        if self.steps >= limits.roots {
            return Err(RootError::TooManyRoots {
                limit: limits.roots,
            });
        }
        let envelope = Envelope::parse(bytes, limits)?;
        let version = self.last.version() + 1;
        let document = open(&envelope, version)?;
        satisfied(&envelope, &self.last.document, version)?;
        let signers = satisfied(&envelope, &document, version)?;
        document.check_epochs(&self.last.document)?;
        self.last = TrustRoot {
            document,
            fingerprint: self.last.fingerprint,
            payload: envelope.payload_digest(),
            signers,
        };
        self.steps += 1;
        Ok(())
    }

    /// Whether the last root's own `root` role signed these bytes too, as a root of the same version.
    ///
    /// # Errors
    /// [`RootError`] when they are malformed, of another version, or not signed by that role.
    pub fn verify_twin(&self, bytes: &[u8], limits: &Limits) -> Result<(), RootError> {
        let envelope = Envelope::parse(bytes, limits)?;
        open(&envelope, self.last.version())?;
        satisfied(&envelope, &self.last.document, self.last.version()).map(|_| ())
    }

    /// The last root so far. Its expiry was not looked at.
    #[must_use]
    pub fn last(&self) -> &TrustRoot {
        &self.last
    }

    /// The version that the next step must have.
    #[must_use]
    pub fn next_version(&self) -> u64 {
        self.last.version() + 1
    }

    /// Ends the walk; the last root must not have expired.
    ///
    /// # Errors
    /// [`RootError::Expired`].
    pub fn finish(self, now: Timestamp) -> Result<TrustRoot, RootError> {
        let expires = self.last.document.expires;
        if expires <= now {
            return Err(RootError::Expired {
                version: self.last.version(),
                expires,
            });
        }
        Ok(self.last)
    }
}

fn open(envelope: &Envelope, expected: u64) -> Result<RootDocument, RootError> {
    if envelope.payload_type() != ROOT_PAYLOAD_TYPE {
        return Err(RootError::PayloadType {
            found: envelope.payload_type().chars().take(120).collect(),
        });
    }
    let document = RootDocument::parse(envelope.payload())?;
    let found = document.version.get();
    if found != expected {
        return Err(RootError::Version { expected, found });
    }
    Ok(document)
}

/// Whether the `root` role of `by` is satisfied.
pub(super) fn satisfied(
    envelope: &Envelope,
    by: &RootDocument,
    version: u64,
) -> Result<Vec<Signer>, RootError> {
    let role: &Role = by.roles.get(&RoleName::Root).ok_or(RootError::NoRootRole)?;
    ValidSignatures::check(envelope, by)
        .count(&RoleName::Root, role)
        .map_err(|shortfall| RootError::Unsigned {
            version,
            by: by.version.get(),
            shortfall: Box::new(shortfall),
        })
}
