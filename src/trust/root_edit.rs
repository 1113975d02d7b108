//! The next trust root: the last document and a list of changes give the next document. Whether anyone signs it is decided
//! in [`super::root`].
//!
//! 1. The changes are applied in the order given, to a copy that is one version on.
//! 2. Every role can still reach its threshold with keys that are not revoked.
//! 3. The document's own rules hold ([`RootDocument::check`]), and no epoch goes down ([`RootDocument::check_epochs`]).
//! 4. Something besides the expiry differs, unless a renewal was asked for.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};

use jiff::Timestamp;

use super::keys::{KeyId, PublicKey};
use super::root::RootError;
use super::root_document::{GitRequirement, Principal, RevokedRevisions, Role, RootDocument};
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::name::{Namespace, PrincipalName, RoleName};

/// One change to a trust root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RootChange {
    /// Gives a principal a key; a principal that is not there is added. Nothing happens where they have it already.
    AddKey {
        /// Whose.
        principal: PrincipalName,
        /// Which.
        key: PublicKey,
    },
    /// Takes a key from whoever has it. What it signed is not revoked: it no longer counts because nobody has the key.
    RetireKey(KeyId),
    /// Removes a principal, also from every role.
    RemovePrincipal(PrincipalName),
    /// Says who fills a role. One of the last root keeps its epoch, its namespaces and what it requires of Git, also where
    /// the same edit removed it before.
    SetRole {
        /// The role.
        role: RoleName,
        /// Its members from now on.
        principals: BTreeSet<PrincipalName>,
        /// How many of them must sign.
        threshold: NonZeroU32,
    },
    /// Removes a role; not `root`.
    RemoveRole(RoleName),
    /// Says how many members of a role must sign.
    SetThreshold {
        /// The role.
        role: RoleName,
        /// How many.
        threshold: NonZeroU32,
    },
    /// Lets a publisher speak for one more namespace.
    AddNamespace {
        /// The namespace in the publisher's name.
        publisher: Namespace,
        /// What it may speak for besides.
        namespace: Namespace,
    },
    /// Takes a namespace from a publisher; not the one in its name.
    RemoveNamespace {
        /// The namespace in the publisher's name.
        publisher: Namespace,
        /// What it no longer speaks for.
        namespace: Namespace,
    },
    /// Says which of Git's own signatures a publisher's bundles must carry besides.
    RequireGit {
        /// The namespace in the publisher's name.
        publisher: Namespace,
        /// Which; none from now on.
        required: Option<GitRequirement>,
    },
    /// Raises a role's epoch by one, so that statements of earlier epochs no longer count.
    RaiseEpoch(RoleName),
    /// Revokes a key that some principal has; the principal keeps it, so that the record shows whose it was.
    RevokeKey(KeyId),
    /// Revokes a statement.
    RevokePayload(Sha256Digest),
    /// Revokes revisions of a bundle.
    RevokeRevisions(RevokedRevisions),
}

/// Whether a new version that differs in nothing but its expiry is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renewal {
    /// It is.
    Asked,
    /// It would be a mistake.
    NotAsked,
}

/// Why there is no next root.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// The document that would result breaks a rule.
    #[error(transparent)]
    Root(#[from] RootError),
    /// A principal that is not there.
    #[error("there is no principal `{principal}`")]
    NoPrincipal {
        /// Who.
        principal: PrincipalName,
    },
    /// A key that nobody has.
    #[error("no principal has the key {keyid}")]
    NoKey {
        /// Which.
        keyid: KeyId,
    },
    /// A role that is not there.
    #[error("there is no role `{role}`")]
    NoRole {
        /// Which.
        role: RoleName,
    },
    /// The role without which there is no trust root.
    #[error("the role `root` cannot be removed")]
    RootRole,
    /// A namespace that the publisher does not have, or the one in its name.
    #[error("`{namespace}` is not one of the further namespaces of `publisher/{publisher}`")]
    NoNamespace {
        /// The namespace in the publisher's name.
        publisher: Namespace,
        /// What was to be taken.
        namespace: Namespace,
    },
    /// Someone is given a key and removed by one and the same edit.
    #[error("principal `{principal}` is both given a key and removed")]
    Contradiction {
        /// Who.
        principal: PrincipalName,
    },
    /// A principal without a key.
    #[error("principal `{principal}` would be left without a key")]
    LastKey {
        /// Who.
        principal: PrincipalName,
    },
    /// A key that was revoked, and is to be trusted again.
    #[error("the key {keyid} is revoked")]
    RevokedKey {
        /// Which.
        keyid: KeyId,
    },
    /// Revisions that end before they begin.
    #[error("the revisions {from} to {to} end before they begin")]
    Range {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The kept expiry is past.
    #[error("the trust root expired at {expires}, and no new expiry was given")]
    Expired {
        /// When.
        expires: Timestamp,
    },
    /// Nothing besides the expiry would differ.
    #[error("the next trust root would say the same as version {version}")]
    Unchanged {
        /// The last root's.
        version: u64,
    },
    /// A removed principal without whom a role cannot reach its threshold.
    #[error(
        "principal `{principal}` is still needed: role `{role}` takes {threshold}, and {left} would be left"
    )]
    StillNeeded {
        /// Who.
        principal: PrincipalName,
        /// The role.
        role: RoleName,
        /// Its threshold.
        threshold: u32,
        /// Its members without them.
        left: usize,
    },
    /// A role that cannot reach its threshold with the keys that are not revoked.
    #[error(
        "role `{role}` takes {threshold}, and only {usable} of its members would have a key that is not revoked"
    )]
    Unreachable {
        /// The role.
        role: RoleName,
        /// Its threshold.
        threshold: u32,
        /// The members who can still sign.
        usable: usize,
    },
}

