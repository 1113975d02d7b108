//! The rules that a catalogue is lowered to: their names, overrides, digest, and what `policy check` says beside them.

use ordain::diag::Code;
use ordain::policy::{self, Effect, Risk};
use ordain::resolve::lint;
use serde_json::{Value, json};

use super::{asks, catalog, decide, effective, tools};
use crate::support::policies::{NOW, files, policy};

#[test]
fn children_override_lowered_rules_by_name() {
    let open = catalog(
        "acme",
        json!({"operations": [{"action": "wipe", "risk": "critical", "requires": ["root"], "override": "any"},
            {"action": "copy", "risk": "high"}]}),
    );
    let child = |rule: &str, change: Value| {
        let mut change = change;
        change["rule"] = json!(rule);
        let (_, text) = policy("acme/team", json!({"overrides": [change]}));
        effective("acme/team", &[&open, &text.to_string()])
    };
    let wipe = asks(&json!(["root"]), "wipe", &json!({}));
    let waived = child(
        "acme#catalog.wipe.critical",
        json!({"effect": "allow", "reason": "a sandbox"}),
    )
    .unwrap();
    assert_eq!(decide(&waived, &wipe).effect, Effect::Allow);
    assert_eq!(waived.loosenings().count(), 1);
    let off = child(
        "acme#catalog.wipe.missing",
        json!({"disable": true, "reason": "a sandbox"}),
    )
    .unwrap();
    let decision = decide(&off, &asks(&json!([]), "wipe", &json!({})));
    assert_eq!(
        (decision.effect, decision.missing_capabilities().len()),
        (Effect::RequireApproval, 0)
    );
    let stricter = child("acme#catalog.copy.high", json!({"effect": "deny"})).unwrap();
    assert_eq!(
        decide(&stricter, &asks(&json!([]), "copy", &json!({}))).effect,
        Effect::Deny
    );
    let refused = |rule: &str, change: Value| child(rule, change).unwrap_err()[0].code;
    assert_eq!(
        refused(
            "acme#catalog.copy.high",
            json!({"effect": "allow", "reason": "x"})
        ),
        Code::RESOLVE_NOT_PERMITTED
    );
    assert_eq!(
        refused(
            "acme#catalog.unknown",
            json!({"disable": true, "reason": "x"})
        ),
        Code::RESOLVE_NOT_PERMITTED
    );
    assert_eq!(
        refused("acme#catalog.copy.low", json!({"effect": "deny"})),
        Code::RESOLVE_NO_RULE
    );
}

#[test]
fn an_operation_keeps_its_risk_when_its_rule_is_switched_off() {
    let open = |risk: &str| {
        catalog(
            "acme",
            json!({"operations": [{"action": "wipe", "risk": "high", "override": "any",
        "variants": [{"match": {"action.properties.a": 1}, "risk": risk}]}]}),
        )
    };
    let off = |risk: &str| {
        let changes = ["high", risk].map(|risk| {
            json!({"rule": format!("acme#catalog.wipe.{risk}"), "disable": true, "reason": "a sandbox"})
        });
        let (_, child) = policy(
            "acme/team",
            json!({"default": "allow", "overrides": changes}),
        );
        effective("acme/team", &[&open(risk), &child.to_string()]).unwrap()
    };
    let decision = decide(
        &off("critical"),
        &asks(&json!([]), "wipe", &json!({"a": 1})),
    );
    assert_eq!(
        (decision.effect, decision.risk()),
        (Effect::Allow, Some(Risk::Critical))
    );
    assert_ne!(
        off("critical").digest(),
        off("low").digest(),
        "they decide differently"
    );
}

#[test]
fn a_policy_and_a_catalogue_are_one_scope() {
    let (_, own) = policy(
        "acme",
        json!({"mode": "warn", "rules": [
        {"id": "vip", "effect": "allow", "reason": "x", "precedence": 1, "match": {"action": "wipe", "subject": "sam"}}]}),
    );
    let policy = effective("acme", &[&own.to_string(), &tools()]).unwrap();
    assert_eq!(policy.layers().len(), 1);
    // Its mode is the policy's, and precedence counts across both.
    let decision = decide(&policy, &asks(&json!([]), "nothing", &json!({})));
    assert_eq!(decision.effect, Effect::Allow);
    let would = decision.would().unwrap();
    assert_eq!(
        (would.effect, would.reason_code),
        (Effect::Deny, "UNKNOWN_OPERATION")
    );
    let decision = decide(&policy, &asks(&json!([]), "wipe", &json!({})));
    let would = decision.would().unwrap().rule.unwrap();
    assert_eq!(would.to_string(), "acme#vip");
    let twice = effective("acme", &[&tools(), &tools()]).unwrap_err();
    assert_eq!(twice[0].code, Code::POLICY_SCOPE_TWICE);
}

