//! What can stop the way from Git to an effective policy.

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use crate::diag::{Code, Diagnostic};
use crate::digest::Sha256Digest;
use crate::lockfile::LockError;
use crate::name::BundleName;
use crate::source::directory::DirectoryError;
use crate::source::git::FetchError;
use crate::source::state::StateError;
use crate::source::store::StoreError;
use crate::source::transfer::TransferError;
use crate::source::{RefError, UrlError};
use crate::trust::{RequiresError, RootError, VerifyError};

/// Why there is no effective policy, or nothing was pulled.
#[derive(Debug, thiserror::Error)]
pub enum PipelineError {
    /// The trust root.
    #[error(transparent)]
    Root(#[from] RootError),
    /// One file of the trust root.
    #[error("{file}: {error}")]
    RootFile {
        /// Which, in words that are fit for a terminal.
        file: String,
        /// What is wrong.
        error: Box<RootError>,
    },
    /// The URL of the roots' repository.
    #[error("the trust root's repository: {0}")]
    RootUrl(UrlError),
    /// The ref of the roots' repository.
    #[error("the trust root's repository: {0}")]
    RootRef(RefError),
    /// Fetching the roots.
    #[error("the trust root's repository: {0}")]
    RootFetch(Box<FetchError>),
    /// The roots were never fetched, and must not be now.
    #[error("the trust root is not on this machine, and nothing may be fetched")]
    RootOffline,
    /// Nothing says which root is the right one.
    #[error("the trust root's fingerprint is not known")]
    FingerprintNeeded,
    /// A fingerprint from a second channel that is not the one in use.
    #[error("the trust root in use is {remembered}, not {said}")]
    Confirm {
        /// What the second channel says.
        said: Sha256Digest,
        /// What is in use.
        remembered: Sha256Digest,
    },
    /// The trust directory cannot be read.
    #[error("cannot read the trust root `{}`: {source}", path.display().to_string().escape_debug())]
    RootUnreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The URL of a bundle.
    #[error("bundle `{bundle}`: {error}")]
    Url {
        /// The bundle.
        bundle: String,
        /// What is wrong.
        error: UrlError,
    },
    /// The ref of a bundle.
    #[error("bundle `{bundle}`: {error}")]
    Ref {
        /// The bundle.
        bundle: String,
        /// What is wrong.
        error: RefError,
    },
    /// Fetching a bundle.
    #[error("bundle `{bundle}`: {error}")]
    Fetch {
        /// The bundle.
        bundle: String,
        /// What is wrong.
        error: Box<FetchError>,
    },
    /// Reading a directory.
    #[error(transparent)]
    Directory(#[from] DirectoryError),
    /// Verifying a bundle.
    #[error("bundle `{bundle}`: {error}")]
    Verify {
        /// The bundle.
        bundle: String,
        /// What is wrong.
        error: Box<VerifyError>,
    },
    /// What bundles require of one another.
    #[error(transparent)]
    Requires(#[from] RequiresError),
    /// The policies themselves.
    #[error("the policy is not valid")]
    Policy(Vec<Diagnostic>),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The machine's state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The lockfile.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// `--locked`, and the lockfile does not name the bundle.
    #[error("`ordain.lock` does not name bundle `{bundle}`")]
    NotLocked {
        /// The bundle.
        bundle: BundleName,
    },
    /// `--locked`, and the configuration names another source than the lockfile.
    #[error(
        "`ordain.lock` has bundle `{bundle}` from another URL, ref or path than the configuration"
    )]
    LockedElsewhere {
        /// The bundle.
        bundle: BundleName,
    },
    /// `--locked`, and the source has something else.
    #[error("bundle `{bundle}` is {found} at its source, and {locked} in `ordain.lock`")]
    LockChanged {
        /// The bundle.
        bundle: BundleName,
        /// The locked payload.
        locked: Sha256Digest,
        /// The payload at the source.
        found: Sha256Digest,
    },
    /// `--offline`, and the bundle is not here.
    #[error("bundle `{bundle}` is not on this machine, and `--offline` forbids to fetch it")]
    Offline {
        /// The bundle.
        bundle: BundleName,
    },
    /// A file that carries roots and bundles.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// A bundle that is neither in the imported file nor active.
    #[error("bundle `{bundle}` is neither in the export nor active here")]
    NotCarried {
        /// The bundle.
        bundle: BundleName,
    },
    /// The clock is behind a time that this machine has seen.
    #[error("the clock says {now}, and this machine has seen {seen}")]
    ClockWentBack {
        /// The clock.
        now: Timestamp,
        /// The time seen.
        seen: Timestamp,
    },
    /// What kept bundles from being brought once, and keeps them from it until the process ends.
    #[error(transparent)]
    Lasting(Arc<Self>),
}

impl PipelineError {
    /// The error of a fetch, said of the trust root instead of a bundle.
    pub(super) fn of_roots(self) -> Self {
        match self {
            Self::Url { error, .. } => Self::RootUrl(error),
            Self::Ref { error, .. } => Self::RootRef(error),
            Self::Fetch { error, .. } => Self::RootFetch(error),
            error => error,
        }
    }

    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Root(error) => error.code(),
            Self::RootFile { error, .. } => error.code(),
            Self::RootUrl(error) => error.code(),
            Self::RootRef(error) => error.code(),
            Self::RootFetch(error) => error.code(),
            Self::RootOffline => Code::SOURCE_OFFLINE,
            Self::Confirm { .. } => Code::CONFIRM_MISMATCH,
            Self::FingerprintNeeded => Code::FINGERPRINT_NEEDED,
            Self::RootUnreadable { .. } => Code::ROOT_MISSING,
            Self::Url { error, .. } => error.code(),
            Self::Ref { error, .. } => error.code(),
            Self::Fetch { error, .. } => error.code(),
            Self::Directory(error) => error.code(),
            Self::Verify { error, .. } => error.code(),
            Self::Requires(error) => error.code(),
            Self::Policy(diagnostics) => diagnostics
                .first()
                .map_or(Code::CONFIG_INVALID, |first| first.code),
            Self::Store(error) => error.code(),
            Self::State(error) => error.code(),
            Self::Lock(error) => error.code(),
            Self::NotLocked { .. } => Code::LOCK_MISSING,
            Self::LockedElsewhere { .. } | Self::LockChanged { .. } => Code::LOCK_CHANGED,
            Self::Offline { .. } => Code::SOURCE_OFFLINE,
            Self::Transfer(error) => error.code(),
            Self::NotCarried { .. } => Code::TRANSFER_LACKS,
            Self::ClockWentBack { .. } => Code::STATE_CLOCK,
            Self::Lasting(error) => error.code(),
        }
    }
}
