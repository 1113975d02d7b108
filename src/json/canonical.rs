//! Canonical JSON (RFC 8785), written straight from a value.
//!
//! Keys come in the order of their UTF-16 code units. That is the order of their bytes unless one of them begins at some place
//! with a character of U+E000 or above, so sorting is the exception, and no second tree is built.

use serde_json::{Map, Number, Value};

use super::plain::FIRST_OUT_OF_ORDER;
use super::{JsonError, MAX_SAFE_INTEGER};

/// The least magnitude of a double that some reader may have rounded to.
const TWO_TO_53: f64 = 9_007_199_254_740_992.0;

const UNSAFE_NUMBER: JsonError = JsonError::UnsafeNumber { line: 0, column: 0 };

/// The RFC 8785 form of `value`.
///
/// # Errors
/// [`JsonError::UnsafeNumber`] when it holds an integer beyond ±(2^53 − 1), which the canonical form would round.
pub fn canonical(value: &Value) -> Result<Vec<u8>, JsonError> {
    let mut out = Vec::with_capacity(256);
    write_canonical(&mut out, value)?;
    Ok(out)
}

/// Writes the RFC 8785 form of `value` to the end of `out`.
///
/// # Errors
/// As for [`canonical`]; `out` then ends in a part of it.
pub(crate) fn write_canonical(out: &mut Vec<u8>, value: &Value) -> Result<(), JsonError> {
    match value {
        Value::Null => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Number(number) => write_number(out, number)?,
        Value::String(text) => write_text(out, text),
        Value::Array(values) => write_list(out, values, write_canonical)?,
        Value::Object(object) => write_members(out, object, |_| true, write_member)?,
    }
    Ok(())
}

/// Writes a list, each item by `write`.
pub(crate) fn write_list<T, E>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    write: impl Fn(&mut Vec<u8>, T) -> Result<(), E>,
) -> Result<(), E> {
    out.push(b'[');
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        write(out, item)?;
    }
    out.push(b']');
    Ok(())
}

/// Writes one member's value.
pub(crate) fn write_member(out: &mut Vec<u8>, _key: &str, value: &Value) -> Result<(), JsonError> {
    write_canonical(out, value)
}

/// Writes an object of the members that `keep` keeps, their values by `write`.
///
/// # Errors
/// Those of `write`.
pub(crate) fn write_members(
    out: &mut Vec<u8>,
    object: &Map<String, Value>,
    keep: impl Fn(&str) -> bool,
    write: impl FnMut(&mut Vec<u8>, &str, &Value) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    if is_in_order(object) {
        return write_all(out, object.iter(), keep, write);
    }
    let mut members: Vec<(&String, &Value)> = object.iter().collect();
    members.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
    write_all(out, members.into_iter(), keep, write)
}

/// Whether the members certainly come in the order in which they are written, which is nearly always so.
///
/// It is asked before anything is written: whoever writes first and sorts then does so once more for each level above.
fn is_in_order(object: &Map<String, Value>) -> bool {
    let in_byte_order = |key: &String| {
        key.bytes()
            .fold(true, |so_far, byte| so_far & (byte < FIRST_OUT_OF_ORDER))
    };
    object.keys().all(in_byte_order) && object.keys().is_sorted()
}

fn write_all<'a>(
    out: &mut Vec<u8>,
    members: impl Iterator<Item = (&'a String, &'a Value)>,
    keep: impl Fn(&str) -> bool,
    mut write: impl FnMut(&mut Vec<u8>, &str, &Value) -> Result<(), JsonError>,
) -> Result<(), JsonError> {
    let mut next = b'{';
    for (key, value) in members.filter(|(key, _)| keep(key)) {
        out.push(next);
        next = b',';
        write_text(out, key);
        out.push(b':');
        write(out, key, value)?;
    }
    close(out, next);
    Ok(())
}

/// Ends an object; `next` is the brace that opens it, where it has no member.
fn close(out: &mut Vec<u8>, next: u8) {
    if next == b'{' {
        out.push(next);
    }
    out.push(b'}');
}

/// A text between quotes. RFC 8785 escapes what `serde_json` does, and as it does.
pub(crate) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Looking at all bytes is cheaper than stopping at the first that needs an escape, which is rare.
    let plain = |plain, byte| plain & (byte >= 0x20) & (byte != b'"') & (byte != b'\\');
    if text.bytes().fold(true, plain) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing a text to memory does not fail.
        let () = serde_json::to_writer(out, text).unwrap_or_default();
    }
}

