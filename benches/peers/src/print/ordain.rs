//! A chain of scopes of at most twenty thousand rules each, which is what a file may hold; up to there, one scope.
//!
//! Scopes are looked at from the top down and rules by number, so the rule that wins is the model's.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::quoted_list;
use crate::model::{Request, Rule, Server, When, Workload, rule_id};

const RULES_A_FILE: usize = 20_000;

/// The files of the bundle by name, and the scope at the end of the chain.
pub(crate) fn policy(workload: &Workload) -> (Vec<(String, String)>, String) {
    let mut files = Vec::new();
    let mut scope = String::new();
    let mut number = 0;
    for (part, rules) in workload.rules.chunks(RULES_A_FILE).enumerate() {
        match part {
            0 => scope.push_str("acme"),
            _ => scope.push_str("/part"),
        }
        let mut text =
            format!("apiVersion: ordain/v1\nkind: Policy\nscope: {scope}\nmode: enforce\nrules:\n");
        for rule in rules {
            line(&mut text, number, rule);
            number += 1;
        }
        files.push((format!("policies/part-{part}.yaml"), text));
    }
    (files, scope)
}

fn line(text: &mut String, number: usize, rule: &Rule) {
    let _ = write!(
        text,
        "- {{id: {}, effect: {}, reason: Agreed with the owners, match: {{action: ",
        rule_id(number),
        rule.effect.as_str()
    );
    any_of(text, &rule.actions);
    if !rule.teams.is_empty() {
        text.push_str(", subject.properties.team: ");
        any_of(text, &rule.teams);
    }
    if let Some(environment) = &rule.environment {
        let _ = write!(text, ", context.environment: {environment}");
    }
    if let Some(client) = &rule.client {
        let _ = write!(text, ", context.client: {client}");
    }
    match &rule.server {
        Some(Server::Exactly(name)) => {
            let _ = write!(text, ", resource: {name}");
        }
        Some(Server::Between { prefix, suffix }) => {
            let _ = write!(text, ", resource: \"{prefix}*{suffix}\"");
        }
        None => {}
    }
    if let Some(capability) = &rule.capability {
        let _ = write!(
            text,
            ", subject.properties.capabilities: {{contains: {capability}}}"
        );
    }
    if let Some(above) = rule.above {
        let _ = write!(text, ", context.replicas: {{gt: {above}}}");
    }
    text.push('}');
    if let Some(when) = &rule.when {
        let _ = write!(text, ", when: '{}'", condition(when));
    }
    text.push_str("}\n");
}

fn any_of(text: &mut String, items: &[String]) {
    match items {
        [one] => text.push_str(one),
        _ => {
            let _ = write!(text, "[{}]", items.join(", "));
        }
    }
}

fn condition(when: &When) -> String {
    match when {
        When::Unexempted { above, users } => {
            format!(
                "context.replicas > {above} && !(subject.id in [{}])",
                quoted_list(users)
            )
        }
        When::Outside { root, client } => {
            format!("!context.path.startsWith(\"{root}\") && context.client != \"{client}\"")
        }
    }
}

/// The request as an AuthZEN client sends it.
pub(crate) fn request(request: &Request) -> Value {
    json!({
        "subject": {
            "type": "user",
            "id": request.user,
            "properties": {"team": request.team, "capabilities": request.capabilities},
        },
        "action": {"name": request.action},
        "resource": {"type": "server", "id": request.server},
        "context": {
            "client": request.client,
            "environment": request.environment,
            "replicas": request.replicas,
            "path": request.path,
        },
    })
}
