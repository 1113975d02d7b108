//! The proof that a bundle was verified.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::validity::Validity;
use crate::bundle::{
    BundleIdentity, BundlePath, FetchedBundle, Manifest, Origin, Predicate, Requirement, Signer,
};
use crate::digest::Sha256Digest;
use crate::name::{Namespace, RoleName};

/// A bundle whose signatures, times, revision and every file have been checked.
///
/// Only [`super::verify`] makes one, and everything that decides takes nothing weaker. Not even from another one can it be
/// put together:
///
/// ```compile_fail,E0451
/// fn forge(bundle: ordain::trust::VerifiedBundle) -> ordain::trust::VerifiedBundle {
///     ordain::trust::VerifiedBundle { ..bundle }
/// }
/// ```
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    pub(super) fetched: FetchedBundle,
    pub(super) manifest: Manifest,
    pub(super) predicate: Predicate,
    pub(super) payload: Sha256Digest,
    pub(super) role: RoleName,
    pub(super) signers: Vec<Signer>,
    pub(super) root_version: u64,
    pub(super) validity: Validity,
    pub(super) delegated: Vec<(Namespace, RoleName)>,
}

impl VerifiedBundle {
    /// The verified bytes, by name; the envelope is not among them.
    #[must_use]
    pub fn files(&self) -> &BTreeMap<BundlePath, Arc<[u8]>> {
        &self.fetched.files
    }

    /// The bytes as fetched, envelope included: what the store keeps.
    #[must_use]
    pub fn fetched(&self) -> &FetchedBundle {
        &self.fetched
    }

    /// Where the bytes came from.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.fetched.origin
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What was signed about the files: revision, times, requirements.
    #[must_use]
    pub fn predicate(&self) -> &Predicate {
        &self.predicate
    }

    /// What it needs of other bundles.
    #[must_use]
    pub fn requires(&self) -> &[Requirement] {
        &self.predicate.requires
    }

    /// SHA-256 of the signed payload.
    #[must_use]
    pub fn payload(&self) -> Sha256Digest {
        self.payload
    }

    /// The role that vouches for it.
    #[must_use]
    pub fn role(&self) -> &RoleName {
        &self.role
    }

    /// Whose signatures counted.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The namespaces inside its own that the trust root delegates to other publishers: it may not define scopes there.
    #[must_use]
    pub fn delegated(&self) -> &[(Namespace, RoleName)] {
        &self.delegated
    }

    /// The version of the trust root that it was verified against.
    #[must_use]
    pub fn root_version(&self) -> u64 {
        self.root_version
    }

    /// Until when it decides.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// The identity that decisions record.
    #[must_use]
    pub fn identity(&self) -> BundleIdentity {
        BundleIdentity {
            name: self.predicate.bundle.clone(),
            epoch: self.predicate.epoch.get(),
            revision: self.predicate.revision.get(),
            commit: self.fetched.origin.commit().cloned(),
            payload: self.payload,
            signers: self.signers.clone(),
        }
    }
}
