//! Ways into a request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::leaves::{Cell, MAX_PATH, SEPARATOR, Trunk};
use super::symbol::symbol;

/// The members to walk to a value of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath(Arc<Way>);

#[derive(Debug, PartialEq, Eq)]
struct Way {
    members: Vec<String>,
    /// Where leaves are noted; none where a member holds the separator, or nothing is noted there.
    place: Option<Place>,
    reach: Reach,
}

/// A path as leaves note it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) trunk: Trunk,
    /// The members from there on, with a separator between them.
    pub(super) rest: String,
    pub(super) cell: Cell,
}

/// What it means where nothing is known of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Nothing stands there: what leads there is a mapping in every request.
    Sure,
    /// Something may stand in the way, or for it.
    Unsure,
}

impl Place {
    fn of(members: &[String]) -> Option<Self> {
        let (top, rest) = members.split_first()?;
        let (own, properties) = match top.as_str() {
            "subject" => (Trunk::Subject, Trunk::SubjectProperties),
            "action" => (Trunk::Action, Trunk::ActionProperties),
            "resource" => (Trunk::Resource, Trunk::ResourceProperties),
            "context" => (Trunk::Context, Trunk::Context),
            _ => return None,
        };
        let (trunk, rest) = match rest {
            [name, rest @ ..] if name == "properties" && own != properties => (properties, rest),
            _ => (own, rest),
        };
        if rest.is_empty() || rest.iter().any(|member| member.contains(SEPARATOR)) {
            return None;
        }
        let rest = rest.join(SEPARATOR);
        Some(Self {
            cell: Self::cell(trunk, rest.as_bytes()),
            trunk,
            rest,
        })
    }

    /// The cell of the path by this trunk and rest: of one rest, each trunk has another.
    pub(super) fn cell(trunk: Trunk, rest: &[u8]) -> Cell {
        Cell::of(symbol(rest), trunk)
    }
}

impl RequestPath {
    /// The path by these members.
    #[must_use]
    pub fn new(members: Vec<String>) -> Self {
        let named: Vec<&str> = members.iter().map(String::as_str).collect();
        let reach = match named.as_slice() {
            // The time of the evaluation stands for it.
            ["context", "time"] => Reach::Unsure,
            ["subject" | "action" | "resource" | "context"]
            | ["subject" | "action" | "resource" | "context", _]
            | ["subject" | "action" | "resource", "properties", _] => Reach::Sure,
            _ => Reach::Unsure,
        };
        Self(Arc::new(Way {
            place: Place::of(&members),
            reach,
            members,
        }))
    }

    /// The same for clones of one path, and for no other that is alive, though it may be by the same members.
    #[must_use]
    pub(crate) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Where leaves note it; none where they do not.
    pub(super) fn place(&self) -> Option<&Place> {
        self.0.place.as_ref()
    }

    /// Whether nothing stands there in a request of which all is noted, and nothing at this path.
    pub(super) fn is_sure(&self) -> bool {
        let is_noted = |place: &Place| place.rest.len() <= MAX_PATH;
        self.0.reach == Reach::Sure && self.place().is_some_and(is_noted)
    }

    /// The cell in which leaves tell what stands there.
    #[must_use]
    pub fn cell(&self) -> Cell {
        let place = self.place().filter(|_| self.is_sure());
        place.map_or(Cell::NONE, |place| place.cell)
    }
}

impl Deref for RequestPath {
    type Target = [String];
    fn deref(&self) -> &[String] {
        &self.0.members
    }
}

/// The paths of one bundle, each made once.
#[derive(Debug, Default)]
pub(super) struct Paths {
    known: RefCell<HashMap<Vec<String>, RequestPath>>,
    /// By how they were written.
    spelled: RefCell<HashMap<String, RequestPath>>,
}

impl Paths {
    /// The path that was written so before.
    pub(super) fn spelled(&self, key: &str) -> Option<RequestPath> {
        self.spelled.borrow().get(key).cloned()
    }

    /// The path by these members, which is written as `key`.
    pub(super) fn get(&self, key: &str, members: Vec<String>) -> RequestPath {
        let mut known = self.known.borrow_mut();
        let made = || RequestPath::new(members.clone());
        let path = known.entry(members.clone()).or_insert_with(made).clone();
        let mut spelled = self.spelled.borrow_mut();
        spelled.insert(key.to_owned(), path.clone());
        path
    }
}
