//! `ordain policy check`.

use std::path::PathBuf;

use clap::Args;

use super::which::With;
use crate::bundle::Limits;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::output::diagnostics::{self, Format, Roots};
use crate::cli::report::Failure;
use crate::cli::ui::{Output, counted, escape};
use crate::diag::Severity;
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
    let (scopes, mut problems, files) = match args.with.draft(context, &args.dir)? {
        Err(found) => (None, found.problems, found.files),
        Ok(authored) => {
            let checked = resolve::check(&authored.bundles, &authored.own, now);
            (Some(checked.scopes), checked.problems, authored.files)
        }
    };
    let tests = read_tests(&files, &Limits::default());
    problems.extend(tests.err().unwrap_or_default());
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let warnings = problems.len() - errors;
    let mut out = Output::stdout();
    let roots = Roots {
        bundle: &args.dir,
        current: &context.env.current,
    };
    diagnostics::write(&mut out, format, &problems, &roots)?;
    if format == Format::Text {
        // Of policies that cannot be read, nobody knows the scopes.
        let scopes = scopes.map(|scopes| format!("{}, ", counted(scopes, "scope")));
        let scopes = scopes.unwrap_or_default();
        out.line(&format!(
            "`{}`: {scopes}{}, {}",
            escape(&args.dir.display().to_string()),
            counted(errors, "error"),
            counted(warnings, "warning"),
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
