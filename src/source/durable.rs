//! Files of this machine alone, in directories that are made when they are needed.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

pub(super) use crate::atomic::sync_directory;
use crate::atomic::{self, Access};

/// Writes `target` whole or not at all, for its owner alone.
pub(super) fn replace(
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let directory = target
        .parent()
        .ok_or_else(|| io::Error::other("no parent directory"))?;
    fs::create_dir_all(directory)?;
    atomic::replace_with(target, Access::Private, write)
}
