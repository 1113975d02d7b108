//! The tables: the first row a time or size as a guide, all others ratios to it.

use std::fmt::Write as _;

use super::{Figures, targets};
use crate::child::{ENTRANTS, Entrant, Role};
use crate::measure::{Measured, Outcome};

pub(super) fn all(figures: &Figures) -> String {
    let mut text = String::new();
    heading(&mut text, "Targets");
    text.push_str(&targets::table(figures));
    heading(&mut text, "Latency of one evaluation");
    text.push_str("![Median latency against the number of rules, both axes logarithmic](performance-peers.svg)\n\n");
    text.push_str("The median on one thread.\n\n");
    multiples(
        &mut text,
        figures,
        |measured| measured.median_ns as f64,
        duration,
    );
    text.push_str("\nThe 99th percentile.\n\n");
    multiples(
        &mut text,
        figures,
        |measured| measured.p99_ns as f64,
        duration,
    );
    heading(&mut text, "Load and compile");
    text.push_str("From the text of the policy to readiness.\n\n");
    multiples(
        &mut text,
        figures,
        |measured| measured.load_ns as f64,
        duration,
    );
    compiling(&mut text, figures);
    heading(&mut text, "Throughput");
    throughput(&mut text, figures);
    heading(&mut text, "Memory");
    text.push_str(
        "What the policy adds to the heap that is in use; for OPA, whose heap is another language's, to the resident set.\n\n",
    );
    multiples(&mut text, figures, memory, bytes);
    text.push_str("\nWhat it adds to the resident set, with all that loading left behind.\n\n");
    multiples(
        &mut text,
        figures,
        |measured| measured.resident as f64,
        bytes,
    );
    heading(&mut text, "What was compared");
    shapes(&mut text, figures);
    text.push('\n');
    notes(&mut text, figures);
    text
}

fn heading(text: &mut String, title: &str) {
    if !text.is_empty() {
        text.push('\n');
    }
    let _ = write!(text, "### {title}\n\n");
}

/// What a system's memory is judged by.
pub(super) fn memory(measured: &Measured) -> f64 {
    measured.heap.unwrap_or(measured.resident) as f64
}

