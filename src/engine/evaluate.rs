//! The evaluator.
//!
//! 1. In each layer, find the rules that match, in the layer's order. A rule whose matching fails counts as matched where it
//!    refuses, and as not matched where it permits.
//! 2. What *would* happen: each layer's first matching rule speaks for it, else its default; the greatest verdict stands, the
//!    earliest layer on a tie; where all are silent, `NO_MATCH` denies.
//! 3. What *binds*: the same from enforced rules and defaults alone, and besides every matching rule that a descendant raised
//!    to `enforce`. `NO_MATCH` binds where the root scope enforces; where nothing binds, the effect is `allow`.

use std::sync::Arc;

use jiff::Timestamp;
use smallvec::SmallVec;

use super::combine::{Head, Heads, Sums};
use super::findings::{Described, Findings};
use super::index::{Candidates, Index, Judged, RuleNumber};
use super::request::Request;
use crate::policy::{Effect, Facts, Match, Mode, Operation, Risk, Rule};
use crate::resolve::{EffectiveLayer, EffectivePolicy};

/// An effective policy, ready to decide. Share it; replace it whole.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Arc<EffectivePolicy>,
    index: Arc<Index>,
    /// Of every rule, layer after layer, what combining needs.
    heads: Arc<[Head]>,
    /// What comes of most requests.
    sums: Arc<Sums>,
    /// What each catalogue describes.
    described: Arc<[Described]>,
}

/// A rule by the positions of its layer and of itself in the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulePosition {
    pub(super) layer: u32,
    pub(super) rule: u32,
}

impl RulePosition {
    /// The position of its layer.
    #[must_use]
    pub fn layer(self) -> usize {
        self.layer as usize
    }

    /// Its position in the layer.
    #[must_use]
    pub fn rule(self) -> usize {
        self.rule as usize
    }
}

/// What made a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A rule.
    Rule(RulePosition),
    /// The default of the layer at this position.
    Default(u32),
    /// Every layer was silent.
    NoMatch,
}

impl Origin {
    /// The position of the layer that made it; none where all were silent.
    #[must_use]
    pub fn layer(self) -> Option<usize> {
        match self {
            Self::Rule(RulePosition { layer, .. }) | Self::Default(layer) => Some(layer as usize),
            Self::NoMatch => None,
        }
    }
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
    pub(super) at: RulePosition,
    /// Whether it counts only because a condition could not be judged.
    pub(super) failed: bool,
}

