//! Values that a policy names, held against values of a request.

use std::sync::Arc;

use serde_json::{Number, Value};

use super::Match;

/// A text, number or boolean of a policy.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::policy) enum Scalar {
    Text(Arc<str>),
    Bool(bool),
    Number(Number),
}

impl Scalar {
    /// As [`Self::equals`], and failed where the types differ: whoever asks chooses the types of what is asked, and a text
    /// wrapped in a list must not slip past a rule that refuses the text.
    pub(super) fn compare(&self, value: &Value) -> Match {
        match (self, value) {
            (_, Value::String(text)) => self.compare_text(text),
            (Self::Bool(_), Value::Bool(_)) | (Self::Number(_), Value::Number(_)) => {
                Match::of(self.equals(value))
            }
            _ => Match::Failed,
        }
    }

    /// As [`Self::compare`], of a text.
    pub(super) fn compare_text(&self, text: &str) -> Match {
        match self {
            Self::Text(wanted) => Match::of(**wanted == *text),
            Self::Bool(_) | Self::Number(_) => Match::Failed,
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Number(_) => None,
        }
    }

    pub(super) fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(wanted), Value::String(text)) => **wanted == **text,
            (Self::Bool(wanted), Value::Bool(found)) => wanted == found,
            // Requests and policies hold no number that a double would round.
            (Self::Number(wanted), Value::Number(found)) => wanted.as_f64() == found.as_f64(),
            _ => false,
        }
    }
}

/// Whether it is a text, number or boolean.
pub(super) fn is_plain(value: &Value) -> bool {
    value.is_string() || value.is_boolean() || value.is_number()
}

/// Whether a list holds the item, or a text the part. A list that does not, but holds what may hide it, fails.
pub(super) fn contains(value: &Value, scalar: &Scalar) -> Match {
    match (value, scalar) {
        (Value::Array(items), _) if items.iter().any(|item| scalar.equals(item)) => Match::Yes,
        (Value::Array(items), _) if items.iter().all(is_plain) => Match::No,
        (Value::String(text), Scalar::Text(part)) => Match::of(text.contains(&**part)),
        _ => Match::Failed,
    }
}
