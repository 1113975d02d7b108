//! The evaluator.
//!
//! 1. In each layer, find the rules that match, in the layer's order. A rule whose matching fails counts as matched where it
//!    refuses, and as not matched where it permits.
//! 2. What *would* happen: each layer's first matching rule speaks for it, else its default; the greatest verdict stands, the
//!    earliest layer on a tie; where all are silent, `NO_MATCH` denies.
//! 3. What *binds*: the same from enforced rules and defaults alone, and besides every matching rule that a descendant raised
//!    to `enforce`. `NO_MATCH` binds where the root scope enforces; where nothing binds, the effect is `allow`.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::findings::{Described, Findings};
use super::request::Request;
use crate::policy::{Effect, Facts, Match, Mode, Operation, Risk};
use crate::resolve::{EffectiveLayer, EffectivePolicy, EffectiveRule};

/// An effective policy, ready to decide. Share it; replace it whole.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Arc<EffectivePolicy>,
    indexes: Arc<[ActionIndex]>,
    /// For each layer, what its catalogue describes.
    described: Arc<[Described]>,
}

/// The rules of one layer by the actions that they list, each list in the layer's order.
#[derive(Debug, Default)]
struct ActionIndex {
    listed: HashMap<String, Vec<usize>>,
    /// Rules that list no actions.
    unlisted: Vec<usize>,
}

impl ActionIndex {
    fn new(layer: &EffectiveLayer) -> Self {
        let mut index = Self::default();
        for (position, rule) in layer.rules.iter().enumerate() {
            match rule.written.matcher.actions() {
                _ if rule.disabled => {}
                Some(mut actions) => {
                    actions.sort_unstable();
                    actions.dedup();
                    for action in actions {
                        index
                            .listed
                            .entry(action.to_owned())
                            .or_default()
                            .push(position);
                    }
                }
                None => index.unlisted.push(position),
            }
        }
        index
    }

    /// The positions of the rules that may match, in order.
    fn candidates(&self, action: &str) -> Vec<usize> {
        let listed = self.listed.get(action).map_or(&[][..], Vec::as_slice);
        let mut positions = Vec::with_capacity(listed.len() + self.unlisted.len());
        positions.extend_from_slice(listed);
        positions.extend_from_slice(&self.unlisted);
        // Two sorted runs, which the sort merges in linear time.
        positions.sort();
        positions
    }
}

/// What made a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A rule, by the positions of its layer and of itself in the layer.
    Rule(usize, usize),
    /// The default of the layer at this position.
    Default(usize),
    /// Every layer was silent.
    NoMatch,
}

/// A verdict, what made it, and how far that binds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pick {
    /// The verdict.
    pub effect: Effect,
    /// What made it.
    pub origin: Origin,
    /// The mode of what made it.
    pub mode: Mode,
}

/// A rule that matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) layer: usize,
    pub(super) rule: usize,
    /// Whether it counts only because a condition could not be judged.
    pub(super) failed: bool,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub(super) binding: Option<Pick>,
    pub(super) would: Pick,
    pub(super) audited: bool,
    pub(super) hits: Vec<Hit>,
    pub(super) findings: Findings,
}

impl Verdict {
    /// The answer: from what is enforced alone, and `allow` where nothing is.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.binding.map_or(Effect::Allow, |pick| pick.effect)
    }

    /// What made the answer; none where nothing is enforced.
    #[must_use]
    pub fn binding(&self) -> Option<Pick> {
        self.binding
    }

    /// What the answer would be if everything were enforced.
    #[must_use]
    pub fn would(&self) -> Pick {
        self.would
    }

    /// Whether an audit rule matched, whatever decided.
    #[must_use]
    pub fn is_audited(&self) -> bool {
        self.audited
    }

    /// The greatest risk that a catalogue gives the operation; none where no catalogue describes it.
    #[must_use]
    pub fn risk(&self) -> Option<Risk> {
        self.findings.risk
    }
}

impl Engine {
    /// Compiles `policy`, in time linear in its rules.
    #[must_use]
    pub fn new(policy: EffectivePolicy) -> Self {
        let indexes = policy.layers().iter().map(ActionIndex::new).collect();
        let described = policy.layers().iter().map(Described::of).collect();
        let policy = Arc::new(policy);
        Self {
            policy,
            indexes,
            described,
        }
    }

    /// The policy that it decides by.
    #[must_use]
    pub fn policy(&self) -> &EffectivePolicy {
        &self.policy
    }

    /// Decides one request at `now`.
    #[must_use]
    pub fn evaluate(&self, request: &Request, now: Timestamp) -> Verdict {
        self.judge(&self.facts(request, now))
    }

