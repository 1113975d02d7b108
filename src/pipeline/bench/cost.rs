//! What each rule costs, told apart from outside: every rule that may match is judged by itself, as the engine judges it.
//!
//! 1. Requests are taken in an order that spreads over all of them, until the time is up.
//! 2. The rules that may match a request are those in force that list its action, or no action. They are judged in evaluation
//!    order with facts of their own, [`PASSES`] times, and the best of each counts, since an interruption of the program
//!    is no rule's cost. What the clock costs is taken off.
//! 3. The conditions of the dearest rules are judged one by one in the same way.
//!
//! What several rules share is counted on the first that asks: the request as conditions see it, or a command line that is
//! read once. The engine's index spares most of these judgements where it can; so a share says which rule to look at, and
//! not how long a request takes.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

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
    /// How many rules may match one request, on the average.
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
    let candidates = Candidates::of(engine, now);
    let bench = Bench {
        engine,
        candidates: &candidates,
        now,
        timer,
    };
    let order: Vec<&Request> = spread_out(requests.len())
        .filter_map(|index| requests.get(index))
        .collect();
    let mut counts = vec![Count::default(); candidates.rules.len()];
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
    let mut rules = candidates.told(&counts);
    for cost in rules.iter_mut().take(MAX_PARTED) {
        let rule = candidates.by_name(&cost.rule);
        let left = time.saturating_sub(whole.elapsed()) / 4;
        cost.conditions = rule.map_or_else(Vec::new, |rule| bench.part(rule, seen, left));
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
    candidates: &'a Candidates<'a>,
    now: Timestamp,
    timer: f64,
}

impl Bench<'_> {
    /// The facts as the engine has them.
    fn facts<'r>(&self, request: &'r Request) -> Facts<'r> {
        let risk = self.engine.evaluate(request, self.now).risk();
        Facts::new(request.attributes(), self.now).with_risk(risk)
    }

    /// Judges the rules that may match `request`, each by itself.
    fn judge(&self, request: &Request, counts: &mut [Count]) {
        let candidates = self.candidates.for_request(request);
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
        for ((index, _), (ns, answer)) in candidates.iter().zip(best) {
            let Some(count) = counts.get_mut(*index) else {
                continue;
            };
            count.ns += ns;
            count.tried += 1;
            count.matched += u64::from(answer == Match::Yes);
            count.failed += u64::from(answer == Match::Failed);
        }
    }

    /// Judges the conditions of one rule one by one, for those of `requests` that it may match.
    fn part(&self, rule: &EffectiveRule, requests: &[&Request], time: Duration) -> Vec<PartCost> {
        let parts: Vec<Part<'_>> = rule.written.parts().collect();
        let mut sums = vec![0.0; parts.len()];
        let mut judged = 0_u64;
        let whole = Stopwatch::start();
        for request in requests {
            if judged > 0 && whole.elapsed() > time {
                break;
            }
            if !may_match(rule, request) {
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
}

/// The rules in force of all layers, in evaluation order, by the actions that they list.
struct Candidates<'a> {
    rules: Vec<&'a EffectiveRule>,
    listed: HashMap<&'a str, Vec<usize>>,
    unlisted: Vec<usize>,
}

impl<'a> Candidates<'a> {
    fn of(engine: &'a Engine, now: Timestamp) -> Self {
        let layers = engine.policy().layers().iter();
        let rules = layers.flat_map(|layer| &layer.rules);
        let mut found = Self {
            rules: rules.filter(|rule| rule.is_live(now)).collect(),
            listed: HashMap::new(),
            unlisted: Vec::new(),
        };
        for (index, rule) in found.rules.iter().enumerate() {
            let Some(mut actions) = rule.written.matcher.actions() else {
                found.unlisted.push(index);
                continue;
            };
            actions.sort_unstable();
            actions.dedup();
            for action in actions {
                found.listed.entry(action).or_default().push(index);
            }
        }
        found
    }

    fn for_request(&self, request: &Request) -> Vec<(usize, &'a EffectiveRule)> {
        let listed = action(request).and_then(|action| self.listed.get(action));
        let mut indexes: Vec<usize> = listed.into_iter().flatten().copied().collect();
        indexes.extend_from_slice(&self.unlisted);
        indexes.sort_unstable();
        let rule = |index| self.rules.get(index).map(|rule| (index, *rule));
        indexes.into_iter().filter_map(rule).collect()
    }

    fn by_name(&self, name: &RuleRef) -> Option<&'a EffectiveRule> {
        let found = self.rules.iter().find(|rule| rule.written.name == *name);
        found.copied()
    }

    /// The dearest first; of equals, the first in evaluation order.
    fn told(&self, counts: &[Count]) -> Vec<RuleCost> {
        let whole: f64 = counts.iter().map(|count| count.ns).sum();
        let tried = self.rules.iter().zip(counts);
        let mut tried: Vec<(&&EffectiveRule, &Count)> =
            tried.filter(|(_, count)| count.tried > 0).collect();
        tried.sort_by(|(_, left), (_, right)| right.ns.total_cmp(&left.ns));
        let cost = |(rule, count): (&&EffectiveRule, &Count)| RuleCost {
            rule: rule.written.name.clone(),
            source: rule.source.clone(),
            share_percent: rounded(100.0 * count.ns / whole.max(f64::MIN_POSITIVE)),
            mean_ns: rounded(count.ns / count.tried.max(1) as f64),
            tried: count.tried,
            matched: count.matched,
            failed: count.failed,
            conditions: Vec::new(),
        };
        tried.into_iter().take(MAX_TOLD).map(cost).collect()
    }
}

fn action(request: &Request) -> Option<&str> {
    let name = request.attributes().pointer("/action/name");
    name.and_then(Value::as_str)
}

fn may_match(rule: &EffectiveRule, request: &Request) -> bool {
    let actions = rule.written.matcher.actions();
    actions.is_none_or(|actions| action(request).is_some_and(|name| actions.contains(&name)))
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
