//! What the log keeps of a decision: the decision, and who asked for what. Arguments and other properties stay out.

mod write;

use std::ops::Range;

use serde::Serialize;

use super::decision::Decision;
use super::request::{Names, Request};
use crate::json::write_text;

pub(crate) use write::WrittenBundles;

/// The body of a log record.
#[derive(Debug, Serialize)]
pub struct Record<'a> {
    kind: &'static str,
    #[serde(flatten)]
    decision: &'a Decision,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<Asked<'a>>,
}

/// Who asked for what: names alone.
#[derive(Debug, Serialize)]
struct Asked<'a> {
    subject: Entity<'a>,
    action: &'a str,
    resource: Entity<'a>,
}

#[derive(Debug, Serialize)]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: &'a str,
}

impl<'a> From<Names<'a>> for Asked<'a> {
    fn from(names: Names<'a>) -> Self {
        let entity = |kind, id| Entity { kind, id };
        Self {
            subject: entity(names.subject_type, names.subject),
            action: names.action,
            resource: entity(names.resource_type, names.resource),
        }
    }
}

/// What stands in front of the decision's members.
const HEAD: &[u8] = b"{\"kind\":\"decision\"";

impl<'a> Record<'a> {
    /// The record of a decision; the request is there unless it could not be read.
    #[must_use]
    pub fn new(decision: &'a Decision, request: Option<&'a Request>) -> Self {
        Self {
            kind: "decision",
            decision,
            request: request.map(|request| request.names().into()),
        }
    }

    /// Writes what serialising it gives to the end of `out`, and says which bytes of `out` are the decision's own members, without
    /// the braces around them: whoever asked gets those, so that a decision is written once. `bundles` is what the record before
    /// left there.
    pub(crate) fn write(
        &self,
        out: &mut Vec<u8>,
        bundles: &mut WrittenBundles,
    ) -> Result<Range<usize>, serde_json::Error> {
        out.extend_from_slice(HEAD);
        let comma = out.len();
        let written = bundles.of(self.decision.shared_bundles())?;
        write::members(out, &self.decision.told(), written)?;
        let members = comma + 1..out.len();
        if let Some(request) = &self.request {
            request.write(out);
        }
        out.push(b'}');
        Ok(members)
    }
}

impl Asked<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let mut member = |before: &[u8], text: &str| {
            out.extend_from_slice(before);
            write_text(out, text);
        };
        member(b",\"request\":{\"subject\":{\"type\":", self.subject.kind);
        member(b",\"id\":", self.subject.id);
        member(b"},\"action\":", self.action);
        member(b",\"resource\":{\"type\":", self.resource.kind);
        member(b",\"id\":", self.resource.id);
        out.extend_from_slice(b"}}");
    }
}

#[cfg(test)]
mod tests;
