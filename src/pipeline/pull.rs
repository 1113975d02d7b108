//! Bringing bundles here, and loading those that are active.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};

use super::bring::Facts;
use super::error::PipelineError;
use super::roots::{Confirmation, Trusted};
use super::walk::{Keeping, Reach};
use super::{Network, Pipeline, effective};
use crate::bundle::Origin;
use crate::config::{BundleSource, Config, Repository, TrustSource};
use crate::lockfile::{LOCK_FILE, LockedBundle, Lockfile};
use crate::name::BundleName;
use crate::resolve::EffectivePolicy;
use crate::source::git::{Movement, Progress, Transfer};
use crate::source::state::{self, Advance, Mark, State};
use crate::source::store::Store;
use crate::trust::{TrustRoot, VerifiedBundle, VerifiedStatement};

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
pub struct Pulled<P = EffectivePolicy> {
    /// Every bundle of the configuration.
    pub bundles: Vec<PulledBundle>,
    /// The policy of the configuration's scope.
    pub policy: P,
    /// The trust root that they were verified against.
    pub root: TrustRoot,
    /// The version of the root before, where a later one is in force now.
    pub advanced_from: Option<u64>,
    /// How sure the consumer is of the first root.
    pub confirmation: Confirmation,
}

/// What bundles are brought for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To be active: each is within its time.
    Activate,
    /// To decide with: what is active already may be late by its grace.
    Decide,
    /// To tell how it would be decided: nothing is written down.
    Examine,
}

/// What is made of verified bundles at a time.
pub(super) type PolicyOf<'a, P> =
    dyn Fn(&[&VerifiedBundle], Timestamp) -> Result<P, PipelineError> + 'a;

