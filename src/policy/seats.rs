//! The paths that a policy asks about, all found in a request at once.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::ops::Range;

use smallvec::SmallVec;

use super::leaves::{Leaves, Parts, Seat, Stands, Trunk};
use super::path::RequestPath;

/// Paths, by numbers from zero on.
#[derive(Debug, Default)]
pub struct Sought {
    paths: Vec<RequestPath>,
    /// What is found at each path of a request that has nothing there.
    empty: Vec<Seat>,
    /// For each value of a symbol's low bits, the first path that has them.
    first: Vec<Option<Number>>,
    /// Of each path what a leaf at it has.
    places: Vec<Noted>,
    /// The rests of all paths, one after the other.
    rests: String,
}

/// The number of a path, plus one.
type Number = NonZeroU32;

/// For each path so many values of low bits, so that hardly any two have the same.
const SPREAD: usize = 4;

/// A path as leaves note it.
#[derive(Debug)]
struct Noted {
    symbol: u32,
    trunk: Trunk,
    /// Where its rest is among all of them.
    rest: Range<u32>,
    /// The next path with the same low bits.
    next: Option<Number>,
}

impl Sought {
    /// The paths in this order.
    pub fn new(paths: impl IntoIterator<Item = RequestPath>) -> Self {
        let paths: Vec<RequestPath> = paths.into_iter().collect();
        let mut sought = Self {
            empty: paths.iter().map(RequestPath::empty_seat).collect(),
            first: vec![None; (paths.len() * SPREAD).next_power_of_two()],
            ..Self::default()
        };
        for (number, path) in (1..).zip(&paths) {
            // Of a path that leaves do not note, nothing is found.
            let (symbol, trunk, rest) = path.place().map_or((0, Trunk::Item, ""), |place| {
                (place.own_symbol(), place.trunk, place.rest.as_str())
            });
            let at = |rests: &String| u32::try_from(rests.len()).unwrap_or(u32::MAX);
            let start = at(&sought.rests);
            sought.rests += rest;
            let low_bits = sought.low_bits(symbol);
            let first = sought.first.get_mut(low_bits);
            let next = first.and_then(|first| match trunk {
                Trunk::Item => None,
                _ => std::mem::replace(first, Number::new(number)),
            });
            sought.places.push(Noted {
                symbol,
                trunk,
                rest: start..at(&sought.rests),
                next,
            });
        }
        sought.paths = paths;
        sought
    }

    /// The path with this number.
    #[must_use]
    pub fn path(&self, number: usize) -> Option<&RequestPath> {
        self.paths.get(number)
    }

    #[inline]
    fn low_bits(&self, symbol: u32) -> usize {
        // INVARIANT: there is a power of two of them.
        symbol as usize & self.first.len().saturating_sub(1)
    }

    pub(super) fn find<'a>(&self, leaves: Option<&'a Leaves>) -> Seats<'a> {
        let mut seats = match leaves {
            Some(leaves) if !leaves.is_cut() => SmallVec::from_slice(&self.empty),
            // Where not all is noted, a path at which no leaf is says nothing.
            _ => SmallVec::from_elem(Seat::Else, self.paths.len()),
        };
        let noted = leaves.map(Leaves::parts).unwrap_or_default();
        black_box(leaves.map(Leaves::touch));
        self.seat(noted, &mut seats);
        Seats { noted, seats }
    }

    fn seat(&self, noted: Parts<'_>, seats: &mut [Seat]) {
        for (leaf, symbol, is_at) in noted.paths() {
            let mut next = self.first.get(self.low_bits(symbol)).copied().flatten();
            while let Some(number) = next {
                let number = number.get() as usize - 1;
                let (Some(place), Some(seat)) = (self.places.get(number), seats.get_mut(number))
                else {
                    break;
                };
                if place.symbol == symbol {
                    let rest = place.rest.start as usize..place.rest.end as usize;
                    let rest = self.rests.as_bytes().get(rest);
                    if rest.is_some_and(|rest| is_at(place.trunk, rest)) {
                        *seat = Seat::Leaf(leaf);
                    }
                }
                next = place.next;
            }
        }
    }
}

/// What a request has at the paths that a policy asks about.
#[derive(Debug)]
pub struct Seats<'a> {
    noted: Parts<'a>,
    seats: SmallVec<[Seat; 16]>,
}

impl<'a> Seats<'a> {
    /// What stands at the path with this number, as far as that is known without walking there.
    #[must_use]
    #[inline]
    pub fn at(&self, number: usize) -> Stands<'a> {
        let seat = self.seats.get(number).copied();
        self.noted.stands(seat.unwrap_or(Seat::Else))
    }
}
