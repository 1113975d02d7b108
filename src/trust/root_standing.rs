//! How far the signatures of each trust root go: what the root before it asks for, and what it asks for itself. For people
//! who sign and look; whether a consumer follows is decided in [`super::root`].

use super::envelope::{Envelope, EnvelopeError, ROOT_PAYLOAD_TYPE};
use super::key_holder::SigningError;
use super::keys::PublicKey;
use super::root::{RootError, satisfied};
use super::root_document::RootDocument;
use super::threshold::{Shortfall, ValidSignatures};
use crate::bundle::{Limits, Signer};
use crate::diag::Code;
use crate::name::{PrincipalName, RoleName};

/// A trust root as it is passed around until enough people have signed it: perhaps signed by nobody yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootDraft {
    pub(super) envelope: Envelope,
    pub(super) document: RootDocument,
}

/// Why something is not added to a draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftError {
    /// What was given is not a trust root.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A key of nobody.
    #[error("the key {} belongs to no principal of trust root {version}{}", .key.id(), before(*version, *looked_back))]
    Stranger {
        /// The key.
        key: Box<PublicKey>,
        /// The version that was to be signed.
        version: u64,
        /// Whether the root before it was at hand.
        looked_back: bool,
    },
    /// A key whose signature counts nowhere.
    #[error("the key {} of `{principal}` is revoked", .key.id())]
    Revoked {
        /// The key.
        key: Box<PublicKey>,
        /// Whose it is.
        principal: PrincipalName,
    },
    /// Whoever holds a key gave no signature, or a wrong one.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// Signatures over something else.
    #[error("the two files hold different trust roots: version {ours} ({}), and version {theirs} ({})", digests.0, digests.1)]
    OtherPayload {
        /// The version of the one.
        ours: u64,
        /// The version of the other.
        theirs: u64,
        /// Their payloads' digests.
        digests: Box<(crate::digest::Sha256Digest, crate::digest::Sha256Digest)>,
    },
}

fn before(version: u64, looked_back: bool) -> String {
    match version.checked_sub(1) {
        Some(before) if before > 0 && looked_back => format!(" or of {before}"),
        _ => String::new(),
    }
}

impl DraftError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Root(error) => error.code(),
            Self::Stranger { .. } | Self::Revoked { .. } => Code::ROOT_STRANGER,
            Self::Signing(error) => error.code(),
            Self::OtherPayload { .. } => Code::ROOT_OTHER_PAYLOAD,
        }
    }
}

/// What one `root` role asks for, and how much of it a root has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootStanding {
    /// The root whose role asks.
    pub by: u64,
    /// How many signatures it takes.
    pub threshold: u32,
    /// Whose count.
    pub signed: Vec<Signer>,
    /// Members whose signature does not count, or is not there.
    pub missing: Vec<PrincipalName>,
    /// Whether it is satisfied.
    pub met: bool,
}

impl RootDraft {
    /// Makes a draft that nobody has signed.
    ///
    /// # Errors
    /// [`RootError`] when the document breaks its rules.
    pub fn new(document: RootDocument) -> Result<Self, RootError> {
        document.check()?;
        let envelope = Envelope::new(ROOT_PAYLOAD_TYPE, &document.to_payload()?);
        Ok(Self { envelope, document })
    }

