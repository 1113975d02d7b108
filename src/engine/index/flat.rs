//! An index as bytes, of which a lookup reads only what it needs.
//!
//! For each shape its rules stand as its [`Table`](super::Table) has them, and of its buckets every so many as one, since what is read
//! is whole chunks. All numbers are little-endian.
//!
//! ```text
//! lower half of the sequence, 4 bytes; rule, 4; marks, 8
//! ```

use std::ops::Range;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use super::lookup::Asked;
use super::table::{Lane, Lanes, Lead, Marks, bucket};
use super::{Index, Kind, Pair, Place, RuleNumber, Slot, Symbol};
use crate::policy::{Facts, RequestPath, Sought};

/// Rules, in evaluation order.
type Numbers = SmallVec<[RuleNumber; 32]>;

const LEAD: usize = 16;
const NUMBER: u64 = 4;

/// Where the tables of an index stand in a body of bytes.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::engine) struct Tables {
    /// For each lane of the marks the path whose cell tells it.
    lanes: Vec<Option<Vec<String>>>,
    pub(super) slots: Vec<StoredSlot>,
    pub(super) shapes: Vec<StoredShape>,
    /// Rules by their marks alone.
    always: Section,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredSlot {
    pub(super) path: Vec<String>,
    kind: Kind,
    lane: Option<Lane>,
    lengths: Vec<usize>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredShape {
    pub(super) slots: Pair,
    leads: Section,
    /// The first rule of each bucket, and the end of the last.
    buckets: Section,
    rules: Section,
}

fn write(lead: &Lead<RuleNumber>, body: &mut Vec<u8>) {
    let Lead { half, rule, marks } = lead;
    body.extend(half.to_le_bytes());
    body.extend(rule.to_le_bytes());
    body.extend(marks.0.to_le_bytes());
}

fn read_lead(bytes: &[u8; LEAD]) -> Option<Lead<RuleNumber>> {
    let (numbers, marks) = bytes.split_first_chunk::<8>()?;
    let [half, rule] = numbers.as_chunks().0 else {
        return None;
    };
    Some(Lead {
        half: u32::from_le_bytes(*half),
        rule: RuleNumber::from_le_bytes(*rule),
        marks: Marks(u64::from_le_bytes(*marks.first_chunk()?)),
    })
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
        Self::of_items(numbers.iter().map(|number| number.to_le_bytes()), body)
    }

    /// Writes items at the end of `body`.
    pub(in crate::engine) fn of_items<const N: usize>(
        items: impl ExactSizeIterator<Item = [u8; N]>,
        body: &mut Vec<u8>,
    ) -> Self {
        let section = Self {
            at: body.len() as u64,
            items: items.len() as u64,
        };
        body.extend(items.flatten());
        section
    }

    /// All of it as bytes.
    pub(in crate::engine) fn all_bytes(self, read: &mut ReadRange<'_>) -> Option<Vec<u8>> {
        read(self.at..self.at.checked_add(self.items)?)
    }

    /// The same as words.
    pub(super) fn all_words(self, read: &mut ReadRange<'_>) -> Option<Vec<u64>> {
        let bytes = self.items.checked_mul(8)?;
        let bytes = read(self.at..self.at.checked_add(bytes)?)?;
        let words = bytes.as_chunks().0.iter();
        Some(words.map(|word| u64::from_le_bytes(*word)).collect())
    }

    /// The same as numbers.
    pub(in crate::engine) fn all_numbers(
        self,
        read: &mut ReadRange<'_>,
    ) -> Option<Vec<RuleNumber>> {
        self.numbers(0, self.items, read)
    }

    /// How many items it has.
    pub(in crate::engine) fn items(self) -> u64 {
        self.items
    }

    /// The bytes that it takes as one of numbers; none where there are none so many.
    pub(in crate::engine) fn bytes_of_numbers(self) -> Option<u64> {
        self.items.checked_mul(NUMBER)
    }

    fn bytes_of_leads(self) -> Option<u64> {
        self.items.checked_mul(LEAD as u64)
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
        let place = |number: u64| self.at.checked_add(number.checked_mul(NUMBER)?);
        let bytes = read(place(first)?..place(first + count)?)?;
        let (numbers, rest) = bytes.as_chunks();
        rest.is_empty().then(|| {
            numbers
                .iter()
                .map(|bytes| u32::from_le_bytes(*bytes))
                .collect()
        })
    }
}

/// The leads from `start` to `end` of a section.
fn leads(
    section: Section,
    (start, end): (u64, u64),
    read: &mut ReadRange<'_>,
) -> Option<Vec<Lead<RuleNumber>>> {
    if end > section.items {
        return None;
    }
    let place = |position: u64| section.at.checked_add(position.checked_mul(LEAD as u64)?);
    let bytes = read(place(start)?..place(end)?)?;
    let (leads, rest) = bytes.as_chunks();
    if !rest.is_empty() {
        return None;
    }
    leads.iter().map(read_lead).collect()
}

impl StoredShape {
    pub(super) fn all_leads(&self, read: &mut ReadRange<'_>) -> Option<Vec<Lead<RuleNumber>>> {
        leads(self.leads, (0, self.leads.items), read)
    }

