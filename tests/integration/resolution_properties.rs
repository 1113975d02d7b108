//! The invariants that resolution and evaluation keep, on random policies.

use jiff::Timestamp;
use ordain::engine::{Engine, Origin, Outcome};
use ordain::policy::{Effect, Mode};
use ordain::resolve::{EffectivePolicy, LoadedBundle};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};

use super::support::naive::{Answer, Naive, Policies};
use super::support::policies::{NOW, many_bundles, one_bundle, policy, request, resolve};

/// Scopes from the top down; each is above the later ones or beside them. Packs extend earlier packs only.
const SCOPES: [&str; 6] = ["base", "pack/a", "pack/b", "acme", "acme/a", "acme/a/b"];
const RULES: [&str; 3] = ["r0", "r1", "r2"];

fn word(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    select(words).prop_map(Value::from)
}

fn effect() -> impl Strategy<Value = Value> {
    word(&["allow", "audit", "require_approval", "deny"])
}

fn mode() -> impl Strategy<Value = Value> {
    word(&["audit-only", "warn", "enforce", "enforce"])
}

/// An object of the fields that are there.
fn object(fields: Vec<(&'static str, Option<Value>)>) -> Value {
    let there = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

/// A value to be compared with, or a condition of any operator.
fn condition() -> BoxedStrategy<Value> {
    let scalar = || {
        prop_oneof![
            word(&["x", "y", "ab", "p/q", "a*", "**", "p/?", "a", "b"]),
            (0..4_i64).prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
        ]
    };
    let text = || word(&["x", "a", "p/", "*", "p/**", "?", "b"]);
    let scalars = || prop::collection::vec(scalar(), 1..3).prop_map(Value::from);
    let texts = || prop::collection::vec(text(), 1..3).prop_map(Value::from);
    let bare = || prop_oneof![scalar(), scalars()];
    let operator = |name: &'static str, operand: BoxedStrategy<Value>| {
        operand
            .prop_map(move |operand| json!({name: operand}))
            .boxed()
    };
    let lists = select(vec!["in", "contains_any", "contains_all", "missing_any"]);
    let bounds = select(vec!["gt", "gte", "lt", "lte"]);
    let one = prop_oneof![
        operator("equals", scalar().boxed()),
        operator("contains", scalar().boxed()),
        operator("glob", prop_oneof![text(), texts()].boxed()),
        operator("prefix", prop_oneof![text(), texts()].boxed()),
        operator("not", bare().boxed()),
        operator("exists", any::<bool>().prop_map(Value::from).boxed()),
        (lists, scalars()).prop_map(|(name, operand)| json!({name: operand})),
        (bounds, 0..4_i64).prop_map(|(name, operand)| json!({name: operand})),
    ];
    let two = (one.clone(), one.clone()).prop_map(|(mut left, right)| {
        left.as_object_mut()
            .unwrap()
            .extend(right.as_object().unwrap().clone());
        left
    });
    prop_oneof![3 => bare(), 3 => one, 1 => two].boxed()
}

fn matcher() -> BoxedStrategy<Value> {
    let path = || {
        select(vec![
            "action",
            "subject",
            "resource",
            "subject.properties.n",
            "subject.properties.caps",
            "context.k",
            "context.deep.er",
        ])
    };
    let group = prop::collection::btree_map(path(), condition(), 0..3)
        .prop_map(|entries| {
            entries
                .into_iter()
                .map(|(key, value)| (key.to_owned(), value))
                .collect::<Map<_, _>>()
        })
        .boxed();
    let groups = prop::collection::vec(group.clone(), 1..3);
    let full = group
        .clone()
        .prop_filter("an empty `not` is refused", |group| !group.is_empty());
    let extra = prop_oneof![
        4 => Just(None),
        1 => groups.clone().prop_map(|groups| Some(("any", json!(groups)))),
        1 => groups.prop_map(|groups| Some(("all", json!(groups)))),
        1 => full.prop_map(|group| Some(("not", Value::Object(group)))),
    ];
    let full = (group, extra)
        .prop_map(|(mut group, extra)| {
            group.extend(extra.map(|(key, value)| (key.to_owned(), value)));
            Value::Object(group)
        })
        .boxed();
    // Rules that always match meet each other.
    prop_oneof![3 => full, 1 => Just(json!({}))].boxed()
}

fn rule(id: &'static str, permissions: &'static [&'static str]) -> BoxedStrategy<Value> {
    let extra = (
        prop::option::of(0..3_i32),
        prop::option::of(word(&["warn", "warn", "enforce"])),
        word(permissions),
    );
    (effect(), matcher(), extra)
        .prop_map(move |(effect, matcher, (precedence, mode, permission))| {
            object(vec![
                ("id", Some(id.into())),
                ("effect", Some(effect)),
                ("reason", Some("because".into())),
                ("precedence", precedence.map(Value::from)),
                ("mode", mode),
                ("override", Some(permission)),
                ("match", Some(matcher)),
            ])
        })
        .boxed()
}

fn change(permissions: &'static [&'static str]) -> BoxedStrategy<Value> {
    // Where everything else would be refused, most of what is tried may be done.
    let tightening = prop_oneof![
        word(&["deny", "require_approval"]).prop_map(|effect| ("effect", effect)),
        Just(("mode", Value::from("enforce"))),
    ];
    let anything = prop_oneof![
        4 => effect().prop_map(|effect| ("effect", effect)),
        1 => Just(("disable", Value::Bool(true))),
        3 => mode().prop_map(|mode| ("mode", mode)),
        1 => (0..3_i32).prop_map(|precedence| ("precedence", precedence.into())),
    ];
    let what = if permissions == TIGHTEN {
        tightening.boxed()
    } else {
        anything.boxed()
    };
    let expires = prop_oneof![
        6 => Just(None),
        1 => Just(Some(Value::from("2026-10-01T00:00:00Z"))),
        1 => Just(Some(Value::from("2027-10-01T00:00:00Z"))),
    ];
    (what, prop::bool::weighted(0.9), expires)
        .prop_map(|((field, value), reasoned, expires)| {
            object(vec![
                (field, Some(value)),
                ("reason", reasoned.then(|| "agreed".into())),
                ("expires", expires),
            ])
        })
        .boxed()
}

/// One scope's policy: `position` in [`SCOPES`] says what is above it.
fn one(position: usize, permissions: &'static [&'static str]) -> BoxedStrategy<(String, Value)> {
    let packs: Vec<&str> = SCOPES[..position.min(3)].to_vec();
    let extends = subsequence(packs.clone(), 0..=packs.len());
    let rules = [
        rule(RULES[0], permissions),
        rule(RULES[1], permissions),
        rule(RULES[2], permissions),
    ];
    let default = word(&[
        "abstain",
        "abstain",
        "abstain",
        "allow",
        "audit",
        "require_approval",
        "deny",
    ]);
    let modes = (
        prop::option::of(mode()),
        prop::option::weighted(0.2, mode()),
    );
    let overrides = prop::collection::vec(
        (any::<Index>(), select(&RULES[..]), change(permissions)),
        0..3,
    );
    (extends, rules, 0..4_usize, default, modes, overrides)
        .prop_map(
            move |(extends, rules, count, default, (mode, min_mode), overrides)| {
                let mut rules: Vec<Value> = rules.into_iter().take(count).collect();
                let own = mode
                    .as_ref()
                    .and_then(Value::as_str)
                    .unwrap_or("enforce")
                    .to_owned();
                for rule in &mut rules {
                    // A rule's mode may not be above its scope's.
                    if rank(rule["mode"].as_str().unwrap_or(&own)) > rank(&own) {
                        rule["mode"] = own.clone().into();
                    }
                }
                let targets: Vec<&str> = SCOPES[..position].to_vec();
                let mut seen = Vec::new();
                let mut written = Vec::new();
                for (target, id, mut change) in overrides {
                    if targets.is_empty() {
                        continue;
                    }
                    let name = format!("{}#{id}", target.get(&targets));
                    if !seen.contains(&name) {
                        change["rule"] = name.clone().into();
                        seen.push(name);
                        written.push(change);
                    }
                }
                policy(
                    SCOPES[position],
                    object(vec![
                        ("extends", Some(json!(extends))),
                        ("mode", mode),
                        ("min_mode", min_mode),
                        ("default", Some(default)),
                        ("rules", Some(rules.into())),
                        ("overrides", Some(written.into())),
                    ]),
                )
            },
        )
        .boxed()
}

