use std::collections::HashMap;

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::super::path::Place;
use super::super::{Facts, Sought, symbol};
use super::notes::{MAX_BYTES, MAX_LEAVES};
use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = select(vec![
        json!(null),
        json!("x"),
        json!(""),
        json!("a\u{1f}b"),
        json!(1),
        json!(["x"]),
        json!([]),
        json!(["x", "", "y"]),
        json!(["x", 1]),
        json!(-2.5),
        json!(true),
        json!({}),
    ]);
    leaf.prop_recursive(5, 40, 3, |inner| {
        let names = select(vec![
            "a",
            "b",
            "properties",
            "time",
            "a\u{1f}b",
            "\u{1f}",
            "",
        ]);
        prop::collection::btree_map(names, inner, 0..3).prop_map(|members| json!(members))
    })
}

/// A request in its canonical form: these four, and `properties`, are mappings.
fn request() -> impl Strategy<Value = Value> {
    let map = || {
        let names = select(vec!["a", "b", "time", "properties", "a\u{1f}b", "k"]);
        prop::collection::btree_map(names, value(), 0..4).prop_map(|members| json!(members))
    };
    (map(), map(), map()).prop_map(|(subject, action, context)| {
        json!({
            "subject": {"type": "user", "id": "u", "properties": subject},
            "action": {"name": "act", "properties": action},
            "resource": {"type": "t", "id": "r", "properties": {}},
            "context": context,
        })
    })
}

