//! The policy language: one defect each, every problem at once, and the lints.

use std::collections::BTreeSet;

use ordain::diag::{Code, Diagnostic};
use ordain::engine::Engine;
use ordain::name::Namespace;
use ordain::policy::{self, Effect, Mode, OverridePermission};
use ordain::resolve::{self, lint};
use serde_json::{Value, json};

use super::support::checkout;
use super::support::naive::Policies;
use super::support::policies::resolve as resolve_at;
use super::support::policies::{NOW, bundle, files, many_bundles, plain_request, policy, request};

const HEAD: &str = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\n";

fn validate(text: &str) -> Result<Vec<policy::Layer>, Vec<Diagnostic>> {
    policy::validate(
        &files(&[("a.yaml", text)]),
        None,
        &ordain::bundle::Limits::default(),
    )
}

/// The code, line and path of the only problem of a policy with these lines below the head.
#[track_caller]
fn only(lines: &str) -> (Code, u32, Option<String>) {
    let problems = validate(&format!("{HEAD}{lines}")).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.into_iter().next().unwrap();
    assert!(problem.hint.is_some(), "{problem}");
    (problem.code, problem.location.unwrap().line, problem.path)
}

/// The same for one rule, whose `match` is the last field, in line 8.
#[track_caller]
fn only_match(condition: &str) -> (Code, Option<String>) {
    let rule = format!("rules:\n- id: r\n  effect: deny\n  reason: x\n  match: {condition}\n");
    let (code, line, path) = only(&rule);
    assert_eq!(line, 8);
    (code, path)
}

#[test]
fn a_whole_policy_is_read() {
    let text = format!(
        "{HEAD}extends: [pci/b, pci/a]\nmode: warn\nmin_mode: audit-only\ndefault: require_approval\nrules:\n- id: no-restore\n  effect: deny\n  \
         reason: because\n  precedence: -3\n  override: any\n  mode: audit-only\n  match: {{action: [apply_stack, 're*']}}\n  tags: [a]\n  remediation: ask\n\
         overrides:\n- rule: top#x\n  effect: audit\n  reason: agreed\n  owner: us\n  ticket: T-1\n  expires: 2026-12-31T00:00:00Z\n"
    );
    let layer = validate(&text).unwrap().remove(0);
    let packs: Vec<&str> = layer.extends.iter().map(|pack| pack.as_str()).collect();
    assert_eq!(packs, ["pci/a", "pci/b"]);
    assert_eq!((layer.mode, layer.min_mode), (Mode::Warn, Mode::AuditOnly));
    assert_eq!(layer.default, Some(Effect::RequireApproval));
    let rule = &layer.rules[0];
    assert_eq!(rule.name.to_string(), "acme#no-restore");
    assert_eq!(
        (rule.effect, rule.mode, rule.precedence),
        (Effect::Deny, Mode::AuditOnly, -3)
    );
    assert_eq!(rule.permission, OverridePermission::Any);
    assert_eq!(rule.reason_code.as_str(), "NO_RESTORE");
    assert_eq!(rule.location.to_string(), "policies/a.yaml:9:3");
    assert!(layer.overrides[0].expires.is_some());
}

