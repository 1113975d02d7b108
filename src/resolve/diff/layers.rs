//! The layers of one scope's policy, held against each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::overrides::{Lapsed, lapsed};
use super::rules::{self, Layer};
use super::weigh::{self, Around};
use super::{
    Change, Comparison, Direction, Found, Kind, Part, Resolved, Side, Subject, part, worst,
};
use crate::name::Scope;
use crate::policy::{Effect, Mode};
use crate::resolve::{EffectiveLayer, LayerKind, Source, SourceFile};

/// The layer of a scope, where a bundle defines it.
type Known<'a> = BTreeMap<&'a Scope, &'a EffectiveLayer>;

fn known(side: &Resolved) -> Known<'_> {
    let layers = side.layers.iter().filter(|layer| layer.bundle.is_some());
    layers.map(|layer| (&layer.scope, layer)).collect()
}

/// Compares the two policies of one scope.
pub(super) fn compare(comparison: &Comparison<'_>, found: &mut Found) {
    let (before, after) = (known(comparison.before), known(comparison.after));
    let is_answered = always_answered(&before, &after);
    let lapsed = (lapsed(comparison.before), lapsed(comparison.after));
    let reads_risk = reads_risk(comparison);
    let mut scopes: Vec<&Scope> = before.keys().chain(after.keys()).copied().collect();
    scopes.sort();
    scopes.dedup();
    for scope in scopes {
        let (old, new) = (before.get(scope).copied(), after.get(scope).copied());
        let layer = Layer {
            scope,
            around: around(old, new, is_answered),
            mode: old.zip(new).map(|(old, new)| (old.mode, new.mode)),
            lapsed: (&lapsed.0, &lapsed.1),
            reads_risk,
        };
        match membership(comparison, scope, old, new) {
            Some(kind) => joined(comparison, &layer, kind, old.or(new), found),
            None => {
                scope_itself(comparison, scope, old, new, found);
                rules(comparison, &layer, old, new, found);
            }
        }
    }
}

/// The rules of a layer. Where nobody overrides one of them, they are the same for every scope, and are looked at once.
fn rules(
    comparison: &Comparison<'_>,
    layer: &Layer<'_>,
    before: Option<&EffectiveLayer>,
    after: Option<&EffectiveLayer>,
    found: &mut Found,
) {
    let touched = |side: Option<&EffectiveLayer>, lapsed: &Lapsed<'_>| {
        let mut rules = side.into_iter().flat_map(|side| &side.rules);
        lapsed.keys().any(|rule| rule.scope == *layer.scope)
            || rules.any(|rule| !rule.overrides.is_empty())
    };
    if touched(before, layer.lapsed.0) || touched(after, layer.lapsed.1) {
        rules::compare(comparison, layer, before, after, found);
        return;
    }
    let key = (layer.scope.clone(), layer.around, layer.reads_risk);
    if !found.plain.contains_key(&key) {
        let mut alone = Found::default();
        rules::compare(comparison, layer, before, after, &mut alone);
        found.plain.insert(key.clone(), alone.finish());
    }
    for change in found.plain.get(&key).cloned().unwrap_or_default() {
        let reaches = Vec::new();
        found.add(comparison.scope, Change { reaches, ..change });
    }
}

/// Whether a condition of either policy may go by the risk: then a greater one may loosen.
fn reads_risk(comparison: &Comparison<'_>) -> bool {
    let (before, after) = (&comparison.before.layers, &comparison.after.layers);
    let rules = before.iter().chain(after).flat_map(|layer| &layer.rules);
    let mut whens = rules.filter_map(|rule| rule.written.when.as_ref());
    whens.any(|when| when.source().contains("risk"))
}

/// Whether a scope that both sides define takes part on one of them only: a pack that is extended, or is no more.
fn membership(
    comparison: &Comparison<'_>,
    scope: &Scope,
    before: Option<&EffectiveLayer>,
    after: Option<&EffectiveLayer>,
) -> Option<Kind> {
    let (old, new) = comparison.sides;
    let is_defined = old.defined.contains_key(scope) && new.defined.contains_key(scope);
    match (before, after) {
        (None, Some(_)) if is_defined => Some(Kind::Added),
        (Some(_), None) if is_defined => Some(Kind::Removed),
        _ => None,
    }
}