/// One row a system, one column a number of rules: our own figure, and how many times as much each other takes.
fn multiples(
    text: &mut String,
    figures: &Figures,
    figure: impl Fn(&Measured) -> f64,
    shown: impl Fn(f64) -> String,
) {
    head(
        text,
        figures
            .rules
            .iter()
            .map(|rules| format!("{} rules", grouped(*rules as f64))),
    );
    for entrant in present(figures) {
        let _ = write!(text, "| {} |", entrant.title);
        for &rules in &figures.rules {
            let measured = figures.measured(entrant.name, rules).map(&figure);
            let ours = figures.measured("ordain", rules).map(&figure);
            let cell = match (measured, ours) {
                (Some(measured), _) if entrant.role == Role::Ours => shown(measured),
                (Some(measured), Some(ours)) if ours > 0.0 => {
                    format!("× {}", ratio(measured / ours))
                }
                (Some(measured), _) => shown(measured),
                (None, _) => "–".to_owned(),
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
}

/// What part of our own loading is compiling.
fn compiling(text: &mut String, figures: &Figures) {
    let parts = figures.rules.iter().filter_map(|&rules| {
        let measured = figures.measured("ordain", rules)?;
        let part = measured.compile_ns? as f64 / measured.load_ns as f64;
        Some(format!(
            "{} by {} rules",
            ratio(part),
            grouped(rules as f64)
        ))
    });
    let parts: Vec<String> = parts.collect();
    if !parts.is_empty() {
        let _ = writeln!(
            text,
            "\nThe part of our own that is compiling, from the effective policy to readiness: {}.",
            parts.join(", ")
        );
    }
}

fn throughput(text: &mut String, figures: &Figures) {
    text.push_str("Evaluations a second: ours, and what part of ours the others reach; then what the second thread adds to each.\n\n");
    let sizes: Vec<usize> = figures
        .rules
        .iter()
        .copied()
        .filter(|rules| [10, 10_000].contains(rules))
        .collect();
    head(
        text,
        sizes.iter().flat_map(|rules| {
            let rules = grouped(*rules as f64);
            [
                format!("{rules} rules, 1 thread"),
                format!("{rules} rules, 2 threads"),
                "2 / 1".to_owned(),
            ]
        }),
    );
    for entrant in present(figures) {
        let _ = write!(text, "| {} |", entrant.title);
        for &rules in &sizes {
            let Some(measured) = figures.measured(entrant.name, rules) else {
                text.push_str(" – | – | – |");
                continue;
            };
            let ours = figures.measured("ordain", rules);
            for thread in 0..2 {
                let rate = measured.throughput[thread];
                let cell = match ours {
                    Some(ours) if entrant.role != Role::Ours => {
                        share(rate / ours.throughput[thread])
                    }
                    _ => format!("{} k", grouped((rate / 1e3).round())),
                };
                let _ = write!(text, " {cell} |");
            }
            let [one, two] = measured.throughput;
            let _ = write!(text, " {:.2} |", two / one);
        }
        text.push('\n');
    }
}

fn shapes(text: &mut String, figures: &Figures) {
    let titles = [
        "teams",
        "actions",
        "rules that match a request",
        "allowed",
        "denied by a rule",
        "denied, no match",
    ];
    let _ = write!(
        text,
        "| rules | {} |\n|{}\n",
        titles.join(" | "),
        " --- |".repeat(titles.len() + 1)
    );
    for shape in &figures.shapes {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {:.1} | {:.0} % | {:.0} % | {:.0} % |",
            grouped(shape.rules as f64),
            grouped(shape.teams as f64),
            grouped(shape.actions as f64),
            shape.matching,
            shape.allowed * 100.0,
            shape.denied * 100.0,
            (1.0 - shape.allowed - shape.denied) * 100.0,
        );
    }
}

/// Who was not asked, or not everything.
fn notes(text: &mut String, figures: &Figures) {
    let mut notes = String::new();
    for entrant in present(figures) {
        for &rules in &figures.rules {
            let who = format!("{}, {} rules", entrant.title, grouped(rules as f64));
            match figures.outcome(entrant.name, rules) {
                Some(Outcome::Measured(measured)) if measured.checked < figures.requests => {
                    let checked = grouped(measured.checked as f64);
                    let _ = writeln!(
                        notes,
                        "- {who}: {checked} answers compared, for want of time"
                    );
                }
                Some(Outcome::LeftOut(why) | Outcome::Differs(why)) => {
                    let why = why.split_whitespace().collect::<Vec<_>>().join(" ");
                    let why = why.replace('`', "'");
                    let _ = writeln!(notes, "- {who}: left out. It says: `{why}`");
                }
                Some(Outcome::Measured(_)) => {}
                None => {
                    let _ = writeln!(notes, "- {who}: left out");
                }
            }
        }
    }
    let _ = write!(
        text,
        "Every answer, with its determining rule, was the same in all systems, for {} requests of every size",
        grouped(figures.requests as f64)
    );
    if notes.is_empty() {
        text.push_str(".\n");
    } else {
        let _ = write!(text, ", but for these:\n\n{notes}");
    }
}

fn present(figures: &Figures) -> impl Iterator<Item = &'static Entrant> {
    ENTRANTS
        .iter()
        .filter(|entrant| figures.outcomes.contains_key(entrant.name))
}

fn head(text: &mut String, titles: impl Iterator<Item = String>) {
    text.push_str("| |");
    let mut rule = "| --- |".to_owned();
    for title in titles {
        let _ = write!(text, " {title} |");
        rule.push_str(" ---: |");
    }
    let _ = write!(text, "\n{rule}\n");
}

/// Two digits that count, three from a hundred on.
pub(super) fn ratio(ratio: f64) -> String {
    match ratio {
        _ if ratio < 0.095 => format!("{ratio:.3}"),
        _ if ratio < 9.95 => format!("{ratio:.2}"),
        _ if ratio < 99.5 => format!("{ratio:.0}"),
        _ => {
            let step = 10_f64.powf(ratio.log10().floor() - 2.0);
            grouped((ratio / step).round() * step)
        }
    }
}

fn share(share: f64) -> String {
    if share >= 0.1 {
        ratio(share)
    } else {
        format!("1 / {}", ratio(1.0 / share.max(f64::MIN_POSITIVE)))
    }
}

fn duration(nanoseconds: f64) -> String {
    match nanoseconds {
        _ if nanoseconds < 1e3 => format!("{nanoseconds:.0} ns"),
        _ if nanoseconds < 1e6 => format!("{} µs", ratio(nanoseconds / 1e3)),
        _ if nanoseconds < 1e9 => format!("{} ms", ratio(nanoseconds / 1e6)),
        _ => format!("{} s", ratio(nanoseconds / 1e9)),
    }
}

fn bytes(bytes: f64) -> String {
    match bytes {
        _ if bytes < 1024.0 => format!("{bytes:.0} B"),
        _ if bytes < 1024.0 * 1024.0 => format!("{:.0} KiB", bytes / 1024.0),
        _ => format!("{} MiB", ratio(bytes / 1024.0 / 1024.0)),
    }
}

/// A whole number with its thousands apart.
fn grouped(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_shown_with_the_digits_that_count() {
        for (value, shown) in [
            (0.0123, "0.012"),
            (0.5, "0.50"),
            (3.456, "3.46"),
            (42.4, "42"),
            (314.159, "314"),
            (29_876.0, "29 900"),
        ] {
            assert_eq!(ratio(value), shown);
        }
        assert_eq!(duration(870.0), "870 ns");
        assert_eq!(duration(2_510.0), "2.51 µs");
        assert_eq!(duration(25_700_000.0), "26 ms");
        assert_eq!(bytes(3.0 * 1024.0 * 1024.0), "3.00 MiB");
        assert_eq!(grouped(1_234_567.0), "1 234 567");
        assert_eq!(share(0.25), "0.25");
        assert_eq!(share(0.001), "1 / 1 000");
    }
}
