//! Rego, in two forms: a rule as Rego rules, and all rules as data that a few Rego rules walk, keyed by action.
//!
//! A rule is identified by its number, which is cheaper to gather and to compare than a name. Requests are flat.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::quoted_list;
use crate::model::{Effect, Request, Rule, Server, When, Workload};

/// What both forms are asked: `["deny", 17]`, `["allow", 4]`, or `["none", -1]`.
pub(crate) const ENTRY: &str = "data.bench.decision";

const HEAD: &str = r#"package bench

import rego.v1

decision := ["deny", min(deny)] if {
	count(deny) > 0
} else := ["allow", min(allow)] if {
	count(allow) > 0
} else := ["none", -1]

"#;

/// Each rule by name: `deny contains 17 if …`. A rule of several actions is several Rego rules, because OPA finds rules by
/// comparisons with `==`.
pub(crate) fn rules(workload: &Workload) -> String {
    let mut text = HEAD.to_owned();
    for (number, rule) in workload.rules.iter().enumerate() {
        let tests = tests(rule);
        for action in &rule.actions {
            let effect = rule.effect.as_str();
            let _ = write!(
                text,
                "{effect} contains {number} if {{\n\tinput.action == \"{action}\"\n"
            );
            for test in &tests {
                let _ = writeln!(text, "\t{test}");
            }
            text.push_str("}\n");
        }
    }
    // Sets that no rule adds to would be no rules at all.
    text.push_str("deny contains 0 if false\nallow contains 0 if false\n");
    text
}

fn tests(rule: &Rule) -> Vec<String> {
    let mut tests = Vec::new();
    match &*rule.teams {
        [] => {}
        [team] => tests.push(format!("input.team == \"{team}\"")),
        teams => tests.push(format!("input.team in {{{}}}", quoted_list(teams))),
    }
    if let Some(environment) = &rule.environment {
        tests.push(format!("input.environment == \"{environment}\""));
    }
    if let Some(client) = &rule.client {
        tests.push(format!("input.client == \"{client}\""));
    }
    match &rule.server {
        Some(Server::Exactly(name)) => tests.push(format!("input.server == \"{name}\"")),
        Some(Server::Between { prefix, suffix }) => {
            tests.push(format!("startswith(input.server, \"{prefix}\")"));
            if !suffix.is_empty() {
                tests.push(format!("endswith(input.server, \"{suffix}\")"));
            }
        }
        None => {}
    }
    if let Some(capability) = &rule.capability {
        tests.push(format!("\"{capability}\" in input.capabilities"));
    }
    if let Some(above) = rule.above {
        tests.push(format!("input.replicas > {above}"));
    }
    match &rule.when {
        Some(When::Unexempted { above, users }) => {
            tests.push(format!("input.replicas > {above}"));
            tests.push(format!("not input.user in {{{}}}", quoted_list(users)));
        }
        Some(When::Outside { root, client }) => {
            tests.push(format!("not startswith(input.path, \"{root}\")"));
            tests.push(format!("input.client != \"{client}\""));
        }
        None => {}
    }
    tests
}

/// The few rules of the second form. What a rule leaves out is read as what the request has, so that one expression asks;
/// the tests that fail most often come first, and calls, which cost most, last.
pub(crate) fn walker() -> String {
    let mut text = HEAD.to_owned();
    for effect in [Effect::Deny, Effect::Allow] {
        let effect = effect.as_str();
        let _ = write!(
            text,
            r#"{effect} contains rule.n if {{
	some rule in data.rules[input.action].{effect}
	input.team in object.get(rule, "teams", [input.team])
	input.environment == object.get(rule, "environment", input.environment)
	input.client == object.get(rule, "client", input.client)
	input.server == object.get(rule, "server", input.server)
	startswith(input.server, object.get(rule, "prefix", ""))
	endswith(input.server, object.get(rule, "suffix", ""))
	input.replicas > object.get(rule, "above", -1)
	not lacks(rule)
	not excluded(rule)
}}

"#
        );
    }
    text.push_str(
        r#"lacks(rule) if not rule.capability in input.capabilities

excluded(rule) if input.user in rule.exempt

excluded(rule) if startswith(input.path, rule.root)

excluded(rule) if input.client == rule.unless_client
"#,
    );
    text
}

/// The rules of the second form, by action and effect.
pub(crate) fn data(workload: &Workload) -> Value {
    let mut actions: BTreeMap<&str, BTreeMap<&str, Vec<Value>>> = BTreeMap::new();
    for (number, rule) in workload.rules.iter().enumerate() {
        let entry = entry(number, rule);
        for action in &rule.actions {
            let effects = actions.entry(action).or_default();
            effects
                .entry(rule.effect.as_str())
                .or_default()
                .push(entry.clone());
        }
    }
    json!({"rules": actions})
}

fn entry(number: usize, rule: &Rule) -> Value {
    let mut entry = Map::new();
    let mut set = |key: &str, value: Value| {
        entry.insert(key.to_owned(), value);
    };
    set("n", json!(number));
    if !rule.teams.is_empty() {
        set("teams", json!(rule.teams));
    }
    for (key, value) in [("environment", &rule.environment), ("client", &rule.client)] {
        if let Some(value) = value {
            set(key, json!(value));
        }
    }
    match &rule.server {
        Some(Server::Exactly(name)) => set("server", json!(name)),
        Some(Server::Between { prefix, suffix }) => {
            set("prefix", json!(prefix));
            set("suffix", json!(suffix));
        }
        None => {}
    }
    // Absence is told apart here, not for every request: a rule that asks for no capability asks for one that everybody has.
    set(
        "capability",
        json!(rule.capability.as_deref().unwrap_or("read")),
    );
    let mut above = rule.above;
    match &rule.when {
        Some(When::Unexempted { above: more, users }) => {
            above = above.max(Some(*more));
            set("exempt", json!(users));
        }
        Some(When::Outside { root, client }) => {
            set("root", json!(root));
            set("unless_client", json!(client));
        }
        None => {}
    }
    if let Some(above) = above {
        set("above", json!(above));
    }
    Value::Object(entry)
}

pub(crate) fn request(request: &Request) -> Value {
    json!(request)
}
