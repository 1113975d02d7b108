//! An index as bytes, of which a lookup reads only what it needs.
//!
//! For each shape, its entries stand sorted: a symbol, the number of a rule, and up to two of the rule's other keys, so that a rule
//! which does not match is left alone mostly, as [`Index::candidates`] does. Symbols are spread evenly, so entries are found by
//! buckets: each holds the symbols of one part of their range, and few entries. All numbers are little-endian.
//!
//! ```text
//! symbol, 8 bytes; rule, 4; lower half of a key's symbol, 4, twice; its slot, 2, twice, or 65535 for no key
//! ```

use std::ops::Range;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::lead::Lead;
use super::lookup::{All, Asked, Known};
use super::{Index, Kind, RuleNumber, Slot, Symbol};
use crate::policy::{Facts, RequestPath, Sought};

/// Rules, in evaluation order.
type Numbers = SmallVec<[RuleNumber; 32]>;

const ENTRY: usize = 24;
const NUMBER: u64 = 4;
/// As many entries share a bucket.
const BUCKET: usize = 64;

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
    /// The first entry of each bucket, and the end of the last.
    buckets: Section,
    rules: Section,
}

/// What stands in a table for a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    symbol: Symbol,
    lead: Lead,
}

impl Entry {
    fn write(&self, body: &mut Vec<u8>) {
        let Lead {
            number,
            halves,
            slots,
        } = self.lead;
        body.extend(self.symbol.to_le_bytes());
        body.extend(number.to_le_bytes());
        for half in halves {
            body.extend(half.to_le_bytes());
        }
        for slot in slots {
            body.extend(slot.to_le_bytes());
        }
    }

    fn read(bytes: &[u8; ENTRY]) -> Option<Self> {
        let (symbol, rest) = bytes.split_first_chunk()?;
        let (numbers, rest) = rest.split_first_chunk::<12>()?;
        let [number, first, second] = numbers.as_chunks().0 else {
            return None;
        };
        let [slot, other] = rest.as_chunks().0 else {
            return None;
        };
        Some(Self {
            symbol: Symbol::from_le_bytes(*symbol),
            lead: Lead {
                number: RuleNumber::from_le_bytes(*number),
                halves: [first, second].map(|half| u32::from_le_bytes(*half)),
                slots: [slot, other].map(|slot| u16::from_le_bytes(*slot)),
            },
        })
    }
}

/// Which of so many buckets holds a symbol; of a greater one, none before it.
fn bucket(symbol: Symbol, buckets: u64) -> u64 {
    let scaled = (u128::from(symbol) * u128::from(buckets)) >> 64;
    u64::try_from(scaled).unwrap_or_default()
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
}

impl StoredShape {
    /// All entries with the symbol `wanted`.
    fn find(&self, wanted: Symbol, read: &mut ReadRange<'_>) -> Option<Vec<Entry>> {
        let buckets = self.buckets.items.checked_sub(1)?;
        let bounds = self.buckets.numbers(bucket(wanted, buckets), 2, read)?;
        let [start, end] = bounds.try_into().ok()?;
        let (start, end) = (u64::from(start), u64::from(end));
        if end > self.entries.items {
            return None;
        }
        let place = |position: u64| self.entries.at.checked_add(position * ENTRY as u64);
        let bytes = read(place(start)?..place(end)?)?;
        let (entries, rest) = bytes.as_chunks();
        if !rest.is_empty() {
            return None;
        }
        let from = entries.partition_point(|entry| symbol_of(entry) < wanted);
        let entries = entries.iter().skip(from);
        let found = entries.take_while(|entry| symbol_of(entry) == wanted);
        found.map(Entry::read).collect()
    }
}

fn symbol_of(entry: &[u8; ENTRY]) -> Symbol {
    let symbol = entry.first_chunk().copied();
    Symbol::from_le_bytes(symbol.unwrap_or_default())
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
        let mut shapes = Vec::with_capacity(self.shapes.len());
        let mut starts = Vec::with_capacity(self.shapes.len());
        for shape in &self.shapes {
            let mut entries: Vec<Entry> = Vec::with_capacity(shape.rules.len());
            for (symbol, askers) in &shape.table {
                let askers = shape.askers(askers).iter();
                entries.extend(askers.map(|lead| Entry {
                    symbol: *symbol,
                    lead: *lead,
                }));
            }
            entries.sort_unstable();
            let at = body.len() as u64;
            for entry in &entries {
                entry.write(body);
            }
            let items = entries.len() as u64;
            starts.push(buckets_of(&entries));
            shapes.push(StoredShape {
                slots: shape.slots.clone(),
                entries: Section { at, items },
                buckets: Section { at: 0, items: 0 },
                rules: Section::of_numbers(&shape.rules, body),
            });
        }
        // Beside one another: most are read.
        for (shape, starts) in shapes.iter_mut().zip(starts) {
            shape.buckets = Section::of_numbers(&starts, body);
        }
        Tables {
            slots: self.slots.iter().map(slot).collect(),
            shapes,
            always: Section::of_numbers(&self.always, body),
        }
    }
}

/// The first of `entries` in each bucket, and their end.
fn buckets_of(entries: &[Entry]) -> Vec<RuleNumber> {
    let buckets = entries.len().div_ceil(BUCKET).max(1) as u64;
    let start = |number: u64| {
        let start = entries.partition_point(|entry| bucket(entry.symbol, buckets) < number);
        u32::try_from(start).unwrap_or(u32::MAX)
    };
    (0..=buckets).map(start).collect()
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
            let mut entries: Vec<Entry> = Vec::new();
            let looked_up = asked.sequences(
                &slots,
                &shape.slots,
                rules,
                Known::Unknown,
                &mut |sequence| {
                    entries.extend(shape.find(sequence, read)?);
                    Some(())
                },
            );
            match looked_up {
                Ok(whole) => whole?,
                Err(All) => found.extend(shape.rules.numbers(0, rules, read)?),
            }
            for entry in entries {
                if entry.lead.may_hold(&slots, Known::Unknown, &mut asked) {
                    found.push(entry.lead.number);
                }
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
