//! One commit of one ref, from a repository anywhere, as a [`FetchedBundle`]. The only module that knows gix.
//!
//! 1. Lock our bare repository of the URL; clear what a killed fetch left; a damaged one is made anew.
//! 2. Ask the server where the ref stands. When the commit is here and whole, stop: nothing is downloaded.
//! 3. Receive that commit alone (depth 1, no tags) under `refs/ordain/incoming`, within the limits of `meter`.
//! 4. Recompute the id of every object of the commit's tree while reading the bundle (`walk`).
//! 5. Only then keep the commit, or the tag of it, under `refs/ordain/kept`. Anything missing or wrong: remove the repository, and start over
//!    once.
//!
//! What is fetched is not trusted: verification comes later. A ref that moved backwards is not an error here.
//!
//! Lacks: submodules, work trees, hooks, alternates, replaced objects, short commit ids, history.

mod cache;
mod child;
mod credentials;
mod error;
mod exchange;
mod http;
mod local;
mod meter;
mod transport;
mod tree;
mod walk;

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::time::Duration;

use gix::ObjectId;

pub use credentials::Credentials;
pub use error::FetchError;

use self::cache::Cache;
use self::error::Fault;
use self::exchange::{Exchanged, Goal};
use self::walk::{Walk, Wanted};
use super::reference::{Form, GitRef};
use super::url::{GitUrl, Location};
use crate::bundle::{FetchedBundle, Limits};
use crate::digest::CommitId;

/// How long a repository on this machine may take to say where a ref stands, before a server is asked.
const LOCAL_PATIENCE: Duration = Duration::from_secs(2);

/// Whether a fetch may open connections. A repository on this machine is read either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Network {
    /// It may.
    #[default]
    Allowed,
    /// Only what the cache holds: the commit asked for, or the last one seen of the ref.
    Forbidden,
}

/// What to fetch.
#[derive(Debug, Clone, Copy)]
pub struct Request<'a> {
    /// The repository. A relative path must have been made absolute ([`GitUrl::resolved`]).
    pub url: &'a GitUrl,
    /// The ref, or a commit.
    pub reference: &'a GitRef,
    /// The bundle's directory within the repository, without slashes at its ends; empty for the root.
    pub path: &'a str,
    /// Caps on time, bytes, objects and files.
    pub limits: &'a Limits,
    /// Whether connections may be opened.
    pub network: Network,
    /// Credentials for HTTPS; Git's credential helpers are asked where there are none.
    pub credentials: Option<&'a Credentials>,
    /// What to run instead of `ssh`, by a shell, as Git's `GIT_SSH_COMMAND`.
    pub ssh: Option<&'a str>,
}

/// What one fetch moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// No object was downloaded: the commit was in the cache, or the repository is on this machine.
    UpToDate,
    /// A pack was downloaded.
    Received {
        /// Objects in it.
        objects: u64,
        /// Bytes received in all, protocol included.
        bytes: u64,
    },
}

/// How the ref moved since this machine last fetched it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Movement {
    /// Not seen before, or a commit was asked for.
    Unknown,
    /// Where it was.
    Unmoved,
    /// Elsewhere. A shallow fetch cannot tell forwards from backwards; the bundle's revision can.
    Moved,
}

/// A fetched bundle, nothing verified.
#[derive(Debug)]
pub struct Fetched {
    /// The files.
    pub bundle: FetchedBundle,
    /// What it took.
    pub transfer: Transfer,
    /// How the ref moved.
    pub movement: Movement,
}

/// How far a fetch is; told to the caller about ten times a second.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Progress {
    /// What is going on, for people.
    pub stage: &'static str,
    /// Bytes received so far.
    pub bytes: u64,
    /// Objects done.
    pub objects: u64,
    /// Objects in all, once known.
    pub total: Option<u64>,
}

/// Receives [`Progress`], from another thread.
pub type Watch<'a> = &'a (dyn Fn(&Progress) + Sync);

/// What [`fetch_unless_at`] found.
#[derive(Debug)]
pub enum Sought {
    /// The ref stands at the commit that the caller knows; nothing of it was read.
    Known,
    /// It stands elsewhere, or its commit is not kept here.
    Fetched(Fetched),
}

/// As [`fetch`], for a caller that holds the verified bundle of the commit `known` elsewhere: where the ref stands there, and the
/// commit is kept, no object is read. One conversation with the server either way.
///
/// # Errors
/// [`FetchError`], as [`fetch`].
pub fn fetch_unless_at(
    request: &Request<'_>,
    known: &CommitId,
    cache: &Path,
    watch: Watch<'_>,
    interrupt: &AtomicBool,
) -> Result<Sought, FetchError> {
    let known = ObjectId::from_hex(known.as_str().as_bytes()).ok();
    if let (Location::File(path), Some(known)) = (request.url.location(), known)
        && Cache::is_begun(cache, request.url.as_str())
        && stands_at(request, path, known)
    {
        return Ok(Sought::Known);
    }
    seek(request, known, cache, watch, interrupt)
}

