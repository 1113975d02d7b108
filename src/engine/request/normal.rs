//! The one spelling of a value: Unicode form C, and whole numbers as integers.
//!
//! INVARIANT: values with the same RFC 8785 form are equal after this, so that no matcher can tell apart two requests
//! with one fingerprint.

use serde_json::{Map, Number, Value};
use unicode_normalization::{UnicodeNormalization, is_nfc};

use super::RequestError;

/// Where a value stands in the request, built only when an error needs it.
pub(super) enum Place<'a> {
    Top,
    Key(&'a Place<'a>, &'a str),
    Index(&'a Place<'a>, usize),
}

impl Place<'_> {
    pub(super) fn path(&self) -> String {
        match self {
            Self::Top => ".".to_owned(),
            Self::Key(parent, key) => {
                let plain = !key.is_empty()
                    && key
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
                let parent = parent.prefix();
                match (plain, parent.is_empty()) {
                    (true, true) => (*key).to_owned(),
                    (true, false) => format!("{parent}.{key}"),
                    (false, _) => format!("{parent}[{key:?}]"),
                }
            }
            Self::Index(parent, index) => format!("{}[{index}]", parent.prefix()),
        }
    }

    fn prefix(&self) -> String {
        match self {
            Self::Top => String::new(),
            _ => self.path(),
        }
    }
}

/// Normalises `object` in place; keys as well as values.
pub(super) fn normalise_object(
    object: &mut Map<String, Value>,
    place: &Place<'_>,
) -> Result<(), RequestError> {
    let mut keys_are_normal = true;
    for (key, value) in object.iter_mut() {
        keys_are_normal = is_form_c(key);
        if !keys_are_normal {
            break;
        }
        normalise(value, &Place::Key(place, key))?;
    }
    if keys_are_normal {
        return Ok(());
    }
    let mut normal = Map::new();
    for (key, mut value) in std::mem::take(object) {
        let key = form_c(key);
        normalise(&mut value, &Place::Key(place, &key))?;
        if normal.contains_key(&key) {
            let path = place.path();
            return Err(RequestError::KeyCollision { path, key });
        }
        normal.insert(key, value);
    }
    *object = normal;
    Ok(())
}

fn normalise(value: &mut Value, place: &Place<'_>) -> Result<(), RequestError> {
    match value {
        Value::Null | Value::Bool(_) => {}
        Value::Number(number) => {
            if let Some(whole) = whole(number) {
                *number = whole;
            }
        }
        Value::String(text) => {
            if !is_form_c(text) {
                *text = text.nfc().collect();
            }
        }
        Value::Array(values) => {
            for (index, value) in values.iter_mut().enumerate() {
                normalise(value, &Place::Index(place, index))?;
            }
        }
        Value::Object(object) => normalise_object(object, place)?,
    }
    Ok(())
}

fn form_c(text: String) -> String {
    if is_form_c(&text) {
        text
    } else {
        text.nfc().collect()
    }
}

/// Nearly all texts are ASCII, which is told many bytes at a time.
fn is_form_c(text: &str) -> bool {
    text.is_ascii() || is_nfc(text)
}

/// The integer that a whole number is but is not written as: `1.0` is `1` and `-0.0` is `0`, as RFC 8785 writes them.
fn whole(number: &Number) -> Option<Number> {
    let float = number.as_f64().filter(|_| number.is_f64())?;
    // INVARIANT: strict JSON lets no number of 2^53 or more pass, so the cast is exact.
    #[allow(
        clippy::cast_possible_truncation,
        reason = "whole, and below 2^53 in magnitude"
    )]
    (float.fract() == 0.0).then(|| Number::from(float as i64))
}
