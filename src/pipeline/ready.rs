//! What decides requests, compiled again only where it must be.
//!
//! The bundles are verified each time, every signature and file of them: that is what makes the policy the policy. To read,
//! check and resolve the policies that are in them is a computation on verified bytes, whose outcome this machine keeps: by the
//! digests of what went in, the scope, the cap on modes, and the program itself. See [`crate::engine::Compiled`] for how it is
//! known to be what was kept.

use std::env;
use std::fs::File;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use serde_json::json;

use super::error::PipelineError;
use super::pull::{Pulled, PulledBundle};
use super::{Pipeline, effective};
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
    ) -> Result<Ready, PipelineError> {
        check_requires(verified)?;
        let (cache, state) = (&self.directories.cache, &self.directories.state);
        let key = key(config, verified, self.limits);
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
        "program": program()?,
        "scope": config.scope,
        "cap": config.mode,
        "limits": format!("{limits:?}"),
        "bundles": bundles,
    });
    json::canonical(&content)
        .ok()
        .map(|bytes| Sha256Digest::of(&bytes))
}

/// Which program this is: two of one version may differ, where one is built from another source.
fn program() -> Option<String> {
    let metadata = env::current_exe().and_then(|path| path.metadata()).ok()?;
    let built = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    let (version, size) = (env!("CARGO_PKG_VERSION"), metadata.len());
    Some(format!("{version} {size} {}", built.as_nanos()))
}

/// What decides requests: an engine, or a kept policy for the first few.
#[derive(Debug)]
pub struct Served {
    engine: OnceLock<Arc<Engine>>,
    kept: Option<Kept>,
    root_mode: Mode,
    validity: Validity,
}

#[derive(Debug)]
struct Kept {
    few: Mutex<(Compiled<File>, u32)>,
    bundles: Vec<PulledBundle>,
    scope: Scope,
    cap: Option<Mode>,
    limits: Limits,
}

impl Served {
    /// Decides with `engine`.
    #[must_use]
    pub fn whole(engine: Engine) -> Self {
        let policy = engine.policy();
        Self {
            root_mode: policy.root_mode(),
            validity: policy.validity(),
            engine: OnceLock::from(Arc::new(engine)),
            kept: None,
        }
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
        let compiled = match pulled.policy {
            Ready::Engine(engine) => return Ok(Self::whole(*engine)),
            Ready::Compiled(compiled) => *compiled,
        };
        let verified = verified(&pulled.bundles);
        let Some(outline) = compiled.outline(&verified) else {
            let policy = effective(&verified, &config.scope, now, config.mode, limits)?;
            return Ok(Self::whole(Engine::new(policy)));
        };
        Ok(Self {
            engine: OnceLock::new(),
            root_mode: outline.root_mode(),
            validity: outline.validity(),
            kept: Some(Kept {
                few: Mutex::new((compiled, FEW)),
                bundles: pulled.bundles,
                scope: config.scope.clone(),
                cap: config.mode,
                limits: limits.clone(),
            }),
        })
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
    /// [`PipelineError::Policy`] where a kept policy is not as it was, and cannot be compiled.
    pub fn engine(&self, request: &Request, now: Timestamp) -> Result<Arc<Engine>, PipelineError> {
        if let Some(engine) = self.engine.get() {
            return Ok(Arc::clone(engine));
        }
        let Some(kept) = &self.kept else {
            return Err(PipelineError::Policy(Vec::new()));
        };
        // Whoever waits here waits for a kept policy, or for the whole to be compiled, once.
        let mut few = kept.few.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(engine) = self.engine.get() {
            return Ok(Arc::clone(engine));
        }
        let verified = verified(&kept.bundles);
        let (compiled, left) = &mut *few;
        if *left > 0 && compiled.holds(now) {
            *left -= 1;
            if let Some(engine) = compiled.engine(request, now, &verified) {
                return Ok(Arc::new(engine));
            }
        }
        let policy: EffectivePolicy =
            effective(&verified, &kept.scope, now, kept.cap, &kept.limits)?;
        Ok(Arc::clone(
            self.engine.get_or_init(|| Arc::new(Engine::new(policy))),
        ))
    }
}

fn verified(bundles: &[PulledBundle]) -> Vec<&VerifiedBundle> {
    bundles.iter().map(|pulled| &pulled.bundle).collect()
}
