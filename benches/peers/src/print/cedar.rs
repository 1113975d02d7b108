//! One Cedar policy a rule. What Cedar can say in a policy's scope stands there, where it is looked at first.

use std::fmt::Write as _;

use crate::model::{Effect, Rule, Server, When, Workload, rule_id};

/// The text of every policy, by rule id.
pub(crate) fn policies(workload: &Workload) -> Vec<(String, String)> {
    let rules = workload.rules.iter().enumerate();
    rules
        .map(|(number, rule)| (rule_id(number), policy(rule)))
        .collect()
}

fn policy(rule: &Rule) -> String {
    let effect = match rule.effect {
        Effect::Allow => "permit",
        Effect::Deny => "forbid",
    };
    let principal = match &*rule.teams {
        [team] => format!("principal in Team::\"{team}\""),
        _ => "principal".to_owned(),
    };
    let action = match &*rule.actions {
        [action] => format!("action == Action::\"{action}\""),
        actions => format!("action in [{}]", entities("Action", actions)),
    };
    let resource = match &rule.server {
        Some(Server::Exactly(name)) => format!("resource == Server::\"{name}\""),
        _ => "resource".to_owned(),
    };
    let mut text = format!("{effect} ({principal}, {action}, {resource})");
    let tests = tests(rule);
    if !tests.is_empty() {
        let _ = write!(text, " when {{ {} }}", tests.join(" && "));
    }
    text.push(';');
    text
}

fn tests(rule: &Rule) -> Vec<String> {
    let mut tests = Vec::new();
    if rule.teams.len() > 1 {
        tests.push(format!("principal in [{}]", entities("Team", &rule.teams)));
    }
    if let Some(environment) = &rule.environment {
        tests.push(format!("context.environment == \"{environment}\""));
    }
    if let Some(client) = &rule.client {
        tests.push(format!("context.client == \"{client}\""));
    }
    if let Some(Server::Between { prefix, suffix }) = &rule.server {
        tests.push(format!("context.server like \"{prefix}*{suffix}\""));
    }
    if let Some(capability) = &rule.capability {
        tests.push(format!("principal.capabilities.contains(\"{capability}\")"));
    }
    if let Some(above) = rule.above {
        tests.push(format!("context.replicas > {above}"));
    }
    match &rule.when {
        Some(When::Unexempted { above, users }) => tests.push(format!(
            "context.replicas > {above} && !(principal in [{}])",
            entities("User", users)
        )),
        Some(When::Outside { root, client }) => tests.push(format!(
            "!(context.path like \"{root}*\") && context.client != \"{client}\""
        )),
        None => {}
    }
    tests
}

fn entities(kind: &str, names: &[String]) -> String {
    let all: Vec<String> = names
        .iter()
        .map(|name| format!("{kind}::\"{name}\""))
        .collect();
    all.join(", ")
}
