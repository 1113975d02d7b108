//! Conditions in CEL: where problems are, what an error permits, and which data a rule sees.

use std::sync::Arc;

use ordain::bundle::Limits;
use ordain::diag::{Code, Diagnostic};
use ordain::engine::{Engine, Origin};
use ordain::policy::{self, Effect};
use ordain::resolve::{LoadedBundle, lint};
use serde_json::{Value, json};

use super::support::policies::{Files, NOW, bundle, files, policy, request, resolve};

const HEAD: &str = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n- id: r\n  effect: deny\n  reason: x\n  match: {}\n";

fn with_data(policy: &str, data: &[(&str, &str)]) -> Files {
    let mut all = files(&[("a.yaml", policy)]);
    for (name, text) in data {
        all.insert(
            format!("data/{name}").parse().unwrap(),
            Arc::from(text.as_bytes()),
        );
    }
    all
}

/// The problems of a policy whose rule ends with these lines, the first of which is the ninth.
fn problems(lines: &str, data: &[(&str, &str)]) -> Vec<Diagnostic> {
    policy::validate(
        &with_data(&format!("{HEAD}{lines}"), data),
        None,
        &ordain::bundle::Limits::default(),
    )
    .err()
    .unwrap_or_default()
}

#[track_caller]
fn only(lines: &str, data: &[(&str, &str)]) -> Diagnostic {
    let mut problems = problems(lines, data);
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.remove(0);
    assert!(problem.hint.is_some(), "{problem}");
    problem
}

/// The code, line and column of the only problem.
#[track_caller]
fn place(lines: &str) -> (Code, u32, u32) {
    let problem = only(lines, &[]);
    assert_eq!(problem.path.as_deref(), Some("rules[0].when"));
    let location = problem.location.unwrap();
    (problem.code, location.line, location.column)
}

#[test]
fn an_error_points_into_the_expression() {
    let name = Code::CONDITION_NAME;
    assert_eq!(place("  when: true && foo\n"), (name, 9, 17));
    assert_eq!(place("  when: 'true && foo'\n"), (name, 9, 18));
    assert_eq!(
        place("  when: \"subject.id == \\\"é\\\" && foo\"\n"),
        (name, 9, 33)
    );
    assert_eq!(
        place("  when: 'subject.id == ''é'' && foo'\n"),
        (name, 9, 33)
    );
    assert_eq!(place("  when: |\n    true\n    && foo\n"), (name, 11, 8));
    assert_eq!(
        place("  when: >-\n    true &&\n    subject.id == 'a b' &&\n\n    foo\n"),
        (name, 13, 5)
    );
    assert_eq!(place("  when: true &&\n    foo\n"), (name, 10, 5));
    // Behind an escape nobody knows the column, so the beginning of the text it is.
    assert_eq!(
        place("  when: \"subject.id == '\\u00e9' && foo\"\n"),
        (name, 9, 9)
    );
    assert_eq!(
        place("  when: subject.id ==\n"),
        (Code::CONDITION_SYNTAX, 9, 22)
    );
}

/// Every problem is placed without a walk through the file before it. The factor lies between ten, which is linear, and a hundred.
#[test]
fn ten_times_the_problems_take_about_ten_times_as_long() {
    let names: Vec<String> = (0..12).map(|number| format!("x{number}")).collect();
    let when = names.join("+");
    let took = |count: usize, separator: &str| {
        let rules: Vec<String> = (0..count)
            .map(|number| {
                format!("{{id: r{number}, effect: deny, reason: x, match: {{}}, when: {when}}}")
            })
            .collect();
        let text = format!(
            "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules: [{}]\n",
            rules.join(separator)
        );
        let all = files(&[("a.yaml", &text)]);
        let started = std::time::Instant::now();
        let problems = policy::validate(&all, None, &Limits::default()).unwrap_err();
        assert_eq!(problems.len(), count * names.len());
        let last = problems.last().unwrap().location.as_ref().unwrap();
        assert!(last.line as usize == 4 || last.column < 200, "{last}");
        started.elapsed()
    };
    for separator in [", ", ",\n  "] {
        let few = took(400, separator);
        let many = took(4_000, separator);
        assert!(many < few * 40, "{few:?} became {many:?}");
    }
}

