//! Reads a catalogue's file.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::lower::{Entry, Lowering};
use super::patterns::Patterns;
use super::table::Table;
use super::{Catalog, Operation, Variant};
use crate::diag::Code;
use crate::name::{RuleId, Scope};
use crate::policy::fields::{Fields, Report};
use crate::policy::validate::read_default;
use crate::policy::validate::text::{check_text, text};
use crate::policy::{
    Effect, MAX_LIST, MAX_OPERATIONS, MAX_PATTERN_BYTES, OverridePermission, Risk, matcher,
};
use crate::yaml::Path;

/// Reads the fields of a catalogue behind `apiVersion` and `kind`.
pub(in crate::policy) fn read(mut fields: Fields, report: &mut Report<'_>) -> Option<Catalog> {
    let scope: Option<Scope> = fields.required("scope", report);
    let patterns = Patterns::read(&mut fields, report);
    let unknown = match fields.take("unknown_operation") {
        None | Some(Value::Null) => Some(Effect::Deny),
        Some(word) => read_default("answer", word, &fields.path("unknown_operation"), report),
    };
    let table = Table::read(&mut fields, report);
    let items = fields.list("operations", MAX_OPERATIONS, report);
    fields.finish(report);
    let mut entries: Vec<Entry> = items
        .into_iter()
        .filter_map(|(path, item)| read_operation(item, path, patterns.as_ref(), report))
        .collect();
    refuse_repeats(&mut entries, report);
    // Names need a scope; where it is wrong, the operations are still checked under another.
    let named = scope.clone().or_else(|| "unnamed".parse().ok())?;
    let mut lowering = Lowering::new(&named, &table, report);
    lowering.unknown(unknown, &entries);
    for entry in entries {
        lowering.operation(entry);
    }
    let rules = lowering.finish();
    let location = report.spans().nearest(&Path::top().key("scope"));
    scope.map(|scope| Catalog {
        scope,
        rules,
        location,
    })
}

fn read_operation(
    item: Value,
    path: Path,
    patterns: Option<&Arc<Patterns>>,
    report: &mut Report<'_>,
) -> Option<Entry> {
    let mut fields = Fields::of(item, path.clone(), report)?;
    let action: Option<String> = fields.required("action", report);
    let action = action.and_then(|action| name(&action, &fields.path("action"), report));
    let id: Option<RuleId> = fields.optional("id", report);
    let description = text(&mut fields, "description", report);
    let risk: Option<Risk> = fields.required("risk", report);
    let requires = read_requires(&mut fields, report);
    let permission: OverridePermission = fields.optional("override", report).unwrap_or_default();
    let variants = read_variants(&mut fields, risk, report);
    fields.finish(report);
    let (action, risk) = (action?, risk?);
    let Some(id) = id.or_else(|| action.parse().ok()) else {
        let message = format!("the action `{}` is no id of rules", action.escape_debug());
        let hint = "give the operation an `id` of lower-case letters, digits, `-`, `_` and `.`";
        report.problem(Code::CATALOG_OPERATION, &path, message, hint);
        return None;
    };
    Some(Entry {
        id,
        operation: Arc::new(Operation {
            action,
            risk,
            variants,
            patterns: patterns.cloned(),
        }),
        description,
        requires,
        permission,
        location: report.spans().nearest(&path),
        path,
    })
}

/// Two entries of one action would leave it open which of them counts, and two of one id name their rules alike. The second is told
/// and left out, so that its rules are no problems besides.
fn refuse_repeats(entries: &mut Vec<Entry>, report: &mut Report<'_>) {
    let (mut actions, mut ids) = (BTreeMap::new(), BTreeMap::new());
    entries.retain(|entry| {
        let action = entry.operation.action();
        let line = entry.location.line;
        let of_action = actions.get(action).map(|first| {
            let message = format!(
                "the operation `{}` is described twice, first in line {first}",
                action.escape_debug()
            );
            let hint = "join the two entries; `variants` tell its forms apart";
            ("action", message, hint)
        });
        let of_id = ids.get(&entry.id).map(|first| {
            let message = format!(
                "two operations have the id `{}`, the first in line {first}",
                entry.id
            );
            ("id", message, "give one of them another `id`")
        });
        actions.entry(action.to_owned()).or_insert(line);
        ids.entry(entry.id.clone()).or_insert(line);
        let Some((field, message, hint)) = of_action.or(of_id) else {
            return true;
        };
        let path = entry.path.key(field);
        report.problem(Code::CATALOG_OPERATION, &path, message, hint);
        false
    });
}

fn read_variants(fields: &mut Fields, own: Option<Risk>, report: &mut Report<'_>) -> Vec<Variant> {
    let mut seen = BTreeMap::new();
    let mut variants = Vec::new();
    let items = fields.list("variants", MAX_LIST, report);
    for (index, (path, item)) in items.into_iter().enumerate() {
        let Some(mut fields) = Fields::of(item, path.clone(), report) else {
            continue;
        };
        let id: Option<RuleId> = fields.optional("id", report);
        let id = id.or_else(|| format!("v{}", index + 1).parse().ok());
        let at = fields.path("match");
        let matcher = match fields.take("match") {
            Some(value) => matcher::parse::parse(value, &at, report),
            None => {
                let message = "the field `match` is missing".to_owned();
                let hint = "say which requests are of this form";
                report.problem(Code::POLICY_MISSING_FIELD, &path, message, hint);
                None
            }
        };
        let risk: Option<Risk> = fields.optional("risk", report);
        let requires = read_requires(&mut fields, report);
        fields.finish(report);
        let (Some(id), Some(matcher), Some(risk)) = (id, matcher, risk.or(own)) else {
            continue;
        };
        let location = report.spans().nearest(&path);
        if let Some(first) = seen.get(&id) {
            let message = format!(
                "the variant id `{id}` stands twice in one operation, first in line {first}"
            );
            let hint = "give one of them another id";
            report.problem(Code::CATALOG_OPERATION, &path, message, hint);
            continue;
        }
        seen.insert(id.clone(), location.line);
        variants.push(Variant {
            id,
            matcher,
            risk,
            requires,
            location,
        });
    }
    variants
}

/// The capabilities of one entry, sorted.
fn read_requires(fields: &mut Fields, report: &mut Report<'_>) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (path, item) in fields.list("requires", MAX_LIST, report) {
        match item {
            Value::String(text) => names.extend(name(&text, &path, report)),
            other => {
                let message = format!("expected a capability, found `{other}`");
                report.problem(Code::POLICY_TYPE, &path, message, "write it as text");
            }
        }
    }
    names.into_iter().collect()
}

/// An action or capability, in the form in which requests hold their texts.
fn name(written: &str, path: &Path, report: &mut Report<'_>) -> Option<String> {
    if written.len() > MAX_PATTERN_BYTES {
        let message = format!("a name of more than {MAX_PATTERN_BYTES} bytes");
        report.problem(Code::POLICY_LIMIT, path, message, "shorten it");
        return None;
    }
    check_text(written, path, report).then(|| written.nfc().collect())
}
