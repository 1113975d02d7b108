//! Bringing bundles here, and loading those that are active.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::error::PipelineError;
use super::{Network, Pipeline, effective};
use crate::bundle::Origin;
use crate::clock::Clock;
use crate::config::{BundleSource, Config, Repository};
use crate::lockfile::{LOCK_FILE, LockedBundle, Lockfile};
use crate::resolve::EffectivePolicy;
use crate::source::git::{Movement, Progress, Transfer};
use crate::source::state::{self, Advance, Mark, State};
use crate::source::store::Store;
use crate::trust::{TrustRoot, VerifiedBundle};

/// How far the clock may lag behind a time seen before: clocks are corrected by little.
pub(super) const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

/// What the lockfile means for a pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Locking {
    /// Take what the refs point at now, and write it down.
    Update,
    /// Take what the lockfile says; what it does not name is fetched and written down.
    Prefer,
    /// Take what the lockfile says, and nothing else.
    Locked,
}

/// One bundle of a pull.
#[derive(Debug)]
pub struct PulledBundle {
    /// The verified bundle.
    pub bundle: VerifiedBundle,
    /// What the fetch moved.
    pub transfer: Transfer,
    /// How the ref moved.
    pub movement: Movement,
    /// The revision that was active before.
    pub before: Option<LockedBundle>,
}

/// What a pull did.
#[derive(Debug)]
pub struct Pulled {
    /// Every bundle of the configuration.
    pub bundles: Vec<PulledBundle>,
    /// The policy of the configuration's scope.
    pub policy: EffectivePolicy,
    /// The trust root that they were verified against.
    pub root: TrustRoot,
}

/// What is known before anything is written.
struct Gathered {
    pulled: Pulled,
    /// The lockfile as it was read.
    lock: Lockfile,
    /// The marks as they were read.
    state: State,
    now: Timestamp,
}

