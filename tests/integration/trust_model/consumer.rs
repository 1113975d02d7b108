//! The library, put together as a pull does: root chain, marks, clock, verification, activation. Everything that judges is the
//! library's; what is written here is the order, which `Pipeline::pull` has too, and the lockfile's entry.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ordain::bundle::{FetchedBundle, Limits};
use ordain::digest::Sha256Digest;
use ordain::name::BundleName;
use ordain::source::state::{self, Advance, State};
use ordain::trust::{
    Expectation, Held, HighWater, RootChain, RootError, TrustRoot, VerifiedBundle, VerifyError,
    verify,
};

use super::model::{GRACE, Kind, MAX_AGE, Mark, Marks};
use super::world::{World, time};

/// How far the clock may stand behind a time that was seen: the pipeline's.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_mins(5);

pub(super) struct Consumer {
    pin: Sha256Digest,
    name: BundleName,
    limits: Limits,
    directory: tempfile::TempDir,
    state: State,
    lock: Option<HighWater>,
    lock_before: Option<HighWater>,
    /// By payload, as the store keeps them.
    store: BTreeMap<Sha256Digest, FetchedBundle>,
    /// Numbers of payloads.
    numbers: BTreeMap<Sha256Digest, usize>,
    /// Walks that were made already, by the roots that they went over: a root is verified once.
    walked: BTreeMap<Vec<Arc<[u8]>>, RootChain>,
}

/// In memory where there is such a place: a state is flushed to disk whenever it is written.
fn temporary() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    tempfile::tempdir_in(memory)
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

impl Consumer {
    pub(super) fn new(pin: Sha256Digest) -> Self {
        Self {
            pin,
            name: "acme".parse().unwrap(),
            limits: Limits::default(),
            directory: temporary(),
            state: State::default(),
            lock: None,
            lock_before: None,
            store: BTreeMap::new(),
            numbers: BTreeMap::new(),
            walked: BTreeMap::new(),
        }
    }

    fn state_directory(&self) -> std::path::PathBuf {
        self.directory.path().join("state")
    }

    pub(super) fn restart(&mut self) {
        self.state = State::load(&self.state_directory()).unwrap();
        self.walked.clear();
    }

    pub(super) fn lose_lock(&mut self) {
        self.lock = None;
    }

    pub(super) fn restore_lock(&mut self) {
        self.lock = self.lock_before;
    }

    pub(super) fn lose_state(&mut self) {
        let directory = self.state_directory();
        if directory.exists() {
            std::fs::remove_dir_all(directory).unwrap();
        }
        self.state = State::default();
    }

    pub(super) fn marks(&self) -> Marks {
        let mark = |epoch, revision, payload: &Sha256Digest| Mark {
            epoch,
            revision,
            payload: self.numbers[payload],
        };
        let start = time(0);
        Marks {
            lock: self
                .lock
                .map(|lock| mark(lock.epoch, lock.revision, &lock.payload)),
            seen: self
                .state
                .mark(&self.pin, &self.name)
                .map(|seen| mark(seen.epoch, seen.revision, &seen.payload)),
            root_version: self.state.root_version(&self.pin),
            last_seen: self
                .state
                .last_seen()
                .map(|seen| seen.duration_since(start).as_secs() / 60),
        }
    }

    pub(super) fn pull(&mut self, world: &World) -> Result<usize, Kind> {
        let now = time(world.now());
        let root = self.root(world, now)?;
        let bundle = self.verified(world.served(), &root, now, Held::Fetched)?;
        let predicate = bundle.predicate();
        let (epoch, revision) = (predicate.epoch.get(), predicate.revision.get());
        let payload = bundle.payload();
        let number = world.number(payload);
        self.store.insert(payload, bundle.fetched().clone());
        self.numbers.insert(payload, number);
        self.lock_before = self.lock.replace(HighWater {
            epoch,
            revision,
            payload,
        });
        let mark = state::Mark {
            epoch,
            revision,
            payload,
        };
        let advance = Advance {
            root: &self.pin,
            root_version: root.version(),
            bundle: Some((&self.name, mark)),
            time: now,
        };
        let directory = self.state_directory();
        // Nothing that was verified against the marks is below them.
        self.state = state::advance(&directory, &[advance]).unwrap();
        Ok(number)
    }

