//! `policy diff`.

use serde_json::{Value, json};

use super::{edit, two};
use crate::support::organisation::{BUNDLE, Organisation, fails};
use crate::support::{Output, TestEnv};

fn diff(env: &TestEnv, more: &[&str]) -> Output {
    env.ordain(["policy", "diff", "a", "b"].iter().chain(more))
}

/// Every change as `direction subject kind: parts`.
fn told(env: &TestEnv) -> Vec<String> {
    let output = diff(env, &["--format", "json"]);
    output.success();
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    let changes = output.json()["changes"].as_array().unwrap().clone();
    let line = |change: &Value| {
        let parts: Vec<String> = change["parts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| word(&part["what"]))
            .collect();
        format!(
            "{} {} {}: {}",
            word(&change["direction"]),
            word(&change["subject"]["name"]),
            word(&change["kind"]),
            parts.join(" ")
        )
    };
    changes.iter().map(line).collect()
}

/// What one edit comes to.
#[track_caller]
fn comes_to(file: &str, from: &str, to: &str, expected: &[&str]) {
    let env = two();
    edit(&env, file, from, to);
    assert_eq!(told(&env), expected, "{from:?} → {to:?}");
}

#[test]
fn changes_in_every_format() {
    let env = two();
    edit(
        &env,
        "acme",
        "environment: production",
        "environment: [production, canary]",
    );
    edit(&env, "acme", "effect: deny", "effect: require_approval");
    edit(&env, "payments", "2027-06-30", "2028-06-30");
    edit(
        &env,
        "payments",
        "overrides",
        "extends: [acme/baseline]\noverrides",
    );
    edit(&env, "tools", "risk: high", "risk: critical");
    edit(&env, "tools", ", remote-exec", "");
    edit(&env, "tools", "risk: medium", "risk: low");
    let text = diff(&env, &[]);
    text.success();
    insta::assert_snapshot!(text);
    let markdown = diff(&env, &["--format=markdown", "--fail-on=loosening"]);
    fails(&markdown, 1, "E-POLICY-080");
    insta::assert_snapshot!(markdown);
    let document = diff(&env, &["--format=json", "--fail-on=change"]);
    fails(&document, 1, "E-POLICY-081");
    let counts = json!({"changes": 7, "loosens": 4, "may_loosen": 1, "tightens": 1, "neutral": 1});
    assert_eq!(document.json()["counts"], counts);
    assert_eq!(document.json()["before"]["verified"], false);
}

#[test]
fn what_does_not_differ_is_not_told() {
    let env = two();
    // Neither white space nor the order of files and rules is policy.
    edit(
        &env,
        "acme",
        "default: deny",
        "# by default\n\ndefault: deny",
    );
    let same = diff(&env, &["--fail-on=change"]);
    assert!(
        same.success().contains("nothing changes in 3 scopes"),
        "{same}"
    );
}

#[test]
fn one_scope_alone() {
    let env = two();
    edit(&env, "acme", "effect: deny", "effect: require_approval");
    // The team's waiver says what it said.
    let team = diff(&env, &["--scope=acme/payments"]);
    assert!(
        team.success().contains("nothing changes in 1 scope"),
        "{team}"
    );
    let org = diff(&env, &["--scope=acme"]);
    assert!(
        org.success().contains("effect `deny` → `require_approval`"),
        "{org}"
    );
    fails(&diff(&env, &["--scope=nobody"]), 2, "E-POLICY-032");
}

#[test]
fn an_inherited_change_is_told_once_where_it_is_made() {
    let env = two();
    edit(&env, "acme", "effect: allow", "effect: audit");
    let document = diff(&env, &["--format=json"]).json();
    let changes = document["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{document:#}");
    assert_eq!(changes[0]["scope"], "acme");
    let everyone = json!(["acme", "acme/baseline", "acme/payments"]);
    assert_eq!(changes[0]["reaches"], everyone);
    assert_eq!(changes[0]["direction"], "tightens");
}

#[test]
fn each_part_of_a_rule_is_weighed() {
    let (rule, org) = ("    reason: Stacks may be applied\n", "acme");
    let with = |line: &str| format!("{rule}    {line}\n");
    for (line, expected) in [
        ("precedence: 5", "may_loosen acme#apply changed: precedence"),
        ("mode: warn", "tightens acme#apply changed: mode"),
        ("override: any", "may_loosen acme#apply changed: override"),
        ("tags: [x]", "neutral acme#apply changed: tags"),
        (
            "when: context.replicas > 3",
            "tightens acme#apply changed: when",
        ),
        (
            "valid: {until: 2027-01-01T00:00:00Z}",
            "tightens acme#apply changed: valid",
        ),
    ] {
        comes_to(org, rule, &with(line), &[expected]);
    }
    comes_to(
        org,
        "      action: restore\n",
        "      action: restore\n      subject: eve\n",
        // For the team it is a rule that permits.
        &[
            "loosens acme#no-restore changed: match.subject",
            "may_loosen acme#no-restore changed: match.subject",
        ],
    );
    comes_to(
        org,
        "      context.environment: production\n",
        "",
        &["may_loosen acme#prod-apply changed: match.context.environment"],
    );
    comes_to(
        org,
        "default: deny\n",
        "",
        &["loosens acme changed: default"],
    );
    comes_to(
        org,
        "default: deny",
        "default: deny\nmode: warn",
        &["loosens acme changed: mode"],
    );
    comes_to(
        org,
        "default: deny",
        "default: deny\nmin_mode: warn",
        &["tightens acme changed: min_mode"],
    );
    comes_to(
        org,
        "default: deny",
        "default: deny\nwaivers: {require: [owner]}",
        &["tightens acme changed: waivers"],
    );
}

#[test]
fn rules_and_scopes_come_and_go() {
    let env = two();
    let text = env.read("b/policies/acme.yaml");
    let (before, _) = text.split_once("  - id: apply\n").unwrap();
    env.write("b/policies/acme.yaml", before);
    assert_eq!(
        told(&env),
        ["tightens acme#apply removed: effect match mode reason"]
    );
    std::fs::remove_file(env.work().join("b/policies/baseline.yaml")).unwrap();
    let gone = told(&env);
    assert!(
        gone.contains(
            &"loosens acme/baseline#no-root removed: effect match mode reason".to_owned()
        ),
        "{gone:?}"
    );
    let research = "apiVersion: ordain/v1\nkind: Policy\nscope: acme/research\ndefault: allow\n";
    env.write("b/policies/research.yaml", research);
    let came = told(&env);
    assert!(
        came.contains(&"loosens acme/research added: default".to_owned()),
        "{came:?}"
    );
}

#[test]
fn overrides_come_go_and_lapse() {
    let env = two();
    let head = "apiVersion: ordain/v1\nkind: Policy\nscope: acme/payments\n";
    env.write("b/policies/payments.yaml", head);
    let gone = diff(&env, &[]);
    assert!(
        gone.success().contains("waiver by `acme/payments` removed"),
        "{gone}"
    );
    assert_eq!(told(&env), ["tightens acme#no-restore changed: effect"]);
    let back = env.ordain(["policy", "diff", "b", "a"]);
    assert!(
        back.success().contains("waiver by `acme/payments` added"),
        "{back}"
    );
    assert!(back.stdout.contains("effect `deny` → `audit`"), "{back}");
    let mut env = two();
    edit(&env, "payments", "2027-06-30", "2029-06-30");
    env.set("ORDAIN_NOW", "2028-01-01T00:00:00Z");
    let renewed = diff(&env, &[]);
    assert!(
        renewed
            .success()
            .contains("lapsed waiver by `acme/payments` renewed"),
        "{renewed}"
    );
    assert_eq!(told(&env), ["loosens acme#no-restore changed: effect"]);
}

#[test]
fn catalogues_are_told_in_operations_and_patterns() {
    let tools = "tools";
    comes_to(
        tools,
        "    risk: medium\n",
        "    risk: medium\n    variants:\n      - {match: {action.properties.unit: sshd}, risk: critical}\n",
        &["tightens service-restart changed: variants.v1"],
    );
    comes_to(
        tools,
        "  - action: service-restart\n    risk: medium\n",
        "",
        &["loosens service-restart removed: risk answer"],
    );
    comes_to(
        tools,
        "patterns:\n",
        "patterns:\n  - {id: eval, regex: 'eval '}\n",
        &["tightens acme changed: patterns.eval"],
    );
    comes_to(
        tools,
        "flags_all: [recursive, force]",
        "flags_all: [recursive]",
        &["may_loosen acme changed: patterns.recursive-delete"],
    );
    comes_to(
        tools,
        "unknown_operation: abstain",
        "unknown_operation: deny",
        &["tightens acme changed: unknown_operation"],
    );
    // What is asked of one risk is asked of each operation of it: said once.
    let env = two();
    edit(&env, tools, "risk: high", "risk: medium");
    env.write("a/policies/tools.yaml", env.read("b/policies/tools.yaml"));
    edit(
        &env,
        tools,
        "unknown_operation",
        "table: {medium: {ordinary: require_approval}}\nunknown_operation",
    );
    let text = diff(&env, &[]);
    assert!(
        text.success()
            .contains("tightens    the operations `service-restart`, `ssh-exec` of `acme` changed"),
        "{text}"
    );
}

#[test]
fn commits_and_branches_of_the_configured_repository() {
    let org = Organisation::new();
    let first = org.publish("FIRST");
    org.env.git("policy", ["tag", "v1"]);
    org.consumer("app", "../policy", None);
    org.env
        .git("policy", ["switch", "--quiet", "--create=next"]);
    let text = org.env.read(format!("{BUNDLE}/policies/acme.yaml"));
    let text = text.replace("effect: deny", "effect: audit");
    org.env.write(format!("{BUNDLE}/policies/acme.yaml"), text);
    org.commit();
    let diff = |a: &str, b: &str, more: &[&str]| {
        org.env
            .ordain_in("app", ["policy", "diff", a, b].iter().chain(more))
    };
    let found = diff("v1", "next", &["--fail-on=loosening"]);
    fails(&found, 1, "E-POLICY-080");
    assert!(
        found
            .stdout
            .contains("revision 1.1, verified, signed by alice"),
        "{found}"
    );
    assert!(found.stdout.contains("B  `next` at commit"), "{found}");
    assert!(
        found.stdout.contains("bundle acme, not verified: "),
        "{found}"
    );
    assert!(found.stderr.contains("warning: `next`"), "{found}");
    assert!(found.stdout.contains("effect `deny` → `audit`"), "{found}");
    let document = diff(&first, "next", &["--format=json"]).json();
    assert_eq!(document["before"]["commit"], first);
    assert_eq!(document["before"]["verified"], true);
    assert_eq!(document["after"]["refused"]["code"], "E-TRUST-028");
    // What is looked at is not active, and raises no mark.
    assert_eq!(org.mark(), None);
    assert!(!org.env.work().join("app/ordain.lock").exists());
    let mixed = diff("v1", "../policy/bundles/acme", &[]);
    assert!(
        mixed.success().contains("not verified: a directory"),
        "{mixed}"
    );
    let unnamed = org.env.ordain([
        "policy",
        "diff",
        "v1",
        "next",
        "--git=policy",
        "--path=bundles/acme",
    ]);
    assert!(
        unnamed.success().contains("no trust root was named"),
        "{unnamed}"
    );
    fails(&diff("v1", "nowhere", &[]), 4, "E-SOURCE-006");
    fails(&diff("v1", "next", &["--bundle=other"]), 2, "E-CONFIG-001");
    fails(
        &org.env.ordain(["policy", "diff", "v1", "next"]),
        2,
        "E-CONFIG-002",
    );
}

#[test]
fn what_cannot_be_read_is_told_with_its_side() {
    let env = two();
    edit(&env, "acme", "effect: allow", "effect: permit");
    let found = diff(&env, &[]);
    fails(&found, 2, "E-POLICY-006");
    assert!(found.stderr.contains("b/policies/acme.yaml:"), "{found}");
    fails(
        &env.ordain(["policy", "diff", "a", "./nothing"]),
        4,
        "E-SOURCE-038",
    );
    fails(&diff(&env, &["--git=x"]), 2, "E-CONFIG-001");
}

#[test]
fn bundles_that_both_sides_build_on() {
    let env = two();
    for dir in ["a", "b"] {
        let manifest = super::MANIFEST
            .replace("name: acme", "name: payments")
            .replace("namespace: acme", "namespace: acme/payments");
        env.write(format!("team-{dir}/bundle.yaml"), manifest);
        env.write(format!("team-{dir}/policies/team.yaml"), super::TEAM);
        std::fs::remove_file(env.work().join(format!("{dir}/policies/payments.yaml"))).unwrap();
    }
    let text = super::TEAM.replace("effect: audit", "effect: allow");
    env.write("team-b/policies/team.yaml", text);
    let with = ["policy", "diff", "team-a", "team-b", "--with=a"];
    let found = env.ordain(with);
    assert!(
        found.success().contains("effect `audit` → `allow`"),
        "{found}"
    );
    fails(
        &env.ordain([
            "policy",
            "diff",
            "team-a",
            "team-b",
            "--scope=acme/payments",
        ]),
        2,
        "E-POLICY-032",
    );
}