fn write_number(out: &mut Vec<u8>, number: &Number) -> Result<(), JsonError> {
    let written = if let Some(value) = number.as_u64() {
        if value > MAX_SAFE_INTEGER {
            return Err(UNSAFE_NUMBER);
        }
        serde_json::to_writer(out, &value).is_ok()
    } else if let Some(value) = number.as_i64() {
        if value.unsigned_abs() > MAX_SAFE_INTEGER {
            return Err(UNSAFE_NUMBER);
        }
        serde_json::to_writer(out, &value).is_ok()
    } else {
        // Doubles are written as ECMAScript does, which is not how anything else here writes them.
        let value = number.as_f64().filter(|value| value.abs() < TWO_TO_53);
        let value = value.ok_or(UNSAFE_NUMBER)?;
        match serde_json_canonicalizer::to_vec(&value) {
            Ok(text) => {
                out.extend_from_slice(&text);
                true
            }
            Err(_) => false,
        }
    };
    if written { Ok(()) } else { Err(UNSAFE_NUMBER) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::parse;
    use super::*;

    #[test]
    fn canonical_form_follows_rfc_8785() {
        // RFC 8785, section 3.2.2 to 3.2.4: the sample, whose numbers all stay below 2^53 but one that we refuse.
        let text = r#"{"numbers":[4.50, 2e-3, 0.000000000000000000000000001],"string":"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/","literals":[null, true, false]}"#;
        let value = parse(text.as_bytes(), 1 << 20).unwrap();
        let canonical = String::from_utf8(canonical(&value).unwrap()).unwrap();
        assert_eq!(
            canonical,
            "{\"literals\":[null,true,false],\"numbers\":[4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    /// Keys out of the usual order at every depth: the cost is of the size, not of the depth's power.
    #[test]
    fn nested_keys_are_sorted_once() {
        let mut value = json!(1);
        for _ in 0..60 {
            value = json!({"a": value, "\u{1f600}": 1});
        }
        let canonical = canonical(&value).unwrap();
        assert_eq!(canonical.len(), serde_json::to_vec(&value).unwrap().len());
    }

    #[test]
    fn keys_are_in_the_order_of_utf_16() {
        // RFC 8785, section 3.2.3: the sample.
        let keys = [
            "\r",
            "1",
            "\u{80}",
            "\u{f6}",
            "\u{20ac}",
            "\u{1f600}",
            "\u{fb33}",
        ];
        let object: Map<String, Value> = keys
            .iter()
            .rev()
            .map(|key| ((*key).to_owned(), json!(1)))
            .collect();
        let wanted: Vec<String> = keys.iter().map(|key| format!("{}:1", json!(key))).collect();
        let found = String::from_utf8(canonical(&Value::Object(object)).unwrap()).unwrap();
        assert_eq!(found, format!("{{{}}}", wanted.join(",")));
    }

    #[test]
    fn canonical_form_never_rounds() {
        assert!(canonical(&json!({"n": 9_007_199_254_740_993_u64})).is_err());
        assert!(canonical(&json!([{"n": -9_007_199_254_740_993_i64}])).is_err());
        assert!(canonical(&json!([1e300])).is_err());
        let edges = json!([9_007_199_254_740_991_u64, -9_007_199_254_740_991_i64, -0.0]);
        assert_eq!(
            canonical(&edges).unwrap(),
            b"[9007199254740991,-9007199254740991,0]"
        );
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
            (-9e15_f64..9e15).prop_map(Value::from),
            any::<f64>()
                .prop_filter("safe", |float| float.abs() < TWO_TO_53)
                .prop_map(Value::from),
            any::<String>().prop_map(Value::String),
            "[\\x00-\\x7f]{0,8}".prop_map(Value::String),
        ];
        let key = prop_oneof![
            any::<String>(),
            "[a-c\u{d7ff}\u{e000}\u{ffff}\u{10000}]{0,3}"
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
                proptest::collection::vec((key.clone(), inner), 0..5)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn agrees_with_the_library_that_builds_a_tree(value in value()) {
            let theirs = serde_json_canonicalizer::to_vec(&value).unwrap();
            prop_assert_eq!(canonical(&value).unwrap(), theirs);
        }
    }
}
