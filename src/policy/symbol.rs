//! Texts as numbers, by which most that differ are told apart at once.

use std::hash::{BuildHasher as _, BuildHasherDefault, Hasher};

/// A text as a number, which differs where texts differ, nearly always. The same in every process of one program on one kind of
/// machine: who keeps an index tells others apart.
#[must_use]
#[inline]
pub fn symbol(text: &[u8]) -> u64 {
    foldhash::quality::FixedState::with_seed(0).hash_one(text)
}

/// How maps take symbols, which are spread already, and addresses.
pub type Spread = BuildHasherDefault<AsItIs>;

/// A hasher that takes a symbol as it is.
#[derive(Debug, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = symbol(bytes);
    }

    /// An address, whose lowest bits and highest ones tell little.
    fn write_usize(&mut self, address: usize) {
        let spread = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.write_u64(spread);
    }

    // Maps take their groups from the low bits and their tags from the high ones.
    fn write_u32(&mut self, symbol: u32) {
        self.0 = (u64::from(symbol) << 32) | u64::from(symbol);
    }

    fn write_u64(&mut self, symbol: u64) {
        self.0 = symbol ^ (symbol >> 29);
    }
}
