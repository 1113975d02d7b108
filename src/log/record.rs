//! One line of the log: the members that the log itself writes, then the caller's.
//!
//! `{"v":1,"seq":17,"salt":"…",` and the body's members. `seq` is the index of the leaf, so that a missing, repeated or
//! moved line shows without a hash; `salt` keeps a purged record from being guessed from its leaf hash. The line is
//! written once and hashed where it stands: nothing is parsed or serialised a second time.

use std::borrow::Cow;
use std::io::{self, BufRead, Read as _};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde::{Deserialize, Serialize};

use crate::json;

/// The version of the record format.
pub const RECORD_VERSION: u64 = 1;
/// The most bytes that a line may have, without its LF: what a 16-bit length prefix can say (C2SP tlog-tiles).
pub const MAX_LINE: usize = 65_535;

/// The most bytes that the log writes in front of a body's members, with the longest of numbers.
const MAX_HEAD: usize = 67;

/// The bytes of a salt in base64, with the quotation mark behind it.
const SALT_END: usize = 25;

/// Why a record cannot be logged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The line would be longer than [`MAX_LINE`].
    #[error("a record of {size} bytes is longer than a line may be (65535)")]
    TooLarge {
        /// Bytes of the line.
        size: usize,
    },
    /// The body is not an object, or cannot be written as JSON.
    #[error("the body is not a JSON object: {0}")]
    NotAnObject(String),
    /// The body has a member that the log writes itself.
    #[error("the body has a member that the log writes itself (`v`, `seq` or `salt`)")]
    Reserved,
}

/// Why a line is not the record that should stand there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineDefect {
    /// Not a JSON object with the members that the log writes.
    #[error("not a record: {0}")]
    NotARecord(String),
    /// A version that this program does not know.
    #[error("record version {0} is not known")]
    Version(u64),
    /// Another sequence number than the line's place asks for: lines are missing, repeated or moved.
    #[error("sequence number {found} stands where {expected} belongs")]
    Sequence {
        /// The number that belongs here.
        expected: u64,
        /// The number that stands here.
        found: u64,
    },
    /// Longer than [`MAX_LINE`].
    #[error("longer than 65535 bytes")]
    TooLong,
    /// A good record, but not the one that was signed.
    #[error("its hash is not the one that was signed")]
    Changed,
    /// It does not end in LF although the checkpoint covers it.
    #[error("cut short")]
    Torn,
}

/// Writes one line, LF included, to the end of `buffer`. On error, `buffer` is as it was.
pub(super) fn write_line(
    buffer: &mut Vec<u8>,
    seq: u64,
    salt: &[u8; 16],
    body: &impl Serialize,
) -> Result<(), RecordError> {
    let start = buffer.len();
    let result = try_write_line(buffer, start, seq, salt, body);
    if result.is_err() {
        buffer.truncate(start);
    }
    result
}

/// Writes one line around a body that is known to be a JSON object without the log's own members. On error, `buffer` is as it
/// was.
pub(super) fn write_prepared(
    buffer: &mut Vec<u8>,
    seq: u64,
    salt: &[u8; 16],
    body: &[u8],
) -> Result<(), RecordError> {
    let start = buffer.len();
    write_head(buffer, seq, salt);
    match body {
        [b'{', b'}'] | [] | [_] => buffer.push(b'}'),
        [_, rest @ ..] => {
            buffer.push(b',');
            buffer.extend_from_slice(rest);
        }
    }
    let size = buffer.len() - start;
    if size > MAX_LINE {
        buffer.truncate(start);
        return Err(RecordError::TooLarge { size });
    }
    buffer.push(b'\n');
    Ok(())
}

/// Refuses a body of `size` bytes whose line might be longer than [`MAX_LINE`]. Whether one is refused does not depend on where its
/// line comes to stand, as its number's length does.
pub(super) fn check_size(size: usize) -> Result<(), RecordError> {
    let size = MAX_HEAD + size;
    if size > MAX_LINE {
        return Err(RecordError::TooLarge { size });
    }
    Ok(())
}

