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
        "`team`: 1 scope, 0 errors, 0 warnings\n",
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

#[test]
fn problems_of_other_bundles_are_told_with_their_own_paths() {
    let env = two_bundles();
    let check = |dir: &'static str, more: &[&'static str]| {
        let fixed = ["policy", "check", dir, "--with", "org"];
        env.ordain(fixed.into_iter().chain(more.iter().copied()))
    };
    // What cannot be read.
    env.write(
        "org/policies/acme.yaml",
        ORG.replace("default: deny", "default: no"),
    );
    let found = check("team", &[]);
    found.code(2);
    assert!(
        found.stderr.contains("  at org/policies/acme.yaml:"),
        "{found}"
    );
    let line = check("./team", &["--format", "github"]);
    assert!(
        line.code(2)
            .starts_with("::error file=org/policies/acme.yaml,line=4,"),
        "{line}"
    );
    let sarif = check("team", &["--format", "sarif"]).json();
    let place = &sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "org/policies/acme.yaml");
    let json = check("team", &["--json"]).json();
    let file = json["location"]["file"].as_str().unwrap();
    assert_eq!(
        file,
        env.work().join("org/policies/acme.yaml").to_str().unwrap()
    );
    // What cannot be resolved: one scope in two bundles, and a pack that nobody defines.
    env.write("org/policies/acme.yaml", ORG);
    env.write(
        "org/policies/baseline.yaml",
        TEAM.replace("acme/baseline", "acme/none"),
    );
    for dir in ["team", "org/../team"] {
        let twice = check(dir, &["--format", "github"]);
        assert!(
            twice.code(2).starts_with("::error file=")
                && twice.stdout.contains("title=E-POLICY-03"),
            "{twice}"
        );
    }
    env.write(
        "org/policies/baseline.yaml",
        "apiVersion: ordain/v1\nkind: Policy\nscope: acme/baseline\nextends: [acme/none]\n",
    );
    let line = check("team", &["--format", "github"]);
    assert!(
        line.code(2)
            .starts_with("::error file=org/policies/baseline.yaml,line="),
        "{line}"
    );
}

#[test]
fn tests_are_read_even_where_policies_cannot_be() {
    let env = bundle();
    env.write(
        "acme/policies/acme.yaml",
        ORG.replace("default: deny", "default: no"),
    );
    env.write("acme/tests/odd.yml", "");
    let found = env.ordain(["policy", "check", "acme"]);
    assert_eq!(found.code(2), "`acme`: 2 errors, 0 warnings\n", "{found}");
    assert!(found.stderr.contains("E-POLICY-070"), "{found}");
}

#[test]
fn a_file_is_no_bundle() {
    let env = bundle();
    let found = env.ordain(["policy", "check", "acme/policies/acme.yaml"]);
    found.code(4);
    assert!(found.stderr.contains("E-SOURCE-038"), "{found}");
    assert!(
        found.stderr.contains("hint: name the bundle's directory"),
        "{found}"
    );
}

/// Whoever lets other actions pass may write rules about them.
#[test]
fn rules_beside_a_catalogue_that_abstains() {
    let env = bundle();
    let catalog = "apiVersion: ordain/v1\nkind: Catalog\nscope: acme\noperations: [{action: apply_stack, risk: low}]\n";
    env.write("acme/policies/operations.yaml", catalog);
    let closed = env.ordain(["policy", "check", "acme"]);
    closed.success();
    assert!(closed.stderr.contains("E-POLICY-049"), "{closed}");
    let open = format!("{catalog}unknown_operation: abstain\n");
    env.write("acme/policies/operations.yaml", open);
    let open = env.ordain(["policy", "check", "acme"]);
    open.success();
    assert!(!open.stderr.contains("E-POLICY-049"), "{open}");
}
