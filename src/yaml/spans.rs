//! Where the parts of a document stand.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::diag::Location;

/// A 1-based line and column, in characters.
pub(super) type Place = (u32, u32);

/// The way from a document's top to one of its parts, such as `rules[3].match["subject.id"].in`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Path(String);

impl Path {
    /// The top of the document.
    #[must_use]
    pub fn top() -> Self {
        Self::default()
    }

    /// The entry `key` of the mapping at this path; keys that are not plain words are quoted.
    #[must_use]
    pub fn key(&self, key: &str) -> Self {
        let is_word = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '/' | '#'));
        let mut path = self.longer_by(key.len() + 4);
        // What a quoted key looks like, without looking at each of its characters.
        let is_plain = || {
            key.bytes()
                .all(|byte| byte.is_ascii_graphic() && !b"\"\\".contains(&byte))
        };
        if is_word {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(key);
        } else if is_plain() {
            path.push_str("[\"");
            path.push_str(key);
            path.push_str("\"]");
        } else {
            path.push_str(&format!("[{key:?}]"));
        }
        Self(path)
    }

    /// The path as text with room for `more` bytes. A path is made for every part that is read.
    fn longer_by(&self, more: usize) -> String {
        let mut path = String::with_capacity(self.0.len() + more);
        path.push_str(&self.0);
        path
    }

    /// The item `index` of the sequence at this path, from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        let mut path = self.longer_by(12);
        path.push('[');
        path.push_str(&index.to_string());
        path.push(']');
        Self(path)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Path> for String {
    fn from(path: Path) -> Self {
        path.0
    }
}

/// A part of a document, by the order in which parts end. Of siblings, one that stands before another has a lower number.
pub(super) type Part = u32;

/// A part's place, its key where it is an entry of a mapping, and what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Node {
    place: Place,
    /// The key's range in [`Spans::keys`], and its place.
    key: Option<(Range, Place)>,
    children: Children,
}

type Range = (u32, u32);

/// Ranges of [`Spans::children`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Children {
    None,
    Items(Range),
    /// Sorted by key.
    Entries(Range),
}

/// The places of a document's parts. Side by side and without a path of their own, so that a long key is kept once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    file: Arc<str>,
    nodes: Vec<Node>,
    children: Vec<Part>,
    keys: String,
}

/// What a part holds, as the reader of a document tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Nothing,
    /// These parts, in the document's order.
    Items,
    /// The same, each with a key.
    Entries,
}

/// A key and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    text: Range,
    pub(super) place: Place,
}

impl Spans {
    /// Of a document that stands in no file.
    #[must_use]
    pub fn nowhere() -> Self {
        let mut spans = Self::new("");
        spans.push((0, 0), None, Holds::Nothing, &[]);
        spans
    }

