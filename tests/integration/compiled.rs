//! The index, and policies that are kept compiled, against what they stand for.

use std::cell::Cell;
use std::io::Cursor;

use jiff::Timestamp;
use ordain::digest::Sha256Digest;
use ordain::engine::request::Request;
use ordain::engine::{Compiled, Decision, Engine, Occasion};
use ordain::policy::{Facts, Match};
use ordain::resolve::EffectivePolicy;
use ordain::trust::VerifiedBundle;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

use super::support::policies::{NOW, bundle, request, resolve};
use super::support::random::{ANY, entry, policies, requests};
use super::support::signed::verified;

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn one_policy(policy: &Value) -> EffectivePolicy {
    let bundle = bundle("acme", &[("acme.yaml", &policy.to_string())]).unwrap();
    resolve(&[bundle], "acme", None).unwrap()
}

fn decided(engine: &Engine, request: &Request) -> Value {
    let verdict = engine.evaluate(request, now());
    let decision = Decision::new(engine, verdict, Occasion::rehearsal(request, now()));
    let mut decision = json!(decision);
    // Here one side is of an unsigned bundle, and the other of one that is verified.
    for own in ["bundles", "unsigned"] {
        decision.as_object_mut().unwrap().remove(own);
    }
    decision
}

/// The rules that count for a request, each held against it.
fn linear<'a>(policy: &'a EffectivePolicy, request: &Request) -> Vec<&'a str> {
    let facts = Facts::new(request.attributes(), now());
    let rules = policy.layers().iter().flat_map(|layer| &layer.rules);
    let matching = rules.filter(|rule| rule.written.matches(&facts) != Match::No);
    matching
        .map(|rule| rule.written.name.rule.as_str())
        .collect()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(60))]

    /// With every operator, in more shapes than are looked up each by itself, and values of every type.
    #[test]
    fn the_index_leaves_out_no_rule_that_counts(
        entries in prop::collection::vec(prop::collection::vec(entry(), 0..4), 100..400),
        requests in prop::collection::vec(requests(), 40),
    ) {
        let rules = entries.iter().enumerate().map(|(number, entries)| {
            let matcher: serde_json::Map<String, Value> =
                entries.iter().map(|(path, test)| (path.to_string(), test.clone())).collect();
            json!({"id": format!("r{number:03}"), "effect": "deny", "reason": "because", "match": matcher})
        });
        let policy = json!({
            "apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme", "rules": rules.collect::<Vec<_>>(),
        });
        let kept = Kept::new(Engine::new(one_policy(&policy))).unwrap();
        let engine = &kept.engine;
        for value in &requests {
            let request = request(value);
            let decision = decided(engine, &request);
            let matched = decision["matched"].as_array().unwrap().iter();
            let matched: Vec<&str> =
                matched.map(|rule| rule["rule"].as_str().unwrap().trim_start_matches("acme#")).collect();
            prop_assert_eq!(matched, linear(engine.policy(), &request), "{}", value);
            prop_assert_eq!(kept.decides(&kept.bytes, &request), Some(decision), "{}", value);
        }
    }
}

/// A kept policy of rules of all kinds, and what it was kept of.
struct Kept {
    engine: Engine,
    bytes: Vec<u8>,
    digest: Sha256Digest,
    bundle: VerifiedBundle,
}

impl Kept {
    fn new(engine: Engine) -> Option<Self> {
        let (bytes, digest) = engine.to_bytes(now())?;
        let bundle = verified(&[]);
        Some(Self {
            engine,
            bytes,
            digest,
            bundle,
        })
    }

    fn open(&self, bytes: &[u8]) -> Option<Compiled<Cursor<Vec<u8>>>> {
        Compiled::open(Cursor::new(bytes.to_vec()), self.digest)
    }

    /// What the bytes decide; none where they cannot.
    fn decides(&self, bytes: &[u8], request: &Request) -> Option<Value> {
        let engine = self.open(bytes)?.engine(request, now(), &[&self.bundle])?;
        Some(decided(&engine, request))
    }
}