    pub(super) fn all_rules(&self, read: &mut ReadRange<'_>) -> Option<Vec<RuleNumber>> {
        self.rules.all_numbers(read)
    }

    /// The rules among which those with this sequence are.
    fn bucket(&self, sequence: Symbol, read: &mut ReadRange<'_>) -> Option<Vec<Lead<RuleNumber>>> {
        let buckets = usize::try_from(self.buckets.items).ok()?.checked_sub(1)?;
        let bounds = self
            .buckets
            .numbers(bucket(sequence, buckets) as u64, 2, read)?;
        let [start, end] = bounds.try_into().ok()?;
        leads(self.leads, (start.into(), end.into()), read)
    }
}

impl Index {
    fn numbers(&self, places: &[Place]) -> Vec<RuleNumber> {
        let places = places.iter();
        places.map(|place| self.asks.number(*place)).collect()
    }

    /// Writes the tables at the end of `body`.
    pub(in crate::engine) fn store(&self, body: &mut Vec<u8>) -> Tables {
        let slot = |slot: &Slot| StoredSlot {
            path: self
                .sought
                .path(slot.path)
                .map_or(Vec::new(), |path| path.to_vec()),
            kind: slot.kind,
            lane: slot.lane,
            lengths: slot.lengths.clone(),
        };
        let mut shapes = Vec::with_capacity(self.shapes.len());
        let mut starts = Vec::with_capacity(self.shapes.len());
        for shape in &self.shapes {
            let at = body.len() as u64;
            let leads = self.table.all(shape.buckets);
            for lead in leads {
                let lead = Lead {
                    half: lead.half,
                    rule: self.asks.number(lead.rule),
                    marks: lead.marks,
                };
                write(&lead, body);
            }
            let items = leads.len() as u64;
            starts.push(
                self.table
                    .merged_starts(shape.buckets)
                    .collect::<Vec<u32>>(),
            );
            shapes.push(StoredShape {
                slots: shape.slots,
                leads: Section { at, items },
                buckets: Section { at: 0, items: 0 },
                rules: Section::of_numbers(&self.numbers(&shape.rules), body),
            });
        }
        // Beside one another: most are read.
        for (shape, starts) in shapes.iter_mut().zip(starts) {
            shape.buckets = Section::of_numbers(&starts, body);
        }
        let at = body.len() as u64;
        let mut items = 0;
        for (marks, place) in self.always.iter() {
            let lead = Lead {
                half: 0,
                rule: self.asks.number(place),
                marks,
            };
            write(&lead, body);
            items += 1;
        }
        let lanes = self.lanes.paths.iter();
        let lanes = lanes.map(|path| path.as_ref().map(|path| path.to_vec()));
        Tables {
            lanes: lanes.collect(),
            slots: self.slots.iter().map(slot).collect(),
            shapes,
            always: Section { at, items },
        }
    }
}

impl Tables {
    /// The bytes that all of it takes; none where there are none so many.
    pub(in crate::engine) fn bytes(&self) -> Option<u64> {
        let shapes = self.shapes.iter().flat_map(|shape| {
            [
                shape.leads.bytes_of_leads(),
                shape.buckets.bytes_of_numbers(),
                shape.rules.bytes_of_numbers(),
            ]
        });
        shapes
            .chain([self.always.bytes_of_leads()])
            .try_fold(0_u64, |all, bytes| all.checked_add(bytes?))
    }

    pub(super) fn lanes(&self) -> Lanes {
        let lanes = self.lanes.iter().cloned();
        Lanes::new(lanes.map(|path| path.map(RequestPath::new)).collect())
    }

    /// The rules that are found by their marks alone.
    pub(super) fn always(&self, read: &mut ReadRange<'_>) -> Option<Vec<Lead<RuleNumber>>> {
        leads(self.always, (0, self.always.items), read)
    }

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
        let found = self.lanes().marks(facts);
        let mut asked = Asked::new(&slots, facts, &facts.seats(&sought), found);
        let always = self.always(read)?;
        let always = always.iter();
        let always = always.filter(|lead| lead.marks.may_hold(asked.marks));
        let mut found: Numbers = always.map(|lead| lead.rule).collect();
        for shape in &self.shapes {
            let rules = shape.rules.items;
            let mut sequences: SmallVec<[Symbol; 8]> = SmallVec::new();
            if asked
                .sequences(shape.slots, rules, |sequence| sequences.push(sequence))
                .is_err()
            {
                found.extend(shape.rules.numbers(0, rules, read)?);
            }
            for sequence in sequences {
                let leads = shape.bucket(sequence, read)?;
                let leads = leads.iter();
                let leads = leads.filter(|lead| lead.may_hold(sequence, asked.marks));
                found.extend(leads.map(|lead| lead.rule));
            }
        }
        found.sort_unstable();
        found.dedup();
        Some(found)
    }
}

impl StoredSlot {
    pub(super) fn at(self, path: usize) -> Slot {
        Slot {
            path,
            kind: self.kind,
            lane: self.lane,
            known: None,
            lengths: self.lengths,
        }
    }
}