/// What is known before anything is written.
pub(super) struct Gathered<P> {
    pub(super) pulled: Pulled<P>,
    /// The lockfile as it was read.
    pub(super) lock: Lockfile,
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
        self.take(config, locking, Purpose::Activate, &|verified, now| {
            self.effective_of(config, verified, now)
        })
    }

    /// What is active, to decide with, and pulled first where it is not here. A bundle that is active may be late by its
    /// grace; [`VerifiedBundle::validity`] and [`EffectivePolicy::validity`] say whether it is.
    ///
    /// # Errors
    /// [`PipelineError`]; what was active stays so.
    pub fn serve(&self, config: &Config, locking: Locking) -> Result<Pulled, PipelineError> {
        self.take(config, locking, Purpose::Decide, &|verified, now| {
            self.effective_of(config, verified, now)
        })
    }

    /// What [`Self::serve`] would decide with, without a trace of having looked: no mark rises, no lockfile changes, nothing
    /// enters the store. What is not here is fetched all the same, where that is allowed, and forgotten again.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn rehearse(&self, config: &Config, locking: Locking) -> Result<Pulled, PipelineError> {
        let policy: &PolicyOf<'_, _> = &|verified, now| self.effective_of(config, verified, now);
        let gathered = self.gather(config, locking, Purpose::Examine, policy)?;
        Ok(gathered.pulled)
    }

    pub(super) fn effective_of(
        &self,
        config: &Config,
        verified: &[&VerifiedBundle],
        now: Timestamp,
    ) -> Result<EffectivePolicy, PipelineError> {
        effective(verified, &config.scope, now, config.mode, self.limits)
    }

    pub(super) fn take<P>(
        &self,
        config: &Config,
        locking: Locking,
        purpose: Purpose,
        policy: &PolicyOf<'_, P>,
    ) -> Result<Pulled<P>, PipelineError> {
        if locking != Locking::Update
            && let Some(pulled) = self.settled(config, locking, purpose, policy)
        {
            return Ok(pulled);
        }
        let _guard = self.lock()?;
        let gathered = self.gather(config, locking, purpose, policy)?;
        self.keep(&gathered.pulled.bundles)?;
        activate(
            config,
            locking,
            &gathered.lock,
            &gathered.pulled.bundles,
            || self.raise_marks_of(&gathered),
        )?;
        Ok(gathered.pulled)
    }

    /// What is locked, where all of it is here and nothing is to be written down: it need not wait for a pull that goes on.
    /// Whatever stands against it is found again, and told, by who waits.
    fn settled<P>(
        &self,
        config: &Config,
        locking: Locking,
        purpose: Purpose,
        policy: &PolicyOf<'_, P>,
    ) -> Option<Pulled<P>> {
        let here = Pipeline {
            network: Network::Forbidden,
            ..*self
        };
        let gathered = here.gather(config, Locking::Locked, purpose, policy).ok()?;
        let next = next_lockfile(config, &gathered.pulled.bundles);
        // A later root alone changes nothing of what is locked; the next pull writes it down.
        let is_news = |(name, new): (&BundleName, &LockedBundle)| {
            gathered.lock.bundles.get(name).is_none_or(|old| {
                let root_version = old.root_version;
                LockedBundle {
                    root_version,
                    ..new.clone()
                } != *old
            })
        };
        let has_news =
            next.bundles.len() != gathered.lock.bundles.len() || next.bundles.iter().any(is_news);
        if locking != Locking::Locked && has_news {
            return None;
        }
        // A pull may have ended meanwhile, and raised the marks above what was locked before.
        self.raise_marks_of(&gathered).ok()?;
        Some(gathered.pulled)
    }

    /// Steps 1 to 3 of a pull.
    pub(super) fn gather<P>(
        &self,
        config: &Config,
        locking: Locking,
        purpose: Purpose,
        policy: &PolicyOf<'_, P>,
    ) -> Result<Gathered<P>, PipelineError> {
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        let lock = Lockfile::load(&lock_path(config))?.unwrap_or_default();
        let seen = lock.bundles.values().map(|locked| locked.root_version);
        let keeping = match purpose {
            Purpose::Activate | Purpose::Decide => Keeping::Keep,
            Purpose::Examine => Keeping::Look,
        };
        let trusted = self.walk(
            &config.trust,
            &state,
            now,
            seen.max().unwrap_or(0),
            self.reach(config, &lock, locking),
            keeping,
        )?;
        let facts = Facts {
            root: &trusted.root,
            state: &state,
            now,
            purpose,
        };
        let mut bundles = Vec::with_capacity(config.bundles.len());
        for source in &config.bundles {
            let locked = lock.bundles.get(&source.name);
            bundles.push(self.bring(config, source, locked, locking, &facts)?);
        }
        let verified: Vec<&VerifiedBundle> = bundles.iter().map(|pulled| &pulled.bundle).collect();
        let policy = policy(&verified, now)?;
        let pulled = Pulled {
            bundles,
            policy,
            root: trusted.root,
            advanced_from: trusted.advanced_from,
            confirmation: trusted.confirmation,
        };
        Ok(Gathered {
            pulled,
            lock,
            state,
            now,
        })
    }

    /// Whether newer roots are looked for: always with what is not locked, and else only where those here do not do.
    fn reach(&self, config: &Config, lock: &Lockfile, locking: Locking) -> Reach {
        let is_locked = |source: &BundleSource| {
            let locked = lock.bundles.get(&source.name);
            locked.is_some_and(|locked| locked.is_from(&source.repository))
        };
        match (self.network, locking) {
            (Network::Forbidden, _) => Reach::Here,
            (_, Locking::Update) => Reach::Newest,
            (_, Locking::Prefer) if !config.bundles.iter().all(is_locked) => Reach::Newest,
            (_, Locking::Prefer | Locking::Locked) => Reach::WhereNeeded,
        }
    }

    /// Fetches and verifies one bundle without a configuration, keeps its bytes and raises the high-water mark.
    ///
    /// # Errors
    /// [`PipelineError`]; nothing is kept.
    pub fn pull_repository(
        &self,
        base: &Path,
        repository: &Repository,
        trust: &TrustSource,
    ) -> Result<(PulledBundle, Trusted), PipelineError> {
        let _guard = self.lock()?;
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        let reach = match self.network {
            Network::Allowed => Reach::Newest,
            Network::Forbidden => Reach::Here,
        };
        let trusted = self.walk(trust, &state, now, 0, reach, Keeping::Keep)?;
        let root = &trusted.root;
        let pulled = self.verify_repository(base, repository, None, root)?;
        let payload = pulled.bundle.payload();
        Store::new(&self.directories.cache).insert(&payload, pulled.bundle.fetched())?;
        self.raise_marks(&[&pulled.bundle], root, &state, now)?;
        Ok((pulled, trusted))
    }

    /// Step 4 of a pull.
    pub(super) fn keep(&self, bundles: &[PulledBundle]) -> Result<(), PipelineError> {
        let store = Store::new(&self.directories.cache);
        for PulledBundle { bundle, .. } in bundles {
            if !matches!(bundle.origin(), Origin::Store { .. }) {
                store.insert(&bundle.payload(), bundle.fetched())?;
            }
        }
        Ok(())
    }

    /// Step 6 of a pull.
    fn raise_marks_of<P>(&self, gathered: &Gathered<P>) -> Result<(), PipelineError> {
        let Pulled { bundles, root, .. } = &gathered.pulled;
        let bundles: Vec<&VerifiedBundle> = bundles.iter().map(|pulled| &pulled.bundle).collect();
        self.raise_marks(&bundles, root, &gathered.state, gathered.now)
    }

    pub(super) fn raise_marks(
        &self,
        bundles: &[impl AsRef<VerifiedStatement>],
        root: &TrustRoot,
        state: &State,
        now: Timestamp,
    ) -> Result<(), PipelineError> {
        let fingerprint = root.fingerprint();
        let time = self.time_to_remember(state, now);
        let advances: Vec<Advance<'_>> = bundles
            .iter()
            .map(|bundle| {
                let bundle = bundle.as_ref();
                let predicate = bundle.predicate();
                let mark = Mark {
                    epoch: predicate.epoch.get(),
                    revision: predicate.revision.get(),
                    payload: bundle.payload(),
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
    pub(super) fn lock(&self) -> Result<File, PipelineError> {
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

/// Steps 5 and 6 of a pull: the lockfile is replaced, where it is not to stay as it is, and the marks rise.
pub(super) fn activate(
    config: &Config,
    locking: Locking,
    before: &Lockfile,
    bundles: &[PulledBundle],
    raise: impl FnOnce() -> Result<(), PipelineError>,
) -> Result<(), PipelineError> {
    // What is taken as it was locked changes nothing of the lockfile, not even its white space or the root's version.
    if locking == Locking::Locked {
        return raise();
    }
    let path = lock_path(config);
    next_lockfile(config, bundles).store(&path)?;
    raise().inspect_err(|_| {
        // What is active without a mark would be refused by every later step that cannot write one either: a full disk
        // must not take the old bundles away as well. Where even this fails, the next pull ends what this one began.
        let _ = before.put_back(&path);
    })
}

pub(super) fn lock_path(config: &Config) -> PathBuf {
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

/// Whether a statement of the locked payload leaves its entry as it is. A later root alone changes nothing of what is locked; the
/// next pull writes it down.
pub(super) fn is_as_locked((locked, statement): (&LockedBundle, &VerifiedStatement)) -> bool {
    let predicate = statement.predicate();
    (locked.payload, locked.epoch, locked.revision)
        == (
            statement.payload(),
            predicate.epoch.get(),
            predicate.revision.get(),
        )
        && locked.signers == statement.signers()
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
