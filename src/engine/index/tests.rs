use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::iter;
use std::sync::Arc;

use serde_json::{Value, json};

use super::{Candidates, Judged};
use crate::bundle::Limits;
use crate::engine::Engine;
use crate::engine::request::{Request, RequestLimits};
use crate::policy::Match;
use crate::resolve::{LoadedBundle, resolve};

const NOW: &str = "2026-12-01T00:00:00Z";

/// An engine of rules that match these.
fn engine(matches: &[Value]) -> Engine {
    let mut text =
        "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nmode: enforce\nrules:\n".to_owned();
    for (number, matches) in matches.iter().enumerate() {
        let rule =
            json!({"id": format!("r{number}"), "effect": "deny", "reason": "x", "match": matches});
        writeln!(text, "- {rule}").unwrap();
    }
    let bytes: Arc<[u8]> = text.into_bytes().into();
    let files = BTreeMap::from([("policies/a.yaml".parse().unwrap(), bytes)]);
    let limits = Limits::default();
    let bundle = LoadedBundle::unsigned("acme".parse().unwrap(), None, &files, &limits).unwrap();
    let scope = "acme".parse().unwrap();
    Engine::new(resolve(&[bundle], &scope, NOW.parse().unwrap(), None).unwrap())
}

fn request(team: &Value, context: &Value) -> Request {
    let request = json!({
        "subject": {"type": "user", "id": "alice", "properties": {"team": team}},
        "action": {"name": "deploy"}, "resource": {"type": "server", "id": "web-1"},
        "context": context,
    });
    Request::from_json(request.to_string().as_bytes(), &RequestLimits::default()).unwrap()
}

/// What the index says of every rule is what the rule says; of so many it says it by itself.
fn judged(engine: &Engine, request: &Request) -> usize {
    let facts = engine.facts(request, NOW.parse().unwrap());
    let mut candidates = Candidates::new();
    engine.index().candidates(&facts, &mut candidates);
    assert!(candidates.is_sorted_by_key(|(number, _)| *number));
    let candidates: BTreeMap<u32, Judged> = candidates.into_iter().collect();
    let rules = engine
        .policy()
        .layers()
        .iter()
        .flat_map(|layer| &layer.rules);
    for (number, rule) in (0..).zip(rules) {
        let matches = rule.written.matches(&facts);
        match candidates.get(&number) {
            Some(Judged::Yes) => assert_eq!(matches, Match::Yes, "rule {number}, {request:?}"),
            Some(Judged::No) => panic!("rule {number} is a candidate and is none"),
            Some(Judged::Unknown) => {}
            None => assert_eq!(matches, Match::No, "rule {number}, {request:?}"),
        }
    }
    let is_sure = |judged: &&Judged| **judged == Judged::Yes;
    candidates.values().filter(is_sure).count()
}

