//! Strict JSON in (I-JSON, RFC 7493), canonical JSON out (RFC 8785).
//!
//! `serde_json::Value` keeps the last of two equal keys and turns integers beyond 2^64 into floats, and canonicalisers round
//! beyond 2^53. Each of these lets two readers see two documents in one text, so all of them are refused here.

mod canonical;
mod lazy;
mod objects;
mod plain;

use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::map::Entry;
use serde_json::{Map, Number, Value};

pub use canonical::canonical;
pub(crate) use canonical::{write_list, write_member, write_members, write_text};
pub use lazy::Lazy;
pub(crate) use objects::Objects;
pub(crate) use plain::{Node, Plain, Seen, first_special};

/// The greatest integer that every JSON reader keeps exactly: 2^53 − 1 (RFC 7493, section 2.2).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;
/// The deepest nesting of arrays and objects.
pub const MAX_DEPTH: usize = 64;

/// Why a text is not strict JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Larger than the caller allows.
    #[error("{size} bytes are more than the limit of {limit}")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// It begins with a byte order mark.
    #[error("begins with a byte order mark; save it without one")]
    ByteOrderMark,
    /// Nested deeper than [`MAX_DEPTH`].
    #[error("nested deeper than 64 levels at line {line}, column {column}")]
    TooDeep {
        /// 1-based line.
        line: usize,
        /// 1-based column, in bytes.
        column: usize,
    },
    /// A key that stands twice in one object.
    #[error("key `{}` stands twice in one object at line {line}, column {column}", key.escape_debug())]
    DuplicateKey {
        /// The key.
        key: String,
        /// 1-based line.
        line: usize,
        /// 1-based column, in bytes.
        column: usize,
    },
    /// A number that a double cannot hold exactly.
    #[error("a number beyond ±(2^53 − 1) at line {line}, column {column}; write it as a string")]
    UnsafeNumber {
        /// 1-based line.
        line: usize,
        /// 1-based column, in bytes.
        column: usize,
    },
    /// Not JSON: bad syntax, a lone surrogate, bytes after the end, not UTF-8.
    #[error("not valid JSON: {message}")]
    Syntax {
        /// What the parser said, with line and column.
        message: String,
        /// 1-based line.
        line: usize,
        /// 1-based column, in bytes.
        column: usize,
    },
}

impl JsonError {
    /// The 1-based line and column, where the error has a place.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        match *self {
            Self::TooLarge { .. } | Self::ByteOrderMark => None,
            Self::TooDeep { line, column }
            | Self::DuplicateKey { line, column, .. }
            | Self::UnsafeNumber { line, column }
            | Self::Syntax { line, column, .. } => Some((line, column)),
        }
    }
}

/// Parses one JSON text of at most `limit` bytes.
///
/// # Errors
/// [`JsonError`] for the first thing that I-JSON or the limits forbid.
pub fn parse(bytes: &[u8], limit: usize) -> Result<Value, JsonError> {
    if bytes.len() > limit {
        return Err(JsonError::TooLarge {
            size: bytes.len(),
            limit,
        });
    }
    if bytes.starts_with(b"\xef\xbb\xbf") {
        return Err(JsonError::ByteOrderMark);
    }
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0 }
        .deserialize(&mut parser)
        .and_then(|value| parser.end().map(|()| value));
    value.map_err(|error| classify(&error))
}

/// Makes a `T` of a value, an object of each of its structs.
///
/// # Errors
/// What serde says of a value of another shape.
pub(crate) fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, serde_json::Error> {
    T::deserialize(Objects(value))
}

/// The same of one JSON text, which is not held to the rules of [`parse`].
///
/// # Errors
/// What serde says of bad JSON, and of a value of another shape.
pub(crate) fn from_slice<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_slice(bytes);
    let value = T::deserialize(Objects(&mut parser))?;
    parser.end().map(|()| value)
}

/// Why a text is not the document that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Not strict JSON.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Strict JSON of another shape.
    #[error("{0}")]
    Shape(String),
}

/// Parses one JSON text of at most `limit` bytes into `T`, without a [`Value`] between.
///
/// It is as strict as [`parse`] where `T` is made of structs that refuse unknown members, of strings, and of [`StrictValue`]
/// for all else: serde itself refuses a known member that stands twice. As everywhere, no array is taken for a struct.
///
/// # Errors
/// [`DocumentError::Json`] for what [`parse`] refuses, [`DocumentError::Shape`] for what `T` does.
pub fn parse_document<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    limit: usize,
) -> Result<T, DocumentError> {
    let typed = if bytes.len() > limit {
        None
    } else {
        Some(from_slice(bytes))
    };
    match typed {
        Some(Ok(document)) => Ok(document),
        // What is not JSON at all has the better description there.
        refused => Err(match (parse(bytes, limit), refused) {
            (Err(error), _) => error.into(),
            (Ok(_), Some(Err(error))) => DocumentError::Shape(error.to_string()),
            (Ok(_), _) => DocumentError::Shape("another shape".to_owned()),
        }),
    }
}

/// Any value, held to the rules of [`parse`] within a larger document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct StrictValue(pub Value);

impl<'de> Deserialize<'de> for StrictValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Strict { depth: 0 }.deserialize(deserializer).map(Self)
    }
}

/// The marks by which [`Strict`]'s own errors are told from the parser's.
const DEEP: &str = "\u{1}deep";
const NUMBER: &str = "\u{1}number";
const DUPLICATE: &str = "\u{1}duplicate ";

