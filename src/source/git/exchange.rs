//! One conversation with a server: where does the ref stand, and, if need be, the commit's objects.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use gix::ObjectId;
use gix::remote::Direction;
use gix::remote::fetch::refmap::Source;
use gix::remote::fetch::refs::update::Mode;
use gix::remote::fetch::{RefLogMessage, RefMap, Shallow, Status, Tags};

use super::error::{Fault, FetchError, disk, shown, translate};
use super::meter::Meter;
use super::transport::{self, Owner};
use super::walk::{Walk, Wanted};
use super::{Fetched, Movement, Progress, Request, Transfer, Watch, cache, credentials, holds};
use crate::source::reference::Form;

/// How often progress is told and the time limit looked at.
const TICK: Duration = Duration::from_millis(100);

/// How a conversation ended.
pub(super) enum Exchanged {
    /// With a bundle.
    Done(Box<Fetched>),
    /// With the place of the ref, where no more was asked for, or where the caller holds what is there.
    Located(ObjectId),
    /// The server's ids are of another kind than our repository's.
    OtherHash(gix::hash::Kind),
}

/// What a conversation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// Where the ref stands.
    Locate,
    /// The bundle, into a repository that was just made.
    FetchFresh,
    /// The bundle, into a repository that may be damaged.
    Fetch {
        /// Unless it is that of this commit.
        known: Option<ObjectId>,
    },
}

/// Where the ref stands: what it points to, and the commit behind an annotated tag where the server said so.
struct Tip {
    id: ObjectId,
    peeled: ObjectId,
    /// The ref's full name; none where a commit was asked for.
    name: Option<String>,
}

/// Talks to the server of `request` and reads the bundle from `repo`.
pub(super) fn run(
    repo: &gix::Repository,
    request: &Request<'_>,
    wanted: Wanted<'_>,
    watch: Watch<'_>,
    goal: Goal,
) -> Result<Exchanged, Fault> {
    let meter = Meter::new(request.limits, wanted.interrupt);
    watch(&Progress {
        stage: "connecting",
        ..Progress::default()
    });
    let wire = transport::open(request, &meter).map_err(Fault::Refused)?;
    let owner = wire.owner;
    let commit = request.reference.commit().map(ToString::to_string);
    let explain = |owner: &Owner, error: &gix::Error| {
        // The server did nothing wrong, and asking it again would not help.
        if let Some(reason) = disk(error) {
            let path = repo.git_dir().to_owned();
            return FetchError::Cache { path, reason };
        }
        let stop = meter.stopped();
        let said = if stop.is_some() {
            String::new()
        } else {
            owner.said()
        };
        translate(wanted.url, commit.as_deref(), error, stop, &said)
    };
    let refused = |error: &gix::Error| Fault::Refused(explain(&owner, error));

    let remote = repo
        .remote_at_without_url_rewrite("file:///ordain")
        .map(|remote| remote.with_fetch_tags(Tags::None))
        .and_then(|remote| {
            remote.with_refspecs(
                specs(request.reference.form()).iter().map(String::as_str),
                Direction::Fetch,
            )
        })
        .map_err(|error| refused(&error))?;
    let progress = gix::progress::tree::Root::new();
    let prepared = remote
        .to_connection_with_transport(wire.transport)
        .with_credentials(|action| credentials::answer(request.credentials, wanted.url, action))
        .prepare_fetch(progress.add_child("connect"), Default::default())
        .map_err(|error| refused(&error))?;
    let refs = prepared.ref_map();
    if goal == Goal::Locate {
        let tip = tip(refs, request.reference.form(), wanted).map_err(Fault::Refused)?;
        return Ok(Exchanged::Located(tip.peeled));
    }
    if refs.object_hash != repo.object_hash() {
        return Ok(Exchanged::OtherHash(refs.object_hash));
    }
    let tip = tip(refs, request.reference.form(), wanted).map_err(Fault::Refused)?;
    let kept = cache::last_kept(repo, wanted.reference);
    // A commit that is not kept here is fetched all the same, so that the cache serves the next pull without a network.
    let is_here = holds(repo, tip.id) && holds(repo, tip.peeled);
    let is_known = matches!(goal, Goal::Fetch { known } if known == Some(tip.peeled));
    if is_known && kept == Some(tip.id) && is_here {
        return Ok(Exchanged::Located(tip.peeled));
    }
    let movement = match kept {
        _ if commit.is_some() => Movement::Unknown,
        None => Movement::Unknown,
        Some(kept) if kept == tip.id => Movement::Unmoved,
        Some(_) => Movement::Moved,
    };
    let walk = Walk::new(repo, wanted);
    if is_here {
        let bundle = walk.bundle(walk.peel(tip.id)?, tip.name.as_deref())?;
        keep(repo, wanted, tip.id)?;
        let transfer = Transfer::UpToDate;
        return Ok(Exchanged::Done(Box::new(Fetched {
            bundle,
            transfer,
            movement,
        })));
    }

    let prepared = prepared
        .with_shallow(Shallow::DepthAtRemote(NonZeroU32::MIN))
        .with_reflog_message(RefLogMessage::Override {
            message: "ordain: fetched".into(),
        });
    let received = watched(&meter, &progress, watch, |stop| {
        prepared.receive(progress.add_child("receive"), stop)
    });
    let outcome = match received {
        Ok(outcome) => outcome,
        Err(error) => {
            let cause = explain(&owner, &error);
            // A damaged object of ours can spoil a good pack that builds on it; in a new repository there is none.
            let may_be_ours = matches!(goal, Goal::Fetch { .. }) && meter.stopped().is_none();
            return Err(match cause {
                FetchError::Unreachable { .. } if may_be_ours => Fault::Wrong(tip.peeled),
                cause => Fault::Refused(cause),
            });
        }
    };
    drop(owner);
    let objects = landed(&outcome.status).map_err(|mode| {
        Fault::Refused(FetchError::Unreachable {
            url: wanted.url.to_owned(),
            reason: format!("the ref could not be stored: {}", shown(&mode)),
        })
    })?;
    watch(&Progress {
        stage: "checking",
        bytes: meter.bytes(),
        objects,
        total: Some(objects),
    });
    let peeled = walk.peel(tip.id)?;
    let commit = peeled.commit;
    let bundle = walk.bundle(peeled, tip.name.as_deref())?;
    walk.closure(commit)?;
    keep(repo, wanted, tip.id)?;
    Ok(Exchanged::Done(Box::new(Fetched {
        bundle,
        transfer: Transfer::Received {
            objects,
            bytes: meter.bytes(),
        },
        movement,
    })))
}

