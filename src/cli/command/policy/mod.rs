//! `ordain policy`: check and test policy, and see what is in force and why.

mod check;
mod resolve;
mod test;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Context;
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::pipeline::{self, Authored, PipelineError};

/// `ordain policy …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a bundle's policies: every problem at once, with its place and what to do.
    Check(check::Check),
    /// Run a bundle's policy tests, `tests/**/*.yaml`, and say which rules they reach.
    Test(test::Test),
    /// Print the effective policy of a scope, in the order in which it is evaluated.
    Resolve(resolve::Resolve),
}

/// Runs `ordain policy …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(context, args),
        Command::Test(args) => test::run(context, args),
        Command::Resolve(args) => resolve::run(context, args),
    }
}

/// The bundles that a bundle builds on.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct With {
    /// The directory of a bundle that holds scopes above, or packs; may be given several times.
    #[arg(long = "with", value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

impl With {
    /// Reads the bundle in `dir`, which nobody needs to have signed, and those.
    fn read(&self, context: &Context, dir: &Path) -> Result<Authored, PipelineError> {
        let dirs: Vec<PathBuf> = self.dirs.iter().map(|dir| context.env.resolve(dir)).collect();
        let dirs: Vec<&Path> = dirs.iter().map(PathBuf::as_path).collect();
        pipeline::authored(&context.env.resolve(dir), &dirs, &Limits::default())
    }
}
