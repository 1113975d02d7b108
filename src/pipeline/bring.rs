//! One bundle of a pull: from the store or from Git, verified against what was seen before.

use std::path::Path;

use jiff::Timestamp;

use super::error::PipelineError;
use super::pull::{Locking, PulledBundle, Purpose};
use super::{Network, Pipeline};
use crate::bundle::{FetchedBundle, Origin};
use crate::clock::Lifetime;
use crate::config::{BundleSource, Config, Repository};
use crate::lockfile::LockedBundle;
use crate::name::BundleName;
use crate::source::git::{self, FetchError, Fetched, Movement, Sought, Transfer};
use crate::source::state::{self, Equivocated, Equivocation, State};
use crate::source::store::Store;
use crate::source::{GitRef, GitUrl};
use crate::trust::{
    Envelope, Expectation, Held, HighWater, TrustRoot, VerifiedBundle, VerifyError, verify,
};

/// What is known of all bundles of a pull, each read once.
pub(super) struct Facts<'a> {
    /// What they are verified against.
    pub(super) root: &'a TrustRoot,
    /// The marks that they are held against.
    pub(super) state: &'a State,
    /// When they are verified.
    pub(super) now: Timestamp,
    /// What for.
    pub(super) purpose: Purpose,
}

impl Pipeline<'_> {
    /// One bundle by the rules of `locking`.
    pub(super) fn bring(
        &self,
        config: &Config,
        source: &BundleSource,
        locked: Option<&LockedBundle>,
        locking: Locking,
        facts: &Facts<'_>,
    ) -> Result<PulledBundle, PipelineError> {
        let name = &source.name;
        let expected = expectation(source, locked, None, facts);
        let verified = |fetched, expected: &Expectation<'_>| match facts.purpose {
            Purpose::Examine => self.checked(fetched, name.as_str(), facts.root, expected),
            Purpose::Activate | Purpose::Decide => {
                self.verified(fetched, name.as_str(), facts.root, expected)
            }
        };
        let check = |fetched: FetchedBundle| verified(fetched, &expected);
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
            let locked = locked.filter(is_same_source);
            let (bundle, transfer, movement) = self.newest(config.base(), source, locked, check)?;
            return Ok(PulledBundle {
                bundle,
                transfer,
                movement,
                before,
            });
        };
        let (transfer, movement) = (Transfer::UpToDate, Movement::Unmoved);
        let active = expectation(source, Some(locked), Some(locked), facts);
        let check_active = |fetched| verified(fetched, &active);
        if let Some(bundle) = self.stored(locked, check_active)? {
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
        let bundle = match check(bundle) {
            // A tag's signature comes by the tag alone: the locked commit id does not lead there.
            Err(PipelineError::Verify { error, .. })
                if matches!(*error, VerifyError::GitSignature { .. }) =>
            {
                let reference = parse_ref(&source.repository, name.as_str())?;
                let fetched =
                    self.fetch(config.base(), &source.repository, name.as_str(), &reference)?;
                check(fetched.bundle)?
            }
            checked => checked?,
        };
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

    /// What the ref stands at now. Where it still stands at the commit of which the store holds the bundle, that one is
    /// taken, verified again like any other, and no Git object is read.
    ///
    /// SECURITY: the commit is the one that this machine's store wrote beside the bytes, not the lockfile's, which others edit.
    fn newest(
        &self,
        base: &Path,
        source: &BundleSource,
        locked: Option<&LockedBundle>,
        check: impl Fn(FetchedBundle) -> Result<VerifiedBundle, PipelineError>,
    ) -> Result<(VerifiedBundle, Transfer, Movement), PipelineError> {
        let (repository, label) = (&source.repository, source.name.as_str());
        let reference = parse_ref(repository, label)?;
        let store = Store::new(&self.directories.cache);
        let held = locked
            .filter(|_| self.network == Network::Allowed)
            .and_then(|locked| Some((locked, store.load(&locked.payload, self.limits).ok()??)));
        if let Some((locked, held)) = held
            && let Some(commit) = held.origin.commit().cloned()
        {
            let cache = &self.directories.cache;
            let sought = self.ask(base, repository, label, &reference, |request| {
                git::fetch_unless_at(request, &commit, cache, self.watch, self.interrupt)
            })?;
            match sought {
                Sought::Fetched(Fetched {
                    bundle,
                    transfer,
                    movement,
                }) => return Ok((check(bundle)?, transfer, movement)),
                Sought::Known => {
                    if let Some(bundle) = self.sound(held, locked, &check)? {
                        return Ok((bundle, Transfer::UpToDate, Movement::Unmoved));
                    }
                }
            }
        }
        let Fetched {
            bundle,
            transfer,
            movement,
        } = self.fetch(base, repository, label, &reference)?;
        Ok((check(bundle)?, transfer, movement))
    }

    /// The locked bundle from the store, verified again. A damaged entry is as good as none: it is fetched anew.
    pub(super) fn stored(
        &self,
        locked: &LockedBundle,
        check: impl FnOnce(FetchedBundle) -> Result<VerifiedBundle, PipelineError>,
    ) -> Result<Option<VerifiedBundle>, PipelineError> {
        let store = Store::new(&self.directories.cache);
        let mut fetched = match store.load(&locked.payload, self.limits) {
            Ok(Some(fetched)) => fetched,
            Ok(None) => return Ok(None),
            Err(error) => return self.heal(error.into()),
        };
        fetched.origin = Origin::Store {
            commit: locked.commit.clone(),
        };
        self.sound(fetched, locked, check)
    }

    /// What the store holds, verified, if it is sound and what was locked.
    fn sound(
        &self,
        fetched: FetchedBundle,
        locked: &LockedBundle,
        check: impl FnOnce(FetchedBundle) -> Result<VerifiedBundle, PipelineError>,
    ) -> Result<Option<VerifiedBundle>, PipelineError> {
        // Whatever else stands there is not what was locked, however well it is signed.
        let envelope = fetched.envelope.as_deref().unwrap_or_default();
        if !Envelope::parse(envelope, self.limits)
            .is_ok_and(|envelope| envelope.payload_digest() == locked.payload)
        {
            let store = Store::new(&self.directories.cache);
            return self.heal(store.other(&locked.payload).into());
        }
        match check(fetched) {
            Ok(bundle) => Ok(Some(bundle)),
            // What the signers said is final.
            Err(PipelineError::Verify { bundle, error }) if error.may_heal() => {
                self.heal(PipelineError::Verify { bundle, error })
            }
            Err(error) => Err(error),
        }
    }

    /// Tampering with the store is healed by a fetch, where one is allowed.
    fn heal(&self, error: PipelineError) -> Result<Option<VerifiedBundle>, PipelineError> {
        match self.network {
            Network::Allowed => Ok(None),
            Network::Forbidden => Err(error),
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

    pub(super) fn fetch(
        &self,
        base: &Path,
        repository: &Repository,
        label: &str,
        reference: &GitRef,
    ) -> Result<Fetched, PipelineError> {
        self.ask(base, repository, label, reference, |request| {
            git::fetch(request, &self.directories.cache, self.watch, self.interrupt)
        })
    }

    pub(super) fn ask<T>(
        &self,
        base: &Path,
        repository: &Repository,
        label: &str,
        reference: &GitRef,
        work: impl FnOnce(&git::Request<'_>) -> Result<T, FetchError>,
    ) -> Result<T, PipelineError> {
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
        work(&request).map_err(|error| PipelineError::Fetch {
            bundle: label.to_owned(),
            error: Box::new(error),
        })
    }

    /// Verifies, and keeps the evidence of two contents under one revision.
    pub(super) fn verified(
        &self,
        fetched: FetchedBundle,
        label: &str,
        root: &TrustRoot,
        expected: &Expectation<'_>,
    ) -> Result<VerifiedBundle, PipelineError> {
        let result = self.checked(fetched, label, root, expected);
        if let Err(PipelineError::Verify { error, .. }) = &result {
            self.write_down(error, root, expected);
        }
        result
    }

    /// Verifies, and writes nothing.
    pub(super) fn checked(
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

    /// Keeps the evidence of two contents under one revision. That it cannot be kept is no reason to hide the error.
    fn write_down(&self, error: &VerifyError, root: &TrustRoot, expected: &Expectation<'_>) {
        if let VerifyError::Equivocation {
            epoch,
            revision,
            seen,
            found,
        } = *error
            && let Some(name) = expected.name
        {
            let evidence = Equivocation {
                root: root.fingerprint(),
                of: Equivocated::Bundle {
                    name: name.clone(),
                    epoch,
                    revision,
                },
                seen,
                found,
                time: expected.now,
            };
            let _ = state::record(&self.directories.state, &evidence);
        }
    }
}

pub(super) fn parse_ref(repository: &Repository, label: &str) -> Result<GitRef, PipelineError> {
    repository
        .reference
        .parse()
        .map_err(|error| PipelineError::Ref {
            bundle: label.to_owned(),
            error,
        })
}

/// What a bundle must be, of which the lockfile says `locked`, and the store holds `stored`.
pub(super) fn expectation<'a>(
    source: &'a BundleSource,
    locked: Option<&LockedBundle>,
    stored: Option<&LockedBundle>,
    facts: &Facts<'_>,
) -> Expectation<'a> {
    let name = &source.name;
    Expectation {
        name: Some(name),
        reference: Some(&source.repository.reference),
        now: facts.now,
        high_water: high_water(facts.state, facts.root, name, locked),
        max_age: source.max_age.map(Lifetime::duration),
        held: stored.map_or(Held::Fetched, |stored| held(source, stored, facts)),
    }
}

/// Whether the locked bundle of the store may be late. SECURITY: only what this very machine accepted within its time is
/// active here; an expired statement does not become so by standing in a lockfile that came from elsewhere.
fn held(source: &BundleSource, locked: &LockedBundle, facts: &Facts<'_>) -> Held {
    let mark = facts.state.mark(&facts.root.fingerprint(), &source.name);
    let is_active = mark.is_some_and(|mark| mark.payload == locked.payload);
    match source.grace {
        Some(grace) if is_active && facts.purpose != Purpose::Activate => Held::Active {
            grace: grace.duration(),
        },
        _ => Held::Fetched,
    }
}

/// The higher of the lockfile's and the machine's mark.
pub(super) fn high_water(
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
    // Of two payloads under one revision the machine's counts: `max_by_key` takes the last.
    of_lock
        .into_iter()
        .chain(of_machine)
        .max_by_key(|mark| (mark.epoch, mark.revision))
}
