//! Requests of which only names are known.
//!
//! 1. On each side, the rules that may match by their names are found. One that matches whatever is not known is certain.
//! 2. Where the record is of one of the two policies, it tells which of that side's rules matched. A rule of the other side that matches
//!    alike is as certain.
//! 3. What is left is open: one variable for a rule that both sides have and that matches alike, one for each other rule. It holds, does
//!    not, or cannot be judged.
//! 4. Where both sides have the same candidates, and ask for the same, nothing can differ. Else every way is tried, up to a limit.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Answer, Impact, OnRecord};
use crate::name::RuleRef;
use crate::policy::{Condition, Effect, Facts, Match, Mode};
use crate::resolve::{EffectivePolicy, EffectiveRule};

/// The most ways that are tried for one request.
const MAX_WAYS: usize = 4_096;

/// Who asked for what.
#[derive(Debug, Clone, PartialEq)]
pub struct Names(Value);

impl Names {
    /// The names; null where the record has none.
    #[must_use]
    pub fn new(
        (subject_type, subject_id): (Value, Value),
        action: Value,
        (resource_type, resource_id): (Value, Value),
    ) -> Self {
        // No mapping stands where nobody knows what stands, so that no path leads on from there.
        let unknown = Value::Bool(true);
        Self(json!({
            "subject": {"type": subject_type, "id": subject_id, "properties": unknown},
            "action": {"name": action, "properties": unknown},
            "resource": {"type": resource_type, "id": resource_id, "properties": unknown},
            "context": unknown,
        }))
    }

    /// The names as they were given.
    #[must_use]
    pub fn told(&self) -> [&str; 5] {
        let at = |pointer| {
            self.0
                .pointer(pointer)
                .and_then(Value::as_str)
                .unwrap_or("")
        };
        [
            at("/subject/type"),
            at("/subject/id"),
            at("/action/name"),
            at("/resource/type"),
            at("/resource/id"),
        ]
    }
}

/// A layer and a rule of it.
type Position = (usize, usize);

/// The rules of a policy by the actions that they list, in evaluation order, and by their names.
#[derive(Debug, Default)]
struct Index {
    listed: HashMap<String, Vec<Position>>,
    unlisted: Vec<Position>,
    places: HashMap<RuleRef, Position>,
}

fn at(policy: &EffectivePolicy, (layer, rule): Position) -> Option<&EffectiveRule> {
    policy.layers().get(layer)?.rules.get(rule)
}

impl Index {
    fn new(policy: &EffectivePolicy) -> Self {
        let mut index = Self::default();
        for (layer, found) in policy.layers().iter().enumerate() {
            for (rule, found) in found.rules.iter().enumerate() {
                index
                    .places
                    .insert(found.written.name.clone(), (layer, rule));
                match found.written.matcher.actions() {
                    Some(actions) => {
                        let actions: BTreeSet<&str> = actions.into_iter().collect();
                        for action in actions {
                            let entry = index.listed.entry(action.to_owned()).or_default();
                            entry.push((layer, rule));
                        }
                    }
                    None => index.unlisted.push((layer, rule)),
                }
            }
        }
        index
    }

    fn rule<'a>(&self, policy: &'a EffectivePolicy, name: &RuleRef) -> Option<&'a EffectiveRule> {
        at(policy, *self.places.get(name)?)
    }

    fn candidates(&self, action: &str) -> Vec<Position> {
        let listed = self.listed.get(action).into_iter().flatten();
        let mut found: Vec<Position> = listed.chain(&self.unlisted).copied().collect();
        found.sort_unstable();
        found
    }
}

/// What is prepared of both policies.
#[derive(Debug)]
pub(super) struct Indexes {
    sides: [Index; 2],
    /// The rules that match alike on both sides.
    alike: BTreeSet<RuleRef>,
}

/// How a candidate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Known(Match),
    /// The number of a variable.
    Open(usize),
}

/// A rule that may match.
#[derive(Debug, Clone, Copy)]
struct Candidate<'a> {
    layer: usize,
    rule: &'a EffectiveRule,
    status: Status,
}

/// Variables by the side and the rule; the first side's for rules that match alike on both.
#[derive(Default)]
struct Variables {
    numbers: BTreeMap<(usize, RuleRef), usize>,
    /// For each, whether a failure of it is another thing than that it does not hold.
    refuses: Vec<bool>,
}

impl Indexes {
    pub(super) fn new(before: &EffectivePolicy, after: &EffectivePolicy) -> Self {
        let sides = [Index::new(before), Index::new(after)];
        let [first, second] = &sides;
        let alike = second.places.iter().filter(|(name, place)| {
            let (old, new) = (first.rule(before, name), at(after, **place));
            old.zip(new).is_some_and(|(old, new)| match_alike(old, new))
        });
        let alike = alike.map(|(name, _)| name.clone()).collect();
        Self { sides, alike }
    }

