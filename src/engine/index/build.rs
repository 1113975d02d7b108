//! Building an index, in time linear in the rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::asks::{Building, Place};
use super::known::Known;
use super::table::{Marks, Table};
use super::{Index, Kind, Pair, Shape, Slot, Symbol, sequence};
use crate::policy::{Key, Rule, Spread, Wants, symbol};

/// The most entries that a rule with several keys may take in its table.
const MAX_ENTRIES: usize = 16;
/// As many shapes as may well be looked up for each request.
const FEW_SHAPES: usize = 12;
/// A shape of fewer rules than this is worth no lookup of its own, where shapes are not few.
const WORTHWHILE: usize = 16;
/// As many rules with keys as are held against each request one by one.
const FEW_RULES: usize = 64;

/// A rule's key, with its slot.
struct Placed {
    slot: usize,
    symbols: Vec<Symbol>,
}

#[derive(Default)]
struct Slots {
    positions: HashMap<(u16, Kind), usize>,
    slots: Vec<Slot>,
}

/// A rule with the keys that it is listed by.
struct Listed {
    place: Place,
    first: Placed,
    second: Option<Placed>,
    /// What it asks for, by all of its keys.
    marks: Marks,
}

pub(super) fn index<'a>(rules: impl Iterator<Item = Option<&'a Rule>>) -> Index {
    let mut slots = Slots::default();
    let mut always = Vec::new();
    let mut keyed: Vec<(Place, Vec<Placed>)> = Vec::new();
    let mut asks = Building::default();
    for (number, rule) in (0..).zip(rules) {
        let Some(rule) = rule else {
            continue;
        };
        let place = asks.push(number, rule);
        let keys = rule.matcher.keys();
        let placed = keys.iter().filter_map(|key| {
            let path = asks.path(key.path)?;
            Some(slots.place(key, path))
        });
        keyed.push((place, placed.collect()));
    }
    let mut slots = slots.slots;
    let values = Values::of(&mut slots, &keyed);
    give_lanes(&mut slots, &keyed);
    let mut shapes: BTreeMap<Pair, Vec<Listed>> = BTreeMap::new();
    for (place, keys) in keyed {
        let marks = marks(&slots, &keys);
        let Some((first, second)) = values.chosen(keys) else {
            always.push((marks, place));
            continue;
        };
        let rule = Listed {
            place,
            first,
            second,
            marks,
        };
        shapes.entry(rule.shape()).or_default().push(rule);
    }
    take_smallest(&mut shapes, &slots, &mut always);
    if shapes.len() > FEW_SHAPES {
        shapes = values.merged(shapes);
    }
    let (asks, sought) = asks.done();
    let mut table = Table::default();
    let shapes = shapes.iter();
    let shapes = shapes
        .map(|(slots, rules)| shape(*slots, rules, &mut table))
        .collect();
    table.shrink();
    Index {
        sought,
        asks,
        slots,
        shapes,
        table,
        always,
    }
}

/// Moves the rules of the smallest shapes, as long as their marks tell them apart and they are few.
fn take_smallest(
    shapes: &mut BTreeMap<Pair, Vec<Listed>>,
    slots: &[Slot],
    always: &mut Vec<(Marks, Place)>,
) {
    let has_lane = |slot: usize| slots.get(slot).is_some_and(|slot| slot.lane.is_some());
    let marked = shapes.iter();
    let marked =
        marked.filter(|((first, second), _)| has_lane(*first) && second.is_none_or(has_lane));
    let mut by_size: Vec<(usize, Pair)> =
        marked.map(|(pair, rules)| (rules.len(), *pair)).collect();
    by_size.sort_unstable();
    let mut taken = 0;
    for (size, pair) in by_size {
        taken += size;
        if taken > FEW_RULES {
            break;
        }
        let rules = shapes.remove(&pair).unwrap_or_default();
        always.extend(rules.iter().map(|rule| (rule.marks, rule.place)));
    }
}

/// Gives marks to the slots that most rules ask about.
fn give_lanes(slots: &mut [Slot], keyed: &[(Place, Vec<Placed>)]) {
    let mut asked = vec![0_usize; slots.len()];
    for key in keyed.iter().flat_map(|(_, keys)| keys) {
        if let Some(asked) = asked.get_mut(key.slot) {
            *asked += 1;
        }
    }
    let mut order: Vec<usize> = (0..slots.len()).collect();
    order.sort_by_key(|slot| Reverse(asked.get(*slot).copied()));
    for (lane, slot) in (0..Marks::LANES).zip(order) {
        if let Some(slot) = slots.get_mut(slot) {
            slot.lane = u8::try_from(lane).ok();
        }
    }
}

