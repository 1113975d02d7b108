//! `policy check`.

use std::time::Instant;

use serde_json::Value;

use super::{MANIFEST, ORG, TEAM, bundle, two_bundles};
use crate::support::TestEnv;

const PAST: &str = "  - id: last-year\n    effect: deny\n    reason: Over\n    match: {action: old}\n    valid: {until: 2026-01-01T00:00:00Z}\n";

#[test]
fn a_sound_bundle_passes_in_every_format() {
    let env = bundle();
    let text = env.ordain(["policy", "check", "acme"]);
    assert_eq!(
        text.success(),
        "`acme`: 3 scopes, 0 errors, 0 warnings\n",
        "{text}"
    );
    assert_eq!(
        env.ordain(["policy", "check", "acme", "--json"]).success(),
        ""
    );
    assert_eq!(
        env.ordain(["policy", "check", "acme", "--format", "github"])
            .success(),
        ""
    );
    let sarif = env.ordain(["policy", "check", "acme", "--format", "sarif"]);
    sarif.success();
    assert_eq!(sarif.json()["runs"][0]["results"], serde_json::json!([]));
}

#[test]
fn a_rule_whose_time_is_over_is_told_of() {
    let env = bundle();
    env.write("acme/policies/acme.yaml", format!("{ORG}{PAST}"));
    let found = env.ordain(["policy", "check", "acme", "--deny-warnings"]);
    found.code(1);
    assert!(found.stderr.contains("warning[E-POLICY-066]"), "{found}");
    let line = env.ordain(["policy", "check", "acme", "--format", "github"]);
    assert_eq!(
        line.success(),
        "::warning file=acme/policies/acme.yaml,line=30,col=5,title=E-POLICY-066::the rule `acme#last-year` is over since \
         2026-01-01T00:00:00Z; remove it, or give its `valid` a later `until`\n"
    );
    let sarif = env
        .ordain(["policy", "check", "./acme", "--format", "sarif"])
        .json();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!(result["ruleId"], "E-POLICY-066");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "acme/policies/acme.yaml");
    assert_eq!(place["region"]["startLine"], 30);
}

#[test]
fn tests_that_cannot_be_read_are_problems_of_the_bundle() {
    let env = bundle();
    env.write("acme/tests/odd.yml", "");
    let found = env.ordain(["policy", "check", "acme"]);
    found.code(2);
    assert!(found.stderr.contains("error[E-POLICY-070]"), "{found}");
}

#[test]
fn a_parent_in_another_bundle_is_given_with_with() {
    let env = two_bundles();
    let alone = env.ordain(["policy", "check", "team"]);
    alone.code(2);
    assert!(alone.stderr.contains("E-POLICY-032"), "{alone}");
    env.ordain(["policy", "check", "team", "--with", "org"])
        .success();
    // What the parent's authors should mend is not the child's authors' business.
    env.write("org/policies/acme.yaml", format!("{ORG}{PAST}"));
    let found = env.ordain([
        "policy",
        "check",
        "team",
        "--with",
        "org",
        "--deny-warnings",
    ]);
    assert_eq!(
        found.success(),
        "`team`: 1 scopes, 0 errors, 0 warnings\n",
        "{found}"
    );
    env.write(
        "team/policies/payments.yaml",
        TEAM.replace("2027-06-30", "2026-12-01"),
    );
    let found = env.ordain([
        "policy",
        "check",
        "team",
        "--with",
        "org",
        "--deny-warnings",
    ]);
    found.code(1);
    assert!(found.stderr.contains("E-POLICY-063"), "{found}");
}

/// One thing said of a rule is said once, however many scopes are below.
#[test]
fn problems_are_told_once() {
    let env = bundle();
    let shadowed = "  - id: never\n    effect: deny\n    reason: x\n    match: {action: restore, subject: sam}\n    precedence: -1\n";
    env.write("acme/policies/acme.yaml", format!("{ORG}{shadowed}"));
    for team in 0..20 {
        let text = format!("apiVersion: ordain/v1\nkind: Policy\nscope: acme/team-{team}\n");
        env.write(format!("acme/policies/team-{team}.yaml"), text);
    }
    let found = env.ordain(["policy", "check", "acme", "--json"]);
    let lines: Vec<Value> = found
        .success()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    // Once as it is written, and once as the team's waiver leaves it: the two name the same rules.
    assert_eq!(lines.len(), 1, "{found}");
    assert_eq!(lines[0]["code"], "E-POLICY-060");
}

/// Ten times the rules cost about ten times as much: whatever is quadratic costs a hundred times.
#[test]
fn the_cost_grows_with_the_rules() {
    let seconds = |rules: usize| {
        let env = TestEnv::new();
        let text: String = (0..rules)
            .map(|number| {
                format!(
                    "  - id: rule-{number}\n    effect: deny\n    reason: The change that this rule speaks of waits for its owner's word\n    \
                     match:\n      action: [apply, restore]\n      resource: stack-{number}\n      context.environment: production\n"
                )
            })
            .collect();
        let head = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n";
        env.write("acme/bundle.yaml", MANIFEST);
        env.write("acme/policies/acme.yaml", format!("{head}{text}"));
        let run = || {
            let started = Instant::now();
            env.ordain(["policy", "check", "acme", "--deny-warnings"])
                .success();
            started.elapsed().as_secs_f64()
        };
        run().min(run())
    };
    let (few, many) = (seconds(1_000), seconds(10_000));
    assert!(
        many < 40.0 * few,
        "{few} s for 1 000 rules, {many} s for 10 000"
    );
}