fn rank(mode: &str) -> usize {
    ["audit-only", "warn", "enforce"]
        .iter()
        .position(|word| *word == mode)
        .unwrap()
}

/// Policies whose overrides that name nothing were dropped, so that most of them resolve.
pub(crate) fn policies(permissions: &'static [&'static str]) -> BoxedStrategy<Policies> {
    let all = (
        one(0, permissions),
        one(1, permissions),
        one(2, permissions),
        one(3, permissions),
        one(4, permissions),
        one(5, permissions),
    );
    (all, prop::bool::weighted(0.9), prop::bool::weighted(0.8))
        .prop_map(|((a, b, c, d, e, f), tidy, middle)| {
            let mut policies = Policies::from([a, b, c, d, e, f]);
            if !middle {
                policies.remove("acme/a");
            }
            let known = policies.clone();
            for (scope, policy) in policies.iter_mut().filter(|_| tidy) {
                let naive = Naive::new(&known, scope, NOW, "enforce");
                let lives = |change: &Value| naive.knows(scope, change["rule"].as_str().unwrap());
                policy["overrides"].as_array_mut().unwrap().retain(lives);
            }
            policies
        })
        .boxed()
}

fn requests() -> BoxedStrategy<Value> {
    let n = prop::option::of(select(vec![
        json!(1),
        json!(2),
        json!(2.0),
        json!("2"),
        json!(null),
        json!(["a"]),
        json!(true),
    ]));
    let caps = prop::option::of(select(vec![
        json!(["a"]),
        json!(["a", "b", 1]),
        json!("ab"),
        json!([]),
        json!(3),
    ]));
    let k = prop::option::of(select(vec![
        json!("x"),
        json!(3),
        json!(false),
        json!({"x": 1}),
    ]));
    let names = (
        select(vec!["x", "y", "ab"]),
        select(vec!["a", "b", "x"]),
        select(vec!["p/q", "p", "ab", "p/q/r"]),
    );
    (names, n, caps, k).prop_map(|((action, subject, resource), n, caps, k)| {
        json!({
            "subject": {"type": "user", "id": subject, "properties": object(vec![("n", n), ("caps", caps)])},
            "action": {"name": action},
            "resource": {"type": "stack", "id": resource},
            "context": object(vec![("k", k.clone()), ("deep", Some(object(vec![("er", k)])))]),
        })
    }).boxed()
}

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn said(engine: &Engine, value: &Value) -> Answer {
    let verdict = engine.evaluate(&request(value), now());
    let layers = engine.policy().layers();
    let name = |origin: Origin| match origin {
        Origin::Rule(layer, rule) => Some(layers[layer].rules[rule].written.name.to_string()),
        Origin::Default(_) | Origin::NoMatch => None,
    };
    Answer {
        effect: verdict.effect().as_str().to_owned(),
        rule: verdict.binding().and_then(|pick| name(pick.origin)),
        would: verdict.would().effect.as_str().to_owned(),
        would_rule: name(verdict.would().origin),
        audited: verdict.is_audited(),
    }
}

