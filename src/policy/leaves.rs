//! The leaves of a request side by side, so that rules find them without walking its tree.
//!
//! A request is read once and held against many rules, nearly all of which ask for texts, numbers and lists of texts at a few paths.
//! What stands near the top is noted when the request is read, in little memory, since that is mostly what looking it up costs;
//! whatever lies deep, or is too much, is left to the tree.
//!
//! INVARIANT: what is told of a path is what [`Facts::at`](super::Facts::at) finds there, or nothing is told. Paths are compared
//! whole: hashes only tell which are worth it, since whoever asks chooses the names.

use serde_json::{Map, Value};

use super::path::{Place, Reach, RequestPath};
use super::symbol::symbol;
use crate::json::{Node, Plain, Seen};

/// What stands between the members of a joined path.
pub(super) const SEPARATOR: &str = "\u{1f}";
/// The most members of a path that is noted.
const MAX_MEMBERS: usize = 4;
/// The most bytes of a path that is noted, without its trunk.
const MAX_PATH: usize = 128;
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
    /// Where in the bytes the path begins.
    start: u32,
    /// A text's symbol; a number's bits; how many items follow.
    value: u64,
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

/// The texts of a list, in its order.
#[derive(Debug, Clone, Copy)]
pub struct Items<'a> {
    items: &'a [Leaf],
    bytes: &'a str,
}

impl<'a> Items<'a> {
    /// The texts, and their symbols.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, u64)> {
        let items = self.items.iter();
        items.map(move |item| (item.text(self.bytes), item.value))
    }
}

/// Where a path leads in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seat {
    Leaf(u16),
    Nothing,
    Else,
}

