//! `kind: PolicyTest`: requests, and what must be decided of them. Read here, run by `engine::testing`.
//!
//! What a file gives (`scope`, `now`, `mode`, `request`) holds for each of its cases, and a case may give its own; requests
//! are merged as RFC 7396 merges JSON. The time is always given, so that a test gives the same answer for ever.
//!
//! Requests are kept as they are written: which forms there are is the engine's knowledge.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::fields::{Fields, Report, kind_of};
use super::validate::text::{check_text, text};
use super::{Effect, MAX_CASES, MAX_LIST, Mode, Risk};
use crate::bundle::{BundlePath, Limits};
use crate::diag::{Code, Diagnostic, Location, plain_words};
use crate::json;
use crate::name::{ReasonCode, RuleRef, Scope};
use crate::yaml::{self, Path};

/// The directory of a bundle that holds its tests.
const DIRECTORY: &str = "tests";
/// What the outcome of a decision may be.
const OUTCOMES: [&str; 3] = ["allowed", "denied", "pending"];

/// One file of tests.
#[derive(Debug, Clone)]
pub struct PolicyTest {
    /// The file.
    pub file: String,
    /// What it is about, for people.
    pub name: Option<String>,
    /// Its cases, in the order of the file.
    pub cases: Vec<TestCase>,
}

/// One request and what is expected of the decision.
#[derive(Debug, Clone)]
pub struct TestCase {
    /// Its name, which is unique in its file.
    pub name: String,
    /// Whose policy decides.
    pub scope: Scope,
    /// The time of the evaluation.
    pub now: Timestamp,
    /// A consumer's cap on modes.
    pub cap: Option<Mode>,
    /// The request as written, in any of its forms.
    pub request: Value,
    /// What is expected; at least one thing.
    pub expected: Vec<Expected>,
    /// Where it stands.
    pub location: Location,
    /// Where its request stands.
    pub request_location: Location,
}

/// What is expected of one field of the decision.
#[derive(Debug, Clone)]
pub struct Expected {
    /// The field, as the decision's JSON names it.
    pub field: &'static str,
    /// The value; null where the decision must not have the field.
    pub value: Value,
    /// Where it stands.
    pub location: Location,
}

/// What a field of a decision holds.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Effect,
    Outcome,
    Mode,
    Rule,
    Text,
    ReasonCode,
    Flag,
    Risk,
    Names,
    Rules,
    Would,
}

/// What may be expected, in the order of the decision.
const FIELDS: &[(&str, Kind)] = &[
    ("effect", Kind::Effect),
    ("outcome", Kind::Outcome),
    ("mode", Kind::Mode),
    ("rule", Kind::Rule),
    ("reason", Kind::Text),
    ("reason_code", Kind::ReasonCode),
    ("remediation", Kind::Text),
    ("audited", Kind::Flag),
    ("risk", Kind::Risk),
    ("missing_capabilities", Kind::Names),
    ("patterns", Kind::Names),
    ("matched", Kind::Rules),
    ("would", Kind::Would),
];
/// What may be expected of `would`.
const WOULD_FIELDS: &[(&str, Kind)] = &[
    ("effect", Kind::Effect),
    ("mode", Kind::Mode),
    ("rule", Kind::Rule),
    ("reason", Kind::Text),
    ("reason_code", Kind::ReasonCode),
];

/// Reads `tests/**/*.yaml`; other files are left alone.
///
/// # Errors
/// Every problem of every file, in the order of files and places.
pub fn read_tests(
    files: &BTreeMap<BundlePath, Arc<[u8]>>,
    limits: &Limits,
) -> Result<Vec<PolicyTest>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    let mut tests = Vec::new();
    for (name, bytes) in files.iter().filter(|(name, _)| name.is_below(DIRECTORY)) {
        if name.has_extension(&["yaml"]) {
            tests.extend(read_file(name.as_str(), bytes, limits, &mut problems));
        } else {
            problems.extend(refuse_spelling(name));
        }
    }
    if problems.is_empty() {
        Ok(tests)
    } else {
        Err(problems)
    }
}

/// Reads one file of tests, wherever it lies.
///
/// # Errors
/// Every problem of the file.
pub fn read_test(name: &str, bytes: &[u8], limits: &Limits) -> Result<PolicyTest, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    read_file(name, bytes, limits, &mut problems).ok_or(problems)
}

