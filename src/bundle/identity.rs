//! Which bundle it was, for locks, decisions and people.

use serde::{Deserialize, Serialize};

use crate::digest::{CommitId, Sha256Digest};
use crate::name::{BundleName, PrincipalName};

/// Someone whose signature counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signer {
    /// Who.
    pub principal: PrincipalName,
    /// The key's OpenSSH fingerprint, `SHA256:…`.
    pub keyid: String,
}

/// The identity of a bundle that took part in a decision, snapshotted with the engine that answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BundleIdentity {
    /// The bundle's name.
    pub name: BundleName,
    /// The role's epoch; 0 for an unsigned directory.
    pub epoch: u64,
    /// The revision within the epoch; 0 for an unsigned directory.
    pub revision: u64,
    /// The commit, where it came from Git.
    pub commit: Option<CommitId>,
    /// SHA-256 of the signed payload; of the files' digests for an unsigned directory.
    pub payload: Sha256Digest,
    /// Whose signatures counted, sorted; empty for an unsigned directory.
    pub signers: Vec<Signer>,
}