    pub(super) fn judge(
        &self,
        policies: [&EffectivePolicy; 2],
        names: &Names,
        now: Timestamp,
        record: OnRecord<'_>,
    ) -> Impact {
        let facts = Facts::new(&names.0, now);
        let [_, _, action, ..] = names.told();
        let recorded = policies
            .iter()
            .position(|policy| record.policy == Some(policy.digest()));
        let recorded = recorded.and_then(|side| {
            let recorded = Recorded {
                matched: record
                    .matched
                    .iter()
                    .map(|(rule, failed)| (rule, *failed))
                    .collect(),
                policy: policies.get(side)?,
                index: self.sides.get(side)?,
            };
            Some((side, recorded))
        });
        let mut variables = Variables::default();
        let mut side = |number: usize| -> Vec<Candidate<'_>> {
            let (Some(policy), Some(index)) = (policies.get(number), self.sides.get(number)) else {
                return Vec::new();
            };
            let mut found = Vec::new();
            for (layer, rule) in index.candidates(action) {
                let rule = at(policy, (layer, rule)).filter(|rule| rule.is_live(now));
                let Some(rule) = rule else {
                    continue;
                };
                let name = &rule.written.name;
                let is_alike = self.alike.contains(name);
                let told = recorded.as_ref().and_then(|(of, recorded)| {
                    (*of == number || is_alike).then(|| recorded.of(rule, now))?
                });
                let status = match told.unwrap_or_else(|| rule.written.matches_names(&facts)) {
                    Match::No => continue,
                    Match::Failed if told.is_none() => {
                        let refuses = rule.effect >= Effect::RequireApproval;
                        let owner = if is_alike { 0 } else { number };
                        Status::Open(variables.number((owner, name.clone()), refuses))
                    }
                    found => Status::Known(found),
                };
                found.push(Candidate {
                    layer,
                    rule,
                    status,
                });
            }
            found
        };
        let (before, after) = (side(0), side(1));
        let [first, second] = policies;
        if is_same((first, &before), (second, &after)) {
            return Impact::Same;
        }
        let Some(ways) = variables.ways() else {
            return Impact::Open(BTreeSet::new());
        };
        let mut pairs = BTreeSet::new();
        let mut answers = None;
        for way in ways {
            let (old, new) = (decide(first, &before, &way), decide(second, &after, &way));
            pairs.insert((old.effect(), new.effect()));
            answers.get_or_insert((old, new));
        }
        match (answers, pairs.len()) {
            (Some((old, new)), 1) => Impact::Known {
                before: old.answer(first),
                after: new.answer(second),
            },
            _ if pairs.iter().all(|(old, new)| old == new) => Impact::Same,
            _ => Impact::Open(pairs),
        }
    }
}

/// Whether two rules match the same requests.
fn match_alike(left: &EffectiveRule, right: &EffectiveRule) -> bool {
    let (left, right) = (&left.written, &right.written);
    let when = |rule: &Option<Condition>| {
        rule.as_ref()
            .map(|when| (when.source().to_owned(), when.reads().clone()))
    };
    // A condition may go by the risk, which others give.
    let goes_by_risk = |rule: &Option<Condition>| {
        rule.as_ref()
            .is_some_and(|when| when.source().contains("risk"))
    };
    left.matcher.source() == right.matcher.source()
        && when(&left.when) == when(&right.when)
        && left.valid() == right.valid()
        && !goes_by_risk(&left.when)
}

/// What a record says of the rules of the policy that it is of.
struct Recorded<'a> {
    matched: HashMap<&'a RuleRef, bool>,
    policy: &'a EffectivePolicy,
    index: &'a Index,
}

impl Recorded<'_> {
    /// Whether a rule that matches as the policy's rule of this name matched; none where that was not asked, or left no trace.
    fn of(&self, rule: &EffectiveRule, now: Timestamp) -> Option<Match> {
        let name = &rule.written.name;
        match self.matched.get(name) {
            Some(true) => Some(Match::Failed),
            Some(false) => Some(Match::Yes),
            None => {
                let asked = self.index.rule(self.policy, name)?;
                let refuses = |rule: &EffectiveRule| rule.effect >= Effect::RequireApproval;
                // Of a rule that permits, a failure leaves no trace, and is the same as no match where the other permits too.
                let is_told = refuses(asked) || !refuses(rule);
                (asked.is_live(now) && is_told).then_some(Match::No)
            }
        }
    }
}

impl Variables {
    fn number(&mut self, key: (usize, RuleRef), refuses: bool) -> usize {
        let next = self.numbers.len();
        let number = *self.numbers.entry(key).or_insert(next);
        if number == next {
            self.refuses.push(false);
        }
        if let Some(known) = self.refuses.get_mut(number) {
            *known |= refuses;
        }
        number
    }

    /// Every way in which the variables may stand; none where there are too many.
    fn ways(&self) -> Option<Vec<Vec<Match>>> {
        let mut ways = vec![Vec::new()];
        for refuses in &self.refuses {
            let values: &[Match] = if *refuses {
                &[Match::Yes, Match::No, Match::Failed]
            } else {
                &[Match::Yes, Match::No]
            };
            if ways.len() * values.len() > MAX_WAYS {
                return None;
            }
            let longer = ways.iter().flat_map(|way: &Vec<Match>| {
                values.iter().map(move |value| {
                    let mut way = way.clone();
                    way.push(*value);
                    way
                })
            });
            ways = longer.collect();
        }
        Some(ways)
    }
}

