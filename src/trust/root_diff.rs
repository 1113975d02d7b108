//! What differs between two trust roots, as a list that is sorted, complete and fit for people and machines.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::keys::KeyId;
use super::root_document::{GitRequirement, RevokedRevisions, Role, RootDocument};
use crate::digest::Sha256Digest;
use crate::name::{Namespace, PrincipalName, RoleName};

/// One difference, from the older root to the newer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum RootDifference {
    /// Another expiry.
    Expires {
        /// The older root's.
        from: Timestamp,
        /// The newer root's.
        to: Timestamp,
    },
    /// A new principal.
    PrincipalAdded {
        /// Who.
        principal: PrincipalName,
    },
    /// A principal is gone.
    PrincipalRemoved {
        /// Who.
        principal: PrincipalName,
    },
    /// A principal has one more key.
    KeyAdded {
        /// Whose.
        principal: PrincipalName,
        /// Which.
        keyid: KeyId,
    },
    /// A principal has one key less.
    KeyRemoved {
        /// Whose.
        principal: PrincipalName,
        /// Which.
        keyid: KeyId,
    },
    /// A new role.
    RoleAdded {
        /// Which.
        role: RoleName,
        /// What it is.
        #[serde(flatten)]
        content: Role,
    },
    /// A role is gone.
    RoleRemoved {
        /// Which.
        role: RoleName,
    },
    /// A role has one more member.
    MemberAdded {
        /// Which.
        role: RoleName,
        /// Who.
        principal: PrincipalName,
    },
    /// A role has one member less.
    MemberRemoved {
        /// Which.
        role: RoleName,
        /// Who.
        principal: PrincipalName,
    },
    /// Another number of members must sign.
    Threshold {
        /// Which role.
        role: RoleName,
        /// Before.
        from: u32,
        /// After.
        to: u32,
    },
    /// Another epoch.
    Epoch {
        /// Which role.
        role: RoleName,
        /// Before.
        from: u64,
        /// After.
        to: u64,
    },
    /// A publisher speaks for one more namespace.
    NamespaceAdded {
        /// Which role.
        role: RoleName,
        /// Which namespace.
        namespace: Namespace,
    },
    /// A publisher speaks for one namespace less.
    NamespaceRemoved {
        /// Which role.
        role: RoleName,
        /// Which namespace.
        namespace: Namespace,
    },
    /// Another of Git's own signatures is required.
    GitSignature {
        /// Which role.
        role: RoleName,
        /// Before.
        from: Option<GitRequirement>,
        /// After.
        to: Option<GitRequirement>,
    },
    /// A key is revoked.
    KeyRevoked {
        /// Which.
        keyid: KeyId,
        /// Whose, where the newer root says.
        principal: Option<PrincipalName>,
    },
    /// A key is no longer revoked.
    KeyRestored {
        /// Which.
        keyid: KeyId,
    },
    /// A statement is revoked.
    PayloadRevoked {
        /// Which.
        payload: Sha256Digest,
    },
    /// A statement is no longer revoked.
    PayloadRestored {
        /// Which.
        payload: Sha256Digest,
    },
    /// Revisions are revoked.
    RevisionsRevoked(RevokedRevisions),
    /// Revisions are no longer revoked.
    RevisionsRestored(RevokedRevisions),
}

