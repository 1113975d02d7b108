//! A batch and the checkpoint over it, which reach the disk side by side: who has one batch waits once.

use std::thread;

use super::super::directory::Flush;
use super::super::error::LogError;
use super::super::options::{FirstCheckpoint, SyncMode};
use super::{Batch, Log};

/// What reached the disk beside a batch.
pub(super) enum Beside {
    Nothing,
    /// The checkpoint over it, or why it did not; it has no name yet.
    Checkpoint(Result<(), LogError>),
}

impl Log {
    /// Makes a batch of a group reach the disk, and the checkpoint over it beside it where that is to be the first and no tile has
    /// to precede it.
    pub(super) fn sync_batch(
        &self,
        batch: &Batch,
        first: FirstCheckpoint,
    ) -> Result<Beside, LogError> {
        if self.sync != SyncMode::Group || !batch.written {
            return Ok(Beside::Nothing);
        }
        let has_tiles = !self.tiles.is_empty() || !batch.tiles.is_empty();
        // What cannot be signed now is tried again, and told, when it is due.
        let note = match first {
            FirstCheckpoint::AtOnce if !has_tiles => self.sign(&batch.tail).ok(),
            _ => None,
        };
        let Some(note) = note else {
            return self.sync_records().map(|()| Beside::Nothing);
        };
        let prepare = || self.directory.prepare_checkpoint(&note, Flush::Disk);
        thread::scope(|scope| {
            let beside = thread::Builder::new().spawn_scoped(scope, prepare);
            self.sync_records()?;
            let prepared = match beside.map(thread::ScopedJoinHandle::join) {
                Ok(Ok(prepared)) => prepared,
                Ok(Err(panic)) => std::panic::resume_unwind(panic),
                // There is no thread to be had.
                Err(_) => prepare(),
            };
            Ok(Beside::Checkpoint(prepared))
        })
    }
}
