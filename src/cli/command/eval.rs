//! `ordain eval`: decide requests.
//!
//! What has arrived is decided as one batch, recorded, and only then printed ([`recorder`]); so no answer is given that is not on
//! record. Few requests are decided where they are read; a stream of them is shared out to threads ([`stream`]), with memory that
//! stays flat and a reader of answers that holds back the input.

mod chunk;
mod decide;
mod desk;
mod feed;
mod numbers;
mod plain;
mod recorder;
mod spare;
mod stream;
mod tally;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::slice;
use std::sync::{Arc, OnceLock};
use std::thread;

use clap::Args;

use super::Context;
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::output::{Format, Writer};
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, tell_statements, with_pipeline};
use crate::cli::ui::{Output, note};
use crate::cli::{input, jobs, logs, project};
use crate::config::{Config, LogConfig};
use crate::diag::{Code, Kind};
use crate::engine::Cause;
use crate::name::Scope;
use crate::pipeline::{Locking, Reuse, Served};
use crate::policy::Mode;

use decide::{Answers, Decider, Judge};
use desk::{Desk, Ids};
use numbers::Numbers;
use recorder::Recorder;
use tally::Tally;

/// `ordain eval`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Files with one request, a JSON array, or JSON Lines; `-` for standard input.
    #[arg(default_value = "-")]
    files: Vec<PathBuf>,
    /// The scope whose policy decides; the configuration's where none is given.
    #[arg(long)]
    scope: Option<Scope>,
    /// How to write the decisions.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Threads that decide, where there are more requests than arrive at once; as many as there are processors where none is given.
    /// The answers are the same, and in the same order. At most 1024.
    #[arg(long, value_name = "N", value_parser = jobs::parse)]
    jobs: Option<NonZeroUsize>,
    /// Exit with 0 whatever was decided; failures keep their codes.
    #[arg(long)]
    exit_zero: bool,
    /// Decide with a directory that nobody signed, to try policy out. Every decision says so; refused under CI.
    #[arg(long, value_name = "DIR", requires = "scope")]
    unsigned_dir: Option<PathBuf>,
    #[command(flatten)]
    fetch: FetchFlags,
}

/// Runs `ordain eval`.
pub(crate) fn run(context: &Context, args: &Arguments) -> Result<Exit, Failure> {
    let (config, log_config, scope) = place(context, args)?;
    let loaded = load(context, args, config.as_ref());
    let mut failed = None;
    let mode = config
        .as_ref()
        .and_then(|config| config.mode)
        .unwrap_or(Mode::Enforce);
    let judge = match loaded {
        Ok(served) => Judge::Policy(Box::new(served)),
        Err(failure) => {
            // Whoever pressed Ctrl-C asks for no answer any more.
            let code = failure.code().filter(|code| *code != Code::INTERRUPTED);
            let Some(cause) = code.map(cause_of) else {
                return Err(failure);
            };
            failure.print();
            let reason = failure.summary();
            failed = (mode == Mode::Enforce).then(|| failure.exit());
            Judge::Closed {
                cause,
                reason,
                mode,
            }
        }
    };
    let log = logs::open(&context.env, &log_config, &scope);
    let mut out = Output::stdout();
    let writer = Writer::begin(args.format, &mut out)?;
    let decider = Arc::new(Decider {
        judge,
        scope,
        mode,
        clock: context.env.clock,
        current: context.env.current.clone(),
        format: args.format,
        past: OnceLock::new(),
        numbers: log.as_ref().ok().and_then(Numbers::of),
    });
    let mut recorder = Recorder {
        decider,
        log,
        out,
        writer,
        tally: Tally::default(),
        failed,
        ids: Ids::default(),
        is_past: false,
    };
    let result = read_all(context, args, &mut recorder);
    let Recorder {
        mut out,
        writer,
        log,
        tally,
        failed,
        ..
    } = recorder;
    // What was appended is signed, and the document ended, whatever happened since.
    let finished = log.ok().map(|log| log.finish(context.env.clock.now()));
    let ended = writer.end(&mut out).and_then(|()| out.flush());
    result?;
    ended?;
    match finished {
        Some(finished) => {
            logs::tell(&finished?);
            tally.tell(&log_config);
        }
        None => note("warning: nothing of this is on record"),
    }
    Ok(match failed {
        Some(exit) => exit,
        None => tally.exit(args.exit_zero),
    })
}

/// The configuration, unless an unsigned directory stands in for it; where the log is; whose policy decides.
fn place(
    context: &Context,
    args: &Arguments,
) -> Result<(Option<Config>, LogConfig, Scope), Failure> {
    if let (Some(_), Some(scope)) = (&args.unsigned_dir, &args.scope) {
        if context.env.ci {
            return Err(
                Failure::new(Code::UNSIGNED, "`--unsigned-dir` is refused under CI")
                    .hint("sign the bundle, and name it in `ordain.yaml`"),
            );
        }
        note("warning: deciding with a policy that nobody signed");
        return Ok((None, logs::fallback(&context.env), scope.clone()));
    }
    let mut config = project::config(context)?;
    if let Some(scope) = &args.scope {
        config.scope = scope.clone();
    }
    let (log, scope) = (config.log.clone(), config.scope.clone());
    Ok((Some(config), log, scope))
}

fn load(context: &Context, args: &Arguments, config: Option<&Config>) -> Result<Served, Failure> {
    let now = context.env.clock.now();
    match (config, &args.unsigned_dir, &args.scope) {
        (Some(config), ..) => {
            let locking = args.fetch.locking(context, Locking::Prefer);
            // SECURITY: what a job of CI finds as its state, other jobs may have left there.
            let reuse = if context.env.ci {
                Reuse::Nothing
            } else {
                Reuse::Kept
            };
            with_pipeline(context, &args.fetch, |pipeline| {
                let serving = pipeline.serve_requests(config, locking, reuse)?;
                tell_statements(context, serving.confirmation, &serving.statements);
                Ok(serving.served)
            })
        }
        (None, Some(dir), Some(scope)) => {
            let dir = context.env.resolve(dir);
            Ok(Served::unsigned(
                dir,
                scope.clone(),
                now,
                &Limits::default(),
            )?)
        }
        (None, ..) => Err(Failure::new(
            Code::USAGE,
            "`--unsigned-dir` needs `--scope`",
        )),
    }
}

/// Why decisions are made without a policy; none when there is nobody to decide for.
pub(super) fn cause_of(code: Code) -> Cause {
    match code.kind {
        Kind::Untrusted => Cause::PolicyNotTrusted,
        Kind::Unavailable => Cause::PolicyUnavailable,
        Kind::Invalid => Cause::PolicyInvalid,
        Kind::Internal | Kind::Finding => Cause::PolicyUnreadable,
    }
}

/// Decides what all files hold.
fn read_all(context: &Context, args: &Arguments, recorder: &mut Recorder) -> Result<(), Failure> {
    let (mut desk, mut answers) = (Desk::default(), Answers::default());
    let decider = Arc::clone(&recorder.decider);
    for file in &args.files {
        let source = input::source(&context.env, file)?;
        let stream = feed::read_some(source, &mut |chunk| {
            decider.answer(chunk, &mut desk, &mut answers)?;
            recorder.take(slice::from_mut(&mut answers))
        })?;
        if let Some((first, rest)) = stream {
            recorder.begin_stream();
            stream::run(first, rest, &decider, jobs(args), &mut |batch| {
                recorder.take(batch)
            })?;
        }
    }
    Ok(())
}

fn jobs(args: &Arguments) -> NonZeroUsize {
    let available = || thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    args.jobs.unwrap_or_else(available)
}
