//! What changes from one state of the bundles to another: scope by scope, rule by rule, after overrides.
//!
//! 1. Every scope that either side defines is resolved on both, at one time.
//! 2. `rules`, `layers`, `catalog`: the two policies are compared in parts, and each part is weighed (`weigh`).
//! 3. What changes alike for several scopes is told once, at the scope whose policy says it, with the scopes that it reaches.
//!
//! INVARIANT: two policies of one scope that have different digests differ here. INVARIANT: where nothing that reaches a scope
//! loosens or may loosen, no request whose values its conditions can judge gets a weaker answer (`allow` and `audit` being
//! equally weak). What cannot be told is weighed as what may loosen.
//!
//! It looks at policies as their authors wrote them: no consumer's cap counts.

mod catalog;
mod layers;
mod overrides;
mod rules;
mod weigh;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::effective::{AppliedOverride, EffectiveLayer};
use super::origin::Source;
use super::{Definitions, LoadedBundle, distinct, graph, index};
use crate::diag::{Code, Diagnostic};
use crate::name::{RuleRef, Scope};

use weigh::Around;

pub use overrides::{OverrideChange, OverrideState};

/// Whether a change asks for less than what was there, from the harmless to what a reviewer must see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// It changes words, or what decides nothing now.
    Neutral,
    /// It asks for more, of some request, and of none for less.
    Tightens,
    /// Nobody can tell without the requests, or it depends on what other rules say.
    MayLoosen,
    /// It asks for less, of some request.
    Loosens,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case", tag = "type", content = "name")]
pub enum Subject {
    /// The scope itself: its mode, default and so on.
    Scope(Scope),
    /// A pack that the scope extends.
    Pack(Scope),
    /// What the scope's catalogue says of every operation.
    Catalog(Scope),
    /// An operation of the scope's catalogue.
    Operation(String),
    /// A rule, of the scope or inherited and overridden by it.
    Rule(RuleRef),
}

/// What happens to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is new.
    Added,
    /// It is there no more.
    Removed,
    /// It is there before and after.
    Changed,
}

/// One part that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// What it is, as policies write it, such as `effect` or `match.action`.
    pub what: String,
    /// What stood there; none where nothing did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// What stands there now; none where nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// How it weighs.
    pub direction: Direction,
}

/// One change, with the scopes for which it is the same.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The scope whose policy makes it.
    pub scope: Scope,
    /// What it is about.
    pub subject: Subject,
    /// What happens to it.
    pub kind: Kind,
    /// How it weighs: as the worst of its parts.
    pub direction: Direction,
    /// What differs.
    pub parts: Vec<Part>,
    /// The overrides of the rule that differ.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideChange>,
    /// The scopes whose effective policy changes so, sorted.
    pub reaches: Vec<Scope>,
    /// Where it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Source>,
    /// Where it is written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Source>,
}

/// Everything that changes.
#[derive(Debug, Clone, Default, Serialize)]
pub struct PolicyDiff {
    /// How many scopes were compared.
    pub scopes: usize,
    /// The changes, by scope and subject.
    pub changes: Vec<Change>,
    /// Scopes that no policy could be resolved for on either side, since nobody defines their root: what they say was compared
    /// where others extend them only.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unresolved: Vec<Scope>,
}

impl PolicyDiff {
    /// The changes that weigh at least as `least`, the worst first.
    #[must_use]
    pub fn worst(&self, least: Direction) -> Vec<&Change> {
        let mut found: Vec<&Change> = self
            .changes
            .iter()
            .filter(|change| change.direction >= least)
            .collect();
        found.sort_by_key(|change| std::cmp::Reverse(change.direction));
        found
    }
}

/// One side of a scope, resolved.
struct Resolved {
    layers: Vec<EffectiveLayer>,
    lapsed: Vec<AppliedOverride>,
}

/// One side.
struct Side<'a> {
    bundles: Vec<&'a LoadedBundle>,
    defined: Definitions<'a>,
}

impl<'a> Side<'a> {
    fn new(bundles: &'a [LoadedBundle]) -> Result<Self, Vec<Diagnostic>> {
        let mut bundles: Vec<&LoadedBundle> = bundles.iter().collect();
        bundles.sort_by(|left, right| left.identity().name.cmp(&right.identity().name));
        let defined = index(&bundles)?;
        Ok(Self { bundles, defined })
    }

