//! The texts of a request side by side, so that rules find them without walking its tree.
//!
//! A request is read once and held against many rules, nearly all of which ask for texts at a few paths. What stands near the top
//! is noted when the request is read; whatever lies deep, or is too much, is left to the tree.
//!
//! INVARIANT: what is told of a path is what [`Facts::at`](super::Facts::at) finds there, or nothing is told. Paths are compared
//! whole: hashes only tell which are worth it, since whoever asks chooses the names.

use std::hash::BuildHasher as _;

use serde_json::{Map, Value};

use super::path::{Reach, RequestPath};
use crate::json::{Node, Plain, Seen};

/// What stands between the members of a joined path.
pub(super) const SEPARATOR: &str = "\u{1f}";
/// The most members of a path that is noted.
const MAX_MEMBERS: usize = 4;
/// The most bytes of a joined path that is noted.
const MAX_PATH: usize = 128;
/// The most values that are noted: few enough to be looked through.
const MAX_NOTED: usize = 64;
/// The most bytes of texts and paths.
const MAX_BYTES: usize = 16 << 10;
/// The values that room is made for.
const ROOM: usize = 24;

/// A text as a number, which differs where texts differ, nearly always. The same in every process, since it decides nothing.
#[must_use]
pub fn symbol(text: &[u8]) -> u64 {
    foldhash::quality::FixedState::with_seed(0).hash_one(text)
}

/// The texts of a request that stand near its top.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// The symbols of the joined paths.
    paths: Vec<u64>,
    noted: Vec<Noted>,
    /// All paths and texts, one after the other.
    bytes: String,
    /// Whether there was too much to note.
    is_cut: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Noted {
    start: u32,
    /// Where the path ends and the text begins.
    middle: u32,
    end: u32,
    /// The text's symbol; none for a value that is no text.
    text: Option<u64>,
}

/// What stands at a path of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands<'a> {
    /// Nothing.
    Nothing,
    /// A text, and its symbol.
    Text(&'a str, u64),
    /// The tree knows.
    Else,
}

impl Texts {
    /// The texts of a request in its canonical form.
    #[must_use]
    pub fn of(attributes: &Map<String, Value>) -> Self {
        let mut texts = Self::default();
        let members = attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value));
        texts.note_members(members, &mut String::new(), 1);
        texts
    }

    /// The texts of a request whose canonical form `plain` is, but for empty objects at the paths `filled`.
    #[must_use]
    pub(crate) fn of_plain(plain: &Plain, filled: &[&[&str]]) -> Self {
        let mut texts = Self {
            paths: Vec::with_capacity(ROOM),
            noted: Vec::with_capacity(ROOM),
            bytes: String::with_capacity(2 * plain.text().len().min(MAX_BYTES / 2)),
            is_cut: false,
        };
        let members = (plain, plain.root()).members();
        texts.note_members(members, &mut String::with_capacity(MAX_PATH), 1);
        for path in filled {
            if !texts.is_cut {
                texts.note(&path.join(SEPARATOR), None);
            }
        }
        texts
    }

    fn note_members<'a, V: Member<'a>>(
        &mut self,
        members: impl Iterator<Item = (&'a str, V)>,
        path: &mut String,
        depth: usize,
    ) {
        let start = path.len();
        for (name, value) in members {
            if depth > 1 {
                path.push_str(SEPARATOR);
            }
            // INVARIANT: two paths that differ are joined to two texts that differ.
            if name.contains(SEPARATOR) || path.len() + name.len() > MAX_PATH {
                self.is_cut = true;
            } else {
                path.push_str(name);
                match value.see() {
                    Seen::Null => {}
                    Seen::Text(text) => self.note(path, Some(text)),
                    Seen::Else => self.note(path, None),
                    Seen::Object => {
                        self.note(path, None);
                        if depth < MAX_MEMBERS {
                            self.note_members(value.members(), path, depth + 1);
                        }
                    }
                }
            }
            path.truncate(start);
            if self.is_cut {
                return;
            }
        }
    }

    fn note(&mut self, path: &str, text: Option<&str>) {
        let written = text.unwrap_or_default();
        let size = self.bytes.len() + path.len() + written.len();
        if self.noted.len() >= MAX_NOTED || size > MAX_BYTES {
            self.is_cut = true;
            return;
        }
        let end = |bytes: &str| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let start = end(&self.bytes);
        self.bytes.push_str(path);
        let middle = end(&self.bytes);
        self.bytes.push_str(written);
        self.paths.push(symbol(path.as_bytes()));
        self.noted.push(Noted {
            start,
            middle,
            end: end(&self.bytes),
            text: text.map(|text| symbol(text.as_bytes())),
        });
    }

    /// What stands at `path`.
    #[must_use]
    pub fn at(&self, path: &RequestPath) -> Stands<'_> {
        let Some((joined, symbol)) = path.joined().filter(|_| path.len() <= MAX_MEMBERS) else {
            return Stands::Else;
        };
        let candidates = self.paths.iter().zip(&self.noted);
        for (_, noted) in candidates.filter(|(path, _)| **path == symbol) {
            if self.slice(noted.start, noted.middle) == Some(joined) {
                let text = noted.text.zip(self.slice(noted.middle, noted.end));
                return text.map_or(Stands::Else, |(symbol, text)| Stands::Text(text, symbol));
            }
        }
        if self.is_cut || joined.len() > MAX_PATH || path.reach() == Reach::Unsure {
            Stands::Else
        } else {
            Stands::Nothing
        }
    }

    fn slice(&self, start: u32, end: u32) -> Option<&str> {
        self.bytes.get(start as usize..end as usize)
    }
}

