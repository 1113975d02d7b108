//! `ordain policy check`.

use std::path::PathBuf;

use clap::Args;

use crate::bundle::Limits;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::report::{Failure, print_diagnostic};
use crate::cli::ui::{Output, escape, printable_json};
use crate::diag::Severity;
use crate::pipeline;
use crate::resolve::{lint, resolve};

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The bundle's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Let warnings fail the check as well.
    #[arg(long)]
    deny_warnings: bool,
    /// Print the problems as JSON Lines on standard output.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Check) -> Result<Exit, Failure> {
    let dir = context.env.resolve(&args.dir);
    let now = context.env.clock.now();
    let mut problems = Vec::new();
    let mut scopes = 0;
    match pipeline::load_unsigned(&dir, &Limits::default()) {
        Err(pipeline::PipelineError::Policy(found)) => problems = found,
        Err(error) => return Err(error.into()),
        Ok(loaded) => {
            let bundles = [loaded];
            for scope in bundles
                .iter()
                .flat_map(|bundle| bundle.layers())
                .map(|layer| &layer.scope)
            {
                scopes += 1;
                let found = match resolve(&bundles, scope, now, None) {
                    Ok(policy) => lint(&policy, now),
                    Err(found) => found,
                };
                problems.extend(found);
            }
        }
    }
    let mut seen = Vec::new();
    problems.retain(|problem| {
        !seen.contains(problem) && {
            seen.push(problem.clone());
            true
        }
    });
    let errors = problems
        .iter()
        .filter(|problem| problem.severity == Severity::Error)
        .count();
    let warnings = problems.len() - errors;
    let mut out = Output::stdout();
    for problem in &problems {
        if args.json {
            out.line(&printable_json(
                serde_json::to_string(problem).unwrap_or_default(),
            ))?;
        } else {
            print_diagnostic(problem);
        }
    }
    if !args.json {
        let dir = escape(&args.dir.display().to_string());
        out.line(&format!(
            "`{dir}`: {scopes} scopes, {errors} errors, {warnings} warnings"
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
