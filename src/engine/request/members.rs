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
        only(&object, path, form, known, hint)?;
        Ok(Self { object, path, form })
    }

    pub(super) fn take(&mut self, name: &str) -> Option<Value> {
        self.object.remove(name)
    }

    pub(super) fn required(&mut self, name: &str) -> Result<Value, RequestError> {
        self.take(name).ok_or_else(|| self.missing(name))
    }

    pub(super) fn missing(&self, name: &str) -> RequestError {
        missing(self.path, self.form, name)
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

/// Refuses members other than `known`.
pub(super) fn only(
    object: &Map<String, Value>,
    path: &str,
    form: Form,
    known: &[&str],
    hint: &'static str,
) -> Result<(), RequestError> {
    let is_unknown = |key: &&String| !known.contains(&key.as_str());
    let members: Vec<String> = object
        .keys()
        .filter(is_unknown)
        .map(|key| join(path, key))
        .collect();
    if members.is_empty() {
        return Ok(());
    }
    Err(RequestError::UnknownMembers {
        form,
        members,
        hint,
    })
}

/// The object that must stand at `name`, left where it is.
pub(super) fn object_in<'a>(
    object: &'a mut Map<String, Value>,
    path: &str,
    form: Form,
    name: &str,
) -> Result<&'a mut Map<String, Value>, RequestError> {
    match object.get_mut(name) {
        Some(Value::Object(found)) => Ok(found),
        Some(other) => Err(wrong(join(path, name), "an object", other)),
        None => Err(missing(path, form, name)),
    }
}

/// Refuses anything at `name` but a text with at least one visible character.
pub(super) fn text_in(
    object: &Map<String, Value>,
    path: &str,
    form: Form,
    name: &str,
) -> Result<(), RequestError> {
    match object.get(name) {
        Some(Value::String(text)) if !text.trim().is_empty() => Ok(()),
        Some(other) => Err(no_text(join(path, name), other)),
        None => Err(missing(path, form, name)),
    }
}

/// Whether an optional object was there.
#[derive(Clone, Copy)]
pub(super) enum Filled {
    WasThere,
    Added,
}

/// Puts an empty object at `name` where nothing is, and refuses anything else than an object.
pub(super) fn fill(
    object: &mut Map<String, Value>,
    path: &str,
    name: &str,
) -> Result<Filled, RequestError> {
    match object.get(name) {
        Some(Value::Object(_)) => Ok(Filled::WasThere),
        Some(other) => Err(wrong(join(path, name), "an object", other)),
        None => {
            object.insert(name.to_owned(), Value::Object(Map::new()));
            Ok(Filled::Added)
        }
    }
}

fn missing(path: &str, form: Form, name: &str) -> RequestError {
    RequestError::Missing {
        form,
        path: join(path, name),
    }
}

fn text(value: Value, path: impl Fn() -> String) -> Result<String, RequestError> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Ok(text),
        other => Err(no_text(path(), &other)),
    }
}

/// Why `found` is no text with a visible character.
fn no_text(path: String, found: &Value) -> RequestError {
    match found {
        Value::String(_) => RequestError::Empty { path },
        other => wrong(path, "a text", other),
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
