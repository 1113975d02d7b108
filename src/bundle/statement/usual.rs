//! Statements as they mostly are: with nothing wrong.
//!
//! INVARIANT: what is read here is read as [`StatementRef::parse`] does step by step; what is not, it tells the defect of.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Visitor};
use serde::{Deserialize, Deserializer};

use super::{PREDICATE_TYPE, Predicate, STATEMENT_TYPE, StatementRef};
use crate::bundle::ENVELOPE_FILE;
use crate::bundle::path::PathRef;
use crate::digest::Sha256Digest;
use crate::json::StrictValue;

/// A statement whose digests are read where they stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualV1<'a> {
    #[serde(rename = "_type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Vec<UsualSubjectV1<'a>>,
    #[serde(rename = "predicateType", borrow)]
    predicate_type: Cow<'a, str>,
    predicate: StrictValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualSubjectV1<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    digest: UsualDigestSetV1,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsualDigestSetV1 {
    #[serde(deserialize_with = "hexadecimal")]
    sha256: Sha256Digest,
}

fn hexadecimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sha256Digest, D::Error> {
    struct Hexadecimal;
    impl Visitor<'_> for Hexadecimal {
        type Value = Sha256Digest;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("64 lower-case hexadecimal digits")
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
            Sha256Digest::from_hex(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Hexadecimal)
}

/// The statement, where nothing is wrong with it, in one pass and without a copy of its subjects: ten thousand of them are
/// megabytes.
pub(super) fn statement(payload: &[u8]) -> Option<StatementRef<'_>> {
    let wire: UsualV1<'_> = serde_json::from_slice(payload).ok()?;
    let is_ours = wire.kind == STATEMENT_TYPE && wire.predicate_type == PREDICATE_TYPE;
    let predicate: Predicate = serde_json::from_value(wire.predicate.0).ok()?;
    let subjects = wire.subject.into_iter();
    let subjects: Option<Vec<(PathRef<'_>, _)>> = subjects
        .map(|subject| Some((PathRef::new(subject.name).ok()?, subject.digest.sha256)))
        .collect();
    let subjects = subjects?;
    let is_sorted = subjects.is_sorted_by(|(one, _), (next, _)| one < next);
    let lists_envelope = subjects
        .iter()
        .any(|(name, _)| name.as_str() == ENVELOPE_FILE);
    let is_sound = is_ours && is_sorted && !lists_envelope && predicate.check().is_ok();
    is_sound.then_some(StatementRef {
        subjects,
        predicate,
    })
}