impl EditError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Root(error) => error.code(),
            Self::NoPrincipal { .. }
            | Self::NoKey { .. }
            | Self::NoRole { .. }
            | Self::RootRole
            | Self::NoNamespace { .. }
            | Self::Contradiction { .. }
            | Self::LastKey { .. }
            | Self::RevokedKey { .. }
            | Self::Range { .. } => Code::ROOT_EDIT,
            Self::Expired { .. } => Code::ROOT_EDIT_EXPIRED,
            Self::Unchanged { .. } => Code::ROOT_UNCHANGED,
            Self::StillNeeded { .. } => Code::ROOT_STILL_NEEDED,
            Self::Unreachable { .. } => Code::ROOT_UNREACHABLE,
        }
    }
}

/// The document that follows `last`. Without an expiry of its own it keeps that of `last`: an edit never extends silently.
///
/// # Errors
/// [`EditError`] for the first change that makes no sense, or the first rule that the result breaks.
pub fn next_root(
    last: &RootDocument,
    changes: &[RootChange],
    expires: Option<Timestamp>,
    renewal: Renewal,
    now: Timestamp,
) -> Result<RootDocument, EditError> {
    let mut next = last.clone();
    next.version = last.version.saturating_add(1);
    next.expires = expires.unwrap_or(last.expires);
    if next.expires <= now {
        return Err(EditError::Expired {
            expires: next.expires,
        });
    }
    for change in changes {
        apply(&mut next, last, change)?;
    }
    check_people(last, &next, changes)?;
    next.check()?;
    next.check_epochs(last)?;
    check_thresholds(&next)?;
    let comparable = RootDocument {
        version: last.version,
        expires: last.expires,
        ..next.clone()
    };
    if comparable == *last && renewal == Renewal::NotAsked {
        return Err(EditError::Unchanged {
            version: last.version.get(),
        });
    }
    Ok(next)
}

fn apply(
    next: &mut RootDocument,
    last: &RootDocument,
    change: &RootChange,
) -> Result<(), EditError> {
    match change {
        RootChange::AddKey { principal, key } => add_key(next, principal, key),
        RootChange::RetireKey(keyid) => retire_key(next, keyid),
        RootChange::RemovePrincipal(principal) => {
            if next.principals.remove(principal).is_none() {
                let principal = principal.clone();
                return Err(EditError::NoPrincipal { principal });
            }
            for role in next.roles.values_mut() {
                role.principals.remove(principal);
            }
            Ok(())
        }
        RootChange::SetRole {
            role,
            principals,
            threshold,
        } => {
            // SECURITY: in its first epoch again, a role would take back what its later epochs ended.
            let entry = next.roles.entry(role.clone()).or_insert_with(|| {
                let was = last.roles.get(role).cloned();
                was.unwrap_or_else(|| Role::new(role, BTreeSet::new(), *threshold))
            });
            entry.principals.clone_from(principals);
            entry.threshold = *threshold;
            Ok(())
        }
        RootChange::RemoveRole(RoleName::Root) => Err(EditError::RootRole),
        RootChange::RemoveRole(name) => {
            role(&mut next.roles, name)?;
            next.roles.remove(name);
            Ok(())
        }
        RootChange::SetThreshold {
            role: name,
            threshold,
        } => {
            role(&mut next.roles, name)?.threshold = *threshold;
            Ok(())
        }
        RootChange::AddNamespace {
            publisher,
            namespace,
        } => {
            let name = RoleName::Publisher(publisher.clone());
            let role = role(&mut next.roles, &name)?;
            role.namespaces.insert(namespace.clone());
            Ok(())
        }
        RootChange::RemoveNamespace {
            publisher,
            namespace,
        } => {
            let name = RoleName::Publisher(publisher.clone());
            let role = role(&mut next.roles, &name)?;
            if publisher == namespace || !role.namespaces.remove(namespace) {
                return Err(EditError::NoNamespace {
                    publisher: publisher.clone(),
                    namespace: namespace.clone(),
                });
            }
            Ok(())
        }
        RootChange::RequireGit {
            publisher,
            required,
        } => {
            let name = RoleName::Publisher(publisher.clone());
            role(&mut next.roles, &name)?.git_signature = *required;
            Ok(())
        }
        RootChange::RaiseEpoch(name) => {
            let role = role(&mut next.roles, name)?;
            role.epoch = role.epoch.saturating_add(1);
            Ok(())
        }
        RootChange::RevokeKey(keyid) => {
            owner(next, keyid)?;
            next.revoked.keys.insert(keyid.clone());
            Ok(())
        }
        RootChange::RevokePayload(payload) => {
            next.revoked.payloads.insert(*payload);
            Ok(())
        }
        RootChange::RevokeRevisions(range) => {
            let (from, to): (NonZeroU64, NonZeroU64) = (range.from, range.to);
            if to < from {
                return Err(EditError::Range {
                    from: from.get(),
                    to: to.get(),
                });
            }
            next.revoked.revisions.insert(range.clone());
            Ok(())
        }
    }
}

