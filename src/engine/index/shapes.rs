//! By which of its keys each rule is listed.
//!
//! A request is looked up once for each shape, and that is what most of the time goes into. So rules are listed by as few pairs of
//! slots as leave few rules to each sequence, and not each by the pair that tells most of it: whatever a look-up finds too much, rules'
//! marks tell, which stand beside one another (TupleMerge: Daly, Bruschi, Linguaglossa, Pontarelli, Rossi, Tollet, Torng, Yourtchenko
//! 2019). Marks that are told at a glance, that is: what else rules ask for is read where they are listed by it.
//!
//! 1. The pair, or the single slot, that lists most rules for each look-up, as long as it tells them apart, takes them; sequences that many
//!    rules share it leaves.
//! 2. The same of the rules that are left, until no pair takes more than some.
//! 3. The rest are listed by their most selective keys.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use smallvec::SmallVec;

use super::asks::Place;
use super::build::{Gathered, Placed};
use super::table::{LANES, Marks};
use super::{Pair, Symbol, sequence};
use crate::policy::Spread;

/// The most entries that a rule may take in its table.
const MAX_ENTRIES: usize = 16;
/// As many shapes as may well be looked up for each request, and as many pairs as are tried.
const FEW_SHAPES: usize = 12;
/// A shape of fewer rules than this is worth no lookup of its own, where shapes are not few.
const WORTHWHILE: usize = 16;
/// The most rules that a sequence may have in common, where other keys might tell them apart: side by side they are 4 KiB, and to hold
/// a request's marks against theirs is soon done beside looking up one more shape.
const CROWD: u32 = 256;
/// The most of them whose marks are the same: such a rule must be judged to be told from the others.
const ALIKE: u32 = 32;
/// How finely it is told how much keys select.
const FINE: usize = 16;

/// Rules by the slots that they are listed by.
pub(super) type Shapes<'a> = BTreeMap<Pair, Vec<Listed<'a>>>;

/// A rule with the keys that it is listed by.
pub(super) struct Listed<'a> {
    pub(super) place: Place,
    pub(super) first: &'a Placed,
    pub(super) second: Option<&'a Placed>,
    /// What it asks for, by all of its keys.
    pub(super) marks: Marks,
}

/// A rule that is not listed yet.
struct Keyed<'a> {
    place: Place,
    keys: &'a [Placed],
    marks: Marks,
}

/// All rules in their shapes, and those that have no key.
pub(super) fn of<'a>(
    rules: impl Iterator<Item = (Place, &'a [Placed])>,
    slots: &[Gathered],
) -> (Shapes<'a>, Vec<(Marks, Place)>) {
    let mut keyless = Vec::new();
    let mut left = Vec::new();
    for (place, keys) in rules {
        let marks = marks(slots, keys);
        if keys.is_empty() {
            keyless.push((marks, place));
        } else {
            left.push(Keyed { place, keys, marks });
        }
    }
    let told = told(slots);
    let mut shapes = Shapes::new();
    let mut tried = BTreeSet::new();
    while tried.len() < FEW_SHAPES
        && let Some(pair) = best(&left, slots, &tried)
    {
        tried.insert(pair);
        let (listed, rest) = divided(left, pair, told);
        if !listed.is_empty() {
            shapes.insert(pair, listed);
        }
        left = rest;
    }
    for rule in left {
        if let Some(rule) = rule.by_most_selective(slots) {
            shapes.entry(rule.shape()).or_default().push(rule);
        }
    }
    if shapes.len() > FEW_SHAPES {
        shapes = merged(shapes, slots);
    }
    (shapes, keyless)
}

