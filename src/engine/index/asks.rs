//! What each rule asks of leaves, rule after rule as bytes.
//!
//! A rule lies in many pieces, and a large policy's are not in the processor's caches: what is asked of candidates is mostly answered
//! from here, the rule unseen. All that is asked for a rule stands together, so that looking at it waits for memory once.
//!
//! ```text
//! rule      number, 4 bytes; 1 if it asks for more than this, 1; how many asks follow, 1
//! ask       number of a path, 2; kind, 1; more, 1; what the kind asks for
//! texts     more: how many; each: length, 1; bytes
//! around    more: 1 if slashes may stand between; what stands before and after, each: length, 1; bytes
//! form      position in the list of forms, 4
//! number    more: position in the list of orders; number, 8
//! ```
//!
//! INVARIANT: [`Judged::Yes`] and [`Judged::No`] are what [`Rule::matches`] says.

use super::RuleNumber;
use super::paths::PathNumbers;
use crate::policy::{
    Around, Ask, Exactly, Items, KeptForm, Order, Rest, Rule, Seats, Sought, Stands, Text, same,
};

/// The bytes of a line of memory.
const LINE: usize = 64;

/// Bytes from which on it is only noted of a rule that it has to be asked: a place has room for more.
const FULL: usize = 1 << 31;

/// A rule by where what it asks for stands: of two rules, the earlier one's is before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(u32);

/// What rules ask for.
#[derive(Debug, Default)]
pub(super) struct Asks {
    bytes: Vec<u8>,
    forms: Vec<KeptForm>,
    orders: Vec<Order>,
}

/// The kinds of asks, by the bytes that stand for them.
mod kind {
    pub(super) const ONE_OF: u8 = 0;
    pub(super) const HOLDING: u8 = 1;
    pub(super) const AROUND: u8 = 2;
    pub(super) const LIKE: u8 = 3;
    pub(super) const NUMBER: u8 = 4;
}

/// What is known of a rule without looking at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Judged {
    /// It matches.
    Yes,
    /// It does not.
    No,
    /// Only the rule knows.
    Unknown,
}

/// Bytes that are read from the front; none where they end.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn byte(&mut self) -> Option<u8> {
        self.array().map(|[byte]| byte)
    }

    /// A length and so many bytes.
    fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::from(self.byte()?);
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(text)
    }

    /// Passes over an ask, where so many forms were spoken of before: each is spoken of once, in their order.
    fn pass(&mut self, forms: &mut u32) -> Option<()> {
        let [_, _, kind, more] = self.array()?;
        match kind {
            kind::ONE_OF | kind::HOLDING => (0..more).try_for_each(|_| self.text().map(drop)),
            kind::AROUND => self.around(more).map(drop),
            kind::LIKE => {
                (u32::from_le_bytes(self.array()?) == *forms).then_some(())?;
                *forms += 1;
                Some(())
            }
            kind::NUMBER => self.array::<8>().map(drop),
            _ => None,
        }
    }

    /// What stands around, and whether slashes may stand between.
    #[inline(always)]
    fn around(&mut self, crosses: u8) -> Option<Around<'a>> {
        Some(Around {
            before: self.text()?,
            after: self.text()?,
            crosses: crosses != 0,
        })
    }

    /// Whether one of so many texts is so; all of them are passed over.
    #[inline(always)]
    fn any_text(&mut self, count: u8, is_so: impl Fn(&[u8]) -> bool) -> Option<bool> {
        let mut any = false;
        for _ in 0..count {
            let text = self.text()?;
            any = any || is_so(text);
        }
        Some(any)
    }
}

impl Asks {
    /// Fetches what a rule asks for, which will be wanted soon; the answer means nothing.
    #[inline]
    pub(super) fn touch(&self, place: Place) -> u8 {
        let at = |place: usize| self.bytes.get(place).copied().unwrap_or_default();
        at(place.0 as usize) ^ at(place.0 as usize + LINE)
    }

    /// The number of a rule.
    pub(super) fn number(&self, place: Place) -> RuleNumber {
        let bytes = self.bytes.get(place.0 as usize..);
        let number = bytes.and_then(<[u8]>::first_chunk).copied();
        u32::from_le_bytes(number.unwrap_or_default())
    }

