//! The schema of a file of tests.

use serde_json::{Value, json};

use super::{catalog, effect_words, mode_words, prose};
use crate::policy::MAX_RULES;
use crate::schema::Presence::{Optional, Required};
use crate::schema::{document, mapping, moment, rule_reference, scope, with, words};

/// The schema of tests of a bundle's policies.
#[must_use]
pub fn test_schema() -> Value {
    let mut cases = json!({"type": "array", "items": case(), "maxItems": MAX_RULES});
    with(&mut cases, "minItems", json!(1));
    document(
        "PolicyTest",
        "Requests, and what a bundle's policies must answer: a file under `tests/` of a bundle, run by `ordain policy test`.",
        vec![
            ("name", Optional, "A heading for people.", prose()),
            (
                "scope",
                Optional,
                "Whose effective policy decides; a case may give its own.",
                scope(),
            ),
            (
                "now",
                Optional,
                "The time of the evaluation; a case may give its own.",
                moment(),
            ),
            (
                "mode",
                Optional,
                "A consumer's cap on modes; a case may give its own.",
                mode_words(),
            ),
            (
                "request",
                Optional,
                "What every case's request begins with: mappings are merged, any other value replaces, `null` removes.",
                request(),
            ),
            ("cases", Required, "The tests.", cases),
        ],
    )
}

fn request() -> Value {
    json!({"type": "object"})
}

fn case() -> Value {
    mapping(vec![
        (
            "name",
            Required,
            "What is tested; unique in the file.",
            prose(),
        ),
        (
            "scope",
            Optional,
            "Whose effective policy decides.",
            scope(),
        ),
        ("now", Optional, "The time of the evaluation.", moment()),
        ("mode", Optional, "A consumer's cap on modes.", mode_words()),
        (
            "request",
            Optional,
            "The request, in any of its forms; it is merged into the file's.",
            request(),
        ),
        (
            "expect",
            Required,
            "The fields of the decision that are compared; no others are.",
            expectation(),
        ),
    ])
}

/// A schema, or `null` for what the decision does not have.
fn or_none(schema: Value) -> Value {
    json!({"anyOf": [schema, {"type": "null"}]})
}

/// A set of texts: any order, exactly these.
fn exactly() -> Value {
    json!({"type": "array", "items": {"type": "string"}})
}

fn expectation() -> Value {
    let text = || or_none(json!({"type": "string"}));
    let rule = || or_none(rule_reference());
    let outcomes = words(&[
        ("allowed", "It may go on."),
        ("denied", "It may not."),
        ("pending", "It waits for an approval."),
    ]);
    let would = mapping(vec![
        (
            "effect",
            Optional,
            "The effect that it would have had.",
            effect_words(),
        ),
        (
            "mode",
            Optional,
            "The mode of what would have decided.",
            mode_words(),
        ),
        (
            "rule",
            Optional,
            "The rule that would have decided; `null` for none.",
            rule(),
        ),
        ("reason", Optional, "Its reason.", text()),
        ("reason_code", Optional, "Its reason for machines.", text()),
    ]);
    let mut schema = mapping(vec![
        (
            "effect",
            Optional,
            "What the policy asks for.",
            effect_words(),
        ),
        ("outcome", Optional, "What the caller may do.", outcomes),
        ("mode", Optional, "The mode of what decided.", mode_words()),
        (
            "rule",
            Optional,
            "The determining rule, as `scope#id`; `null` where none did.",
            rule(),
        ),
        (
            "reason",
            Optional,
            "The whole reason; `null` for none.",
            text(),
        ),
        (
            "remediation",
            Optional,
            "The whole remediation; `null` for none.",
            text(),
        ),
        (
            "reason_code",
            Optional,
            "The reason for machines, such as `NO_MATCH`.",
            text(),
        ),
        (
            "audited",
            Optional,
            "Whether the decision is marked for review.",
            json!({"type": "boolean"}),
        ),
        (
            "risk",
            Optional,
            "The operation's risk; `null` where no catalogue describes it.",
            or_none(catalog::risk_words()),
        ),
        (
            "missing_capabilities",
            Optional,
            "Exactly the capabilities that the subject lacks, in any order; `[]` for none.",
            exactly(),
        ),
        (
            "patterns",
            Optional,
            "Exactly the ids of the dangerous patterns that matched, in any order; `[]` for none.",
            exactly(),
        ),
        (
            "matched",
            Optional,
            "Exactly the rules that matched, in any order.",
            exactly(),
        ),
        (
            "would",
            Optional,
            "What would have happened if everything were enforced; `null` for nothing else.",
            or_none(would),
        ),
    ]);
    with(&mut schema, "minProperties", json!(1));
    schema
}
