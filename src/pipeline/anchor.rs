//! The fingerprint that trust begins with, where no configuration holds it: remembered, and confirmed or not.

use std::path::Path;

use super::Pipeline;
use super::error::PipelineError;
use super::roots::{Confirmation, root_files};
use crate::config::TrustSource;
use crate::digest::Sha256Digest;
use crate::source::roots::KeptRoots;
use crate::source::state::{self, Equivocation, Said, State};
use crate::source::{GitUrl, InsecureHttp};
use crate::trust::RootChain;

/// A fingerprint, and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchored {
    /// Of the first root.
    pub fingerprint: Sha256Digest,
    /// How sure the consumer is of it.
    pub confirmation: Confirmation,
}

impl Pipeline<'_> {
    /// The fingerprint that the configuration pins, else the one that this machine remembers for its source.
    ///
    /// # Errors
    /// [`PipelineError`] when the state cannot be used.
    pub fn anchored(&self, trust: &TrustSource) -> Result<Option<Anchored>, PipelineError> {
        // What is pinned needs no memory.
        let state = match trust.fingerprint {
            Some(_) => State::default(),
            None => State::load(&self.directories.state)?,
        };
        self.anchor_in(&state, trust)
    }

    /// The same, of a state that was read.
    pub(super) fn anchor_in(
        &self,
        state: &State,
        trust: &TrustSource,
    ) -> Result<Option<Anchored>, PipelineError> {
        if let Some(fingerprint) = trust.fingerprint {
            let confirmation = Confirmation::Pinned;
            return Ok(Some(Anchored {
                fingerprint,
                confirmation,
            }));
        }
        let anchor = state.anchor(&anchor_name(trust)?);
        Ok(anchor.map(|anchor| Anchored {
            fingerprint: anchor.fingerprint,
            confirmation: match anchor.confirmed {
                Some(_) => Confirmation::Confirmed,
                None => Confirmation::FirstUse,
            },
        }))
    }

    /// Every case of two contents under one number that this machine has met.
    ///
    /// # Errors
    /// [`PipelineError::State`] when the state cannot be used.
    pub fn equivocations(&self) -> Result<Vec<Equivocation>, PipelineError> {
        let state = State::load(&self.directories.state)?;
        Ok(state.equivocations().to_vec())
    }

    /// Holds a fingerprint of a second channel against the one in use, and remembers that they agree.
    ///
    /// # Errors
    /// [`PipelineError::Confirm`] when they differ: an unconfirmed root is not used any more.
    pub fn confirm(
        &self,
        trust: &TrustSource,
        said: Sha256Digest,
    ) -> Result<Anchored, PipelineError> {
        if let Some(remembered) = trust.fingerprint {
            if remembered != said {
                return Err(PipelineError::Confirm { said, remembered });
            }
            return Ok(Anchored {
                fingerprint: said,
                confirmation: Confirmation::Pinned,
            });
        }
        let directory = &self.directories.state;
        let now = self.now(&State::load(directory)?)?;
        match state::confirm(directory, &anchor_name(trust)?, said, now)? {
            Said::Confirmed(anchor) => Ok(Anchored {
                fingerprint: anchor.fingerprint,
                confirmation: Confirmation::Confirmed,
            }),
            Said::Differs { remembered } => Err(PipelineError::Confirm { said, remembered }),
        }
    }

    /// The bytes of the roots that are here, the first ones first: of the trust directory, then those kept of earlier walks.
    /// A kept one counts where it follows those before it; those of the directory are not verified.
    ///
    /// # Errors
    /// As [`root_files`], [`PipelineError::FingerprintNeeded`] where there is neither directory nor fingerprint, and
    /// [`PipelineError::RootOffline`] where none is here and a repository has them.
    pub fn root_files(&self, trust: &TrustSource) -> Result<Vec<Vec<u8>>, PipelineError> {
        let limits = self.limits;
        let pinned = self.anchored(trust)?.map(|known| known.fingerprint);
        let mut files = match (&trust.dir, pinned) {
            (Some(dir), _) => root_files(dir, limits)?,
            (None, Some(_)) => Vec::new(),
            (None, None) => return Err(PipelineError::FingerprintNeeded),
        };
        let kept_of = |fingerprint| KeptRoots::new(&self.directories.state, &fingerprint);
        if let (true, Some(fingerprint)) = (files.is_empty(), pinned) {
            files.extend(kept_of(fingerprint).load(1, limits)?);
        }
        let Some((first, later)) = files.split_first() else {
            return match &trust.repository {
                Some(_) => Err(PipelineError::RootOffline),
                None => Ok(files),
            };
        };
        let begun = RootChain::begin(first, pinned, limits).and_then(|mut chain| {
            later
                .iter()
                .try_for_each(|bytes| chain.step(bytes, limits))?;
            Ok(chain)
        });
        // Whoever looks at a directory that does not stand is told by the walk what is wrong with it.
        let Ok(mut chain) = begun else {
            return Ok(files);
        };
        let kept = kept_of(chain.last().fingerprint());
        while let Some(bytes) = kept.load(chain.next_version(), limits)? {
            if chain.step(&bytes, limits).is_err() {
                break;
            }
            files.push(bytes);
        }
        Ok(files)
    }
}

/// What the state calls the place of the roots. The ref is no part of it: another branch is no other organisation.
pub(super) fn anchor_name(trust: &TrustSource) -> Result<String, PipelineError> {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Some(repository) = &trust.repository {
        // A name is no connection: whether one may be opened is asked where it is.
        let url = GitUrl::parse(&repository.git, InsecureHttp::Allow)
            .map_err(PipelineError::RootUrl)?
            .resolved(&trust.base);
        let place = match url.local_path() {
            Some(path) => real(path).display().to_string(),
            None => url.as_str().to_owned(),
        };
        return Ok(format!("{place} {}", repository.path));
    }
    let dir = trust.dir.as_deref().unwrap_or(&trust.base);
    Ok(real(dir).display().to_string())
}
