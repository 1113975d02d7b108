//! Decisions as JSON: one document, or one object a line.

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, printable_json};
use crate::diag::Code;
use crate::engine::Decision;

#[derive(Serialize)]
struct Line<'a> {
    format_version: u64,
    #[serde(flatten)]
    decision: &'a Decision,
}

pub(super) fn begin(out: &mut Output) -> Result<(), Failure> {
    out.raw(format!("{{\"format_version\":{FORMAT_VERSION},\"decisions\":[").as_bytes())
}

pub(super) fn element(
    out: &mut Output,
    decision: &Decision,
    is_first: bool,
) -> Result<(), Failure> {
    out.raw(if is_first { b"\n" } else { b",\n" })?;
    out.raw(encode(decision)?.as_bytes())
}

pub(super) fn end(out: &mut Output) -> Result<(), Failure> {
    out.line("\n]}")
}

pub(super) fn line(out: &mut Output, decision: &Decision) -> Result<(), Failure> {
    let line = Line {
        format_version: FORMAT_VERSION,
        decision,
    };
    out.line(&encode(&line)?)
}

fn encode(value: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(value)
        .map(printable_json)
        .map_err(|error| {
            Failure::new(
                Code::OUTPUT,
                format!("a decision cannot be written as JSON: {error}"),
            )
        })
}
