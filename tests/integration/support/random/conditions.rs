//! Conditions of every operator, and requests that meet them: mostly values that an operator can judge, some that it cannot.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};
use serde_json::{Map, Value, json};

use super::{object, word};

/// Every operator of `match`.
pub(crate) const OPERATORS: [&str; 21] = [
    "equals",
    "in",
    "glob",
    "regex",
    "prefix",
    "suffix",
    "not",
    "exists",
    "contains",
    "contains_any",
    "contains_all",
    "missing_any",
    "gt",
    "gte",
    "lt",
    "lte",
    "cidr",
    "semver",
    "time_of_day",
    "weekday",
    "ref",
];

const PATHS: &[&str] = &[
    "action",
    "subject",
    "resource",
    "subject.properties.n",
    "subject.properties.caps",
    "context.k",
    "context.deep.er",
    "context.ip",
    "context.version",
    "context.time",
];

const NETWORKS: &[&str] = &[
    "10.0.0.0/8",
    "10.0.0.0/9",
    "10.128.0.0/9",
    "192.168.0.0/16",
    "10.1.2.3",
    "0.0.0.0/0",
    "::/0",
    "fd00::/8",
    "::ffff:10.1.0.0/112",
];

const REQUIREMENTS: &[&str] = &[
    ">=1.2, <2",
    "=1.2.0",
    "=1.2",
    "^1.2",
    "^0.3",
    "~1.2.1",
    "~1",
    ">1.2",
    "<=1.2",
    "<1.2.1",
    ">=2.0.0-alpha.2",
    "1.*",
    "*",
];

fn operator(
    name: &'static str,
    operand: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<Value> {
    operand
        .prop_map(move |operand| json!({name: operand}))
        .boxed()
}

/// One of them, or a list of some.
fn some(words: &'static [&'static str]) -> impl Strategy<Value = Value> {
    let few = subsequence(words, 1..=2).prop_map(|words| json!(words));
    prop_oneof![2 => word(words), 1 => few]
}

fn zone() -> impl Strategy<Value = Value> {
    word(&["UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"])
}

fn window() -> impl Strategy<Value = Value> {
    let times = subsequence(
        vec!["00:00", "02:00", "02:30", "09:00", "17:00", "22:00"],
        2,
    );
    (times.prop_shuffle(), zone())
        .prop_map(|(times, zone)| json!({"from": times[0], "until": times[1], "zone": zone}))
}

fn hours() -> BoxedStrategy<Value> {
    let windows = prop::collection::vec(window(), 1..3).prop_map(Value::from);
    let days = some(&["mon-fri", "sat", "sun", "fri-mon", "wed"]);
    prop_oneof![
        operator("time_of_day", prop_oneof![window(), windows]),
        operator(
            "weekday",
            (days, zone()).prop_map(|(days, zone)| json!({"in": days, "zone": zone}))
        ),
    ]
    .boxed()
}

fn reference() -> BoxedStrategy<Value> {
    let relations = [
        "ref",
        "in",
        "contains",
        "contains_any",
        "contains_all",
        "gt",
        "gte",
        "lt",
        "lte",
    ];
    (select(relations.to_vec()), select(PATHS))
        .prop_map(|(name, path)| match name {
            "ref" => json!({"ref": path}),
            name => json!({name: {"ref": path}}),
        })
        .boxed()
}

/// A path and another whose value it may well have.
fn related() -> impl Strategy<Value = (&'static str, Value)> {
    let pairs = [
        ("subject", json!({"ref": "action"})),
        ("subject", json!({"in": {"ref": "subject.properties.caps"}})),
        (
            "subject.properties.caps",
            json!({"contains": {"ref": "subject"}}),
        ),
        (
            "subject.properties.caps",
            json!({"contains_any": {"ref": "context.k"}}),
        ),
        ("subject.properties.n", json!({"lt": {"ref": "context.k"}})),
    ];
    select(pairs.to_vec())
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        word(&["x", "y", "ab", "p/q", "a*", "**", "p/?", "a", "b"]),
        (0..4_i64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
    ]
}