    /// What the conditions of this policy are judged by: the request, the time, and the risk that its catalogues give.
    pub(super) fn facts<'a>(&self, request: &'a Request, now: Timestamp) -> Facts<'a> {
        let facts = Facts::new(request.attributes(), now);
        let risks = self
            .operations(&facts)
            .map(|operation| operation.risk(&facts));
        let risk = risks.max();
        facts.with_risk(risk)
    }

    /// What the catalogues say that the request is for.
    fn operations(&self, facts: &Facts<'_>) -> impl Iterator<Item = &Arc<Operation>> {
        let action = action(facts);
        let described = self.described.iter();
        described.filter_map(move |described| described.operation(action?))
    }

    fn judge(&self, facts: &Facts<'_>) -> Verdict {
        let action = action(facts);
        let mut findings = Findings {
            risk: facts.risk(),
            ..Findings::default()
        };
        let mut all = Combined::default();
        let mut enforced = Combined::default();
        let mut audited = false;
        let mut hits = Vec::new();
        for (position, (layer, index)) in
            self.policy.layers().iter().zip(&*self.indexes).enumerate()
        {
            let first_hit = hits.len();
            match action {
                Some(action) => find(layer, position, index.candidates(action), facts, &mut hits),
                None => find(layer, position, 0..layer.rules.len(), facts, &mut hits),
            }
            let found = hits.get(first_hit..).unwrap_or_default();
            let picks: Vec<Candidate<'_>> = found
                .iter()
                .filter_map(|hit| Some((layer.rules.get(hit.rule)?, *hit)))
                .map(|(rule, hit)| Candidate {
                    rule,
                    pick: pick_of(rule, hit),
                    is_failed: hit.failed,
                })
                .collect();
            for found in &picks {
                findings.missing_of(found.rule, facts);
            }
            let default = layer.default.map(|effect| Pick {
                effect,
                origin: Origin::Default(position),
                mode: layer.mode,
            });
            let spoken = picks.iter().find(|found| !found.is_failed);
            let spoken = spoken.map(|found| found.pick).or(default);
            all.add(spoken);
            for found in picks.iter().filter(|found| found.is_failed) {
                all.add(Some(found.pick));
            }
            let binding = || picks.iter().filter(|found| found.binds());
            let own = binding().find(|found| !found.only_adds());
            let fallback = default.filter(|default| default.mode == Mode::Enforce);
            enforced.add(own.map(|found| found.pick).or(fallback));
            for found in binding().filter(|found| found.only_adds()) {
                enforced.add(Some(found.pick));
            }
            let is_audit = |pick: &Pick| pick.effect == Effect::Audit;
            audited |= picks.iter().any(|found| is_audit(&found.pick))
                || spoken.is_some_and(|pick| is_audit(&pick));
        }
        for operation in self.operations(facts) {
            findings.patterns_of(operation, facts);
        }
        let no_match = Pick {
            effect: Effect::Deny,
            origin: Origin::NoMatch,
            mode: self.policy.root_mode(),
        };
        Verdict {
            binding: enforced
                .best
                .or(Some(no_match).filter(|pick| pick.mode == Mode::Enforce)),
            would: all.best.unwrap_or(no_match),
            audited,
            hits,
            findings,
        }
    }
}

fn action<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    let request = facts.request();
    request.pointer("/action/name").and_then(Value::as_str)
}

fn find(
    layer: &EffectiveLayer,
    position: usize,
    candidates: impl IntoIterator<Item = usize>,
    facts: &Facts<'_>,
    hits: &mut Vec<Hit>,
) {
    for rule in candidates {
        let Some(found) = layer
            .rules
            .get(rule)
            .filter(|found| found.is_live(facts.now()))
        else {
            continue;
        };
        let failed = match found.written.matches(facts) {
            Match::Yes => false,
            // INVARIANT: an error never permits.
            Match::Failed if found.effect >= Effect::RequireApproval => true,
            Match::Failed | Match::No => continue,
        };
        let layer = position;
        hits.push(Hit {
            layer,
            rule,
            failed,
        });
    }
}

/// A rule of a layer that matched, or may have.
struct Candidate<'a> {
    rule: &'a EffectiveRule,
    pick: Pick,
    is_failed: bool,
}

impl Candidate<'_> {
    fn binds(&self) -> bool {
        self.rule.mode == Mode::Enforce
    }

    /// Whether it adds its verdict and silences no other. A raised rule does, and one whose condition could not be judged:
    /// where a parent's `default: deny` stood in for it, a descendant that makes it `require_approval` must not lift that.
    fn only_adds(&self) -> bool {
        self.is_failed || self.rule.is_raised()
    }
}

fn pick_of(rule: &EffectiveRule, hit: Hit) -> Pick {
    Pick {
        effect: rule.effect,
        origin: Origin::Rule(hit.layer, hit.rule),
        mode: rule.mode,
    }
}

/// The greatest verdict so far; the first of equals.
#[derive(Default)]
struct Combined {
    best: Option<Pick>,
}

impl Combined {
    fn add(&mut self, pick: Option<Pick>) {
        let rank = |pick: Option<Pick>| pick.map(|pick| pick.effect.rank());
        if rank(pick) > rank(self.best) {
            self.best = pick;
        }
    }
}