    pub(super) fn active(&mut self, world: &World) -> Result<usize, Kind> {
        let now = time(world.now());
        let root = self.root(world, now)?;
        let locked = self.lock.ok_or(Kind::NothingActive)?;
        let stored = self.store[&locked.payload].clone();
        let grace = SignedDuration::from_mins(GRACE);
        let bundle = self.verified(stored, &root, now, Held::Active { grace })?;
        Ok(self.numbers[&bundle.payload()])
    }

    fn root(&mut self, world: &World, now: Timestamp) -> Result<TrustRoot, Kind> {
        let root = self
            .walk(&world.shown_roots())
            .and_then(|chain| chain.finish(now))
            .map_err(|error| match error {
                RootError::Expired { .. } => Kind::RootExpired,
                _ => Kind::Root,
            })?;
        if self
            .state
            .root_version(&self.pin)
            .is_some_and(|seen| root.version() < seen)
        {
            return Err(Kind::RootRollback);
        }
        match self.state.last_seen() {
            Some(seen) if seen.duration_since(now) > CLOCK_TOLERANCE => Err(Kind::Clock),
            _ => Ok(root),
        }
    }

    fn walk(&mut self, roots: &[Arc<[u8]>]) -> Result<RootChain, RootError> {
        if let Some(chain) = self.walked.get(roots) {
            return Ok(chain.clone());
        }
        let (last, before) = roots.split_last().expect("a first root");
        let chain = if before.is_empty() {
            RootChain::begin(last, Some(self.pin), &self.limits)?
        } else {
            let mut chain = self.walk(before)?;
            chain.step(last, &self.limits)?;
            chain
        };
        self.walked.insert(roots.to_vec(), chain.clone());
        Ok(chain)
    }

    fn verified(
        &self,
        fetched: FetchedBundle,
        root: &TrustRoot,
        now: Timestamp,
        held: Held,
    ) -> Result<VerifiedBundle, Kind> {
        let seen = self.state.mark(&self.pin, &self.name);
        let seen = seen.map(|mark| HighWater {
            epoch: mark.epoch,
            revision: mark.revision,
            payload: mark.payload,
        });
        let marks = self.lock.into_iter().chain(seen);
        let expected = Expectation {
            name: Some(&self.name),
            reference: None,
            now,
            high_water: marks.max_by_key(|mark| (mark.epoch, mark.revision)),
            max_age: Some(SignedDuration::from_mins(MAX_AGE)),
            held,
        };
        verify(fetched, root, &expected, &self.limits).map_err(|error| kind(&error))
    }
}

fn kind(error: &VerifyError) -> Kind {
    match error {
        VerifyError::EnvelopeMissing | VerifyError::Envelope(_) => Kind::Envelope,
        VerifyError::NoPublisher | VerifyError::Threshold(_) => Kind::Threshold,
        VerifyError::Name { .. } | VerifyError::Namespace { .. } => Kind::Authority,
        VerifyError::Epoch { .. } => Kind::Epoch,
        VerifyError::Rollback { .. } => Kind::Rollback,
        VerifyError::Equivocation { .. } => Kind::Equivocation,
        VerifyError::Future { .. } => Kind::Future,
        VerifyError::Expired { .. } => Kind::Expired,
        VerifyError::TooOld { .. } => Kind::TooOld,
        VerifyError::Revoked { .. } => Kind::Revoked,
        VerifyError::Unlisted { .. }
        | VerifyError::MissingFile { .. }
        | VerifyError::FileDigest { .. } => Kind::Files,
        other => panic!("no history makes this: {other:?}"),
    }
}
