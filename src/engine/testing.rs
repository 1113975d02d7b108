//! Runs policy tests: real engines, real decisions, a time that is given.
//!
//! 1. Each case's request is read; the scope's policy is resolved as of the case's time, once for each pair.
//! 2. The decision's JSON, as the log and `eval` write it, is held against what the case expects.
//! 3. Coverage counts the places where rules were written: rules that one entry of a catalogue makes are one place.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::request::{Request, RequestLimits};
use super::{Decision, Engine, Occasion};
use crate::diag::{Code, Diagnostic, Location};
use crate::name::{RuleRef, Scope};
use crate::policy::{Mode, PolicyTest, TestCase};
use crate::resolve::{LoadedBundle, distinct, resolve};

/// What the tests of a bundle found.
#[derive(Debug)]
pub struct TestReport {
    /// Every case, in the order of files and places.
    pub cases: Vec<CaseResult>,
    /// How much of the bundle was asked.
    pub coverage: Coverage,
}

impl TestReport {
    /// How many cases failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        let failed = self.cases.iter().filter(|case| !case.mismatches.is_empty());
        failed.count()
    }
}

/// One case.
#[derive(Debug)]
pub struct CaseResult {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub location: Location,
    /// What was decided.
    pub decision: Decision,
    /// What was expected and not found; none where the case passes.
    pub mismatches: Vec<Mismatch>,
}

/// A field that is not as expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mismatch {
    /// The field of the decision.
    pub field: String,
    /// What the test says.
    pub expected: Value,
    /// What the decision says; null where it has no such field.
    pub found: Value,
    /// Where the test says it.
    pub location: Location,
}

/// Which rules of the bundle the tests reached.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Places at which a rule is written.
    pub rules: usize,
    /// Of these, how many matched in some test.
    pub matched: usize,
    /// Of these, how many determined a decision, or what would have been decided.
    pub determined: usize,
    /// Those that matched in no test, in the order of scopes and places.
    pub never_matched: Vec<Place>,
    /// Those that matched and never determined.
    pub never_determined: Vec<Place>,
}

impl Coverage {
    /// The percentage of rules that matched, rounded down; all of none is 100.
    #[must_use]
    pub fn percent(&self) -> usize {
        (self.matched * 100).checked_div(self.rules).unwrap_or(100)
    }
}

/// A place at which a rule is written, or several that one entry makes.
#[derive(Debug, Clone, Serialize)]
pub struct Place {
    /// The rules.
    pub rules: Vec<RuleRef>,
    /// Where.
    pub location: Location,
}

/// Runs `tests` against `bundles`; coverage is that of `own`.
///
/// # Errors
/// Every case whose request cannot be read or whose scope cannot be resolved.
pub fn run(
    tests: &[PolicyTest],
    own: &LoadedBundle,
    bundles: &[LoadedBundle],
) -> Result<TestReport, Vec<Diagnostic>> {
    let mut engines = Engines {
        bundles,
        built: BTreeMap::new(),
    };
    let mut problems = Vec::new();
    let mut cases = Vec::new();
    for case in tests.iter().flat_map(|test| &test.cases) {
        match run_case(case, &mut engines) {
            Ok(result) => cases.push(result),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        // A scope that does not resolve is one problem, not one for each case.
        return Err(distinct(problems));
    }
    let coverage = cover(own, &cases);
    Ok(TestReport { cases, coverage })
}

type Key = (Scope, Timestamp, Option<Mode>);

/// An engine for each scope, time and cap.
struct Engines<'a> {
    bundles: &'a [LoadedBundle],
    built: BTreeMap<Key, Result<Engine, Vec<Diagnostic>>>,
}

impl Engines<'_> {
    fn of(&mut self, case: &TestCase) -> Result<&Engine, Vec<Diagnostic>> {
        let key = (case.scope.clone(), case.now, case.cap);
        let built = self.built.entry(key).or_insert_with(|| {
            let policy = resolve(self.bundles, &case.scope, case.now, case.cap);
            policy.map(Engine::new).map_err(|found| {
                let placed = |problem: Diagnostic| match problem.location {
                    Some(_) => problem,
                    None => problem.at(case.location.clone()),
                };
                found.into_iter().map(placed).collect()
            })
        });
        built.as_ref().map_err(Clone::clone)
    }
}

