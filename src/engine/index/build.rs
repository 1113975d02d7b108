//! Building an index, in time linear in the rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::asks::Building;
use super::{Askers, Index, Kind, RuleNumber, Shape, Slot, Spread, Symbol, extended};
use crate::policy::{Key, Rule, Wants, symbol};

/// The most keys that a rule is listed by: two tell nearly all rules apart, and each more makes more shapes to look up.
const MAX_KEYS: usize = 2;
/// The most entries that a rule with several keys may take in its table.
const MAX_ENTRIES: usize = 16;
/// As many shapes as may well be looked up for each request.
const FEW_SHAPES: usize = 12;
/// A shape of fewer rules than this is worth no lookup of its own, where shapes are not few.
const WORTHWHILE: usize = 16;

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

type Listed = (RuleNumber, Vec<Placed>);

pub(super) fn index<'a>(rules: impl Iterator<Item = Option<&'a Rule>>) -> Index {
    let mut slots = Slots::default();
    let mut always = Vec::new();
    let mut listed: Vec<Listed> = Vec::new();
    let mut asks = Building::default();
    for (number, rule) in (0..).zip(rules) {
        asks.push(rule);
        let Some(rule) = rule else {
            continue;
        };
        let keys = rule.matcher.keys();
        let placed = keys.iter().filter_map(|key| {
            let path = asks.path(key.path)?;
            Some(slots.place(key, path))
        });
        let keys: Vec<Placed> = placed.collect();
        if keys.is_empty() {
            always.push(number);
        } else {
            listed.push((number, keys));
        }
    }
    let mut slots = slots.slots;
    let values = Values::of(&slots, &listed);
    let mut shapes: BTreeMap<Vec<usize>, Vec<Listed>> = BTreeMap::new();
    for (number, keys) in listed {
        let keys = values.chosen(keys, MAX_KEYS);
        shapes
            .entry(shape_of(&keys))
            .or_default()
            .push((number, keys));
    }
    if shapes.len() > FEW_SHAPES {
        shapes = values.merged(shapes);
    }
    for (_, keys) in shapes.values().flatten() {
        for key in keys {
            if let Some(slot) = slots.get_mut(key.slot) {
                slot.known.extend(&key.symbols);
            }
        }
    }
    let (asks, sought) = asks.done();
    let shapes = shapes.into_iter();
    Index {
        sought,
        asks,
        slots,
        shapes: shapes.map(|(slots, rules)| table(slots, rules)).collect(),
        always,
    }
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
                known: HashSet::default(),
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
    fn of(slots: &[Slot], listed: &[Listed]) -> Self {
        let mut values: Vec<HashSet<Symbol, Spread>> =
            slots.iter().map(|_| HashSet::default()).collect();
        for key in listed.iter().flat_map(|(_, keys)| keys) {
            if let Some(values) = values.get_mut(key.slot) {
                values.extend(&key.symbols);
            }
        }
        let told_apart = slots
            .iter()
            .zip(values)
            .map(|(slot, values)| match slot.kind {
                Kind::Text => values.len(),
                Kind::Prefix => values.len() / 2,
                Kind::Item => values.len() / 4,
            });
        Self(told_apart.collect())
    }

    /// The keys that a rule is listed by: `most` of them, the most selective, as long as they give few entries.
    fn chosen(&self, mut keys: Vec<Placed>, most: usize) -> Vec<Placed> {
        let selects = |key: &Placed| {
            let told_apart = self.0.get(key.slot).copied().unwrap_or_default();
            told_apart.saturating_mul(MAX_ENTRIES) / key.symbols.len().max(1)
        };
        keys.sort_by_key(|key| (Reverse(selects(key)), key.slot));
        let mut chosen: Vec<Placed> = Vec::with_capacity(most);
        let mut entries = 1_usize;
        for key in keys {
            entries = entries.saturating_mul(key.symbols.len());
            let is_free = chosen.iter().all(|other| other.slot != key.slot);
            if chosen.is_empty() || (is_free && entries <= MAX_ENTRIES && chosen.len() < most) {
                chosen.push(key);
            }
        }
        chosen.sort_by_key(|key| key.slot);
        chosen
    }

    /// The same rules in fewer shapes: those of which there are few are listed by one key alone.
    fn merged(
        &self,
        shapes: BTreeMap<Vec<usize>, Vec<Listed>>,
    ) -> BTreeMap<Vec<usize>, Vec<Listed>> {
        let mut merged: BTreeMap<Vec<usize>, Vec<Listed>> = BTreeMap::new();
        for (shape, rules) in shapes {
            if rules.len() >= WORTHWHILE {
                merged.entry(shape).or_default().extend(rules);
                continue;
            }
            for (number, keys) in rules {
                let keys = self.chosen(keys, 1);
                merged
                    .entry(shape_of(&keys))
                    .or_default()
                    .push((number, keys));
            }
        }
        merged
    }
}

fn shape_of(keys: &[Placed]) -> Vec<usize> {
    keys.iter().map(|key| key.slot).collect()
}

fn table(slots: Vec<usize>, rules: Vec<Listed>) -> Shape {
    let mut entries: Vec<(Symbol, RuleNumber)> = Vec::with_capacity(rules.len());
    for (number, keys) in &rules {
        let mut sequences: Vec<Symbol> = vec![0];
        for key in keys {
            let longer = sequences
                .iter()
                .flat_map(|before| key.symbols.iter().map(|next| extended(*before, *next)));
            sequences = longer.collect();
        }
        entries.extend(sequences.into_iter().map(|sequence| (sequence, *number)));
    }
    entries.sort_unstable();
    entries.dedup();
    let mut table: HashMap<Symbol, Askers, Spread> = HashMap::default();
    let mut several: Vec<RuleNumber> = Vec::new();
    for of_one in entries.chunk_by(|left, right| left.0 == right.0) {
        let end = |several: &Vec<RuleNumber>| u32::try_from(several.len()).unwrap_or(u32::MAX);
        match of_one {
            [] => {}
            [(sequence, number)] => {
                table.insert(*sequence, Askers::One(*number));
            }
            [(sequence, _), ..] => {
                let start = end(&several);
                several.extend(of_one.iter().map(|(_, number)| *number));
                table.insert(*sequence, Askers::Several(start, end(&several)));
            }
        }
    }
    table.shrink_to_fit();
    several.shrink_to_fit();
    let mut rules: Vec<RuleNumber> = rules.into_iter().map(|(number, _)| number).collect();
    rules.sort_unstable();
    Shape {
        slots,
        table,
        several,
        rules,
    }
}