fn severity(effect: Effect) -> usize {
    match Outcome::from(effect) {
        Outcome::Allowed => 0,
        Outcome::Pending => 1,
        Outcome::Denied => 2,
    }
}

fn at(
    policies: &Policies,
    scope: &str,
    cap: Option<Mode>,
) -> Result<EffectivePolicy, TestCaseError> {
    resolve(&[one_bundle(policies)], scope, cap)
        .map_err(|_| TestCaseError::reject("an override is refused"))
}

const ANY: &[&str] = &["none", "tighten", "any", "any", "any", "any"];
const TIGHTEN: &[&str] = &["tighten"];

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 500,
        max_global_rejects: 40_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_naive_evaluator_agrees(
        policies in policies(ANY),
        requests in prop::collection::vec(requests(), 8),
        cap in select(vec!["enforce", "enforce", "warn", "audit-only"]),
    ) {
        let mode = serde_json::from_value(cap.into()).unwrap();
        for scope in ["acme", "acme/a/b"] {
            let naive = Naive::new(&policies, scope, NOW, cap);
            match resolve(&many_bundles(&policies), scope, Some(mode)) {
                Ok(policy) => {
                    let engine = Engine::new(policy);
                    for request in &requests {
                        let wanted = naive.answer(request);
                        prop_assert!(wanted.is_ok(), "only the engine accepts this");
                        prop_assert_eq!(said(&engine, request), wanted.unwrap(), "{} {}", scope, request);
                    }
                }
                Err(problems) => prop_assert!(naive.answer(&requests[0]).is_err(), "{:?}", problems),
            }
        }
    }

    /// Invariant 3.
    #[test]
    fn a_child_can_only_tighten(
        policies in policies(TIGHTEN),
        requests in prop::collection::vec(requests(), 8),
        cap in select(vec![None, Some(Mode::Warn)]),
    ) {
        let mut policies = policies;
        // Whatever would loosen is dropped, not refused: the rest must hold for every request.
        while let Err(problems) = resolve(&[one_bundle(&policies)], "acme/a/b", cap) {
            prop_assert!(!problems.is_empty());
            for policy in policies.values_mut() {
                policy["overrides"].as_array_mut().unwrap().pop();
            }
        }
        let [parent, child] = ["acme", "acme/a/b"].map(|scope| at(&policies, scope, cap).map(Engine::new));
        let (parent, child) = (parent?, child?);
        for value in &requests {
            let (before, after) = (parent.evaluate(&request(value), now()), child.evaluate(&request(value), now()));
            let silent = before.binding().is_some_and(|pick| pick.origin == Origin::NoMatch);
            prop_assert!(silent || severity(after.effect()) >= severity(before.effect()), "{}", value);
            let silent = before.would().origin == Origin::NoMatch;
            prop_assert!(silent || severity(after.would().effect) >= severity(before.would().effect), "{}", value);
        }
    }

    /// Invariant 5.
    #[test]
    fn the_same_inputs_give_the_same_answer(
        policies in policies(ANY),
        order in Just((0..6_usize).collect::<Vec<_>>()).prop_shuffle(),
        request in requests(),
    ) {
        let sorted = many_bundles(&policies);
        let shuffled: Vec<LoadedBundle> = order.iter().filter_map(|index| sorted.get(*index).cloned()).collect();
        let results = [resolve(&sorted, "acme/a/b", None), resolve(&shuffled, "acme/a/b", None), resolve(&[one_bundle(&policies)], "acme/a/b", None)];
        match results {
            [Ok(sorted), Ok(shuffled), Ok(one)] => {
                prop_assert_eq!(serde_json::to_string(&sorted.view()).unwrap(), serde_json::to_string(&shuffled.view()).unwrap());
                prop_assert_eq!(sorted.digest(), one.digest());
                prop_assert_eq!(said(&Engine::new(sorted), &request), said(&Engine::new(one), &request));
            }
            [Err(sorted), Err(shuffled), Err(_)] => prop_assert_eq!(sorted, shuffled),
            _ => prop_assert!(false, "the order of bundles decides whether the policy resolves"),
        }
    }
}

