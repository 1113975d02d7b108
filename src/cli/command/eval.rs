//! `ordain eval`: decide requests.
//!
//! A thread reads requests into a bounded channel; this one decides whatever has arrived as one batch, records the batch,
//! and only then prints it. So memory stays flat, a slow reader holds back the input, and no answer is given that is not
//! on record.

mod tally;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::Instant;

use clap::Args;
use uuid::Uuid;

use super::Context;
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::output::{Format, Writer};
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, tell_policy, with_pipeline};
use crate::cli::ui::{Output, note};
use crate::cli::{input, logs, project};
use crate::config::{Config, LogConfig};
use crate::diag::{Code, Kind};
use crate::digest::Sha256Digest;
use crate::engine::input::{InputError, Raw, RequestReader};
use crate::engine::request::{Request, RequestError, RequestLimits};
use crate::engine::{Cause, Decision, Engine, Freshness, Occasion, Record};
use crate::log::{Log, LogError};
use crate::name::Scope;
use crate::pipeline::{self, Locking, project_identity};
use crate::policy::Mode;
use crate::trust::whole_second;

use tally::Tally;

/// The most requests of one batch.
const BATCH: usize = 1024;

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
    /// Exit with 0 whatever was decided; failures keep their codes.
    #[arg(long)]
    exit_zero: bool,
    /// Decide with a directory that nobody signed, to try policy out. Every decision says so; refused under CI.
    #[arg(long, value_name = "DIR", requires = "scope")]
    unsigned_dir: Option<PathBuf>,
    #[command(flatten)]
    fetch: FetchFlags,
}

/// What decides.
enum Judge {
    /// A policy.
    Engine(Box<Engine>),
    /// Nothing can be read: the cause, and the consumer's mode.
    Closed {
        cause: Cause,
        reason: String,
        mode: Mode,
    },
}

impl Judge {
    /// The mode in which what cannot be recorded is answered.
    fn mode(&self) -> Mode {
        match self {
            Self::Engine(engine) => engine.policy().root_mode(),
            Self::Closed { mode, .. } => *mode,
        }
    }
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
        Ok(engine) => Judge::Engine(Box::new(engine)),
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
    let mut session = Session {
        context,
        judge,
        scope,
        mode,
        failed,
        log,
        out,
        writer,
        tally: Tally::default(),
    };
    let result = session.read_all(&args.files);
    let Session {
        context,
        mut out,
        writer,
        log,
        tally,
        failed,
        ..
    } = session;
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

fn load(context: &Context, args: &Arguments, config: Option<&Config>) -> Result<Engine, Failure> {
    let policy = match (config, &args.unsigned_dir, &args.scope) {
        (Some(config), ..) => {
            let locking = args.fetch.locking(context, Locking::Prefer);
            with_pipeline(context, &args.fetch, |pipeline| {
                let pulled = pipeline.serve(config, locking)?;
                tell_policy(context, &pulled);
                Ok(pulled.policy)
            })?
        }
        (None, Some(dir), Some(scope)) => {
            let now = context.env.clock.now();
            pipeline::unsigned(
                &context.env.resolve(dir),
                scope,
                now,
                None,
                &Limits::default(),
            )?
        }
        (None, ..) => {
            return Err(Failure::new(
                Code::USAGE,
                "`--unsigned-dir` needs `--scope`",
            ));
        }
    };
    Ok(Engine::new(policy))
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

/// One run over all input.
struct Session<'a> {
    context: &'a Context,
    judge: Judge,
    scope: Scope,
    /// The mode in which requests are answered without a policy.
    mode: Mode,
    /// How the run ends where policy failed.
    failed: Option<Exit>,
    log: Result<Log, Failure>,
    out: Output,
    writer: Writer,
    tally: Tally,
}

type Item = Result<Raw, InputError>;
/// A decision, and its request unless that could not be read.
type Decided = (Decision, Option<Request>);

impl Session<'_> {
    fn read_all(&mut self, files: &[PathBuf]) -> Result<(), Failure> {
        for file in files {
            let reader = input::open(&self.context.env, file)?;
            let (sender, receiver) = sync_channel::<Item>(BATCH);
            thread::spawn(move || {
                for item in RequestReader::new(reader, &RequestLimits::default()) {
                    // The other side went away: there is nobody to read for.
                    if sender.send(item).is_err() {
                        break;
                    }
                }
            });
            self.decide_all(&receiver)?;
        }
        Ok(())
    }

    /// Waits for one request, takes all that have arrived by then, and decides them together.
    fn decide_all(&mut self, receiver: &Receiver<Item>) -> Result<(), Failure> {
        while let Ok(first) = receiver.recv() {
            let mut batch = vec![first];
            batch.extend(receiver.try_iter().take(BATCH - 1));
            let decided: Vec<Decided> = batch.into_iter().map(|item| self.decide(item)).collect();
            self.record_and_print(decided)?;
        }
        Ok(())
    }

