//! Random policies of every word of the language, and requests.

mod conditions;

use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use serde_json::{Map, Value, json};

use super::naive::{Naive, Policies, WHENS};
use super::policies::{NOW, policy};

use conditions::matcher;
pub(crate) use conditions::{OPERATORS, entry, requests};

pub(crate) const ANY: &[&str] = &["none", "tighten", "any", "any", "any", "any"];
pub(crate) const TIGHTEN: &[&str] = &["tighten"];

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
pub(crate) fn object(fields: Vec<(&'static str, Option<Value>)>) -> Value {
    let there = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    Value::Object(there.collect::<Map<_, _>>())
}

/// Windows that [`NOW`] lies in, begins, ends, and misses.
fn valid() -> impl Strategy<Value = Option<Value>> {
    let moments = [
        json!({"from": "2026-10-01T00:00:00Z"}),
        json!({"from": NOW, "until": "2026-12-01T00:00:00Z"}),
        json!({"until": NOW}),
        json!({"from": "2026-11-01T00:00:01Z"}),
    ];
    prop::option::weighted(0.2, select(moments.to_vec()))
}

fn when() -> impl Strategy<Value = Option<Value>> {
    let texts: Vec<&str> = WHENS.iter().map(|(text, _)| *text).collect();
    prop::option::weighted(0.2, select(texts).prop_map(Value::from))
}

/// What a root scope may demand of waivers; most of them lack something.
fn waivers() -> impl Strategy<Value = Option<Value>> {
    let demands = [
        json!({"require": ["owner"]}),
        json!({"require": ["ticket", "expires"], "max_duration": "400d"}),
        json!({"max_duration": "90d"}),
    ];
    prop::option::weighted(0.15, select(demands.to_vec()))
}

fn rule(id: &'static str, permissions: &'static [&'static str]) -> BoxedStrategy<Value> {
    let extra = (
        prop::option::of(0..3_i32),
        prop::option::of(word(&["warn", "warn", "enforce"])),
        word(permissions),
        valid(),
        when(),
    );
    (effect(), matcher(), extra)
        .prop_map(
            move |(effect, matcher, (precedence, mode, permission, valid, when))| {
                object(vec![
                    ("id", Some(id.into())),
                    ("effect", Some(effect)),
                    ("reason", Some("because".into())),
                    ("precedence", precedence.map(Value::from)),
                    ("mode", mode),
                    ("override", Some(permission)),
                    ("valid", valid),
                    ("match", Some(matcher)),
                    ("when", when),
                ])
            },
        )
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
        1 => Just(Some(Value::from("2026-12-01T00:00:00Z"))),
        1 => Just(Some(Value::from("2027-10-01T00:00:00Z"))),
    ];
    let carried = (prop::bool::weighted(0.9), any::<bool>(), any::<bool>());
    (what, carried, expires)
        .prop_map(|((field, value), (reasoned, owned, agreed), expires)| {
            object(vec![
                (field, Some(value)),
                ("reason", reasoned.then(|| "agreed".into())),
                ("owner", owned.then(|| "leads".into())),
                ("ticket", agreed.then(|| "T-1".into())),
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
        waivers(),
    );
    let overrides = prop::collection::vec(
        (any::<Index>(), select(&RULES[..]), change(permissions)),
        0..3,
    );
    (extends, rules, 0..4_usize, default, modes, overrides)
        .prop_map(
            move |(extends, rules, count, default, (mode, min_mode, waivers), overrides)| {
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
                        (
                            "waivers",
                            waivers.filter(|_| !SCOPES[position].contains('/')),
                        ),
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
