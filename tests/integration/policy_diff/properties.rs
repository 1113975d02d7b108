//! What a diff promises, on random policies and random edits of them.

use jiff::Timestamp;
use ordain::engine::{Decision, Engine, Occasion, Outcome};
use ordain::resolve::LoadedBundle;
use ordain::resolve::diff::{Direction, diff};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use crate::support::naive::Policies;
use crate::support::policies::{NOW, bundle, request, resolve};
use crate::support::random::{ANY, policies, requests};

pub(super) const SCOPES: [&str; 3] = ["acme", "acme/a", "acme/a/b"];
/// What an edit takes over from another organisation.
const FIELDS: [&str; 7] = [
    "default",
    "mode",
    "min_mode",
    "extends",
    "overrides",
    "waivers",
    "rules",
];
const RULE_FIELDS: [&str; 8] = [
    "effect",
    "match",
    "when",
    "valid",
    "precedence",
    "mode",
    "override",
    "reason",
];

pub(super) fn now() -> Timestamp {
    NOW.parse().unwrap()
}

/// One edit: which scope, field, rule and field of the rule, and whether a rule goes or comes as a whole.
pub(super) type Edit = (Index, Index, Index, Index, u8);

fn take(to: &mut Value, from: &Value, field: &str) {
    match from.get(field) {
        Some(value) => to[field] = value.clone(),
        None => {
            to.as_object_mut().unwrap().remove(field);
        }
    }
}

pub(super) fn edit(
    policies: &mut Policies,
    other: &Policies,
    (scope, field, rule, part, how): &Edit,
) {
    let scopes: Vec<String> = policies.keys().cloned().collect();
    let scope = scope.get(&scopes);
    let Some(other) = other.get(scope) else {
        policies.remove(scope);
        return;
    };
    let policy = policies.get_mut(scope).unwrap();
    if *how < 3 {
        take(policy, other, field.get::<&str>(&FIELDS));
        return;
    }
    let rules = policy["rules"].as_array_mut().unwrap();
    let news = other["rules"].as_array().unwrap();
    match how {
        4 if !rules.is_empty() => {
            rules.remove(rule.index(rules.len()));
        }
        5 if !news.is_empty() => {
            let mut new = rule.get(news).clone();
            new["id"] = "fresh".into();
            rules.retain(|rule| rule["id"] != "fresh");
            rules.push(new);
        }
        _ if !rules.is_empty() && !news.is_empty() => {
            let at = rule.index(rules.len());
            take(
                &mut rules[at],
                rule.get(news),
                part.get::<&str>(&RULE_FIELDS),
            );
        }
        _ => {}
    }
}

pub(super) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let one = (
        any::<Index>(),
        any::<Index>(),
        any::<Index>(),
        any::<Index>(),
        0_u8..10,
    );
    prop::collection::vec(one, 1..4)
}

/// One bundle of all the policies, unless an edit made a file that is not valid.
pub(super) fn loaded(policies: &Policies) -> Option<[LoadedBundle; 1]> {
    let text = |(scope, policy): (&String, &Value)| {
        (
            format!("{}.yaml", scope.replace('/', "-")),
            policy.to_string(),
        )
    };
    let texts: Vec<(String, String)> = policies.iter().map(text).collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    bundle("all", &texts).ok().map(|bundle| [bundle])
}

fn severity(decision: &Decision) -> usize {
    match decision.outcome {
        Outcome::Allowed => 0,
        Outcome::Pending => 1,
        Outcome::Denied => 2,
    }
}

/// What a run has seen, so that it cannot pass by trying nothing.
#[derive(Debug, Default)]
struct Seen {
    equal: usize,
    tightened: usize,
    stricter: usize,
    loosened: usize,
    weaker: usize,
}

fn hold(
    before: &Policies,
    after: &Policies,
    asked: &[Value],
    seen: &mut Seen,
) -> Result<(), TestCaseError> {
    let (Some(before), Some(after)) = (loaded(before), loaded(after)) else {
        return Ok(());
    };
    for scope in SCOPES {
        let (old, new) = (resolve(&before, scope, None), resolve(&after, scope, None));
        let (Ok(old), Ok(new)) = (old, new) else {
            continue;
        };
        let found = diff(&before, &after, Some(&scope.parse().unwrap()), now());
        let found = found.expect("both sides resolve");
        if old.digest() != new.digest() {
            prop_assert!(
                !found.changes.is_empty(),
                "{} differs, and nothing is told",
                scope
            );
        }
        if found.changes.is_empty() {
            seen.equal += 1;
            prop_assert_eq!(old.digest(), new.digest());
        }
        let (old, new) = (Engine::new(old), Engine::new(new));
        let worst = found.changes.iter().map(|change| change.direction).max();
        let loosens = worst.is_some_and(|worst| worst >= Direction::MayLoosen);
        for value in asked {
            let request = request(value);
            let decide = |engine: &Engine| {
                let verdict = engine.evaluate(&request, now());
                Decision::new(engine, verdict, Occasion::rehearsal(&request, now()))
            };
            let (was, is) = (decide(&old), decide(&new));
            let failed = |decision: &Decision| decision.matched().any(|hit| hit.failed);
            if failed(&was) || failed(&is) {
                continue;
            }
            let (was, is) = (severity(&was), severity(&is));
            if loosens {
                seen.loosened += 1;
                seen.weaker += usize::from(is < was);
            } else {
                seen.tightened += 1;
                seen.stricter += usize::from(is > was);
                prop_assert!(
                    is >= was,
                    "{scope} {value} gets weaker, and the diff says\n{}",
                    serde_json::to_string_pretty(&found).unwrap()
                );
            }
        }
    }
    Ok(())
}

#[test]
fn what_loosens_is_told_and_what_differs_is_told() {
    let config = ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[7; 16]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let seen = std::cell::RefCell::new(Seen::default());
    let all = (
        policies(ANY),
        policies(ANY),
        edits(),
        prop::collection::vec(requests(), 12),
    );
    runner
        .run(&all, |(before, other, edits, asked)| {
            let mut after = before.clone();
            for one in &edits {
                edit(&mut after, &other, one);
            }
            hold(&before, &after, &asked, &mut seen.borrow_mut())
        })
        .unwrap();
    let seen = seen.into_inner();
    assert!(seen.equal > 200, "{seen:?}");
    assert!(seen.tightened > 1_000 && seen.stricter > 20, "{seen:?}");
    assert!(seen.loosened > 1_000 && seen.weaker > 100, "{seen:?}");
}
