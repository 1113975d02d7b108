//! A rule as a table lists it: its number, and what else it asks for, so far as that fits beside it.
//!
//! Most rules that are found ask for something else besides, and fail by it: that is seen where they were found, and no
//! other memory is looked at.

use super::lookup::{Asked, Known};
use super::{RuleNumber, Slot, Symbol};

/// A rule, and up to two of its other keys for one text each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lead {
    pub(super) number: RuleNumber,
    /// The lower halves of the texts' symbols: where two are the same, a rule is looked at in vain.
    pub(super) halves: [u32; 2],
    /// Where the texts must stand; [`Lead::NO_SLOT`] where there is no key.
    pub(super) slots: [u16; 2],
}

impl Lead {
    /// In place of a slot: there is no key.
    pub(super) const NO_SLOT: u16 = u16::MAX;

    /// `others` are slots, and the symbols of what must stand there.
    pub(super) fn new(number: RuleNumber, others: impl Iterator<Item = (usize, Symbol)>) -> Self {
        let mut lead = Self {
            number,
            halves: [0; 2],
            slots: [Self::NO_SLOT; 2],
        };
        let others = others.filter_map(|(slot, symbol)| {
            let slot = u16::try_from(slot).ok();
            Some((slot.filter(|slot| *slot != Self::NO_SLOT)?, half(symbol)))
        });
        let places = lead.slots.iter_mut().zip(&mut lead.halves);
        for ((slot, half), other) in places.zip(others) {
            (*slot, *half) = other;
        }
        lead
    }

    /// Whether none of the other keys certainly fails.
    pub(super) fn may_hold(&self, slots: &[Slot], known: Known, asked: &mut Asked<'_>) -> bool {
        let others = self.slots.iter().zip(self.halves);
        let mut others = others.filter(|(slot, _)| **slot != Self::NO_SLOT);
        others.all(|(slot, wanted)| {
            let is_wanted = |found| half(found) == wanted;
            asked.may_have(slots, usize::from(*slot), known, is_wanted)
        })
    }
}

fn half(symbol: Symbol) -> u32 {
    let [a, b, c, d, ..] = symbol.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}
