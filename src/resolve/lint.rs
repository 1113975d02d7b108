//! Warnings about an effective policy: what is legal, and certainly not what its authors meant.
//!
//! Each lint speaks only where it is certain; none guesses whether two patterns overlap.

mod catalog;
mod shadow;
mod void;

use std::collections::HashSet;

use jiff::{SignedDuration, Timestamp};

use self::catalog::Catalogs;
use self::shadow::Earlier;
use self::void::Closed;
use super::effective::{AppliedOverride, EffectiveLayer, EffectivePolicy, EffectiveRule};
use super::rules::Rules;
use crate::diag::{Code, Diagnostic};
use crate::name::Scope;
use crate::policy::{Condition, Effect, Window};

/// Overrides that lapse within this time are reported.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Every warning about `policy` at `now`, in evaluation order.
#[must_use]
pub fn lint(policy: &EffectivePolicy, now: Timestamp) -> Vec<Diagnostic> {
    let mut linter = Linter::new(now, |_| true);
    linter.lint(policy.layers(), policy.lapsed());
    linter.found
}

/// Looks at the policies of several scopes, and says once what it would say of each.
pub(super) struct Linter<F> {
    now: Timestamp,
    /// The scopes whose authors are spoken to.
    is_own: F,
    /// Scopes whose rules were looked at as they are written.
    seen: HashSet<Scope>,
    pub(super) found: Vec<Diagnostic>,
}

impl<F: Fn(&Scope) -> bool> Linter<F> {
    pub(super) fn new(now: Timestamp, is_own: F) -> Self {
        Self {
            now,
            is_own,
            seen: HashSet::new(),
            found: Vec::new(),
        }
    }

    /// Looks at one scope's layers after overrides.
    pub(super) fn lint(&mut self, layers: &[EffectiveLayer], lapsed: &[AppliedOverride]) {
        let closed = Closed::new(layers);
        let catalogs = Catalogs::of(layers);
        for layer in layers {
            let is_own = (self.is_own)(&layer.scope);
            // What nobody overrides is the same for every scope below.
            let is_changed = layer.rules.iter().any(|rule| !rule.overrides.is_empty());
            if is_own && (is_changed || self.seen.insert(layer.scope.clone())) {
                self.layer(layer);
            }
            if catalogs.is_some() {
                Catalogs::lint_layer(layer, &self.is_own, &mut self.found);
            }
            for rule in &layer.rules {
                // Nobody wrote a lowered rule, so nobody could mend it.
                if is_own && rule.written.lowered().is_none() {
                    voided(rule, layer, &closed, &mut self.found);
                    if let Some(catalogs) = &catalogs {
                        catalogs.lint(rule, layer, &mut self.found);
                    }
                }
                let changes = rule.overrides.iter();
                for change in changes.filter(|change| (self.is_own)(&change.by)) {
                    lapsing(change, self.now, &mut self.found);
                }
            }
        }
        for change in lapsed.iter().filter(|change| (self.is_own)(&change.by)) {
            let message = format!(
                "the override of `{}` by `{}` has lapsed",
                change.written.rule, change.by
            );
            self.found.push(
                Diagnostic::warning(Code::LINT_LAPSED, message)
                    .at(change.written.location.clone())
                    .hint("remove it, or renew it with a new `expires`"),
            );
        }
    }

    /// What can be said of a layer by itself.
    fn layer(&mut self, layer: &EffectiveLayer) {
        floors(layer, &mut self.found);
        let mut earlier = Earlier::new(&layer.rules);
        for (position, rule) in layer.rules.iter().enumerate() {
            let first = earlier.covering(position);
            if rule.written.lowered().is_some() {
                continue;
            }
            shadowed(rule, first, &mut self.found);
            if rule.written.matcher.never_matches() {
                let message = format!("the rule `{}` can never match", rule.written.name);
                self.found.push(
                    Diagnostic::warning(Code::LINT_NEVER_MATCHES, message)
                        .at(rule.written.location.clone())
                        .hint(
                            "its conditions contradict each other; correct them or remove the rule",
                        ),
                );
            }
            past(rule, self.now, &mut self.found);
        }
    }
}

