//! `ordain policy diff`.

use clap::{Args, ValueEnum};

use super::sides::Sides;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::output::policy_diff::{self, Format};
use crate::cli::report::Failure;
use crate::cli::ui::{Output, counted};
use crate::diag::Code;
use crate::name::Scope;
use crate::resolve::diff::{self, Direction, PolicyDiff};

#[derive(Debug, Args)]
pub(crate) struct Diff {
    #[command(flatten)]
    sides: Sides,
    /// Only what changes for this scope.
    #[arg(long)]
    scope: Option<Scope>,
    /// How to write the changes.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// End with exit code 1 where there is such a change.
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Option<FailOn>,
}

/// What ends the command with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A change that loosens, or may.
    Loosening,
    /// Any change.
    Change,
}

pub(super) fn run(context: &Context, args: &Diff) -> Result<Exit, Failure> {
    let both = args.sides.read(context)?;
    let now = context.env.clock.now();
    let bundles = (both.bundles(&both.before), both.bundles(&both.after));
    let found = diff::diff(&bundles.0, &bundles.1, args.scope.as_ref(), now)?;
    let mut out = Output::stdout();
    policy_diff::write(&mut out, args.format, &found, &both.introduced())?;
    out.flush()?;
    both.warn();
    Ok(
        finding(args.fail_on, &found).map_or(Exit::Success, |failure| {
            failure.print();
            failure.exit()
        }),
    )
}

fn finding(fail_on: Option<FailOn>, found: &PolicyDiff) -> Option<Failure> {
    match fail_on? {
        FailOn::Loosening => {
            let loosening = found.worst(Direction::MayLoosen).len();
            let message = format!("{} that may ask for less", counted(loosening, "change"));
            (loosening > 0).then(|| Failure::new(Code::DIFF_LOOSENS, message))
        }
        FailOn::Change => {
            let message = format!(
                "{} between the two states",
                counted(found.changes.len(), "change")
            );
            (!found.changes.is_empty()).then(|| Failure::new(Code::DIFF_CHANGES, message))
        }
    }
}
