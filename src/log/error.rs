//! What can go wrong with a log.

use std::io;
use std::path::PathBuf;

use super::note::NoteError;
use super::record::{LineDefect, RecordError};
use crate::diag::Code;

/// Why a log cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file system refused.
    #[error("cannot {action} `{}`: {source}", path.display().to_string().escape_debug())]
    Io {
        /// What was tried, such as `write`.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No random bytes for a record's salt.
    #[error("no random bytes for a record: {0}")]
    Random(io::Error),
    /// A record does not fit; nothing of its batch was written.
    #[error("record {position} of the batch cannot be logged: {source}")]
    Record {
        /// The record's place in the batch, from 0.
        position: u64,
        /// What is wrong with it.
        source: RecordError,
    },
    /// The checkpoint cannot be signed.
    #[error("cannot sign a checkpoint: {0}")]
    Sign(NoteError),
    /// No file of a log.
    #[error("there is no log in `{}`", directory.display().to_string().escape_debug())]
    None {
        /// Where it was looked for.
        directory: PathBuf,
    },
    /// The log is not what was signed.
    #[error("the log in `{}` cannot be trusted: {problem}", directory.display().to_string().escape_debug())]
    Tampered {
        /// The log's directory.
        directory: PathBuf,
        /// What is wrong with it.
        problem: Problem,
    },
}

impl LogError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Io { .. } | Self::Random(_) | Self::Sign(_) => Code::LOG_WRITE,
            Self::Record { source, .. } => match source {
                RecordError::TooLarge { .. } => Code::LOG_RECORD_TOO_LARGE,
                RecordError::NotAnObject(_) | RecordError::Reserved => Code::LOG_RECORD_SHAPE,
            },
            Self::None { .. } => Code::LOG_NONE,
            Self::Tampered { problem, .. } => problem.code(),
        }
    }
}

/// The first thing in a log that is not as it was signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There are records, or traces of them, and no checkpoint.
    #[error("its checkpoint is missing")]
    CheckpointMissing,
    /// The checkpoint cannot be read, or no trusted key signed it.
    #[error("its checkpoint: {0}")]
    Checkpoint(NoteError),
    /// A line is wrong.
    #[error("line {line} (byte {offset}): {defect}")]
    Line {
        /// 1-based.
        line: u64,
        /// Where the line begins, from 0.
        offset: u64,
        /// What is wrong with it.
        defect: LineDefect,
    },
    /// Fewer lines than were signed.
    #[error("{lines} lines are left of {signed} that were signed")]
    Truncated {
        /// Whole lines that are there.
        lines: u64,
        /// Lines that the checkpoint covers.
        signed: u64,
    },
    /// The signed lines hash to another root, and no trustworthy leaf hashes are left to say which line it is.
    #[error("the {signed} signed lines hash to another root than the signed one{}",
        suspect.map_or(String::new(), |line| format!("; line {line} is the first to differ from the leaf hashes, which differ too")))]
    Root {
        /// Lines that the checkpoint covers.
        signed: u64,
        /// The first line that differs from the leaf hashes, 1-based. Those were changed as well, so it is a hint only.
        suspect: Option<u64>,
    },
}

impl Problem {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::CheckpointMissing => Code::LOG_CHECKPOINT_MISSING,
            Self::Checkpoint(NoteError::KeyName { .. }) => Code::LOG_CHECKPOINT_MALFORMED,
            Self::Checkpoint(error) => error.code(),
            Self::Line { defect, .. } => match defect {
                LineDefect::NotARecord(_) | LineDefect::Version(_) | LineDefect::TooLong => {
                    Code::LOG_LINE_MALFORMED
                }
                LineDefect::Sequence { .. } => Code::LOG_SEQUENCE,
                LineDefect::Changed => Code::LOG_CHANGED,
                LineDefect::Torn => Code::LOG_TRUNCATED,
            },
            Self::Truncated { .. } => Code::LOG_TRUNCATED,
            Self::Root { .. } => Code::LOG_CHANGED,
        }
    }
}
