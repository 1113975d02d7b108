//! Which requests a change of policy answers otherwise: for people, and for programs.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde_json::json;

use super::FORMAT_VERSION;
use super::policy_diff::Sides;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, printable_json};
use crate::engine::impact::{Answer, Flip, Tally};
use crate::name::Scope;

/// The most scopes that are named of those that cannot be asked.
const MAX_SCOPES: usize = 100;

/// A format for the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// What could not be asked.
#[derive(Debug, Default)]
pub(crate) struct Skipped {
    /// Whether a log was read, which nobody verified here.
    pub(crate) has_log: bool,
    /// Lines of the log that are no records.
    pub(crate) unreadable_lines: u64,
    /// Records of requests that could not be read.
    pub(crate) without_request: u64,
    /// Requests of scopes for which one of the sides has no policy.
    pub(crate) unanswered: u64,
    scopes: BTreeSet<Scope>,
}

impl Skipped {
    /// Notes a request of a scope for which one of the sides has no policy.
    pub(crate) fn without_policy(&mut self, scope: &Scope) {
        self.unanswered += 1;
        if self.scopes.len() < MAX_SCOPES {
            self.scopes.insert(scope.clone());
        }
    }
}

/// Writes the report.
pub(crate) fn write(
    out: &mut Output,
    format: Format,
    tally: &Tally,
    skipped: &Skipped,
    sides: &Sides,
) -> Result<(), Failure> {
    match format {
        Format::Text => text(out, tally, skipped, sides),
        Format::Json => {
            let [before, after] = &sides.json;
            let transitions: Vec<_> = tally
                .transitions()
                .into_iter()
                .map(|(transition, requests, times)| {
                    json!({"transition": transition, "requests": requests, "times": times})
                })
                .collect();
            let document = json!({
                "format_version": FORMAT_VERSION,
                "before": before,
                "after": after,
                "counts": tally.counts(),
                "transitions": transitions,
                "flips": tally.flips(),
                "open": tally.open(),
                "skipped": {
                    "unreadable_lines": skipped.unreadable_lines,
                    "without_request": skipped.without_request,
                    "without_policy": skipped.unanswered,
                    "scopes": skipped.scopes,
                },
            });
            let text = serde_json::to_string_pretty(&document).unwrap_or_default();
            out.line(&printable_json(text))
        }
    }
}

fn text(out: &mut Output, tally: &Tally, skipped: &Skipped, sides: &Sides) -> Result<(), Failure> {
    let [before, after] = &sides.told;
    out.line(&format!("A  {before}\nB  {after}\n"))?;
    let counts = tally.counts();
    out.line(&format!(
        "{}, {} distinct: {} flipped, {} open, {} the same",
        plural(counts.asked),
        counts.distinct,
        counts.flipped,
        counts.open,
        counts.same
    ))?;
    if counts.unmerged > 0 {
        out.line(&format!(
            "the last {} are counted as distinct: there are more than are told apart",
            counts.unmerged
        ))?;
    }
    let transitions = tally.transitions();
    if !transitions.is_empty() {
        out.line("\nfrom what to what, the worst first")?;
    }
    for (found, requests, times) in transitions {
        let by = |rule: Option<&crate::name::RuleRef>| {
            rule.map_or_else(|| "no rule".to_owned(), ToString::to_string)
        };
        out.line(&format!(
            "  {} → {}  {requests} distinct, {times} in all  ({} → {})",
            found.before.as_str(),
            found.after.as_str(),
            by(found.rule_before.as_ref()),
            by(found.rule_after.as_ref())
        ))?;
    }
    let flips = tally.flips();
    list(out, "flips, the worst first", &flips, counts.flipped)?;
    let open = tally.open();
    list(
        out,
        "open: what is on record of these does not tell, since it holds names and no properties",
        &open,
        counts.open,
    )?;
    notes(out, skipped)
}

fn plural(requests: u64) -> String {
    let ending = if requests == 1 { "" } else { "s" };
    format!("{requests} request{ending}")
}

fn list(out: &mut Output, title: &str, flips: &[Flip], all: u64) -> Result<(), Failure> {
    if flips.is_empty() {
        return Ok(());
    }
    out.line(&format!("\n{title}"))?;
    for flip in flips {
        let asked = &flip.asked;
        let times = match flip.times {
            1 => String::new(),
            times => format!("  ×{times}"),
        };
        out.line(&format!(
            "  {}  {} {} on {}{times}  ({}, at {})",
            effects(flip),
            escape(&asked.subject),
            escape(&asked.action),
            escape(&asked.resource),
            asked.scope,
            escape(&asked.place)
        ))?;
        for (side, answer) in [("before", &flip.before), ("after", &flip.after)] {
            if let Some(answer) = answer {
                out.line(&format!("      {side:6}  {}", told(answer)))?;
            }
        }
    }
    let shown = flips.len() as u64;
    if all > shown {
        out.line(&format!("  and {} more; `--limit` shows more", all - shown))?;
    }
    Ok(())
}

fn effects(flip: &Flip) -> String {
    match (&flip.before, &flip.after) {
        (Some(before), Some(after)) => {
            format!("{} → {}", before.effect.as_str(), after.effect.as_str())
        }
        _ if flip.possible.is_empty() => "too many open conditions to tell".to_owned(),
        _ => {
            let possible = flip.possible.iter().map(|(before, after)| {
                if before == after {
                    before.as_str().to_owned()
                } else {
                    format!("{} → {}", before.as_str(), after.as_str())
                }
            });
            possible.collect::<Vec<_>>().join(" or ")
        }
    }
}

fn told(answer: &Answer) -> String {
    let rule = answer.rule.as_ref().map(ToString::to_string);
    format!(
        "{}  {}  {} [{}]",
        answer.effect.as_str(),
        rule.as_deref().unwrap_or("no rule"),
        escape(&answer.reason),
        escape(&answer.reason_code)
    )
}

fn notes(out: &mut Output, skipped: &Skipped) -> Result<(), Failure> {
    let mut notes = Vec::new();
    if skipped.unreadable_lines > 0 {
        let count = skipped.unreadable_lines;
        notes.push(format!(
            "lines of the log that are no records, passed over: {count}"
        ));
    }
    if skipped.without_request > 0 {
        let count = skipped.without_request;
        notes.push(format!(
            "records without a request, since it could not be read then: {count}"
        ));
    }
    if skipped.unanswered > 0 {
        let scopes: Vec<&str> = skipped.scopes.iter().map(Scope::as_str).take(12).collect();
        notes.push(format!(
            "requests of scopes for which one of the sides has no policy: {} ({})",
            skipped.unanswered,
            scopes.join(", ")
        ));
    }
    if skipped.has_log {
        notes.push(
            "the log was read as it is; `ordain log verify` says whether it is whole".to_owned(),
        );
    }
    if !notes.is_empty() {
        out.line("")?;
    }
    for note in notes {
        out.line(&format!("note: {note}"))?;
    }
    Ok(())
}
