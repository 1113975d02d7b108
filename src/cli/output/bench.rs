//! Measurements, for people and as JSON.

use serde::Serialize;

use super::FORMAT_VERSION;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, counted, escape, pretty_json, printable_json};
use crate::pipeline::bench::{Costs, Latency, LoadTimes, Report, RuleCost, Spread, Throughput};

/// The most rules that the text lists.
const LISTED: usize = 10;
/// The rules whose conditions the text lists.
const PARTED: usize = 3;
/// The most characters of a condition that the text shows.
const MAX_WANTED: usize = 60;

#[derive(Serialize)]
struct Document<'a> {
    format_version: u64,
    #[serde(flatten)]
    report: &'a Report,
}

/// Writes one JSON document.
pub(crate) fn json(out: &mut Output, report: &Report) -> Result<(), Failure> {
    let document = Document {
        format_version: FORMAT_VERSION,
        report,
    };
    out.line(&pretty_json(&document)?)
}

/// Writes tables.
pub(crate) fn text(out: &mut Output, report: &Report) -> Result<(), Failure> {
    let policy = &report.policy;
    let unsigned = if policy.unsigned {
        "  [unsigned policy]"
    } else {
        ""
    };
    out.line(&format!(
        "{}: {}, {}, {}{unsigned}",
        policy.scope,
        counted(policy.layers, "layer"),
        counted(policy.rules, "rule"),
        counted(report.requests, "request"),
    ))?;
    out.line(&format!("policy {}", policy.digest))?;
    load(out, &report.load)?;
    if let Some(memory) = &report.memory {
        out.line(&format!(
            "memory: {} more with the policy, {} in all",
            bytes(memory.policy_bytes),
            bytes(memory.resident_bytes)
        ))?;
    }
    latencies(out, report)?;
    throughput(out, &report.throughput)?;
    cost(out, &report.cost)?;
    out.line("\nslowest requests, each at its best")?;
    for slow in &report.slowest {
        out.line(&format!(
            "  {:>10}  {}",
            ns(slow.ns as f64),
            escape(&slow.request)
        ))?;
    }
    Ok(())
}

fn load(out: &mut Output, load: &LoadTimes) -> Result<(), Failure> {
    out.line(&format!(
        "\n{:22}{:>10}{:>10}{:>10}",
        format!("load ({})", counted(load.rounds, "round")),
        "least",
        "median",
        "most"
    ))?;
    let steps = [
        ("read and verify", load.read),
        ("validate", load.validate),
        ("resolve", load.resolve),
        ("compile", load.compile),
    ];
    for (step, spread) in steps {
        let times = match spread {
            Some(Spread {
                min_ns,
                p50_ns,
                max_ns,
            }) => columns(&[min_ns, p50_ns, max_ns]),
            None => "  not measured: the bundles are not here; `ordain bundle pull` brings them"
                .to_owned(),
        };
        out.line(&format!("  {step:20}{times}"))?;
    }
    Ok(())
}

fn latencies(out: &mut Output, report: &Report) -> Result<(), Failure> {
    out.line(&format!(
        "\n{:22}{:>10}{:>10}{:>10}{:>10}{:>10}",
        "latency", "p50", "p90", "p99", "p99.9", "max"
    ))?;
    for (name, latency) in [
        ("evaluate", &report.evaluate),
        ("bytes to decision", &report.decide),
    ] {
        let Latency {
            p50_ns,
            p90_ns,
            p99_ns,
            p999_ns,
            max_ns,
            ..
        } = *latency;
        let times = columns(&[p50_ns, p90_ns, p99_ns, p999_ns, max_ns]);
        out.line(&format!("  {name:20}{times}"))?;
        out.line(&format!("  {:20}  {}", "", trust(latency)))?;
    }
    out.line(&format!(
        "  each time holds one reading of the clock, {}",
        ns(report.timer_ns)
    ))
}

/// How far the figures are to be trusted.
fn trust(latency: &Latency) -> String {
    let of = format!(
        "{} in {}",
        counted(latency.samples, "sample"),
        counted(latency.rounds, "round")
    );
    match (latency.is_stable, latency.spread_percent) {
        (true, Some(spread)) => format!("{of}; the last medians differ by {spread} %"),
        (false, Some(spread)) => format!(
            "{of}; NOISY: the last medians differ by {spread} %, so give it a quieter machine or more `--seconds`"
        ),
        (_, None) => format!("{of}: too few to tell noise; give more `--seconds`"),
    }
}

