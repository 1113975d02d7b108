//! A value as an author wrote it, in few bytes.
//!
//! A `match` is kept for digests and explanations beside the terms that decide. As a tree it would be the larger part of a rule,
//! and hardly anybody asks for it; so it is kept as a run of bytes, and the tree is made again for whoever does.
//!
//! A value begins with a byte that tells its kind. Lengths are in seven bits a byte, the lowest first, the eighth telling that more
//! follow. Members stand in the order of the tree; what many of their keys begin with is told by a number. INVARIANT: the value that is made again is the value, number for number.

use std::borrow::Cow;
use std::fmt;

use serde::ser::{SerializeMap as _, SerializeSeq as _};
use serde::{Serialize, Serializer};
use serde_json::{Map, Number, Value};

const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const UNSIGNED: u8 = 3;
const SIGNED: u8 = 4;
const FLOAT: u8 = 5;
const TEXT: u8 = 6;
const LIST: u8 = 7;
const MAPPING: u8 = 8;

/// What keys begin with, by number. A key is told by the first that fits, which the last always does.
const BEGINNINGS: [(u8, &str); 7] = [
    (0, "subject.properties."),
    (1, "action.properties."),
    (2, "resource.properties."),
    (3, "context."),
    (4, "action"),
    (5, "resource"),
    (6, ""),
];

/// A value as it was written.
#[derive(Clone)]
pub struct Written(Box<[u8]>);

impl Written {
    /// `value`, kept.
    #[must_use]
    pub fn of(value: &Value) -> Self {
        let mut bytes = Vec::with_capacity(128);
        write(value, &mut bytes);
        Self(bytes.into_boxed_slice())
    }

    /// The value again.
    #[must_use]
    pub fn value(&self) -> Value {
        Reader(&self.0).value()
    }
}

impl PartialEq for Written {
    fn eq(&self, other: &Self) -> bool {
        // Equal numbers may be told in two ways, and equal mappings in two orders.
        self.0 == other.0 || self.value() == other.value()
    }
}

impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.value(), f)
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Next(std::cell::Cell::new(Reader(&self.0))).serialize(serializer)
    }
}

fn write(value: &Value, bytes: &mut Vec<u8>) {
    match value {
        Value::Null => bytes.push(NULL),
        Value::Bool(false) => bytes.push(FALSE),
        Value::Bool(true) => bytes.push(TRUE),
        Value::Number(number) => write_number(number, bytes),
        Value::String(text) => {
            bytes.push(TEXT);
            write_text(text, bytes);
        }
        Value::Array(items) => {
            bytes.push(LIST);
            write_length(items.len(), bytes);
            for item in items {
                write(item, bytes);
            }
        }
        Value::Object(members) => {
            bytes.push(MAPPING);
            write_length(members.len(), bytes);
            for (key, member) in members {
                write_key(key, bytes);
                write(member, bytes);
            }
        }
    }
}

fn write_number(number: &Number, bytes: &mut Vec<u8>) {
    if let Some(number) = number.as_u64() {
        bytes.push(UNSIGNED);
        bytes.extend(number.to_le_bytes());
    } else if let Some(number) = number.as_i64() {
        bytes.push(SIGNED);
        bytes.extend(number.to_le_bytes());
    } else {
        bytes.push(FLOAT);
        bytes.extend(number.as_f64().unwrap_or_default().to_le_bytes());
    }
}

fn write_key(key: &str, bytes: &mut Vec<u8>) {
    let told = |(number, beginning)| Some((number, key.strip_prefix(beginning)?));
    if let Some((number, rest)) = BEGINNINGS.into_iter().find_map(told) {
        bytes.push(number);
        write_text(rest, bytes);
    }
}

fn write_text(text: &str, bytes: &mut Vec<u8>) {
    write_length(text.len(), bytes);
    bytes.extend(text.as_bytes());
}