impl fmt::Display for RootDifference {
    /// One line, which begins with `+` for what came, `-` for what went, `~` for what changed, and `!` for revocations.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let range = |range: &RevokedRevisions| {
            let RevokedRevisions {
                bundle,
                epoch,
                from,
                to,
            } = range;
            format!("revisions {epoch}.{from} to {epoch}.{to} of bundle {bundle}")
        };
        match self {
            Self::Expires { from, to } => write!(f, "~ expires {to}, was {from}"),
            Self::PrincipalAdded { principal } => write!(f, "+ principal {principal}"),
            Self::PrincipalRemoved { principal } => write!(f, "- principal {principal}"),
            Self::KeyAdded { principal, keyid } => write!(f, "+ key of {principal}: {keyid}"),
            Self::KeyRemoved { principal, keyid } => write!(f, "- key of {principal}: {keyid}"),
            Self::RoleAdded { role, content } => {
                let names = content.principals.iter().map(PrincipalName::as_str);
                let names: Vec<&str> = names.collect();
                let (threshold, epoch) = (content.threshold, content.epoch);
                let names = names.join(", ");
                write!(f, "+ role {role}: {threshold} of {names}; epoch {epoch}")?;
                for namespace in &content.namespaces {
                    if !matches!(role, RoleName::Publisher(own) if own == namespace) {
                        write!(f, "; also {namespace}")?;
                    }
                }
                if let Some(required) = content.git_signature {
                    write!(f, "; git signature: {}", required.as_str())?;
                }
                Ok(())
            }
            Self::RoleRemoved { role } => write!(f, "- role {role}"),
            Self::MemberAdded { role, principal } => {
                write!(f, "+ member of role {role}: {principal}")
            }
            Self::MemberRemoved { role, principal } => {
                write!(f, "- member of role {role}: {principal}")
            }
            Self::Threshold { role, from, to } => {
                write!(f, "~ threshold of role {role}: {to}, was {from}")
            }
            Self::Epoch { role, from, to } => write!(f, "~ epoch of role {role}: {to}, was {from}"),
            Self::NamespaceAdded { role, namespace } => {
                write!(f, "+ namespace of role {role}: {namespace}")
            }
            Self::NamespaceRemoved { role, namespace } => {
                write!(f, "- namespace of role {role}: {namespace}")
            }
            Self::GitSignature { role, from, to } => {
                let word =
                    |git: &Option<GitRequirement>| git.map_or("none", GitRequirement::as_str);
                let (from, to) = (word(from), word(to));
                write!(f, "~ git signature of role {role}: {to}, was {from}")
            }
            Self::KeyRevoked { keyid, principal } => {
                write!(f, "! revoked: key {keyid}")?;
                match principal {
                    Some(principal) => write!(f, " of {principal}"),
                    None => Ok(()),
                }
            }
            Self::KeyRestored { keyid } => write!(f, "! no longer revoked: key {keyid}"),
            Self::PayloadRevoked { payload } => write!(f, "! revoked: payload {payload}"),
            Self::PayloadRestored { payload } => {
                write!(f, "! no longer revoked: payload {payload}")
            }
            Self::RevisionsRevoked(revisions) => write!(f, "! revoked: {}", range(revisions)),
            Self::RevisionsRestored(revisions) => {
                write!(f, "! no longer revoked: {}", range(revisions))
            }
        }
    }
}

/// What differs, apart from the version: expiry, principals and keys, roles, revocations.
#[must_use]
pub fn diff_roots(older: &RootDocument, newer: &RootDocument) -> Vec<RootDifference> {
    let mut found = Vec::new();
    if older.expires != newer.expires {
        found.push(RootDifference::Expires {
            from: older.expires,
            to: newer.expires,
        });
    }
    principals(older, newer, &mut found);
    roles(older, newer, &mut found);
    revocations(older, newer, &mut found);
    found
}

/// What is in one of two sets: of the older first, of the newer second.
fn sides<'a, T: Ord>(older: &'a BTreeSet<T>, newer: &'a BTreeSet<T>) -> (Vec<&'a T>, Vec<&'a T>) {
    (
        older.difference(newer).collect(),
        newer.difference(older).collect(),
    )
}

