//! The leaves of a request side by side, so that rules find them without walking its tree.
//!
//! A request is read once and held against many rules, nearly all of which ask for texts, numbers and lists of texts at a few paths.
//! What stands near the top is noted when the request is read, in little memory, since that is mostly what looking it up costs;
//! whatever lies deep, or is too much, is left to the tree.
//!
//! INVARIANT: what is told of a path is what [`Facts::at`](super::Facts::at) finds there, or nothing is told. Paths are compared
//! whole: hashes only tell which are worth it, since whoever asks chooses the names.

use std::ops::BitXor;

use serde_json::{Map, Value};

use super::path::{Place, RequestPath};
use super::symbol::symbol;
use crate::json::{Node, Plain, Seen};

/// What stands between the members of a joined path.
pub(super) const SEPARATOR: &str = "\u{1f}";
/// The bytes of a line of memory.
const LINE: usize = 64;
/// The most members of a path that is noted.
const MAX_MEMBERS: usize = 4;
/// The most bytes of a path that is noted, without its trunk.
pub(super) const MAX_PATH: usize = 128;
/// The most leaves that are noted: few enough to be looked through.
const MAX_LEAVES: usize = 64;
/// The most bytes of texts and paths.
const MAX_BYTES: usize = 16 << 10;

/// The mapping of a request that a path begins in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trunk {
    Subject,
    SubjectProperties,
    Action,
    ActionProperties,
    Resource,
    ResourceProperties,
    Context,
    /// None: an item of the list before it.
    Item,
}

/// The leaves of a request that stand near its top.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leaves {
    leaves: Vec<Leaf>,
    /// Of each leaf the path and then the text.
    bytes: String,
    /// Whether there was too much to note.
    is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leaf {
    /// The path's symbol.
    path: u32,
    /// A text's symbol; a number's bits; how many items follow. As bytes it needs no gap before it.
    value: [u8; 8],
    /// Where in the bytes the path begins.
    start: u16,
    /// How long the text is.
    text: u16,
    /// How long the path is.
    rest: u8,
    trunk: Trunk,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    /// A list of texts alone.
    Texts,
    Else,
}

/// What stands at a path of a request.
#[derive(Debug, Clone, Copy)]
pub enum Stands<'a> {
    /// Nothing.
    Nothing,
    /// A text, and its symbol.
    Text(&'a str, u64),
    /// A number.
    Number(f64),
    /// A list of texts.
    Texts(Items<'a>),
    /// The tree knows.
    Else,
}

impl<'a> Stands<'a> {
    /// The text, where that is what stands there.
    #[must_use]
    #[inline]
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text, _) => Some(text),
            _ => None,
        }
    }
}

/// The texts of a list, in its order.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    items: &'a [Leaf],
    bytes: &'a str,
}

impl<'a> Items<'a> {
    /// The texts, and their symbols.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = (&'a str, u64)> {
        let items = self.items.iter();
        items.map(move |item| (item.text(self.bytes), item.value()))
    }
}

/// Where a path leads in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    Leaf(u16),
    Nothing,
    Else,
}

const _: () = assert!(size_of::<Leaf>() <= LINE, "several leaves are in a line");

impl Leaf {
    #[inline]
    fn value(&self) -> u64 {
        u64::from_ne_bytes(self.value)
    }

    #[inline]
    fn rest<'a>(&self, bytes: &'a str) -> &'a [u8] {
        let start = usize::from(self.start);
        let rest = bytes.as_bytes().get(start..start + usize::from(self.rest));
        rest.unwrap_or_default()
    }

    #[inline]
    fn text<'a>(&self, bytes: &'a str) -> &'a str {
        let start = usize::from(self.start) + usize::from(self.rest);
        let text = bytes.get(start..start + usize::from(self.text));
        text.unwrap_or_default()
    }
}

impl Leaves {
    /// The leaves of a request in its canonical form.
    #[must_use]
    pub fn of(attributes: &Map<String, Value>) -> Self {
        let attributes = attributes.iter();
        Self::of_members(attributes.map(|(name, value)| (name.as_str(), value)))
    }

    /// The leaves of a request whose canonical form the object is that `plain` is, but for empty objects, which have none.
    #[must_use]
    pub(crate) fn of_plain(plain: &Plain) -> Self {
        Self::of_members((plain, plain.root()).members())
    }

