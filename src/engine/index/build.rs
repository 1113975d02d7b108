//! Building an index, in time linear in the rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::{Index, Kind, RuleNumber, Shape, Slot, Symbol, extended};
use crate::policy::{Key, Matcher, Wants, symbol};

/// The most keys of one shape.
const MAX_KEYS: usize = 6;
/// The most entries that a rule with several keys may take in its table.
const MAX_ENTRIES: usize = 16;
/// As many shapes as may well be looked up for each request.
const FEW_SHAPES: usize = 24;
/// A shape of fewer rules than this is worth no lookup of its own, where shapes are not few.
const WORTHWHILE: usize = 16;

/// A rule's key, with its slot.
struct Placed {
    slot: usize,
    symbols: Vec<Symbol>,
}

#[derive(Default)]
struct Slots<'a> {
    positions: HashMap<(&'a [String], Kind), usize>,
    slots: Vec<Slot>,
}

pub(super) fn index<'a>(rules: impl Iterator<Item = Option<&'a Matcher>>) -> Index {
    let mut slots = Slots::default();
    let mut always = Vec::new();
    let mut shapes: BTreeMap<Vec<usize>, Vec<(RuleNumber, Vec<Placed>)>> = BTreeMap::new();
    for (number, matcher) in (0..).zip(rules) {
        let Some(matcher) = matcher else { continue };
        let keys: Vec<Placed> = matcher.keys().iter().map(|key| slots.place(key)).collect();
        let keys = chosen(keys);
        if keys.is_empty() {
            always.push(number);
        } else {
            shapes
                .entry(shape_of(&keys))
                .or_default()
                .push((number, keys));
        }
    }
    let mut slots = slots.slots;
    if shapes.len() > FEW_SHAPES {
        shapes = merged(shapes, &slots);
    }
    for (_, keys) in shapes.values().flatten() {
        for key in keys {
            if let Some(slot) = slots.get_mut(key.slot) {
                slot.known.extend(&key.symbols);
            }
        }
    }
    let shapes = shapes.into_iter();
    Index {
        slots,
        shapes: shapes.map(|(slots, rules)| table(slots, rules)).collect(),
        always,
    }
}

impl<'a> Slots<'a> {
    fn place(&mut self, key: &Key<'a>) -> Placed {
        let (kind, symbols): (Kind, Vec<Symbol>) = match &key.wants {
            Wants::Texts(texts) => (Kind::Text, symbols(texts)),
            Wants::Prefixes(prefixes) => (Kind::Prefix, symbols(prefixes)),
            Wants::Items(items) => (Kind::Item, symbols(items)),
        };
        let next = self.slots.len();
        let slot = *self.positions.entry((key.path, kind)).or_insert(next);
        if slot == next {
            self.slots.push(Slot {
                path: key.path.clone(),
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

/// The keys that a rule is listed by: one for a slot, and as many as give few entries, the most selective first.
fn chosen(mut keys: Vec<Placed>) -> Vec<Placed> {
    keys.sort_by_key(|key| (key.slot, key.symbols.len()));
    keys.dedup_by_key(|key| key.slot);
    keys.sort_by_key(|key| (key.symbols.len(), key.slot));
    let mut entries = 1_usize;
    let mut count = 0;
    for key in keys.iter().take(MAX_KEYS) {
        entries = entries.saturating_mul(key.symbols.len());
        if count > 0 && entries > MAX_ENTRIES {
            break;
        }
        count += 1;
    }
    keys.truncate(count);
    keys.sort_by_key(|key| key.slot);
    keys
}

fn shape_of(keys: &[Placed]) -> Vec<usize> {
    keys.iter().map(|key| key.slot).collect()
}

/// The same rules in fewer shapes: those of which there are few are listed by one key, whose slot has the most to tell apart.
fn merged(
    shapes: BTreeMap<Vec<usize>, Vec<(RuleNumber, Vec<Placed>)>>,
    slots: &[Slot],
) -> BTreeMap<Vec<usize>, Vec<(RuleNumber, Vec<Placed>)>> {
    let mut values: Vec<HashSet<Symbol>> = slots.iter().map(|_| HashSet::new()).collect();
    for (_, keys) in shapes.values().flatten() {
        for key in keys {
            if let Some(values) = values.get_mut(key.slot) {
                values.extend(&key.symbols);
            }
        }
    }
    let told_apart = |key: &Placed| values.get(key.slot).map_or(0, HashSet::len);
    let mut merged: BTreeMap<Vec<usize>, Vec<(RuleNumber, Vec<Placed>)>> = BTreeMap::new();
    for (shape, rules) in shapes {
        if shape.len() == 1 || rules.len() >= WORTHWHILE {
            merged.entry(shape).or_default().extend(rules);
            continue;
        }
        for (number, keys) in rules {
            let best = keys
                .into_iter()
                .min_by_key(|key| (Reverse(told_apart(key)), key.symbols.len(), key.slot));
            let keys: Vec<Placed> = best.into_iter().collect();
            merged
                .entry(shape_of(&keys))
                .or_default()
                .push((number, keys));
        }
    }
    merged
}

fn table(slots: Vec<usize>, rules: Vec<(RuleNumber, Vec<Placed>)>) -> Shape {
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
    let mut table: HashMap<Symbol, (u32, u32), _> = HashMap::default();
    for (position, (sequence, _)) in (0_u32..).zip(&entries) {
        let range = table.entry(*sequence).or_insert((position, position));
        range.1 = position + 1;
    }
    table.shrink_to_fit();
    let mut rules: Vec<RuleNumber> = rules.into_iter().map(|(number, _)| number).collect();
    rules.sort_unstable();
    Shape {
        slots,
        table,
        listed: entries.into_iter().map(|(_, number)| number).collect(),
        rules,
    }
}
