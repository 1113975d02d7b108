//! Conditions between two values of one request.
//!
//! Both sides are what the request says, so nothing is taken for more than it is: a text is never searched for parts, and a
//! value of another type than the operator compares fails. Where the other value is absent, nothing matches.
//!
//! Whoever asks chooses both lists and how long they are, so two lists take time in proportion to their lengths, not to the
//! product of the two.

use std::collections::BTreeSet;

use serde_json::{Number, Value};

use super::Match;
use super::operator::Comparison;
use super::value::is_plain;
use crate::policy::facts::Facts;
use crate::policy::path::RequestPath;

/// What the value must be to the one at another path.
#[derive(Debug, Clone)]
pub(in crate::policy) struct Reference {
    pub(in crate::policy) relation: Relation,
    /// The other path.
    pub(in crate::policy) path: RequestPath,
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
            Relation::ContainsAny => match (items(value), items(other)) {
                (Some(held), Some(wanted)) => {
                    let held = Held::of(held);
                    Match::any(wanted.iter().map(|item| held.holds(item)))
                }
                _ => Match::Failed,
            },
            Relation::ContainsAll => match (items(value), items(other)) {
                (Some(held), Some(wanted)) => {
                    let held = Held::of(held);
                    Match::all(wanted.iter().map(|item| held.holds(item)))
                }
                _ => Match::Failed,
            },
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

/// What a list holds, ordered, so that [`holds`] need not be asked for every item of another.
#[derive(Default)]
struct Held<'a> {
    texts: BTreeSet<&'a str>,
    booleans: BTreeSet<bool>,
    /// The bits of doubles.
    numbers: BTreeSet<Option<u64>>,
    /// Whether it holds what may hide a value.
    is_veiled: bool,
}

impl<'a> Held<'a> {
    fn of(items: &'a [Value]) -> Self {
        let mut held = Self::default();
        for item in items {
            match item {
                Value::String(text) => drop(held.texts.insert(text)),
                Value::Bool(value) => drop(held.booleans.insert(*value)),
                Value::Number(number) => drop(held.numbers.insert(bits(number))),
                Value::Null | Value::Array(_) | Value::Object(_) => held.is_veiled = true,
            }
        }
        held
    }

    /// As [`holds`] of the list.
    fn holds(&self, item: &Value) -> Match {
        let found = match item {
            Value::String(text) => self.texts.contains(text.as_str()),
            Value::Bool(value) => self.booleans.contains(value),
            Value::Number(number) => self.numbers.contains(&bits(number)),
            Value::Null | Value::Array(_) | Value::Object(_) => return Match::Failed,
        };
        match found {
            true => Match::Yes,
            false if self.is_veiled => Match::Failed,
            false => Match::No,
        }
    }
}

/// The same bits for numbers that are equal: there are two zeros.
fn bits(number: &Number) -> Option<u64> {
    let number = number.as_f64()?;
    Some(if number == 0.0 { 0 } else { number.to_bits() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(relation: Relation, answers: &[(Value, Value, Match)]) {
        let path = vec!["context".to_owned(), "other".to_owned()];
        let reference = Reference {
            relation,
            path: RequestPath::new(path),
        };
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

    fn scalar() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            "[ab1]{0,2}".prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            (-3_i64..3).prop_map(Value::from),
            (-3_i32..3).prop_map(|number| Value::from(f64::from(number) / 2.0)),
            prop::sample::select(vec![
                json!(-0.0),
                json!(0),
                json!(9_007_199_254_740_991_u64),
                json!(9.007_199_254_740_991e15),
            ]),
        ];
        let other = prop::sample::select(vec![json!(null), json!(["a"]), json!({}), json!([])]);
        prop_oneof![12 => plain, 1 => other]
    }

    fn list() -> impl Strategy<Value = Value> {
        let list = prop::collection::vec(scalar(), 0..8).prop_map(Value::from);
        prop_oneof![9 => list, 1 => scalar()]
    }

    proptest! {
        #[test]
        fn two_lists_meet_as_item_by_item(value in list(), other in list()) {
            let each = |whole: fn(std::vec::IntoIter<Match>) -> Match| match (&value, &other) {
                (Value::Array(_), Value::Array(wanted)) => {
                    let answers: Vec<Match> = wanted.iter().map(|item| holds(&value, item)).collect();
                    whole(answers.into_iter())
                }
                _ => Match::Failed,
            };
            if !other.is_null() {
                let answer = each(Match::any);
                check(Relation::ContainsAny, &[(value.clone(), other.clone(), answer)]);
                let answer = each(Match::all);
                check(Relation::ContainsAll, &[(value.clone(), other.clone(), answer)]);
            }
        }
    }

    /// Item by item this would be a thousand million comparisons.
    #[test]
    fn long_lists_meet_in_a_moment() {
        let list = |name: &str| -> Value {
            let names = (0..30_000).map(|number| Value::from(format!("{name}-{number}")));
            names.collect::<Vec<_>>().into()
        };
        let (left, right) = (list("a"), list("b"));
        check(
            Relation::ContainsAny,
            &[
                (left.clone(), right.clone(), Match::No),
                (left.clone(), left.clone(), Match::Yes),
            ],
        );
        check(
            Relation::ContainsAll,
            &[
                (left.clone(), left.clone(), Match::Yes),
                (left, right, Match::No),
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