/// A test under another ending would silently not run.
fn refuse_spelling(name: &BundlePath) -> Option<Diagnostic> {
    let lower = name.as_str().to_ascii_lowercase();
    let is_test_like = [".yaml", ".yml"]
        .iter()
        .any(|ending| lower.ends_with(ending));
    is_test_like.then(|| {
        let message = "policy tests are read from files that end in `.yaml`";
        let file = name.as_str().into();
        let (line, column) = (1, 1);
        Diagnostic::error(Code::TEST_FILE_NAME, message)
            .at(Location { file, line, column })
            .hint("rename the file, or move it out of `tests/`")
    })
}

fn read_file(
    file: &str,
    bytes: &[u8],
    limits: &Limits,
    problems: &mut Vec<Diagnostic>,
) -> Option<PolicyTest> {
    let document = match yaml::read(file, bytes, limits.policy_bytes) {
        Ok(document) => document,
        Err(problem) => {
            problems.push(problem);
            return None;
        }
    };
    let mut report = Report::new(&document.spans);
    let test = read_document(file, document.value, &mut report);
    let failed = !report.problems.is_empty();
    problems.append(&mut report.problems);
    test.filter(|_| !failed)
}

/// What a file gives to each of its cases.
struct Shared {
    scope: Option<Scope>,
    now: Option<Timestamp>,
    cap: Option<Mode>,
    request: Value,
}

fn read_document(file: &str, document: Value, report: &mut Report<'_>) -> Option<PolicyTest> {
    let mut fields = Fields::of(document, Path::top(), report)?;
    for (field, expected) in [("apiVersion", "ordain/v1"), ("kind", "PolicyTest")] {
        let found: Option<String> = fields.required(field, report);
        if found.as_deref() != Some(expected) {
            if let Some(found) = found {
                let message = format!("`{field}` is `{}`, not `{expected}`", found.escape_debug());
                let hint =
                    "files under `tests/` are of `apiVersion: ordain/v1` and `kind: PolicyTest`";
                report.problem(Code::POLICY_KIND, &fields.path(field), message, hint);
            }
            return None;
        }
    }
    let name = text(&mut fields, "name", report);
    let shared = Shared {
        scope: fields.optional("scope", report),
        now: fields.optional("now", report),
        cap: fields.optional("mode", report),
        request: read_request(&mut fields, report).unwrap_or_else(|| Value::Object(Map::new())),
    };
    let before = report.problems.len();
    let items = fields.list("cases", MAX_CASES, report);
    if items.is_empty() && report.problems.len() == before {
        let message = "the file holds no case".to_owned();
        let hint = "write at least one under `cases`, or remove the file";
        report.problem(
            Code::POLICY_MISSING_FIELD,
            &fields.path("cases"),
            message,
            hint,
        );
    }
    fields.finish(report);
    let mut names: BTreeMap<String, Path> = BTreeMap::new();
    let mut cases = Vec::new();
    for (path, item) in items {
        let Some(case) = read_case(item, &path, &shared, report) else {
            continue;
        };
        if let Some(first) = names.get(&case.name) {
            let line = report.spans().nearest(first).line;
            let message = format!(
                "the case `{}` stands twice, first in line {line}",
                case.name.escape_debug()
            );
            let hint = "give one of them another name";
            report.problem(Code::TEST_TWICE, &path.key("name"), message, hint);
        }
        names.insert(case.name.clone(), path);
        cases.push(case);
    }
    let file = file.to_owned();
    Some(PolicyTest { file, name, cases })
}

fn read_request(fields: &mut Fields, report: &mut Report<'_>) -> Option<Value> {
    let path = fields.path("request");
    let value = fields.take("request")?;
    if !value.is_object() {
        let message = format!("`request`: expected a mapping, found {}", kind_of(&value));
        let hint = "write the request as YAML, in any of the three forms";
        report.problem(Code::POLICY_TYPE, &path, message, hint);
        return None;
    }
    Some(value)
}

fn read_case(
    item: Value,
    path: &Path,
    shared: &Shared,
    report: &mut Report<'_>,
) -> Option<TestCase> {
    let mut fields = Fields::of(item, path.clone(), report)?;
    let name: Option<String> = fields.required("name", report);
    let name = name.filter(|name| check_text(name, &path.key("name"), report));
    let scope = fields
        .optional("scope", report)
        .or_else(|| shared.scope.clone());
    let now = fields.optional("now", report).or(shared.now);
    let cap = fields.optional("mode", report).or(shared.cap);
    let request_path = fields.path("request");
    let own = read_request(&mut fields, report);
    for (field, is_missing) in [("scope", scope.is_none()), ("now", now.is_none())] {
        if is_missing {
            let message = format!("neither the case nor its file gives `{field}`");
            let hint = "add the field to the file, for all of its cases";
            report.problem(Code::POLICY_MISSING_FIELD, path, message, hint);
        }
    }
    let expected = read_expected(&mut fields, report);
    fields.finish(report);
    let mut request = shared.request.clone();
    merge(
        &mut request,
        own.unwrap_or_else(|| Value::Object(Map::new())),
    );
    Some(TestCase {
        name: name?,
        scope: scope?,
        now: now?,
        cap,
        request,
        expected: expected?,
        location: report.spans().nearest(path),
        request_location: report.spans().nearest(&request_path),
    })
}

