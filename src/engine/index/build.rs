//! Building an index, in time linear in the rules.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use super::asks::Building;
use super::lead::Lead;
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

/// A rule with its keys.
struct Listed {
    number: RuleNumber,
    /// Those that it is listed by.
    keys: Vec<Placed>,
    /// All for one text each: slots and symbols, the most selective first.
    texts: Vec<(usize, Symbol)>,
}

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
            listed.push(Listed {
                number,
                keys,
                texts: Vec::new(),
            });
        }
    }
    let mut slots = slots.slots;
    let values = Values::of(&slots, &listed);
    let mut shapes: BTreeMap<Vec<usize>, Vec<Listed>> = BTreeMap::new();
    for mut rule in listed {
        rule.texts = values.single_texts(&slots, &rule.keys);
        rule.keys = values.chosen(rule.keys, MAX_KEYS);
        shapes.entry(shape_of(&rule.keys)).or_default().push(rule);
    }
    if shapes.len() > FEW_SHAPES {
        shapes = values.merged(shapes);
    }
    for rule in shapes.values().flatten() {
        let keys = rule.keys.iter();
        let keys = keys.flat_map(|key| key.symbols.iter().map(|symbol| (key.slot, *symbol)));
        for (slot, symbol) in keys.chain(rule.texts.iter().copied()) {
            if let Some(slot) = slots.get_mut(slot) {
                slot.known.insert(symbol);
            }
        }
    }
    for slot in &mut slots {
        slot.known.shrink_to_fit();
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
        for key in listed.iter().flat_map(|rule| &rule.keys) {
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

    /// Of keys, those for one text: slots and symbols, the most selective first.
    fn single_texts(&self, slots: &[Slot], keys: &[Placed]) -> Vec<(usize, Symbol)> {
        let is_text = |slot: usize| slots.get(slot).is_some_and(|slot| slot.kind == Kind::Text);
        let texts = keys.iter().filter(|key| is_text(key.slot));
        let texts = texts.filter_map(|key| match key.symbols.as_slice() {
            [symbol] => Some((key.slot, *symbol)),
            _ => None,
        });
        let mut texts: Vec<(usize, Symbol)> = texts.collect();
        texts.sort_by_key(|(slot, _)| Reverse(self.0.get(*slot).copied()));
        texts
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
            for mut rule in rules {
                rule.keys = self.chosen(rule.keys, 1);
                merged.entry(shape_of(&rule.keys)).or_default().push(rule);
            }
        }
        merged
    }
}

fn shape_of(keys: &[Placed]) -> Vec<usize> {
    keys.iter().map(|key| key.slot).collect()
}

fn table(slots: Vec<usize>, rules: Vec<Listed>) -> Shape {
    let mut entries: Vec<(Symbol, Lead)> = Vec::with_capacity(rules.len());
    for rule in &rules {
        let mut sequences: Vec<Symbol> = vec![0];
        for key in &rule.keys {
            let longer = sequences
                .iter()
                .flat_map(|before| key.symbols.iter().map(|next| extended(*before, *next)));
            sequences = longer.collect();
        }
        let others = rule.texts.iter().copied();
        let others = others.filter(|(slot, _)| !slots.contains(slot));
        let lead = Lead::new(rule.number, others);
        entries.extend(sequences.into_iter().map(|sequence| (sequence, lead)));
    }
    entries.sort_unstable();
    entries.dedup();
    let mut table: HashMap<Symbol, Askers, Spread> = HashMap::default();
    let mut several: Vec<Lead> = Vec::new();
    for of_one in entries.chunk_by(|left, right| left.0 == right.0) {
        let end = |several: &Vec<Lead>| u32::try_from(several.len()).unwrap_or(u32::MAX);
        match of_one {
            [] => {}
            [(sequence, lead)] => {
                table.insert(*sequence, Askers::One(*lead));
            }
            [(sequence, _), ..] => {
                let start = end(&several);
                several.extend(of_one.iter().map(|(_, lead)| *lead));
                table.insert(*sequence, Askers::Several(start, end(&several)));
            }
        }
    }
    table.shrink_to_fit();
    several.shrink_to_fit();
    let mut rules: Vec<RuleNumber> = rules.into_iter().map(|rule| rule.number).collect();
    rules.sort_unstable();
    Shape {
        slots,
        table,
        several,
        rules,
    }
}
