//! `ordain policy`: check policy, and see what is in force and why.

mod check;
mod resolve;
mod schema;

use clap::Subcommand;

use super::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;

pub use schema::schemas;

/// `ordain policy …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check a bundle's policies: every problem at once, with its place and what to do.
    Check(check::Check),
    /// Print the effective policy of a scope, in the order in which it is evaluated.
    Resolve(resolve::Resolve),
    /// Print the JSON Schema of a kind of document, for editors.
    Schema(schema::Schema),
}

/// Runs `ordain policy …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Check(args) => check::run(context, args),
        Command::Resolve(args) => resolve::run(context, args),
        Command::Schema(args) => schema::run(context, args),
    }
}
