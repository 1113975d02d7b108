//! The event pre-pass: refuses what hides meaning, builds a tree and the places of its parts.
//!
//! It keeps a stack of its own, so nesting costs no call stack, and it stops at the first event that it refuses, before the
//! slower parser sees the text.

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde_json::{Map, Value};

use super::MAX_DEPTH;
use super::scalar::{self, Plain, ScalarError};
use super::spans::{Holds, Key, Part, Path, Place, Spans, narrow};
use crate::diag::{Code, Diagnostic, Location, printable};

/// A sequence or mapping that is not complete yet.
struct Frame {
    place: Place,
    /// Where its parts begin among those that are open.
    parts: usize,
    /// The key of the mapping around it by which it will be found.
    own_key: Option<Key>,
    kind: Kind,
}

enum Kind {
    Sequence(Vec<Value>),
    Mapping {
        values: Map<String, Value>,
        /// The key whose value comes next.
        key: Option<Key>,
    },
}

struct Builder<'file> {
    file: &'file str,
    stack: Vec<Frame>,
    /// The parts of all frames, one frame's after the other's.
    parts: Vec<Part>,
    spans: Spans,
    done: Option<Value>,
    documents: usize,
}

/// Reads `text` as one document.
pub(super) fn build(file: &str, text: &str) -> Result<(Value, Spans), Diagnostic> {
    let mut builder = Builder {
        file,
        stack: Vec::new(),
        parts: Vec::new(),
        spans: Spans::new(file),
        done: None,
        documents: 0,
    };
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            let message = format!("not valid YAML: {}", printable(error.info()));
            let hint = "correct the syntax; an editor with YAML support shows the place";
            builder.problem(Code::YAML_SYNTAX, message, place_of(error.marker()), hint)
        })?;
        builder.take(event, place_of(&span.start))?;
    }
    match builder.done {
        Some(value) => Ok((value, builder.spans)),
        None => {
            let hint = "write the document, beginning with `apiVersion:`";
            Err(builder.problem(
                Code::YAML_SYNTAX,
                "the file holds no document",
                (1, 1),
                hint,
            ))
        }
    }
}

