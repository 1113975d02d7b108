//! The bytes of a bundle as they were fetched: linted names, nothing trusted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::BundlePath;
use crate::digest::CommitId;

/// The signature envelope, the only file that the statement does not list.
pub const ENVELOPE_FILE: &str = "bundle.dsse.json";
/// The manifest.
pub const MANIFEST_FILE: &str = "bundle.yaml";

/// Where a bundle's bytes came from. It locates and explains; no decision of trust rests on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A commit of a Git repository.
    Git {
        /// The URL, without credentials.
        url: String,
        /// The full ref, or the commit id that was asked for.
        reference: String,
        /// The commit.
        commit: CommitId,
        /// The directory within the repository; empty for its root.
        path: String,
    },
    /// A directory on this machine.
    Directory {
        /// The directory, as given.
        path: String,
    },
    /// The content-addressed store.
    Store {
        /// The commit it was fetched from, if it came from Git.
        commit: Option<CommitId>,
    },
}

impl Origin {
    /// The commit, where there is one.
    #[must_use]
    pub fn commit(&self) -> Option<&CommitId> {
        match self {
            Self::Git { commit, .. } => Some(commit),
            Self::Store { commit } => commit.as_ref(),
            Self::Directory { .. } => None,
        }
    }
}

/// A bundle's files in memory, every name linted. The bytes that are verified later are these.
#[derive(Debug, Clone)]
pub struct FetchedBundle {
    /// Where it came from.
    pub origin: Origin,
    /// The bytes of `bundle.dsse.json`, if there is one.
    pub envelope: Option<Vec<u8>>,
    /// Every other file.
    pub files: BTreeMap<BundlePath, Arc<[u8]>>,
}
