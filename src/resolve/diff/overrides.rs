//! Overrides of one rule, held against each other.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::{Direction, Resolved};
use crate::name::{RuleRef, Scope};
use crate::policy::{Effect, Mode};
use crate::resolve::{AppliedOverride, EffectiveRule, Source};

/// An override that is not on both sides as it is on the other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverrideChange {
    /// The scope that makes it.
    pub by: Scope,
    /// How it stood; none where there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<OverrideState>,
    /// How it stands; none where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<OverrideState>,
}

/// How an override stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OverrideState {
    /// Whether it is a waiver: it asks for less than what it finds.
    pub loosens: bool,
    /// Whether it counts no more.
    pub lapsed: bool,
    /// The new effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Whether it switches the rule off.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub disable: bool,
    /// The new mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The new precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precedence: Option<i32>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Where it was agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When it lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl OverrideState {
    fn of(change: &AppliedOverride, lapsed: bool) -> Self {
        let written = &change.written;
        Self {
            loosens: change.loosens,
            lapsed,
            effect: written.effect,
            disable: written.disable,
            mode: written.mode,
            precedence: written.precedence,
            reason: written.reason.clone(),
            owner: written.owner.clone(),
            ticket: written.ticket.clone(),
            expires: written.expires,
        }
    }
}

/// An override that stands, or stood, with its place.
type Known = (OverrideState, Option<Source>);

/// What differs between the overrides of one rule, by who makes them, and where the first that differs stands.
#[derive(Debug, Default)]
pub(super) struct Differing {
    pub(super) changes: Vec<OverrideChange>,
    pub(super) before: Option<Source>,
    pub(super) after: Option<Source>,
    pub(super) direction: Option<Direction>,
}

/// The overrides that count no more, by the rule that they changed.
pub(super) type Lapsed<'a> = BTreeMap<&'a RuleRef, Vec<&'a AppliedOverride>>;

pub(super) fn lapsed(side: &Resolved) -> Lapsed<'_> {
    let mut all = Lapsed::new();
    for change in &side.lapsed {
        all.entry(&change.written.rule).or_default().push(change);
    }
    all
}

/// Holds the overrides of a rule that both sides have against each other.
pub(super) fn compare(
    before: (&EffectiveRule, &Lapsed<'_>),
    after: (&EffectiveRule, &Lapsed<'_>),
) -> Differing {
    let is_plain = |(rule, lapsed): (&EffectiveRule, &Lapsed<'_>)| {
        rule.overrides.is_empty() && !lapsed.contains_key(&rule.written.name)
    };
    if is_plain(before) && is_plain(after) {
        return Differing::default();
    }
    let (before, after) = (known(before), known(after));
    let mut found = Differing::default();
    let mut scopes: Vec<&Scope> = before.keys().chain(after.keys()).copied().collect();
    scopes.sort();
    scopes.dedup();
    for by in scopes {
        let (old, new) = (before.get(by), after.get(by));
        let state = |known: Option<&Known>| known.map(|(state, _)| state.clone());
        if state(old) == state(new) {
            continue;
        }
        let place = |known: Option<&Known>| known.and_then(|(_, source)| source.clone());
        if found.changes.is_empty() {
            (found.before, found.after) = (place(old), place(new));
        }
        found.direction = found.direction.max(Some(weigh(old, new)));
        found.changes.push(OverrideChange {
            by: by.clone(),
            before: state(old),
            after: state(new),
        });
    }
    found
}

fn known<'a>((rule, lapsed): (&'a EffectiveRule, &Lapsed<'a>)) -> BTreeMap<&'a Scope, Known> {
    let over = lapsed.get(&rule.written.name).into_iter().flatten();
    let over = over.map(|change| (*change, true));
    let standing = rule.overrides.iter().map(|change| (change, false));
    let all = standing.chain(over).map(|(change, is_lapsed)| {
        let state = OverrideState::of(change, is_lapsed);
        (&change.by, (state, change.source.clone()))
    });
    all.collect()
}

/// How the override itself weighs, beside what it does to the rule now: a waiver that lasts longer is one more, later.
fn weigh(before: Option<&Known>, after: Option<&Known>) -> Direction {
    let (Some((before, _)), Some((after, _))) = (before, after) else {
        return Direction::Neutral;
    };
    if before.lapsed || after.lapsed || before.expires == after.expires {
        return Direction::Neutral;
    }
    let is_longer = match (before.expires, after.expires) {
        (_, None) => true,
        (Some(before), Some(after)) => after > before,
        (None, Some(_)) => false,
    };
    if after.loosens == is_longer {
        Direction::Loosens
    } else {
        Direction::Tightens
    }
}
