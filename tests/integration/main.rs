//! The one integration binary: the built program, real files, real Git.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a test that cannot go on should stop loudly, and takes time and environment as it pleases"
)]

mod acme;
mod architecture;
mod bad_input;
mod bench;
mod catalog;
mod compiled;
mod conditions;
mod delegation;
mod diagnostics;
mod docs;
mod doctor;
mod examples;
mod explain;
mod foreign;
mod fuzz_smoke;
mod generated;
mod git_signatures;
mod interop;
mod invariants;
mod keys;
mod log;
mod log_tampering;
mod mended;
mod operators;
mod policy;
mod policy_diff;
mod policy_tools;
mod pull;
mod readme;
mod resolution;
mod resolution_properties;
mod schemas;
mod shell_corpus;
mod source;
mod support;
mod transfer;
mod trust_init;
mod trust_model;
mod trust_rotate;
mod unordered_overrides;
mod vectors;
mod waivers;
