//! The policy language: what one scope says, read from YAML and checked, not yet combined with any other scope.
//!
//! [`validate`] turns the files of a bundle into [`Layer`]s and reports every problem at once, each with its place. What it
//! returns is complete and consistent in itself: names are names, operators have operands of their type, every text is
//! printable. It knows nothing of other bundles: whether an override's target exists is for `resolve`.
//!
//! Not yet here: approvals. A file that uses them is refused, never read without them.

mod catalog;
mod command;
mod condition;
mod data;
mod facts;
mod fields;
mod glob;
mod leaves;
mod lexicon;
mod matcher;
mod model;
mod operators;
mod path;
mod policy_test;
pub mod schema;
mod seats;
mod stored;
mod symbol;
mod validate;
mod written;

use crate::bundle::{BundlePath, MANIFEST_FILE};

pub use catalog::{Arguments, FoundPattern, Lowered, Operation, Patterns};
pub use command::{CommandPatterns, Found};
pub use condition::{Condition, MAX_CONDITION_BYTES, STACK};
pub use facts::{Blocked, Facts};
pub use glob::Around;
pub(crate) use leaves::Notes;
pub use leaves::{Cell, Items, Leaves, Stands, Text};
pub(crate) use leaves::{mark, same};
pub use matcher::{
    Ask, Exactly, Form, KeptForm, Key, KeyOutcome, Match, Matcher, Order, Part, Plain, Prefixes,
    ReadValue, Rest, Texts, Wants,
};
pub use model::{
    Effect, Extras, Layer, Mode, Override, OverridePermission, Risk, Rule, WaiverField,
    WaiverTerms, Window,
};
pub use path::RequestPath;
pub use policy_test::{Expected, PolicyTest, TestCase, read_test, read_tests};
pub use seats::{Seats, Sought};
pub use stored::{RestoredApart, RestoredTogether, StoredRule};
pub use symbol::{AsItIs, Spread, symbol};
pub use validate::validate;
pub use written::Written;

/// Whether a file of a bundle is a document in YAML that people write: the manifest, policies and catalogues, tests, data.
#[must_use]
pub fn is_document(name: &BundlePath) -> bool {
    let directories = ["policies", "tests", "data"];
    name.as_str() == MANIFEST_FILE
        || (name.has_extension(&["yaml"]) && directories.iter().any(|dir| name.is_below(dir)))
}

/// The greatest number of rules, and of overrides, in one file.
pub const MAX_RULES: usize = 20_000;
/// The greatest number of operations of a catalogue.
pub const MAX_OPERATIONS: usize = 5_000;
/// The greatest number of items in a list of a matcher, and of one in a catalogue.
pub const MAX_LIST: usize = 1_000;
/// The greatest number of conditions in one rule.
pub const MAX_CONDITIONS: usize = 256;
/// The greatest length of a pattern or text of a matcher, in bytes.
pub const MAX_PATTERN_BYTES: usize = 1_024;
/// The greatest length of a reason, remediation or other text, in bytes.
pub const MAX_TEXT_BYTES: usize = 4_096;
/// The greatest number of cases in one file of policy tests.
pub const MAX_CASES: usize = 10_000;
/// The greatest number of packs that one scope names.
pub const MAX_PACKS: usize = 64;
