//! Warnings about rules that stand beside a catalogue.

use std::collections::BTreeSet;

use crate::diag::{Code, Diagnostic};
use crate::name::Scope;
use crate::policy::{Effect, Lowered};
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
                has_catalog |= rule.written.lowered.is_some();
                match &rule.written.lowered {
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
                Diagnostic::warning(Code::LINT_UNDESCRIBED_ALLOW, message)
                    .at(rule.written.location.clone())
                    .hint("describe the operation there, correct its name, or remove the rule"),
            );
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
