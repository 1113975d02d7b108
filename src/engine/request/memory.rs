//! Memory that requests are read into, one after the other: who reads many asks the system for it once.

use super::Request;
use crate::json::Plain;
use crate::policy::Notes;

/// The most bytes that a request may have taken and still leave to the next.
const KEPT: usize = 64 << 10;

/// What a request leaves to the one that is read after it.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    plain: Plain,
    form: Vec<u8>,
    notes: Notes,
}

impl Memory {
    /// Takes the memory of a request that nobody needs any more.
    pub(crate) fn take_back(&mut self, request: Request) {
        if let Some(plain) = request.attributes.into_plain() {
            self.keep(plain);
        }
    }

    /// Memory for a text; what it holds means nothing.
    pub(super) fn take(&mut self) -> Plain {
        std::mem::take(&mut self.plain)
    }

    pub(super) fn keep(&mut self, plain: Plain) {
        if plain.capacity() <= KEPT {
            self.plain = plain;
        }
    }

    /// Memory for a canonical form, and for leaves.
    pub(super) fn room(&mut self) -> (&mut Vec<u8>, &mut Notes) {
        self.form.clear();
        self.form.shrink_to(KEPT);
        (&mut self.form, &mut self.notes)
    }
}
