//! Impacts of many requests, counted and sorted, in bounded memory.
//!
//! A request that is asked again is judged once. So many distinct ones are told apart; those beyond count as distinct each time, and the
//! report says so. Of what flips, the worst are kept.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::Serialize;

use super::{Answer, Impact};
use crate::digest::Sha256Digest;
use crate::name::{RuleRef, Scope};
use crate::policy::Effect;

/// The most distinct requests that are told apart: some hundred bytes each.
const MAX_DISTINCT: usize = 1 << 20;
/// The most kinds of transition that are counted: effects and determining rules.
const MAX_TRANSITIONS: usize = 1 << 14;

/// Who asked for what, for the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Whose policy answers.
    pub scope: Scope,
    /// Where the request was found, such as `log:17` or `requests.jsonl:3`.
    pub place: String,
    /// The request's fingerprint.
    pub fingerprint: Sha256Digest,
    /// The subject, as type and id.
    pub subject: String,
    /// The action.
    pub action: String,
    /// The resource, as type and id.
    pub resource: String,
    /// The time at which it is judged.
    pub time: Timestamp,
}

/// From which effect to which, and by which rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Transition {
    /// The effect before.
    pub before: Effect,
    /// The effect after.
    pub after: Effect,
    /// The rule that determines before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_before: Option<RuleRef>,
    /// The rule that determines after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule_after: Option<RuleRef>,
}

/// A request whose decision flips, or may.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flip {
    /// The request.
    #[serde(flatten)]
    pub asked: Asked,
    /// How often it was asked.
    pub times: u64,
    /// How it is answered before; none where that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Answer>,
    /// How it is answered after; none where that cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Answer>,
    /// What is possible, before and after, where that cannot be told.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub possible: Vec<(Effect, Effect)>,
}

impl Flip {
    /// How much weaker the answer gets at worst; negative where it gets stricter.
    #[must_use]
    pub fn weaker_by(&self) -> i32 {
        let pair = |before: Effect, after: Effect| strictness(before) - strictness(after);
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => pair(before.effect, after.effect),
            // Where nobody knows, everything is possible.
            _ if self.possible.is_empty() => pair(Effect::Deny, Effect::Allow),
            _ => {
                let possible = self.possible.iter();
                let worst = possible.map(|(before, after)| pair(*before, *after)).max();
                worst.unwrap_or(0)
            }
        }
    }

    /// Whether a weaker answer is certain, or possible.
    #[must_use]
    pub fn loosens(&self) -> bool {
        self.weaker_by() > 0
    }

    /// The worst first: what is let through, then what is refused.
    fn order(&self) -> impl Ord + use<> {
        let weaker = self.weaker_by();
        (
            weaker <= 0,
            -weaker.abs(),
            self.asked.scope.clone(),
            self.asked.fingerprint,
        )
    }
}

fn strictness(effect: Effect) -> i32 {
    match effect {
        Effect::Allow => 0,
        Effect::Audit => 1,
        Effect::RequireApproval => 2,
        Effect::Deny => 3,
    }
}

/// How many requests there were, and what became of them. Each distinct one counts once, but in `asked`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests, repeated ones included.
    pub asked: u64,
    /// Distinct requests.
    pub distinct: u64,
    /// Of these, how many get the same effect, though perhaps by another rule.
    pub same: u64,
    /// Of these, how many get another effect.
    pub flipped: u64,
    /// Of the flipped, how many get a weaker one.
    pub loosened: u64,
    /// Of these, how many may get another effect, which what is known of them does not tell.
    pub open: u64,
    /// Of the open, how many may get a weaker one.
    pub may_loosen: u64,
    /// Requests after which no more distinct ones were told apart, so that repeats count again.
    pub unmerged: u64,
}

/// What is known of a request that was judged.
#[derive(Debug, Clone)]
struct Seen {
    times: u64,
    transition: Option<usize>,
}

/// Counts impacts and keeps the worst.
#[derive(Debug)]
pub struct Tally {
    keep: usize,
    counts: Counts,
    scopes: BTreeMap<Scope, u32>,
    seen: HashMap<(u32, Sha256Digest), Seen>,
    transitions: Vec<(Transition, u64, u64)>,
    numbers: HashMap<Transition, usize>,
    flips: Vec<Flip>,
    open: Vec<Flip>,
}

impl Tally {
    /// Nothing counted yet; keeps so many of the worst flips, and as many of those that are possible.
    #[must_use]
    pub fn new(keep: usize) -> Self {
        Self {
            keep: keep.max(1),
            counts: Counts::default(),
            scopes: BTreeMap::new(),
            seen: HashMap::new(),
            transitions: Vec::new(),
            numbers: HashMap::new(),
            flips: Vec::new(),
            open: Vec::new(),
        }
    }

    /// Counts a request that was judged before; false where it was not, and is to be judged.
    pub fn repeats(&mut self, scope: &Scope, fingerprint: Sha256Digest) -> bool {
        let key = (self.scope(scope), fingerprint);
        let Some(seen) = self.seen.get_mut(&key) else {
            return false;
        };
        seen.times += 1;
        self.counts.asked += 1;
        if let Some((.., times)) = seen.transition.and_then(|at| self.transitions.get_mut(at)) {
            *times += 1;
        }
        true
    }

