//! The in-toto Statement v1 that a bundle's signers sign: every file by its SHA-256, and which revision this is.

mod usual;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU64;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::path::PathRef;
use super::{BundlePath, ENVELOPE_FILE};
use crate::diag::{Code, plain_words};
use crate::digest::Sha256Digest;
use crate::json::{self, DocumentError, JsonError, MAX_SAFE_INTEGER, StrictValue};
use crate::name::{BundleName, Namespace};

/// `_type` of a statement (in-toto attestation spec, v1, "Statement").
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// `predicateType` of a bundle's statement.
pub const PREDICATE_TYPE: &str = "https://ordain.dev/predicate/bundle/v1";

/// Why a payload is not the statement of a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementError {
    /// Not strict JSON.
    #[error("the statement is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// JSON of another shape.
    #[error("the statement does not have the right shape: {message}")]
    Shape {
        /// What serde said.
        message: String,
    },
    /// Another kind of statement.
    #[error("the statement's `_type` is `{}`, not `{STATEMENT_TYPE}`", found.escape_debug())]
    Type {
        /// What it claims.
        found: String,
    },
    /// A statement about something else.
    #[error("the statement's `predicateType` is `{}`, not `{PREDICATE_TYPE}`", found.escape_debug())]
    PredicateType {
        /// What it claims.
        found: String,
    },
    /// Subjects out of order, or one of them twice.
    #[error(
        "subject `{name}` is out of order or stands twice: subjects are sorted by bytes and unique"
    )]
    Order {
        /// The first one out of order.
        name: BundlePath,
    },
    /// The envelope lists itself.
    #[error("the statement lists `{ENVELOPE_FILE}`, which cannot cover itself")]
    ListsEnvelope,
    /// A number that cannot be a revision or epoch.
    #[error("`{field}` is beyond 2^53 − 1")]
    Number {
        /// Which.
        field: &'static str,
    },
    /// A step back to what is not older.
    #[error(
        "the statement is revision {epoch}.{revision} and claims to roll back to {to_epoch}.{to}, which is not older"
    )]
    RollsBack {
        /// The statement's epoch.
        epoch: u64,
        /// The statement's revision.
        revision: u64,
        /// The epoch that it returns to.
        to_epoch: u64,
        /// The revision that it returns to.
        to: u64,
    },
    /// A statement that ends before it begins.
    #[error("the statement expires at {expires}, which is not after it was issued at {issued}")]
    Lifetime {
        /// When it was issued.
        issued: Timestamp,
        /// When it expires.
        expires: Timestamp,
    },
}

impl StatementError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Json(_) => Code::STATEMENT_JSON,
            Self::Shape { .. }
            | Self::Number { .. }
            | Self::RollsBack { .. }
            | Self::Lifetime { .. } => Code::STATEMENT_SHAPE,
            Self::Type { .. } => Code::STATEMENT_TYPE,
            Self::PredicateType { .. } => Code::STATEMENT_PREDICATE_TYPE,
            Self::Order { .. } | Self::ListsEnvelope => Code::STATEMENT_SUBJECTS,
        }
    }
}

/// The least revision of another bundle that this one was written against.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirement {
    /// The other bundle.
    pub bundle: BundleName,
    /// The least epoch.
    pub epoch: NonZeroU64,
    /// The least revision within that epoch.
    pub revision: NonZeroU64,
    /// The exact statement, where one is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_sha256: Option<Sha256Digest>,
}

/// The older revision whose files this one has again: a step back that its signers mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollsBack {
    /// The older revision's epoch.
    pub epoch: NonZeroU64,
    /// The older revision.
    pub revision: NonZeroU64,
    /// Its payload: the statement whose subjects are those of this one.
    pub payload_sha256: Sha256Digest,
}

/// What is said of the files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// The bundle.
    pub bundle: BundleName,
    /// The version for people.
    pub version: semver::Version,
    /// The scopes it may define.
    pub namespace: Namespace,
    /// The epoch of the role that signs it.
    pub epoch: NonZeroU64,
    /// Grows by at least one with every statement of an epoch.
    pub revision: NonZeroU64,
    /// When it was signed, by the signer's word.
    pub issued: Timestamp,
    /// From when on it no longer counts.
    pub expires: Timestamp,
    /// The bundles it was written against.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Requirement>,
    /// The older revision that this one returns to, where it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolls_back: Option<RollsBack>,
}

