//! Conditions between two values of one request.
//!
//! Both sides are what the request says, so nothing is taken for more than it is: a text is never searched for parts, and a
//! value of another type than the operator compares fails. Where the other value is absent, nothing matches.

use serde_json::Value;

use super::Match;
use super::operator::Comparison;
use super::value::is_plain;
use crate::policy::facts::Facts;

/// What the value must be to the one at another path.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Reference {
    pub(in crate::policy) relation: Relation,
    /// The other path.
    pub(in crate::policy) path: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(in crate::policy) enum Relation {
    /// The same text, number or boolean.
    Same,
    /// An item of the other, a list.
    In,
    /// A list that holds the other.
    Contains,
    /// A list that holds an item of the other, a list.
    ContainsAny,
    /// A list that holds every item of the other, a list.
    ContainsAll,
    /// A number in this order to the other.
    Compare(Comparison),
}

impl Reference {
    pub(super) fn matches(&self, value: &Value, facts: &Facts<'_>) -> Match {
        let other = match facts.at(&self.path) {
            Ok(Some(other)) => other,
            Ok(None) => return Match::No,
            Err(_) => return Match::Failed,
        };
        match self.relation {
            Relation::Same => same(value, other),
            Relation::In => holds(other, value),
            Relation::Contains => holds(value, other),
            Relation::ContainsAny => items(other).map_or(Match::Failed, |wanted| {
                whole(
                    value,
                    Match::any(wanted.iter().map(|item| holds(value, item))),
                )
            }),
            Relation::ContainsAll => items(other).map_or(Match::Failed, |wanted| {
                whole(
                    value,
                    Match::all(wanted.iter().map(|item| holds(value, item))),
                )
            }),
            Relation::Compare(comparison) => match (value.as_f64(), other.as_f64()) {
                (Some(value), Some(other)) => comparison.holds(value, other),
                _ => Match::Failed,
            },
        }
    }
}

fn items(value: &Value) -> Option<&[Value]> {
    value.as_array().map(Vec::as_slice)
}

/// An answer about the items of `list`, also where there was nothing to ask.
fn whole(list: &Value, answer: Match) -> Match {
    if list.is_array() {
        answer
    } else {
        Match::Failed
    }
}

/// Whether two texts, numbers or booleans are the same.
fn same(left: &Value, right: &Value) -> Match {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Match::of(left == right),
        (Value::Bool(left), Value::Bool(right)) => Match::of(left == right),
        // Requests hold no number that a double would round.
        (Value::Number(left), Value::Number(right)) => Match::of(left.as_f64() == right.as_f64()),
        _ => Match::Failed,
    }
}

/// Whether a list holds a text, number or boolean. A list that does not, but holds what may hide it, fails.
fn holds(list: &Value, item: &Value) -> Match {
    let Some(items) = items(list).filter(|_| is_plain(item)) else {
        return Match::Failed;
    };
    if items.iter().any(|found| same(found, item) == Match::Yes) {
        Match::Yes
    } else if items.iter().all(is_plain) {
        Match::No
    } else {
        Match::Failed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(relation: Relation, answers: &[(Value, Value, Match)]) {
        let path = vec!["context".to_owned(), "other".to_owned()];
        let reference = Reference { relation, path };
        for (value, other, wanted) in answers {
            let request = json!({"context": {"other": other}});
            let facts = Facts::new(&request, "2026-11-01T00:00:00Z".parse().unwrap());
            let found = reference.matches(value, &facts);
            assert_eq!(found, *wanted, "{relation:?} {value} {other}");
        }
    }

    #[test]
    fn values_are_the_same_or_fail() {
        check(
            Relation::Same,
            &[
                (json!("a"), json!("a"), Match::Yes),
                (json!("a"), json!("A"), Match::No),
                (json!(2), json!(2.0), Match::Yes),
                (json!(true), json!(false), Match::No),
                (json!("1"), json!(1), Match::Failed),
                (json!(["a"]), json!(["a"]), Match::Failed),
                (json!({}), json!({}), Match::Failed),
                (json!("a"), json!(["a"]), Match::Failed),
                (json!("a"), json!(null), Match::No),
            ],
        );
    }

    #[test]
    fn lists_hold_values() {
        check(
            Relation::In,
            &[
                (json!("a"), json!(["b", "a"]), Match::Yes),
                (json!("a"), json!(["b", 1, null]), Match::Failed),
                (json!("a"), json!(["b", 1]), Match::No),
                (json!("a"), json!([["a"]]), Match::Failed),
                (json!("a"), json!("a"), Match::Failed),
                (json!(["a"]), json!([["a"]]), Match::Failed),
                (json!("a"), json!([]), Match::No),
            ],
        );
        check(
            Relation::Contains,
            &[
                (json!(["b", "a"]), json!("a"), Match::Yes),
                (json!(["b"]), json!("a"), Match::No),
                // An asker could choose the empty text, which is a part of every other.
                (json!("team-a"), json!(""), Match::Failed),
                (json!([["a"]]), json!("a"), Match::Failed),
            ],
        );
    }

    #[test]
    fn lists_meet_lists() {
        check(
            Relation::ContainsAny,
            &[
                (json!(["a", "b"]), json!(["b", "c"]), Match::Yes),
                (json!(["a"]), json!(["b"]), Match::No),
                (json!(["a"]), json!([]), Match::No),
                (json!(["a"]), json!("a"), Match::Failed),
                (json!("a"), json!([]), Match::Failed),
                (json!(["a"]), json!([["a"]]), Match::Failed),
            ],
        );
        check(
            Relation::ContainsAll,
            &[
                (json!(["a", "b"]), json!(["b", "a", "a"]), Match::Yes),
                (json!(["a"]), json!(["a", "b"]), Match::No),
                (json!(["a"]), json!([]), Match::Yes),
                (json!("a"), json!([]), Match::Failed),
                (json!(["a"]), json!(["a", null]), Match::Failed),
            ],
        );
    }

    #[test]
    fn numbers_are_in_order() {
        check(
            Relation::Compare(Comparison::LessOrEqual),
            &[
                (json!(2), json!(2), Match::Yes),
                (json!(3), json!(2.5), Match::No),
                (json!("1"), json!(2), Match::Failed),
                (json!(1), json!("2"), Match::Failed),
                (json!(1), json!(null), Match::No),
            ],
        );
    }
}
