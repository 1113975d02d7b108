//! Where the parts of a document stand.

use std::collections::BTreeMap;
use std::fmt;

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
        let dot = if self.0.is_empty() { "" } else { "." };
        Self(if is_word {
            format!("{}{dot}{key}", self.0)
        } else {
            format!("{}[{key:?}]", self.0)
        })
    }

    /// The item `index` of the sequence at this path, from 0.
    #[must_use]
    pub fn index(&self, index: usize) -> Self {
        Self(format!("{}[{index}]", self.0))
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

/// A node's place and its children's. A tree, not a table of paths: a table would repeat a long key below itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) children: Children,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Children {
    None,
    Items(Vec<Node>),
    /// By key: the key's place, and the value.
    Entries(BTreeMap<String, (Place, Node)>),
}

/// The places of a document's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spans {
    file: String,
    top: Node,
}

impl Spans {
    /// Of a document that stands in no file.
    #[must_use]
    pub fn nowhere() -> Self {
        let top = Node {
            place: (0, 0),
            children: Children::None,
        };
        Self::new("", top)
    }

    pub(super) fn new(file: &str, top: Node) -> Self {
        Self {
            file: file.to_owned(),
            top,
        }
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
            (node, _, "") => Some(self.at(node.place)),
            _ => None,
        }
    }

    /// Follows `path` as far as it goes; the rest is empty when it was found.
    fn walk<'path>(&self, path: &'path str) -> (Place, &'path str) {
        let (_, place, rest) = self.walk_to(path);
        (place, rest)
    }

    fn walk_to<'path>(&self, path: &'path str) -> (&Node, Place, &'path str) {
        let (mut node, mut place, mut rest) = (&self.top, self.top.place, path);
        while let Some((step, after)) = next_step(rest) {
            let next = match (&node.children, step) {
                (Children::Items(items), Step::Index(index)) => {
                    items.get(index).map(|item| (item.place, item))
                }
                (Children::Entries(entries), Step::Key(key)) => {
                    entries.get(&key).map(|(place, value)| (*place, value))
                }
                _ => None,
            };
            let Some((next_place, next_node)) = next else {
                return (node, place, rest);
            };
            (node, place, rest) = (next_node, next_place, after);
        }
        (node, place, rest)
    }

    /// Where `serde_yaml` found a problem; the top where it does not say.
    pub(super) fn place_of(&self, error: &serde_yaml::Error) -> Location {
        let place = error.location().map(|found| {
            let line = u32::try_from(found.line()).unwrap_or(u32::MAX);
            (line, u32::try_from(found.column()).unwrap_or(u32::MAX))
        });
        self.at(place.unwrap_or(self.top.place))
    }

    fn at(&self, (line, column): Place) -> Location {
        Location {
            file: self.file.clone(),
            line,
            column,
        }
    }
}

enum Step {
    Key(String),
    Index(usize),
}

/// The first step of a path and what follows it; none at its end or where it is malformed.
fn next_step(path: &str) -> Option<(Step, &str)> {
    let path = path.strip_prefix('.').unwrap_or(path);
    if let Some(inside) = path.strip_prefix('[') {
        if inside.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(inside).into_iter::<String>();
            let key = stream.next()?.ok()?;
            let after = inside.get(stream.byte_offset()..)?.strip_prefix(']')?;
            return Some((Step::Key(key), after));
        }
        let (index, after) = inside.split_once(']')?;
        return Some((Step::Index(index.parse().ok()?), after));
    }
    if path.is_empty() {
        return None;
    }
    let end = path.find(['.', '[']).unwrap_or(path.len());
    let (key, after) = path.split_at_checked(end)?;
    Some((Step::Key(key.to_owned()), after))
}

/// The place behind the last character of `text`.
pub(super) fn end_of(text: &str) -> Place {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
    (narrow(line), narrow(column))
}

/// `error`'s message without ` at line L column C`, which its place says already.
pub(super) fn without_place(error: &serde_yaml::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) if error.location().is_some() => message.to_owned(),
        _ => text,
    }
}
