//! The leaves of a request side by side, so that rules find them without walking its tree.
//!
//! A request is read once and held against many rules, nearly all of which ask for texts, numbers and lists of texts at a few paths.
//! What stands near the top is noted when the request is read, in little memory, since that is mostly what looking it up costs;
//! whatever lies deep, or is too much, is left to the tree.
//!
//! INVARIANT: what is told of a path is what [`Facts::at`](super::Facts::at) finds there, or nothing is told. Paths are compared
//! whole: hashes only tell which are worth it, since whoever asks chooses the names.

mod near;
mod notes;
mod same;

use std::hint::black_box;

use smallvec::SmallVec;

use super::path::RequestPath;

pub use near::Cell;
use near::Near;
pub(crate) use near::mark;
pub(crate) use notes::Notes;
pub(crate) use same::same;

/// What stands between the members of a joined path.
pub(super) const SEPARATOR: &str = "\u{1f}";
/// The bytes of a line of memory.
const LINE: usize = 64;
/// The most leaves that are noted: few enough to be looked through.
pub(super) const MAX_LEAVES: usize = 64;
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
    near: Near,
    count: u8,
    /// Whether there was too much to note.
    is_cut: bool,
}

/// The bytes that most requests' leaves take, at most.
const INLINE: usize = 512;
/// The bytes of a leaf, in which all numbers are little-endian:
///
/// ```text
/// value, 8; where path and text begin, 2; how long the text is, 2; how long the path is, 1; trunk, 1; kind, 1; the number of the leaf
/// before it in the same cell plus one, 1
/// ```
const LEAF: usize = 16;

/// What the leaf of a text has where it is of one trunk and its path of one length: as the last bytes of a
/// leaf say it, so that they are compared at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct TextAt(u32);

impl TextAt {
    /// What no leaf has.
    pub(super) const NONE: Self = Self(u32::MAX);

    /// A path of this trunk, of whose rest there are so many bytes.
    pub(super) fn new(trunk: Trunk, length: usize) -> Self {
        let length = u8::try_from(length);
        length.map_or(Self::NONE, |length| {
            Self(u32::from_le_bytes([length, trunk as u8, Kind::TEXT, 0]))
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Leaf {
    /// A text's symbol; a number's bits; how many items follow.
    value: u64,
    /// All else.
    rest: u64,
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
struct Parts<'a> {
    leaves: &'a [[u8; LEAF]],
    texts: &'a [u8],
}

impl Leaf {
    #[inline(always)]
    fn read(bytes: &[u8; LEAF]) -> Self {
        let [v0, v1, v2, v3, v4, v5, v6, v7, rest @ ..] = *bytes;
        Self {
            value: u64::from_le_bytes([v0, v1, v2, v3, v4, v5, v6, v7]),
            rest: u64::from_le_bytes(rest),
        }
    }

    /// Where path and text begin, behind the leaves.
    #[inline]
    fn start(self) -> usize {
        let [low, high, ..] = self.rest.to_le_bytes();
        usize::from(u16::from_le_bytes([low, high]))
    }

    /// How long the text is.
    #[inline]
    fn text_length(self) -> usize {
        let [_, _, low, high, ..] = self.rest.to_le_bytes();
        usize::from(u16::from_le_bytes([low, high]))
    }

    /// How long the path is.
    #[inline]
    fn path_length(self) -> usize {
        usize::from(self.last()[0])
    }

    /// Whether it is of this trunk, and its path of this length.
    #[inline]
    fn is_of(self, trunk: Trunk, length: usize) -> bool {
        let [own, of, ..] = self.last();
        usize::from(own) == length && of == trunk as u8
    }

    #[inline]
    fn kind(self) -> u8 {
        self.last()[2]
    }

    /// The leaf before it in the same cell.
    #[inline]
    fn before(self) -> Option<usize> {
        usize::from(self.last()[3]).checked_sub(1)
    }

    /// How long the path is; trunk; kind; the leaf before it.
    #[inline]
    fn last(self) -> [u8; 4] {
        let [_, _, _, _, last @ ..] = self.rest.to_le_bytes();
        last
    }

    /// Whether it is a text there.
    #[inline]
    fn is_text(self, at: TextAt) -> bool {
        let [length, trunk, kind, _] = self.last();
        u32::from_le_bytes([length, trunk, kind, 0]) == at.0
    }

    #[inline]
    fn path(self, texts: &[u8]) -> &[u8] {
        let path = texts.get(self.start()..self.start() + self.path_length());
        path.unwrap_or_default()
    }

    #[inline]
    fn text<'a>(self, texts: &'a [u8]) -> Text<'a> {
        let start = self.start() + self.path_length();
        let text = texts.get(start..start + self.text_length());
        Text(text.unwrap_or_default())
    }
}

impl Leaves {
    #[inline(always)]
    fn parts(&self) -> Parts<'_> {
        let leaves = usize::from(self.count) * LEAF;
        let (leaves, texts) = self.bytes.split_at_checked(leaves).unwrap_or_default();
        let (leaves, _) = leaves.as_chunks();
        Parts { leaves, texts }
    }

    /// What stands at `path`.
    #[must_use]
    pub fn at(&self, path: &RequestPath) -> Stands<'_> {
        let place = path.place();
        let place = place.map(|place| (place.cell, place.trunk, place.rest.as_bytes()));
        self.noted().at(place, path.is_sure())
    }

