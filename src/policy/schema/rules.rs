//! The schemas of rules and overrides.

use serde_json::{Value, json};

use super::{effect_words, mode_words, prose};
use crate::policy::MAX_CONDITION_BYTES;
use crate::schema::Presence::{Optional, Required};
use crate::schema::{
    Field, lifetime, mapping, moment, name, reason_code, rule_reference, text, with, words,
};

/// One of a scope's rules.
pub(super) fn rule() -> Value {
    let tags = json!({"type": "array", "items": prose()});
    mapping(vec![
        (
            "id",
            Required,
            "Unique in the scope; others name the rule `scope#id`.",
            name(),
        ),
        (
            "effect",
            Required,
            "What the rule asks for.",
            effect_words(),
        ),
        (
            "reason",
            Required,
            "Why, for the person who is refused.",
            prose(),
        ),
        (
            "reason_code",
            Optional,
            "Why, for machines; made from the id (`no-restore` is `NO_RESTORE`) unless given.",
            reason_code(),
        ),
        (
            "precedence",
            Optional,
            "Within the scope, higher is looked at first; 0 unless given.",
            precedence(),
        ),
        (
            "override",
            Optional,
            "What descendants may do to the rule; `tighten` unless given.",
            permission(),
        ),
        (
            "mode",
            Optional,
            "A lower mode than the scope's, to roll this rule out.",
            mode_words(),
        ),
        (
            "match",
            Required,
            "Which requests the rule speaks of: every entry must match; `{}` is every request.",
            json!({"$ref": "#/$defs/match"}),
        ),
        (
            "when",
            Optional,
            "A condition in CEL over `subject`, `action`, `resource`, `context`, `data` and `risk`, besides `match`.",
            text(MAX_CONDITION_BYTES),
        ),
        (
            "valid",
            Optional,
            "When the rule is in force; outside it is as if it were never written.",
            window(),
        ),
        (
            "remediation",
            Optional,
            "What the reader of a refusal can do.",
            prose(),
        ),
        (
            "tags",
            Optional,
            "Labels, without meaning to the engine.",
            tags,
        ),
    ])
}

fn precedence() -> Value {
    json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX})
}

pub(super) fn permission() -> Value {
    words(&[
        ("none", "Nothing."),
        ("tighten", "A stricter effect or a raised mode."),
        ("any", "Anything; a loosening needs a reason."),
    ])
}

fn window() -> Value {
    let mut window = mapping(vec![
        ("from", Optional, "The first moment.", moment()),
        ("until", Optional, "The first moment after it.", moment()),
    ]);
    with(&mut window, "minProperties", json!(1));
    window
}

/// A scope's change to a rule that it inherits.
pub(super) fn change() -> Value {
    let fields: Vec<Field<'_>> = vec![
        (
            "rule",
            Required,
            "The rule, as `scope#id`.",
            rule_reference(),
        ),
        ("effect", Optional, "The new effect.", effect_words()),
        (
            "disable",
            Optional,
            "`true` switches the rule off.",
            json!({"type": "boolean"}),
        ),
        ("mode", Optional, "The new mode.", mode_words()),
        (
            "precedence",
            Optional,
            "The new precedence within the rule's own scope.",
            precedence(),
        ),
        (
            "reason",
            Optional,
            "Why; required where the change loosens. Alone, it changes the words that people read.",
            prose(),
        ),
        ("owner", Optional, "Who answers for it.", prose()),
        ("ticket", Optional, "Where it was agreed.", prose()),
        (
            "expires",
            Optional,
            "From this moment on it is as if it were never written.",
            moment(),
        ),
    ];
    let mut schema = mapping(fields);
    let disables = json!({"required": ["disable"], "properties": {"disable": {"const": true}}});
    let gives = |field: &str| json!({"required": [field]});
    let others: Vec<Value> = ["effect", "mode", "precedence"]
        .into_iter()
        .map(gives)
        .collect();
    let mut any = others.clone();
    any.extend([gives("reason"), disables.clone()]);
    with(&mut schema, "anyOf", json!(any));
    with(&mut schema, "if", disables);
    with(&mut schema, "then", json!({"not": {"anyOf": others}}));
    schema
}

/// What a root scope demands of waivers.
pub(super) fn waivers() -> Value {
    let word = words(&[
        ("owner", "Who answers for it."),
        ("ticket", "Where it was agreed."),
        ("expires", "When it lapses."),
    ]);
    let mut waivers = mapping(vec![
        (
            "require",
            Optional,
            "The fields that it must give; a `reason` is always needed.",
            json!({"type": "array", "items": word}),
        ),
        (
            "max_duration",
            Optional,
            "How long it may still last.",
            lifetime(),
        ),
    ]);
    with(&mut waivers, "minProperties", json!(1));
    waivers
}
