//! What this machine has seen, so that policy never goes back: the highest revision of each bundle under each trust root,
//! the newest root version, and the latest time.
//!
//! ```text
//! <state>/lock         held while the file is read and replaced
//!        /state.json   `StateV1`
//! ```
//!
//! INVARIANT: marks only grow. [`advance`] is the only writer; it reads again under the lock, so that of two processes
//! neither undoes the other's mark.
//!
//! SECURITY: a state that others may write protects from nothing, so a link or a group-writable file is refused, not
//! repaired.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::durable;
use crate::diag::{Code, plain_words};
use crate::digest::Sha256Digest;
use crate::json::{self, JsonError};
use crate::name::BundleName;

const FILE: &str = "state.json";
const LOCK: &str = "lock";
const FORMAT: &str = "ordain-state/v1";
/// How much later a time must be than the one written down to be written too: flushing a file to disk for every decision's
/// clock would cost more than the decision.
const TIME_STEP: SignedDuration = SignedDuration::from_mins(1);
/// The most bytes of the file.
const MAX_BYTES: usize = 16 << 20;
/// How often a waiting process looks again.
const POLL: Duration = Duration::from_millis(50);

/// The highest revision seen of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// The role's epoch.
    pub epoch: u64,
    /// The revision within the epoch.
    pub revision: u64,
    /// The payload that had them.
    pub payload: Sha256Digest,
}

/// What has been verified, and when.
#[derive(Debug, Clone, Copy)]
pub struct Advance<'a> {
    /// The fingerprint of the trust root that this machine pins.
    pub root: &'a Sha256Digest,
    /// The version of the newest root that was walked to.
    pub root_version: u64,
    /// The bundle and its revision; none when only the root was verified.
    pub bundle: Option<(&'a BundleName, Mark)>,
    /// Now.
    pub time: Timestamp,
}

