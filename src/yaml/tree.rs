//! The event pre-pass: refuses what hides meaning, builds a tree and the places of its parts.
//!
//! It keeps a stack of its own, so nesting costs no call stack, and it stops at the first event that it refuses, before the
//! slower parser sees the text.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle};
use serde_json::{Map, Value};

use super::MAX_DEPTH;
use super::scalar::{self, ScalarError};
use super::spans::{Children, Node, Path, Place, Spans};
use crate::diag::{Code, Diagnostic, Location, printable};

/// A sequence or mapping that is not complete yet.
enum Frame {
    Sequence {
        place: Place,
        values: Vec<Value>,
        nodes: Vec<Node>,
    },
    Mapping {
        place: Place,
        values: Map<String, Value>,
        nodes: BTreeMap<String, (Place, Node)>,
        /// The key whose value comes next.
        key: Option<(String, Place)>,
    },
}

struct Builder<'file> {
    file: &'file str,
    stack: Vec<Frame>,
    done: Option<(Value, Node)>,
    documents: usize,
}

/// Reads `text` as one document.
pub(super) fn build(file: &str, text: &str) -> Result<(Value, Spans), Diagnostic> {
    let mut builder = Builder {
        file,
        stack: Vec::new(),
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
        Some((value, top)) => Ok((value, Spans::new(file, top))),
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
    let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
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
                let (values, nodes) = (Vec::new(), Vec::new());
                self.open(
                    Frame::Sequence {
                        place,
                        values,
                        nodes,
                    },
                    place,
                )
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_marks(anchor, tag.is_some(), place)?;
                let (values, nodes, key) = (Map::new(), BTreeMap::new(), None);
                let frame = Frame::Mapping {
                    place,
                    values,
                    nodes,
                    key,
                };
                self.open(frame, place)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let (value, place, children) = match self.stack.pop() {
                    Some(Frame::Sequence {
                        place,
                        values,
                        nodes,
                    }) => (Value::Array(values), place, Children::Items(nodes)),
                    Some(Frame::Mapping {
                        place,
                        values,
                        nodes,
                        ..
                    }) => (Value::Object(values), place, Children::Entries(nodes)),
                    None => return Ok(()),
                };
                self.put(value, Node { place, children });
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

    fn open(&mut self, frame: Frame, place: Place) -> Result<(), Diagnostic> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels");
            return Err(self.problem(Code::YAML_TOO_DEEP, message, place, "flatten the document"));
        }
        if self.wants_key() {
            let hint = "write the key as plain or quoted text";
            return Err(self.problem(Code::YAML_KEY, "a key is not text", place, hint));
        }
        self.stack.push(frame);
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame::Mapping { key: None, .. }))
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, place: Place) -> Result<(), Diagnostic> {
        if self.wants_key() {
            return self.key(text, style, place);
        }
        let value = if style == ScalarStyle::Plain {
            scalar::plain(text).map_err(|error| self.scalar_problem(text, error, place))?
        } else {
            Value::String(text.to_owned())
        };
        let children = Children::None;
        self.put(value, Node { place, children });
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
        let shown = shorten(text);
        if text == "<<" {
            let hint = "write the merged entries out";
            return Err(self.problem(Code::YAML_MERGE, "merge keys are not allowed", place, hint));
        }
        let is_text = matches!(scalar::plain(text), Ok(Value::String(_)));
        if style == ScalarStyle::Plain && !is_text {
            let message = format!("the key `{shown}` is not text");
            return Err(self.problem(Code::YAML_KEY, message, place, "quote the key"));
        }
        let Some(Frame::Mapping { nodes, key, .. }) = self.stack.last_mut() else {
            return Ok(());
        };
        if let Some(((line, _), _)) = nodes.get(text) {
            let message = format!("the key `{shown}` stands twice; first in line {line}");
            let hint = "remove one of the two, or join their values";
            return Err(self.problem(Code::YAML_DUPLICATE_KEY, message, place, hint));
        }
        *key = Some((text.to_owned(), place));
        Ok(())
    }

    /// Puts a complete value where it belongs.
    fn put(&mut self, value: Value, node: Node) {
        match self.stack.last_mut() {
            None => self.done = Some((value, node)),
            Some(Frame::Sequence { values, nodes, .. }) => {
                values.push(value);
                nodes.push(node);
            }
            Some(Frame::Mapping {
                values, nodes, key, ..
            }) => {
                if let Some((name, place)) = key.take() {
                    values.insert(name.clone(), value);
                    nodes.insert(name, (place, node));
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
        for frame in &self.stack {
            path = match frame {
                Frame::Sequence { values, .. } => path.index(values.len()),
                Frame::Mapping {
                    key: Some((key, _)),
                    ..
                } => path.key(&shorten(key)),
                Frame::Mapping { key: None, .. } => path,
            };
        }
        let (line, column) = place;
        let file = self.file.to_owned();
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
