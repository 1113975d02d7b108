//! `policy explain`.

use serde_json::{Value, json};

use super::{bundle, two_bundles};
use crate::support::{Output, TestEnv};

fn explain(env: &TestEnv, request: &Value, more: &[&str]) -> Output {
    let mut arguments = vec![
        "policy",
        "explain",
        "--unsigned-dir",
        "acme",
        "--scope",
        "acme/payments",
    ];
    arguments.extend(more);
    env.ordain_with_input(".", request.to_string().as_bytes(), arguments)
}

fn apply(context: Value) -> Value {
    json!({
        "subject": {"type": "user", "id": "dana"},
        "action": {"name": "apply_stack"},
        "resource": {"type": "stack", "id": "payments-api"},
        "context": context,
    })
}

#[test]
fn layers_rules_and_near_misses() {
    let env = bundle();
    let text = explain(
        &env,
        &apply(json!({"environment": "staging", "replicas": 2})),
        &[],
    );
    text.success();
    insta::assert_snapshot!(text);
    let json = explain(
        &env,
        &apply(json!({"environment": "staging", "replicas": 2})),
        &["--json"],
    );
    json.success();
    insta::assert_snapshot!(json);
}

#[test]
fn it_ends_as_eval_would_and_logs_nothing() {
    let env = bundle();
    let waiting = explain(
        &env,
        &apply(json!({"environment": "production", "replicas": 2})),
        &[],
    );
    assert!(waiting.code(5).contains("prod-apply  decides"), "{waiting}");
    let mut restore = apply(json!({}));
    restore["action"]["name"] = json!("read");
    explain(&env, &restore, &[]).code(1);
    assert!(!env.work().join(".ordain").exists());
    assert!(!env.home().join(".local/state/ordain/log").exists());
}

#[test]
fn what_cannot_be_judged_and_what_is_not_in_force() {
    let mut env = bundle();
    let odd = explain(
        &env,
        &apply(json!({"environment": "staging", "replicas": "many"})),
        &["--json"],
    );
    odd.code(5);
    let rule = |output: &Output, layer: &str, name: &str| {
        let document = output.json();
        let layers = document["layers"].as_array().unwrap().clone();
        let layer = layers
            .into_iter()
            .find(|found| found["scope"] == layer)
            .unwrap();
        let rules = layer["rules"].as_array().unwrap().clone();
        rules
            .into_iter()
            .find(|found| found["rule"] == name)
            .unwrap()
    };
    let failed = rule(&odd, "acme/payments", "acme/payments#big-changes");
    assert_eq!(failed["standing"], "failed");
    assert_eq!(failed["keys"][1]["answer"], "failed");
    assert_eq!(failed["keys"][1]["found"], "many");
    let window = rule(&odd, "acme", "acme#freeze");
    assert_eq!(window["standing"], "not_in_force");
    assert_eq!(window["valid"]["from"], "2026-12-20T00:00:00Z");
    env.set("ORDAIN_NOW", "2026-12-24T00:00:00Z");
    let frozen = explain(&env, &apply(json!({})), &["--json"]);
    frozen.code(1);
    assert_eq!(rule(&frozen, "acme", "acme#freeze")["determines"], true);
}

#[test]
fn overrides_are_told() {
    let env = bundle();
    let mut restore = apply(json!({}));
    restore["action"]["name"] = json!("restore");
    let found = explain(&env, &restore, &[]);
    assert!(
        found
            .success()
            .contains("change acme/payments to audit: Payments restores nightly"),
        "{found}"
    );
}

#[test]
fn one_request_and_no_more() {
    let env = bundle();
    let two = format!("{0}\n{0}\n", apply(json!({})));
    let arguments = [
        "policy",
        "explain",
        "--unsigned-dir",
        "acme",
        "--scope",
        "acme",
    ];
    env.ordain_with_input(".", two.as_bytes(), arguments)
        .code(2);
    env.ordain_with_input(".", b"", arguments).code(2);
}

#[test]
fn a_parent_in_another_bundle_is_given_with_with() {
    let env = two_bundles();
    let request = apply(json!({"replicas": 2})).to_string();
    let arguments = |more: &'static [&'static str]| {
        let fixed = ["policy", "explain", "--scope", "acme/payments"];
        fixed.into_iter().chain(more.iter().copied())
    };
    let run = |more| env.ordain_with_input(".", request.as_bytes(), arguments(more));
    run(&["--unsigned-dir", "team", "--with", "org"]).success();
    run(&["--unsigned-dir", "team"]).code(2);
    let lonely = run(&["--with", "org"]);
    lonely.code(2);
    assert!(
        lonely.stderr.contains("`--with` needs `--unsigned-dir`"),
        "{lonely}"
    );
}

#[test]
fn where_nothing_binds_it_says_what_would() {
    let env = bundle();
    let audited = super::ORG.replace("default: deny", "default: deny\nmode: audit-only");
    env.write("acme/policies/acme.yaml", &audited);
    let request = apply(json!({"environment": "production", "replicas": 2}));
    let found = explain(&env, &request, &[]);
    let text = found.success();
    assert!(
        text.contains("by prod-apply, and that would stand\n"),
        "{found}"
    );
    assert!(text.contains("prod-apply  would decide  "), "{found}");
    assert!(!text.contains("decides"), "{found}");
    let json = explain(&env, &request, &["--json"]).json();
    assert_eq!(json["binds"], false);
}

#[test]
fn a_rule_with_a_mode_of_its_own_says_so() {
    let env = bundle();
    let own = super::ORG.replace(
        "    reason: Production",
        "    mode: audit-only\n    reason: Production",
    );
    env.write("acme/policies/acme.yaml", own);
    let request = apply(json!({"environment": "production", "replicas": 2}));
    let found = explain(&env, &request, &[]);
    assert!(
        found.stdout.contains("prod-apply  (mode audit-only)  "),
        "{found}"
    );
    let resolve = [
        "policy",
        "resolve",
        "--unsigned-dir",
        "acme",
        "--scope",
        "acme",
    ];
    let listed = env.ordain(resolve);
    assert!(
        listed
            .success()
            .contains("prod-apply  (mode audit-only)  Production changes"),
        "{listed}"
    );
    assert_eq!(listed.stdout.matches("(mode ").count(), 1, "{listed}");
}

#[test]
fn what_a_catalogue_asks_is_told_in_words() {
    let env = bundle();
    let catalog = "apiVersion: ordain/v1\nkind: Catalog\nscope: acme\noperations:\n  - action: apply_stack\n    risk: high\n    \
                   variants: [{match: {context.environment: production}, risk: critical}]\n\
                   patterns: [{id: force, regex: force}]\n";
    env.write("acme/policies/operations.yaml", catalog);
    let found = explain(&env, &apply(json!({"environment": "staging"})), &[]);
    let text = &found.stdout;
    assert!(
        text.contains("risk: wanted critical, found high\n"),
        "{found}"
    );
    assert!(
        text.contains("arguments: wanted dangerous, found ordinary\n"),
        "{found}"
    );
    assert!(!text.contains("sha256:"), "{found}");
}
