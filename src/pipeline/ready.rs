//! What decides requests, compiled again only where it must be.
//!
//! The bundles are verified each time, every signature and file of them: that is what makes the policy the policy. To read,
//! check and resolve the policies that are in them is a computation on verified bytes, whose outcome this machine keeps: by the
//! digests of what went in, the scope, the cap on modes, and the program itself. See [`crate::engine::Compiled`] for how it is
//! known to be what was kept, and `docs/decisions/0012` for what that takes for granted.

use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use serde_json::json;

use super::error::PipelineError;
use super::pull::{Pulled, PulledBundle};
use super::{Pipeline, effective, unsigned};
use crate::bundle::Limits;
use crate::config::Config;
use crate::digest::Sha256Digest;
use crate::engine::request::Request;
use crate::engine::{Compiled, Engine};
use crate::json;
use crate::name::Scope;
use crate::policy::Mode;
use crate::resolve::EffectivePolicy;
use crate::source::compiled;
use crate::trust::{Validity, VerifiedBundle, check_requires};

/// Fewer rules than this compile faster than a kept policy is written and read.
const WORTH_KEEPING: usize = 200;
/// How many requests are decided from a kept policy before the whole is compiled.
const FEW: u32 = 8;

/// Whether a policy that was compiled before may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// What this machine kept decides, and what it compiles is kept.
    Kept,
    /// Everything is compiled again: others may have written this machine's state.
    Nothing,
}

/// A policy that can decide.
#[derive(Debug)]
pub enum Ready {
    /// Compiled now.
    Engine(Box<Engine>),
    /// Compiled before.
    Compiled(Box<Compiled<File>>),
}

impl Pipeline<'_> {
    /// The policy of `verified` bundles at `now`, from what was kept where that will do, and kept where it had to be compiled.
    pub(super) fn ready(
        &self,
        config: &Config,
        verified: &[&VerifiedBundle],
        now: Timestamp,
        reuse: Reuse,
    ) -> Result<Ready, PipelineError> {
        check_requires(verified)?;
        let (cache, state) = (&self.directories.cache, &self.directories.state);
        let key = key(config, verified, self.limits).filter(|_| reuse == Reuse::Kept);
        let found = key.and_then(|key| compiled::find(cache, state, &key));
        let found = found.and_then(|(file, digest)| Compiled::open(file, digest));
        let fits = |found: &Compiled<File>| found.holds(now) && found.outline(verified).is_some();
        if let Some(found) = found.filter(fits) {
            return Ok(Ready::Compiled(Box::new(found)));
        }
        let policy = self.effective_of(config, verified, now)?;
        let rules: usize = policy.layers().iter().map(|layer| layer.rules.len()).sum();
        let engine = Engine::new(policy);
        if let Some(key) = key.filter(|_| rules >= WORTH_KEEPING)
            && let Some((bytes, digest)) = engine.to_bytes(now)
        {
            // Whoever cannot keep it compiles again.
            let _ = compiled::keep(cache, state, &key, (&bytes, &digest));
        }
        Ok(Ready::Engine(Box::new(engine)))
    }
}

/// Everything that the compiled policy is made from, but for the time.
fn key(config: &Config, verified: &[&VerifiedBundle], limits: &Limits) -> Option<Sha256Digest> {
    let bundle = |bundle: &&VerifiedBundle| {
        let delegated = bundle.delegated().iter();
        let delegated: Vec<String> = delegated
            .map(|(namespace, _)| namespace.to_string())
            .collect();
        let name = bundle.predicate().bundle.to_string();
        (name, bundle.payload().to_string(), delegated)
    };
    let mut bundles: Vec<_> = verified.iter().map(bundle).collect();
    bundles.sort();
    let content = json!({
        // The version alone would not tell two builds of it apart.
        "program": [env!("CARGO_PKG_VERSION"), env!("ORDAIN_SOURCE")],
        "scope": config.scope,
        "cap": config.mode,
        "limits": format!("{limits:?}"),
        "bundles": bundles,
    });
    let canonical = json::canonical(&content);
    canonical.ok().map(|bytes| Sha256Digest::of(&bytes))
}

