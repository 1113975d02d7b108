//! What `ordain doctor` found: problems and warnings first, then what is as it should be.

use serde_json::json;

use super::FORMAT_VERSION;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, pretty_json};
use crate::pipeline::doctor::{Area, Finding, Level, Report, Verdict};

/// Writes a report for people.
pub(crate) fn text(out: &mut Output, report: &Report) -> Result<(), Failure> {
    out.line(&headline(report))?;
    for level in [Level::Problem, Level::Warning] {
        for finding in of_level(report, level) {
            let mark = match level {
                Level::Problem => "PROBLEM",
                _ => "warning",
            };
            let code = finding
                .code
                .map(|code| format!(" [{code}]"))
                .unwrap_or_default();
            let Finding { id, text, .. } = finding;
            let subject = escape(&finding.subject);
            out.line(&format!("\n{mark}  {subject}: {text}{code} ({})", id.name))?;
            if let Some(remedy) = &finding.remedy {
                out.line(&format!("         do: {remedy}"))?;
            }
        }
    }
    out.line("")?;
    let mut area: Option<Area> = None;
    let width = subject_width(report);
    for finding in &report.findings {
        let mark = match finding.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning | Level::Problem => continue,
        };
        let shown = if area == Some(finding.area) {
            ""
        } else {
            finding.area.name()
        };
        area = Some(finding.area);
        let subject = escape(&finding.subject);
        let text = &finding.text;
        out.line(&format!("{shown:11}  {mark:4}  {subject:width$}  {text}"))?;
    }
    Ok(())
}

/// Writes a report for programs.
pub(crate) fn json(out: &mut Output, report: &Report) -> Result<(), Failure> {
    let verdict = match report.verdict() {
        Verdict::Sound => "sound",
        Verdict::Problems => "problems",
        Verdict::Untrusted => "untrusted",
    };
    let document = json!({
        "format_version": FORMAT_VERSION,
        "verdict": verdict,
        "findings": report.findings,
    });
    out.line(&pretty_json(&document)?)
}

fn headline(report: &Report) -> String {
    let counted = |level, what: &str| match report.count(level) {
        0 => None,
        1 => Some(format!("1 {what}")),
        many => Some(format!("{many} {what}s")),
    };
    let counts: Vec<String> = [
        counted(Level::Problem, "problem"),
        counted(Level::Warning, "warning"),
    ]
    .into_iter()
    .flatten()
    .collect();
    let verdict = match report.verdict() {
        Verdict::Sound => "sound",
        Verdict::Problems => "not sound",
        Verdict::Untrusted => "NOT TRUSTED",
    };
    if counts.is_empty() {
        verdict.to_owned()
    } else {
        format!("{verdict}: {}", counts.join(", "))
    }
}

fn of_level(report: &Report, level: Level) -> impl Iterator<Item = &Finding> {
    report
        .findings
        .iter()
        .filter(move |finding| finding.level == level)
}

/// Absolute paths stand out; they do not push everything else to the right.
fn subject_width(report: &Report) -> usize {
    let subjects = report
        .findings
        .iter()
        .filter(|finding| finding.level < Level::Warning && !finding.subject.starts_with('/'));
    let lengths = subjects.map(|finding| escape(&finding.subject).chars().count());
    lengths.max().unwrap_or(0)
}
