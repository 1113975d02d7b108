//! What a bundle's directory may hold, whatever it is read from.
//!
//! INVARIANT: a [`FetchedBundle`] leaves this module only through [`Collector::finish`], so every name is linted, no two
//! names are twins, and every cap held while the bytes were gathered.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::{BundlePath, ENVELOPE_FILE, FetchedBundle, Limits, Origin, PathError, PathSet};
use crate::diag::Code;

/// Why a directory cannot be a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError {
    /// A name that some file system does not take as it is.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A symbolic link.
    #[error("`{}` is a symbolic link; a bundle holds plain files only", path.escape_debug())]
    Symlink {
        /// Where.
        path: String,
    },
    /// A file that may be executed.
    #[error("`{}` is executable; a bundle holds plain files only: run `chmod -x` on it", path.escape_debug())]
    Executable {
        /// Where.
        path: String,
    },
    /// A submodule.
    #[error("`{}` is a submodule; a bundle holds plain files only", path.escape_debug())]
    Gitlink {
        /// Where.
        path: String,
    },
    /// A Git mode that Git itself does not write, or a device, pipe or socket.
    #[error("`{}` is of the kind {mode}; a bundle holds plain files only", path.escape_debug())]
    Special {
        /// Where.
        path: String,
        /// The mode in octal, or the kind in words.
        mode: String,
    },
    /// An entry of a Git tree whose name holds a slash.
    #[error("`{}` is one name with a slash in it, not a path", path.escape_debug())]
    Slash {
        /// Where.
        path: String,
    },
    /// Two entries of one name in one Git tree.
    #[error("`{}` stands twice in its directory", path.escape_debug())]
    Duplicate {
        /// Where.
        path: String,
    },
    /// A Git tree whose entries are out of order, so that readers disagree on what it holds.
    #[error("the entries of the directory are not sorted at `{}`", path.escape_debug())]
    Unsorted {
        /// The first entry out of order.
        path: String,
    },
    /// More files than the limit.
    #[error("more than {limit} files")]
    TooManyFiles {
        /// The limit.
        limit: usize,
    },
    /// A file larger than the limit.
    #[error("`{}` has {size} bytes, more than the limit of {limit}", path.escape_debug())]
    TooLarge {
        /// Where.
        path: String,
        /// Its bytes.
        size: u64,
        /// The limit.
        limit: u64,
    },
    /// More bytes in all than the limit.
    #[error("the files have more than {limit} bytes together")]
    TooManyBytes {
        /// The limit.
        limit: u64,
    },
    /// Directories nested deeper than the limit.
    #[error("`{}` lies deeper than {limit} directories", path.escape_debug())]
    TooDeep {
        /// Where.
        path: String,
        /// The limit.
        limit: usize,
    },
    /// More Git objects than the limit.
    #[error("more than {limit} git objects")]
    TooManyObjects {
        /// The limit.
        limit: usize,
    },
}

impl ContentError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Path(PathError::Twins { .. }) => Code::SOURCE_NAME_TWINS,
            Self::Path(_) | Self::Slash { .. } => Code::SOURCE_NAME_REFUSED,
            Self::Symlink { .. } => Code::SOURCE_SYMLINK,
            Self::Executable { .. } => Code::SOURCE_EXECUTABLE,
            Self::Gitlink { .. } => Code::SOURCE_GITLINK,
            Self::Special { .. } => Code::SOURCE_SPECIAL_FILE,
            Self::Duplicate { .. } | Self::Unsorted { .. } => Code::SOURCE_TREE_ORDER,
            Self::TooManyFiles { .. }
            | Self::TooLarge { .. }
            | Self::TooManyBytes { .. }
            | Self::TooDeep { .. }
            | Self::TooManyObjects { .. } => Code::SOURCE_LIMIT,
        }
    }
}

/// Linted names and their bytes.
pub(super) type Files = Vec<(BundlePath, Arc<[u8]>)>;

/// Gathers the names of a directory's files, then their bytes.
#[derive(Debug)]
pub(super) struct Collector<'a> {
    limits: &'a Limits,
    names: PathSet,
    files: usize,
}

impl<'a> Collector<'a> {
    pub(super) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            names: PathSet::default(),
            files: 0,
        }
    }

    /// Checks a directory before it is descended into; `depth` is 1 for one at the top.
    pub(super) fn directory(&self, path: &[u8], depth: usize) -> Result<BundlePath, ContentError> {
        let name = BundlePath::from_bytes(path)?;
        if depth > self.limits.depth {
            return Err(ContentError::TooDeep {
                path: name.as_str().to_owned(),
                limit: self.limits.depth,
            });
        }
        Ok(name)
    }

    /// Checks and counts a file before its bytes are read.
    pub(super) fn file(&mut self, path: &[u8]) -> Result<BundlePath, ContentError> {
        let name = BundlePath::from_bytes(path)?;
        self.files += 1;
        if self.files > self.limits.files {
            return Err(ContentError::TooManyFiles {
                limit: self.limits.files,
            });
        }
        self.names.insert(&name)?;
        Ok(name)
    }

    /// The bundle of these bytes.
    pub(super) fn finish(origin: Origin, files: Files) -> FetchedBundle {
        let mut files: BTreeMap<BundlePath, Arc<[u8]>> = files.into_iter().collect();
        let envelope = ENVELOPE_FILE
            .parse::<BundlePath>()
            .ok()
            .and_then(|name| files.remove(&name))
            .map(|bytes| bytes.to_vec());
        FetchedBundle {
            origin,
            envelope,
            files,
            git: None,
        }
    }
}

/// Checks the size of one file before it is read, and adds it to what all files have.
pub(super) fn admit(
    limits: &Limits,
    total: &std::sync::atomic::AtomicU64,
    path: &BundlePath,
    size: u64,
) -> Result<(), ContentError> {
    let limit = if path.as_str() == ENVELOPE_FILE {
        limits
            .file_bytes
            .min(u64::try_from(limits.envelope_bytes).unwrap_or(u64::MAX))
    } else {
        limits.file_bytes
    };
    if size > limit {
        return Err(ContentError::TooLarge {
            path: path.as_str().to_owned(),
            size,
            limit,
        });
    }
    let before = total.fetch_add(size, std::sync::atomic::Ordering::Relaxed);
    if before.saturating_add(size) > limits.total_bytes {
        return Err(ContentError::TooManyBytes {
            limit: limits.total_bytes,
        });
    }
    Ok(())
}
