//! What a scalar means.

use serde_json::{Number, Value};

use crate::json::MAX_SAFE_INTEGER;

/// Why a plain scalar is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScalarError {
    /// Other readers give it another type.
    Ambiguous,
    /// A number that a double cannot hold exactly.
    UnsafeNumber,
}

/// What a plain (unquoted) scalar is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Plain {
    /// The text itself.
    Text,
    /// A number, a boolean or null.
    Value(Value),
}

/// What a plain (unquoted) scalar means.
pub(super) fn plain(text: &str) -> Result<Plain, ScalarError> {
    match text {
        "null" => return Ok(Plain::Value(Value::Null)),
        "true" => return Ok(Plain::Value(Value::Bool(true))),
        "false" => return Ok(Plain::Value(Value::Bool(false))),
        "" | "~" | "Null" | "NULL" | "True" | "TRUE" | "False" | "FALSE" => {
            return Err(ScalarError::Ambiguous);
        }
        _ => {}
    }
    // Whatever anybody takes for a number begins so.
    if !text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '-' | '+' | '.')) {
        return Ok(Plain::Text);
    }
    match shape(text) {
        Shape::Integer => match text.parse::<i64>() {
            Ok(number) if number.unsigned_abs() <= MAX_SAFE_INTEGER => {
                Ok(Plain::Value(number.into()))
            }
            _ => Err(ScalarError::UnsafeNumber),
        },
        Shape::Float => {
            let number = text.parse::<f64>().ok();
            // Every double of 2^53 or more is an integer that some reader may have rounded to it.
            let safe = number.filter(|number| number.abs() < 9_007_199_254_740_992.0);
            let number = safe.and_then(Number::from_f64);
            let number = number.map(|number| Plain::Value(Value::Number(number)));
            number.ok_or(ScalarError::UnsafeNumber)
        }
        Shape::Text if is_number_elsewhere(text) => Err(ScalarError::Ambiguous),
        Shape::Text => Ok(Plain::Text),
    }
}

enum Shape {
    Integer,
    Float,
    Text,
}

/// Which production of JSON's grammar (RFC 8259, section 6) `text` follows.
fn shape(text: &str) -> Shape {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()) && !text.is_empty();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let fits = digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(|text| digits(text.strip_prefix(['+', '-']).unwrap_or(text)));
    match (fits, fraction, exponent) {
        (false, ..) => Shape::Text,
        (true, None, None) => Shape::Integer,
        (true, ..) => Shape::Float,
    }
}

/// Whether YAML 1.1, YAML 1.2's core schema or some common reader takes `text` for a number, though JSON does not.
fn is_number_elsewhere(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    if matches!(lower.as_str(), ".inf" | ".nan") {
        return true;
    }
    let radix = [("0x", 16), ("0o", 8), ("0b", 2)];
    for (prefix, base) in radix {
        if let Some(rest) = lower.strip_prefix(prefix) {
            return !rest.is_empty() && rest.chars().all(|c| c == '_' || c.is_digit(base));
        }
    }
    let begins = lower.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let has_digit = lower.bytes().any(|byte| byte.is_ascii_digit());
    let stripped: String = lower.chars().filter(|c| *c != '_').collect();
    begins && has_digit && stripped.parse::<f64>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn text_numbers_and_literals_are_told_apart() {
        for text in [
            "no",
            "yes",
            "on",
            "off",
            "y",
            "n",
            "NO",
            "12:30",
            "2026-01-01",
            "1.2.3",
            "a",
            "-",
            ".",
            "1a",
            "0xzz",
            "inf",
            "nan",
            "infinity",
            "e5",
            "1e",
            "0x",
            "1 2",
        ] {
            assert_eq!(plain(text), Ok(Plain::Text), "{text}");
        }
        assert_eq!(plain("null"), Ok(Plain::Value(Value::Null)));
        assert_eq!(plain("-0"), Ok(Plain::Value(json!(0))));
        assert_eq!(plain("-12"), Ok(Plain::Value(json!(-12))));
        assert_eq!(plain("1.10"), Ok(Plain::Value(json!(1.1))));
        assert_eq!(plain("1e3"), Ok(Plain::Value(json!(1000.0))));
    }

    #[test]
    fn spellings_with_two_meanings_are_refused() {
        for text in [
            "", "~", "Null", "TRUE", "False", "0x1f", "0o17", "0b1", "017", "+1", ".5", "1.",
            ".inf", "-.INF", ".nan", "1_000", "0x_f", "00", "+.5", "1._5",
        ] {
            assert_eq!(plain(text), Err(ScalarError::Ambiguous), "{text}");
        }
        for text in [
            "9007199254740992",
            "-9007199254740992",
            "1e300",
            "1e999",
            "99999999999999999999",
        ] {
            assert_eq!(plain(text), Err(ScalarError::UnsafeNumber), "{text}");
        }
    }
}