/// A pack that takes part on one side only; its rules are those that it has on both.
fn joined(
    comparison: &Comparison<'_>,
    layer: &Layer<'_>,
    kind: Kind,
    there: Option<&EffectiveLayer>,
    found: &mut Found,
) {
    let Some(there) = there else { return };
    let (old, new) = comparison.sides;
    let (side, other, resolved) = match kind {
        Kind::Removed => (old, new, comparison.before),
        Kind::Added | Kind::Changed => (new, old, comparison.after),
    };
    let extends = |side: &Side<'_>, scope: &Scope| side.extends(scope).contains(layer.scope);
    let members = resolved.layers.iter().map(|layer| &layer.scope);
    let mut extending: Vec<&Scope> = members.filter(|scope| extends(side, scope)).collect();
    // Whoever extends it on both sides joined or left itself.
    extending.sort_by_key(|scope| extends(other, scope));
    let by = extending.first().copied().unwrap_or(comparison.scope);
    let default = match kind {
        Kind::Removed => weigh::default(there.default, None),
        Kind::Added | Kind::Changed => weigh::default(None, there.default),
    };
    let mut direction = default;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for rule in there.rules.iter().filter(|rule| !rule.disabled) {
        *counts.entry(rule.effect.as_str()).or_default() += 1;
        direction = direction.max(match kind {
            Kind::Removed => rules::removed(rule, layer),
            Kind::Added | Kind::Changed => rules::added(rule, layer),
        });
    }
    let mut parts = Vec::new();
    let mut tell = |what: &str, value: serde_json::Value| {
        let (before, after) = match kind {
            Kind::Removed => (Some(&value), None),
            Kind::Added | Kind::Changed => (None, Some(&value)),
        };
        parts.push(part(what, before, after, Direction::Neutral));
    };
    tell("rules", serde_json::json!(counts));
    tell("mode", serde_json::json!(there.mode));
    tell(
        "default",
        serde_json::json!(there.default.map_or("abstain", Effect::as_str)),
    );
    found.add(
        comparison.scope,
        Change {
            scope: by.clone(),
            subject: Subject::Pack(layer.scope.clone()),
            kind,
            direction,
            parts,
            overrides: Vec::new(),
            reaches: Vec::new(),
            before: None,
            after: None,
        },
    );
}

/// What the scope's policy says besides rules and overrides.
fn scope_itself(
    comparison: &Comparison<'_>,
    scope: &Scope,
    before: Option<&EffectiveLayer>,
    after: Option<&EffectiveLayer>,
    found: &mut Found,
) {
    let (old, new) = comparison.sides;
    let extends = (old.extends(scope), new.extends(scope));
    let (kind, parts) = match (before, after) {
        (Some(before), Some(after)) => {
            let parts = differences(before, after, extends);
            if parts.is_empty() {
                return;
            }
            (Kind::Changed, parts)
        }
        (None, Some(after)) => {
            let mut parts = differences(&silent(after), after, extends);
            for part in &mut parts {
                (part.before, part.direction) = (None, alone(part));
            }
            (Kind::Added, parts)
        }
        (Some(before), None) => {
            let mut parts = differences(before, &silent(before), extends);
            for part in &mut parts {
                (part.after, part.direction) = (None, alone(part));
            }
            (Kind::Removed, parts)
        }
        (None, None) => return,
    };
    let place = |layer: Option<&EffectiveLayer>, side: &Side<'_>| {
        let found = layer.and_then(|layer| side.defined.get(&layer.scope))?;
        let (identity, location) = (found.loaded.identity(), &found.layer.location);
        Some(Source {
            file: Arc::new(SourceFile::of(identity, &location.file)),
            line: location.line,
        })
    };
    found.add(
        comparison.scope,
        Change {
            scope: scope.clone(),
            subject: Subject::Scope(scope.clone()),
            kind,
            direction: worst(&parts),
            parts,
            overrides: Vec::new(),
            reaches: Vec::new(),
            before: place(before, old),
            after: place(after, new),
        },
    );
}