    /// All that is noted, to look for many paths in it.
    #[inline]
    pub(super) fn noted(&self) -> Noted<'_> {
        Noted {
            parts: self.parts(),
            near: &self.near,
            is_cut: self.is_cut,
        }
    }

    /// What stands in each of these cells, nearly: for each text that may be there a bit of seven, and the eighth in any case.
    #[must_use]
    #[inline]
    pub fn marks<const N: usize>(&self, cells: &[Cell; N]) -> [u8; N] {
        let mut marks = [0; N];
        for (marks, cell) in marks.iter_mut().zip(cells) {
            *marks = self.near.marks(*cell);
        }
        marks
    }

    /// Fetches all of them, which will be wanted soon, from wherever in memory they are.
    #[inline]
    pub(crate) fn touch(&self) {
        let (mut at, mut all) = (0, self.near.touch());
        while let Some(byte) = self.bytes.get(at) {
            all ^= byte;
            at += LINE;
        }
        black_box(all);
    }
}

/// What is noted of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted<'a> {
    parts: Parts<'a>,
    near: &'a Near,
    is_cut: bool,
}

impl<'a> Noted<'a> {
    /// The text that stands at the path of this cell, place and rest, and its symbol, where that is told at once.
    #[inline(always)]
    pub(super) fn text(&self, cell: Cell, at: TextAt, rest: &[u8]) -> Option<(Text<'a>, u64)> {
        let number = self.near.last(cell)?;
        let leaf = Leaf::read(self.parts.leaves.get(number)?);
        if !leaf.is_text(at) {
            return None;
        }
        let texts = self.parts.texts.get(leaf.start()..)?;
        let (own, texts) = texts.split_at_checked(rest.len())?;
        let text = texts
            .get(..leaf.text_length())
            .filter(|_| same(own, rest))?;
        Some((Text(text), leaf.value))
    }

    /// What stands at the path of this cell, trunk and rest; where nothing is noted there, `is_sure` says whether
    /// nothing stands there.
    #[inline]
    pub(super) fn at(&self, place: Option<(Cell, Trunk, &[u8])>, is_sure: bool) -> Stands<'a> {
        let found = place.and_then(|(cell, trunk, rest)| {
            let mut next = self.near.last(cell);
            // INVARIANT: each leaf names one before it, so that this comes to an end.
            while let Some(number) = next {
                let leaf = Leaf::read(self.parts.leaves.get(number)?);
                if leaf.is_of(trunk, rest.len()) && same(leaf.path(self.parts.texts), rest) {
                    return Some(self.parts.stands(leaf, number));
                }
                next = leaf.before();
            }
            None
        });
        match found {
            Some(found) => found,
            None if is_sure && !self.is_cut => Stands::Nothing,
            None => Stands::Else,
        }
    }
}

impl<'a> Parts<'a> {
    /// What stands at the path of the leaf with this number.
    #[inline(always)]
    fn stands(self, leaf: Leaf, number: usize) -> Stands<'a> {
        let Self { leaves, texts } = self;
        match leaf.kind() {
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
