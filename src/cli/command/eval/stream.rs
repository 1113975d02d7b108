//! A stream of requests on several threads, in bounded memory.
//!
//! ```text
//! reader ─chunk→ thread 0 ─answers→ ╲
//!        ─chunk→ thread 1 ─answers→ ─ this thread: log, output
//! ```
//!
//! 1. One thread reads chunks and gives them out in turn.
//! 2. As many threads as there are jobs decide them, and serialise records and answers.
//! 3. The calling thread takes answers in the same turn, so in the order of the input; all that are there by then, and those that
//!    come soon, are one batch of the log, which is one wait for the disk.
//!
//! Every channel is bounded: whoever reads the answers slowly slows the reader down. Who ends early is noticed on the next
//! send, and nobody waits for a thread that waits for input. A panic in a deciding thread is passed on like an answer, since the
//! others would wait for that one. Chunks and answers go back to be filled again.

use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, Builder, JoinHandle};
use std::time::{Duration, Instant};

use super::chunk::Chunk;
use super::decide::{Answers, Decider};
use super::desk::Desk;
use super::feed::{Rest, read_on};
use super::spare::Spare;
use crate::cli::report::Failure;
use crate::diag::Code;

/// Chunks that wait on either side of the threads, all threads together.
const WAITING: usize = 32;
/// The most chunks of one batch.
const TOGETHER: usize = 16;
/// Bytes of answers after which a batch is full. A few requests may make many: a record may have 64 KiB.
const BYTES: usize = 8 << 20;
/// How long a batch waits for answers to what has been read already. Waiting for the disk takes about as long.
const SOON: Duration = Duration::from_millis(5);

/// Answers, or why there are none: the innermost is the program's own failure.
type Answered = thread::Result<Result<Answers, Failure>>;

/// What is not in use.
#[derive(Default)]
struct Idle {
    chunks: Spare<Chunk>,
    answers: Spare<Answers>,
    /// Chunks that are read, and whose answers were not taken yet.
    unanswered: AtomicUsize,
}

