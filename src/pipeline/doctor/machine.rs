//! What this machine keeps: its memory, its cache, private keys; and who else may read or write them.

use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use super::{Finding, Id};
use crate::pipeline::error::PipelineError;
use crate::source::state::State;

/// How a private key's file begins, whatever its format.
const KEY_BEGINS: &[u8] = b"-----BEGIN ";

/// The state; none where it cannot be used.
pub(super) fn state(dir: &Path) -> (Option<State>, Vec<Finding>) {
    // Without a home there is no path; that is told with the environment.
    if dir.as_os_str().is_empty() {
        return (None, Vec::new());
    }
    let subject = dir.display().to_string();
    match State::load(dir) {
        Err(error) => {
            let error = PipelineError::from(error);
            let finding = Finding::new(Id::STATE_UNUSABLE, subject, error.to_string())
                .remedy(error.contrast().remedy)
                .code(error.code());
            (None, vec![finding])
        }
        Ok(state) if state == State::default() => {
            let text =
                "nothing seen yet: until the first pull, only `ordain.lock` protects from rollback";
            (
                Some(state),
                vec![Finding::new(Id::STATE_MISSING, subject, text)],
            )
        }
        Ok(state) => {
            let text = format!("sound; mode {}", mode(dir));
            (Some(state), vec![Finding::new(Id::STATE, subject, text)])
        }
    }
}

pub(super) fn cache(dir: &Path) -> Vec<Finding> {
    if dir.as_os_str().is_empty() {
        return Vec::new();
    }
    let subject = dir.display().to_string();
    let finding = match fs::read_dir(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Finding::new(
            Id::CACHE_MISSING,
            subject,
            "none yet; it is made when it is needed",
        ),
        Err(error) => Finding::new(Id::CACHE_UNUSABLE, subject, error.to_string())
            .remedy("make it a directory of your own; it may be deleted at any time")
            .code(crate::diag::Code::SOURCE_CACHE),
        Ok(_) if is_shared(dir, 0o022) => {
            let text = format!(
                "others may write it (mode {}); what it keeps is verified on every load",
                mode(dir)
            );
            Finding::new(Id::CACHE_SHARED, subject, text)
        }
        Ok(_) => Finding::new(Id::CACHE, subject, format!("mode {}", mode(dir))),
    };
    vec![finding]
}

/// Private keys that were named, and those in the state directory.
pub(super) fn keys(state: &Path, named: &[PathBuf]) -> Vec<Finding> {
    let mut kept: Vec<PathBuf> = fs::read_dir(state)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .map(|entry| entry.path())
        .filter(|path| begins_as_key(path).unwrap_or(false))
        .collect();
    kept.sort();
    let named = named.iter().map(|path| key(path));
    named.chain(kept.iter().map(|path| key(path))).collect()
}

fn key(path: &Path) -> Finding {
    let subject = path.display().to_string();
    match begins_as_key(path) {
        Err(error) => Finding::new(Id::KEY_UNREADABLE, subject, error.to_string())
            .code(crate::diag::Code::FILE_UNREADABLE),
        Ok(false) => Finding::new(Id::KEY_UNREADABLE, subject, "is not a private key")
            .code(crate::diag::Code::FILE_UNREADABLE),
        Ok(true) if is_shared(path, 0o077) => {
            let text = format!("others may read this private key (mode {})", mode(path));
            Finding::new(Id::KEY_SHARED, subject, text)
                .remedy("run `chmod 600` on it; if others had access, revoke it and make a new one")
        }
        Ok(true) if path.parent().is_some_and(|dir| is_shared(dir, 0o002)) => Finding::new(
            Id::KEY_SHARED,
            subject,
            "anyone may write into its directory, and so replace this private key",
        )
        .remedy("run `chmod o-w` on the directory"),
        Ok(true) => Finding::new(
            Id::KEY,
            subject,
            format!("private key, mode {}", mode(path)),
        ),
    }
}

/// Looks at the first bytes only: the rest is nobody's business.
fn begins_as_key(path: &Path) -> std::io::Result<bool> {
    let mut begin = Vec::new();
    let file = fs::File::open(path)?;
    file.take(64).read_to_end(&mut begin)?;
    let says_private = begin.windows(7).any(|window| window == b"PRIVATE");
    Ok(begin.starts_with(KEY_BEGINS) && says_private)
}

/// Whether any of these permissions is given. A sticky directory protects what others own in it.
pub(super) fn is_shared(path: &Path, bits: u32) -> bool {
    path.metadata().is_ok_and(|meta| {
        let mode = meta.permissions().mode();
        mode & bits != 0 && !(meta.is_dir() && mode & 0o1000 != 0)
    })
}

fn mode(path: &Path) -> String {
    let mode = path
        .metadata()
        .map(|meta| meta.permissions().mode() & 0o7777);
    mode.map_or_else(|_| "?".to_owned(), |mode| format!("{mode:o}"))
}
