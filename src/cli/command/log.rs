//! `ordain log`: check the decision log.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, note};
use crate::cli::{logs, project};
use crate::diag::Code;
use crate::log::{Damage, Problem, Report, Trust, VerifierKey, expect_log, verify_directory};

/// `ordain log …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check every record against the signed checkpoint, and name the first bad line.
    Verify(Verify),
    /// Print this machine's verifier key, with which others check its checkpoints.
    Key(Key),
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The log's directory; that of the configuration where none is given.
    dir: Option<PathBuf>,
    /// A verifier key (C2SP `name+hash+key`) whose checkpoint counts; this machine's where none is given. Repeatable.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// Check the structure alone: shows accidents, and nothing of what someone with a key of their own did.
    #[arg(long, conflicts_with = "keys")]
    structure: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Key {
    /// The log's name in checkpoints; the configuration's where none is given.
    #[arg(long)]
    origin: Option<String>,
}

/// Runs `ordain log …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Verify(args) => verify(context, args),
        Command::Key(args) => key(context, args),
    }
}

fn own_key(context: &Context, origin: Option<&str>) -> Result<VerifierKey, Failure> {
    let name = match origin {
        Some(origin) => origin.parse().map_err(|error| {
            Failure::new(
                Code::USAGE,
                format!("`--origin` is not a name for a log: {error}"),
            )
        })?,
        None => {
            let config = project::config(context)?;
            logs::origin(&config.log, &config.scope)?
        }
    };
    Ok(VerifierKey::new(
        name,
        logs::existing_key(&context.env)?.public(),
    ))
}

fn key(context: &Context, args: &Key) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    out.line(&own_key(context, args.origin.as_deref())?.to_string())?;
    out.flush()?;
    Ok(Exit::Success)
}

fn verify(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    let dir = match &args.dir {
        Some(dir) => context.env.resolve(dir),
        None => project::config(context)?.log.path,
    };
    // Without a log there is nothing that a key could be missing for.
    expect_log(&dir)?;
    let mut keys = Vec::new();
    for text in &args.keys {
        let key = text.parse::<VerifierKey>();
        keys.push(
            key.map_err(|error| {
                Failure::new(error.code(), format!("`{}`: {error}", escape(text)))
            })?,
        );
    }
    if keys.is_empty() && !args.structure {
        keys.push(own_key(context, None)?);
        keys.extend(logs::earlier_keys(&project::config(context)?.log)?);
    }
    let trust = if args.structure {
        Trust::Structure
    } else {
        Trust::Keys(&keys)
    };
    let report = verify_directory(&dir, trust)?;
    let mut out = Output::stdout();
    print(&mut out, &report, args.structure)?;
    out.flush()?;
    match &report.problem {
        None => Ok(Exit::Success),
        Some(problem) => Err(failure(problem)),
    }
}

fn print(out: &mut Output, report: &Report, is_structure: bool) -> Result<(), Failure> {
    if let Some(checkpoint) = &report.checkpoint {
        let signers: Vec<&str> = report.signers.iter().map(|name| name.as_str()).collect();
        let by = if is_structure {
            "signature not checked".to_owned()
        } else {
            format!("signed by {}", signers.join(", "))
        };
        out.line(&format!("checkpoint  {} records, {by}", checkpoint.size))?;
    }
    let state = if report.problem.is_none() {
        "intact"
    } else {
        "read before the problem"
    };
    out.line(&format!(
        "records     {} {state}: {} signed, {} not signed yet",
        report.lines, report.signed, report.unsigned
    ))?;
    if let Some(torn) = &report.torn {
        note(&format!(
            "warning[{}]: line {} is unfinished ({} bytes), from a write that was stopped or goes on",
            Code::LOG_TORN,
            torn.line,
            torn.bytes
        ));
    }
    for damage in &report.damaged {
        let what = match damage {
            Damage::Frontier => "`frontier` is damaged; the next writer builds it again".to_owned(),
            Damage::Tile(index) => {
                format!("tile {index} is damaged; the records are proven without it")
            }
        };
        note(&format!("warning[{}]: {what}", Code::LOG_INDEX_DAMAGED));
    }
    Ok(())
}

fn failure(problem: &Problem) -> Failure {
    Failure::new(
        problem.code(),
        format!("the log is not what was signed: {problem}"),
    )
}
