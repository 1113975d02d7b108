//! Building an index, in time linear in the rules.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::iter;

use smallvec::SmallVec;

use super::asks::{Building, Place};
use super::known::Known;
use super::shapes::{self, Listed, Shapes};
use super::table::{Always, LANES, Lane, Lanes, Marks, Table};
use super::{Index, Kind, Pair, Shape, Slot, Symbol};
use crate::policy::{Cell, Key, Rule, Sought, Spread, Wants, symbol};

/// As many rules with keys as are held against each request one by one.
const FEW_RULES: usize = 64;

/// The number of kinds.
const KINDS: usize = Kind::Item as usize + 1;

/// A rule's key, with its slot.
pub(super) struct Placed {
    pub(super) slot: usize,
    pub(super) symbols: Symbols,
}

/// The symbols of what a key asks for, ascending.
type Symbols = SmallVec<[Symbol; 2]>;

/// A slot, and what all rules ask for there.
pub(super) struct Gathered {
    path: usize,
    kind: Kind,
    /// The lengths of prefixes, ascending.
    lengths: Vec<usize>,
    values: HashSet<Symbol, Spread>,
    /// How many keys are of it.
    keys: usize,
    /// Its place among the marks, which those have that most rules ask about.
    pub(super) lane: Option<Lane>,
    /// Whether a cell tells what a request has there.
    pub(super) is_told_by_cell: bool,
}

#[derive(Default)]
struct Slots {
    /// By the number of the path and by kind.
    positions: Vec<[Option<usize>; KINDS]>,
    slots: Vec<Gathered>,
}

/// Rules with their keys, which lie in one run.
struct KeyedRules {
    keys: Vec<Placed>,
    /// Where the keys of each rule end.
    rules: Vec<(Place, usize)>,
}

impl KeyedRules {
    fn with_room(rules: usize) -> Self {
        Self {
            keys: Vec::with_capacity(rules.saturating_mul(4)),
            rules: Vec::with_capacity(rules),
        }
    }

    fn iter(&self) -> impl Iterator<Item = (Place, &[Placed])> {
        let ends = self.rules.iter().map(|(_, end)| *end);
        let starts = iter::once(0).chain(ends);
        let rules = starts.zip(&self.rules);
        rules.filter_map(|(start, (place, end))| Some((*place, self.keys.get(start..*end)?)))
    }
}

pub(super) fn index(rules: &[Option<&Rule>]) -> Index {
    let mut slots = Slots::default();
    let mut keyed = KeyedRules::with_room(rules.len());
    let mut asks = Building::default();
    for (number, rule) in (0..).zip(rules) {
        let Some(rule) = rule else {
            continue;
        };
        let place = asks.push(number, rule);
        rule.matcher.keys(&mut |key| {
            let path = asks.paths.number(key.path);
            keyed.keys.extend(path.map(|path| slots.place(&key, path)));
        });
        keyed.rules.push((place, keyed.keys.len()));
    }
    let mut slots = slots.slots;
    let (asks, sought) = asks.done();
    let lanes = give_lanes(&mut slots, &sought);
    let (mut shapes, mut always) = shapes::of(keyed.iter(), &slots);
    take_smallest(&mut shapes, &slots, &mut always);
    let used = shapes
        .keys()
        .flat_map(|(first, second)| [Some(*first), *second]);
    let used: BTreeSet<usize> = used.flatten().collect();
    let looked_up = used.len();
    let mut order: Vec<usize> = used.iter().copied().collect();
    if !used.is_empty() {
        let marked = (0..).zip(&slots).filter(|(number, slot)| {
            slot.lane.is_some() && !slot.is_told_by_cell && !used.contains(number)
        });
        order.extend(marked.map(|(number, _)| number));
    }
    let new: HashMap<usize, usize> = order.iter().copied().zip(0..).collect();
    let mut slots: Vec<Option<Gathered>> = slots.into_iter().map(Some).collect();
    let slots = order.iter().filter_map(|old| slots.get_mut(*old)?.take());
    let slots = slots.map(Gathered::read_by_index).collect();
    let mut table = Table::default();
    let shapes = shapes.iter().map(|((first, second), rules)| {
        // INVARIANT: all of them are used.
        let slot = |old: &usize| new.get(old).copied().unwrap_or(usize::MAX);
        let pair = (slot(first), second.as_ref().map(slot));
        shape(pair, rules, &mut table)
    });
    let shapes = shapes.collect();
    table.shrink();
    Index {
        lanes,
        sought,
        asks,
        slots,
        looked_up,
        shapes,
        table,
        always: Always::new(always),
    }
}