/// The members that the log itself writes, and the brace in front of them.
pub(super) fn write_head(buffer: &mut Vec<u8>, seq: u64, salt: &[u8; 16]) {
    let mut encoded = [0; 24];
    // 16 bytes are always 24 characters.
    let _ = BASE64_STANDARD.encode_slice(salt, &mut encoded);
    buffer.extend_from_slice(b"{\"v\":");
    number(buffer, RECORD_VERSION);
    buffer.extend_from_slice(b",\"seq\":");
    number(buffer, seq);
    buffer.extend_from_slice(b",\"salt\":\"");
    buffer.extend_from_slice(&encoded);
    buffer.push(b'"');
}

fn number(buffer: &mut Vec<u8>, number: u64) {
    // Writing to memory does not fail.
    let () = serde_json::to_writer(buffer, &number).unwrap_or_default();
}

fn try_write_line(
    buffer: &mut Vec<u8>,
    start: usize,
    seq: u64,
    salt: &[u8; 16],
    body: &impl Serialize,
) -> Result<(), RecordError> {
    write_head(buffer, seq, salt);
    let body_start = buffer.len();
    serde_json::to_writer(&mut *buffer, body)
        .map_err(|error| RecordError::NotAnObject(error.to_string()))?;
    let not_an_object = || RecordError::NotAnObject("it is another type".to_owned());
    match buffer.get_mut(body_start..) {
        Some([b'{', b'}']) => {
            buffer.truncate(body_start);
            buffer.push(b'}');
        }
        Some([open @ b'{', .., b'}']) => *open = b',',
        _ => return Err(not_an_object()),
    }
    let size = buffer.len() - start;
    if size > MAX_LINE {
        return Err(RecordError::TooLarge { size });
    }
    let body = buffer.get(body_start..).unwrap_or_default();
    // The search is cheap and rarely finds; only then is the line parsed, which refuses a member that stands twice.
    if names_reserved(body) && read_line(buffer.get(start..).unwrap_or_default(), seq).is_err() {
        return Err(RecordError::Reserved);
    }
    buffer.push(b'\n');
    Ok(())
}

/// Refuses an object that has a member that the log itself writes.
pub(super) fn check_members(body: &[u8]) -> Result<(), RecordError> {
    if names_reserved(body) {
        let mut line = Vec::with_capacity(body.len() + 128);
        write_prepared(&mut line, 0, &[0; 16], body)?;
        read_line(&line, 0).map_err(|_| RecordError::Reserved)?;
    }
    Ok(())
}

/// Whether a member named like one of the log's own stands anywhere in `json`.
fn names_reserved(json: &[u8]) -> bool {
    let ends = |colon: usize| {
        let before = json.get(..colon).unwrap_or_default();
        [&b"\"v\""[..], b"\"seq\"", b"\"salt\""]
            .iter()
            .any(|name| before.ends_with(name))
    };
    let mut bytes = json.iter().enumerate();
    bytes.any(|(at, &byte)| byte == b':' && ends(at))
}

/// Whether a line begins as the record with this sequence number does, byte for byte; the rest is not looked at.
pub(super) fn begins_as_record(line: &[u8], seq: u64) -> bool {
    let mut head = Vec::with_capacity(MAX_HEAD);
    write_head(&mut head, seq, &[0; 16]);
    let (before, salt) = head.split_at(head.len() - SALT_END);
    line.starts_with(before) && line.get(head.len() - 1) == salt.last()
}

