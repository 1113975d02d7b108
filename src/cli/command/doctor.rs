//! `ordain doctor`: what is live here, and why.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use crate::cli::env::Environment;
use crate::cli::exit::Exit;
use crate::cli::output::findings;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::Output;
use crate::config::Config;
use crate::diag::Code;
use crate::pipeline::doctor::{FoundConfig, Online, Surroundings, Verdict};

/// `ordain doctor`
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// Ask each repository where its ref stands now; else no connection is opened.
    #[arg(long)]
    online: bool,
    /// A private key whose permissions are looked at. Repeat for each.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

const AFTER_HELP: &str = "\
Nothing on the disk is changed. Exit codes: 0 sound, perhaps with warnings;
1 there is a problem; 3 the policy that should decide here is not trusted.
Every finding has a stable name: see docs/doctor.md.";

/// Runs `ordain doctor`, whatever the environment lacks.
pub(crate) fn run(config: Option<PathBuf>, args: &Arguments) -> Result<Exit, Failure> {
    let (env, problems) = Environment::read_what_there_is();
    let context = Context { env, config };
    let config = match project::find(&context) {
        Err(looked) => FoundConfig::Missing { looked },
        // One that was named.
        Ok((file, _)) if is_missing(&file) => FoundConfig::Missing { looked: vec![file] },
        Ok((file, how)) => match Config::load(&file) {
            Ok(config) => FoundConfig::Valid {
                config: Box::new(config),
                how,
            },
            Err(problem) => FoundConfig::Invalid {
                file,
                problem: Box::new(problem),
            },
        },
    };
    let unusable: Vec<(Code, String)> = problems
        .iter()
        .filter_map(|problem| Some((problem.code()?, problem.summary())))
        .collect();
    let keys: Vec<PathBuf> = args
        .keys
        .iter()
        .map(|key| context.env.resolve(key))
        .collect();
    let variables = Environment::variables();
    let search_path = Environment::search_path();
    let surroundings = Surroundings {
        config: &config,
        variables: &variables,
        unusable: &unusable,
        is_ci: context.env.ci,
        search_path: search_path.as_ref(),
        keys: &keys,
        online: if args.online {
            Online::Ask
        } else {
            Online::Never
        },
    };
    let report = with_pipeline(&context, &FetchFlags::default(), |pipeline| {
        Ok(pipeline.examine(&surroundings))
    })?;
    let mut out = Output::stdout();
    if args.json {
        findings::json(&mut out, &report)?;
    } else {
        findings::text(&mut out, &report)?;
    }
    out.flush()?;
    Ok(match report.verdict() {
        Verdict::Sound => Exit::Success,
        Verdict::Problems => Exit::Denied,
        Verdict::Untrusted => Exit::Untrusted,
    })
}

fn is_missing(file: &Path) -> bool {
    file.metadata()
        .is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}
