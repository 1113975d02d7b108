//! What holds of every catalogue.

use ordain::policy::{Effect, Risk};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

use super::{RISKS, asks, catalog, decide, effective};
use crate::support::policies::policy;

const CAPABILITIES: [&str; 3] = ["a", "b", "c"];

pub(super) fn risk() -> impl Strategy<Value = &'static str> {
    select(RISKS.to_vec())
}

pub(super) fn requires() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(CAPABILITIES.to_vec(), 0..=2)
}

/// What the caller holds.
pub(super) fn held() -> impl Strategy<Value = Vec<&'static str>> {
    subsequence(CAPABILITIES.to_vec(), 0..=3)
}

/// What a variant may ask; some of it fails on values of another type.
fn condition() -> impl Strategy<Value = Value> {
    select(vec![
        json!({"action.properties.args.x": "s*"}),
        json!({"action.properties.args.x": "safe"}),
        json!({"action.properties.args.x": {"gt": 1}}),
        json!({"action.properties.args.y": true}),
        json!({"not": {"action.properties.args.y": true}}),
        json!({}),
    ])
}

pub(super) fn variants() -> impl Strategy<Value = Vec<Value>> {
    let one = (condition(), risk(), requires())
        .prop_map(|(condition, risk, requires)| json!({"match": condition, "risk": risk, "requires": requires}));
    prop::collection::vec(one, 0..3)
}

pub(super) fn patterns() -> impl Strategy<Value = Vec<Value>> {
    let all = vec!["danger", "safe", "^s"];
    let pattern = |regex: &str| json!({"id": regex.trim_start_matches('^'), "regex": regex});
    subsequence(all, 0..3).prop_map(move |regexes| regexes.into_iter().map(pattern).collect())
}

pub(super) fn table() -> impl Strategy<Value = Value> {
    select(vec![
        json!({}),
        json!({"medium": {"ordinary": "require_approval", "dangerous": "deny"}}),
        json!({"low": {"dangerous": "deny"}}),
        json!({"critical": {"ordinary": "deny"}}),
    ])
}

/// Values that conditions judge, and some that they cannot.
pub(super) fn properties() -> impl Strategy<Value = Value> {
    let value = || {
        select(vec![
            json!("safe"),
            json!("some danger"),
            json!(["safe"]),
            json!({"z": "danger"}),
            json!(3),
            json!(true),
            Value::Null,
        ])
    };
    (value(), value()).prop_map(|(x, y)| json!({"args": {"x": x, "y": y}}))
}

/// How strict an answer is: what happens, and whether it is marked.
fn strictness(effect: Effect, audited: bool) -> (u8, bool) {
    let stops = match effect {
        Effect::Allow | Effect::Audit => 0,
        Effect::RequireApproval => 1,
        Effect::Deny => 2,
    };
    (stops, stops > 0 || audited)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn another_pattern_or_requirement_or_risk_never_weakens_an_answer(
        (own, requires, more) in (risk(), requires(), requires()),
        (variants, patterns, table) in (variants(), patterns(), table()),
        (held, properties) in (held(), properties()),
        default in select(vec!["abstain", "allow", "audit", "require_approval"]),
    ) {
        let operation = |risk: &str, requires: &[&str]| {
            json!({"action": "x", "risk": risk, "requires": requires, "variants": variants})
        };
        let (_, beside) = policy("acme", json!({"default": default}));
        let judged = |operation: Value, patterns: &[Value]| {
            let fields = json!({"operations": [operation], "patterns": patterns, "table": table});
            let policy = effective("acme", &[&beside.to_string(), &catalog("acme", fields)]).unwrap();
            let decision = decide(&policy, &asks(&json!(held), "x", &properties));
            // One rule about risk matches, whatever was asked.
            let risks = decision.matched().filter(|hit| !hit.rule.to_string().contains(".missing"));
            assert_eq!(risks.count(), 1);
            assert!(decision.risk().is_some());
            decision
        };
        let before = judged(operation(own, &requires), &patterns);
        let strict = strictness(before.effect, before.is_audited());
        let mut added = patterns.clone();
        added.push(json!({"id": "more", "regex": "s|3"}));
        let both = [&requires[..], &more].concat();
        let riskier = RISKS.iter().skip_while(|risk| **risk != own);
        let mut after = vec![
            judged(operation(own, &requires), &added),
            judged(operation(own, &both), &patterns),
        ];
        after.extend(riskier.map(|risk| judged(operation(risk, &requires), &patterns)));
        for after in after {
            prop_assert!(strictness(after.effect, after.is_audited()) >= strict, "{before:#?}\n{after:#?}");
        }
    }

    #[test]
    fn the_risk_of_a_decision_is_the_greatest_of_its_catalogues(above in risk(), below in risk(), own in risk(), properties in properties(), condition in condition()) {
        let one = |scope: &str, risk: &str| {
            catalog(scope, json!({"operations": [{"action": "x", "risk": risk, "variants": [{"match": condition, "risk": own}]}]}))
        };
        let request = asks(&json!([]), "x", &properties);
        let risk = |scope: &str, texts: &[&str]| -> Option<Risk> {
            decide(&effective(scope, texts).unwrap(), &request).risk()
        };
        let (upper, lower) = (one("acme", above), one("acme/team", below));
        let alone = risk("acme", &[&upper]).max(risk("acme", &[&one("acme", below)]));
        prop_assert_eq!(risk("acme/team", &[&upper, &lower]), alone);
    }
}
