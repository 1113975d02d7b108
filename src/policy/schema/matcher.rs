//! The schema of `match`.

use serde_json::{Map, Value, json};

use crate::policy::operators::{OPERATORS, Operand};
use crate::policy::{MAX_LIST, MAX_PATTERN_BYTES};
use crate::schema::{some, text, with};

/// The paths that every request has, with what they hold.
const PATHS: [(&str, &str); 9] = [
    ("subject", "Who asks: `subject.id`."),
    ("subject.id", "Who asks."),
    ("subject.type", "The kind of who asks: `user`, `client`, …"),
    ("action", "What is asked for: `action.name`."),
    ("action.name", "What is asked for."),
    ("resource", "What it is asked of: `resource.id`."),
    ("resource.id", "What it is asked of."),
    ("resource.type", "The kind of what it is asked of."),
    (
        "context.time",
        "When it is asked: the time of the evaluation unless the request says.",
    ),
];
/// What `….properties.…` and `context.…` look like.
const DEEPER: &str = "^(?:(?:subject|action|resource)\\.properties|context)(?:\\.[^.]+){1,31}$";

/// `match`, and what stands in it.
pub(super) fn definitions() -> Value {
    json!({
        "match": group(),
        "condition": condition(),
        "operators": operators(),
        "scalar": scalar(),
        "texts": {"anyOf": [pattern(), some(pattern(), MAX_LIST)]},
        "scalars": some(json!({"$ref": "#/$defs/scalar"}), MAX_LIST),
        "groups": some(json!({"$ref": "#/$defs/match"}), MAX_LIST),
    })
}

fn group() -> Value {
    let mut properties = Map::new();
    for (path, description) in PATHS {
        let condition = json!({"$ref": "#/$defs/condition", "description": description});
        properties.insert(path.to_owned(), condition);
    }
    let groups = |description: &str| json!({"$ref": "#/$defs/groups", "description": description});
    properties.insert("any".to_owned(), groups("At least one of these matches."));
    properties.insert("all".to_owned(), groups("Every one of these matches."));
    let not = json!({"$ref": "#/$defs/match", "minProperties": 1, "description": "This does not match. It holds where a path is absent."});
    properties.insert("not".to_owned(), not);
    json!({
        "type": "object",
        "description": "Paths of the request and what is asked of them: all must hold.",
        "properties": properties,
        "patternProperties": {DEEPER: {"$ref": "#/$defs/condition"}},
        "additionalProperties": false,
    })
}

fn condition() -> Value {
    let scalar = json!({"$ref": "#/$defs/scalar", "description": "Equal to it; a text with `*` or `?` is a glob."});
    let mut list = json!({"$ref": "#/$defs/scalars"});
    with(&mut list, "description", json!("Any of them."));
    json!({"anyOf": [scalar, list, {"$ref": "#/$defs/operators"}]})
}

fn pattern() -> Value {
    text(MAX_PATTERN_BYTES)
}

fn scalar() -> Value {
    json!({"type": ["string", "number", "boolean"], "maxLength": MAX_PATTERN_BYTES})
}

/// The mapping of operators, from the table that the reader uses.
fn operators() -> Value {
    let mut properties = Map::new();
    for (name, operand, meaning) in OPERATORS {
        let mut schema = operand_schema(*operand);
        with(
            &mut schema,
            "description",
            json!(format!("Holds where the value {meaning}.")),
        );
        properties.insert((*name).to_owned(), schema);
    }
    json!({
        "type": "object",
        "description": "Operators, all of which must hold.",
        "properties": properties,
        "additionalProperties": false,
        "minProperties": 1,
    })
}

fn operand_schema(operand: Operand) -> Value {
    match operand {
        Operand::Scalar => json!({"$ref": "#/$defs/scalar"}),
        Operand::Scalars => json!({"$ref": "#/$defs/scalars"}),
        Operand::Texts => json!({"$ref": "#/$defs/texts"}),
        Operand::Condition => json!({"$ref": "#/$defs/condition"}),
        Operand::Boolean => json!({"type": "boolean"}),
        Operand::Number => json!({"type": "number"}),
    }
}
