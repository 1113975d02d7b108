//! Reading requests in chunks, none of which waits for more input than it takes.
//!
//! How much has arrived is known to the system alone, and asking for more may last for ever. So what has been read is handed
//! over right before the system is asked: [`Ahead`] is the place where that happens.

use std::cell::{Cell, RefCell};
use std::io::{self, BufReader, Cursor, Read};

use super::chunk::Chunk;
use crate::cli::input::Source;
use crate::cli::report::Failure;
use crate::engine::input::RequestReader;
use crate::engine::request::RequestLimits;

/// A reader that was stopped between two requests, with the bytes that it had read ahead.
pub(super) type Rest = RequestReader<(Vec<u8>, Source)>;

/// Asks for more bytes only after `before` was called; its error ends the input.
struct Ahead<R, F> {
    source: R,
    before: F,
}

impl<R: Read, F: FnMut() -> io::Result<()>> Read for Ahead<R, F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        (self.before)()?;
        self.source.read(buffer)
    }
}

/// What becomes of a chunk that is full.
enum Full {
    /// It was taken.
    Taken,
    /// It stays, and reading stops.
    Stop,
}

/// Gives what has been read to `take`, which empties it, whenever more is asked for. Once a whole chunk of several requests is there without
/// asking, there is a stream: what has been read of it, and the reader of the rest, is returned. None at the end of the input.
pub(super) fn read_some(
    source: Source,
    take: &mut dyn FnMut(&mut Chunk) -> Result<(), Failure>,
) -> Result<Option<(Chunk, Rest)>, Failure> {
    let (waiting, take) = (RefCell::new(Chunk::default()), RefCell::new(take));
    let failure = RefCell::new(None);
    let hand_over = || {
        let mut chunk = waiting.take();
        if chunk.is_empty() {
            return Ok(());
        }
        take.borrow_mut()(&mut chunk).map_err(|error| {
            *failure.borrow_mut() = Some(error);
            stopped()
        })?;
        waiting.replace(chunk);
        Ok(())
    };
    let capacity = source.capacity();
    let ahead = Ahead {
        source,
        before: hand_over,
    };
    let source = BufReader::with_capacity(capacity, ahead);
    let mut reader = RequestReader::new(source, &RequestLimits::default());
    let is_stopped = || failure.borrow().is_some();
    let is_stream = pump(&mut reader, &waiting, is_stopped, || {
        if waiting.borrow().len() > 1 {
            Full::Stop
        } else {
            let _ = hand_over();
            Full::Taken
        }
    });
    if !is_stream {
        let _ = hand_over();
    }
    if let Some(failure) = failure.take() {
        return Err(failure);
    }
    if !is_stream {
        return Ok(None);
    }
    let rest = reader.map_source(|buffered| {
        let read = buffered.buffer().to_vec();
        (read, buffered.into_inner().source)
    });
    Ok(Some((waiting.take(), rest)))
}

/// Gives `first` and then all the rest to `send`, until the end of the input or until `send` refuses; says which. What `send`
/// returns is empty, and is filled next.
pub(super) fn read_on(
    first: Chunk,
    rest: Rest,
    send: impl FnMut(Chunk) -> Result<Chunk, ()>,
) -> Result<(), ()> {
    let (waiting, send) = (RefCell::new(first), RefCell::new(send));
    let is_stopped = Cell::new(false);
    let hand_over = || {
        let chunk = waiting.take();
        if chunk.is_empty() {
            return Ok(());
        }
        let next = send.borrow_mut()(chunk).map_err(|()| {
            is_stopped.set(true);
            stopped()
        })?;
        waiting.replace(next);
        Ok(())
    };
    let _ = hand_over();
    let mut reader = rest.map_source(|(read, source)| {
        let capacity = source.capacity();
        let ahead = Ahead {
            source: Cursor::new(read).chain(source),
            before: hand_over,
        };
        BufReader::with_capacity(capacity, ahead)
    });
    pump(
        &mut reader,
        &waiting,
        || is_stopped.get(),
        || {
            let _ = hand_over();
            Full::Taken
        },
    );
    let _ = hand_over();
    if is_stopped.get() { Err(()) } else { Ok(()) }
}

/// Reads into `waiting` until the end of the input, or `is_stopped`, or `full` says so; whether it was `full`.
fn pump<R: io::BufRead>(
    reader: &mut RequestReader<R>,
    waiting: &RefCell<Chunk>,
    is_stopped: impl Fn() -> bool,
    mut full: impl FnMut() -> Full,
) -> bool {
    while let Some(item) = reader.read_next() {
        // The error that stopped reading is not the input's.
        if is_stopped() {
            return false;
        }
        waiting.borrow_mut().push(item);
        if waiting.borrow().is_full() {
            match full() {
                Full::Taken if is_stopped() => return false,
                Full::Taken => {}
                Full::Stop => return true,
            }
        }
    }
    false
}

