//! The leaves of a request side by side, so that rules find them without walking its tree.
//!
//! A request is read once and held against many rules, nearly all of which ask for texts, numbers and lists of texts at a few paths.
//! What stands near the top is noted when the request is read, in little memory, since that is mostly what looking it up costs;
//! whatever lies deep, or is too much, is left to the tree.
//!
//! INVARIANT: what is told of a path is what [`Facts::at`](super::Facts::at) finds there, or nothing is told. Paths are compared
//! whole: hashes only tell which are worth it, since whoever asks chooses the names.

use std::ops::{BitXor, Range};

use serde_json::{Map, Value};
use smallvec::SmallVec;

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
    /// The leaves, each in [`LEAF`] bytes; then of each leaf the path and the text. To look a request up is first of all to wait for
    /// this memory: so it is one run, and where the request itself is, no pointer away.
    bytes: SmallVec<[u8; INLINE]>,
    count: u8,
    /// Whether there was too much to note.
    is_cut: bool,
}

/// The bytes that most requests' leaves take, at most.
const INLINE: usize = 512;
/// The bytes of a leaf:
///
/// ```text
/// symbol of the path, 4; value, 8; where path and text begin, 2; how long the text is, 2, and the path, 1; trunk, 1; kind, 1
/// ```
const LEAF: usize = 19;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leaf {
    /// The path's symbol.
    path: u32,
    /// A text's symbol; a number's bits; how many items follow.
    value: u64,
    /// Where path and text begin, behind the leaves.
    start: u16,
    /// How long the text is.
    text: u16,
    /// How long the path is.
    rest: u8,
    trunk: u8,
    kind: u8,
}

/// Where leaves are noted one by one, which may be done again for another request.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The leaves, each in [`LEAF`] bytes.
    leaves: Vec<u8>,
    /// Of each leaf the path and then the text.
    texts: Vec<u8>,
    count: u8,
    is_cut: bool,
}

/// Bytes of leaves, and of what they say, that room is made for.
const ROOM: (usize, usize) = (24 * LEAF, INLINE);
/// In front of the first member of a path.
const FIRST: Range<usize> = 0..0;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    /// A list of texts alone.
    Texts,
    Else,
}

impl Kind {
    const TEXT: u8 = Self::Text as u8;
    const NUMBER: u8 = Self::Number as u8;
    const TEXTS: u8 = Self::Texts as u8;
}

/// A text of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Text<'a>(&'a [u8]);

impl<'a> Text<'a> {
    /// Its bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(self) -> &'a [u8] {
        self.0
    }

    /// The same as text.
    #[must_use]
    pub fn as_str(self) -> &'a str {
        // INVARIANT: it was one.
        std::str::from_utf8(self.0).unwrap_or_default()
    }
}

/// What stands at a path of a request.
#[derive(Debug, Clone, Copy)]
pub enum Stands<'a> {
    /// Nothing.
    Nothing,
    /// A text, and its symbol.
    Text(Text<'a>, u64),
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
    pub fn text(self) -> Option<Text<'a>> {
        match self {
            Self::Text(text, _) => Some(text),
            _ => None,
        }
    }
}

/// The texts of a list, in its order.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a>(Parts<'a>);

impl<'a> Items<'a> {
    /// The texts, and their symbols.
    #[inline]
    pub fn iter(self) -> impl Iterator<Item = (Text<'a>, u64)> {
        let Parts { leaves, texts } = self.0;
        let items = leaves.iter().map(Leaf::read);
        items.map(move |item| (item.text(texts), item.value))
    }
}

/// Leaves, and behind them of each leaf the path and the text.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Parts<'a> {
    leaves: &'a [[u8; LEAF]],
    texts: &'a [u8],
}

/// Where a path leads in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    Leaf(u16),
    Nothing,
    Else,
}

impl Leaf {
    #[inline]
    fn read(bytes: &[u8; LEAF]) -> Self {
        let [p0, p1, p2, p3, v0, v1, v2, v3, v4, v5, v6, v7, rest @ ..] = *bytes;
        let [s0, s1, t0, t1, rest, trunk, kind] = rest;
        Self {
            path: u32::from_le_bytes([p0, p1, p2, p3]),
            value: u64::from_le_bytes([v0, v1, v2, v3, v4, v5, v6, v7]),
            start: u16::from_le_bytes([s0, s1]),
            text: u16::from_le_bytes([t0, t1]),
            rest,
            trunk,
            kind,
        }
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let [p0, p1, p2, p3] = self.path.to_le_bytes();
        let [v0, v1, v2, v3, v4, v5, v6, v7] = self.value.to_le_bytes();
        let ([s0, s1], [t0, t1]) = (self.start.to_le_bytes(), self.text.to_le_bytes());
        let (rest, trunk, kind) = (self.rest, self.trunk, self.kind);
        let leaf: [u8; LEAF] = [
            p0, p1, p2, p3, v0, v1, v2, v3, v4, v5, v6, v7, s0, s1, t0, t1, rest, trunk, kind,
        ];
        bytes.extend_from_slice(&leaf);
    }

