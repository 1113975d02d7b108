//! Two states of a bundle to look at side by side, before anybody decides with them.
//!
//! A state that is reviewed need not be signed yet, so nothing is refused for that: it is said. Nothing is activated, kept or
//! remembered, and no mark is raised.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bring::parse_ref;
use super::error::PipelineError;
use super::{Pipeline, author, read_directory};
use crate::bundle::{BundlePath, Limits, Signer};
use crate::config::Repository;
use crate::diag::{Code, Diagnostic};
use crate::digest::CommitId;
use crate::name::BundleName;
use crate::resolve::LoadedBundle;
use crate::source::git::Fetched;
use crate::source::state::State;
use crate::trust::{Expectation, Held, TrustRoot};

/// Whether somebody vouches for what is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// A directory of files, of which nothing is verified.
    Directory,
    /// Its signatures count under the trust root.
    Verified {
        /// Its epoch and revision.
        revision: (u64, u64),
        /// Who signed it.
        signers: Vec<Signer>,
    },
    /// Verification refuses it.
    Refused {
        /// Why, as a code.
        code: Code,
        /// Why, in words that are fit for a terminal.
        reason: String,
    },
    /// There is no trust root to verify it against.
    NoRoot,
}

/// A bundle to look at.
#[derive(Debug)]
pub struct Reviewed {
    /// Its policies.
    pub bundle: LoadedBundle,
    /// Its files.
    pub files: BTreeMap<BundlePath, Arc<[u8]>>,
    /// The commit, where it came from Git.
    pub commit: Option<CommitId>,
    /// Whether somebody vouches for it.
    pub standing: Standing,
}

/// Reads a directory to look at it; its problems are told with its path before the file.
///
/// # Errors
/// [`PipelineError`] where it cannot be read, or its policies are not valid.
pub fn review_directory(dir: &Path, limits: &Limits) -> Result<Reviewed, PipelineError> {
    let files = read_directory(dir, limits)?.files;
    Ok(Reviewed {
        bundle: loaded(dir, author::load(dir, &files, limits))?,
        files,
        commit: None,
        standing: Standing::Directory,
    })
}

impl Pipeline<'_> {
    /// Fetches one state of a bundle to look at it. It is verified as far as that goes: against `root`, for the bundle `name`, and
    /// against no mark, since an older state is as good to look at as a newer one. Problems of its policies are told with the
    /// ref before the file.
    ///
    /// # Errors
    /// [`PipelineError`] where it cannot be fetched, or its policies are not valid.
    pub fn review(
        &self,
        base: &Path,
        repository: &Repository,
        name: Option<&BundleName>,
        root: Option<&TrustRoot>,
    ) -> Result<Reviewed, PipelineError> {
        // SECURITY: a URL that was not checked yet may hold a password, and whatever steers a terminal.
        let label = name.map_or("unnamed", BundleName::as_str);
        let reference = parse_ref(repository, label)?;
        let place = PathBuf::from(reference.to_string());
        let Fetched {
            bundle: fetched, ..
        } = self.fetch(base, repository, label, &reference)?;
        let commit = fetched.origin.commit().cloned();
        let files = fetched.files.clone();
        let state = State::load(&self.directories.state)?;
        let expected = Expectation {
            name,
            reference: Some(&repository.reference),
            now: self.now(&state)?,
            high_water: None,
            max_age: None,
            held: Held::Fetched,
        };
        let (bundle, standing) =
            match root.map(|root| self.checked(fetched, label, root, &expected)) {
                Some(Ok(verified)) => {
                    let predicate = verified.predicate();
                    let standing = Standing::Verified {
                        revision: (predicate.epoch.get(), predicate.revision.get()),
                        signers: verified.signers().to_vec(),
                    };
                    (LoadedBundle::verified(&verified, self.limits), standing)
                }
                refused => {
                    let standing = match refused {
                        Some(Err(error)) => Standing::Refused {
                            code: error.code(),
                            reason: error.to_string(),
                        },
                        _ => Standing::NoRoot,
                    };
                    (author::load(&place, &files, self.limits), standing)
                }
            };
        Ok(Reviewed {
            bundle: loaded(&place, bundle)?,
            files,
            commit,
            standing,
        })
    }
}

/// Tells whose problems they are.
fn loaded(
    place: &Path,
    bundle: Result<LoadedBundle, Vec<Diagnostic>>,
) -> Result<LoadedBundle, PipelineError> {
    let told = |problem: Diagnostic| Diagnostic {
        location: problem.location.map(|location| location.below(place)),
        ..problem
    };
    bundle
        .map(|bundle| bundle.told_from(place.to_path_buf()))
        .map_err(|found| PipelineError::Policy(found.into_iter().map(told).collect()))
}
