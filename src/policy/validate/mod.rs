//! From the files of a bundle to its layers, with every problem at once.

mod overrides;
mod rules;
pub(super) mod text;
mod waivers;

pub(super) use text::HIDDEN;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::catalog::{self, Catalog};
use super::data::{self, Data};
use super::fields::{Fields, Report, Shared, kind_of};
use super::{Effect, Layer, MAX_PACKS, MAX_RULES, Mode, Rule};
use crate::bundle::{BundlePath, Limits};
use crate::diag::{Code, Diagnostic, Location};
use crate::json;
use crate::name::{Namespace, Scope};
use crate::yaml::{self, Path};

/// The directory of a bundle that holds its policies.
const DIRECTORY: &str = "policies";

/// Reads `policies/**/*.yaml`, and `data/` for their conditions. With a namespace, a scope outside it is refused: a signer speaks
/// only for what was delegated. The layers come sorted by scope; one scope is defined by one policy, one catalogue, or one of each.
///
/// # Errors
/// Every problem of every file, in the order of files and places.
pub fn validate(
    files: &BTreeMap<BundlePath, Arc<[u8]>>,
    namespace: Option<&Namespace>,
    limits: &Limits,
) -> Result<Vec<Layer>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut layers: BTreeMap<Scope, Layer> = BTreeMap::new();
    let mut catalogs: BTreeMap<Scope, Catalog> = BTreeMap::new();
    let data = Arc::new(data::read(files, limits, &mut problems));
    let shared = Shared::default();
    for (name, bytes) in files.iter().filter(|(name, _)| name.is_below(DIRECTORY)) {
        if !name.has_extension(&["yaml"]) {
            problems.extend(refuse_spelling(name));
            continue;
        }
        let read = read_file(name.as_str(), bytes, limits, &data, &shared, &mut problems);
        let Some(document) = read else {
            continue;
        };
        let (scope, location) = document.place();
        let first = match &document {
            Document::Policy(_) => layers.get(scope).map(|layer| &layer.location),
            Document::Catalog(_) => catalogs.get(scope).map(|catalog| &catalog.location),
        };
        let refused =
            refuse_scope(scope, location, namespace).or_else(|| refuse_second(&document, first?));
        match (refused, document) {
            (Some(problem), _) => problems.push(problem),
            (None, Document::Policy(layer)) => {
                layers.insert(layer.scope.clone(), layer);
            }
            (None, Document::Catalog(catalog)) => {
                catalogs.insert(catalog.scope.clone(), catalog);
            }
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    for (scope, catalog) in catalogs {
        let own = Layer::silent(scope.clone(), catalog.location);
        let layer = layers.entry(scope).or_insert(own);
        let mode = layer.mode;
        let rules = catalog
            .rules
            .into_iter()
            .map(|rule| Arc::new(Rule { mode, ..rule }));
        layer.rules.extend(rules);
    }
    Ok(layers.into_values().collect())
}

/// What one file holds.
enum Document {
    Policy(Layer),
    Catalog(Catalog),
}

impl Document {
    fn place(&self) -> (&Scope, &Location) {
        match self {
            Self::Policy(layer) => (&layer.scope, &layer.location),
            Self::Catalog(catalog) => (&catalog.scope, &catalog.location),
        }
    }
}

fn refuse_scope(
    scope: &Scope,
    location: &Location,
    namespace: Option<&Namespace>,
) -> Option<Diagnostic> {
    let namespace = namespace.filter(|namespace| !namespace.contains(scope))?;
    let message = format!("the scope `{scope}` is outside the namespace `{namespace}`");
    Some(
        Diagnostic::error(Code::POLICY_NAMESPACE, message)
            .at(location.clone())
            .under("scope")
            .hint("move the policy to a bundle whose signers may speak for that scope"),
    )
}

fn refuse_second(document: &Document, first: &Location) -> Option<Diagnostic> {
    let (scope, location) = document.place();
    let message = match document {
        Document::Policy(_) => format!("the scope `{scope}` is defined twice, first at {first}"),
        Document::Catalog(_) => format!("the scope `{scope}` has two catalogues, first at {first}"),
    };
    Some(
        Diagnostic::error(Code::POLICY_SCOPE_TWICE, message)
            .at(location.clone())
            .under("scope")
            .hint("join the two files: one scope has one policy and one catalogue at most"),
    )
}

/// A policy under another ending would silently not apply.
fn refuse_spelling(name: &BundlePath) -> Option<Diagnostic> {
    let lower = name.as_str().to_ascii_lowercase();
    let is_policy_like = [".yaml", ".yml", ".json"]
        .iter()
        .any(|ending| lower.ends_with(ending));
    is_policy_like.then(|| {
        let message = "policies are read from files that end in `.yaml`";
        let file = name.as_str().into();
        let (line, column) = (1, 1);
        Diagnostic::error(Code::POLICY_FILE_NAME, message)
            .at(Location { file, line, column })
            .hint("rename the file, or move it out of `policies/`")
    })
}

fn read_file(
    file: &str,
    bytes: &[u8],
    limits: &Limits,
    data: &Arc<Data>,
    shared: &Shared,
    problems: &mut Vec<Diagnostic>,
) -> Option<Document> {
    let document = match yaml::read(file, bytes, limits.policy_bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let yaml::Untyped { value, spans, .. } = document;
    let mut report = Report::new(&spans).with_source(text, Arc::clone(data), shared.clone());
    let read = read_document(value, &mut report);
    let failed = !report.problems.is_empty();
    problems.append(&mut report.problems);
    read.filter(|_| !failed)
}

fn read_document(document: Value, report: &mut Report<'_>) -> Option<Document> {
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
    match kind.as_deref() {
        None | Some("Policy") => read_layer(fields, report).map(Document::Policy),
        Some("Catalog") => catalog::read(fields, report).map(Document::Catalog),
        Some(other) => {
            let message = format!("unknown kind `{}`", other.escape_debug());
            let path = fields.path("kind");
            let hint = "files under `policies/` are of `kind: Policy` or `kind: Catalog`";
            report.problem(Code::POLICY_KIND, &path, message, hint);
            None
        }
    }
}

fn read_layer(mut fields: Fields, report: &mut Report<'_>) -> Option<Layer> {
    let scope: Option<Scope> = fields.required("scope", report);
    let extends = read_extends(&mut fields, scope.as_ref(), report);
    let mode = fields.optional("mode", report).unwrap_or(Mode::Enforce);
    let min_mode = fields
        .optional("min_mode", report)
        .unwrap_or(Mode::AuditOnly);
    let default = fields.take("default");
    let default = default.filter(|word| !word.is_null());
    let default =
        default.and_then(|word| read_default("default", word, &fields.path("default"), report));
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
        extends: extends.keys().cloned().collect(),
        extends_at: extends,
        mode,
        min_mode,
        default,
        waivers,
        rules: rules.into_iter().map(Arc::new).collect(),
        overrides,
        ..Layer::silent(scope, location)
    })
}

