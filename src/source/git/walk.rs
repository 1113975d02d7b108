//! From a commit to a bundle's files, every object checked against its id.
//!
//! SECURITY: gix returns whatever a loose file or pack holds under an id, so nothing here uses bytes that did not hash to the
//! id they were asked for by: a chain of such checks from the commit down makes the commit id name every byte.
//!
//! 1. Peel the tip to a commit (annotated tags may be nested).
//! 2. Follow `path` to the bundle's tree.
//! 3. Walk the bundle's trees, linting every entry, counting objects, files and depth.
//! 4. Read the blobs, on all cores when they are many; sizes are checked before bytes are allocated.
//! 5. After a fetch: walk the rest of the commit's tree as well, so that the cache is whole for every other `path`.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use gix::ObjectId;
use gix::objs::{CommitRefIter, Kind, TagRefIter};
use rayon::prelude::*;

use super::error::{Fault, FetchError};
use super::tree::{self, Mode, TreeError};
use crate::bundle::{FetchedBundle, GitEvidence, Limits, Origin};
use crate::digest::CommitId;
use crate::source::content::{Collector, ContentError, Files, admit};

/// Tags that may point to tags.
const MAX_TAGS: usize = 8;
/// Fewer blobs than this are read on one core.
const PARALLEL_FROM: usize = 64;

/// The bundle that is asked for, in the words of the request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) url: &'a str,
    pub(super) reference: &'a str,
    pub(super) path: &'a str,
    pub(super) limits: &'a Limits,
    pub(super) interrupt: &'a AtomicBool,
}

/// What a ref leads to.
#[derive(Debug)]
pub(super) struct Peeled {
    pub(super) commit: ObjectId,
    /// The tag object that the ref points at, where it does not point at the commit itself.
    pub(super) tag: Option<Vec<u8>>,
}

/// Reads objects of a repository, checking each.
pub(super) struct Walk<'a> {
    repo: gix::Repository,
    wanted: Wanted<'a>,
    budget: Budget<'a>,
}

/// What a walk may still use, shared by its threads.
struct Budget<'a> {
    wanted: Wanted<'a>,
    objects: AtomicUsize,
}

impl Budget<'_> {
    fn count(&self) -> Result<(), Fault> {
        let limit = self.wanted.limits.objects;
        if self.objects.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(ContentError::TooManyObjects { limit }.into());
        }
        Ok(())
    }

    fn poll(&self) -> Result<(), Fault> {
        if self.wanted.interrupt.load(Ordering::Relaxed) {
            return Err(Fault::Refused(FetchError::Interrupted {
                url: self.wanted.url.to_owned(),
            }));
        }
        Ok(())
    }
}

impl<'a> Walk<'a> {
    pub(super) fn new(repo: &gix::Repository, wanted: Wanted<'a>) -> Self {
        let mut repo = repo.clone();
        // A cached object would have been checked, but by whom is not to be asked.
        repo.object_cache_size(None);
        Self {
            repo,
            wanted,
            budget: Budget {
                wanted,
                objects: AtomicUsize::new(0),
            },
        }
    }

    /// The commit that `tip` leads to.
    pub(super) fn peel(&self, tip: ObjectId) -> Result<Peeled, Fault> {
        let (mut id, mut tag) = (tip, None);
        for _ in 0..MAX_TAGS {
            let (kind, data) = read_any(&self.repo, id)?;
            match kind {
                Kind::Commit => return Ok(Peeled { commit: id, tag }),
                Kind::Tag => {
                    id = TagRefIter::from_bytes(&data, self.repo.object_hash())
                        .target_id()
                        .map_err(|_| Fault::Wrong(id))?;
                    tag.get_or_insert(data);
                }
                Kind::Tree | Kind::Blob => break,
            }
        }
        Err(Fault::Refused(FetchError::NotACommit {
            url: self.wanted.url.to_owned(),
            reference: self.wanted.reference.to_owned(),
        }))
    }

