//! What decides requests, compiled again only where it must be.
//!
//! To read, check and resolve the policies that are in bundles is a computation on verified bytes, whose outcome this machine
//! keeps: by the digests of what went in, the scope, the cap on modes, and the program itself. See [`crate::engine::Compiled`] for
//! how it is known to be what was kept.
//!
//! 1. What is locked, and was compiled before, decides as soon as what was signed of it is verified. Its files are not read: what
//!    was kept was made from them, once each had the digest that the very same statement gives it.
//! 2. Else every file is read and verified, what was kept of them is used, and what was not is compiled and kept.
//!
//! See `docs/decisions/0012` to `0014` for what that takes for granted.

use std::fs::File;

use jiff::Timestamp;
use serde_json::json;

use super::bring::{Facts, expectation};
use super::error::PipelineError;
use super::later::Later;
use super::pull::{Purpose, is_as_locked, lock_path};
use super::roots::Confirmation;
use super::served::Served;
use super::walk::{Keeping, Reach};
use super::{Locking, Network, Pipeline};
use crate::bundle::Limits;
use crate::config::Config;
use crate::digest::Sha256Digest;
use crate::engine::{Compiled, Engine};
use crate::json;
use crate::lockfile::{LockedBundle, Lockfile};
use crate::policy::{Mode, symbol};
use crate::resolve::EffectivePolicy;
use crate::source::compiled;
use crate::source::state::State;
use crate::source::store::Store;
use crate::trust::{Validity, VerifiedBundle, VerifiedStatement, check_requires, verify_statement};

/// Fewer rules than this compile faster than a kept policy is written and read.
const WORTH_KEEPING: usize = 200;

/// Whether a policy that was compiled before may decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reuse {
    /// What this machine kept decides, and what it compiles is kept.
    Kept,
    /// Everything is compiled again: others may have written this machine's state.
    Nothing,
}

/// What decides requests, and what there is to tell of it.
#[derive(Debug)]
pub struct Serving {
    /// What decides.
    pub served: Served,
    /// What was signed of each bundle of the configuration.
    pub statements: Vec<VerifiedStatement>,
    /// How sure the consumer is of the first root.
    pub confirmation: Confirmation,
}

/// A policy that can decide.
#[derive(Debug)]
pub(super) enum Ready {
    /// Compiled now.
    Engine(Box<Engine>),
    /// Compiled before.
    Kept(Kept),
}

/// A policy that was compiled before.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) compiled: Box<Compiled<File>>,
    pub(super) root_mode: Mode,
    pub(super) validity: Validity,
}

