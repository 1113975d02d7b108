//! A policy of N rules, and requests that it speaks of: the same for everything that decides.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use ordain::bundle::{BundlePath, Limits};
use ordain::engine::Engine;
use ordain::resolve::{LoadedBundle, resolve};

/// The moment of everything that takes one.
pub(crate) fn now() -> jiff::Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}

/// Rules of every effect, each about an action, resources and environments.
pub(crate) fn policy(rules: usize) -> String {
    let mut text =
        "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nmode: enforce\nrules:\n".to_owned();
    for number in 0..rules {
        let effect = ["allow", "deny", "audit", "require_approval"][number % 4];
        writeln!(
            text,
            "- {{id: r{number}, effect: {effect}, reason: R, match: {{action: do-{number}, resource: \"h{number}-*\", \
             context.environment: production}}}}"
        )
        .unwrap();
    }
    text
}

/// One request in JSON; of every two, a rule of `rules` speaks of one.
pub(crate) fn request(number: usize, rules: usize) -> String {
    let action = number * 7_919 % (2 * rules);
    format!(
        r#"{{"subject":{{"type":"user","id":"user-{}","properties":{{"team":"payments","capabilities":["local-sudo","ssh-linux"]}}}},"action":{{"name":"do-{action}","properties":{{"args":{{"service":"nginx","replicas":{},"force":false}}}}}},"resource":{{"type":"host","id":"h{action}-x","properties":{{"region":"eu-west-1"}}}},"context":{{"environment":"production","request_id":"req-{number:08}","time":"2026-11-22T12:00:00Z"}}}}"#,
        number % 997,
        number % 7,
    )
}

/// An engine of `rules` rules, in as many files as their sizes ask for.
pub(crate) fn engine(rules: usize) -> Engine {
    let name: BundlePath = "policies/acme.yaml".parse().unwrap();
    let files = BTreeMap::from([(name, Arc::from(policy(rules).into_bytes()))]);
    let limits = Limits {
        yaml_bytes: 64 << 20,
        ..Limits::default()
    };
    let bundle = LoadedBundle::unsigned("acme".parse().unwrap(), None, &files, &limits).unwrap();
    let scope = "acme".parse().unwrap();
    Engine::new(resolve(&[bundle], &scope, now(), None).unwrap())
}
