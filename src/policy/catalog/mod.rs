//! Catalogues: which operations exist, how risky they are, which capabilities they take, and which arguments are dangerous.
//!
//! A catalogue is lowered into rules of its scope, so that the engine knows one thing only: overrides, modes, layers and
//! decisions treat them as they treat any rule. What a `match` cannot say, a [`Criterion`] says.
//!
//! 1. `read`: the file.
//! 2. `table`: the answer to each risk.
//! 3. `lower`: from operations to rules.
//! 4. `patterns`: dangerous arguments.
//!
//! INVARIANT: of an operation that the catalogue describes, exactly one rule about risk matches each request. What cannot be
//! judged counts as the greater risk, and arguments that cannot be read as dangerous.

mod lower;
mod patterns;
mod read;
mod table;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use super::{Facts, Match, Matcher, Risk, Rule, Written};
use crate::diag::Location;
use crate::name::{RuleId, Scope};

pub use patterns::{FoundPattern, Patterns};
pub(super) use read::read;

/// What the ids of lowered rules begin with; no rule that is written by hand may.
pub(super) const PREFIX: &str = "catalog.";

/// A scope's catalogue, as rules. Their mode is `enforce` until the scope's is known.
#[derive(Debug)]
pub(super) struct Catalog {
    pub(super) scope: Scope,
    pub(super) rules: Vec<Rule>,
    pub(super) location: Location,
}

/// What a lowered rule stands for.
#[derive(Debug, Clone)]
pub enum Lowered {
    /// An operation has a risk.
    Risk {
        /// The operation.
        operation: Arc<Operation>,
        /// The risk.
        risk: Risk,
        /// With which arguments.
        arguments: Arguments,
    },
    /// The caller lacks a capability.
    MissingCapability {
        /// What is required, sorted.
        requires: Arc<[String]>,
    },
    /// No entry describes the operation.
    UnknownOperation {
        /// The actions that the catalogue describes.
        known: Arc<BTreeSet<String>>,
    },
}

/// Whether an operation's arguments are dangerous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arguments {
    /// No pattern matches.
    Ordinary,
    /// A pattern matches, or they cannot be read.
    Dangerous,
}

impl Arguments {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::Dangerous => "dangerous",
        }
    }
}

/// An operation that a catalogue describes.
#[derive(Debug)]
pub struct Operation {
    action: String,
    risk: Risk,
    variants: Vec<Variant>,
    patterns: Option<Arc<Patterns>>,
}

/// A form of an operation.
#[derive(Debug)]
struct Variant {
    id: RuleId,
    matcher: Matcher,
    risk: Risk,
    requires: Vec<String>,
    location: Location,
}

impl Operation {
    /// The `action.name` that it is.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Its risk where no variant matches.
    #[must_use]
    pub fn own_risk(&self) -> Risk {
        self.risk
    }

    /// Its variants, in the order of the file: the id, the `match` as written, and the risk of each.
    pub fn variants(&self) -> impl Iterator<Item = (&RuleId, &Written, Risk)> {
        let variants = self.variants.iter();
        variants.map(|variant| (&variant.id, variant.matcher.source(), variant.risk))
    }

    /// The patterns that make its arguments dangerous, where its catalogue has some.
    #[must_use]
    pub fn dangers(&self) -> Option<&Patterns> {
        self.patterns.as_deref()
    }

    /// Its risk in this request, which is of its action: the greatest of the variants that match, its own where none does. A
    /// variant that cannot be judged counts as both.
    #[must_use]
    pub fn risk(self: &Arc<Self>, facts: &Facts<'_>) -> Risk {
        facts.memo().risks.get(self, || {
            let (mut greatest, mut is_variant) = (None, false);
            for variant in &self.variants {
                let answer = variant.matcher.matches(facts);
                if answer != Match::No {
                    greatest = greatest.max(Some(variant.risk));
                }
                is_variant |= answer == Match::Yes;
            }
            let own = Some(self.risk).filter(|_| !is_variant);
            greatest.max(own).unwrap_or(self.risk)
        })
    }

    /// The patterns that match its arguments in this request.
    #[must_use]
    pub fn patterns(&self, facts: &Facts<'_>) -> Arc<[FoundPattern]> {
        let patterns = self.patterns.as_ref();
        patterns.map_or_else(|| [].into(), |patterns| found(patterns, facts))
    }

    /// Every risk that it may have.
    fn levels(&self) -> BTreeSet<Risk> {
        let variants = self.variants.iter().map(|variant| variant.risk);
        variants.chain([self.risk]).collect()
    }
}

