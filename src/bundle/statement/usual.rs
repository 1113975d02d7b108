//! Statements as they mostly are: with nothing wrong, and in the canonical form that `bundle sign` writes.
//!
//! INVARIANT: what is read here is read as [`StatementRef::checked`] reads it step by step; what is not, it tells the defect of.

use super::{PREDICATE_TYPE, StatementRef};
use crate::bundle::ENVELOPE_FILE;
use crate::bundle::path::PathRef;
use crate::digest::Sha256Digest;

/// The digits of a SHA-256 digest.
const DIGITS: usize = 64;
/// The bytes of a subject whose name is as long as names mostly are.
const SUBJECT_BYTES: usize = 128;

/// The statement, where it is in canonical form and nothing is wrong with it: the subjects, which are nearly all of it, stand in
/// fixed words, and without them it is read as any other.
pub(super) fn statement(payload: &[u8]) -> Option<StatementRef<'_>> {
    let payload = std::str::from_utf8(payload).ok()?;
    // No text holds these quotes: within one, a quote has a backslash before it.
    let before = format!(",\"predicateType\":\"{PREDICATE_TYPE}\",\"subject\":[");
    let (head, subjects) = payload.split_once(&before)?;
    let subjects = subjects.strip_suffix("]}")?;
    let without_subjects = format!("{head}{before}]}}");
    let StatementRef { predicate, .. } = StatementRef::checked(without_subjects.as_bytes()).ok()?;
    let subjects = read(subjects)?;
    let is_sorted = subjects.is_sorted_by(|(one, _), (next, _)| one < next);
    let lists_envelope = subjects
        .iter()
        .any(|(name, _)| name.as_str() == ENVELOPE_FILE);
    (is_sorted && !lists_envelope).then_some(StatementRef {
        subjects,
        predicate,
    })
}

/// Subjects without the brackets around them.
fn read(mut rest: &str) -> Option<Vec<(PathRef<'_>, Sha256Digest)>> {
    let mut subjects = Vec::with_capacity(rest.len() / SUBJECT_BYTES + 1);
    while !rest.is_empty() {
        let digest = rest.strip_prefix("{\"digest\":{\"sha256\":\"")?;
        let (digest, name) = digest.split_at_checked(DIGITS)?;
        let name = name.strip_prefix("\"},\"name\":\"")?;
        // No name holds a backslash or what JSON would escape, so its first quote ends it.
        let (name, end) = name.split_at_checked(name.find('"')?)?;
        let name = PathRef::new(name.into()).ok()?;
        subjects.push((name, Sha256Digest::from_hex(digest).ok()?));
        let end = end.strip_prefix("\"}")?;
        rest = match end.strip_prefix(',') {
            Some("") => return None,
            Some(next) => next,
            None if end.is_empty() => end,
            None => return None,
        };
    }
    Some(subjects)
}
