//! What is measured of a system, and how. Everything here runs in a child process of its own, which measures one system.
//!
//! 1. Memory before; load; memory after. What is told is the growth of the heap that is in use (as glibc counts it) and of the
//!    resident set, which holds what loading left behind as well.
//! 2. Answers: every one is compared with what the rules mean, until the time for it is up. A difference ends the run.
//! 3. Latency: one request at a time on one thread, over all requests again and again. What reading the clock takes is
//!    measured as well, and taken off.
//! 4. Throughput: as many as go in a time, on one thread and on two at once.

use std::hint::black_box;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use serde::{Deserialize, Serialize};

use crate::model::{Answer, Workload};
use crate::system::{Reference, System};

/// How long each step may take.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Budget {
    pub(crate) check: Duration,
    pub(crate) latency: Duration,
    pub(crate) throughput: Duration,
}

/// However slow a system is, it answers so many.
const FEWEST: usize = 20;

/// What came of a system at one size.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    Measured(Measured),
    /// It cannot be asked, and why.
    LeftOut(String),
    /// It answered otherwise than the rules mean.
    Differs(String),
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Measured {
    pub(crate) load_ns: u64,
    /// What part of that was compiling; none where that is no step of its own.
    #[serde(default)]
    pub(crate) compile_ns: Option<u64>,
    /// The growth of the heap in use; none where it is another language's.
    pub(crate) heap: Option<u64>,
    /// The growth of the resident set.
    pub(crate) resident: u64,
    /// Answers that were compared.
    pub(crate) checked: usize,
    pub(crate) median_ns: u64,
    pub(crate) p99_ns: u64,
    /// Answers a second, on one thread and on two.
    pub(crate) throughput: [f64; 2],
}

pub(crate) fn system<S: System>(workload: &Workload, budget: &Budget) -> Result<Outcome> {
    let source = S::print(workload)?;
    let before = Memory::now()?;
    let started = Instant::now();
    let system = match S::load(&source) {
        Ok(system) => system,
        Err(error) => return Ok(Outcome::LeftOut(format!("{error:#}"))),
    };
    let load = started.elapsed();
    let after = Memory::now()?;
    let inputs = system.inputs(workload)?;
    let checked = match check(&system, &inputs, workload, budget.check)? {
        Checked::Alike(checked) => checked,
        Checked::Differs(how) => return Ok(Outcome::Differs(how)),
    };
    let requests = workload.requests.len();
    let mut samples = latency(&system, &inputs, requests, budget.latency)?;
    let two =
        [1, 2].map(|threads| throughput(&system, &inputs, requests, threads, budget.throughput));
    let [one, two] = two;
    Ok(Outcome::Measured(Measured {
        load_ns: nanoseconds(load),
        compile_ns: system.compiled_in().map(nanoseconds),
        heap: after
            .heap
            .zip(before.heap)
            .map(|(after, before)| after.saturating_sub(before)),
        resident: after.resident.saturating_sub(before.resident),
        checked,
        median_ns: quantile(&mut samples, 0.5),
        p99_ns: quantile(&mut samples, 0.99),
        throughput: [one?, two?],
    }))
}

enum Checked {
    Alike(usize),
    Differs(String),
}

/// Compares answers on two threads, each from its own end of the requests.
fn check<S: System>(
    system: &S,
    inputs: &S::Inputs,
    workload: &Workload,
    time: Duration,
) -> Result<Checked> {
    let reference = Reference::new(workload);
    let requests = workload.requests.len();
    let started = Instant::now();
    let half = |asked: &mut dyn Iterator<Item = usize>| -> Result<Checked> {
        let mut worker = system.worker()?;
        let mut checked = 0;
        for request in asked {
            if checked >= FEWEST / 2 && started.elapsed() > time {
                break;
            }
            let found = system.decide(&mut worker, inputs, request);
            let found = system.answer(found)?;
            if let Some(how) = difference(&reference, request, &found) {
                return Ok(Checked::Differs(how));
            }
            checked += 1;
        }
        Ok(Checked::Alike(checked))
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half(&mut (requests / 2..requests)));
        let one = half(&mut (0..requests / 2))?;
        let Ok(other) = other.join() else {
            bail!("a thread came to an end before its time");
        };
        Ok(match (one, other?) {
            (Checked::Alike(one), Checked::Alike(other)) => Checked::Alike(one + other),
            (Checked::Differs(how), _) | (_, Checked::Differs(how)) => Checked::Differs(how),
        })
    })
}

