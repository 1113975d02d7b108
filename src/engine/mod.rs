//! From an effective policy and a request to a decision.
//!
//! [`input`] reads requests, [`request`] normalises them, [`Engine`] answers them, [`Decision`] says and explains the answer.
//!
//! Evaluation is pure and total: every request gets an answer, the same on every machine, and where something cannot be
//! judged the answer is the stricter one. Identifiers, time and durations come from the caller.

mod batch;
mod candidates;
mod combine;
mod compiled;
mod decision;
mod evaluate;
mod explain;
mod findings;
pub mod impact;
mod index;
pub mod input;
mod record;
pub mod request;
pub mod testing;

pub use crate::trust::Freshness;
pub use compiled::Compiled;
pub(crate) use decision::Hold;
pub use decision::{Cause, Decision, MatchedRule, Occasion, Outcome, Would};
pub use evaluate::{Engine, Origin, Pick, RulePosition, Verdict};
pub use explain::{Explanation, LayerSaid, RuleTrace, Standing};
pub use record::Record;
pub(crate) use record::WrittenBundles;
