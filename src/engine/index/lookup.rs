//! Looking a request up.

use serde_json::Value;
use smallvec::SmallVec;

use super::{Candidates, Index, Kind, RuleNumber, Slot, Symbol, extended};
use crate::policy::{Facts, Stands, symbol};

/// What a request has in a slot.
#[derive(Debug)]
pub(super) enum Has {
    /// Nothing, or nothing that a rule knows.
    Nothing,
    /// One thing that rules may ask for.
    One(Symbol),
    /// Things that rules may ask for, at least two.
    Several(Vec<Symbol>),
    /// A value that a key says nothing of.
    Another,
}

/// What a request has in all slots, read when it is first asked for.
pub(super) type Read = SmallVec<[Option<Has>; 12]>;

/// Whether a slot tells what rules ask for in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Known,
    Unknown,
}

impl Index {
    /// The rules that might match, in evaluation order.
    pub(in crate::engine) fn candidates(&self, facts: &Facts<'_>) -> Candidates {
        let mut candidates = Candidates::from_slice(&self.always);
        let mut has: Read = self.slots.iter().map(|_| None).collect();
        for shape in &self.shapes {
            if !read(&self.slots, &shape.slots, Known::Known, facts, &mut has) {
                continue;
            }
            match sequences(&shape.slots, &has, shape.rules.len() as u64) {
                None => candidates.extend_from_slice(&shape.rules),
                Some(sequences) => {
                    for sequence in sequences {
                        candidates.extend_from_slice(shape.listed(sequence));
                    }
                }
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates.retain(|number| self.others_may_hold(*number, facts, &mut has));
        candidates
    }

    /// Whether none of the rule's other keys certainly fails.
    fn others_may_hold(&self, number: RuleNumber, facts: &Facts<'_>, has: &mut Read) -> bool {
        self.others.of(number).iter().all(|(position, symbol)| {
            let position = *position as usize;
            let slot = self.slots.get(position).zip(has.get_mut(position));
            slot.is_none_or(|(slot, has)| {
                match has.get_or_insert_with(|| slot.read(Known::Known, facts)) {
                    Has::Nothing => false,
                    Has::One(found) => found == symbol,
                    Has::Several(found) => found.contains(symbol),
                    Has::Another => true,
                }
            })
        })
    }
}

/// Reads what a shape needs; false as soon as one of its keys certainly does not hold.
pub(super) fn read(
    slots: &[Slot],
    shape: &[usize],
    known: Known,
    facts: &Facts<'_>,
    has: &mut Read,
) -> bool {
    shape.iter().all(|position| {
        let slot = slots.get(*position).zip(has.get_mut(*position));
        slot.is_none_or(|(slot, has)| {
            let has = has.get_or_insert_with(|| slot.read(known, facts));
            !matches!(has, Has::Nothing)
        })
    })
}

/// What to look up for a shape whose slots are read; none where all of its rules are candidates: a key says nothing of a value,
/// or there are more lookups than rules.
pub(super) fn sequences(shape: &[usize], has: &Read, rules: u64) -> Option<SmallVec<[Symbol; 8]>> {
    let mut sequences: SmallVec<[Symbol; 8]> = SmallVec::from_elem(0, 1);
    for slot in shape {
        let symbols = match has.get(*slot) {
            Some(Some(Has::One(next))) => {
                for sequence in &mut sequences {
                    *sequence = extended(*sequence, *next);
                }
                continue;
            }
            Some(Some(Has::Several(symbols))) => symbols,
            _ => return None,
        };
        if sequences.len().saturating_mul(symbols.len()) as u64 > rules.max(1) {
            return None;
        }
        let longer = |before: &Symbol| {
            let before = *before;
            symbols.iter().map(move |next| extended(before, *next))
        };
        sequences = sequences.iter().flat_map(longer).collect();
    }
    Some(sequences)
}

impl Slot {
    pub(super) fn read(&self, known: Known, facts: &Facts<'_>) -> Has {
        match (self.kind, facts.stands(&self.path)) {
            (_, Stands::Nothing) => return Has::Nothing,
            (Kind::Text, Stands::Text(_, symbol)) => return self.one(known, symbol),
            (Kind::Prefix, Stands::Text(text, _)) => return self.beginnings(known, text),
            (Kind::Item, Stands::Text(..)) => return Has::Another,
            (_, Stands::Else) => {}
        }
        match (self.kind, facts.at(&self.path)) {
            (_, Ok(None)) => Has::Nothing,
            (Kind::Text, Ok(Some(Value::String(text)))) => self.one(known, symbol(text.as_bytes())),
            (Kind::Prefix, Ok(Some(Value::String(text)))) => self.beginnings(known, text),
            (Kind::Item, Ok(Some(Value::Array(items)))) => {
                let is_nested =
                    |item: &Value| item.is_array() || item.is_object() || item.is_null();
                if items.iter().any(is_nested) {
                    return Has::Another;
                }
                let texts = items.iter().filter_map(Value::as_str);
                self.symbols(known, texts.map(str::as_bytes))
            }
            (_, Ok(Some(_)) | Err(_)) => Has::Another,
        }
    }

    fn is_known(&self, known: Known, symbol: Symbol) -> bool {
        known == Known::Unknown || self.known.contains(&symbol)
    }

    fn one(&self, known: Known, symbol: Symbol) -> Has {
        if self.is_known(known, symbol) {
            Has::One(symbol)
        } else {
            Has::Nothing
        }
    }

    fn beginnings(&self, known: Known, text: &str) -> Has {
        let lengths = self.lengths.iter();
        let beginnings = lengths.map_while(|length| text.as_bytes().get(..*length));
        self.symbols(known, beginnings)
    }

    fn symbols<'a>(&self, known: Known, texts: impl IntoIterator<Item = &'a [u8]>) -> Has {
        let is_known = |symbol: &Symbol| self.is_known(known, *symbol);
        let mut symbols = texts.into_iter().map(symbol).filter(is_known);
        let Some(first) = symbols.next() else {
            return Has::Nothing;
        };
        let Some(second) = symbols.next() else {
            return Has::One(first);
        };
        let mut several = vec![first, second];
        several.extend(symbols);
        several.sort_unstable();
        several.dedup();
        match several.as_slice() {
            [one] => Has::One(*one),
            _ => Has::Several(several),
        }
    }
}
