//! The commands, one module a noun.

use std::path::PathBuf;

use super::env::Environment;

pub(crate) mod bench;
pub(crate) mod bundle;
pub(crate) mod doctor;
pub(crate) mod eval;
pub(crate) mod explain;
pub(crate) mod key;
pub(crate) mod log;
pub(crate) mod policy;
pub(crate) mod request;
pub(crate) mod trust;

/// What every command gets.
#[derive(Debug)]
pub(crate) struct Context {
    /// The program's surroundings.
    pub(crate) env: Environment,
    /// `--config`.
    pub(crate) config: Option<PathBuf>,
}
