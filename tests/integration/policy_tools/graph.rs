//! `policy graph`.

use super::{TEAM, bundle, two_bundles};
use crate::support::TestEnv;

#[test]
fn the_tree_in_every_format() {
    let env = bundle();
    let draw = |format: &str| env.ordain(["policy", "graph", "acme", "--format", format]);
    let text = draw("text");
    text.success();
    insta::assert_snapshot!(text);
    let dot = draw("dot");
    dot.success();
    insta::assert_snapshot!(dot);
    let svg = draw("svg");
    svg.success();
    insta::assert_snapshot!(svg);
}

#[test]
fn one_scope_and_what_takes_part_in_it() {
    let env = bundle();
    let other = "apiVersion: ordain/v1\nkind: Policy\nscope: acme/research/lab\n";
    env.write("acme/policies/lab.yaml", other);
    let whole = env.ordain(["policy", "graph", "acme"]);
    assert!(
        whole
            .success()
            .contains("  acme/research\n      no bundle defines it\n    acme/research/lab"),
        "{whole}"
    );
    let one = env.ordain(["policy", "graph", "acme", "--scope", "acme/payments"]);
    assert!(!one.success().contains("research"), "{one}");
    assert!(one.stdout.contains("acme/baseline"), "{one}");
}

#[test]
fn a_lapsed_waiver_is_shown_as_one() {
    let mut env = bundle();
    env.set("ORDAIN_NOW", "2028-01-01T00:00:00Z");
    let found = env.ordain(["policy", "graph", "acme"]);
    assert!(
        found.success().contains("lapsed acme#no-restore"),
        "{found}"
    );
}

#[test]
fn what_an_override_changes_is_told() {
    let env = bundle();
    let drawn = |change: &str| {
        let text = TEAM.split("overrides:").next().unwrap();
        env.write(
            "acme/policies/payments.yaml",
            format!("{text}overrides:\n- {{rule: acme#no-restore, reason: x, {change}}}\n"),
        );
        let drawn = env.ordain(["policy", "graph", "acme", "--scope", "acme/payments"]);
        let line = drawn.success().lines().last().unwrap();
        line.trim_start().to_owned()
    };
    for (change, line) in [
        ("effect: audit", "waiver acme#no-restore to audit"),
        ("disable: true", "waiver acme#no-restore disabled"),
        ("mode: warn", "waiver acme#no-restore in mode warn"),
        (
            "effect: allow, mode: warn, precedence: 7, expires: 2027-06-30T00:00:00Z",
            "waiver acme#no-restore to allow in mode warn at precedence 7 until 2027-06-30T00:00:00Z",
        ),
        ("owner: dana", "override acme#no-restore"),
    ] {
        assert_eq!(drawn(change), line, "{change}");
    }
}

#[test]
fn bundles_are_given_or_configured() {
    let env = two_bundles();
    env.ordain(["policy", "graph", "team"]).code(2);
    let both = env.ordain(["policy", "graph", "team", "--with", "org"]);
    assert!(
        both.success().contains("bundle org\n  acme/baseline"),
        "{both}"
    );
    env.ordain(["policy", "graph", "--with", "org"]).code(2);
    let consumer = TestEnv::new();
    consumer.clone_of_checkout("ordain");
    let configured = consumer.ordain_in("ordain", ["policy", "graph"]);
    assert!(
        configured.success().contains("acme/platform/payments"),
        "{configured}"
    );
}