fn stopped() -> io::Error {
    io::Error::other("nobody takes requests any more")
}

#[cfg(test)]
mod tests {
    use super::super::chunk::Place;
    use super::*;
    use crate::diag::Code;

    /// Hands out its pieces one by one, as a pipe does.
    struct Pieces(std::vec::IntoIter<String>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.next().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(piece.as_bytes());
            Ok(piece.len())
        }
    }

    fn source(pieces: &[&str]) -> Source {
        let pieces: Vec<String> = pieces.iter().map(|piece| (*piece).to_owned()).collect();
        Source::new(Pieces(pieces.into_iter()), u64::MAX)
    }

    fn texts(chunk: &mut Chunk) -> Vec<String> {
        let mut texts = Vec::new();
        let done: Result<(), ()> = chunk.drain(|place| {
            texts.push(match place {
                Place::Request { bytes, line } => {
                    format!("{line}:{}", String::from_utf8_lossy(bytes))
                }
                Place::Bad(error) => format!("!{}", error.code()),
            });
            Ok(())
        });
        done.unwrap();
        texts
    }

    #[test]
    fn what_is_there_is_handed_over_before_more_is_asked_for() {
        let pieces = ["{}\n{}\n{", "}\n", "[1]\n{\n", "\"a\":1}", "\n", "{\"b\":"];
        let mut taken = Vec::new();
        let stream = read_some(source(&pieces), &mut |chunk| {
            taken.push(texts(chunk));
            Ok(())
        });
        assert!(stream.unwrap().is_none());
        let wanted: [&[&str]; 4] = [&["1:{}", "2:{}"], &["3:{}"], &["4:[1]"], &["5:{\n\"a\":1}"]];
        assert_eq!(taken[..4], wanted);
        assert_eq!(taken[4], ["!E-REQUEST-014"]);
        assert_eq!(taken.len(), 5);
    }

    #[test]
    fn nothing_at_all_is_an_error_of_its_own() {
        let mut taken = Vec::new();
        let stream = read_some(source(&[]), &mut |chunk| {
            taken.extend(texts(chunk));
            Ok(())
        });
        assert!(stream.unwrap().is_none());
        assert_eq!(taken, ["!E-REQUEST-017"]);
    }

    #[test]
    fn few_requests_are_no_stream_and_one_is_none_however_large() {
        let large = format!("{{\"a\":\"{}\"}}\n", "x".repeat(200 << 10));
        let few = "{}\n".repeat(255);
        for (text, count) in [(few, 255), (large, 1)] {
            let mut taken = 0;
            let stream = read_some(Source::new(Cursor::new(text), u64::MAX), &mut |chunk| {
                taken += texts(chunk).len();
                Ok(())
            });
            assert!(stream.unwrap().is_none());
            assert_eq!(taken, count);
        }
    }

    #[test]
    fn a_stream_goes_on_where_it_stands() {
        let lines: Vec<String> = (0..2_000).map(|n| format!("{{\"n\":{n}}}")).collect();
        for text in [lines.join("\n"), format!("[{}]", lines.join(",\n"))] {
            let mut taken: Vec<String> = Vec::new();
            let stream = read_some(Source::new(Cursor::new(text), u64::MAX), &mut |chunk| {
                taken.extend(texts(chunk));
                Ok(())
            });
            let (first, rest) = stream.unwrap().unwrap();
            assert!(first.is_full() && taken.is_empty());
            read_on(first, rest, |mut chunk| {
                taken.extend(texts(&mut chunk));
                Ok(chunk)
            })
            .unwrap();
            let wanted = lines.iter().enumerate();
            let wanted = wanted.map(|(at, line)| format!("{}:{line}", at + 1));
            assert!(wanted.eq(taken));
        }
    }

    #[test]
    fn whoever_refuses_ends_the_reading() {
        let many = "{}\n".repeat(1_000);
        let failed = read_some(source(&["{}\n", &many, &many]), &mut |_| {
            Err(Failure::new(Code::OUTPUT, "no"))
        });
        let failure = failed.err().unwrap();
        assert_eq!(failure.code(), Some(Code::OUTPUT));
        let stream = read_some(Source::new(Cursor::new(many), u64::MAX), &mut |_| Ok(()));
        let (first, rest) = stream.unwrap().unwrap();
        let mut taken = 0;
        let ended = read_on(first, rest, |_| {
            taken += 1;
            if taken == 2 {
                Err(())
            } else {
                Ok(Chunk::default())
            }
        });
        assert_eq!((ended, taken), (Err(()), 2));
    }
}