fn floors(layer: &EffectiveLayer, found: &mut Vec<Diagnostic>) {
    if let Some(location) = layer
        .location
        .clone()
        .filter(|_| layer.min_mode > layer.mode)
    {
        let message = format!(
            "the scope `{}` sets `min_mode: {}` above its own mode `{}`",
            layer.scope,
            layer.min_mode.as_str(),
            layer.mode.as_str()
        );
        found.push(
            Diagnostic::warning(Code::LINT_MIN_MODE, message)
                .at(location)
                .hint("`min_mode` only limits a consumer's rollout; raise `mode` to bind"),
        );
    }
}

fn shadowed(rule: &EffectiveRule, first: Option<&EffectiveRule>, found: &mut Vec<Diagnostic>) {
    // An audit rule marks the decision even when another rule decides, and a raised rule adds its verdict.
    if rule.disabled || rule.effect == Effect::Audit || rule.is_raised() {
        return;
    }
    if let Some(first) = first {
        let message = format!(
            "the rule `{}` never decides: `{}` is looked at first and matches whatever it matches",
            rule.written.name, first.written.name
        );
        found.push(
            Diagnostic::warning(Code::LINT_SHADOWED, message)
                .at(rule.written.location.clone())
                .hint("give it a higher precedence, or remove it"),
        );
    }
}

fn when(rule: &EffectiveRule) -> Option<&str> {
    rule.written.when.as_ref().map(Condition::source)
}

/// Whether `first`, whose conditions are among those of `rule`, certainly matches every request that `rule` matches, in every mode
/// that `rule` counts in.
fn covers(first: &EffectiveRule, rule: &EffectiveRule) -> bool {
    let binds = first.declared_mode.min(first.mode) >= rule.mode;
    let lasts =
        first.written.valid() == Window::ALWAYS || first.written.valid() == rule.written.valid();
    // Two conditions that are written alike hold alike: both are of one bundle.
    let asks_no_more = when(first).is_none_or(|text| when(rule) == Some(text));
    if first.disabled || !binds || !lasts || !asks_no_more {
        return false;
    }
    if first.written.matcher.is_everything() && when(first).is_none() {
        return true;
    }
    // Where a condition fails, a rule that refuses matches and one that permits does not.
    first.effect >= Effect::RequireApproval || rule.effect <= Effect::Audit
}

/// An `allow` that another layer's `default: deny` always beats.
fn voided(
    rule: &EffectiveRule,
    layer: &EffectiveLayer,
    closed: &Closed<'_>,
    found: &mut Vec<Diagnostic>,
) {
    if rule.disabled || rule.effect != Effect::Allow {
        return;
    }
    if let Some(closing) = closed.voiding(&layer.scope, rule) {
        let message = format!(
            "the rule `{}` never permits: `{closing}` says `default: deny` and speaks of none of its actions",
            rule.written.name
        );
        found.push(
            Diagnostic::warning(Code::LINT_VOID_ALLOW, message)
                .at(rule.written.location.clone())
                .hint("ask that scope's authors for a rule that allows it, or remove this one"),
        );
    }
}

/// A rule that will never count again.
fn past(rule: &EffectiveRule, now: Timestamp, found: &mut Vec<Diagnostic>) {
    if let Some(until) = rule.written.valid().until.filter(|until| *until <= now) {
        let message = format!("the rule `{}` is over since {until}", rule.written.name);
        found.push(
            Diagnostic::warning(Code::LINT_PAST, message)
                .at(rule.written.location.clone())
                .hint("remove it, or give its `valid` a later `until`"),
        );
    }
}

fn lapsing(change: &AppliedOverride, now: Timestamp, found: &mut Vec<Diagnostic>) {
    let Some(expires) = change.written.expires else {
        return;
    };
    if expires.duration_since(now) <= SOON {
        let message = format!(
            "the override of `{}` by `{}` lapses at {expires}",
            change.written.rule, change.by
        );
        found.push(
            Diagnostic::warning(Code::LINT_LAPSES_SOON, message)
                .at(change.written.location.clone())
                .hint("renew it, or prepare for the rule as it was written"),
        );
    }
}