#[test]
fn one_defect_each() {
    for (when, code) in [
        ("subject.id = 1", Code::CONDITION_SYNTAX),
        ("\"\"", Code::CONDITION_SYNTAX),
        ("user.id == 'a'", Code::CONDITION_NAME),
        ("subject.team == 'a'", Code::CONDITION_NAME),
        ("now() > 1", Code::CONDITION_FUNCTION),
        ("subject.id", Code::CONDITION_TYPE),
        ("subject.id > 1", Code::CONDITION_TYPE),
        ("subject.id.matches('(')", Code::CONDITION_ARGUMENT),
        ("data.teams.contains('a')", Code::DATA_MISSING),
        ("3", Code::POLICY_TYPE),
        ("true", Code::POLICY_TYPE),
        ("null", Code::POLICY_TYPE),
        ("[a]", Code::POLICY_TYPE),
    ] {
        assert_eq!(only(&format!("  when: {when}\n"), &[]).code, code, "{when}");
    }
    let long = format!("  when: subject.id == '{}'\n", "a".repeat(1_100));
    assert_eq!(only(&long, &[]).code, Code::CONDITION_LIMIT);
    let problem = only("  when: data.eu.limits > 1\n", &[("eu/other.yaml", "1")]);
    assert_eq!(problem.code, Code::DATA_MISSING);
    assert_eq!(problem.message, "no file defines `data.eu.limits`");
    assert!(problem.hint.unwrap().contains("`data/eu/limits.yaml`"));
}

#[test]
fn one_defect_each_of_the_data() {
    for (name, text, code, line) in [
        ("a.yml", "1", Code::DATA_NAME, 1),
        ("a.txt", "1", Code::DATA_NAME, 1),
        ("a", "1", Code::DATA_NAME, 1),
        ("A.YAML", "1", Code::DATA_NAME, 1),
        ("a-b.yaml", "1", Code::DATA_NAME, 1),
        ("1a.yaml", "1", Code::DATA_NAME, 1),
        ("in.yaml", "1", Code::DATA_NAME, 1),
        ("ä.yaml", "1", Code::DATA_NAME, 1),
        ("a.b.yaml", "1", Code::DATA_NAME, 1),
        ("a b/c.yaml", "1", Code::DATA_NAME, 1),
        ("a.json", "{\n\"b\": 1,}", Code::DATA_JSON, 2),
        ("a.json", "{\n\"b\": 1,\n\"b\": 2}", Code::DATA_JSON, 3),
        ("a.json", "9007199254740993", Code::DATA_JSON, 1),
        ("a.json", "\u{feff}1", Code::DATA_JSON, 1),
        ("a.yaml", "b: &x 1\nc: *x", Code::YAML_ALIAS, 1),
        ("a.yaml", "b: 1\nb: 2", Code::YAML_DUPLICATE_KEY, 2),
        ("a.yaml", "", Code::YAML_SYNTAX, 1),
    ] {
        let problem = only("", &[(name, text)]);
        assert_eq!(problem.code, code, "{name} {text}: {problem}");
        let location = problem.location.unwrap();
        assert_eq!(&*location.file, format!("data/{name}"));
        assert_eq!(location.line, line, "{name} {text}");
    }
    for clash in [
        [("a.yaml", "1"), ("a.json", "1")],
        [("a.yaml", "1"), ("a/b.yaml", "1")],
        [("a.json", "1"), ("a/b.yaml", "1")],
    ] {
        assert_eq!(only("", &clash).code, Code::DATA_NAME, "{clash:?}");
    }
    // What reads a file that has a problem has none of its own.
    let when = |expression: &str| format!("  when: {expression}\n");
    for (name, text, code) in [
        ("a.json", "{", Code::DATA_JSON),
        ("a.yaml", "b: 1\nb: 2", Code::YAML_DUPLICATE_KEY),
        ("a.yml", "b: 1", Code::DATA_NAME),
        ("a/b.json", "{", Code::DATA_JSON),
        ("a/b.yml", "1", Code::DATA_NAME),
    ] {
        for expression in ["data.a.b > 1", "has(data.a.b)"] {
            let problem = only(&when(expression), &[(name, text)]);
            assert_eq!(problem.code, code, "{name}: {problem}");
        }
    }
    let beside = [("a.json", "{"), ("b.yaml", "1")];
    assert_eq!(only(&when("data.b > 1"), &beside).code, Code::DATA_JSON);
    let codes: Vec<Code> = problems(&when("data.c > 1"), &beside)
        .iter()
        .map(|problem| problem.code)
        .collect();
    assert_eq!(codes, [Code::DATA_JSON, Code::DATA_MISSING]);
    let many: Vec<String> = (0..257).map(|n| format!("f{n}.json")).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|name| (name.as_str(), "1")).collect();
    assert_eq!(only("", &many).code, Code::DATA_LIMIT);
    assert_eq!(only(&when("data.f0 > 1"), &many).code, Code::DATA_LIMIT);
    assert_eq!(problems("", &many[1..]), []);
    let large = format!("\"{}\"", "a".repeat(600_000));
    let large = [("a.json", large.as_str()), ("b.json", &large)];
    assert_eq!(only("", &large).code, Code::DATA_LIMIT);
}

