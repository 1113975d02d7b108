//! What each rule asks of leaves, rule after rule in little memory.
//!
//! A rule lies in many pieces, and a large policy's are not in the processor's caches: what is asked of candidates is mostly answered
//! from here, the rule unseen.
//!
//! INVARIANT: [`Judged::Yes`] and [`Judged::No`] are what [`Rule::matches`] says.

use std::collections::HashMap;

use super::RuleNumber;
use crate::policy::{
    Around, Ask, Exactly, KeptForm, Order, RequestPath, Rest, Rule, Seats, Sought, Stands,
};

/// What rules ask for, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Asks {
    asks: Vec<Packed>,
    /// Where each rule's end.
    ends: Vec<End>,
    /// All texts, one after the other.
    bytes: String,
    /// Those of which one of several would do.
    texts: Vec<Span>,
    /// What stands before and after a star, and whether slashes may stand for it.
    around: Vec<(Span, Span, bool)>,
    forms: Vec<KeptForm>,
    numbers: Vec<(Order, f64)>,
}

#[derive(Debug, Clone, Copy)]
struct Packed {
    path: u16,
    kind: Kind,
    /// How many texts would do.
    count: u8,
    /// Where the text is, or the position of the first of the texts, the form or the number.
    at: Span,
}

/// A part of the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Span {
    start: u32,
    length: u16,
}

impl Span {
    /// A position in a list, which has no length.
    fn position(start: u32) -> Self {
        Self { start, length: 0 }
    }
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Is,
    OneOf,
    Around,
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
        let Some(end) = self.ends.get(number as usize) else {
            return Judged::Unknown;
        };
        let mut judged = match end.rest {
            Rest::Nothing => Judged::Yes,
            Rest::More => Judged::Unknown,
        };
        for ask in self.of(number) {
            match self.holds(ask, seats.at(usize::from(ask.path))) {
                Some(true) => {}
                Some(false) => return Judged::No,
                None => judged = Judged::Unknown,
            }
        }
        judged
    }

    fn of(&self, number: RuleNumber) -> &[Packed] {
        let position = number as usize;
        let at = |position: usize| self.ends.get(position).map_or(0, |end| end.at as usize);
        let start = position.checked_sub(1).map_or(0, at);
        self.asks.get(start..at(position)).unwrap_or_default()
    }

    fn holds(&self, ask: &Packed, stands: Stands<'_>) -> Option<bool> {
        let at = ask.at.start as usize;
        match (ask.kind, stands) {
            (_, Stands::Nothing) => Some(false),
            (Kind::Is, Stands::Text(text, _)) => Some(self.text(ask.at) == text),
            (Kind::OneOf, Stands::Text(text, _)) => Some(self.texts(ask).any(|one| one == text)),
            (Kind::Around, Stands::Text(text, _)) => {
                let (before, after, crosses) = *self.around.get(at)?;
                let (before, after) = (self.text(before), self.text(after));
                let around = Around {
                    before,
                    after,
                    crosses,
                };
                Some(around.admits(text))
            }
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

    fn text(&self, span: Span) -> &str {
        let start = span.start as usize;
        let text = self.bytes.get(start..start + usize::from(span.length));
        text.unwrap_or_default()
    }

    fn texts(&self, ask: &Packed) -> impl Iterator<Item = &str> {
        let first = ask.at.start as usize;
        let texts = self.texts.get(first..first + usize::from(ask.count));
        texts
            .unwrap_or_default()
            .iter()
            .map(|span| self.text(*span))
    }
}

/// Asks that grow rule by rule.
#[derive(Debug, Default)]
pub(super) struct Building<'a> {
    built: Asks,
    paths: HashMap<&'a [String], u16>,
    sought: Vec<RequestPath>,
    spans: HashMap<&'a str, Span>,
    lists: HashMap<Vec<&'a str>, u32>,
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
            Exactly::OneOf(texts) => match texts.as_slice() {
                [text] => (Kind::Is, 1, self.span(text)?),
                several => (
                    Kind::OneOf,
                    u8::try_from(several.len()).ok()?,
                    self.list(texts)?,
                ),
            },
            Exactly::Holding(texts) => (
                Kind::Holding,
                u8::try_from(texts.len()).ok()?,
                self.list(texts)?,
            ),
            Exactly::Like(form) => match form.around() {
                Some(around) => {
                    let spans = (self.span(around.before)?, self.span(around.after)?);
                    self.built.around.push((spans.0, spans.1, around.crosses));
                    (Kind::Around, 1, last(&self.built.around)?)
                }
                None => {
                    self.built.forms.push(form.kept());
                    (Kind::Like, 1, last(&self.built.forms)?)
                }
            },
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

    /// Where the text is.
    fn span(&mut self, text: &'a str) -> Option<Span> {
        if let Some(span) = self.spans.get(text) {
            return Some(*span);
        }
        let span = Span {
            start: u32::try_from(self.built.bytes.len()).ok()?,
            length: u16::try_from(text.len()).ok()?,
        };
        self.built.bytes.push_str(text);
        self.spans.insert(text, span);
        Some(span)
    }

    /// The position of the first of the texts, which follow each other.
    fn list(&mut self, texts: Vec<&'a str>) -> Option<Span> {
        let first = match self.lists.get(&texts) {
            Some(first) => *first,
            None => {
                let first = u32::try_from(self.built.texts.len()).ok()?;
                for text in &texts {
                    let span = self.span(text)?;
                    self.built.texts.push(span);
                }
                self.lists.insert(texts, first);
                first
            }
        };
        Some(Span::position(first))
    }

    /// What was built, and the paths that it asks about.
    pub(super) fn done(self) -> (Asks, Sought) {
        let mut built = self.built;
        built.asks.shrink_to_fit();
        built.ends.shrink_to_fit();
        built.bytes.shrink_to_fit();
        built.texts.shrink_to_fit();
        built.around.shrink_to_fit();
        built.forms.shrink_to_fit();
        built.numbers.shrink_to_fit();
        (built, Sought::new(self.sought))
    }
}

fn last<T>(items: &[T]) -> Option<Span> {
    let position = u32::try_from(items.len().checked_sub(1)?).ok()?;
    Some(Span::position(position))
}
