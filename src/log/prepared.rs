//! Records on their way to the log, serialised before their turn comes.
//!
//! Who appends has the lock, and everyone waits for it, so all that does not depend on a record's place is done before, by any
//! thread. What is left is the beginning of the line, with the sequence number, and the hash over all of it. Whoever can tell which
//! number a record is going to have prepares its line and the hash as well; should another writer have been there first, only these
//! are made again.

use serde::Serialize;

use super::record::{RecordError, check_members, check_size, write_head};
use super::tree::{Hash, leaf_hash};
use crate::engine::{Record, WrittenBundles};

/// The bodies of some records, one after the other.
#[derive(Debug, Clone, Default)]
pub struct Prepared {
    bytes: Vec<u8>,
    /// Where each body begins and ends.
    // INVARIANT: each body is a JSON object, and none has a member that the log writes itself.
    // INVARIANT: and each is short enough for a line with any sequence number.
    // INVARIANT: with a leaf for each, the bytes are whole lines, and a comma stands for the brace that begins a body.
    bodies: Vec<(usize, usize)>,
    /// The number that the first is expected to have.
    first: Option<u64>,
    /// The hashes of the lines, if they are written.
    leaves: Vec<Hash>,
    /// What the decision that was added last leaves to the next.
    bundles: WrittenBundles,
}

/// Two are equal that hold the same bodies.
impl PartialEq for Prepared {
    fn eq(&self, other: &Self) -> bool {
        // A comma may stand for the brace in front.
        let members = |prepared: &Self| -> Vec<Option<Vec<u8>>> {
            let bodies = prepared.bodies();
            bodies
                .map(|body| body.get(1..).map(<[u8]>::to_vec))
                .collect()
        };
        members(self) == members(other)
    }
}

impl Eq for Prepared {}

impl Prepared {
    /// Adds a record: a JSON object without the members `v`, `seq` and `salt`.
    ///
    /// # Errors
    /// [`RecordError`]; nothing is added then. A record is too long if its line might be, with the longest of sequence numbers.
    pub fn push(&mut self, record: &impl Serialize) -> Result<(), RecordError> {
        let start = self.bytes.len();
        let result = self.try_push(start, record);
        match result {
            Ok(()) => self.bodies.push((start, self.bytes.len())),
            Err(_) => self.bytes.truncate(start),
        }
        result
    }

    fn try_push(&mut self, start: usize, record: &impl Serialize) -> Result<(), RecordError> {
        serde_json::to_writer(&mut self.bytes, record)
            .map_err(|error| RecordError::NotAnObject(error.to_string()))?;
        let body = self.bytes.get(start..).unwrap_or_default();
        if !matches!(body, [b'{', .., b'}']) {
            return Err(RecordError::NotAnObject("it is another type".to_owned()));
        }
        check_size(body.len())?;
        check_members(body)
    }

    /// Expects the first record, which is still to come, to have the number `first` in the log.
    pub(crate) fn expect(&mut self, first: u64) {
        self.first = Some(first);
    }

    /// Whether it is expected which number the first record has.
    pub(crate) fn is_expected(&self) -> bool {
        self.first.is_some()
    }

    /// Adds the record of a decision, and gives the bytes that are the decision's own members. With a salt, its line is written for
    /// the number that it is expected to have.
    pub(crate) fn push_decision(
        &mut self,
        record: &Record<'_>,
        salt: Option<&[u8; 16]>,
    ) -> Result<&[u8], RecordError> {
        let start = self.bytes.len();
        let number = self
            .first
            .map(|first| first.wrapping_add(self.bodies.len() as u64));
        let head = number.zip(salt);
        if let Some((number, salt)) = head {
            write_head(&mut self.bytes, number, salt);
        }
        let body = self.bytes.len();
        // A decision has none of the log's members: a test of `engine::Record` holds it to that.
        let written = record.write(&mut self.bytes, &mut self.bundles);
        let members = written
            .map_err(|error| RecordError::NotAnObject(error.to_string()))
            .and_then(|members| check_size(self.bytes.len() - body).map(|()| members));
        if members.is_err() {
            self.bytes.truncate(start);
        }
        let members = members?;
        self.bodies.push((body, self.bytes.len()));
        if head.is_some() {
            if let Some(brace) = self.bytes.get_mut(body) {
                *brace = b',';
            }
            let line = self.bytes.get(start..).unwrap_or_default();
            self.leaves.push(leaf_hash(line));
            self.bytes.push(b'\n');
        }
        Ok(self.bytes.get(members).unwrap_or_default())
    }

    /// Forgets the records, and keeps the memory for others.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.bodies.clear();
        self.first = None;
        self.leaves.clear();
    }

    /// Bytes of memory that are held for bodies.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bodies.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bodies.is_empty()
    }

    /// The bodies. Each is a JSON object, though a comma may stand for the brace in front.
    pub(super) fn bodies(&self) -> impl Iterator<Item = &[u8]> {
        let bodies = self.bodies.iter();
        bodies.map(|(start, end)| self.bytes.get(*start..*end).unwrap_or_default())
    }

    /// The lines, and the hash and the length of each, LF included; none unless they are written for the numbers from `first` on.
    pub(crate) fn lines_from(
        &self,
        first: u64,
    ) -> Option<(&[u8], impl Iterator<Item = (Hash, u64)>)> {
        if self.first != Some(first) || self.leaves.len() != self.bodies.len() {
            return None;
        }
        let mut start = 0;
        let ends = self.bodies.iter().map(|(_, end)| end + 1);
        let lengths = ends.map(move |end| (end - std::mem::replace(&mut start, end)) as u64);
        Some((&self.bytes, self.leaves.iter().copied().zip(lengths)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bodies_are_kept_as_they_are_written() {
        let mut prepared = Prepared::default();
        assert!(prepared.is_empty());
        prepared.push(&json!({})).unwrap();
        prepared
            .push(&json!({"a": {"seq": 1}, "b": "\"v\":"}))
            .unwrap();
        let bodies: Vec<&[u8]> = prepared.bodies().collect();
        assert_eq!(bodies, [&b"{}"[..], br#"{"a":{"seq":1},"b":"\"v\":"}"#]);
        assert_eq!(prepared.len(), 2);
        prepared.clear();
        assert_eq!(prepared, Prepared::default());
    }

    #[test]
    fn refuses_what_the_log_refuses_and_keeps_the_rest() {
        let mut prepared = Prepared::default();
        prepared.push(&json!({"a": 1})).unwrap();
        let before = prepared.clone();
        for (body, reserved) in [
            (json!({"v": 1}), true),
            (json!({"a": 1, "seq": null}), true),
            (json!({"salt": {}, "a": 1}), true),
            (json!([1]), false),
            (json!("{}"), false),
            (json!(null), false),
        ] {
            let error = prepared.push(&body).unwrap_err();
            assert_eq!(error == RecordError::Reserved, reserved, "{body}: {error}");
            assert_eq!(prepared, before);
        }
        let long = json!({"a": "x".repeat(65_535)});
        let error = prepared.push(&long).unwrap_err();
        assert!(matches!(error, RecordError::TooLarge { .. }), "{error}");
        assert_eq!(prepared, before);
    }
}
