//! Finding the end of a JSON value by its brackets and quotes, without building it.

use crate::json::{MAX_DEPTH, first_special};

/// What is known after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// The value goes on.
    Open,
    /// It is at its end.
    Closed,
    /// It can never be closed, for this reason.
    Broken(&'static str),
}

const MISMATCH: &str = "a bracket does not match";
const TOO_DEEP: &str = "it is nested deeper than 64 levels";
const OPEN_TEXT: &str = "a text runs over the end of a line";

/// The brackets and quotes that are open.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The brackets that must still come, outermost first; at most [`MAX_DEPTH`].
    closers: Vec<u8>,
    in_text: bool,
    escaped: bool,
    /// The last byte outside of texts that is not white space; a text counts as its quote.
    last: u8,
}

impl Open {
    /// Reads a whole line of a value that began on it or before; what follows the value on its last line is not looked at.
    pub(super) fn feed_line(&mut self, line: &[u8]) -> Scan {
        for byte in line {
            let opened = !self.closers.is_empty();
            if let Err(reason) = self.step(*byte) {
                return Scan::Broken(reason);
            }
            if opened && self.closers.is_empty() {
                return Scan::Closed;
            }
        }
        if self.in_text {
            Scan::Broken(OPEN_TEXT)
        } else if self.closers.is_empty() {
            Scan::Closed
        } else {
            Scan::Open
        }
    }

    /// Reads an array's element up to the comma or bracket that ends it, and says how many bytes those are.
    pub(super) fn feed_element(&mut self, bytes: &[u8]) -> (usize, Scan) {
        for (at, byte) in bytes.iter().enumerate() {
            if self.closers.is_empty() && !self.in_text && matches!(byte, b',' | b']') {
                return (at, Scan::Closed);
            }
            if let Err(reason) = self.step(*byte) {
                return (at, Scan::Broken(reason));
            }
        }
        (bytes.len(), Scan::Open)
    }

    /// Whether a value may come next. Says yes to no place where JSON's grammar has none.
    pub(super) fn takes_value(&self) -> bool {
        match self.last {
            b':' | b'[' => true,
            b',' => self.closers.last() == Some(&b']'),
            _ => false,
        }
    }

    fn step(&mut self, byte: u8) -> Result<(), &'static str> {
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return Ok(());
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' => self.open(b'}')?,
            b'[' => self.open(b']')?,
            b'}' | b']' if self.closers.pop() != Some(byte) => return Err(MISMATCH),
            _ => {}
        }
        if !is_space(byte) {
            self.last = byte;
        }
        Ok(())
    }

    fn open(&mut self, closer: u8) -> Result<(), &'static str> {
        if self.closers.len() >= MAX_DEPTH {
            return Err(TOO_DEEP);
        }
        self.closers.push(closer);
        Ok(())
    }
}

/// The first line of `bytes`, if its LF is there: where that is, and whether the line leaves a value open. Says of a line what a
/// new [`Open`] does, in one pass and without remembering anything.
pub(super) fn scan_line(bytes: &[u8]) -> Option<(usize, bool)> {
    // INVARIANT: one bit for each open bracket, set for a brace, innermost lowest; MAX_DEPTH of them fit.
    let (mut open, mut depth) = (0_u64, 0_usize);
    let mut at = 0;
    loop {
        match *bytes.get(at)? {
            b'\n' => return Some((at, depth > 0)),
            b'"' => {
                at = text_end(bytes, at + 1)?;
                // A text that is open at the end of a line never closes.
                if bytes.get(at) == Some(&b'\n') {
                    return Some((at, false));
                }
            }
            b'{' | b'[' if depth >= MAX_DEPTH => break,
            byte @ (b'{' | b'[') => {
                open = open << 1 | u64::from(byte == b'{');
                depth += 1;
            }
            byte @ (b'}' | b']') => {
                let matches = depth > 0 && (open & 1 == 1) == (byte == b'}');
                if !matches || depth == 1 {
                    break;
                }
                open >>= 1;
                depth -= 1;
            }
            _ => {}
        }
        at += 1;
    }
    let rest = bytes.get(at..)?;
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    Some((at + end, false))
}

/// Where the quote or LF is that ends the text of which the first byte is at `at`.
fn text_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += first_special(bytes.get(at..)?)?;
        match bytes.get(at)? {
            b'"' | b'\n' => return Some(at),
            b'\\' if *bytes.get(at + 1)? == b'\n' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

/// White space as JSON has it, which is less than ASCII's.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// `bytes` without JSON's white space around them.
pub(super) fn trim(mut bytes: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = bytes
        && is_space(*first)
    {
        bytes = rest;
    }
    while let [rest @ .., last] = bytes
        && is_space(*last)
    {
        bytes = rest;
    }
    bytes
}
