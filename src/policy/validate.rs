//! From the files of a bundle to its layers, with every problem at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;

use super::fields::{Fields, Report};
use super::{Effect, Layer, Mode, Override, OverridePermission, Rule, matcher_parse};
use super::{MAX_PACKS, MAX_RULES, MAX_TEXT_BYTES};
use crate::bundle::{BundlePath, Limits};
use crate::diag::{Code, Diagnostic, Location};
use crate::name::{Namespace, ReasonCode, RuleId, RuleRef, Scope};
use crate::yaml::{self, Path};

/// The directory of a bundle that holds its policies.
const DIRECTORY: &str = "policies";

/// Reads `policies/**/*.yaml`. With a namespace, a scope outside it is refused: a signer speaks only for what was delegated.
/// The layers come sorted by scope; one scope is defined by one file.
///
/// # Errors
/// Every problem of every file, in the order of files and places.
pub fn validate(
    files: &BTreeMap<BundlePath, Arc<[u8]>>,
    namespace: Option<&Namespace>,
) -> Result<Vec<Layer>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut layers: BTreeMap<Scope, Layer> = BTreeMap::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.is_below(DIRECTORY)) {
        if !name.has_extension(&["yaml"]) {
            problems.extend(refuse_spelling(name));
            continue;
        }
        let Some(layer) = read_file(name.as_str(), bytes, &mut problems) else {
            continue;
        };
        if let Some(namespace) = namespace
            && !namespace.contains(&layer.scope)
        {
            let message = format!(
                "the scope `{}` is outside the namespace `{namespace}`",
                layer.scope
            );
            problems.push(
                Diagnostic::error(Code::POLICY_NAMESPACE, message)
                    .at(layer.location.clone())
                    .under("scope")
                    .hint("move the policy to a bundle whose signers may speak for that scope"),
            );
            continue;
        }
        if let Some(first) = layers.get(&layer.scope) {
            let message = format!(
                "the scope `{}` is defined twice, first at {}",
                layer.scope, first.location
            );
            problems.push(
                Diagnostic::error(Code::POLICY_SCOPE_TWICE, message)
                    .at(layer.location.clone())
                    .under("scope")
                    .hint("join the two files: one scope is one file"),
            );
            continue;
        }
        layers.insert(layer.scope.clone(), layer);
    }
    if problems.is_empty() {
        Ok(layers.into_values().collect())
    } else {
        Err(problems)
    }
}

/// A policy under another ending would silently not apply.
fn refuse_spelling(name: &BundlePath) -> Option<Diagnostic> {
    let lower = name.as_str().to_ascii_lowercase();
    let is_policy_like = [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| lower.ends_with(ending));
    is_policy_like.then(|| {
        let message = "policies are read from files that end in `.yaml`";
        let file = name.as_str().to_owned();
        let (line, column) = (1, 1);
        Diagnostic::error(Code::POLICY_FILE_NAME, message)
            .at(Location { file, line, column })
            .hint("rename the file, or move it out of `policies/`")
    })
}

