//! What a hostile reader of the program found, each tried again.

use ordain::diag::Code;
use ordain::engine::Engine;
use ordain::policy::Effect;
use serde_json::{Value, json};

use super::support::TestEnv;
use super::support::policies::{NOW, many_bundles, policy, request, resolve};

const READ: &str = r#"{"subject":{"type":"user","id":"dana"},"action":{"name":"read_config"},"resource":{"type":"server","id":"github"}}"#;

fn example() -> TestEnv {
    let env = TestEnv::new();
    env.clone_of_checkout(".");
    env.write("read.json", READ);
    env
}

#[test]
fn a_decision_too_long_for_the_log_is_denied_alone() {
    let env = example();
    let long = READ.replace("dana", &"x".repeat(66_000));
    env.write("requests.jsonl", format!("{READ}\n{long}\n{READ}\n"));
    let output = env.ordain(["eval", "requests.jsonl", "--format", "json"]);
    assert_eq!(output.status, Some(2), "{}", output.stderr);
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let outcomes: Vec<&str> = document["decisions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| decision["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["allowed", "denied", "allowed"]);
    assert_eq!(document["decisions"][1]["reason_code"], "RECORD_TOO_LONG");
    env.ordain(["log", "verify"]).success();
}

#[test]
fn a_refusal_too_long_for_the_log_is_denied_alone() {
    let env = example();
    // The refusal names the key.
    let key = "x".repeat(66_000);
    let long = format!(r#"{{"{key}":1,"{key}":2}}"#);
    env.write("requests.jsonl", format!("{READ}\n{long}\n{READ}\n"));
    let output = env.ordain(["eval", "requests.jsonl", "--format", "jsonl"]);
    assert_eq!(output.status, Some(2), "{}", output.stderr);
    let answers: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let outcomes: Vec<&Value> = answers.iter().map(|answer| &answer["outcome"]).collect();
    assert_eq!(outcomes, ["allowed", "denied", "allowed"]);
    assert_eq!(answers[1]["reason_code"], "RECORD_TOO_LONG");
    env.ordain(["log", "verify"]).success();
}

#[test]
fn the_log_is_not_written_through_a_link() {
    let env = example();
    env.ordain(["eval", "read.json"]).success();
    let victim = env.write("victim", "keep");
    let link = env.work().join(".ordain/log/checkpoint.tmp");
    std::os::unix::fs::symlink(victim, link).unwrap();
    env.ordain(["eval", "read.json"]).success();
    assert_eq!(env.read("victim"), "keep");
    env.ordain(["log", "verify"]).success();
}

#[test]
fn one_log_serves_several_scopes() {
    let env = example();
    env.ordain(["eval", "read.json"]).success();
    env.ordain(["eval", "--scope", "acme/platform", "read.json"])
        .success();
    env.ordain(["log", "verify"]).success();
}

#[test]
fn flags_that_would_be_ignored_are_refused() {
    let env = example();
    for flags in [&["--ref", "nope"][..], &["--path", "x"]] {
        let mut arguments = vec!["bundle", "verify"];
        arguments.extend(flags);
        let output = env.ordain(&arguments);
        assert_eq!(output.status, Some(2), "{output}");
        assert!(output.stderr.contains("E-CONFIG-001"), "{output}");
    }
}

#[test]
fn json_holds_no_character_that_steers_a_terminal() {
    let env = example();
    let team = "\"dana\",\"properties\":{\"team\":\"d\u{9b}\u{202e}\u{7f}\"}";
    env.write("odd.json", READ.replace("\"dana\"", team));
    let output = env.ordain(["request", "normalize", "odd.json"]);
    assert_eq!(output.status, Some(0), "{output}");
    assert!(output.stdout.contains(r"d\u009b\u202e\u007f"), "{output}");
    assert!(
        !output
            .stdout
            .chars()
            .any(|c| "\u{9b}\u{202e}\u{7f}".contains(c))
    );
}

#[test]
fn outside_a_repository_nothing_above_is_taken() {
    let env = TestEnv::new();
    env.write("ordain.yaml", "not even YAML: [");
    env.write("below/read.json", READ);
    let output = env.ordain_in("below", ["eval", "read.json"]);
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("E-CONFIG-002"), "{output}");
}