fn throughput(out: &mut Output, all: &[Throughput]) -> Result<(), Failure> {
    for (index, found) in all.iter().enumerate() {
        if index == 0 {
            let threads = counted(found.threads.get(), "thread");
            out.line(&format!(
                "\n{:22}{:>14}{threads:>14}",
                "a second", "1 thread"
            ))?;
        }
        let name = match found.what {
            "decide" => "bytes to decision",
            what => what,
        };
        let times = found.all_threads as f64 / found.one_thread.max(1) as f64;
        out.line(&format!(
            "  {name:20}{:>14}{:>14}  {times:.2} times",
            grouped(found.one_thread),
            grouped(found.all_threads)
        ))?;
    }
    Ok(())
}

fn cost(out: &mut Output, cost: &Costs) -> Result<(), Failure> {
    out.line(&format!(
        "\ncost by rule: each judged by itself for {}, {} rules a request on the average",
        counted(cost.requests, "request"),
        cost.candidates_per_request
    ))?;
    if cost.rules.is_empty() {
        return out.line("  no rule may match any of them");
    }
    out.line(&format!(
        "  {:>7}{:>10}{:>9}{:>9}  rule",
        "share", "each", "tried", "matched"
    ))?;
    for (index, rule) in cost.rules.iter().take(LISTED).enumerate() {
        one_rule(out, rule)?;
        for part in rule.conditions.iter().filter(|_| index < PARTED) {
            let wanted = shortened(&part.wanted);
            let key = escape(&part.key);
            out.line(&format!(
                "  {:>7}{:>10}{:>20}{key}: {wanted}",
                "",
                ns(part.mean_ns),
                ""
            ))?;
        }
    }
    let more = cost.rules_tried.saturating_sub(LISTED);
    if more > 0 {
        let more = counted(more, "more rule");
        out.line(&format!("  and {more}; `--format json` lists a thousand"))?;
    }
    Ok(())
}

fn one_rule(out: &mut Output, rule: &RuleCost) -> Result<(), Failure> {
    let place = rule.source.as_ref().map_or_else(String::new, |source| {
        format!("  {}:{}", escape(&source.file.name), source.line)
    });
    let failed = match rule.failed {
        0 => String::new(),
        failed => format!("  ({failed} could not be judged)"),
    };
    out.line(&format!(
        "  {:>5.1} %{:>10}{:>9}{:>9}  {}{place}{failed}",
        rule.share_percent,
        ns(rule.mean_ns),
        rule.tried,
        rule.matched,
        rule.rule
    ))
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(MAX_WANTED).collect();
    if text.chars().nth(MAX_WANTED).is_some() {
        short.push('…');
    }
    printable_json(escape(&short))
}

fn columns(times: &[u64]) -> String {
    times
        .iter()
        .map(|time| format!("{:>10}", ns(*time as f64)))
        .collect()
}

/// Three digits, and the unit that fits.
fn ns(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.5 => (ns, "ns"),
        ns if ns < 999.5e3 => (ns / 1e3, "µs"),
        ns if ns < 999.5e6 => (ns / 1e6, "ms"),
        ns => (ns / 1e9, "s"),
    };
    let digits = match value {
        value if value < 9.995 && unit != "ns" => 2,
        value if value < 99.95 && unit != "ns" => 1,
        value if value < 9.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$} {unit}")
}

fn bytes(bytes: u64) -> String {
    indicatif::HumanBytes(bytes).to_string()
}

/// `1234567` as `1 234 567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(' ');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_three_digits() {
        for (given, told) in [
            (0.0, "0.0 ns"),
            (7.26, "7.3 ns"),
            (123.4, "123 ns"),
            (1_234.0, "1.23 µs"),
            (12_345.0, "12.3 µs"),
            (999_600.0, "1.00 ms"),
            (1.5e9, "1.50 s"),
        ] {
            assert_eq!(ns(given), told);
        }
        assert_eq!(grouped(1_234_567), "1 234 567");
        assert_eq!(grouped(12), "12");
    }
}