/// How an answer differs from what the rules mean, with the request.
pub(crate) fn difference(
    reference: &Reference<'_>,
    request: usize,
    found: &Answer,
) -> Option<String> {
    let expected = reference.answer(request);
    (expected != *found).then(|| {
        let asked = reference.request(request);
        format!("request {request} has the answer {found:?} and not {expected:?}: {asked:?}")
    })
}

fn latency<S: System>(
    system: &S,
    inputs: &S::Inputs,
    requests: usize,
    time: Duration,
) -> Result<Vec<u64>> {
    let mut worker = system.worker()?;
    let clock = clock_cost();
    let mut samples = Vec::with_capacity(1 << 20);
    // A quarter of the time is for caches to fill.
    let started = Instant::now();
    let warm = time / 4;
    for request in (0..requests).cycle() {
        if started.elapsed() > warm {
            break;
        }
        held(&system.decide(&mut worker, inputs, request));
    }
    let started = Instant::now();
    for (count, request) in (0..requests).cycle().enumerate() {
        if count >= FEWEST && started.elapsed() > time {
            break;
        }
        if samples.len() == samples.capacity() {
            break;
        }
        let asked = Instant::now();
        held(&system.decide(&mut worker, black_box(inputs), request));
        samples.push(nanoseconds(asked.elapsed().saturating_sub(clock)));
    }
    Ok(samples)
}

/// Has an answer be made where it lies: to pass it on would copy it, which no caller has to.
fn held<T>(answer: &T) {
    black_box(answer);
}

/// What it takes to read the clock twice: the median.
fn clock_cost() -> Duration {
    let mut costs: Vec<u64> = (0..10_001)
        .map(|_| nanoseconds(Instant::now().elapsed()))
        .collect();
    Duration::from_nanos(quantile(&mut costs, 0.5))
}

fn throughput<S: System>(
    system: &S,
    inputs: &S::Inputs,
    requests: usize,
    threads: usize,
    time: Duration,
) -> Result<f64> {
    let barrier = Barrier::new(threads + 1);
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let askers: Vec<_> = (0..threads)
            .map(|thread| {
                let (barrier, is_over) = (&barrier, &is_over);
                scope.spawn(move || -> Result<f64> {
                    let worker = system.worker();
                    // Nobody is left waiting where a worker cannot be had.
                    barrier.wait();
                    let mut worker = worker?;
                    let started = Instant::now();
                    let mut answered = 0_u64;
                    // Each begins elsewhere, so that they do not warm each other's way.
                    let first = thread * requests / threads.max(1);
                    for request in (0..requests).cycle().skip(first) {
                        if answered > 0 && is_over.load(Ordering::Relaxed) {
                            break;
                        }
                        held(&system.decide(&mut worker, inputs, request));
                        answered += 1;
                    }
                    Ok(answered as f64 / started.elapsed().as_secs_f64())
                })
            })
            .collect();
        barrier.wait();
        thread::sleep(time);
        is_over.store(true, Ordering::Relaxed);
        let rates = askers.into_iter().map(|asker| match asker.join() {
            Ok(rate) => rate,
            Err(_) => bail!("a thread came to an end before its time"),
        });
        rates.sum()
    })
}

/// The value below which the share lies; 0 of nothing.
pub(crate) fn quantile(samples: &mut [u64], share: f64) -> u64 {
    samples.sort_unstable();
    let position = (samples.len() as f64 * share) as usize;
    let last = samples.len().saturating_sub(1);
    samples.get(position.min(last)).copied().unwrap_or(0)
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

struct Memory {
    heap: Option<u64>,
    resident: u64,
}

impl Memory {
    fn now() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status").context("the memory in use")?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|text| text.trim().strip_suffix(" kB"));
        let kilobytes: u64 = kilobytes.context("the resident set")?.trim().parse()?;
        Ok(Self {
            heap: heap(),
            resident: kilobytes << 10,
        })
    }
}

