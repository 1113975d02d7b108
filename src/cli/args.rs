//! The top of the command line.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use super::command::{bench, bundle, doctor, eval, explain, key, log, policy, request, trust};

/// Signed policy bundles from Git: verified, inherited, evaluated, and logged so that tampering shows.
#[derive(Debug, Parser)]
#[command(name = "ordain", version, arg_required_else_help = true, after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Shared {
    /// The configuration; else ORDAIN_CONFIG, else `ordain.yaml` here or above, else the user's, else the system's.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// The command line with `eval` alone: clap builds all commands that it knows of before it looks, which takes longer than deciding a
/// request.
#[derive(Debug, Parser)]
struct Deciding {
    #[command(flatten)]
    shared: Shared,
    #[command(subcommand)]
    command: Decide,
}

#[derive(Debug, Subcommand)]
enum Decide {
    Eval(eval::Arguments),
}

impl Arguments {
    /// Parses the process's arguments.
    ///
    /// # Errors
    /// clap's, which may also be what was asked for: help.
    pub(crate) fn read() -> Result<Self, clap::Error> {
        let mut words = std::env::args_os().skip(1);
        if words.next().is_some_and(|first| first == "eval") {
            if let Some(arguments) = eval::Arguments::plain(words) {
                return Ok(Self {
                    shared: Shared { config: None },
                    command: Command::Eval(arguments),
                });
            }
            // Whatever is no call of it is told by all that there is to tell of.
            if let Ok(deciding) = Deciding::try_parse() {
                let Decide::Eval(arguments) = deciding.command;
                return Ok(Self {
                    shared: deciding.shared,
                    command: Command::Eval(arguments),
                });
            }
        }
        Self::try_parse()
    }
}

const AFTER_HELP: &str = "\
Exit codes: 0 allowed or fine; 1 denied, or a check found something;
            2 usage, configuration, invalid policy or request; 3 not trusted;
            4 source unavailable; 5 approval required; 70 internal.
            Treat every other code as denied.

Begin with: ordain bundle pull, then ordain eval request.json (consumers);
            ordain key generate, ordain trust init, ordain bundle new,
            ordain bundle sign (authors).";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make and look at signing keys.
    #[command(subcommand)]
    Key(key::Command),
    /// Say who may sign what: the trust root.
    #[command(subcommand)]
    Trust(trust::Command),
    /// Make, sign, fetch and verify bundles.
    #[command(subcommand)]
    Bundle(bundle::Command),
    /// Check policy, and see what is in force and why.
    #[command(subcommand)]
    Policy(policy::Command),
    /// Look at requests as the engine sees them.
    #[command(subcommand)]
    Request(request::Command),
    /// Decide requests: one, a JSON array, or JSON Lines.
    Eval(eval::Arguments),
    /// Measure what a policy costs with your requests: latency, throughput, and which rules take the time. Nothing is logged.
    Bench(bench::Arguments),
    /// Check the decision log.
    #[command(subcommand)]
    Log(log::Command),
    /// Say what is live here and why: configuration, trust root, bundles, clock, permissions, log.
    Doctor(doctor::Arguments),
    /// Explain a diagnostic code such as `E-TRUST-009`.
    Explain(explain::Arguments),
}

/// The whole command line, for the generated manual.
#[must_use]
pub fn command() -> clap::Command {
    Arguments::command()
}