/// Refuses a line that is not the record with this sequence number.
pub(super) fn read_line(line: &[u8], seq: u64) -> Result<(), LineDefect> {
    #[derive(Deserialize)]
    struct Envelope<'a> {
        v: u64,
        seq: u64,
        #[serde(borrow)]
        salt: Cow<'a, str>,
    }
    let envelope: Envelope<'_> =
        json::from_slice(line).map_err(|error| LineDefect::NotARecord(error.to_string()))?;
    if envelope.v != RECORD_VERSION {
        return Err(LineDefect::Version(envelope.v));
    }
    if envelope.salt.len() != 24 {
        let message = "its salt is not 16 bytes in base64";
        return Err(LineDefect::NotARecord(message.to_owned()));
    }
    if envelope.seq != seq {
        return Err(LineDefect::Sequence {
            expected: seq,
            found: envelope.seq,
        });
    }
    Ok(())
}

/// What [`next_line`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// A line; its LF is not in the buffer.
    Whole,
    /// The file ends before the line does.
    Torn,
    /// More than [`MAX_LINE`] bytes without LF.
    TooLong,
    /// The end of the file.
    End,
}

/// Reads one line into `buffer`, never more than [`MAX_LINE`] bytes and one.
pub(super) fn next_line(reader: &mut impl BufRead, buffer: &mut Vec<u8>) -> io::Result<Line> {
    buffer.clear();
    let limit = MAX_LINE as u64 + 1;
    reader.by_ref().take(limit).read_until(b'\n', buffer)?;
    Ok(match buffer.pop() {
        None => Line::End,
        Some(b'\n') => Line::Whole,
        Some(byte) => {
            buffer.push(byte);
            if buffer.len() > MAX_LINE {
                Line::TooLong
            } else {
                Line::Torn
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(body: &impl Serialize) -> Result<String, RecordError> {
        let mut buffer = b"before\n".to_vec();
        let result = write_line(&mut buffer, 7, &[0; 16], body);
        let text = String::from_utf8(buffer).unwrap();
        assert!(result.is_ok() || text == "before\n");
        result.map(|()| text.strip_prefix("before\n").unwrap().to_owned())
    }

    #[test]
    fn the_logs_members_come_first() {
        let text = line(&json!({"kind": "decision", "n": {"seq": 1}})).unwrap();
        assert_eq!(
            text,
            "{\"v\":1,\"seq\":7,\"salt\":\"AAAAAAAAAAAAAAAAAAAAAA==\",\"kind\":\"decision\",\"n\":{\"seq\":1}}\n"
        );
        assert_eq!(read_line(text.trim_end().as_bytes(), 7), Ok(()));
        assert!(line(&json!({})).unwrap().ends_with("AA==\"}\n"));
    }

    #[test]
    fn a_prepared_body_gives_the_same_line() {
        for body in [json!({}), json!({"kind": "decision", "n": {"seq": 1}})] {
            let mut buffer = b"before\n".to_vec();
            write_prepared(&mut buffer, 7, &[0; 16], body.to_string().as_bytes()).unwrap();
            let text = String::from_utf8(buffer).unwrap();
            assert_eq!(text.strip_prefix("before\n").unwrap(), line(&body).unwrap());
        }
        let room = MAX_LINE - line(&json!({"a": ""})).unwrap().len() + 1;
        let mut buffer = Vec::new();
        for (more, fits) in [(0, true), (1, false)] {
            buffer.clear();
            let body = json!({"a": "x".repeat(room + more)}).to_string();
            let written = write_prepared(&mut buffer, 7, &[0; 16], body.as_bytes());
            assert_eq!(written.is_ok(), fits);
            assert_eq!(buffer.len(), if fits { MAX_LINE + 1 } else { 0 });
        }
    }

    #[test]
    fn a_size_is_checked_for_the_longest_number() {
        let mut head = Vec::new();
        write_head(&mut head, u64::MAX, &[0; 16]);
        assert_eq!(head.len(), MAX_HEAD);
        let body = json!({"a": "x".repeat(MAX_LINE - MAX_HEAD - 8)}).to_string();
        assert_eq!(check_size(body.len()), Ok(()));
        let mut line = Vec::new();
        write_prepared(&mut line, u64::MAX, &[0; 16], body.as_bytes()).unwrap();
        assert_eq!(line.len(), MAX_LINE + 1);
        let size = MAX_LINE + 1;
        assert_eq!(
            check_size(body.len() + 1),
            Err(RecordError::TooLarge { size })
        );
    }

    #[test]
    fn refuses_bodies_that_do_not_fit() {
        assert_eq!(line(&json!({"seq": 1})), Err(RecordError::Reserved));
        assert_eq!(
            line(&json!({"a": "\u{1}", "salt": 1})),
            Err(RecordError::Reserved)
        );
        for body in [json!([1]), json!("{}"), json!(null), json!(1)] {
            assert!(
                matches!(line(&body), Err(RecordError::NotAnObject(_))),
                "{body}"
            );
        }
        let room = MAX_LINE - line(&json!({"a": ""})).unwrap().len() + 1;
        let fits = line(&json!({"a": "x".repeat(room)})).unwrap();
        assert_eq!(fits.len(), MAX_LINE + 1);
        let over = line(&json!({"a": "x".repeat(room + 1)}));
        assert_eq!(over, Err(RecordError::TooLarge { size: MAX_LINE + 1 }));
    }

    #[test]
    fn a_line_begins_as_its_record_does_or_does_not() {
        let good = r#"{"v":1,"seq":7,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","a":1}"#;
        let begins = |text: &str, seq| begins_as_record(text.as_bytes(), seq);
        assert!(begins(good, 7));
        assert!(begins(&good.replace("AAA", "zzz"), 7));
        assert!(begins(&good.replace("\"a\"", "\"b"), 7));
        assert!(!begins(good, 8));
        for other in [
            "",
            "{",
            &good.replace(":1,\"seq", ":2,\"seq"),
            &good.replace(":7", ":71"),
            &good.replace("salt", "Salt"),
            &good.replace("==\"", "=\""),
            &good.replace("==\"", "==="),
        ] {
            assert!(!begins(other, 7), "{other}");
        }
    }

    #[test]
    fn names_the_defect_of_a_line() {
        let good = r#"{"v":1,"seq":7,"salt":"AAAAAAAAAAAAAAAAAAAAAA==","a":1}"#;
        let read = |text: &str| read_line(text.as_bytes(), 7).unwrap_err();
        let cut = good.get(..good.len() - 1).unwrap();
        for text in [
            "",
            cut,
            "[]",
            &good.replace("AAAAAA", "AAAAA"),
            &good.replace("\"a\"", "\"v\""),
        ] {
            assert!(
                matches!(read(text), LineDefect::NotARecord(_)),
                "{text}: {:?}",
                read(text)
            );
        }
        assert_eq!(
            read(&good.replace("\"v\":1", "\"v\":2")),
            LineDefect::Version(2)
        );
        let (expected, found) = (7, 8);
        assert_eq!(
            read(&good.replace(":7", ":8")),
            LineDefect::Sequence { expected, found }
        );
    }

    #[test]
    fn reads_lines_within_the_limit() {
        let mut text = b"a\n\n".to_vec();
        text.extend(vec![b'x'; MAX_LINE]);
        text.extend(b"\ntorn");
        let (mut reader, mut buffer) = (text.as_slice(), Vec::new());
        let mut next = || {
            let found = next_line(&mut reader, &mut buffer).unwrap();
            (found, buffer.len())
        };
        assert_eq!(next(), (Line::Whole, 1));
        assert_eq!(next(), (Line::Whole, 0));
        assert_eq!(next(), (Line::Whole, MAX_LINE));
        assert_eq!(next(), (Line::Torn, 4));
        assert_eq!(next(), (Line::End, 0));
        let long = vec![b'x'; MAX_LINE + 2];
        assert_eq!(
            next_line(&mut long.as_slice(), &mut buffer).unwrap(),
            Line::TooLong
        );
    }
}
