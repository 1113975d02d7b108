//! How the leaves of a request are noted, in the order in which they stand.

use std::ops::Range;

use serde_json::{Map, Value};
use smallvec::SmallVec;

use super::super::path::Place;
use super::super::symbol::symbol;
use super::{INLINE, Kind, LEAF, Leaves, MAX_LEAVES, MAX_PATH, Near, SEPARATOR, Trunk};
use crate::json::{Node, Plain, Seen};

/// The most members of a path that is noted.
const MAX_MEMBERS: usize = 4;
/// The most bytes of texts and paths.
pub(super) const MAX_BYTES: usize = 16 << 10;

/// Where leaves are noted one by one, which may be done again for another request.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The leaves, each in [`LEAF`] bytes.
    leaves: Vec<u8>,
    /// Of each leaf the path and then the text.
    texts: Vec<u8>,
    near: Near,
    count: u8,
    is_cut: bool,
}

/// Bytes of leaves, and of what they say, that room is made for.
const ROOM: (usize, usize) = (24 * LEAF, INLINE);
/// In front of the first member of a path.
const FIRST: Range<usize> = 0..0;

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
        self.near = Near::default();
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
            near: if self.is_cut {
                self.near.unknown()
            } else {
                self.near
            },
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
        let before = match trunk {
            Trunk::Item => 0,
            _ => {
                let cell = Place::cell(trunk, self.texts.get(rest.clone()).unwrap_or_default());
                let text = (kind == Kind::Text).then_some(value);
                self.near.note(cell, self.count, text)
            }
        };
        self.texts.extend_from_slice(text.as_bytes());
        self.leaves.extend(value.to_le_bytes());
        self.leaves.extend(start.to_le_bytes());
        self.leaves.extend(text_length.to_le_bytes());
        self.leaves
            .extend([length, trunk as u8, kind as u8, before]);
        self.count += 1;
        rest
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
