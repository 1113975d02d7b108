//! One CEL expression a rule, cheapest and most selective test first: `&&` stops at the first that is false.

use super::quoted_list;
use crate::model::{Rule, Server, When};

pub(crate) fn expression(rule: &Rule) -> String {
    let mut tests = vec![any_of("action", &rule.actions)];
    if !rule.teams.is_empty() {
        tests.push(any_of("team", &rule.teams));
    }
    if let Some(environment) = &rule.environment {
        tests.push(format!("environment == \"{environment}\""));
    }
    if let Some(client) = &rule.client {
        tests.push(format!("client == \"{client}\""));
    }
    match &rule.server {
        Some(Server::Exactly(name)) => tests.push(format!("server == \"{name}\"")),
        Some(Server::Between { prefix, suffix }) => {
            tests.push(format!("server.startsWith(\"{prefix}\")"));
            if !suffix.is_empty() {
                tests.push(format!("server.endsWith(\"{suffix}\")"));
            }
        }
        None => {}
    }
    if let Some(capability) = &rule.capability {
        tests.push(format!("\"{capability}\" in capabilities"));
    }
    if let Some(above) = rule.above {
        tests.push(format!("replicas > {above}"));
    }
    match &rule.when {
        Some(When::Unexempted { above, users }) => {
            tests.push(format!(
                "replicas > {above} && !(user in [{}])",
                quoted_list(users)
            ));
        }
        Some(When::Outside { root, client }) => {
            tests.push(format!(
                "!path.startsWith(\"{root}\") && client != \"{client}\""
            ));
        }
        None => {}
    }
    tests.join(" && ")
}

fn any_of(name: &str, items: &[String]) -> String {
    match items {
        [one] => format!("{name} == \"{one}\""),
        _ => format!("{name} in [{}]", quoted_list(items)),
    }
}
