//! A rule as data that can be kept, and made a rule again without the file that it was written in.
//!
//! It lacks rules that hang on more than themselves: those that a catalogue was lowered to, and those whose `when` reads the
//! bundle's data.

use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fields::{Report, Shared};
use super::matcher::Allowance;
use super::{Effect, Extras, Mode, OverridePermission, Rule, Window, condition, matcher};
use crate::diag::Location;
use crate::name::{ReasonCode, RuleId, RuleRef, Scope};
use crate::yaml::{Path, Spans};

/// A rule as it is kept. The scope is that of the layer that it stands in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredRule {
    id: RuleId,
    effect: Effect,
    reason: String,
    reason_code: ReasonCode,
    precedence: i32,
    permission: OverridePermission,
    mode: Mode,
    r#match: Value,
    when: Option<String>,
    valid: Window,
    remediation: Option<String>,
    tags: Vec<String>,
    location: Location,
}

/// What the rules of one bundle share that are made again.
///
/// SECURITY: whoever writes rules into a file of their own is held to what regular expressions of a bundle may take.
#[derive(Debug, Default)]
pub struct RestoredTogether(Shared);

/// The same, where threads make rules again one by one.
#[derive(Debug)]
pub struct RestoredApart(Mutex<usize>);

impl Default for RestoredApart {
    fn default() -> Self {
        Self(Mutex::new(Allowance::default().left()))
    }
}

impl RestoredApart {
    /// As [`StoredRule::restore`].
    #[must_use]
    pub fn restore(&self, rule: StoredRule, scope: &Scope) -> Option<Rule> {
        let mut left = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let together = RestoredTogether(Shared::within(Allowance::of(*left)));
        let rule = rule.restore(scope, &together);
        *left = together.0.allowance().left();
        rule
    }
}

impl StoredRule {
    /// `rule` as data; none where it hangs on more than itself.
    #[must_use]
    pub fn of(rule: &Rule) -> Option<Self> {
        let reads_data = rule
            .when
            .as_ref()
            .is_some_and(|when| !when.reads().is_empty());
        if reads_data || rule.lowered().is_some() {
            return None;
        }
        Some(Self {
            id: rule.name.rule.clone(),
            effect: rule.effect,
            reason: rule.reason.as_ref().to_owned(),
            reason_code: rule.reason_code.clone(),
            precedence: rule.precedence,
            permission: rule.permission,
            mode: rule.mode,
            r#match: rule.matcher.source().value(),
            when: rule.when.as_ref().map(|when| when.source().to_owned()),
            valid: rule.valid(),
            remediation: rule.remediation().map(|text| text.as_ref().to_owned()),
            tags: rule.tags().to_vec(),
            location: rule.location.clone(),
        })
    }

    /// The rule again, its conditions compiled; none where it is not one that could have been kept beside those of its bundle that were.
    #[must_use]
    pub fn restore(self, scope: &Scope, together: &RestoredTogether) -> Option<Rule> {
        let spans = Spans::nowhere();
        let mut report = Report::new(&spans).with_source("", Arc::default(), together.0.clone());
        let matcher = matcher::parse::parse(self.r#match, &Path::top(), &mut report)?;
        let when = match &self.when {
            Some(text) => Some(condition::compile(text, report.data(), report.allowance()).ok()?),
            None => None,
        };
        report.problems.is_empty().then(|| Rule {
            name: RuleRef {
                scope: scope.clone(),
                rule: self.id,
            },
            effect: self.effect,
            reason: self.reason.into(),
            reason_code: self.reason_code,
            precedence: self.precedence,
            permission: self.permission,
            mode: self.mode,
            matcher,
            when,
            extras: Extras {
                valid: self.valid,
                remediation: self.remediation.map(Into::into),
                tags: self.tags,
                lowered: None,
            }
            .boxed(),
            location: self.location,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_of_one_bundle_share_what_regular_expressions_may_take() {
        let scope: Scope = "acme".parse().unwrap();
        let restored = |restore: &dyn Fn(StoredRule) -> bool| {
            let rule = json!({
                "id": "r", "effect": "deny", "reason": "x", "reason_code": "R", "precedence": 0, "permission": "tighten",
                "mode": "enforce", "match": {"resource": {"regex": r"\w{3}"}}, "when": null, "valid": {},
                "remediation": null, "tags": [], "location": {"file": "policies/a.yaml", "line": 1, "column": 1},
            });
            let rule: StoredRule = serde_json::from_value(rule).unwrap();
            restore(rule)
        };
        let together = RestoredTogether::default();
        let taken =
            (0..200).take_while(|_| restored(&|rule| rule.restore(&scope, &together).is_some()));
        assert_eq!(taken.count(), 128);
        let apart = RestoredApart::default();
        let taken =
            (0..200).take_while(|_| restored(&|rule| apart.restore(rule, &scope).is_some()));
        assert_eq!(taken.count(), 128);
        let another = RestoredApart::default();
        assert!(restored(&|rule| another.restore(rule, &scope).is_some()));
    }
}
