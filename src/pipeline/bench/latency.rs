//! How long single calls take.
//!
//! 1. Warm up for a tenth of the time.
//! 2. Whole passes over all requests, each call timed, until the medians of the last three rounds agree or the time is up.
//! 3. Every sample counts for the percentiles, exactly; nothing is thrown away as an outlier.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Stopwatch;

/// The most samples that are kept; the measurement ends there.
const MAX_SAMPLES: usize = 4 << 20;
/// How many rounds the time is thought to hold, at most.
const ROUNDS: u32 = 20;
/// The rounds whose medians must agree.
const AGREEING: usize = 3;
/// The fewest rounds, where there is time for them.
const FEWEST: usize = 5;
/// By how much medians of rounds that agree may differ, in percent.
const TOLERANCE: f64 = 3.0;

/// How long single calls take, in nanoseconds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Latency {
    /// How many calls were timed.
    pub samples: usize,
    /// The least.
    pub min_ns: u64,
    /// The mean.
    pub mean_ns: u64,
    /// The median.
    pub p50_ns: u64,
    /// Nine of ten take no longer.
    pub p90_ns: u64,
    /// 99 of 100 take no longer.
    pub p99_ns: u64,
    /// 999 of 1000 take no longer.
    #[serde(rename = "p99_9_ns")]
    pub p999_ns: u64,
    /// The greatest.
    pub max_ns: u64,
    /// How many rounds of whole passes there were.
    pub rounds: usize,
    /// By how many percent the medians of the last rounds differ; none where there were too few to tell.
    pub spread_percent: Option<f64>,
    /// Whether the last rounds agree, so that another run is likely to say the same.
    pub is_stable: bool,
}

/// Times `work` on each of `count` requests within `time`; also the best time of each, zero of one that was not reached.
pub(super) fn measure(count: usize, time: Duration, work: impl Fn(usize)) -> (Latency, Vec<u32>) {
    let mut taken = Taken {
        best: vec![u32::MAX; count],
        samples: Vec::new(),
    };
    let mut medians = Vec::new();
    warm_up(count, time / 10, &work);
    let whole = Stopwatch::start();
    let is_up = || whole.elapsed() > time;
    'rounds: while count > 0 && !is_up() && !agree(&medians) {
        let begin = taken.samples.len();
        let round = Stopwatch::start();
        while taken.samples.len() == begin || round.elapsed() < time / ROUNDS {
            if taken.pass(&work, is_up) == Pass::CutOff {
                // It holds other requests than the rest, so that its median says nothing.
                break 'rounds;
            }
        }
        medians.push(median(taken.samples.get_mut(begin..).unwrap_or_default()));
    }
    let Taken { mut best, samples } = taken;
    for best in best.iter_mut().filter(|best| **best == u32::MAX) {
        *best = 0;
    }
    (summary(samples, &medians), best)
}

/// What was taken so far.
struct Taken {
    /// Of each request, its best time.
    best: Vec<u32>,
    samples: Vec<u32>,
}

#[derive(PartialEq, Eq)]
enum Pass {
    Whole,
    CutOff,
}

impl Taken {
    /// One pass over all requests, unless the time is up or there is no room for more.
    fn pass(&mut self, work: &impl Fn(usize), is_up: impl Fn() -> bool) -> Pass {
        for (index, best) in self.best.iter_mut().enumerate() {
            // Looking at the clock costs as much as a sample.
            let is_time_to_look = index % 16 == 15;
            if self.samples.len() >= MAX_SAMPLES || (is_time_to_look && is_up()) {
                return Pass::CutOff;
            }
            let call = Stopwatch::start();
            work(index);
            let ns = u32::try_from(call.elapsed().as_nanos()).unwrap_or(u32::MAX);
            self.samples.push(ns);
            *best = ns.min(*best);
        }
        Pass::Whole
    }
}

/// Whether the last rounds say the same, and are not the first.
fn agree(medians: &[u32]) -> bool {
    medians.len() >= FEWEST && spread(medians).is_some_and(|spread| spread <= TOLERANCE)
}

