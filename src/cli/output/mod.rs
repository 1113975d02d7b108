//! How decisions are written: one module a format. Each begins, writes decisions as they come, and ends.

pub(crate) mod bench;
pub(crate) mod diagnostics;
pub(crate) mod explanation;
pub(crate) mod findings;
mod json;
pub(crate) mod policy_diff;
pub(crate) mod policy_impact;
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

impl Format {
    /// What this format says of a request beside its decision.
    pub(crate) fn asked(self, request: &Request) -> Option<String> {
        match self {
            Self::Text => Some(text::asked(request)),
            Self::Json | Self::Jsonl => None,
        }
    }

    /// Writes one decision to the end of `out`. `members` are those of the decision, as JSON without braces; `asked` is what
    /// [`Format::asked`] says, unless the request could not be read.
    pub(crate) fn render(
        self,
        out: &mut Vec<u8>,
        decision: &Decision,
        members: &[u8],
        asked: Option<&str>,
    ) {
        match self {
            Self::Text => text::decision(out, decision, asked),
            Self::Json => json::element(out, members),
            Self::Jsonl => json::line(out, members),
        }
    }
}

/// One decision as [`Format::Text`] has it.
pub(crate) fn for_people(decision: &Decision, request: &Request) -> Vec<u8> {
    let mut out = Vec::new();
    text::decision(&mut out, decision, Some(&text::asked(request)));
    out
}

/// Writes rendered decisions, one document of them.
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

    /// Writes what [`Format::render`] made of one or more decisions.
    pub(crate) fn rendered(&mut self, out: &mut Output, mut bytes: &[u8]) -> Result<(), Failure> {
        if std::mem::take(&mut self.is_first) && self.format == Format::Json {
            bytes = bytes.strip_prefix(b",").unwrap_or(bytes);
        }
        out.raw(bytes)
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
