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

#[test]
fn groups_and_conditions_say_what_they_found() {
    let env = bundle();
    let grouped = super::ORG.to_owned()
        + "  - id: grouped\n    effect: deny\n    reason: R\n    match:\n      action: apply_stack\n      any:\n        \
           - {context.environment: production}\n        - {not: {context.replicas: 2}, resource: payments-api}\n    \
           when: context[\"change-id\"] == 'none' || subject.id in context.owners && risk != 'low'\n";
    env.write("acme/policies/acme.yaml", grouped);
    let request = apply(
        json!({"environment": "production", "replicas": 2, "change-id": "none", "owners": ["dana"]}),
    );
    let found = explain(&env, &request, &["--json"]);
    found.code(1);
    let document = found.json();
    let rules = document["layers"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|layer| layer["rules"].as_array().unwrap());
    let rule = rules
        .into_iter()
        .find(|rule| rule["rule"] == "acme#grouped");
    let keys = rule.unwrap()["keys"].as_array().unwrap();
    let any = keys.iter().find(|key| key["key"] == "any").unwrap();
    assert_eq!(any["groups"][0][0]["found"], "production", "{any:#}");
    let not = &any["groups"][1][0];
    assert_eq!((&not["key"], &not["answer"]), (&json!("not"), &json!("no")));
    assert_eq!(not["groups"][0][0]["found"], 2, "{not:#}");
    let when = keys.iter().find(|key| key["key"] == "when").unwrap();
    assert_eq!(
        when["reads"],
        json!([
            {"path": "context.change-id", "found": "none"},
            {"path": "context.owners", "found": ["dana"]},
            {"path": "risk", "found": null},
            {"path": "subject.id", "found": "dana"},
        ])
    );
    let text = explain(&env, &request, &[]);
    for line in [
        "         item 1\n        yes  context.environment: wanted \"production\", found \"production\"\n",
        "            yes  context.replicas: wanted 2, found 2\n",
        "         context.change-id is \"none\"\n",
        "         risk is nothing\n",
    ] {
        assert!(text.stdout.contains(line), "{line}\n{text}");
    }
}

#[test]
fn where_nothing_verified_may_decide_it_ends_as_eval_does() {
    use crate::support::organisation::{Organisation, fails};
    let world = Organisation::new();
    world.edit("READ");
    world.sign(&["carol"], &[]).success();
    world.commit();
    world.consumer("app", &world.file_url(), None);
    let config = world.env.read("app/ordain.yaml");
    for (mode, status) in [("enforce", 3), ("warn", 0), ("audit-only", 0)] {
        let text = config.replace("kind: Config\n", &format!("kind: Config\nmode: {mode}\n"));
        world.env.write("app/ordain.yaml", text);
        let eval = world.env.ordain_in("app", ["eval", "drop_x.json"]);
        let found = world
            .env
            .ordain_in("app", ["policy", "explain", "drop_x.json"]);
        assert_eq!(
            (found.status, eval.status),
            (Some(status), Some(status)),
            "{found}\n{eval}"
        );
        fails(&found, status, "E-TRUST-009");
        if status == 0 {
            assert!(found.stdout.contains("[POLICY_NOT_TRUSTED]"), "{found}");
            assert_eq!(found.stdout, eval.stdout);
            let found = world
                .env
                .ordain_in("app", ["policy", "explain", "drop_x.json", "--json"]);
            assert_eq!(found.json()["layers"], json!([]));
            assert_eq!(found.json()["decision"]["would"]["effect"], "deny");
        }
    }
}
