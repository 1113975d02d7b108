//! Changes in words. What policies say stands in backticks, as one line, so that it is inert in a terminal and in Markdown.

use serde_json::Value;

use crate::cli::ui::{escape, printable_json};
use crate::name::Scope;
use crate::resolve::Source;
use crate::resolve::diff::{Change, Kind, OverrideChange, OverrideState, Part, Subject};

/// The most names that one line lists.
const LISTED: usize = 12;

/// Changes that say the same of several operations, together.
pub(super) fn grouped(changes: Vec<&Change>) -> Vec<Vec<&Change>> {
    let is_operation = |change: &Change| matches!(change.subject, Subject::Operation(_));
    let is_alike = |left: &Change, right: &Change| {
        is_operation(left)
            && is_operation(right)
            && (&left.scope, left.kind, &left.parts) == (&right.scope, right.kind, &right.parts)
            && left.reaches == right.reaches
    };
    let mut groups: Vec<Vec<&Change>> = Vec::new();
    for change in changes {
        let known = groups
            .iter_mut()
            .find(|group| group.first().is_some_and(|first| is_alike(first, change)));
        match known {
            Some(group) => group.push(change),
            None => groups.push(vec![change]),
        }
    }
    groups
}

/// What some changes that say the same are about, and what happens to it.
pub(super) fn headline(group: &[&Change]) -> String {
    let Some(change) = group.first() else {
        return String::new();
    };
    let kind = match change.kind {
        Kind::Added => "added",
        Kind::Removed => "removed",
        Kind::Changed => "changed",
    };
    match &change.subject {
        Subject::Scope(scope) => format!("the scope `{scope}` {kind}"),
        Subject::Pack(pack) => match change.kind {
            Kind::Removed => format!("`{}` no longer extends the pack `{pack}`", change.scope),
            Kind::Added | Kind::Changed => format!("`{}` extends the pack `{pack}`", change.scope),
        },
        Subject::Catalog(scope) => format!("the catalogue of `{scope}` {kind}"),
        Subject::Rule(rule) if !change.overrides.is_empty() => {
            format!(
                "the rule `{rule}` overridden otherwise by `{}`",
                change.scope
            )
        }
        Subject::Rule(rule) => format!("the rule `{rule}` {kind}"),
        Subject::Operation(_) => {
            let names: Vec<&str> = group
                .iter()
                .filter_map(|change| match &change.subject {
                    Subject::Operation(name) => Some(name.as_str()),
                    _ => None,
                })
                .collect();
            let plural = if names.len() == 1 { "" } else { "s" };
            format!(
                "the operation{plural} {} of `{}` {kind}",
                listed(names.into_iter()),
                change.scope
            )
        }
    }
}

/// What a change is, on the same line as what it is about.
pub(super) fn summary(change: &Change) -> String {
    let overrides = change.overrides.iter().map(override_words);
    let parts = change.parts.iter().filter(|part| !is_side_matter(part));
    let words: Vec<String> = parts.map(words).chain(overrides).take(4).collect();
    if words.is_empty() {
        return String::new();
    }
    format!(": {}", words.join("; "))
}

fn is_side_matter(part: &Part) -> bool {
    matches!(
        part.what.as_str(),
        "reason" | "reason_code" | "remediation" | "tags" | "description" | "extends"
    )
}

/// Everything that there is to say of a change, one line each.
pub(super) fn details(change: &Change) -> Vec<String> {
    let parts = change.parts.iter().map(words);
    let overrides = change.overrides.iter().map(override_words);
    let mut lines: Vec<String> = parts.chain(overrides).collect();
    let is_own = change.reaches.as_slice() == [change.scope.clone()];
    if !is_own && !change.reaches.is_empty() {
        let reached = listed(change.reaches.iter().map(Scope::as_str));
        lines.push(format!("reaches {reached}"));
    }
    lines.extend(places(change.before.as_ref(), change.after.as_ref()));
    lines
}

fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown: Vec<String> = names.iter().take(LISTED).map(|name| quoted(name)).collect();
    match names.len().saturating_sub(LISTED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn places(before: Option<&Source>, after: Option<&Source>) -> Option<String> {
    let place = |source: &Source| format!("{}:{}", source.file.name, source.line);
    Some(match (before.map(place), after.map(place)) {
        (Some(before), Some(after)) if before == after => format!("at {}", quoted(&after)),
        (Some(before), Some(after)) => format!("at {}, was at {}", quoted(&after), quoted(&before)),
        (None, Some(after)) => format!("at {}", quoted(&after)),
        (Some(before), None) => format!("was at {}", quoted(&before)),
        (None, None) => return None,
    })
}

/// One part in words.
fn words(part: &Part) -> String {
    let what = escape(&part.what);
    let value = |value: &Value| match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => quoted(text),
        // How many rules of a pack ask for what.
        Value::Object(counts) if part.what == "rules" => {
            let counts = counts
                .iter()
                .map(|(effect, count)| format!("{count} {}", quoted(effect)));
            let counts: Vec<String> = counts.collect();
            if counts.is_empty() {
                "none".to_owned()
            } else {
                counts.join(", ")
            }
        }
        other => quoted(&printable_json(other.to_string())),
    };
    match (&part.before, &part.after) {
        (Some(before), Some(after)) => format!("{what} {} → {}", value(before), value(after)),
        (None, Some(after)) => format!("{what} {}", value(after)),
        (Some(before), None) => format!("{what} was {}", value(before)),
        (None, None) => what,
    }
}

/// What happens to an override, in words.
fn override_words(change: &OverrideChange) -> String {
    let noun = |state: &OverrideState| if state.loosens { "waiver" } else { "override" };
    let by = &change.by;
    match (&change.before, &change.after) {
        (None, Some(after)) if after.lapsed => {
            format!("lapsed override by `{by}` added: {}", state(after))
        }
        (None, Some(after)) => format!("{} by `{by}` added: {}", noun(after), state(after)),
        (Some(before), None) if before.lapsed => {
            format!("lapsed override by `{by}` removed: {}", state(before))
        }
        (Some(before), None) => format!("{} by `{by}` removed: {}", noun(before), state(before)),
        (Some(before), Some(after)) if before.lapsed && !after.lapsed => {
            format!("lapsed {} by `{by}` renewed: {}", noun(after), state(after))
        }
        (Some(before), Some(after)) => {
            format!("{} by `{by}`: {}", noun(after), differing(before, after))
        }
        (None, None) => String::new(),
    }
}

/// What an override says.
fn state(state: &OverrideState) -> String {
    let fields = fields(state).into_iter();
    let fields = fields.filter_map(|(what, text)| Some(format!("{what} {}", quoted(&text?))));
    let mut words: Vec<String> = fields.collect();
    if state.disable {
        words.insert(0, "disabled".to_owned());
    }
    if state.loosens && state.expires.is_none() {
        words.push("without an end".to_owned());
    }
    words.join(", ")
}

/// What differs of an override.
fn differing(before: &OverrideState, after: &OverrideState) -> String {
    let mut words = Vec::new();
    let flags = [
        (before.lapsed, after.lapsed, "lapsed"),
        (before.disable, after.disable, "disables the rule"),
        (before.loosens, after.loosens, "loosens"),
    ];
    for (was, is, word) in flags {
        match (was, is) {
            (false, true) => words.push(format!("now {word}")),
            (true, false) => words.push(format!("no longer {word}")),
            _ => {}
        }
    }
    for ((what, was), (_, is)) in fields(before).into_iter().zip(fields(after)) {
        let shown = |text: Option<&String>| text.map_or("none".to_owned(), |text| quoted(text));
        if was != is {
            words.push(format!(
                "{what} {} → {}",
                shown(was.as_ref()),
                shown(is.as_ref())
            ));
        }
    }
    words.join(", ")
}

fn fields(state: &OverrideState) -> [(&'static str, Option<String>); 7] {
    [
        (
            "effect",
            state.effect.map(|effect| effect.as_str().to_owned()),
        ),
        ("mode", state.mode.map(|mode| mode.as_str().to_owned())),
        (
            "precedence",
            state.precedence.map(|number| number.to_string()),
        ),
        ("until", state.expires.map(|expires| expires.to_string())),
        ("owner", state.owner.clone()),
        ("ticket", state.ticket.clone()),
        ("reason", state.reason.clone()),
    ]
}

/// A text as one line between backticks, of which there are more than in any run of them within.
fn quoted(text: &str) -> String {
    let line: Vec<&str> = text.split_whitespace().collect();
    let line = escape(&line.join(" "));
    let longest = line.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    if longest == 0 {
        return format!("`{line}`");
    }
    let fence = "`".repeat(longest + 1);
    format!("{fence} {line} {fence}")
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn what_is_quoted_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\n  b"), "`a b`");
        assert_eq!(quoted("a`<b>``c"), "``` a`<b>``c ```");
        assert_eq!(quoted("\u{1b}[2J"), "`\\u{1b}[2J`");
    }
}
