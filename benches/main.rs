//! What the steps cost, one module a step: `cargo bench request`, and so on for `check`, `engine`, `trust`, `log`.
//!
//! Figures compare within one run on one machine only. Steps that have a plain equivalent measure it beside themselves
//! (`sha256` of the same bytes, a buffered write of the same lines), so that the ratio is what is reported.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a benchmark that cannot go on should stop loudly"
)]

mod check;
mod engine;
mod log;
mod request;
mod trust;

fn main() {
    divan::main();
}

/// A moment for everything that takes one: after the examples were signed, before they expire.
fn now() -> jiff::Timestamp {
    "2026-12-01T00:00:00Z".parse().unwrap()
}
