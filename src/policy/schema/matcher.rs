//! The schema of `match`.

use serde_json::{Map, Value, json};

use crate::policy::matcher::Days;
use crate::policy::operators::{OPERATORS, Operand};
use crate::policy::{MAX_LIST, MAX_PATTERN_BYTES};
use crate::schema::Presence::Required;
use crate::schema::{mapping, some, text, with};

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
        "reference": mapping(vec![("ref", Required, "Another path of the request.", json!({"$ref": "#/$defs/path"}))]),
        "path": path(),
        "hours": hours(),
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

/// A path of the request, as text.
fn path() -> Value {
    let plain: Vec<Value> = PATHS
        .iter()
        .map(|(path, _)| json!({"const": path}))
        .collect();
    let mut any = plain;
    any.push(json!({"pattern": DEEPER}));
    json!({"type": "string", "anyOf": any})
}

fn zone() -> Value {
    json!({"type": "string", "examples": ["Europe/Berlin", "UTC"]})
}

fn hours() -> Value {
    let time = || json!({"type": "string", "pattern": "^[0-9]{2}:[0-9]{2}", "examples": ["09:00"]});
    mapping(vec![
        ("from", Required, "The first moment of the window.", time()),
        (
            "until",
            Required,
            "The first moment after it; before `from`, the window lasts over midnight.",
            time(),
        ),
        (
            "zone",
            Required,
            "The IANA time zone in which it is counted.",
            zone(),
        ),
    ])
}

fn days() -> Value {
    // Words that are listed are completed; ranges of them are a pattern.
    let words = Days::words().collect::<Vec<_>>();
    let any = words.join("|");
    let word = json!({"type": "string", "anyOf": [{"enum": words}, {"pattern": format!("^(?:{any})-(?:{any})$")}]});
    let days = json!({"anyOf": [word, some(word, MAX_LIST)]});
    mapping(vec![
        (
            "in",
            Required,
            "Days and ranges of days, such as `mon-fri`.",
            days,
        ),
        (
            "zone",
            Required,
            "The IANA time zone in which they are counted.",
            zone(),
        ),
    ])
}

fn operand_schema(operand: Operand) -> Value {
    let defined = |name: &str| json!({"$ref": format!("#/$defs/{name}")});
    let or_path = |schema: Value| json!({"anyOf": [schema, {"$ref": "#/$defs/reference"}]});
    match operand {
        Operand::Scalar => defined("scalar"),
        Operand::ScalarOrPath => or_path(defined("scalar")),
        Operand::Scalars => defined("scalars"),
        Operand::ScalarsOrPath => or_path(defined("scalars")),
        Operand::NumberOrPath => or_path(json!({"type": "number"})),
        Operand::Texts => defined("texts"),
        Operand::Condition => defined("condition"),
        Operand::Boolean => json!({"type": "boolean"}),
        Operand::Hours => {
            json!({"anyOf": [{"$ref": "#/$defs/hours"}, {"type": "array", "items": {"$ref": "#/$defs/hours"}, "minItems": 1, "maxItems": MAX_LIST}]})
        }
        Operand::Days => days(),
        Operand::Path => defined("path"),
    }
}
