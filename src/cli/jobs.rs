//! `--jobs`: how many threads a command may use.

use std::num::NonZeroUsize;

/// The most threads: each has a stack of its own.
const MAX: usize = 1_024;

/// Reads the option's value.
pub(super) fn parse(text: &str) -> Result<NonZeroUsize, String> {
    let jobs: Option<NonZeroUsize> = text.parse().ok();
    jobs.filter(|jobs| jobs.get() <= MAX)
        .ok_or_else(|| format!("give a number from 1 to {MAX}"))
}
