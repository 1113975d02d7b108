//! Why a request is decided as it is: what each layer said, and which rules came near.
//!
//! The verdict is [`Engine::evaluate`]'s own; what is added is read off the same rules with the same conditions. A rule is
//! told of where it matched, where a condition of it could not be judged, where it would have matched but is not in force, and
//! where it came near: at most two of its keys do not match, and at least as many do.

use jiff::Timestamp;
use serde::Serialize;

use super::evaluate::{Engine, Origin, Pick, Verdict};
use super::request::Request;
use crate::name::{RuleRef, Scope};
use crate::policy::{Effect, Facts, KeyOutcome, Match, Mode, Window};
use crate::resolve::{EffectiveLayer, EffectiveRule, LayerKind, OverrideView, Source};

/// The most keys that may not match of a rule that came near.
const NEAR: usize = 2;

/// What every layer said of one request.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation<'a> {
    /// Whether anything is enforced that decides. Where nothing is, `determines` tells what would decide.
    pub binds: bool,
    /// The layers in evaluation order.
    pub layers: Vec<LayerSaid<'a>>,
}

/// What one layer said.
#[derive(Debug, Clone, Serialize)]
pub struct LayerSaid<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// Why it takes part.
    pub kind: LayerKind,
    /// Its mode.
    pub mode: Mode,
    /// What it says where none of its rules matches; none for `abstain`.
    pub default: Option<Effect>,
    /// The verdict that it would give if everything were enforced; none where it is silent.
    pub says: Option<Effect>,
    /// The rule that gives it; none where the default does.
    pub by: Option<&'a RuleRef>,
    /// Whether the decision is this layer's, or would be if anything were enforced.
    pub determines: bool,
    /// The rules that there is something to say of, in the order in which they are looked at.
    pub rules: Vec<RuleTrace<'a>>,
}

/// How a rule stands to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It matched.
    Matched,
    /// A condition could not be judged, and the rule refuses, so it counts.
    Failed,
    /// A condition could not be judged, and the rule permits, so it does not count.
    NotJudged,
    /// It matches, and an override switched it off.
    Disabled,
    /// It matches, and its `valid` is not open at this time.
    NotInForce,
    /// It came near.
    Near,
}

/// How one rule stands to the request, and why.
#[derive(Debug, Clone, Serialize)]
pub struct RuleTrace<'a> {
    /// The rule.
    pub rule: &'a RuleRef,
    /// What it asks for.
    pub effect: Effect,
    /// How far it binds.
    pub mode: Mode,
    /// How it stands.
    pub standing: Standing,
    /// Whether the decision is its, or would be if anything were enforced.
    pub determines: bool,
    /// What each key of its `match` found.
    pub keys: Vec<KeyOutcome>,
    /// When it is in force, where it is not always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<Window>,
    /// The overrides that touched it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideView<'a>>,
    /// Where it was written.
    pub source: Option<&'a Source>,
}

impl Engine {
    /// Explains `verdict`, this engine's answer to `request` at `now`.
    #[must_use]
    pub fn explain(&self, request: &Request, now: Timestamp, verdict: &Verdict) -> Explanation<'_> {
        let facts = self.facts(request, now);
        // Where nothing binds, what would have happened is what there is to explain.
        let pick = verdict.binding().unwrap_or(verdict.would());
        let layers = self.policy().layers().iter().enumerate();
        let layers = layers.map(|(position, layer)| say(layer, position, &facts, verdict, pick));
        Explanation {
            binds: verdict.binding().is_some(),
            layers: layers.collect(),
        }
    }
}

fn say<'a>(
    layer: &'a EffectiveLayer,
    position: usize,
    facts: &Facts<'_>,
    verdict: &Verdict,
    pick: Pick,
) -> LayerSaid<'a> {
    let hits = || verdict.hits.iter().filter(|hit| hit.at.layer() == position);
    let rules = layer.rules.iter().enumerate().filter_map(|(index, rule)| {
        let hit = hits().find(|hit| hit.at.rule() == index);
        let keys = rule.written.explain(facts);
        let standing = match hit {
            Some(hit) if hit.failed => Standing::Failed,
            Some(_) => Standing::Matched,
            None => standing_of(rule, &keys, facts.now())?,
        };
        Some(RuleTrace {
            rule: &rule.written.name,
            effect: rule.effect,
            mode: rule.mode,
            standing,
            determines: hit.is_some_and(|hit| pick.origin == Origin::Rule(hit.at)),
            keys,
            valid: rule.written.limits(),
            overrides: rule.override_views(),
            source: rule.source.as_ref(),
        })
    });
    let rules: Vec<RuleTrace<'_>> = rules.collect();
    // What could not be judged adds to what the layer says, and silences nothing.
    let first = hits().find(|hit| !hit.failed);
    let spoken = first.and_then(|hit| layer.rules.get(hit.at.rule()));
    let failed = hits().filter(|hit| hit.failed);
    let failed = failed.filter_map(|hit| layer.rules.get(hit.at.rule()));
    let own = spoken.map(|rule| (rule.effect, Some(rule)));
    let own = own.or(layer.default.map(|effect| (effect, None)));
    let all = own
        .into_iter()
        .chain(failed.map(|rule| (rule.effect, Some(rule))));
    // The first of equals, as in the evaluation.
    let said = all.reduce(|best, next| {
        if next.0.rank() > best.0.rank() {
            next
        } else {
            best
        }
    });
    LayerSaid {
        scope: &layer.scope,
        kind: layer.kind,
        mode: layer.mode,
        default: layer.default,
        says: said.map(|(effect, _)| effect),
        by: said
            .and_then(|(_, rule)| rule)
            .map(|rule| &rule.written.name),
        determines: pick.origin.layer() == Some(position),
        rules,
    }
}

/// How a rule that is not among the hits stands; none where there is nothing to say of it.
fn standing_of(rule: &EffectiveRule, keys: &[KeyOutcome], now: Timestamp) -> Option<Standing> {
    let count = |answer| keys.iter().filter(|key| key.answer == answer).count();
    let (matching, missing, failed) = (count(Match::Yes), count(Match::No), count(Match::Failed));
    match (missing, failed) {
        (0, 0) if rule.disabled => Some(Standing::Disabled),
        (0, 0) if !rule.written.valid().holds(now) => Some(Standing::NotInForce),
        (0, 1..) if rule.is_live(now) => Some(Standing::NotJudged),
        _ if rule.disabled => None,
        _ => {
            let wrong = missing + failed;
            let is_near = wrong <= NEAR && matching >= wrong && matching > 0;
            // A rule of another action is another matter, unless everything else fits, and people wrote it.
            let is_other = keys.iter().any(|key| {
                key.answer == Match::No && ["action", "action.name"].contains(&key.key.as_str())
            });
            let fits = wrong == 1 && matching > 1 && rule.written.lowered().is_none();
            (is_near && (!is_other || fits)).then_some(Standing::Near)
        }
    }
}