fn principals(older: &RootDocument, newer: &RootDocument, found: &mut Vec<RootDifference>) {
    let names = |document: &RootDocument| -> BTreeSet<PrincipalName> {
        document.principals.keys().cloned().collect()
    };
    let (names_before, names_after) = (names(older), names(newer));
    for name in names_before.union(&names_after) {
        let principal = name.clone();
        if !names_after.contains(name) {
            found.push(RootDifference::PrincipalRemoved { principal });
        } else if !names_before.contains(name) {
            found.push(RootDifference::PrincipalAdded { principal });
        }
        let keys = |document: &RootDocument| -> BTreeSet<KeyId> {
            let principal = document.principals.get(name);
            let keys = principal.map(|principal| principal.keys.iter());
            keys.into_iter().flatten().map(|key| key.id()).collect()
        };
        let (before, after) = (keys(older), keys(newer));
        let (removed, added) = sides(&before, &after);
        found.extend(removed.into_iter().map(|keyid| RootDifference::KeyRemoved {
            principal: name.clone(),
            keyid: keyid.clone(),
        }));
        found.extend(added.into_iter().map(|keyid| RootDifference::KeyAdded {
            principal: name.clone(),
            keyid: keyid.clone(),
        }));
    }
}

fn roles(older: &RootDocument, newer: &RootDocument, found: &mut Vec<RootDifference>) {
    let names: BTreeSet<&RoleName> = older.roles.keys().chain(newer.roles.keys()).collect();
    for name in names {
        let role = name.clone();
        match (older.roles.get(name), newer.roles.get(name)) {
            (Some(before), Some(after)) => changed_role(name, before, after, found),
            (None, Some(after)) => found.push(RootDifference::RoleAdded {
                role,
                content: after.clone(),
            }),
            (Some(_), None) => found.push(RootDifference::RoleRemoved { role }),
            (None, None) => {}
        }
    }
}

fn changed_role(name: &RoleName, before: &Role, after: &Role, found: &mut Vec<RootDifference>) {
    let role = || name.clone();
    let (removed, added) = sides(&before.principals, &after.principals);
    found.extend(
        removed
            .into_iter()
            .map(|who| RootDifference::MemberRemoved {
                role: role(),
                principal: who.clone(),
            }),
    );
    found.extend(added.into_iter().map(|who| RootDifference::MemberAdded {
        role: role(),
        principal: who.clone(),
    }));
    if before.threshold != after.threshold {
        found.push(RootDifference::Threshold {
            role: role(),
            from: before.threshold.get(),
            to: after.threshold.get(),
        });
    }
    if before.epoch != after.epoch {
        found.push(RootDifference::Epoch {
            role: role(),
            from: before.epoch.get(),
            to: after.epoch.get(),
        });
    }
    let (removed, added) = sides(&before.namespaces, &after.namespaces);
    let removed = removed.into_iter().cloned();
    let added = added.into_iter().cloned();
    found.extend(removed.map(|namespace| RootDifference::NamespaceRemoved {
        role: role(),
        namespace,
    }));
    found.extend(added.map(|namespace| RootDifference::NamespaceAdded {
        role: role(),
        namespace,
    }));
    if before.git_signature != after.git_signature {
        found.push(RootDifference::GitSignature {
            role: role(),
            from: before.git_signature,
            to: after.git_signature,
        });
    }
}