impl Pipeline<'_> {
    /// Fetches, verifies and activates every bundle of the configuration, all of them or none.
    ///
    /// # Errors
    /// [`PipelineError`]; what was active stays so.
    pub fn pull(&self, config: &Config, locking: Locking) -> Result<Pulled, PipelineError> {
        if locking != Locking::Update
            && let Some(pulled) = self.settled(config, locking)
        {
            return Ok(pulled);
        }
        let _guard = self.lock()?;
        let gathered = self.gather(config, locking)?;
        self.keep(&gathered.pulled.bundles)?;
        // What is taken as it was locked changes nothing of the lockfile, not even its white space or the root's version.
        if locking != Locking::Locked {
            next_lockfile(config, &gathered.pulled.bundles).store(&lock_path(config))?;
        }
        self.raise_marks_of(&gathered)?;
        Ok(gathered.pulled)
    }

    /// What is locked, where all of it is here and nothing is to be written down: it need not wait for a pull that goes on.
    /// Whatever stands against it is found again, and told, by who waits.
    fn settled(&self, config: &Config, locking: Locking) -> Option<Pulled> {
        let here = Pipeline {
            network: Network::Forbidden,
            ..*self
        };
        let gathered = here.gather(config, Locking::Locked).ok()?;
        let next = next_lockfile(config, &gathered.pulled.bundles);
        if locking != Locking::Locked && next != gathered.lock {
            return None;
        }
        // A pull may have ended meanwhile, and raised the marks above what was locked before.
        self.raise_marks_of(&gathered).ok()?;
        Some(gathered.pulled)
    }

    /// Steps 1 to 3 of a pull.
    fn gather(&self, config: &Config, locking: Locking) -> Result<Gathered, PipelineError> {
        let root = self.trust_root(&config.trust)?;
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        let lock = Lockfile::load(&lock_path(config))?.unwrap_or_default();
        let mut bundles = Vec::with_capacity(config.bundles.len());
        for source in &config.bundles {
            let locked = lock.bundles.get(&source.name);
            bundles.push(self.bring(config, source, locked, locking, &root, &state, now)?);
        }
        let verified: Vec<&VerifiedBundle> = bundles.iter().map(|pulled| &pulled.bundle).collect();
        let policy = effective(&verified, &config.scope, now, config.mode)?;
        let pulled = Pulled {
            bundles,
            policy,
            root,
        };
        Ok(Gathered {
            pulled,
            lock,
            state,
            now,
        })
    }

    /// Fetches and verifies one bundle without a configuration, keeps its bytes and raises the high-water mark.
    ///
    /// # Errors
    /// [`PipelineError`]; nothing is kept.
    pub fn pull_repository(
        &self,
        base: &Path,
        repository: &Repository,
        root: &TrustRoot,
    ) -> Result<PulledBundle, PipelineError> {
        let _guard = self.lock()?;
        let pulled = self.verify_repository(base, repository, None, root)?;
        let payload = pulled.bundle.payload();
        Store::new(&self.directories.cache).insert(&payload, pulled.bundle.fetched())?;
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        self.raise_marks(std::slice::from_ref(&pulled), root, &state, now)?;
        Ok(pulled)
    }

    /// Step 4 of a pull.
    fn keep(&self, bundles: &[PulledBundle]) -> Result<(), PipelineError> {
        let store = Store::new(&self.directories.cache);
        for PulledBundle { bundle, .. } in bundles {
            if !matches!(bundle.origin(), Origin::Store { .. }) {
                store.insert(&bundle.payload(), bundle.fetched())?;
            }
        }
        Ok(())
    }

    /// Step 6 of a pull.
    fn raise_marks_of(&self, gathered: &Gathered) -> Result<(), PipelineError> {
        let Pulled { bundles, root, .. } = &gathered.pulled;
        self.raise_marks(bundles, root, &gathered.state, gathered.now)
    }

    fn raise_marks(
        &self,
        bundles: &[PulledBundle],
        root: &TrustRoot,
        state: &State,
        now: Timestamp,
    ) -> Result<(), PipelineError> {
        let fingerprint = root.fingerprint();
        // A clock that was fixed for a test or a question says nothing about the time.
        let time = match self.clock {
            Clock::System => now,
            Clock::Fixed(_) => state.last_seen().unwrap_or(Timestamp::UNIX_EPOCH),
        };
        let advances: Vec<Advance<'_>> = bundles
            .iter()
            .map(|pulled| {
                let predicate = pulled.bundle.predicate();
                let mark = Mark {
                    epoch: predicate.epoch.get(),
                    revision: predicate.revision.get(),
                    payload: pulled.bundle.payload(),
                };
                Advance {
                    root: &fingerprint,
                    root_version: root.version(),
                    bundle: Some((&predicate.bundle, mark)),
                    time,
                }
            })
            .collect();
        state::advance(&self.directories.state, &advances)?;
        Ok(())
    }

    /// One pull at a time on this machine's state; the others wait.
    fn lock(&self) -> Result<File, PipelineError> {
        let waiting = || {
            (self.watch)(&Progress {
                stage: "waiting for another pull",
                ..Progress::default()
            });
        };
        let state = &self.directories.state;
        Ok(state::lock_patiently(
            state,
            "pull.lock",
            self.interrupt,
            waiting,
        )?)
    }
}

fn lock_path(config: &Config) -> PathBuf {
    config.base().join(LOCK_FILE)
}

/// What step 5 of a pull writes.
fn next_lockfile(config: &Config, bundles: &[PulledBundle]) -> Lockfile {
    let entry = |(source, pulled): (&BundleSource, &PulledBundle)| {
        (source.name.clone(), locked(source, pulled))
    };
    Lockfile {
        bundles: config.bundles.iter().zip(bundles).map(entry).collect(),
    }
}

/// The lockfile's entry. The commit stays the one at which this payload was first seen, so that a commit which changes
/// nothing of the bundle changes nothing of the lockfile.
fn locked(source: &BundleSource, pulled: &PulledBundle) -> LockedBundle {
    let bundle = &pulled.bundle;
    let predicate = bundle.predicate();
    let entry = LockedBundle {
        git: source.repository.git.clone(),
        reference: source.repository.reference.clone(),
        path: source.repository.path.clone(),
        commit: bundle.origin().commit().cloned(),
        payload: bundle.payload(),
        epoch: predicate.epoch.get(),
        revision: predicate.revision.get(),
        signers: bundle.signers().to_vec(),
        root_version: bundle.root_version(),
    };
    match &pulled.before {
        Some(before) if before.payload == entry.payload && before.is_from(&source.repository) => {
            LockedBundle {
                commit: before.commit.clone(),
                ..entry
            }
        }
        _ => entry,
    }
}