    /// The bundle at the wanted path of the commit; `name` is the full name of the ref that led there, if one did.
    pub(super) fn bundle(
        &self,
        Peeled { commit, tag }: Peeled,
        name: Option<&str>,
    ) -> Result<FetchedBundle, Fault> {
        let data = self.read(commit, Kind::Commit)?;
        let root = self.tree_in(&data, commit)?;
        let (tree, trees) = self.descend(root, commit)?;
        let files = self.files(tree)?;
        let evidence = GitEvidence {
            reference: name
                .filter(|name| name.starts_with("refs/tags/"))
                .map(str::to_owned),
            commit: data,
            tag,
            trees,
        };
        let commit: CommitId = commit
            .to_string()
            .parse()
            .map_err(|_| Fault::Wrong(commit))?;
        let origin = Origin::Git {
            url: self.wanted.url.to_owned(),
            reference: self.wanted.reference.to_owned(),
            commit,
            path: self.wanted.path.to_owned(),
        };
        let mut bundle = Collector::finish(origin, files);
        bundle.git = Some(Arc::new(evidence));
        Ok(bundle)
    }

    /// Checks that all of the commit's tree is there, the wanted path apart, which [`Self::bundle`] reads.
    pub(super) fn closure(&self, commit: ObjectId) -> Result<(), Fault> {
        if self.wanted.path.is_empty() {
            return Ok(());
        }
        let root = self.tree_of(commit)?;
        let mut seen: HashSet<ObjectId> = HashSet::from([root]);
        let mut trees = vec![root];
        let mut blobs = Vec::new();
        while let Some(id) = trees.pop() {
            self.budget.poll()?;
            let data = self.read(id, Kind::Tree)?;
            for entry in tree::entries(&data, id.as_bytes().len()).map_err(|_| Fault::Wrong(id))? {
                let child = ObjectId::try_from(entry.id).map_err(|_| Fault::Wrong(id))?;
                if entry.mode == Mode::Gitlink || !seen.insert(child) {
                    continue;
                }
                if matches!(entry.digits, b"40000" | b"040000") {
                    trees.push(child);
                } else {
                    blobs.push(child);
                }
            }
        }
        let budget = &self.budget;
        self.each(&blobs, |repo, id| {
            budget.count()?;
            read(repo, *id, Kind::Blob).map(|_| ())
        })
        .map(|_| ())
    }

    fn tree_of(&self, commit: ObjectId) -> Result<ObjectId, Fault> {
        let data = self.read(commit, Kind::Commit)?;
        self.tree_in(&data, commit)
    }

    fn tree_in(&self, data: &[u8], commit: ObjectId) -> Result<ObjectId, Fault> {
        CommitRefIter::from_bytes(data, self.repo.object_hash())
            .tree_id()
            .map_err(|_| Fault::Wrong(commit))
    }

    /// The tree at the wanted path, and the bytes of those above it.
    fn descend(&self, root: ObjectId, commit: ObjectId) -> Result<(ObjectId, Vec<Vec<u8>>), Fault> {
        let (mut tree, mut above) = (root, Vec::new());
        let path = self.wanted.path;
        for name in path.split('/').filter(|_| !path.is_empty()) {
            let data = self.read(tree, Kind::Tree)?;
            let entries = parse(&data, tree, name)?;
            let found = entries
                .iter()
                .find(|entry| entry.name == name.as_bytes() && entry.mode == Mode::Directory)
                .ok_or_else(|| {
                    Fault::Refused(FetchError::PathNotFound {
                        path: path.to_owned(),
                        commit: commit.to_string(),
                    })
                })?;
            tree = ObjectId::try_from(found.id).map_err(|_| Fault::Wrong(tree))?;
            above.push(data);
        }
        Ok((tree, above))
    }