/// The pair of slots with marks, or the single one, that lists most rules for each look-up; none where none lists enough that tells them
/// apart.
fn best(left: &[Keyed], slots: &[Gathered], tried: &BTreeSet<Pair>) -> Option<Pair> {
    let mut tallies = [[Tally::default(); LANES + 1]; LANES];
    let lane = |slot: usize| slots.get(slot)?.lane.map(usize::from);
    for rule in left {
        // However many keys it has, few are counted.
        let keys = rule.keys.iter().filter(|key| lane(key.slot).is_some());
        let keys: SmallVec<[&Placed; LANES]> = keys.take(LANES).collect();
        // By a single key go those that have no other: two tell more of what is read in vain.
        let alone = (keys.len() == 1).then_some(None);
        for (number, first) in keys.iter().enumerate() {
            let others = keys.iter().skip(number + 1);
            for second in others.map(|key| Some(*key)).chain(alone) {
                let Some((slot, other)) = in_order(first, second) else {
                    continue;
                };
                let lanes = lane(slot).zip(other.map_or(Some(LANES), lane));
                let tally = lanes.and_then(|(lane, other)| tallies.get_mut(lane)?.get_mut(other));
                let entries = entries(first, second);
                if let Some(tally) = tally.filter(|_| entries <= MAX_ENTRIES) {
                    tally.rules += 1;
                    tally.entries += entries;
                }
            }
        }
    }
    let mut slot_in = [None; LANES];
    for (number, slot) in slots.iter().enumerate() {
        let place = slot
            .lane
            .and_then(|lane| slot_in.get_mut(usize::from(lane)));
        if let Some(place) = place {
            *place = Some(number);
        }
    }
    let slot_in = |lane: usize| slot_in.get(lane).copied().flatten();
    let pairs = (0..LANES).flat_map(|lane| (0..=LANES).map(move |other| (lane, other)));
    let listing = pairs.filter_map(|(lane, other)| {
        let tally = tallies.get(lane)?.get(other)?;
        let pair = (slot_in(lane)?, slot_in(other));
        let among = |of: fn(&Gathered) -> usize| {
            let both = [Some(pair.0), pair.1].into_iter().flatten();
            let both = both.filter_map(|slot| slots.get(slot)).map(of);
            both.fold(1, usize::saturating_mul)
        };
        let is_worthwhile = tally.rules >= WORTHWHILE
            && tally.entries <= among(Gathered::told_apart)
            && !tried.contains(&pair);
        let for_each_look_up = tally.rules.saturating_mul(FINE) / among(Gathered::look_ups).max(1);
        is_worthwhile.then_some((for_each_look_up, Reverse(pair)))
    });
    listing.max().map(|(_, Reverse(pair))| pair)
}

/// How many rules have a pair of slots, and how many entries that makes.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    rules: usize,
    entries: usize,
}

/// The entries of a rule that is listed by these keys.
fn entries(first: &Placed, second: Option<&Placed>) -> usize {
    let seconds = second.map_or(1, |second| second.symbols.len());
    first.symbols.len().saturating_mul(seconds)
}

/// How much of the policy a key leaves out.
fn selects(key: &Placed, slots: &[Gathered]) -> usize {
    let told_apart = slots.get(key.slot).map_or(0, Gathered::told_apart);
    told_apart.saturating_mul(FINE) / key.symbols.len().max(1)
}

/// The slots of two keys in their order; none where they are the same.
fn in_order(first: &Placed, second: Option<&Placed>) -> Option<Pair> {
    match second {
        Some(second) if second.slot == first.slot => None,
        Some(second) if second.slot < first.slot => Some((second.slot, Some(first.slot))),
        second => Some((first.slot, second.map(|second| second.slot))),
    }
}

/// The lanes that a request's cells tell, as bits of marks.
fn told(slots: &[Gathered]) -> Marks {
    let mut others = Marks::SILENT;
    let told = slots.iter().filter(|slot| slot.is_told_by_cell);
    told.filter_map(|slot| slot.lane)
        .for_each(|lane| others.ask(lane));
    Marks(!others.0)
}

