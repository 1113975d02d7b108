//! Our own bare repositories, one per URL, under the cache directory.
//!
//! ```text
//! <cache>/git/<sha256 of the URL>/lock       held while anything below is touched
//!                                /repo.git   bare; refs/ordain/incoming/* and refs/ordain/kept/<sha256 of the ref>
//! ```
//!
//! The cache may vanish or be damaged at any time: whoever reads from it checks every object, and whoever finds it broken
//! removes it and fetches again.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gix::ObjectId;

use super::error::FetchError;
use crate::bundle::Limits;
use crate::digest::Sha256Digest;

/// Packs after which the repository is made anew: each shallow fetch adds one, and gix does not collect garbage.
const MAX_PACKS: usize = 50;

/// The repository's name within its directory.
const REPOSITORY: &str = "repo.git";

/// One repository of the cache, locked.
#[derive(Debug)]
pub(super) struct Cache {
    /// Dropping it unlocks.
    _lock: File,
    repository: PathBuf,
}

fn directory(cache: &Path, url: &str) -> PathBuf {
    cache
        .join("git")
        .join(Sha256Digest::of(url.as_bytes()).to_hex())
}

impl Cache {
    /// Locks the repository of `url`, waiting for another process that holds it.
    pub(super) fn lock(
        cache: &Path,
        url: &str,
        interrupt: &AtomicBool,
        waiting: impl FnOnce(),
    ) -> Result<Self, FetchError> {
        let directory = directory(cache, url);
        let failed = |error: std::io::Error| FetchError::Cache {
            path: directory.clone(),
            reason: error.to_string(),
        };
        fs::create_dir_all(&directory).map_err(failed)?;
        let lock = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(directory.join("lock"))
            .map_err(failed)?;
        let mut waiting = Some(waiting);
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) if interrupt.load(Ordering::Relaxed) => {
                    return Err(FetchError::Interrupted {
                        url: url.to_owned(),
                    });
                }
                Err(TryLockError::WouldBlock) => {
                    if let Some(waiting) = waiting.take() {
                        waiting();
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        Ok(Self {
            _lock: lock,
            repository: directory.join(REPOSITORY),
        })
    }

    /// Whether there is a repository of `url`, sound or not, without waiting for who holds it.
    pub(super) fn is_begun(cache: &Path, url: &str) -> bool {
        directory(cache, url).join(REPOSITORY).is_dir()
    }

    /// Opens the repository if there is one that can be opened, without what a killed fetch left behind.
    pub(super) fn open(&self, limits: &Limits) -> Option<gix::Repository> {
        if !self.repository.is_dir() {
            return None;
        }
        remove_leftovers(&self.repository);
        let options = options(limits).with(gix::sec::Trust::Full);
        gix::ThreadSafeRepository::open_opts(&self.repository, options)
            .ok()
            .map(|repo| repo.to_thread_local())
    }

    /// Makes the repository anew, empty.
    pub(super) fn create(
        &self,
        hash: gix::hash::Kind,
        limits: &Limits,
    ) -> Result<gix::Repository, FetchError> {
        self.remove()?;
        let create = gix::create::Options {
            object_hash: Some(hash),
            ..Default::default()
        };
        let options = options(limits).with(gix::sec::Trust::Full);
        gix::ThreadSafeRepository::init_opts(
            &self.repository,
            gix::create::Kind::Bare,
            create,
            options,
        )
        .map(|repo| repo.to_thread_local())
        .map_err(|error| self.failed(&error.to_string()))
    }

    /// Removes the repository.
    pub(super) fn remove(&self) -> Result<(), FetchError> {
        match fs::remove_dir_all(&self.repository) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(self.failed(&error.to_string()))
            }
            _ => Ok(()),
        }
    }

    /// Whether so many fetches have piled up that starting anew is cheaper.
    pub(super) fn is_overgrown(&self) -> bool {
        fs::read_dir(self.repository.join("objects/pack")).is_ok_and(|entries| {
            let is_pack =
                |name: &std::ffi::OsStr| Path::new(name).extension().is_some_and(|e| e == "pack");
            entries
                .flatten()
                .filter(|entry| is_pack(&entry.file_name()))
                .count()
                > MAX_PACKS
        })
    }

    pub(super) fn failed(&self, reason: &str) -> FetchError {
        FetchError::Cache {
            path: self.repository.clone(),
            reason: super::error::shown(reason),
        }
    }
}

/// No configuration of the user's or the system's, no environment, bounded allocations, no replaced objects.
pub(super) fn options(limits: &Limits) -> gix::open::Options {
    gix::open::Options::isolated()
        .open_path_as_is(false)
        .config_overrides([
            format!("gitoxide.objects.allocLimit={}", limits.object_bytes),
            "core.useReplaceRefs=false".to_owned(),
            "gitoxide.credentials.terminalPrompt=false".to_owned(),
            "core.logAllRefUpdates=false".to_owned(),
            "gitoxide.userAgent=ordain".to_owned(),
            // References written in a bare repository of ours need a name to be written under.
            "user.name=ordain".to_owned(),
            "user.email=ordain@localhost".to_owned(),
        ])
}

/// The ref under which the last commit of `reference` is kept, or the tag of it.
fn kept(reference: &str) -> String {
    format!(
        "refs/ordain/kept/{}",
        Sha256Digest::of(reference.as_bytes()).to_hex()
    )
}

/// Keeps `tip`, a commit or a tag, as the last one seen of `reference`.
pub(super) fn keep(
    repo: &gix::Repository,
    reference: &str,
    tip: ObjectId,
) -> Result<(), gix::Error> {
    if last_kept(repo, reference) == Some(tip) {
        return Ok(());
    }
    let any = gix::refs::transaction::PreviousValue::Any;
    repo.reference(kept(reference), tip, any, "ordain: fetched")
        .map(|_| ())
}

/// The last commit seen of `reference`, or the tag of it.
pub(super) fn last_kept(repo: &gix::Repository, reference: &str) -> Option<ObjectId> {
    let found = repo.try_find_reference(kept(reference).as_str()).ok()??;
    found.try_id().map(gix::Id::detach)
}

/// Removes the locks and temporary files of a fetch that was killed. Only under our own lock: none of them has an owner then.
fn remove_leftovers(repository: &Path) {
    let mut directories = vec![(repository.to_path_buf(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory {
                let is_fanout = name.len() == 2 && name != ".." && depth == 1;
                if depth < 4 && !is_fanout {
                    directories.push((entry.path(), depth + 1));
                }
            } else if name.ends_with(".lock")
                || name.starts_with(".tmp")
                || name.starts_with("tmp_")
            {
                // A file that cannot be removed makes the fetch fail, which says so.
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
