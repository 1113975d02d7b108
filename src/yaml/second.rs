//! The second opinion: whether `serde_yaml` reads a document as the events were read.
//!
//! It is held against the first reading part by part, so that no second tree is made.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::spans::{Part, Spans};

/// Whether `text` is certainly read as `value` with its parts at `spans`. Where it is not, whoever asks finds out why.
pub(super) fn agrees(text: &str, value: &Value, spans: &Spans) -> bool {
    let Some(part) = spans.top() else {
        return false;
    };
    let same = Same { value, spans, part };
    same.deserialize(serde_yaml::Deserializer::from_str(text))
        .is_ok()
}

/// A part of the first reading, which the second must be equal to.
#[derive(Clone, Copy)]
struct Same<'a> {
    value: &'a Value,
    spans: &'a Spans,
    part: Part,
}

impl Same<'_> {
    fn when<E: Error>(is_same: bool) -> Result<(), E> {
        if is_same { Ok(()) } else { Err(differs()) }
    }

    fn number<E: Error>(self, read: impl Into<Number>) -> Result<(), E> {
        Self::when(matches!(self.value, Value::Number(number) if *number == read.into()))
    }
}

fn differs<E: Error>() -> E {
    E::custom("another value")
}

impl<'de> DeserializeSeed<'de> for Same<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Same<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same value")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Self::when(self.value.is_null())
    }

    fn visit_bool<E: Error>(self, read: bool) -> Result<(), E> {
        Self::when(self.value.as_bool() == Some(read))
    }

    fn visit_i64<E: Error>(self, read: i64) -> Result<(), E> {
        self.number(read)
    }

    fn visit_u64<E: Error>(self, read: u64) -> Result<(), E> {
        self.number(read)
    }

    fn visit_f64<E: Error>(self, read: f64) -> Result<(), E> {
        self.number(Number::from_f64(read).ok_or_else(differs)?)
    }

    fn visit_str<E: Error>(self, read: &str) -> Result<(), E> {
        Self::when(self.value.as_str() == Some(read))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut read: A) -> Result<(), A::Error> {
        let items = self.value.as_array().ok_or_else(differs)?;
        for (index, value) in items.iter().enumerate() {
            let part = self.spans.item(self.part, index).ok_or_else(differs)?;
            let same = Same {
                value,
                part,
                ..self
            };
            read.next_element_seed(same)?.ok_or_else(differs)?;
        }
        Self::when(read.next_element::<serde::de::IgnoredAny>()?.is_none())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut read: A) -> Result<(), A::Error> {
        let members = self.value.as_object().ok_or_else(differs)?;
        let (mut before, mut count) = (None, 0);
        let key = |before| SameKey {
            members,
            around: self,
            before,
        };
        while let Some(same) = read.next_key_seed(key(before))? {
            before = Some(same.part);
            count += 1;
            read.next_value_seed(same)?;
        }
        Self::when(count == members.len())
    }
}

/// The next key of a mapping, which must be one of `members` and stand behind the one before it: so none comes twice, and none
/// is left out where there are as many.
struct SameKey<'a> {
    members: &'a Map<String, Value>,
    around: Same<'a>,
    before: Option<Part>,
}

impl<'a, 'de> DeserializeSeed<'de> for SameKey<'a> {
    type Value = Same<'a>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Same<'a>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'a> Visitor<'_> for SameKey<'a> {
    type Value = Same<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same key")
    }

    fn visit_str<E: Error>(self, key: &str) -> Result<Same<'a>, E> {
        let spans = self.around.spans;
        let part = spans.entry(self.around.part, key);
        let part = part.filter(|part| self.before.is_none_or(|before| before < *part));
        Ok(Same {
            value: self.members.get(key).ok_or_else(differs)?,
            part: part.ok_or_else(differs)?,
            spans,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tree;
    use super::*;

    /// Each of these is read by both parsers alike, and no two of them hold the same.
    const DOCUMENTS: [&str; 20] = [
        "a",
        "'1'",
        "1",
        "1.0",
        "-1",
        "true",
        "null",
        "[]",
        "[a]",
        "[a, b]",
        "[[a], b]",
        "{}",
        "{a: b}",
        "{a: c}",
        "{b: b}",
        "{a: b, b: b}",
        "{a: b, b: {a: b}}",
        "{a: b, b: {a: b, c: [1]}}",
        "{a: [{x: 1, y: 2}, {x: 1}]}",
        "{a: [{x: 1, y: 2}, {x: 1, y: 2}]}",
    ];

    #[test]
    fn a_document_agrees_with_itself_alone() {
        for text in DOCUMENTS {
            for other in DOCUMENTS {
                let (value, spans) = tree::build("a.yaml", other).unwrap();
                assert_eq!(
                    agrees(text, &value, &spans),
                    text == other,
                    "{text} {other}"
                );
            }
        }
    }

    #[test]
    fn no_key_stands_for_another() {
        let (value, spans) = tree::build("a.yaml", "{b: 1, a: 1}").unwrap();
        assert!(agrees("{b: 1, a: 1}", &value, &spans));
        for text in [
            "{a: 1, a: 1}",
            "{b: 1, b: 1}",
            "{b: 1, a: 1, a: 1}",
            "{b: 1, a: 1}\n---\nb",
            "{b: 1, a: 1",
            "{b: 1, c: 1}",
        ] {
            assert!(!agrees(text, &value, &spans), "{text}");
        }
    }
}
