//! From the files of a bundle to its layers, with every problem at once.

mod overrides;
mod rules;
mod text;
mod waivers;

pub(super) use text::HIDDEN;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::data::{self, Data};
use super::fields::{Fields, Report};
use super::{Effect, Layer, MAX_PACKS, MAX_RULES, Mode};
use crate::bundle::{BundlePath, Limits};
use crate::diag::{Code, Diagnostic, Location};
use crate::name::{Namespace, Scope};
use crate::yaml::{self, Path};

/// The directory of a bundle that holds its policies.
const DIRECTORY: &str = "policies";

/// Reads `policies/**/*.yaml`, and `data/` for their conditions. With a namespace, a scope outside it is refused: a signer speaks only for what was delegated.
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
    let data = Arc::new(data::read(files, &Limits::default(), &mut problems));
    for (name, bytes) in files.iter().filter(|(name, _)| name.is_below(DIRECTORY)) {
        if !name.has_extension(&["yaml"]) {
            problems.extend(refuse_spelling(name));
            continue;
        }
        let Some(layer) = read_file(name.as_str(), bytes, &data, &mut problems) else {
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

fn read_file(
    file: &str,
    bytes: &[u8],
    data: &Arc<Data>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Layer> {
    let document = match yaml::read(file, bytes, Limits::default().yaml_bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let mut report = Report::new(&document.spans).with_source(text, Arc::clone(data));
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
    let waivers = waivers::read(&mut fields, scope.as_ref(), report);
    let rules = fields.list("rules", MAX_RULES, report);
    let overrides = fields.list("overrides", MAX_RULES, report);
    fields.finish(report);
    // Names need a scope; where it is wrong, the rules are still checked under another.
    let named = scope.clone().or_else(|| "unnamed".parse().ok())?;
    let rules = rules::read(rules, &named, mode, report);
    let overrides = overrides::read(overrides, &named, report);
    let location = report.spans().nearest(&Path::top().key("scope"));
    scope.map(|scope| Layer {
        scope,
        extends,
        mode,
        min_mode,
        default,
        waivers,
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