#[test]
fn rules_in_every_shape_are_judged_as_they_judge_themselves() {
    let long = "x".repeat(300);
    let items: Vec<String> = (0..300).map(|number| format!("i{number}")).collect();
    let mut matches = vec![
        json!({"action": "deploy"}),
        json!({"action": ["deploy", "stop"], "resource": "web-*"}),
        json!({"action": "d*y", "resource": "*-1"}),
        json!({"subject.properties.team": long}),
        json!({"subject.properties.team": items}),
        json!({"subject.properties.team": {"contains": "i7"}}),
        json!({"subject.properties.team": {"contains": "i7"}, "action": "deploy"}),
        json!({"subject.properties.team": "payments", "action": "stop"}),
        json!({"context.replicas": {"gt": 2}}),
        json!({"context.replicas": {"lte": 2}, "action": "deploy"}),
        json!({"context.deep.er": "x", "action": "rare"}),
        json!({"context.deep.er": "x", "action": "deploy"}),
        json!({"context.deep.er": "x*", "context.zone": "a*"}),
        json!({"context.deep.er": {"contains": "i1"}}),
        json!({"context.time": "x*"}),
        json!({"context.time": "x1", "action": "deploy"}),
        json!({"context.zone": ""}),
        // What has no room among the bytes, and something that has.
        json!({"context.zone": long, "subject.properties.team": "payments"}),
        json!({"context.zone": items, "subject.properties.team": "payments"}),
        json!({"context.zone": format!("{long}*"), "subject.properties.team": "payments"}),
        json!({"all": [{"action": "deploy"}, {"action": ["deploy", "stop"]}]}),
    ];
    // More slots than have marks, and rules that differ in one of them.
    for slot in 0..12 {
        for value in 0..3 {
            matches
                .push(json!({"action": "deploy", format!("context.s{slot}"): format!("v{value}")}));
        }
    }
    let all: Vec<(String, String)> = (0..12)
        .map(|slot| (format!("context.s{slot}"), "v1".to_owned()))
        .collect();
    matches.push(json!(all.into_iter().collect::<BTreeMap<_, _>>()));
    let teams = [
        json!(null),
        json!("payments"),
        json!(long),
        json!(7),
        json!("i299"),
        json!(["i7"]),
        json!(["i7", "i7", 1]),
        json!(items),
        json!(
            (0..100)
                .map(|number| format!("none{number}"))
                .collect::<Vec<_>>()
        ),
        json!([["i7"]]),
        json!({"a": "payments"}),
    ];
    let slots = |value: &str| -> Value {
        let slots = (0..12).map(|slot| (format!("s{slot}"), json!(value)));
        slots.collect::<serde_json::Map<_, _>>().into()
    };
    let contexts = [
        json!({}),
        json!({"replicas": 2, "zone": "ab"}),
        json!({"zone": long}),
        json!({"zone": "i7"}),
        json!({"replicas": "3", "deep": 1}),
        json!({"deep": {"er": "x"}, "zone": "ab"}),
        json!({"deep": {"er": ["i1"]}, "s3": 3}),
        json!({"deep": [], "s11": "v2", "s0": ["v1"]}),
        json!({"zone": "", "time": "x1", "s1": true}),
        json!({"zone": true, "time": 7, "s2": {"a": "v1"}}),
        slots("v1"),
        slots("v2"),
        slots("v9"),
        slots(&long),
    ];
    let judged_of = |engine: &Engine, teams: &[Value]| -> usize {
        let requests = teams.iter().flat_map(|team| {
            let contexts = contexts.iter();
            contexts.map(move |context| request(team, context))
        });
        requests.map(|request| judged(engine, &request)).sum()
    };
    // Nearly all is said by the index alone.
    let sure = judged_of(&engine(&matches), &teams);
    assert!(sure > 500, "{sure}");
    // So few rules are held against each request one by one; of so many, those of each shape are looked up.
    let many: Vec<Value> = iter::repeat_n(&matches, 66).flatten().cloned().collect();
    let engine = engine(&many);
    assert!(engine.index().always.iter().count() < many.len() / 2);
    let sure = judged_of(&engine, &teams[3..6]);
    assert!(sure > 66 * 100, "{sure}");
}

/// What does not fit into what is kept of a rule is left to the rule.
#[test]
fn a_rule_with_more_than_can_be_kept_is_asked() {
    let wide: BTreeMap<String, Value> = (0..250)
        .map(|slot| (format!("context.s{slot}"), json!("v")))
        .collect();
    let engine = engine(&[json!(wide), json!({"all": [wide, {"action": "deploy"}]})]);
    let slots = (0..250).map(|slot| (format!("s{slot}"), json!("v")));
    let whole: serde_json::Map<String, Value> = slots.collect();
    let mut less = whole.clone();
    less.remove("s249");
    for context in [json!(whole), json!(less), json!({})] {
        judged(&engine, &request(&json!("x"), &context));
    }
}