    fn of_members<'a, V: Member<'a>>(attributes: impl Iterator<Item = (&'a str, V)>) -> Self {
        let mut noted = Self {
            leaves: Vec::with_capacity(20),
            bytes: String::with_capacity(320),
            is_cut: false,
        };
        for (name, value) in attributes {
            let (own, properties) = match (name, value.see()) {
                ("context", Seen::Object) => {
                    noted.note_members(Trunk::Context, "", value, 2);
                    continue;
                }
                ("subject", _) => (Trunk::Subject, Trunk::SubjectProperties),
                ("action", _) => (Trunk::Action, Trunk::ActionProperties),
                ("resource", _) => (Trunk::Resource, Trunk::ResourceProperties),
                _ => {
                    noted.is_cut = true;
                    continue;
                }
            };
            noted.is_cut |= value.see() != Seen::Object;
            for (name, value) in value.members() {
                match (name, value.see()) {
                    ("properties", Seen::Object) => {
                        noted.note_members(properties, "", value, 3);
                    }
                    _ => noted.note_member(own, "", name, value, 2),
                }
            }
        }
        noted.leaves.shrink_to_fit();
        noted.bytes.shrink_to_fit();
        noted
    }

    fn note_members<'a>(
        &mut self,
        trunk: Trunk,
        before: &str,
        object: impl Member<'a>,
        depth: usize,
    ) {
        for (name, value) in object.members() {
            if self.is_cut {
                return;
            }
            self.note_member(trunk, before, name, value, depth);
        }
    }

    /// `depth` is the number of members of the whole path.
    fn note_member<'a>(
        &mut self,
        trunk: Trunk,
        before: &str,
        name: &str,
        value: impl Member<'a>,
        depth: usize,
    ) {
        // INVARIANT: two paths that differ are joined to two texts that differ.
        if name.contains(SEPARATOR) {
            self.is_cut = true;
        } else if before.is_empty() {
            self.note(trunk, name, value, depth);
        } else {
            self.note(trunk, &format!("{before}{SEPARATOR}{name}"), value, depth);
        }
    }

    fn note<'a>(&mut self, trunk: Trunk, rest: &str, value: impl Member<'a>, depth: usize) {
        let seen = value.see();
        let (kind, number, text) = match seen {
            Seen::Null => return,
            Seen::Text(text) => (Kind::Text, symbol(text.as_bytes()), text),
            Seen::Number(number) => (Kind::Number, number.to_bits(), ""),
            Seen::List => match count_of_texts(value) {
                Some(count) if count <= MAX_LEAVES => (Kind::Texts, count as u64, ""),
                _ => (Kind::Else, 0, ""),
            },
            Seen::Object | Seen::Else => (Kind::Else, 0, ""),
        };
        self.push((trunk, rest), kind, number, text);
        if kind == Kind::Texts {
            for text in value.items().filter_map(text_of) {
                self.push((Trunk::Item, ""), Kind::Text, symbol(text.as_bytes()), text);
            }
        }
        if seen == Seen::Object && depth < MAX_MEMBERS && !rest.is_empty() {
            self.note_members(trunk, rest, value, depth + 1);
        }
    }

    fn push(&mut self, (trunk, rest): (Trunk, &str), kind: Kind, value: u64, text: &str) {
        let start = self.bytes.len();
        let lengths = (u8::try_from(rest.len()), u16::try_from(text.len()));
        // INVARIANT: the items of a list that was cut are followed by nothing.
        let is_much = self.is_cut
            || self.leaves.len() >= MAX_LEAVES
            || rest.len() > MAX_PATH
            || start + rest.len() + text.len() > MAX_BYTES;
        let (Ok(start), (Ok(length), Ok(text_length)), false) =
            (u16::try_from(start), lengths, is_much)
        else {
            self.is_cut = true;
            return;
        };
        self.bytes.push_str(rest);
        self.bytes.push_str(text);
        let path = match trunk {
            Trunk::Item => 0,
            _ => Place::symbol(trunk, rest),
        };
        self.leaves.push(Leaf {
            path,
            value: value.to_ne_bytes(),
            start,
            text: text_length,
            rest: length,
            trunk,
            kind,
        });
    }

    /// What stands at `path`.
    #[must_use]
    pub fn at(&self, path: &RequestPath) -> Stands<'_> {
        let seat = path.place().and_then(|place| {
            let symbol = place.own_symbol();
            let mut leaves = (0..).zip(&self.leaves);
            let is_at = |leaf: &Leaf| self.is_at(leaf, place.trunk, place.rest.as_bytes());
            let found = leaves.find(|(_, leaf)| leaf.path == symbol && is_at(leaf));
            found.map(|(number, _)| Seat::Leaf(number))
        });
        let empty = || {
            if self.is_cut {
                Seat::Else
            } else {
                path.empty_seat()
            }
        };
        self.stands(seat.unwrap_or_else(empty))
    }

    #[inline]
    fn is_at(&self, leaf: &Leaf, trunk: Trunk, rest: &[u8]) -> bool {
        leaf.trunk == trunk && leaf.rest(&self.bytes) == rest
    }

    /// Fetches all of them, which will be wanted soon; the answer means nothing.
    #[inline]
    pub(super) fn touch(&self) -> u8 {
        let leaves = self.leaves.iter().step_by(LINE / size_of::<Leaf>());
        let bytes = self.bytes.as_bytes().iter().step_by(LINE);
        let leaves = leaves.fold(0, |touched, leaf| touched ^ leaf.rest);
        bytes.fold(leaves, BitXor::bitxor)
    }

    /// Whether there was too much to note: then a path at which no leaf is says nothing.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// For each leaf its number and the symbol of its path, and whether that path is of a trunk and a rest. An item of a list has
    /// the trunk [`Trunk::Item`], which no path has.
    #[inline]
    pub(super) fn paths(&self) -> impl Iterator<Item = (u16, u32, impl Fn(Trunk, &[u8]) -> bool)> {
        (0..).zip(&self.leaves).map(|(number, leaf)| {
            let is_at = |trunk: Trunk, rest: &[u8]| self.is_at(leaf, trunk, rest);
            (number, leaf.path, is_at)
        })
    }

    #[inline]
    pub(super) fn stands(&self, seat: Seat) -> Stands<'_> {
        let number = match seat {
            Seat::Leaf(number) => usize::from(number),
            Seat::Nothing => return Stands::Nothing,
            Seat::Else => return Stands::Else,
        };
        let Some(leaf) = self.leaves.get(number) else {
            return Stands::Else;
        };
        match leaf.kind {
            Kind::Text => Stands::Text(leaf.text(&self.bytes), leaf.value()),
            Kind::Number => Stands::Number(f64::from_bits(leaf.value())),
            Kind::Texts => {
                let count = usize::try_from(leaf.value()).unwrap_or(usize::MAX);
                let items = self.leaves.get(number + 1..).unwrap_or_default();
                // Of a list that did not fit, the tree knows.
                items.get(..count).map_or(Stands::Else, |items| {
                    Stands::Texts(Items {
                        items,
                        bytes: &self.bytes,
                    })
                })
            }
            Kind::Else => Stands::Else,
        }
    }
}

