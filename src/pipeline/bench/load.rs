//! How long it takes from what lies here to an engine, step by step.

use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::super::pull::{PolicyOf, Purpose};
use super::super::{Locking, Network, Pipeline, PipelineError, Pulled, author, read_directory};
use crate::bundle::{FetchedBundle, Limits};
use crate::clock::Stopwatch;
use crate::config::Config;
use crate::diag::Diagnostic;
use crate::engine::Engine;
use crate::name::Scope;
use crate::policy::Mode;
use crate::resolve::{LoadedBundle, resolve};
use crate::trust::VerifiedBundle;

/// The most rounds.
const ROUNDS: usize = 25;

/// Where policy comes from.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// Configured bundles.
    Configured {
        /// How they are found and verified.
        pipeline: &'a Pipeline<'a>,
        /// Whose policy it is.
        config: &'a Config,
        /// What was found when they were looked at.
        pulled: &'a Pulled,
    },
    /// Directories that nobody signed.
    Unsigned {
        /// The directories.
        dirs: &'a [PathBuf],
        /// Whose policy it is.
        scope: &'a Scope,
        /// Caps on what is read.
        limits: &'a Limits,
        /// The time of the resolution.
        now: Timestamp,
    },
}

/// How long one step takes, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Spread {
    /// The least.
    pub min_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// The greatest.
    pub max_ns: u64,
}

/// How long each step takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LoadTimes {
    /// How often each step was taken.
    pub rounds: usize,
    /// Of configured bundles: trust root, store, digests and signatures. Of directories: reading them. None where the bundles
    /// were fetched for this run alone.
    pub read: Option<Spread>,
    /// From YAML to rules, with regular expressions and conditions compiled.
    pub validate: Option<Spread>,
    /// From bundles to one effective policy with its digest.
    pub resolve: Option<Spread>,
    /// From that to an engine.
    pub compile: Option<Spread>,
}

/// One round.
struct Round {
    read: Option<Duration>,
    validate: Duration,
    resolve: Duration,
    compile: Duration,
}

impl LoadTimes {
    /// Takes every step again and again within `time`, once at least.
    ///
    /// # Errors
    /// [`PipelineError`], if the files changed meanwhile.
    pub fn measure(source: Source<'_>, time: Duration) -> Result<Self, PipelineError> {
        let whole = Stopwatch::start();
        let mut rounds = vec![source.round()?];
        while rounds.len() < ROUNDS && whole.elapsed() < time {
            rounds.push(source.round()?);
        }
        let of = |step: fn(&Round) -> Option<Duration>| spread(rounds.iter().filter_map(step));
        Ok(Self {
            rounds: rounds.len(),
            read: of(|round| round.read),
            validate: of(|round| Some(round.validate)),
            resolve: of(|round| Some(round.resolve)),
            compile: of(|round| Some(round.compile)),
        })
    }
}

impl Source<'_> {
    fn round(&self) -> Result<Round, PipelineError> {
        match self {
            Self::Configured {
                pipeline,
                config,
                pulled,
            } => {
                let here = Pipeline {
                    network: Network::Forbidden,
                    ..**pipeline
                };
                let watch = Stopwatch::start();
                let nothing: &PolicyOf<'_, ()> = &|_, _| Ok(());
                let found = here.gather(config, Locking::Locked, Purpose::Examine, nothing);
                let read = watch.elapsed();
                let bundles = match &found {
                    Ok(found) => &found.pulled.bundles,
                    Err(_) => &pulled.bundles,
                };
                let bundles: Vec<&VerifiedBundle> =
                    bundles.iter().map(|pulled| &pulled.bundle).collect();
                let now = pipeline.clock.now();
                let validate = || {
                    let load =
                        |bundle: &&VerifiedBundle| LoadedBundle::verified(bundle, pipeline.limits);
                    bundles.iter().map(load).collect()
                };
                let read = found.is_ok().then_some(read);
                rest(read, validate, &config.scope, now, config.mode)
            }
            Self::Unsigned {
                dirs,
                scope,
                limits,
                now,
            } => {
                let watch = Stopwatch::start();
                let read = dirs.iter().map(|dir| read_directory(dir, limits));
                let read: Vec<FetchedBundle> = read.collect::<Result<_, _>>()?;
                let files = dirs.iter().zip(&read);
                let read = watch.elapsed();
                let validate = || {
                    let load = |(dir, bundle): (&PathBuf, &FetchedBundle)| {
                        author::load(dir, &bundle.files, limits)
                    };
                    files.map(load).collect()
                };
                rest(Some(read), validate, scope, *now, None)
            }
        }
    }
}

/// The steps that all policy takes.
fn rest(
    read: Option<Duration>,
    load: impl FnOnce() -> Result<Vec<LoadedBundle>, Vec<Diagnostic>>,
    scope: &Scope,
    now: Timestamp,
    cap: Option<Mode>,
) -> Result<Round, PipelineError> {
    let watch = Stopwatch::start();
    let bundles = load().map_err(PipelineError::Policy)?;
    let validate = watch.elapsed();
    let watch = Stopwatch::start();
    let policy = resolve(&bundles, scope, now, cap).map_err(PipelineError::Policy)?;
    let resolve = watch.elapsed();
    let watch = Stopwatch::start();
    let engine = Engine::new(policy);
    let compile = watch.elapsed();
    std::hint::black_box(&engine);
    Ok(Round {
        read,
        validate,
        resolve,
        compile,
    })
}

fn spread(times: impl Iterator<Item = Duration>) -> Option<Spread> {
    let ns = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let mut times: Vec<u64> = times.map(ns).collect();
    times.sort_unstable();
    Some(Spread {
        min_ns: *times.first()?,
        p50_ns: *times.get(times.len() / 2)?,
        max_ns: *times.last()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_is_told() {
        let times = [5, 1, 3].map(Duration::from_nanos);
        let expected = Spread {
            min_ns: 1,
            p50_ns: 3,
            max_ns: 5,
        };
        assert_eq!(spread(times.into_iter()), Some(expected));
        assert_eq!(spread(std::iter::empty()), None);
    }
}