/// Gives marks to the slots that most rules ask about.
fn give_lanes(slots: &mut [Gathered], sought: &Sought) -> Lanes {
    let mut order: Vec<&mut Gathered> = slots.iter_mut().collect();
    order.sort_by_key(|slot| Reverse(slot.keys));
    let marked = (0..).zip(order.into_iter().take(LANES));
    let paths = marked.map(|(lane, slot)| {
        slot.lane = Some(lane);
        let path = sought
            .path(slot.path)
            .filter(|path| path.cell() != Cell::NONE);
        let path = path.filter(|_| slot.kind == Kind::Text);
        slot.is_told_by_cell = path.is_some();
        path.cloned()
    });
    Lanes::new(paths.collect())
}

/// Moves the rules of the smallest shapes, as long as their marks tell them apart and they are few.
fn take_smallest(shapes: &mut Shapes, slots: &[Gathered], always: &mut Vec<(Marks, Place)>) {
    let is_told = |slot: usize| {
        let slot = slots.get(slot);
        slot.is_some_and(|slot| slot.is_told_by_cell)
    };
    let marked = shapes.iter();
    let marked =
        marked.filter(|((first, second), _)| is_told(*first) || second.is_some_and(is_told));
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

impl Slots {
    fn place(&mut self, key: &Key<'_>, path: u16) -> Placed {
        let path = usize::from(path);
        let (kind, symbols): (Kind, Symbols) = match &key.wants {
            Wants::Texts(texts) => (Kind::Text, symbols(texts)),
            Wants::Prefixes(prefixes) => (Kind::Prefix, symbols(prefixes)),
            Wants::Items(items) => (Kind::Item, symbols(items)),
        };
        if self.positions.len() <= path {
            self.positions.resize(path + 1, [None; KINDS]);
        }
        let next = self.slots.len();
        let known = self.positions.get_mut(path);
        let known = known.and_then(|kinds| kinds.get_mut(kind as usize));
        let number = known.map_or(next, |known| *known.get_or_insert(next));
        if number == next {
            self.slots.push(Gathered {
                path,
                kind,
                lengths: Vec::new(),
                values: HashSet::default(),
                keys: 0,
                lane: None,
                is_told_by_cell: false,
            });
        }
        if let Some(slot) = self.slots.get_mut(number) {
            slot.keys += 1;
            slot.values.extend(symbols.iter());
            if let Wants::Prefixes(prefixes) = &key.wants {
                for prefix in prefixes {
                    if let Err(place) = slot.lengths.binary_search(&prefix.len()) {
                        slot.lengths.insert(place, prefix.len());
                    }
                }
            }
        }
        Placed {
            slot: number,
            symbols,
        }
    }
}

fn symbols(texts: &[impl AsRef<str>]) -> Symbols {
    let mut symbols: Symbols = texts
        .iter()
        .map(|text| symbol(text.as_ref().as_bytes()))
        .collect();
    symbols.sort_unstable();
    symbols.dedup();
    symbols
}

impl Gathered {
    /// How much of the policy it tells apart: by how many values rules ask for, and how many of them a request has at once.
    pub(super) fn told_apart(&self) -> usize {
        match self.kind {
            Kind::Text => self.values.len(),
            Kind::Prefix => self.values.len() / 2,
            Kind::Item => self.values.len() / 4,
        }
    }

    /// About how many things a request has there that are looked up.
    pub(super) fn look_ups(&self) -> usize {
        match self.kind {
            Kind::Text => 1,
            Kind::Prefix => self.lengths.len(),
            Kind::Item => 4,
        }
    }

    fn read_by_index(self) -> Slot {
        Slot {
            lane: self.lane.filter(|_| !self.is_told_by_cell),
            path: self.path,
            kind: self.kind,
            known: Some(Known::new(self.values.into_iter())),
            lengths: self.lengths,
        }
    }
}

fn shape(slots: Pair, rules: &[Listed], table: &mut Table) -> Shape {
    let mut entries = Vec::with_capacity(rules.len());
    for rule in rules {
        shapes::sequences(rule.first, rule.second, |sequence| {
            entries.push((sequence, rule.place, rule.marks));
        });
    }
    let mut rules: Vec<Place> = rules.iter().map(|rule| rule.place).collect();
    rules.sort_unstable();
    Shape {
        slots,
        buckets: table.add(entries),
        rules,
    }
}
