//! The leaves of a request side by side, so that rules find them without walking its tree.
//!
//! A request is read once and held against many rules, nearly all of which ask for texts, numbers and lists of texts at a few paths.
//! What stands near the top is noted when the request is read, in little memory, since that is mostly what looking it up costs;
//! whatever lies deep, or is too much, is left to the tree.
//!
//! INVARIANT: what is told of a path is what [`Facts::at`](super::Facts::at) finds there, or nothing is told. Paths are compared
//! whole: hashes only tell which are worth it, since whoever asks chooses the names.

mod notes;

use std::ops::BitXor;

use smallvec::SmallVec;

use super::path::RequestPath;

pub(crate) use notes::Notes;

/// What stands between the members of a joined path.
pub(super) const SEPARATOR: &str = "\u{1f}";
/// The bytes of a line of memory.
const LINE: usize = 64;
/// The most bytes of a path that is noted, without its trunk.
pub(super) const MAX_PATH: usize = 128;

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

#[cfg(test)]
mod tests;
