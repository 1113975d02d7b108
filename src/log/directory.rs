//! The files of a log, and the ways in which they are read and replaced.
//!
//! Directories are made 0700 and files 0600. Small files are replaced whole: written beside the old one under a fixed name,
//! then renamed. The writer does so under the log's lock, so the fixed names never meet, and a killed process leaves at
//! most one of each behind, which the next removes. That file is always made anew: one that lies there, a link to
//! somewhere else perhaps, is never written through.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::error::LogError;
use super::note::MAX_NOTE;
use super::tail::MAX_FRONTIER;
use super::tree::{TILE_BYTES, Tile, tile_path};

/// Whether a file reaches the disk before it gets its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flush {
    Disk,
    Cache,
}

/// The directory of one log.
#[derive(Debug, Clone)]
pub(super) struct Directory(PathBuf);

impl Directory {
    pub(super) fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// The records.
    pub(super) fn records(&self) -> PathBuf {
        self.0.join("decisions.jsonl")
    }

    /// Whether any file of a log is there; the lock alone is none.
    pub(super) fn has_traces(&self) -> Result<bool, LogError> {
        let entries = match fs::read_dir(&self.0) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            entries => entries.map_err(io_error("read", &self.0))?,
        };
        let is_trace = |name: &str| {
            matches!(name, "checkpoint" | "decisions.jsonl" | "frontier" | "tile")
                || name.starts_with("torn-")
        };
        let mut names = entries.flatten().map(|entry| entry.file_name());
        Ok(names.any(|name| name.to_str().is_some_and(is_trace)))
    }

    /// Makes the directory, and its parents.
    pub(super) fn create(&self) -> Result<(), LogError> {
        make_directory(&self.0)
    }

    /// Opens the lock's file. The lock is taken for each batch, and only by writers.
    pub(super) fn open_lock(&self) -> Result<File, LogError> {
        let path = self.0.join("lock");
        open_options()
            .write(true)
            .create(true)
            .open(&path)
            .map_err(io_error("open", &path))
    }

    /// Opens the records for appending; none if they are not there.
    pub(super) fn open_records(&self) -> Result<Option<File>, LogError> {
        let path = self.records();
        match open_options().read(true).append(true).open(&path) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(io_error("open", &path)(error)),
        }
    }

    /// Opens the records for appending, making them if they are not there.
    pub(super) fn create_records(&self) -> Result<File, LogError> {
        let path = self.records();
        let mut options = open_options();
        options.read(true).append(true).create(true);
        options.open(&path).map_err(io_error("create", &path))
    }

    pub(super) fn read_checkpoint(&self) -> Result<Option<Vec<u8>>, LogError> {
        read(&self.0.join("checkpoint"), MAX_NOTE as u64)
    }

    /// A checkpoint that is to take the place of the one that is there.
    pub(super) fn checkpoint(&self, note: String) -> Draft {
        Draft {
            path: self.0.join("checkpoint"),
            bytes: note.into_bytes(),
        }
    }

    /// Removes a prepared checkpoint that is not to have a name: it is signed, though what it covers may never have been kept.
    pub(super) fn drop_prepared_checkpoint(&self) {
        let _ = fs::remove_file(temporary(&self.0.join("checkpoint")));
    }

    pub(super) fn read_frontier(&self) -> Result<Option<Vec<u8>>, LogError> {
        read(&self.0.join("frontier"), MAX_FRONTIER)
    }

    /// A frontier that is to take the place of the one that is there. It proves itself when it is read, so it need not reach the disk.
    pub(super) fn frontier(&self, bytes: Vec<u8>) -> Draft {
        let path = self.0.join("frontier");
        Draft { path, bytes }
    }

    pub(super) fn read_tile(&self, index: u64) -> Result<Option<Vec<u8>>, LogError> {
        read(&self.0.join(tile_path(index)), TILE_BYTES as u64)
    }

    /// A full tile that is to get its name.
    pub(super) fn tile(&self, tile: Tile) -> Draft {
        Draft {
            path: self.0.join(tile_path(tile.index)),
            bytes: tile.bytes,
        }
    }

    /// Saves the bytes of an unfinished line that is about to be cut from byte `offset` of the records.
    pub(super) fn save_torn(&self, offset: u64, bytes: &[u8]) -> Result<PathBuf, LogError> {
        let mut number = 0_u32;
        loop {
            let path = self.0.join(format!("torn-{offset}-{number}"));
            match open_options().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    let written = file.write_all(bytes).and_then(|()| file.sync_all());
                    return written
                        .map(|()| path.clone())
                        .map_err(io_error("write", &path));
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(io_error("create", &path)(error)),
            }
        }
    }

    /// Makes new names in the directory survive a power failure.
    pub(super) fn sync(&self) -> Result<(), LogError> {
        let synced = File::open(&self.0).and_then(|directory| directory.sync_all());
        synced.map_err(io_error("sync", &self.0))
    }
}

/// Wraps a system error with what was tried.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> LogError {
    let path = path.to_owned();
    move |source| LogError::Io {
        action,
        path,
        source,
    }
}

fn open_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_directory(path: &Path) -> Result<(), LogError> {
    if path.is_dir() {
        return Ok(());
    }
    directory_builder()
        .create(path)
        .map_err(io_error("create", path))
}

fn directory_builder() -> DirBuilder {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
}

/// Reads a small file; one byte more than `limit` is enough for its parser to refuse it.
fn read(path: &Path, limit: u64) -> Result<Option<Vec<u8>>, LogError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("open", path)(error)),
    };
    // Room for most at once: without it they are read in small steps.
    let mut bytes = Vec::with_capacity(4 << 10);
    let read = file.take(limit + 1).read_to_end(&mut bytes);
    read.map(|_| Some(bytes)).map_err(io_error("read", path))
}

/// A small file that takes the place of the one with its name, whole or not at all.
#[derive(Debug)]
pub(super) struct Draft {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl Draft {
    /// Writes the file, and gives it no name yet.
    pub(super) fn prepare(&self, flush: Flush) -> Result<(), LogError> {
        self.try_prepare(flush)
            .map_err(io_error("write", &self.path))
    }

    /// Gives the prepared file its name.
    pub(super) fn name(&self) -> Result<(), LogError> {
        fs::rename(temporary(&self.path), &self.path).map_err(io_error("write", &self.path))
    }

    /// Removes the prepared file, which is not to have a name.
    pub(super) fn give_up(&self) {
        let _ = fs::remove_file(temporary(&self.path));
    }

    /// Writes the file, and gives it its name, or leaves nothing of it.
    pub(super) fn replace(&self, flush: Flush) -> Result<(), LogError> {
        let replaced = self.prepare(flush).and_then(|()| self.name());
        if replaced.is_err() {
            self.give_up();
        }
        replaced
    }

    fn try_prepare(&self, flush: Flush) -> io::Result<()> {
        let mut file = self.create()?;
        file.write_all(&self.bytes)?;
        match flush {
            Flush::Disk => file.sync_data(),
            Flush::Cache => Ok(()),
        }
    }

    /// Makes the file under its other name, and what is in the way of that.
    fn create(&self) -> io::Result<File> {
        let temporary = temporary(&self.path);
        let create = || open_options().write(true).create_new(true).open(&temporary);
        match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&temporary)?;
                create()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(parent) = self.path.parent() {
                    directory_builder().create(parent)?;
                }
                create()
            }
            created => created,
        }
    }
}

fn temporary(path: &Path) -> PathBuf {
    path.with_added_extension("tmp")
}