    /// The policy of a scope; none where nobody defines its root.
    fn resolve(&self, scope: &Scope, now: Timestamp) -> Result<Option<Resolved>, Vec<Diagnostic>> {
        let graph = match graph::build(&self.defined, scope) {
            Err(found) if found.iter().all(|one| one.code == Code::RESOLVE_NO_ROOT) => {
                return Ok(None);
            }
            graph => graph?,
        };
        let (layers, lapsed) = super::overrides::apply(&self.defined, &self.bundles, &graph, now)?;
        Ok(Some(Resolved { layers, lapsed }))
    }

    fn extends(&self, scope: &Scope) -> &[Scope] {
        let found = self.defined.get(scope);
        found.map_or(&[], |found| &found.layer.extends)
    }
}

/// Compares what `before` and `after` say at `now`, of every scope or of `scope` alone.
///
/// # Errors
/// Every problem that keeps a scope of either side from being resolved.
pub fn diff(
    before: &[LoadedBundle],
    after: &[LoadedBundle],
    scope: Option<&Scope>,
    now: Timestamp,
) -> Result<PolicyDiff, Vec<Diagnostic>> {
    let (before, after) = match (Side::new(before), Side::new(after)) {
        (Ok(before), Ok(after)) => (before, after),
        (before, after) => {
            let problems = [before.err(), after.err()];
            return Err(problems.into_iter().flatten().flatten().collect());
        }
    };
    let scopes: BTreeSet<Scope> = match scope {
        Some(scope) => [scope.clone()].into(),
        None => {
            let both = before.defined.keys().chain(after.defined.keys());
            both.map(|scope| (*scope).clone()).collect()
        }
    };
    let mut problems = Vec::new();
    let mut found = Found::default();
    let mut unresolved = Vec::new();
    for scope in &scopes {
        let mut side = |side: &Side<'_>| {
            side.resolve(scope, now).unwrap_or_else(|refused| {
                problems.extend(refused);
                None
            })
        };
        let (old, new) = (side(&before), side(&after));
        if old.is_none() && new.is_none() {
            unresolved.push(scope.clone());
        }
        let empty = Resolved {
            layers: Vec::new(),
            lapsed: Vec::new(),
        };
        let comparison = Comparison {
            scope,
            sides: (&before, &after),
            before: old.as_ref().unwrap_or(&empty),
            after: new.as_ref().unwrap_or(&empty),
        };
        layers::compare(&comparison, &mut found);
    }
    if let Some(scope) = scope.filter(|_| problems.is_empty() && !unresolved.is_empty()) {
        let message = format!("neither side defines the root of the scope `{scope}`");
        let hint = "correct the scope, or name the bundle that defines its root with `--with`";
        problems.push(Diagnostic::error(Code::RESOLVE_NO_ROOT, message).hint(hint));
    }
    if !problems.is_empty() {
        return Err(distinct(problems));
    }
    Ok(PolicyDiff {
        scopes: scopes.len(),
        changes: found.finish(),
        unresolved,
    })
}

/// The two policies of one scope.
struct Comparison<'a> {
    scope: &'a Scope,
    sides: (&'a Side<'a>, &'a Side<'a>),
    before: &'a Resolved,
    after: &'a Resolved,
}

/// Changes so far, those that are the same for several scopes joined.
#[derive(Default)]
struct Found {
    /// What changes of the rules of layers that nobody overrides, by the layer and what of its surroundings weighs.
    plain: BTreeMap<(Scope, Around, bool), Vec<Change>>,
    changes: BTreeMap<(Scope, Subject, Kind, String), Change>,
}

impl Found {
    /// Notes what changes for `reached`.
    fn add(&mut self, reached: &Scope, change: Change) {
        // What differs, as one text: it is ordered, and the same for the same.
        let told = serde_json::to_string(&(&change.parts, &change.overrides));
        let key = (
            change.scope.clone(),
            change.subject.clone(),
            change.kind,
            told.unwrap_or_default(),
        );
        let entry = self.changes.entry(key).or_insert(change);
        // Scopes come one after the other.
        if entry.reaches.last() != Some(reached) {
            entry.reaches.push(reached.clone());
        }
    }

    fn finish(self) -> Vec<Change> {
        self.changes.into_values().collect()
    }
}

/// A part, with values as JSON writes them.
fn part<T: Serialize + ?Sized>(
    what: impl Into<String>,
    before: Option<&T>,
    after: Option<&T>,
    direction: Direction,
) -> Part {
    // What policies hold can be written.
    let value = |value: &T| serde_json::to_value(value).unwrap_or_default();
    Part {
        what: what.into(),
        before: before.map(value),
        after: after.map(value),
        direction,
    }
}

/// The worst of some parts.
fn worst<'a>(parts: impl IntoIterator<Item = &'a Part>) -> Direction {
    let directions = parts.into_iter().map(|part| part.direction);
    directions.max().unwrap_or(Direction::Neutral)
}