/// Decides `first` and `rest`, and gives the answers to `take` in the order of the input.
pub(super) fn run(
    first: Chunk,
    rest: Rest,
    decider: &Arc<Decider>,
    jobs: NonZeroUsize,
    take: &mut dyn FnMut(&mut [Answers]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let waiting = (WAITING / jobs).max(2);
    let (mut chunks, mut answers, mut threads) = (Vec::new(), Vec::new(), Vec::new());
    let idle = Arc::new(Idle::default());
    for _ in 0..jobs.get() {
        let (chunk_sender, chunk_receiver) = sync_channel(waiting);
        let (answer_sender, answer_receiver) = sync_channel(waiting);
        let (decider, idle) = (Arc::clone(decider), Arc::clone(&idle));
        threads.push(spawn("decide", move || {
            let mut desk = Desk::default();
            decide(&chunk_receiver, &answer_sender, |mut chunk| {
                let mut answers = idle.answers.take();
                decider.answer(&mut chunk, &mut desk, &mut answers)?;
                idle.chunks.keep(chunk);
                Ok(answers)
            });
        })?);
        chunks.push(chunk_sender);
        answers.push(answer_receiver);
    }
    let unread = Arc::clone(&idle);
    let reader = spawn("read", move || feed(first, rest, &chunks, &unread))?;
    give(&answers, &idle, take)?;
    // All answers are given, so all threads are at their end; one that was cut short takes the program with it.
    drop(answers);
    threads.push(reader);
    for thread in threads {
        if let Err(panic) = thread.join() {
            resume_unwind(panic);
        }
    }
    Ok(())
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    let spawned = Builder::new().name(name.to_owned()).spawn(work);
    spawned.map_err(|error| {
        let message = format!("the requests cannot be read: no thread can be started: {error}");
        Failure::new(Code::INPUT_UNREADABLE, message).hint("ask for fewer threads: `--jobs 1`")
    })
}

fn feed(first: Chunk, rest: Rest, threads: &[SyncSender<Chunk>], idle: &Idle) {
    let mut turns = threads.iter().cycle();
    let mut index = 0;
    // The other side went away: there is nobody to read for.
    let _ = read_on(first, rest, |mut chunk| {
        chunk.index = Some(index);
        index += chunk.len() as u64;
        let thread = turns.next().ok_or(())?;
        idle.unanswered.fetch_add(1, Ordering::Relaxed);
        thread.send(chunk).map_err(|_| ())?;
        Ok(idle.chunks.take())
    });
}

fn decide(
    chunks: &Receiver<Chunk>,
    answers: &SyncSender<Answered>,
    mut answer: impl FnMut(Chunk) -> Result<Answers, Failure>,
) {
    for chunk in chunks {
        // Nothing of the chunk is used after a panic.
        let answered = catch_unwind(AssertUnwindSafe(|| answer(chunk)));
        let is_last = !matches!(answered, Ok(Ok(_)));
        if answers.send(answered).is_err() || is_last {
            break;
        }
    }
}

/// Waits for the answers whose turn it is, and gives them together with those that are there by then or come soon.
fn give(
    threads: &[Receiver<Answered>],
    idle: &Idle,
    take: &mut dyn FnMut(&mut [Answers]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut turns = threads.iter().cycle().peekable();
    let mut batch = Vec::with_capacity(TOGETHER);
    while let Some(first) = turns.next().and_then(|thread| thread.recv().ok()) {
        let until = Instant::now() + SOON;
        let first = settle(first)?;
        let mut size = first.rendered.len();
        batch.push(first);
        let mut unanswered = idle.unanswered.fetch_sub(1, Ordering::Relaxed) - 1;
        let mut failure = None;
        while batch.len() < TOGETHER && size < BYTES {
            // What has been read needs nobody but the processor, so it is worth waiting for.
            let patience = match unanswered {
                0 => Duration::ZERO,
                _ => until.saturating_duration_since(Instant::now()),
            };
            let next = turns
                .peek()
                .and_then(|thread| thread.recv_timeout(patience).ok());
            match next.map(settle) {
                Some(Ok(answers)) => {
                    size += answers.rendered.len();
                    batch.push(answers);
                    unanswered = idle.unanswered.fetch_sub(1, Ordering::Relaxed) - 1;
                }
                Some(Err(error)) => {
                    failure = Some(error);
                    break;
                }
                None => break,
            }
            turns.next();
        }
        take(&mut batch)?;
        batch
            .drain(..)
            .for_each(|answers| idle.answers.keep(answers));
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
    Ok(())
}

/// Goes on with a panic where it can be seen.
fn settle(answered: Answered) -> Result<Answers, Failure> {
    answered.unwrap_or_else(|panic| resume_unwind(panic))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Threads that answer as `answer` does, each with a chunk to answer and a reader that never ends.
    fn given(
        answer: fn() -> Result<Answers, Failure>,
        batches: &mut Vec<usize>,
    ) -> Result<(), Failure> {
        let (mut kept, mut threads) = (Vec::new(), Vec::new());
        for _ in 0..2 {
            let (chunk_sender, chunks) = sync_channel(1);
            let (answers, receiver) = sync_channel(1);
            chunk_sender.send(Chunk::default()).unwrap();
            thread::spawn(move || decide(&chunks, &answers, |_| answer()));
            kept.push(chunk_sender);
            threads.push(receiver);
        }
        let idle = Idle::default();
        idle.unanswered.store(threads.len(), Ordering::Relaxed);
        give(&threads, &idle, &mut |batch| {
            batches.push(batch.len());
            // All that there was.
            kept.clear();
            Ok(())
        })
    }

    #[test]
    #[should_panic(expected = "of its own making")]
    fn a_panic_ends_the_run_although_there_is_more_to_read() {
        let _ = given(|| panic!("of its own making"), &mut Vec::new());
    }

    #[test]
    fn a_failure_ends_the_run_although_there_is_more_to_read() {
        let fail = || Err(Failure::new(Code::OUTPUT, "no"));
        let failure = given(fail, &mut Vec::new()).unwrap_err();
        assert_eq!(failure.code(), Some(Code::OUTPUT));
    }

    #[test]
    fn answers_of_many_bytes_are_batches_of_their_own() {
        let mut batches = Vec::new();
        let large = || {
            Ok(Answers {
                rendered: vec![0; BYTES],
                ..Answers::default()
            })
        };
        given(large, &mut batches).unwrap();
        assert_eq!(batches, [1, 1]);
    }
}