/// Whether two sides ask for the same, whatever is open.
fn is_same(
    (first, before): (&EffectivePolicy, &[Candidate<'_>]),
    (second, after): (&EffectivePolicy, &[Candidate<'_>]),
) -> bool {
    let defaults = |policy: &'_ EffectivePolicy| -> Vec<(Effect, Mode)> {
        let layers = policy.layers().iter();
        layers
            .filter_map(|layer| Some((layer.default?, layer.mode)))
            .collect()
    };
    let is_alike = |left: &Candidate<'_>, right: &Candidate<'_>| {
        let state = |found: &Candidate<'_>| {
            (
                found.rule.effect,
                found.rule.mode,
                found.rule.is_raised(),
                found.status,
            )
        };
        left.rule.written.name == right.rule.written.name && state(left) == state(right)
    };
    first.root_mode() == second.root_mode()
        && defaults(first) == defaults(second)
        && default_scopes(first) == default_scopes(second)
        && before.len() == after.len()
        && before
            .iter()
            .zip(after)
            .all(|(left, right)| is_alike(left, right))
}

/// The scopes that have a default, in order.
fn default_scopes(policy: &EffectivePolicy) -> Vec<&str> {
    let layers = policy.layers().iter();
    let speaking = layers.filter(|layer| layer.default.is_some());
    speaking.map(|layer| layer.scope.as_str()).collect()
}

/// What made an answer.
#[derive(Clone, Copy)]
enum By<'a> {
    Rule(&'a EffectiveRule),
    Default(usize, Effect),
    NoMatch,
    Nothing,
}

impl By<'_> {
    fn effect(&self) -> Effect {
        match self {
            Self::Rule(rule) => rule.effect,
            Self::Default(_, effect) => *effect,
            Self::NoMatch => Effect::Deny,
            Self::Nothing => Effect::Allow,
        }
    }

    fn answer(&self, policy: &EffectivePolicy) -> Answer {
        let effect = self.effect();
        let (rule, reason, reason_code) = match self {
            Self::Rule(rule) => (
                Some(rule.written.name.clone()),
                rule.reason.to_string(),
                rule.written.reason_code.to_string(),
            ),
            Self::Default(layer, effect) => {
                let scope = policy
                    .layers()
                    .get(*layer)
                    .map_or("", |layer| layer.scope.as_str());
                let effect = effect.as_str();
                (
                    None,
                    format!(
                        "no rule of `{scope}` speaks of this request, and its default is `{effect}`"
                    ),
                    format!("DEFAULT_{}", effect.to_ascii_uppercase()),
                )
            }
            Self::NoMatch => (
                None,
                "no rule speaks of this request".to_owned(),
                "NO_MATCH".to_owned(),
            ),
            Self::Nothing => (
                None,
                "no enforced rule speaks of this request".to_owned(),
                "NOT_ENFORCED".to_owned(),
            ),
        };
        Answer {
            effect,
            rule,
            reason,
            reason_code,
        }
    }
}

/// The binding answer of a policy where the open candidates stand in this way: as the evaluator has it.
fn decide<'a>(policy: &EffectivePolicy, candidates: &[Candidate<'a>], way: &[Match]) -> By<'a> {
    let mut best: Option<By<'a>> = None;
    let mut add = |by: By<'a>| {
        let rank = |by: &By<'_>| by.effect().rank();
        if best.as_ref().is_none_or(|best| rank(&by) > rank(best)) {
            best = Some(by);
        }
    };
    let mut rest = candidates;
    for (position, layer) in policy.layers().iter().enumerate() {
        let end = rest.iter().position(|found| found.layer != position);
        let (own, behind) = rest.split_at(end.unwrap_or(rest.len()));
        rest = behind;
        let mut spoken = None;
        let mut adding = Vec::new();
        for found in own.iter().filter(|found| found.rule.mode == Mode::Enforce) {
            let standing = match found.status {
                Status::Known(known) => known,
                Status::Open(number) => way.get(number).copied().unwrap_or(Match::Failed),
            };
            match standing {
                Match::Yes if !found.rule.is_raised() => {
                    spoken.get_or_insert(found.rule);
                }
                Match::Yes => adding.push(found.rule),
                Match::Failed if found.rule.effect >= Effect::RequireApproval => {
                    adding.push(found.rule);
                }
                Match::Failed | Match::No => {}
            }
        }
        match (spoken, layer.default) {
            (Some(rule), _) => add(By::Rule(rule)),
            (None, Some(effect)) if layer.mode == Mode::Enforce => {
                add(By::Default(position, effect))
            }
            _ => {}
        }
        for rule in adding {
            add(By::Rule(rule));
        }
    }
    match best {
        Some(best) => best,
        None if policy.root_mode() == Mode::Enforce => By::NoMatch,
        None => By::Nothing,
    }
}
