//! Why the state cannot be used, or not be advanced.

use std::io;
use std::path::PathBuf;

use super::Mark;
use crate::diag::Code;
use crate::json::JsonError;
use crate::name::BundleName;

/// Why the state cannot be used, or not be advanced.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused.
    #[error("cannot use the state `{}`: {source}", path.display().to_string().escape_debug())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A link where a file or directory should be.
    #[error("`{}` is a link or a special file; the state must be a plain file in a plain directory", path.display().to_string().escape_debug())]
    Link {
        /// Which.
        path: PathBuf,
    },
    /// Others may write it.
    #[error("others may write `{}` (mode {mode:o}); run `chmod go-w` on it", path.display().to_string().escape_debug())]
    Writable {
        /// Which.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Not strict JSON.
    #[error("`{}` is damaged: {source}", path.display().to_string().escape_debug())]
    Json {
        /// Which.
        path: PathBuf,
        /// Why.
        source: JsonError,
    },
    /// JSON of another shape.
    #[error("`{}` is damaged: {reason}", path.display().to_string().escape_debug())]
    Shape {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The wait for another process was ended.
    #[error("interrupted while waiting for another pull")]
    Interrupted,
    /// A revision below the mark.
    #[error(
        "bundle `{bundle}` is at epoch {}, revision {}, but this machine has seen epoch {}, revision {}",
        offered.epoch, offered.revision, seen.epoch, seen.revision
    )]
    Rollback {
        /// The bundle.
        bundle: BundleName,
        /// What came.
        offered: Mark,
        /// The mark.
        seen: Mark,
    },
    /// The same revision with other contents.
    #[error(
        "bundle `{bundle}` has two payloads for epoch {}, revision {}: {} was seen before, now {}",
        seen.epoch, seen.revision, seen.payload, offered.payload
    )]
    Equivocation {
        /// The bundle.
        bundle: BundleName,
        /// What came.
        offered: Mark,
        /// The mark.
        seen: Mark,
    },
    /// A trust root older than one that was seen.
    #[error("the trust root is at version {offered}, but this machine has seen version {seen}")]
    RootRollback {
        /// What came.
        offered: u64,
        /// The mark.
        seen: u64,
    },
}

impl StateError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io { .. } => Code::SOURCE_STATE,
            Self::Interrupted => Code::SOURCE_INTERRUPTED,
            Self::Link { .. } | Self::Writable { .. } => Code::SOURCE_STATE_UNSAFE,
            Self::Json { .. } | Self::Shape { .. } => Code::SOURCE_STATE_DAMAGED,
            Self::Rollback { .. } | Self::Equivocation { .. } | Self::RootRollback { .. } => {
                Code::SOURCE_ROLLBACK
            }
        }
    }
}
