//! Which requests a rule speaks of.
//!
//! Matching has three answers, because an error must never permit: an operator that meets a value of a type it cannot judge
//! (`gt` on text) fails, and the engine counts a failure as matched for `deny` and `require_approval` only. Groups combine the
//! three as Kleene's logic does. A path that is absent, or null, does not match, save under `exists: false` and `missing_any`.

use serde::Serialize;
use serde_json::{Number, Value};

use super::catalog::Criterion;
use super::facts::Facts;
use super::glob::Glob;

/// Whether a request matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Match {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// An operator met a value of another type, so nobody knows.
    Failed,
}

impl Match {
    fn of(matches: bool) -> Self {
        if matches { Self::Yes } else { Self::No }
    }

    fn negated(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Failed => Self::Failed,
        }
    }

    /// Yes where all are, no where one is not.
    fn all(answers: impl Iterator<Item = Self>) -> Self {
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
    fn any(answers: impl Iterator<Item = Self>) -> Self {
        Self::all(answers.map(Self::negated)).negated()
    }
}

/// A rule's `match`.
#[derive(Debug, Clone)]
pub struct Matcher {
    /// As written, for digests and explanations.
    pub(super) source: Value,
    pub(super) terms: Vec<Term>,
}

/// One entry of a `match` mapping.
#[derive(Debug, Clone)]
pub(super) enum Term {
    Path {
        path: Vec<String>,
        test: Test,
    },
    Any(Vec<Vec<Term>>),
    All(Vec<Vec<Term>>),
    Not(Vec<Term>),
    /// Of a rule that a catalogue was lowered to; it cannot be written.
    Catalog(Criterion),
}

/// What is asked of the value at a path.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// A bare value: a text, pattern, number or boolean.
    Is(Pattern),
    /// A bare list: any of them.
    AnyOf(Vec<Pattern>),
    /// A mapping of operators: all of them.
    Operators(Vec<Operator>),
}

#[derive(Debug, Clone)]
pub(super) enum Pattern {
    Exactly(Scalar),
    Glob(Glob),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Scalar {
    Text(String),
    Bool(bool),
    Number(Number),
}

#[derive(Debug, Clone)]
pub(super) enum Operator {
    In(Vec<Scalar>),
    Glob(Vec<Glob>),
    Prefix(Vec<String>),
    Not(Box<Test>),
    Exists(bool),
    ContainsAny(Vec<Scalar>),
    ContainsAll(Vec<Scalar>),
    MissingAny(Vec<Scalar>),
    Compare(Comparison, f64),
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Matcher {
    /// The `match` as written.
    #[must_use]
    pub fn source(&self) -> &Value {
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
            Term::Path { path, test } if path.iter().eq(["action", "name"]) => test.texts(),
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
            Self::Path { path, test } => test.matches(facts.at(path)),
            Self::Any(groups) => Match::any(groups.iter().map(|group| all_terms(group, facts))),
            Self::All(groups) => Match::all(groups.iter().map(|group| all_terms(group, facts))),
            Self::Not(group) => all_terms(group, facts).negated(),
            Self::Catalog(criterion) => criterion.matches(facts),
        }
    }

    fn never_matches(&self) -> bool {
        let never = |group: &Vec<Self>| group.iter().any(Self::never_matches);
        match self {
            Self::Path { test, .. } => test.never_matches(),
            Self::Any(groups) => groups.iter().all(never),
            Self::All(groups) => groups.iter().any(never),
            // What negates everything.
            Self::Not(group) => group.is_empty(),
            Self::Catalog(_) => false,
        }
    }
}

impl Test {
    fn matches(&self, value: Option<&Value>) -> Match {
        match (self, value) {
            (Self::Operators(operators), _) => {
                Match::all(operators.iter().map(|operator| operator.matches(value)))
            }
            (_, None) => Match::No,
            (Self::Is(pattern), Some(value)) => pattern.matches(value),
            (Self::AnyOf(patterns), Some(value)) => {
                Match::any(patterns.iter().map(|pattern| pattern.matches(value)))
            }
        }
    }

    /// The texts that it admits, where it lists texts and nothing else: against a number every text fails.
    fn texts(&self) -> Option<Vec<&str>> {
        fn text(scalar: &Scalar) -> Option<&str> {
            match scalar {
                Scalar::Text(text) => Some(text),
                Scalar::Bool(_) | Scalar::Number(_) => None,
            }
        }
        let patterns = match self {
            Self::Is(pattern) => std::slice::from_ref(pattern),
            Self::AnyOf(patterns) => patterns,
            Self::Operators(operators) => {
                return operators.iter().find_map(|operator| match operator {
                    Operator::In(scalars) => scalars.iter().map(text).collect(),
                    _ => None,
                });
            }
        };
        let texts = patterns.iter().map(|pattern| match pattern {
            Pattern::Exactly(scalar) => text(scalar),
            Pattern::Glob(_) => None,
        });
        texts.collect()
    }