/// RFC 7396. The recursion ends where the document does, at [`yaml::MAX_DEPTH`].
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else {
        return;
    };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(&key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

fn read_expected(fields: &mut Fields, report: &mut Report<'_>) -> Option<Vec<Expected>> {
    let path = fields.path("expect");
    let Some(value) = fields.take("expect").filter(|value| !value.is_null()) else {
        let message = "the field `expect` is missing".to_owned();
        let hint = "say what must be decided, such as `expect: {effect: deny}`";
        report.problem(Code::POLICY_MISSING_FIELD, &path, message, hint);
        return None;
    };
    let read = read_fields(value, &path, FIELDS, report)?;
    Some(
        read.into_iter()
            .map(|(field, value)| Expected {
                field,
                value,
                location: report.spans().nearest(&path.key(field)),
            })
            .collect(),
    )
}

/// The fields of a decision, or of its `would`, each of its type.
fn read_fields(
    value: Value,
    path: &Path,
    known: &[(&'static str, Kind)],
    report: &mut Report<'_>,
) -> Option<Vec<(&'static str, Value)>> {
    let mut fields = Fields::of(value, path.clone(), report)?;
    let is_empty = fields.is_empty();
    let mut read = Vec::new();
    for (field, kind) in known {
        let Some(value) = fields.take(field) else {
            continue;
        };
        let path = path.key(field);
        let value = match (kind, value) {
            (Kind::Would, Value::Object(members)) => {
                let members = read_fields(Value::Object(members), &path, WOULD_FIELDS, report)?;
                let members = members.into_iter();
                Value::Object(
                    members
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }
            (_, value) => match typed(*kind, value) {
                Ok(value) => value,
                Err(message) => {
                    let message = format!("`{field}`: {message}");
                    let hint = "the fields and their values are those of a decision; see the manual's page on policy tests";
                    report.problem(Code::POLICY_TYPE, &path, message, hint);
                    continue;
                }
            },
        };
        read.push((*field, value));
    }
    fields.finish(report);
    if is_empty {
        let message = "nothing is expected".to_owned();
        let hint = "give at least one field, such as `effect`";
        report.problem(Code::TEST_EXPECTS_NOTHING, path, message, hint);
        return None;
    }
    Some(read)
}

/// `value` as the decision's JSON writes it, lists in order.
fn typed(kind: Kind, value: Value) -> Result<Value, String> {
    fn check<T: DeserializeOwned>(value: Value) -> Result<Value, String> {
        json::from_value::<T>(value.clone())
            .map(|_| value)
            .map_err(|error| plain_words(&error.to_string()))
    }
    fn sorted<T: DeserializeOwned>(value: Value) -> Result<Value, String> {
        let value = check::<Vec<T>>(value)?;
        let items = value
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        let items: BTreeSet<&str> = items.collect();
        if items.len() > MAX_LIST {
            return Err(format!("more than {MAX_LIST} items"));
        }
        Ok(items.into_iter().collect())
    }
    match kind {
        Kind::Effect => check::<Effect>(value),
        Kind::Mode => check::<Mode>(value),
        Kind::Flag => check::<bool>(value),
        Kind::ReasonCode => check::<ReasonCode>(value),
        Kind::Outcome => match value.as_str() {
            Some(word) if OUTCOMES.contains(&word) => Ok(value),
            _ => Err(format!("expected one of `{}`", OUTCOMES.join("`, `"))),
        },
        Kind::Risk => check::<Option<Risk>>(value),
        Kind::Rule => check::<Option<RuleRef>>(value),
        Kind::Text => check::<Option<String>>(value),
        Kind::Names => sorted::<String>(value),
        Kind::Rules => sorted::<RuleRef>(value),
        Kind::Would => match value {
            Value::Null => Ok(value),
            other => Err(format!(
                "expected a mapping or null, found {}",
                kind_of(&other)
            )),
        },
    }
}
