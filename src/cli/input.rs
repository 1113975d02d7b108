//! Input files, and standard input as `-`.

use std::fs::File;
use std::io::{BufReader, Read, stdin};
use std::path::Path;

use super::env::Environment;
use super::report::Failure;
use super::ui;
use crate::diag::Code;

/// A buffered reader that another thread can own.
pub(crate) type Input = BufReader<Box<dyn Read + Send>>;

/// Opens a file, or standard input for `-`.
pub(crate) fn open(env: &Environment, file: &Path) -> Result<Input, Failure> {
    let source: Box<dyn Read + Send> = if file.as_os_str() == "-" {
        Box::new(stdin())
    } else {
        Box::new(File::open(env.resolve(file)).map_err(|error| {
            let name = ui::escape(&file.display().to_string());
            Failure::new(
                Code::FILE_UNREADABLE,
                format!("cannot read `{name}`: {error}"),
            )
        })?)
    };
    Ok(BufReader::with_capacity(256 << 10, source))
}