/// The effect of a policy with one rule, on a request with this context.
fn decide(effect: &str, matcher: &Value, when: Option<&str>, context: Value) -> Effect {
    let mut rule = json!({"id": "r", "effect": effect, "reason": "x", "match": matcher});
    if let Some(when) = when {
        rule["when"] = when.into();
    }
    let fields =
        json!({"rules": [rule], "default": if effect == "deny" { "allow" } else { "deny" }});
    let (_, document) = policy("acme", fields);
    let bundle = bundle("acme", &[("a.yaml", &document.to_string())]).unwrap();
    let engine = Engine::new(resolve(&[bundle], "acme", None).unwrap());
    let request = request(&json!({
        "subject": {"type": "user", "id": "sam"},
        "action": {"name": "x"},
        "resource": {"type": "stack", "id": "github-a"},
        "context": context,
    }));
    engine.evaluate(&request, NOW.parse().unwrap()).effect()
}

#[test]
fn a_condition_that_fails_never_permits() {
    let everything = json!({});
    for when in [
        "context.n > 3",
        "!(context.n > 3)",
        "context.n",
        "context.s + 1 > 3",
        "context.l[7] == 1",
        "context.s.matches('^a') && context.n == 1",
        "inCidr(context.s, '10.0.0.0/8')",
        "context.big.all(x, context.big.all(y, x + y >= 0)) || true",
    ] {
        let big: Vec<u32> = (0..3_000).collect();
        let context = || json!({"s": "ab", "l": [1], "big": big});
        let decide = |effect| decide(effect, &everything, Some(when), context());
        // The default is the opposite of the effect: that it stands says that the rule did not count.
        assert_eq!(decide("deny"), Effect::Deny, "{when}");
        assert_eq!(decide("allow"), Effect::Deny, "{when}");
        assert_eq!(decide("audit"), Effect::Deny, "{when}");
        // A rule that only counts because it failed adds its verdict, and silences no default.
        assert_eq!(decide("require_approval"), Effect::Deny, "{when}");
    }
}

#[test]
fn a_condition_narrows_its_match_and_is_combined_with_its_failures() {
    let matcher = json!({"context.n": {"gt": 3}});
    for (context, when, deny, allow) in [
        (
            json!({"n": 4}),
            "context.n < 9",
            Effect::Deny,
            Effect::Allow,
        ),
        (
            json!({"n": 4}),
            "context.n > 9",
            Effect::Allow,
            Effect::Deny,
        ),
        // What does not match is not asked: the condition would fail.
        (
            json!({"n": 3}),
            "context.gone == 1",
            Effect::Allow,
            Effect::Deny,
        ),
        (json!({}), "context.n == 1", Effect::Allow, Effect::Deny),
        (
            json!({"n": 4}),
            "context.gone == 1",
            Effect::Deny,
            Effect::Deny,
        ),
        // The match fails; the condition says that it does not matter, or that it does.
        (
            json!({"n": "x"}),
            "context.n == 1",
            Effect::Allow,
            Effect::Deny,
        ),
        (
            json!({"n": "x"}),
            "context.n == 'x'",
            Effect::Deny,
            Effect::Deny,
        ),
    ] {
        let shown = format!("{context} {when}");
        let found = decide("deny", &matcher, Some(when), context.clone());
        assert_eq!(found, deny, "deny {shown}");
        let found = decide("allow", &matcher, Some(when), context);
        assert_eq!(found, allow, "allow {shown}");
    }
}

