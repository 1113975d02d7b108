//! The parts that the published JSON Schemas (draft 2020-12) are made of: names, texts, moments, mappings without unknown fields.
//!
//! A schema is for editors: it completes fields and shows their meaning. The readers decide, and they see more: what spans two
//! fields or two files, lengths in bytes, what a rule's author permits. So a schema never refuses what its reader takes, save
//! `null` for a field that is left out, and tests hold both against each other.

use serde_json::{Map, Value, json};

use crate::name::{MAX_NAME_BYTES, MAX_SCOPE_DEPTH};

/// Whether a mapping may be without a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It may not.
    Required,
    /// It may.
    Optional,
}

/// A field of a mapping: its name, whether it must be there, what it is for, and the schema of its value.
pub type Field<'a> = (&'a str, Presence, &'a str, Value);

/// A mapping of these fields and no others.
#[must_use]
pub fn mapping(fields: Vec<Field<'_>>) -> Value {
    let mut properties = Map::new();
    let mut required = Vec::new();
    for (name, presence, description, schema) in fields {
        if presence == Presence::Required {
            required.push(name.to_owned());
        }
        properties.insert(name.to_owned(), described(schema, description));
    }
    let mut schema =
        json!({"type": "object", "properties": properties, "additionalProperties": false});
    if !required.is_empty() {
        with(&mut schema, "required", json!(required));
    }
    schema
}

/// A document of a kind: a mapping with `apiVersion` and `kind` besides these fields, under an identifier of its own.
#[must_use]
pub fn document(kind: &str, description: &str, fields: Vec<Field<'_>>) -> Value {
    let version = "The version of the format.";
    let mut all = vec![
        (
            "apiVersion",
            Presence::Required,
            version,
            json!({"const": "ordain/v1"}),
        ),
        (
            "kind",
            Presence::Required,
            "What the document is.",
            json!({"const": kind}),
        ),
    ];
    all.extend(fields);
    let mut schema = mapping(all);
    let id = format!("https://ordain.dev/schemas/v1/{}.json", kind.to_lowercase());
    with(
        &mut schema,
        "$schema",
        json!("https://json-schema.org/draft/2020-12/schema"),
    );
    with(&mut schema, "$id", json!(id));
    with(&mut schema, "title", json!(format!("ordain {kind}")));
    described(schema, description)
}

/// Adds a keyword to a schema.
pub fn with(schema: &mut Value, keyword: &str, value: Value) {
    if let Value::Object(keywords) = schema {
        keywords.insert(keyword.to_owned(), value);
    }
}

/// The same with a description.
fn described(mut schema: Value, description: &str) -> Value {
    with(&mut schema, "description", json!(description));
    schema
}

/// One of these words, each with what it means.
#[must_use]
pub fn words(words: &[(&str, &str)]) -> Value {
    let one = |(word, meaning): &(&str, &str)| json!({"const": word, "description": meaning});
    json!({"type": "string", "oneOf": words.iter().map(one).collect::<Vec<_>>()})
}

/// A list of at most this many items.
#[must_use]
pub fn list(items: Value, limit: usize) -> Value {
    json!({"type": "array", "items": items, "maxItems": limit})
}

/// A list of at least one and at most this many items.
#[must_use]
pub fn some(items: Value, limit: usize) -> Value {
    json!({"type": "array", "items": items, "minItems": 1, "maxItems": limit})
}

/// A text of at most this many bytes; a schema can count characters only, of which there are no more.
#[must_use]
pub fn text(bytes: usize) -> Value {
    json!({"type": "string", "maxLength": bytes})
}

/// One lower-case segment of a name, at the place of another pattern.
const SEGMENT: &str = "[a-z0-9](?:(?:\\.?[a-z0-9_-])*\\.?[a-z0-9])?";

/// A name of one segment: a bundle's, a rule's, a principal's.
#[must_use]
pub fn name() -> Value {
    json!({"type": "string", "pattern": format!("^{SEGMENT}$"), "maxLength": 64})
}

/// A scope: segments separated by `/`.
#[must_use]
pub fn scope() -> Value {
    let more = MAX_SCOPE_DEPTH - 1;
    let pattern = format!("^{SEGMENT}(?:/{SEGMENT}){{0,{more}}}$");
    json!({"type": "string", "pattern": pattern, "maxLength": MAX_NAME_BYTES})
}

