//! From a request's bytes to a decision with its fingerprint, beside parsing those bytes and hashing them.

use std::hint::black_box;
use std::time::Instant;

use ordain::digest::Sha256Digest;
use ordain::engine::request::{Request, RequestLimits};
use ordain::engine::{Decision, Occasion};
use serde_json::Value;

use super::{interleaved, workload};

const REQUESTS: usize = 1_000;

pub(crate) fn to_decision(rounds: usize, is_measured: bool) {
    let sizes: &[usize] = if is_measured {
        &[10, 1_000, 10_000]
    } else {
        &[10]
    };
    for &rules in sizes {
        let engine = workload::engine(rules);
        let requests: Vec<Vec<u8>> = (0..REQUESTS)
            .map(|number| workload::request(number, rules).into_bytes())
            .collect();
        let limits = RequestLimits::default();
        let now = workload::now();
        let timing = interleaved(
            rounds,
            || {
                let started = Instant::now();
                for bytes in &requests {
                    let request = Request::from_json(black_box(bytes), &limits).unwrap();
                    let occasion = Occasion::rehearsal(&request, now);
                    black_box(Decision::of(&engine, &request, occasion));
                }
                started.elapsed()
            },
            || {
                let started = Instant::now();
                for bytes in &requests {
                    let value: Value = serde_json::from_slice(black_box(bytes)).unwrap();
                    black_box((value, Sha256Digest::of(bytes)));
                }
                started.elapsed()
            },
        );
        let label = format!("bytes to decision / JSON and SHA-256, {rules} rules");
        timing.print(&label, Some(2.0));
    }
}
