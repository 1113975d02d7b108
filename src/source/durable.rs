//! Files that a crash leaves whole: the old one or the new one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use crate::atomic;

/// Writes `target` through a temporary file beside it: written, flushed to disk, renamed, the directory flushed.
pub(super) fn replace(
    target: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let directory = target
        .parent()
        .ok_or_else(|| io::Error::other("no parent directory"))?;
    fs::create_dir_all(directory)?;
    let mut temporary = atomic::temporary(directory)?;
    let mut writer = BufWriter::with_capacity(256 << 10, temporary.as_file_mut());
    write(&mut writer)?;
    writer.flush()?;
    drop(writer);
    temporary.as_file().sync_all()?;
    temporary.persist(target).map_err(|error| error.error)?;
    sync_directory(directory)
}

/// Makes renames and removals in a directory last.
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()?;
    }
    Ok(())
}