/// What decides requests: an engine, or a kept policy for the first few.
///
/// An engine is another one as soon as an override lapses: it is replaced whole, and who reads it waits for nobody.
#[derive(Debug)]
pub struct Served {
    engine: ArcSwapOption<Engine>,
    kept: Mutex<Option<(Box<Compiled<File>>, u32)>>,
    source: Source,
    scope: Scope,
    limits: Limits,
    root_mode: Mode,
    validity: Validity,
}

/// What the policy is made from, should it be made again.
#[derive(Debug)]
enum Source {
    Verified(Vec<PulledBundle>, Option<Mode>),
    Directory(PathBuf),
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

    /// Decides with what was served for `config`.
    ///
    /// # Errors
    /// [`PipelineError::Policy`] where a kept policy is not as it was, and cannot be compiled.
    pub fn new(
        pulled: Pulled<Ready>,
        config: &Config,
        now: Timestamp,
        limits: &Limits,
    ) -> Result<Self, PipelineError> {
        let scope = config.scope.clone();
        let bundles = verified(&pulled.bundles);
        let outlined = match pulled.policy {
            Ready::Engine(engine) => Err(*engine),
            Ready::Compiled(compiled) => match compiled.outline(&bundles) {
                Some(outline) => Ok((compiled, outline)),
                None => Err(Engine::new(effective(
                    &bundles,
                    &scope,
                    now,
                    config.mode,
                    limits,
                )?)),
            },
        };
        let source = Source::Verified(pulled.bundles, config.mode);
        Ok(match outlined {
            Err(engine) => Self::whole(engine, source, scope, limits),
            Ok((compiled, outline)) => Self {
                engine: ArcSwapOption::empty(),
                kept: Mutex::new(Some((compiled, FEW))),
                source,
                scope,
                limits: limits.clone(),
                root_mode: outline.root_mode(),
                validity: outline.validity(),
            },
        })
    }

    fn whole(engine: Engine, source: Source, scope: Scope, limits: &Limits) -> Self {
        let policy = engine.policy();
        Self {
            root_mode: policy.root_mode(),
            validity: policy.validity(),
            engine: ArcSwapOption::from_pointee(engine),
            kept: Mutex::new(None),
            source,
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

    /// The engine that decides `request` at `now`, and perhaps no other.
    ///
    /// # Errors
    /// [`PipelineError`] where the policy has to be made again, and cannot.
    pub fn engine(&self, request: &Request, now: Timestamp) -> Result<Arc<Engine>, PipelineError> {
        if let Some(engine) = self.current(now) {
            return Ok(engine);
        }
        // Whoever waits here waits for a kept policy to be read, or for the whole to be compiled.
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = self.current(now) {
            return Ok(engine);
        }
        if let (Some((compiled, left)), Source::Verified(bundles, _)) = (&mut *kept, &self.source)
            && *left > 0
            && compiled.holds(now)
        {
            *left -= 1;
            if let Some(engine) = compiled.engine(request, now, &verified(bundles)) {
                return Ok(Arc::new(engine));
            }
        }
        *kept = None;
        let engine = Arc::new(Engine::new(self.policy(now)?));
        self.engine.store(Some(Arc::clone(&engine)));
        Ok(engine)
    }

    /// The whole engine, where there is one and no override has lapsed since.
    fn current(&self, now: Timestamp) -> Option<Arc<Engine>> {
        let engine = self.engine.load();
        let engine = engine.as_ref()?;
        let until = engine.policy().until();
        until
            .is_none_or(|until| now < until)
            .then(|| Arc::clone(engine))
    }

    fn policy(&self, now: Timestamp) -> Result<EffectivePolicy, PipelineError> {
        let (scope, limits) = (&self.scope, &self.limits);
        match &self.source {
            Source::Verified(bundles, cap) => {
                effective(&verified(bundles), scope, now, *cap, limits)
            }
            Source::Directory(dir) => unsigned(dir, scope, now, None, limits),
        }
    }
}

fn verified(bundles: &[PulledBundle]) -> Vec<&VerifiedBundle> {
    bundles.iter().map(|pulled| &pulled.bundle).collect()
}