fn revocations(older: &RootDocument, newer: &RootDocument, found: &mut Vec<RootDifference>) {
    let owners: BTreeMap<KeyId, &PrincipalName> = newer
        .principals
        .iter()
        .flat_map(|(name, principal)| principal.keys.iter().map(move |key| (key.id(), name)))
        .collect();
    let (before, after) = (&older.revoked, &newer.revoked);
    let (restored, revoked) = sides(&before.keys, &after.keys);
    found.extend(revoked.into_iter().map(|keyid| RootDifference::KeyRevoked {
        keyid: keyid.clone(),
        principal: owners.get(keyid).map(|name| (*name).clone()),
    }));
    found.extend(
        restored
            .into_iter()
            .map(|keyid| RootDifference::KeyRestored {
                keyid: keyid.clone(),
            }),
    );
    let (restored, revoked) = sides(&before.payloads, &after.payloads);
    let payloads = |payload: &Sha256Digest| *payload;
    found.extend(
        revoked
            .into_iter()
            .map(payloads)
            .map(|payload| RootDifference::PayloadRevoked { payload }),
    );
    found.extend(
        restored
            .into_iter()
            .map(payloads)
            .map(|payload| RootDifference::PayloadRestored { payload }),
    );
    let (restored, revoked) = sides(&before.revisions, &after.revisions);
    found.extend(
        revoked
            .into_iter()
            .cloned()
            .map(RootDifference::RevisionsRevoked),
    );
    found.extend(
        restored
            .into_iter()
            .cloned()
            .map(RootDifference::RevisionsRestored),
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trust::root_edit::{RootChange, tests::sample};
    use crate::trust::{PublicKey, Renewal, SecretKey, next_root};

    fn key(seed: u8) -> PublicKey {
        SecretKey::from_seed(&[seed; 32]).public()
    }

    #[test]
    fn every_kind_of_change_shows_and_nothing_else_does() {
        let before = sample();
        let name = |text: &str| text.parse::<PrincipalName>().unwrap();
        let acme: Namespace = "acme".parse().unwrap();
        let role: RoleName = "publisher/acme".parse().unwrap();
        let range = RevokedRevisions {
            bundle: "acme".parse().unwrap(),
            epoch: 1.try_into().unwrap(),
            from: 2.try_into().unwrap(),
            to: 3.try_into().unwrap(),
        };
        let edits: Vec<(RootChange, &[&str])> = vec![
            (
                RootChange::AddKey {
                    principal: name("dan"),
                    key: key(9),
                },
                &["+ principal dan", "+ key of dan: "],
            ),
            (RootChange::RetireKey(key(4).id()), &["- key of carol: "]),
            (
                RootChange::RevokeKey(key(4).id()),
                &["! revoked: key SHA256:"],
            ),
            (
                RootChange::RemovePrincipal(name("bob")),
                &[
                    "- principal bob",
                    "- key of bob: ",
                    "- member of role publisher/acme: bob",
                    "- member of role root: bob",
                ],
            ),
            (
                RootChange::SetRole {
                    role: RoleName::Log,
                    principals: [name("bob")].into(),
                    threshold: 1.try_into().unwrap(),
                },
                &["+ role log: 1 of bob; epoch 1"],
            ),
            (
                RootChange::SetThreshold {
                    role: role.clone(),
                    threshold: 1.try_into().unwrap(),
                },
                &["~ threshold of role publisher/acme: 1, was 2"],
            ),
            (
                RootChange::RemoveRole(role.clone()),
                &["- role publisher/acme"],
            ),
            (
                RootChange::AddNamespace {
                    publisher: acme,
                    namespace: "pci".parse().unwrap(),
                },
                &["+ namespace of role publisher/acme: pci"],
            ),
            (
                RootChange::RequireGit {
                    publisher: "acme".parse().unwrap(),
                    required: Some(GitRequirement::Tag),
                },
                &["~ git signature of role publisher/acme: tag, was none"],
            ),
            (
                RootChange::RaiseEpoch(role),
                &["~ epoch of role publisher/acme: 2, was 1"],
            ),
            (
                RootChange::RevokePayload(Sha256Digest::of(b"x")),
                &["! revoked: payload sha256:"],
            ),
            (
                RootChange::RevokeRevisions(range),
                &["! revoked: revisions 1.2 to 1.3 of bundle acme"],
            ),
        ];
        for (change, expected) in edits {
            let after = next_root(
                &before,
                &[change],
                None,
                Renewal::NotAsked,
                Timestamp::UNIX_EPOCH,
            )
            .unwrap();
            let mut lines: Vec<String> = diff_roots(&before, &after)
                .iter()
                .map(ToString::to_string)
                .collect();
            lines.sort();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            assert_eq!(lines.len(), expected.len(), "{lines:#?}");
            for (line, expected) in lines.iter().zip(expected) {
                assert!(line.starts_with(expected), "{line} is not {expected}");
            }
            // Back again, there are as many differences.
            assert_eq!(diff_roots(&after, &before).len(), lines.len());
        }
        assert_eq!(diff_roots(&before, &before), []);
    }
}