#[test]
fn one_defect_each() {
    let path = |text: &str| Some(text.to_owned());
    let rule = |lines: &str| {
        format!("rules:\n- id: r\n  effect: deny\n  reason: x\n  match: {{}}\n{lines}")
    };
    let change = |lines: &str| format!("overrides:\n- rule: top#r\n{lines}");
    assert_eq!(
        only("colour: red\n"),
        (Code::POLICY_UNKNOWN_FIELD, 4, path("colour"))
    );
    assert_eq!(only("mode: strict\n"), (Code::POLICY_TYPE, 4, path("mode")));
    assert_eq!(
        only("default: maybe\n"),
        (Code::POLICY_TYPE, 4, path("default"))
    );
    assert_eq!(
        only("extends: [Nope]\n"),
        (Code::POLICY_TYPE, 4, path("extends[0]"))
    );
    assert_eq!(
        only("extends: [acme]\n"),
        (Code::POLICY_EXTENDS, 4, path("extends[0]"))
    );
    assert_eq!(only("rules: none\n"), (Code::POLICY_TYPE, 4, path("rules")));
    assert_eq!(
        only("rules: [1]\n"),
        (Code::POLICY_TYPE, 4, path("rules[0]"))
    );
    assert_eq!(
        only(&rule("  colour: red\n")),
        (Code::POLICY_UNKNOWN_FIELD, 9, path("rules[0].colour"))
    );
    assert_eq!(
        only(&rule("  when: 'yes'\n")),
        (Code::CONDITION_NAME, 9, path("rules[0].when"))
    );
    assert_eq!(
        only(&rule("  valid: {}\n")),
        (Code::POLICY_WINDOW, 9, path("rules[0].valid"))
    );
    assert_eq!(
        only(&rule("  precedence: high\n")),
        (Code::POLICY_TYPE, 9, path("rules[0].precedence"))
    );
    assert_eq!(
        only(&rule("  reason_code: no\n")),
        (Code::POLICY_TYPE, 9, path("rules[0].reason_code"))
    );
    assert_eq!(
        only(&rule("  remediation: ''\n")),
        (Code::POLICY_TEXT, 9, path("rules[0].remediation"))
    );
    assert_eq!(
        only(&rule("  remediation: \"a\\e[31m\"\n")),
        (Code::POLICY_TEXT, 9, path("rules[0].remediation"))
    );
    assert_eq!(
        only(&rule("  tags: [\"\\u202e\"]\n")),
        (Code::POLICY_TEXT, 9, path("rules[0].tags[0]"))
    );
    assert_eq!(
        only(&format!("mode: warn\n{}", rule("  mode: enforce\n"))),
        (Code::POLICY_MODE, 10, path("rules[0].mode"))
    );
    assert_eq!(
        only(&rule(
            "- id: r\n  effect: allow\n  reason: x\n  match: {}\n"
        )),
        (Code::POLICY_RULE_TWICE, 9, path("rules[1].id"))
    );
    assert_eq!(
        only("rules:\n- effect: deny\n  reason: x\n  match: {}\n"),
        (Code::POLICY_MISSING_FIELD, 5, path("rules[0]"))
    );
    assert_eq!(
        only("rules:\n- id: r\n  effect: deny\n  reason: x\n"),
        (Code::POLICY_MISSING_FIELD, 5, path("rules[0]"))
    );
    assert_eq!(
        only("rules:\n- id: r\n  effect: deny\n  match: {}\n"),
        (Code::POLICY_MISSING_FIELD, 5, path("rules[0]"))
    );
    assert_eq!(
        only(&change("")),
        (Code::POLICY_OVERRIDE, 5, path("overrides[0]"))
    );
    assert_eq!(
        only(&change("  disable: true\n  effect: allow\n")),
        (Code::POLICY_OVERRIDE, 6, path("overrides[0].disable"))
    );
    assert_eq!(
        only(&change("  effect: deny\n- rule: top#r\n  effect: deny\n")),
        (Code::POLICY_OVERRIDE_TWICE, 7, path("overrides[1].rule"))
    );
    assert_eq!(
        only(&change("  effect: deny\n  expires: soon\n")),
        (Code::POLICY_TYPE, 7, path("overrides[0].expires"))
    );
    assert_eq!(
        only("overrides:\n- rule: acme#r\n  effect: deny\n"),
        (Code::POLICY_OVERRIDE, 5, path("overrides[0].rule"))
    );
    assert_eq!(
        only("overrides:\n- rule: r\n  effect: deny\n"),
        (Code::POLICY_TYPE, 5, path("overrides[0].rule"))
    );
}

#[test]
fn one_defect_each_of_conditions() {
    let path = |rest: &str| Some(format!("rules[0].match{rest}"));
    assert_eq!(only_match("always"), (Code::POLICY_MATCH, path("")));
    assert_eq!(
        only_match("{user: sam}"),
        (Code::POLICY_MATCH, path(".user"))
    );
    assert_eq!(
        only_match("{context: x}"),
        (Code::POLICY_MATCH, path(".context"))
    );
    assert_eq!(
        only_match("{subject.team: x}"),
        (Code::POLICY_MATCH, path("[\"subject.team\"]"))
    );
    assert_eq!(
        only_match("{context..a: x}"),
        (Code::POLICY_MATCH, path("[\"context..a\"]"))
    );
    assert_eq!(
        only_match("{action: null}"),
        (Code::POLICY_MATCH, path(".action"))
    );
    assert_eq!(
        only_match("{action: []}"),
        (Code::POLICY_MATCH, path(".action"))
    );
    assert_eq!(
        only_match("{action: [a, [b]]}"),
        (Code::POLICY_MATCH, path(".action[1]"))
    );
    assert_eq!(
        only_match("{action: {}}"),
        (Code::POLICY_MATCH, path(".action"))
    );
    assert_eq!(
        only_match("{action: {like: x}}"),
        (Code::POLICY_OPERATOR, path(".action.like"))
    );
    assert_eq!(
        only_match("{action: {in: x}}"),
        (Code::POLICY_MATCH, path(".action.in"))
    );
    assert_eq!(
        only_match("{action: {exists: 'yes'}}"),
        (Code::POLICY_MATCH, path(".action.exists"))
    );
    assert_eq!(
        only_match("{context.n: {gt: '1'}}"),
        (Code::POLICY_MATCH, path("[\"context.n\"].gt"))
    );
    assert_eq!(
        only_match("{action: {prefix: 1}}"),
        (Code::POLICY_MATCH, path(".action.prefix"))
    );
    assert_eq!(
        only_match("{any: {action: x}}"),
        (Code::POLICY_MATCH, path(".any"))
    );
    assert_eq!(only_match("{any: []}"), (Code::POLICY_MATCH, path(".any")));
    assert_eq!(only_match("{not: {}}"), (Code::POLICY_MATCH, path(".not")));
    let long = format!("{{action: {}}}", "x".repeat(1_025));
    assert_eq!(only_match(&long), (Code::POLICY_LIMIT, path(".action")));
    let many = format!("{{action: [{}x]}}", "x, ".repeat(1_000));
    assert_eq!(only_match(&many), (Code::POLICY_LIMIT, path(".action")));
}