/// Whether the ref of a repository on this machine stands at `known`, read without a server between. Whatever hinders that is
/// for the server to find and to tell.
///
/// SECURITY: opening a file can wait for ever, when it is a pipe. So another thread opens it, and is not waited for long.
fn stands_at(request: &Request<'_>, path: &Path, known: ObjectId) -> bool {
    let (sender, receiver) = mpsc::channel();
    let (path, url) = (path.to_owned(), request.url.as_str().to_owned());
    let (reference, limits) = (request.reference.clone(), request.limits.clone());
    std::thread::spawn(move || {
        let wanted = Wanted {
            url: &url,
            reference: &reference.to_string(),
            path: "",
            limits: &limits,
            interrupt: &AtomicBool::new(false),
        };
        // Whoever asked may have gone on.
        let _ = sender.send(local::locate(&path, &reference, wanted).ok());
    });
    let patience = request.limits.stall.min(LOCAL_PATIENCE);
    receiver
        .recv_timeout(patience)
        .is_ok_and(|id| id == Some(known))
}

/// Fetches what `request` asks for into `cache`, and reads the bundle.
///
/// To prefer a pinned commit and fall back to its ref, fetch the commit first, and the ref when the error
/// [is not found](FetchError::is_not_found).
///
/// # Errors
/// [`FetchError`]; the cache then holds what it held before, or less.
pub fn fetch(
    request: &Request<'_>,
    cache: &Path,
    watch: Watch<'_>,
    interrupt: &AtomicBool,
) -> Result<Fetched, FetchError> {
    match seek(request, None, cache, watch, interrupt)? {
        Sought::Fetched(fetched) => Ok(fetched),
        // Nothing is known, so nothing can stand there.
        Sought::Known => Err(FetchError::RefNotFound {
            url: request.url.as_str().to_owned(),
            reference: request.reference.to_string(),
        }),
    }
}

fn seek(
    request: &Request<'_>,
    known: Option<ObjectId>,
    cache: &Path,
    watch: Watch<'_>,
    interrupt: &AtomicBool,
) -> Result<Sought, FetchError> {
    let url = request.url.as_str();
    if !request.path.is_empty() {
        request
            .path
            .parse::<crate::bundle::BundlePath>()
            .map_err(FetchError::BundlePath)?;
    }
    let reference = request.reference.to_string();
    let wanted = Wanted {
        url,
        reference: &reference,
        path: request.path,
        limits: request.limits,
        interrupt,
    };
    if let Location::Local(path) = request.url.location() {
        return local::read(path, request.reference, known, wanted);
    }
    let stage = |stage| {
        watch(&Progress {
            stage,
            ..Progress::default()
        });
    };
    let cache = Cache::lock(cache, url, interrupt, || {
        stage("waiting for another process")
    })?;
    if request.network == Network::Forbidden {
        return offline(request, &cache, wanted).map(Sought::Fetched);
    }
    let mut is_second = false;
    loop {
        match attempt(request, &cache, known, wanted, watch) {
            Err(fault) if fault.object().is_some() && !is_second => {
                stage("the cache is damaged; fetching again");
                cache.remove()?;
                is_second = true;
            }
            Err(fault) => return Err(fault.of_server(url)),
            Ok(sought) => return Ok(sought),
        }
    }
}

/// Asks where the request's ref stands, and reads or downloads no object: for a caller that holds the bundle of that commit
/// already. A commit that is asked for stands where it stands; no connection is opened for it.
///
/// # Errors
/// [`FetchError`], as [`fetch`], but for what only reading can find.
pub fn locate(
    request: &Request<'_>,
    cache: &Path,
    watch: Watch<'_>,
    interrupt: &AtomicBool,
) -> Result<CommitId, FetchError> {
    if let Some(commit) = request.reference.commit() {
        return Ok(commit.clone());
    }
    let url = request.url.as_str();
    let reference = request.reference.to_string();
    let wanted = Wanted {
        url,
        reference: &reference,
        path: request.path,
        limits: request.limits,
        interrupt,
    };
    let refused = |fault: Fault| fault.of_server(url);
    let id = if let Location::Local(path) = request.url.location() {
        local::locate(path, request.reference, wanted)?
    } else {
        let cache = Cache::lock(cache, url, interrupt, || {})?;
        let existing = cache.open(request.limits);
        if request.network == Network::Forbidden {
            let kept = existing.and_then(|repo| {
                let tip = cache::last_kept(&repo, &reference)?;
                Walk::new(&repo, wanted).peel(tip).ok()
            });
            let offline = || FetchError::Offline {
                url: url.to_owned(),
                reference: reference.clone(),
            };
            kept.ok_or_else(offline)?.commit
        } else {
            let repo = match existing {
                Some(repo) => repo,
                None => cache.create(gix::hash::Kind::Sha1, request.limits)?,
            };
            match exchange::run(&repo, request, wanted, watch, Goal::Locate).map_err(refused)? {
                Exchanged::Located(id) => id,
                Exchanged::Done(_) | Exchanged::OtherHash(_) => {
                    return Err(cache.failed("the server was asked for more than the ref"));
                }
            }
        }
    };
    id.to_string()
        .parse()
        .map_err(|_| refused(Fault::Wrong(id)))
}