/// The packs, each with its place.
fn read_extends(
    fields: &mut Fields,
    scope: Option<&Scope>,
    report: &mut Report<'_>,
) -> BTreeMap<Scope, Location> {
    let mut packs = BTreeMap::new();
    for (path, item) in fields.list("extends", MAX_PACKS, report) {
        match json::from_value::<Scope>(item) {
            Ok(pack) if Some(&pack) == scope => {
                let message = "a scope cannot extend itself".to_owned();
                report.problem(Code::POLICY_EXTENDS, &path, message, "remove it");
            }
            Ok(pack) => {
                let place = report.spans().nearest(&path);
                packs.entry(pack).or_insert(place);
            }
            Err(error) => {
                let hint = "name a scope, such as `pci/baseline`";
                report.problem(Code::POLICY_TYPE, &path, error.to_string(), hint);
            }
        }
    }
    packs
}

/// What is said where no rule matches, or no entry of a catalogue; none for `abstain`, and where it is refused.
pub(super) fn read_default(
    what: &str,
    word: Value,
    path: &Path,
    report: &mut Report<'_>,
) -> Option<Effect> {
    let found = match word {
        Value::String(word) => match word.as_str() {
            "abstain" => return None,
            "allow" => return Some(Effect::Allow),
            "audit" => return Some(Effect::Audit),
            "require_approval" => return Some(Effect::RequireApproval),
            "deny" => return Some(Effect::Deny),
            other => format!("unknown {what} `{}`", other.escape_debug()),
        },
        other => format!("expected text, found {}", kind_of(&other)),
    };
    let hint = "use `abstain`, `allow`, `audit`, `require_approval` or `deny`";
    report.problem(Code::POLICY_TYPE, path, found, hint);
    None
}