    fn decide(&mut self, item: Item) -> Decided {
        let started = Instant::now();
        let time = self.context.env.clock.now();
        self.close_when_past(time);
        let occasion = |fingerprint: String| Occasion {
            decision_id: decision_id(time),
            time,
            request_fingerprint: fingerprint,
            freshness: Freshness::Fresh,
            duration_ns: u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX),
        };
        let (failure, fingerprint) = match item {
            Ok(raw) => match self.read(&raw) {
                Ok(request) => {
                    let fingerprint = request.fingerprint().to_string();
                    let decision = match &self.judge {
                        Judge::Engine(engine) => {
                            let verdict = engine.evaluate(&request, time);
                            Decision::new(engine, &verdict, occasion(fingerprint))
                        }
                        Judge::Closed {
                            cause,
                            reason,
                            mode,
                        } => Decision::fail_closed(
                            &self.scope,
                            *mode,
                            *cause,
                            reason,
                            occasion(fingerprint),
                        ),
                    };
                    return (decision, Some(request));
                }
                Err(error) => {
                    let failure = Failure::from(error).about(&format!("line {}", raw.line));
                    (failure, Sha256Digest::of(&raw.bytes).to_string())
                }
            },
            Err(error) => (Failure::from(error), Sha256Digest::of(b"").to_string()),
        };
        failure.print();
        self.tally.unreadable += 1;
        let decision = self.refuse(
            Cause::InvalidRequest,
            &failure.summary(),
            occasion(fingerprint),
        );
        (decision, None)
    }

    /// A run that lasts does not outlive its policy.
    fn close_when_past(&mut self, time: jiff::Timestamp) {
        let Judge::Engine(engine) = &self.judge else {
            return;
        };
        let validity = engine.policy().validity();
        if validity.at(time).is_some() {
            return;
        }
        let message = format!(
            "the policy's time ended at {}",
            whole_second(validity.serves_until())
        );
        let failure = Failure::new(Code::EXPIRED, message)
            .hint("run `ordain bundle pull`; if it stays, its signers must renew it");
        failure.print();
        self.judge = Judge::Closed {
            cause: Cause::PolicyNotTrusted,
            reason: failure.summary(),
            mode: self.mode,
        };
        self.failed = (self.mode == Mode::Enforce).then(|| failure.exit());
    }

    fn read(&self, raw: &Raw) -> Result<Request, RequestError> {
        let project = |path: &str| project_identity(&self.context.env.current, path);
        Request::from_json_in(&raw.bytes, &RequestLimits::default(), &project)
    }

    /// A denial whatever the mode: what cannot be read is no request of this policy's, and what is not on record is no
    /// answer.
    fn refuse(&self, cause: Cause, reason: &str, occasion: Occasion) -> Decision {
        Decision::fail_closed(&self.scope, Mode::Enforce, cause, reason, occasion)
    }

    fn record_and_print(&mut self, mut decided: Vec<Decided>) -> Result<(), Failure> {
        let failure = self.record(&mut decided).err();
        let mut is_binding = false;
        if let Some(failure) = &failure {
            // INVARIANT: no decision without a record, so what was decided is not said.
            for (decision, _) in &mut decided {
                // SECURITY: a scope below a root that only warns may enforce; what it enforced is not let go.
                let mode = self.judge.mode().max(decision.mode);
                is_binding |= mode == Mode::Enforce;
                *decision = self.without_policy(mode, Cause::LogUnwritable, failure, decision);
            }
        }
        for (decision, request) in &decided {
            self.tally.count(decision);
            self.writer
                .decision(&mut self.out, decision, request.as_ref())?;
        }
        self.out.flush()?;
        match failure {
            Some(failure) if is_binding => Err(failure),
            Some(failure) => {
                failure.print();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Appends the batch. A decision that is too long for the log is replaced by a denial that is not.
    fn record(&mut self, decided: &mut [Decided]) -> Result<(), Failure> {
        let now = self.context.env.clock.now();
        loop {
            let log = match &mut self.log {
                Ok(log) => log,
                Err(failure) => return Err(failure.clone()),
            };
            let records = decided
                .iter()
                .map(|(decision, request)| Record::new(decision, request.as_ref()));
            let error = match log.append_batch(records, now) {
                Ok(_) => return Ok(()),
                Err(error) => error,
            };
            let too_long = match &error {
                LogError::Record { position, .. } => usize::try_from(*position)
                    .ok()
                    .and_then(|position| decided.get_mut(position)),
                _ => None,
            };
            // A denial without a request always fits, so each can be replaced but once.
            let Some(long) = too_long.filter(|(_, request)| request.is_some()) else {
                return Err(error.into());
            };
            let failure = Failure::from(error);
            failure.print();
            self.tally.unreadable += 1;
            long.0 = self.without_policy(Mode::Enforce, Cause::RecordTooLong, &failure, &long.0);
            long.1 = None;
        }
    }

    /// The decision that stands in for `decision`, whose answer is not given.
    fn without_policy(
        &self,
        mode: Mode,
        cause: Cause,
        failure: &Failure,
        decision: &Decision,
    ) -> Decision {
        let occasion = Occasion {
            decision_id: decision_id(decision.time),
            time: decision.time,
            request_fingerprint: decision.request_fingerprint.clone(),
            freshness: Freshness::Fresh,
            duration_ns: decision.duration_ns,
        };
        Decision::fail_closed(&self.scope, mode, cause, &failure.summary(), occasion)
    }
}

/// A UUIDv7 of this time.
fn decision_id(time: jiff::Timestamp) -> Uuid {
    let seconds = u64::try_from(time.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(time.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(
        uuid::NoContext,
        seconds,
        nanoseconds,
    ))
}
