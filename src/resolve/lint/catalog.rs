//! Warnings about rules that stand beside a catalogue.

use std::collections::BTreeSet;

use crate::diag::{Code, Diagnostic};
use crate::policy::{Effect, Lowered};
use crate::resolve::effective::{EffectiveLayer, EffectivePolicy, EffectiveRule};

/// The actions that a catalogue of `policy` describes; none where it has no catalogue.
pub(super) fn described(policy: &EffectivePolicy) -> Option<BTreeSet<&str>> {
    let rules = policy.layers().iter().flat_map(|layer| &layer.rules);
    let mut found: Option<BTreeSet<&str>> = None;
    for rule in rules {
        match &rule.written.lowered {
            Some(Lowered::Risk { operation, .. }) => {
                found.get_or_insert_default().insert(operation.action());
            }
            Some(Lowered::UnknownOperation { .. }) => {
                found.get_or_insert_default();
            }
            Some(Lowered::MissingCapability { .. }) | None => {}
        }
    }
    found
}

/// What is odd about `rule`, which was written by hand, where catalogues describe `known`.
pub(super) fn lint(
    rule: &EffectiveRule,
    layer: &EffectiveLayer,
    policy: &EffectivePolicy,
    known: &BTreeSet<&str>,
    found: &mut Vec<Diagnostic>,
) {
    let Some(actions) = rule.written.matcher.actions() else {
        return;
    };
    if rule.disabled {
        return;
    }
    let name = &rule.written.name;
    if rule.effect == Effect::Allow
        && let Some(closing) = policy.layers().iter().find(|other| {
            let is_own = other.scope == layer.scope;
            other
                .rules
                .iter()
                .any(|other| voids(other, rule, is_own, &actions))
        })
    {
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
    let unknown: BTreeSet<&str> = actions
        .into_iter()
        .filter(|action| !known.contains(action))
        .collect();
    if !unknown.is_empty() {
        let unknown: Vec<String> = unknown
            .iter()
            .map(|action| action.escape_debug().to_string())
            .collect();
        let message = format!(
            "the rule `{name}` speaks of `{}`, which no catalogue describes",
            unknown.join("`, `")
        );
        found.push(
            Diagnostic::warning(Code::LINT_UNKNOWN_ACTION, message)
                .at(rule.written.location.clone())
                .hint("correct the action, or describe the operation in a catalogue"),
        );
    }
}

/// Whether `closing` refuses whatever `rule` permits, which lists `actions`. In a layer of its own `rule` may be looked at
/// first.
fn voids(closing: &EffectiveRule, rule: &EffectiveRule, is_own: bool, actions: &[&str]) -> bool {
    let Some(Lowered::UnknownOperation { known }) = &closing.written.lowered else {
        return false;
    };
    let refuses = !closing.disabled && closing.effect >= Effect::RequireApproval;
    let binds = closing.mode >= rule.mode;
    let comes_first = !is_own || closing.precedence >= rule.precedence;
    refuses && binds && comes_first && !actions.iter().any(|action| known.contains(*action))
}
