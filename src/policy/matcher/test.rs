//! What is asked of one value: a bare text, pattern, number or boolean, a list of them, or operators.

use serde_json::Value;

use super::Match;
use super::key::Texts;
use super::operator::{Comparison, Operator};
use super::value::Scalar;
use crate::policy::facts::Facts;
use crate::policy::glob::Glob;

/// What is asked of the value at a path.
#[derive(Debug, Clone)]
pub(in crate::policy) enum Test {
    /// A bare value: a text, pattern, number or boolean.
    Is(Pattern),
    /// A bare list: any of them.
    AnyOf(Box<[Pattern]>),
    /// A mapping of operators: all of them.
    Operators(Box<[Operator]>),
}

#[derive(Debug, Clone)]
pub(in crate::policy) enum Pattern {
    Exactly(Scalar),
    Glob(Glob),
}

impl Test {
    /// `value` is what stands at the path, if anything does.
    pub(super) fn matches(&self, value: Option<&Value>, facts: &Facts<'_>) -> Match {
        match (self, value) {
            (Self::Operators(operators), _) => Match::all(
                operators
                    .iter()
                    .map(|operator| operator.matches(value, facts)),
            ),
            (_, None) => Match::No,
            (Self::Is(pattern), Some(value)) => pattern.matches(value),
            (Self::AnyOf(patterns), Some(value)) => {
                Match::any(patterns.iter().map(|pattern| pattern.matches(value)))
            }
        }
    }

    /// As [`Self::matches`], of a text; none where that takes more than the text.
    pub(super) fn matches_text(&self, text: &str) -> Option<Match> {
        match self {
            Self::Is(pattern) => Some(pattern.matches_text(text)),
            Self::AnyOf(patterns) => Some(Match::any(
                patterns.iter().map(|pattern| pattern.matches_text(text)),
            )),
            Self::Operators(operators) => match &**operators {
                [operator] => operator.matches_text(text),
                _ => None,
            },
        }
    }

    /// The texts that it admits, where it lists texts and nothing else: against a number every text fails.
    pub(super) fn texts(&self) -> Option<Texts<'_>> {
        let patterns = match self {
            Self::Is(pattern) => std::slice::from_ref(pattern),
            Self::AnyOf(patterns) => patterns,
            Self::Operators(operators) => {
                return operators.iter().find_map(|operator| match operator {
                    Operator::In(scalars) => scalars.iter().map(Scalar::text).collect(),
                    _ => None,
                });
            }
        };
        let texts = patterns.iter().map(|pattern| match pattern {
            Pattern::Exactly(scalar) => scalar.text(),
            Pattern::Glob(_) => None,
        });
        texts.collect()
    }

    /// Whether two of its operators exclude each other: `exists: false` and one that wants a value, or an empty interval.
    pub(super) fn never_matches(&self) -> bool {
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
            (_, Value::String(text)) => self.matches_text(text),
            (Self::Exactly(scalar), _) => scalar.compare(value),
            (Self::Glob(_), _) => Match::Failed,
        }
    }

    fn matches_text(&self, text: &str) -> Match {
        match self {
            Self::Exactly(scalar) => scalar.compare_text(text),
            Self::Glob(glob) => Match::of(glob.matches(text)),
        }
    }
}
