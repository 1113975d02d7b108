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

use super::findings::{Described, Findings};
use super::index::{Candidates, Index, Judged, RuleNumber};
use super::request::Request;
use crate::policy::{Effect, Facts, Match, Mode, Operation, Risk};
use crate::resolve::{EffectiveLayer, EffectivePolicy, EffectiveRule};

/// An effective policy, ready to decide. Share it; replace it whole.
#[derive(Debug, Clone)]
pub struct Engine {
    policy: Arc<EffectivePolicy>,
    index: Arc<Index>,
    /// Of every rule, layer after layer, what combining needs.
    heads: Arc<[Head]>,
    /// What each catalogue describes.
    described: Arc<[Described]>,
}

/// What is needed of a rule that matches.
///
/// Side by side, since a rule lies elsewhere in memory and most that match decide nothing.
#[derive(Debug, Clone, Copy)]
struct Head {
    effect: Effect,
    mode: Mode,
    is_raised: bool,
    /// Whether it is in force at any time.
    is_lasting: bool,
    /// Whether a catalogue was lowered to it.
    is_lowered: bool,
}

impl Head {
    fn of(rule: &EffectiveRule) -> Self {
        Self {
            effect: rule.effect,
            mode: rule.mode,
            is_raised: rule.is_raised(),
            is_lasting: !rule.disabled && rule.written.limits().is_none(),
            is_lowered: rule.written.lowered().is_some(),
        }
    }
}

/// A rule by the positions of its layer and of itself in the layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RulePosition {
    layer: u32,
    rule: u32,
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
        let index = Arc::new(Index::new(live));
        let heads = rules().map(Head::of).collect();
        let described = policy.layers().iter().map(Described::of);
        let described = described
            .filter(|described| !described.is_empty())
            .collect();
        let policy = Arc::new(policy);
        Self {
            policy,
            index,
            heads,
            described,
        }
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
        let mut said = Said::default();
        let mut all = Word::NONE;
        let mut enforced = Word::NONE;
        let mut audited = false;
        let mut candidates = Candidates::new();
        self.index.candidates(facts, &mut candidates);
        let mut candidates = candidates.iter().copied().peekable();
        let mut first: RuleNumber = 0;
        for (position, layer) in (0..).zip(self.policy.layers()) {
            let end = first.saturating_add(u32::try_from(layer.rules.len()).unwrap_or(u32::MAX));
            let mut would = Voice::default();
            let mut binding = Voice::default();
            while let Some((number, judged)) = candidates.next_if(|(number, _)| *number < end) {
                let rule = number - first;
                let Some(head) = self.heads.get(number as usize) else {
                    continue;
                };
                let Some(failed) = counts(layer, rule, *head, judged, facts) else {
                    continue;
                };
                let at = RulePosition {
                    layer: position,
                    rule,
                };
                verdict.hits.push(Hit { at, failed });
                if head.is_lowered
                    && let Some(rule) = layer.rules.get(at.rule())
                {
                    verdict.findings.missing_of(rule, facts);
                }
                audited |= head.effect == Effect::Audit;
                let word = said.say(Pick {
                    effect: head.effect,
                    origin: Origin::Rule(at),
                    mode: head.mode,
                });
                would.hear(word, failed);
                if head.mode == Mode::Enforce {
                    // A raised rule adds its verdict and silences no other, and so does one whose condition could not be judged:
                    // where a parent's `default: deny` stood in for it, a descendant that makes it `require_approval` must not
                    // lift that.
                    binding.hear(word, failed || head.is_raised);
                }
            }
            first = end;
            if let Some(effect) = layer.default {
                let word = said.say(Pick {
                    effect,
                    origin: Origin::Default(position),
                    mode: layer.mode,
                });
                would.or_else(word);
                if layer.mode == Mode::Enforce {
                    binding.or_else(word);
                }
            }
            audited |= would.first.is(Effect::Audit) || binding.first.is(Effect::Audit);
            all = all.or_greater(would.first).or_greater(would.added);
            enforced = enforced.or_greater(binding.first).or_greater(binding.added);
        }
        for operation in self.operations(facts) {
            verdict.findings.patterns_of(operation, facts);
        }
        let mode = self.policy.root_mode();
        let no_match = Pick::no_match(mode);
        let binding = said.pick(enforced);
        verdict.binding = binding.or_else(|| (mode == Mode::Enforce).then_some(no_match));
        verdict.would = said.pick(all).unwrap_or(no_match);
        verdict.audited = audited;
    }
}

impl Pick {
    /// What stands where all are silent.
    fn no_match(mode: Mode) -> Self {
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
    let rule = layer.rules.get(rule as usize)?;
    if !rule.is_live(facts.now()) {
        return None;
    }
    match rule.written.matches(facts) {
        Match::Yes => Some(false),
        // INVARIANT: an error never permits.
        Match::Failed if head.effect >= Effect::RequireApproval => Some(true),
        Match::Failed | Match::No => None,
    }
}

/// What rules and defaults say, one after the other.
#[derive(Default)]
struct Said(SmallVec<[Pick; 8]>);

/// One of the things that are said: small, so that some are soon weighed against others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    /// Among verdicts, more than nothing's.
    rank: u32,
    /// Its position plus one.
    position: u32,
}

impl Said {
    #[inline]
    fn say(&mut self, pick: Pick) -> Word {
        self.0.push(pick);
        Word {
            rank: Word::rank(pick.effect),
            position: u32::try_from(self.0.len()).unwrap_or(u32::MAX),
        }
    }

    fn pick(&self, word: Word) -> Option<Pick> {
        self.0.get(word.position.checked_sub(1)? as usize).copied()
    }
}

impl Word {
    const NONE: Self = Self {
        rank: 0,
        position: 0,
    };

    fn rank(effect: Effect) -> u32 {
        u32::from(effect.rank()) + 1
    }

    #[inline]
    fn is(self, effect: Effect) -> bool {
        self.rank == Self::rank(effect)
    }

    /// The greater verdict; the first of equals.
    #[inline]
    fn or_greater(self, other: Self) -> Self {
        if other.rank > self.rank { other } else { self }
    }

    #[inline]
    fn or(self, other: Self) -> Self {
        if self == Self::NONE { other } else { self }
    }
}

/// What the rules of a layer say.
struct Voice {
    /// The first of those that speak for it, and silence those after them; else its default.
    first: Word,
    /// The greatest of those that only add their verdict.
    added: Word,
}

impl Default for Voice {
    fn default() -> Self {
        let (first, added) = (Word::NONE, Word::NONE);
        Self { first, added }
    }
}

impl Voice {
    #[inline]
    fn hear(&mut self, word: Word, only_adds: bool) {
        if only_adds {
            self.added = self.added.or_greater(word);
        } else {
            self.first = self.first.or(word);
        }
    }

    /// Where no rule speaks for the layer, this does.
    #[inline]
    fn or_else(&mut self, default: Word) {
        self.first = self.first.or(default);
    }
}
