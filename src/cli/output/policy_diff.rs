//! What changes between two states of policy: for people, for programs, and for a comment on a change that is reviewed.

mod words;

use clap::ValueEnum;
use serde_json::{Value, json};

use self::words::{details, grouped, headline, summary};
use super::FORMAT_VERSION;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, counted, printable_json};
use crate::name::Scope;
use crate::resolve::diff::{Direction, PolicyDiff};

/// A format for changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// For a comment on a pull request.
    Markdown,
}

/// The two states, as they are introduced.
#[derive(Debug)]
pub(crate) struct Sides {
    /// For people.
    pub(crate) told: [String; 2],
    /// For programs.
    pub(crate) json: [Value; 2],
}

/// Writes what changes from the first of `sides` to the second.
pub(crate) fn write(
    out: &mut Output,
    format: Format,
    found: &PolicyDiff,
    sides: &Sides,
) -> Result<(), Failure> {
    match format {
        Format::Text => text(out, found, sides),
        Format::Markdown => markdown(out, found, sides),
        Format::Json => {
            let [before, after] = &sides.json;
            let count = |direction| of(found, direction);
            let document = json!({
                "format_version": FORMAT_VERSION,
                "before": before,
                "after": after,
                "scopes": found.scopes,
                "counts": {
                    "changes": found.changes.len(),
                    "loosens": count(Direction::Loosens),
                    "may_loosen": count(Direction::MayLoosen),
                    "tightens": count(Direction::Tightens),
                    "neutral": count(Direction::Neutral),
                },
                "changes": found.changes,
                "unresolved": found.unresolved,
            });
            let text = serde_json::to_string_pretty(&document).unwrap_or_default();
            out.line(&printable_json(text))
        }
    }
}

fn of(found: &PolicyDiff, direction: Direction) -> usize {
    let changes = found.changes.iter();
    changes
        .filter(|change| change.direction == direction)
        .count()
}

/// How many changes there are, and of which kind.
fn counts(found: &PolicyDiff) -> String {
    if found.changes.is_empty() {
        return format!("nothing changes in {}", counted(found.scopes, "scope"));
    }
    let kinds = [
        (Direction::Loosens, "loosens", "loosen"),
        (Direction::MayLoosen, "may loosen", "may loosen"),
        (Direction::Tightens, "tightens", "tighten"),
        (Direction::Neutral, "decides nothing", "decide nothing"),
    ];
    let kinds = kinds.map(|(direction, one, many)| match of(found, direction) {
        0 => None,
        1 => Some(format!("1 {one}")),
        count => Some(format!("{count} {many}")),
    });
    let kinds: Vec<String> = kinds.into_iter().flatten().collect();
    let changes = counted(found.changes.len(), "change");
    let scopes = counted(found.scopes, "scope");
    format!("{changes} in {scopes}: {}", kinds.join(", "))
}

/// What a change is marked with.
fn mark(direction: Direction) -> &'static str {
    match direction {
        Direction::Loosens => "LOOSENS",
        Direction::MayLoosen => "may loosen",
        Direction::Tightens => "tightens",
        Direction::Neutral => "",
    }
}

fn text(out: &mut Output, found: &PolicyDiff, sides: &Sides) -> Result<(), Failure> {
    let [before, after] = &sides.told;
    out.line(&format!("A  {before}\nB  {after}\n\n{}", counts(found)))?;
    let worst = found.worst(Direction::MayLoosen);
    if !worst.is_empty() {
        out.line("\nwhat may ask for less")?;
        for group in grouped(worst) {
            let Some(change) = group.first() else {
                continue;
            };
            let (mark, about) = (mark(change.direction), headline(&group));
            out.line(&format!("  {mark:10}  {about}{}", summary(change)))?;
        }
    }
    let mut under: Option<&Scope> = None;
    for group in grouped(found.changes.iter().collect()) {
        let Some(change) = group.first() else {
            continue;
        };
        if under != Some(&change.scope) {
            out.line(&format!("\n{}", change.scope))?;
            under = Some(&change.scope);
        }
        out.line(&format!(
            "  {:10}  {}",
            mark(change.direction),
            headline(&group)
        ))?;
        for detail in details(change) {
            out.line(&format!("                {detail}"))?;
        }
    }
    for scope in &found.unresolved {
        out.line(&format!(
            "\nnot compared: `{scope}`, whose root nobody defines, where no other scope extends it"
        ))?;
    }
    Ok(())
}

fn markdown(out: &mut Output, found: &PolicyDiff, sides: &Sides) -> Result<(), Failure> {
    let [before, after] = &sides.told;
    out.line(&format!("### Policy: {}\n", counts(found)))?;
    out.line(&format!("- A: {before}\n- B: {after}"))?;
    let worst = found.worst(Direction::MayLoosen);
    if !worst.is_empty() {
        out.line("\n#### What may ask for less\n")?;
        for group in grouped(worst) {
            let Some(change) = group.first() else {
                continue;
            };
            let (mark, about) = (mark(change.direction), headline(&group));
            out.line(&format!("- **{mark}** {about}{}", summary(change)))?;
        }
    }
    let mut under: Option<&Scope> = None;
    for group in grouped(found.changes.iter().collect()) {
        let Some(change) = group.first() else {
            continue;
        };
        if under != Some(&change.scope) {
            out.line(&format!("\n#### `{}`\n", change.scope))?;
            under = Some(&change.scope);
        }
        let mark = match mark(change.direction) {
            "" => String::new(),
            mark => format!("**{mark}** "),
        };
        out.line(&format!("- {mark}{}", headline(&group)))?;
        for detail in details(change) {
            out.line(&format!("  - {detail}"))?;
        }
    }
    for scope in &found.unresolved {
        out.line(&format!(
            "\nNot compared: `{scope}`, whose root nobody defines, where no other scope extends it."
        ))?;
    }
    Ok(())
}
