//! One thread's hold on the policy that it decides with.
//!
//! Whoever holds a policy is counted, in one place for all threads, which their processors then wrest from each other for every
//! decision. A thread that is done with one decision before it makes the next takes its hold from the one to the other instead, and
//! counts nothing.

use std::sync::Arc;

use super::{Decision, Ground, Occasion};
use crate::engine::evaluate::{Engine, Verdict};
use crate::resolve::EffectivePolicy;

/// What the last decision held, for the next.
#[derive(Debug, Default)]
pub(crate) struct Hold(Option<Arc<EffectivePolicy>>);

impl Hold {
    /// As [`Decision::new`].
    pub(crate) fn decide(
        &mut self,
        engine: &Engine,
        verdict: Verdict,
        occasion: Occasion,
    ) -> Decision {
        let policy = engine.shared_policy();
        // The policy is held, so no other has its address.
        let held = self.0.take().filter(|held| Arc::ptr_eq(held, policy));
        let held = held.unwrap_or_else(|| Arc::clone(policy));
        Decision::with(held, verdict, occasion)
    }

    /// Takes what a decision held that nobody needs any more.
    pub(crate) fn take_back(&mut self, decision: Decision) {
        if let Ground::Policy { policy, .. } = decision.ground {
            self.0 = Some(policy);
        }
    }
}