fn read_file(file: &str, bytes: &[u8], problems: &mut Vec<Diagnostic>) -> Option<Layer> {
    let document = match yaml::read(file, bytes, Limits::default().yaml_bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let mut report = Report::new(&document.spans);
    let layer = read_layer(document.value.clone(), &mut report);
    let failed = !report.problems.is_empty();
    problems.append(&mut report.problems);
    layer.filter(|_| !failed)
}

fn read_layer(document: Value, report: &mut Report<'_>) -> Option<Layer> {
    let mut fields = Fields::of(document, Path::top(), report)?;
    let version: Option<String> = fields.required("apiVersion", report);
    let kind: Option<String> = fields.required("kind", report);
    if let Some(version) = version.filter(|version| version != "ordain/v1") {
        let message = format!("unknown apiVersion `{}`", version.escape_debug());
        let path = fields.path("apiVersion");
        report.problem(
            Code::POLICY_KIND,
            &path,
            message,
            "write `apiVersion: ordain/v1`",
        );
        return None;
    }
    if let Some(kind) = kind.filter(|kind| kind != "Policy") {
        let (code, message) = match kind.as_str() {
            "Catalog" => (
                Code::POLICY_UNSUPPORTED,
                "the kind `Catalog` is not supported by this version".to_owned(),
            ),
            other => (
                Code::POLICY_KIND,
                format!("unknown kind `{}`", other.escape_debug()),
            ),
        };
        let path = fields.path("kind");
        report.problem(
            code,
            &path,
            message,
            "files under `policies/` are of `kind: Policy`",
        );
        return None;
    }
    let scope: Option<Scope> = fields.required("scope", report);
    let extends = read_extends(&mut fields, scope.as_ref(), report);
    let mode = fields.optional("mode", report).unwrap_or(Mode::Enforce);
    let min_mode = fields
        .optional("min_mode", report)
        .unwrap_or(Mode::AuditOnly);
    let default = read_default(&mut fields, report);
    let rules = fields.list("rules", MAX_RULES, report);
    let overrides = fields.list("overrides", MAX_RULES, report);
    fields.finish(report);
    // Names need a scope; where it is wrong, the rules are still checked under another.
    let named = scope.clone().or_else(|| "unnamed".parse().ok())?;
    let rules = read_rules(rules, &named, mode, report);
    let overrides = read_overrides(overrides, &named, report);
    let location = report.spans().nearest(&Path::top().key("scope"));
    scope.map(|scope| Layer {
        scope,
        extends,
        mode,
        min_mode,
        default,
        rules,
        overrides,
        location,
    })
}

fn read_extends(fields: &mut Fields, scope: Option<&Scope>, report: &mut Report<'_>) -> Vec<Scope> {
    let mut packs = BTreeSet::new();
    for (path, item) in fields.list("extends", MAX_PACKS, report) {
        match serde_json::from_value::<Scope>(item) {
            Ok(pack) if Some(&pack) == scope => {
                let message = "a scope cannot extend itself".to_owned();
                report.problem(Code::POLICY_EXTENDS, &path, message, "remove it");
            }
            Ok(pack) => {
                packs.insert(pack);
            }
            Err(error) => {
                let hint = "name a scope, such as `pci/baseline`";
                report.problem(Code::POLICY_TYPE, &path, error.to_string(), hint);
            }
        }
    }
    packs.into_iter().collect()
}

fn read_default(fields: &mut Fields, report: &mut Report<'_>) -> Option<Effect> {
    let word: String = fields.optional("default", report)?;
    match word.as_str() {
        "abstain" => None,
        "allow" => Some(Effect::Allow),
        "audit" => Some(Effect::Audit),
        "require_approval" => Some(Effect::RequireApproval),
        "deny" => Some(Effect::Deny),
        other => {
            let message = format!("unknown default `{}`", other.escape_debug());
            let hint = "use `abstain`, `allow`, `audit`, `require_approval` or `deny`";
            report.problem(Code::POLICY_TYPE, &fields.path("default"), message, hint);
            None
        }
    }
}

fn read_rules(
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
        Some(value) => matcher_parse::parse(value, &match_path, report),
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
    fields.unsupported(&["when", "valid", "approval"], report);
    fields.finish(report);
    let (id, effect) = (id?, effect?);
    let reason_code = reason_code.or_else(|| code_from(&id))?;
    Some(Rule {
        name: RuleRef {
            scope: scope.clone(),
            rule: id,
        },
        effect,
        reason: reason?,
        reason_code,
        precedence,
        permission,
        mode: mode.unwrap_or(layer),
        matcher: matcher?,
        remediation,
        tags,
        location: report.spans().nearest(path),
    })
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

fn read_overrides(
    items: Vec<(Path, Value)>,
    scope: &Scope,
    report: &mut Report<'_>,
) -> Vec<Override> {
    let mut seen = BTreeSet::new();
    let mut overrides = Vec::new();
    for (path, item) in items {
        let Some(change) = read_override(item, &path, scope, report) else {
            continue;
        };
        if !seen.insert(change.rule.clone()) {
            let message = format!(
                "the rule `{}` is overridden twice in one scope",
                change.rule
            );
            report.problem(
                Code::POLICY_OVERRIDE_TWICE,
                &path.key("rule"),
                message,
                "join the two overrides",
            );
        }
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

/// A text for people.
fn text(fields: &mut Fields, field: &'static str, report: &mut Report<'_>) -> Option<String> {
    let text: String = fields.optional(field, report)?;
    check_text(&text, &fields.path(field), report).then_some(text)
}

/// Whether `text` can be shown: terminals obey some characters and hide others.
fn check_text(text: &str, path: &Path, report: &mut Report<'_>) -> bool {
    let hidden = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    if text.trim().is_empty() {
        report.problem(
            Code::POLICY_TEXT,
            path,
            "the text is empty".to_owned(),
            "write the text, or remove the field",
        );
        return false;
    }
    if text.len() > MAX_TEXT_BYTES {
        let message = format!("a text of more than {MAX_TEXT_BYTES} bytes");
        report.problem(
            Code::POLICY_LIMIT,
            path,
            message,
            "shorten it, and link to the rest",
        );
        return false;
    }
    if let Some(found) = text.chars().find(hidden) {
        let message = format!("the text holds the character U+{:04X}", u32::from(found));
        let hint = "remove control, invisible and direction-changing characters";
        report.problem(Code::POLICY_TEXT, path, message, hint);
        return false;
    }
    true
}
