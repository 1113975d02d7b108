//! Verifying a bundle without activating it, from a repository or a directory.

use std::path::Path;

use jiff::Timestamp;

use super::bring::{high_water, parse_ref};
use super::error::PipelineError;
use super::pull::PulledBundle;
use super::{Network, Pipeline, read_directory};
use crate::bundle::FetchedBundle;
use crate::clock::Lifetime;
use crate::config::{BundleSource, Repository};
use crate::lockfile::LockedBundle;
use crate::name::BundleName;
use crate::source::git::{Fetched, Movement, Transfer};
use crate::source::state::State;
use crate::trust::{Expectation, Held, HighWater, TrustRoot, VerifiedBundle};

/// What is told on the way, for whoever explains it.
pub(super) enum Noted<'a> {
    /// The time, which is not before one seen.
    Clock(Timestamp),
    /// The bytes, before anything of them is verified.
    Fetched(&'a FetchedBundle, Transfer),
    /// The mark that the revision is held against.
    HighWater(Option<HighWater>),
}

impl Pipeline<'_> {
    /// Fetches and verifies one bundle, and activates nothing. Where nothing may be fetched, a configured bundle that is locked
    /// is taken from the store, if it is there.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn verify_repository(
        &self,
        base: &Path,
        repository: &Repository,
        configured: Option<(&BundleSource, Option<&LockedBundle>)>,
        root: &TrustRoot,
    ) -> Result<PulledBundle, PipelineError> {
        self.verify_repository_noting(base, repository, configured, root, &mut |_| {})
    }

    pub(super) fn verify_repository_noting(
        &self,
        base: &Path,
        repository: &Repository,
        configured: Option<(&BundleSource, Option<&LockedBundle>)>,
        root: &TrustRoot,
        note: &mut dyn FnMut(Noted<'_>),
    ) -> Result<PulledBundle, PipelineError> {
        let (configured, locked) = configured.unzip();
        let locked = locked.flatten();
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        note(Noted::Clock(now));
        // SECURITY: a URL that was not checked yet may hold a password, and whatever steers a terminal.
        let label = configured.map_or("unnamed", |source| source.name.as_str());
        let expected = Expectation {
            name: configured.map(|source| &source.name),
            reference: Some(&repository.reference),
            now,
            high_water: configured
                .and_then(|source| high_water(&state, root, &source.name, locked)),
            max_age: configured
                .and_then(|source| source.max_age)
                .map(Lifetime::duration),
            held: Held::Fetched,
        };
        let kept = locked
            .filter(|locked| self.network == Network::Forbidden && locked.is_from(repository));
        if let Some(locked) = kept {
            let stored = self.stored(locked, |bundle| {
                note(Noted::Fetched(&bundle, Transfer::UpToDate));
                note(Noted::HighWater(expected.high_water));
                self.verified(bundle, label, root, &expected)
            })?;
            if let Some(bundle) = stored {
                return Ok(PulledBundle {
                    bundle,
                    transfer: Transfer::UpToDate,
                    movement: Movement::Unmoved,
                    before: None,
                });
            }
        }
        let Fetched {
            bundle,
            transfer,
            movement,
        } = self.fetch(base, repository, label, &parse_ref(repository, label)?)?;
        note(Noted::Fetched(&bundle, transfer));
        note(Noted::HighWater(expected.high_water));
        let mut bundle = self.verified(bundle, label, root, &expected)?;
        // Without a name to go by, the mark is that of the name which the signers gave.
        if configured.is_none() {
            let name = &bundle.predicate().bundle;
            let high_water = high_water(&state, root, name, None);
            note(Noted::HighWater(high_water));
            bundle = self.verified(
                bundle.fetched().clone(),
                label,
                root,
                &Expectation {
                    name: Some(name),
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

    /// Verifies a directory of this machine without activating anything.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn verify_directory(
        &self,
        dir: &Path,
        name: Option<&BundleName>,
        root: &TrustRoot,
    ) -> Result<VerifiedBundle, PipelineError> {
        self.verify_directory_noting(dir, name, root, &mut |_| {})
    }

    pub(super) fn verify_directory_noting(
        &self,
        dir: &Path,
        name: Option<&BundleName>,
        root: &TrustRoot,
        note: &mut dyn FnMut(Noted<'_>),
    ) -> Result<VerifiedBundle, PipelineError> {
        let fetched = read_directory(dir, self.limits)?;
        note(Noted::Fetched(&fetched, Transfer::UpToDate));
        let state = State::load(&self.directories.state)?;
        let expected = Expectation {
            name,
            reference: None,
            now: self.now(&state)?,
            high_water: None,
            max_age: None,
            held: Held::Fetched,
        };
        self.verified(fetched, &dir.display().to_string(), root, &expected)
    }
}
