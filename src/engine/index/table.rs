//! Rules by what they ask for in the slots of their shape.
//!
//! Those of a shape stand sorted by their sequences, in buckets: each holds the sequences of one part of their range, which are
//! spread evenly. A look-up reads its bucket, which tells of most sequences that no rule has them, and else where its rules begin,
//! side by side. Each has its marks beside it: most rules that are found ask for something else besides, and fail by it, and no
//! other memory is looked at for that.

use super::Symbol;
use super::asks::Place;
use crate::policy::{Cell, Facts, RequestPath, mark};

/// Buckets that are one where fewer are wanted, as in bytes that are read from a file.
pub(super) const MERGED: usize = 32;
/// Rules for each bucket, about.
const LOAD: usize = 2;

/// What a rule asks for in up to eight slots, or what a request has there: for each slot eight bits. Each text has one of the lower
/// seven. The highest is of what is asked of nobody: a request has it in every slot, and a rule where it does not ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Marks(pub(super) u64);

/// A slot's place among the marks.
pub(super) type Lane = u8;

/// As many slots have marks.
pub(super) const LANES: usize = 8;

/// Where a request's marks are told at a glance.
#[derive(Debug)]
pub(super) struct Lanes {
    /// For each lane the path of its slot, where the slot is of whole texts.
    pub(super) paths: Vec<Option<RequestPath>>,
    cells: [Cell; LANES],
}

impl Default for Lanes {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl Lanes {
    pub(super) fn new(paths: Vec<Option<RequestPath>>) -> Self {
        let mut cells = [Cell::NONE; LANES];
        for (cell, path) in cells.iter_mut().zip(&paths) {
            *cell = path.as_ref().map_or(Cell::NONE, RequestPath::cell);
        }
        Self { paths, cells }
    }

    /// What the request has there; in all other lanes, whatever is asked for may be there.
    #[inline]
    pub(super) fn marks(&self, facts: &Facts<'_>) -> Marks {
        Marks(u64::from_le_bytes(facts.marks(&self.cells)))
    }
}

impl Marks {
    /// A rule that does not ask.
    pub(super) const SILENT: Self = Self(u64::MAX);
    const LOW: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;

    fn place(lane: Lane) -> u64 {
        u64::from(lane) % LANES as u64 * 8
    }

    /// The rule asks for something in a slot.
    pub(super) fn ask(&mut self, lane: Lane) {
        self.0 &= !(0xFF << Self::place(lane));
    }

    /// In this lane a request has nothing, so far.
    pub(super) fn empty(&mut self, lane: Lane) {
        self.ask(lane);
        self.0 |= Self::HIGH & (0xFF << Self::place(lane));
    }

    /// It would do if this were there, or it is.
    #[inline]
    pub(super) fn add(&mut self, lane: Lane, symbol: Symbol) {
        self.0 |= u64::from(mark(symbol)) << Self::place(lane);
    }

    /// Whether in each slot there may be something that is asked for.
    #[inline]
    pub(super) fn may_hold(self, found: Self) -> bool {
        let both = self.0 & found.0;
        // No byte is zero (Warren, Hacker's Delight, 6-1).
        both.wrapping_sub(Self::LOW) & !both & Self::HIGH == 0
    }
}

/// Rules that are held against the marks of each request, one by one, in the order of the policy.
#[derive(Debug, Default)]
pub(super) struct Always {
    marks: Vec<Marks>,
    places: Vec<Place>,
}

impl Always {
    /// These rules, in any order.
    pub(super) fn new(mut rules: Vec<(Marks, Place)>) -> Self {
        rules.sort_unstable_by_key(|(_, place)| *place);
        let (marks, places) = rules.into_iter().unzip();
        Self { marks, places }
    }

    /// The rules, and what they ask for.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Marks, Place)> {
        self.marks.iter().copied().zip(self.places.iter().copied())
    }

    /// Those that may match a request that has this.
    #[inline]
    pub(super) fn may_hold(&self, found: Marks, mut visit: impl FnMut(Place)) {
        for (marks, place) in self.marks.iter().zip(&self.places) {
            if marks.may_hold(found) {
                visit(*place);
            }
        }
    }
}

/// A rule as a table lists it: by its place in memory, by its number in bytes that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Lead<R> {
    /// The lower half of the sequence: where two are the same, a rule is looked at in vain.
    pub(super) half: u32,
    pub(super) rule: R,
    /// What it asks for in all slots.
    pub(super) marks: Marks,
}

