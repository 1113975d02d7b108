//! The rules of one layer, held against each other after overrides.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value};

use super::overrides::{self, Lapsed};
use super::weigh::{self, Around, Shift};
use super::{Change, Comparison, Direction, Found, Kind, Part, Subject, catalog, part, worst};
use crate::name::{RuleId, Scope};
use crate::policy::{Condition, Effect, Mode, Written};
use crate::resolve::{EffectiveLayer, EffectiveRule};

/// One rule on both sides; at least one of them has it.
#[derive(Clone, Copy)]
pub(super) struct Pair<'a> {
    pub(super) before: Option<&'a EffectiveRule>,
    pub(super) after: Option<&'a EffectiveRule>,
}

impl<'a> Pair<'a> {
    /// The rule as it is, or as it was.
    pub(super) fn either(&self) -> Option<&'a EffectiveRule> {
        self.after.or(self.before)
    }
}

/// What is the same for all rules of a layer.
pub(super) struct Layer<'a> {
    pub(super) scope: &'a Scope,
    pub(super) around: Around,
    /// How the layer's own mode changes, which is told of the layer.
    pub(super) mode: Option<(Mode, Mode)>,
    pub(super) lapsed: (&'a Lapsed<'a>, &'a Lapsed<'a>),
    /// Whether a condition of the whole policy may go by the risk of an operation.
    pub(super) reads_risk: bool,
}

/// The rules of a layer that both sides, or one of them, have.
pub(super) fn compare(
    comparison: &Comparison<'_>,
    layer: &Layer<'_>,
    before: Option<&EffectiveLayer>,
    after: Option<&EffectiveLayer>,
    found: &mut Found,
) {
    let mut pairs: BTreeMap<&RuleId, Pair<'_>> = BTreeMap::new();
    let none = Pair {
        before: None,
        after: None,
    };
    for rule in before.into_iter().flat_map(|layer| &layer.rules) {
        let pair = pairs.entry(&rule.written.name.rule).or_insert(none);
        pair.before = Some(rule);
    }
    for rule in after.into_iter().flat_map(|layer| &layer.rules) {
        let pair = pairs.entry(&rule.written.name.rule).or_insert(none);
        pair.after = Some(rule);
    }
    let (lowered, written): (Vec<Pair<'_>>, Vec<Pair<'_>>) =
        pairs.into_values().partition(|pair| {
            let is_lowered = |rule: &EffectiveRule| rule.written.lowered().is_some();
            pair.before.is_none_or(is_lowered) && pair.after.is_none_or(is_lowered)
        });
    for pair in written {
        if let Some(change) = change_of(pair, layer) {
            found.add(comparison.scope, change);
        }
    }
    catalog::compare(comparison, layer, lowered, found);
}

/// What changes of a rule, if anything does.
pub(super) fn change_of(pair: Pair<'_>, layer: &Layer<'_>) -> Option<Change> {
    let rule = pair.either()?;
    let subject = Subject::Rule(rule.written.name.clone());
    let mut change = Change {
        scope: layer.scope.clone(),
        subject,
        kind: Kind::Changed,
        direction: Direction::Neutral,
        parts: Vec::new(),
        overrides: Vec::new(),
        reaches: Vec::new(),
        before: pair.before.and_then(|rule| rule.source.clone()),
        after: pair.after.and_then(|rule| rule.source.clone()),
    };
    let (before, after) = match (pair.before, pair.after) {
        (Some(before), Some(after)) => (before, after),
        (None, _) => {
            change.kind = Kind::Added;
            change.direction = added(rule, layer);
            change.parts = whole(rule, Kind::Added);
            return Some(change);
        }
        (_, None) => {
            change.kind = Kind::Removed;
            change.direction = removed(rule, layer);
            change.parts = whole(rule, Kind::Removed);
            return Some(change);
        }
    };
    let differing = overrides::compare((before, layer.lapsed.0), (after, layer.lapsed.1));
    change.parts = parts(before, after, layer);
    change.direction = worst(&change.parts).max(differing.direction.unwrap_or(Direction::Neutral));
    if let Some(first) = differing.changes.first() {
        // Whoever makes the override makes the change.
        change.scope = first.by.clone();
        (change.before, change.after) = (differing.before, differing.after);
    }
    change.overrides = differing.changes;
    (!change.parts.is_empty() || !change.overrides.is_empty()).then_some(change)
}