impl Leaf {
    fn rest<'a>(&self, bytes: &'a str) -> &'a str {
        let start = self.start as usize;
        let rest = bytes.get(start..start + usize::from(self.rest));
        rest.unwrap_or_default()
    }

    fn text<'a>(&self, bytes: &'a str) -> &'a str {
        let start = self.start as usize + usize::from(self.rest);
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
            (u32::try_from(start), lengths, is_much)
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
            start,
            value,
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
            let found = leaves.find(|(_, leaf)| leaf.path == symbol && self.is_at(leaf, place));
            found.map(|(number, _)| Seat::Leaf(number))
        });
        self.stands(seat.unwrap_or_else(|| self.empty_seat(path)))
    }

    fn is_at(&self, leaf: &Leaf, place: &Place) -> bool {
        leaf.trunk == place.trunk && leaf.rest(&self.bytes) == place.rest
    }

    /// The seat of a path at which no leaf was found.
    pub(super) fn empty_seat(&self, path: &RequestPath) -> Seat {
        let is_sure = |place: &Place| {
            !self.is_cut && place.rest.len() <= MAX_PATH && path.reach() == Reach::Sure
        };
        if path.place().is_some_and(is_sure) {
            Seat::Nothing
        } else {
            Seat::Else
        }
    }

    /// For each leaf its number and the symbol of its path, and whether it is at a place.
    pub(super) fn paths(&self) -> impl Iterator<Item = (u16, u32, impl Fn(&Place) -> bool)> {
        let leaves = (0..).zip(&self.leaves);
        let leaves = leaves.filter(|(_, leaf)| leaf.trunk != Trunk::Item);
        leaves.map(|(number, leaf)| (number, leaf.path, |place: &Place| self.is_at(leaf, place)))
    }

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
            Kind::Text => Stands::Text(leaf.text(&self.bytes), leaf.value),
            Kind::Number => Stands::Number(f64::from_bits(leaf.value)),
            Kind::Texts => {
                let count = usize::try_from(leaf.value).unwrap_or(usize::MAX);
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
mod tests {
    use proptest::prelude::*;
    use proptest::sample::select;
    use serde_json::json;

    use super::super::{Facts, Sought};
    use super::*;

    fn value() -> impl Strategy<Value = Value> {
        let leaf = select(vec![
            json!(null),
            json!("x"),
            json!(""),
            json!("a\u{1f}b"),
            json!(1),
            json!(["x"]),
            json!([]),
            json!(["x", "", "y"]),
            json!(["x", 1]),
            json!(-2.5),
            json!(true),
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
            let leaves = Leaves::of(request.as_object().unwrap());
            let facts = Facts::new(&request, "2026-11-01T00:00:00Z".parse().unwrap()).with_leaves(&leaves);
            let sought = Sought::new(paths.iter().cloned());
            let seats = facts.seats(&sought);
            for (number, path) in paths.iter().enumerate() {
                prop_assert_eq!(format!("{:?}", seats.at(number)), format!("{:?}", facts.stands(path)));
                match facts.stands(path) {
                    Stands::Nothing => prop_assert_eq!(facts.at(path), Ok(None)),
                    Stands::Text(text, own) => {
                        prop_assert_eq!(facts.at(path), Ok(Some(&json!(text))));
                        prop_assert_eq!(own, symbol(text.as_bytes()));
                    }
                    Stands::Number(number) => {
                        let found = facts.at(path).unwrap().and_then(Value::as_f64);
                        prop_assert_eq!(found, Some(number));
                    }
                    Stands::Texts(items) => {
                        let texts: Vec<&str> = items.iter().map(|(text, _)| text).collect();
                        prop_assert_eq!(facts.at(path), Ok(Some(&json!(texts))));
                        prop_assert!(items.iter().all(|(text, own)| own == symbol(text.as_bytes())));
                    }
                    Stands::Else => {}
                }
            }
        }
    }

    /// What is usual is told; else nothing would be gained.
    #[test]
    fn usual_leaves_are_told() {
        let request = json!({
            "subject": {"type": "user", "id": "alice", "properties": {"team": "payments", "level": 3, "may": ["read", "write"]}},
            "action": {"name": "deploy", "properties": {}}, "resource": {"type": "t", "id": "r", "properties": {}},
            "context": {"environment": "production", "is_dry": true, "at": {"zone": "eu"}},
        });
        let leaves = Leaves::of(request.as_object().unwrap());
        let at = |path: &str| {
            let path = RequestPath::new(path.split('.').map(ToOwned::to_owned).collect());
            match leaves.at(&path) {
                Stands::Text(text, _) => format!("text {text}"),
                Stands::Number(number) => format!("number {number}"),
                Stands::Texts(items) => {
                    let texts: Vec<&str> = items.iter().map(|(text, _)| text).collect();
                    format!("texts {}", texts.join(" "))
                }
                other => format!("{other:?}"),
            }
        };
        for (path, expected) in [
            ("subject.id", "text alice"),
            ("action.name", "text deploy"),
            ("subject.properties.team", "text payments"),
            ("subject.properties.level", "number 3"),
            ("subject.properties.may", "texts read write"),
            ("context.environment", "text production"),
            ("context.at.zone", "text eu"),
            ("subject.properties.client", "Nothing"),
            ("subject.properties", "Else"),
            ("context.is_dry", "Else"),
            ("context.time", "Else"),
            ("context.at", "Else"),
            ("context.environment.x", "Else"),
        ] {
            assert_eq!(at(path), expected, "{path}");
        }
    }

    /// However much a request holds, no more is noted than can be looked through, and nothing that is not noted passes for
    /// absent.
    #[test]
    fn a_large_request_is_left_to_its_tree() {
        let many: Map<String, Value> = (0..500).map(|n| (format!("k{n}"), json!("x"))).collect();
        let long = json!({"a": "x".repeat(MAX_BYTES)});
        let list = json!({"a": vec!["x"; MAX_LEAVES], "b": "y"});
        for context in [
            Value::Object(many),
            long,
            list,
            json!({"n".repeat(MAX_PATH + 1): "x"}),
            json!({"a\u{1f}b": "x"}),
        ] {
            let request = json!({"context": context, "subject": {"id": "x"}});
            let leaves = Leaves::of(request.as_object().unwrap());
            assert!(leaves.is_cut, "{context}");
            assert!(leaves.bytes.len() <= MAX_BYTES && leaves.leaves.len() <= MAX_LEAVES);
            let at = |path: [&str; 2]| {
                let path = RequestPath::new(path.map(ToOwned::to_owned).to_vec());
                format!("{:?}", leaves.at(&path))
            };
            for path in [
                ["context", "absent"],
                ["context", "a"],
                ["context", "b"],
                ["subject", "id"],
            ] {
                assert_eq!(at(path), "Else", "{context}");
            }
        }
    }
}
