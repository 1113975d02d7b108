//! Warnings about rules that stand beside a catalogue.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Code, Diagnostic};
use crate::name::Scope;
use crate::policy::{Arguments, Effect, Lowered, Mode, Risk};
use crate::resolve::effective::{EffectiveLayer, EffectiveRule};

/// What the catalogues of a policy say of actions.
pub(super) struct Catalogs<'a> {
    /// The actions that one of them describes.
    known: BTreeSet<&'a str>,
    /// What refuses the actions that a catalogue does not describe.
    closing: Vec<Closing<'a>>,
}

struct Closing<'a> {
    scope: &'a Scope,
    rule: &'a EffectiveRule,
    known: &'a BTreeSet<String>,
}

impl<'a> Catalogs<'a> {
    /// Those of a policy's layers; none where it has no catalogue.
    pub(super) fn of(layers: &'a [EffectiveLayer]) -> Option<Self> {
        let mut has_catalog = false;
        let (mut all, mut closing) = (BTreeSet::new(), Vec::new());
        for layer in layers {
            for rule in &layer.rules {
                has_catalog |= rule.written.lowered().is_some();
                match rule.written.lowered() {
                    Some(Lowered::Risk { operation, .. }) => {
                        all.insert(operation.action());
                    }
                    Some(Lowered::UnknownOperation { known })
                        if !rule.disabled && rule.effect >= Effect::RequireApproval =>
                    {
                        let scope = &layer.scope;
                        closing.push(Closing { scope, rule, known });
                    }
                    _ => {}
                }
            }
        }
        let known = all;
        has_catalog.then_some(Self { known, closing })
    }

    /// What overrides of scopes that `is_own` takes did to the rules of `layer`: dangerous arguments that get a weaker answer than
    /// ordinary ones.
    pub(super) fn lint_layer(
        layer: &EffectiveLayer,
        is_own: impl Fn(&Scope) -> bool,
        found: &mut Vec<Diagnostic>,
    ) {
        let rules = || {
            layer
                .rules
                .iter()
                .filter_map(|rule| Some((rule, level(rule)?)))
        };
        let changed = |rule: &EffectiveRule| !rule.overrides.is_empty();
        let mut ordinary = BTreeMap::new();
        for (rule, (action, risk, arguments)) in rules() {
            if arguments == Arguments::Ordinary {
                ordinary.insert((action, risk), rule);
            }
        }
        for (rule, (action, risk, arguments)) in rules() {
            let Some(ordinary) = ordinary.get(&(action, risk)) else {
                continue;
            };
            let is_weaker = strength(rule) < strength(ordinary);
            if arguments == Arguments::Ordinary || !is_weaker {
                continue;
            }
            let culprit = if changed(ordinary) { ordinary } else { rule };
            let change = culprit.overrides.last();
            let Some(change) = change.filter(|change| is_own(&change.by)) else {
                continue;
            };
            let message = format!(
                "the override of `{}` by `{}` leaves dangerous arguments with a weaker answer than ordinary ones",
                culprit.written.name, change.by
            );
            let hint = format!(
                "override `{}` and `{}` alike, or whoever adds something dangerous is asked for less",
                ordinary.written.name, rule.written.name
            );
            found.push(
                Diagnostic::warning(Code::LINT_WEAKER_DANGER, message)
                    .at(change.written.location.clone())
                    .hint(hint),
            );
        }
    }

    /// What is odd about `rule` of `layer`, which was written by hand.
    pub(super) fn lint(
        &self,
        rule: &EffectiveRule,
        layer: &EffectiveLayer,
        found: &mut Vec<Diagnostic>,
    ) {
        let actions = rule.written.matcher.actions();
        let Some(actions) = actions.filter(|_| !rule.disabled) else {
            return;
        };
        let name = &rule.written.name;
        let mut closing = self.closing.iter();
        let voids = |closing: &&Closing<'_>| closing.voids(rule, layer, &actions);
        if let Some(closing) = closing.find(voids) {
            let message = format!(
                "the rule `{name}` never permits: the catalogue of `{}` describes none of its actions, and refuses what it does not describe",
                closing.scope
            );
            found.push(
                Diagnostic::warning(Code::LINT_UNKNOWN_ACTION, message)
                    .at(rule.written.location.clone())
                    .hint("describe the operation there, correct its name, or remove the rule"),
            );
            return;
        }
        // Where every catalogue leaves other actions alone, one that none describes is nothing to speak of.
        if self.closing.is_empty() {
            return;
        }
        let unknown = actions
            .iter()
            .filter(|action| !self.known.contains(*action));
        let unknown: BTreeSet<String> = unknown
            .map(|action| format!("`{}`", action.escape_debug()))
            .collect();
        if !unknown.is_empty() {
            let unknown: Vec<String> = unknown.into_iter().collect();
            let message = format!(
                "the rule `{name}` speaks of {}, which no catalogue describes",
                unknown.join(", ")
            );
            found.push(
                Diagnostic::warning(Code::LINT_UNKNOWN_ACTION, message)
                    .at(rule.written.location.clone())
                    .hint("correct the action, or describe the operation in a catalogue"),
            );
        }
    }
}

/// The action, the risk and the arguments that a lowered rule answers.
fn level(rule: &EffectiveRule) -> Option<(&str, Risk, Arguments)> {
    match rule.written.lowered() {
        Some(Lowered::Risk {
            operation,
            risk,
            arguments,
        }) => Some((operation.action(), *risk, *arguments)),
        _ => None,
    }
}

/// How strict a rule is; one that is switched off is the weakest.
fn strength(rule: &EffectiveRule) -> Option<(Mode, Effect)> {
    (!rule.disabled).then_some((rule.mode, rule.effect))
}

impl Closing<'_> {
    /// Whether it refuses whatever `rule` of `layer` permits, which lists `actions`. In its own layer `rule` may be looked at
    /// first.
    fn voids(&self, rule: &EffectiveRule, layer: &EffectiveLayer, actions: &[&str]) -> bool {
        let binds = self.rule.mode >= rule.mode;
        let is_own = *self.scope == layer.scope;
        let comes_first = !is_own || self.rule.precedence >= rule.precedence;
        rule.effect == Effect::Allow
            && binds
            && comes_first
            && !actions.iter().any(|action| self.known.contains(*action))
    }
}
