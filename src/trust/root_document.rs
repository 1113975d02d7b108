//! The document inside a trust root: principals, roles, revocations. A pure value, checked whole; whether anyone signed
//! it is decided in [`super::root`].

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::keys::{KeyId, PublicKey};
use super::root::RootError;
use crate::diag::plain_words;
use crate::digest::Sha256Digest;
use crate::json;
use crate::name::{BundleName, Namespace, PrincipalName, RoleName};

/// The most principals of a trust root.
const MAX_PRINCIPALS: usize = 256;
/// The most keys of one principal.
const MAX_KEYS: usize = 8;
/// The most roles.
const MAX_ROLES: usize = 1024;

/// Someone who signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Principal {
    /// The keys, as OpenSSH lines.
    pub keys: Vec<PublicKey>,
}

/// Which of Git's own signatures a publisher's bundles must carry, beside those of the envelope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GitRequirement {
    /// The commit's.
    Commit,
    /// That of the tag by which the bundle is pulled.
    Tag,
    /// One of the two.
    Either,
}

impl GitRequirement {
    /// The word for it in a trust root.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Commit => "commit",
            Self::Tag => "tag",
            Self::Either => "either",
        }
    }
}

impl FromStr for GitRequirement {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Commit, Self::Tag, Self::Either]
            .into_iter()
            .find(|required| required.as_str() == text)
            .ok_or_else(|| "write `commit`, `tag` or `either`".to_owned())
    }
}

/// Who may sign something, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// The members.
    pub principals: BTreeSet<PrincipalName>,
    /// How many distinct members must sign: 1 to the number of members.
    pub threshold: NonZeroU32,
    /// Raised to recover from a burnt revision; statements carry it.
    pub epoch: NonZeroU64,
    /// What a publisher may speak for; empty for other roles.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub namespaces: BTreeSet<Namespace>,
    /// What a publisher's commits or tags must carry, by any one member; nothing for other roles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git_signature: Option<GitRequirement>,
}

impl Role {
    /// A role in its first epoch; a publisher speaks for the namespace in its name.
    #[must_use]
    pub fn new(
        name: &RoleName,
        principals: BTreeSet<PrincipalName>,
        threshold: NonZeroU32,
    ) -> Self {
        let namespaces = match name {
            RoleName::Publisher(namespace) => [namespace.clone()].into(),
            _ => BTreeSet::new(),
        };
        Self {
            principals,
            threshold,
            epoch: NonZeroU64::MIN,
            namespaces,
            git_signature: None,
        }
    }
}

/// Revisions of a bundle that no longer count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevokedRevisions {
    /// The bundle.
    pub bundle: BundleName,
    /// The epoch.
    pub epoch: NonZeroU64,
    /// The first revision.
    pub from: NonZeroU64,
    /// The last revision, itself included.
    pub to: NonZeroU64,
}

/// What no longer counts, whatever date it claims.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Revocations {
    /// Keys, by fingerprint.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub keys: BTreeSet<KeyId>,
    /// Statements, by payload digest.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub payloads: BTreeSet<Sha256Digest>,
    /// Ranges of revisions.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub revisions: BTreeSet<RevokedRevisions>,
}

/// A trust root's content. [`RootDocument::parse`] and [`RootDocument::check`] hold it to the rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RootDocument {
    /// 1 for the first, and one more for each that follows.
    pub version: NonZeroU64,
    /// From when on it no longer counts as the last one.
    pub expires: Timestamp,
    /// Everyone who signs anything.
    pub principals: BTreeMap<PrincipalName, Principal>,
    /// Who may sign what.
    pub roles: BTreeMap<RoleName, Role>,
    /// What no longer counts.
    #[serde(default)]
    pub revoked: Revocations,
}

