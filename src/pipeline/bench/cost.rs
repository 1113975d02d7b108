//! What each rule costs, told apart from outside: the rules that the engine judges are judged once more, each by itself.
//!
//! 1. Requests are taken in an order that spreads over all of them, until the time is up.
//! 2. The rules in force that the engine's index leaves for a request are judged in evaluation order with facts of their own,
//!    [`PASSES`] times, and the best of each counts, since an interruption of the program is no rule's cost. What the clock
//!    costs is taken off.
//! 3. The conditions of the dearest rules are judged one by one in the same way.
//!
//! What several rules share is counted on the first that asks: the request as conditions see it, or a command line that is
//! read once. It lacks what no rule costs: looking the request up, and making the decision.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::rounded;
use crate::clock::Stopwatch;
use crate::engine::Engine;
use crate::engine::request::Request;
use crate::name::RuleRef;
use crate::policy::{Facts, Match, Part};
use crate::resolve::{EffectiveRule, Source};

/// How often a request's rules are judged.
const PASSES: usize = 3;
/// The most rules that are told of.
const MAX_TOLD: usize = 1_000;
/// The rules whose conditions are judged one by one.
const MAX_PARTED: usize = 10;

/// What the rules cost.
#[derive(Debug, Serialize)]
pub struct Costs {
    /// How many requests the rules were judged for.
    pub requests: usize,
    /// How many rules are judged for one request, on the average.
    pub candidates_per_request: f64,
    /// How many rules were judged at all.
    pub rules_tried: usize,
    /// The dearest rules first, a thousand at most.
    pub rules: Vec<RuleCost>,
}

/// What one rule costs.
#[derive(Debug, Serialize)]
pub struct RuleCost {
    /// The rule.
    pub rule: RuleRef,
    /// Where it was written.
    pub source: Option<Source>,
    /// Its part of the time that all judgements took, in percent.
    pub share_percent: f64,
    /// How long one judgement takes on the average, in nanoseconds.
    pub mean_ns: f64,
    /// For how many requests it was judged.
    pub tried: u64,
    /// For how many it matched.
    pub matched: u64,
    /// For how many a condition could not be judged.
    pub failed: u64,
    /// Its conditions, where it is among the dearest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<PartCost>,
}

/// What one condition of a rule costs.
#[derive(Debug, Serialize)]
pub struct PartCost {
    /// Its key: a path of the request, `any`, `all`, `not` or `when`.
    pub key: String,
    /// What is wanted, as written.
    pub wanted: String,
    /// How long one judgement takes on the average, in nanoseconds, other conditions aside.
    pub mean_ns: f64,
}

/// What was counted of one rule.
#[derive(Debug, Clone, Copy, Default)]
struct Count {
    ns: f64,
    tried: u64,
    matched: u64,
    failed: u64,
}

pub(super) fn measure(
    engine: &Engine,
    requests: &[Request],
    now: Timestamp,
    timer: f64,
    time: Duration,
) -> Costs {
    let layers = engine.policy().layers().iter();
    let bench = Bench {
        engine,
        rules: layers.flat_map(|layer| &layer.rules).collect(),
        now,
        timer,
    };
    let order: Vec<&Request> = spread_out(requests.len())
        .filter_map(|index| requests.get(index))
        .collect();
    let mut counts = vec![Count::default(); bench.rules.len()];
    let whole = Stopwatch::start();
    let mut judged = 0;
    for request in &order {
        if judged > 0 && whole.elapsed() > time * 2 / 3 {
            break;
        }
        bench.judge(request, &mut counts);
        judged += 1;
    }
    let seen = order.get(..judged).unwrap_or_default();
    let dearest = bench.dearest(&counts);
    let mut rules = bench.told(&dearest, &counts);
    for (cost, number) in rules.iter_mut().zip(dearest).take(MAX_PARTED) {
        let left = time.saturating_sub(whole.elapsed()) / 4;
        cost.conditions = bench.part(number, seen, left);
    }
    let tried: u64 = counts.iter().map(|count| count.tried).sum();
    Costs {
        requests: judged,
        candidates_per_request: rounded(ratio(tried, judged as u64)),
        rules_tried: counts.iter().filter(|count| count.tried > 0).count(),
        rules,
    }
}

/// What every judgement needs.
struct Bench<'a> {
    engine: &'a Engine,
    /// Those of all layers, in evaluation order.
    rules: Vec<&'a EffectiveRule>,
    now: Timestamp,
    timer: f64,
}

