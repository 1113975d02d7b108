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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::bundle::Limits;
    use crate::engine::request::{Request, RequestLimits};
    use crate::resolve::{LoadedBundle, resolve};

    fn engine(effect: &str, reason: &str) -> Engine {
        let text = format!(
            "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nmode: enforce\nrules:\n- {{id: r, effect: {effect}, reason: {reason}, match: {{}}}}\n"
        );
        let bytes: Arc<[u8]> = text.into_bytes().into();
        let files = BTreeMap::from([("policies/a.yaml".parse().unwrap(), bytes)]);
        let name = "acme".parse().unwrap();
        let bundle = LoadedBundle::unsigned(name, None, &files, &Limits::default()).unwrap();
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        Engine::new(resolve(&[bundle], &"acme".parse().unwrap(), now, None).unwrap())
    }

    #[test]
    fn a_decision_rests_on_the_policy_that_made_it() {
        let text = br#"{"subject":{"type":"user","id":"a"},"action":{"name":"a"},"resource":{"type":"t","id":"r"}}"#;
        let request = Request::from_json(text, &RequestLimits::default()).unwrap();
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        let engines = [engine("deny", "one"), engine("allow", "two")];
        let mut hold = Hold::default();
        for (position, is_returned) in [
            (0, true),
            (0, true),
            (1, true),
            (0, false),
            (1, true),
            (1, false),
            (0, true),
        ] {
            let engine = &engines[position];
            let occasion = || Occasion::rehearsal(&request, now);
            let decision = hold.decide(engine, engine.evaluate(&request, now), occasion());
            let wanted = Decision::new(engine, engine.evaluate(&request, now), occasion());
            assert_eq!(serde_json::json!(decision), serde_json::json!(wanted));
            assert_eq!(decision.reason(), ["one", "two"][position]);
            let at_once = Decision::of(engine, &request, occasion());
            assert_eq!(serde_json::json!(at_once), serde_json::json!(wanted));
            if is_returned {
                hold.take_back(decision);
            }
        }
        let held = engines.map(|engine| Arc::strong_count(engine.shared_policy()));
        assert_eq!(held, [2, 1]);
    }
}
