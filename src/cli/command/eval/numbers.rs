//! Which numbers the records of a stream are going to have.
//!
//! A record's number is known once all before it are in the log. But nearly always the stream is all that is appended meanwhile, and
//! each of its requests has one record: so those who decide can tell the numbers, and leave little to the one who appends. A guess
//! that is wrong costs time, and nothing else.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::log::Log;

/// The number of the record of the stream's first request, as far as is known. Threads share it.
///
/// INVARIANT: there are none unless a log takes lines that are written for them.
#[derive(Debug)]
pub(super) struct Numbers(AtomicU64);

impl Numbers {
    /// Of a stream that goes to `log`; none where that takes no lines that others wrote.
    pub(super) fn of(log: &Log) -> Option<Self> {
        log.takes_lines().then(|| Self(AtomicU64::new(log.size())))
    }

    /// The number that the record of the request after `index` others is expected to have.
    pub(super) fn at(&self, index: u64) -> u64 {
        self.0.load(Ordering::Relaxed).wrapping_add(index)
    }

    /// Learns which number that record has.
    pub(super) fn learn(&self, index: u64, number: u64) {
        if self.at(index) != number {
            self.0.store(number.wrapping_sub(index), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_writer_moves_all_numbers_that_come() {
        let numbers = Numbers(AtomicU64::default());
        numbers.learn(0, 7);
        assert_eq!((numbers.at(0), numbers.at(256)), (7, 263));
        numbers.learn(256, 264);
        assert_eq!(numbers.at(512), 520);
        numbers.learn(1_000, 3);
        assert_eq!(numbers.at(1_001), 4);
    }
}