fn warm_up(count: usize, time: Duration, work: &impl Fn(usize)) {
    let watch = Stopwatch::start();
    for index in (0..count).cycle() {
        if watch.elapsed() > time {
            break;
        }
        work(index);
    }
}

/// The middle one; rounds are sorted in place, since all samples will be.
fn median(round: &mut [u32]) -> u32 {
    let middle = round.len() / 2;
    if round.is_empty() {
        return 0;
    }
    *round.select_nth_unstable(middle).1
}

/// By how many percent the medians of the last rounds differ.
fn spread(medians: &[u32]) -> Option<f64> {
    let last = medians.get(medians.len().checked_sub(AGREEING)?..)?;
    let (least, greatest) = (*last.iter().min()?, *last.iter().max()?);
    let spread = f64::from(greatest - least) * 100.0 / f64::from(least.max(1));
    Some(super::rounded(spread))
}

fn summary(mut samples: Vec<u32>, medians: &[u32]) -> Latency {
    samples.sort_unstable();
    let sum: u64 = samples.iter().map(|ns| u64::from(*ns)).sum();
    let count = samples.len();
    let mean = u64::try_from(count).ok().and_then(|n| sum.checked_div(n));
    // Nearest rank: the least sample that so many per mille do not exceed.
    let at = |per_mille: usize| {
        let rank = (count * per_mille).div_ceil(1000).saturating_sub(1);
        u64::from(samples.get(rank).copied().unwrap_or(0))
    };
    let spread = spread(medians);
    Latency {
        samples: count,
        min_ns: at(0),
        mean_ns: mean.unwrap_or(0),
        p50_ns: at(500),
        p90_ns: at(900),
        p99_ns: at(990),
        p999_ns: at(999),
        max_ns: at(1000),
        rounds: medians.len(),
        spread_percent: spread,
        is_stable: spread.is_some_and(|spread| spread <= TOLERANCE),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let found = summary((1..=1000).rev().collect(), &[500, 500, 500]);
        let expected = [1, 500, 500, 900, 990, 999, 1000];
        let told = [
            found.min_ns,
            found.mean_ns,
            found.p50_ns,
            found.p90_ns,
            found.p99_ns,
            found.p999_ns,
            found.max_ns,
        ];
        assert_eq!(told, expected);
        let one = summary(vec![7], &[7]);
        assert_eq!((one.min_ns, one.p50_ns, one.max_ns), (7, 7, 7));
        let none = summary(Vec::new(), &[]);
        assert_eq!((none.samples, none.p999_ns), (0, 0));
    }

    #[test]
    fn only_rounds_that_agree_are_stable() {
        let stable = |medians: &[u32]| summary(vec![1], medians).is_stable;
        assert!(stable(&[900, 100, 101, 102]));
        assert!(!stable(&[100, 100, 104, 100]));
        assert!(!stable(&[100, 100]), "two rounds agree by chance");
    }

    #[test]
    fn every_request_is_timed_and_the_time_is_kept() {
        let calls = std::cell::RefCell::new(vec![0_usize; 3]);
        let begun = Stopwatch::start();
        let (found, best) = measure(3, Duration::from_millis(50), |index| {
            calls.borrow_mut()[index] += 1;
        });
        assert!(begun.elapsed() < Duration::from_secs(5));
        assert!(calls.borrow().iter().all(|calls| *calls > 0));
        assert_eq!(best.len(), 3);
        assert!(found.samples > 0 && found.p50_ns <= found.max_ns);
    }

    #[test]
    fn a_pass_that_takes_longer_than_there_is_time_ends_early() {
        let slow = |_| std::thread::sleep(Duration::from_millis(2));
        let (found, best) = measure(1_000, Duration::from_millis(40), slow);
        assert!(
            (1..1_000).contains(&found.samples),
            "{} samples",
            found.samples
        );
        assert!(!found.is_stable);
        assert!(best.contains(&0) && best[0] >= 2_000_000);
    }
}
