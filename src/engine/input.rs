//! Many requests from one stream, without holding the stream.
//!
//! What the stream is shows in its first character that is not white space: `[` begins an array, anything else JSON Lines. Only
//! the ends of requests are sought here; whether one is JSON, and a request, [`super::request`] says.
//!
//! - **An array** is cut at its outermost commas. Once brackets do not match, nobody knows where the next element begins,
//!   so reading stops with an error. An element over the limit is an error of its own, and reading goes on.
//! - **Lines**: a line that closes what it opens, or opens nothing, is one request, good or bad, and takes no other line with it.
//!   A line that leaves an object or array open begins a request over several lines, as `jq` prints them; it ends with the line
//!   that closes it. Any number of those may follow each other. When such a request cannot be closed (the stream ends, brackets do
//!   not match, a text runs over a line's end, the limit is passed, or a line begins with `{` where no value may stand), it is
//!   reported as cut off, and reading goes on at its first later line that begins with `{`. So a truncated line of JSON Lines
//!   costs that line only.
//! - Blank lines are skipped, CRLF is as good as LF, a byte order mark is refused, and so is a stream with nothing in it.
//!
//! INVARIANT: what is held is bounded by the limit, whatever the stream's length; an index is never given twice.

mod error;
mod scan;

use std::collections::VecDeque;
use std::io::{BufRead, ErrorKind};

pub use error::InputError;

use super::request::RequestLimits;
use scan::{Open, Scan, is_space, scan_line, trim};

/// One request as it stands in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// Its bytes, without white space around them.
    pub bytes: Vec<u8>,
    /// The 1-based line on which it begins.
    pub line: usize,
    /// How many requests, good or bad, come before it.
    pub index: usize,
}

/// One request as it stands in the stream, borrowed until the next is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found<'a> {
    /// Its bytes, without white space around them.
    pub bytes: &'a [u8],
    /// The 1-based line on which it begins.
    pub line: usize,
    /// How many requests, good or bad, come before it.
    pub index: usize,
}

/// Reads requests one by one. After an [`InputError`] it goes on where that is possible, and is at its end otherwise.
#[derive(Debug)]
pub struct RequestReader<R> {
    source: R,
    /// The bytes of the request that was found last.
    found: Vec<u8>,
    limit: usize,
    state: State,
    /// The number of the line that the source is at.
    line: usize,
    index: usize,
    /// Lines that were read ahead, to be read again.
    ahead: VecDeque<Line>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Lines,
    /// After the opening bracket.
    FirstElement,
    /// After a comma.
    Element,
    /// After the closing bracket.
    ArrayEnd,
    End,
}

/// A line with its end; never empty.
#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    number: usize,
    /// It has more bytes than the limit, which were passed over.
    cut: bool,
}

impl Line {
    fn begins_object(&self) -> bool {
        self.bytes.first() == Some(&b'{')
    }

    fn is_blank(&self) -> bool {
        !self.cut && trim(&self.bytes).is_empty()
    }
}

impl<R> RequestReader<R> {
    /// The same reader over another source, which goes on where this one's stands.
    pub(crate) fn map_source<S>(self, map: impl FnOnce(R) -> S) -> RequestReader<S> {
        RequestReader {
            source: map(self.source),
            found: self.found,
            limit: self.limit,
            state: self.state,
            line: self.line,
            index: self.index,
            ahead: self.ahead,
        }
    }
}

impl<R: BufRead> Iterator for RequestReader<R> {
    type Item = Result<Raw, InputError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance()?;
        Some(item.map(|spot| Raw {
            bytes: std::mem::take(&mut self.found),
            line: spot.line,
            index: spot.index,
        }))
    }
}

/// Where the request stands whose bytes are in [`RequestReader::found`].
#[derive(Debug, Clone, Copy)]
struct Spot {
    line: usize,
    index: usize,
}

impl<R: BufRead> RequestReader<R> {
    /// Reads from `source`; each request may have as many bytes as `limits` say.
    #[must_use]
    pub fn new(source: R, limits: &RequestLimits) -> Self {
        Self {
            source,
            found: Vec::new(),
            limit: limits.bytes,
            state: State::Start,
            line: 1,
            index: 0,
            ahead: VecDeque::new(),
        }
    }