/// How a part weighs of a scope that one side does not define: its mode is that of its rules, each of which is told.
fn alone(part: &Part) -> Direction {
    match part.what.as_str() {
        "mode" => Direction::Neutral,
        _ => part.direction,
    }
}

/// The scope as it is where nobody defines it.
fn silent(layer: &EffectiveLayer) -> EffectiveLayer {
    EffectiveLayer {
        mode: Mode::Enforce,
        min_mode: Mode::AuditOnly,
        default: None,
        waivers: crate::policy::WaiverTerms::default(),
        rules: Vec::new().into(),
        ..layer.clone()
    }
}

fn differences(
    before: &EffectiveLayer,
    after: &EffectiveLayer,
    extends: (&[Scope], &[Scope]),
) -> Vec<Part> {
    let mut parts = Vec::new();
    if before.mode != after.mode {
        let direction = mode(before, after);
        parts.push(part(
            "mode",
            Some(&before.mode),
            Some(&after.mode),
            direction,
        ));
    }
    if before.default != after.default {
        let direction = weigh::default(before.default, after.default);
        let word = |layer: &EffectiveLayer| layer.default.map_or("abstain", Effect::as_str);
        parts.push(part(
            "default",
            Some(word(before)),
            Some(word(after)),
            direction,
        ));
    }
    if before.min_mode != after.min_mode {
        let direction = weigh::min_mode(before.min_mode, after.min_mode);
        let modes = (Some(&before.min_mode), Some(&after.min_mode));
        parts.push(part("min_mode", modes.0, modes.1, direction));
    }
    if before.waivers != after.waivers {
        let direction = weigh::waivers(&before.waivers, &after.waivers);
        let terms = (Some(&before.waivers), Some(&after.waivers));
        parts.push(part("waivers", terms.0, terms.1, direction));
    }
    if extends.0 != extends.1 {
        // What a pack brings or takes away is told of the pack.
        let lists = (Some(extends.0), Some(extends.1));
        parts.push(part("extends", lists.0, lists.1, Direction::Neutral));
    }
    parts
}

/// A layer that begins to bind adds verdicts. Below the root, one that permits may stand where `NO_MATCH` denied; the root's
/// own mode is that of `NO_MATCH`.
fn mode(before: &EffectiveLayer, after: &EffectiveLayer) -> Direction {
    if after.mode < before.mode {
        return Direction::Loosens;
    }
    let is_root = after.kind == LayerKind::Chain && after.scope.parent().is_none();
    let refuses = |layer: &EffectiveLayer| {
        let is_deny = |effect: &Effect| *effect == Effect::Deny;
        layer.default.as_ref().is_none_or(is_deny)
            && layer.rules.iter().all(|rule| is_deny(&rule.effect))
    };
    if is_root || (refuses(before) && refuses(after)) {
        Direction::Tightens
    } else {
        Direction::MayLoosen
    }
}

/// Whether on both sides, and on the way from one to the other, some scope's default binds: then `NO_MATCH` never speaks.
fn always_answered(before: &Known<'_>, after: &Known<'_>) -> bool {
    let answers = |layer: &EffectiveLayer| layer.mode == Mode::Enforce && layer.default.is_some();
    let both = before.iter().filter(|(_, layer)| answers(layer));
    let mut both = both.filter_map(|(scope, _)| after.get(scope));
    both.any(|layer| answers(layer))
}

fn around(
    before: Option<&EffectiveLayer>,
    after: Option<&EffectiveLayer>,
    is_answered: bool,
) -> Around {
    let denies = |layer: &EffectiveLayer| {
        let is_deny = |effect: Effect| effect == Effect::Deny;
        layer.default.is_some_and(is_deny) || layer.rules.iter().any(|rule| is_deny(rule.effect))
    };
    if is_answered && !before.is_some_and(denies) && !after.is_some_and(denies) {
        Around::Open
    } else {
        Around::Closed
    }
}