fn scalars() -> impl Strategy<Value = Value> {
    prop::collection::vec(scalar(), 1..3).prop_map(Value::from)
}

/// One operator that asks for text.
fn textual() -> BoxedStrategy<Value> {
    let texts = || some(&["x", "a", "p/", "*", "p/**", "?", "b", "q"]);
    prop_oneof![
        operator("glob", texts()),
        operator("regex", some(&["^a", "b$", "^p/.*q$", "x*", "^.$", "/q"])),
        operator("prefix", texts()),
        operator("suffix", texts()),
        operator("in", scalars()),
        operator("equals", scalar()),
    ]
    .boxed()
}

/// One operator that asks for a number.
fn numeric() -> BoxedStrategy<Value> {
    let bounds = select(vec!["gt", "gte", "lt", "lte"]);
    (bounds, 0..4_i64)
        .prop_map(|(name, operand)| json!({name: operand}))
        .boxed()
}

/// One operator that asks for a list.
fn listed() -> BoxedStrategy<Value> {
    let lists = select(vec!["contains_any", "contains_all", "missing_any"]);
    let few = subsequence(vec!["a", "b", "x"], 1..=2).prop_map(|items| json!(items));
    let items = prop_oneof![2 => few, 1 => scalars()];
    prop_oneof![
        1 => operator("contains", scalar()),
        2 => (lists, items).prop_map(|(name, operand)| json!({name: operand})),
    ]
    .boxed()
}

/// One operator that any value may meet.
fn plain() -> BoxedStrategy<Value> {
    prop_oneof![
        2 => textual(),
        2 => numeric(),
        2 => listed(),
        2 => reference(),
        1 => operator("equals", scalar()),
        1 => operator("not", prop_oneof![scalar(), scalars(), reference()]),
        1 => operator("exists", any::<bool>().prop_map(Value::from)),
    ]
    .boxed()
}

/// One operator that asks for more than text.
fn special() -> BoxedStrategy<Value> {
    prop_oneof![
        operator("cidr", some(NETWORKS)),
        operator("semver", some(REQUIREMENTS)),
        hours(),
    ]
    .boxed()
}

/// A value to be compared with, or a condition of one or two operators.
fn condition() -> BoxedStrategy<Value> {
    let two = (plain(), special()).prop_map(|(mut left, right)| {
        let more = right.as_object().unwrap().clone();
        left.as_object_mut().unwrap().extend(more);
        left
    });
    prop_oneof![2 => scalar(), 1 => scalars(), 3 => plain(), 1 => special(), 1 => two].boxed()
}

/// A path and what is asked of it.
pub(crate) fn entry() -> BoxedStrategy<(&'static str, Value)> {
    let names = select(vec!["action", "subject", "resource", "context.k"]);
    let fitting = prop_oneof![
        2 => (names, textual()),
        2 => (Just("subject.properties.n"), numeric()),
        2 => (Just("subject.properties.caps"), listed()),
        2 => (Just("context.ip"), operator("cidr", some(NETWORKS))),
        2 => (Just("context.version"), operator("semver", some(REQUIREMENTS))),
        2 => (Just("context.time"), hours()),
        1 => related(),
    ];
    let negated = fitting
        .clone()
        .prop_map(|(path, condition)| (path, json!({"not": condition})));
    prop_oneof![3 => (select(PATHS), condition()), 3 => fitting, 1 => negated].boxed()
}

