//! The paths that a policy asks about, all found in a request at once.

use std::collections::HashMap;
use std::hint::black_box;
use std::ops::Range;

use smallvec::SmallVec;

use super::leaves::{Leaves, Seat, Stands, Trunk};
use super::path::RequestPath;
use super::symbol::Spread;

/// Paths, by numbers from zero on.
#[derive(Debug, Default)]
pub struct Sought {
    paths: Vec<RequestPath>,
    /// What is found at each path of a request that has nothing there.
    empty: Vec<Seat>,
    /// The first path with each symbol.
    first: HashMap<u32, u32, Spread>,
    /// Of each path what a leaf at it has, side by side: all of it is looked at for each request.
    places: Vec<Noted>,
    /// The rests of all paths, one after the other.
    rests: String,
}

/// A path as leaves note it.
#[derive(Debug)]
struct Noted {
    trunk: Option<Trunk>,
    /// Where its rest is among all of them.
    rest: Range<u32>,
    /// The next path with the same symbol, of which there is hardly ever one.
    next: Option<u32>,
}

impl Sought {
    /// The paths in this order.
    pub fn new(paths: impl IntoIterator<Item = RequestPath>) -> Self {
        let mut sought = Self {
            paths: paths.into_iter().collect(),
            ..Self::default()
        };
        for (number, path) in (0_u32..).zip(&sought.paths) {
            sought.empty.push(path.empty_seat());
            let at = |rests: &String| u32::try_from(rests.len()).unwrap_or(u32::MAX);
            let start = at(&sought.rests);
            let place = path.place();
            sought.rests += place.map_or("", |place| &place.rest);
            sought.places.push(Noted {
                trunk: place.map(|place| place.trunk),
                rest: start..at(&sought.rests),
                next: place.and_then(|place| sought.first.insert(place.own_symbol(), number)),
            });
        }
        sought
    }

    /// The path with this number.
    #[must_use]
    pub fn path(&self, number: usize) -> Option<&RequestPath> {
        self.paths.get(number)
    }

    pub(super) fn find<'a>(&self, leaves: Option<&'a Leaves>) -> Seats<'a> {
        let mut seats = match leaves {
            Some(leaves) if !leaves.is_cut() => SmallVec::from_slice(&self.empty),
            // Where not all is noted, a path at which no leaf is says nothing.
            _ => SmallVec::from_elem(Seat::Else, self.paths.len()),
        };
        if let Some(leaves) = leaves {
            black_box(leaves.touch());
            self.seat(leaves, &mut seats);
        }
        Seats { leaves, seats }
    }

    fn seat(&self, leaves: &Leaves, seats: &mut [Seat]) {
        for (leaf, symbol, is_at) in leaves.paths() {
            let mut next = self.first.get(&symbol).copied();
            while let Some(number) = next {
                let Some(place) = self.places.get(number as usize) else {
                    break;
                };
                let rest = place.rest.start as usize..place.rest.end as usize;
                if let (Some(rest), Some(seat)) =
                    (self.rests.get(rest), seats.get_mut(number as usize))
                    && place.trunk.is_some_and(|trunk| is_at(trunk, rest))
                {
                    *seat = Seat::Leaf(leaf);
                }
                next = place.next;
            }
        }
    }
}

/// What a request has at the paths that a policy asks about.
#[derive(Debug)]
pub struct Seats<'a> {
    leaves: Option<&'a Leaves>,
    seats: SmallVec<[Seat; 16]>,
}

impl<'a> Seats<'a> {
    /// What stands at the path with this number, as far as that is known without walking there.
    #[must_use]
    #[inline]
    pub fn at(&self, number: usize) -> Stands<'a> {
        let seat = self.seats.get(number).copied();
        self.leaves.map_or(Stands::Else, |leaves| {
            leaves.stands(seat.unwrap_or(Seat::Else))
        })
    }
}