    fn files(&self, top: ObjectId) -> Result<Files, Fault> {
        let limits = self.wanted.limits;
        let mut collector = Collector::new(limits);
        let mut names = Vec::new();
        let mut trees: Vec<(Vec<u8>, usize, ObjectId)> = vec![(Vec::new(), 0, top)];
        while let Some((prefix, depth, id)) = trees.pop() {
            self.budget.poll()?;
            let data = self.read(id, Kind::Tree)?;
            let shown = String::from_utf8_lossy(&prefix).into_owned();
            for entry in parse(&data, id, &shown)? {
                let mut path = prefix.clone();
                path.extend_from_slice(entry.name);
                let child = ObjectId::try_from(entry.id).map_err(|_| Fault::Wrong(id))?;
                let text = || String::from_utf8_lossy(&path).into_owned();
                match entry.mode {
                    Mode::File => names.push((collector.file(&path)?, child)),
                    Mode::Directory => {
                        collector.directory(&path, depth + 1)?;
                        path.push(b'/');
                        trees.push((path, depth + 1, child));
                    }
                    Mode::Executable => {
                        return Err(ContentError::Executable { path: text() }.into());
                    }
                    Mode::Symlink => return Err(ContentError::Symlink { path: text() }.into()),
                    Mode::Gitlink => return Err(ContentError::Gitlink { path: text() }.into()),
                    Mode::Odd => {
                        let mode = String::from_utf8_lossy(entry.digits).into_owned();
                        return Err(ContentError::Special { path: text(), mode }.into());
                    }
                }
            }
        }
        let total = AtomicU64::new(0);
        let budget = &self.budget;
        self.each(&names, |repo, (name, id)| {
            budget.count()?;
            admit(limits, &total, name, size(repo, *id)?)?;
            Ok((name.clone(), Arc::from(read(repo, *id, Kind::Blob)?)))
        })
    }

    /// Runs `work` on every item, on all cores when they are many; the first fault in their order wins.
    fn each<T: Sync, R: Send>(
        &self,
        items: &[T],
        work: impl Fn(&gix::Repository, &T) -> Result<R, Fault> + Sync,
    ) -> Result<Vec<R>, Fault> {
        if items.len() < PARALLEL_FROM {
            return items.iter().map(|item| work(&self.repo, item)).collect();
        }
        let shared = self.repo.clone().into_sync();
        let budget = &self.budget;
        items
            .par_chunks(PARALLEL_FROM)
            .map(|chunk| {
                budget.poll()?;
                let mut repo = shared.to_thread_local();
                repo.object_cache_size(None);
                chunk.iter().map(|item| work(&repo, item)).collect()
            })
            .collect::<Result<Vec<Vec<R>>, Fault>>()
            .map(|chunks| chunks.into_iter().flatten().collect())
    }

    fn read(&self, id: ObjectId, kind: Kind) -> Result<Vec<u8>, Fault> {
        self.budget.count()?;
        read(&self.repo, id, kind)
    }
}

fn parse<'d>(data: &'d [u8], id: ObjectId, directory: &str) -> Result<Vec<tree::Entry<'d>>, Fault> {
    let within = |name: &[u8]| format!("{directory}{}", String::from_utf8_lossy(name));
    tree::entries(data, id.as_bytes().len()).map_err(|error| match error {
        TreeError::Malformed => Fault::Wrong(id),
        TreeError::Slash(name) => ContentError::Slash {
            path: within(&name),
        }
        .into(),
        TreeError::Duplicate(name) => ContentError::Duplicate {
            path: within(&name),
        }
        .into(),
        TreeError::Unsorted(name) => ContentError::Unsorted {
            path: within(&name),
        }
        .into(),
    })
}

/// The size that an object's header states, before it is allocated. The odb's allocation limit bounds it as well.
fn size(repo: &gix::Repository, id: ObjectId) -> Result<u64, Fault> {
    match repo.try_find_header(id) {
        Ok(Some(header)) => Ok(header.size()),
        Ok(None) => Err(Fault::Missing(id)),
        Err(_) => Err(Fault::Wrong(id)),
    }
}

fn read_any(repo: &gix::Repository, id: ObjectId) -> Result<(Kind, Vec<u8>), Fault> {
    let object = match repo.try_find_object(id) {
        Ok(Some(object)) => object.detach(),
        Ok(None) => return Err(Fault::Missing(id)),
        Err(_) => return Err(Fault::Wrong(id)),
    };
    match gix::objs::compute_hash(repo.object_hash(), object.kind, &object.data) {
        Ok(computed) if computed == id => Ok((object.kind, object.data)),
        _ => Err(Fault::Wrong(id)),
    }
}

fn read(repo: &gix::Repository, id: ObjectId, kind: Kind) -> Result<Vec<u8>, Fault> {
    match read_any(repo, id)? {
        (found, data) if found == kind => Ok(data),
        _ => Err(Fault::Wrong(id)),
    }
}