    /// Reads a root file, signed or not; no signature is looked at.
    ///
    /// # Errors
    /// [`RootError`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, RootError> {
        let envelope = Envelope::parse_draft(bytes, limits)?;
        if envelope.payload_type() != ROOT_PAYLOAD_TYPE {
            return Err(RootError::PayloadType {
                found: envelope.payload_type().chars().take(120).collect(),
            });
        }
        let document = RootDocument::parse(envelope.payload())?;
        Ok(Self { envelope, document })
    }

    /// What is signed.
    #[must_use]
    pub fn document(&self) -> &RootDocument {
        &self.document
    }

    /// The envelope as it is written.
    #[must_use]
    pub fn envelope(&self) -> &Envelope {
        &self.envelope
    }

    /// Who has signed, as the root before and this one count: the first root is counted by itself alone.
    #[must_use]
    pub fn standings(&self, previous: Option<&RootDocument>) -> Vec<RootStanding> {
        let documents = previous.into_iter().chain([&self.document]);
        documents.filter_map(|by| self.standing(by)).collect()
    }

    /// Whether everyone has signed who must.
    ///
    /// # Errors
    /// [`RootError::Unsigned`] for the first role that is not satisfied.
    pub fn check_signed(&self, previous: Option<&RootDocument>) -> Result<(), RootError> {
        let version = self.document.version.get();
        for by in previous.into_iter().chain([&self.document]) {
            satisfied(&self.envelope, by, version)?;
        }
        Ok(())
    }

    fn standing(&self, by: &RootDocument) -> Option<RootStanding> {
        let role = by.roles.get(&RoleName::Root)?;
        let counted = ValidSignatures::check(&self.envelope, by).count(&RoleName::Root, role);
        let met = counted.is_ok();
        let signed = match counted {
            Ok(signed) => signed,
            Err(Shortfall { signed, .. }) => signed,
        };
        let has_signed = |name: &&PrincipalName| signed.iter().any(|s| s.principal == **name);
        let missing = role.principals.iter().filter(|name| !has_signed(name));
        Some(RootStanding {
            by: by.version.get(),
            threshold: role.threshold.get(),
            missing: missing.cloned().collect(),
            signed,
            met,
        })
    }

    /// Whether a signature by `key` could count in this root or the one before.
    ///
    /// # Errors
    /// [`DraftError::Stranger`], and [`DraftError::Revoked`] where every root that knows the key revokes it.
    pub fn admit(
        &self,
        key: &PublicKey,
        previous: Option<&RootDocument>,
    ) -> Result<(), DraftError> {
        let documents = || previous.into_iter().chain([&self.document]);
        let owner = documents().find_map(|document| document.owner_of(key));
        let Some(principal) = owner else {
            return Err(DraftError::Stranger {
                key: Box::new(key.clone()),
                version: self.document.version.get(),
                looked_back: previous.is_some(),
            });
        };
        let counts = |document: &RootDocument| {
            document.owner_of(key).is_some() && !document.revoked.keys.contains(&key.id())
        };
        if !documents().any(counts) {
            return Err(DraftError::Revoked {
                key: Box::new(key.clone()),
                principal: principal.clone(),
            });
        }
        Ok(())
    }

    /// Takes over the signatures of another copy of this root; how many were new. What no principal of either root made is
    /// left behind: a stranger could fill the envelope with it.
    ///
    /// # Errors
    /// [`DraftError::OtherPayload`].
    pub fn merge(
        &mut self,
        other: &Self,
        previous: Option<&RootDocument>,
    ) -> Result<usize, DraftError> {
        if other.envelope.payload() != self.envelope.payload() {
            return Err(DraftError::OtherPayload {
                ours: self.document.version.get(),
                theirs: other.document.version.get(),
                digests: Box::new((
                    self.envelope.payload_digest(),
                    other.envelope.payload_digest(),
                )),
            });
        }
        let documents = previous.into_iter().chain([&self.document]);
        let keys: Vec<PublicKey> = documents
            .flat_map(|document| document.principals.values())
            .flat_map(|principal| principal.keys.iter().cloned())
            .collect();
        Ok(self.envelope.take_signatures(&other.envelope, &keys))
    }
}

/// How each root of a directory stands, from the first on. Every signature is checked; nothing is trusted for it.
///
/// # Errors
/// [`RootError`] for the first file that is not the root of its place.
pub fn root_drafts(files: &[Vec<u8>], limits: &Limits) -> Result<Vec<RootDraft>, RootError> {
    let mut drafts = Vec::with_capacity(files.len());
    for (expected, bytes) in (1..).zip(files) {
        let draft = RootDraft::parse(bytes, limits)?;
        let found = draft.document.version.get();
        if found != expected {
            return Err(RootError::Version { expected, found });
        }
        drafts.push(draft);
    }
    Ok(drafts)
}

impl From<EnvelopeError> for DraftError {
    fn from(error: EnvelopeError) -> Self {
        Self::Root(error.into())
    }
}
