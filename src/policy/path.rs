//! Ways into a request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::Arc;

use super::texts::{SEPARATOR, symbol};

/// The members to walk to a value of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestPath(Arc<Way>);

#[derive(Debug, PartialEq, Eq)]
struct Way {
    members: Vec<String>,
    /// The members with a separator between them; none where one holds it.
    joined: Option<(String, u64)>,
    reach: Reach,
}

/// What it means where nothing is known of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Nothing stands there: what leads there is a mapping in every request.
    Sure,
    /// Something may stand in the way, or for it.
    Unsure,
}

impl RequestPath {
    /// The path by these members.
    #[must_use]
    pub fn new(members: Vec<String>) -> Self {
        let joined = members.join(SEPARATOR);
        let is_plain = members.iter().all(|member| !member.contains(SEPARATOR));
        let named: Vec<&str> = members.iter().map(String::as_str).collect();
        let reach = match named.as_slice() {
            // The time of the evaluation stands for it.
            ["context", "time"] => Reach::Unsure,
            ["subject" | "action" | "resource" | "context"]
            | ["subject" | "action" | "resource" | "context", _]
            | ["subject" | "action" | "resource", "properties", _] => Reach::Sure,
            _ => Reach::Unsure,
        };
        let symbol = symbol(joined.as_bytes());
        Self(Arc::new(Way {
            joined: is_plain.then_some((joined, symbol)),
            reach,
            members,
        }))
    }

    /// The members with a separator between them, and their symbol; none where one holds the separator.
    pub(super) fn joined(&self) -> Option<(&str, u64)> {
        let joined = self.0.joined.as_ref();
        joined.map(|(joined, symbol)| (joined.as_str(), *symbol))
    }

    pub(super) fn reach(&self) -> Reach {
        self.0.reach
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
