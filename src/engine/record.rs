//! What the log keeps of a decision: the decision, and who asked for what. Arguments and other properties stay out.

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

impl<'a> Record<'a> {
    /// The record of a decision; the request is there unless it could not be read.
    #[must_use]
    pub fn new(decision: &'a Decision, request: Option<&'a Request>) -> Self {
        let asked = request.map(|request| {
            let at = |pointer: &str| request.attributes().pointer(pointer);
            Asked {
                subject: Entity {
                    kind: at("/subject/type"),
                    id: at("/subject/id"),
                },
                action: at("/action/name"),
                resource: Entity {
                    kind: at("/resource/type"),
                    id: at("/resource/id"),
                },
            }
        });
        Self {
            kind: "decision",
            decision,
            request: asked,
        }
    }
}
