//! A repository on this machine, read in place.
//!
//! Nothing of it is run or checked out. Its configuration is read as that of a stranger's repository, and every object is
//! checked against its id, so its owner, alternates or damage cannot change what a commit id means.

use std::path::Path;

use gix::ObjectId;

use super::error::{Fault, FetchError, shown};
use super::walk::{Walk, Wanted};
use super::{Fetched, Movement, Sought, Transfer, cache};
use crate::source::reference::{Form, GitRef};

pub(super) fn read(
    path: &Path,
    reference: &GitRef,
    known: Option<ObjectId>,
    wanted: Wanted<'_>,
) -> Result<Sought, FetchError> {
    let repo = open(path, wanted)?;
    let (tip, name) = tip(&repo, reference, wanted)?;
    let walk = Walk::new(&repo, wanted);
    let refused = |fault: Fault| fault.of_local(wanted.url);
    let peeled = walk.peel(tip).map_err(refused)?;
    if known == Some(peeled.commit) {
        return Ok(Sought::Known);
    }
    Ok(Sought::Fetched(Fetched {
        bundle: walk.bundle(peeled, name.as_deref()).map_err(refused)?,
        transfer: Transfer::UpToDate,
        movement: Movement::Unknown,
    }))
}

/// The commit at which `reference` stands.
pub(super) fn locate(
    path: &Path,
    reference: &GitRef,
    wanted: Wanted<'_>,
) -> Result<ObjectId, FetchError> {
    let repo = open(path, wanted)?;
    let (tip, _) = tip(&repo, reference, wanted)?;
    Walk::new(&repo, wanted)
        .peel(tip)
        .map(|peeled| peeled.commit)
        .map_err(|fault| fault.of_local(wanted.url))
}

fn open(path: &Path, wanted: Wanted<'_>) -> Result<gix::Repository, FetchError> {
    let url = wanted.url.to_owned();
    if path.is_relative() {
        return Err(FetchError::RelativePath { url });
    }
    let options = cache::options(wanted.limits).with(gix::sec::Trust::Reduced);
    gix::ThreadSafeRepository::open_opts(path, options)
        .map(|repo| repo.to_thread_local())
        .map_err(|error| FetchError::NotARepository {
            url,
            reason: shown(&error.to_string()),
        })
}

/// What `reference` points at, and the full name of the ref that it turned out to be.
fn tip(
    repo: &gix::Repository,
    reference: &GitRef,
    wanted: Wanted<'_>,
) -> Result<(ObjectId, Option<String>), FetchError> {
    let not_found = || FetchError::RefNotFound {
        url: wanted.url.to_owned(),
        reference: wanted.reference.to_owned(),
    };
    let look_up = |name: &str| -> Option<(ObjectId, Option<String>)> {
        let mut found = repo.try_find_reference(name).ok()??;
        // `try_find_reference` completes short names; only the name itself counts here.
        let is_exact = found.name().as_bstr() == name;
        is_exact.then_some(())?;
        let id = found.follow_to_object().ok()?.detach();
        Some((id, Some(name.to_owned())))
    };
    match reference.form() {
        Form::Commit(commit) => ObjectId::from_hex(commit.as_str().as_bytes())
            .ok()
            .filter(|id| super::holds(repo, *id))
            .map(|id| (id, None))
            .ok_or_else(|| FetchError::CommitNotFound {
                url: wanted.url.to_owned(),
                commit: commit.to_string(),
            }),
        Form::Head => look_up("HEAD").ok_or_else(not_found),
        Form::Full(name) => look_up(name).ok_or_else(not_found),
        Form::Short(name) => {
            let tag = look_up(&format!("refs/tags/{name}"));
            let branch = look_up(&format!("refs/heads/{name}"));
            match (tag, branch) {
                (Some(_), Some(_)) => Err(FetchError::Ambiguous {
                    url: wanted.url.to_owned(),
                    reference: name.clone(),
                }),
                (Some(found), None) | (None, Some(found)) => Ok(found),
                (None, None) => Err(not_found()),
            }
        }
    }
}
