//! The paths that a policy asks about, all found in a request at once.

use std::collections::HashMap;

use smallvec::SmallVec;

use super::leaves::{Leaves, Seat, Stands};
use super::path::RequestPath;
use super::symbol::Spread;

/// Paths, by numbers from zero on.
#[derive(Debug, Default)]
pub struct Sought {
    paths: Vec<RequestPath>,
    /// The paths with each symbol, which is mostly one.
    numbers: HashMap<u32, SmallVec<[usize; 1]>, Spread>,
}

impl Sought {
    /// The paths in this order.
    pub fn new(paths: impl IntoIterator<Item = RequestPath>) -> Self {
        let mut sought = Self {
            paths: paths.into_iter().collect(),
            ..Self::default()
        };
        for (number, path) in sought.paths.iter().enumerate() {
            if let Some(place) = path.place() {
                let alike = sought.numbers.entry(place.own_symbol()).or_default();
                alike.push(number);
            }
        }
        sought
    }

    /// The path with this number.
    #[must_use]
    pub fn path(&self, number: usize) -> Option<&RequestPath> {
        self.paths.get(number)
    }

    pub(super) fn find<'a>(&self, leaves: Option<&'a Leaves>) -> Seats<'a> {
        let Some(leaves) = leaves else {
            return Seats {
                leaves,
                seats: self.paths.iter().map(|_| Seat::Else).collect(),
            };
        };
        let empty = self.paths.iter().map(|path| leaves.empty_seat(path));
        let mut seats: SmallVec<[Seat; 16]> = empty.collect();
        for (leaf, symbol, is_at) in leaves.paths() {
            for number in self.numbers.get(&symbol).into_iter().flatten() {
                let place = self.paths.get(*number).and_then(RequestPath::place);
                if let (Some(place), Some(seat)) = (place, seats.get_mut(*number))
                    && is_at(place)
                {
                    *seat = Seat::Leaf(leaf);
                }
            }
        }
        let leaves = Some(leaves);
        Seats { leaves, seats }
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
    pub fn at(&self, number: usize) -> Stands<'a> {
        let seat = self.seats.get(number).copied();
        self.leaves.map_or(Stands::Else, |leaves| {
            leaves.stands(seat.unwrap_or(Seat::Else))
        })
    }
}
