//! `ordain bundle`: make, sign, fetch and verify bundles.

use clap::Subcommand;

use super::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;

mod author;
mod consumer;
mod ssh;
mod target;
mod transfer;

pub(super) use author::manifest_text;

/// `ordain bundle …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a bundle: manifest, a first policy, and what Git must know about it.
    New(author::New),
    /// Sign a bundle: a new revision when its files changed, else one more signature on the last.
    Sign(author::Sign),
    /// Fetch, verify and activate the bundles of `ordain.yaml`, or keep one bundle from a URL.
    Pull(consumer::Pull),
    /// Verify without activating, and say who signed what, when it expires and what it covers.
    Verify(consumer::Verify),
    /// Show what a bundle's directory says of itself. Nothing is verified.
    Inspect(author::Inspect),
    /// List the active bundles.
    List(consumer::List),
    /// Write the signed statement and an SSH signature of it, for `ssh-keygen -Y verify`.
    SshSign(ssh::SshSign),
    /// Check an SSH signature of a statement against the trust root.
    SshVerify(ssh::SshVerify),
    /// Write the active bundles and every trust root to one file, for a machine without a network.
    Export(transfer::Export),
    /// Verify and activate what such a file holds, exactly as a pull does. No connection is opened.
    Import(transfer::Import),
}

/// Runs `ordain bundle …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::New(args) => author::new(context, args),
        Command::Sign(args) => author::sign(context, args),
        Command::Pull(args) => consumer::pull(context, args),
        Command::Verify(args) => consumer::verify(context, args),
        Command::Inspect(args) => author::inspect(context, args),
        Command::List(args) => consumer::list(context, args),
        Command::SshSign(args) => ssh::sign(context, args),
        Command::SshVerify(args) => ssh::verify(context, args),
        Command::Export(args) => transfer::export(context, args),
        Command::Import(args) => transfer::import(context, args),
    }
}