/// The state as it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    last_seen: Option<Timestamp>,
    roots: BTreeMap<Sha256Digest, RootV1>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateV1 {
    format: String,
    last_seen: Option<Timestamp>,
    roots: BTreeMap<Sha256Digest, RootV1>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootV1 {
    version: u64,
    bundles: BTreeMap<BundleName, Mark>,
}

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

impl State {
    /// Reads the state in `directory`; empty where there is none yet. Takes no lock: replacing is atomic.
    ///
    /// # Errors
    /// [`StateError`] when it is unsafe, damaged or unreadable.
    pub fn load(directory: &Path) -> Result<Self, StateError> {
        let path = directory.join(FILE);
        if !check(directory, Expected::Directory)? || !check(&path, Expected::File)? {
            return Ok(Self::default());
        }
        let failed = |source| StateError::Io {
            path: path.clone(),
            source,
        };
        // One byte more than is allowed is enough to refuse it.
        let mut bytes = Vec::new();
        let file = File::open(&path).map_err(failed)?;
        file.take(MAX_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
        Self::parse(&bytes, &path)
    }

    /// Reads the bytes of the file at `path`, which only the errors name.
    ///
    /// # Errors
    /// [`StateError::Json`] and [`StateError::Shape`].
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self, StateError> {
        let shape = |reason: String| StateError::Shape {
            path: path.to_owned(),
            reason,
        };
        let value = json::parse(bytes, MAX_BYTES).map_err(|source| StateError::Json {
            path: path.to_owned(),
            source,
        })?;
        let state: StateV1 = serde_json::from_value(value)
            .map_err(|error| shape(plain_words(&error.to_string())))?;
        if state.format != FORMAT {
            return Err(shape(format!("its format is not `{FORMAT}`")));
        }
        Ok(Self {
            last_seen: state.last_seen,
            roots: state.roots,
        })
    }

    /// The highest revision seen of `bundle` under the trust root with this fingerprint.
    #[must_use]
    pub fn mark(&self, root: &Sha256Digest, bundle: &BundleName) -> Option<&Mark> {
        self.roots.get(root)?.bundles.get(bundle)
    }

    /// The newest version seen of the trust root with this fingerprint.
    #[must_use]
    pub fn root_version(&self, root: &Sha256Digest) -> Option<u64> {
        self.roots.get(root).map(|root| root.version)
    }

    /// The latest time at which anything was verified, to the minute: a clock well before it was set back.
    #[must_use]
    pub fn last_seen(&self) -> Option<Timestamp> {
        self.last_seen
    }

    fn apply(&mut self, advance: &Advance<'_>) -> Result<(), StateError> {
        let root = self.roots.entry(*advance.root).or_default();
        if advance.root_version < root.version {
            return Err(StateError::RootRollback {
                offered: advance.root_version,
                seen: root.version,
            });
        }
        root.version = advance.root_version;
        if let Some((bundle, offered)) = advance.bundle {
            if let Some(seen) = root.bundles.get(bundle) {
                let (new, old) = (
                    (offered.epoch, offered.revision),
                    (seen.epoch, seen.revision),
                );
                let (bundle, seen) = (bundle.clone(), *seen);
                if new < old {
                    return Err(StateError::Rollback {
                        bundle,
                        offered,
                        seen,
                    });
                }
                if new == old && offered.payload != seen.payload {
                    return Err(StateError::Equivocation {
                        bundle,
                        offered,
                        seen,
                    });
                }
            }
            root.bundles.insert(bundle.clone(), offered);
        }
        let is_news = self
            .last_seen
            .is_none_or(|seen| advance.time.duration_since(seen) >= TIME_STEP);
        if is_news {
            self.last_seen = Some(advance.time);
        }
        Ok(())
    }
}

/// Raises the marks of the state in `directory`, all or none, and returns the new state. Waits for another process that
/// does the same.
///
/// # Errors
/// [`StateError`]; the marks then stand where they stood.
pub fn advance(directory: &Path, advances: &[Advance<'_>]) -> Result<State, StateError> {
    let _lock = lock(directory, LOCK)?;
    let before = State::load(directory)?;
    let mut state = before.clone();
    for advance in advances {
        state.apply(advance)?;
    }
    if state != before {
        let path = directory.join(FILE);
        let wire = StateV1 {
            format: FORMAT.to_owned(),
            last_seen: state.last_seen,
            roots: state.roots.clone(),
        };
        durable::replace(&path, |out| {
            serde_json::to_writer_pretty(&mut *out, &wire)?;
            out.write_all(b"\n")
        })
        .map_err(|source| StateError::Io { path, source })?;
    }
    Ok(state)
}

/// Locks `name` in the state directory, which is made where there is none; waits for another process that holds it.
/// Dropping the file unlocks.
///
/// # Errors
/// [`StateError`] when the directory or the file is unsafe or cannot be used.
pub fn lock(directory: &Path, name: &str) -> Result<File, StateError> {
    let (path, lock) = open_lock(directory, name)?;
    lock.lock()
        .map_err(|source| StateError::Io { path, source })?;
    Ok(lock)
}

/// As [`lock`], for a wait that may be long: `waiting` is told of it, and `interrupt` ends it.
///
/// # Errors
/// [`StateError::Interrupted`], and as for [`lock`].
pub fn lock_patiently(
    directory: &Path,
    name: &str,
    interrupt: &AtomicBool,
    waiting: impl FnOnce(),
) -> Result<File, StateError> {
    let (path, lock) = open_lock(directory, name)?;
    let mut waiting = Some(waiting);
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::Error(source)) => return Err(StateError::Io { path, source }),
            Err(TryLockError::WouldBlock) if interrupt.load(Ordering::Relaxed) => {
                return Err(StateError::Interrupted);
            }
            Err(TryLockError::WouldBlock) => {
                if let Some(waiting) = waiting.take() {
                    waiting();
                }
                std::thread::sleep(POLL);
            }
        }
    }
}

fn open_lock(directory: &Path, name: &str) -> Result<(PathBuf, File), StateError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| StateError::Io { path, source }
    };
    if !check(directory, Expected::Directory)? {
        create(directory).map_err(failed(directory))?;
    }
    let path = directory.join(name);
    check(&path, Expected::File)?;
    let lock = private()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(failed(&path))?;
    Ok((path, lock))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    File,
    Directory,
}

/// Whether `path` is there; refuses what is of another kind, or what others may write.
fn check(path: &Path, expected: Expected) -> Result<bool, StateError> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => {
            return Err(StateError::Io {
                path: path.to_owned(),
                source,
            });
        }
    };
    let fits = match expected {
        Expected::File => metadata.is_file(),
        Expected::Directory => metadata.is_dir(),
    };
    if !fits {
        return Err(StateError::Link {
            path: path.to_owned(),
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o022 != 0 {
            return Err(StateError::Writable {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(true)
}

/// Makes the directory for its owner alone.
fn create(directory: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(directory)
}

/// Opens files for their owner alone.
fn private() -> fs::OpenOptions {
    #[allow(unused_mut, reason = "changed on unix only")]
    let mut options = File::options();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options
}

#[cfg(test)]
mod tests;
