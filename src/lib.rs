#![doc = include_str!("../README.md")]
//!
//! ## The library
//!
//! Data flows one way, and each step's output type is the only input that the next step accepts:
//!
//! ```text
//! Git ─fetch→ FetchedBundle ─verify→ VerifiedBundle ─validate→ Layer ─resolve→ EffectivePolicy ─compile→ Engine
//!                                              request ─normalize→ Request ─evaluate→ Decision ─append→ log
//! ```
//!
//! An arrow test (`tests/integration/architecture.rs`) keeps the imports pointing down.

pub mod atomic;
pub mod bundle;
pub mod cli;
pub mod clock;
pub mod config;
pub mod diag;
pub mod digest;
pub mod engine;
pub mod json;
pub mod lockfile;
pub mod log;
pub mod name;
pub mod pipeline;
pub mod policy;
pub mod resolve;
pub mod schema;
pub mod source;
pub mod trust;
pub mod yaml;