impl Pipeline<'_> {
    /// As [`Self::serve`], for whoever decides and asks no more of the policy: it may have been compiled before.
    ///
    /// # Errors
    /// [`PipelineError`]; what was active stays so.
    pub fn serve_requests(
        &self,
        config: &Config,
        locking: Locking,
        reuse: Reuse,
    ) -> Result<Serving, PipelineError> {
        if reuse == Reuse::Kept
            && let Some(serving) = self.serve_kept(config, locking)
        {
            return Ok(serving);
        }
        let pulled = self.take(config, locking, Purpose::Decide, &|verified, now| {
            self.ready(config, verified, now, reuse)
        })?;
        let statements = pulled.bundles.iter();
        let statements = statements.map(|pulled| pulled.bundle.statement().clone());
        Ok(Serving {
            statements: statements.collect(),
            confirmation: pulled.confirmation,
            served: Served::new(pulled.bundles, pulled.policy, config, self.limits),
        })
    }

    /// Step 1. Whatever stands against it is found again, and told, by step 2.
    fn serve_kept(&self, config: &Config, locking: Locking) -> Option<Serving> {
        let (cache, state_directory) = (&self.directories.cache, &self.directories.state);
        if locking == Locking::Update || !compiled::is_in_use(state_directory) {
            return None;
        }
        let here = Pipeline {
            network: Network::Forbidden,
            ..*self
        };
        let state = State::load(state_directory).ok()?;
        let now = here.now(&state).ok()?;
        let lock = Lockfile::load(&lock_path(config)).ok()??;
        let seen = lock.bundles.values().map(|locked| locked.root_version);
        let seen = seen.max().unwrap_or(0);
        let trust = &config.trust;
        let trusted = here.walk(trust, &state, now, seen, Reach::Here, Keeping::Keep);
        let trusted = trusted.ok()?;
        let facts = Facts {
            root: &trusted.root,
            state: &state,
            now,
            purpose: Purpose::Decide,
        };
        let store = Store::new(cache);
        let mut locked: Vec<LockedBundle> = Vec::with_capacity(config.bundles.len());
        let mut statements = Vec::with_capacity(config.bundles.len());
        for source in &config.bundles {
            let entry = lock.bundles.get(&source.name);
            let entry = entry.filter(|entry| entry.is_from(&source.repository))?;
            let envelope = store.envelope(&entry.payload, self.limits).ok()??;
            let expected = expectation(source, Some(entry), Some(entry), &facts);
            let commit = entry.commit.clone();
            let statement = verify_statement(&envelope, commit, facts.root, &expected, self.limits);
            let statement = statement.ok()??;
            if statement.payload() != entry.payload {
                return None;
            }
            statements.push(statement);
            locked.push(entry.clone());
        }
        let is_settled = locking == Locking::Locked
            || (lock.bundles.len() == locked.len()
                && locked.iter().zip(&statements).all(is_as_locked));
        if !is_settled {
            return None;
        }
        check_requires(&statements).ok()?;
        let kept = here.find(&key(config, &statements, self.limits)?, &statements, now)?;
        // A pull may have ended meanwhile, and raised the marks above what was locked before.
        here.raise_marks(&statements, facts.root, &state, now)
            .ok()?;
        let confirmation = trusted.confirmation;
        let later = Later::new(self, config, (locked, trusted.root), (state, now));
        Some(Serving {
            served: Served::kept(kept, statements.clone(), later, config, self.limits),
            statements,
            confirmation,
        })
    }

    /// Step 2, once every bundle is verified.
    fn ready(
        &self,
        config: &Config,
        verified: &[&VerifiedBundle],
        now: Timestamp,
        reuse: Reuse,
    ) -> Result<Ready, PipelineError> {
        check_requires(verified)?;
        let key = key(config, verified, self.limits).filter(|_| reuse == Reuse::Kept);
        let found = key.and_then(|key| self.find(&key, verified, now));
        if let Some(found) = found {
            return Ok(Ready::Kept(found));
        }
        let policy = self.effective_of(config, verified, now)?;
        let rules: usize = policy.layers().iter().map(|layer| layer.rules.len()).sum();
        let engine = Engine::new(policy);
        if let Some(key) = key.filter(|_| rules >= WORTH_KEEPING)
            && let Some((bytes, digest)) = engine.to_bytes(now)
        {
            let (cache, state) = (&self.directories.cache, &self.directories.state);
            // Whoever cannot keep it compiles again.
            let _ = compiled::keep(cache, state, &key, (&bytes, &digest));
        }
        Ok(Ready::Engine(Box::new(engine)))
    }

    /// The policy that was kept under `key`, where it is the one at `now`.
    fn find(
        &self,
        key: &Sha256Digest,
        statements: &[impl AsRef<VerifiedStatement>],
        now: Timestamp,
    ) -> Option<Kept> {
        let (cache, state) = (&self.directories.cache, &self.directories.state);
        let (file, digest) = compiled::find(cache, state, key)?;
        let compiled = Compiled::open(file, digest).filter(|found| found.holds(now))?;
        let outline: EffectivePolicy = compiled.outline(statements)?;
        Some(Kept {
            compiled: Box::new(compiled),
            root_mode: outline.root_mode(),
            validity: outline.validity(),
        })
    }
}

/// Texts of all lengths that are hashed each in their own way, by which programs with another hash are told apart.
const SYMBOLS: [&str; 5] = [
    "",
    "abc",
    "abcdefghi",
    "abcdefghijklmnopqrstuvwxyz",
    "abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz, abcdefghijklmnopqrstuvwxyz",
];

/// Everything that the compiled policy is made from, but for the time.
fn key<S: AsRef<VerifiedStatement>>(
    config: &Config,
    statements: &[S],
    limits: &Limits,
) -> Option<Sha256Digest> {
    let bundle = |bundle: &S| {
        let bundle = bundle.as_ref();
        let delegated = bundle.delegated().iter();
        let delegated: Vec<String> = delegated
            .map(|(namespace, _)| namespace.to_string())
            .collect();
        let name = bundle.predicate().bundle.to_string();
        (name, bundle.payload().to_string(), delegated)
    };
    let mut bundles: Vec<_> = statements.iter().map(bundle).collect();
    bundles.sort();
    let content = json!({
        // The version alone would not tell two builds of it apart.
        "program": [env!("CARGO_PKG_VERSION"), env!("ORDAIN_SOURCE")],
        // An index that was written with other symbols would leave out rules that match.
        "symbols": SYMBOLS.map(|text| symbol(text.as_bytes()).to_string()),
        "scope": config.scope,
        "cap": config.mode,
        "limits": format!("{limits:?}"),
        "bundles": bundles,
    });
    let canonical = json::canonical(&content);
    canonical.ok().map(|bytes| Sha256Digest::of(&bytes))
}