#[test]
fn the_conditions_of_one_request_share_a_budget_and_fail_behind_it() {
    let big: Vec<u32> = (0..3_000).collect();
    let request = request(&json!({
        "subject": {"type": "user", "id": "sam"},
        "action": {"name": "x"},
        "resource": {"type": "stack", "id": "github-a"},
        "context": {"n": 1, "big": big},
    }));
    let decide = |effect: &str, when: &str, costly: usize| {
        let rule = |id: &str, effect: &str, when: &str| json!({"id": id, "effect": effect, "reason": "x", "match": {}, "when": when});
        let loops = "context.big.all(x, context.big.all(y, x + y >= 0)) || true";
        let mut rules: Vec<Value> = (0..costly)
            .map(|number| {
                let mut rule = rule(&format!("costly-{number}"), "audit", loops);
                rule["precedence"] = 1.into();
                rule
            })
            .collect();
        rules.push(rule("cheap", effect, when));
        let default = if effect == "allow" { "deny" } else { "allow" };
        let (_, document) = policy("acme", json!({"rules": rules, "default": default}));
        let bundle = bundle("acme", &[("a.yaml", &document.to_string())]).unwrap();
        let engine = Engine::new(resolve(&[bundle], "acme", None).unwrap());
        engine.evaluate(&request, NOW.parse().unwrap()).effect()
    };
    assert_eq!(decide("allow", "context.n == 1", 19), Effect::Allow);
    assert_eq!(decide("allow", "context.n == 1", 20), Effect::Deny);
    assert_eq!(decide("deny", "context.n == 2", 19), Effect::Allow);
    assert_eq!(decide("deny", "context.n == 2", 20), Effect::Deny);
    assert_eq!(
        decide("require_approval", "context.n == 2", 60),
        Effect::RequireApproval
    );
}

/// In `match`, in conditions and in catalogues, and over all files: what compiling takes has one end.
#[test]
fn the_regular_expressions_of_a_bundle_share_a_limit() {
    let rules = |count: usize, matcher: &Value, when: Option<&str>| {
        let rule = |number: usize| {
            let mut rule = json!({"id": format!("r{number}"), "effect": "deny", "reason": "x", "match": matcher});
            if let Some(when) = when {
                rule["when"] = when.into();
            }
            rule
        };
        json!({"rules": (0..count).map(rule).collect::<Vec<_>>()})
    };
    let large = r"\w{3}";
    let bundle = |catalogue: usize, matches: usize, conditions: usize| {
        let patterns: Vec<Value> = (0..catalogue)
            .map(|number| json!({"id": format!("p{number}"), "regex": large}))
            .collect();
        let catalogue = json!({
            "apiVersion": "ordain/v1", "kind": "Catalog", "scope": "acme", "operations": [], "patterns": patterns
        });
        let matcher = json!({"context.s": {"regex": large}});
        let (_, matches) = policy("acme", rules(matches, &matcher, None));
        let when = format!("context.s.matches(r'{large}')");
        let (_, conditions) = policy("acme/a", rules(conditions, &json!({}), Some(&when)));
        policy::validate(
            &files(&[
                ("a.yaml", &catalogue.to_string()),
                ("b.yaml", &matches.to_string()),
                ("c.yaml", &conditions.to_string()),
            ]),
            None,
            &Limits::default(),
        )
        .err()
        .unwrap_or_default()
    };
    assert_eq!(bundle(8, 60, 60), []);
    for (catalogue, matches, conditions, refused) in [
        (8, 60, 61, 1),
        (8, 121, 2, 3),
        (130, 0, 0, 2),
        (130, 1, 1, 4),
    ] {
        let problems = bundle(catalogue, matches, conditions);
        assert_eq!(problems.len(), refused, "{problems:#?}");
        for problem in problems {
            assert_eq!(problem.code, Code::POLICY_LIMIT);
            assert_eq!(
                problem.message,
                "the regular expressions of the bundle are too large together"
            );
            assert!(problem.hint.is_some() && problem.location.is_some());
        }
    }
}

fn rule_with(when: &str) -> String {
    format!("{HEAD}  when: {when}\n")
}

fn loaded(name: &str, scope: &str, when: &str, data: &[(&str, &str)]) -> LoadedBundle {
    let text = rule_with(when).replace("scope: acme\n", &format!("scope: {scope}\n"));
    let files = with_data(&text, data);
    LoadedBundle::unsigned(
        name.parse().unwrap(),
        None,
        &files,
        &ordain::bundle::Limits::default(),
    )
    .unwrap()
}

#[test]
fn a_rule_sees_the_data_of_its_own_bundle_only() {
    let org = loaded(
        "org",
        "acme",
        "subject.id in data.frozen",
        &[("frozen.yaml", "[sam]")],
    );
    let team = loaded(
        "team",
        "acme/a",
        "subject.id in data.frozen",
        &[("frozen.yaml", "[ann]")],
    );
    let engine = Engine::new(resolve(&[org, team], "acme/a", None).unwrap());
    let hits = |id: &str| {
        let request = request(&json!({
            "subject": {"type": "user", "id": id}, "action": {"name": "x"}, "resource": {"type": "s", "id": "r"},
        }));
        let verdict = engine.evaluate(&request, NOW.parse().unwrap());
        match verdict.would().origin {
            Origin::Rule(at) => Some((at.layer(), at.rule())),
            Origin::Default(_) | Origin::NoMatch => None,
        }
    };
    assert_eq!(hits("sam"), Some((0, 0)));
    assert_eq!(hits("ann"), Some((1, 0)));
    assert_eq!(hits("eve"), None);
    let alone = with_data(&rule_with("subject.id in data.frozen"), &[]);
    assert_eq!(
        policy::validate(&alone, None, &ordain::bundle::Limits::default()).unwrap_err()[0].code,
        Code::DATA_MISSING
    );
}

