//! Limits on one exchange with a server: silence, time, bytes, and the caller's interrupt flag.
//!
//! gix reads without deadlines. Here a thread moves what arrives into a channel, and the reader waits on the channel, so
//! that one piece of code bounds sockets, child processes and HTTP bodies alike.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::error::FetchError;
use crate::bundle::Limits;

/// How often a silent connection looks at the interrupt flag.
const TICK: Duration = Duration::from_millis(25);
/// Bytes moved at a time.
const CHUNK: usize = 64 << 10;

/// Why our side gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    Interrupted,
    Stalled { seconds: u64 },
    TooSlow { seconds: u64 },
    TooManyBytes { limit: u64 },
    Redirect { target: String },
}

impl Stop {
    pub(super) fn into_error(self, url: String) -> FetchError {
        match self {
            Self::Interrupted => FetchError::Interrupted { url },
            Self::Stalled { seconds } => FetchError::Stalled { url, seconds },
            Self::TooSlow { seconds } => FetchError::TooSlow { url, seconds },
            Self::TooManyBytes { limit } => FetchError::TooManyBytes { url, limit },
            Self::Redirect { target } => FetchError::Redirect { url, target },
        }
    }
}

/// What one exchange has used up. Shared by all its readers.
#[derive(Debug)]
pub(super) struct Meter<'a> {
    interrupt: &'a AtomicBool,
    started: Instant,
    stall: Duration,
    whole: Duration,
    limit: u64,
    bytes: AtomicU64,
    stop: Mutex<Option<Stop>>,
}

impl<'a> Meter<'a> {
    pub(super) fn new(limits: &Limits, interrupt: &'a AtomicBool) -> Arc<Self> {
        Arc::new(Self {
            interrupt,
            started: Instant::now(),
            stall: limits.stall,
            whole: limits.fetch_time,
            limit: limits.fetch_bytes,
            bytes: AtomicU64::new(0),
            stop: Mutex::new(None),
        })
    }

    /// Bytes received.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// The longest silence.
    pub(super) fn stall(&self) -> Duration {
        self.stall
    }

    /// Why this exchange was given up, if it was.
    pub(super) fn stopped(&self) -> Option<Stop> {
        self.stop.lock().ok().and_then(|stop| stop.clone())
    }

    /// Gives up; the first reason stays.
    pub(super) fn give_up(&self, reason: Stop) -> io::Error {
        if let Ok(mut stop) = self.stop.lock() {
            stop.get_or_insert(reason);
        }
        io::Error::other("given up")
    }

    /// Gives up when the flag is set or the time is over.
    pub(super) fn check(&self) -> io::Result<()> {
        if self.interrupt.load(Ordering::Relaxed) {
            return Err(self.give_up(Stop::Interrupted));
        }
        if self.started.elapsed() > self.whole {
            return Err(self.give_up(Stop::TooSlow {
                seconds: self.whole.as_secs(),
            }));
        }
        Ok(())
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        if before.saturating_add(bytes) > self.limit {
            return Err(self.give_up(Stop::TooManyBytes { limit: self.limit }));
        }
        Ok(())
    }
}

/// A reader with the limits of a [`Meter`].
#[derive(Debug)]
pub(super) struct Metered<'a> {
    chunks: Receiver<io::Result<Vec<u8>>>,
    current: io::Cursor<Vec<u8>>,
    meter: Arc<Meter<'a>>,
}

impl<'a> Metered<'a> {
    /// Reads `inner` to its end in a thread of its own. The thread ends with the stream, or when the receiver is gone
    /// and the stream moves once more; whoever owns the stream closes it.
    pub(super) fn new(mut inner: impl Read + Send + 'static, meter: Arc<Meter<'a>>) -> Self {
        let (sender, chunks) = sync_channel(8);
        std::thread::spawn(move || {
            let mut buffer = vec![0; CHUNK];
            loop {
                let read = match inner.read(&mut buffer) {
                    Ok(0) => return,
                    Ok(count) => Ok(buffer.get(..count).unwrap_or_default().to_vec()),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_last = read.is_err();
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Self {
            chunks,
            current: io::Cursor::default(),
            meter,
        }
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let silent_since = Instant::now();
        loop {
            let count = self.current.read(buffer)?;
            if count > 0 {
                return Ok(count);
            }
            self.meter.check()?;
            match self.chunks.recv_timeout(TICK) {
                Ok(chunk) => {
                    let chunk = chunk?;
                    self.meter.count(chunk.len())?;
                    self.current = io::Cursor::new(chunk);
                }
                Err(RecvTimeoutError::Timeout) if silent_since.elapsed() > self.meter.stall => {
                    return Err(self.meter.give_up(Stop::Stalled {
                        seconds: self.meter.stall.as_secs(),
                    }));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(stall_ms: u64, bytes: u64) -> Limits {
        Limits {
            stall: Duration::from_millis(stall_ms),
            fetch_bytes: bytes,
            ..Limits::default()
        }
    }

    /// A stream that never moves.
    struct Silent;
    impl Read for Silent {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            std::thread::sleep(Duration::from_secs(5));
            Ok(0)
        }
    }

    #[test]
    fn silence_floods_and_interrupts_end_a_read() {
        let calm = AtomicBool::new(false);
        let meter = Meter::new(&limits(60, 100), &calm);
        assert!(
            Metered::new(Silent, meter.clone())
                .read(&mut [0; 8])
                .is_err()
        );
        assert_eq!(meter.stopped(), Some(Stop::Stalled { seconds: 0 }));

        let meter = Meter::new(&limits(1000, 100), &calm);
        let mut out = Vec::new();
        assert!(
            Metered::new(io::repeat(1), meter.clone())
                .read_to_end(&mut out)
                .is_err()
        );
        assert_eq!(meter.stopped(), Some(Stop::TooManyBytes { limit: 100 }));

        let set = AtomicBool::new(true);
        let meter = Meter::new(&limits(1000, 100), &set);
        assert!(
            Metered::new(Silent, meter.clone())
                .read(&mut [0; 8])
                .is_err()
        );
        assert_eq!(meter.stopped(), Some(Stop::Interrupted));
    }

    #[test]
    fn bytes_pass_unchanged() {
        let calm = AtomicBool::new(false);
        let data: Vec<u8> = (0..200_000u32).map(|n| n.to_le_bytes()[0]).collect();
        let meter = Meter::new(&limits(1000, 1 << 20), &calm);
        let mut out = Vec::new();
        let source = io::Cursor::new(data.clone());
        Metered::new(source, meter.clone())
            .read_to_end(&mut out)
            .unwrap();
        assert_eq!(out, data);
        assert_eq!(meter.bytes(), 200_000);
    }
}