/// What only the tree of a request tells is not asked where nobody asks for what stands at another key.
#[test]
fn the_tree_is_asked_last() {
    let matches = [
        json!({"action": "rare", "context.deep.er": "x"}),
        json!({"resource": "web-1"}),
    ];
    let request = request(&json!("x"), &json!({"zone": "a"}));
    assert!(!request.has_tree());
    assert_eq!(judged_alone(&engine(&matches), &request), 1);
    assert!(!request.has_tree());
}

fn judged_alone(engine: &Engine, request: &Request) -> usize {
    let facts = engine.facts(request, NOW.parse().unwrap());
    let mut candidates = Candidates::new();
    engine.index().candidates(&facts, &mut candidates);
    candidates.len()
}

/// However their other keys differ, rules that two paths tell apart are looked up once; those that these do not tell apart stand
/// elsewhere, and a request finds few of them.
#[test]
fn rules_are_listed_in_as_few_shapes_as_tell_them_apart() {
    let mut matches: Vec<Value> = (0..600)
        .map(|number| {
            let more = ["context.zone", "resource", "context.client"][number % 3];
            json!({
                "subject.properties.team": format!("team-{}", number % 50),
                "action": format!("do-{}", number / 50),
                more: format!("x{}", number % 7),
            })
        })
        .collect();
    let engine_of = |matches: &[Value]| engine(matches);
    assert_eq!(engine_of(&matches).index().shapes.len(), 1);
    let crowd = (0..200).map(|number| {
        json!({"subject.properties.team": "team-1", "action": "do-1", "resource": format!("r{number}")})
    });
    matches.extend(crowd);
    let engine = engine_of(&matches);
    let shapes = engine.index().shapes.len();
    assert!((2..=3).contains(&shapes), "{shapes}");
    let text = json!({
        "subject": {"type": "user", "id": "a", "properties": {"team": "team-1"}},
        "action": {"name": "do-1"}, "resource": {"type": "server", "id": "r17"}, "context": {},
    });
    let request =
        Request::from_json(text.to_string().as_bytes(), &RequestLimits::default()).unwrap();
    assert_eq!(judged(&engine, &request), 1);
    assert!(judged_alone(&engine, &request) <= 2);
}

/// Of rules that have the text of both keys in common, marks tell some apart; those that they do not are listed by another key.
#[test]
fn a_crowd_that_marks_do_not_tell_apart_is_listed_by_another_key() {
    let most = || {
        (0..800).map(|number| {
            json!({
                "subject.properties.team": format!("team-{}", number % 40),
                "action": format!("do-{}", (number / 40 + number) % 40),
            })
        })
    };
    let same = |more: Value| {
        let mut matches = json!({"subject.properties.team": "team-1", "action": "do-1"});
        let more = more.as_object().unwrap().clone();
        matches.as_object_mut().unwrap().extend(more);
        matches
    };
    let text = json!({
        "subject": {"type": "user", "id": "a", "properties": {"team": "team-1"}},
        "action": {"name": "do-1"}, "resource": {"type": "server", "id": "web-017-a"},
        "context": {"client": "c17"},
    });
    let request =
        Request::from_json(text.to_string().as_bytes(), &RequestLimits::default()).unwrap();
    let shapes_of = |more: &dyn Fn(usize) -> Value, count: usize| {
        let crowd = (0..count).map(|number| same(more(number)));
        let engine = engine(&most().chain(crowd).collect::<Vec<Value>>());
        judged(&engine, &request);
        assert!(judged_alone(&engine, &request) <= 40);
        engine.index().shapes.len()
    };
    let prefix = |number: usize| json!({"resource": format!("web-{number:03}-*")});
    let client = |number: usize| json!({"context.client": format!("c{number}")});
    assert_eq!(shapes_of(&prefix, 20), 1);
    assert_eq!(shapes_of(&prefix, 200), 2);
    assert_eq!(shapes_of(&client, 100), 1);
    assert_eq!(shapes_of(&client, 300), 2);
    let both = |number: usize| json!({"context.client": format!("c{number}"), "context.zone": format!("z{}", number * 7)});
    assert_eq!(shapes_of(&both, 200), 1);
    assert_eq!(shapes_of(&both, 300), 2);
}
