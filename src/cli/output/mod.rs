//! How decisions are written: one module a format. Each begins, writes decisions as they come, and ends.

pub(crate) mod bench;
pub(crate) mod diagnostics;
pub(crate) mod explanation;
pub(crate) mod findings;
mod json;
pub(crate) mod scopes;
mod text;

use clap::ValueEnum;

use super::report::Failure;
use super::ui::Output;
use crate::engine::Decision;
use crate::engine::request::Request;

/// The version of the machine-readable formats.
const FORMAT_VERSION: u64 = 1;

/// A format for decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
}

/// Writes decisions in one format.
#[derive(Debug)]
pub(crate) struct Writer {
    format: Format,
    is_first: bool,
}

impl Writer {
    /// Begins a document.
    pub(crate) fn begin(format: Format, out: &mut Output) -> Result<Self, Failure> {
        if format == Format::Json {
            json::begin(out)?;
        }
        Ok(Self {
            format,
            is_first: true,
        })
    }

    /// Writes one decision; the request is there unless it could not be read.
    pub(crate) fn decision(
        &mut self,
        out: &mut Output,
        decision: &Decision,
        request: Option<&Request>,
    ) -> Result<(), Failure> {
        let is_first = std::mem::take(&mut self.is_first);
        match self.format {
            Format::Text => text::decision(out, decision, request),
            Format::Json => json::element(out, decision, is_first),
            Format::Jsonl => json::line(out, decision),
        }
    }

    /// Ends the document.
    pub(crate) fn end(self, out: &mut Output) -> Result<(), Failure> {
        if self.format == Format::Json {
            json::end(out)
        } else {
            Ok(())
        }
    }
}
