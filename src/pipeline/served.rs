//! What decides requests for as long as a process runs.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;

use super::error::PipelineError;
use super::later::Later;
use super::pull::PulledBundle;
use super::ready::{Kept, Ready};
use super::{effective, unsigned};
use crate::bundle::Limits;
use crate::config::Config;
use crate::engine::Engine;
use crate::engine::request::Request;
use crate::name::Scope;
use crate::policy::Mode;
use crate::resolve::EffectivePolicy;
use crate::trust::{Validity, VerifiedBundle, VerifiedStatement};

/// How many requests are decided from what a kept policy has of them, before all of it is read.
const FEW: u32 = 8;

/// What decides requests: an engine, or for the first few what a kept policy has of each.
///
/// An engine is another one as soon as an override lapses: it is replaced whole, and who reads it waits for nobody.
#[derive(Debug)]
pub struct Served {
    engine: ArcSwapOption<Engine>,
    few: Mutex<Option<Few>>,
    source: Source,
    /// Why its bundles cannot be had. Nobody waits twice for them to be fetched in vain.
    failed: OnceLock<Arc<PipelineError>>,
    scope: Scope,
    limits: Limits,
    root_mode: Mode,
    validity: Validity,
}

/// What the policy is made from, should it be made again.
#[derive(Debug)]
enum Source {
    Verified(Vec<PulledBundle>, Option<Mode>),
    /// Bundles of which only the statements are here.
    Later(Box<Later>, Option<Mode>),
    Directory(PathBuf),
}

/// A kept policy, for as many requests as are left to it.
#[derive(Debug)]
struct Few {
    kept: Kept,
    /// What was signed of its bundles.
    statements: Vec<VerifiedStatement>,
    left: u32,
}

impl Few {
    /// All of it, where it is the policy at `now`, too, and is there as it was kept.
    fn whole(mut self, now: Timestamp) -> Option<Engine> {
        let compiled = &mut self.kept.compiled;
        let engine = compiled
            .holds(now)
            .then(|| compiled.whole(&self.statements));
        engine.flatten()
    }
}

impl Served {
    /// Decides with a directory that nobody signed.
    ///
    /// # Errors
    /// [`PipelineError`] where it is no policy.
    pub fn unsigned(
        dir: PathBuf,
        scope: Scope,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<Self, PipelineError> {
        let policy = unsigned(&dir, &scope, now, None, limits)?;
        let source = Source::Directory(dir);
        Ok(Self::whole(Engine::new(policy), source, scope, limits))
    }

    /// Decides with verified bundles, of which the policy is `ready`.
    pub(super) fn new(
        bundles: Vec<PulledBundle>,
        ready: Ready,
        config: &Config,
        limits: &Limits,
    ) -> Self {
        let statements = bundles.iter();
        let statements = statements.map(|pulled| pulled.bundle.statement().clone());
        let statements = statements.collect();
        let source = Source::Verified(bundles, config.mode);
        let scope = config.scope.clone();
        match ready {
            Ready::Engine(engine) => Self::whole(*engine, source, scope, limits),
            Ready::Kept(kept) => Self::few(kept, statements, source, scope, limits),
        }
    }

    /// Decides with a kept policy, and with the bundles themselves where that does not do.
    pub(super) fn kept(
        kept: Kept,
        statements: Vec<VerifiedStatement>,
        later: Later,
        config: &Config,
        limits: &Limits,
    ) -> Self {
        let source = Source::Later(Box::new(later), config.mode);
        Self::few(kept, statements, source, config.scope.clone(), limits)
    }

    fn few(
        kept: Kept,
        statements: Vec<VerifiedStatement>,
        source: Source,
        scope: Scope,
        limits: &Limits,
    ) -> Self {
        Self {
            engine: ArcSwapOption::empty(),
            root_mode: kept.root_mode,
            validity: kept.validity,
            few: Mutex::new(Some(Few {
                kept,
                statements,
                left: FEW,
            })),
            source,
            failed: OnceLock::new(),
            scope,
            limits: limits.clone(),
        }
    }

    fn whole(engine: Engine, source: Source, scope: Scope, limits: &Limits) -> Self {
        let policy = engine.policy();
        Self {
            root_mode: policy.root_mode(),
            validity: policy.validity(),
            engine: ArcSwapOption::from_pointee(engine),
            few: Mutex::new(None),
            source,
            failed: OnceLock::new(),
            scope,
            limits: limits.clone(),
        }
    }

    /// The root scope's mode, under the consumer's cap.
    #[must_use]
    pub fn root_mode(&self) -> Mode {
        self.root_mode
    }

    /// Until when it decides.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// Decides with the engine that decides `request` at `now`, and perhaps no other.
    ///
    /// # Errors
    /// [`PipelineError`] where the policy has to be made again, and cannot.
    pub fn with_engine<T>(
        &self,
        request: &Request,
        now: Timestamp,
        decide: impl FnOnce(&Engine) -> T,
    ) -> Result<T, PipelineError> {
        // Counting who reads it would pass one line of memory to and fro between threads, for every request.
        if let Some(engine) = self.engine.load().as_deref()
            && holds(engine, now)
        {
            return Ok(decide(engine));
        }
        self.engine(request, now).map(|engine| decide(&engine))
    }

    fn engine(&self, request: &Request, now: Timestamp) -> Result<Arc<Engine>, PipelineError> {
        // Whoever waits here waits for a kept policy to be read, or for the whole to be compiled.
        let mut few = self.few.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = self.engine.load_full().filter(|engine| holds(engine, now)) {
            return Ok(engine);
        }
        if let Some(few) = &mut *few
            && few.left > 0
            && few.kept.compiled.holds(now)
        {
            few.left -= 1;
            let Few {
                kept, statements, ..
            } = few;
            if let Some(engine) = kept.compiled.engine(request, now, statements) {
                return Ok(Arc::new(engine));
            }
        }
        let whole = few.take().and_then(|few| few.whole(now));
        let engine = match whole {
            Some(engine) => engine,
            None => Engine::new(self.policy(now)?),
        };
        let engine = Arc::new(engine);
        self.engine.store(Some(Arc::clone(&engine)));
        Ok(engine)
    }

    fn policy(&self, now: Timestamp) -> Result<EffectivePolicy, PipelineError> {
        let (scope, limits) = (&self.scope, &self.limits);
        match &self.source {
            Source::Verified(bundles, cap) => {
                effective(&verified(bundles), scope, now, *cap, limits)
            }
            Source::Later(later, cap) => {
                let lasting = |error: &Arc<_>| PipelineError::Lasting(Arc::clone(error));
                if let Some(error) = self.failed.get() {
                    return Err(lasting(error));
                }
                let bundles = later.bundles();
                let bundles = bundles
                    .map_err(|error| lasting(self.failed.get_or_init(|| Arc::new(error))))?;
                effective(&verified(&bundles), scope, now, *cap, limits)
            }
            Source::Directory(dir) => unsigned(dir, scope, now, None, limits),
        }
    }
}

/// Whether no override has lapsed since the engine was made.
fn holds(engine: &Engine, now: Timestamp) -> bool {
    let until = engine.policy().until();
    until.is_none_or(|until| now < until)
}

fn verified(bundles: &[PulledBundle]) -> Vec<&VerifiedBundle> {
    bundles.iter().map(|pulled| &pulled.bundle).collect()
}
