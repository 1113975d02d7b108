//! Which requests two policies of one scope answer differently.
//!
//! A request that is there as a whole is decided by both engines. Of a request that a log names, its properties and context are not
//! known, and nothing is guessed of them (`names`): what the record says of the rules that matched is used where it is about one of
//! the two policies, rules that match alike on both sides match alike here, and what then is still open is tried in every way. The answer
//! is certain where all ways agree.

mod names;
mod tally;

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

use super::evaluate::Engine;
use super::request::Request;
use super::{Decision, Occasion};
use crate::digest::Sha256Digest;
use crate::name::RuleRef;
use crate::policy::Effect;

pub use names::Names;
pub use tally::{Asked, Counts, Flip, Tally, Transition};

/// How one side answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Answer {
    /// The effect.
    pub effect: Effect,
    /// The determining rule, if a rule determines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// Why.
    pub reason: String,
    /// Why, for machines.
    pub reason_code: String,
}

/// What a change of policy does to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impact {
    /// Both sides answer so.
    Known {
        /// How it is answered before.
        before: Answer,
        /// How it is answered after.
        after: Answer,
    },
    /// Both sides give the same effect, whatever is not known of the request.
    Same,
    /// What is known does not tell. These are the pairs of effects that are possible, before and after; none where there are
    /// too many open conditions to try them all.
    Open(BTreeSet<(Effect, Effect)>),
}

/// What a log holds of a decision besides the names.
#[derive(Debug, Clone, Copy)]
pub struct OnRecord<'a> {
    /// The policy that decided.
    pub policy: Option<Sha256Digest>,
    /// The rules that matched, each with whether it counted only because a condition could not be judged.
    pub matched: &'a [(RuleRef, bool)],
}

/// Two policies of one scope, ready to be asked.
#[derive(Debug)]
pub struct Comparison {
    before: Engine,
    after: Engine,
    names: names::Indexes,
}

impl Comparison {
    /// Prepares both.
    #[must_use]
    pub fn new(before: Engine, after: Engine) -> Self {
        let names = names::Indexes::new(before.policy(), after.policy());
        Self {
            before,
            after,
            names,
        }
    }

    /// How both answer a request at `now`.
    #[must_use]
    pub fn whole(&self, request: &Request, now: Timestamp) -> Impact {
        let answer = |engine: &Engine| {
            let decision = Decision::of(engine, request, Occasion::rehearsal(request, now));
            Answer {
                effect: decision.effect,
                rule: decision.rule().cloned(),
                reason: decision.reason().into_owned(),
                reason_code: decision.reason_code().to_owned(),
            }
        };
        Impact::Known {
            before: answer(&self.before),
            after: answer(&self.after),
        }
    }

    /// What can be said of how both answer a request of which names are known, at `now`.
    #[must_use]
    pub fn named(&self, names: &Names, now: Timestamp, record: OnRecord<'_>) -> Impact {
        let policies = [self.before.policy(), self.after.policy()];
        self.names.judge(policies, names, now, record)
    }
}
