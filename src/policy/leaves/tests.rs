use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use super::super::path::Place;
use super::super::{Facts, Seats, Sought, symbol};
use super::notes::MAX_BYTES;
use super::*;
use crate::json::Lazy;

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
        let lazy = Lazy::from(request.clone());
        let facts = Facts::lazily(&lazy, &leaves, "2026-11-01T00:00:00Z".parse().unwrap());
        let sought = Sought::new(paths.iter().cloned());
        let seats = facts.seats(&sought);
        for (number, path) in paths.iter().enumerate() {
            prop_assert_eq!(format!("{:?}", seats.at(number)), format!("{:?}", facts.stands(path)));
            let told = seats.text(number);
            let stands = match facts.stands(path) {
                Stands::Text(text, symbol) => Some((text, symbol)),
                _ => None,
            };
            prop_assert!(told.is_none() || told == stands);
            let [marks] = facts.marks(&[path.cell()]);
            match facts.stands(path) {
                Stands::Nothing => {}
                Stands::Text(_, symbol) => prop_assert!(marks & mark(symbol) != 0),
                Stands::Number(_) | Stands::Texts(_) | Stands::Else => prop_assert_eq!(marks, u8::MAX),
            }
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

/// Whoever asks chooses the names, so two of one length in one cell can be had.
#[test]
fn a_name_is_not_taken_for_another_of_its_cell() {
    let cell = |name: &str| Place::cell(Trunk::Context, name.as_bytes());
    let asked = "n10".to_owned();
    let mut others = (11..100).map(|number| format!("n{number}"));
    let given = others.find(|name| cell(name) == cell(&asked)).unwrap();
    let path = |name: &str| RequestPath::new(vec!["context".to_owned(), name.to_owned()]);
    let sought = Sought::new([path(&asked), path(&given)]);
    for (context, expected, told_at_once) in [
        (json!({}), ["nothing", "nothing"], [None, None]),
        (json!({ &given: "x" }), ["nothing", "x"], [None, Some("x")]),
        (json!({ &asked: "y" }), ["y", "nothing"], [Some("y"), None]),
        (
            json!({ &given: "x", &asked: "y" }),
            ["y", "x"],
            [None, Some("x")],
        ),
    ] {
        let request = json!({"context": context});
        let leaves = Leaves::of(request.as_object().unwrap());
        let told = |stands: Stands<'_>| match stands {
            Stands::Text(text, _) => text.as_str().to_owned(),
            Stands::Nothing => "nothing".to_owned(),
            other => format!("{other:?}"),
        };
        let seats = Seats::new(Some(&leaves), &sought);
        assert_eq!([0, 1].map(|number| told(seats.at(number))), expected);
        // The last of a cell is told at once, and no other.
        let at_once = [0, 1].map(|number| seats.text(number).map(|(text, _)| text.as_str()));
        assert_eq!(at_once, told_at_once);
        let alone = [&asked, &given].map(|name| told(leaves.at(&path(name))));
        assert_eq!(alone, expected);
    }
}

/// Most requests have an `id` and a `type` in two trunks.
#[test]
fn one_name_is_in_another_cell_in_each_trunk() {
    let trunks = [
        Trunk::Subject,
        Trunk::SubjectProperties,
        Trunk::Action,
        Trunk::ActionProperties,
        Trunk::Resource,
        Trunk::ResourceProperties,
        Trunk::Context,
    ];
    for name in ["id", "type", "team", ""] {
        for (number, trunk) in trunks.into_iter().enumerate() {
            let cell = Place::cell(trunk, name.as_bytes());
            let others = trunks.iter().skip(number + 1);
            let mut others = others.map(|other| Place::cell(*other, name.as_bytes()));
            assert!(others.all(|other| other != cell), "{name} {trunk:?}");
        }
    }
    let request = json!({
        "subject": {"id": "alice", "properties": {"id": "a"}},
        "resource": {"id": "web-1"},
    });
    let leaves = Leaves::of(request.as_object().unwrap());
    let paths = [
        vec!["subject", "id"],
        vec!["subject", "properties", "id"],
        vec!["resource", "id"],
    ];
    let paths = paths.map(|path| RequestPath::new(path.into_iter().map(str::to_owned).collect()));
    let sought = Sought::new(paths);
    let seats = Seats::new(Some(&leaves), &sought);
    let told = [0, 1, 2].map(|number| seats.text(number).unwrap().0.as_str());
    assert_eq!(told, ["alice", "a", "web-1"]);
}