/// Rules that matched, in evaluation order.
pub(super) type Hits = SmallVec<[Hit; 4]>;

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub(super) binding: Option<Pick>,
    pub(super) would: Pick,
    pub(super) audited: bool,
    pub(super) hits: Hits,
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

    /// The answer, and `enforce` where something enforced made it; else the mode of what would have.
    #[inline]
    pub(super) fn binds(&self) -> (Effect, Mode) {
        let mode = self.binding.unwrap_or(self.would).mode;
        (self.effect(), mode)
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
        let rules = || policy.layers().iter().flat_map(|layer| &layer.rules);
        let live = rules().map(|rule| (!rule.disabled).then_some(&*rule.written));
        let live: Vec<Option<&Rule>> = live.collect();
        let index = Index::new(&live);
        let heads = rules().map(Head::of).collect();
        let described = policy.layers().iter().map(Described::of);
        let described = described
            .filter(|described| !described.is_empty())
            .collect();
        Self::of_parts(policy, index, heads, described)
    }

    /// An engine of what was found of its policy.
    pub(super) fn of_parts(
        policy: EffectivePolicy,
        index: Index,
        heads: Vec<Head>,
        described: Vec<Described>,
    ) -> Self {
        Self {
            sums: Arc::new(Sums::new(&policy, &heads)),
            policy: Arc::new(policy),
            index: Arc::new(index),
            heads: heads.into(),
            described: described.into(),
        }
    }

    /// What combining needs of every rule.
    pub(super) fn heads(&self) -> &[Head] {
        &self.heads
    }

    /// The policy that it decides by.
    #[must_use]
    pub fn policy(&self) -> &EffectivePolicy {
        &self.policy
    }

    pub(super) fn shared_policy(&self) -> &Arc<EffectivePolicy> {
        &self.policy
    }

    pub(super) fn index(&self) -> &Index {
        &self.index
    }

    /// Decides one request at `now`.
    #[must_use]
    pub fn evaluate(&self, request: &Request, now: Timestamp) -> Verdict {
        let mut verdict = Verdict::unjudged();
        self.judge(&self.facts(request, now), &mut verdict);
        verdict
    }

    /// What the conditions of this policy are judged by: the request, the time, and the risk that its catalogues give.
    #[inline(always)]
    pub(super) fn facts<'a>(&self, request: &'a Request, now: Timestamp) -> Facts<'a> {
        let mut facts = request.facts(now);
        if !self.described.is_empty() {
            self.find_risk(&mut facts);
        }
        facts
    }

    fn find_risk(&self, facts: &mut Facts<'_>) {
        let operations = self.operations(facts);
        let risks = operations.map(|operation| operation.risk(facts));
        let risk = risks.max();
        facts.set_risk(risk);
    }

    /// What the catalogues say that the request is for.
    fn operations(&self, facts: &Facts<'_>) -> impl Iterator<Item = &Arc<Operation>> {
        let described = self.described.iter();
        described.filter_map(move |described| described.operation(action(facts)?))
    }

    /// Makes the verdict what comes of the facts. It is written where it is wanted: to copy what was just written in small pieces waits
    /// until it is there.
    #[inline]
    pub(super) fn judge(&self, facts: &Facts<'_>, verdict: &mut Verdict) {
        verdict.hits.clear();
        verdict.findings = Findings::of_risk(facts.risk());
        let mut candidates = Candidates::new();
        self.index.candidates(facts, &mut candidates);
        let mut heads = Heads::new();
        let mut layers = (0..).zip(self.policy.layers());
        let mut at = layers.next();
        let mut first: RuleNumber = 0;
        for (number, judged) in candidates.iter().copied() {
            while let Some((_, layer)) = at
                && let Ok(rules) = u32::try_from(layer.rules.len())
                && number - first >= rules
            {
                first += rules;
                at = layers.next();
            }
            let (Some((position, layer)), Some(head)) = (at, self.heads.get(number as usize))
            else {
                break;
            };
            let rule = number - first;
            let Some(failed) = counts(layer, rule, *head, judged, facts) else {
                continue;
            };
            let at = RulePosition {
                layer: position,
                rule,
            };
            verdict.hits.push(Hit { at, failed });
            heads.push(*head);
            if head.is_lowered
                && let Some(rule) = layer.rules.get(at.rule())
            {
                verdict.findings.missing_of(rule, facts);
            }
        }
        if !self.described.is_empty() {
            for operation in self.operations(facts) {
                verdict.findings.patterns_of(operation, facts);
            }
        }
        let sum = self.sums.of(&self.policy, &verdict.hits, &heads);
        verdict.binding = sum.binding;
        verdict.would = sum.would;
        verdict.audited = sum.audited;
    }
}

impl Pick {
    /// What stands where all are silent.
    pub(super) fn no_match(mode: Mode) -> Self {
        Self {
            effect: Effect::Deny,
            origin: Origin::NoMatch,
            mode,
        }
    }
}

impl Verdict {
    /// What is to be made a verdict, and denies until it is.
    pub(super) fn unjudged() -> Self {
        let denied = Pick::no_match(Mode::Enforce);
        Self {
            binding: Some(denied),
            would: denied,
            audited: false,
            hits: Hits::new(),
            findings: Findings::default(),
        }
    }
}

fn action<'a>(facts: &Facts<'a>) -> Option<&'a str> {
    facts.request().get("action")?.get("name")?.as_str()
}

/// Whether the rule at `rule` of a layer counts only because it could not be judged; none where it does not count.
fn counts(
    layer: &EffectiveLayer,
    rule: u32,
    head: Head,
    judged: Judged,
    facts: &Facts<'_>,
) -> Option<bool> {
    if head.is_lasting && judged == Judged::Yes {
        return Some(false);
    }
    // INVARIANT: an error never permits.
    let failed = (head.effect >= Effect::RequireApproval).then_some(true);
    let Some(rule) = layer.rules.get(rule as usize) else {
        return failed;
    };
    if !rule.is_live(facts.now()) {
        return None;
    }
    match rule.written.matches(facts) {
        Match::Yes => Some(false),
        Match::Failed => failed,
        Match::No => None,
    }
}