impl<R> Lead<R> {
    /// Whether it may match a request with these marks, that has this sequence.
    #[inline]
    pub(super) fn may_hold(&self, sequence: Symbol, found: Marks) -> bool {
        self.half == half(sequence) && self.marks.may_hold(found)
    }
}

#[inline]
fn half(sequence: Symbol) -> u32 {
    let [a, b, c, d, ..] = sequence.to_le_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// The rules of all shapes.
#[derive(Debug, Default)]
pub(super) struct Table {
    /// For each shape its buckets, and one more, where the last ends.
    buckets: Vec<Bucket>,
    leads: Vec<Lead<Place>>,
}

/// Rules whose sequences are near one another.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bucket {
    /// The first of them.
    pub(super) start: u32,
    /// A bit for each sequence that they have: a Bloom filter of one hash.
    pub(super) known: u32,
}

impl Bucket {
    #[inline]
    fn bit(sequence: Symbol) -> u32 {
        // Bits that tell neither buckets apart, nor the rules of one.
        1 << ((sequence >> 32) % 32)
    }
}

/// The buckets of a shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct Buckets {
    first: usize,
    count: usize,
}

impl Buckets {
    /// How many there are of a shape with so many entries.
    fn wanted(entries: usize) -> usize {
        entries.div_ceil(MERGED * LOAD).max(1) * MERGED
    }
}

/// The rules of a bucket, by where they stand.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Bounds {
    start: u32,
    end: u32,
}

impl Table {
    /// A table of parts that were kept, of shapes that have so many entries each, and the buckets of each; none where they are not what
    /// [`Self::add`] makes of as many.
    pub(super) fn of_parts(
        buckets: Vec<Bucket>,
        leads: Vec<Lead<Place>>,
        shapes: &[usize],
    ) -> Option<(Self, Vec<Buckets>)> {
        let (mut first, mut start) = (0, 0);
        let mut all = Vec::with_capacity(shapes.len());
        for entries in shapes {
            let end = start + entries;
            let count = Buckets::wanted(*entries);
            let own = buckets.get(first..=first + count)?;
            let starts = || own.iter().map(|bucket| bucket.start as usize);
            // SECURITY: no rule is in two buckets.
            let is_whole = starts().is_sorted()
                && starts().next() == Some(start)
                && starts().next_back() == Some(end);
            is_whole.then(|| all.push(Buckets { first, count }))?;
            (first, start) = (first + count + 1, end);
        }
        let is_all = first == buckets.len() && start == leads.len();
        is_all.then_some((Self { buckets, leads }, all))
    }

    /// The buckets of all shapes.
    pub(super) fn buckets(&self) -> &[Bucket] {
        &self.buckets
    }

    /// Adds the rules of a shape, each with a sequence and its marks.
    pub(super) fn add(&mut self, mut entries: Vec<(Symbol, Place, Marks)>) -> Buckets {
        entries.sort_unstable();
        entries.dedup();
        let first = self.buckets.len();
        let count = Buckets::wanted(entries.len());
        for (sequence, rule, marks) in entries {
            let own = first + bucket(sequence, count);
            self.begin(own + 1);
            self.leads.push(Lead {
                half: half(sequence),
                rule,
                marks,
            });
            if let Some(own) = self.buckets.get_mut(own) {
                own.known |= Bucket::bit(sequence);
            }
        }
        self.begin(first + count + 1);
        Buckets { first, count }
    }

    /// Has all buckets before this one, those that are new without rules.
    fn begin(&mut self, bucket: usize) {
        let start = self.end();
        let empty = Bucket { start, known: 0 };
        self.buckets.resize(bucket.max(self.buckets.len()), empty);
    }

    pub(super) fn shrink(&mut self) {
        self.buckets.shrink_to_fit();
        self.leads.shrink_to_fit();
    }

    fn end(&self) -> u32 {
        u32::try_from(self.leads.len()).unwrap_or(u32::MAX)
    }

    /// Where the rules are among which those with this sequence are; none where there certainly are none.
    #[inline]
    pub(super) fn bounds(&self, buckets: Buckets, sequence: Symbol) -> Option<Bounds> {
        let at = buckets.first + bucket(sequence, buckets.count);
        let [own, next] = self.buckets.get(at..)?.first_chunk()?;
        (own.known & Bucket::bit(sequence) != 0).then_some(Bounds {
            start: own.start,
            end: next.start,
        })
    }

    /// Fetches the first rule there, which will be wanted soon; the answer means nothing.
    #[inline]
    pub(super) fn touch(&self, bounds: Bounds) -> u32 {
        let lead = self.leads.get(bounds.start as usize);
        lead.map_or(0, |lead| lead.half)
    }