fn run_case(case: &TestCase, engines: &mut Engines<'_>) -> Result<CaseResult, Vec<Diagnostic>> {
    let request = read_request(case).map_err(|problem| vec![problem])?;
    let engine = engines.of(case)?;
    let occasion = Occasion::rehearsal(&request, case.now);
    let decision = Decision::of(engine, &request, occasion);
    // A decision holds texts, booleans, numbers and lists of them.
    let written = serde_json::to_value(&decision).unwrap_or_default();
    let mut mismatches = Vec::new();
    for expected in &case.expected {
        let found = written.get(expected.field).unwrap_or(&Value::Null);
        compare(
            expected.field,
            &expected.value,
            found,
            &expected.location,
            &mut mismatches,
        );
    }
    Ok(CaseResult {
        name: case.name.clone(),
        location: case.location.clone(),
        decision,
        mismatches,
    })
}

fn read_request(case: &TestCase) -> Result<Request, Diagnostic> {
    let bytes = case.request.to_string();
    Request::from_json(bytes.as_bytes(), &RequestLimits::default()).map_err(|error| {
        let message = format!("the case `{}`: {error}", case.name.escape_debug());
        Diagnostic::error(Code::TEST_REQUEST, message)
            .at(case.request_location.clone())
            .hint("write it in one of the three forms; `ordain request normalize` shows how a request is read")
    })
}

fn compare(
    field: &str,
    expected: &Value,
    found: &Value,
    location: &Location,
    mismatches: &mut Vec<Mismatch>,
) {
    let found = match expected {
        // Of `would`, what is expected is looked at.
        Value::Object(members) if found.is_object() => {
            for (name, expected) in members {
                let found = found.get(name).unwrap_or(&Value::Null);
                compare(
                    &format!("{field}.{name}"),
                    expected,
                    found,
                    location,
                    mismatches,
                );
            }
            return;
        }
        Value::Array(_) => names(found),
        _ => found.clone(),
    };
    if *expected != found {
        mismatches.push(Mismatch {
            field: field.to_owned(),
            expected: expected.clone(),
            found,
            location: location.clone(),
        });
    }
}

/// The names in a list of a decision, in order and once each: of rules and patterns, their names.
fn names(found: &Value) -> Value {
    let items = found.as_array().into_iter().flatten();
    let names = items.filter_map(|item| {
        let name = item.get("rule").or_else(|| item.get("id"));
        name.unwrap_or(item).as_str()
    });
    names.collect::<BTreeSet<_>>().into_iter().collect()
}

fn cover(own: &LoadedBundle, cases: &[CaseResult]) -> Coverage {
    let decisions = || cases.iter().map(|case| &case.decision);
    let matched: HashSet<&RuleRef> = decisions()
        .flat_map(Decision::matched)
        .map(|hit| hit.rule)
        .collect();
    let determined: HashSet<&RuleRef> = decisions()
        .flat_map(|decision| {
            let would = decision.would().and_then(|would| would.rule);
            decision.rule().into_iter().chain(would)
        })
        .collect();
    let mut places: BTreeMap<(&Scope, &Location), Vec<&RuleRef>> = BTreeMap::new();
    for layer in own.layers() {
        for rule in &layer.rules {
            let place = places.entry((&layer.scope, &rule.location)).or_default();
            place.push(&rule.name);
        }
    }
    let mut coverage = Coverage {
        rules: places.len(),
        matched: 0,
        determined: 0,
        never_matched: Vec::new(),
        never_determined: Vec::new(),
    };
    for ((_, location), rules) in places {
        let place = || Place {
            rules: rules.iter().map(|rule| (*rule).clone()).collect(),
            location: location.clone(),
        };
        if !rules.iter().any(|rule| matched.contains(rule)) {
            coverage.never_matched.push(place());
            continue;
        }
        coverage.matched += 1;
        if rules.iter().any(|rule| determined.contains(rule)) {
            coverage.determined += 1;
        } else {
            coverage.never_determined.push(place());
        }
    }
    coverage
}
