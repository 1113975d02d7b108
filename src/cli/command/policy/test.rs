//! `ordain policy test`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::which::With;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, counted, escape, pretty_json, printable_json};
use crate::diag::Code;
use crate::engine::testing::{self, CaseResult, Coverage, Place, TestReport};
use crate::policy::read_tests;

/// The most rules that the text lists.
const LISTED: usize = 20;

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// The bundle's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    with: With,
    /// Fail unless so many percent of the bundle's rules match in a test at least once.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    min_coverage: Option<u8>,
    /// How to write the results.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

pub(super) fn run(context: &Context, args: &Test) -> Result<Exit, Failure> {
    let authored = args.with.read(context, &args.dir)?;
    let tests = read_tests(&authored.files, &crate::bundle::Limits::default())?;
    if tests.is_empty() {
        let dir = escape(&args.dir.display().to_string());
        let message = format!("`{dir}` has no file `tests/**/*.yaml`");
        return Err(Failure::new(Code::TEST_NONE, message)
            .hint("write a test, or name the bundle's directory"));
    }
    let own = authored
        .bundles
        .iter()
        .find(|bundle| bundle.identity().name == authored.own);
    let Some(own) = own else {
        return Ok(Exit::Internal);
    };
    let report = testing::run(&tests, own, &authored.bundles)?;
    let mut out = Output::stdout();
    match args.format {
        Format::Text => text(&mut out, &report)?,
        Format::Json => out.line(&pretty_json(&document(&report))?)?,
    }
    out.flush()?;
    let mut exit = Exit::Success;
    let (failed, coverage) = (report.failed(), &report.coverage);
    if failed > 0 {
        let all = counted(report.cases.len(), "case");
        let failure = Failure::new(Code::TEST_FAILED, format!("{failed} of {all} failed"));
        failure.print();
        exit = failure.exit();
    }
    let wanted = usize::from(args.min_coverage.unwrap_or(0));
    if coverage.percent() < wanted {
        let message = format!(
            "{} % of the rules match in a test, and {wanted} % are wanted",
            coverage.percent()
        );
        let failure = Failure::new(Code::TEST_COVERAGE, message);
        failure.print();
        exit = failure.exit();
    }
    Ok(exit)
}

fn text(out: &mut Output, report: &TestReport) -> Result<(), Failure> {
    for case in report
        .cases
        .iter()
        .filter(|case| !case.mismatches.is_empty())
    {
        out.line(&format!("FAIL  {}  {}", case.location, escape(&case.name)))?;
        let names = case.mismatches.iter().map(|wrong| wrong.field.len());
        let width = names.max().unwrap_or(0);
        for wrong in &case.mismatches {
            out.line(&format!(
                "      {:width$}  expected {}, found {}  ({})",
                wrong.field,
                shown(&wrong.expected),
                shown(&wrong.found),
                wrong.location
            ))?;
        }
        out.line(&format!("      {}\n", decided_by(case)))?;
    }
    let coverage = &report.coverage;
    list(out, "no test matches", &coverage.never_matched)?;
    list(out, "no test is decided by", &coverage.never_determined)?;
    let failed = report.failed();
    out.line(&format!(
        "{} passed, {failed} failed; {}",
        counted(report.cases.len() - failed, "case"),
        summary(coverage)
    ))
}

fn summary(coverage: &Coverage) -> String {
    format!(
        "{} of {} matched ({} %), {} decided",
        coverage.matched,
        counted(coverage.rules, "rule"),
        coverage.percent(),
        coverage.determined
    )
}

fn decided_by(case: &CaseResult) -> String {
    let decision = &case.decision;
    let Some(rule) = decision.rule() else {
        return format!("decided by no rule [{}]", decision.reason_code());
    };
    let hit = decision.matched().find(|hit| hit.rule == rule);
    let source = hit.and_then(|hit| hit.source);
    let place = source.map(|source| format!(" at {}:{}", escape(&source.file.name), source.line));
    format!("decided by {rule}{}", place.unwrap_or_default())
}

fn list(out: &mut Output, title: &str, places: &[Place]) -> Result<(), Failure> {
    if places.is_empty() {
        return Ok(());
    }
    out.line(title)?;
    for place in places.iter().take(LISTED) {
        let names: Vec<String> = place.rules.iter().map(ToString::to_string).collect();
        out.line(&format!("  {}  {}", names.join(", "), place.location))?;
    }
    if let Some(more) = places.len().checked_sub(LISTED).filter(|more| *more > 0) {
        out.line(&format!(
            "  and {more} more; `--format json` lists them all"
        ))?;
    }
    out.line("")
}

/// A value on one line; a text without quotes.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{}`", escape(text)),
        Value::Null => "none".to_owned(),
        other => printable_json(other.to_string()),
    }
}

fn document(report: &TestReport) -> Value {
    let cases = report.cases.iter().map(|case| {
        json!({
            "name": case.name,
            "location": case.location,
            "passed": case.mismatches.is_empty(),
            "mismatches": case.mismatches,
            "effect": case.decision.effect,
            "rule": case.decision.rule(),
            "reason_code": case.decision.reason_code(),
        })
    });
    json!({
        "format_version": 1,
        "failed": report.failed(),
        "cases": cases.collect::<Vec<_>>(),
        "coverage": {
            "percent": report.coverage.percent(),
            "rules": report.coverage.rules,
            "matched": report.coverage.matched,
            "determined": report.coverage.determined,
            "never_matched": report.coverage.never_matched,
            "never_determined": report.coverage.never_determined,
        },
    })
}
