//! A batch, its full tiles and the checkpoint over it. Where there are tiles, all of them reach the disk side by side.
//!
//! A tile gets its name once the batch has reached the disk, where it is to; the checkpoint once the tiles have theirs; and
//! `frontier` follows it.
//!
//! Without tiles there is the checkpoint alone, and no thread is started for it: that takes as long as the disk would save, and many times as
//! long where the processors have other things to do.

use std::fs::File;
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::ops::Range;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::directory::{Draft, Flush};
use super::super::error::LogError;
use super::super::options::SyncMode;
use super::crew::Pending;
use super::{Batch, Log};

/// What reached the disk beside a batch, and has no name yet.
pub(super) struct Beside {
    tiles: Vec<Pending>,
    signed: Option<Signed>,
}

/// The checkpoint over a batch, written, or why it could not be; and what follows it.
struct Signed {
    checkpoint: Arc<Draft>,
    written: Result<(), LogError>,
    following: Option<Following>,
}

/// A frontier that is to follow a checkpoint: written, or why it could not be.
pub(super) struct Following {
    frontier: Draft,
    written: Result<(), LogError>,
}

impl Following {
    /// Writes the frontier, which needs no disk: it proves itself.
    pub(super) fn prepare(frontier: Draft) -> Self {
        let written = frontier.prepare(Flush::Cache);
        Self { frontier, written }
    }

    /// Gives it its name, once the checkpoint has its own.
    pub(super) fn follow(self) -> Result<(), LogError> {
        let Self { frontier, written } = self;
        let named = written.and_then(|()| frontier.name());
        if named.is_err() {
            frontier.give_up();
        }
        named
    }

    fn give_up(self) {
        self.frontier.give_up();
    }
}

/// Whether a batch is to be signed with what reaches the disk beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signing {
    Beside,
    Later,
}

/// How a checkpoint is written.
enum Written {
    /// By whoever appends.
    Now(Result<(), LogError>),
    /// By a thread.
    Beside(Pending),
}

/// Has the disk begin with bytes of a file that are waited for once others have reached it. Whether it does is its own affair.
#[cfg(target_os = "linux")]
fn begin_writing(file: &File, bytes: Range<u64>) {
    // What is said not to be needed in memory any more is written at once.
    let length = NonZeroU64::new(bytes.end.saturating_sub(bytes.start));
    let _ = rustix::fs::fadvise(file, bytes.start, length, rustix::fs::Advice::DontNeed);
}

/// Other systems begin when they are asked to wait.
#[cfg(not(target_os = "linux"))]
fn begin_writing(_: &File, _: Range<u64>) {}

impl Log {
    /// Makes a batch of a group reach the disk, its full tiles beside it, and the checkpoint over it where that is asked for.
    pub(super) fn sync_batch(
        &mut self,
        batch: &mut Batch,
        signing: Signing,
    ) -> Result<Beside, LogError> {
        let is_synced = self.sync == SyncMode::Group && batch.written;
        // Tiles of what others appended precede the checkpoint, too. What cannot be signed now is tried again, and told, when it is due.
        let note = match signing {
            Signing::Beside if is_synced && self.tiles.is_empty() => self.sign(&batch.tail).ok(),
            _ => None,
        };
        // Made while the disk has nothing else to do, it is not waited for.
        let following = note.as_ref().and_then(|_| self.due_frontier(&batch.tail));
        let flush = self.flush();
        let mut prepare = |draft| self.crew.prepare(draft, flush);
        let tiles: Vec<Pending> = batch.tiles.drain(..).map(&mut prepare).collect();
        if note.is_some() && tiles.is_empty() {
            begin_writing(&self.records, self.tail.bytes()..batch.tail.bytes());
        }
        let signed = note.map(|note| {
            let checkpoint = Arc::new(self.directory.checkpoint(note));
            let written = if tiles.is_empty() {
                Written::Now(checkpoint.prepare(flush))
            } else {
                Written::Beside(prepare(Arc::clone(&checkpoint)))
            };
            (checkpoint, written, following)
        });
        let synced = if is_synced {
            self.sync_records()
        } else {
            Ok(())
        };
        let signed = signed.map(|(checkpoint, written, following)| Signed {
            checkpoint,
            written: match written {
                Written::Now(written) => written,
                Written::Beside(pending) => pending.wait().1,
            },
            following,
        });
        if let Err(error) = synced {
            for tile in tiles {
                tile.wait().0.give_up();
            }
            if let Some(following) = signed.and_then(|signed| signed.following) {
                following.give_up();
            }
            return Err(error);
        }
        Ok(Beside { tiles, signed })
    }

    /// Names the tiles of a batch that is kept, and then the checkpoint over it. What fails is left to the next checkpoint.
    pub(super) fn name_beside(&mut self, beside: Beside, now: Timestamp) {
        let tiles = self.name_tiles(beside.tiles);
        let Some(signed) = beside.signed else {
            return;
        };
        let named = tiles.and(signed.written);
        let named = named.and_then(|()| signed.checkpoint.name());
        let followed = match (named, signed.following) {
            (Ok(()), following) => self.checkpoint_named(following, now),
            (Err(error), following) => {
                signed.checkpoint.give_up();
                following.into_iter().for_each(Following::give_up);
                Err(error)
            }
        };
        self.overdue = followed.is_err();
    }

    /// Writes the tiles that wait for the next checkpoint.
    pub(super) fn write_tiles(&mut self) -> Result<(), LogError> {
        let flush = self.flush();
        let tiles = std::mem::take(&mut self.tiles).into_iter();
        let pending = tiles.map(|tile| self.crew.prepare(tile, flush)).collect();
        self.name_tiles(pending)
    }

    /// Waits for all the tiles, and names those that were written; the others wait for the next checkpoint.
    fn name_tiles(&mut self, pending: Vec<Pending>) -> Result<(), LogError> {
        let mut result = Ok(());
        for pending in pending {
            let (tile, prepared) = pending.wait();
            if let Err(error) = prepared.and_then(|()| tile.name()) {
                self.tiles.push(tile);
                result = result.and(Err(error));
            }
        }
        self.crew.muster();
        result
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
