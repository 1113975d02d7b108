//! Looking a request up.

use serde_json::Value;
use smallvec::SmallVec;

use super::lead::Lead;
use super::{Candidates, Index, Judged, Kind, RuleNumber, Slot, Symbol, extended};
use crate::policy::{Facts, Seats, Sought, Stands, symbol};

/// What a request has in a slot.
#[derive(Debug, Clone, Copy)]
pub(super) enum Has {
    /// Nothing, or nothing that a rule knows.
    Nothing,
    /// One thing that rules may ask for.
    One(Symbol),
    /// Things that rules may ask for, at least two, from this position of the symbols on and so many.
    Several(u16, u16),
    /// A value that a key says nothing of.
    Another,
}

/// What a request has in all slots, read when it is first asked for.
type Read = SmallVec<[Option<Has>; 12]>;

/// Symbols of all slots that have several.
type Symbols = SmallVec<[Symbol; 16]>;

/// Whether a slot tells what rules ask for in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    Known,
    Unknown,
}

/// What a request has where rules look.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    facts: &'a Facts<'a>,
    sought: &'a Sought,
    seats: Seats<'a>,
    has: Read,
    symbols: Symbols,
}

impl<'a> Asked<'a> {
    pub(super) fn new(facts: &'a Facts<'a>, sought: &'a Sought, slots: &[Slot]) -> Self {
        Self {
            seats: facts.seats(sought),
            has: SmallVec::from_elem(None, slots.len()),
            symbols: Symbols::new(),
            facts,
            sought,
        }
    }

    /// Gives `visit` what to look up for a shape of so many rules, until it says no: nothing where one of its keys certainly does
    /// not hold.
    ///
    /// # Errors
    /// [`All`] where all of its rules are candidates: a key says nothing of a value, or there are more lookups than rules.
    pub(super) fn sequences(
        &mut self,
        slots: &[Slot],
        shape: &[usize],
        rules: u64,
        known: Known,
        visit: &mut dyn FnMut(Symbol) -> Option<()>,
    ) -> Result<Option<()>, All> {
        let mut lookups = 1_u64;
        let mut is_another = false;
        for position in shape {
            match self.read(slots, *position, known) {
                Has::Nothing => return Ok(Some(())),
                Has::One(_) => {}
                Has::Several(_, count) => lookups = lookups.saturating_mul(u64::from(count)),
                Has::Another => is_another = true,
            }
        }
        if is_another || (lookups > 1 && lookups > rules) {
            return Err(All);
        }
        Ok(self.extend(0, shape, visit))
    }

    fn extend(
        &self,
        before: Symbol,
        shape: &[usize],
        visit: &mut dyn FnMut(Symbol) -> Option<()>,
    ) -> Option<()> {
        let Some((position, rest)) = shape.split_first() else {
            return visit(before);
        };
        match self.has.get(*position).copied().flatten() {
            Some(Has::One(next)) => self.extend(extended(before, next), rest, visit),
            Some(Has::Several(first, count)) => {
                let mut symbols = self.several(first, count).iter();
                symbols.try_for_each(|next| self.extend(extended(before, *next), rest, visit))
            }
            _ => Some(()),
        }
    }

    /// Whether something may stand in a slot that is so.
    pub(super) fn may_have(
        &mut self,
        slots: &[Slot],
        position: usize,
        known: Known,
        is_so: impl Fn(Symbol) -> bool,
    ) -> bool {
        match self.read(slots, position, known) {
            Has::Nothing => false,
            Has::One(found) => is_so(found),
            Has::Several(first, count) => {
                let symbols = self.several(first, count);
                symbols.iter().any(|found| is_so(*found))
            }
            Has::Another => true,
        }
    }

    fn several(&self, first: u16, count: u16) -> &[Symbol] {
        let first = usize::from(first);
        let symbols = self.symbols.get(first..first + usize::from(count));
        symbols.unwrap_or_default()
    }

    fn read(&mut self, slots: &[Slot], position: usize, known: Known) -> Has {
        let Some((slot, has)) = slots.get(position).zip(self.has.get_mut(position)) else {
            return Has::Another;
        };
        *has.get_or_insert_with(|| {
            let (facts, sought, seats) = (self.facts, self.sought, &self.seats);
            slot.read(known, facts, sought, seats, &mut self.symbols)
        })
    }
}

