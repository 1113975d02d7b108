//! The one place where signers are counted.
//!
//! A role is satisfied when as many *distinct principals*, each by a *distinct key*, have signed as its threshold says.
//! `keyid`s play no part but to say which key to try first: a signature belongs to the key that verifies it.

use std::collections::{BTreeMap, BTreeSet};

use super::envelope::Envelope;
use super::keys::PublicKey;
use super::root_document::{Role, RootDocument};
use crate::bundle::Signer;
use crate::name::{PrincipalName, RoleName};

/// How far the signatures of a role fall short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shortfall {
    /// The role.
    pub role: RoleName,
    /// How many it needs.
    pub threshold: u32,
    /// Who signed.
    pub signed: Vec<Signer>,
    /// Members who did not.
    pub missing: Vec<PrincipalName>,
    /// Those of them who have signed by a revoked key, or have no other.
    pub revoked: Vec<Signer>,
}

impl Shortfall {
    /// What makes `signature` agree with the threshold.
    pub(super) fn plural(&self) -> &'static str {
        if self.threshold == 1 { "" } else { "s" }
    }
}

/// The keys whose signatures over an envelope are valid: at most one per principal.
#[derive(Debug)]
pub(super) struct ValidSignatures {
    by_principal: BTreeMap<PrincipalName, PublicKey>,
    /// Of those without a valid signature: the revoked key that they have signed by, or one where all of theirs are. It only
    /// explains.
    revoked: BTreeMap<PrincipalName, PublicKey>,
}

impl ValidSignatures {
    /// Checks every signature against the keys of `document` that are not revoked.
    pub(super) fn check(envelope: &Envelope, document: &RootDocument) -> Self {
        let signed = signers(envelope, document);
        let has_signed = |key: &&&PublicKey| signed.contains(key.as_bytes());
        let mut by_principal = BTreeMap::new();
        let mut revoked = BTreeMap::new();
        for (name, principal) in &document.principals {
            let (gone, usable): (Vec<&PublicKey>, Vec<&PublicKey>) = principal
                .keys
                .iter()
                .partition(|key| document.revoked.keys.contains(&key.id()));
            if let Some(key) = usable.iter().find(has_signed) {
                by_principal.insert(name.clone(), (*key).clone());
                continue;
            }
            let any = gone.first().filter(|_| usable.is_empty());
            if let Some(key) = gone.iter().find(has_signed).or(any) {
                revoked.insert(name.clone(), (*key).clone());
            }
        }
        Self {
            by_principal,
            revoked,
        }
    }

    /// Counts the members of `role` who signed.
    ///
    /// # Errors
    /// [`Shortfall`] when they are fewer than the threshold.
    pub(super) fn count(&self, name: &RoleName, role: &Role) -> Result<Vec<Signer>, Shortfall> {
        let mut keys = BTreeSet::new();
        let mut signed = Vec::new();
        let mut missing = Vec::new();
        for principal in &role.principals {
            match self.by_principal.get(principal) {
                // INVARIANT: a trust root refuses a key of two principals; counting keys as well costs nothing.
                Some(key) if keys.insert(*key.as_bytes()) => {
                    signed.push(Signer {
                        principal: principal.clone(),
                        keyid: key.id().as_str().to_owned(),
                    });
                }
                _ => missing.push(principal.clone()),
            }
        }
        let threshold = role.threshold.get();
        if u32::try_from(signed.len()).is_ok_and(|count| count < threshold) {
            let revoked = missing.iter().filter_map(|principal| {
                Some(Signer {
                    principal: principal.clone(),
                    keyid: self.revoked.get(principal)?.id().as_str().to_owned(),
                })
            });
            return Err(Shortfall {
                role: name.clone(),
                threshold,
                signed,
                revoked: revoked.collect(),
                missing,
            });
        }
        Ok(signed)
    }
}

/// The keys of `document`, revoked or not, under which a signature of the envelope is valid.
///
/// Each signature counts for one key. That of its `keyid` is tried first, so that an honest envelope costs one check for each
/// signature, and the others after it, so that a `keyid` that lies changes nothing.
fn signers(envelope: &Envelope, document: &RootDocument) -> BTreeSet<[u8; 32]> {
    let pae = envelope.pae();
    let principals = document.principals.values();
    let keys: Vec<(String, &PublicKey)> = principals
        .flat_map(|principal| &principal.keys)
        .map(|key| (key.id().to_string(), key))
        .collect();
    let mut signers = BTreeSet::new();
    for signature in envelope.signatures() {
        let (named, others): (Vec<_>, Vec<_>) =
            keys.iter().partition(|(id, _)| *id == signature.keyid);
        let signer = named
            .into_iter()
            .chain(others)
            .filter(|(_, key)| !signers.contains(key.as_bytes()))
            .find(|(_, key)| key.verify(&pae, &signature.sig));
        signers.extend(signer.map(|(_, key)| *key.as_bytes()));
    }
    signers
}