    /// The next request, without an allocation of its own.
    pub fn read_next(&mut self) -> Option<Result<Found<'_>, InputError>> {
        let item = self.advance()?;
        Some(item.map(|spot| Found {
            bytes: &self.found,
            line: spot.line,
            index: spot.index,
        }))
    }

    fn advance(&mut self) -> Option<Result<Spot, InputError>> {
        let item = match self.state {
            State::Start => self.begin().and_then(|()| self.step()),
            _ => self.step(),
        };
        if matches!(item, Err(InputError::Unreadable { .. }) | Ok(None)) {
            self.state = State::End;
        }
        item.transpose()
    }

    fn begin(&mut self) -> Result<(), InputError> {
        self.state = State::End;
        match self.skip_white_space()? {
            None => return Err(InputError::Empty),
            Some(b'[') => {
                self.source.consume(1);
                self.state = State::FirstElement;
            }
            Some(_) => {
                if let Some(line) = self.next_line()? {
                    let marks: [&[u8]; 3] = [b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe"];
                    if line.number == 1 && marks.iter().any(|mark| line.bytes.starts_with(mark)) {
                        return Err(InputError::ByteOrderMark);
                    }
                    self.ahead.push_back(line);
                }
                self.state = State::Lines;
            }
        }
        Ok(())
    }

    fn step(&mut self) -> Result<Option<Spot>, InputError> {
        match self.state {
            State::Lines => self.in_lines(),
            State::FirstElement => self.in_array(true),
            State::Element => self.in_array(false),
            State::ArrayEnd => {
                self.state = State::End;
                match self.skip_white_space()? {
                    None => Ok(None),
                    Some(_) => Err(InputError::TrailingBytes { line: self.line }),
                }
            }
            State::Start | State::End => Ok(None),
        }
    }

    fn in_lines(&mut self) -> Result<Option<Spot>, InputError> {
        if let Some(spot) = self.whole_line()? {
            return Ok(Some(spot));
        }
        let first = loop {
            match self.next_line()? {
                None => return Ok(None),
                Some(line) if line.is_blank() => {}
                Some(line) => break line,
            }
        };
        if first.cut {
            return Err(self.too_large(first.number));
        }
        let mut open = Open::default();
        let may_open = matches!(trim(&first.bytes).first(), Some(b'{' | b'['));
        match open.feed_line(&first.bytes) {
            Scan::Open if may_open => self.over_lines(first, open).map(Some),
            _ => self.raw(&first.bytes, first.number).map(Some),
        }
    }

    /// The request on the next line that is not blank, if that line lies in the buffer whole and ends the request that it begins.
    /// Nearly every request does; what does not is left where it is, for the long way.
    fn whole_line(&mut self) -> Result<Option<Spot>, InputError> {
        while self.ahead.is_empty() {
            let chunk = fill(&mut self.source, self.line)?;
            let Some((end, ends_open)) = scan_line(chunk) else {
                return Ok(None);
            };
            let bytes = trim(chunk.get(..end).unwrap_or_default());
            let may_open = matches!(bytes.first(), Some(b'{' | b'['));
            if end > self.limit || may_open && ends_open {
                return Ok(None);
            }
            self.found.clear();
            self.found.extend_from_slice(bytes);
            self.source.consume(end + 1);
            let line = self.line;
            self.line += 1;
            if !self.found.is_empty() {
                let index = self.count();
                return Ok(Some(Spot { line, index }));
            }
        }
        Ok(None)
    }

    /// A request that `first` begins and leaves open.
    fn over_lines(&mut self, first: Line, mut open: Open) -> Result<Spot, InputError> {
        let number = first.number;
        let mut size = first.bytes.len();
        let mut lines = vec![first];
        let reason = loop {
            let Some(line) = self.next_line()? else {
                break Some("the input ends before it is closed");
            };
            size += line.bytes.len();
            let stray = line.begins_object() && !open.takes_value();
            // A line that was cut says nothing of brackets and texts.
            let too_large = line.cut || size > self.limit;
            let scan = open.feed_line(&line.bytes);
            lines.push(line);
            match scan {
                _ if stray => break Some("a line begins with `{` where no value may stand"),
                _ if too_large => break None,
                Scan::Broken(reason) => break Some(reason),
                Scan::Open => {}
                Scan::Closed => {
                    let bytes: Vec<u8> = lines.into_iter().flat_map(|line| line.bytes).collect();
                    return self.raw(&bytes, number);
                }
            }
        };
        let mut later = lines.drain(1..).skip_while(|line| !line.begins_object());
        match later.next() {
            Some(line) => {
                let rest: Vec<Line> = std::iter::once(line).chain(later).collect();
                for line in rest.into_iter().rev() {
                    self.ahead.push_front(line);
                }
            }
            None => self.skip_to_object()?,
        }
        match reason {
            None => Err(self.too_large(number)),
            Some(reason) => Err(InputError::CutOff {
                line: number,
                index: self.count(),
                reason,
            }),
        }
    }

    /// Passes over what still belongs to a request that was given up.
    fn skip_to_object(&mut self) -> Result<(), InputError> {
        while let Some(line) = self.next_line()? {
            if line.begins_object() {
                self.ahead.push_front(line);
                break;
            }
        }
        Ok(())
    }

    fn in_array(&mut self, first: bool) -> Result<Option<Spot>, InputError> {
        self.state = State::End;
        let next = self.skip_white_space()?;
        let line = self.line;
        let broken = |reason| InputError::BrokenArray { line, reason };
        match next {
            None => return Err(broken("it is not closed")),
            Some(b']') if first => {
                self.source.consume(1);
                self.state = State::ArrayEnd;
                return self.step();
            }
            Some(b',' | b']') => return Err(broken("an element is missing")),
            Some(_) => {}
        }
        let mut open = Open::default();
        let mut bytes = Vec::new();
        let mut cut = false;
        loop {
            let chunk = fill(&mut self.source, self.line)?;
            if chunk.is_empty() {
                return Err(broken("it is not closed"));
            }
            let (used, scan) = open.feed_element(chunk);
            let part = chunk.get(..used).unwrap_or(chunk);
            self.line += count_lines(part);
            cut |= bytes.len() + part.len() > self.limit;
            if !cut {
                bytes.extend_from_slice(part);
            }
            self.source.consume(used);
            match scan {
                Scan::Open => {}
                Scan::Broken(reason) => return Err(broken(reason)),
                Scan::Closed => break,
            }
        }
        self.state = match fill(&mut self.source, self.line)?.first() {
            Some(b']') => State::ArrayEnd,
            _ => State::Element,
        };
        self.source.consume(1);
        if cut {
            return Err(self.too_large(line));
        }
        self.raw(&bytes, line).map(Some)
    }

    /// The next byte that is not white space, left where it is.
    fn skip_white_space(&mut self) -> Result<Option<u8>, InputError> {
        loop {
            let chunk = fill(&mut self.source, self.line)?;
            let spaces = chunk.iter().take_while(|byte| is_space(**byte)).count();
            let (passed, next) = (chunk.get(..spaces), chunk.get(spaces).copied());
            let end = chunk.is_empty();
            self.line += count_lines(passed.unwrap_or_default());
            self.source.consume(spaces);
            if end || next.is_some() {
                return Ok(next);
            }
        }
    }

    /// The next line, of which no more than the limit and a line's end are kept.
    fn next_line(&mut self) -> Result<Option<Line>, InputError> {
        if let Some(line) = self.ahead.pop_front() {
            return Ok(Some(line));
        }
        let number = self.line;
        let mut bytes = Vec::new();
        let mut cut = false;
        loop {
            let chunk = fill(&mut self.source, number)?;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let used = end.map_or(chunk.len(), |at| at + 1);
            let room = self.limit.saturating_add(2).saturating_sub(bytes.len());
            let part = chunk.get(..used).unwrap_or(chunk);
            cut |= part.len() > room;
            bytes.extend_from_slice(part.get(..room).unwrap_or(part));
            self.source.consume(used);
            if end.is_some() {
                self.line += 1;
            }
            if end.is_some() || used == 0 {
                break;
            }
        }
        Ok((!bytes.is_empty()).then_some(Line { bytes, number, cut }))
    }

    fn raw(&mut self, bytes: &[u8], line: usize) -> Result<Spot, InputError> {
        let bytes = trim(bytes);
        if bytes.len() > self.limit {
            return Err(self.too_large(line));
        }
        self.found.clear();
        self.found.extend_from_slice(bytes);
        let index = self.count();
        Ok(Spot { line, index })
    }

    fn too_large(&mut self, line: usize) -> InputError {
        InputError::TooLarge {
            line,
            index: self.count(),
            limit: self.limit,
        }
    }

    /// The index of the item that is being made.
    fn count(&mut self) -> usize {
        let index = self.index;
        self.index += 1;
        index
    }
}

fn fill<R: BufRead>(source: &mut R, line: usize) -> Result<&[u8], InputError> {
    while let Err(error) = source.fill_buf() {
        if error.kind() != ErrorKind::Interrupted {
            return Err(InputError::Unreadable {
                line,
                source: error,
            });
        }
    }
    // What was read is buffered; asking again only borrows it.
    source
        .fill_buf()
        .map_err(|source| InputError::Unreadable { line, source })
}

fn count_lines(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests;