#[test]
fn documents_of_another_kind_are_refused() {
    let code = |text: &str| validate(text).unwrap_err()[0].code;
    assert_eq!(
        code("apiVersion: ordain/v2\nkind: Policy\nscope: acme\n"),
        Code::POLICY_KIND
    );
    assert_eq!(
        code("apiVersion: ordain/v1\nkind: Recipe\nscope: acme\n"),
        Code::POLICY_KIND
    );
    assert_eq!(code("[1]\n"), Code::POLICY_TYPE);
    assert_eq!(code("a: &a 1\n"), Code::YAML_ALIAS);
}

#[test]
fn files_are_taken_for_what_they_are() {
    let named = |name: &str| {
        policy::validate(
            &files(&[(name, HEAD)]),
            None,
            &ordain::bundle::Limits::default(),
        )
    };
    for name in ["a.yml", "a.YAML", "deep/a.json"] {
        assert_eq!(
            named(name).unwrap_err()[0].code,
            Code::POLICY_FILE_NAME,
            "{name}"
        );
    }
    assert_eq!(named("README.md").unwrap().len(), 0);
    assert_eq!(named("deep/er/a.yaml").unwrap().len(), 1);
    let twice = policy::validate(
        &files(&[("a.yaml", HEAD), ("b.yaml", HEAD)]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap_err();
    assert_eq!(twice[0].code, Code::POLICY_SCOPE_TWICE);
}

#[test]
fn a_scope_outside_the_namespace_is_refused() {
    let check = |namespace: &str| {
        let namespace: Namespace = namespace.parse().unwrap();
        policy::validate(
            &files(&[("a.yaml", HEAD)]),
            Some(&namespace),
            &ordain::bundle::Limits::default(),
        )
    };
    assert!(check("acme").is_ok());
    for other in ["acme/team", "acm", "other"] {
        assert_eq!(
            check(other).unwrap_err()[0].code,
            Code::POLICY_NAMESPACE,
            "{other}"
        );
    }
}

#[test]
fn every_problem_is_reported_at_once() {
    let broken = "apiVersion: ordain/v1\nkind: Policy\nscope: Acme\nmode: strict\nrules:\n- id: A\n  effect: denied\n  match: {user: x, action: {like: y}}\n  x: 1\n";
    let problems = policy::validate(
        &files(&[("a.yaml", broken), ("b.yaml", "a: ~\n")]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap_err();
    let codes: Vec<&str> = problems.iter().map(|problem| problem.code.id).collect();
    assert_eq!(problems.len(), 9, "{codes:?}");
    let lines: BTreeSet<u32> = problems
        .iter()
        .map(|problem| problem.location.clone().unwrap().line)
        .collect();
    assert_eq!(lines, BTreeSet::from([1, 3, 4, 6, 7, 8, 9]));
}

fn rule(id: &str, effect: &str, condition: Value) -> Value {
    json!({"id": id, "effect": effect, "reason": "because", "match": condition})
}

fn lints(policies: &[(String, Value)]) -> Vec<Code> {
    let policies: Policies = policies.iter().cloned().collect();
    let policy = resolve_at(&many_bundles(&policies), "acme/team", None).unwrap();
    let found = lint(&policy, NOW.parse().unwrap());
    found.iter().map(|found| found.code).collect()
}

#[test]
fn lints_speak_where_they_are_certain() {
    let org = |fields: Value| [policy("acme", fields)];
    let rules = |rules: Value| lints(&org(json!({"rules": rules})));
    assert_eq!(
        rules(json!([
            rule("a", "deny", json!({})),
            rule("b", "allow", json!({"action": "x"}))
        ])),
        [Code::LINT_SHADOWED]
    );
    let same = json!({"action": "x"});
    let more = json!({"action": "x", "resource": "y"});
    assert_eq!(
        rules(json!([
            rule("a", "deny", same.clone()),
            rule("b", "allow", more.clone())
        ])),
        [Code::LINT_SHADOWED]
    );
    assert_eq!(
        rules(json!([
            rule("a", "deny", more),
            rule("b", "allow", same.clone())
        ])),
        []
    );
    assert_eq!(
        rules(json!([
            rule("a", "deny", json!({})),
            rule("b", "audit", same.clone())
        ])),
        []
    );
    assert_eq!(
        rules(json!([rule(
            "a",
            "deny",
            json!({"context.n": {"gt": 3, "lt": 3}})
        )])),
        [Code::LINT_NEVER_MATCHES]
    );
    assert_eq!(
        rules(json!([rule(
            "a",
            "deny",
            json!({"context.n": {"exists": false, "equals": 3}})
        )])),
        [Code::LINT_NEVER_MATCHES]
    );
    assert_eq!(
        lints(&org(json!({"mode": "warn", "min_mode": "enforce"}))),
        [Code::LINT_MIN_MODE]
    );

    let team = policy(
        "acme/team",
        json!({"rules": [rule("a", "allow", json!({"action": "x"}))]}),
    );
    let closed = |open: Value| {
        lints(&[
            policy("acme", json!({"default": "deny", "rules": [open]})),
            team.clone(),
        ])
    };
    assert_eq!(
        closed(rule("o", "allow", json!({"action": ["y", "z"]}))),
        [Code::LINT_VOID_ALLOW]
    );
    assert_eq!(
        closed(rule("o", "allow", json!({"action": ["x", "z"]}))),
        []
    );
    assert_eq!(closed(rule("o", "allow", json!({"resource": "y"}))), []);

    let waiver = |expires: &str| {
        let change = json!({"rule": "acme#a", "effect": "deny", "expires": expires});
        let org = policy("acme", json!({"rules": [rule("a", "audit", same.clone())]}));
        lints(&[org, policy("acme/team", json!({"overrides": [change]}))])
    };
    assert_eq!(waiver("2026-11-30T00:00:00Z"), [Code::LINT_LAPSES_SOON]);
    assert_eq!(waiver("2026-10-30T00:00:00Z"), [Code::LINT_LAPSED]);
    assert_eq!(waiver("2027-10-30T00:00:00Z"), []);
}

#[test]
fn the_manuals_example_does_what_the_manual_says() {
    let manual = std::fs::read_to_string(checkout().join("docs/policy.md")).unwrap();
    let blocks = manual.split("```yaml\n").skip(1);
    let texts: Vec<&str> = blocks
        .map(|block| block.split("```").next().unwrap())
        .collect();
    let bundle = bundle(
        "manual",
        &[("acme.yaml", texts[0]), ("payments.yaml", texts[1])],
    )
    .unwrap();
    let decide = |action: &str, now: &str| {
        let scope = "acme/payments".parse().unwrap();
        let policy = resolve::resolve(
            std::slice::from_ref(&bundle),
            &scope,
            now.parse().unwrap(),
            None,
        );
        let asked = request(&json!({
            "subject": {"type": "user", "id": "sam", "properties": {"groups": ["payments"]}},
            "action": {"name": action},
            "resource": {"type": "stack", "id": "payments-api"},
            "context": {"environment": "production"},
        }));
        let verdict = Engine::new(policy.unwrap()).evaluate(&asked, now.parse().unwrap());
        (verdict.effect(), verdict.is_audited())
    };
    assert_eq!(decide("apply_stack", NOW), (Effect::RequireApproval, false));
    assert_eq!(decide("restore", NOW), (Effect::Audit, true));
    assert_eq!(
        decide("restore", "2027-02-01T00:00:00Z"),
        (Effect::Deny, false)
    );
}

#[test]
fn a_rule_counts_within_its_window_alone() {
    let text = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\ndefault: allow\nrules:\n\
        - {id: freeze, effect: deny, reason: frozen, match: {}, valid: {from: 2026-12-20T00:00:00Z, until: 2027-01-03T00:00:00Z}}\n";
    let bundle = bundle("acme", &[("acme.yaml", text)]).unwrap();
    let effect = |now: &str| {
        let now = now.parse().unwrap();
        let policy = resolve::resolve(
            std::slice::from_ref(&bundle),
            &"acme".parse().unwrap(),
            now,
            None,
        );
        Engine::new(policy.unwrap())
            .evaluate(&plain_request(), now)
            .effect()
    };
    assert_eq!(effect("2026-12-19T23:59:59Z"), Effect::Allow);
    assert_eq!(effect("2026-12-20T00:00:00Z"), Effect::Deny);
    assert_eq!(effect("2027-01-02T23:59:59Z"), Effect::Deny);
    assert_eq!(effect("2027-01-03T00:00:00Z"), Effect::Allow);
}