    /// The rules there.
    #[inline]
    pub(super) fn leads(&self, bounds: Bounds) -> &[Lead<Place>] {
        let leads = self.leads.get(bounds.start as usize..bounds.end as usize);
        leads.unwrap_or_default()
    }

    /// All rules of a shape, sorted by their sequences.
    pub(super) fn all(&self, Buckets { first, count }: Buckets) -> &[Lead<Place>] {
        let start = |at: usize| self.buckets.get(at).copied().unwrap_or_default().start;
        self.leads(Bounds {
            start: start(first),
            end: start(first + count),
        })
    }

    /// The first rule of each merged bucket of a shape, counted from its own first, and the end of the last.
    pub(super) fn merged_starts(&self, buckets: Buckets) -> impl Iterator<Item = u32> {
        let own = self.buckets.iter().skip(buckets.first);
        let starts = own.take(buckets.count + 1).map(|bucket| bucket.start);
        let first = self.buckets.get(buckets.first).copied();
        let first = first.unwrap_or_default().start;
        starts.step_by(MERGED).map(move |start| start - first)
    }
}

/// Which of so many buckets holds a sequence. Of a number of buckets divided by some other, it is the same divided.
#[inline]
pub(super) fn bucket(sequence: Symbol, buckets: usize) -> usize {
    let scaled = u128::from(sequence) * buckets as u128;
    usize::try_from(scaled >> 64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::asks::place;
    use super::*;

    /// What a request has that has nothing.
    fn nothing() -> Marks {
        let mut marks = Marks::SILENT;
        (0..8).for_each(|lane| marks.empty(lane));
        marks
    }

    #[test]
    fn marks_fail_by_any_slot() {
        let asks = |lanes: &[(Lane, Symbol)]| {
            let mut marks = Marks::SILENT;
            for (lane, _) in lanes {
                marks.ask(*lane);
            }
            for (lane, symbol) in lanes {
                marks.add(*lane, *symbol);
            }
            marks
        };
        let symbol = |bit: u64| bit << 16;
        let mut found = nothing();
        assert!(Marks::SILENT.may_hold(found));
        for lane in 0..7 {
            assert!(!asks(&[(lane, symbol(3))]).may_hold(found));
            found.add(lane, symbol(3));
        }
        found.add(6, symbol(5));
        for lane in 0..7 {
            assert!(asks(&[(lane, symbol(3))]).may_hold(found));
            assert!(!asks(&[(lane, symbol(4))]).may_hold(found));
            assert!(asks(&[(lane, symbol(4)), (lane, symbol(3))]).may_hold(found));
            assert!(!asks(&[(lane, symbol(3)), (7, symbol(1))]).may_hold(found));
            let any = Marks(found.0 | 0xFF << (8 * lane));
            assert!(asks(&[(lane, symbol(4))]).may_hold(any));
            let mut none = any;
            none.empty(lane);
            assert!(!asks(&[(lane, symbol(4))]).may_hold(none));
        }
        assert!(asks(&[(6, symbol(5))]).may_hold(found));
        assert!(Marks::SILENT.may_hold(found));
    }

    #[test]
    fn every_rule_is_in_the_bucket_of_its_sequence() {
        for count in [0_u32, 1, 2, 63, 64, 65, 1_000] {
            let spread = |number: u32| u64::from(number / 3).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let entry = |number| (spread(number), place(number), Marks::SILENT);
            let entries = (0..count).map(entry);
            let mut table = Table::default();
            table.add(vec![(7, place(7), Marks::SILENT)]);
            let buckets = table.add(entries.collect());
            table.add(vec![(7, place(7), Marks::SILENT)]);
            let starts: Vec<u32> = table.merged_starts(buckets).collect();
            for number in 0..count {
                let sequence = spread(number);
                let is_it = |lead: &&Lead<Place>| lead.may_hold(sequence, nothing());
                let bounds = table.bounds(buckets, sequence).unwrap_or_default();
                let found = table.leads(bounds).iter();
                let found = found
                    .filter(is_it)
                    .filter(|lead| lead.rule == place(number));
                assert_eq!(found.count(), 1);
                let merged = bucket(sequence, starts.len() - 1);
                let range = starts[merged] as usize..starts[merged + 1] as usize;
                let mut leads = table.all(buckets)[range].iter().filter(is_it);
                assert!(leads.any(|lead| lead.rule == place(number)));
            }
            assert_eq!(table.all(buckets).len(), count as usize);
        }
    }
}
