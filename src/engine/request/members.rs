//! Reading the members of one object of a form: which there are, and of which type.

use serde_json::{Map, Value};

use super::{Form, RequestError};

/// The members of one object that have not been read yet.
pub(super) struct Members {
    object: Map<String, Value>,
    /// The object's path; empty at the top.
    path: &'static str,
    form: Form,
}

impl Members {
    /// Opens an object that may hold `known` and nothing else.
    ///
    /// Unknown members come first among errors: a misspelt member is unknown and missing, and only the former tells why.
    pub(super) fn of(
        object: Map<String, Value>,
        path: &'static str,
        form: Form,
        known: &[&str],
        hint: &'static str,
    ) -> Result<Self, RequestError> {
        let members: Vec<String> = object
            .keys()
            .filter(|key| !known.contains(&key.as_str()))
            .map(|key| join(path, key))
            .collect();
        if members.is_empty() {
            Ok(Self { object, path, form })
        } else {
            Err(RequestError::UnknownMembers {
                form,
                members,
                hint,
            })
        }
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name)
    }

    pub(super) fn required(&mut self, name: &str) -> Result<Value, RequestError> {
        self.take(name).ok_or_else(|| self.missing(name))
    }

    pub(super) fn missing(&self, name: &str) -> RequestError {
        RequestError::Missing {
            form: self.form,
            path: join(self.path, name),
        }
    }

    /// A text with at least one visible character.
    pub(super) fn text(&mut self, name: &str) -> Result<String, RequestError> {
        let value = self.required(name)?;
        text(value, || join(self.path, name))
    }

    pub(super) fn optional_text(&mut self, name: &str) -> Result<Option<String>, RequestError> {
        self.take(name)
            .map(|value| text(value, || join(self.path, name)))
            .transpose()
    }

    pub(super) fn object(&mut self, name: &str) -> Result<Map<String, Value>, RequestError> {
        let value = self.required(name)?;
        object(value, || join(self.path, name))
    }

    pub(super) fn optional_object(
        &mut self,
        name: &str,
    ) -> Result<Option<Map<String, Value>>, RequestError> {
        self.take(name)
            .map(|value| object(value, || join(self.path, name)))
            .transpose()
    }

    /// A list of texts, each with at least one visible character.
    pub(super) fn optional_texts(&mut self, name: &str) -> Result<Option<Value>, RequestError> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let path = join(self.path, name);
        let Value::Array(values) = value else {
            return Err(wrong(path, "a list of texts", &value));
        };
        let texts = values
            .into_iter()
            .enumerate()
            .map(|(index, value)| text(value, || format!("{path}[{index}]")).map(Value::String));
        texts.collect::<Result<_, _>>().map(Value::Array).map(Some)
    }
}

fn text(value: Value, path: impl Fn() -> String) -> Result<String, RequestError> {
    match value {
        Value::String(text) if text.trim().is_empty() => Err(RequestError::Empty { path: path() }),
        Value::String(text) => Ok(text),
        other => Err(wrong(path(), "a text", &other)),
    }
}

fn object(value: Value, path: impl Fn() -> String) -> Result<Map<String, Value>, RequestError> {
    match value {
        Value::Object(object) => Ok(object),
        other => Err(wrong(path(), "an object", &other)),
    }
}

pub(super) fn wrong(path: String, expected: &'static str, found: &Value) -> RequestError {
    RequestError::WrongType {
        path,
        expected,
        found: name_of(found),
    }
}

/// A JSON type in words.
pub(super) fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() {
        name.to_owned()
    } else {
        format!("{path}.{name}")
    }
}