#[test]
fn an_unwritable_log_denies_what_is_enforced_and_nothing_else() {
    let env = TestEnv::new();
    let fails = |mode: &str, team: &str| {
        env.write(
            "policy/bundle.yaml",
            "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n",
        );
        let scope = |scope: &str, mode: &str, effect: &str| {
            format!(
                "apiVersion: ordain/v1\nkind: Policy\nscope: {scope}\nmode: {mode}\nrules:\n  \
                 - {{id: r, effect: {effect}, reason: So it is, match: {{}}}}\n"
            )
        };
        env.write("policy/policies/acme.yaml", scope("acme", mode, "allow"));
        env.write(
            "policy/policies/team.yaml",
            scope("acme/team", team, "deny"),
        );
        env.write("read.json", READ);
        env.write(".ordain", "a file where a directory should be");
        let arguments = ["eval", "--unsigned-dir", "policy", "--scope", "acme/team"];
        env.ordain(
            arguments
                .into_iter()
                .chain(["--format", "jsonl", "read.json"]),
        )
    };
    for (root, team, status, outcome) in [
        ("enforce", "enforce", 70, "denied"),
        ("warn", "enforce", 70, "denied"),
        ("audit-only", "warn", 0, "allowed"),
    ] {
        let output = fails(root, team);
        assert_eq!(output.status, Some(status), "{root}, {team}: {output}");
        let decision: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(decision["outcome"], outcome, "{root}, {team}: {output}");
        assert_eq!(decision["reason_code"], "LOG_UNWRITABLE");
    }
}

/// The effect at `scope` of these policies, for a request with this context.
fn effect(policies: &[(String, Value)], scope: &str, context: &Value) -> Effect {
    let policies = policies.iter().cloned().collect();
    let policy = resolve(&many_bundles(&policies), scope, None).unwrap();
    let asked = request(&json!({
        "subject": {"type": "user", "id": "sam"},
        "action": {"name": "go"},
        "resource": {"type": "stack", "id": "a"},
        "context": context,
    }));
    let now = NOW.parse().unwrap();
    Engine::new(policy).evaluate(&asked, now).effect()
}

/// Invariant: the mark stays, here of a default that decides while a rule under trial speaks as well.
#[test]
fn an_enforced_default_that_audits_leaves_its_mark() {
    let trial = json!({"id": "r", "effect": "deny", "mode": "warn", "reason": "x", "match": {}});
    let (scope, fields) = policy("acme", json!({"default": "audit", "rules": [trial]}));
    let policy = resolve(&many_bundles(&[(scope, fields)].into()), "acme", None).unwrap();
    let asked = request(&json!({
        "subject": {"type": "user", "id": "sam"},
        "action": {"name": "go"},
        "resource": {"type": "stack", "id": "a"},
    }));
    let verdict = Engine::new(policy).evaluate(&asked, NOW.parse().unwrap());
    assert_eq!(
        (verdict.effect(), verdict.is_audited()),
        (Effect::Audit, true)
    );
}

