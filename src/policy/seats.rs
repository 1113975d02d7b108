//! The paths that a policy asks about, by numbers.

use std::ops::Range;

use super::leaves::{Cell, Leaves, Noted, Stands, Text, TextAt, Trunk};
use super::path::RequestPath;

/// Paths, by numbers from zero on.
#[derive(Debug, Default)]
pub struct Sought {
    paths: Vec<RequestPath>,
    /// Of each path what a leaf at it has.
    places: Vec<Place>,
    /// The rests of all paths, one after the other.
    rests: String,
}

/// A path as leaves note it.
#[derive(Debug)]
struct Place {
    cell: Cell,
    /// What the leaf of a text there has.
    text: TextAt,
    /// None where leaves do not note it.
    trunk: Option<Trunk>,
    /// Whether nothing stands there where nothing is noted.
    is_sure: bool,
    /// Where its rest is among all of them.
    rest: Range<u32>,
}

impl Sought {
    /// The paths in this order.
    pub fn new(paths: impl IntoIterator<Item = RequestPath>) -> Self {
        let mut sought = Self::default();
        for path in paths {
            let place = path.place();
            let at = |rests: &String| u32::try_from(rests.len()).unwrap_or(u32::MAX);
            let start = at(&sought.rests);
            sought.rests += place.map_or("", |place| place.rest.as_str());
            sought.places.push(Place {
                cell: place.map_or(Cell::NONE, |place| place.cell),
                text: place.map_or(TextAt::NONE, |place| {
                    TextAt::new(place.trunk, place.rest.len())
                }),
                trunk: place.map(|place| place.trunk),
                is_sure: path.is_sure(),
                rest: start..at(&sought.rests),
            });
            sought.paths.push(path);
        }
        sought
    }

    /// All paths, by their numbers.
    #[must_use]
    pub fn paths(&self) -> &[RequestPath] {
        &self.paths
    }

    /// The path with this number.
    #[must_use]
    pub fn path(&self, number: usize) -> Option<&RequestPath> {
        self.paths.get(number)
    }

    #[inline(always)]
    fn rest(&self, place: &Place) -> Option<&[u8]> {
        let rest = place.rest.start as usize..place.rest.end as usize;
        self.rests.as_bytes().get(rest)
    }

    fn find<'a>(&self, noted: &Noted<'a>, number: usize) -> Option<Stands<'a>> {
        let place = self.places.get(number)?;
        let at = place.trunk.zip(self.rest(place));
        let at = at.map(|(trunk, rest)| (place.cell, trunk, rest));
        Some(noted.at(at, place.is_sure))
    }
}

/// What a request has at the paths that a policy asks about.
#[derive(Debug, Clone, Copy)]
pub struct Seats<'a, 's> {
    noted: Option<Noted<'a>>,
    sought: &'s Sought,
}

impl<'a, 's> Seats<'a, 's> {
    #[inline]
    pub(super) fn new(leaves: Option<&'a Leaves>, sought: &'s Sought) -> Self {
        let noted = leaves.map(Leaves::noted);
        Self { noted, sought }
    }

    /// The paths.
    #[must_use]
    pub fn sought(&self) -> &'s Sought {
        self.sought
    }

    /// The text that stands at the path with this number, and its symbol, where that is told at once.
    #[inline(always)]
    pub fn text(&self, number: usize) -> Option<(Text<'a>, u64)> {
        let place = self.sought.places.get(number)?;
        let rest = self.sought.rest(place)?;
        self.noted.as_ref()?.text(place.cell, place.text, rest)
    }

    /// What stands at the path with this number, as far as that is known without walking there.
    #[must_use]
    pub fn at(&self, number: usize) -> Stands<'a> {
        let noted = self.noted.as_ref();
        let found = noted.and_then(|noted| self.sought.find(noted, number));
        found.unwrap_or(Stands::Else)
    }
}
