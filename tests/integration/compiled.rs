//! The index, and policies that are kept compiled, against what they stand for.

mod forged;

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

use super::fuzz_smoke::entry::compiled as fuzzed;
use super::fuzz_smoke::entry::signed::verified;
use super::support::checkout;
use super::support::policies::{NOW, bundle, request, resolve};
use super::support::random::{ANY, entry, policies, requests};

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
        let whole = kept.whole(&kept.bytes).unwrap();
        for value in &requests {
            let request = request(value);
            let decision = decided(engine, &request);
            let matched = decision["matched"].as_array().unwrap().iter();
            let matched: Vec<&str> =
                matched.map(|rule| rule["rule"].as_str().unwrap().trim_start_matches("acme#")).collect();
            prop_assert_eq!(matched, linear(engine.policy(), &request), "{}", value);
            prop_assert_eq!(kept.decides(&kept.bytes, &request), Some(decision.clone()), "{}", value);
            prop_assert_eq!(decided(&whole, &request), decision, "{}", value);
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

    /// The engine that is made of all bytes; none where they are not as they were written.
    fn whole(&self, bytes: &[u8]) -> Option<Engine> {
        self.open(bytes)?.whole(&[&self.bundle])
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
        let whole = one.whole(&one.bytes).unwrap();
        for value in &values {
            let request = request(value);
            let wanted = decided(&one.engine, &request);
            prop_assert_eq!(decided(&whole, &request), wanted.clone(), "{}", value);
            prop_assert_eq!(one.decides(&one.bytes, &request), Some(wanted), "{}", value);
        }
        // What was kept of it would be kept again.
        prop_assert_eq!(whole.to_bytes(now()).unwrap().1, one.digest);
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
        assert!(kept.whole(&bytes).is_none(), "byte {position}");
    }
    assert!(refused > 100, "{refused}");
    let whole = kept.whole(&kept.bytes).unwrap();
    assert_eq!(decided(&whole, &request), wanted);
    for end in (0..kept.bytes.len()).step_by(1_009) {
        assert!(kept.whole(&kept.bytes[..end]).is_none(), "cut at {end}");
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

/// Rules that ask for everything that is kept in a way of its own.
fn of_all_kinds() -> Value {
    let matches = [
        json!({"action": "deploy", "resource": "web-*"}),
        json!({"action": ["restart", "stop"], "subject.properties.team": "payments"}),
        json!({"subject.properties.groups": {"contains": "a"}, "context.zone": "eu-*"}),
        json!({"context.replicas": {"gt": 2}, "resource": "*b-2*"}),
        json!({"context.environment": {"not": "production"}, "context.ip": {"cidr": "10.0.0.0/8"}}),
        json!({"resource": {"regex": "^web-[a-z]+$"}}),
        json!({"any": [{"context.list": {"exists": true}}, {"action": "deploy"}]}),
    ];
    let mut rules: Vec<Value> = (matches.iter().zip(["audit", "deny", "require_approval"].iter().cycle()).enumerate())
        .map(|(number, (matches, effect))| {
            json!({"id": format!("r{number}"), "effect": effect, "reason": "because", "match": matches})
        })
        .collect();
    rules[3]["when"] = "context.replicas > 2 && subject.id.startsWith('b')".into();
    rules[4]["valid"] = json!({"from": "2026-01-01T00:00:00Z", "until": "2027-01-01T00:00:00Z"});
    rules[5]["tags"] = json!(["front"]);
    json!({
        "apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme", "mode": "enforce", "default": "allow",
        "rules": rules,
    })
}

/// So many rules that they are looked up by what two of their keys ask for.
fn of_many_shapes() -> Value {
    let rule = |number: u32| {
        let matches = match number % 3 {
            0 => {
                json!({"action": (["deploy", "stop"][number as usize % 2]), "resource": format!("web-{number}")})
            }
            1 => {
                json!({"subject.properties.groups": {"contains": format!("g{}", number % 17)}, "context.zone": "eu-*"})
            }
            _ => {
                json!({"subject.properties.team": ["payments", format!("t{number}")], "action": (["rest*", "re*"][number as usize % 2])})
            }
        };
        json!({"id": format!("r{number}"), "effect": "deny", "reason": "x", "match": matches})
    };
    json!({
        "apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme", "mode": "enforce", "default": "audit",
        "rules": (0..99).map(rule).collect::<Vec<_>>(),
    })
}

/// What the fuzz target begins with is what is written today, so it finds what is wrong with that.
#[test]
fn the_seeds_of_the_fuzz_target_are_what_is_kept() {
    let shapes = |input: &[u8]| {
        let head = input.split(|byte| *byte == b'\n').next().unwrap();
        let head: Value = serde_json::from_slice(head).unwrap();
        head["tables"]["shapes"].as_array().unwrap().len()
    };
    for (name, policy, many) in [
        ("good-all-kinds", of_all_kinds(), false),
        ("good-many-shapes", of_many_shapes(), true),
    ] {
        let bundle = bundle("acme", &[("acme.yaml", &policy.to_string())]).unwrap();
        let now = fuzzed::NOW.parse().unwrap();
        let policy = ordain::resolve::resolve(&[bundle], &"acme".parse().unwrap(), now, None);
        let engine = Engine::new(policy.unwrap());
        let (file, _) = engine.to_bytes(now).unwrap();
        let input = fuzzed::input(&file);
        assert_eq!(shapes(&input) > 1, many, "{name}");
        let path = checkout().join("fuzz/corpus/compiled").join(name);
        if std::env::var_os("ORDAIN_WRITE_DOCS").is_some() {
            std::fs::write(&path, &input).unwrap();
        }
        assert!(
            std::fs::read(&path).is_ok_and(|seed| seed == input),
            "{name} is not what is kept: run `ORDAIN_WRITE_DOCS=1 cargo test seeds_of_the_fuzz_target`, and commit it"
        );
        let mut kept = fuzzed::open(&input).unwrap();
        let all = kept.whole(&[fuzzed::bundle()]).unwrap();
        let mut matched = 0;
        for request in fuzzed::requests() {
            let one = kept.engine(&request, now, &[fuzzed::bundle()]).unwrap();
            let [one, all, whole] = [&one, &all, &engine].map(|engine| {
                let mut decision = fuzzed::decided(engine, &request);
                for own in ["bundles", "unsigned"] {
                    decision.as_object_mut().unwrap().remove(own);
                }
                decision
            });
            matched += whole["matched"].as_array().unwrap().len();
            assert_eq!((&one, &all), (&whole, &whole), "{name}");
        }
        assert!(matched > 3, "{name}: {matched}");
    }
}

/// SECURITY: that a part has the digest that stands beside it says nothing: that one must have its own.
#[test]
fn a_part_with_another_digest_beside_it_is_not_as_it_was_kept() {
    let mut kept = Kept::new(Engine::new(one_policy(&many()))).unwrap();
    assert!(kept.whole(&kept.bytes).is_some());
    let length = |at: usize| {
        let bytes = kept.bytes[at..at + 8].try_into().unwrap();
        usize::try_from(u64::from_be_bytes(bytes)).unwrap()
    };
    let digests = 16 + length(0) + length(8);
    let body = kept.bytes.len() - fuzzed::input(&kept.bytes).len() + length(0) + 1;
    let part = body..body + 1_024;
    kept.bytes[body + 100] ^= 1;
    let digest = Sha256Digest::of(&kept.bytes[part]);
    kept.bytes[digests..digests + 32].copy_from_slice(digest.as_bytes());
    assert!(kept.whole(&kept.bytes).is_none());
}

/// SECURITY: who may write both the cache and the state makes a request cost no more than compiling does.
#[test]
fn a_kept_policy_that_has_much_read_again_and_again_decides_nothing() {
    let leads = 1_u32 << 17;
    let (rules, buckets) = (leads * 16, leads * 20);
    let body = [vec![0; buckets as usize + 4], leads.to_le_bytes().to_vec()].concat();
    let section = |at: u32, items: u32| json!({"at": at, "items": items});
    let path = ["subject", "properties", "groups"];
    let head = json!({
        "format": "ordain-compiled/v7",
        "policy": {
            "scope": "acme", "digest": Sha256Digest::of(b""), "root_mode": "enforce", "bundles": ["acme"],
            "layers": [], "from": fuzzed::NOW, "until": null,
        },
        "offsets": section(0, 0),
        "tables": {
            "lanes": [],
            "slots": [{"path": path, "kind": "item", "lane": null, "lengths": []}],
            "shapes": [{
                "slots": [0, null], "leads": section(0, leads), "buckets": section(buckets, 2),
                "rules": section(rules, leads),
            }],
            "always": section(0, 0),
        },
        "heads": section(0, 0), "whole": section(0, 0),
        "body": body.len(),
    });
    let input = [head.to_string().as_bytes(), b"\n", &body].concat();
    let mut kept = fuzzed::open(&input).unwrap();
    let now = fuzzed::NOW.parse().unwrap();
    // Each item is looked up, and has the only bucket read.
    for (items, decides) in [(20, true), (40, false), (20, true)] {
        let groups: Vec<String> = (0..items).map(|number| format!("g{number}")).collect();
        let request = request(&json!({
            "subject": {"type": "user", "id": "alice", "properties": {"groups": groups}},
            "action": {"name": "deploy"}, "resource": {"type": "server", "id": "web-1"},
        }));
        let engine = kept.engine(&request, now, &[fuzzed::bundle()]);
        assert_eq!(engine.is_some(), decides, "{items}");
    }
}

#[test]
fn a_long_head_is_read_to_its_end_and_one_that_is_too_long_is_not() {
    let path = checkout().join("fuzz/corpus/compiled/good-all-kinds");
    let seed = std::fs::read(path).unwrap();
    let end = seed.iter().position(|byte| *byte == b'\n').unwrap();
    for (mebibytes, opens) in [(3, true), (17, false)] {
        let head = [&seed[..end], &vec![b' '; mebibytes << 20]].concat();
        let input = [&*head, &seed[end..]].concat();
        assert_eq!(fuzzed::open(&input).is_some(), opens, "{mebibytes} MiB");
    }
}
