//! Reads a scope's `overrides`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::text::text;
use crate::diag::Code;
use crate::name::{RuleRef, Scope};
use crate::policy::fields::{Fields, Report};
use crate::policy::{Effect, Mode, Override};
use crate::yaml::Path;

pub(super) fn read(
    items: Vec<(Path, Value)>,
    scope: &Scope,
    report: &mut Report<'_>,
) -> Vec<Override> {
    let mut seen = BTreeMap::new();
    let mut overrides = Vec::new();
    for (path, item) in items {
        let Some(change) = read_override(item, &path, scope, report) else {
            continue;
        };
        if let Some(first) = seen.get(&change.rule) {
            let message = format!(
                "the rule `{}` is overridden twice in one scope, first in line {first}",
                change.rule
            );
            report.problem(
                Code::POLICY_OVERRIDE_TWICE,
                &path.key("rule"),
                message,
                "join the two overrides",
            );
        }
        seen.entry(change.rule.clone())
            .or_insert(change.location.line);
        overrides.push(change);
    }
    overrides
}

fn read_override(
    item: Value,
    path: &Path,
    scope: &Scope,
    report: &mut Report<'_>,
) -> Option<Override> {
    let mut fields = Fields::of(item, path.clone(), report)?;
    let rule: Option<RuleRef> = fields.required("rule", report);
    let effect: Option<Effect> = fields.optional("effect", report);
    let disable: bool = fields.optional("disable", report).unwrap_or(false);
    let mode: Option<Mode> = fields.optional("mode", report);
    let precedence: Option<i32> = fields.optional("precedence", report);
    let reason = text(&mut fields, "reason", report);
    let owner = text(&mut fields, "owner", report);
    let ticket = text(&mut fields, "ticket", report);
    let expires: Option<Timestamp> = fields.optional("expires", report);
    fields.unsupported(&["approval"], report);
    fields.finish(report);
    let change = Override {
        rule: rule?,
        effect,
        disable,
        mode,
        precedence,
        reason,
        owner,
        ticket,
        expires,
        location: report.spans().nearest(path),
    };
    if change.rule.scope == *scope {
        let message = format!("`{}` is a rule of this scope", change.rule);
        let hint = "change the rule itself; overrides are for inherited rules";
        report.problem(Code::POLICY_OVERRIDE, &path.key("rule"), message, hint);
    }
    if change.disable
        && (change.effect.is_some() || change.mode.is_some() || change.precedence.is_some())
    {
        let message = "`disable` stands beside another change".to_owned();
        report.problem(
            Code::POLICY_OVERRIDE,
            &path.key("disable"),
            message,
            "keep one of them",
        );
    }
    if change.changes_reason_only() && change.reason.is_none() {
        let message = "the override changes nothing".to_owned();
        let hint = "give `effect`, `disable: true`, `mode`, `precedence` or `reason`";
        report.problem(Code::POLICY_OVERRIDE, path, message, hint);
    }
    Some(change)
}
