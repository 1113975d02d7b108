//! Reads a scope's `rules`.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::text::{check_text, text};
use crate::diag::Code;
use crate::name::{ReasonCode, RuleId, RuleRef, Scope};
use crate::policy::catalog::PREFIX;
use crate::policy::fields::{Fields, Report, kind_of};
use crate::policy::{
    Condition, Effect, Extras, Mode, OverridePermission, Rule, Window, condition, matcher,
};
use crate::yaml::Path;

pub(super) fn read(
    items: Vec<(Path, Value)>,
    scope: &Scope,
    mode: Mode,
    report: &mut Report<'_>,
) -> Vec<Rule> {
    let mut seen: BTreeMap<RuleId, Path> = BTreeMap::new();
    let mut rules = Vec::new();
    for (path, item) in items {
        let Some(rule) = read_rule(item, &path, scope, mode, report) else {
            continue;
        };
        if let Some(first) = seen.get(&rule.name.rule) {
            let line = report.spans().nearest(first).line;
            let message = format!(
                "the rule id `{}` stands twice, first in line {line}",
                rule.name.rule
            );
            report.problem(
                Code::POLICY_RULE_TWICE,
                &path.key("id"),
                message,
                "give one of them another id",
            );
        }
        seen.insert(rule.name.rule.clone(), path);
        rules.push(rule);
    }
    rules
}

fn read_rule(
    item: Value,
    path: &Path,
    scope: &Scope,
    layer: Mode,
    report: &mut Report<'_>,
) -> Option<Rule> {
    let mut fields = Fields::of(item, path.clone(), report)?;
    let id: Option<RuleId> = fields.required("id", report);
    if let Some(id) = id.as_ref().filter(|id| id.as_str().starts_with(PREFIX)) {
        let message = format!("the rule id `{id}` begins with `{PREFIX}`");
        let hint = "such ids are those of rules that a catalogue is lowered to; choose another";
        report.problem(Code::POLICY_RESERVED_ID, &fields.path("id"), message, hint);
    }
    let effect: Option<Effect> = fields.required("effect", report);
    let reason: Option<String> = fields.required("reason", report);
    let reason = reason.filter(|text| check_text(text, &fields.path("reason"), report));
    let reason_code: Option<ReasonCode> = fields.optional("reason_code", report);
    let precedence = fields.optional("precedence", report).unwrap_or(0);
    let permission: OverridePermission = fields.optional("override", report).unwrap_or_default();
    let mode: Option<Mode> = fields.optional("mode", report);
    if let Some(mode) = mode.filter(|mode| *mode > layer) {
        let message = format!(
            "the mode `{}` is above the scope's mode `{}`",
            mode.as_str(),
            layer.as_str()
        );
        let hint = "a rule may carry a lower mode than its scope, to roll it out; raise the scope's instead";
        report.problem(Code::POLICY_MODE, &fields.path("mode"), message, hint);
    }
    let match_path = fields.path("match");
    let matcher = match fields.take("match") {
        Some(value) => matcher::parse::parse(value, &match_path, report),
        None => {
            let message = "the field `match` is missing".to_owned();
            let hint = "say which requests the rule speaks of; `match: {}` is every request";
            report.problem(Code::POLICY_MISSING_FIELD, path, message, hint);
            None
        }
    };
    let remediation = text(&mut fields, "remediation", report);
    let tags: Vec<String> = fields.optional("tags", report).unwrap_or_default();
    for (index, tag) in tags.iter().enumerate() {
        check_text(tag, &fields.path("tags").index(index), report);
    }
    let valid = read_window(&mut fields, report);
    let when = read_condition(&mut fields, report);
    fields.unsupported(&["approval"], report);
    fields.finish(report);
    let (id, effect) = (id?, effect?);
    let reason_code = reason_code.or_else(|| code_from(&id))?;
    Some(Rule {
        name: RuleRef {
            scope: scope.clone(),
            rule: id,
        },
        effect,
        reason: report.shared(&reason?),
        reason_code,
        precedence,
        permission,
        mode: mode.unwrap_or(layer),
        matcher: matcher?,
        when: when?,
        extras: Extras {
            valid,
            remediation: remediation.map(Arc::from),
            tags,
            lowered: None,
        }
        .boxed(),
        location: report.spans().nearest(path),
    })
}

/// A rule's `when`, if it has one; none at all where it cannot be read.
fn read_condition(fields: &mut Fields, report: &mut Report<'_>) -> Option<Option<Condition>> {
    let path = fields.path("when");
    let text = match fields.take("when") {
        None => return Some(None),
        Some(Value::String(text)) => text,
        Some(other) => {
            let message = format!("`when`: expected an expression, found {}", kind_of(&other));
            let hint = "write a CEL expression; quote it where YAML would read something else";
            report.problem(Code::POLICY_TYPE, &path, message, hint);
            return None;
        }
    };
    match condition::compile(&text, report.data(), report.allowance()) {
        Ok(condition) => Some(Some(condition)),
        Err(problems) => {
            let start = report.spans().value(&path);
            let start = start.unwrap_or_else(|| report.spans().nearest(&path));
            let places = report.index().places(&start, &text);
            for problem in problems {
                let place = places.at(problem.offset);
                report.problem_at(problem.code, place, &path, problem.message, &problem.hint);
            }
            None
        }
    }
}

/// A rule's `valid`; a rule without one is always in force.
fn read_window(fields: &mut Fields, report: &mut Report<'_>) -> Window {
    let path = fields.path("valid");
    let Some(value) = fields.take("valid").filter(|value| !value.is_null()) else {
        return Window::ALWAYS;
    };
    let Some(mut inner) = Fields::of(value, path.clone(), report) else {
        return Window::ALWAYS;
    };
    let from: Option<Timestamp> = inner.optional("from", report);
    let until: Option<Timestamp> = inner.optional("until", report);
    inner.finish(report);
    match (from, until) {
        (None, None) => {
            let hint = "give `from`, `until` or both, as `2026-12-20T00:00:00Z`";
            let message = "`valid` names no time".to_owned();
            report.problem(Code::POLICY_WINDOW, &path, message, hint);
        }
        (Some(from), Some(until)) if until <= from => {
            let message = format!("`valid` ends at {until}, not after it begins at {from}");
            let hint = "let `until` be later than `from`";
            report.problem(Code::POLICY_WINDOW, &path, message, hint);
        }
        _ => {}
    }
    Window { from, until }
}

/// `no-restore` becomes `NO_RESTORE`; an id that begins with a digit gets `R_` before it.
fn code_from(id: &RuleId) -> Option<ReasonCode> {
    let upper = id.as_str().to_ascii_uppercase().replace(['-', '.'], "_");
    let text = if upper.starts_with(|c: char| c.is_ascii_digit()) {
        format!("R_{upper}")
    } else {
        upper
    };
    text.chars().take(64).collect::<String>().parse().ok()
}