#[test]
fn the_digest_covers_the_condition_and_the_data_that_it_reads() {
    let digest = |when: &str, data: &[(&str, &str)]| {
        let bundle = loaded("b", "acme", when, data);
        resolve(&[bundle], "acme", None).unwrap().digest()
    };
    let read = "subject.id in data.a";
    let base = digest(read, &[("a.yaml", "[x]"), ("b.yaml", "1")]);
    assert_eq!(
        digest(read, &[("a.json", "[\"x\"]"), ("b.yaml", "1")]),
        base
    );
    assert_eq!(digest(read, &[("a.yaml", "[x]"), ("b.yaml", "2")]), base);
    assert_ne!(digest(read, &[("a.yaml", "[y]"), ("b.yaml", "1")]), base);
    assert_ne!(
        digest("subject.id in data.a && true", &[("a.yaml", "[x]")]),
        base
    );
    let without = |data| {
        let files = with_data(HEAD, data);
        let bundle = LoadedBundle::unsigned(
            "b".parse().unwrap(),
            None,
            &files,
            &ordain::bundle::Limits::default(),
        )
        .unwrap();
        resolve(&[bundle], "acme", None).unwrap().digest()
    };
    assert_eq!(without(&[]), without(&[("a.yaml", "[x]")]));
}

#[test]
fn a_rule_with_another_condition_shadows_nothing() {
    let lints = |first: Option<&str>, second: Option<&str>| {
        let rule = |id: &str, when: Option<&str>, precedence: i32| {
            let mut rule = json!({
                "id": id, "effect": "deny", "reason": "x", "match": {"action": "x"}, "precedence": precedence
            });
            if let Some(when) = when {
                rule["when"] = when.into();
            }
            rule
        };
        let rules = [rule("first", first, 1), rule("second", second, 0)];
        let (_, document) = policy("acme", json!({"rules": rules}));
        let bundle = bundle("acme", &[("a.yaml", &document.to_string())]).unwrap();
        let policy = resolve(&[bundle], "acme", None).unwrap();
        lint(&policy, NOW.parse().unwrap()).len()
    };
    let (one, two) = (Some("context.n > 1"), Some("context.n > 2"));
    assert_eq!(lints(None, None), 1);
    assert_eq!(lints(None, one), 1);
    assert_eq!(lints(one, one), 1);
    assert_eq!(lints(one, None), 0);
    assert_eq!(lints(one, two), 0);
}

#[test]
fn resolved_policies_show_conditions() {
    let bundle = loaded("b", "acme", "context.n > 1", &[]);
    let policy = resolve(&[bundle], "acme", None).unwrap();
    let view = serde_json::to_value(policy.view()).unwrap();
    assert_eq!(view["layers"][0]["rules"][0]["when"], "context.n > 1");
}

/// Every function of the manual's table stands in its example, and every example holds.
#[test]
fn the_examples_of_the_manual_hold() {
    let manual = include_str!("../../docs/policy.md");
    let (_, rest) = manual.split_once("#### Functions").unwrap();
    let (table, _) = rest.split_once("\n#### ").unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    let context = json!({
        "path": "/srv/app.yaml", "ip": "10.1.2.3", "version": "1.4.2", "time": "2026-12-20T17:30:00Z",
        "tags": ["a", "b"], "replicas": 5, "text": " Ab ",
    });
    let mut seen = 0;
    for row in rows {
        let (name, rest) = row.trim_start_matches("| `").split_once('`').unwrap();
        let (_, example) = rest.rsplit_once("| `").unwrap();
        let example = example.trim_end_matches(['`', '|', ' ']);
        let name = name.split('(').next().unwrap();
        let name = name.rsplit('.').next().unwrap();
        assert!(example.contains(&format!("{name}(")), "{row}");
        let found = decide("allow", &json!({}), Some(example), context.clone());
        assert_eq!(found, Effect::Allow, "{example}");
        seen += 1;
    }
    assert!(seen >= 24, "{seen} rows");
}
