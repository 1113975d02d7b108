//! Cases that take more than files and a command.

use super::{Answer, hold};

/// A code, and what raises it.
pub(super) type Made = (&'static str, fn() -> Answer);

/// All of them.
pub(super) const CASES: &[Made] = &[];

#[test]
fn what_takes_more_than_files() {
    for (code, raise) in CASES {
        hold(code, &raise());
    }
}