/// What to ask for. Each name has a place of its own, so that a tag and a branch are told apart.
fn specs(form: &Form) -> Vec<String> {
    match form {
        Form::Head => vec!["+HEAD:refs/ordain/incoming/head".to_owned()],
        Form::Full(name) => vec![format!("+{name}:refs/ordain/incoming/full")],
        Form::Short(name) => vec![
            format!("+refs/tags/{name}:refs/ordain/incoming/tag"),
            format!("+refs/heads/{name}:refs/ordain/incoming/branch"),
        ],
        Form::Commit(id) => vec![format!("+{id}:refs/ordain/incoming/commit")],
    }
}

fn tip(refs: &RefMap, form: &Form, wanted: Wanted<'_>) -> Result<Tip, FetchError> {
    let url = || wanted.url.to_owned();
    let reference = || wanted.reference.to_owned();
    let mut tips = refs.mappings.iter().filter_map(|mapping| {
        let named = match (&mapping.remote, form) {
            (Source::ObjectId(_), Form::Commit(_)) => true,
            (Source::Ref(_), Form::Short(name)) => mapping.remote.as_name().is_some_and(|found| {
                found == format!("refs/tags/{name}").as_str()
                    || found == format!("refs/heads/{name}").as_str()
            }),
            (Source::Ref(_), Form::Full(name)) => mapping
                .remote
                .as_name()
                .is_some_and(|found| found == name.as_str()),
            (Source::Ref(_), Form::Head) => mapping
                .remote
                .as_name()
                .is_some_and(|found| found == "HEAD"),
            _ => false,
        };
        let id = mapping.remote.as_id()?.to_owned();
        let peeled = mapping.remote.peeled_id()?.to_owned();
        let name = mapping.remote.as_name().map(ToString::to_string);
        named.then_some(Tip { id, peeled, name })
    });
    match (tips.next(), tips.next()) {
        (Some(tip), None) => Ok(tip),
        (Some(_), Some(_)) => Err(FetchError::Ambiguous {
            url: url(),
            reference: reference(),
        }),
        (None, _) => Err(FetchError::RefNotFound {
            url: url(),
            reference: reference(),
        }),
    }
}

/// The objects that came; the mode of an update that was refused.
fn landed(status: &Status) -> Result<u64, String> {
    let (objects, refs) = match status {
        Status::NoPackReceived { update_refs, .. } => (0, update_refs),
        Status::Change {
            write_pack_bundle,
            update_refs,
            ..
        } => (u64::from(write_pack_bundle.index.num_objects), update_refs),
    };
    match refs.updates.iter().find(|update| {
        !matches!(
            update.mode,
            Mode::New | Mode::NoChangeNeeded | Mode::FastForward | Mode::Forced
        )
    }) {
        Some(update) => Err(update.mode.to_string()),
        None => Ok(objects),
    }
}

fn keep(repo: &gix::Repository, wanted: Wanted<'_>, tip: ObjectId) -> Result<(), Fault> {
    cache::keep(repo, wanted.reference, tip).map_err(|error| {
        Fault::Refused(FetchError::Cache {
            path: repo.git_dir().to_owned(),
            reason: shown(&error.to_string()),
        })
    })
}

/// Runs `work` while another thread tells the caller how far it is, and stops it when the meter says so.
fn watched<R>(
    meter: &Meter<'_>,
    progress: &gix::progress::tree::Root,
    watch: Watch<'_>,
    work: impl FnOnce(&AtomicBool) -> R,
) -> R {
    let stop = AtomicBool::new(false);
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut tasks = Vec::new();
            while !is_done.load(Ordering::Acquire) {
                std::thread::park_timeout(TICK);
                if meter.check().is_err() {
                    stop.store(true, Ordering::Relaxed);
                }
                progress.sorted_snapshot(&mut tasks);
                let counted = tasks
                    .iter()
                    .filter_map(|(_, task)| task.progress.as_ref())
                    .filter_map(|value| {
                        let done = value.step.load(Ordering::Relaxed);
                        Some((
                            u64::try_from(done).ok()?,
                            u64::try_from(value.done_at?).ok()?,
                        ))
                    })
                    .max_by_key(|(_, total)| *total);
                watch(&Progress {
                    stage: "receiving",
                    bytes: meter.bytes(),
                    objects: counted.map_or(0, |(done, _)| done),
                    total: counted.map(|(_, total)| total),
                });
            }
        });
        let result = work(&stop);
        is_done.store(true, Ordering::Release);
        watcher.thread().unpark();
        result
    })
}
