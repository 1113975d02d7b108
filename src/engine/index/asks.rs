//! What each rule asks of leaves, rule after rule in little memory.
//!
//! A rule lies in many pieces, and a large policy's are not in the processor's caches: what is asked of candidates is mostly answered
//! from here, the rule unseen.
//!
//! INVARIANT: [`Judged::Yes`] and [`Judged::No`] are what [`Rule::matches`] says.

use std::collections::HashMap;

use super::RuleNumber;
use crate::policy::{
    Ask, Exactly, KeptForm, Order, RequestPath, Rest, Rule, Seats, Sought, Stands,
};

/// What rules ask for, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Asks {
    asks: Vec<Packed>,
    /// Where each rule's end.
    ends: Vec<End>,
    /// All texts, one after the other, and where each begins and ends.
    bytes: String,
    texts: Vec<(u32, u32)>,
    forms: Vec<KeptForm>,
    numbers: Vec<(Order, f64)>,
}

#[derive(Debug, Clone, Copy)]
struct Packed {
    path: u16,
    kind: Kind,
    /// How many texts would do.
    count: u8,
    /// The position of the text, the first of the texts, the form or the number.
    at: u32,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    OneOf,
    Like,
    Holding,
    Number,
}

#[derive(Debug, Clone, Copy)]
struct End {
    at: u32,
    rest: Rest,
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

impl Asks {
    /// What the rule with this number makes of a request that has this.
    pub(super) fn judge(&self, number: RuleNumber, seats: &Seats<'_>) -> Judged {
        let position = number as usize;
        let Some(end) = self.ends.get(position) else {
            return Judged::Unknown;
        };
        let before = position.checked_sub(1);
        let before = before.and_then(|before| self.ends.get(before));
        let range = before.map_or(0, |before| before.at as usize)..end.at as usize;
        let mut judged = match end.rest {
            Rest::Nothing => Judged::Yes,
            Rest::More => Judged::Unknown,
        };
        for ask in self.asks.get(range).unwrap_or_default() {
            match self.holds(ask, seats.at(usize::from(ask.path))) {
                Some(true) => {}
                Some(false) => return Judged::No,
                None => judged = Judged::Unknown,
            }
        }
        judged
    }

    fn holds(&self, ask: &Packed, stands: Stands<'_>) -> Option<bool> {
        let at = ask.at as usize;
        match (ask.kind, stands) {
            (_, Stands::Nothing) => Some(false),
            (Kind::OneOf, Stands::Text(text, _)) => Some(self.texts(ask).any(|one| one == text)),
            (Kind::Like, Stands::Text(text, _)) => self.forms.get(at).map(|form| form.admits(text)),
            (Kind::Holding, Stands::Texts(items)) => {
                let is_held = |one: &str| items.iter().any(|(item, _)| item == one);
                Some(self.texts(ask).any(is_held))
            }
            (Kind::Number, Stands::Number(found)) => {
                let number = self.numbers.get(at);
                number.map(|(order, wanted)| order.holds(found, *wanted))
            }
            _ => None,
        }
    }

    fn texts(&self, ask: &Packed) -> impl Iterator<Item = &str> {
        let first = ask.at as usize;
        let texts = self.texts.get(first..first + usize::from(ask.count));
        let texts = texts.unwrap_or_default().iter();
        texts.filter_map(|(start, end)| self.bytes.get(*start as usize..*end as usize))
    }
}

/// Asks that grow rule by rule.
#[derive(Debug, Default)]
pub(super) struct Building<'a> {
    built: Asks,
    paths: HashMap<&'a [String], u16>,
    sought: Vec<RequestPath>,
    texts: HashMap<Vec<&'a str>, u32>,
}

impl<'a> Building<'a> {
    /// The number of a path; none where there are too many.
    pub(super) fn path(&mut self, path: &'a RequestPath) -> Option<u16> {
        if let Some(number) = self.paths.get(&**path) {
            return Some(*number);
        }
        let number = u16::try_from(self.sought.len()).ok()?;
        self.sought.push(path.clone());
        self.paths.insert(path, number);
        Some(number)
    }

    /// Adds the next rule; none for one that is not to be found.
    pub(super) fn push(&mut self, rule: Option<&'a Rule>) {
        let plain = rule.map(Rule::plain);
        let mut rest = plain.as_ref().map_or(Rest::More, |plain| plain.rest);
        for ask in plain.into_iter().flat_map(|plain| plain.asks) {
            match self.pack(ask) {
                Some(packed) => self.built.asks.push(packed),
                None => rest = Rest::More,
            }
        }
        let at = u32::try_from(self.built.asks.len()).unwrap_or(u32::MAX);
        self.built.ends.push(End { at, rest });
    }

    fn pack(&mut self, ask: Ask<'a>) -> Option<Packed> {
        let path = self.path(ask.path)?;
        let (kind, count, at) = match ask.wants {
            Exactly::OneOf(texts) => (
                Kind::OneOf,
                u8::try_from(texts.len()).ok()?,
                self.texts(texts)?,
            ),
            Exactly::Holding(texts) => (
                Kind::Holding,
                u8::try_from(texts.len()).ok()?,
                self.texts(texts)?,
            ),
            Exactly::Like(form) => {
                self.built.forms.push(form.kept());
                (Kind::Like, 1, last(&self.built.forms)?)
            }
            Exactly::Number(order, wanted) => {
                self.built.numbers.push((order, wanted));
                (Kind::Number, 1, last(&self.built.numbers)?)
            }
        };
        Some(Packed {
            path,
            kind,
            count,
            at,
        })
    }

    /// Where the texts begin.
    fn texts(&mut self, texts: Vec<&'a str>) -> Option<u32> {
        if let Some(first) = self.texts.get(&texts) {
            return Some(*first);
        }
        let first = u32::try_from(self.built.texts.len()).ok()?;
        for text in &texts {
            let start = u32::try_from(self.built.bytes.len()).ok()?;
            let end = u32::try_from(self.built.bytes.len() + text.len()).ok()?;
            self.built.bytes.push_str(text);
            self.built.texts.push((start, end));
        }
        self.texts.insert(texts, first);
        Some(first)
    }

    /// What was built, and the paths that it asks about.
    pub(super) fn done(self) -> (Asks, Sought) {
        let mut built = self.built;
        built.asks.shrink_to_fit();
        built.ends.shrink_to_fit();
        built.bytes.shrink_to_fit();
        built.texts.shrink_to_fit();
        built.forms.shrink_to_fit();
        built.numbers.shrink_to_fit();
        (built, Sought::new(self.sought))
    }
}

fn last<T>(items: &[T]) -> Option<u32> {
    u32::try_from(items.len().checked_sub(1)?).ok()
}
