//! The one writer: appends records in batches and signs checkpoints.
//!
//! A batch, under the lock:
//!
//! 1. Lines that other processes appended since are read and hashed; an unfinished last line is cut and its bytes saved.
//! 2. The batch is written and synced. If that fails, the file is cut back to its old length and nothing was appended.
//! 3. Full tiles get their names; every 4096 entries or second, a checkpoint is signed, and `frontier` is saved where the one that
//!    is there saves too little.
//!
//! Tiles, and the checkpoint over a batch, reach the disk beside the batch, and get their names after that. So no tile and no
//! checkpoint speaks of what is not on the disk.
//!
//! INVARIANT: memory changes only after the file did. Tiles precede the checkpoint that covers them and `frontier`
//! follows it, so that a process killed anywhere leaves files from which the next one continues: an older frontier costs some
//! hashing, and tiles since the checkpoint are written again.

mod add;
mod crew;
mod settle;

use std::fmt;
use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::checkpoint::Checkpoint;
use super::directory::{Directory, Draft, Flush, io_error};
use super::error::{LogError, Problem};
use super::note::{Signer, VerifierKey};
use super::options::{FirstCheckpoint, Options, Salter, Salts, SyncMode};
use super::record::{Line, LineDefect, begins_as_record, next_line, read_line, write_line};
use super::tail::{Saved, Tail};
use super::tree::{TILE_WIDTH, leaf_hash};
use super::verify::{Trust, verify_directory};
use add::Batch;
use crew::Crew;
use settle::{Following, Signing};

/// Bytes that are read of the file at once: more of them cost memory that is new to the process.
const READ_AHEAD: usize = 32 << 10;
/// Entries after which a checkpoint is due.
const CHECKPOINT_ENTRIES: u64 = 16 * TILE_WIDTH;
/// Entries after which the next checkpoint has the frontier saved again: whoever opens the log of a process that was killed hashes about
/// so many more, which takes some hundredths of a second.
const FRONTIER_ENTRIES: u64 = 8 * CHECKPOINT_ENTRIES;
/// How old the newest checkpoint may grow while records arrive.
const CHECKPOINT_AGE: SignedDuration = SignedDuration::from_secs(1);

/// What was found and done beyond appending; the caller tells people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recovery {
    /// The log was made.
    pub created: bool,
    /// Records after the checkpoint when the log was opened. They are kept, and the next checkpoint signs them.
    pub unsigned: u64,
    /// `frontier` was missing or wrong, so that the whole file was read.
    pub rebuilt: bool,
    /// Unfinished last lines that were cut.
    pub cuts: Vec<Cut>,
}

/// An unfinished last line that was cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// Where it began.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// The file that keeps them.
    pub saved: PathBuf,
}

/// A log that is open for appending. End it with [`Log::finish`], else its last records stay unsigned.
pub struct Log {
    directory: Directory,
    lock: Arc<File>,
    records: File,
    signer: Signer,
    sync: SyncMode,
    salts: Salts,
    tail: Tail,
    /// Full tiles that are still to be written before the next checkpoint.
    tiles: Vec<Arc<Draft>>,
    crew: Crew,
    /// Memory for the lines of the next batch.
    buffer: Vec<u8>,
    /// Entries that the newest checkpoint of this process covers, and when it was signed.
    signed: u64,
    signed_at: Timestamp,
    /// Entries that the frontier saves which this process wrote last.
    saved: Option<u64>,
    /// The last attempt to sign a checkpoint failed, after its records had been acknowledged.
    overdue: bool,
    /// Of the batch that comes next, if none came yet.
    first: FirstCheckpoint,
    recovery: Recovery,
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut log = f.debug_struct("Log");
        log.field("directory", &self.directory);
        log.field("size", &self.tail.size());
        log.field("signed", &self.signed);
        log.finish_non_exhaustive()
    }
}

