//! Requests that are read, decided, recorded and answered together.

use std::ops::Range;

use super::spare::Reusable;
use crate::engine::input::{Found, InputError};

/// The most requests of a chunk.
const REQUESTS: usize = 256;
/// Bytes of requests after which a chunk is full.
const BYTES: usize = 128 << 10;

/// Requests in the order of the input, and what was found in the place of some.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    items: Vec<Item>,
    /// How many requests of the stream come before it, if it is of one.
    pub(super) index: Option<u64>,
}

#[derive(Debug)]
enum Item {
    Request { range: Range<usize>, line: usize },
    Bad(InputError),
}

/// One place in the input.
pub(super) enum Place<'a> {
    /// A request's bytes, and the line on which it begins.
    Request { bytes: &'a [u8], line: usize },
    /// What is no request.
    Bad(InputError),
}

impl Chunk {
    pub(super) fn push(&mut self, item: Result<Found<'_>, InputError>) {
        self.items.push(match item {
            Ok(found) => {
                let start = self.bytes.len();
                self.bytes.extend_from_slice(found.bytes);
                Item::Request {
                    range: start..self.bytes.len(),
                    line: found.line,
                }
            }
            Err(error) => Item::Bad(error),
        });
    }

    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether no more should be added.
    pub(super) fn is_full(&self) -> bool {
        self.items.len() >= REQUESTS || self.bytes.len() >= BYTES
    }

    /// Gives each place in order, and is empty then.
    pub(super) fn drain<E>(
        &mut self,
        mut visit: impl FnMut(Place<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let visited = self.items.drain(..).try_for_each(|item| {
            visit(match item {
                Item::Request { range, line } => Place::Request {
                    bytes: self.bytes.get(range).unwrap_or_default(),
                    line,
                },
                Item::Bad(error) => Place::Bad(error),
            })
        });
        self.bytes.clear();
        self.index = None;
        visited
    }
}

impl Reusable for Chunk {
    fn capacity(&self) -> usize {
        self.bytes.capacity()
    }
}
