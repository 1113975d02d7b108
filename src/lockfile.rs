//! `ordain.lock`: exactly which bundles are active, committed by the consumer.
//!
//! Strict JSON, one bundle after another by name, so that it merges and reviews well. Writing it is what activates a
//! pull, all bundles at once: the file is replaced whole.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::atomic::{self, Access};
use crate::bundle::Signer;
use crate::config::Repository;
use crate::diag::{Code, plain_words};
use crate::digest::{CommitId, Sha256Digest};
use crate::json::{self, JsonError};
use crate::name::BundleName;

/// The name of the lockfile, beside `ordain.yaml`.
pub const LOCK_FILE: &str = "ordain.lock";
/// Bytes of the largest lockfile read.
const MAX_LOCK_BYTES: usize = 4 << 20;

/// Why a lockfile cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be read or written.
    #[error("cannot {action} `{}`: {source}", path.display().to_string().escape_debug())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// Not strict JSON; a merge conflict shows as this.
    #[error("`{}` is not strict JSON: {source}", path.display().to_string().escape_debug())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: JsonError,
    },
    /// JSON of another shape or version.
    #[error("`{}` does not have the right shape: {message}", path.display().to_string().escape_debug())]
    Shape {
        /// The file.
        path: PathBuf,
        /// What serde said.
        message: String,
    },
}

impl LockError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io { .. } => Code::LOCK_IO,
            Self::Json { .. } | Self::Shape { .. } => Code::LOCK_INVALID,
        }
    }
}

/// One active bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedBundle {
    /// The URL or path, as configured.
    pub git: String,
    /// The ref, as configured.
    #[serde(rename = "ref")]
    pub reference: String,
    /// The directory within the repository; empty for its root.
    pub path: String,
    /// The commit at which this payload was first seen.
    pub commit: Option<CommitId>,
    /// SHA-256 of the signed payload: what is active.
    pub payload: Sha256Digest,
    /// The statement's epoch.
    pub epoch: u64,
    /// The statement's revision.
    pub revision: u64,
    /// Whose signatures counted.
    pub signers: Vec<Signer>,
    /// The version of the trust root it was verified against.
    pub root_version: u64,
}

impl LockedBundle {
    /// Whether it was taken from where the configuration says now.
    #[must_use]
    pub fn is_from(&self, repository: &Repository) -> bool {
        let Repository {
            git,
            reference,
            path,
        } = repository;
        (&self.git, &self.reference, &self.path) == (git, reference, path)
    }
}

/// The active bundles of a consumer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lockfile {
    /// By name.
    pub bundles: BTreeMap<BundleName, LockedBundle>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LockfileV1 {
    version: u64,
    bundles: BTreeMap<BundleName, LockedBundle>,
}

impl Lockfile {
    /// Reads a lockfile; none where there is no file.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn load(path: &Path) -> Result<Option<Self>, LockError> {
        let io = |source| LockError::Io {
            action: "read",
            path: path.to_owned(),
            source,
        };
        let file = match std::fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io(error)),
        };
        // Room for most at once: without it they are read in small steps.
        let mut bytes = Vec::with_capacity(4 << 10);
        file.take(MAX_LOCK_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(io)?;
        Self::parse(path, &bytes).map(Some)
    }

    /// Parses a lockfile; `path` names it in messages.
    ///
    /// # Errors
    /// [`LockError::Json`] or [`LockError::Shape`].
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self, LockError> {
        let shape = |message: String| LockError::Shape {
            path: path.to_owned(),
            message,
        };
        let value = json::parse(bytes, MAX_LOCK_BYTES).map_err(|source| LockError::Json {
            path: path.to_owned(),
            source,
        })?;
        let wire: LockfileV1 =
            json::from_value(value).map_err(|error| shape(plain_words(&error.to_string())))?;
        if wire.version != 1 {
            return Err(shape(format!(
                "version {} is not one that this program reads",
                wire.version
            )));
        }
        Ok(Self {
            bundles: wire.bundles,
        })
    }

    /// The file's text.
    #[must_use]
    pub fn to_json(&self) -> String {
        let wire = LockfileV1 {
            version: 1,
            bundles: self.bundles.clone(),
        };
        // Names, digests and numbers have no way to fail.
        serde_json::to_string_pretty(&wire)
            .map(|text| text + "\n")
            .unwrap_or_default()
    }

    /// Replaces the file, unless it says the same already: temporary file, fsync, rename, fsync of the directory.
    ///
    /// # Errors
    /// [`LockError::Io`]; the old file stands.
    pub fn store(&self, path: &Path) -> Result<(), LockError> {
        let io = |source| LockError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        };
        let text = self.to_json();
        if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        atomic::replace(path, text.as_bytes(), Access::Shared).map_err(io)
    }

    /// Undoes a [`Self::store`] of another one: this is what was there before, and an empty one was no file.
    ///
    /// # Errors
    /// [`LockError::Io`]; the other one stands.
    pub fn put_back(&self, path: &Path) -> Result<(), LockError> {
        if !self.bundles.is_empty() {
            return self.store(path);
        }
        atomic::remove(path).map_err(|source| LockError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Lockfile {
        let bundle = LockedBundle {
            git: "https://git.example.com/policy.git".into(),
            reference: "refs/heads/main".into(),
            path: String::new(),
            commit: "0123456789abcdef0123456789abcdef01234567".parse().ok(),
            payload: Sha256Digest::of(b"x"),
            epoch: 1,
            revision: 14,
            signers: Vec::new(),
            root_version: 1,
        };
        Lockfile {
            bundles: [("acme".parse().unwrap(), bundle)].into(),
        }
    }

    #[test]
    fn round_trips_through_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(LOCK_FILE);
        assert!(Lockfile::load(&path).unwrap().is_none());
        sample().store(&path).unwrap();
        assert_eq!(Lockfile::load(&path).unwrap(), Some(sample()));
    }

    #[test]
    fn each_defect_is_refused() {
        let parse =
            |text: &str| Lockfile::parse(Path::new(LOCK_FILE), text.as_bytes()).unwrap_err();
        let text = sample().to_json();
        assert!(matches!(parse("<<<<<<< ours"), LockError::Json { .. }));
        assert!(matches!(
            parse(&text.replace("\"version\": 1", "\"version\": 2")),
            LockError::Shape { .. }
        ));
        assert!(matches!(
            parse(&text.replace("\"epoch\"", "\"extra\": 1, \"epoch\"")),
            LockError::Shape { .. }
        ));
        assert!(matches!(
            parse(&text.replace("\"epoch\": 1", "\"epoch\": 1, \"epoch\": 2")),
            LockError::Json { .. }
        ));
    }
}