    #[inline]
    fn rest<'a>(&self, texts: &'a [u8]) -> &'a [u8] {
        let start = usize::from(self.start);
        let rest = texts.get(start..start + usize::from(self.rest));
        rest.unwrap_or_default()
    }

    #[inline]
    fn text<'a>(&self, texts: &'a [u8]) -> Text<'a> {
        let start = usize::from(self.start) + usize::from(self.rest);
        let text = texts.get(start..start + usize::from(self.text));
        Text(text.unwrap_or_default())
    }
}

impl Leaves {
    /// The leaves of a request in its canonical form.
    #[must_use]
    pub fn of(attributes: &Map<String, Value>) -> Self {
        let attributes = attributes.iter();
        let attributes = attributes.map(|(name, value)| (name.as_str(), value));
        Notes::default().of_members(attributes)
    }

    /// The leaves of a request whose canonical form the object is that `plain` is, but for empty objects, which have none.
    #[must_use]
    pub(crate) fn of_plain(plain: &Plain, notes: &mut Notes) -> Self {
        notes.of_members((plain, plain.root()).members())
    }
}

impl Notes {
    fn of_members<'a, V: Member<'a>>(
        &mut self,
        attributes: impl Iterator<Item = (&'a str, V)>,
    ) -> Leaves {
        let (leaves, texts) = ROOM;
        self.leaves.clear();
        self.leaves.reserve(leaves);
        self.texts.clear();
        self.texts.reserve(texts);
        (self.count, self.is_cut) = (0, false);
        for (name, value) in attributes {
            let (own, properties) = match (name, value.see()) {
                ("context", Seen::Object) => {
                    self.note_members(Trunk::Context, FIRST, value, 2);
                    continue;
                }
                ("subject", _) => (Trunk::Subject, Trunk::SubjectProperties),
                ("action", _) => (Trunk::Action, Trunk::ActionProperties),
                ("resource", _) => (Trunk::Resource, Trunk::ResourceProperties),
                _ => {
                    self.is_cut = true;
                    continue;
                }
            };
            self.is_cut |= value.see() != Seen::Object;
            for (name, value) in value.members() {
                match (name, value.see()) {
                    ("properties", Seen::Object) => {
                        self.note_members(properties, FIRST, value, 3);
                    }
                    _ => self.note_member(own, FIRST, name, value, 2),
                }
            }
        }
        let mut bytes = SmallVec::with_capacity(self.leaves.len() + self.texts.len());
        bytes.extend_from_slice(&self.leaves);
        bytes.extend_from_slice(&self.texts);
        Leaves {
            bytes,
            count: self.count,
            is_cut: self.is_cut,
        }
    }

    /// `before` is where in the texts the path stands that leads to `object`.
    fn note_members<'a>(
        &mut self,
        trunk: Trunk,
        before: Range<usize>,
        object: impl Member<'a>,
        depth: usize,
    ) {
        for (name, value) in object.members() {
            if self.is_cut {
                return;
            }
            self.note_member(trunk, before.clone(), name, value, depth);
        }
    }

