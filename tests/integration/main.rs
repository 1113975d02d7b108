//! One binary for every test that needs more than pure code.

mod source;
mod support {
    pub(crate) mod repo;
    pub(crate) mod servers;
}