/// Holds the log's lock until it is dropped.
struct Guard(Arc<File>);

impl Guard {
    fn take(lock: &Arc<File>, directory: &Directory) -> Result<Self, LogError> {
        lock.lock().map_err(io_error("lock", directory.path()))?;
        Ok(Self(Arc::clone(lock)))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The file stays open, so that only this frees it; a process that ends frees it too.
        let _ = self.0.unlock();
    }
}

impl Log {
    /// Opens the log in `path`, or makes one, whose first record says so.
    ///
    /// # Errors
    /// [`LogError::Tampered`] if the records are not what was signed, [`LogError::Io`] for what the file system refuses.
    pub fn open(
        path: &Path,
        signer: Signer,
        options: Options,
        now: Timestamp,
    ) -> Result<Self, LogError> {
        let directory = Directory::new(path);
        directory.create()?;
        let lock = Arc::new(directory.open_lock()?);
        let guard = Guard::take(&lock, &directory)?;
        // Of a writer that ended before its records were on the disk.
        directory.drop_prepared_checkpoint();
        let checkpoint = directory.read_checkpoint()?;
        let mut trusted = options.earlier_keys;
        trusted.push(signer.verifier().clone());
        let tampered = |problem| LogError::Tampered {
            directory: path.to_owned(),
            problem,
        };
        let verified = checkpoint
            .map(|bytes| Checkpoint::verify(&bytes, &trusted).map(|(checkpoint, _)| checkpoint))
            .transpose()
            .map_err(|error| tampered(Problem::Checkpoint(error)))?;
        if verified.is_none() && directory.read_frontier()?.is_some() {
            return Err(tampered(Problem::CheckpointMissing));
        }
        // Evidence stays as it is: where records were signed, no empty file takes the place of a missing one.
        let records = match &verified {
            Some(checkpoint) => directory.open_records()?.ok_or_else(|| {
                let (lines, signed) = (0, checkpoint.size);
                tampered(Problem::Truncated { lines, signed })
            })?,
            None => directory.create_records()?,
        };
        let mut log = Self {
            directory,
            lock,
            records,
            signer,
            sync: options.sync,
            salts: options.salts,
            tail: Tail::default(),
            tiles: Vec::new(),
            crew: Crew::default(),
            buffer: Vec::new(),
            signed: 0,
            signed_at: now,
            saved: None,
            overdue: false,
            first: options.first,
            recovery: Recovery::default(),
        };
        match verified {
            Some(checkpoint) => log.resume(&checkpoint, &trusted)?,
            None => log.begin(now)?,
        }
        drop(guard);
        Ok(log)
    }

    /// What was found and done beyond appending, so far.
    #[must_use]
    pub fn recovery(&self) -> &Recovery {
        &self.recovery
    }