    /// Counts a request and what becomes of it.
    pub fn add(&mut self, asked: Asked, impact: Impact) {
        self.counts.asked += 1;
        self.counts.distinct += 1;
        let key = (self.scope(&asked.scope), asked.fingerprint);
        let mut seen = Seen {
            times: 1,
            transition: None,
        };
        let flip = |before, after, possible| Flip {
            asked,
            times: 1,
            before,
            after,
            possible,
        };
        match impact {
            Impact::Known { before, after } if before.effect != after.effect => {
                self.counts.flipped += 1;
                seen.transition = self.transition(&before, &after);
                let flip = flip(Some(before), Some(after), Vec::new());
                self.counts.loosened += u64::from(flip.loosens());
                keep(&mut self.flips, flip, self.keep);
            }
            Impact::Open(possible) => {
                self.counts.open += 1;
                let flip = flip(None, None, possible.into_iter().collect());
                self.counts.may_loosen += u64::from(flip.loosens());
                keep(&mut self.open, flip, self.keep);
            }
            Impact::Known { .. } | Impact::Same => self.counts.same += 1,
        }
        if self.seen.len() < MAX_DISTINCT {
            self.seen.insert(key, seen);
        } else {
            self.counts.unmerged += 1;
        }
    }

    fn scope(&mut self, scope: &Scope) -> u32 {
        if let Some(number) = self.scopes.get(scope) {
            return *number;
        }
        let number = u32::try_from(self.scopes.len()).unwrap_or(u32::MAX);
        self.scopes.insert(scope.clone(), number);
        number
    }

    fn transition(&mut self, before: &Answer, after: &Answer) -> Option<usize> {
        let transition = Transition {
            before: before.effect,
            after: after.effect,
            rule_before: before.rule.clone(),
            rule_after: after.rule.clone(),
        };
        if let Some(number) = self.numbers.get(&transition).copied() {
            if let Some((_, requests, times)) = self.transitions.get_mut(number) {
                *requests += 1;
                *times += 1;
            }
            return Some(number);
        }
        let number = self.transitions.len();
        if number >= MAX_TRANSITIONS {
            return None;
        }
        self.transitions.push((transition.clone(), 1, 1));
        self.numbers.insert(transition, number);
        Some(number)
    }

    /// How many requests there were.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// From which effect to which, by which rules: with how many distinct requests, and how many in all; the worst first.
    #[must_use]
    pub fn transitions(&self) -> Vec<(Transition, u64, u64)> {
        let mut all = self.transitions.clone();
        let weaker = |found: &Transition| strictness(found.before) - strictness(found.after);
        all.sort_by_key(|(found, requests, _)| {
            let weaker = weaker(found);
            (
                weaker <= 0,
                -weaker.abs(),
                std::cmp::Reverse(*requests),
                found.clone(),
            )
        });
        all
    }

    /// The worst of the requests whose decision flips, the worst first.
    #[must_use]
    pub fn flips(&self) -> Vec<Flip> {
        self.counted(&self.flips)
    }

    /// The worst of the requests whose decision may flip, the worst first.
    #[must_use]
    pub fn open(&self) -> Vec<Flip> {
        self.counted(&self.open)
    }

    fn counted(&self, flips: &[Flip]) -> Vec<Flip> {
        let mut flips = flips.to_vec();
        flips.sort_by_cached_key(Flip::order);
        flips.truncate(self.keep);
        for flip in &mut flips {
            let scope = self.scopes.get(&flip.asked.scope).copied();
            let seen = scope.and_then(|scope| self.seen.get(&(scope, flip.asked.fingerprint)));
            flip.times = seen.map_or(1, |seen| seen.times);
        }
        flips
    }
}

/// Keeps the worst of twice as many, so that sorting is rare.
fn keep(flips: &mut Vec<Flip>, flip: Flip, most: usize) {
    flips.push(flip);
    if flips.len() >= most.saturating_mul(2).max(64) {
        flips.sort_by_cached_key(Flip::order);
        flips.truncate(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(effect: Effect) -> Answer {
        Answer {
            effect,
            rule: None,
            reason: String::new(),
            reason_code: String::new(),
        }
    }

    fn asked(number: usize) -> Asked {
        Asked {
            scope: "acme".parse().unwrap(),
            place: number.to_string(),
            fingerprint: Sha256Digest::of(number.to_string().as_bytes()),
            subject: String::new(),
            action: String::new(),
            resource: String::new(),
            time: "2026-11-01T00:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn the_worst_are_kept_and_come_first() {
        let mut tally = Tally::new(3);
        let effects = [
            (Effect::Allow, Effect::Deny),
            (Effect::Audit, Effect::Allow),
            (Effect::Deny, Effect::Allow),
            (Effect::RequireApproval, Effect::Allow),
            (Effect::Deny, Effect::Deny),
        ];
        for number in 0..1_000 {
            let (before, after) = effects[number % effects.len()];
            let impact = Impact::Known {
                before: answer(before),
                after: answer(after),
            };
            assert!(!tally.repeats(&"acme".parse().unwrap(), asked(number).fingerprint));
            tally.add(asked(number), impact);
        }
        for _ in 0..5 {
            assert!(tally.repeats(&"acme".parse().unwrap(), asked(2).fingerprint));
        }
        let flips = tally.flips();
        assert_eq!(flips.len(), 3);
        assert!(flips.iter().all(|flip| flip.weaker_by() == 3));
        let counts = tally.counts();
        assert_eq!((counts.asked, counts.distinct), (1_005, 1_000));
        assert_eq!(
            (counts.same, counts.flipped, counts.loosened),
            (200, 800, 600)
        );
        let transitions = tally.transitions();
        assert_eq!((transitions[0].1, transitions[0].2), (200, 205));
        assert_eq!(transitions[0].0.after, Effect::Allow);
        assert_eq!(transitions[3].0.after, Effect::Deny);
        assert!(tally.flips.len() < 64);
    }
}
