//! What a batch is, and how records get into it.

use std::io::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use super::super::directory::{Draft, io_error};
use super::super::error::LogError;
use super::super::options::{Salter, SyncMode};
use super::super::prepared::Prepared;
use super::super::record::{RecordError, write_prepared};
use super::super::tail::Tail;
use super::super::tree::{Hash, leaf_hash};
use super::Log;

/// Bytes of a batch that are collected before they are written.
const CHUNK: usize = 1 << 20;

/// A batch on its way to the file.
pub(super) struct Batch {
    pub(super) tail: Tail,
    /// Its full tiles.
    pub(super) tiles: Vec<Arc<Draft>>,
    pub(super) buffer: Vec<u8>,
    pub(super) salts: Salter,
    pub(super) written: bool,
}

impl Log {
    /// Appends records that were serialised before, all or none of them, and returns their sequence numbers.
    ///
    /// # Errors
    /// As for [`Log::append_batch`].
    pub fn append_prepared<'a>(
        &mut self,
        records: impl IntoIterator<Item = &'a Prepared>,
        now: Timestamp,
    ) -> Result<std::ops::Range<u64>, LogError> {
        let add = |log: &Self, batch: &mut Batch| {
            let mut records = records.into_iter();
            records.try_for_each(|prepared| log.add_prepared(batch, prepared))
        };
        self.append(add, now)
    }

    /// Whether lines are taken that were written before their turn. Where each record reaches the disk by itself, they are not.
    pub(crate) fn takes_lines(&self) -> bool {
        match self.sync {
            SyncMode::Always => false,
            SyncMode::Group | SyncMode::None => true,
        }
    }

    fn add_prepared(&self, batch: &mut Batch, prepared: &Prepared) -> Result<(), LogError> {
        let lines = prepared.lines_from(batch.tail.size());
        let Some((bytes, leaves)) = lines.filter(|_| self.takes_lines()) else {
            return self.add(batch, prepared.bodies(), write_prepared);
        };
        for (leaf, length) in leaves {
            self.add_leaf(batch, leaf, length);
        }
        self.write_bytes(batch, bytes)
    }

    pub(super) fn add<R>(
        &self,
        batch: &mut Batch,
        records: impl IntoIterator<Item = R>,
        write: impl Fn(&mut Vec<u8>, u64, &[u8; 16], R) -> Result<(), RecordError>,
    ) -> Result<(), LogError> {
        for record in records {
            let salt = batch.salts.next().map_err(LogError::Random)?;
            let start = batch.buffer.len();
            write(&mut batch.buffer, batch.tail.size(), &salt, record).map_err(|source| {
                let position = batch.tail.size() - self.tail.size();
                LogError::Record { position, source }
            })?;
            let line = batch.buffer.get(start..).unwrap_or_default();
            let leaf = leaf_hash(line.strip_suffix(b"\n").unwrap_or(line));
            let length = line.len() as u64;
            self.add_leaf(batch, leaf, length);
            if self.sync == SyncMode::Always {
                self.write(batch)?;
                self.sync_records()?;
            } else if batch.buffer.len() >= CHUNK {
                self.write(batch)?;
            }
        }
        self.write(batch)
    }

    fn add_leaf(&self, batch: &mut Batch, leaf: Hash, length: u64) {
        let tile = batch.tail.push(leaf, length);
        let tile = tile.map(|tile| Arc::new(self.directory.tile(tile)));
        batch.tiles.extend(tile);
    }

    /// Writes what was collected.
    fn write(&self, batch: &mut Batch) -> Result<(), LogError> {
        let collected = std::mem::take(&mut batch.buffer);
        let written = self.write_bytes(batch, &collected);
        batch.buffer = collected;
        batch.buffer.clear();
        written
    }

    /// Writes lines, behind which there are none that were collected.
    fn write_bytes(&self, batch: &mut Batch, bytes: &[u8]) -> Result<(), LogError> {
        if bytes.is_empty() {
            return Ok(());
        }
        batch.written = true;
        let mut file = &self.records;
        file.write_all(bytes)
            .map_err(io_error("write", &self.directory.records()))
    }
}

#[cfg(unix)]
#[cfg(test)]
mod tests;
