//! `ordain policy`: check and test policy, and see what is in force and why.

mod check;
mod diff;
mod explain;
mod fmt;
mod graph;
mod impact;
mod new;
mod resolve;
mod schema;
mod sides;
mod test;
pub(super) mod which;

use clap::Subcommand;

use super::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;

pub use schema::schemas;

/// `ordain policy …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Begin a bundle, policy, catalogue or test, with comments that say what may stand where.
    New(new::New),
    /// Check a bundle's policies: every problem at once, with its place and what to do.
    Check(check::Check),
    /// Run a bundle's policy tests, `tests/**/*.yaml`, and say which rules they reach.
    Test(test::Test),
    /// Print the effective policy of a scope, in the order in which it is evaluated.
    Resolve(resolve::Resolve),
    /// Say what changes from one state of policy to another: scope by scope, rule by rule, what asks for less first.
    Diff(diff::Diff),
    /// Say which logged or given requests a change of policy answers otherwise, the worst first. Nothing is logged.
    Impact(impact::Impact),
    /// Print the JSON Schema of a kind of document, for editors.
    Schema(schema::Schema),
    /// Say why a request is decided as it is: what each layer says, and which rules came near. Nothing is logged.
    Explain(explain::Explain),
    /// Format policies and tests; comments stay, and so does the meaning.
    Fmt(fmt::Fmt),
    /// Show the tree of scopes: packs, rules, defaults, modes, overrides.
    Graph(graph::Graph),
}

/// Runs `ordain policy …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::New(args) => new::run(context, args),
        Command::Check(args) => check::run(context, args),
        Command::Test(args) => test::run(context, args),
        Command::Resolve(args) => resolve::run(context, args),
        Command::Diff(args) => diff::run(context, args),
        Command::Impact(args) => impact::run(context, args),
        Command::Schema(args) => schema::run(context, args),
        Command::Explain(args) => explain::run(context, args),
        Command::Fmt(args) => fmt::run(context, args),
        Command::Graph(args) => graph::run(context, args),
    }
}
