//! Looking a request up.

use std::hint::black_box;
use std::ops::BitXor;

use serde_json::Value;
use smallvec::SmallVec;

use super::table::{Bounds, Marks};
use super::{Candidates, Index, Judged, Kind, Pair, Place, Slot, Symbol, sequence};
use crate::policy::{Facts, Seats, Sought, Stands, symbol};

/// The most items of a list that are looked up one by one, whether or not they are the same.
const FEW_ITEMS: usize = 8;

/// What a request has in a slot.
#[derive(Debug, Clone, Copy)]
enum Has {
    /// Things that rules may ask for: from this one of all symbols on, so many.
    Symbols(u16, u16),
    /// A value that a key says nothing of.
    Another,
    /// What only the tree knows, which is not asked unless it must be.
    Unread,
}

/// What a request has in all slots.
type Symbols = SmallVec<[Symbol; 24]>;

/// What a request has where rules look.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    slots: &'a [Slot],
    facts: &'a Facts<'a>,
    sought: &'a Sought,
    has: SmallVec<[Has; 12]>,
    symbols: Symbols,
    pub(super) marks: Marks,
}

/// All rules of a shape are candidates.
#[derive(Debug, Clone, Copy)]
pub(super) struct All;

impl<'a> Asked<'a> {
    /// Reads what the leaves tell of the slots, of a request that has these marks at a glance.
    pub(super) fn new(
        slots: &'a [Slot],
        facts: &'a Facts<'a>,
        seats: &Seats<'_, 'a>,
        marks: Marks,
    ) -> Self {
        let mut asked = Self {
            slots,
            facts,
            sought: seats.sought(),
            has: SmallVec::new(),
            symbols: Symbols::new(),
            marks,
        };
        for slot in slots {
            let first = asked.symbols.len();
            let stands = match seats.text(slot.path) {
                Some((text, symbol)) => Stands::Text(text, symbol),
                // A list, mostly.
                None => seats.at(slot.path),
            };
            let has = match slot.read(stands, &mut asked.symbols) {
                Told::Read => asked.read_from(first),
                Told::Another => Has::Another,
                Told::Unread => Has::Unread,
            };
            if let (Some(lane), Has::Symbols(..)) = (slot.lane, has) {
                asked.marks.empty(lane);
                let found = asked.symbols.get(first..).unwrap_or_default();
                found.iter().for_each(|found| asked.marks.add(lane, *found));
            }
            asked.has.push(has);
        }
        asked
    }

    /// The symbols from `first` on.
    fn read_from(&self, first: usize) -> Has {
        let count = u16::try_from(self.symbols.len() - first);
        match (u16::try_from(first), count) {
            (Ok(first), Ok(count)) => Has::Symbols(first, count),
            _ => Has::Another,
        }
    }

    /// Asks the tree for what is not read in a slot yet.
    fn ask_tree(&mut self, position: usize) {
        let (Some(Has::Unread), Some(slot)) = (self.has.get(position), self.slots.get(position))
        else {
            return;
        };
        let first = self.symbols.len();
        let read = slot.read_tree(self.facts, self.sought, &mut self.symbols);
        let has = match read {
            Told::Read => self.read_from(first),
            Told::Another | Told::Unread => Has::Another,
        };
        if let Some(place) = self.has.get_mut(position) {
            *place = has;
        }
    }

    /// Gives `visit` what to look up for a shape of so many rules: nothing where one of its keys certainly does not hold.
    ///
    /// # Errors
    /// [`All`] where all of its rules are candidates: a key says nothing of a value, or there are more look-ups than rules.
    #[inline]
    pub(super) fn sequences(
        &mut self,
        pair: Pair,
        rules: u64,
        mut visit: impl FnMut(Symbol),
    ) -> Result<(), All> {
        if self.is_any(pair, Has::is_unread) {
            self.ask_tree_for(pair);
        }
        if self.is_any(pair, Has::is_empty) {
            return Ok(());
        }
        let (first, second) = pair;
        let first = self.in_slot(first);
        let second = second.map_or(Some([0].as_slice()), |second| self.in_slot(second));
        let (first, second) = first.zip(second).ok_or(All)?;
        let lookups = first.len().saturating_mul(second.len());
        if lookups > 1 && lookups as u64 > rules {
            return Err(All);
        }
        for first in first {
            for second in second {
                visit(sequence(*first, *second));
            }
        }
        Ok(())
    }

    /// Asks the tree for what is not read yet, unless what is read leaves nothing to look up.
    #[cold]
    fn ask_tree_for(&mut self, pair: Pair) {
        let (first, second) = pair;
        for position in [Some(first), second].into_iter().flatten() {
            if !self.is_any(pair, Has::is_empty) {
                self.ask_tree(position);
            }
        }
    }

    #[inline]
    fn is_any(&self, (first, second): Pair, is_so: impl Fn(Has) -> bool) -> bool {
        let is_so = |position: usize| self.has.get(position).copied().is_some_and(&is_so);
        is_so(first) || second.is_some_and(is_so)
    }

    /// What may be asked for in a slot; none where that is not told.
    #[inline]
    fn in_slot(&self, position: usize) -> Option<&[Symbol]> {
        match *self.has.get(position)? {
            Has::Symbols(first, count) => {
                let first = usize::from(first);
                self.symbols.get(first..first + usize::from(count))
            }
            Has::Another | Has::Unread => None,
        }
    }
}

impl Has {
    /// Whether it is known that there is nothing that is asked for.
    fn is_empty(self) -> bool {
        matches!(self, Self::Symbols(_, 0))
    }

