//! Some expressions of `when`, each with what it means, written by hand.

use serde_json::Value;

type Meaning = fn(&Value) -> Option<bool>;

/// The expressions. The meaning is none where the expression fails.
pub(crate) const WHENS: &[(&str, Meaning)] = &[
    ("subject.id == 'x'", |request| {
        Some(request["subject"]["id"] == "x")
    }),
    ("has(context.k)", |request| {
        Some(request["context"].get("k").is_some())
    }),
    ("context.k == 'x'", |request| {
        Some(request["context"].get("k")? == "x")
    }),
    ("!has(context.k) || context.k != 'x'", |request| {
        Some(request["context"].get("k").is_none_or(|k| k != "x"))
    }),
    ("context.k.contains('x')", |request| {
        Some(request["context"].get("k")?.as_str()?.contains('x'))
    }),
    ("subject.properties.n + 1 > 2", |request| {
        Some(request["subject"]["properties"].get("n")?.as_f64()? > 1.0)
    }),
    (
        "subject.properties.n > 1 && action.name == 'x'",
        |request| {
            if request["action"]["name"] != "x" {
                return Some(false);
            }
            Some(request["subject"]["properties"].get("n")?.as_f64()? > 1.0)
        },
    ),
    ("'a' in subject.properties.caps", |request| {
        let caps = request["subject"]["properties"].get("caps")?.as_array()?;
        Some(caps.iter().any(|cap| cap == "a"))
    }),
    ("subject.properties.caps.exists(c, c == 'b')", |request| {
        let caps = request["subject"]["properties"].get("caps")?.as_array()?;
        Some(caps.iter().any(|cap| cap == "b"))
    }),
    ("risk == null", |_| Some(true)),
];

/// Whether the condition holds; none where nobody knows.
pub(super) fn holds(when: &Value, request: &Value) -> Option<bool> {
    let Some(text) = when.as_str() else {
        return Some(true);
    };
    let (_, meaning) = WHENS.iter().find(|(known, _)| *known == text).unwrap();
    meaning(request)
}
