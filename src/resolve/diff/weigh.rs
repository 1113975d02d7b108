//! Whether a part that changes asks for less.
//!
//! What the evaluation gives is the base. A rule that matches more requests, or is looked at earlier, or binds where it did not, *counts
//! more*: of a `deny` nothing is stricter, so it tightens; an `allow` speaks where a stricter rule of its layer, its default or
//! `NO_MATCH` spoke, so it loosens; a `require_approval` does either. A rule that counts less is the reverse, but for `audit`,
//! whose mark is lost.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Direction;
use crate::policy::{Effect, Mode, OverridePermission, WaiverTerms, Window};

/// How the requests change that a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shift {
    /// It counts for more requests.
    More,
    /// It counts for fewer.
    Less,
    /// Nobody can tell.
    Either,
}

/// What of its surroundings decides how a rule that asks for an approval weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Around {
    /// Whatever it speaks of is answered without it too, and never by a `deny` of its own layer.
    Open,
    /// It may lift a `deny`: of a rule of its layer, of its default, or of `NO_MATCH`.
    Closed,
}

/// How a rule of this effect weighs that counts for other requests than before.
pub(super) fn shift(shift: Shift, effect: Effect, around: Around) -> Direction {
    match (shift, effect) {
        (Shift::Either, _) | (_, Effect::Audit) => Direction::MayLoosen,
        (Shift::More, Effect::Deny) | (Shift::Less, Effect::Allow) => Direction::Tightens,
        (Shift::More, Effect::RequireApproval) if around == Around::Open => Direction::Tightens,
        (Shift::More, Effect::RequireApproval) => Direction::MayLoosen,
        (Shift::More, Effect::Allow) | (Shift::Less, Effect::RequireApproval | Effect::Deny) => {
            Direction::Loosens
        }
    }
}

/// A rule that is looked at earlier silences others, and one that is looked at later may be silenced; or neither.
pub(super) fn precedence(before: i32, after: i32, effect: Effect, around: Around) -> Direction {
    let moved = if after > before {
        shift(Shift::More, effect, around)
    } else {
        shift(Shift::Less, effect, around)
    };
    moved.min(Direction::MayLoosen)
}

/// What a rule asks for, from the weakest to the strictest: a mark is lost or won as well.
pub(super) fn effect(before: Effect, after: Effect) -> Direction {
    if after > before {
        Direction::Tightens
    } else {
        Direction::Loosens
    }
}

/// What a scope says where no rule of it matches.
pub(super) fn default(before: Option<Effect>, after: Option<Effect>) -> Direction {
    match (before, after) {
        (Some(before), Some(after)) => effect(before, after),
        (None, Some(Effect::Deny)) | (Some(Effect::Allow), None) => Direction::Tightens,
        // Where everybody was silent, nothing was permitted.
        (None, Some(Effect::Allow | Effect::Audit)) => Direction::Loosens,
        (Some(Effect::Deny | Effect::RequireApproval), None) => Direction::Loosens,
        (None, Some(Effect::RequireApproval)) | (Some(Effect::Audit), None) => Direction::MayLoosen,
        (None, None) => Direction::Neutral,
    }
}

pub(super) fn min_mode(before: Mode, after: Mode) -> Direction {
    if after > before {
        Direction::Tightens
    } else {
        Direction::MayLoosen
    }
}

pub(super) fn permission(before: OverridePermission, after: OverridePermission) -> Direction {
    if after > before {
        Direction::MayLoosen
    } else {
        Direction::Tightens
    }
}

pub(super) fn waivers(before: &WaiverTerms, after: &WaiverTerms) -> Direction {
    let is_shorter = match (before.max_duration, after.max_duration) {
        (None, _) => true,
        (Some(before), Some(after)) => after.duration() <= before.duration(),
        (Some(_), None) => false,
    };
    if is_shorter && after.require.is_superset(&before.require) {
        Direction::Tightens
    } else {
        Direction::MayLoosen
    }
}

/// When a rule is in force.
pub(super) fn window(before: Window, after: Window) -> Shift {
    let lies_in = |inner: Window, outer: Window| {
        let begins = outer
            .from
            .is_none_or(|from| inner.from.is_some_and(|inner| inner >= from));
        let ends = outer
            .until
            .is_none_or(|until| inner.until.is_some_and(|inner| inner <= until));
        begins && ends
    };
    if lies_in(before, after) {
        Shift::More
    } else if lies_in(after, before) {
        Shift::Less
    } else {
        Shift::Either
    }
}

/// What one key of a `match` wants: none where the key is not there. Every key must match, so a key more is fewer requests.
pub(super) fn wanted(before: Option<&Value>, after: Option<&Value>) -> Shift {
    let (before, after) = match (before, after) {
        (Some(before), Some(after)) => (before, after),
        (None, _) => return Shift::Less,
        (_, None) => return Shift::More,
    };
    match (items(before), items(after)) {
        (Some(before), Some(after)) if before.is_subset(&after) => Shift::More,
        (Some(before), Some(after)) if after.is_subset(&before) => Shift::Less,
        _ => Shift::Either,
    }
}

/// The values of which one must be found, each as its text; none where operators ask.
fn items(wanted: &Value) -> Option<BTreeSet<String>> {
    match wanted {
        Value::Array(items) => items
            .iter()
            .map(|item| (!item.is_object() && !item.is_array()).then(|| item.to_string()))
            .collect(),
        Value::Object(_) => None,
        plain => Some([plain.to_string()].into()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_key_more_is_fewer_requests_and_a_value_more_is_more() {
        let shift = |before: Value, after: Value| {
            let given = |value: &Value| (!value.is_null()).then(|| value.clone());
            wanted(given(&before).as_ref(), given(&after).as_ref())
        };
        assert_eq!(shift(Value::Null, json!("a")), Shift::Less);
        assert_eq!(shift(json!("a"), Value::Null), Shift::More);
        assert_eq!(shift(json!("a"), json!(["a", "b"])), Shift::More);
        assert_eq!(shift(json!(["a", "b"]), json!("b")), Shift::Less);
        assert_eq!(shift(json!("a"), json!("b")), Shift::Either);
        assert_eq!(shift(json!({"gt": 1}), json!({"gt": 2})), Shift::Either);
        assert_eq!(shift(json!([{"any": 1}]), json!(["a"])), Shift::Either);
    }

    #[test]
    fn windows_are_held_against_each_other() {
        let window_of = |from: Option<&str>, until: Option<&str>| Window {
            from: from.map(|time| time.parse().unwrap()),
            until: until.map(|time| time.parse().unwrap()),
        };
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        let inner = window_of(Some(early), Some(late));
        assert_eq!(window(inner, Window::ALWAYS), Shift::More);
        assert_eq!(window(Window::ALWAYS, inner), Shift::Less);
        assert_eq!(
            window(window_of(Some(early), None), window_of(None, Some(late))),
            Shift::Either
        );
    }

    #[test]
    fn nothing_that_counts_less_tightens_but_a_permission() {
        for (effect, more, less) in [
            (Effect::Deny, Direction::Tightens, Direction::Loosens),
            (
                Effect::RequireApproval,
                Direction::MayLoosen,
                Direction::Loosens,
            ),
            (Effect::Audit, Direction::MayLoosen, Direction::MayLoosen),
            (Effect::Allow, Direction::Loosens, Direction::Tightens),
        ] {
            assert_eq!(shift(Shift::More, effect, Around::Closed), more);
            assert_eq!(shift(Shift::Less, effect, Around::Closed), less);
        }
    }
}
