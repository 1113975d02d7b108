//! Why a stream does not hold requests.

use std::io;

use crate::diag::Code;

/// Why a stream, or one of its items, cannot be read. Lines are 1-based.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The operating system refused; nothing follows.
    #[error("the requests cannot be read at line {line}: {source}")]
    Unreadable {
        /// The line that was being read.
        line: usize,
        /// What the system said.
        source: io::Error,
    },
    /// One request has too many bytes; reading goes on after it.
    #[error("the request that begins on line {line} has more than {limit} bytes")]
    TooLarge {
        /// The line on which it begins.
        line: usize,
        /// How many requests come before it.
        index: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// One request is never closed; reading goes on at the next line that begins with `{`.
    #[error("the request that begins on line {line} is cut off: {reason}")]
    CutOff {
        /// The line on which it begins.
        line: usize,
        /// How many requests come before it.
        index: usize,
        /// How that shows.
        reason: &'static str,
    },
    /// An array that nobody can read on; nothing follows.
    #[error("the array of requests is broken in the element that begins on line {line}: {reason}")]
    BrokenArray {
        /// The line on which the element begins.
        line: usize,
        /// What is wrong.
        reason: &'static str,
    },
    /// Something after the array; nothing follows.
    #[error("bytes follow the array of requests on line {line}")]
    TrailingBytes {
        /// The line.
        line: usize,
    },
    /// A byte order mark; nothing follows.
    #[error("the requests begin with a byte order mark")]
    ByteOrderMark,
    /// Nothing, or only white space.
    #[error("there is no request in the input")]
    Empty,
}

impl InputError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => Code::INPUT_UNREADABLE,
            Self::TooLarge { .. } => Code::REQUEST_TOO_LARGE,
            Self::CutOff { .. } => Code::INPUT_CUT_OFF,
            Self::BrokenArray { .. } => Code::INPUT_BROKEN_ARRAY,
            Self::TrailingBytes { .. } => Code::INPUT_TRAILING_BYTES,
            Self::ByteOrderMark => Code::INPUT_BYTE_ORDER_MARK,
            Self::Empty => Code::INPUT_EMPTY,
        }
    }

    /// The 1-based line, where the error has one.
    #[must_use]
    pub fn line(&self) -> Option<usize> {
        match *self {
            Self::Unreadable { line, .. }
            | Self::TooLarge { line, .. }
            | Self::CutOff { line, .. }
            | Self::BrokenArray { line, .. }
            | Self::TrailingBytes { line } => Some(line),
            Self::ByteOrderMark => Some(1),
            Self::Empty => None,
        }
    }

    /// How many requests come before the one that it is about, where it is about one.
    #[must_use]
    pub fn index(&self) -> Option<usize> {
        match *self {
            Self::TooLarge { index, .. } | Self::CutOff { index, .. } => Some(index),
            _ => None,
        }
    }
}
