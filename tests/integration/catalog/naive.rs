//! The table of `docs/policy.md` read aloud, on the catalogue's JSON, and random catalogues on which the engine agrees with it.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::properties::{held, patterns, properties, requires, risk, table, variants};
use super::{RISKS, asks, catalog, decide, effective};

const EFFECTS: [&str; 4] = ["allow", "audit", "require_approval", "deny"];
const STANDARD: [[&str; 2]; 4] = [
    ["allow", "audit"],
    ["audit", "require_approval"],
    ["audit", "require_approval"],
    ["require_approval", "require_approval"],
];

/// What a decision says because of a catalogue.
#[derive(Debug, PartialEq)]
struct Said {
    effect: String,
    risk: String,
    missing: BTreeSet<String>,
    patterns: Vec<String>,
}

fn rank(words: &[&str], word: &str) -> usize {
    words.iter().position(|known| *known == word).unwrap()
}

fn texts(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().map(str::to_owned))
        .collect()
}

/// Whether the variant is this request; none where nobody can tell.
fn holds(condition: &Value, args: &Value) -> Option<bool> {
    let (x, y) = (&args["x"], &args["y"]);
    let y_is_true = match y {
        Value::Null => Some(false),
        Value::Bool(y) => Some(*y),
        _ => None,
    };
    match condition {
        Value::Object(entries) if entries.is_empty() => Some(true),
        Value::Object(entries) if entries.contains_key("not") => y_is_true.map(|y| !y),
        Value::Object(entries) if entries.contains_key("action.properties.args.y") => y_is_true,
        _ => match (&condition["action.properties.args.x"], x) {
            (_, Value::Null) => Some(false),
            (Value::Object(_), Value::Number(x)) => Some(x.as_f64() > Some(1.0)),
            (Value::Object(_), _) => None,
            (Value::String(wanted), Value::String(x)) => Some(match wanted.strip_suffix('*') {
                Some(start) => x.starts_with(start),
                None => x == wanted,
            }),
            _ => None,
        },
    }
}

fn texts_within(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts_within).collect(),
        Value::Object(members) => members.values().flat_map(texts_within).collect(),
        _ => Vec::new(),
    }
}

fn read_aloud(fields: &Value, held: &[&str], args: &Value) -> Said {
    let operation = &fields["operations"][0];
    let own = operation["risk"].as_str().unwrap();
    let variants: Vec<(&Value, Option<bool>)> = operation["variants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|variant| (variant, holds(&variant["match"], args)))
        .collect();
    let may_be = || variants.iter().filter(|(_, holds)| *holds != Some(false));
    let mut risks: Vec<usize> = may_be()
        .map(|(variant, _)| rank(&RISKS, variant["risk"].as_str().unwrap()))
        .collect();
    if !variants.iter().any(|(_, holds)| *holds == Some(true)) {
        risks.push(rank(&RISKS, own));
    }
    let risk = risks.into_iter().max().unwrap();
    let mut missing = texts(&operation["requires"]);
    missing.extend(may_be().flat_map(|(variant, _)| texts(&variant["requires"])));
    missing.retain(|name| !held.contains(&name.as_str()));
    let found = texts_within(args);
    let patterns: Vec<String> = fields["patterns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|pattern| {
            let regex = pattern["regex"].as_str().unwrap();
            found.iter().any(|text| match regex.strip_prefix('^') {
                Some(start) => text.starts_with(start),
                None => text.contains(regex),
            })
        })
        .map(|pattern| pattern["id"].as_str().unwrap().to_owned())
        .collect();
    // No answer is weaker than the standard's, than that to a lower risk, or than that to ordinary arguments.
    let mut answer = [0, 0];
    for (level, standard) in RISKS.iter().zip(STANDARD).take(risk + 1) {
        for (column, name) in ["ordinary", "dangerous"].iter().enumerate() {
            let given = fields["table"][level][name].as_str();
            let given = given.unwrap_or(standard[column]);
            answer[column] = answer[column].max(rank(&EFFECTS, given));
        }
        answer[1] = answer[1].max(answer[0]);
    }
    let effect = match (missing.is_empty(), patterns.is_empty()) {
        (false, _) => "deny",
        (true, dangerous) => EFFECTS[answer[usize::from(!dangerous)]],
    };
    Said {
        effect: effect.to_owned(),
        risk: RISKS[risk].to_owned(),
        missing,
        patterns,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn the_engine_agrees_with_the_manual(
        (own, requires, variants) in (risk(), requires(), variants()),
        (patterns, table) in (patterns(), table()),
        (held, properties) in (held(), properties()),
    ) {
        let operation = json!({"action": "x", "risk": own, "requires": requires, "variants": variants});
        let fields = json!({"operations": [operation], "patterns": patterns, "table": table});
        let wanted = read_aloud(&fields, &held, &properties["args"]);
        let policy = effective("acme", &[&catalog("acme", fields)]).unwrap();
        let decision = decide(&policy, &asks(&json!(held), "x", &properties));
        let found = Said {
            effect: decision.effect.as_str().to_owned(),
            risk: decision.risk().unwrap().as_str().to_owned(),
            missing: decision.missing_capabilities().iter().cloned().collect(),
            patterns: decision.patterns().iter().map(|pattern| pattern.id.clone()).collect(),
        };
        prop_assert_eq!(found, wanted);
    }
}
