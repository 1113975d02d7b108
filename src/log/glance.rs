//! A quick look at a log: its signed checkpoint, how many lines there are, and whether the last one is whole.
//!
//! Proves nothing of the records themselves; [`verify_directory`](super::verify_directory) does.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::checkpoint::Checkpoint;
use super::directory::{Directory, io_error};
use super::error::{LogError, Problem};
use super::note::KeyName;
use super::verify::Trust;

/// What a quick look shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glance {
    /// The checkpoint, if it is there and trusted.
    pub checkpoint: Option<Checkpoint>,
    /// The trusted keys that signed it.
    pub signers: Vec<KeyName>,
    /// Whole lines.
    pub lines: u64,
    /// Bytes after the last whole line: of a write that was stopped or goes on.
    pub torn: u64,
    /// What is wrong on the face of it.
    pub problem: Option<Problem>,
}

/// Whether there is a log in `directory`, sound or not.
///
/// # Errors
/// [`LogError::None`] where there is no trace of one, and [`LogError::Io`] for what cannot be read.
pub fn expect_log(directory: &Path) -> Result<(), LogError> {
    if Directory::new(directory).has_traces()? {
        return Ok(());
    }
    Err(LogError::None {
        directory: directory.to_owned(),
    })
}

/// Looks at the log in `directory`; none where there is no trace of one.
///
/// # Errors
/// [`LogError::Io`] for what cannot be read.
pub fn glance(directory: &Path, trust: Trust<'_>) -> Result<Option<Glance>, LogError> {
    let directory = Directory::new(directory);
    // INVARIANT: the checkpoint first. Lines that it covers were written before it.
    let checkpoint = directory.read_checkpoint()?;
    let records = directory.records();
    let counted = match File::open(&records) {
        Ok(file) => Some(count(file).map_err(io_error("read", &records))?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(io_error("open", &records)(error)),
    };
    if checkpoint.is_none() && counted.is_none() && !directory.has_traces()? {
        return Ok(None);
    }
    let (lines, torn) = counted.unwrap_or_default();
    let read = match (checkpoint.as_deref(), trust) {
        (None, _) => Err(Problem::CheckpointMissing),
        (Some(bytes), Trust::Structure) => Checkpoint::parse_unverified(bytes)
            .map(|checkpoint| (checkpoint, Vec::new()))
            .map_err(Problem::Checkpoint),
        (Some(bytes), Trust::Keys(keys)) => Checkpoint::verify(bytes, keys)
            .map(|(checkpoint, keys)| {
                let names = keys.iter().map(|key| key.name().clone()).collect();
                (checkpoint, names)
            })
            .map_err(Problem::Checkpoint),
    };
    let (checkpoint, signers, problem) = match read {
        Err(problem) => (None, Vec::new(), Some(problem)),
        Ok((checkpoint, signers)) => {
            let signed = checkpoint.size;
            let problem = (lines < signed).then_some(Problem::Truncated { lines, signed });
            (Some(checkpoint), signers, problem)
        }
    };
    Ok(Some(Glance {
        checkpoint,
        signers,
        lines,
        torn,
        problem,
    }))
}

/// Whole lines, and the bytes after the last of them.
fn count(mut file: File) -> io::Result<(u64, u64)> {
    let mut buffer = vec![0; 1 << 18];
    let (mut lines, mut torn) = (0_u64, 0_u64);
    loop {
        let read = file.read(&mut buffer)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            return Ok((lines, torn));
        };
        lines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        torn = match bytes.iter().rposition(|byte| *byte == b'\n') {
            Some(last) => (bytes.len() - last - 1) as u64,
            None => torn + bytes.len() as u64,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_what_follows_the_last_is_torn() {
        let dir = tempfile::tempdir().unwrap();
        for (text, expected) in [
            ("", (0, 0)),
            ("a\n", (1, 0)),
            ("a\nbc", (1, 2)),
            ("bc", (0, 2)),
        ] {
            let path = dir.path().join("decisions.jsonl");
            std::fs::write(&path, text).unwrap();
            assert_eq!(count(File::open(path).unwrap()).unwrap(), expected);
        }
        let long = format!("{}\nx", "y".repeat(1 << 19));
        let path = dir.path().join("decisions.jsonl");
        std::fs::write(&path, long).unwrap();
        assert_eq!(count(File::open(path).unwrap()).unwrap(), (1, 1));
    }

    #[test]
    fn where_there_is_no_log_there_is_nothing_to_see() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(glance(dir.path(), Trust::Structure).unwrap(), None);
        let missing = dir.path().join("missing");
        assert_eq!(glance(&missing, Trust::Structure).unwrap(), None);
        assert!(matches!(expect_log(&missing), Err(LogError::None { .. })));
        // What is left of a log is a log that lost its checkpoint.
        std::fs::write(dir.path().join("lock"), "").unwrap();
        assert!(matches!(expect_log(dir.path()), Err(LogError::None { .. })));
        std::fs::write(dir.path().join("frontier"), "{}").unwrap();
        expect_log(dir.path()).unwrap();
        let seen = glance(dir.path(), Trust::Structure).unwrap().unwrap();
        assert_eq!(seen.problem, Some(Problem::CheckpointMissing));
    }
}
