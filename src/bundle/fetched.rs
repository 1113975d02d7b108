//! The bytes of a bundle as they were fetched: linted names, nothing trusted.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{BundlePath, Limits};
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

/// The Git objects that lead from a ref to the bundle's files, verbatim and unchecked: what a signature of Git's own covers.
/// `trust` computes their ids again, from the files up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitEvidence {
    /// The full name of the tag that was asked for; none where it was a branch or a commit id, which vouch for nothing.
    pub reference: Option<String>,
    /// The commit.
    pub commit: Vec<u8>,
    /// The tag object that the ref points at, where there is one.
    pub tag: Option<Vec<u8>>,
    /// The trees from the commit's own down to the one that holds the bundle's directory; none where that is the commit's own.
    pub trees: Vec<Vec<u8>>,
}

impl GitEvidence {
    /// The bytes of all objects.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let trees = self.trees.iter().map(Vec::len).sum::<usize>();
        self.commit.len() + self.tag.as_ref().map_or(0, Vec::len) + trees
    }

    /// The first limit that the objects pass, if they pass one. Such objects are no evidence, and are not kept.
    #[must_use]
    pub fn excess(&self, limits: &Limits) -> Option<Excess> {
        let tag = self.tag.as_ref().map_or(0, Vec::len);
        let one = limits.evidence_object_bytes;
        [
            ("bytes", self.bytes(), limits.evidence_bytes),
            ("bytes in the commit", self.commit.len(), one),
            ("bytes in the tag", tag, one),
            ("trees", self.trees.len(), limits.evidence_trees),
        ]
        .into_iter()
        .find(|(_, found, limit)| found > limit)
        .map(|(what, found, limit)| Excess { what, found, limit })
    }
}

/// What Git objects have too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{found} {what}, more than the limit of {limit}")]
pub struct Excess {
    /// Of what.
    pub what: &'static str,
    /// How much there is.
    pub found: usize,
    /// How much there may be.
    pub limit: usize,
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
    /// The Git objects around them, where they came from Git.
    pub git: Option<Arc<GitEvidence>>,
}
