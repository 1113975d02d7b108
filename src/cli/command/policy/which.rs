//! Whose policy a command is about: the configured bundles', or that of directories that nobody signed.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::bundle::Limits;
use crate::cli::command::Context;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, tell_policy, with_pipeline};
use crate::config::Config;
use crate::diag::Code;
use crate::engine::Engine;
use crate::name::Scope;
use crate::pipeline::bench::{LoadTimes, Memory, Source, resident};
use crate::pipeline::{self, Authored, Locking, PipelineError, Unreadable};
use crate::policy::{PolicyTest, read_tests};
use crate::resolve::{self, EffectivePolicy, LoadedBundle};

/// The bundles that a bundle builds on.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct With {
    /// The directory of a bundle that holds scopes above, or packs; may be given several times.
    #[arg(long = "with", value_name = "DIR")]
    dirs: Vec<PathBuf>,
}

impl With {
    /// Reads the bundle in `dir`, which nobody needs to have signed, and those.
    pub(super) fn read(&self, context: &Context, dir: &Path) -> Result<Authored, PipelineError> {
        let read = self.draft(context, dir)?;
        read.map_err(|found| PipelineError::Policy(found.problems))
    }

    /// The same, with the bundle's files where its policies cannot be read.
    pub(super) fn draft(
        &self,
        context: &Context,
        dir: &Path,
    ) -> Result<Result<Authored, Unreadable>, PipelineError> {
        let dirs: Vec<PathBuf> = self
            .dirs
            .iter()
            .map(|dir| context.env.resolve(dir))
            .collect();
        let dirs: Vec<&Path> = dirs.iter().map(PathBuf::as_path).collect();
        pipeline::authored(&context.env.resolve(dir), &dirs, &Limits::default())
    }

    /// Whether none is given.
    pub(super) fn is_empty(&self) -> bool {
        self.dirs.is_empty()
    }

    /// Those bundles alone.
    pub(super) fn others(
        &self,
        context: &Context,
        limits: &Limits,
    ) -> Result<Vec<LoadedBundle>, PipelineError> {
        let dirs = self.dirs.iter().map(|dir| context.env.resolve(dir));
        dirs.map(|dir| Ok(pipeline::review_directory(&dir, limits)?.bundle))
            .collect()
    }

    /// Without a directory to add them to, they would silently not count.
    pub(super) fn needs(&self, dir: Option<&Path>, flag: &str) -> Result<(), Failure> {
        if dir.is_none() && !self.dirs.is_empty() {
            return Err(Failure::new(Code::USAGE, format!("`--with` needs {flag}")));
        }
        Ok(())
    }
}

/// A policy that was looked at, and what that took.
#[derive(Debug)]
pub(in crate::cli::command) struct Timed {
    pub(in crate::cli::command) engine: Engine,
    pub(in crate::cli::command) load: LoadTimes,
    pub(in crate::cli::command) memory: Option<Memory>,
    /// The tests that come with its bundles.
    pub(in crate::cli::command) tests: Vec<PolicyTest>,
}

/// One scope's policy.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// The scope; the configuration's where none is given.
    #[arg(long)]
    scope: Option<Scope>,
    /// Read a directory that nobody signed, instead of the configured bundles.
    #[arg(long, value_name = "DIR", requires = "scope")]
    unsigned_dir: Option<PathBuf>,
    #[command(flatten)]
    with: With,
    #[command(flatten)]
    fetch: FetchFlags,
}

impl Which {
    /// Whether a directory that nobody signed stands in for the configured bundles.
    pub(super) fn is_unsigned(&self) -> bool {
        self.unsigned_dir.is_some()
    }

    /// The configuration, for the scope that is asked about.
    pub(super) fn config(&self, context: &Context) -> Result<Config, Failure> {
        let mut config = project::config(context)?;
        if let Some(scope) = &self.scope {
            config.scope = scope.clone();
        }
        Ok(config)
    }

    /// The effective policy.
    pub(super) fn policy(&self, context: &Context) -> Result<EffectivePolicy, Failure> {
        self.with
            .needs(self.unsigned_dir.as_deref(), "`--unsigned-dir`")?;
        if let (Some(dir), Some(scope)) = (&self.unsigned_dir, &self.scope) {
            let now = context.env.clock.now();
            let authored = self.with.read(context, dir)?;
            return Ok(resolve::resolve(&authored.bundles, scope, now, None)?);
        }
        let config = self.config(context)?;
        let locking = self.fetch.locking(context, Locking::Prefer);
        with_pipeline(context, &self.fetch, |pipeline| {
            let pulled = pipeline.serve(&config, locking)?;
            tell_policy(context, &pulled);
            Ok(pulled.policy)
        })
    }
}

impl Which {
    /// The same policy, which is looked at and taken for nothing: not even what is seen of bundles is kept. Its steps are
    /// repeated for so long.
    pub(in crate::cli::command) fn timed(
        &self,
        context: &Context,
        time: Duration,
    ) -> Result<Timed, Failure> {
        let limits = Limits::default();
        let before = resident();
        self.with
            .needs(self.unsigned_dir.as_deref(), "`--unsigned-dir`")?;
        if let (Some(dir), Some(scope)) = (&self.unsigned_dir, &self.scope) {
            let now = context.env.clock.now();
            let authored = self.with.read(context, dir)?;
            let policy = resolve::resolve(&authored.bundles, scope, now, None)?;
            let engine = Engine::new(policy);
            let memory = Memory::since(before);
            let dirs = std::iter::once(dir).chain(&self.with.dirs);
            let dirs: Vec<PathBuf> = dirs.map(|dir| context.env.resolve(dir)).collect();
            let source = Source::Unsigned {
                dirs: &dirs,
                scope,
                limits: &limits,
                now,
            };
            return Ok(Timed {
                engine,
                load: LoadTimes::measure(source, time)?,
                memory,
                tests: read_tests(&authored.files, &limits)?,
            });
        }
        let config = self.config(context)?;
        let locking = self.fetch.locking(context, Locking::Prefer);
        with_pipeline(context, &self.fetch, |pipeline| {
            let pulled = pipeline.rehearse(&config, locking)?;
            tell_policy(context, &pulled);
            let engine = Engine::new(pulled.policy.clone());
            let memory = Memory::since(before);
            let source = Source::Configured {
                pipeline,
                config: &config,
                pulled: &pulled,
            };
            let load = LoadTimes::measure(source, time)?;
            let mut tests = Vec::new();
            for pulled in &pulled.bundles {
                tests.extend(read_tests(pulled.bundle.files(), &limits)?);
            }
            Ok(Timed {
                engine,
                load,
                memory,
                tests,
            })
        })
    }
}

/// The policies of every configured bundle.
pub(super) fn configured(
    context: &Context,
    fetch: &FetchFlags,
) -> Result<Vec<LoadedBundle>, Failure> {
    let config = project::config(context)?;
    let locking = fetch.locking(context, Locking::Prefer);
    with_pipeline(context, fetch, |pipeline| {
        let pulled = pipeline.serve(&config, locking)?;
        tell_policy(context, &pulled);
        let bundles = pulled.bundles.iter().map(|pulled| &pulled.bundle);
        Ok(bundles
            .map(|bundle| LoadedBundle::verified(bundle, pipeline.limits))
            .collect::<Result<_, _>>()?)
    })
}
