//! Two packs override one rule, and neither is above the other.

use ordain::engine::{Engine, Outcome};
use ordain::policy::Effect;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngAlgorithm;
use serde_json::{Value, json};

use super::support::naive::Policies;
use super::support::policies::{NOW, many_bundles, policy, request, resolve};

fn severity(effect: Effect) -> usize {
    match Outcome::from(effect) {
        Outcome::Allowed => 0,
        Outcome::Pending => 1,
        Outcome::Denied => 2,
    }
}

/// How strict the answers to Sam and to others are: what binds, and what would if everything did.
fn answers(policies: &Policies, packs: &[&str]) -> Vec<[usize; 2]> {
    let mut policies = policies.clone();
    let (scope, root) = policy("acme", json!({"extends": packs}));
    policies.insert(scope, root);
    let engine = Engine::new(resolve(&many_bundles(&policies), "acme", None).unwrap());
    let answer = |subject: &str| {
        let request = request(&json!({
            "subject": {"type": "user", "id": subject},
            "action": {"name": "x"},
            "resource": {"type": "stack", "id": "a"},
        }));
        let verdict = engine.evaluate(&request, NOW.parse().unwrap());
        [verdict.effect(), verdict.would().effect].map(severity)
    };
    ["sam", "kim", "lou"].map(answer).into()
}

fn pack(scope: &str, change: Option<&Value>) -> (String, Value) {
    let overrides: Vec<&Value> = change.into_iter().collect();
    policy(scope, json!({"extends": ["base"], "overrides": overrides}))
}

/// Whether what stands is looser, for some request, than each of the overrides alone.
fn is_looser(rules: &Value, first: &Value, second: &Value) -> bool {
    let policies = Policies::from([
        policy("base", json!({"rules": rules})),
        pack("p/a", Some(first)),
        pack("p/b", Some(second)),
    ]);
    let [both, first, second] =
        [&["p/a", "p/b"][..], &["p/a"], &["p/b"]].map(|packs| answers(&policies, packs));
    let alone = first.iter().zip(&second);
    both.iter().zip(alone).any(|(both, (first, second))| {
        both.iter()
            .zip(first.iter().zip(second))
            .any(|(both, (first, second))| both < first.min(second))
    })
}

fn change(parts: Value) -> Value {
    let mut change = json!({"rule": "base#r", "reason": "agreed"});
    let parts = parts.as_object().unwrap().clone();
    change.as_object_mut().unwrap().extend(parts);
    change
}

/// One lets it bind where it stands, behind a deny; the other moves it in front of that, where it does not bind.
#[test]
fn the_mode_of_one_and_the_place_of_the_other_do_not_meet() {
    let rules = json!([
        {"id": "r", "effect": "require_approval", "reason": "R", "override": "any", "match": {}},
        {"id": "never", "effect": "deny", "reason": "R", "precedence": 50, "match": {}},
    ]);
    let stays = change(json!({"effect": "require_approval"}));
    let moves = change(json!({"precedence": 100, "mode": "warn"}));
    assert!(!is_looser(&rules, &stays, &moves));
    assert!(!is_looser(&rules, &moves, &stays));
}

/// One of four places, so that rules meet.
fn place() -> impl Strategy<Value = i64> {
    select(vec![-10_i64, 0, 10, 20])
}

fn effect() -> impl Strategy<Value = &'static str> {
    select(vec!["allow", "audit", "require_approval", "deny"])
}

fn mode() -> impl Strategy<Value = &'static str> {
    select(vec!["enforce", "enforce", "warn"])
}

fn rule(id: &'static str) -> impl Strategy<Value = Value> {
    let subjects = select(vec![
        json!({}),
        json!({"subject": "sam"}),
        json!({"subject": ["sam", "kim"]}),
    ]);
    (effect(), mode(), place(), subjects).prop_map(move |(effect, mode, place, subjects)| {
        json!({
            "id": id, "effect": effect, "reason": "R", "override": "any",
            "mode": mode, "precedence": place, "match": subjects,
        })
    })
}

fn some_change() -> impl Strategy<Value = Value> {
    let parts = (
        prop::option::of(effect()),
        prop::option::of(mode()),
        prop::option::of(place()),
        prop::bool::weighted(0.2),
    );
    parts.prop_map(|(effect, mode, place, off)| {
        let mut parts = json!({});
        if off {
            return change(json!({"disable": true}));
        }
        for (name, value) in [
            ("effect", effect.map(Value::from)),
            ("mode", mode.map(Value::from)),
            ("precedence", place.map(Value::from)),
        ] {
            if let Some(value) = value {
                parts[name] = value;
            }
        }
        change(parts)
    })
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        rng_algorithm: RngAlgorithm::XorShift,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_stands_is_never_looser_than_each_alone(
        rules in (rule("r"), rule("s"), rule("t"), rule("u")),
        first in some_change(),
        second in some_change(),
    ) {
        let rules = json!([rules.0, rules.1, rules.2, rules.3]);
        prop_assert!(!is_looser(&rules, &first, &second), "{} {} {}", rules, first, second);
    }
}