/// The rules that have the pair and share their sequences with few, and all others. Of rules that share one, these lanes tell some apart.
fn divided<'a>(left: Vec<Keyed<'a>>, pair: Pair, told: Marks) -> (Vec<Listed<'a>>, Vec<Keyed<'a>>) {
    let mut crowds: HashMap<Symbol, u32, Spread> =
        HashMap::with_capacity_and_hasher(left.len(), Spread::default());
    let mut alike: HashMap<Symbol, u32, Spread> =
        HashMap::with_capacity_and_hasher(left.len(), Spread::default());
    let with_marks = |of: Symbol, rule: &Keyed| sequence(of, rule.marks.0 & told.0);
    for rule in &left {
        let Some((first, second)) = rule.keys_of(pair) else {
            continue;
        };
        sequences(first, second, |sequence| {
            *crowds.entry(sequence).or_default() += 1;
            *alike.entry(with_marks(sequence, rule)).or_default() += 1;
        });
    }
    let (mut listed, mut rest) = (Vec::new(), Vec::new());
    for rule in left {
        let told_apart = rule.keys_of(pair).filter(|(first, second)| {
            let mut is_so = true;
            sequences(first, *second, |sequence| {
                let alike = alike.get(&with_marks(sequence, &rule));
                is_so &= crowds.get(&sequence).is_none_or(|crowd| *crowd <= CROWD)
                    && alike.is_none_or(|alike| *alike <= ALIKE);
            });
            is_so
        });
        match told_apart {
            Some(keys) => listed.push(rule.listed_by(keys)),
            None => rest.push(rule),
        }
    }
    (listed, rest)
}

/// All sequences of two keys, or of one.
pub(super) fn sequences(first: &Placed, second: Option<&Placed>, mut visit: impl FnMut(Symbol)) {
    let seconds = second.map_or([0].as_slice(), |second| second.symbols.as_slice());
    for first in &first.symbols {
        for second in seconds {
            visit(sequence(*first, *second));
        }
    }
}

impl<'a> Keyed<'a> {
    /// Its keys in the slots of a pair, where that makes few entries.
    fn keys_of(&self, (first, second): Pair) -> Option<(&'a Placed, Option<&'a Placed>)> {
        let key = |slot: usize| self.keys.iter().find(|key| key.slot == slot);
        let first = key(first)?;
        let second = match second {
            Some(second) => Some(key(second)?),
            None => None,
        };
        (entries(first, second) <= MAX_ENTRIES).then_some((first, second))
    }

    fn listed_by(&self, (first, second): (&'a Placed, Option<&'a Placed>)) -> Listed<'a> {
        Listed {
            place: self.place,
            first,
            second,
            marks: self.marks,
        }
    }

    /// Listed by the most selective key, and by another one, as long as they make few entries. None where there is no key.
    fn by_most_selective(&self, slots: &[Gathered]) -> Option<Listed<'a>> {
        let mut keys: SmallVec<[&Placed; LANES]> = self.keys.iter().collect();
        keys.sort_by_key(|key| (Reverse(selects(key, slots)), key.slot));
        let mut keys = keys.into_iter();
        let first = keys.next()?;
        let second =
            keys.find(|key| key.slot != first.slot && entries(first, Some(key)) <= MAX_ENTRIES);
        let (first, second) = match second {
            Some(second) if second.slot < first.slot => (second, Some(first)),
            second => (first, second),
        };
        Some(self.listed_by((first, second)))
    }
}

impl Listed<'_> {
    fn shape(&self) -> Pair {
        (self.first.slot, self.second.map(|second| second.slot))
    }
}

/// The same rules in fewer shapes: those of which there are few are listed by one key alone.
fn merged<'a>(shapes: Shapes<'a>, slots: &[Gathered]) -> Shapes<'a> {
    let mut merged = Shapes::new();
    for (shape, rules) in shapes {
        if rules.len() >= WORTHWHILE {
            merged.entry(shape).or_default().extend(rules);
            continue;
        }
        for mut rule in rules {
            if let Some(second) = rule.second.take()
                && selects(second, slots) > selects(rule.first, slots)
            {
                rule.first = second;
            }
            merged.entry(rule.shape()).or_default().push(rule);
        }
    }
    merged
}

/// What the keys of a rule ask for.
fn marks(slots: &[Gathered], keys: &[Placed]) -> Marks {
    let mut marks = Marks::SILENT;
    let lane = |key: &Placed| slots.get(key.slot).and_then(|slot| slot.lane);
    let keys = || keys.iter().filter_map(|key| Some((lane(key)?, key)));
    for (lane, _) in keys() {
        marks.ask(lane);
    }
    for (lane, key) in keys() {
        for symbol in &key.symbols {
            marks.add(lane, *symbol);
        }
    }
    marks
}