/// How a rule weighs that was not there.
pub(super) fn added(rule: &EffectiveRule, layer: &Layer<'_>) -> Direction {
    if rule.disabled {
        return Direction::Neutral;
    }
    weigh::shift(Shift::More, rule.effect, layer.around)
}

/// How a rule weighs that is there no more.
pub(super) fn removed(rule: &EffectiveRule, layer: &Layer<'_>) -> Direction {
    if rule.disabled {
        return Direction::Neutral;
    }
    weigh::shift(Shift::Less, rule.effect, layer.around)
}

/// Everything of a rule that is on one side only.
fn whole(rule: &EffectiveRule, kind: Kind) -> Vec<Part> {
    let written = &rule.written;
    let mut parts = Vec::new();
    let mut tell = |what: &str, value: Value| {
        let (before, after) = match kind {
            Kind::Removed => (Some(&value), None),
            Kind::Added | Kind::Changed => (None, Some(&value)),
        };
        parts.push(part(what, before, after, Direction::Neutral));
    };
    tell("effect", json(&rule.effect));
    tell("match", written.matcher.source().value());
    if let Some(when) = &written.when {
        tell("when", json(when.source()));
    }
    if let Some(valid) = written.limits() {
        tell("valid", json(&valid));
    }
    tell("mode", json(&rule.mode));
    if rule.precedence != 0 {
        tell("precedence", json(&rule.precedence));
    }
    if rule.disabled {
        tell("disabled", Value::Bool(true));
    }
    tell("reason", json(&*rule.reason));
    parts
}

fn json<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// What differs of a rule that both sides have.
pub(super) fn parts(before: &EffectiveRule, after: &EffectiveRule, layer: &Layer<'_>) -> Vec<Part> {
    let mut parts = Vec::new();
    let is_off = before.disabled && after.disabled;
    // What is off on both sides decides nothing.
    let weighed = |direction: Direction| {
        if is_off {
            Direction::Neutral
        } else {
            direction
        }
    };
    if before.disabled != after.disabled {
        let direction = if after.disabled {
            removed(before, layer)
        } else {
            added(after, layer)
        };
        let (old, new) = (before.disabled, after.disabled);
        parts.push(part("disabled", Some(&old), Some(&new), direction));
    }
    if before.effect != after.effect {
        let direction = weigh::effect(before.effect, after.effect);
        let effects = (Some(&before.effect), Some(&after.effect));
        parts.push(part("effect", effects.0, effects.1, weighed(direction)));
    }
    // Two orders lead from one rule to the other: what it speaks of first, or what it asks for first. Where one of them only
    // tightens, so does the whole.
    let coverage = |effect: Effect| covered(before, after, effect, layer);
    let first = coverage(before.effect);
    let covering = if before.effect == after.effect {
        first
    } else {
        let second = coverage(after.effect);
        if worst(&first) <= worst(&second) {
            first
        } else {
            second
        }
    };
    parts.extend(covering.into_iter().map(|part| Part {
        direction: weighed(part.direction),
        ..part
    }));
    words(before, after, &mut parts);
    parts
}

