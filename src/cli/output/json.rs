//! Decisions as JSON: one document, or one object a line.

use super::FORMAT_VERSION;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, push_printable_json};

pub(super) fn begin(out: &mut Output) -> Result<(), Failure> {
    out.raw(format!("{{\"format_version\":{FORMAT_VERSION},\"decisions\":[").as_bytes())
}

/// An element of the document, of a decision's members. The comma in front is the document's, and the first has none.
pub(super) fn element(out: &mut Vec<u8>, members: &[u8]) {
    out.extend_from_slice(b",\n{");
    push_printable_json(out, members);
    out.push(b'}');
}

pub(super) fn end(out: &mut Output) -> Result<(), Failure> {
    out.line("\n]}")
}

/// A line, of a decision's members.
pub(super) fn line(out: &mut Vec<u8>, members: &[u8]) {
    out.extend_from_slice(b"{\"format_version\":");
    // Writing to memory does not fail.
    let () = serde_json::to_writer(&mut *out, &FORMAT_VERSION).unwrap_or_default();
    out.push(b',');
    push_printable_json(out, members);
    out.extend_from_slice(b"}\n");
}