/// What the keys of a rule ask for.
fn marks(slots: &[Slot], keys: &[Placed]) -> Marks {
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

impl Slots {
    fn place(&mut self, key: &Key<'_>, path: u16) -> Placed {
        let (kind, symbols): (Kind, Vec<Symbol>) = match &key.wants {
            Wants::Texts(texts) => (Kind::Text, symbols(texts)),
            Wants::Prefixes(prefixes) => (Kind::Prefix, symbols(prefixes)),
            Wants::Items(items) => (Kind::Item, symbols(items)),
        };
        let next = self.slots.len();
        let slot = *self.positions.entry((path, kind)).or_insert(next);
        if slot == next {
            self.slots.push(Slot {
                path: usize::from(path),
                kind,
                lane: None,
                known: None,
                lengths: Vec::new(),
            });
        }
        if let (Wants::Prefixes(prefixes), Some(slot)) = (&key.wants, self.slots.get_mut(slot)) {
            for prefix in prefixes {
                if let Err(place) = slot.lengths.binary_search(&prefix.len()) {
                    slot.lengths.insert(place, prefix.len());
                }
            }
        }
        Placed { slot, symbols }
    }
}

fn symbols(texts: &[impl AsRef<str>]) -> Vec<Symbol> {
    let mut symbols: Vec<Symbol> = texts
        .iter()
        .map(|text| symbol(text.as_ref().as_bytes()))
        .collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}

/// How much each slot tells apart: how many values rules ask for there, and how many a request has there at once.
struct Values(Vec<usize>);

impl Values {
    /// Counts the values of each slot, and has it know them.
    fn of(slots: &mut [Slot], keyed: &[(Place, Vec<Placed>)]) -> Self {
        let mut values: Vec<HashSet<Symbol, Spread>> =
            slots.iter().map(|_| HashSet::default()).collect();
        for key in keyed.iter().flat_map(|(_, keys)| keys) {
            if let Some(values) = values.get_mut(key.slot) {
                values.extend(&key.symbols);
            }
        }
        let told_apart = slots.iter_mut().zip(values).map(|(slot, values)| {
            slot.known = Some(Known::new(values.iter().copied()));
            match slot.kind {
                Kind::Text => values.len(),
                Kind::Prefix => values.len() / 2,
                Kind::Item => values.len() / 4,
            }
        });
        Self(told_apart.collect())
    }

    /// How much of the policy a key leaves out.
    fn selects(&self, key: &Placed) -> usize {
        let told_apart = self.0.get(key.slot).copied().unwrap_or_default();
        told_apart.saturating_mul(MAX_ENTRIES) / key.symbols.len().max(1)
    }

    /// The keys that a rule is listed by: the most selective, and another one, as long as they give few entries. Two tell nearly all
    /// rules apart, and each more would make more shapes to look up. None where there is no key.
    fn chosen(&self, mut keys: Vec<Placed>) -> Option<(Placed, Option<Placed>)> {
        keys.sort_by_key(|key| (Reverse(self.selects(key)), key.slot));
        let mut keys = keys.into_iter();
        let first = keys.next()?;
        let second = keys.find(|key| {
            let entries = first.symbols.len().saturating_mul(key.symbols.len());
            key.slot != first.slot && entries <= MAX_ENTRIES
        });
        Some(match second {
            Some(second) if second.slot < first.slot => (second, Some(first)),
            second => (first, second),
        })
    }

    /// The same rules in fewer shapes: those of which there are few are listed by one key alone.
    fn merged(&self, shapes: BTreeMap<Pair, Vec<Listed>>) -> BTreeMap<Pair, Vec<Listed>> {
        let mut merged: BTreeMap<Pair, Vec<Listed>> = BTreeMap::new();
        for (shape, rules) in shapes {
            if rules.len() >= WORTHWHILE {
                merged.entry(shape).or_default().extend(rules);
                continue;
            }
            for mut rule in rules {
                if let Some(second) = rule.second.take()
                    && self.selects(&second) > self.selects(&rule.first)
                {
                    rule.first = second;
                }
                merged.entry(rule.shape()).or_default().push(rule);
            }
        }
        merged
    }
}

impl Listed {
    fn shape(&self) -> Pair {
        let second = self.second.as_ref();
        (self.first.slot, second.map(|second| second.slot))
    }
}

fn shape(slots: Pair, rules: &[Listed], table: &mut Table) -> Shape {
    let mut entries = Vec::with_capacity(rules.len());
    for rule in rules {
        let second = rule.second.as_ref();
        let seconds = second.map_or([0].as_slice(), |second| second.symbols.as_slice());
        for first in &rule.first.symbols {
            let sequences = seconds.iter().map(|second| sequence(*first, *second));
            entries.extend(sequences.map(|sequence| (sequence, rule.place, rule.marks)));
        }
    }
    let mut rules: Vec<Place> = rules.iter().map(|rule| rule.place).collect();
    rules.sort_unstable();
    Shape {
        slots,
        buckets: table.add(entries),
        rules,
    }
}