fn path() -> impl Strategy<Value = RequestPath> {
    let more = || {
        let names = vec![
            "a",
            "b",
            "k",
            "time",
            "properties",
            "a\u{1f}b",
            "\u{1f}",
            "",
        ];
        prop::collection::vec(select(names), 0..4)
    };
    let tops = vec![
        vec!["context"],
        vec!["subject", "properties"],
        vec!["action", "properties"],
        vec!["subject"],
        vec!["action", "name"],
        vec!["resource", "id"],
    ];
    (select(tops), more()).prop_map(|(top, more)| {
        let members = top.into_iter().chain(more).map(ToOwned::to_owned);
        RequestPath::new(members.collect())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_told_is_what_the_tree_holds(request in request(), paths in prop::collection::vec(path(), 20)) {
        let leaves = Leaves::of(request.as_object().unwrap());
        let facts = Facts::new(&request, "2026-11-01T00:00:00Z".parse().unwrap()).with_leaves(&leaves);
        let sought = Sought::new(paths.iter().cloned());
        let seats = facts.seats(&sought);
        for (number, path) in paths.iter().enumerate() {
            prop_assert_eq!(format!("{:?}", seats.at(number)), format!("{:?}", facts.stands(path)));
            match facts.stands(path) {
                Stands::Nothing => prop_assert_eq!(facts.at(path), Ok(None)),
                Stands::Text(text, own) => {
                    prop_assert_eq!(facts.at(path), Ok(Some(&json!(text.as_str()))));
                    prop_assert_eq!(own, symbol(text.as_bytes()));
                }
                Stands::Number(number) => {
                    let found = facts.at(path).unwrap().and_then(Value::as_f64);
                    prop_assert_eq!(found, Some(number));
                }
                Stands::Texts(items) => {
                    let texts: Vec<&str> = items.iter().map(|(text, _)| text.as_str()).collect();
                    prop_assert_eq!(facts.at(path), Ok(Some(&json!(texts))));
                    prop_assert!(items.iter().all(|(text, own)| own == symbol(text.as_bytes())));
                }
                Stands::Else => {}
            }
        }
    }
}

/// What is usual is told; else nothing would be gained.
#[test]
fn usual_leaves_are_told() {
    let request = json!({
        "subject": {"type": "user", "id": "alice", "properties": {"team": "payments", "level": 3, "may": ["read", "write"]}},
        "action": {"name": "deploy", "properties": {}}, "resource": {"type": "t", "id": "r", "properties": {}},
        "context": {"environment": "production", "is_dry": true, "at": {"zone": "eu"}},
    });
    let leaves = Leaves::of(request.as_object().unwrap());
    let at = |path: &str| {
        let path = RequestPath::new(path.split('.').map(ToOwned::to_owned).collect());
        match leaves.at(&path) {
            Stands::Text(text, _) => format!("text {}", text.as_str()),
            Stands::Number(number) => format!("number {number}"),
            Stands::Texts(items) => {
                let texts: Vec<&str> = items.iter().map(|(text, _)| text.as_str()).collect();
                format!("texts {}", texts.join(" "))
            }
            other => format!("{other:?}"),
        }
    };
    for (path, expected) in [
        ("subject.id", "text alice"),
        ("action.name", "text deploy"),
        ("subject.properties.team", "text payments"),
        ("subject.properties.level", "number 3"),
        ("subject.properties.may", "texts read write"),
        ("context.environment", "text production"),
        ("context.at.zone", "text eu"),
        ("subject.properties.client", "Nothing"),
        ("subject.properties", "Else"),
        ("context.is_dry", "Else"),
        ("context.time", "Else"),
        ("context.at", "Else"),
        ("context.environment.x", "Else"),
    ] {
        assert_eq!(at(path), expected, "{path}");
    }
}

/// However much a request holds, no more is noted than can be looked through, and nothing that is not noted passes for
/// absent.
#[test]
fn a_large_request_is_left_to_its_tree() {
    let many: Map<String, Value> = (0..500).map(|n| (format!("k{n}"), json!("x"))).collect();
    let long = json!({"a": "x".repeat(MAX_BYTES)});
    let list = json!({"a": vec!["x"; MAX_LEAVES], "b": "y"});
    for context in [
        Value::Object(many),
        long,
        list,
        json!({"n".repeat(MAX_PATH + 1): "x"}),
        json!({"a\u{1f}b": "x"}),
    ] {
        let request = json!({"context": context, "subject": {"id": "x"}});
        let leaves = Leaves::of(request.as_object().unwrap());
        assert!(leaves.is_cut, "{context}");
        let Parts {
            leaves: noted,
            texts,
        } = leaves.parts();
        assert!(texts.len() <= MAX_BYTES && noted.len() <= MAX_LEAVES);
        let at = |path: [&str; 2]| {
            let path = RequestPath::new(path.map(ToOwned::to_owned).to_vec());
            format!("{:?}", leaves.at(&path))
        };
        for path in [
            ["context", "absent"],
            ["context", "a"],
            ["context", "b"],
            ["subject", "id"],
        ] {
            assert_eq!(at(path), "Else", "{context}");
        }
    }
}

/// Whoever asks chooses the names, so two of them with one symbol can be had.
#[test]
fn a_name_is_not_taken_for_another_with_its_symbol() {
    let mut known: HashMap<u32, String> = HashMap::new();
    let twins = (0..).find_map(|number: u32| {
        let name = format!("n{number}");
        let other = known.insert(Place::symbol(Trunk::Context, name.as_bytes()), name.clone())?;
        Some([other, name])
    });
    let [asked, given] = twins.unwrap();
    let path = |name: &str| RequestPath::new(vec!["context".to_owned(), name.to_owned()]);
    let sought = Sought::new([path(&asked), path(&given)]);
    for (context, expected) in [
        (json!({}), ["nothing", "nothing"]),
        (json!({ &given: "x" }), ["nothing", "x"]),
        (json!({ &asked: "y" }), ["y", "nothing"]),
        (json!({ &given: "x", &asked: "y" }), ["y", "x"]),
    ] {
        let request = json!({"context": context});
        let leaves = Leaves::of(request.as_object().unwrap());
        let told = |stands: Stands<'_>| match stands {
            Stands::Text(text, _) => text.as_str().to_owned(),
            Stands::Nothing => "nothing".to_owned(),
            other => format!("{other:?}"),
        };
        let seats = sought.find(Some(&leaves));
        assert_eq!([0, 1].map(|number| told(seats.at(number))), expected);
        let alone = [&asked, &given].map(|name| told(leaves.at(&path(name))));
        assert_eq!(alone, expected);
    }
}