/// What differs of what a rule speaks of, and how far it counts, if its effect is `effect`.
fn covered(
    before: &EffectiveRule,
    after: &EffectiveRule,
    effect: Effect,
    layer: &Layer<'_>,
) -> Vec<Part> {
    let mut parts = Vec::new();
    let shifted = |shift: Shift| weigh::shift(shift, effect, layer.around);
    let (old, new) = (&before.written, &after.written);
    matched(
        old.matcher.source(),
        new.matcher.source(),
        &mut parts,
        shifted,
    );
    let when = |rule: Option<&Condition>| rule.map(|when| when.source().to_owned());
    let whens = (when(old.when.as_ref()), when(new.when.as_ref()));
    if whens.0 != whens.1 {
        let shift = match &whens {
            (None, _) => Shift::Less,
            (_, None) => Shift::More,
            _ => Shift::Either,
        };
        let (old, new) = (whens.0.as_ref(), whens.1.as_ref());
        parts.push(part("when", old, new, shifted(shift)));
    }
    data(before, after, &mut parts);
    if old.valid() != new.valid() {
        let shift = weigh::window(old.valid(), new.valid());
        let (old, new) = (old.limits(), new.limits());
        parts.push(part("valid", old.as_ref(), new.as_ref(), shifted(shift)));
    }
    let is_told = layer.mode == Some((before.mode, after.mode))
        && layer.mode == Some((before.declared_mode, after.declared_mode));
    if before.mode != after.mode && !is_told {
        let direction = if after.mode > before.mode {
            shifted(Shift::More)
        } else {
            shifted(Shift::Less)
        };
        parts.push(part(
            "mode",
            Some(&before.mode),
            Some(&after.mode),
            direction,
        ));
    }
    if before.is_raised() != after.is_raised() {
        // A raised rule adds its verdict and silences none.
        let direction = if after.is_raised() {
            Direction::Tightens
        } else {
            Direction::MayLoosen
        };
        let (old, new) = (before.is_raised(), after.is_raised());
        // A rule that did not bind at all is weighed as such.
        let direction = if before.mode == after.mode {
            direction
        } else {
            Direction::Neutral
        };
        parts.push(part("raised", Some(&old), Some(&new), direction));
    }
    if before.precedence != after.precedence {
        let (old, new) = (before.precedence, after.precedence);
        let direction = weigh::precedence(old, new, effect, layer.around);
        parts.push(part("precedence", Some(&old), Some(&new), direction));
    }
    parts
}

/// What differs of two `match`es, key by key.
pub(super) fn matched(
    before: &Written,
    after: &Written,
    parts: &mut Vec<Part>,
    weigh: impl Fn(Shift) -> Direction,
) {
    if before == after {
        return;
    }
    let empty = Map::new();
    let (before, after) = (before.value(), after.value());
    let (old, new) = (
        before.as_object().unwrap_or(&empty),
        after.as_object().unwrap_or(&empty),
    );
    let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for key in keys {
        let (old, new) = (old.get(key), new.get(key));
        if old != new {
            let direction = weigh(weigh::wanted(old, new));
            parts.push(part(format!("match.{key}"), old, new, direction));
        }
    }
}

/// What differs of the data that a `when` reads, where it reads the same files.
fn data(before: &EffectiveRule, after: &EffectiveRule, parts: &mut Vec<Part>) {
    let (Some(old), Some(new)) = (&before.written.when, &after.written.when) else {
        return;
    };
    for (name, digest) in old.reads() {
        let other = new.reads().get(name);
        if other.is_some_and(|other| other != digest) {
            let what = format!("data.{}", name.strip_prefix("data.").unwrap_or(name));
            parts.push(part(what, Some(digest), other, Direction::MayLoosen));
        }
    }
}

/// What differs and decides nothing.
fn words(before: &EffectiveRule, after: &EffectiveRule, parts: &mut Vec<Part>) {
    let (old, new) = (&before.written, &after.written);
    if old.permission != new.permission {
        let direction = weigh::permission(old.permission, new.permission);
        let (old, new) = (Some(&old.permission), Some(&new.permission));
        parts.push(part("override", old, new, direction));
    }
    let mut tell = |what: &str, old: Value, new: Value| {
        if old != new {
            let given = |value: &Value| (!value.is_null()).then(|| value.clone());
            let (old, new) = (given(&old), given(&new));
            parts.push(part(what, old.as_ref(), new.as_ref(), Direction::Neutral));
        }
    };
    tell("reason", json(&*before.reason), json(&*after.reason));
    tell(
        "reason_code",
        json(&old.reason_code),
        json(&new.reason_code),
    );
    tell(
        "remediation",
        json(&old.remediation().map(AsRef::<str>::as_ref)),
        json(&new.remediation().map(AsRef::<str>::as_ref)),
    );
    tell("tags", json(&old.tags()), json(&new.tags()));
}