impl<'a> Bench<'a> {
    /// The facts as the engine has them.
    fn facts<'r>(&self, request: &'r Request) -> Facts<'r> {
        let risk = self.engine.evaluate(request, self.now).risk();
        Facts::new(request.attributes(), self.now).with_risk(risk)
    }

    /// The rules that the engine judges for `request`, with their numbers.
    fn candidates(&self, request: &Request) -> Vec<(usize, &'a EffectiveRule)> {
        let numbers = self.engine.candidates(request, self.now).into_iter();
        let rules = numbers.filter_map(|number| Some((number, *self.rules.get(number)?)));
        rules.filter(|(_, rule)| rule.is_live(self.now)).collect()
    }

    /// Judges the candidates of `request`, each by itself.
    fn judge(&self, request: &Request, counts: &mut [Count]) {
        let candidates = self.candidates(request);
        let mut best = vec![(f64::INFINITY, Match::No); candidates.len()];
        for _ in 0..PASSES {
            let facts = self.facts(request);
            for ((_, rule), best) in candidates.iter().zip(&mut best) {
                let watch = Stopwatch::start();
                let answer = std::hint::black_box(rule.written.matches(&facts));
                let ns = self.since(watch);
                *best = (best.0.min(ns), answer);
            }
        }
        for ((number, _), (ns, answer)) in candidates.iter().zip(best) {
            let Some(count) = counts.get_mut(*number) else {
                continue;
            };
            count.ns += ns;
            count.tried += 1;
            count.matched += u64::from(answer == Match::Yes);
            count.failed += u64::from(answer == Match::Failed);
        }
    }

    /// Judges the conditions of one rule one by one, for those of `requests` that it is a candidate for.
    fn part(&self, number: usize, requests: &[&Request], time: Duration) -> Vec<PartCost> {
        let Some(rule) = self.rules.get(number) else {
            return Vec::new();
        };
        let parts: Vec<Part<'_>> = rule.written.parts().collect();
        let mut sums = vec![0.0; parts.len()];
        let mut judged = 0_u64;
        let whole = Stopwatch::start();
        for request in requests {
            if judged > 0 && whole.elapsed() > time {
                break;
            }
            if !self.engine.candidates(request, self.now).contains(&number) {
                continue;
            }
            judged += 1;
            let mut best = vec![f64::INFINITY; parts.len()];
            for _ in 0..PASSES {
                let facts = self.facts(request);
                for (part, best) in parts.iter().zip(&mut best) {
                    let watch = Stopwatch::start();
                    std::hint::black_box(part.judge(&facts));
                    *best = self.since(watch).min(*best);
                }
            }
            for (sum, best) in sums.iter_mut().zip(best) {
                *sum += best;
            }
        }
        let cost = |(part, sum): (&Part<'_>, f64)| PartCost {
            key: part.key().to_owned(),
            wanted: part.wanted(),
            mean_ns: rounded(sum / judged.max(1) as f64),
        };
        parts.iter().zip(sums).map(cost).collect()
    }

    /// Nanoseconds since then, without what the clock costs.
    fn since(&self, watch: Stopwatch) -> f64 {
        (watch.elapsed().as_secs_f64() * 1e9 - self.timer).max(0.0)
    }

    /// The rules that were judged, the dearest first; of equals, the first in evaluation order.
    fn dearest(&self, counts: &[Count]) -> Vec<usize> {
        let tried = counts.iter().enumerate();
        let mut tried: Vec<(usize, f64)> = tried
            .filter(|(_, count)| count.tried > 0)
            .map(|(number, count)| (number, count.ns))
            .collect();
        tried.sort_by(|(_, left), (_, right)| right.total_cmp(left));
        let numbers = tried.into_iter().map(|(number, _)| number);
        numbers.take(MAX_TOLD).collect()
    }

    fn told(&self, dearest: &[usize], counts: &[Count]) -> Vec<RuleCost> {
        let whole: f64 = counts.iter().map(|count| count.ns).sum();
        let rules = dearest
            .iter()
            .filter_map(|number| Some((*self.rules.get(*number)?, *counts.get(*number)?)));
        let cost = |(rule, count): (&EffectiveRule, Count)| RuleCost {
            rule: rule.written.name.clone(),
            source: rule.source.clone(),
            share_percent: rounded(100.0 * count.ns / whole.max(f64::MIN_POSITIVE)),
            mean_ns: rounded(count.ns / count.tried.max(1) as f64),
            tried: count.tried,
            matched: count.matched,
            failed: count.failed,
            conditions: Vec::new(),
        };
        rules.map(cost).collect()
    }
}

/// Every index below `count` once, neighbours far apart.
fn spread_out(count: usize) -> impl Iterator<Item = usize> {
    let coprime = |step: &usize| greatest_common_divisor(*step, count) == 1;
    // The golden section spreads best; one of the next is coprime.
    let step = (count * 618 / 1000 + 1..).find(coprime).unwrap_or(1);
    (0..count).map(move |number| number * step % count)
}

fn greatest_common_divisor(a: usize, b: usize) -> usize {
    if b == 0 {
        a
    } else {
        greatest_common_divisor(b, a % b)
    }
}

fn ratio(a: u64, b: u64) -> f64 {
    a as f64 / b.max(1) as f64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_request_has_its_turn_once() {
        for count in 0..200 {
            let order: Vec<usize> = spread_out(count).collect();
            let distinct: BTreeSet<usize> = order.iter().copied().collect();
            assert_eq!((order.len(), distinct.len()), (count, count), "{count}");
        }
        let first: Vec<usize> = spread_out(1000).take(4).collect();
        assert!(first.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 100));
    }
}
