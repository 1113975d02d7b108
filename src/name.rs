//! Names that come from outside: scopes, namespaces, bundles, rules, principals, roles.
//!
//! Every one is a newtype that only its `FromStr` makes, so a name in the program has been checked. They are lower case
//! ASCII, which leaves nothing for case folding, Unicode look-alikes or terminal escapes to exploit.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize, Serializer};

/// The greatest number of segments of a [`Scope`].
pub const MAX_SCOPE_DEPTH: usize = 16;
/// The greatest length of any name, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a {kind}: {reason}", text.escape_debug())]
pub struct NameError {
    /// The kind of name that was expected, in words.
    pub kind: &'static str,
    /// What was given.
    pub text: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

impl NameError {
    fn new(kind: &'static str, text: &str, reason: &'static str) -> Self {
        let text = text.chars().take(80).collect();
        Self { kind, text, reason }
    }
}

const SEGMENT_RULE: &str = "use 1 to 64 lower-case letters, digits, `-`, `_` or `.`, beginning and ending with a letter or digit";

/// Whether `text` is one lower-case segment.
fn is_segment(text: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let bytes = text.as_bytes();
    bytes.len() <= 64
        && edge(bytes.first())
        && edge(bytes.last())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(b))
        && !text.contains("..")
}

/// Serde and display for a newtype over a shared text: decisions clone names.
macro_rules! name {
    ($name:ident, $kind:literal) => {
        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.as_str().to_owned()
            }
        }
        impl From<$name> for Arc<str> {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
    ($name:ident, $kind:literal, segment) => {
        name!($name, $kind);
        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                if is_segment(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(NameError::new($kind, text, SEGMENT_RULE))
                }
            }
        }
    };
}

/// A node of the organisation's tree, such as `acme/platform/payments`: 1 to [`MAX_SCOPE_DEPTH`] segments.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Scope(Arc<str>);
name!(Scope, "scope");

impl FromStr for Scope {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        if text.len() > MAX_NAME_BYTES || text.split('/').count() > MAX_SCOPE_DEPTH {
            return Err(NameError::new(
                "scope",
                text,
                "use at most 16 segments and 255 bytes",
            ));
        }
        if !text.split('/').all(is_segment) {
            return Err(NameError::new(
                "scope",
                text,
                "use segments of lower-case letters, digits, `-`, `_` or `.`, separated by `/`",
            ));
        }
        Ok(Self(text.into()))
    }
}

impl Scope {
    /// The scope one segment up; none for a root scope.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        self.0
            .rsplit_once('/')
            .map(|(parent, _)| Self(parent.into()))
    }

    /// The scopes from the root down to this one, both included.
    #[must_use]
    pub fn chain(&self) -> Vec<Self> {
        let mut chain: Vec<Self> =
            std::iter::successors(Some(self.clone()), Self::parent).collect();
        chain.reverse();
        chain
    }

    /// Whether this scope is `other` or lies below it, by whole segments.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0
            .strip_prefix(&*other.0)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The part of the scope tree that a role's signers may speak for: a scope and everything below it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Namespace(Scope);

impl Namespace {
    /// Whether `scope` lies in this namespace, by whole segments.
    #[must_use]
    pub fn contains(&self, scope: &Scope) -> bool {
        scope.is_within(&self.0)
    }

    /// The scope at the top of this namespace.
    #[must_use]
    pub fn top(&self) -> &Scope {
        &self.0
    }
}

impl FromStr for Namespace {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        text.parse()
            .map(Self)
            .map_err(|error: NameError| NameError {
                kind: "namespace",
                ..error
            })
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of a bundle, such as `payments`: one segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct BundleName(Arc<str>);
name!(BundleName, "bundle name", segment);

/// The name of a rule within its scope, such as `no-restore`: one segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RuleId(Arc<str>);
name!(RuleId, "rule id", segment);

/// The name of a person or machine that signs: one segment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct PrincipalName(Arc<str>);
name!(PrincipalName, "principal", segment);

/// A reason for machines, such as `PROD_STACK_FROZEN`: 1 to 64 of `A-Z 0-9 _`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ReasonCode(Arc<str>);
name!(ReasonCode, "reason code");

impl FromStr for ReasonCode {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = text.len() <= 64
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && text
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if fits {
            Ok(Self(text.into()))
        } else {
            Err(NameError::new(
                "reason code",
                text,
                "use 1 to 64 upper-case letters, digits or `_`, beginning with a letter",
            ))
        }
    }
}

