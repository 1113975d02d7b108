//! The walk over trust roots: from the first one, over what is known here, to the newest of the roots' repository.
//!
//! 1. The fingerprint: the configuration's; else the one that this machine remembers for the source; else, when trust on
//!    first use was asked for, that of the first root found.
//! 2. What is known: the trust directory, and the roots that this machine kept from earlier walks. Each is verified again; of
//!    one version both must hold the same payload.
//! 3. Where newer ones are looked for: `N.root.json` of the repository. Each step that is verified is kept on the disk before
//!    the next is looked at, so an interrupted walk goes on from there.
//! 4. The version is not below one that this machine or the lockfile has seen, and the last root has not expired.
//!
//! SECURITY: a kept root that does not verify counts as none: the files are a cache of public facts, and step 4 notices what
//! is missing. A root that was verified is in force from then on, whatever becomes of the pull: revocation does not wait.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::anchor::anchor_name;
use super::bring::parse_ref;
use super::error::PipelineError;
use super::roots::{Confirmation, Trusted, in_directory, in_file, root_files, trust_root};
use super::{Network, Pipeline};
use crate::bundle::Limits;
use crate::clock::Clock;
use crate::config::{FirstUse, Repository, TrustSource};
use crate::digest::Sha256Digest;
use crate::source::roots::{KeptRoots, file_name, version_of};
use crate::source::state::{self, Advance, Equivocated, Equivocation, State};
use crate::trust::{Envelope, RootChain, RootError, TrustRoot};

/// When the roots' repository is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Never.
    Here,
    /// When what is known is below what was seen, or expired.
    WhereNeeded,
    /// Always.
    Newest,
}

/// What becomes of newer roots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeping {
    /// They are in force on this machine from now on.
    Keep,
    /// They are looked at, and nothing is written.
    Look,
}

/// A walk that has begun.
struct Walk {
    chain: RootChain,
    /// The walk at versions 1, 2 and so on, the last one's not among them.
    behind: Vec<RootChain>,
}

impl Walk {
    fn begin(
        bytes: &[u8],
        pinned: Option<Sha256Digest>,
        limits: &Limits,
    ) -> Result<Self, RootError> {
        let chain = RootChain::begin(bytes, pinned, limits)?;
        let behind = Vec::new();
        Ok(Self { chain, behind })
    }

    fn step(&mut self, bytes: &[u8], limits: &Limits) -> Result<(), RootError> {
        let before = self.chain.clone();
        self.chain.step(bytes, limits)?;
        self.behind.push(before);
        Ok(())
    }

    fn last(&self) -> &TrustRoot {
        self.chain.last()
    }

    fn at(&self, version: u64) -> Option<&RootChain> {
        let index = usize::try_from(version.checked_sub(1)?).ok()?;
        self.behind.iter().chain([&self.chain]).nth(index)
    }

    /// Whether another payload of a version that was walked would have been walked just as well.
    fn verify_twin(&self, version: u64, bytes: &[u8], limits: &Limits) -> Result<(), RootError> {
        match version.checked_sub(1).and_then(|before| self.at(before)) {
            Some(before) => before.clone().step(bytes, limits),
            // Anyone makes a first root that is signed by itself.
            None => match self.at(version).map(|at| at.verify_twin(bytes, limits)) {
                Some(Ok(())) => Ok(()),
                _ => {
                    let pinned = Some(self.last().fingerprint());
                    RootChain::begin(bytes, pinned, limits).map(|_| ())
                }
            },
        }
    }
}

/// `N.root.json` of the roots' repository, or of a file that was carried here, by version.
pub(super) type Fetched = BTreeMap<u64, Arc<[u8]>>;

/// Where newer roots are looked for.
enum Newer<'a> {
    /// In their repository, when this says so.
    Repository(Reach),
    /// Among those that were brought here.
    Brought(&'a Fetched),
}

