//! `policy fmt`.

use ordain::yaml;
use proptest::prelude::*;

use super::{TEAM, bundle};
use crate::support::TestEnv;
use crate::support::random::policies;

const UNTIDY: &str = "\
# The team's own.
apiVersion:   ordain/v1
kind: Policy
scope: acme/payments # below acme
rules:
- {id: a,effect: deny,   reason: 'Because', match: { action: [x,y] }}


- id: b
  effect: allow
  # Why so.
  reason: |
    Two
    lines
  match: {}
";

fn untidy() -> TestEnv {
    let env = bundle();
    env.write("acme/policies/payments.yaml", UNTIDY);
    env.ordain(["policy", "fmt", "acme/tests/payments.yaml"])
        .success();
    env
}

#[test]
fn files_are_formatted_and_comments_stay() {
    let env = untidy();
    let listed = env.ordain(["policy", "fmt", "acme"]);
    assert_eq!(
        listed.success(),
        "acme/policies/payments.yaml\n",
        "{listed}"
    );
    assert!(!listed.stderr.contains("sign"), "{listed}");
    insta::assert_snapshot!(env.read("acme/policies/payments.yaml"));
    assert_eq!(env.ordain_in("acme", ["policy", "fmt"]).success(), "");
}

#[test]
fn check_lists_and_writes_nothing() {
    let env = untidy();
    let listed = env.ordain(["policy", "fmt", "--check", "acme"]);
    assert_eq!(listed.code(1), "acme/policies/payments.yaml\n");
    assert!(listed.stderr.contains("error[E-POLICY-078]"), "{listed}");
    assert_eq!(env.read("acme/policies/payments.yaml"), UNTIDY);
    env.ordain(["policy", "fmt", "--check", "acme/policies/acme.yaml"])
        .success();
}

#[test]
fn a_signed_bundle_is_to_be_signed_again() {
    let env = untidy();
    env.write("acme/bundle.dsse.json", "{}");
    let told = env.ordain(["policy", "fmt", "acme/policies/payments.yaml"]);
    told.success();
    assert!(told.stderr.contains("`ordain bundle sign`"), "{told}");
    let again = env.ordain(["policy", "fmt", "acme"]);
    assert!(!again.stderr.contains("`ordain bundle sign`"), "{again}");
}

#[test]
fn standard_input_is_formatted_to_standard_output() {
    let env = TestEnv::new();
    let run = |text: &str, more: &[&str]| {
        let arguments = ["policy", "fmt", "--stdin"]
            .into_iter()
            .chain(more.iter().copied());
        env.ordain_with_input(".", text.as_bytes(), arguments)
    };
    assert_eq!(run("a:   1\n", &[]).success(), "a: 1\n");
    assert_eq!(run("a:   1\n", &["--check"]).code(1), "");
    assert_eq!(run("a: 1\n", &["--check"]).success(), "");
    assert_eq!(run("a: ~\n", &[]).code(2), "");
}

#[test]
fn what_is_no_strict_yaml_is_left_alone() {
    let env = bundle();
    env.write("acme/policies/payments.yaml", UNTIDY);
    env.write("acme/policies/broken.yaml", "a:   ~\n");
    let found = env.ordain(["policy", "fmt", "acme"]);
    assert!(
        found.code(2).contains("acme/policies/payments.yaml"),
        "{found}"
    );
    assert!(found.stderr.contains("E-YAML-011"), "{found}");
    assert_eq!(env.read("acme/policies/broken.yaml"), "a:   ~\n");
    std::os::unix::fs::symlink("payments.yaml", env.work().join("link.yaml")).unwrap();
    env.ordain(["policy", "fmt", "link.yaml"]).code(2);
    env.ordain(["policy", "fmt", "home"]).code(2);
}

fn formatted(text: &str) -> String {
    yaml::format("a.yaml", text.as_bytes(), 1 << 20).unwrap()
}

#[test]
fn the_examples_come_to_rest() {
    for text in [TEAM, super::ORG, super::PACK, super::TESTS, UNTIDY] {
        let once = formatted(text);
        assert_eq!(formatted(&once), once);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any policy, as JSON that YAML holds: it is formatted to the same document, and only once.
    #[test]
    fn formatting_keeps_the_meaning_and_happens_once(policies in policies(&["any"])) {
        for policy in policies.values() {
            for text in [policy.to_string(), serde_json::to_string_pretty(policy).unwrap()] {
                let once = formatted(&text);
                let read = |text: &str| yaml::read("a.yaml", text.as_bytes(), 1 << 20).unwrap().value;
                prop_assert_eq!(read(&once), policy.clone());
                prop_assert_eq!(formatted(&once), once);
            }
        }
    }
}