    /// Asks of parts that were kept, and the places of their rules; none where the bytes are not one rule after the other, each with what
    /// is asked of it and nothing else.
    ///
    /// SECURITY: a rule that reached into the next would have what is asked of that judged twice.
    pub(super) fn of_parts(
        bytes: Vec<u8>,
        forms: Vec<KeptForm>,
        orders: Vec<Order>,
    ) -> Option<(Self, Vec<(RuleNumber, Place)>)> {
        let mut reader = Reader(&bytes);
        let mut placed: Vec<(RuleNumber, Place)> = Vec::new();
        let mut used = 0;
        while !reader.0.is_empty() {
            let place = u32::try_from(bytes.len() - reader.0.len()).ok()?;
            let [a, b, c, d, _, asks] = reader.array()?;
            let number = u32::from_le_bytes([a, b, c, d]);
            let is_next = placed.last().is_none_or(|(last, _)| *last < number);
            is_next.then(|| placed.push((number, Place(place))))?;
            for _ in 0..asks {
                reader.pass(&mut used)?;
            }
        }
        let asks = Self {
            bytes,
            forms,
            orders,
        };
        (used as usize == asks.forms.len()).then_some((asks, placed))
    }

    /// What rules ask for, as bytes; the forms and the orders that they speak of.
    pub(super) fn parts(&self) -> (&[u8], &[KeptForm], &[Order]) {
        (&self.bytes, &self.forms, &self.orders)
    }

    /// The number of a rule, and what it makes of a request that has this.
    #[inline]
    pub(super) fn judge(&self, place: Place, seats: &Seats<'_, '_>) -> (RuleNumber, Judged) {
        let bytes = self.bytes.get(place.0 as usize..).unwrap_or_default();
        let mut reader = Reader(bytes);
        let Some([a, b, c, d, more, asks]) = reader.array() else {
            return (0, Judged::Unknown);
        };
        let judged = match more {
            0 => Judged::Yes,
            _ => Judged::Unknown,
        };
        let judged = self.read(reader, asks, judged, seats);
        let number = u32::from_le_bytes([a, b, c, d]);
        (number, judged.unwrap_or(Judged::Unknown))
    }

    /// What comes of so many asks; none where the bytes end.
    fn read(
        &self,
        mut reader: Reader<'_>,
        asks: u8,
        mut judged: Judged,
        seats: &Seats<'_, '_>,
    ) -> Option<Judged> {
        for _ in 0..asks {
            let [low, high, kind, more] = reader.array()?;
            let path = usize::from(u16::from_le_bytes([low, high]));
            // So it is nearly always: a text, of which one or two are asked for.
            if matches!(kind, kind::ONE_OF | kind::AROUND)
                && let Some((found, _)) = seats.text(path)
            {
                let found = found.as_bytes();
                let holds = match kind {
                    kind::ONE_OF if more == 1 => same(found, reader.text()?),
                    kind::ONE_OF => reader.any_text(more, |text| same(found, text))?,
                    _ => reader.around(more)?.admits(found),
                };
                if holds {
                    continue;
                }
                return Some(Judged::No);
            }
            match self.holds((kind, more), &mut reader, seats.at(path))? {
                Some(true) => {}
                Some(false) => return Some(Judged::No),
                None => judged = Judged::Unknown,
            }
        }
        Some(judged)
    }

    /// Whether the next ask, of this kind, holds of what stands at its path; none where that is of a type of which it says nothing.
    /// Nothing at all where the bytes end.
    #[inline(never)]
    fn holds(
        &self,
        (kind, more): (u8, u8),
        reader: &mut Reader<'_>,
        stands: Stands<'_>,
    ) -> Option<Option<bool>> {
        if let Stands::Nothing = stands {
            return Some(Some(false));
        }
        Some(match kind {
            kind::ONE_OF => {
                let found = stands.text().map(Text::as_bytes);
                let is_one =
                    reader.any_text(more, |text| found.is_some_and(|found| same(found, text)))?;
                found.map(|_| is_one)
            }
            kind::HOLDING => {
                let items = match stands {
                    Stands::Texts(items) => Some(items),
                    _ => None,
                };
                let holds = |items: Items<'_>, text: &[u8]| {
                    items.iter().any(|(item, _)| same(item.as_bytes(), text))
                };
                let is_held =
                    reader.any_text(more, |text| items.is_some_and(|items| holds(items, text)))?;
                items.map(|_| is_held)
            }
            kind::AROUND => {
                let around = reader.around(more)?;
                let found = stands.text();
                found.map(|text| around.admits(text.as_bytes()))
            }
            kind::LIKE => {
                let form = self
                    .forms
                    .get(u32::from_le_bytes(reader.array()?) as usize)?;
                stands.text().map(|text| form.admits(text.as_str()))
            }
            kind::NUMBER => {
                let order = self.orders.get(usize::from(more))?;
                let wanted = f64::from_le_bytes(reader.array()?);
                match stands {
                    Stands::Number(found) => Some(order.holds(found, wanted)),
                    _ => None,
                }
            }
            _ => return None,
        })
    }
}

