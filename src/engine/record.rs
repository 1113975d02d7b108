//! What the log keeps of a decision: the decision, and who asked for what. Arguments and other properties stay out.

use std::ops::Range;

use serde::Serialize;
use serde_json::Value;

use super::decision::Decision;
use super::request::Request;

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
    action: Option<&'a Value>,
    resource: Entity<'a>,
}

#[derive(Debug, Serialize)]
struct Entity<'a> {
    #[serde(rename = "type")]
    kind: Option<&'a Value>,
    id: Option<&'a Value>,
}

/// What stands in front of the decision's members.
const HEAD: &[u8] = b"{\"kind\":\"decision\"";

impl<'a> Record<'a> {
    /// The record of a decision; the request is there unless it could not be read.
    #[must_use]
    pub fn new(decision: &'a Decision, request: Option<&'a Request>) -> Self {
        let asked = request.map(|request| {
            let attributes = request.attributes();
            let entity = |name: &str| {
                let entity = attributes.get(name);
                Entity {
                    kind: entity.and_then(|entity| entity.get("type")),
                    id: entity.and_then(|entity| entity.get("id")),
                }
            };
            Asked {
                subject: entity("subject"),
                action: attributes
                    .get("action")
                    .and_then(|action| action.get("name")),
                resource: entity("resource"),
            }
        });
        Self {
            kind: "decision",
            decision,
            request: asked,
        }
    }

    /// Writes what serialising it gives to the end of `out`, and says which bytes of `out` are the decision's own members, without
    /// the braces around them: whoever asked gets those, so that a decision is serialised once.
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<Range<usize>, serde_json::Error> {
        out.extend_from_slice(HEAD);
        let brace = out.len();
        serde_json::to_writer(&mut *out, self.decision)?;
        // A decision always has members, so its brace gives way to a comma.
        if let Some(open) = out.get_mut(brace) {
            *open = b',';
        }
        out.pop();
        let members = brace + 1..out.len();
        if let Some(request) = &self.request {
            out.extend_from_slice(b",\"request\":");
            serde_json::to_writer(&mut *out, request)?;
        }
        out.push(b'}');
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::super::request::RequestLimits;
    use super::super::{Cause, Freshness, Occasion};
    use super::*;
    use crate::policy::Mode;

    #[test]
    fn what_is_written_is_what_is_serialised() {
        let text = br#"{"subject":{"type":"user","id":"d\u00e9 \"v\":"},"action":{"name":"a"},"resource":{"type":"t","id":"r"}}"#;
        let request = Request::from_json(text, &RequestLimits::default()).unwrap();
        for mode in [Mode::Enforce, Mode::Warn] {
            let occasion = Occasion {
                decision_id: Uuid::nil(),
                time: "2026-11-22T12:00:00.5Z".parse().unwrap(),
                request_fingerprint: request.fingerprint(),
                freshness: Freshness::Fresh,
                duration_ns: 7,
            };
            let scope = "acme".parse().unwrap();
            let cause = Cause::PolicyInvalid;
            let decision = Decision::fail_closed(&scope, mode, cause, "so\nit is", occasion);
            for request in [Some(&request), None] {
                let record = Record::new(&decision, request);
                let mut out = b"before".to_vec();
                let members = record.write(&mut out).unwrap();
                let written = out.strip_prefix(b"before").unwrap();
                assert_eq!(written, serde_json::to_vec(&record).unwrap());
                let members = String::from_utf8(out[members].to_vec()).unwrap();
                let plain = serde_json::to_string(&decision).unwrap();
                assert_eq!(format!("{{{members}}}"), plain);
                // The log's own members: `log::Prepared` relies on it.
                let value: Value = serde_json::from_slice(written).unwrap();
                for name in ["v", "seq", "salt"] {
                    assert_eq!(value.get(name), None);
                }
            }
        }
    }
}
