//! Looking a request up.

use std::hint::black_box;
use std::ops::BitXor;

use serde_json::Value;
use smallvec::SmallVec;

use super::table::{Bounds, Marks};
use super::{Candidates, Index, Judged, Kind, Pair, Place, Slot, Symbol, sequence};
use crate::policy::{Facts, Seats, Sought, Stands, symbol};

/// The most items of a list that are looked up.
const MAX_ITEMS: usize = 64;

/// What a request has in a slot.
#[derive(Debug, Clone, Copy)]
enum Has {
    /// Things that rules may ask for: from this one of all symbols on, so many.
    Symbols(u16, u16),
    /// A value that a key says nothing of.
    Another,
}

/// What a request has in all slots.
type Symbols = SmallVec<[Symbol; 24]>;

/// What a request has where rules look.
#[derive(Debug)]
pub(super) struct Asked {
    has: SmallVec<[Has; 12]>,
    /// Those of all slots.
    symbols: Symbols,
    pub(super) marks: Marks,
}

/// All rules of a shape are candidates.
#[derive(Debug, Clone, Copy)]
pub(super) struct All;

impl Asked {
    pub(super) fn new() -> Self {
        Self {
            has: SmallVec::new(),
            symbols: SmallVec::new(),
            marks: Marks::EMPTY,
        }
    }

    /// Reads what the request has in the slots.
    pub(super) fn read(
        &mut self,
        slots: &[Slot],
        facts: &Facts<'_>,
        sought: &Sought,
        seats: &Seats<'_>,
    ) {
        for slot in slots {
            let first = self.symbols.len();
            let is_told = slot.read(facts, sought, seats, &mut self.symbols).is_some();
            let found = self.symbols.get(first..).unwrap_or_default();
            let has = match (u16::try_from(first), u16::try_from(found.len())) {
                (Ok(first), Ok(count)) if is_told => Has::Symbols(first, count),
                _ => Has::Another,
            };
            match (slot.lane, has) {
                (Some(lane), Has::Symbols(..)) => {
                    found.iter().for_each(|found| self.marks.add(lane, *found));
                }
                (Some(lane), Has::Another) => self.marks.add_all(lane),
                (None, _) => {}
            }
            self.has.push(has);
        }
    }

    /// Gives `visit` what to look up for a shape of so many rules: nothing where one of its keys certainly does not hold.
    ///
    /// # Errors
    /// [`All`] where all of its rules are candidates: a key says nothing of a value, or there are more look-ups than rules.
    pub(super) fn sequences(
        &self,
        (first, second): Pair,
        rules: u64,
        mut visit: impl FnMut(Symbol),
    ) -> Result<(), All> {
        let first = self.in_slot(first);
        let second = second.map_or(Some([0].as_slice()), |second| self.in_slot(second));
        let is_empty = |found: Option<&[Symbol]>| found.is_some_and(<[Symbol]>::is_empty);
        if is_empty(first) || is_empty(second) {
            return Ok(());
        }
        let (first, second) = first.zip(second).ok_or(All)?;
        let lookups = first.len().saturating_mul(second.len());
        if lookups > 1 && lookups as u64 > rules {
            return Err(All);
        }
        for first in first {
            second
                .iter()
                .for_each(|second| visit(sequence(*first, *second)));
        }
        Ok(())
    }

    /// What may be asked for in a slot; none where that is not told.
    fn in_slot(&self, position: usize) -> Option<&[Symbol]> {
        match *self.has.get(position)? {
            Has::Symbols(first, count) => {
                let first = usize::from(first);
                self.symbols.get(first..first + usize::from(count))
            }
            Has::Another => None,
        }
    }
}

