//! Memory that is used again: a stream of requests asks the system for none after its first moments.

use std::sync::Mutex;

/// The most bytes that something may hold and still be kept: one request or record that is out of the ordinary is not paid for
/// until the end.
const KEPT: usize = 1 << 20;

/// What holds memory.
pub(super) trait Reusable: Default {
    /// Bytes that it holds.
    fn capacity(&self) -> usize;
}

/// Things that nobody uses just now. Threads share them.
#[derive(Debug, Default)]
pub(super) struct Spare<T>(Mutex<Vec<T>>);

impl<T: Reusable> Spare<T> {
    /// One of them, as whoever used it last left it, or a new one.
    pub(super) fn take(&self) -> T {
        let kept = self.0.lock().ok().and_then(|mut kept| kept.pop());
        kept.unwrap_or_default()
    }

    /// Keeps one for others.
    pub(super) fn keep(&self, used: T) {
        if used.capacity() <= KEPT
            && let Ok(mut kept) = self.0.lock()
        {
            kept.push(used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Reusable for Vec<u8> {
        fn capacity(&self) -> usize {
            self.capacity()
        }
    }

    #[test]
    fn what_is_kept_comes_again_unless_it_is_large() {
        let spare = Spare::<Vec<u8>>::default();
        assert_eq!(spare.take().capacity(), 0);
        spare.keep(Vec::with_capacity(100));
        spare.keep(Vec::with_capacity(KEPT + 1));
        assert_eq!(spare.take().capacity(), 100);
        assert_eq!(spare.take().capacity(), 0);
    }
}
