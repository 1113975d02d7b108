//! Warnings about an effective policy: what is legal, and certainly not what its authors meant.
//!
//! Each lint speaks only where it is certain; none guesses whether two patterns overlap.

mod catalog;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use self::catalog::Catalogs;
use super::effective::{EffectiveLayer, EffectivePolicy, EffectiveRule};
use crate::diag::{Code, Diagnostic};
use crate::policy::{Condition, Effect, Mode, Window};

/// Overrides that lapse within this time are reported.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Every warning about `policy` at `now`, in evaluation order.
#[must_use]
pub fn lint(policy: &EffectivePolicy, now: Timestamp) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let catalogs = Catalogs::of(policy);
    for layer in policy.layers() {
        floors(layer, &mut found);
        Catalogs::lint_layer(layer, &mut found);
        for (index, rule) in layer.rules.iter().enumerate() {
            // Nobody wrote a lowered rule, so nobody could mend it.
            if rule.written.lowered.is_some() {
                lapsing(rule, now, &mut found);
                continue;
            }
            let earlier = layer.rules.get(..index).unwrap_or_default();
            shadowed(rule, earlier, &mut found);
            voided(rule, layer, policy, &mut found);
            if rule.written.matcher.never_matches() {
                let message = format!("the rule `{}` can never match", rule.written.name);
                found.push(
                    Diagnostic::warning(Code::LINT_NEVER_MATCHES, message)
                        .at(rule.written.location.clone())
                        .hint(
                            "its conditions contradict each other; correct them or remove the rule",
                        ),
                );
            }
            if let Some(catalogs) = &catalogs {
                catalogs.lint(rule, layer, &mut found);
            }
            lapsing(rule, now, &mut found);
        }
    }
    for change in policy.lapsed() {
        let message = format!(
            "the override of `{}` by `{}` has lapsed",
            change.written.rule, change.by
        );
        found.push(
            Diagnostic::warning(Code::LINT_LAPSED, message)
                .at(change.written.location.clone())
                .hint("remove it, or renew it with a new `expires`"),
        );
    }
    found
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

fn shadowed(rule: &EffectiveRule, earlier: &[EffectiveRule], found: &mut Vec<Diagnostic>) {
    // An audit rule marks the decision even when another rule decides, and a raised rule adds its verdict.
    if rule.disabled || rule.effect == Effect::Audit || rule.is_raised() {
        return;
    }
    if let Some(first) = earlier.iter().find(|first| covers(first, rule)) {
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

/// Whether `first` certainly matches every request that `rule` matches, in every mode that `rule` counts in.
fn covers(first: &EffectiveRule, rule: &EffectiveRule) -> bool {
    let binds = first.declared_mode.min(first.mode) >= rule.mode;
    let lasts = first.written.valid == Window::ALWAYS || first.written.valid == rule.written.valid;
    // Two conditions that are written alike hold alike: both are of one bundle.
    let asks_no_more = when(first).is_none_or(|text| when(rule) == Some(text));
    if first.disabled || !binds || !lasts || !asks_no_more {
        return false;
    }
    if first.written.matcher.is_everything() && when(first).is_none() {
        return true;
    }
    // Where a condition fails, a rule that refuses matches and one that permits does not.
    let survives_failure = first.effect >= Effect::RequireApproval || rule.effect <= Effect::Audit;
    let conditions = (
        first.written.matcher.source(),
        rule.written.matcher.source(),
    );
    let (Value::Object(first), Value::Object(rule)) = conditions else {
        return false;
    };
    survives_failure
        && first
            .iter()
            .all(|(key, value)| rule.get(key) == Some(value))
}

/// An `allow` that another layer's `default: deny` always beats.
fn voided(
    rule: &EffectiveRule,
    layer: &EffectiveLayer,
    policy: &EffectivePolicy,
    found: &mut Vec<Diagnostic>,
) {
    if rule.disabled || rule.effect != Effect::Allow {
        return;
    }
    let closing = policy.layers().iter().find(|other| {
        let closed = other.default == Some(Effect::Deny) && other.mode == Mode::Enforce;
        let opens = |open: &EffectiveRule| {
            let may_open = !open.disabled && open.effect != Effect::Deny;
            may_open && !disjoint(open, rule)
        };
        other.scope != layer.scope && closed && !other.rules.iter().any(opens)
    });
    if let Some(closing) = closing {
        let message = format!(
            "the rule `{}` never permits: `{}` says `default: deny` and speaks of none of its actions",
            rule.written.name, closing.scope
        );
        found.push(
            Diagnostic::warning(Code::LINT_VOID_ALLOW, message)
                .at(rule.written.location.clone())
                .hint("ask that scope's authors for a rule that allows it, or remove this one"),
        );
    }
}

/// Whether the two certainly speak of different actions.
fn disjoint(left: &EffectiveRule, right: &EffectiveRule) -> bool {
    let actions = (
        left.written.matcher.actions(),
        right.written.matcher.actions(),
    );
    match actions {
        (Some(left), Some(right)) => !left.iter().any(|action| right.contains(action)),
        _ => false,
    }
}

fn lapsing(rule: &EffectiveRule, now: Timestamp, found: &mut Vec<Diagnostic>) {
    for change in &rule.overrides {
        let Some(expires) = change.written.expires else {
            continue;
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
}
