//! `ordain bench`: what a policy costs with requests that are really asked.

use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::Context;
use super::policy::which::{Timed, Which};
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::output::bench as output;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, note};
use crate::cli::{input, jobs, ui};
use crate::diag::Code;
use crate::engine::input::RequestReader;
use crate::engine::request::RequestLimits;
use crate::pipeline::bench::{self, MAX_BYTES, MAX_REQUESTS, Plan, Requests, Specimen};
use crate::pipeline::project_identity;
use crate::policy::{PolicyTest, read_test};

/// `ordain bench`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files with one request, a JSON array, or JSON Lines; `-` for standard input; policy tests, `*.yaml`, of which the requests
    /// are taken. Without a file: the policy tests of the bundles themselves.
    files: Vec<PathBuf>,
    #[command(flatten)]
    which: Which,
    /// How long measuring takes, roughly.
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=3600))]
    seconds: u32,
    /// How many threads the throughput is measured on, besides one; as many as the machine runs at once where none is given.
    #[arg(long, value_name = "THREADS", value_parser = jobs::parse)]
    jobs: Option<NonZeroUsize>,
    /// How to write the measurements.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
}

/// Runs `ordain bench`.
pub(crate) fn run(context: &Context, args: &Arguments) -> Result<Exit, Failure> {
    let seconds = Duration::from_secs(u64::from(args.seconds));
    // A tenth is for the way to the engine, the rest for the engine.
    let Timed {
        engine,
        load,
        memory,
        tests,
    } = args.which.timed(context, seconds / 10)?;
    let projects = |path: &str| project_identity(&context.env.current, path);
    let specimens = specimens(context, &args.files, &tests)?;
    let requests = Requests::read(specimens, &projects).map_err(|(name, error)| {
        Failure::from(error).about(&format!("the request at `{}`", escape(&name)))
    })?;
    let available = std::thread::available_parallelism();
    let plan = Plan {
        time: seconds * 9 / 10,
        jobs: args.jobs.or(available.ok()).unwrap_or(NonZeroUsize::MIN),
    };
    let now = context.env.clock.now();
    let report = bench::measure(&engine, &requests, &projects, now, &plan, load, memory);
    let mut out = Output::stdout();
    match args.format {
        Format::Text => output::text(&mut out, &report)?,
        Format::Json => output::json(&mut out, &report)?,
    }
    out.flush()?;
    note("note: nothing was decided: nothing of this is on record");
    Ok(Exit::Success)
}

/// The requests of `files`, else those of `tests`.
fn specimens(
    context: &Context,
    files: &[PathBuf],
    tests: &[PolicyTest],
) -> Result<Vec<Specimen>, Failure> {
    let mut taken = Taken::default();
    if files.is_empty() {
        tests.iter().for_each(|test| taken.test(test));
    }
    for file in files {
        if is_yaml(file) {
            taken.test(&policy_test(context, file)?);
        } else {
            taken.stream(context, file)?;
        }
    }
    if taken.specimens.is_empty() {
        let message = if files.is_empty() {
            "no file of requests is named, and the bundles have no policy tests"
        } else {
            "the files hold no request"
        };
        return Err(Failure::new(Code::BENCH_NO_REQUEST, message)
            .hint("name a file of requests, such as `ordain bench requests.jsonl`"));
    }
    if taken.is_full {
        note(&format!(
            "warning: only the first {} requests are measured",
            taken.specimens.len()
        ));
    }
    Ok(taken.specimens)
}

fn is_yaml(file: &Path) -> bool {
    let ending = file.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["yaml", "yml"].contains(&ending.to_ascii_lowercase().as_str()))
}

fn policy_test(context: &Context, file: &Path) -> Result<PolicyTest, Failure> {
    let limits = Limits::default();
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    // One byte more than may be, so that the reader sees that there is more.
    let most = limits.policy_bytes as u64 + 1;
    input::open(&context.env, file)?
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| {
            let message = format!("cannot read `{}`: {error}", escape(&name));
            Failure::new(Code::FILE_UNREADABLE, message)
        })?;
    Ok(read_test(&name, &bytes, &limits)?)
}

/// The requests that were taken so far.
#[derive(Default)]
struct Taken {
    specimens: Vec<Specimen>,
    bytes: usize,
    /// There is more than is measured.
    is_full: bool,
}

impl Taken {
    fn add(&mut self, name: String, bytes: Vec<u8>) {
        let size = self.bytes.saturating_add(bytes.len());
        if self.specimens.len() >= MAX_REQUESTS || size > MAX_BYTES {
            self.is_full = true;
            return;
        }
        self.bytes = size;
        self.specimens.push(Specimen { name, bytes });
    }

    fn test(&mut self, test: &PolicyTest) {
        for case in &test.cases {
            let name = format!("{}:{}", case.location.file, case.location.line);
            self.add(name, case.request.to_string().into_bytes());
        }
    }

    fn stream(&mut self, context: &Context, file: &Path) -> Result<(), Failure> {
        let shown = match file.as_os_str() == "-" {
            true => "standard input".to_owned(),
            false => file.display().to_string(),
        };
        let reader = input::open(&context.env, file)?;
        for raw in RequestReader::new(reader, &RequestLimits::default()) {
            if self.is_full {
                break;
            }
            let raw = raw.map_err(|error| Failure::from(error).about(&ui::escape(&shown)))?;
            self.add(format!("{shown}:{}", raw.line), raw.bytes);
        }
        Ok(())
    }
}