/// Bytes that are allocated and not freed, where the allocator tells.
fn heap() -> Option<u64> {
    use malloc_info::info::{SystemType, TotalType};
    let info = malloc_info::malloc_info().ok()?;
    let total = |wanted: TotalType| {
        let sizes = info.total.iter().filter(|total| total.r#type == wanted);
        sizes.map(|total| total.size).sum::<usize>()
    };
    let arenas = info
        .system
        .iter()
        .filter(|system| system.r#type == SystemType::Current);
    let arenas: usize = arenas.map(|system| system.size).sum();
    let free = total(TotalType::Fast) + total(TotalType::Rest);
    u64::try_from((arenas + total(TotalType::Mmap)).saturating_sub(free)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::workload;
    use crate::system::regorus::{AsData, AsRules, Interpreter, Rvm};
    use crate::system::{bitset, cedar, cel, linear, ordain};

    /// The system reads the policy, and answers every request as the rules mean.
    fn agrees<S: System>() {
        for rules in [10, 100] {
            let workload = workload(rules, 400);
            let system = S::load(&S::print(&workload).unwrap()).unwrap();
            let inputs = system.inputs(&workload).unwrap();
            match check(&system, &inputs, &workload, Duration::from_secs(3_600)).unwrap() {
                Checked::Alike(checked) => assert_eq!(checked, 400),
                Checked::Differs(how) => panic!("{rules} rules: {how}"),
            }
        }
    }

    #[test]
    fn ordain_agrees() {
        agrees::<ordain::Ordain>();
    }

    #[test]
    fn the_floors_agree() {
        agrees::<linear::Linear>();
        agrees::<bitset::Bitset>();
        agrees::<bitset::EveryMatch>();
    }

    #[test]
    fn cedar_agrees() {
        agrees::<cedar::Cedar>();
    }

    #[test]
    fn regorus_agrees() {
        agrees::<Interpreter<AsRules>>();
        agrees::<Interpreter<AsData>>();
    }

    #[test]
    fn the_rvm_agrees() {
        agrees::<Rvm<AsRules>>();
        agrees::<Rvm<AsData>>();
    }

    #[test]
    fn cel_agrees() {
        agrees::<cel::Cel>();
    }

    /// Policies of more rules than a file may hold become a chain of scopes, which answers alike.
    #[test]
    fn a_chain_of_scopes_agrees() {
        let workload = workload(20_050, 200);
        let system = ordain::Ordain::load(&ordain::Ordain::print(&workload).unwrap()).unwrap();
        assert_eq!(system.engine.policy().layers().len(), 2);
        let inputs = system.inputs(&workload).unwrap();
        let found = check(&system, &inputs, &workload, Duration::from_secs(3_600)).unwrap();
        assert!(matches!(found, Checked::Alike(200)));
    }

    #[test]
    fn a_system_that_answers_otherwise_is_found_out() {
        let workload = workload(100, 400);
        let mut source = linear::Linear::print(&workload).unwrap();
        source.reverse();
        let system = linear::Linear::load(&source).unwrap();
        let inputs = system.inputs(&workload).unwrap();
        let found = check(&system, &inputs, &workload, Duration::from_secs(3_600)).unwrap();
        assert!(matches!(found, Checked::Differs(_)));
    }

    #[test]
    fn quantiles_are_of_what_was_measured() {
        let mut samples: Vec<u64> = (1..=1_000).rev().collect();
        assert_eq!(quantile(&mut samples, 0.5), 501);
        assert_eq!(quantile(&mut samples, 0.99), 991);
        assert_eq!(quantile(&mut samples, 1.0), 1_000);
        assert_eq!(quantile(&mut [], 0.5), 0);
    }
}