#[test]
fn a_kept_policy_decides_as_the_whole_one_does() {
    let kept = Cell::new(0_u32);
    let inputs = (
        policies(ANY),
        prop::collection::vec(requests(), 12),
        select(vec!["acme", "acme/a/b"]),
    );
    TestRunner::new_with_rng(
        config(400),
        TestRng::from_seed(RngAlgorithm::XorShift, &[7; 16]),
    )
    .run(&inputs, |(policies, values, scope)| {
        let texts: Vec<(String, String)> = policies
            .iter()
            .map(|(scope, policy)| {
                (
                    format!("{}.yaml", scope.replace('/', "-")),
                    policy.to_string(),
                )
            })
            .collect();
        let texts: Vec<(&str, &str)> = texts
            .iter()
            .map(|(name, text)| (&**name, &**text))
            .collect();
        let Ok(policy) = resolve(&[bundle("acme", &texts).unwrap()], scope, None) else {
            return Ok(());
        };
        let Some(one) = Kept::new(Engine::new(policy)) else {
            return Ok(());
        };
        kept.set(kept.get() + 1);
        for value in &values {
            let request = request(value);
            let wanted = decided(&one.engine, &request);
            prop_assert_eq!(one.decides(&one.bytes, &request), Some(wanted), "{}", value);
        }
        Ok(())
    })
    .unwrap_or_else(|failure| panic!("{failure}"));
    assert!(kept.get() > 100, "{}", kept.get());
}

/// As many rules as take several chunks.
fn many() -> Value {
    let rule = |number: u32| {
        json!({
            "id": format!("r{number:03}"), "effect": "deny", "reason": format!("because of {number}"),
            "match": {"action": format!("act-{}", number % 7), "resource": format!("thing-{number}-*")},
        })
    };
    json!({
        "apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme", "default": "allow",
        "rules": (0..400).map(rule).collect::<Vec<_>>(),
    })
}

fn asks(number: u32) -> Request {
    request(&json!({
        "subject": {"type": "user", "id": "alice"},
        "action": {"name": format!("act-{}", number % 7)},
        "resource": {"type": "file", "id": format!("thing-{number}-x")},
    }))
}

/// SECURITY: whoever may write the cache changes no answer.
#[test]
fn a_changed_byte_of_a_kept_policy_changes_no_decision() {
    let kept = Kept::new(Engine::new(one_policy(&many()))).unwrap();
    let request = asks(123);
    let wanted = decided(&kept.engine, &request);
    assert_eq!(wanted["rule"], "acme#r123");
    assert_eq!(kept.decides(&kept.bytes, &request), Some(wanted.clone()));
    let mut refused = 0;
    for position in (0..kept.bytes.len()).step_by(97) {
        let mut bytes = kept.bytes.clone();
        bytes[position] ^= 1;
        match kept.decides(&bytes, &request) {
            None => refused += 1,
            Some(decision) => assert_eq!(decision, wanted, "byte {position}"),
        }
    }
    assert!(refused > 100, "{refused}");
    for end in (0..kept.bytes.len()).step_by(1_009) {
        let decision = kept.decides(&kept.bytes[..end], &request);
        assert!(
            decision.is_none_or(|decision| decision == wanted),
            "cut at {end}"
        );
    }
    let another = Sha256Digest::of(b"another");
    assert!(Compiled::open(Cursor::new(kept.bytes.clone()), another).is_none());
}

#[test]
fn a_kept_policy_serves_as_long_as_the_same_overrides_count() {
    let mut policy = many();
    policy["rules"][0]["override"] = "any".into();
    let team = json!({
        "apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme/a", "overrides": [{
            "rule": "acme#r000", "effect": "audit", "reason": "a while", "expires": "2026-11-02T00:00:00Z",
        }],
    });
    let texts = [
        ("acme.yaml", &*policy.to_string()),
        ("a.yaml", &*team.to_string()),
    ];
    let policy = resolve(&[bundle("acme", &texts).unwrap()], "acme/a", None).unwrap();
    let kept = Kept::new(Engine::new(policy)).unwrap();
    let opened = kept.open(&kept.bytes).unwrap();
    for (time, holds) in [
        (NOW, true),
        ("2026-11-01T23:59:59.999Z", true),
        ("2026-11-02T00:00:00Z", false),
        ("2026-10-31T23:59:59Z", false),
    ] {
        assert_eq!(opened.holds(time.parse().unwrap()), holds, "{time}");
    }
}

#[test]
fn what_hangs_on_more_than_its_rules_is_not_kept() {
    let texts = [
        (
            "catalog.yaml",
            r#"
apiVersion: ordain/v1
kind: Catalog
scope: acme
operations:
  - {action: look, risk: low}
"#,
        ),
        (
            "acme.yaml",
            "apiVersion: ordain/v1\nkind: Policy\nscope: acme\n",
        ),
    ];
    let policy = resolve(&[bundle("acme", &texts).unwrap()], "acme", None).unwrap();
    assert!(Engine::new(policy).to_bytes(now()).is_none());
}