/// What is told at a glance leaves out nothing that stands there; what it tells apart is most of what could be.
#[test]
fn a_glance_misses_no_text() {
    let path = |name: &str| RequestPath::new(vec!["context".to_owned(), name.to_owned()]);
    let text = |number: usize| format!("text-{number}");
    // More names than cells, so that some share theirs.
    for count in [0, 1, 8, 40] {
        let context: Map<String, Value> = (0..count)
            .map(|number| match number % 5 {
                4 => (format!("n{number}"), json!([text(number), 7])),
                3 => (format!("n{number}"), json!([text(number)])),
                _ => (format!("n{number}"), json!(text(number))),
            })
            .collect();
        let leaves = Leaves::of(json!({"context": context}).as_object().unwrap());
        assert!(!leaves.is_cut);
        let mut passed = 0;
        for number in 0..100 {
            let [marks] = leaves.marks(&[path(&format!("n{number}")).cell()]);
            let own = mark(symbol(text(number).as_bytes()));
            if number < count {
                assert!(marks & own != 0, "{number} of {count}");
                // Of what is no text, nothing is known.
                assert!(number % 5 < 3 || marks == u8::MAX);
            } else if marks & own != 0 {
                passed += 1;
            }
            assert!(marks & 0x80 != 0);
        }
        assert!(count > 8 || passed < 20 + 5 * count, "{passed} of {count}");
    }
}

/// Where not everything is noted, or something else may stand for what is not there, whatever is asked for may stand there.
#[test]
fn a_glance_tells_nothing_of_what_is_not_noted() {
    let path =
        |names: &[&str]| RequestPath::new(names.iter().map(|name| (*name).to_owned()).collect());
    let small = json!({"context": {"a": "x", "at": {"zone": "eu"}}});
    let leaves = Leaves::of(small.as_object().unwrap());
    for unsure in [
        &["context", "time"][..],
        &["context", "at", "zone"],
        &["context"],
    ] {
        assert_eq!(
            leaves.marks(&[path(unsure).cell()]),
            [u8::MAX],
            "{unsure:?}"
        );
    }
    assert_ne!(leaves.marks(&[path(&["context", "a"]).cell()]), [u8::MAX]);
    let many: Map<String, Value> = (0..500).map(|n| (format!("k{n}"), json!("x"))).collect();
    let leaves = Leaves::of(json!({"context": many}).as_object().unwrap());
    assert!(leaves.is_cut);
    for name in ["k1", "absent"] {
        assert_eq!(leaves.marks(&[path(&["context", name]).cell()]), [u8::MAX]);
    }
}

#[test]
fn texts_are_the_same_where_all_bytes_are() {
    for length in 0..40 {
        let text: Vec<u8> = (0..length).collect();
        assert!(same(&text, &text.clone()));
        for changed in 0..text.len() {
            let mut other = text.clone();
            other[changed] ^= 0x40;
            assert!(!same(&text, &other), "{length}, {changed}");
        }
        let longer: Vec<u8> = (0..=length).collect();
        assert!(!same(&text, &longer) && !same(&longer, &text));
    }
}

/// A path that goes on for more bytes than a length has room for is not taken for the short one that it begins with.
#[test]
fn a_long_path_is_not_taken_for_a_short_one_with_a_text() {
    let long = format!("team{}", "x".repeat(256));
    let request = json!({
        // What follows is long enough to be taken for the text.
        "subject": {"properties": {"team": "x".repeat(256), "tone": "y".repeat(300)}},
    });
    let leaves = Leaves::of(request.as_object().unwrap());
    let cell = Place::cell(Trunk::SubjectProperties, b"team");
    let text = |path: &str| {
        let noted = leaves.noted();
        let at = TextAt::new(Trunk::SubjectProperties, path.len());
        let told = noted.text(cell, at, path.as_bytes());
        told.map(|(text, _)| text.as_bytes().len())
    };
    assert_eq!(text("team"), Some(256));
    let lazy = Lazy::from(request.clone());
    let facts = Facts::lazily(&lazy, &leaves, "2026-11-01T00:00:00Z".parse().unwrap());
    let path = ["subject", "properties", "team"].map(ToOwned::to_owned);
    let sought = Sought::new([RequestPath::new(path.into())]);
    let told = facts.seats(&sought).text(0);
    assert_eq!(told.map(|(text, _)| text.as_bytes().len()), Some(256));
    assert_eq!(text(&long), None);
}
