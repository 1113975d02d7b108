//! Strict YAML: one reading of every document, and a place for every problem.
//!
//! Two parsers read each document. `saphyr_parser`'s events come first: they refuse what hides meaning (anchors, aliases,
//! tags, merge keys, duplicate keys, several documents, deep nesting), give every node its place, and build a tree of their
//! own. Then `serde_yaml` reads the text, and makes the typed value where there is one. Where the two readings differ, some reader
//! would see another policy, so the document is refused.
//!
//! The schema is narrow, so that no spelling means two things:
//!
//! - plain `null`, `true`, `false` and JSON numbers within ±(2^53 − 1) have those types, and nothing else has;
//! - every other plain scalar is text (`no`, `on`, `y`, `12:30`, `2026-01-01` and `1.2.3` too);
//! - plain scalars that other readers type (`~`, `True`, `0x1f`, `007`, `+1`, `.5`, `.inf`, an empty value) are refused: quote
//!   them, or write them as JSON does;
//! - keys are text: a plain key that would be a number, boolean or null is refused.
//!
//! A field that wants text takes a plain number or boolean as it is spelled, so `version: 1.10` stays `1.10`.

mod format;
mod scalar;
mod second;
mod spans;
mod tree;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::diag::{Code, Diagnostic, Location, plain_words, printable};

pub use format::format;
pub use spans::{Path, Spans};

/// The deepest nesting of sequences and mappings.
pub const MAX_DEPTH: usize = 64;

/// A typed document and the places of its parts.
#[derive(Debug, Clone)]
pub struct Document<T> {
    /// The document.
    pub value: T,
    /// Where its parts stand.
    pub spans: Spans,
}

/// A document that passed every check but that of its own fields.
#[derive(Debug, Clone)]
pub struct Untyped<'text> {
    text: &'text str,
    /// The document as JSON.
    pub value: Value,
    /// Where its parts stand.
    pub spans: Spans,
}

impl Untyped<'_> {
    /// The text of the top-level field `kind`, if there is one.
    #[must_use]
    pub fn kind(&self) -> Option<&str> {
        self.value.get("kind").and_then(Value::as_str)
    }

    /// Reads the document as a `T`.
    ///
    /// # Errors
    /// A [`Diagnostic`] with place and path for the first unknown or missing field or wrong type.
    pub fn typed<T: DeserializeOwned>(self) -> Result<Document<T>, Diagnostic> {
        match serde_yaml::from_str(self.text) {
            Ok(value) => Ok(Document {
                value,
                spans: self.spans,
            }),
            Err(error) => Err(shape_error(&error, &self.spans)),
        }
    }
}

/// Parses one document of at most `limit` bytes; `file` is its name in messages.
///
/// # Errors
/// A [`Diagnostic`] with code, place, path and remedy for the first problem.
pub fn parse<T: DeserializeOwned>(
    file: &str,
    bytes: &[u8],
    limit: usize,
) -> Result<Document<T>, Diagnostic> {
    read(file, bytes, limit)?.typed()
}

/// Parses one document of at most `limit` bytes without knowing its fields, so that its `kind` can be looked at first.
///
/// # Errors
/// A [`Diagnostic`] for the first thing that strict YAML forbids.
pub fn read<'text>(
    file: &str,
    bytes: &'text [u8],
    limit: usize,
) -> Result<Untyped<'text>, Diagnostic> {
    let start = |line, column| Location {
        file: file.into(),
        line,
        column,
    };
    if bytes.len() > limit {
        let message = format!("{} bytes are more than the limit of {limit}", bytes.len());
        return Err(Diagnostic::error(Code::YAML_TOO_LARGE, message)
            .at(start(1, 1))
            .hint("split it into several files"));
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        let message = "the file begins with a byte order mark";
        return Err(Diagnostic::error(Code::YAML_ENCODING, message)
            .at(start(1, 1))
            .hint("save it as UTF-8 without one"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let before = bytes.get(..error.valid_up_to()).unwrap_or_default();
        let (line, column) = spans::end_of(&String::from_utf8_lossy(before));
        Diagnostic::error(Code::YAML_ENCODING, "the file is not UTF-8")
            .at(start(line, column))
            .hint("save it as UTF-8")
    })?;
    let (value, spans) = tree::build(file, text)?;
    if second::agrees(text, &value, &spans) {
        return Ok(Untyped { text, value, spans });
    }
    match serde_yaml::from_str::<Value>(text) {
        Ok(other) if other == value => Ok(Untyped { text, value, spans }),
        Ok(_) => {
            let message = "two YAML parsers read this document differently";
            Err(Diagnostic::error(Code::YAML_AMBIGUOUS_DOCUMENT, message)
                .at(start(1, 1))
                .hint("quote unusual text and write it without unusual line breaks"))
        }
        Err(error) => {
            let message = format!(
                "not valid YAML: {}",
                printable(&spans::without_place(&error))
            );
            Err(Diagnostic::error(Code::YAML_SYNTAX, message)
                .at(spans.place_of(&error))
                .hint("correct the syntax; an editor with YAML support shows the place"))
        }
    }
}

/// What `serde_yaml` says of a document's fields, in our words.
fn shape_error(error: &serde_yaml::Error, spans: &Spans) -> Diagnostic {
    let text = spans::without_place(error);
    let (path, message) = match text.split_once(": ") {
        Some((path, message)) if !path.contains([' ', '`']) => (Some(path), message),
        _ => (None, text.as_str()),
    };
    let hint = if message.starts_with("unknown field") {
        "remove the field, or correct its spelling"
    } else if message.starts_with("missing field") {
        "add the field"
    } else if message.starts_with("unknown variant") {
        "use one of the listed words"
    } else {
        "write a value of the expected type"
    };
    let found = Diagnostic::error(Code::YAML_SHAPE, plain_words(message))
        .at(spans.place_of(error))
        .hint(hint);
    // The parser's path ends at the mapping that holds the unknown field.
    let unknown = message.strip_prefix("unknown field `");
    let unknown = unknown.and_then(|rest| rest.split('`').next());
    match (path, unknown) {
        (Some(path), Some(field)) => found.under(format!("{path}.{field}")),
        (Some(path), None) => found.under(path),
        (None, Some(field)) => found.under(field),
        (None, None) => found,
    }
}

#[cfg(test)]
mod tests;
