//! `ordain policy impact`.

use std::collections::BTreeMap;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use serde_json::Value;

use super::sides::{Both, Sides};
use crate::bundle::Limits;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::output::policy_impact::{self, Format, Skipped};
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape};
use crate::diag::{Code, Diagnostic};
use crate::digest::Sha256Digest;
use crate::engine::Engine;
use crate::engine::impact::{Asked, Comparison, Names, OnRecord, Tally};
use crate::engine::input::RequestReader;
use crate::engine::request::{Request, RequestLimits};
use crate::log::{Logged, LoggedDecision, LoggedLines};
use crate::name::{RuleRef, Scope};
use crate::pipeline::project_identity;
use crate::policy::{Mode, read_tests};
use crate::resolve::{LoadedBundle, resolve};

/// The most scopes, times and caps for which engines are kept.
const MAX_ENGINES: usize = 32;

#[derive(Debug, Args)]
pub(crate) struct Impact {
    #[command(flatten)]
    sides: Sides,
    /// A decision log, as its directory or its file; of each record the names are known, and the rules that matched.
    #[arg(long, value_name = "PATH")]
    log: Option<PathBuf>,
    /// A file with requests: one, a JSON array, or JSON Lines; `-` for standard input. Repeat for each.
    #[arg(long, value_name = "FILE")]
    requests: Vec<PathBuf>,
    /// The requests of both sides' policy tests, each at its own time and for its own scope.
    #[arg(long)]
    tests: bool,
    /// The scope whose policy answers --requests, and whose records of --log count.
    #[arg(long)]
    scope: Option<Scope>,
    /// How many requests the report names, of those that flip and of those that may; it counts them all.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    limit: usize,
    /// How to write the report.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// End with exit code 1 where there is such a request.
    #[arg(long, value_enum, value_name = "WHAT")]
    fail_on: Option<FailOn>,
}

/// What ends the command with a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// A request that gets a weaker answer, or may.
    Loosening,
    /// A request that gets another answer, or may.
    Flip,
}

pub(super) fn run(context: &Context, args: &Impact) -> Result<Exit, Failure> {
    if args.log.is_none() && args.requests.is_empty() && !args.tests {
        return Err(Failure::new(
            Code::USAGE,
            "there is nothing to ask: no requests are named",
        )
        .hint("give `--log`, `--requests` or `--tests`"));
    }
    if !args.requests.is_empty() && args.scope.is_none() {
        return Err(Failure::new(Code::USAGE, "`--requests` needs `--scope`")
            .hint("a request does not say whose policy answers it"));
    }
    let both = args.sides.read(context)?;
    let mut run = Run {
        context,
        now: context.env.clock.now(),
        bundles: [both.bundles(&both.before), both.bundles(&both.after)],
        cap: both.cap,
        engines: BTreeMap::new(),
        tally: Tally::new(args.limit),
        skipped: Skipped::default(),
    };
    if let Some(log) = &args.log {
        run.log(log, args.scope.as_ref())?;
    }
    for file in &args.requests {
        run.requests(file, args.scope.as_ref())?;
    }
    if args.tests {
        run.tests(&both)?;
    }
    let mut out = Output::stdout();
    policy_impact::write(
        &mut out,
        args.format,
        &run.tally,
        &run.skipped,
        &both.introduced(),
    )?;
    out.flush()?;
    both.warn();
    Ok(
        finding(args.fail_on, &run.tally).map_or(Exit::Success, |failure| {
            failure.print();
            failure.exit()
        }),
    )
}

fn finding(fail_on: Option<FailOn>, tally: &Tally) -> Option<Failure> {
    let counts = tally.counts();
    let (certain, possible, code, what) = match fail_on? {
        FailOn::Loosening => (
            counts.loosened,
            counts.may_loosen,
            Code::IMPACT_LOOSENS,
            "a weaker answer",
        ),
        FailOn::Flip => (
            counts.flipped,
            counts.open,
            Code::IMPACT_FLIPS,
            "another answer",
        ),
    };
    let message = format!("distinct requests that get {what}: {certain}; that may: {possible}");
    (certain + possible > 0).then(|| Failure::new(code, message))
}

type Key = (Scope, Timestamp, Option<Mode>);

/// One run over all requests.
struct Run<'a> {
    context: &'a Context,
    now: Timestamp,
    bundles: [Vec<LoadedBundle>; 2],
    cap: Option<Mode>,
    /// Both policies of a scope; none where a side has none.
    engines: BTreeMap<Key, Option<Comparison>>,
    tally: Tally,
    skipped: Skipped,
}

