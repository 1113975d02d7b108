//! Reads mappings field by field, so that every problem is reported at its own place and none hides another.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::condition::Index;
use super::data::Data;
use super::lexicon::Lexicon;
use super::matcher::Allowance;
use super::path::Paths;
use crate::diag::{Code, Diagnostic, Location, plain_words};
use crate::json;
use crate::yaml::{Path, Spans};

/// What the files of one bundle share.
#[derive(Debug, Clone, Default)]
pub(super) struct Shared {
    /// What their regular expressions may take.
    allowance: Rc<Allowance>,
    /// The ways into a request that they know.
    paths: Rc<Paths>,
    /// The texts that they hold.
    lexicon: Rc<Lexicon>,
}

impl Shared {
    /// What rules share that are made one by one: what their regular expressions may take.
    pub(super) fn within(allowance: Allowance) -> Self {
        Self {
            allowance: Rc::new(allowance),
            ..Self::default()
        }
    }

    pub(super) fn allowance(&self) -> &Allowance {
        &self.allowance
    }
}

/// One file that is being read, and the problems found in it.
#[derive(Debug)]
pub(super) struct Report<'spans> {
    spans: &'spans Spans,
    /// The file as it is written.
    text: &'spans str,
    /// Made when the first problem of a condition is told.
    index: OnceCell<Index<'spans>>,
    /// What its conditions may look up.
    data: Arc<Data>,
    shared: Shared,
    pub(super) problems: Vec<Diagnostic>,
}

impl<'spans> Report<'spans> {
    pub(super) fn new(spans: &'spans Spans) -> Self {
        Self {
            spans,
            text: "",
            index: OnceCell::new(),
            data: Arc::default(),
            shared: Shared::default(),
            problems: Vec::new(),
        }
    }

    /// The same, of a file with this text, of a bundle whose conditions may look up `data`, and whose files share this.
    pub(super) fn with_source(self, text: &'spans str, data: Arc<Data>, shared: Shared) -> Self {
        Self {
            text,
            data,
            shared,
            ..self
        }
    }

    pub(super) fn paths(&self) -> &Paths {
        &self.shared.paths
    }

    /// `text`, kept once for the bundle.
    pub(super) fn shared(&self, text: &str) -> Arc<str> {
        self.shared.lexicon.get(text)
    }

    pub(super) fn allowance(&self) -> &Rc<Allowance> {
        &self.shared.allowance
    }

    /// Where things stand in the file.
    pub(super) fn index(&self) -> &Index<'spans> {
        self.index.get_or_init(|| Index::of(self.text))
    }

    pub(super) fn data(&self) -> &Arc<Data> {
        &self.data
    }

    pub(super) fn spans(&self) -> &'spans Spans {
        self.spans
    }

    /// Notes a problem at `path`.
    pub(super) fn problem(&mut self, code: Code, path: &Path, message: String, hint: &str) {
        self.problem_at(code, self.spans.nearest(path), path, message, hint);
    }

    /// Notes a problem with the part at `path`, in a place of its own.
    pub(super) fn problem_at(
        &mut self,
        code: Code,
        place: Location,
        path: &Path,
        message: String,
        hint: &str,
    ) {
        let found = Diagnostic::error(code, message).at(place).hint(hint);
        let path = path.to_string();
        self.problems.push(if path.is_empty() {
            found
        } else {
            found.under(path)
        });
    }
}

/// The fields of one mapping that have not been read yet.
#[derive(Debug)]
pub(super) struct Fields {
    path: Path,
    left: Map<String, Value>,
    known: Vec<&'static str>,
}

impl Fields {
    /// The fields of `value`; none, and a problem, where it is no mapping.
    pub(super) fn of(value: Value, path: Path, report: &mut Report<'_>) -> Option<Self> {
        let Value::Object(left) = value else {
            let message = format!("expected a mapping, found {}", kind_of(&value));
            report.problem(
                Code::POLICY_TYPE,
                &path,
                message,
                "write `field: value` lines",
            );
            return None;
        };
        // As many as a rule has.
        let known = Vec::with_capacity(16);
        Some(Self { path, left, known })
    }