    /// Of a document whose parts are yet to come, its top last.
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.into(),
            nodes: Vec::new(),
            children: Vec::new(),
            keys: String::new(),
        }
    }

    /// Notes a key, whose value comes later.
    pub(super) fn key(&mut self, text: &str, place: Place) -> Key {
        let start = narrow(self.keys.len());
        self.keys.push_str(text);
        Key {
            text: (start, narrow(self.keys.len())),
            place,
        }
    }

    /// The text of a key.
    pub(super) fn text(&self, key: Key) -> &str {
        self.slice(key.text)
    }

    fn slice(&self, (start, end): Range) -> &str {
        self.keys
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// Adds a part that holds `parts`.
    pub(super) fn push(
        &mut self,
        place: Place,
        key: Option<Key>,
        holds: Holds,
        parts: &[Part],
    ) -> Part {
        let start = self.children.len();
        self.children.extend(parts);
        let range = (narrow(start), narrow(self.children.len()));
        let children = match holds {
            Holds::Nothing => Children::None,
            Holds::Items => Children::Items(range),
            Holds::Entries => {
                let mut children = std::mem::take(&mut self.children);
                if let Some(parts) = children.get_mut(start..) {
                    parts.sort_unstable_by(|left, right| {
                        self.key_of(*left).cmp(self.key_of(*right))
                    });
                }
                self.children = children;
                Children::Entries(range)
            }
        };
        let number = narrow(self.nodes.len());
        self.nodes.push(Node {
            place,
            key: key.map(|key| (key.text, key.place)),
            children,
        });
        number
    }

    fn node(&self, part: Part) -> Option<&Node> {
        self.nodes.get(part as usize)
    }

    fn key_of(&self, part: Part) -> &str {
        let key = self.node(part).and_then(|node| node.key);
        key.map_or("", |(text, _)| self.slice(text))
    }

    fn parts(&self, (start, end): Range) -> &[Part] {
        self.children
            .get(start as usize..end as usize)
            .unwrap_or_default()
    }

    /// The whole document.
    pub(super) fn top(&self) -> Option<Part> {
        self.nodes.len().checked_sub(1).map(narrow)
    }

    /// The item of a part that is a sequence.
    pub(super) fn item(&self, part: Part, index: usize) -> Option<Part> {
        match self.node(part)?.children {
            Children::Items(range) => self.parts(range).get(index).copied(),
            Children::None | Children::Entries(_) => None,
        }
    }

    /// The entry of a part that is a mapping.
    pub(super) fn entry(&self, part: Part, key: &str) -> Option<Part> {
        let Children::Entries(range) = self.node(part)?.children else {
            return None;
        };
        let parts = self.parts(range);
        let found = parts.binary_search_by(|entry| self.key_of(*entry).cmp(key));
        parts.get(found.ok()?).copied()
    }

    /// Where the key among `parts` stands that reads `key`.
    pub(super) fn place_of_key(&self, parts: &[Part], key: &str) -> Option<Place> {
        let found = parts.iter().find(|part| self.key_of(**part) == key)?;
        self.node(*found)?.key.map(|(_, place)| place)
    }

    /// The place of the part at `path`, written as [`Path`] writes it; the key's place for an entry of a mapping. None
    /// where the document holds no such part.
    #[must_use]
    pub fn locate(&self, path: &str) -> Option<Location> {
        match self.walk(path) {
            (place, "") => Some(self.at(place)),
            _ => None,
        }
    }

    /// The place of the part at `path`, or of the nearest part around it that the document holds.
    #[must_use]
    pub fn nearest(&self, path: &Path) -> Location {
        self.at(self.walk(&path.0).0)
    }

    /// The place of the value at `path`, which for an entry of a mapping is behind its key. None where the document holds no
    /// such part.
    #[must_use]
    pub fn value(&self, path: &Path) -> Option<Location> {
        match self.walk_to(&path.0) {
            (Some(part), "") => self.node(part).map(|node| self.at(node.place)),
            _ => None,
        }
    }

    /// Follows `path` as far as it goes; the rest is empty when it was found.
    fn walk<'path>(&self, path: &'path str) -> (Place, &'path str) {
        let (part, rest) = self.walk_to(path);
        let node = part.and_then(|part| self.node(part));
        let place = node.map(|node| node.key.map_or(node.place, |(_, place)| place));
        (place.unwrap_or((1, 1)), rest)
    }

    fn walk_to<'path>(&self, path: &'path str) -> (Option<Part>, &'path str) {
        let (mut part, mut rest) = (self.top(), path);
        while let Some((step, after)) = next_step(rest) {
            let next = part.and_then(|part| match step {
                Step::Index(index) => self.item(part, index),
                Step::Key(key) => self.entry(part, &key),
            });
            if next.is_none() {
                return (part, rest);
            }
            (part, rest) = (next, after);
        }
        (part, rest)
    }

    /// Where `serde_yaml` found a problem; the top where it does not say.
    pub(super) fn place_of(&self, error: &serde_yaml::Error) -> Location {
        let place = error.location().map(|found| {
            let line = u32::try_from(found.line()).unwrap_or(u32::MAX);
            (line, u32::try_from(found.column()).unwrap_or(u32::MAX))
        });
        self.at(place.unwrap_or_else(|| self.walk("").0))
    }

    fn at(&self, (line, column): Place) -> Location {
        Location {
            file: Arc::clone(&self.file),
            line,
            column,
        }
    }
}

enum Step<'path> {
    Key(Cow<'path, str>),
    Index(usize),
}

/// The first step of a path and what follows it; none at its end or where it is malformed.
fn next_step(path: &str) -> Option<(Step<'_>, &str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    if let Some(inside) = path.strip_prefix('[') {
        if inside.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(inside).into_iter::<String>();
            let key = stream.next()?.ok()?;
            let after = inside.get(stream.byte_offset()..)?.strip_prefix(']')?;
            return Some((Step::Key(key.into()), after));
        }
        let (index, after) = inside.split_once(']')?;
        return Some((Step::Index(index.parse().ok()?), after));
    }
    if path.is_empty() {
        return None;
    }
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (key, after) = path.split_at_checked(end)?;
    Some((Step::Key(key.into()), after))
}

/// The place behind the last character of `text`.
pub(super) fn end_of(text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    (narrow(line), narrow(column))
}

/// Documents are far smaller than this could miscount.
pub(super) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// `error`'s message without ` at line L column C`, which its place says already.
pub(super) fn without_place(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) if error.location().is_some() => message.to_owned(),
        _ => text,
    }
}
