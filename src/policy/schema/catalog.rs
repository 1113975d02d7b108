//! The schema of a catalogue.

use serde_json::{Map, Value, json};

use super::{effect_words, matcher, prose};
use crate::policy::{MAX_LIST, MAX_PATTERN_BYTES, MAX_RULES, Risk};
use crate::schema::Presence::{Optional, Required};
use crate::schema::{document, list, mapping, name, scope, text, with, words};

/// The schema of a scope's catalogue of operations.
#[must_use]
pub fn catalog_schema() -> Value {
    let mut schema = document(
        "Catalog",
        "What operations exist in a scope, how risky they are, and what they take: a file under `policies/` of a bundle.",
        vec![
            (
                "scope",
                Required,
                "The scope it speaks for; it lies in the bundle's namespace.",
                scope(),
            ),
            (
                "commands",
                Optional,
                "The paths of a request at which shell text stands, such as `action.properties.args.command`.",
                list(text(MAX_PATTERN_BYTES), MAX_LIST),
            ),
            (
                "operations",
                Optional,
                "The operations.",
                list(operation(), MAX_RULES),
            ),
            (
                "patterns",
                Optional,
                "Dangerous arguments, which raise the answer.",
                list(pattern(), MAX_RULES),
            ),
            (
                "unknown_operation",
                Optional,
                "What is asked of an operation that no entry describes.",
                super::default_words(),
            ),
            (
                "table",
                Optional,
                "What each risk asks for; a scope may tighten what it inherits.",
                table(),
            ),
        ],
    );
    with(&mut schema, "$defs", matcher::definitions());
    schema
}

pub(super) fn risk_words() -> Value {
    words(&[
        (Risk::Low.as_str(), "It reads."),
        (
            Risk::Medium.as_str(),
            "It changes what is easily put right.",
        ),
        (Risk::High.as_str(), "It changes what is hard to put right."),
        (Risk::Critical.as_str(), "It destroys, or takes control."),
    ])
}

fn capabilities() -> Value {
    list(text(MAX_PATTERN_BYTES), MAX_LIST)
}

fn operation() -> Value {
    mapping(vec![
        (
            "action",
            Required,
            "The operation: `action.name` of the request.",
            text(MAX_PATTERN_BYTES),
        ),
        (
            "id",
            Optional,
            "The name of its rules; made from the action unless given.",
            name(),
        ),
        ("description", Optional, "What it does.", prose()),
        ("risk", Required, "How much it can harm.", risk_words()),
        (
            "requires",
            Optional,
            "Capabilities that the subject must hold; a missing one denies.",
            capabilities(),
        ),
        (
            "override",
            Optional,
            "What descendants may do to its rules; `tighten` unless given.",
            super::rules::permission(),
        ),
        (
            "variants",
            Optional,
            "Forms of it that are riskier, or take more.",
            list(variant(), MAX_LIST),
        ),
    ])
}

fn variant() -> Value {
    mapping(vec![
        ("id", Optional, "The name of its rules.", name()),
        (
            "match",
            Required,
            "Which requests it is.",
            json!({"$ref": "#/$defs/match"}),
        ),
        (
            "risk",
            Optional,
            "How much it can harm; the operation's unless given.",
            risk_words(),
        ),
        (
            "requires",
            Optional,
            "Capabilities that it takes.",
            capabilities(),
        ),
    ])
}

fn pattern() -> Value {
    let mut schema = mapping(vec![
        ("id", Required, "Its name; decisions tell it.", name()),
        (
            "command",
            Optional,
            "A command, read as a shell reads it.",
            command(),
        ),
        (
            "regex",
            Optional,
            "A regular expression on the text.",
            some_text(),
        ),
        (
            "reason",
            Optional,
            "Why it is dangerous, for people.",
            prose(),
        ),
    ]);
    with(
        &mut schema,
        "oneOf",
        json!([{"required": ["command"]}, {"required": ["regex"]}]),
    );
    schema
}

fn some_text() -> Value {
    text(MAX_PATTERN_BYTES)
}

/// For each risk, what ordinary and dangerous arguments ask for.
fn table() -> Value {
    let cell = mapping(vec![
        (
            "ordinary",
            Optional,
            "With ordinary arguments.",
            effect_words(),
        ),
        (
            "dangerous",
            Optional,
            "Where a dangerous pattern matches.",
            effect_words(),
        ),
    ]);
    let risks = [Risk::Low, Risk::Medium, Risk::High, Risk::Critical];
    let properties: Map<String, Value> = risks
        .iter()
        .map(|risk| (risk.as_str().to_owned(), cell.clone()))
        .collect();
    json!({"type": "object", "properties": properties, "additionalProperties": false})
}

/// What a dangerous command looks like: every field must fit one and the same command.
fn command() -> Value {
    let words = || json!({"anyOf": [text(MAX_PATTERN_BYTES), {"type": "array", "items": text(MAX_PATTERN_BYTES), "minItems": 1}]});
    let mut schema = mapping(vec![
        (
            "program",
            Optional,
            "The program's base name, or a glob of it; any of them.",
            words(),
        ),
        (
            "subcommand",
            Optional,
            "The first operands, such as `compose down`; any of them.",
            words(),
        ),
        (
            "flags_all",
            Optional,
            "Flags that must all be there, as written or by name, such as `recursive`.",
            words(),
        ),
        (
            "flags_any",
            Optional,
            "Flags of which one must be there.",
            words(),
        ),
        (
            "args_all",
            Optional,
            "Operands, or globs of them, that must all be there.",
            words(),
        ),
        (
            "args_any",
            Optional,
            "Operands, or globs of them, of which one must be there.",
            words(),
        ),
        (
            "writes_to",
            Optional,
            "Files, or globs of them, of which it writes one.",
            words(),
        ),
        (
            "pipes_into",
            Optional,
            "Shells and interpreters of which one runs its output.",
            words(),
        ),
    ]);
    with(&mut schema, "minProperties", json!(1));
    schema
}