/// Asks that grow rule by rule.
#[derive(Debug, Default)]
pub(super) struct Building<'a> {
    built: Asks,
    pub(super) paths: PathNumbers<'a>,
}

impl<'a> Building<'a> {
    /// Adds the next rule.
    pub(super) fn push(&mut self, number: RuleNumber, rule: &'a Rule) -> Place {
        let start = self.built.bytes.len();
        let mut plain = rule.plain();
        let mut is_more = plain.rest == Rest::More;
        if start >= FULL {
            is_more = true;
            plain.asks.clear();
        }
        let [a, b, c, d] = number.to_le_bytes();
        self.built.bytes.extend([a, b, c, d, 0, 0]);
        let mut count = 0_u8;
        // Whole texts are mostly told by the marks: what else is asked for fails sooner.
        let is_whole = |ask: &&Ask<'a>| matches!(ask.wants, Exactly::OneOf(_));
        let others = plain.asks.iter().filter(|ask| !is_whole(ask));
        for ask in others.chain(plain.asks.iter().filter(is_whole)) {
            let end = self.built.bytes.len();
            let more = count.checked_add(1);
            match more.filter(|_| self.pack(ask).is_some()) {
                Some(more) => count = more,
                None => {
                    self.built.bytes.truncate(end);
                    is_more = true;
                }
            }
        }
        let written = self.built.bytes.get_mut(start + 4..);
        if let Some([more, asks, ..]) = written {
            (*more, *asks) = (u8::from(is_more), count);
        }
        Place(u32::try_from(start).unwrap_or(u32::MAX))
    }

    /// Writes an ask; none where the bytes have no room for it, and what is written of it is to be taken back.
    fn pack(&mut self, ask: &Ask<'a>) -> Option<()> {
        let path = self.paths.number(ask.path)?;
        let Asks {
            bytes,
            forms,
            orders,
        } = &mut self.built;
        bytes.extend(path.to_le_bytes());
        match &ask.wants {
            Exactly::OneOf(texts) => {
                put_texts(kind::ONE_OF, texts, bytes)?;
            }
            Exactly::Holding(texts) => {
                put_texts(kind::HOLDING, texts, bytes)?;
            }
            Exactly::Like(form) => match form.around() {
                Some(around) => {
                    bytes.extend([kind::AROUND, u8::from(around.crosses)]);
                    put_text(around.before, bytes)?;
                    put_text(around.after, bytes)?;
                }
                None => {
                    bytes.extend([kind::LIKE, 0]);
                    bytes.extend(u32::try_from(forms.len()).ok()?.to_le_bytes());
                    forms.push(form.kept());
                }
            },
            Exactly::Number(order, wanted) => {
                let known = orders.iter().position(|known| known == order);
                let position = known.unwrap_or(orders.len());
                if known.is_none() {
                    orders.push(*order);
                }
                bytes.extend([kind::NUMBER, u8::try_from(position).ok()?]);
                bytes.extend(wanted.to_le_bytes());
            }
        }
        Some(())
    }

    /// What was built, and the paths that it asks about.
    pub(super) fn done(self) -> (Asks, Sought) {
        let mut built = self.built;
        built.bytes.shrink_to_fit();
        built.forms.shrink_to_fit();
        (built, self.paths.sought())
    }
}

fn put_texts(kind: u8, texts: &[&str], bytes: &mut Vec<u8>) -> Option<()> {
    bytes.extend([kind, u8::try_from(texts.len()).ok()?]);
    texts
        .iter()
        .try_for_each(|text| put_text(text.as_bytes(), bytes))
}

fn put_text(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    bytes.push(u8::try_from(text.len()).ok()?);
    bytes.extend(text);
    Some(())
}

/// A place of which nothing is known.
#[cfg(test)]
pub(super) fn place(number: u32) -> Place {
    Place(number)
}
