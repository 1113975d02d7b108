//! The operators that a condition is made of.

use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hours::{Days, Hours};
use super::network::Networks;
use super::reference::Reference;
use super::test::Test;
use super::value::{Scalar, contains};
use super::version::Requirement;
use super::{Match, operand};
use crate::policy::facts::Facts;
use crate::policy::glob::Glob;

/// One operator with its operand, ready to be held against values.
#[derive(Debug, Clone)]
pub(in crate::policy) enum Operator {
    In(Box<[Scalar]>),
    Glob(Box<[Glob]>),
    Regex(Box<[Regex]>),
    Prefix(Box<[Arc<str>]>),
    Suffix(Box<[Arc<str>]>),
    Not(Box<Test>),
    Exists(bool),
    ContainsAny(Box<[Scalar]>),
    ContainsAll(Box<[Scalar]>),
    MissingAny(Box<[Scalar]>),
    Compare(Comparison, f64),
    Cidr(Networks),
    Semver(Box<[Requirement]>),
    TimeOfDay(Box<[Hours]>),
    Weekday(Box<Days>),
    Ref(Reference),
}

/// The order that is asked for between two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::policy) enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    pub(super) fn holds(self, found: f64, wanted: f64) -> Match {
        Match::of(match self {
            Self::Greater => found > wanted,
            Self::GreaterOrEqual => found >= wanted,
            Self::Less => found < wanted,
            Self::LessOrEqual => found <= wanted,
        })
    }
}

impl Operator {
    /// `value` is what stands at the condition's path, if anything does.
    pub(super) fn matches(&self, value: Option<&Value>, facts: &Facts<'_>) -> Match {
        let Some(value) = value else {
            return Match::of(matches!(self, Self::Exists(false) | Self::MissingAny(_)));
        };
        match self {
            Self::Exists(wanted) => Match::of(*wanted),
            Self::In(scalars) => Match::any(scalars.iter().map(|scalar| scalar.compare(value))),
            Self::Not(test) => test.matches(Some(value), facts).negated(),
            Self::Glob(globs) => of_text(value, globs, |glob, text| glob.matches(text)),
            Self::Regex(patterns) => of_text(value, patterns, Regex::is_match),
            Self::Prefix(parts) => of_text(value, parts, |part, text| text.starts_with(&**part)),
            Self::Suffix(parts) => of_text(value, parts, |part, text| text.ends_with(&**part)),
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
            Self::Compare(comparison, wanted) => value
                .as_f64()
                .map_or(Match::Failed, |found| comparison.holds(found, *wanted)),
            Self::Cidr(networks) => value
                .as_str()
                .map_or(Match::Failed, |text| networks.hold(text)),
            Self::Semver(requirements) => {
                operand::version(value).map_or(Match::Failed, |version| {
                    let answers = requirements.iter().map(|wanted| wanted.admits(&version));
                    Match::any(answers)
                })
            }
            Self::TimeOfDay(windows) => operand::moment(value).map_or(Match::Failed, |moment| {
                Match::of(windows.iter().any(|window| window.hold(moment)))
            }),
            Self::Weekday(days) => {
                operand::moment(value).map_or(Match::Failed, |moment| Match::of(days.hold(moment)))
            }
            Self::Ref(reference) => reference.matches(value, facts),
        }
    }
}

impl Operator {
    /// As [`Self::matches`], of a text; none where that takes more than the text.
    pub(super) fn matches_text(&self, text: &str) -> Option<Match> {
        Some(match self {
            Self::In(scalars) => Match::any(scalars.iter().map(|scalar| scalar.compare_text(text))),
            Self::Glob(globs) => Match::of(globs.iter().any(|glob| glob.matches(text))),
            Self::Prefix(parts) => Match::of(parts.iter().any(|part| text.starts_with(&**part))),
            Self::Suffix(parts) => Match::of(parts.iter().any(|part| text.ends_with(&**part))),
            _ => return None,
        })
    }
}

/// Whether one of the operands fits a text; a value that is no text fails.
fn of_text<T>(value: &Value, operands: &[T], fits: impl Fn(&T, &str) -> bool) -> Match {
    value.as_str().map_or(Match::Failed, |text| {
        Match::of(operands.iter().any(|operand| fits(operand, text)))
    })
}