fn classify(error: &serde_json::Error) -> JsonError {
    let (line, column, message) = (error.line(), error.column(), error.to_string());
    if message.starts_with(DEEP) {
        JsonError::TooDeep { line, column }
    } else if message.starts_with(NUMBER) || message.starts_with("number out of range") {
        JsonError::UnsafeNumber { line, column }
    } else if let Some(rest) = message.strip_prefix(DUPLICATE) {
        // serde_json appends ` at line L column C`.
        let key = rest
            .rsplit_once(" at line ")
            .map_or(rest, |(key, _)| key)
            .to_owned();
        JsonError::DuplicateKey { key, line, column }
    } else {
        JsonError::Syntax {
            message,
            line,
            column,
        }
    }
}

/// Builds a [`Value`], refusing what `serde_json` lets pass.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            Err(E::custom(DEEP))
        } else {
            Ok(Self {
                depth: self.depth + 1,
            })
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        if value > MAX_SAFE_INTEGER {
            Err(E::custom(NUMBER))
        } else {
            Ok(value.into())
        }
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        if value.unsigned_abs() > MAX_SAFE_INTEGER {
            Err(E::custom(NUMBER))
        } else {
            Ok(value.into())
        }
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        // Every double of 2^53 or more is an integer that some reader may have rounded to it.
        if value.abs() >= 9_007_199_254_740_992.0 {
            return Err(E::custom(NUMBER));
        }
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom(NUMBER))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut values = Vec::new();
        while let Some(value) = items.next_element_seed(inner)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            match map.entry(key) {
                Entry::Occupied(entry) => {
                    let key = entry.key();
                    return Err(A::Error::custom(format_args!("{DUPLICATE}{key}")));
                }
                Entry::Vacant(entry) => {
                    entry.insert(entries.next_value_seed(inner)?);
                }
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> JsonError {
        parse(text.as_bytes(), 1 << 20).unwrap_err()
    }

    #[test]
    fn refuses_what_readers_disagree_on() {
        assert!(
            matches!(refused(r#"{"a":1,"a":2}"#), JsonError::DuplicateKey { key, .. } if key == "a")
        );
        assert!(matches!(
            refused(r#"{"a":1,"\u0061":2}"#),
            JsonError::DuplicateKey { .. }
        ));
        for text in [
            "9007199254740992",
            "-9007199254740992",
            "18446744073709551616",
            "1e300",
            "1e400",
        ] {
            assert!(
                matches!(refused(text), JsonError::UnsafeNumber { .. }),
                "{text}"
            );
        }
        assert_eq!(refused("\u{feff}1"), JsonError::ByteOrderMark);
        for text in [
            "1 2",
            "{}x",
            r#""\ud800""#,
            "{\"a\":1,}",
            "",
            "NaN",
            "'a'",
            "\"\u{1}\"",
        ] {
            assert!(matches!(refused(text), JsonError::Syntax { .. }), "{text}");
        }
        assert!(matches!(
            refused(&"[".repeat(65)),
            JsonError::TooDeep { .. }
        ));
        assert!(matches!(
            parse(b"[1,2]", 4),
            Err(JsonError::TooLarge { size: 5, limit: 4 })
        ));
        assert!(matches!(
            parse(b"\"\xff\"", 9),
            Err(JsonError::Syntax { .. })
        ));
    }

    #[test]
    fn a_typed_document_is_read_as_strictly() {
        #[derive(Debug, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Document {
            #[serde(rename = "a")]
            _a: String,
            #[serde(rename = "b")]
            _b: StrictValue,
        }
        let read = |text: &str| parse_document::<Document>(text.as_bytes(), 64).unwrap_err();
        assert!(parse_document::<Document>(br#"{"a":"x","b":[1,{}]}"#, 64).is_ok());
        for text in [
            r#"{"a":"x","a":"x","b":1}"#,
            r#"{"a":"x","b":1,"b":1}"#,
            r#"{"a":"x","b":{"c":1,"c":1}}"#,
        ] {
            let error = read(text);
            let is_twice = matches!(error, DocumentError::Json(JsonError::DuplicateKey { .. }));
            assert!(is_twice, "{text}: {error:?}");
        }
        assert!(matches!(
            read(r#"{"a":"x","b":9007199254740992}"#),
            DocumentError::Json(JsonError::UnsafeNumber { .. })
        ));
        assert!(matches!(
            read("\u{feff}{}"),
            DocumentError::Json(JsonError::ByteOrderMark)
        ));
        assert!(matches!(
            read(r#"{"a":"x","b":1} 2"#),
            DocumentError::Json(JsonError::Syntax { .. })
        ));
        assert!(matches!(
            read(&format!(r#"{{"a":"{}","b":1}}"#, "x".repeat(64))),
            DocumentError::Json(JsonError::TooLarge { .. })
        ));
        for text in [
            r#"{"a":"x"}"#,
            r#"{"a":1,"b":1}"#,
            r#"{"a":"x","b":1,"c":1}"#,
        ] {
            assert!(matches!(read(text), DocumentError::Shape(_)), "{text}");
        }
    }

    #[test]
    fn accepts_the_edges() {
        for text in [
            "9007199254740991",
            "-9007199254740991",
            "1.5",
            "-0",
            "null",
            &"[".repeat(64),
        ] {
            let text = if text.starts_with('[') {
                format!("{text}{}", "]".repeat(64))
            } else {
                text.to_owned()
            };
            assert!(parse(text.as_bytes(), 1 << 20).is_ok(), "{text}");
        }
    }
}
