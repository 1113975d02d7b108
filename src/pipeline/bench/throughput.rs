//! How many requests in a second, on one thread and on several.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Duration;

use serde::Serialize;

use crate::clock::Stopwatch;
use crate::policy::STACK;

/// How often each is measured; the middle one is told.
const ROUNDS: u32 = 3;
/// How many calls go by between two looks at the clock.
const BLOCK: usize = 16;

/// How many requests in a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Throughput {
    /// What was done with each.
    pub what: &'static str,
    /// In a second, on one thread.
    pub one_thread: u64,
    /// How many threads there were besides.
    pub threads: NonZeroUsize,
    /// In a second, on all of them together.
    pub all_threads: u64,
}

pub(super) fn measure(
    what: &'static str,
    count: usize,
    threads: NonZeroUsize,
    time: Duration,
    work: impl Fn(usize) + Sync,
) -> Throughput {
    let on = |threads: usize| {
        let mut rates: Vec<u64> = (0..ROUNDS)
            .map(|_| rate(threads, count, time / (2 * ROUNDS), &work))
            .collect();
        rates.sort_unstable();
        rates.get(rates.len() / 2).copied().unwrap_or(0)
    };
    let one_thread = on(1);
    let all_threads = if threads.get() == 1 {
        one_thread
    } else {
        on(threads.get())
    };
    Throughput {
        what,
        one_thread,
        threads,
        all_threads,
    }
}

/// Calls in a second of so many threads, each beginning at another request.
fn rate(threads: usize, count: usize, time: Duration, work: &(impl Fn(usize) + Sync)) -> u64 {
    if count == 0 {
        return 0;
    }
    let watch = Stopwatch::start();
    let run = |first: usize| {
        let mut done = 0_usize;
        while done == 0 || watch.elapsed() < time {
            for _ in 0..BLOCK {
                work((first + done) % count);
                done += 1;
            }
        }
        done
    };
    let done: usize = thread::scope(|scope| {
        let spawn = |number: usize| {
            let first = number * count / threads;
            // Conditions may need more than a thread has by default.
            let builder = thread::Builder::new().stack_size(2 * STACK + (1 << 20));
            builder.spawn_scoped(scope, move || run(first)).ok()
        };
        let running: Vec<_> = (0..threads).map(spawn).collect();
        let ends = running.into_iter().flatten().map(|one| one.join());
        ends.map(|end| end.unwrap_or(0)).sum()
    });
    let nanoseconds = watch.elapsed().as_nanos().max(1);
    let rate = (done as u128) * 1_000_000_000 / nanoseconds;
    u64::try_from(rate).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn all_threads_work_and_every_request_has_its_turn() {
        let calls: Vec<AtomicUsize> = (0..5).map(|_| AtomicUsize::new(0)).collect();
        let threads = NonZeroUsize::new(2).unwrap();
        let found = measure("count", 5, threads, Duration::from_millis(30), |index| {
            calls[index].fetch_add(1, Ordering::Relaxed);
        });
        assert!(found.one_thread > 0 && found.all_threads > 0);
        assert!(calls.iter().all(|calls| calls.load(Ordering::Relaxed) > 0));
        assert_eq!(rate(2, 0, Duration::from_millis(1), &|_| ()), 0);
    }
}