/// All rules of a shape are candidates.
#[derive(Debug, Clone, Copy)]
pub(super) struct All;

impl Index {
    /// The rules that might match, in evaluation order, and what is known of each.
    pub(in crate::engine) fn candidates(&self, facts: &Facts<'_>) -> Candidates {
        let unjudged = |numbers: &[RuleNumber], candidates: &mut Candidates| {
            candidates.extend(numbers.iter().map(|number| (*number, Judged::Unknown)));
        };
        let mut candidates = Candidates::new();
        unjudged(&self.always, &mut candidates);
        let mut asked = Asked::new(facts, &self.sought, &self.slots);
        let mut leads: SmallVec<[Lead; 16]> = SmallVec::new();
        for shape in &self.shapes {
            let rules = shape.rules.len() as u64;
            let looked_up = asked.sequences(
                &self.slots,
                &shape.slots,
                rules,
                Known::Known,
                &mut |sequence| {
                    if let Some(askers) = shape.table.get(&sequence) {
                        leads.extend_from_slice(shape.askers(askers));
                    }
                    Some(())
                },
            );
            if looked_up.is_err() {
                unjudged(&shape.rules, &mut candidates);
            }
        }
        for lead in leads {
            if lead.may_hold(&self.slots, Known::Known, &mut asked) {
                unjudged(&[lead.number], &mut candidates);
            }
        }
        candidates.sort_unstable_by_key(|(number, _)| *number);
        candidates.dedup();
        candidates.retain(|(number, judged)| {
            *judged = self.asks.judge(*number, &asked.seats);
            *judged != Judged::No
        });
        candidates
    }
}

impl Slot {
    fn read(
        &self,
        known: Known,
        facts: &Facts<'_>,
        sought: &Sought,
        seats: &Seats<'_>,
        symbols: &mut Symbols,
    ) -> Has {
        match (self.kind, seats.at(self.path)) {
            (_, Stands::Nothing) => return Has::Nothing,
            (Kind::Text, Stands::Text(_, symbol)) => return self.one(known, symbol),
            (Kind::Prefix, Stands::Text(text, _)) => return self.beginnings(known, text, symbols),
            (Kind::Item, Stands::Texts(items)) => {
                return self.several(known, items.iter().map(|(_, symbol)| symbol), symbols);
            }
            (Kind::Text | Kind::Prefix, Stands::Number(_) | Stands::Texts(_))
            | (Kind::Item, Stands::Text(..) | Stands::Number(_)) => return Has::Another,
            (_, Stands::Else) => {}
        }
        let Some(path) = sought.path(self.path) else {
            return Has::Another;
        };
        match (self.kind, facts.at(path)) {
            (_, Ok(None)) => Has::Nothing,
            (Kind::Text, Ok(Some(Value::String(text)))) => self.one(known, symbol(text.as_bytes())),
            (Kind::Prefix, Ok(Some(Value::String(text)))) => self.beginnings(known, text, symbols),
            (Kind::Item, Ok(Some(Value::Array(items)))) => {
                let is_nested =
                    |item: &Value| item.is_array() || item.is_object() || item.is_null();
                if items.iter().any(is_nested) {
                    return Has::Another;
                }
                let texts = items.iter().filter_map(Value::as_str);
                self.several(known, texts.map(|text| symbol(text.as_bytes())), symbols)
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

    fn beginnings(&self, known: Known, text: &str, symbols: &mut Symbols) -> Has {
        let lengths = self.lengths.iter();
        let beginnings = lengths.map_while(|length| text.as_bytes().get(..*length));
        self.several(known, beginnings.map(symbol), symbols)
    }

    fn several(
        &self,
        known: Known,
        found: impl Iterator<Item = Symbol>,
        symbols: &mut Symbols,
    ) -> Has {
        let first = symbols.len();
        symbols.extend(found.filter(|symbol| self.is_known(known, *symbol)));
        if symbols.len() > first + 1 {
            let mut own: Symbols = symbols.drain(first..).collect();
            own.sort_unstable();
            own.dedup();
            symbols.extend(own);
        }
        match symbols.get(first..).unwrap_or_default() {
            [] => Has::Nothing,
            [one] => Has::One(*one),
            several => match (u16::try_from(first), u16::try_from(several.len())) {
                (Ok(first), Ok(count)) => Has::Several(first, count),
                _ => Has::Another,
            },
        }
    }
}