impl RootDocument {
    /// Parses a payload whose signatures have not been looked at.
    ///
    /// # Errors
    /// [`RootError::Json`], [`RootError::Shape`], or what [`Self::check`] finds.
    pub fn parse(payload: &[u8]) -> Result<Self, RootError> {
        let value = json::parse(payload, payload.len())?;
        let document: Self = json::from_value(value).map_err(|error| RootError::Shape {
            message: plain_words(&error.to_string()),
        })?;
        document.check()?;
        Ok(document)
    }

    /// The RFC 8785 form, which co-signers reproduce.
    ///
    /// # Errors
    /// [`RootError::Json`] for a number that JSON cannot carry.
    pub fn to_payload(&self) -> Result<Vec<u8>, RootError> {
        let value = serde_json::to_value(self).map_err(|error| RootError::Shape {
            message: plain_words(&error.to_string()),
        })?;
        Ok(json::canonical(&value)?)
    }

    /// Holds the document to its rules: keys distinct, roles possible, namespaces not shared.
    ///
    /// # Errors
    /// [`RootError`] for the first rule that is broken.
    pub fn check(&self) -> Result<(), RootError> {
        let keys = self
            .principals
            .values()
            .map(|principal| principal.keys.len())
            .max()
            .unwrap_or(0);
        if self.principals.len() > MAX_PRINCIPALS || keys > MAX_KEYS || self.roles.len() > MAX_ROLES
        {
            return Err(RootError::TooMany);
        }
        self.check_keys()?;
        if !self.roles.contains_key(&RoleName::Root) {
            return Err(RootError::NoRootRole);
        }
        for (name, role) in &self.roles {
            self.check_role(name, role)?;
        }
        self.check_namespaces()
    }

    /// A role that both this root and the one before have is in no earlier epoch: statements that a raised epoch ended would
    /// count again.
    ///
    /// # Errors
    /// [`RootError::EpochLowered`] for the first such role.
    pub fn check_epochs(&self, before: &Self) -> Result<(), RootError> {
        for (name, role) in &self.roles {
            let was = before.roles.get(name).map(|role| role.epoch);
            if let Some(was) = was.filter(|was| role.epoch < *was) {
                return Err(RootError::EpochLowered {
                    role: name.clone(),
                    before: was.get(),
                    found: role.epoch.get(),
                });
            }
        }
        Ok(())
    }