fn add_key(
    next: &mut RootDocument,
    principal: &PrincipalName,
    key: &PublicKey,
) -> Result<(), EditError> {
    if next.revoked.keys.contains(&key.id()) {
        return Err(EditError::RevokedKey { keyid: key.id() });
    }
    let keys = &mut next
        .principals
        .entry(principal.clone())
        .or_insert_with(|| Principal { keys: Vec::new() })
        .keys;
    if !keys.contains(key) {
        keys.push(key.clone());
    }
    Ok(())
}

fn retire_key(next: &mut RootDocument, keyid: &KeyId) -> Result<(), EditError> {
    let principal = owner(next, keyid)?;
    if let Some(principal) = next.principals.get_mut(&principal) {
        principal.keys.retain(|key| key.id() != *keyid);
    }
    Ok(())
}

fn owner(document: &RootDocument, keyid: &KeyId) -> Result<PrincipalName, EditError> {
    document
        .principals
        .iter()
        .find(|(_, principal)| principal.keys.iter().any(|key| key.id() == *keyid))
        .map(|(name, _)| name.clone())
        .ok_or_else(|| EditError::NoKey {
            keyid: keyid.clone(),
        })
}

fn role<'a>(
    roles: &'a mut BTreeMap<RoleName, Role>,
    name: &RoleName,
) -> Result<&'a mut Role, EditError> {
    roles
        .get_mut(name)
        .ok_or_else(|| EditError::NoRole { role: name.clone() })
}

/// Nobody is left without a key, given one in vain, or removed while a role needs them.
fn check_people(
    last: &RootDocument,
    next: &RootDocument,
    changes: &[RootChange],
) -> Result<(), EditError> {
    for (name, principal) in &next.principals {
        if principal.keys.is_empty() {
            return Err(EditError::LastKey {
                principal: name.clone(),
            });
        }
    }
    for change in changes {
        match change {
            RootChange::AddKey { principal, .. } if !next.principals.contains_key(principal) => {
                return Err(EditError::Contradiction {
                    principal: principal.clone(),
                });
            }
            RootChange::RemovePrincipal(principal) => {
                let short = next.roles.iter().find(|(name, role)| {
                    let was_member = last
                        .roles
                        .get(name)
                        .is_some_and(|role| role.principals.contains(principal));
                    was_member && !fits(role.threshold, role.principals.len())
                });
                if let Some((name, role)) = short {
                    return Err(EditError::StillNeeded {
                        principal: principal.clone(),
                        role: name.clone(),
                        threshold: role.threshold.get(),
                        left: role.principals.len(),
                    });
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What [`RootDocument::check`] says of members, said of those who can still sign. A root that consumers already walked is
/// not refused for it: there the role simply cannot sign any more.
fn check_thresholds(next: &RootDocument) -> Result<(), EditError> {
    for (name, role) in &next.roles {
        let can_sign = |member: &&PrincipalName| {
            next.principals.get(*member).is_some_and(|principal| {
                let mut keys = principal.keys.iter();
                keys.any(|key| !next.revoked.keys.contains(&key.id()))
            })
        };
        let usable = role.principals.iter().filter(can_sign).count();
        if !fits(role.threshold, usable) {
            return Err(EditError::Unreachable {
                role: name.clone(),
                threshold: role.threshold.get(),
                usable,
            });
        }
    }
    Ok(())
}

fn fits(threshold: NonZeroU32, members: usize) -> bool {
    usize::try_from(threshold.get()).is_ok_and(|threshold| threshold <= members)
}

#[cfg(test)]
pub(in crate::trust) mod tests;