/// A statement: subjects and predicate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// Every file but the envelope, with its SHA-256.
    pub subjects: BTreeMap<BundlePath, Sha256Digest>,
    /// Which revision of which bundle this is.
    pub predicate: Predicate,
}

/// A statement that has passed the same checks, and whose names still lie in the payload: ten thousand of them are compared with
/// the files' in less time than they are copied.
#[derive(Debug)]
pub(crate) struct StatementRef<'a> {
    /// Sorted by name, each once.
    subjects: Vec<(PathRef<'a>, Sha256Digest)>,
    pub(crate) predicate: Predicate,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StatementV1<'a> {
    #[serde(rename = "_type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Vec<SubjectV1<'a>>,
    #[serde(rename = "predicateType", borrow)]
    predicate_type: Cow<'a, str>,
    predicate: StrictValue,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectV1<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    digest: DigestSetV1<'a>,
}

/// in-toto lets any digest of a set match; only one that collides for nobody is accepted.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct DigestSetV1<'a> {
    #[serde(borrow)]
    sha256: Cow<'a, str>,
}

impl<'a> StatementRef<'a> {
    /// Parses a payload, after its signatures were counted.
    pub(crate) fn parse(payload: &'a [u8]) -> Result<Self, StatementError> {
        // What is wrong with a statement is told by the second reader, which takes it step by step.
        usual::statement(payload).map_or_else(|| Self::checked(payload), Ok)
    }

    fn checked(payload: &'a [u8]) -> Result<Self, StatementError> {
        let wire: StatementV1<'_> =
            json::parse_document(payload, payload.len()).map_err(|error| match error {
                DocumentError::Json(error) => StatementError::Json(error),
                DocumentError::Shape(message) => shape(message),
            })?;
        if wire.kind != STATEMENT_TYPE {
            return Err(StatementError::Type {
                found: wire.kind.chars().take(120).collect(),
            });
        }
        if wire.predicate_type != PREDICATE_TYPE {
            return Err(StatementError::PredicateType {
                found: wire.predicate_type.chars().take(120).collect(),
            });
        }
        let predicate: Predicate = json::from_value(wire.predicate.0).map_err(shape)?;
        let mut subjects: Vec<(PathRef<'_>, _)> = Vec::with_capacity(wire.subject.len());
        for subject in wire.subject {
            let name = PathRef::new(subject.name).map_err(shape)?;
            let digest = Sha256Digest::from_hex(&subject.digest.sha256).map_err(shape)?;
            if subjects.last().is_some_and(|(last, _)| *last >= name) {
                let name = name.into_owned();
                return Err(StatementError::Order { name });
            }
            if name.as_str() == ENVELOPE_FILE {
                return Err(StatementError::ListsEnvelope);
            }
            subjects.push((name, digest));
        }
        predicate.check()?;
        Ok(Self {
            subjects,
            predicate,
        })
    }

    /// The names and digests of the files, sorted by name.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = (&str, Sha256Digest)> {
        let subjects = self.subjects.iter();
        subjects.map(|(name, digest)| (name.as_str(), *digest))
    }

    /// The same with names of its own.
    pub(crate) fn into_owned(self) -> Statement {
        let subjects = self.subjects.into_iter();
        Statement {
            subjects: subjects
                .map(|(name, digest)| (name.into_owned(), digest))
                .collect(),
            predicate: self.predicate,
        }
    }
}

fn shape(error: impl ToString) -> StatementError {
    StatementError::Shape {
        message: plain_words(&error.to_string()),
    }
}