/// How many items a list of texts alone has.
fn count_of_texts<'a>(list: impl Member<'a>) -> Option<usize> {
    let mut texts = list.items().map(text_of);
    texts.try_fold(0, |count, text| text.map(|_| count + 1))
}

fn text_of<'a>(value: impl Member<'a>) -> Option<&'a str> {
    match value.see() {
        Seen::Text(text) => Some(text),
        _ => None,
    }
}

/// A value of a request, in a tree or in a plain text.
trait Member<'a>: Copy {
    fn see(self) -> Seen<'a>;
    /// None of what is no object.
    fn members(self) -> impl Iterator<Item = (&'a str, Self)>;
    /// None of what is no list.
    fn items(self) -> impl Iterator<Item = Self>;
}

impl<'a> Member<'a> for &'a Value {
    fn see(self) -> Seen<'a> {
        match self {
            Value::Null => Seen::Null,
            Value::String(text) => Seen::Text(text),
            Value::Number(number) => number.as_f64().map_or(Seen::Else, Seen::Number),
            Value::Array(_) => Seen::List,
            Value::Object(_) => Seen::Object,
            Value::Bool(_) => Seen::Else,
        }
    }

    fn members(self) -> impl Iterator<Item = (&'a str, Self)> {
        let members = self.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), value))
    }

    fn items(self) -> impl Iterator<Item = Self> {
        self.as_array().into_iter().flatten()
    }
}

impl<'a> Member<'a> for (&'a Plain, Node) {
    fn see(self) -> Seen<'a> {
        self.0.see(self.1)
    }

    fn members(self) -> impl Iterator<Item = (&'a str, Self)> {
        let (plain, node) = self;
        let members = plain.members(node);
        members.map(move |(name, value)| (name, (plain, value)))
    }

    fn items(self) -> impl Iterator<Item = Self> {
        let (plain, node) = self;
        plain.items(node).map(move |item| (plain, item))
    }
}

#[cfg(test)]
mod tests;
