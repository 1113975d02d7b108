//! One binary for every test that needs more than pure code.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod source;
mod support {
    pub(crate) mod repo;
    pub(crate) mod servers;
}
