//! Which rules a request might match: an index over what rules ask of texts.
//!
//! A rule is listed by two of its keys (`Matcher::keys`), whose paths and kinds are its *shape*. Rules of one shape stand in one part
//! of a table, by the texts that they ask for there, both together. A request is looked up once for each shape, by the texts that it has
//! at the shape's paths, and what is found is held against the other keys by a word of bits, as far as they were read. So the cost grows
//! with the shapes, which are as few as tell the rules apart ([`shapes`]), and with the rules whose every key holds. It is tuple space
//! search, as packet classifiers do it (Srinivasan, Suri, Varghese 1999).
//!
//! In a large policy nearly all of the time is waiting for memory. So what a look-up needs lies together, as short as it can be, and is
//! asked for all at once, a step at a time: where the rules of every sequence are, then those rules, then what is asked of them.
//!
//! - A value of another type than a key asks for might fail to be judged, so then every rule of the shape is a candidate.
//! - A prefix is looked up by each length that the policy has for its path; a list by each of its items.
//! - Some tens of rules are held against the request's word of bits one by one, which is less work than to look them up: those of a
//!   small policy, and of a large one's smallest shapes, where they ask for a whole text. Of whole texts the request tells that word at
//!   a glance, before any of its leaves is read; prefixes and lists are read only where rules are looked up by them, or where each rule
//!   that is left has to be read from a file.
//! - Where shapes are many, the rules of those that few share are listed by their most selective key alone.
//!
//! INVARIANT: it leaves out only rules that [`Rule::matches`] says no of. What it lets through, the rule itself or [`asks`] decides,
//! so a collision of hashes costs time and nothing else.
//!
//! It is also read from bytes: what one request touches ([`flat`]), or all of it ([`whole`]).
//!
//! It lacks conditions (`when`), numbers, regular expressions and globs that begin with a star: they are judged last, of candidates
//! alone; a rule that asks for nothing else is a candidate always.

mod asks;
mod build;
mod flat;
mod known;
mod lookup;
mod paths;
mod shapes;
mod table;
#[cfg(test)]
mod tests;
mod whole;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::policy::{Rule, Sought};

pub(super) use asks::Judged;
use asks::{Asks, Place};
pub(super) use flat::{Section, Tables};
use known::Known;
use table::{Always, Buckets, Lane, Lanes, Table};
pub(super) use whole::Whole;

/// A rule by its position among all rules of the policy, layer after layer in evaluation order.
pub(super) type RuleNumber = u32;

/// The rules that might match, in evaluation order, and what is known of each.
pub(super) type Candidates = SmallVec<[(RuleNumber, Judged); 16]>;

/// The index of a policy's rules.
#[derive(Debug, Default)]
pub(super) struct Index {
    lanes: Lanes,
    /// The slots of the shapes; then those whose marks no cell tells, for who would rather read them than one rule more.
    slots: Vec<Slot>,
    /// How many of them are of the shapes.
    looked_up: usize,
    shapes: Vec<Shape>,
    table: Table,
    /// Rules that are looked at by their marks for each request: those that have no key, and those of the smallest shapes.
    always: Always,
    sought: Sought,
    asks: Asks,
}

/// What is read off a request for the tables.
#[derive(Debug)]
struct Slot {
    /// The number of its path.
    path: usize,
    kind: Kind,
    /// Its place among the marks, where no cell tells what is there.
    lane: Option<Lane>,
    /// What rules ask for here, where that is at hand. Nothing else needs to be looked up.
    known: Option<Known>,
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

/// The positions of one slot or two.
type Pair = (usize, Option<usize>);

/// The rules that are listed by keys of the same paths and kinds.
#[derive(Debug)]
struct Shape {
    slots: Pair,
    buckets: Buckets,
    /// Its rules, ascending.
    rules: Vec<Place>,
}

/// A text, or some of them, as a number that differs where they differ, nearly always.
type Symbol = u64;

/// What a rule is listed by, and a request looked up by: the symbols for two slots, or for one and zero.
fn sequence(first: Symbol, second: Symbol) -> Symbol {
    (first.rotate_left(23) ^ second).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

impl Index {
    /// The index of rules, numbered as they come; none where a rule is not to be found.
    pub(super) fn new(rules: &[Option<&Rule>]) -> Self {
        build::index(rules)
    }
}
