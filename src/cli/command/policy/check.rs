//! `ordain policy check`.

use std::path::PathBuf;

use clap::Args;

use super::which::With;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::output::diagnostics::{self, Format};
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape};
use crate::diag::Severity;
use crate::pipeline::PipelineError;
use crate::policy::read_tests;
use crate::resolve;

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The bundle's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    #[command(flatten)]
    with: With,
    /// Let warnings fail the check as well.
    #[arg(long)]
    deny_warnings: bool,
    /// How to write the problems.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// The same as `--format json`: JSON Lines on standard output.
    #[arg(long, conflicts_with = "format")]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Check) -> Result<Exit, Failure> {
    let now = context.env.clock.now();
    let format = if args.json { Format::Json } else { args.format };
    let (scopes, problems) = match args.with.read(context, &args.dir) {
        Err(PipelineError::Policy(found)) => (0, found),
        Err(error) => return Err(error.into()),
        Ok(authored) => {
            let checked = resolve::check(&authored.bundles, &authored.own, now);
            let tests = read_tests(&authored.files, &crate::bundle::Limits::default())
                .err()
                .unwrap_or_default();
            let problems = checked.problems.into_iter().chain(tests).collect();
            (checked.scopes, problems)
        }
    };
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let warnings = problems.len() - errors;
    let mut out = Output::stdout();
    diagnostics::write(&mut out, format, &problems, &args.dir)?;
    if format == Format::Text {
        out.line(&format!(
            "`{}`: {scopes} scopes, {errors} errors, {warnings} warnings",
            escape(&args.dir.display().to_string()),
        ))?;
    }
    out.flush()?;
    Ok(match (errors, warnings) {
        (0, 0) => Exit::Success,
        (0, _) if !args.deny_warnings => Exit::Success,
        (0, _) => Exit::Denied,
        _ => Exit::Invalid,
    })
}
