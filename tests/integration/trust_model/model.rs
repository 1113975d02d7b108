//! What a consumer must do, in as few words as possible. It knows no bytes, keys or digests: only who signed what, and when.

use super::history::{Damage, People};
use super::world::{BundleFacts, RootFacts, World};

/// How far ahead of the consumer's clock a statement may be issued, and how far behind the last-seen time the clock may
/// stand, in minutes.
const SKEW: i64 = 5;
/// `max_age`, in minutes.
pub(super) const MAX_AGE: i64 = 25 * 24 * 60;
/// How long after its time what is active still decides, in minutes.
pub(super) const GRACE: i64 = 3 * 24 * 60;

/// Why not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A root is damaged, or not signed by both sides.
    Root,
    RootExpired,
    /// This machine has seen a newer root.
    RootRollback,
    /// The clock went back.
    Clock,
    /// No signature at all.
    Envelope,
    /// Too few signatures that count.
    Threshold,
    /// Enough, by a role of another namespace.
    Authority,
    Epoch,
    Rollback,
    Equivocation,
    Future,
    Expired,
    TooOld,
    Revoked,
    Files,
    /// Nothing was ever activated, or the lockfile is gone.
    NothingActive,
}

impl Kind {
    /// What a pull may answer.
    pub(super) const ALL: [Self; 15] = [
        Self::Root,
        Self::RootExpired,
        Self::RootRollback,
        Self::Clock,
        Self::Envelope,
        Self::Threshold,
        Self::Authority,
        Self::Epoch,
        Self::Rollback,
        Self::Equivocation,
        Self::Future,
        Self::Expired,
        Self::TooOld,
        Self::Revoked,
        Self::Files,
    ];
}

/// A revision of a payload; payloads have numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) epoch: u64,
    pub(super) revision: u64,
    pub(super) payload: usize,
}

/// All that a machine remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Marks {
    pub(super) lock: Option<Mark>,
    pub(super) seen: Option<Mark>,
    pub(super) root_version: Option<u64>,
    pub(super) last_seen: Option<i64>,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Machine {
    marks: Marks,
    lock_before: Option<Mark>,
}

impl Machine {
    pub(super) fn marks(&self) -> Marks {
        self.marks.clone()
    }

    pub(super) fn lose_lock(&mut self) {
        self.marks.lock = None;
    }

    pub(super) fn restore_lock(&mut self) {
        self.marks.lock = self.lock_before;
    }

    pub(super) fn lose_state(&mut self) {
        self.marks = Marks {
            lock: self.marks.lock,
            ..Marks::default()
        };
    }

    /// Takes what is served, or says why not; then nothing has changed.
    pub(super) fn pull(&mut self, world: &World) -> Result<usize, Kind> {
        let root = self.root(world)?;
        let (number, bundle, damage) = world.served_facts();
        self.judge(world.now(), root, number, bundle, damage, 0)?;
        let mark = Mark {
            epoch: bundle.epoch,
            revision: bundle.revision,
            payload: number,
        };
        self.lock_before = self.marks.lock;
        self.marks.lock = Some(mark);
        self.marks.seen = Some(mark);
        self.marks.root_version = Some(root.version);
        if self.marks.last_seen.is_none_or(|seen| world.now() > seen) {
            self.marks.last_seen = Some(world.now());
        }
        Ok(number)
    }

    /// What decides: the locked bundle, if it is still good.
    pub(super) fn active(&self, world: &World) -> Result<usize, Kind> {
        let root = self.root(world)?;
        let locked = self.marks.lock.ok_or(Kind::NothingActive)?;
        let bundle = world.facts_when_pulled(locked.payload);
        self.judge(world.now(), root, locked.payload, bundle, None, GRACE)?;
        Ok(locked.payload)
    }

    /// The last root that is shown, if every step to it is sound, and nothing speaks of a later one.
    fn root<'a>(&self, world: &'a World) -> Result<&'a RootFacts, Kind> {
        let roots = world.shown_facts();
        for (index, root) in roots.iter().enumerate() {
            let by_itself = root.is_kept_by(root.signers);
            let by_the_last = index == 0 || roots[index - 1].is_kept_by(root.signers);
            if !by_itself || !by_the_last {
                return Err(Kind::Root);
            }
        }
        let last = roots.last().expect("there is always a first root");
        if last.expires <= world.now() {
            return Err(Kind::RootExpired);
        }
        if self
            .marks
            .root_version
            .is_some_and(|seen| last.version < seen)
        {
            return Err(Kind::RootRollback);
        }
        if self
            .marks
            .last_seen
            .is_some_and(|seen| seen - world.now() > SKEW)
        {
            return Err(Kind::Clock);
        }
        Ok(last)
    }

    fn judge(
        &self,
        now: i64,
        root: &RootFacts,
        number: usize,
        bundle: &BundleFacts,
        damage: Option<Damage>,
        grace: i64,
    ) -> Result<(), Kind> {
        if bundle.signers.is_empty() {
            return Err(Kind::Envelope);
        }
        let counted: People = match damage {
            Some(Damage::Payload) => 0,
            Some(Damage::Signature(which)) => bundle.signers_without(which % bundle.signers.len()),
            _ => bundle.signers_without(usize::MAX),
        };
        if !root.is_published_by(counted) {
            let dave = 0b1000;
            let by_another = counted & dave & !root.revoked_keys != 0;
            return Err(if by_another {
                Kind::Authority
            } else {
                Kind::Threshold
            });
        }
        if bundle.epoch != root.epoch {
            return Err(Kind::Epoch);
        }
        let at = (bundle.epoch, bundle.revision);
        // The higher of the two marks; the machine's where they are at one revision.
        let of = |mark: &Mark| (mark.epoch, mark.revision);
        let highest = match (self.marks.seen, self.marks.lock) {
            (Some(seen), Some(lock)) if of(&lock) > of(&seen) => Some(lock),
            (seen, lock) => seen.or(lock),
        };
        if let Some(highest) = highest {
            if at < of(&highest) {
                return Err(Kind::Rollback);
            }
            if at == of(&highest) && number != highest.payload {
                return Err(Kind::Equivocation);
            }
        }
        if bundle.issued - now > SKEW {
            return Err(Kind::Future);
        }
        // Its own end, or the consumer's where that is sooner.
        let end = bundle.expires.min(bundle.issued + MAX_AGE + 1);
        if now >= end + grace {
            return Err(if now < bundle.expires {
                Kind::TooOld
            } else {
                Kind::Expired
            });
        }
        let in_range = |(epoch, from, to): &(u64, u64, u64)| {
            *epoch == bundle.epoch && (*from..=*to).contains(&bundle.revision)
        };
        if root.revoked_payloads.contains(&number) || root.revoked_revisions.iter().any(in_range) {
            return Err(Kind::Revoked);
        }
        match damage {
            Some(Damage::File | Damage::FileAdded | Damage::FileDropped) => Err(Kind::Files),
            _ => Ok(()),
        }
    }
}