    fn is_unread(self) -> bool {
        matches!(self, Self::Unread)
    }
}

impl Index {
    /// Adds the rules that might match, in evaluation order, and what is known of each.
    pub(in crate::engine) fn candidates(&self, facts: &Facts<'_>, candidates: &mut Candidates) {
        let seats = facts.seats(&self.sought);
        let found = self.lanes.marks(facts);
        let mut judge = |place: Place| {
            let (number, judged) = self.asks.judge(place, &seats);
            if judged != Judged::No {
                candidates.push((number, judged));
            }
        };
        if self.shapes.is_empty() {
            self.always.may_hold(found, judge);
            return;
        }
        for place in self.look_up(facts, &seats, found) {
            judge(place);
        }
    }

    /// The rules that a request with these marks might match, in order.
    #[inline(never)]
    fn look_up(
        &self,
        facts: &Facts<'_>,
        seats: &Seats<'_, '_>,
        found: Marks,
    ) -> SmallVec<[Place; 16]> {
        let slots = self.slots.get(..self.looked_up).unwrap_or_default();
        let mut asked = Asked::new(slots, facts, seats, found);
        let found = asked.marks;
        let mut places = SmallVec::new();
        self.always.may_hold(found, |place| places.push(place));
        // What is looked up lies anywhere in memory: all of it is fetched at once, and not when the last was judged.
        let mut lookups: SmallVec<[(Symbol, Bounds); 24]> = SmallVec::new();
        for shape in &self.shapes {
            let rules = shape.rules.len() as u64;
            let looked_up = asked.sequences(shape.slots, rules, |sequence| {
                if let Some(bounds) = self.table.bounds(shape.buckets, sequence) {
                    lookups.push((sequence, bounds));
                }
            });
            if looked_up.is_err() {
                places.extend_from_slice(&shape.rules);
            }
        }
        let touched = lookups.iter().map(|(_, bounds)| self.table.touch(*bounds));
        black_box(touched.fold(0, BitXor::bitxor));
        for (sequence, bounds) in &lookups {
            let leads = self.table.leads(*bounds).iter();
            for lead in leads.filter(|lead| lead.may_hold(*sequence, found)) {
                places.push(lead.rule);
            }
        }
        let touched = places.iter().map(|place| self.asks.touch(*place));
        black_box(touched.fold(0, BitXor::bitxor));
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// What comes of reading a slot.
enum Told {
    /// All that rules may ask for was added.
    Read,
    /// There is a value that a key says nothing of.
    Another,
    /// Only the tree knows.
    Unread,
}

impl Slot {
    /// Adds what rules may ask for, as far as a leaf tells.
    #[inline]
    fn read(&self, stands: Stands<'_>, symbols: &mut Symbols) -> Told {
        match (self.kind, stands) {
            (_, Stands::Nothing) => {}
            (Kind::Text, Stands::Text(_, symbol)) => self.add(symbol, symbols),
            (Kind::Prefix, Stands::Text(text, _)) => {
                self.add_beginnings(text.as_bytes(), symbols);
            }
            (Kind::Item, Stands::Texts(items)) => {
                self.add_items(items.iter().map(|(_, symbol)| symbol), symbols);
            }
            (Kind::Text | Kind::Prefix, Stands::Number(_) | Stands::Texts(_))
            | (Kind::Item, Stands::Text(..) | Stands::Number(_)) => return Told::Another,
            (_, Stands::Else) => return Told::Unread,
        }
        Told::Read
    }

    /// The same, of what the tree has.
    fn read_tree(&self, facts: &Facts<'_>, sought: &Sought, symbols: &mut Symbols) -> Told {
        let Some(path) = sought.path(self.path) else {
            return Told::Another;
        };
        match (self.kind, facts.at(path)) {
            (_, Ok(None)) => {}
            (Kind::Text, Ok(Some(Value::String(text)))) => {
                self.add(symbol(text.as_bytes()), symbols);
            }
            (Kind::Prefix, Ok(Some(Value::String(text)))) => {
                self.add_beginnings(text.as_bytes(), symbols);
            }
            (Kind::Item, Ok(Some(Value::Array(items)))) => {
                let is_nested =
                    |item: &Value| item.is_array() || item.is_object() || item.is_null();
                if items.iter().any(is_nested) {
                    return Told::Another;
                }
                let texts = items.iter().filter_map(Value::as_str);
                self.add_items(texts.map(|text| symbol(text.as_bytes())), symbols);
            }
            (_, Ok(Some(_)) | Err(_)) => return Told::Another,
        }
        Told::Read
    }

    #[inline]
    fn is_known(&self, symbol: Symbol) -> bool {
        self.known
            .as_ref()
            .is_none_or(|known| known.may_have(symbol))
    }

    #[inline]
    fn add(&self, symbol: Symbol, symbols: &mut Symbols) {
        if self.is_known(symbol) {
            symbols.push(symbol);
        }
    }

    fn add_beginnings(&self, text: &[u8], symbols: &mut Symbols) {
        let lengths = self.lengths.iter();
        for beginning in lengths.map_while(|length| text.get(..*length)) {
            self.add(symbol(beginning), symbols);
        }
    }

    /// Of many, each once.
    fn add_items(&self, items: impl Iterator<Item = Symbol>, symbols: &mut Symbols) {
        let first = symbols.len();
        for symbol in items {
            self.add(symbol, symbols);
        }
        if symbols.len() - first > FEW_ITEMS {
            let mut own: Vec<Symbol> = symbols.drain(first..).collect();
            own.sort_unstable();
            own.dedup();
            symbols.extend_from_slice(&own);
        }
    }
}
