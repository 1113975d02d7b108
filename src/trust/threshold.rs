//! The one place where signers are counted.
//!
//! A role is satisfied when as many *distinct principals*, each by a *distinct key*, have signed as its threshold says.
//! `keyid`s play no part but to say which key to try first: a signature belongs to the key that verifies it.

use std::collections::{BTreeMap, BTreeSet};

use rayon::prelude::*;

use super::envelope::{Envelope, EnvelopeSignature};
use super::keys::{KeyId, PublicKey};
use super::root_document::{Role, RootDocument};
use crate::bundle::Signer;
use crate::name::{PrincipalName, RoleName};

/// Bytes that are hashed at most to find the keys of signatures that do not name them: some seconds. Two signatures over ten
/// thousand files, under a hundred keys, take a sixteenth of it.
const PATIENCE: u64 = 4 << 30;
/// Bytes from which on signatures are checked on all cores: for less, the others have files to hash, and are not waited for. So
/// much is worth the wait also where all but one are busy.
const PARALLEL_BYTES: usize = 4 << 20;

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
        let signed = signers(envelope, document, PATIENCE);
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
///
/// SECURITY: a check hashes the whole payload, and nobody has vouched for its size yet. So `patience` bounds the bytes that are
/// hashed for keys which a signature does not name; what is not tried does not count.
fn signers(envelope: &Envelope, document: &RootDocument, mut patience: u64) -> BTreeSet<[u8; 32]> {
    let pae = envelope.pae();
    let principals = document.principals.values();
    let keys: Vec<(KeyId, &PublicKey)> = principals
        .flat_map(|principal| &principal.keys)
        .map(|key| (key.id(), key))
        .collect();
    let mut signers = BTreeSet::new();
    for (signature, named) in envelope
        .signatures()
        .iter()
        .zip(named_signers(envelope, &keys))
    {
        let is_new = |key: &&PublicKey| !signers.contains(key.as_bytes());
        let unnamed = keys.iter().filter(|(id, _)| id.as_str() != signature.keyid);
        let mut others = unnamed.map(|(_, key)| *key).filter(is_new).take_while(|_| {
            let rest = patience.checked_sub(pae.len() as u64);
            patience = rest.unwrap_or(0);
            rest.is_some()
        });
        let signer = named
            .filter(is_new)
            .or_else(|| others.find(|key| key.verify(pae, &signature.sig)));
        signers.extend(signer.map(|key| *key.as_bytes()));
    }
    signers
}

/// For each signature the key that its `keyid` names, where it is valid under that: checked on all cores where that is much.
fn named_signers<'a>(
    envelope: &Envelope,
    keys: &[(KeyId, &'a PublicKey)],
) -> Vec<Option<&'a PublicKey>> {
    let (pae, signatures) = (envelope.pae(), envelope.signatures());
    let signer = |signature: &EnvelopeSignature| {
        let named = |(id, _): &&(KeyId, &PublicKey)| id.as_str() == signature.keyid;
        let mut named = keys.iter().filter(named).map(|(_, key)| *key);
        named.find(|key| key.verify(pae, &signature.sig))
    };
    if pae.len().saturating_mul(signatures.len()) < PARALLEL_BYTES {
        signatures.iter().map(signer).collect()
    } else {
        signatures.par_iter().map(signer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::SecretKey;
    use crate::trust::root_document::{Principal, Revocations};

    #[test]
    fn a_signature_that_names_no_key_is_tried_with_patience() {
        let keys: Vec<SecretKey> = (1..=3)
            .map(|seed| SecretKey::from_seed(&[seed; 32]))
            .collect();
        let named = |(at, key): (usize, &SecretKey)| {
            let keys = vec![key.public()];
            (format!("signer-{at}").parse().unwrap(), Principal { keys })
        };
        let document = RootDocument {
            version: std::num::NonZeroU64::MIN,
            expires: "2030-01-01T00:00:00Z".parse().unwrap(),
            principals: keys.iter().enumerate().map(named).collect(),
            roles: BTreeMap::new(),
            revoked: Revocations::default(),
        };
        // On one core, and on all of them.
        for size in [1000, PARALLEL_BYTES] {
            let mut honest = Envelope::new("type", &vec![b'x'; size]);
            honest.sign_all(&keys).unwrap();
            let changed = |from: &str, to: &str| {
                let text = honest.to_json().replace(from, to);
                Envelope::parse(text.as_bytes(), &crate::bundle::Limits::default()).unwrap()
            };
            let lying = changed("SHA256:", "SHA512:");
            let [first, second] = [0, 1].map(|at| keys[at].public().id().to_string());
            // Two signatures under the name of the second key, of which one is its own.
            let borrowed = changed(&first, &second);
            let bytes = lying.pae().len() as u64;
            for (envelope, patience, found) in [
                (&honest, 0, 3),
                (&lying, u64::MAX, 3),
                // Each signature's key is the first that is still to be tried.
                (&lying, bytes * 3, 3),
                (&lying, bytes * 2, 2),
                (&lying, bytes - 1, 0),
                (&borrowed, bytes, 3),
                (&borrowed, bytes - 1, 2),
            ] {
                assert_eq!(signers(envelope, &document, patience).len(), found);
            }
        }
    }
}