impl Run<'_> {
    /// Both policies of `scope` as they stand at `time`; none where one of the sides has none.
    fn engines(
        &mut self,
        scope: &Scope,
        time: Timestamp,
        cap: Option<Mode>,
    ) -> Result<Option<&Comparison>, Failure> {
        let key = (scope.clone(), time, cap);
        if !self.engines.contains_key(&key) {
            // Memory is bounded, whatever a log names.
            if self.engines.len() >= MAX_ENGINES {
                self.engines.clear();
            }
            let [before, after] = &self.bundles;
            let side = |bundles: &[LoadedBundle]| -> Result<Option<Engine>, Vec<Diagnostic>> {
                match resolve(bundles, scope, time, cap) {
                    Ok(policy) => Ok(Some(Engine::new(policy))),
                    Err(found) if found.iter().all(|one| one.code == Code::RESOLVE_NO_ROOT) => {
                        Ok(None)
                    }
                    Err(found) => Err(found),
                }
            };
            let engines = side(before)?.zip(side(after)?);
            let comparison = engines.map(|(before, after)| Comparison::new(before, after));
            self.engines.insert(key.clone(), comparison);
        }
        Ok(self.engines.get(&key).and_then(Option::as_ref))
    }

    fn log(&mut self, path: &Path, only: Option<&Scope>) -> Result<(), Failure> {
        let path = self.context.env.resolve(path);
        let file = if path.is_dir() {
            path.join("decisions.jsonl")
        } else {
            path
        };
        let unreadable = |error: std::io::Error| {
            let name = escape(&file.display().to_string());
            Failure::new(
                Code::FILE_UNREADABLE,
                format!("cannot read `{name}`: {error}"),
            )
        };
        let reader =
            BufReader::with_capacity(256 << 10, std::fs::File::open(&file).map_err(unreadable)?);
        self.skipped.has_log = true;
        for line in LoggedLines::new(reader) {
            match line.map_err(unreadable)? {
                Logged::Decision(found) => {
                    if only.is_none_or(|only| *only == found.scope) {
                        self.record(&found)?;
                    }
                }
                Logged::Other => {}
                Logged::Unreadable => self.skipped.unreadable_lines += 1,
            }
        }
        Ok(())
    }

    fn record(&mut self, found: &LoggedDecision) -> Result<(), Failure> {
        let Some(request) = &found.request else {
            self.skipped.without_request += 1;
            return Ok(());
        };
        if self.tally.repeats(&found.scope, found.request_fingerprint) {
            return Ok(());
        }
        let (subject, resource) = (&request.subject, &request.resource);
        let names = Names::new(
            (subject.kind.clone(), subject.id.clone()),
            request.action.clone(),
            (resource.kind.clone(), resource.id.clone()),
        );
        let matched: Vec<(RuleRef, bool)> = found
            .matched
            .iter()
            .map(|hit| (hit.rule.clone(), hit.failed))
            .collect();
        let record = OnRecord {
            policy: found.policy_digest,
            matched: &matched,
        };
        // Waivers as they stand now, hours and freezes as of the time at which it was asked.
        let (now, cap) = (self.now, self.cap);
        let Some(engines) = self.engines(&found.scope, now, cap)? else {
            self.skipped.without_policy(&found.scope);
            return Ok(());
        };
        let impact = engines.named(&names, found.time, record);
        let [kind, id, action, resource_kind, resource] = names.told();
        let asked = Asked {
            scope: found.scope.clone(),
            place: format!("log:{}", found.seq),
            fingerprint: found.request_fingerprint,
            subject: format!("{kind}:{id}"),
            action: action.to_owned(),
            resource: format!("{resource_kind}:{resource}"),
            time: found.time,
        };
        self.tally.add(asked, impact);
        Ok(())
    }

    fn requests(&mut self, file: &Path, scope: Option<&Scope>) -> Result<(), Failure> {
        let Some(scope) = scope else { return Ok(()) };
        let name = file.display().to_string();
        let limits = RequestLimits::default();
        for raw in RequestReader::new(input::open(&self.context.env, file)?, &limits) {
            let raw =
                raw.map_err(|error| Failure::from(error).about(&format!("`{}`", escape(&name))))?;
            let place = format!("{name}:{}", raw.line);
            let project = |path: &str| project_identity(&self.context.env.current, path);
            let request = Request::from_json_in(&raw.bytes, &limits, &project)
                .map_err(|error| Failure::from(error).about(&format!("`{}`", escape(&place))))?;
            let (now, cap) = (self.now, self.cap);
            self.whole(&request, scope, now, cap, place)?;
        }
        Ok(())
    }

    /// The cases of both sides' tests.
    fn tests(&mut self, both: &Both) -> Result<(), Failure> {
        for side in [&both.before, &both.after] {
            let tests = read_tests(&side.reviewed.files, &Limits::default())?;
            for case in tests.iter().flat_map(|test| &test.cases) {
                let bytes = case.request.to_string();
                let place = format!("{}:{}", case.location.file, case.location.line);
                let request = Request::from_json(bytes.as_bytes(), &RequestLimits::default())
                    .map_err(|error| {
                        Failure::from(error).about(&format!("`{}`", escape(&place)))
                    })?;
                self.whole(&request, &case.scope, case.now, case.cap, place)?;
            }
        }
        Ok(())
    }

    fn whole(
        &mut self,
        request: &Request,
        scope: &Scope,
        time: Timestamp,
        cap: Option<Mode>,
        place: String,
    ) -> Result<(), Failure> {
        // Asked at another time or under another cap it is another request.
        let about = format!("{} {time} {cap:?}", request.fingerprint());
        let fingerprint = Sha256Digest::of(about.as_bytes());
        if self.tally.repeats(scope, fingerprint) {
            return Ok(());
        }
        let Some(engines) = self.engines(scope, time, cap)? else {
            self.skipped.without_policy(scope);
            return Ok(());
        };
        let impact = engines.whole(request, time);
        let text = |pointer: &str| {
            let found = request
                .attributes()
                .pointer(pointer)
                .and_then(Value::as_str);
            found.unwrap_or_default().to_owned()
        };
        let asked = Asked {
            scope: scope.clone(),
            place,
            fingerprint,
            subject: format!("{}:{}", text("/subject/type"), text("/subject/id")),
            action: text("/action/name"),
            resource: format!("{}:{}", text("/resource/type"), text("/resource/id")),
            time,
        };
        self.tally.add(asked, impact);
        Ok(())
    }
}