impl Rule {
    /// The operation whose risk it answers, if a catalogue made it for that.
    #[must_use]
    pub fn operation(&self) -> Option<&Arc<Operation>> {
        match self.lowered() {
            Some(Lowered::Risk { operation, .. }) => Some(operation),
            _ => None,
        }
    }

    /// The capabilities that it requires and the subject lacks. What is no list holds none.
    #[must_use]
    pub fn missing(&self, facts: &Facts<'_>) -> Vec<&str> {
        let Some(Lowered::MissingCapability { requires }) = self.lowered() else {
            return Vec::new();
        };
        let held = facts.request().pointer("/subject/properties/capabilities");
        let held = held
            .and_then(Value::as_array)
            .map_or(&[][..], Vec::as_slice);
        let lacks = |name: &&str| !held.iter().any(|item| item.as_str() == Some(name));
        requires.iter().map(String::as_str).filter(lacks).collect()
    }
}

/// What a lowered rule asks of a request beyond what a `match` can say. It never fails.
#[derive(Debug, Clone)]
pub(super) enum Criterion {
    /// The operation has this risk.
    Risk(Arc<Operation>, Risk),
    /// The arguments are so.
    Arguments(Arc<Patterns>, Arguments),
    /// The action is none of these.
    Undescribed(Arc<BTreeSet<String>>),
}

impl Criterion {
    pub(super) fn matches(&self, facts: &Facts<'_>) -> Match {
        let holds = match self {
            Self::Risk(operation, risk) => operation.risk(facts) == *risk,
            Self::Arguments(patterns, wanted) => {
                let is_dangerous = !found(patterns, facts).is_empty();
                is_dangerous == (*wanted == Arguments::Dangerous)
            }
            Self::Undescribed(known) => {
                let action = facts.request().pointer("/action/name");
                let action = action.and_then(Value::as_str);
                action.is_none_or(|action| !known.contains(action))
            }
        };
        if holds { Match::Yes } else { Match::No }
    }

    /// What is wanted and what the request has, in words.
    pub(super) fn words(&self, facts: &Facts<'_>) -> (String, Option<String>) {
        match self {
            Self::Risk(operation, risk) => {
                let found = operation.risk(facts).as_str();
                (risk.as_str().to_owned(), Some(found.to_owned()))
            }
            Self::Arguments(patterns, wanted) => {
                let has = if found(patterns, facts).is_empty() {
                    Arguments::Ordinary
                } else {
                    Arguments::Dangerous
                };
                (wanted.as_str().to_owned(), Some(has.as_str().to_owned()))
            }
            Self::Undescribed(_) => {
                let action = facts.request().pointer("/action/name");
                let action = action.and_then(Value::as_str).map(str::to_owned);
                ("what the catalogue does not describe".to_owned(), action)
            }
        }
    }

    /// Its entry in the `match` that a lowered rule shows. Its key is no path of a request, or what a `match` says too.
    fn source(&self) -> (&'static str, Value) {
        match self {
            Self::Risk(operation, risk) => {
                let variants = operation.variants.iter();
                let variants: Vec<Value> = variants
                    .map(|variant| json!({"match": variant.matcher.source(), "risk": variant.risk}))
                    .collect();
                let own = operation.risk;
                (
                    "risk",
                    json!({"is": risk, "operation": own, "variants": variants}),
                )
            }
            Self::Arguments(patterns, wanted) => (
                "arguments",
                json!({"are": wanted.as_str(), "patterns": patterns.digest()}),
            ),
            Self::Undescribed(known) => ("action", json!({"not": {"in": **known}})),
        }
    }
}

fn found(patterns: &Arc<Patterns>, facts: &Facts<'_>) -> Arc<[FoundPattern]> {
    facts
        .memo()
        .found
        .get(patterns, || patterns.find(facts).into())
}

/// What was found out about one request, so that each operation and each catalogue is asked once.
#[derive(Debug, Default)]
pub(super) struct Memo {
    risks: Answers<Operation, Risk>,
    found: Answers<Patterns, Arc<[FoundPattern]>>,
}

/// Few enough that a list is the fastest map.
#[derive(Debug)]
struct Answers<K, V>(Mutex<Vec<(Arc<K>, V)>>);

impl<K, V> Default for Answers<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K, V: Clone> Answers<K, V> {
    fn get(&self, key: &Arc<K>, judge: impl FnOnce() -> V) -> V {
        let known = |answers: &[(Arc<K>, V)]| {
            let known = answers.iter().find(|(known, _)| Arc::ptr_eq(known, key));
            known.map(|(_, answer)| answer.clone())
        };
        // What a list holds is true even if somebody stopped halfway.
        let lock = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = known(&lock()) {
            return answer;
        }
        let answer = judge();
        lock().push((Arc::clone(key), answer.clone()));
        answer
    }
}
