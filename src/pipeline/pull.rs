//! Bringing bundles here, and loading those that are active.

use std::fs::{self, File};
use std::path::Path;

use jiff::{SignedDuration, Timestamp};

use super::error::PipelineError;
use super::{Network, Pipeline, effective};
use crate::bundle::{FetchedBundle, Origin};
use crate::clock::{Clock, Lifetime};
use crate::config::{BundleSource, Config, Repository};
use crate::lockfile::{LOCK_FILE, LockedBundle, Lockfile};
use crate::name::BundleName;
use crate::resolve::EffectivePolicy;
use crate::source::git::{self, Fetched, Movement, Transfer};
use crate::source::state::{self, Advance, Mark, State, StateError};
use crate::source::store::Store;
use crate::source::{GitRef, GitUrl};
use crate::trust::{Expectation, HighWater, TrustRoot, VerifiedBundle, verify};

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

impl Pipeline<'_> {
    /// Fetches, verifies and activates every bundle of the configuration, all of them or none.
    ///
    /// # Errors
    /// [`PipelineError`]; what was active stays so.
    pub fn pull(&self, config: &Config, locking: Locking) -> Result<Pulled, PipelineError> {
        let _guard = self.lock()?;
        let root = self.trust_root(&config.trust)?;
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        let lock_path = config.base().join(LOCK_FILE);
        let lock = Lockfile::load(&lock_path)?.unwrap_or_default();
        let mut bundles = Vec::with_capacity(config.bundles.len());
        for source in &config.bundles {
            let locked = lock.bundles.get(&source.name);
            bundles.push(self.bring(config, source, locked, locking, &root, &state, now)?);
        }
        let verified: Vec<VerifiedBundle> =
            bundles.iter().map(|pulled| pulled.bundle.clone()).collect();
        let policy = effective(&verified, &config.scope, now, config.mode)?;
        self.activate(config, &bundles, &lock_path, &root, &state, now)?;
        Ok(Pulled {
            bundles,
            policy,
            root,
        })
    }

    /// Fetches and verifies one bundle, and activates nothing.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn verify_repository(
        &self,
        base: &Path,
        repository: &Repository,
        configured: Option<&BundleSource>,
        root: &TrustRoot,
    ) -> Result<PulledBundle, PipelineError> {
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        let label = configured.map_or(repository.git.as_str(), |source| source.name.as_str());
        let Fetched {
            bundle,
            transfer,
            movement,
        } = self.fetch(base, repository, label, &parse_ref(repository, label)?)?;
        let expected = Expectation {
            name: configured.map(|source| &source.name),
            now,
            high_water: configured.and_then(|source| high_water(&state, root, &source.name, None)),
            max_age: configured
                .and_then(|source| source.max_age)
                .map(Lifetime::duration),
        };
        let mut bundle = self.verified(bundle, label, root, &expected)?;
        // Without a name to go by, the mark is that of the name which the signers gave.
        if configured.is_none() {
            let high_water = high_water(&state, root, &bundle.predicate().bundle, None);
            bundle = self.verified(
                bundle.fetched().clone(),
                label,
                root,
                &Expectation {
                    high_water,
                    ..expected
                },
            )?;
        }
        Ok(PulledBundle {
            bundle,
            transfer,
            movement,
            before: None,
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

    /// One bundle by the rules of `locking`.
    #[allow(
        clippy::too_many_arguments,
        reason = "the facts of one pull, each read once for all bundles"
    )]
    fn bring(
        &self,
        config: &Config,
        source: &BundleSource,
        locked: Option<&LockedBundle>,
        locking: Locking,
        root: &TrustRoot,
        state: &State,
        now: Timestamp,
    ) -> Result<PulledBundle, PipelineError> {
        let name = &source.name;
        let expected = Expectation {
            name: Some(name),
            now,
            high_water: high_water(state, root, name, locked),
            max_age: source.max_age.map(Lifetime::duration),
        };
        let check = |fetched: FetchedBundle| self.verified(fetched, name.as_str(), root, &expected);
        let is_same_source = |locked: &&LockedBundle| locked.is_from(&source.repository);
        let usable = match (locking, locked) {
            (Locking::Update, _) => None,
            (Locking::Prefer, locked) => locked.filter(is_same_source),
            (Locking::Locked, None) => {
                return Err(PipelineError::NotLocked {
                    bundle: name.clone(),
                });
            }
            (Locking::Locked, Some(locked)) if !is_same_source(&locked) => {
                return Err(PipelineError::LockedElsewhere {
                    bundle: name.clone(),
                });
            }
            (Locking::Locked, Some(locked)) => Some(locked),
        };
        let before = locked.cloned();
        let Some(locked) = usable else {
            let repository = &source.repository;
            let reference = parse_ref(repository, name.as_str())?;
            let Fetched {
                bundle,
                transfer,
                movement,
            } = self.fetch(config.base(), repository, name.as_str(), &reference)?;
            return Ok(PulledBundle {
                bundle: check(bundle)?,
                transfer,
                movement,
                before,
            });
        };
        let (transfer, movement) = (Transfer::UpToDate, Movement::Unmoved);
        if let Some(bundle) = self.stored(locked, check)? {
            return Ok(PulledBundle {
                bundle,
                transfer,
                movement,
                before,
            });
        }
        if self.network == Network::Forbidden {
            return Err(PipelineError::Offline {
                bundle: name.clone(),
            });
        }
        let Fetched {
            bundle,
            transfer,
            movement,
        } = self.fetch_locked(config.base(), source, locked)?;
        let bundle = check(bundle)?;
        if bundle.payload() != locked.payload {
            return Err(PipelineError::LockChanged {
                bundle: name.clone(),
                locked: locked.payload,
                found: bundle.payload(),
            });
        }
        Ok(PulledBundle {
            bundle,
            transfer,
            movement,
            before,
        })
    }

    /// The locked bundle from the store, verified again. A damaged entry is as good as none: it is fetched anew.
    fn stored(
        &self,
        locked: &LockedBundle,
        check: impl FnOnce(FetchedBundle) -> Result<VerifiedBundle, PipelineError>,
    ) -> Result<Option<VerifiedBundle>, PipelineError> {
        let store = Store::new(&self.directories.cache);
        let mut fetched = match store.load(&locked.payload, self.limits) {
            Ok(Some(fetched)) => fetched,
            // Nothing can heal it here, and "not on this machine" would not be the truth.
            Err(error) if self.network == Network::Forbidden => return Err(error.into()),
            Ok(None) | Err(_) => return Ok(None),
        };
        fetched.origin = Origin::Store {
            commit: locked.commit.clone(),
        };
        match check(fetched) {
            Ok(bundle) if bundle.payload() == locked.payload => Ok(Some(bundle)),
            Ok(_) => Ok(None),
            // Tampering with the cache is healed by a fetch; what the signers said is final.
            Err(PipelineError::Verify { error, .. })
                if error.is_about_bytes() && self.network == Network::Allowed =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The locked commit, or the ref where that commit is gone: the payload decides, not the commit.
    fn fetch_locked(
        &self,
        base: &Path,
        source: &BundleSource,
        locked: &LockedBundle,
    ) -> Result<Fetched, PipelineError> {
        let (repository, label) = (&source.repository, source.name.as_str());
        let commit = locked
            .commit
            .as_ref()
            .and_then(|commit| commit.as_str().parse::<GitRef>().ok());
        if let Some(commit) = commit {
            match self.fetch(base, repository, label, &commit) {
                Err(PipelineError::Fetch { error, .. }) if error.is_not_found() => {}
                done => return done,
            }
        }
        self.fetch(base, repository, label, &parse_ref(repository, label)?)
    }

    fn fetch(
        &self,
        base: &Path,
        repository: &Repository,
        label: &str,
        reference: &GitRef,
    ) -> Result<Fetched, PipelineError> {
        let url = GitUrl::parse(&repository.git, self.insecure_http)
            .map_err(|error| PipelineError::Url {
                bundle: label.to_owned(),
                error,
            })?
            .resolved(base);
        let request = git::Request {
            url: &url,
            reference,
            path: &repository.path,
            limits: self.limits,
            network: self.network,
            credentials: self.credentials,
            ssh: self.ssh,
        };
        git::fetch(
            &request,
            &self.directories.cache,
            self.watch,
            self.interrupt,
        )
        .map_err(|error| PipelineError::Fetch {
            bundle: label.to_owned(),
            error: Box::new(error),
        })
    }

    fn verified(
        &self,
        fetched: FetchedBundle,
        label: &str,
        root: &TrustRoot,
        expected: &Expectation<'_>,
    ) -> Result<VerifiedBundle, PipelineError> {
        verify(fetched, root, expected, self.limits).map_err(|error| PipelineError::Verify {
            bundle: label.to_owned(),
            error: Box::new(error),
        })
    }

    /// Steps 4 to 6 of a pull.
    fn activate(
        &self,
        config: &Config,
        bundles: &[PulledBundle],
        lock_path: &Path,
        root: &TrustRoot,
        state: &State,
        now: Timestamp,
    ) -> Result<(), PipelineError> {
        let store = Store::new(&self.directories.cache);
        let mut lock = Lockfile::default();
        for (source, pulled) in config.bundles.iter().zip(bundles) {
            if !matches!(pulled.bundle.origin(), Origin::Store { .. }) {
                store.insert(&pulled.bundle.payload(), pulled.bundle.fetched())?;
            }
            lock.bundles
                .insert(source.name.clone(), locked(source, pulled));
        }
        lock.store(lock_path)?;
        self.raise_marks(bundles, root, state, now)
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
        let path = self.directories.state.join("pull.lock");
        let failed = |source| StateError::Io {
            path: path.clone(),
            source,
        };
        fs::create_dir_all(&self.directories.state).map_err(failed)?;
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(file)
    }
}

fn parse_ref(repository: &Repository, label: &str) -> Result<GitRef, PipelineError> {
    repository
        .reference
        .parse()
        .map_err(|error| PipelineError::Ref {
            bundle: label.to_owned(),
            error,
        })
}

/// The higher of the lockfile's and the machine's mark.
fn high_water(
    state: &State,
    root: &TrustRoot,
    name: &BundleName,
    locked: Option<&LockedBundle>,
) -> Option<HighWater> {
    let of_machine = state.mark(&root.fingerprint(), name).map(|mark| HighWater {
        epoch: mark.epoch,
        revision: mark.revision,
        payload: mark.payload,
    });
    let of_lock = locked.map(|locked| HighWater {
        epoch: locked.epoch,
        revision: locked.revision,
        payload: locked.payload,
    });
    of_machine
        .into_iter()
        .chain(of_lock)
        .max_by_key(|mark| (mark.epoch, mark.revision))
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