/// A mapping of conditions, with groups of groups down to `depth`.
fn group(depth: usize) -> BoxedStrategy<Map<String, Value>> {
    let entries = prop::collection::vec(entry(), 0..3).prop_map(|entries| {
        let entries = entries.into_iter();
        entries
            .map(|(path, condition)| (path.to_owned(), condition))
            .collect::<Map<_, _>>()
    });
    if depth == 0 {
        return entries.boxed();
    }
    let inner = || group(depth - 1);
    let groups = |name: &'static str| {
        let groups = prop::collection::vec(inner(), 1..3);
        groups.prop_map(move |groups| Some((name, json!(groups))))
    };
    let negated = inner().prop_map(|group| match group.is_empty() {
        // An empty `not` is refused.
        true => None,
        false => Some(("not", Value::Object(group))),
    });
    let extra = prop_oneof![4 => Just(None), 1 => groups("any"), 1 => groups("all"), 1 => negated];
    (entries, extra)
        .prop_map(|(mut group, extra)| {
            group.extend(extra.map(|(key, value)| (key.to_owned(), value)));
            group
        })
        .boxed()
}

/// A `match`.
pub(crate) fn matcher() -> BoxedStrategy<Value> {
    // Rules that always match meet each other.
    prop_oneof![3 => group(2).prop_map(Value::Object), 1 => Just(json!({}))].boxed()
}

fn perhaps(values: Vec<Value>) -> impl Strategy<Value = Option<Value>> {
    prop::option::weighted(0.8, select(values))
}

fn values(texts: &[&str], others: &[Value]) -> Vec<Value> {
    let texts = texts.iter().map(|text| json!(text));
    texts.chain(others.iter().cloned()).collect()
}

pub(crate) fn requests() -> BoxedStrategy<Value> {
    let n = values(
        &["2"],
        &[
            json!(1),
            json!(2),
            json!(2.0),
            json!(null),
            json!(["a"]),
            json!(true),
        ],
    );
    let caps = values(
        &["ab"],
        &[
            json!(["a"]),
            json!(["a", "b", 1]),
            json!([]),
            json!(3),
            json!(["x", ["a"]]),
        ],
    );
    let k = values(
        &["x"],
        &[json!(3), json!(false), json!({"x": 1}), json!(["x", "b"])],
    );
    let ip = values(
        &[
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "10.200.0.1",
            "192.168.0.0/17",
            "10.0.0.0/8",
            "10.0.0.0/7",
            "0.0.0.0/0",
            "fd00::1",
            "::/0",
            "::ffff:10.0.0.0/104",
            "10.0.0.1/8",
            "nowhere",
        ],
        &[json!(7)],
    );
    let version = values(
        &[
            "1.2.0",
            "1.2.0+build",
            "1.9.3",
            "2.0.0",
            "0.3.7",
            "2.0.0-alpha.1",
            "2.0.0-alpha.10",
            "1.2.1-rc.1",
            "1.2.0-rc",
            "1.2",
            "v1.2.3",
        ],
        &[json!(1.2)],
    );
    let time = values(
        &[
            "2026-11-02T08:00:00Z",
            "2026-11-02T16:59:59.5+01:00",
            "2026-11-06T22:00:00-05:00",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:30:00Z",
            "2026-03-29T01:00:00Z",
            "2026-11-08T03:15:00Z",
            "2026-11-08",
            "noon",
        ],
        &[json!(3)],
    );
    let names = (
        select(vec!["x", "y", "ab"]),
        select(vec!["a", "b", "x"]),
        select(vec!["p/q", "p", "ab", "p/q/r"]),
    );
    let context = (
        perhaps(k),
        perhaps(ip),
        perhaps(version),
        prop::option::of(select(time)),
    );
    (names, perhaps(n), perhaps(caps), context)
        .prop_map(|((action, subject, resource), n, caps, (k, ip, version, time))| {
            // A list or a text may stand where a path goes on.
            let deep = match &k {
                Some(Value::Array(_)) => json!([{"er": k}]),
                Some(Value::Bool(true)) => json!("er"),
                _ => object(vec![("er", k.clone())]),
            };
            json!({
                "subject": {"type": "user", "id": subject, "properties": object(vec![("n", n), ("caps", caps)])},
                "action": {"name": action},
                "resource": {"type": "stack", "id": resource},
                "context": object(vec![
                    ("k", k),
                    ("deep", Some(deep)),
                    ("ip", ip),
                    ("version", version),
                    ("time", time),
                ]),
            })
        })
        .boxed()
}
