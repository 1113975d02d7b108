//! The Git objects beside a stored bundle: commit, tag, trees.

use std::io::{self, Read};

use serde::{Deserialize, Serialize};

use crate::bundle::{FetchedBundle, GitEvidence, Limits};

/// Bytes of each Git object, in the order in which they stand.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GitV1 {
    reference: Option<String>,
    commit: u64,
    tag: Option<u64>,
    trees: Vec<u64>,
}

impl GitV1 {
    pub(super) fn of(git: &GitEvidence) -> Self {
        let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Self {
            reference: git.reference.clone(),
            commit: length(&git.commit),
            tag: git.tag.as_deref().map(length),
            trees: git.trees.iter().map(|tree| length(tree)).collect(),
        }
    }

    /// Whether the objects are within the limits, and no tree is empty: what is written always is so.
    pub(super) fn is_within(&self, limits: &Limits) -> bool {
        let one = |bytes: &u64| *bytes <= limits.evidence_object_bytes as u64;
        let total = self.sizes().try_fold(0u64, u64::checked_add);
        total.is_some_and(|bytes| bytes <= limits.evidence_bytes as u64)
            && [self.commit].iter().chain(&self.tag).all(one)
            && self.trees.len() <= limits.evidence_trees
            && !self.trees.contains(&0)
    }

    pub(super) fn sizes(&self) -> impl Iterator<Item = u64> + Clone {
        let trees = self.trees.iter().copied();
        [self.commit].into_iter().chain(self.tag).chain(trees)
    }

    /// The objects, whose sizes are within the limits.
    pub(super) fn read(self, reader: &mut impl Read) -> io::Result<GitEvidence> {
        let mut object = |size: u64| -> io::Result<Vec<u8>> {
            let mut bytes = vec![0; usize::try_from(size).map_err(io::Error::other)?];
            reader.read_exact(&mut bytes)?;
            Ok(bytes)
        };
        Ok(GitEvidence {
            reference: self.reference,
            commit: object(self.commit)?,
            tag: self.tag.map(&mut object).transpose()?,
            trees: self
                .trees
                .into_iter()
                .map(object)
                .collect::<io::Result<_>>()?,
        })
    }
}

/// The objects in the order in which they stand.
pub(super) fn objects(git: &GitEvidence) -> impl Iterator<Item = &[u8]> {
    let trees = git.trees.iter().map(Vec::as_slice);
    [git.commit.as_slice()]
        .into_iter()
        .chain(git.tag.as_deref())
        .chain(trees)
}

/// The Git objects that are kept: larger ones are refused where they are needed.
pub(super) fn evidence(bundle: &FetchedBundle) -> Option<&GitEvidence> {
    let limits = Limits::default();
    let git = bundle.git.as_deref();
    // No tree above a bundle is empty: it holds the directory that leads there.
    git.filter(|git| git.excess(&limits).is_none() && !git.trees.iter().any(Vec::is_empty))
}
