//! The paths that rules ask about, each with a number.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::policy::{RequestPath, Sought, Spread};

/// Paths by number, each once.
#[derive(Debug, Default)]
pub(super) struct PathNumbers<'a> {
    all: Vec<&'a RequestPath>,
    numbers: HashMap<&'a [String], u16>,
    /// By their identities: most are clones of one.
    known: HashMap<usize, u16, Spread>,
}

impl<'a> PathNumbers<'a> {
    /// The number of a path; none where there are too many.
    pub(super) fn number(&mut self, path: &'a RequestPath) -> Option<u16> {
        if let Some(number) = self.known.get(&path.identity()) {
            return Some(*number);
        }
        let number = match self.numbers.entry(path) {
            Entry::Occupied(number) => *number.get(),
            Entry::Vacant(room) => {
                let number = u16::try_from(self.all.len()).ok()?;
                self.all.push(path);
                *room.insert(number)
            }
        };
        self.known.insert(path.identity(), number);
        Some(number)
    }

    /// All of them.
    pub(super) fn sought(self) -> Sought {
        Sought::new(self.all.into_iter().cloned())
    }
}