    fn check_keys(&self) -> Result<(), RootError> {
        // SECURITY: a key of two principals would count as two of them.
        let mut owners: BTreeMap<[u8; 32], &PrincipalName> = BTreeMap::new();
        for (name, principal) in &self.principals {
            for key in &principal.keys {
                if let Some(first) = owners.insert(*key.as_bytes(), name) {
                    return Err(RootError::SharedKey {
                        keyid: key.id(),
                        first: first.clone(),
                        second: name.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    fn check_role(&self, name: &RoleName, role: &Role) -> Result<(), RootError> {
        for principal in &role.principals {
            let known = self
                .principals
                .get(principal)
                .is_some_and(|principal| !principal.keys.is_empty());
            if !known {
                return Err(RootError::UnknownPrincipal {
                    role: name.clone(),
                    principal: principal.clone(),
                });
            }
        }
        let members = role.principals.len();
        if u32::try_from(members).is_ok_and(|members| role.threshold.get() > members) {
            return Err(RootError::Threshold {
                role: name.clone(),
                threshold: role.threshold.get(),
                members,
            });
        }
        let names_itself = match name {
            RoleName::Publisher(namespace) => role.namespaces.contains(namespace),
            _ => role.namespaces.is_empty(),
        };
        if !names_itself {
            return Err(RootError::Namespaces { role: name.clone() });
        }
        if role.git_signature.is_some() && !matches!(name, RoleName::Publisher(_)) {
            return Err(RootError::GitSignature { role: name.clone() });
        }
        Ok(())
    }

    /// A namespace has one publisher; a deeper one is a delegation and wins over it.
    fn check_namespaces(&self) -> Result<(), RootError> {
        let mut owners: BTreeMap<&Namespace, &RoleName> = BTreeMap::new();
        for (name, role) in &self.roles {
            for namespace in &role.namespaces {
                if let Some(first) = owners.insert(namespace, name) {
                    return Err(RootError::Overlap {
                        namespace: namespace.clone(),
                        first: first.clone(),
                        second: name.clone(),
                    });
                }
            }
        }
        Ok(())
    }

    /// The publisher that speaks for `namespace`: the one whose own namespace is the deepest around it. None by default.
    #[must_use]
    pub fn publisher_of(&self, namespace: &Namespace) -> Option<&RoleName> {
        let roles = self
            .roles
            .iter()
            .flat_map(|(name, role)| role.namespaces.iter().map(move |own| (own, name)));
        roles
            .filter(|(own, _)| own.contains(namespace.top()))
            .max_by_key(|(own, _)| own.top().as_str().len())
            .map(|(_, name)| name)
    }

    /// The namespaces inside `namespace` that belong to other publishers than `role`.
    #[must_use]
    pub fn delegated_within(
        &self,
        namespace: &Namespace,
        role: &RoleName,
    ) -> Vec<(Namespace, RoleName)> {
        self.publishers()
            .filter(|(name, _)| *name != role)
            .flat_map(|(name, other)| other.namespaces.iter().map(move |own| (own, name)))
            .filter(|(own, _)| namespace.contains(own.top()))
            .map(|(own, name)| (own.clone(), name.clone()))
            .collect()
    }

    /// The principal who has `key`.
    #[must_use]
    pub fn owner_of(&self, key: &PublicKey) -> Option<&PrincipalName> {
        let has = |principal: &Principal| principal.keys.contains(key);
        let mut principals = self.principals.iter();
        principals
            .find(|(_, principal)| has(principal))
            .map(|(name, _)| name)
    }

    /// The publisher roles.
    pub fn publishers(&self) -> impl Iterator<Item = (&RoleName, &Role)> {
        self.roles
            .iter()
            .filter(|(name, _)| matches!(name, RoleName::Publisher(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = r#"{"expires":"2030-01-01T00:00:00Z","principals":{"a":{"keys":["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"]}},"revoked":{},"roles":{"publisher/x":{"epoch":1,"namespaces":["x"],"principals":["a"],"threshold":1},"root":{"epoch":1,"principals":["a"],"threshold":1}},"version":1}"#;

    #[test]
    fn a_root_without_a_git_requirement_is_written_as_before_there_was_one() {
        let document = RootDocument::parse(ROOT.as_bytes()).unwrap();
        assert_eq!(document.to_payload().unwrap(), ROOT.as_bytes());
        for required in ["commit", "tag", "either"] {
            let text = ROOT.replace(
                r#""epoch":1,"namespaces""#,
                &format!(r#""epoch":1,"git_signature":"{required}","namespaces""#),
            );
            let document = RootDocument::parse(text.as_bytes()).unwrap();
            assert_eq!(document.to_payload().unwrap(), text.as_bytes());
            assert_eq!(
                required.parse::<GitRequirement>().unwrap().as_str(),
                required
            );
        }
    }

    #[test]
    fn no_list_stands_for_an_object() {
        for (object, list) in [
            (
                r#"{"epoch":1,"principals":["a"],"threshold":1}"#,
                r#"[["a"],1,1]"#,
            ),
            (r#"{"keys":["#, r#"[["#),
            (r#""revoked":{}"#, r#""revoked":[]"#),
            (
                r#""revoked":{}"#,
                r#""revoked":{"revisions":[["a",1,1,1]]}"#,
            ),
        ] {
            let mut text = ROOT.replacen(object, list, 1);
            assert_ne!(text, ROOT);
            if list == "[[" {
                text = text.replacen("]}}", "]]}", 1);
            }
            let refused = RootDocument::parse(text.as_bytes());
            let is_shape = matches!(refused, Err(RootError::Shape { .. }));
            assert!(is_shape, "{text}: {refused:?}");
        }
    }
}
