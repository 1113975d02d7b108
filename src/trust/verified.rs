//! The proof that a bundle was verified, and the lesser one that what was signed of it was.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::validity::Validity;
use crate::bundle::{
    BundleIdentity, BundlePath, FetchedBundle, Manifest, Origin, Predicate, Requirement, Signer,
};
use crate::digest::{CommitId, Sha256Digest};
use crate::name::{Namespace, RoleName};

/// What was signed of a bundle: signatures, times, revision and revocation have been checked. No file was looked at.
///
/// Only [`super::verify`] and [`super::verify_statement`] make one. It says which bundle is the policy, and by its payload what each
/// file must be; whoever wants the files takes a [`VerifiedBundle`]:
///
/// ```compile_fail,E0308
/// fn load(statement: &ordain::trust::VerifiedStatement, limits: &ordain::bundle::Limits) {
///     let _ = ordain::resolve::LoadedBundle::verified(statement, limits);
/// }
/// ```
#[derive(Debug, Clone)]
pub struct VerifiedStatement {
    pub(super) commit: Option<CommitId>,
    pub(super) predicate: Predicate,
    pub(super) payload: Sha256Digest,
    pub(super) role: RoleName,
    pub(super) signers: Vec<Signer>,
    pub(super) root_version: u64,
    pub(super) validity: Validity,
    pub(super) delegated: Vec<(Namespace, RoleName)>,
}

impl VerifiedStatement {
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

    /// The commit at which it stands, where one is known. Nobody vouches for it.
    #[must_use]
    pub fn commit(&self) -> Option<&CommitId> {
        self.commit.as_ref()
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
            commit: self.commit.clone(),
            payload: self.payload,
            signers: self.signers.clone(),
        }
    }
}

/// A bundle whose signatures, times, revision and every file have been checked.
///
/// Only [`super::verify`] makes one, and whatever is resolved from files takes nothing weaker; a policy that was compiled of such files
/// before decides for their statement. Not even from another one can it be put together:
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
    pub(super) statement: VerifiedStatement,
}

impl AsRef<VerifiedStatement> for VerifiedStatement {
    fn as_ref(&self) -> &VerifiedStatement {
        self
    }
}

impl AsRef<VerifiedStatement> for VerifiedBundle {
    fn as_ref(&self) -> &VerifiedStatement {
        &self.statement
    }
}

impl VerifiedBundle {
    /// What was signed of it.
    #[must_use]
    pub fn statement(&self) -> &VerifiedStatement {
        &self.statement
    }

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
        &self.statement.predicate
    }

    /// What it needs of other bundles.
    #[must_use]
    pub fn requires(&self) -> &[Requirement] {
        &self.statement.predicate.requires
    }

    /// SHA-256 of the signed payload.
    #[must_use]
    pub fn payload(&self) -> Sha256Digest {
        self.statement.payload
    }

    /// The role that vouches for it.
    #[must_use]
    pub fn role(&self) -> &RoleName {
        &self.statement.role
    }

    /// Whose signatures counted.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.statement.signers
    }

    /// The namespaces inside its own that the trust root delegates to other publishers: it may not define scopes there.
    #[must_use]
    pub fn delegated(&self) -> &[(Namespace, RoleName)] {
        &self.statement.delegated
    }

    /// The version of the trust root that it was verified against.
    #[must_use]
    pub fn root_version(&self) -> u64 {
        self.statement.root_version
    }

    /// Until when it decides.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.statement.validity
    }

    /// The identity that decisions record.
    #[must_use]
    pub fn identity(&self) -> BundleIdentity {
        self.statement.identity()
    }
}