    pub(super) fn path(&self, field: &str) -> Path {
        self.path.key(field)
    }

    /// Takes a field as it stands.
    pub(super) fn take(&mut self, field: &'static str) -> Option<Value> {
        self.known.push(field);
        self.left.remove(field)
    }

    /// Takes a field that may be absent; null counts as absent.
    pub(super) fn optional<T: DeserializeOwned>(
        &mut self,
        field: &'static str,
        report: &mut Report<'_>,
    ) -> Option<T> {
        let value = self.take(field).filter(|value| !value.is_null())?;
        match json::from_value(value) {
            Ok(value) => Some(value),
            Err(error) => {
                let message = format!("`{field}`: {}", plain_words(&error.to_string()));
                let hint = if message.contains("expected one of") {
                    "use one of the listed words"
                } else {
                    "write a value as docs/policy.md describes it"
                };
                report.problem(Code::POLICY_TYPE, &self.path(field), message, hint);
                None
            }
        }
    }

    /// Takes a field that must be there.
    pub(super) fn required<T: DeserializeOwned>(
        &mut self,
        field: &'static str,
        report: &mut Report<'_>,
    ) -> Option<T> {
        if self.left.get(field).is_none_or(Value::is_null) {
            self.known.push(field);
            self.left.remove(field);
            let message = format!("the field `{field}` is missing");
            report.problem(
                Code::POLICY_MISSING_FIELD,
                &self.path,
                message,
                &format!("add a line `{field}: …`"),
            );
            return None;
        }
        self.optional(field, report)
    }

    /// Takes the items of a list, each with its path; none where the field is absent.
    pub(super) fn list(
        &mut self,
        field: &'static str,
        limit: usize,
        report: &mut Report<'_>,
    ) -> Vec<(Path, Value)> {
        let path = self.path(field);
        match self.take(field) {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::Array(items)) if items.len() <= limit => items
                .into_iter()
                .enumerate()
                .map(|(index, item)| (path.index(index), item))
                .collect(),
            Some(Value::Array(items)) => {
                let message = format!("{} items are more than the limit of {limit}", items.len());
                report.problem(
                    Code::POLICY_LIMIT,
                    &path,
                    message,
                    "split the policy by scope",
                );
                Vec::new()
            }
            Some(other) => {
                let message = format!("`{field}`: expected a list, found {}", kind_of(&other));
                report.problem(
                    Code::POLICY_TYPE,
                    &path,
                    message,
                    "write one `- item` a line",
                );
                Vec::new()
            }
        }
    }

    /// Takes a field that a later version will read, and refuses it.
    pub(super) fn unsupported(&mut self, fields: &[&'static str], report: &mut Report<'_>) {
        for field in fields {
            if self.left.remove(*field).is_some() {
                let message = format!("the field `{field}` is not supported by this version");
                let hint = "remove it, or use a version that supports it; a rule is never read without its conditions";
                report.problem(
                    Code::POLICY_UNSUPPORTED,
                    &self.path.key(field),
                    message,
                    hint,
                );
            }
        }
    }

    /// Whether no field is left.
    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    /// Refuses whatever was not taken.
    pub(super) fn finish(self, report: &mut Report<'_>) {
        for field in self.left.keys() {
            let shown: String = field.chars().take(80).collect();
            let message = format!("unknown field `{}`", shown.escape_debug());
            let hint = format!("the fields here are `{}`", self.known.join("`, `"));
            report.problem(
                Code::POLICY_UNKNOWN_FIELD,
                &self.path.key(field),
                message,
                &hint,
            );
        }
    }
}

/// A value's type, in words.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a mapping",
    }
}