impl Pipeline<'_> {
    /// The trust root in force here: of the trust directory and of earlier walks. Nothing is fetched.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn trusted(&self, trust: &TrustSource) -> Result<Trusted, PipelineError> {
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        self.walk(trust, &state, now, 0, Reach::Here, Keeping::Look)
    }

    /// The last root of the trust directory alone, whatever this machine kept of earlier walks.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn trusted_in(&self, dir: &Path, trust: &TrustSource) -> Result<Trusted, PipelineError> {
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        let (pinned, confirmation) = self.fingerprint(trust, &state)?;
        let fingerprint = pinned.ok_or(PipelineError::FingerprintNeeded)?;
        Ok(Trusted {
            root: trust_root(dir, fingerprint, now, self.limits)?,
            advanced_from: None,
            confirmation,
        })
    }

    /// The newest trust root that its repository holds, where there is one. It is looked at, not put in force.
    ///
    /// # Errors
    /// [`PipelineError`].
    pub fn newest_root(&self, trust: &TrustSource) -> Result<Trusted, PipelineError> {
        let state = State::load(&self.directories.state)?;
        let now = self.now(&state)?;
        let reach = match self.network {
            Network::Allowed => Reach::Newest,
            Network::Forbidden => Reach::Here,
        };
        self.walk(trust, &state, now, 0, reach, Keeping::Look)
    }

    /// The walk; `seen` is the version that the lockfile knows of.
    pub(super) fn walk(
        &self,
        trust: &TrustSource,
        state: &State,
        now: Timestamp,
        seen: u64,
        reach: Reach,
        keeping: Keeping,
    ) -> Result<Trusted, PipelineError> {
        let newer = Newer::Repository(reach);
        self.walk_over(trust, state, now, seen, newer, keeping)
    }

    /// The walk over roots that were brought here by hand, in place of their repository's. What is verified is in force.
    pub(super) fn walk_brought(
        &self,
        trust: &TrustSource,
        state: &State,
        now: Timestamp,
        seen: u64,
        brought: &Fetched,
    ) -> Result<Trusted, PipelineError> {
        let newer = Newer::Brought(brought);
        self.walk_over(trust, state, now, seen, newer, Keeping::Keep)
    }

    fn walk_over(
        &self,
        trust: &TrustSource,
        state: &State,
        now: Timestamp,
        seen: u64,
        newer: Newer<'_>,
        keeping: Keeping,
    ) -> Result<Trusted, PipelineError> {
        let (pinned, confirmation) = self.fingerprint(trust, state)?;
        let mut walk = None;
        let result = self.known(&mut walk, trust, pinned, keeping, now);
        self.put_in_force(walk.as_ref(), state, keeping, now)?;
        result?;
        let known = walk.as_ref().map(|walk| walk.last().version());
        let seen_of = |fingerprint: &Sha256Digest| {
            let of_machine = state.root_version(fingerprint).unwrap_or(0);
            of_machine.max(seen)
        };
        let is_enough = |walk: &Walk| {
            let last = walk.last();
            last.version() >= seen_of(&last.fingerprint()) && last.document().expires > now
        };
        let wants = |reach| match reach {
            Reach::Here => false,
            Reach::WhereNeeded => !walk.as_ref().is_some_and(is_enough),
            Reach::Newest => true,
        };
        let repository = trust.repository.as_ref();
        let found = match &newer {
            Newer::Brought(brought) => Some(("the export".to_owned(), (*brought).clone())),
            Newer::Repository(reach) => match repository.filter(|_| wants(*reach)) {
                Some(repository) => {
                    let fetched = self.fetch_roots(&trust.base, repository)?;
                    Some((place_of(repository), fetched))
                }
                None => None,
            },
        };
        if let Some((place, fetched)) = found {
            let result = self.follow(&mut walk, pinned, &place, &fetched, keeping, now);
            self.put_in_force(walk.as_ref(), state, keeping, now)?;
            result?;
        }
        let Some(walk) = walk else {
            return Err(match &trust.repository {
                Some(_) if matches!(newer, Newer::Repository(Reach::Here)) => {
                    PipelineError::RootOffline
                }
                _ => RootError::Missing.into(),
            });
        };
        let last = walk.last();
        let (fingerprint, found) = (last.fingerprint(), last.version());
        let seen = seen_of(&fingerprint);
        if found < seen {
            return Err(RootError::Rollback { found, seen }.into());
        }
        let root = walk.chain.finish(now)?;
        if pinned.is_none() && keeping == Keeping::Keep {
            let source = anchor_name(trust)?;
            state::first_use(&self.directories.state, &source, fingerprint, now)?;
            (self.first_use)(&fingerprint);
        }
        let known = known.unwrap_or(found);
        let before = state.root_version(&fingerprint).unwrap_or(known).min(known);
        Ok(Trusted {
            root,
            advanced_from: Some(before).filter(|before| *before < found),
            confirmation,
        })
    }

    /// Step 1. Without a fingerprint the consumer asked to trust what it finds.
    fn fingerprint(
        &self,
        trust: &TrustSource,
        state: &State,
    ) -> Result<(Option<Sha256Digest>, Confirmation), PipelineError> {
        match self.anchor_in(state, trust)? {
            Some(anchored) => Ok((Some(anchored.fingerprint), anchored.confirmation)),
            None if trust.first_use == FirstUse::Allowed => Ok((None, Confirmation::FirstUse)),
            None => Err(PipelineError::FingerprintNeeded),
        }
    }

    /// Step 2; the walk does not begin where not even the first root is here. Those of the directory are kept too, so that
    /// whoever takes one out of it again, a revocation with it, takes nothing back.
    fn known(
        &self,
        walk: &mut Option<Walk>,
        trust: &TrustSource,
        pinned: Option<Sha256Digest>,
        keeping: Keeping,
        now: Timestamp,
    ) -> Result<(), PipelineError> {
        let limits = self.limits;
        let kept_of = |fingerprint| KeptRoots::new(&self.directories.state, &fingerprint);
        let dir = trust.dir.as_deref().unwrap_or(&trust.base);
        let files = match &trust.dir {
            Some(dir) => root_files(dir, limits)?,
            None => Vec::new(),
        };
        let begun = match (files.first(), pinned) {
            (Some(bytes), _) => {
                Some(Walk::begin(bytes, pinned, limits).map_err(in_directory(dir, 1))?)
            }
            (None, Some(fingerprint)) => kept_of(fingerprint)
                .load(1, limits)?
                .and_then(|bytes| Walk::begin(&bytes, pinned, limits).ok()),
            (None, None) => None,
        };
        let Some(begun) = begun else {
            return Ok(());
        };
        let walk = walk.insert(begun);
        let kept_roots = kept_of(walk.last().fingerprint());
        let mut files = files.iter().skip(1);
        loop {
            let version = walk.chain.next_version();
            let kept = kept_roots.load(version, limits)?;
            match (files.next(), kept) {
                (Some(bytes), kept) => {
                    let before = walk.chain.clone();
                    walk.step(bytes, limits)
                        .map_err(in_directory(dir, version))?;
                    if let Some(kept) = &kept {
                        self.refuse_twins(walk, before, version, kept, keeping, now)
                            .map_err(in_directory(dir, version))?;
                    }
                    if keeping == Keeping::Keep && kept.as_ref() != Some(bytes) {
                        kept_roots.keep(version, bytes)?;
                    }
                }
                (None, Some(bytes)) if walk.step(&bytes, limits).is_ok() => {}
                (None, _) => return Ok(()),
            }
        }
    }

    /// A kept root and one of the directory, both well signed, are one and the same.
    fn refuse_twins(
        &self,
        walk: &Walk,
        mut before: RootChain,
        version: u64,
        kept: &[u8],
        keeping: Keeping,
        now: Timestamp,
    ) -> Result<(), RootError> {
        let found = walk.last().payload();
        if payload_of(kept, self.limits) == Some(found) || before.step(kept, self.limits).is_err() {
            return Ok(());
        }
        let seen = before.last().payload();
        Err(self.equivocation(walk, version, seen, found, keeping, now))
    }

    /// The error; whoever keeps roots writes it down before. That it cannot be written down is no reason to hide it.
    fn equivocation(
        &self,
        walk: &Walk,
        version: u64,
        seen: Sha256Digest,
        found: Sha256Digest,
        keeping: Keeping,
        time: Timestamp,
    ) -> RootError {
        let evidence = Equivocation {
            root: walk.last().fingerprint(),
            of: Equivocated::Root { version },
            seen,
            found,
            time,
        };
        if keeping == Keeping::Keep {
            let _ = state::record(&self.directories.state, &evidence);
        }
        RootError::Equivocation {
            version,
            seen,
            found,
        }
    }

    /// Reads the roots' repository.
    fn fetch_roots(&self, base: &Path, repository: &Repository) -> Result<Fetched, PipelineError> {
        const LABEL: &str = "trust root";
        let fetched = parse_ref(repository, LABEL)
            .and_then(|reference| self.fetch(base, repository, LABEL, &reference))
            .map_err(PipelineError::of_roots)?;
        let files = fetched.bundle.files.into_iter();
        Ok(files
            .filter_map(|(path, bytes)| Some((version_of(path.as_str())?, bytes)))
            .collect())
    }

    /// Step 3.
    fn follow(
        &self,
        walk: &mut Option<Walk>,
        pinned: Option<Sha256Digest>,
        place: &str,
        fetched: &Fetched,
        keeping: Keeping,
        now: Timestamp,
    ) -> Result<(), PipelineError> {
        let limits = self.limits;
        let label = |version: u64| in_file(format!("`{}` of {place}", file_name(version)));
        let keep = |fingerprint: Sha256Digest, version: u64, bytes: &[u8]| match keeping {
            Keeping::Keep => {
                KeptRoots::new(&self.directories.state, &fingerprint).keep(version, bytes)
            }
            Keeping::Look => Ok(()),
        };
        let walk = match walk {
            Some(walk) => walk,
            None => {
                let bytes = fetched
                    .get(&1)
                    .ok_or(RootError::Missing)
                    .map_err(label(1))?;
                let begun = Walk::begin(bytes, pinned, limits).map_err(label(1))?;
                keep(begun.last().fingerprint(), 1, bytes)?;
                walk.insert(begun)
            }
        };
        for (version, bytes) in fetched.range(..walk.chain.next_version()) {
            let found = Envelope::parse(bytes, limits)
                .map_err(|error| label(*version)(error.into()))?
                .payload_digest();
            let seen = walk.at(*version).map(|at| at.last().payload());
            if let Some(seen) = seen.filter(|seen| *seen != found) {
                // SECURITY: what nobody signed proves nothing, and would crowd out what does.
                walk.verify_twin(*version, bytes, limits)
                    .map_err(label(*version))?;
                return Err(label(*version)(
                    self.equivocation(walk, *version, seen, found, keeping, now),
                ));
            }
        }
        while let Some(bytes) = fetched.get(&walk.chain.next_version()) {
            let version = walk.chain.next_version();
            walk.step(bytes, limits).map_err(label(version))?;
            keep(walk.last().fingerprint(), version, bytes)?;
        }
        let missing = walk.chain.next_version();
        match fetched.last_key_value() {
            Some((last, _)) if *last > missing => Err(label(missing)(RootError::Gap { missing })),
            _ => Ok(()),
        }
    }

    /// What was verified is in force, whatever was refused after it.
    fn put_in_force(
        &self,
        walk: Option<&Walk>,
        state: &State,
        keeping: Keeping,
        now: Timestamp,
    ) -> Result<(), PipelineError> {
        match walk {
            Some(walk) if keeping == Keeping::Keep => self.raise_root(walk.last(), state, now),
            _ => Ok(()),
        }
    }

    /// Remembers that this version was seen.
    fn raise_root(
        &self,
        root: &TrustRoot,
        state: &State,
        now: Timestamp,
    ) -> Result<(), PipelineError> {
        let fingerprint = root.fingerprint();
        if state.root_version(&fingerprint) >= Some(root.version()) {
            return Ok(());
        }
        let advance = Advance {
            root: &fingerprint,
            root_version: root.version(),
            bundle: None,
            time: self.time_to_remember(state, now),
        };
        state::advance(&self.directories.state, &[advance])?;
        Ok(())
    }

    /// A clock that was fixed for a test or a question says nothing about the time.
    pub(super) fn time_to_remember(&self, state: &State, now: Timestamp) -> Timestamp {
        match self.clock {
            Clock::System => now,
            Clock::Fixed(_) => state.last_seen().unwrap_or(Timestamp::UNIX_EPOCH),
        }
    }
}

/// A repository's directory, in words that are fit for a terminal.
fn place_of(repository: &Repository) -> String {
    let git = repository.git.escape_debug();
    match repository.path.as_str() {
        "" => format!("`{git}`"),
        path => format!("`{git}`, directory `{}`", path.escape_debug()),
    }
}

fn payload_of(bytes: &[u8], limits: &Limits) -> Option<Sha256Digest> {
    let envelope = Envelope::parse(bytes, limits).ok()?;
    Some(envelope.payload_digest())
}
