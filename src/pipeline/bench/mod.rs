//! What a policy costs with the requests that are asked of it, for `ordain bench`.
//!
//! 1. `load`: each step from bytes to engine, again and again.
//! 2. `latency`: one request at a time, in whole passes over all requests, so that passes can be held against each other.
//! 3. `throughput`: as many as there is time for, on one thread and on several.
//! 4. `cost`: each rule by itself, judged from outside by what the engine asks of it too.
//!
//! INVARIANT: nothing is decided, recorded or written. What is measured is the public way of everybody: nothing is built into
//! the engine for it.
//!
//! It lacks the log and the output of `ordain eval`: they are not the policy's cost.

mod cost;
mod latency;
mod load;
mod memory;
mod throughput;

use std::num::NonZeroUsize;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use crate::clock::Stopwatch;
use crate::digest::Sha256Digest;
use crate::engine::request::{ProjectIdentity, Request, RequestError, RequestLimits};
use crate::engine::{Decision, Engine, Occasion};
use crate::name::Scope;

pub use cost::{Costs, PartCost, RuleCost};
pub use latency::Latency;
pub use load::{LoadTimes, Source, Spread};
pub use memory::{Memory, resident};
pub use throughput::Throughput;

/// The most requests that are measured; more would not fit the caches that real traffic fits.
pub const MAX_REQUESTS: usize = 100_000;
/// The most bytes of all requests together.
pub const MAX_BYTES: usize = 256 << 20;
/// How many of the slowest requests are told of.
const SLOWEST: usize = 10;

/// A request as it was given.
#[derive(Debug, Clone)]
pub struct Specimen {
    /// Where it stands, for people: `requests.jsonl:7`.
    pub name: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Says what identifies the project at a path of a request.
pub type Projects<'a> = &'a (dyn Fn(&str) -> ProjectIdentity + Sync);

/// Requests that were all read once without a problem.
#[derive(Debug)]
pub struct Requests {
    specimens: Vec<Specimen>,
    read: Vec<Request>,
}

impl Requests {
    /// Reads every one.
    ///
    /// # Errors
    /// The first that cannot be read, by its name.
    pub fn read(
        specimens: Vec<Specimen>,
        projects: Projects<'_>,
    ) -> Result<Self, (String, RequestError)> {
        let read = specimens.iter().map(|specimen| {
            parse(specimen, projects).map_err(|error| (specimen.name.clone(), error))
        });
        let read = read.collect::<Result<_, _>>()?;
        Ok(Self { specimens, read })
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.read.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.read.is_empty()
    }
}

fn parse(specimen: &Specimen, projects: Projects<'_>) -> Result<Request, RequestError> {
    Request::from_json_in(&specimen.bytes, &RequestLimits::default(), projects)
}

/// How to measure.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How long all of it may take, roughly; what must be done once is done however long it takes.
    pub time: Duration,
    /// The greatest number of threads.
    pub jobs: NonZeroUsize,
}

impl Plan {
    /// A part of the time, in hundredths.
    fn share(&self, hundredths: u32) -> Duration {
        self.time * hundredths / 100
    }
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What decides.
    pub policy: Subject,
    /// How many requests there are.
    pub requests: usize,
    /// The steps from bytes to engine.
    pub load: LoadTimes,
    /// The machine's memory that all this took; none where the system does not say.
    pub memory: Option<Memory>,
    /// What one reading of the clock costs, in nanoseconds; each measured evaluation holds one.
    pub timer_ns: f64,
    /// From a request that was read to its verdict.
    pub evaluate: Latency,
    /// From a request's bytes to its decision, with the fingerprint.
    pub decide: Latency,
    /// Requests in a second.
    pub throughput: Vec<Throughput>,
    /// What each rule costs.
    pub cost: Costs,
    /// The requests that take the longest to evaluate, each at its best.
    pub slowest: Vec<Slow>,
}

/// The policy that was measured.
#[derive(Debug, Serialize)]
pub struct Subject {
    /// The scope.
    pub scope: Scope,
    /// The effective policy's digest.
    pub digest: Sha256Digest,
    /// How many layers it has.
    pub layers: usize,
    /// How many rules they have.
    pub rules: usize,
    /// Whether a bundle that takes part was not signed.
    pub unsigned: bool,
}

/// A request that takes long.
#[derive(Debug, Serialize)]
pub struct Slow {
    /// Where it stands.
    pub request: String,
    /// How long it takes at its best, in nanoseconds.
    pub ns: u64,
}

/// Measures `engine` with `requests` at the moment `now`.
///
/// `load` and `memory` are what was found on the way to the engine.
#[must_use]
pub fn measure(
    engine: &Engine,
    requests: &Requests,
    projects: Projects<'_>,
    now: Timestamp,
    plan: &Plan,
    load: LoadTimes,
    memory: Option<Memory>,
) -> Report {
    let policy = engine.policy();
    let rules = policy.layers().iter().map(|layer| layer.rules.len());
    let subject = Subject {
        scope: policy.scope().clone(),
        digest: policy.digest(),
        layers: policy.layers().len(),
        rules: rules.sum(),
        unsigned: policy.is_unsigned(),
    };
    let timer = timer();
    let evaluate = |index: usize| {
        if let Some(request) = requests.read.get(index) {
            std::hint::black_box(engine.evaluate(request, now));
        }
    };
    let decide = |index: usize| {
        let request = requests.specimens.get(index);
        // Each was read before, so that none fails here.
        if let Some(Ok(request)) = request.map(|specimen| parse(specimen, projects)) {
            let occasion = Occasion::rehearsal(&request, now);
            std::hint::black_box(Decision::of(engine, &request, occasion));
        }
    };
    let count = requests.len();
    let (evaluated, best) = latency::measure(count, plan.share(25), evaluate);
    let (decided, _) = latency::measure(count, plan.share(20), decide);
    let throughput = vec![
        throughput::measure("evaluate", count, plan.jobs, plan.share(15), evaluate),
        throughput::measure("decide", count, plan.jobs, plan.share(15), decide),
    ];
    let cost = cost::measure(engine, &requests.read, now, timer, plan.share(20));
    Report {
        policy: subject,
        requests: count,
        load,
        memory,
        timer_ns: timer,
        evaluate: evaluated,
        decide: decided,
        throughput,
        cost,
        slowest: slowest(requests, &best),
    }
}

fn slowest(requests: &Requests, best: &[u32]) -> Vec<Slow> {
    let mut order: Vec<(&u32, &Specimen)> = best.iter().zip(&requests.specimens).collect();
    // Stable, so that equals stay in the order in which they were given.
    order.sort_by_key(|(ns, _)| std::cmp::Reverse(**ns));
    let slow = |(ns, specimen): (&u32, &Specimen)| Slow {
        request: specimen.name.clone(),
        ns: u64::from(*ns),
    };
    order.into_iter().take(SLOWEST).map(slow).collect()
}

/// What one reading of the clock costs, in nanoseconds.
fn timer() -> f64 {
    const READINGS: u32 = 1_000;
    let round = || {
        let whole = Stopwatch::start();
        for _ in 0..READINGS {
            std::hint::black_box(Stopwatch::start().elapsed());
        }
        // A measurement is a start and an end, of which about one half each lies within it.
        whole.elapsed().as_secs_f64() * 1e9 / f64::from(2 * READINGS)
    };
    let best = (0..5).map(|_| round()).fold(f64::INFINITY, f64::min);
    rounded(best)
}

/// To a tenth: what stands behind it is noise.
fn rounded(ns: f64) -> f64 {
    (ns * 10.0).round() / 10.0
}
