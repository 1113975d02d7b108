//! Where a pull takes a bundle's bytes from: the store on this machine, or Git.

use std::path::Path;

use super::error::PipelineError;
use super::{Network, Pipeline, pull};
use crate::bundle::{FetchedBundle, Origin};
use crate::config::{BundleSource, Repository};
use crate::digest::Sha256Digest;
use crate::lockfile::LockedBundle;
use crate::source::git::{self, FetchError, Fetched, Movement, Sought, Transfer};
use crate::source::store::Store;
use crate::source::{GitRef, GitUrl};
use crate::trust::{Expectation, TrustRoot, VerifiedBundle, verify};

impl Pipeline<'_> {
    /// What the ref stands at now. Where it still stands at the commit of which the store holds the bundle, that one is taken,
    /// verified again like any other, and no Git object is read.
    ///
    /// SECURITY: the commit is the one that this machine's store wrote beside the bytes, not the lockfile's, which others edit.
    pub(super) fn newest(
        &self,
        base: &Path,
        source: &BundleSource,
        reference: &GitRef,
        locked: Option<&LockedBundle>,
        check: impl Fn(FetchedBundle) -> Result<VerifiedBundle, PipelineError>,
    ) -> Result<(VerifiedBundle, Transfer, Movement), PipelineError> {
        let (repository, label) = (&source.repository, source.name.as_str());
        let store = Store::new(&self.directories.cache);
        let held = locked
            .filter(|_| self.network == Network::Allowed)
            .and_then(|locked| Some((locked, store.load(&locked.payload, self.limits).ok()??)));
        if let Some((locked, held)) = held
            && let Some(commit) = held.origin.commit().cloned()
        {
            let cache = &self.directories.cache;
            let sought = self.ask(base, repository, label, reference, |request| {
                git::fetch_unless_at(request, &commit, cache, self.watch, self.interrupt)
            })?;
            match sought {
                Sought::Fetched(fetched) => {
                    let Fetched {
                        bundle,
                        transfer,
                        movement,
                    } = fetched;
                    return Ok((check(bundle)?, transfer, movement));
                }
                Sought::Known => {
                    if let Some(bundle) = self.sound(check(held), &locked.payload)? {
                        return Ok((bundle, Transfer::UpToDate, Movement::Unmoved));
                    }
                }
            }
        }
        let Fetched {
            bundle,
            transfer,
            movement,
        } = self.fetch(base, repository, label, reference)?;
        Ok((check(bundle)?, transfer, movement))
    }

    /// The locked bundle from the store, verified again. A damaged entry is as good as none: it is fetched anew.
    pub(super) fn stored(
        &self,
        locked: &LockedBundle,
        check: impl FnOnce(FetchedBundle) -> Result<VerifiedBundle, PipelineError>,
    ) -> Result<Option<VerifiedBundle>, PipelineError> {
        let store = Store::new(&self.directories.cache);
        let Ok(Some(mut fetched)) = store.load(&locked.payload, self.limits) else {
            return Ok(None);
        };
        fetched.origin = Origin::Store {
            commit: locked.commit.clone(),
        };
        self.sound(check(fetched), &locked.payload)
    }

    /// A bundle of the store, if it is sound and the one that was asked for. Tampering with the cache is healed by a fetch;
    /// what the signers said is final.
    fn sound(
        &self,
        verified: Result<VerifiedBundle, PipelineError>,
        payload: &Sha256Digest,
    ) -> Result<Option<VerifiedBundle>, PipelineError> {
        match verified {
            Ok(bundle) if bundle.payload() == *payload => Ok(Some(bundle)),
            Ok(_) => Ok(None),
            Err(PipelineError::Verify { error, .. })
                if error.is_about_bytes() && self.network == Network::Allowed =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The locked commit, or the ref where that commit is gone: the payload decides, not the commit.
    pub(super) fn fetch_locked(
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
        self.fetch(
            base,
            repository,
            label,
            &pull::parse_ref(repository, label)?,
        )
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

    fn ask<T>(
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

    pub(super) fn verified(
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
}
