//! Which requests a rule speaks of.
//!
//! Matching has three answers, because an error must never permit: an operator that meets a value it cannot judge
//! (`gt` on text, `cidr` on a network that lies half in the other) fails, and the engine counts a failure as matched for `deny` and `require_approval` only. Groups combine the
//! three as Kleene's logic does. A path that is absent, or null, does not match, save under `exists: false` and `missing_any`.

mod explain;
mod hours;
mod key;
mod names;
mod network;
mod operand;
mod operator;
pub(super) mod parse;
mod plain;
mod reference;
mod test;
mod value;
mod version;

use serde::Serialize;
use smallvec::SmallVec;

use super::catalog::Criterion;
use super::facts::Facts;
use super::leaves::Stands;
use super::path::RequestPath;
use super::written::Written;

pub use explain::{KeyOutcome, Part, ReadValue};
pub use key::{Key, Prefixes, Texts, Wants};
pub use plain::{Ask, Exactly, Form, KeptForm, Order, Plain, Rest};

pub(super) use hours::{Days, Hours, Zone};
pub(super) use network::Networks;
pub(super) use operand::{Allowance, Compiled, OperandError};
pub(super) use operator::{Comparison, Operator};
pub(super) use reference::{Reference, Relation};
pub(super) use test::{Pattern, Test};
pub(super) use value::Scalar;
pub(super) use version::Requirement;

/// Whether a request matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// An operator met a value that it cannot judge, so nobody knows.
    Failed,
}

impl Match {
    fn of(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }

    pub(super) fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Failed => Self::Failed,
        }
    }

    /// Yes where all are, no where one is not.
    pub(super) fn all(answers: impl Iterator<Item = Self>) -> Self {
        let mut whole = Self::Yes;
        for answer in answers {
            match answer {
                Self::No => return Self::No,
                Self::Failed => whole = Self::Failed,
                Self::Yes => {}
            }
        }
        whole
    }

    /// Yes where one is, no where none is.
    pub(super) fn any(answers: impl Iterator<Item = Self>) -> Self {
        Self::all(answers.map(Self::negated)).negated()
    }
}

/// A rule's `match`.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// As written, for digests and explanations.
    pub(super) source: Written,
    pub(super) terms: Box<[Term]>,
}

/// One entry of a `match` mapping.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Path {
        path: RequestPath,
        test: Test,
    },
    Any(Box<[Box<[Term]>]>),
    All(Box<[Box<[Term]>]>),
    Not(Box<[Term]>),
    /// Of a rule that a catalogue was lowered to; it cannot be written.
    Catalog(Box<Criterion>),
}

impl Matcher {
    /// The `match` as written.
    #[must_use]
    pub fn source(&self) -> &Written {
        &self.source
    }

    /// Whether the request matches.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> Match {
        all_terms(&self.terms, facts)
    }

    /// Whether it matches every request.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.terms.is_empty()
    }

    /// The action names outside which it never matches; none where it does not list them.
    #[must_use]
    pub fn actions(&self) -> Option<Vec<&str>> {
        self.terms.iter().find_map(|term| match term {
            Term::Path { path, test } if path.iter().eq(["action", "name"]) => {
                test.texts().map(SmallVec::into_vec)
            }
            _ => None,
        })
    }

    /// Whether its conditions certainly contradict each other.
    #[must_use]
    pub fn never_matches(&self) -> bool {
        self.terms.iter().any(Term::never_matches)
    }
}

fn all_terms(terms: &[Term], facts: &Facts<'_>) -> Match {
    Match::all(terms.iter().map(|term| term.matches(facts)))
}

impl Term {
    pub(super) fn matches(&self, facts: &Facts<'_>) -> Match {
        match self {
            Self::Path { path, test } => {
                let known = match facts.stands(path) {
                    Stands::Nothing => Some(test.matches(None, facts)),
                    Stands::Text(text, _) => test.matches_text(text.as_str()),
                    Stands::Number(_) | Stands::Texts(_) | Stands::Else => None,
                };
                known.unwrap_or_else(|| {
                    let found = facts.at(path);
                    found.map_or(Match::Failed, |value| test.matches(value, facts))
                })
            }
            Self::Any(groups) => Match::any(groups.iter().map(|group| all_terms(group, facts))),
            Self::All(groups) => Match::all(groups.iter().map(|group| all_terms(group, facts))),
            Self::Not(group) => all_terms(group, facts).negated(),
            Self::Catalog(criterion) => criterion.matches(facts),
        }
    }

    fn never_matches(&self) -> bool {
        let never = |group: &[Self]| group.iter().any(Self::never_matches);
        match self {
            Self::Path { test, .. } => test.never_matches(),
            Self::Any(groups) => groups.iter().all(|group| never(group)),
            Self::All(groups) => groups.iter().any(|group| never(group)),
            // What negates everything.
            Self::Not(group) => group.is_empty(),
            Self::Catalog(_) => false,
        }
    }
}