#[test]
fn what_is_wrapped_in_a_list_is_not_absent() {
    let rule = |effect: &str, matcher: Value| {
        let rule = json!({"id": "r", "effect": effect, "reason": "x", "match": matcher});
        let other = if effect == "deny" { "allow" } else { "deny" };
        [policy("acme", json!({"default": other, "rules": [rule]}))]
    };
    for (matcher, plain, wrapped) in [
        (
            json!({"context.env.name": "prod"}),
            json!({"env": {"name": "prod"}}),
            json!({"env": [{"name": "prod"}]}),
        ),
        (
            json!({"context.env.name": {"exists": true}}),
            json!({"env": {"name": "prod"}}),
            json!({"env": "name"}),
        ),
        // What a caller may choose is no mapping of ours, whatever it is called.
        (
            json!({"context.properties.env": "prod"}),
            json!({"properties": {"env": "prod"}}),
            json!({"properties": ["prod"]}),
        ),
        (
            json!({"context.tags": {"contains": "prod"}}),
            json!({"tags": ["prod"]}),
            json!({"tags": [["prod"]]}),
        ),
        (
            json!({"context.tags": {"contains_any": ["prod"]}}),
            json!({"tags": ["prod"]}),
            json!({"tags": [{"prod": 1}]}),
        ),
    ] {
        let denies = rule("deny", matcher.clone());
        assert_eq!(effect(&denies, "acme", &json!({})), Effect::Allow);
        assert_eq!(effect(&denies, "acme", &plain), Effect::Deny);
        assert_eq!(effect(&denies, "acme", &wrapped), Effect::Deny, "{matcher}");
        let allows = rule("allow", json!({"not": matcher}));
        assert_eq!(effect(&allows, "acme", &json!({})), Effect::Allow);
        assert_eq!(effect(&allows, "acme", &plain), Effect::Deny);
        assert_eq!(effect(&allows, "acme", &wrapped), Effect::Deny, "{matcher}");
    }
}

/// `open` permits unless somebody switches it off; `shut` is behind it.
fn open_and_shut(scope: &str) -> (String, Value) {
    policy(
        scope,
        json!({"rules": [
            {"id": "open", "effect": "allow", "reason": "x", "precedence": 100, "override": "any", "match": {}},
            {"id": "shut", "effect": "deny", "reason": "x", "override": "none", "match": {}},
        ]}),
    )
}

fn changes(scope: &str, extends: &[&str], change: Value) -> (String, Value) {
    policy(scope, json!({"extends": extends, "overrides": [change]}))
}

#[test]
fn what_was_switched_off_permits_again_only_with_a_reason() {
    let off = json!({"rule": "acme#open", "disable": true, "reason": "it is over"});
    let back = json!({"rule": "acme#open", "effect": "allow"});
    let all = |back: Value| {
        [
            open_and_shut("acme"),
            changes("acme/p", &[], off.clone()),
            changes("acme/p/t", &[], back),
        ]
    };
    let policies = all(back.clone());
    assert_eq!(effect(&policies, "acme/p", &json!({})), Effect::Deny);
    let bundles = many_bundles(&policies.into_iter().collect());
    let problems = resolve(&bundles, "acme/p/t", None).unwrap_err();
    assert_eq!(problems[0].code, Code::RESOLVE_NO_REASON);
    let mut reasoned = back;
    reasoned["reason"] = "agreed".into();
    let bundles = many_bundles(&all(reasoned).into_iter().collect());
    let policy = resolve(&bundles, "acme/p/t", None).unwrap();
    assert_eq!(policy.loosenings().count(), 2);
}

#[test]
fn of_two_packs_the_one_that_takes_a_permission_away_is_the_stricter() {
    let off = json!({"rule": "acme/base#open", "disable": true, "reason": "it is over"});
    let audit = json!({"rule": "acme/base#open", "effect": "audit", "reason": "watched"});
    let policies = [
        policy("acme", json!({})),
        open_and_shut("acme/base"),
        changes("acme/p1", &["acme/base"], off),
        changes("acme/p2", &["acme/base"], audit),
        policy("acme/one", json!({"extends": ["acme/p1"]})),
        policy("acme/two", json!({"extends": ["acme/p1", "acme/p2"]})),
    ];
    assert_eq!(effect(&policies, "acme/one", &json!({})), Effect::Deny);
    assert_eq!(effect(&policies, "acme/two", &json!({})), Effect::Deny);
}
