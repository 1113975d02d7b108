//! `ordain request`: look at requests as the engine sees them.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Context;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, note, printable_json};
use crate::engine::input::RequestReader;
use crate::engine::request::{Request, RequestLimits};
use crate::pipeline::project_identity;

/// `ordain request …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print requests in their canonical form, with their fingerprints and where each member came from.
    Normalize(Normalize),
}

#[derive(Debug, Args)]
pub(crate) struct Normalize {
    /// One request, a JSON array, or JSON Lines; `-` for standard input.
    #[arg(default_value = "-")]
    file: PathBuf,
}

/// Runs `ordain request …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    let Command::Normalize(args) = command;
    let limits = RequestLimits::default();
    let reader = input::open(&context.env, &args.file)?;
    let mut out = Output::stdout();
    let mut exit = Exit::Success;
    for raw in RequestReader::new(reader, &limits) {
        let request = raw.map_err(Failure::from).and_then(|raw| {
            let about = format!("line {}", raw.line);
            let project = |path: &str| project_identity(&context.env.current, path);
            Request::from_json_in(&raw.bytes, &limits, &project)
                .map_err(|error| Failure::from(error).about(&about))
        });
        match request {
            Ok(request) => {
                let value = serde_json::json!({
                    "request": request.attributes(),
                    "fingerprint": request.fingerprint(),
                    "form": request.form(),
                    "mapping": request.mapping(),
                });
                out.line(&printable_json(value.to_string()))?;
            }
            Err(failure) => {
                failure.print();
                exit = failure.exit();
            }
        }
    }
    out.flush()?;
    if exit != Exit::Success {
        note("some requests cannot be read");
    }
    Ok(exit)
}