fn write_length(mut length: usize, bytes: &mut Vec<u8>) {
    loop {
        let [low, ..] = length.to_le_bytes();
        length >>= 7;
        if length == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

/// What is still to be read. Bytes that nothing here wrote would be read as nulls.
#[derive(Clone, Copy, Default)]
struct Reader<'a>(&'a [u8]);

/// What stands next.
enum Read<'a> {
    Plain(Value),
    Text(&'a str),
    List(usize),
    Mapping(usize),
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Read<'a> {
        match self.byte() {
            FALSE => Read::Plain(Value::Bool(false)),
            TRUE => Read::Plain(Value::Bool(true)),
            UNSIGNED => Read::Plain(u64::from_le_bytes(self.eight()).into()),
            SIGNED => Read::Plain(i64::from_le_bytes(self.eight()).into()),
            FLOAT => Read::Plain(f64::from_le_bytes(self.eight()).into()),
            TEXT => Read::Text(self.text()),
            LIST => Read::List(self.length()),
            MAPPING => Read::Mapping(self.length()),
            _ => Read::Plain(Value::Null),
        }
    }

    fn value(&mut self) -> Value {
        match self.next() {
            Read::Plain(value) => value,
            Read::Text(text) => text.into(),
            Read::List(count) => (0..count).map(|_| self.value()).collect(),
            Read::Mapping(count) => {
                let members = (0..count).map(|_| (self.key().into_owned(), self.value()));
                Value::Object(members.collect::<Map<String, Value>>())
            }
        }
    }

    fn byte(&mut self) -> u8 {
        let first = self.0.split_first();
        first.map_or(NULL, |(first, rest)| {
            self.0 = rest;
            *first
        })
    }

    fn eight(&mut self) -> [u8; 8] {
        let first = self.0.split_first_chunk();
        first.map_or([0; 8], |(first, rest)| {
            self.0 = rest;
            *first
        })
    }

    fn length(&mut self) -> usize {
        let (mut length, mut shift) = (0, 0);
        loop {
            let byte = self.byte();
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift >= usize::BITS {
                return length;
            }
        }
    }

    fn key(&mut self) -> Cow<'a, str> {
        let number = self.byte();
        let rest = self.text();
        let mut beginnings = BEGINNINGS.into_iter();
        match beginnings.find(|(known, _)| *known == number) {
            None | Some((_, "")) => Cow::Borrowed(rest),
            Some((_, beginning)) => Cow::Owned([beginning, rest].concat()),
        }
    }

    fn text(&mut self) -> &'a str {
        let length = self.length();
        let parts = self.0.split_at_checked(length);
        let (text, rest) = parts.unwrap_or_default();
        self.0 = rest;
        std::str::from_utf8(text).unwrap_or_default()
    }
}

/// What stands next, for a serializer; it leaves what follows for the one after it.
struct Next<'a>(std::cell::Cell<Reader<'a>>);

impl<'a> Next<'a> {
    fn key(&self) -> Cow<'a, str> {
        let mut reader = self.0.get();
        let key = reader.key();
        self.0.set(reader);
        key
    }
}

impl Serialize for Next<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut reader = self.0.get();
        let next = reader.next();
        self.0.set(reader);
        match next {
            Read::Plain(value) => value.serialize(serializer),
            Read::Text(text) => serializer.serialize_str(text),
            Read::List(count) => {
                let mut list = serializer.serialize_seq(Some(count))?;
                for _ in 0..count {
                    list.serialize_element(self)?;
                }
                list.end()
            }
            Read::Mapping(count) => {
                let mut mapping = serializer.serialize_map(Some(count))?;
                for _ in 0..count {
                    mapping.serialize_entry(&self.key(), self)?;
                }
                mapping.end()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,200}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            let list = prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from);
            let key = r"(context\.|action|resource|subject\.properties\.)?.{0,3}";
            let mapping = prop::collection::btree_map(key, inner, 0..5);
            prop_oneof![list, mapping.prop_map(|members| json!(members))]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_made_again_is_what_was_written(value in value(), other in value()) {
            let written = Written::of(&value);
            let again = written.value();
            prop_assert_eq!(&again, &value);
            // The same numbers, told in the same way.
            prop_assert_eq!(again.to_string(), value.to_string());
            prop_assert_eq!(serde_json::to_string(&written).unwrap(), value.to_string());
            prop_assert_eq!(written == Written::of(&other), value == other);
        }
    }

    #[test]
    fn long_texts_and_equal_numbers() {
        let long = json!({"k": "x".repeat(1_000), "l": vec![0; 300]});
        assert_eq!(Written::of(&long).value(), long);
        assert_eq!(Written::of(&json!([0.0])), Written::of(&json!([-0.0])));
        assert_ne!(Written::of(&json!(1)), Written::of(&json!(1.0)));
    }

    #[test]
    fn keys_of_all_beginnings() {
        let keys = BEGINNINGS.map(|(_, beginning)| [beginning.to_owned(), format!("{beginning}x")]);
        let members: Map<String, Value> = keys
            .into_iter()
            .flatten()
            .map(|key| (key, Value::Null))
            .collect();
        let value = Value::Object(members);
        assert_eq!(Written::of(&value).value(), value);
        let short = Written::of(&json!({"subject.properties.team": "a", "action": "b"}));
        assert_eq!(short.0.len(), 16);
    }

    #[test]
    fn other_bytes_are_read_to_an_end() {
        for bytes in [
            &[][..],
            &[TEXT],
            &[TEXT, 9, b'a'],
            &[FLOAT, 1],
            &[99],
            &[MAPPING, 1],
        ] {
            let _ = Written(bytes.into()).value();
        }
    }
}