impl Predicate {
    /// Holds the numbers and times to their rules.
    fn check(&self) -> Result<(), StatementError> {
        let Predicate {
            epoch,
            revision,
            issued,
            expires,
            rolls_back,
            ..
        } = self;
        for (field, number) in [("epoch", epoch), ("revision", revision)] {
            if number.get() > MAX_SAFE_INTEGER {
                return Err(StatementError::Number { field });
            }
        }
        if let Some(older) = rolls_back
            && (older.epoch, older.revision) >= (*epoch, *revision)
        {
            return Err(StatementError::RollsBack {
                epoch: epoch.get(),
                revision: revision.get(),
                to_epoch: older.epoch.get(),
                to: older.revision.get(),
            });
        }
        if expires <= issued {
            return Err(StatementError::Lifetime {
                issued: *issued,
                expires: *expires,
            });
        }
        Ok(())
    }
}

impl Statement {
    /// Parses a payload, after its signatures were counted.
    ///
    /// # Errors
    /// [`StatementError`] for the first defect.
    pub fn parse(payload: &[u8]) -> Result<Self, StatementError> {
        StatementRef::parse(payload).map(StatementRef::into_owned)
    }

    /// The RFC 8785 form: what is signed.
    ///
    /// # Errors
    /// [`StatementError`] when the statement breaks its own rules.
    pub fn to_payload(&self) -> Result<Vec<u8>, StatementError> {
        self.predicate.check()?;
        let wire = StatementV1 {
            kind: STATEMENT_TYPE.into(),
            subject: self
                .subjects
                .iter()
                .map(|(name, digest)| SubjectV1 {
                    name: name.as_str().into(),
                    digest: DigestSetV1 {
                        sha256: digest.to_hex().into(),
                    },
                })
                .collect(),
            predicate_type: PREDICATE_TYPE.into(),
            predicate: StrictValue(serde_json::to_value(&self.predicate).map_err(shape)?),
        };
        Ok(json::canonical(
            &serde_json::to_value(wire).map_err(shape)?,
        )?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statement() -> Statement {
        let subjects = ["bundle.yaml", "policies/a.yaml"]
            .map(|name| (name.parse().unwrap(), Sha256Digest::of(b"x")));
        Statement {
            subjects: subjects.into(),
            predicate: Predicate {
                bundle: "acme".parse().unwrap(),
                version: semver::Version::new(1, 0, 0),
                namespace: "acme".parse().unwrap(),
                epoch: NonZeroU64::MIN,
                revision: NonZeroU64::MIN,
                issued: "2026-01-01T00:00:00Z".parse().unwrap(),
                expires: "2027-01-01T00:00:00Z".parse().unwrap(),
                requires: Vec::new(),
                rolls_back: None,
            },
        }
    }

    /// The statement with one change to its text.
    fn changed(from: &str, to: &str) -> Result<Statement, StatementError> {
        let text = String::from_utf8(statement().to_payload().unwrap()).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        Statement::parse(text.replacen(from, to, 1).as_bytes())
    }

    #[test]
    fn round_trips() {
        assert_eq!(
            Statement::parse(&statement().to_payload().unwrap()),
            Ok(statement())
        );
    }

    /// A payload in canonical form is read in one pass, and no other one differently than step by step.
    #[test]
    fn one_pass_reads_what_the_steps_read() {
        let payload = String::from_utf8(statement().to_payload().unwrap()).unwrap();
        assert!(usual::statement(payload.as_bytes()).is_some());
        let mut empty = statement();
        empty.subjects.clear();
        let empty = String::from_utf8(empty.to_payload().unwrap()).unwrap();
        let is_alike = |text: &[u8]| {
            if let Some(read) = usual::statement(text) {
                let steps = StatementRef::checked(text).map(StatementRef::into_owned);
                assert_eq!(Ok(read.into_owned()), steps, "{}", text.escape_ascii());
            }
        };
        let tail = r#","predicateType":"https://ordain.dev/predicate/bundle/v1","subject":["#;
        let subject = format!(r#"{{"digest":{{"sha256":"{:064}"}},"name":"a"}}"#, 0);
        for text in [payload, empty] {
            is_alike(text.as_bytes());
            for insert in [
                ",",
                "\"",
                "\\",
                " ",
                "]",
                "}",
                "{",
                "0",
                "\u{0}",
                "é",
                "\\u0061",
                tail,
                "\"subject\":[],",
                &subject,
                &format!("{subject},"),
                &format!("{tail}]}}"),
                "\"x\":1,",
            ] {
                for at in 0..=text.len() {
                    let (before, after) = text.split_at(at);
                    is_alike(format!("{before}{insert}{after}").as_bytes());
                }
            }
            for at in 0..text.len() {
                let mut bytes = text.clone().into_bytes();
                bytes.remove(at);
                is_alike(&bytes);
                is_alike(text.get(..at).unwrap_or_default().as_bytes());
                for byte in [b'"', b'\\', b',', b'}', b'0', b'A', 0, 0xff] {
                    let mut bytes = text.clone().into_bytes();
                    bytes[at] = byte;
                    is_alike(&bytes);
                }
            }
        }
    }

    #[test]
    fn each_defect_has_its_own_error() {
        let hex = Sha256Digest::of(b"x").to_hex();
        let shape = |result| {
            assert!(
                matches!(result, Err(StatementError::Shape { .. })),
                "{result:?}"
            )
        };
        shape(changed(r#""epoch":1"#, r#""epoch":0"#));
        shape(changed(r#""revision":1"#, r#""revision":-1"#));
        shape(changed(r#""revision":1"#, r#""revision":1.5"#));
        shape(changed(r#""revision":1"#, r#""revision":1,"extra":1"#));
        shape(changed(r#""sha256""#, r#""sha1""#));
        shape(changed(r#""sha256""#, r#""sha1":"","sha256""#));
        shape(changed(&hex, &hex.to_uppercase()));
        shape(changed("policies/a.yaml", "../a.yaml"));
        // A list of what the members of an object should hold.
        let digest = format!(r#"{{"sha256":"{hex}"}}"#);
        shape(changed(&digest, &format!(r#"["{hex}"]"#)));
        let subject = format!(r#"{{"digest":{digest},"name":"bundle.yaml"}}"#);
        shape(changed(&subject, &format!(r#"["bundle.yaml",{digest}]"#)));
        let requires = |list: &str| {
            let text = format!(r#""requires":[{list}],"revision":1"#);
            changed(r#""revision":1"#, &text)
        };
        shape(requires(r#"["other",1,1]"#));
        assert!(requires(r#"{"bundle":"other","epoch":1,"revision":1}"#).is_ok());
        let older = format!(r#""revision":2,"rolls_back":[1,1,"sha256:{hex}"]"#);
        shape(changed(r#""revision":1"#, &older));
        shape(changed(r#""namespace":"acme""#, r#""namespace":"ACME""#));
        let older = format!(
            r#""revision":1,"rolls_back":{{"epoch":1,"payload_sha256":"sha256:{hex}","revision":1}}"#
        );
        assert!(matches!(
            changed(r#""revision":1"#, &older),
            Err(StatementError::RollsBack { .. })
        ));
        let newer = older.replacen(r#""revision":1"#, r#""revision":2"#, 1);
        let newer = changed(r#""revision":1"#, &newer).unwrap();
        assert_eq!(Statement::parse(&newer.to_payload().unwrap()), Ok(newer));
        assert!(matches!(
            changed("Statement/v1", "Statement/v0.1"),
            Err(StatementError::Type { .. })
        ));
        assert!(matches!(
            changed("bundle/v1", "bundle/v2"),
            Err(StatementError::PredicateType { .. })
        ));
        assert!(matches!(
            changed("policies/a.yaml", "bundle.yaml"),
            Err(StatementError::Order { .. })
        ));
        assert!(matches!(
            changed("policies/a.yaml", "aaa.yaml"),
            Err(StatementError::Order { .. })
        ));
        assert!(matches!(
            changed("bundle.yaml", ENVELOPE_FILE),
            Err(StatementError::ListsEnvelope)
        ));
        assert!(matches!(
            changed(r#""epoch":1"#, r#""epoch":1,"epoch":1"#),
            Err(StatementError::Json(_))
        ));
        assert!(matches!(
            changed(r#""epoch":1"#, r#""epoch":18446744073709551616"#),
            Err(StatementError::Json(_))
        ));
        assert!(matches!(
            changed("2027-01-01", "2025-01-01"),
            Err(StatementError::Lifetime { .. })
        ));
    }
}
