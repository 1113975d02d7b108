//! Ways into a request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// The members to walk to a value of a request.
#[derive(Debug, Clone)]
pub struct RequestPath {
    members: Arc<[String]>,
    /// The same for clones, another for whatever was made apart.
    number: u64,
}

impl RequestPath {
    /// The path by these members, apart from any that is the same.
    #[must_use]
    pub fn new(members: Vec<String>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self {
            members: members.into(),
            number: NEXT.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// A path that the program itself knows, made once.
    pub(super) fn known(members: &'static [&'static str]) -> Self {
        static KNOWN: Mutex<Vec<RequestPath>> = Mutex::new(Vec::new());
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(path) = known.iter().find(|path| path.iter().eq(members)) {
            return path.clone();
        }
        let path = Self::new(members.iter().map(|&name| name.to_owned()).collect());
        known.push(path.clone());
        path
    }

    /// What tells whether two are clones of one, without a look at the members.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Deref for RequestPath {
    type Target = [String];
    fn deref(&self) -> &[String] {
        &self.members
    }
}

impl PartialEq for RequestPath {
    fn eq(&self, other: &Self) -> bool {
        self.members == other.members
    }
}

impl Eq for RequestPath {}

/// The paths of one bundle, each made once.
#[derive(Debug, Default)]
pub(super) struct Paths(RefCell<HashMap<Vec<String>, RequestPath>>);

impl Paths {
    pub(super) fn get(&self, members: Vec<String>) -> RequestPath {
        let mut known = self.0.borrow_mut();
        let made = || RequestPath::new(members.clone());
        known.entry(members.clone()).or_insert_with(made).clone()
    }
}