/// A rule by its scope and id, written `acme/platform#no-restore`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct RuleRef {
    /// The scope that defines the rule.
    pub scope: Scope,
    /// The rule's id within that scope.
    pub rule: RuleId,
}

impl FromStr for RuleRef {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (scope, rule) = text
            .split_once('#')
            .ok_or_else(|| NameError::new("rule reference", text, "write it as `scope#rule`"))?;
        Ok(Self {
            scope: scope.parse()?,
            rule: rule.parse()?,
        })
    }
}

impl fmt::Display for RuleRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.scope, self.rule)
    }
}

impl TryFrom<String> for RuleRef {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl Serialize for RuleRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a group of principals may sign.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum RoleName {
    /// The next trust root.
    Root,
    /// Bundles in a namespace.
    Publisher(Namespace),
    /// Checkpoints of decision logs.
    Log,
    /// Approvals, as a member of a group.
    Approver(PrincipalName),
}

impl FromStr for RoleName {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.split_once('/') {
            None if text == "root" => Ok(Self::Root),
            None if text == "log" => Ok(Self::Log),
            Some(("publisher", namespace)) => Ok(Self::Publisher(namespace.parse()?)),
            Some(("approver", group)) => Ok(Self::Approver(group.parse()?)),
            _ => Err(NameError::new(
                "role",
                text,
                "use `root`, `publisher/<namespace>`, `log` or `approver/<group>`",
            )),
        }
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("root"),
            Self::Publisher(namespace) => write!(f, "publisher/{namespace}"),
            Self::Log => f.write_str("log"),
            Self::Approver(group) => write!(f, "approver/{group}"),
        }
    }
}

impl TryFrom<String> for RoleName {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        text.parse()
    }
}

impl From<RoleName> for String {
    fn from(name: RoleName) -> Self {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip<T: FromStr<Err = NameError> + fmt::Display>(text: &str) {
        assert_eq!(
            text.parse::<T>().map(|name| name.to_string()),
            Ok(text.to_owned())
        );
    }

    #[test]
    fn names_round_trip() {
        round_trip::<Scope>("acme/platform/payments");
        round_trip::<Namespace>("pci/baseline");
        round_trip::<BundleName>("mcp-config");
        round_trip::<RuleRef>("acme/platform#no-restore");
        round_trip::<ReasonCode>("PROD_STACK_FROZEN");
        for role in ["root", "publisher/acme/payments", "log", "approver/sre"] {
            round_trip::<RoleName>(role);
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        let long = "a".repeat(65);
        for text in [
            "",
            "/",
            "a//b",
            "a/",
            "/a",
            "A",
            "..",
            "a/../b",
            "a b",
            "ä",
            "a\u{202e}",
            "-a",
            "a\n",
            &long,
        ] {
            assert!(text.parse::<Scope>().is_err(), "{text:?}");
            assert!(text.parse::<BundleName>().is_err(), "{text:?}");
        }
        assert!(vec!["a"; 17].join("/").parse::<Scope>().is_err());
        for text in ["acme", "acme#", "#x", "acme#x#y", "acme/#x"] {
            assert!(text.parse::<RuleRef>().is_err(), "{text:?}");
        }
        assert!("publisher".parse::<RoleName>().is_err());
    }

    #[test]
    fn scopes_match_by_whole_segments() {
        let scope = |text: &str| text.parse::<Scope>().unwrap();
        assert!(scope("acme/pay").is_within(&scope("acme")));
        assert!(!scope("acme/payments").is_within(&scope("acme/pay")));
        assert!(!scope("acme").is_within(&scope("acme/pay")));
        let chain: Vec<String> = scope("a/b/c")
            .chain()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(chain, ["a", "a/b", "a/b/c"]);
    }
}