    /// Whether two of its operators exclude each other: `exists: false` and one that wants a value, or an empty interval.
    fn never_matches(&self) -> bool {
        let Self::Operators(operators) = self else {
            return false;
        };
        let wants_absence = operators
            .iter()
            .any(|operator| matches!(operator, Operator::Exists(false)));
        let wants_presence = operators
            .iter()
            .any(|operator| !matches!(operator, Operator::Exists(false) | Operator::MissingAny(_)));
        let lower = operators.iter().filter_map(|operator| match operator {
            Operator::Compare(Comparison::Greater, bound) => Some((*bound, true)),
            Operator::Compare(Comparison::GreaterOrEqual, bound) => Some((*bound, false)),
            _ => None,
        });
        let is_empty = |(low, open): (f64, bool)| {
            operators.iter().any(|operator| match operator {
                Operator::Compare(Comparison::Less, high) => low >= *high,
                Operator::Compare(Comparison::LessOrEqual, high) => {
                    low > *high || (open && low >= *high)
                }
                _ => false,
            })
        };
        (wants_absence && wants_presence) || lower.into_iter().any(is_empty)
    }
}

impl Pattern {
    fn matches(&self, value: &Value) -> Match {
        match (self, value) {
            (Self::Exactly(scalar), _) => scalar.compare(value),
            (Self::Glob(glob), Value::String(text)) => Match::of(glob.matches(text)),
            (Self::Glob(_), _) => Match::Failed,
        }
    }
}

impl Scalar {
    /// As [`Self::equals`], and failed where the types differ: whoever asks chooses the types of what is asked, and a text
    /// wrapped in a list must not slip past a rule that refuses the text.
    fn compare(&self, value: &Value) -> Match {
        match (self, value) {
            (Self::Text(_), Value::String(_))
            | (Self::Bool(_), Value::Bool(_))
            | (Self::Number(_), Value::Number(_)) => Match::of(self.equals(value)),
            _ => Match::Failed,
        }
    }

    fn equals(&self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text(wanted), Value::String(text)) => wanted == text,
            (Self::Bool(wanted), Value::Bool(found)) => wanted == found,
            // Requests and policies hold no number that a double would round.
            (Self::Number(wanted), Value::Number(found)) => wanted.as_f64() == found.as_f64(),
            _ => false,
        }
    }
}

impl Operator {
    fn matches(&self, value: Option<&Value>) -> Match {
        let Some(value) = value else {
            return Match::of(matches!(self, Self::Exists(false) | Self::MissingAny(_)));
        };
        match self {
            Self::Exists(wanted) => Match::of(*wanted),
            Self::In(scalars) => Match::any(scalars.iter().map(|scalar| scalar.compare(value))),
            Self::Not(test) => test.matches(Some(value)).negated(),
            Self::Glob(globs) => value.as_str().map_or(Match::Failed, |text| {
                Match::of(globs.iter().any(|glob| glob.matches(text)))
            }),
            Self::Prefix(prefixes) => value.as_str().map_or(Match::Failed, |text| {
                Match::of(prefixes.iter().any(|prefix| text.starts_with(prefix)))
            }),
            Self::ContainsAny(scalars) => {
                Match::any(scalars.iter().map(|scalar| contains(value, scalar)))
            }
            Self::ContainsAll(scalars) => {
                Match::all(scalars.iter().map(|scalar| contains(value, scalar)))
            }
            // What is no list holds nothing: a capability written as text must not pass for a list of them.
            Self::MissingAny(scalars) => Match::of(
                scalars
                    .iter()
                    .any(|scalar| !value.is_array() || contains(value, scalar) != Match::Yes),
            ),
            Self::Compare(comparison, wanted) => value.as_f64().map_or(Match::Failed, |found| {
                Match::of(match comparison {
                    Comparison::Greater => found > *wanted,
                    Comparison::GreaterOrEqual => found >= *wanted,
                    Comparison::Less => found < *wanted,
                    Comparison::LessOrEqual => found <= *wanted,
                })
            }),
        }
    }
}

/// Whether a list holds the item, or a text the part.
fn contains(value: &Value, scalar: &Scalar) -> Match {
    match (value, scalar) {
        (Value::Array(items), _) => Match::of(items.iter().any(|item| scalar.equals(item))),
        (Value::String(text), Scalar::Text(part)) => Match::of(text.contains(part.as_str())),
        _ => Match::Failed,
    }
}
