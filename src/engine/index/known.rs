//! The texts that rules ask for in a slot, nearly.
//!
//! Most of what a request has is asked for by nobody. That is told by one bit of few, without a branch that nobody could foresee.

use super::Symbol;

/// Bits for each text: of sixteen that are not known, one passes for it, which costs a look-up.
const BITS: usize = 16;

/// A set of symbols that may seem to hold others, too: a Bloom filter of one hash.
#[derive(Debug)]
pub(super) struct Known(Vec<u64>);

impl Known {
    /// The set of these, of which there are so many.
    pub(super) fn new(symbols: impl ExactSizeIterator<Item = Symbol>) -> Self {
        let words = (symbols.len() * BITS).div_ceil(64).next_power_of_two();
        let mut known = Self(vec![0; words]);
        for symbol in symbols {
            let at = known.word(symbol);
            if let Some(word) = known.0.get_mut(at) {
                *word |= Self::bit(symbol);
            }
        }
        known
    }

    /// The set of these bits; none where they are of no set.
    pub(super) fn of_words(words: Vec<u64>) -> Option<Self> {
        words.len().is_power_of_two().then_some(Self(words))
    }

    /// Its bits.
    pub(super) fn words(&self) -> &[u64] {
        &self.0
    }

    /// Whether it has the symbol, or seems to.
    #[inline]
    pub(super) fn may_have(&self, symbol: Symbol) -> bool {
        let word = self.0.get(self.word(symbol));
        word.is_some_and(|word| word & Self::bit(symbol) != 0)
    }

    #[inline]
    fn word(&self, symbol: Symbol) -> usize {
        // INVARIANT: the number of words is a power of two.
        let mask = self.0.len().saturating_sub(1);
        usize::try_from(symbol >> 32).unwrap_or_default() & mask
    }

    #[inline]
    fn bit(symbol: Symbol) -> u64 {
        1 << (symbol % 64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_is_found_and_most_else_is_not() {
        let spread = |number: u64| number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
        for count in [0_u32, 1, 3, 64, 1_000] {
            let known = Known::new((0..count).map(|number| spread(u64::from(number))));
            let is_in = |number: u32| known.may_have(spread(u64::from(number)));
            assert!((0..count).all(is_in));
            let others = 10_000..20_000_u32;
            let taken = others.filter(|number| is_in(*number));
            assert!(taken.count() < 2_000, "{count}");
        }
    }
}