    /// `depth` is the number of members of the whole path.
    fn note_member<'a>(
        &mut self,
        trunk: Trunk,
        before: Range<usize>,
        name: &str,
        value: impl Member<'a>,
        depth: usize,
    ) {
        // INVARIANT: two paths that differ are joined to two texts that differ.
        if name.contains(SEPARATOR) {
            self.is_cut = true;
            return;
        }
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
        let rest = self.push((trunk, before, name), kind, number, text);
        if kind == Kind::Texts {
            for text in value.items().filter_map(text_of) {
                let item = (Trunk::Item, FIRST, "");
                self.push(item, Kind::Text, symbol(text.as_bytes()), text);
            }
        }
        if seen == Seen::Object && depth < MAX_MEMBERS && !rest.is_empty() {
            self.note_members(trunk, rest, value, depth + 1);
        }
    }

    /// Notes a leaf at the path of `before`, which stands in the texts, and `name`; says where its own path stands there then.
    fn push(
        &mut self,
        (trunk, before, name): (Trunk, Range<usize>, &str),
        kind: Kind,
        value: u64,
        text: &str,
    ) -> Range<usize> {
        let begin = self.texts.len();
        let joined = match before.len() {
            0 => 0,
            length => length + SEPARATOR.len(),
        };
        let end = begin + joined + name.len();
        let rest = begin..end;
        let lengths = (u8::try_from(rest.len()), u16::try_from(text.len()));
        // INVARIANT: the items of a list that was cut are followed by nothing.
        let is_much = self.is_cut
            || usize::from(self.count) >= MAX_LEAVES
            || rest.len() > MAX_PATH
            || end + text.len() > MAX_BYTES;
        let (Ok(start), (Ok(length), Ok(text_length)), false) =
            (u16::try_from(begin), lengths, is_much)
        else {
            self.is_cut = true;
            return FIRST;
        };
        if joined > 0 {
            self.texts.extend_from_within(before);
            self.texts.extend_from_slice(SEPARATOR.as_bytes());
        }
        self.texts.extend_from_slice(name.as_bytes());
        let path = match trunk {
            Trunk::Item => 0,
            _ => Place::symbol(trunk, self.texts.get(rest.clone()).unwrap_or_default()),
        };
        self.texts.extend_from_slice(text.as_bytes());
        let leaf = Leaf {
            path,
            value,
            start,
            text: text_length,
            rest: length,
            trunk: trunk as u8,
            kind: kind as u8,
        };
        leaf.write(&mut self.leaves);
        self.count += 1;
        rest
    }
}

impl Leaves {
    #[inline]
    pub(super) fn parts(&self) -> Parts<'_> {
        let leaves = usize::from(self.count) * LEAF;
        let (leaves, texts) = self.bytes.split_at_checked(leaves).unwrap_or_default();
        let (leaves, _) = leaves.as_chunks();
        Parts { leaves, texts }
    }

    /// What stands at `path`.
    #[must_use]
    pub fn at(&self, path: &RequestPath) -> Stands<'_> {
        let seat = path.place().and_then(|place| {
            let symbol = place.own_symbol();
            let mut leaves = self.parts().paths();
            let found = leaves.find(|(_, path, is_at)| {
                *path == symbol && is_at(place.trunk, place.rest.as_bytes())
            });
            found.map(|(number, ..)| Seat::Leaf(number))
        });
        let empty = || {
            if self.is_cut {
                Seat::Else
            } else {
                path.empty_seat()
            }
        };
        self.parts().stands(seat.unwrap_or_else(empty))
    }

    /// Fetches all of them, which will be wanted soon; the answer means nothing.
    #[inline]
    pub(super) fn touch(&self) -> u8 {
        let lines = self.bytes.iter().step_by(LINE);
        lines.fold(0, BitXor::bitxor)
    }

    /// Whether there was too much to note: then a path at which no leaf is says nothing.
    pub(super) fn is_cut(&self) -> bool {
        self.is_cut
    }
}

impl<'a> Parts<'a> {
    /// For each leaf its number and the symbol of its path, and whether that path is of a trunk and a rest. An item of a list has
    /// the trunk [`Trunk::Item`], which no path has.
    #[inline]
    pub(super) fn paths(self) -> impl Iterator<Item = (u16, u32, impl Fn(Trunk, &[u8]) -> bool)> {
        (0..).zip(self.leaves).map(move |(number, leaf)| {
            let leaf = Leaf::read(leaf);
            let is_at = move |trunk: Trunk, rest: &[u8]| {
                leaf.trunk == trunk as u8 && leaf.rest(self.texts) == rest
            };
            (number, leaf.path, is_at)
        })
    }

    /// What stands at a seat.
    #[inline]
    pub(super) fn stands(self, seat: Seat) -> Stands<'a> {
        let number = match seat {
            Seat::Leaf(number) => usize::from(number),
            Seat::Nothing => return Stands::Nothing,
            Seat::Else => return Stands::Else,
        };
        let Self { leaves, texts } = self;
        let Some(leaf) = leaves.get(number).map(Leaf::read) else {
            return Stands::Else;
        };
        match leaf.kind {
            Kind::TEXT => Stands::Text(leaf.text(texts), leaf.value),
            Kind::NUMBER => Stands::Number(f64::from_bits(leaf.value)),
            Kind::TEXTS => {
                let count = usize::try_from(leaf.value).unwrap_or(usize::MAX);
                let items = leaves.get(number + 1..).unwrap_or_default();
                // Of a list that did not fit, the tree knows.
                items.get(..count).map_or(Stands::Else, |leaves| {
                    Stands::Texts(Items(Parts { leaves, texts }))
                })
            }
            _ => Stands::Else,
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