impl Index {
    /// The rules that might match, in evaluation order, and what is known of each.
    pub(in crate::engine) fn candidates(&self, facts: &Facts<'_>) -> Candidates {
        let mut places: SmallVec<[Place; 16]> = SmallVec::from_slice(&self.always);
        let seats = facts.seats(&self.sought);
        let mut asked = Asked::new();
        asked.read(&self.slots, facts, &self.sought, &seats);
        // What is looked up lies anywhere in memory: all of it is fetched at once, and not when the last was judged.
        let mut lookups: SmallVec<[(Symbol, Bounds); 24]> = SmallVec::new();
        for shape in &self.shapes {
            let bounds = |sequence| (sequence, self.table.bounds(shape.buckets, sequence));
            let rules = shape.rules.len() as u64;
            let looked_up = asked.sequences(shape.slots, rules, |sequence| {
                lookups.push(bounds(sequence));
            });
            if looked_up.is_err() {
                places.extend_from_slice(&shape.rules);
            }
        }
        let touched = lookups.iter().map(|(_, bounds)| self.table.touch(*bounds));
        black_box(touched.fold(0, BitXor::bitxor));
        for (sequence, bounds) in &lookups {
            let leads = self.table.leads(*bounds).iter();
            for lead in leads.filter(|lead| lead.may_hold(*sequence, asked.marks)) {
                places.push(lead.rule);
            }
        }
        let touched = places.iter().map(|place| self.asks.touch(*place));
        black_box(touched.fold(0, BitXor::bitxor));
        places.sort_unstable();
        places.dedup();
        let mut candidates = Candidates::new();
        for place in &places {
            let (number, judged) = self.asks.judge(*place, &seats);
            if judged != Judged::No {
                candidates.push((number, judged));
            }
        }
        candidates
    }
}

impl Slot {
    /// Adds what rules may ask for; none where a key says nothing of the value.
    fn read(
        &self,
        facts: &Facts<'_>,
        sought: &Sought,
        seats: &Seats<'_>,
        symbols: &mut Symbols,
    ) -> Option<()> {
        match (self.kind, seats.at(self.path)) {
            (_, Stands::Nothing) => return Some(()),
            (Kind::Text, Stands::Text(_, symbol)) => return self.add(symbol, symbols),
            (Kind::Prefix, Stands::Text(text, _)) => return self.add_beginnings(text, symbols),
            (Kind::Item, Stands::Texts(items)) => {
                return self.add_items(items.iter().map(|(_, symbol)| symbol), symbols);
            }
            (Kind::Text | Kind::Prefix, Stands::Number(_) | Stands::Texts(_))
            | (Kind::Item, Stands::Text(..) | Stands::Number(_)) => return None,
            (_, Stands::Else) => {}
        }
        match (self.kind, facts.at(sought.path(self.path)?)) {
            (_, Ok(None)) => Some(()),
            (Kind::Text, Ok(Some(Value::String(text)))) => {
                self.add(symbol(text.as_bytes()), symbols)
            }
            (Kind::Prefix, Ok(Some(Value::String(text)))) => self.add_beginnings(text, symbols),
            (Kind::Item, Ok(Some(Value::Array(items)))) => {
                let is_nested =
                    |item: &Value| item.is_array() || item.is_object() || item.is_null();
                if items.iter().any(is_nested) {
                    return None;
                }
                let texts = items.iter().filter_map(Value::as_str);
                self.add_items(texts.map(|text| symbol(text.as_bytes())), symbols)
            }
            (_, Ok(Some(_)) | Err(_)) => None,
        }
    }

    fn is_known(&self, symbol: Symbol) -> bool {
        self.known
            .as_ref()
            .is_none_or(|known| known.may_have(symbol))
    }

    fn add(&self, symbol: Symbol, symbols: &mut Symbols) -> Option<()> {
        if self.is_known(symbol) {
            symbols.push(symbol);
        }
        Some(())
    }

    fn add_beginnings(&self, text: &str, symbols: &mut Symbols) -> Option<()> {
        let lengths = self.lengths.iter();
        let mut beginnings = lengths.map_while(|length| text.as_bytes().get(..*length));
        beginnings.try_for_each(|beginning| self.add(symbol(beginning), symbols))
    }

    /// Each of them once; none where they are too many.
    fn add_items(&self, items: impl Iterator<Item = Symbol>, symbols: &mut Symbols) -> Option<()> {
        let first = symbols.len();
        for symbol in items.filter(|symbol| self.is_known(*symbol)) {
            let own = symbols.get(first..).unwrap_or_default();
            if own.contains(&symbol) {
                continue;
            }
            if own.len() == MAX_ITEMS {
                return None;
            }
            symbols.push(symbol);
        }
        Some(())
    }
}
