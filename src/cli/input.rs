//! Input files, and standard input as `-`.

use std::fs::File;
use std::io::{BufReader, Read, stdin};
use std::path::Path;

use super::env::Environment;
use super::report::Failure;
use super::ui;
use crate::diag::Code;

/// Bytes that another thread can read.
pub(crate) type Source = Box<dyn Read + Send>;
/// A buffered reader that another thread can own.
pub(crate) type Input = BufReader<Source>;

/// Bytes read ahead.
pub(crate) const BUFFER: usize = 256 << 10;

/// Opens a file, or standard input for `-`.
pub(crate) fn open(env: &Environment, file: &Path) -> Result<Input, Failure> {
    source(env, file).map(|source| BufReader::with_capacity(BUFFER, source))
}

/// Opens a file, or standard input for `-`, for a reader with a buffer of its own.
pub(crate) fn source(env: &Environment, file: &Path) -> Result<Source, Failure> {
    if file.as_os_str() == "-" {
        return Ok(Box::new(stdin()));
    }
    let file = File::open(env.resolve(file)).map_err(|error| {
        let name = ui::escape(&file.display().to_string());
        Failure::new(
            Code::FILE_UNREADABLE,
            format!("cannot read `{name}`: {error}"),
        )
    })?;
    Ok(Box::new(file))
}