fn place_of(marker: &Marker) -> Place {
    (
        narrow(marker.line()),
        narrow(marker.col().saturating_add(1)),
    )
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Diagnostic> {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
            Event::DocumentStart(_) => self.document(place),
            Event::Alias(_) => Err(self.alias(place)),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_marks(anchor, tag.is_some(), place)?;
                self.scalar(&text, style, place)
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_marks(anchor, tag.is_some(), place)?;
                self.open(Kind::Sequence(Vec::new()), place)
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_marks(anchor, tag.is_some(), place)?;
                let (values, key) = (Map::new(), None);
                self.open(Kind::Mapping { values, key }, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                self.close();
                Ok(())
            }
        }
    }

    fn document(&mut self, place: Place) -> Result<(), Diagnostic> {
        self.documents += 1;
        if self.documents == 1 {
            return Ok(());
        }
        let message = "the file holds more than one document";
        Err(self.problem(
            Code::YAML_DOCUMENTS,
            message,
            place,
            "put each document in a file of its own",
        ))
    }

    fn alias(&self, place: Place) -> Diagnostic {
        let hint = "repeat the value where it is needed";
        self.problem(
            Code::YAML_ALIAS,
            "aliases and anchors are not allowed",
            place,
            hint,
        )
    }

    fn refuse_marks(&self, anchor: usize, has_tag: bool, place: Place) -> Result<(), Diagnostic> {
        if anchor != 0 {
            return Err(self.alias(place));
        }
        if has_tag {
            let hint = "remove the tag; quote the value if it is text";
            return Err(self.problem(Code::YAML_TAG, "tags are not allowed", place, hint));
        }
        Ok(())
    }

    fn open(&mut self, kind: Kind, place: Place) -> Result<(), Diagnostic> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(self.problem(Code::YAML_TOO_DEEP, message, place, "flatten the document"));
        }
        if self.wants_key() {
            let hint = "write the key as plain or quoted text";
            return Err(self.problem(Code::YAML_KEY, "a key is not text", place, hint));
        }
        let own_key = self.take_key();
        self.stack.push(Frame {
            place,
            parts: self.parts.len(),
            own_key,
            kind,
        });
        Ok(())
    }

    fn close(&mut self) {
        let Some(frame) = self.stack.pop() else {
            return;
        };
        let (value, holds) = match frame.kind {
            Kind::Sequence(values) => (Value::Array(values), Holds::Items),
            Kind::Mapping { values, .. } => (Value::Object(values), Holds::Entries),
        };
        let parts = self.parts.get(frame.parts..).unwrap_or_default();
        let part = self.spans.push(frame.place, frame.own_key, holds, parts);
        self.parts.truncate(frame.parts);
        self.put(value, frame.own_key, part);
    }

    fn wants_key(&self) -> bool {
        let frame = self.stack.last();
        frame.is_some_and(|frame| matches!(frame.kind, Kind::Mapping { key: None, .. }))
    }

    /// The key of the value that comes now.
    fn take_key(&mut self) -> Option<Key> {
        match &mut self.stack.last_mut()?.kind {
            Kind::Mapping { key, .. } => key.take(),
            Kind::Sequence(_) => None,
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) -> Result<(), Diagnostic> {
        if self.wants_key() {
            return self.key(text, style, place);
        }
        let value = if style == ScalarStyle::Plain {
            match scalar::plain(text).map_err(|error| self.scalar_problem(text, error, place))? {
                Plain::Text => Value::String(text.to_owned()),
                Plain::Value(value) => value,
            }
        } else {
            Value::String(text.to_owned())
        };
        let key = self.take_key();
        let part = self.spans.push(place, key, Holds::Nothing, &[]);
        self.put(value, key, part);
        Ok(())
    }

    fn scalar_problem(&self, text: &str, error: ScalarError, place: Place) -> Diagnostic {
        let shown = shorten(text);
        match error {
            ScalarError::Ambiguous if text.is_empty() => {
                let hint = "write the value, `null` for none, or remove the key";
                self.problem(Code::YAML_AMBIGUOUS_SCALAR, "a value is empty", place, hint)
            }
            ScalarError::Ambiguous => {
                let message = format!("`{shown}` means different things to different YAML readers");
                let hint = "quote it if it is text; else write it as JSON does: `null`, `true`, `31`, `0.5`";
                self.problem(Code::YAML_AMBIGUOUS_SCALAR, message, place, hint)
            }
            ScalarError::UnsafeNumber => {
                let message = format!("the number `{shown}` is beyond ±(2^53 − 1)");
                self.problem(
                    Code::YAML_NUMBER,
                    message,
                    place,
                    "write it as a quoted string",
                )
            }
        }
    }

    fn key(&mut self, text: &str, style: ScalarStyle, place: Place) -> Result<(), Diagnostic> {
        if text == "<<" {
            let hint = "write the merged entries out";
            return Err(self.problem(Code::YAML_MERGE, "merge keys are not allowed", place, hint));
        }
        if style == ScalarStyle::Plain && !matches!(scalar::plain(text), Ok(Plain::Text)) {
            let message = format!("the key `{}` is not text", shorten(text));
            return Err(self.problem(Code::YAML_KEY, message, place, "quote the key"));
        }
        let Some(Frame {
            parts,
            kind: Kind::Mapping { values, key, .. },
            ..
        }) = self.stack.last_mut()
        else {
            return Ok(());
        };
        if values.contains_key(text) {
            let siblings = self.parts.get(*parts..).unwrap_or_default();
            let first = self.spans.place_of_key(siblings, text);
            let line = first.unwrap_or(place).0;
            let shown = shorten(text);
            let message = format!("the key `{shown}` stands twice; first in line {line}");
            let hint = "remove one of the two, or join their values";
            return Err(self.problem(Code::YAML_DUPLICATE_KEY, message, place, hint));
        }
        *key = Some(self.spans.key(text, place));
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn put(&mut self, value: Value, key: Option<Key>, part: Part) {
        match self.stack.last_mut().map(|frame| &mut frame.kind) {
            None => self.done = Some(value),
            Some(Kind::Sequence(values)) => {
                values.push(value);
                self.parts.push(part);
            }
            Some(Kind::Mapping { values, .. }) => {
                if let Some(key) = key {
                    values.insert(self.spans.text(key).to_owned(), value);
                    self.parts.push(part);
                }
            }
        }
    }

    fn problem(
        &self,
        code: Code,
        message: impl Into<String>,
        place: Place,
        hint: &str,
    ) -> Diagnostic {
        let mut path = Path::top();
        let mut frames = self.stack.iter().peekable();
        while let Some(frame) = frames.next() {
            path = match &frame.kind {
                Kind::Sequence(values) => path.index(values.len()),
                Kind::Mapping { key, .. } => {
                    // The key of what is open stands with it.
                    let inner = frames.peek().and_then(|inner| inner.own_key);
                    match key.or(inner) {
                        Some(key) => path.key(&shorten(self.spans.text(key))),
                        None => path,
                    }
                }
            };
        }
        let (line, column) = place;
        let file = self.file.into();
        let found = Diagnostic::error(code, message).at(Location { file, line, column });
        let found = found.hint(hint);
        match String::from(path) {
            path if path.is_empty() => found,
            path => found.under(path),
        }
    }
}

/// The beginning of `text`, escaped: a message is for people.
fn shorten(text: &str) -> String {
    text.chars()
        .take(80)
        .collect::<String>()
        .escape_debug()
        .to_string()
}
