//! Compiled policies that this machine keeps.
//!
//! ```text
//! <state>/compiled/<key>    the digest of the bytes that this machine compiled for the key
//! <cache>/compiled/<digest> the bytes
//! ```
//!
//! SECURITY: the bytes stand where anything may happen to them, so who reads them checks them against the digest, which stands
//! beside the high-water marks. What is missing, or does not fit, is compiled again.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;
use std::time::SystemTime;

use super::state::{self, Expected, StateError};
use super::{durable, plain};
use crate::digest::Sha256Digest;

const DIRECTORY: &str = "compiled";
/// As many are kept as there may be projects in use.
const KEPT: usize = 32;
/// The bytes of a written digest.
const DIGEST_BYTES: u64 = 71;

/// Whether anything was ever kept here, in a directory that nobody else may write.
#[must_use]
pub fn is_in_use(state: &Path) -> bool {
    state::check(&state.join(DIRECTORY), Expected::Directory).unwrap_or(false)
}

/// What was compiled for `key`, and the digest that it must have; none where nothing is.
#[must_use]
pub fn find(cache: &Path, state: &Path, key: &Sha256Digest) -> Option<(File, Sha256Digest)> {
    // SECURITY: who may write here says what decides, so the directory is held to what the state's own is.
    if !is_in_use(state) {
        return None;
    }
    let noted = state.join(DIRECTORY).join(key.to_hex());
    if !state::check(&noted, Expected::File).ok()? {
        return None;
    }
    // One byte more than it has is enough to refuse it.
    let mut digest = String::new();
    let noted = plain::open(&noted).ok()?;
    let mut noted = noted.take(DIGEST_BYTES + 1);
    noted.read_to_string(&mut digest).ok()?;
    let digest: Sha256Digest = digest.parse().ok()?;
    let path = cache.join(DIRECTORY).join(digest.to_hex());
    Some((plain::open(&path).ok()?, digest))
}

/// Keeps what was compiled for `key`, and no more than `KEPT` in all.
///
/// # Errors
/// [`StateError`] where it cannot be kept, which loses nothing but time.
pub fn keep(
    cache: &Path,
    state: &Path,
    key: &Sha256Digest,
    (bytes, digest): (&[u8], &Sha256Digest),
) -> Result<(), StateError> {
    let noted = state.join(DIRECTORY);
    if !state::check(&noted, Expected::Directory)? {
        state::create_private(&noted).map_err(|source| StateError::Io {
            path: noted.clone(),
            source,
        })?;
    }
    let kept = cache.join(DIRECTORY);
    // SECURITY: whoever may write the cache must not lead us to another directory, where we would write and remove.
    if fs::symlink_metadata(&kept).is_ok_and(|metadata| !metadata.is_dir()) {
        return Err(StateError::Link { path: kept });
    }
    let bytes_path = kept.join(digest.to_hex());
    let write = |path: &Path, bytes: &[u8]| {
        durable::replace(path, |out| out.write_all(bytes)).map_err(|source| StateError::Io {
            path: path.to_owned(),
            source,
        })
    };
    write(&bytes_path, bytes)?;
    write(&noted.join(key.to_hex()), digest.to_string().as_bytes())?;
    for directory in [&noted, &kept] {
        // What cannot be removed now is removed next time.
        let _ = prune(directory);
    }
    Ok(())
}

fn is_digest(name: &str) -> bool {
    Sha256Digest::from_hex(name).is_ok()
}

fn prune(directory: &Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        let is_ours = entry.file_name().to_str().is_some_and(is_digest);
        if metadata.is_file() && is_ours {
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            files.push((modified, entry.path()));
        }
    }
    files.sort();
    let old = files.len().saturating_sub(KEPT);
    for (_, path) in files.into_iter().take(old) {
        fs::remove_file(path)?;
    }
    Ok(())
}
