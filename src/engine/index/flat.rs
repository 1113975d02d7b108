//! An index as bytes, of which a lookup reads only what it needs.
//!
//! For each shape, its entries stand sorted, twelve bytes each: a symbol and the number of a rule, both little-endian.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::lookup::{All, Asked, Known};
use super::{Index, Kind, RuleNumber, Slot, Symbol};
use crate::policy::{Facts, RequestPath, Sought};

/// Rules, in evaluation order.
type Numbers = smallvec::SmallVec<[RuleNumber; 32]>;

const ENTRY: u64 = 12;
const NUMBER: u64 = 4;

/// Where the tables of an index stand in a body of bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::engine) struct Tables {
    slots: Vec<StoredSlot>,
    shapes: Vec<StoredShape>,
    always: Section,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredSlot {
    path: Vec<String>,
    kind: Kind,
    lengths: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredShape {
    slots: Vec<usize>,
    entries: Section,
    rules: Section,
}

/// Items of one size, one after the other.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::engine) struct Section {
    at: u64,
    items: u64,
}

/// Reads a range of the body; none where it cannot be had as it was written.
pub(in crate::engine) type ReadRange<'a> = dyn FnMut(Range<u64>) -> Option<Vec<u8>> + 'a;

impl Section {
    pub(in crate::engine) fn of_numbers(numbers: &[RuleNumber], body: &mut Vec<u8>) -> Self {
        let at = body.len() as u64;
        for number in numbers {
            body.extend(number.to_le_bytes());
        }
        Self {
            at,
            items: numbers.len() as u64,
        }
    }

    /// The numbers from `first` on, `count` of them.
    pub(in crate::engine) fn numbers(
        self,
        first: u64,
        count: u64,
        read: &mut ReadRange<'_>,
    ) -> Option<Vec<RuleNumber>> {
        if first.checked_add(count)? > self.items {
            return None;
        }
        let at = self.at + first * NUMBER;
        let bytes = read(at..at + count * NUMBER)?;
        let (numbers, rest) = bytes.as_chunks();
        rest.is_empty().then(|| {
            numbers
                .iter()
                .map(|bytes| u32::from_le_bytes(*bytes))
                .collect()
        })
    }

    fn entry(self, position: u64, read: &mut ReadRange<'_>) -> Option<(Symbol, RuleNumber)> {
        let at = self.at + position * ENTRY;
        let bytes = read(at..at + ENTRY)?;
        let (symbol, number) = bytes.split_first_chunk()?;
        Some((
            Symbol::from_le_bytes(*symbol),
            RuleNumber::from_le_bytes(number.try_into().ok()?),
        ))
    }

    /// Adds the rules of all entries with this symbol.
    fn find(self, wanted: Symbol, read: &mut ReadRange<'_>, found: &mut Numbers) -> Option<()> {
        let (mut low, mut high) = (0, self.items);
        while low < high {
            let middle = low.midpoint(high);
            if self.entry(middle, read)?.0 < wanted {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        for position in low..self.items {
            let (symbol, number) = self.entry(position, read)?;
            if symbol != wanted {
                break;
            }
            found.push(number);
        }
        Some(())
    }
}

impl Index {
    /// Writes the tables at the end of `body`.
    pub(in crate::engine) fn store(&self, body: &mut Vec<u8>) -> Tables {
        let slot = |slot: &Slot| StoredSlot {
            path: self
                .sought
                .path(slot.path)
                .map_or(Vec::new(), |path| path.to_vec()),
            kind: slot.kind,
            lengths: slot.lengths.clone(),
        };
        let shapes = self.shapes.iter().map(|shape| {
            let mut entries: Vec<(Symbol, RuleNumber)> = Vec::with_capacity(shape.listed.len());
            for (symbol, (start, end)) in &shape.table {
                let listed = shape.listed.get(*start as usize..*end as usize);
                entries.extend(
                    listed
                        .unwrap_or_default()
                        .iter()
                        .map(|number| (*symbol, *number)),
                );
            }
            entries.sort_unstable();
            let at = body.len() as u64;
            for (symbol, number) in &entries {
                body.extend(symbol.to_le_bytes());
                body.extend(number.to_le_bytes());
            }
            let items = entries.len() as u64;
            StoredShape {
                slots: shape.slots.clone(),
                entries: Section { at, items },
                rules: Section::of_numbers(&shape.rules, body),
            }
        });
        let shapes = shapes.collect();
        Tables {
            slots: self.slots.iter().map(slot).collect(),
            shapes,
            always: Section::of_numbers(&self.always, body),
        }
    }
}

impl Tables {
    /// The rules that might match, in evaluation order; none where the body cannot be read.
    pub(in crate::engine) fn candidates(
        &self,
        facts: &Facts<'_>,
        read: &mut ReadRange<'_>,
    ) -> Option<Numbers> {
        let paths = self
            .slots
            .iter()
            .map(|slot| RequestPath::new(slot.path.clone()));
        let sought = Sought::new(paths);
        let slots = self.slots.iter().enumerate();
        let slots: Vec<Slot> = slots.map(|(path, slot)| slot.clone().at(path)).collect();
        let mut asked = Asked::new(facts, &sought, &slots);
        let mut found = Numbers::from_vec(self.always.numbers(0, self.always.items, read)?);
        for shape in &self.shapes {
            let rules = shape.rules.items;
            let looked_up = asked.sequences(
                &slots,
                &shape.slots,
                rules,
                Known::Unknown,
                &mut |sequence| shape.entries.find(sequence, read, &mut found),
            );
            match looked_up {
                Ok(read) => read?,
                Err(All) => found.extend(shape.rules.numbers(0, rules, read)?),
            }
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }
}

impl StoredSlot {
    fn at(self, path: usize) -> Slot {
        Slot {
            path,
            kind: self.kind,
            known: Default::default(),
            lengths: self.lengths,
        }
    }
}
