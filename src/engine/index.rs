//! Which rules a request might match: an index over what rules ask of texts.
//!
//! The paths and kinds of a rule's keys (`Matcher::keys`) are its *shape*. Rules of one shape share a table, from the texts that
//! they ask for, all together, to the rules. A request is looked up once in each table, by the texts that it has at the
//! table's paths. So the cost grows with the shapes, which are few however many rules there are, and with the rules whose
//! every key holds. It is tuple space search, as packet classifiers do it (Srinivasan, Suri, Varghese 1999).
//!
//! - A value of another type than a key asks for might fail to be judged, so then every rule of the shape is a candidate.
//! - A prefix is looked up by each length that the policy has for its path; a list by each of its items.
//! - Where shapes are many, the rules of those that few share are listed by their most selective key alone.
//!
//! INVARIANT: it leaves out only rules that [`Rule::matches`] says no of. What it lets through, the rule itself or [`asks`] decides,
//! so a collision of hashes costs time and nothing else.
//!
//! It lacks conditions (`when`), numbers, regular expressions and globs that begin with a star: they are judged last, of candidates
//! alone; a rule that asks for nothing else is a candidate always.

mod asks;
mod build;
mod flat;
mod lead;
mod lookup;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::policy::{Rule, Sought, Spread};

use asks::Asks;
pub(super) use asks::Judged;
pub(super) use flat::{Section, Tables};
use lead::Lead;

/// A rule by its position among all rules of the policy, layer after layer in evaluation order.
pub(super) type RuleNumber = u32;

/// The rules that might match, in evaluation order, and what is known of each.
pub(super) type Candidates = SmallVec<[(RuleNumber, Judged); 16]>;

/// The index of a policy's rules.
#[derive(Debug, Default)]
pub(super) struct Index {
    slots: Vec<Slot>,
    shapes: Vec<Shape>,
    /// The rules that have no key.
    always: Vec<RuleNumber>,
    sought: Sought,
    asks: Asks,
}

/// What is read off a request for the tables.
#[derive(Debug)]
struct Slot {
    /// The number of its path.
    path: usize,
    kind: Kind,
    /// What rules ask for here. Nothing else needs to be looked up.
    known: HashSet<Symbol, Spread>,
    /// The lengths of the prefixes that rules ask for, ascending.
    lengths: Vec<usize>,
}

/// What a key asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Text,
    Prefix,
    Item,
}

/// The rules whose keys have the same paths and kinds.
#[derive(Debug)]
struct Shape {
    /// Positions of slots, ascending.
    slots: Vec<usize>,
    /// From the symbols of all slots to the rules.
    table: HashMap<Symbol, Askers, Spread>,
    several: Vec<Lead>,
    /// Its rules, ascending.
    rules: Vec<RuleNumber>,
}

/// The rules that ask for the same texts.
#[derive(Debug, Clone, Copy)]
enum Askers {
    /// One, as mostly.
    One(Lead),
    /// This part of a shape's list.
    Several(u32, u32),
}

impl Shape {
    /// The rules of an entry.
    fn askers<'a>(&'a self, askers: &'a Askers) -> &'a [Lead] {
        match askers {
            Askers::One(lead) => std::slice::from_ref(lead),
            Askers::Several(start, end) => {
                let several = self.several.get(*start as usize..*end as usize);
                several.unwrap_or_default()
            }
        }
    }
}

/// A text, or some of them, as a number that differs where they differ, nearly always.
type Symbol = u64;

/// The symbol of a sequence that goes on with `next`.
fn extended(before: Symbol, next: Symbol) -> Symbol {
    (before.rotate_left(23) ^ next).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Index {
    /// The index of rules, numbered as they come; none where a rule is not to be found.
    pub(super) fn new<'a>(rules: impl Iterator<Item = Option<&'a Rule>>) -> Self {
        build::index(rules)
    }
}
