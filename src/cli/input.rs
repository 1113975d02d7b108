//! Input files, and standard input as `-`.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Read, stdin};
use std::path::Path;

use super::env::Environment;
use super::report::Failure;
use super::ui;
use crate::diag::Code;

/// Bytes that another thread can read.
pub(crate) struct Source {
    bytes: Box<dyn Read + Send>,
    capacity: usize,
}
/// A buffered reader that another thread can own.
pub(crate) type Input = BufReader<Source>;

/// Bytes read ahead at most.
const BUFFER: usize = 256 << 10;
/// Bytes read ahead at least.
const LEAST: usize = 4 << 10;

impl Source {
    /// A source of `size` bytes, where that is known; else of as many as may be.
    pub(crate) fn new(bytes: impl Read + Send + 'static, size: u64) -> Self {
        // A buffer is cleared whole before it is used, which for one request takes longer than reading it.
        let capacity = usize::try_from(size).unwrap_or(BUFFER);
        Self {
            bytes: Box::new(bytes),
            capacity: capacity.clamp(LEAST, BUFFER),
        }
    }

    /// How much is worth reading ahead.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(buffer)
    }
}

/// Opens a file, or standard input for `-`.
pub(crate) fn open(env: &Environment, file: &Path) -> Result<Input, Failure> {
    source(env, file).map(|source| BufReader::with_capacity(source.capacity(), source))
}

/// Opens a file, or standard input for `-`, for a reader with a buffer of its own.
pub(crate) fn source(env: &Environment, file: &Path) -> Result<Source, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Source::new(stdin(), u64::MAX));
    }
    let file = File::open(env.resolve(file)).map_err(|error| {
        let name = ui::escape(&file.display().to_string());
        Failure::new(
            Code::FILE_UNREADABLE,
            format!("cannot read `{name}`: {error}"),
        )
    })?;
    // What is no plain file has no size.
    let size = file.metadata().ok().filter(Metadata::is_file);
    let size = size.map_or(u64::MAX, |metadata| metadata.len());
    Ok(Source::new(file, size))
}