#[test]
fn lowered_rules_say_where_they_come_from() {
    let text = "apiVersion: ordain/v1\nkind: Catalog\nscope: acme\noperations:\n- action: a*b\n  id: ab\n  risk: low\n  variants:\n  \
         - match: {action.properties.x: 1}\n    requires: [c]\npatterns:\n- {id: p, regex: x}\nunknown_operation: deny\n";
    let layer = policy::validate(
        &files(&[("a.yaml", text)]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap()
    .remove(0);
    let found: Vec<(String, u32)> = layer
        .rules
        .iter()
        .map(|rule| (rule.name.to_string(), rule.location.line))
        .collect();
    let wanted = [
        ("acme#catalog.unknown", 13),
        ("acme#catalog.ab.low", 5),
        ("acme#catalog.ab.low.dangerous", 5),
        ("acme#catalog.ab.missing.v1", 9),
    ];
    assert_eq!(found, wanted.map(|(id, line)| (id.to_owned(), line)));
    let matches: Vec<Value> = layer
        .rules
        .iter()
        .map(|rule| rule.matcher.source().value())
        .collect();
    assert_eq!(matches[0], json!({"action": {"not": {"in": ["a*b"]}}}));
    assert_eq!(matches[1]["action"], json!({"equals": "a*b"}), "no glob");
    assert_eq!(matches[1]["risk"]["is"], "low");
    assert_eq!(matches[1]["arguments"]["are"], "ordinary");
    assert_eq!(
        layer.rules[1].matcher.actions(),
        Some(vec!["a*b"]),
        "the engine finds it by its action"
    );
}

/// A digest stands for what decides, so all of a catalogue is in it.
#[test]
fn the_digest_covers_the_catalogue() {
    let digest = |regex: &str, reason: &str, place: &str, variant: &str| {
        let fields = json!({"commands": [format!("action.properties.{place}")],
            "operations": [{"action": "x", "risk": "low", "variants": [{"match": {"action.properties.v": variant}, "risk": "high"}]}],
            "patterns": [{"id": "p", "regex": regex, "reason": reason}]});
        effective("acme", &[&catalog("acme", fields)])
            .unwrap()
            .digest()
    };
    let one = digest("a", "b", "c", "d");
    assert_eq!(one, digest("a", "b", "c", "d"));
    for other in [
        digest("x", "b", "c", "d"),
        digest("a", "x", "c", "d"),
        digest("a", "b", "x", "d"),
        digest("a", "b", "c", "x"),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn lints() {
    let open = catalog(
        "acme",
        json!({"operations": [{"action": "copy", "risk": "low"}], "unknown_operation": "abstain"}),
    );
    let closed = catalog(
        "acme",
        json!({"operations": [{"action": "copy", "risk": "low"}]}),
    );
    let rule = |effect: &str, actions: Value, precedence: i32| json!({"id": "r", "effect": effect, "reason": "x", "precedence": precedence, "match": {"action": actions}});
    let codes = |scope: &str, catalog: &str, rule: Value| -> Vec<Code> {
        let (_, text) = policy(scope, json!({"rules": [rule]}));
        let policy = effective(scope, &[catalog, &text.to_string()]).unwrap();
        lint(&policy, NOW.parse().unwrap())
            .into_iter()
            .map(|found| found.code)
            .collect()
    };
    assert_eq!(codes("acme", &open, rule("deny", json!("copy"), 0)), []);
    // A catalogue that leaves other actions alone is no list of all.
    let several = json!(["copy", "cpoy"]);
    assert_eq!(codes("acme", &open, rule("allow", several, 0)), []);
    assert_eq!(codes("acme", &open, rule("deny", json!("cpoy"), 0)), []);
    assert_eq!(
        codes("acme", &closed, rule("deny", json!("cpoy"), 0)),
        [Code::LINT_UNKNOWN_ACTION]
    );
    assert_eq!(codes("acme", &closed, rule("deny", json!("c*"), 0)), []);
    assert_eq!(
        codes("acme", &closed, rule("allow", json!("cpoy"), 0)),
        [Code::LINT_UNKNOWN_ACTION]
    );
    assert_eq!(
        codes("acme/team", &closed, rule("allow", json!("cpoy"), 9)),
        [Code::LINT_UNKNOWN_ACTION]
    );
    // Looked at first, it permits all the same.
    assert_eq!(
        codes("acme", &closed, rule("allow", json!("cpoy"), 9)),
        [Code::LINT_UNKNOWN_ACTION]
    );
    assert_eq!(
        codes(
            "acme/team",
            &closed,
            rule("allow", json!(["copy", "cpoy"]), 0)
        ),
        [Code::LINT_UNKNOWN_ACTION]
    );
    // Nothing is said of what nobody wrote.
    let same = catalog(
        "acme",
        json!({"operations": [{"action": "a", "risk": "low", "requires": ["x"], "variants": [
            {"match": {"action": "b", "action.properties.n": {"gt": 3, "lt": 2}}, "requires": ["y"]}, {"match": {}, "requires": ["z"]}]}],
            "patterns": [{"id": "p", "regex": "p"}]}),
    );
    let (_, root) = policy("acme/team", json!({"default": "deny"}));
    let policy = effective("acme/team", &[&same, &root.to_string()]).unwrap();
    assert_eq!(lint(&policy, NOW.parse().unwrap()), []);
}

/// Whoever may be asked for less by adding something dangerous will add it.
#[test]
fn a_lint_speaks_where_danger_gets_the_weaker_answer() {
    let codes = |changes: Value| -> Vec<Code> {
        let (_, child) = policy("acme/team", json!({"overrides": changes}));
        let policy = effective("acme/team", &[&tools(), &child.to_string()]).unwrap();
        let found = lint(&policy, NOW.parse().unwrap());
        found.into_iter().map(|found| found.code).collect()
    };
    let change = |rule: &str, effect: &str| json!({"rule": format!("acme#catalog.{rule}"), "effect": effect});
    let ordinary = change("read-log.low", "require_approval");
    assert_eq!(codes(json!([ordinary])), [Code::LINT_WEAKER_DANGER]);
    let both = json!([ordinary, change("read-log.low.dangerous", "deny")]);
    assert_eq!(codes(both), []);
    assert_eq!(codes(json!([change("read-log.low.dangerous", "deny")])), []);
    assert_eq!(
        codes(json!([change("copy.medium", "require_approval")])),
        []
    );
}