/// Invariant 4, for conditions that meet a value they cannot judge.
#[test]
fn an_error_never_permits() {
    let failing = [
        json!({"gt": 1}),
        json!({"gte": 1}),
        json!({"lt": 1}),
        json!({"lte": 1}),
        json!({"not": {"gt": 1}}),
        json!({"prefix": "a"}),
        json!({"glob": "a*"}),
        json!({"contains": "a"}),
        json!({"contains_any": ["a"]}),
        json!({"contains_all": ["a"]}),
    ];
    let request = json!({
        "subject": {"type": "user", "id": "a", "properties": {"n": {"not": "scalar"}}},
        "action": {"name": "x"},
        "resource": {"type": "stack", "id": "r"},
    });
    for condition in failing {
        for (effect, default, wanted) in [
            ("deny", "allow", "deny"),
            ("require_approval", "allow", "require_approval"),
            ("allow", "deny", "deny"),
            ("audit", "deny", "deny"),
        ] {
            let rule = json!({"id": "r", "effect": effect, "reason": "because", "match": {"subject.properties.n": condition}});
            let policies =
                Policies::from([policy("acme", json!({"default": default, "rules": [rule]}))]);
            let engine = Engine::new(resolve(&[one_bundle(&policies)], "acme", None).unwrap());
            assert_eq!(
                said(&engine, &request).effect,
                wanted,
                "{condition} {effect}"
            );
        }
    }
}
