//! Looking a request up.

use serde_json::Value;
use smallvec::SmallVec;

use super::{Candidates, Index, Kind, Shape, Slot, Symbol, extended, symbol};
use crate::policy::Facts;

/// What a request has in a slot.
#[derive(Debug)]
enum Has {
    /// Symbols that rules ask for: none where nothing stands there, or nothing that a rule knows.
    Symbols(SmallVec<[Symbol; 2]>),
    /// A value that a key says nothing of.
    Another,
}

impl Has {
    fn nothing() -> Self {
        Self::Symbols(SmallVec::new())
    }
}

/// What a request has in all slots, read when it is first asked for.
type Read = SmallVec<[Option<Has>; 12]>;

impl Index {
    /// The rules that might match, in evaluation order.
    pub(in crate::engine) fn candidates(&self, facts: &Facts<'_>) -> Candidates {
        let mut candidates = Candidates::from_slice(&self.always);
        let mut read: Read = self.slots.iter().map(|_| None).collect();
        for shape in &self.shapes {
            if self.read(shape, facts, &mut read) {
                shape.find(&read, &mut candidates);
            }
        }
        candidates.sort_unstable();
        candidates.dedup();
        candidates
    }

    /// Reads what `shape` needs; false as soon as one of its keys certainly does not hold.
    fn read(&self, shape: &Shape, facts: &Facts<'_>, read: &mut Read) -> bool {
        shape.slots.iter().all(|position| {
            let slot = self.slots.get(*position).zip(read.get_mut(*position));
            slot.is_none_or(|(slot, has)| {
                let has = has.get_or_insert_with(|| slot.read(facts));
                !matches!(has, Has::Symbols(symbols) if symbols.is_empty())
            })
        })
    }
}

impl Slot {
    fn read(&self, facts: &Facts<'_>) -> Has {
        match (self.kind, facts.at(&self.path)) {
            (_, Ok(None)) => Has::nothing(),
            (Kind::Text, Ok(Some(Value::String(text)))) => self.known([text.as_bytes()]),
            (Kind::Prefix, Ok(Some(Value::String(text)))) => {
                let beginnings = self.lengths.iter();
                self.known(beginnings.map_while(|length| text.as_bytes().get(..*length)))
            }
            (Kind::Item, Ok(Some(Value::Array(items)))) => {
                let is_nested =
                    |item: &Value| item.is_array() || item.is_object() || item.is_null();
                if items.iter().any(is_nested) {
                    return Has::Another;
                }
                self.known(items.iter().filter_map(Value::as_str).map(str::as_bytes))
            }
            (_, Ok(Some(_)) | Err(_)) => Has::Another,
        }
    }

    fn known<'a>(&self, texts: impl IntoIterator<Item = &'a [u8]>) -> Has {
        let symbols = texts.into_iter().map(symbol);
        let mut symbols: SmallVec<[Symbol; 2]> = symbols
            .filter(|symbol| self.known.contains(symbol))
            .collect();
        symbols.sort_unstable();
        symbols.dedup();
        Has::Symbols(symbols)
    }
}

impl Shape {
    /// Adds the rules whose keys all hold, of a request whose slots are read.
    fn find(&self, read: &Read, candidates: &mut Candidates) {
        let mut sequences: SmallVec<[Symbol; 8]> = SmallVec::from_elem(0, 1);
        for slot in &self.slots {
            let symbols = match read.get(*slot) {
                Some(Some(Has::Symbols(symbols))) => symbols,
                _ => return candidates.extend_from_slice(&self.rules),
            };
            // More lookups than rules.
            if sequences.len().saturating_mul(symbols.len()) > self.rules.len().max(1) {
                return candidates.extend_from_slice(&self.rules);
            }
            let mut longer = SmallVec::with_capacity(sequences.len() * symbols.len());
            for before in &sequences {
                longer.extend(symbols.iter().map(|next| extended(*before, *next)));
            }
            sequences = longer;
        }
        for sequence in sequences {
            let range = self.table.get(&sequence);
            let range = range.map(|(start, end)| *start as usize..*end as usize);
            let found = range.and_then(|range| self.listed.get(range));
            candidates.extend_from_slice(found.unwrap_or_default());
        }
    }
}