    /// Entries of the log, as far as this process has seen.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.tail.size()
    }

    /// Entries that the newest checkpoint of this process covers.
    #[must_use]
    pub fn signed(&self) -> u64 {
        self.signed
    }

    /// Appends `records`, all or none of them, and returns their sequence numbers. Each must be a JSON object without the
    /// members `v`, `seq` and `salt`.
    ///
    /// # Errors
    /// [`LogError::Record`] for a record that does not fit, [`LogError::Tampered`] if the file is not what it was,
    /// [`LogError::Io`] for what the file system refuses. Nothing is appended then. A checkpoint that could not be signed
    /// fails the next batch, before it is appended, unless it can be signed then.
    pub fn append_batch<R: Serialize>(
        &mut self,
        records: impl IntoIterator<Item = R>,
        now: Timestamp,
    ) -> Result<std::ops::Range<u64>, LogError> {
        let write =
            |buffer: &mut Vec<u8>, seq, salt: &_, record| write_line(buffer, seq, salt, &record);
        self.append(|log, batch| log.add(batch, records, write), now)
    }

    fn append(
        &mut self,
        add: impl FnOnce(&Self, &mut Batch) -> Result<(), LogError>,
        now: Timestamp,
    ) -> Result<std::ops::Range<u64>, LogError> {
        let _guard = Guard::take(&self.lock, &self.directory)?;
        self.catch_up()?;
        if self.overdue {
            self.sign_checkpoint(now)?;
        }
        let first = std::mem::take(&mut self.first);
        let appended = self.write_batch(add, (first, now))?;
        if self.is_due(self.tail.size(), now) && !appended.is_empty() {
            self.overdue = self.sign_checkpoint(now).is_err();
        }
        Ok(appended)
    }

    /// Whether a log of `size` entries should be signed.
    fn is_due(&self, size: u64, now: Timestamp) -> bool {
        let age = now.duration_since(self.signed_at).abs();
        size - self.signed >= CHECKPOINT_ENTRIES || age >= CHECKPOINT_AGE
    }

    /// Signs a checkpoint over everything in the log, unless the newest one covers it.
    ///
    /// # Errors
    /// As for [`Log::append_batch`].
    pub fn checkpoint(&mut self, now: Timestamp) -> Result<(), LogError> {
        let _guard = Guard::take(&self.lock, &self.directory)?;
        self.catch_up()?;
        self.sign_checkpoint(now)
    }

    /// Signs the last checkpoint and closes the log.
    ///
    /// # Errors
    /// As for [`Log::append_batch`].
    pub fn finish(mut self, now: Timestamp) -> Result<Recovery, LogError> {
        let _guard = Guard::take(&self.lock, &self.directory)?;
        self.catch_up()?;
        self.sign_checkpoint(now)?;
        if self.saved.is_some_and(|saved| saved < self.signed) {
            self.frontier(&self.tail).follow()?;
        }
        Ok(self.recovery)
    }

    /// A log without a checkpoint is a new one, or one whose maker was stopped before it signed the first.
    fn begin(&mut self, now: Timestamp) -> Result<(), LogError> {
        self.catch_up()?;
        if self.tail.size() > 1 {
            return Err(self.tampered(Problem::CheckpointMissing));
        }
        if self.tail.size() == 0 {
            let created = Created {
                kind: "log",
                event: "created",
                time: now,
                origin: self.signer.verifier().name().to_string(),
                verifier_key: self.signer.verifier().to_string(),
            };
            let write = |buffer: &mut Vec<u8>, seq, salt: &_, record| {
                write_line(buffer, seq, salt, &record)
            };
            let add = |log: &Self, batch: &mut Batch| log.add(batch, [created], write);
            self.write_batch(add, (FirstCheckpoint::Due, now))?;
            self.recovery.created = true;
        }
        self.sign_checkpoint(now)?;
        if self.sync == SyncMode::None {
            return Ok(());
        }
        self.directory.sync()
    }

    /// Continues from the boundary in `frontier`; if that does not lead to the signed root, from the beginning.
    fn resume(&mut self, checkpoint: &Checkpoint, trusted: &[VerifierKey]) -> Result<(), LogError> {
        let saved = self.directory.read_frontier()?;
        let saved = saved.and_then(|bytes| Saved::parse(&bytes));
        let start = saved.map(|saved| saved.start());
        let resumed = match start.filter(|start| start.size() < checkpoint.size) {
            Some(start) => self.read_from(start, Some(checkpoint))?,
            None => Err(Stop::Root),
        };
        if resumed.is_err() {
            self.recovery.rebuilt = true;
            if self.read_from(Tail::default(), Some(checkpoint))?.is_err() {
                // Only `verify` names the line.
                let report = verify_directory(self.directory.path(), Trust::Keys(trusted))?;
                let (signed, suspect) = (checkpoint.size, None);
                let problem = report.problem.unwrap_or(Problem::Root { signed, suspect });
                return Err(self.tampered(problem));
            }
        }
        self.signed = checkpoint.size;
        self.recovery.unsigned = self.tail.size() - checkpoint.size;
        Ok(())
    }

    /// Reads what other processes appended.
    fn catch_up(&mut self) -> Result<(), LogError> {
        let length = self.length()?;
        if length == self.tail.bytes() {
            return Ok(());
        }
        if length < self.tail.bytes() {
            let report = verify_directory(self.directory.path(), Trust::Structure)?;
            let (lines, signed) = (report.lines, self.tail.size());
            return Err(self.tampered(Problem::Truncated { lines, signed }));
        }
        let start = self.tail.clone();
        match self.read_from(start, None)? {
            Ok(()) => Ok(()),
            Err(Stop::Line(problem)) => Err(self.tampered(problem)),
            Err(Stop::Root) => Ok(()),
        }
    }

    /// Hashes the lines after `tail` to the end of the file, cuts an unfinished one, and takes the result as the new state.
    fn read_from(
        &mut self,
        mut tail: Tail,
        checkpoint: Option<&Checkpoint>,
    ) -> Result<Result<(), Stop>, LogError> {
        let path = self.directory.records();
        let signed = checkpoint.map_or(0, |checkpoint| checkpoint.size);
        let mut file = &self.records;
        file.seek(SeekFrom::Start(tail.bytes()))
            .map_err(io_error("read", &path))?;
        let (mut reader, mut buffer) = (BufReader::with_capacity(READ_AHEAD, file), Vec::new());
        let mut tiles = Vec::new();
        let mut torn = false;
        loop {
            let seq = tail.size();
            let found = next_line(&mut reader, &mut buffer).map_err(io_error("read", &path))?;
            let checked = match found {
                Line::End => break,
                Line::Torn if seq >= signed => {
                    torn = true;
                    break;
                }
                Line::Torn => Err(LineDefect::Torn),
                Line::TooLong => Err(LineDefect::TooLong),
                // What the root proves is what was signed, and was a record then.
                Line::Whole if seq < signed && begins_as_record(&buffer, seq) => Ok(()),
                Line::Whole => read_line(&buffer, seq),
            };
            if let Err(defect) = checked {
                let (line, offset) = (seq + 1, tail.bytes());
                return Ok(Err(Stop::Line(Problem::Line {
                    line,
                    offset,
                    defect,
                })));
            }
            let tile = tail.push(leaf_hash(&buffer), buffer.len() as u64 + 1);
            if checkpoint.is_some_and(|c| c.size == tail.size() && c.root != tail.root()) {
                return Ok(Err(Stop::Root));
            }
            // Tiles below the checkpoint were written before it, and are evidence: they are not replaced.
            let tile = tile.filter(|_| tail.size() >= signed);
            tiles.extend(tile.map(|tile| Arc::new(self.directory.tile(tile))));
        }
        if tail.size() < signed {
            return Ok(Err(Stop::Root));
        }
        if torn {
            self.cut(tail.bytes(), &buffer)?;
        }
        self.tail = tail;
        self.tiles.append(&mut tiles);
        Ok(Ok(()))
    }

    fn cut(&mut self, offset: u64, bytes: &[u8]) -> Result<(), LogError> {
        let saved = self.directory.save_torn(offset, bytes)?;
        self.records
            .set_len(offset)
            .map_err(io_error("truncate", &self.directory.records()))?;
        let bytes = bytes.len() as u64;
        self.recovery.cuts.push(Cut {
            offset,
            bytes,
            saved,
        });
        Ok(())
    }

    /// Writes the batch; on error the file has its old length.
    fn write_batch(
        &mut self,
        add: impl FnOnce(&Self, &mut Batch) -> Result<(), LogError>,
        (first, now): (FirstCheckpoint, Timestamp),
    ) -> Result<std::ops::Range<u64>, LogError> {
        let mut batch = Batch {
            tail: self.tail.clone(),
            tiles: Vec::new(),
            buffer: std::mem::take(&mut self.buffer),
            salts: Salter::new(self.salts),
            written: false,
        };
        let result = add(self, &mut batch).and_then(|()| {
            // A first batch waits for no tile.
            let at_once = first == FirstCheckpoint::AtOnce && batch.tiles.is_empty();
            let signing = if at_once || self.is_due(batch.tail.size(), now) {
                Signing::Beside
            } else {
                Signing::Later
            };
            self.sync_batch(&mut batch, signing)
        });
        batch.buffer.clear();
        self.buffer = std::mem::take(&mut batch.buffer);
        let beside = match result {
            Ok(beside) => beside,
            Err(error) => {
                if batch.written {
                    // Should this fail too, the next writer takes the whole lines as records and cuts the rest.
                    let _ = self.records.set_len(self.tail.bytes());
                }
                self.directory.drop_prepared_checkpoint();
                return Err(error);
            }
        };
        let appended = self.tail.size()..batch.tail.size();
        self.tail = batch.tail;
        self.name_beside(beside, now);
        Ok(appended)
    }

    fn sync_records(&self) -> Result<(), LogError> {
        self.records
            .sync_data()
            .map_err(io_error("sync", &self.directory.records()))
    }

    /// Signs and saves the state, under the lock and after [`Log::catch_up`].
    fn sign_checkpoint(&mut self, now: Timestamp) -> Result<(), LogError> {
        let size = self.tail.size();
        if self.signed < size {
            self.write_tiles()?;
            let note = self.sign(&self.tail)?;
            self.directory.checkpoint(note).replace(self.flush())?;
            let following = self.due_frontier(&self.tail);
            self.checkpoint_named(following, now)?;
        }
        self.signed_at = now;
        self.overdue = false;
        Ok(())
    }

    fn sign(&self, tail: &Tail) -> Result<String, LogError> {
        let checkpoint = Checkpoint {
            origin: self.signer.verifier().name().clone(),
            size: tail.size(),
            root: tail.root(),
        };
        checkpoint.sign(&self.signer).map_err(LogError::Sign)
    }

    /// The frontier that is to follow a checkpoint over `tail`; none while an older one saves enough. The first of a process always follows.
    fn due_frontier(&self, tail: &Tail) -> Option<Following> {
        let is_due = self
            .saved
            .is_none_or(|saved| tail.size().saturating_sub(saved) >= FRONTIER_ENTRIES);
        is_due.then(|| self.frontier(tail))
    }

    fn frontier(&self, tail: &Tail) -> Following {
        Following::prepare(self.directory.frontier(tail.to_file()))
    }

    /// What follows a checkpoint over everything that is there by its name.
    fn checkpoint_named(
        &mut self,
        following: Option<Following>,
        now: Timestamp,
    ) -> Result<(), LogError> {
        if let Some(following) = following {
            following.follow()?;
            self.saved = Some(self.tail.size());
        }
        self.signed = self.tail.size();
        self.signed_at = now;
        Ok(())
    }

    fn flush(&self) -> Flush {
        match self.sync {
            SyncMode::None => Flush::Cache,
            SyncMode::Always | SyncMode::Group => Flush::Disk,
        }
    }

    fn length(&self) -> Result<u64, LogError> {
        let metadata = self.records.metadata();
        let path = self.directory.records();
        metadata.map(|m| m.len()).map_err(io_error("read", &path))
    }

    fn tampered(&self, problem: Problem) -> LogError {
        let directory = self.directory.path().to_owned();
        LogError::Tampered { directory, problem }
    }
}

/// Why reading on stopped.
enum Stop {
    /// The lines do not lead to the signed root.
    Root,
    /// A line is wrong on its face.
    Line(Problem),
}

/// The first record of a log.
#[derive(Serialize)]
struct Created {
    kind: &'static str,
    event: &'static str,
    time: Timestamp,
    origin: String,
    verifier_key: String,
}
