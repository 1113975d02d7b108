//! A stream of requests on several threads, in bounded memory.
//!
//! ```text
//! reader ─chunk→ thread 0 ─answers→ ╲
//!        ─chunk→ thread 1 ─answers→ ─ this thread: log, output
//! ```
//!
//! 1. One thread reads chunks and gives them out in turn.
//! 2. As many threads as there are jobs decide them, and serialise records and answers.
//! 3. The calling thread takes answers in the same turn, so in the order of the input; all that are there by then are one batch of
//!    the log, which is one wait for the disk.
//!
//! Every channel is bounded: whoever reads the answers slowly slows the reader down. Who ends early is noticed on the next
//! send, and nobody waits for a thread that waits for input.

use std::num::NonZeroUsize;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

use super::chunk::Chunk;
use super::decide::{Answers, Decider, Ids};
use super::feed::{Rest, read_on};
use crate::cli::report::Failure;
use crate::diag::Code;

/// Chunks that wait on either side of the threads, all threads together.
const WAITING: usize = 16;
/// The most chunks of one batch.
const TOGETHER: usize = 16;

type Answered = Result<Answers, Failure>;

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
    for _ in 0..jobs.get() {
        let (chunk_sender, chunk_receiver) = sync_channel(waiting);
        let (answer_sender, answer_receiver) = sync_channel(waiting);
        let decider = Arc::clone(decider);
        threads.push(spawn("decide", move || {
            decide(&decider, &chunk_receiver, &answer_sender);
        })?);
        chunks.push(chunk_sender);
        answers.push(answer_receiver);
    }
    let reader = spawn("read", move || feed(first, rest, &chunks))?;
    give(&answers, take)?;
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

fn feed(first: Chunk, rest: Rest, threads: &[SyncSender<Chunk>]) {
    let mut turns = threads.iter().cycle();
    // The other side went away: there is nobody to read for.
    let _ = read_on(first, rest, |chunk| {
        let thread = turns.next().ok_or(())?;
        thread.send(chunk).map_err(|_| ())
    });
}

fn decide(decider: &Decider, chunks: &Receiver<Chunk>, answers: &SyncSender<Answered>) {
    let mut ids = Ids::new();
    for chunk in chunks {
        if answers.send(decider.answer(chunk, &mut ids)).is_err() {
            break;
        }
    }
}

/// Waits for the answers whose turn it is, and gives them together with those that are there by then.
fn give(
    threads: &[Receiver<Answered>],
    take: &mut dyn FnMut(&mut [Answers]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut turns = threads.iter().cycle().peekable();
    while let Some(first) = turns.next().and_then(|thread| thread.recv().ok()) {
        let mut batch = vec![first?];
        let mut failure = None;
        while batch.len() < TOGETHER {
            match turns.peek().map(|thread| thread.try_recv()) {
                Some(Ok(Ok(answers))) => batch.push(answers),
                Some(Ok(Err(error))) => {
                    failure = Some(error);
                    break;
                }
                Some(Err(_)) | None => break,
            }
            turns.next();
        }
        take(&mut batch)?;
        if let Some(failure) = failure {
            return Err(failure);
        }
    }
    Ok(())
}