/// A rule by its scope and id.
#[must_use]
pub fn rule_reference() -> Value {
    let more = MAX_SCOPE_DEPTH - 1;
    json!({"type": "string", "pattern": format!("^{SEGMENT}(?:/{SEGMENT}){{0,{more}}}#{SEGMENT}$")})
}

/// A reason for machines.
#[must_use]
pub fn reason_code() -> Value {
    json!({"type": "string", "pattern": "^[A-Z][A-Z0-9_]{0,63}$"})
}

/// A moment, such as `2026-12-20T00:00:00Z`.
#[must_use]
pub fn moment() -> Value {
    json!({"type": "string", "format": "date-time", "pattern": "^[+-]?[0-9]{4,6}-?[0-9]{2}-?[0-9]{2}[Tt ]"})
}

/// A length of time, such as `90d`.
#[must_use]
pub fn lifetime() -> Value {
    json!({"type": "string", "pattern": "^0*[1-9][0-9]*[smhdwy]$", "examples": ["30d", "12h"]})
}

/// A SHA-256 digest.
#[must_use]
pub fn digest() -> Value {
    json!({"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::{BundleName, ReasonCode, RuleRef, Scope};

    /// A schema takes what the name's parser takes, and refuses what it refuses but for what a pattern cannot count.
    #[test]
    fn names_are_those_of_the_parsers() {
        let is = |schema: &Value, text: &str| jsonschema::is_valid(schema, &json!(text));
        for text in [
            "a",
            "a.b",
            "acme/platform-2",
            "a_b",
            "a--b",
            "0",
            "a.-b",
            "",
            "/",
            "a//b",
            "a/",
            "A",
            "..",
            "a..b",
            "a b",
            "-a",
            "a-",
            "a.",
            ".a",
            "ä",
            "a\n",
            "a\u{202e}",
            "a#b",
            "acme/x#no-restore",
            "acme#",
            "#x",
            "a#b#c",
            "acme/#x",
        ] {
            assert_eq!(
                is(&scope(), text),
                text.parse::<Scope>().is_ok(),
                "{text:?} as a scope"
            );
            assert_eq!(
                is(&name(), text),
                text.parse::<BundleName>().is_ok(),
                "{text:?} as a name"
            );
            assert_eq!(
                is(&rule_reference(), text),
                text.parse::<RuleRef>().is_ok(),
                "{text:?} as a rule"
            );
        }
        for text in ["A", "PROD_STACK_FROZEN", "A1_", "a", "1A", "_A", "A-B", ""] {
            assert_eq!(
                is(&reason_code(), text),
                text.parse::<ReasonCode>().is_ok(),
                "{text:?}"
            );
        }
        let deep = |segments: usize| vec!["a"; segments].join("/");
        assert!(is(&scope(), &deep(MAX_SCOPE_DEPTH)) && !is(&scope(), &deep(MAX_SCOPE_DEPTH + 1)));
        assert!(is(&name(), &"a".repeat(64)) && !is(&name(), &"a".repeat(65)));
    }

    #[test]
    fn moments_and_lengths_are_those_of_the_parsers() {
        let is = |schema: &Value, text: &str| jsonschema::is_valid(schema, &json!(text));
        for text in [
            "2026-12-20T00:00:00Z",
            "2026-12-20 00:00:00+01:00",
            "2026-12-20T00:00Z",
            "20261220T000000Z",
            "soon",
            "",
            "12:00",
        ] {
            assert_eq!(
                is(&moment(), text),
                text.parse::<jiff::Timestamp>().is_ok(),
                "{text:?}"
            );
        }
        for text in ["90d", "1y", "0d", "", "d", "-1d", "1.5d", "007s", "soon"] {
            assert_eq!(
                is(&lifetime(), text),
                text.parse::<crate::clock::Lifetime>().is_ok(),
                "{text:?}"
            );
        }
        let digest_text = crate::digest::Sha256Digest::of(b"x").to_string();
        assert!(is(&digest(), &digest_text) && !is(&digest(), &digest_text.to_uppercase()));
    }
}