/// One try, from the cache as it is.
fn attempt(
    request: &Request<'_>,
    cache: &Cache,
    known: Option<ObjectId>,
    wanted: Wanted<'_>,
    watch: Watch<'_>,
) -> Result<Sought, Fault> {
    let limits = request.limits;
    let existing = cache.open(limits).filter(|_| !cache.is_overgrown());
    let mut is_fresh = existing.is_none();
    let mut repo = match existing {
        Some(repo) => repo,
        None => cache
            .create(gix::hash::Kind::Sha1, limits)
            .map_err(Fault::Refused)?,
    };
    if let Some(commit) = request.reference.commit()
        && let Ok(id) = ObjectId::from_hex(commit.as_str().as_bytes())
        && holds(&repo, id)
    {
        if known == Some(id) {
            return Ok(Sought::Known);
        }
        let walk = Walk::new(&repo, wanted);
        return Ok(Sought::Fetched(Fetched {
            bundle: walk.bundle(walk.peel(id)?, None)?,
            transfer: Transfer::UpToDate,
            movement: Movement::Unknown,
        }));
    }
    loop {
        let goal = if is_fresh {
            Goal::FetchFresh
        } else {
            Goal::Fetch { known }
        };
        match exchange::run(&repo, request, wanted, watch, goal)? {
            Exchanged::Done(fetched) => return Ok(Sought::Fetched(*fetched)),
            Exchanged::Located(id) if known == Some(id) => return Ok(Sought::Known),
            // Only `Goal::Locate` ends so.
            Exchanged::Located(id) => return Err(Fault::Missing(id)),
            Exchanged::OtherHash(kind) if !is_fresh || kind != repo.object_hash() => {
                drop(repo);
                repo = cache.create(kind, limits).map_err(Fault::Refused)?;
                is_fresh = true;
            }
            Exchanged::OtherHash(kind) => {
                return Err(Fault::Refused(FetchError::Unreachable {
                    url: request.url.as_str().to_owned(),
                    reason: format!("its object format {kind} cannot be used"),
                }));
            }
        }
    }
}

/// Whether an object of this id is here, sound or not.
fn holds(repo: &gix::Repository, id: ObjectId) -> bool {
    id.kind() == repo.object_hash() && !matches!(repo.try_find_header(id), Ok(None))
}

fn offline(
    request: &Request<'_>,
    cache: &Cache,
    wanted: Wanted<'_>,
) -> Result<Fetched, FetchError> {
    let absent = || FetchError::Offline {
        url: request.url.as_str().to_owned(),
        reference: request.reference.to_string(),
    };
    let repo = cache.open(request.limits).ok_or_else(absent)?;
    let form = request.reference.form();
    let id = match form {
        Form::Commit(commit) => ObjectId::from_hex(commit.as_str().as_bytes()).ok(),
        _ => cache::last_kept(&repo, wanted.reference),
    };
    let id = id.filter(|id| holds(&repo, *id)).ok_or_else(absent)?;
    let walk = Walk::new(&repo, wanted);
    let bundle = walk
        .peel(id)
        .and_then(|peeled| {
            // What has an object of its own between the name and the commit was a tag.
            let short = |name| peeled.tag.as_ref().map(|_| format!("refs/tags/{name}"));
            let name = match form {
                Form::Full(name) => Some(name.clone()),
                Form::Short(name) => short(name),
                Form::Head | Form::Commit(_) => None,
            };
            walk.bundle(peeled, name.as_deref())
        })
        .map_err(|fault| match fault.object() {
            Some((id, fault)) => cache.failed(&format!(
                "object {id} {fault}; fetch again with the network allowed"
            )),
            None => fault.of_local(request.url.as_str()),
        })?;
    Ok(Fetched {
        bundle,
        transfer: Transfer::UpToDate,
        movement: Movement::Unknown,
    })
}
