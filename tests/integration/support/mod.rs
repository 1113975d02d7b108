//! What the tests stand on: a cleared environment, keys from fixed seeds, and output fit for snapshots.

pub(crate) mod agent;
pub(crate) mod disaster;
pub(crate) mod env;
pub(crate) mod keys;
pub(crate) mod naive;
pub(crate) mod organisation;
pub(crate) mod output;
pub(crate) mod policies;
pub(crate) mod random;
pub(crate) mod repo;
pub(crate) mod roots;
pub(crate) mod servers;
pub(crate) mod wire;

pub(crate) use env::TestEnv;
pub(crate) use output::Output;

use std::path::Path;

/// The root of the checkout that the tests were compiled from.
pub(crate) fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
