//! What `policy impact` says of requests of which only names are on record is never wrong: on random policies, edits and requests.

use std::cell::RefCell;

use ordain::engine::impact::{Comparison, Impact, Names, OnRecord};
use ordain::engine::{Decision, Engine, Occasion};
use ordain::name::RuleRef;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;

use super::properties::{SCOPES, edit, edits, loaded, now};
use crate::support::naive::Policies;
use crate::support::policies::{request, resolve};
use crate::support::random::{ANY, policies, requests};

#[derive(Debug, Default)]
struct Seen {
    same: usize,
    known: usize,
    flipped: usize,
    open: usize,
    too_many: usize,
}

fn hold(
    before: &Policies,
    after: &Policies,
    asked: &[Value],
    seen: &mut [Seen; 3],
) -> Result<(), TestCaseError> {
    let (Some(before), Some(after)) = (loaded(before), loaded(after)) else {
        return Ok(());
    };
    for scope in SCOPES {
        let (old, new) = (resolve(&before, scope, None), resolve(&after, scope, None));
        let (Ok(old), Ok(new)) = (old, new) else {
            continue;
        };
        let engines = [Engine::new(old), Engine::new(new)];
        let [old, new] = engines.clone();
        let comparison = Comparison::new(old, new);
        for value in asked {
            let request = request(value);
            let decided = engines.each_ref().map(|engine| {
                let verdict = engine.evaluate(&request, now());
                Decision::new(engine, verdict, Occasion::rehearsal(&request, now()))
            });
            let at = |pointer: &str| {
                let found = request.attributes().pointer(pointer);
                found.cloned().unwrap_or_default()
            };
            let names = Names::new(
                (at("/subject/type"), at("/subject/id")),
                at("/action/name"),
                (at("/resource/type"), at("/resource/id")),
            );
            // A record of nobody's policy, of the first side's and of the second's.
            for (number, side) in [None, Some(0), Some(1)].into_iter().enumerate() {
                let decision = side.map(|side: usize| &decided[side]);
                let matched: Vec<(RuleRef, bool)> = decision
                    .into_iter()
                    .flat_map(ordain::engine::Decision::matched)
                    .map(|hit| (hit.rule.clone(), hit.failed))
                    .collect();
                let record = OnRecord {
                    policy: decision.and_then(|decision| decision.policy_digest()),
                    matched: &matched,
                };
                let (was, is) = (decided[0].effect, decided[1].effect);
                let seen = &mut seen[number];
                match comparison.named(&names, now(), record) {
                    Impact::Same => {
                        seen.same += 1;
                        prop_assert_eq!(was, is, "{} {} is not the same", scope, value);
                    }
                    Impact::Known { before, after } => {
                        seen.known += 1;
                        seen.flipped += usize::from(before.effect != after.effect);
                        prop_assert_eq!(
                            (was, is),
                            (before.effect, after.effect),
                            "{} {}",
                            scope,
                            value
                        );
                    }
                    Impact::Open(pairs) => {
                        seen.open += 1;
                        seen.too_many += usize::from(pairs.is_empty());
                        prop_assert!(
                            pairs.is_empty() || pairs.contains(&(was, is)),
                            "{} {} is {:?}, not among {:?}",
                            scope,
                            value,
                            (was, is),
                            pairs
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_said_of_names_holds_for_every_request_of_these_names() {
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::XorShift, &[9; 16]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let seen = RefCell::new(<[Seen; 3]>::default());
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
    let [without, first, second] = seen.into_inner();
    // What is on record makes the answer certain far more often, and nothing is certain that is not.
    assert!(without.open > 500 && without.same > 1_000, "{without:?}");
    assert!(
        first.known > without.known && first.open < without.open,
        "{first:?} {without:?}"
    );
    assert!(
        first.flipped > 50 && second.flipped > 50,
        "{first:?} {second:?}"
    );
}
