//! Fetch → verify → resolve, for every front end; the only caller of `source`.
//!
//! A pull, under one lock per machine state:
//!
//! 1. The trust root is walked from its pinned fingerprint.
//! 2. Each bundle is fetched and verified against it, the lockfile and this machine's high-water marks.
//! 3. What the bundles require of one another is met, and their policy resolves for the consumer's scope.
//! 4. The verified bytes enter the store. Nothing refers to them yet.
//! 5. The lockfile is replaced: from here on the new bundles are active, all at once.
//! 6. The high-water marks rise. Where they cannot be written, the lockfile goes back to what it was.
//!
//! Where the lockfile says what to take, all of it is in the store, and the lockfile stays as it is, nothing is fetched and
//! nobody is waited for: a pull that hangs does not keep others from deciding.
//!
//! INVARIANT: a crash before 5 leaves the old bundles active, and one after it the new ones, since the high-water mark is
//! the greater one of lockfile and state.

mod anchor;
mod author;
pub mod bench;
mod bring;
pub mod doctor;
mod error;
mod explain;
mod later;
mod project;
mod pull;
mod ready;
mod review;
mod roots;
mod served;
mod step;
mod transfer;
mod verify;
mod walk;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use jiff::Timestamp;

use crate::bundle::{FetchedBundle, Limits};
use crate::clock::Clock;
use crate::config::TrustSource;
use crate::digest::Sha256Digest;
use crate::name::{BundleName, Scope};
use crate::policy::Mode;
use crate::resolve::{EffectivePolicy, LoadedBundle, resolve};
use crate::source::directory;
use crate::source::state::State;
use crate::source::store::Store;
use crate::trust::{OlderRevision, RevisionName, TrustRoot, VerifiedBundle};

pub use crate::source::InsecureHttp;
pub use crate::source::git::{Credentials, Movement, Network, Progress, Transfer, Watch};
pub use crate::source::state::{Equivocated, Equivocation};
pub use anchor::Anchored;
pub use author::{Authored, Unreadable, authored, load_unsigned, unsigned};
pub use error::PipelineError;
pub use explain::{Explained, ExplainedBundle, Explanation, Outcome, StepFact, Subject};
pub use project::project_identity;
pub use pull::{Locking, Pulled, PulledBundle};
pub use ready::{Reuse, Serving};
pub use review::{Reviewed, Standing, review_directory};
pub use roots::{Confirmation, Trusted, root_files, trust_root};
pub use served::Served;
pub use step::{Part, Step};
pub use transfer::{Exported, Imported, Provenance, TransferError};

/// Where this machine keeps things.
#[derive(Debug, Clone)]
pub struct Directories {
    /// Bare Git repositories and the store: may be deleted at any time.
    pub cache: PathBuf,
    /// High-water marks: must not be deleted.
    pub state: PathBuf,
}

/// What every step needs.
#[derive(Clone, Copy)]
pub struct Pipeline<'a> {
    /// Where this machine keeps things.
    pub directories: &'a Directories,
    /// Caps on everything that is read before it is trusted.
    pub limits: &'a Limits,
    /// The clock; read once per step.
    pub clock: Clock,
    /// Whether connections may be opened.
    pub network: Network,
    /// Whether unencrypted HTTP may leave this machine.
    pub insecure_http: InsecureHttp,
    /// Credentials for HTTPS.
    pub credentials: Option<&'a Credentials>,
    /// What to run instead of `ssh`.
    pub ssh: Option<&'a str>,
    /// Told how far a fetch is.
    pub watch: Watch<'a>,
    /// Told the fingerprint of a root that is trusted on first use, as soon as it is: whatever comes after may fail.
    pub first_use: &'a dyn Fn(&Sha256Digest),
    /// Ends a fetch when it becomes true.
    pub interrupt: &'a AtomicBool,
}

impl std::fmt::Debug for Pipeline<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pipeline")
            .field("directories", self.directories)
            .finish_non_exhaustive()
    }
}

impl Pipeline<'_> {
    /// The trust root in force here, as [`Self::trusted`].
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn trust_root(&self, trust: &TrustSource) -> Result<TrustRoot, PipelineError> {
        Ok(self.trusted(trust)?.root)
    }

    /// The time, which must not be before one that this machine has seen.
    fn now(&self, state: &State) -> Result<Timestamp, PipelineError> {
        let now = self.clock.now();
        match state.last_seen() {
            Some(seen) if seen.duration_since(now) > pull::CLOCK_TOLERANCE => {
                Err(PipelineError::ClockWentBack { now, seen })
            }
            _ => Ok(now),
        }
    }
}

/// Reads a directory as a bundle; nothing is verified.
///
/// # Errors
/// [`PipelineError::Directory`].
pub fn read_directory(dir: &Path, limits: &Limits) -> Result<FetchedBundle, PipelineError> {
    Ok(directory::read(dir, limits)?)
}

/// The envelope of an older revision in this machine's store, which holds what was once verified here.
///
/// # Errors
/// [`PipelineError::Store`] when the store cannot be read.
pub fn stored_revision(
    cache: &Path,
    bundle: &BundleName,
    wanted: &RevisionName,
    limits: &Limits,
) -> Result<Option<OlderRevision>, PipelineError> {
    let store = Store::new(cache);
    for payload in store.list()? {
        // A damaged entry is as good as none.
        let Ok(Some(held)) = store.load(&payload, limits) else {
            continue;
        };
        let envelope = held.envelope.unwrap_or_default();
        let found = OlderRevision::parse(&envelope, limits).ok();
        if let Some(older) = found.filter(|older| older.is(wanted) && older.payload() == payload)
            && older.predicate().bundle == *bundle
        {
            return Ok(Some(older));
        }
    }
    Ok(None)
}

/// Loads the policies of verified bundles and resolves them for one scope.
///
/// # Errors
/// [`PipelineError::Policy`] with every problem.
pub fn effective(
    bundles: &[&VerifiedBundle],
    scope: &Scope,
    now: Timestamp,
    cap: Option<Mode>,
    limits: &Limits,
) -> Result<EffectivePolicy, PipelineError> {
    crate::trust::check_requires(bundles)?;
    let mut problems = Vec::new();
    let mut loaded = Vec::with_capacity(bundles.len());
    for bundle in bundles {
        match LoadedBundle::verified(bundle, limits) {
            Ok(bundle) => loaded.push(bundle),
            Err(found) => problems.extend(found),
        }
    }
    if !problems.is_empty() {
        return Err(PipelineError::Policy(problems));
    }
    resolve(&loaded, scope, now, cap).map_err(PipelineError::Policy)
}
