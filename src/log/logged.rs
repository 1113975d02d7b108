//! Decisions as a log holds them, read one by one and not verified: for reports that prove nothing.

use std::io::{self, BufRead};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::record::{Line, RECORD_VERSION, next_line};
use crate::digest::Sha256Digest;
use crate::json;
use crate::name::{RuleRef, Scope};
use crate::policy::Effect;

/// A decision on record.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LoggedDecision {
    v: u64,
    kind: String,
    /// The record's number.
    pub seq: u64,
    /// When it was made.
    pub time: Timestamp,
    /// Whose policy decided.
    pub scope: Scope,
    /// What it was.
    pub effect: Effect,
    /// The request's fingerprint.
    pub request_fingerprint: Sha256Digest,
    /// The policy that decided; none where there was none.
    pub policy_digest: Option<Sha256Digest>,
    /// The rules that matched.
    pub matched: Vec<LoggedMatch>,
    /// Who asked for what; none where the request could not be read.
    pub request: Option<LoggedRequest>,
}

/// A rule that matched.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LoggedMatch {
    /// The rule.
    pub rule: RuleRef,
    /// Whether it counted only because a condition could not be judged.
    #[serde(default)]
    pub failed: bool,
}

/// Who asked for what: names alone.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LoggedRequest {
    /// Who.
    pub subject: LoggedEntity,
    /// What.
    pub action: Value,
    /// On what.
    pub resource: LoggedEntity,
}

/// A subject or resource.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct LoggedEntity {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: Value,
    /// Its id.
    pub id: Value,
}

/// What a line of a log holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Logged {
    /// A decision.
    Decision(Box<LoggedDecision>),
    /// A record of another kind.
    Other,
    /// A line that is no record that this program can read.
    Unreadable,
}

/// The lines of a log, with bounded memory.
#[derive(Debug)]
pub struct LoggedLines<R> {
    reader: R,
    buffer: Vec<u8>,
    is_done: bool,
}

impl<R: BufRead> LoggedLines<R> {
    /// Reads `decisions.jsonl`.
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            buffer: Vec::new(),
            is_done: false,
        }
    }
}

impl<R: BufRead> Iterator for LoggedLines<R> {
    type Item = io::Result<Logged>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        match next_line(&mut self.reader, &mut self.buffer) {
            Err(error) => {
                self.is_done = true;
                Some(Err(error))
            }
            Ok(Line::End) => None,
            Ok(Line::Whole) => Some(Ok(read(&self.buffer))),
            // A write that goes on, or was stopped.
            Ok(Line::Torn) => {
                self.is_done = true;
                Some(Ok(Logged::Unreadable))
            }
            Ok(Line::TooLong) => Some(skip_line(&mut self.reader).map(|()| Logged::Unreadable)),
        }
    }
}

/// Passes over the rest of a line that is too long.
fn skip_line(reader: &mut impl BufRead) -> io::Result<()> {
    loop {
        let bytes = reader.fill_buf()?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (used, is_over) = match end {
            Some(end) => (end + 1, true),
            None => (bytes.len(), bytes.is_empty()),
        };
        reader.consume(used);
        if is_over {
            return Ok(());
        }
    }
}

fn read(line: &[u8]) -> Logged {
    #[derive(Deserialize)]
    struct Head {
        v: u64,
        kind: String,
    }
    match json::from_slice::<LoggedDecision>(line) {
        Ok(found) if found.v == RECORD_VERSION && found.kind == "decision" => {
            Logged::Decision(Box::new(found))
        }
        _ => match json::from_slice::<Head>(line) {
            Ok(head) if head.v == RECORD_VERSION && head.kind != "decision" => Logged::Other,
            _ => Logged::Unreadable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::MAX_LINE;

    #[test]
    fn good_lines_are_read_between_bad_ones() {
        let digest = Sha256Digest::of(b"");
        let good = format!(
            r#"{{"v":1,"seq":3,"salt":"x","kind":"decision","time":"2026-11-01T00:00:00Z","scope":"acme","effect":"deny","more":[1],"matched":[{{"rule":"acme#a","effect":"deny"}}],"request_fingerprint":"{digest}","policy_digest":null,"request":{{"subject":{{"type":"user","id":"sam"}},"action":"x","resource":{{"type":null,"id":null}}}}}}"#
        );
        let other = r#"{"v":1,"kind":"approval"}"#;
        let newer = r#"{"v":2,"kind":"decision"}"#;
        let long = "x".repeat(3 * MAX_LINE);
        let text = format!("{good}\n{other}\n{newer}\n\n{long}\n{good}\ntorn");
        let found: Vec<Logged> = LoggedLines::new(text.as_bytes())
            .map(Result::unwrap)
            .collect();
        let kinds: Vec<&str> = found
            .iter()
            .map(|found| match found {
                Logged::Decision(_) => "decision",
                Logged::Other => "other",
                Logged::Unreadable => "unreadable",
            })
            .collect();
        assert_eq!(
            kinds,
            [
                "decision",
                "other",
                "unreadable",
                "unreadable",
                "unreadable",
                "decision",
                "unreadable"
            ]
        );
        let Some(Logged::Decision(first)) = found.first() else {
            panic!("{found:?}");
        };
        assert_eq!(first.matched[0].rule.to_string(), "acme#a");
        assert!(!first.matched[0].failed);
    }
}