/// A member's value, in a tree or in a plain text.
trait Member<'a>: Copy {
    fn see(self) -> Seen<'a>;
    fn members(self) -> impl Iterator<Item = (&'a str, Self)>;
}

impl<'a> Member<'a> for &'a Value {
    fn see(self) -> Seen<'a> {
        match self {
            Value::Null => Seen::Null,
            Value::String(text) => Seen::Text(text),
            Value::Object(_) => Seen::Object,
            Value::Bool(_) | Value::Number(_) | Value::Array(_) => Seen::Else,
        }
    }

    fn members(self) -> impl Iterator<Item = (&'a str, Self)> {
        let members = self.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), value))
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
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    use super::super::Facts;
    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = select(vec![
            json!(null),
            json!("x"),
            json!(""),
            json!("a\u{1f}b"),
            json!(1),
            json!(["x"]),
            json!({}),
        ]);
        leaf.prop_recursive(5, 40, 3, |inner| {
            let names = select(vec![
                "a",
                "b",
                "properties",
                "time",
                "a\u{1f}b",
                "\u{1f}",
                "",
            ]);
            prop::collection::btree_map(names, inner, 0..3).prop_map(|members| json!(members))
        })
    }

    /// A request in its canonical form: these four, and `properties`, are mappings.
    fn request() -> impl Strategy<Value = Value> {
        let map = || {
            let names = select(vec!["a", "b", "time", "properties", "a\u{1f}b", "k"]);
            prop::collection::btree_map(names, value(), 0..4).prop_map(|members| json!(members))
        };
        (map(), map(), map()).prop_map(|(subject, action, context)| {
            json!({
                "subject": {"type": "user", "id": "u", "properties": subject},
                "action": {"name": "act", "properties": action},
                "resource": {"type": "t", "id": "r", "properties": {}},
                "context": context,
            })
        })
    }

    fn path() -> impl Strategy<Value = RequestPath> {
        let more = || {
            let names = vec![
                "a",
                "b",
                "k",
                "time",
                "properties",
                "a\u{1f}b",
                "\u{1f}",
                "",
            ];
            prop::collection::vec(select(names), 0..4)
        };
        let tops = vec![
            vec!["context"],
            vec!["subject", "properties"],
            vec!["action", "properties"],
            vec!["subject"],
            vec!["action", "name"],
            vec!["resource", "id"],
        ];
        (select(tops), more()).prop_map(|(top, more)| {
            let members = top.into_iter().chain(more).map(ToOwned::to_owned);
            RequestPath::new(members.collect())
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_told_is_what_the_tree_holds(request in request(), paths in prop::collection::vec(path(), 20)) {
            let texts = Texts::of(request.as_object().unwrap());
            let facts = Facts::new(&request, "2026-11-01T00:00:00Z".parse().unwrap()).with_texts(&texts);
            for path in &paths {
                match facts.stands(path) {
                    Stands::Nothing => prop_assert_eq!(facts.at(path), Ok(None)),
                    Stands::Text(text, own) => {
                        prop_assert_eq!(facts.at(path), Ok(Some(&json!(text))));
                        prop_assert_eq!(own, symbol(text.as_bytes()));
                    }
                    Stands::Else => {}
                }
            }
        }
    }

    /// What is usual is told; else nothing would be gained.
    #[test]
    fn usual_texts_are_told() {
        let request = json!({
            "subject": {"type": "user", "id": "alice", "properties": {"team": "payments", "level": 3}},
            "action": {"name": "deploy", "properties": {}}, "resource": {"type": "t", "id": "r", "properties": {}},
            "context": {"environment": "production"},
        });
        let texts = Texts::of(request.as_object().unwrap());
        let at = |path: &str| {
            let path = RequestPath::new(path.split('.').map(ToOwned::to_owned).collect());
            match texts.at(&path) {
                Stands::Text(text, symbol) => Stands::Text(&*text.to_owned().leak(), symbol),
                other => other,
            }
        };
        for (path, text) in [
            ("subject.id", "alice"),
            ("action.name", "deploy"),
            ("subject.properties.team", "payments"),
            ("context.environment", "production"),
        ] {
            assert_eq!(
                at(path),
                Stands::Text(text, symbol(text.as_bytes())),
                "{path}"
            );
        }
        assert_eq!(at("subject.properties.client"), Stands::Nothing);
        for path in [
            "subject.properties.level",
            "subject.properties",
            "context.time",
            "context.environment.x",
        ] {
            assert_eq!(at(path), Stands::Else, "{path}");
        }
    }

    /// However much a request holds, no more is noted than can be looked through.
    #[test]
    fn a_large_request_is_left_to_its_tree() {
        let many: Map<String, Value> = (0..500).map(|n| (format!("k{n}"), json!("x"))).collect();
        let long = json!({"a": "x".repeat(MAX_BYTES)});
        for context in [
            Value::Object(many),
            long,
            json!({"n".repeat(MAX_PATH): "x"}),
        ] {
            let texts = Texts::of(json!({"context": context}).as_object().unwrap());
            assert!(
                texts.is_cut && texts.bytes.len() <= MAX_BYTES && texts.noted.len() <= MAX_NOTED
            );
            let path = RequestPath::new(vec!["context".to_owned(), "absent".to_owned()]);
            assert_eq!(texts.at(&path), Stands::Else);
        }
    }
}
