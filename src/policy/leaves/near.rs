//! What leaves say at a glance, before any of them is read.

use super::{MAX_LEAVES, Trunk};

/// The cells that paths are dealt into: enough that of a usual request's hardly two share one.
const CELLS: u8 = 32;

/// Something for each cell.
type Each<T> = [T; CELLS as usize];

/// The cell of a path: those of one cell are not told apart here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cell(u8);

impl Cell {
    /// Of no path: whatever is asked for may stand there.
    pub const NONE: Self = Self(u8::MAX);

    /// The cell of the path whose rest has this symbol, in this trunk.
    #[inline]
    pub(in crate::policy) fn of(symbol: u64, trunk: Trunk) -> Self {
        const { assert!((Trunk::Item as u8) < CELLS) }
        let [_, _, _, _, byte, ..] = symbol.to_le_bytes();
        Self((byte ^ trunk as u8) % CELLS)
    }
}

/// One of seven bits for a text, by its symbol. The eighth is for what is asked of nobody.
#[must_use]
#[inline]
pub(crate) fn mark(symbol: u64) -> u8 {
    // Otherwise than tables and what is known tell symbols apart.
    1 << ((symbol >> 16) % 7)
}

/// The marks of a request that has nothing there.
const NOTHING: u8 = 0x80;
/// Whatever is asked for may stand there.
const ANYTHING: u8 = 0xFF;

/// For each cell what stands at its paths, nearly, and where to look for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Near {
    /// The marks of the texts; all of them where something else stands.
    marks: Each<u8>,
    /// The number of the last leaf, plus one.
    last: Each<u8>,
}

impl Default for Near {
    fn default() -> Self {
        Self {
            marks: [NOTHING; CELLS as usize],
            last: [0; CELLS as usize],
        }
    }
}

impl Near {
    /// The same of a request of which not all is noted: whatever is asked for may stand anywhere.
    pub(super) fn unknown(self) -> Self {
        let marks = [ANYTHING; CELLS as usize];
        Self { marks, ..self }
    }

    /// Notes the leaf with this number, and the text with this symbol or something else; the answer is the number of the leaf before
    /// it, plus one.
    pub(super) fn note(&mut self, Cell(cell): Cell, number: u8, text: Option<u64>) -> u8 {
        const { assert!(MAX_LEAVES < u8::MAX as usize) }
        let cell = usize::from(cell);
        if let Some(marks) = self.marks.get_mut(cell) {
            *marks |= text.map_or(ANYTHING, mark);
        }
        let last = self.last.get_mut(cell);
        last.map_or(0, |last| std::mem::replace(last, number + 1))
    }

    /// Fetches all of it; the answer means nothing.
    #[inline]
    pub(super) fn touch(&self) -> u8 {
        let [first, ..] = self.marks;
        let [.., last] = self.last;
        first ^ last
    }

    /// The last leaf of a cell; none where there is none.
    #[inline]
    pub(super) fn last(&self, Cell(cell): Cell) -> Option<usize> {
        let last = self.last.get(usize::from(cell))?;
        usize::from(*last).checked_sub(1)
    }

    /// What stands in a cell.
    #[inline]
    pub(super) fn marks(&self, Cell(cell): Cell) -> u8 {
        let marks = self.marks.get(usize::from(cell));
        marks.copied().unwrap_or(ANYTHING)
    }
}
