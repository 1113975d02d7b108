//! `policy test`.

use std::collections::BTreeMap;
use std::sync::Arc;

use ordain::bundle::BundlePath;
use ordain::diag::Code;
use ordain::engine::Outcome;
use ordain::policy::{Effect, read_tests};
use serde_json::json;

use super::{MANIFEST, TESTS, bundle, two_bundles};
use crate::support::{TestEnv, checkout};

#[test]
fn tests_that_pass_and_what_they_reach() {
    let env = bundle();
    let text = env.ordain(["policy", "test", "acme"]);
    text.success();
    insta::assert_snapshot!(text);
    let json = env.ordain(["policy", "test", "acme", "--format", "json"]);
    json.success();
    insta::assert_snapshot!(json);
    // From the bundle's own directory, and at any time: the tests say when.
    let mut later = bundle();
    later.set("ORDAIN_NOW", "2031-01-01T00:00:00Z");
    let again = later.ordain_in("acme", ["policy", "test", "--format", "json"]);
    assert_eq!(again.success(), json.stdout);
}

#[test]
fn failures_say_what_was_expected_and_found() {
    let env = bundle();
    let wrong = TESTS
        .replace(
            "effect: allow, outcome: allowed",
            "effect: deny, outcome: denied",
        )
        .replace("[acme#apply, acme#prod-apply]", "[acme#apply]")
        .replace("would: null", "would: {effect: deny}");
    env.write("acme/tests/payments.yaml", wrong);
    let text = env.ordain(["policy", "test", "acme"]);
    text.code(1);
    insta::assert_snapshot!(text);
    let json = env.ordain(["policy", "test", "acme", "--format", "json"]);
    json.code(1);
    let document = json.json();
    assert_eq!(document["failed"], 2);
    let mismatch = &document["cases"][0]["mismatches"][0];
    assert_eq!(
        (&mismatch["expected"], &mismatch["found"]),
        (&json!("deny"), &json!("allow"))
    );
    assert_eq!(mismatch["location"]["line"], 14);
}

#[test]
fn coverage_has_a_threshold() {
    let env = bundle();
    // Four of six rules match: neither the pack's nor the one about big changes.
    env.ordain(["policy", "test", "acme", "--min-coverage", "66"])
        .success();
    let short = env.ordain(["policy", "test", "acme", "--min-coverage", "67"]);
    short.code(1);
    assert!(
        short.stderr.contains("error[E-POLICY-076]: 66 %"),
        "{short}"
    );
    env.ordain(["policy", "test", "acme", "--min-coverage", "101"])
        .code(2);
}

#[test]
fn a_bundle_without_tests_does_not_pass() {
    let env = bundle();
    std::fs::remove_dir_all(env.work().join("acme/tests")).unwrap();
    env.write("acme/tests/README.md", "none yet");
    let found = env.ordain(["policy", "test", "acme"]);
    found.code(2);
    assert!(found.stderr.contains("error[E-POLICY-074]"), "{found}");
}

#[test]
fn a_parent_in_another_bundle_is_given_with_with() {
    let env = two_bundles();
    let alone = env.ordain(["policy", "test", "team"]);
    alone.code(2);
    // One thing is missing, at whatever times the cases ask.
    assert_eq!(
        alone.stderr.matches("error[E-POLICY-032]").count(),
        1,
        "{alone}"
    );
    let place = "  at policies/payments.yaml:3:1 (`scope`)\n";
    assert!(alone.stderr.contains(place), "{alone}");
    assert!(alone.stderr.contains("`--with`"), "{alone}");
    let found = env.ordain(["policy", "test", "team", "--with", "org"]);
    // The team's own rule is all there is to cover.
    assert!(found.success().contains("0 of 1 rule matched"), "{found}");
}

#[test]
fn requests_that_cannot_be_read_are_told_with_their_places() {
    let env = bundle();
    let odd = TESTS.replace("action: {name: read}", "operation: {name: read}");
    env.write("acme/tests/payments.yaml", odd);
    let found = env.ordain(["policy", "test", "acme"]);
    found.code(2);
    assert!(found.stderr.contains("error[E-POLICY-073]"), "{found}");
    assert!(found.stderr.contains("tests/payments.yaml:32:5"), "{found}");
}

/// The code, line and path of the only problem of a test.
#[track_caller]
fn only(text: &str) -> (Code, u32, String) {
    let path: BundlePath = "tests/a.yaml".parse().unwrap();
    let files: BTreeMap<BundlePath, Arc<[u8]>> = [(path, Arc::from(text.as_bytes()))].into();
    let problems = read_tests(&files, &ordain::bundle::Limits::default()).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.into_iter().next().unwrap();
    assert!(problem.hint.is_some(), "{problem}");
    let path = problem.path.unwrap_or_default();
    (problem.code, problem.location.unwrap().line, path)
}

#[test]
fn one_defect_each() {
    let head = "apiVersion: ordain/v1\nkind: PolicyTest\n";
    let fixed = format!("{head}scope: acme\nnow: 2026-11-22T12:00:00Z\n");
    let case = |lines: &str| {
        only(&format!(
            "{fixed}cases:\n- name: a\n  request: {{}}\n{lines}"
        ))
    };
    let expect = |text: &str| case(&format!("  expect: {text}\n"));
    let found = |code, line, path: &str| (code, line, path.to_owned());
    assert_eq!(
        only("apiVersion: ordain/v1\nkind: Policy\n"),
        found(Code::POLICY_KIND, 2, "kind")
    );
    assert_eq!(
        only("apiVersion: ordain/v2\nkind: PolicyTest\n"),
        found(Code::POLICY_KIND, 1, "apiVersion")
    );
    assert_eq!(only(&fixed), found(Code::POLICY_MISSING_FIELD, 1, "cases"));
    assert_eq!(
        only(&format!("{fixed}cases: []\n")),
        found(Code::POLICY_MISSING_FIELD, 5, "cases")
    );
    assert_eq!(
        only(&format!(
            "{fixed}colour: red\ncases: [{{name: a, expect: {{effect: deny}}}}]\n"
        )),
        found(Code::POLICY_UNKNOWN_FIELD, 5, "colour")
    );
    for field in ["scope", "now"] {
        let without: String = fixed
            .lines()
            .filter(|line| !line.starts_with(field))
            .map(|line| format!("{line}\n"))
            .collect();
        let text = format!("{without}cases: [{{name: a, expect: {{effect: deny}}}}]\n");
        assert_eq!(
            only(&text),
            found(Code::POLICY_MISSING_FIELD, 4, "cases[0]")
        );
    }
    assert_eq!(
        case(""),
        found(Code::POLICY_MISSING_FIELD, 6, "cases[0].expect")
    );
    assert_eq!(
        case("  expects: {}\n  expect: {effect: deny}\n"),
        found(Code::POLICY_UNKNOWN_FIELD, 8, "cases[0].expects")
    );
    assert_eq!(
        expect("{}"),
        found(Code::TEST_EXPECTS_NOTHING, 8, "cases[0].expect")
    );
    assert_eq!(
        expect("deny"),
        found(Code::POLICY_TYPE, 8, "cases[0].expect")
    );
    assert_eq!(
        expect("{effects: deny}"),
        found(Code::POLICY_UNKNOWN_FIELD, 8, "cases[0].expect.effects")
    );
    assert_eq!(
        expect("{would: {}}"),
        found(Code::TEST_EXPECTS_NOTHING, 8, "cases[0].expect.would")
    );
    for (field, value) in [
        ("effect", "denied"),
        ("outcome", "deny"),
        ("mode", "strict"),
        ("rule", "no-restore"),
        ("reason", "[a]"),
        ("reason_code", "no"),
        ("audited", "'yes'"),
        ("risk", "none"),
        ("missing_capabilities", "sudo"),
        ("patterns", "null"),
        ("matched", "[restore]"),
        ("would", "deny"),
    ] {
        assert_eq!(
            expect(&format!("{{{field}: {value}}}")),
            found(Code::POLICY_TYPE, 8, &format!("cases[0].expect.{field}"))
        );
    }
    let twice = "  expect: {effect: deny}\n- name: a\n  expect: {effect: deny}\n";
    assert_eq!(case(twice), found(Code::TEST_TWICE, 9, "cases[1].name"));
    let listed = format!("{fixed}request: []\ncases: [{{name: a, expect: {{effect: deny}}}}]\n");
    assert_eq!(only(&listed), found(Code::POLICY_TYPE, 5, "request"));
    assert_eq!(only("a: ~\n").0, Code::YAML_AMBIGUOUS_SCALAR);
}

#[test]
fn files_are_taken_for_what_they_are() {
    let read = |name: &str| {
        let path: BundlePath = format!("tests/{name}").parse().unwrap();
        read_tests(
            &[(path, Arc::from(TESTS.as_bytes()))].into(),
            &ordain::bundle::Limits::default(),
        )
    };
    for name in ["a.yml", "a.YAML", "deep/a.Yml"] {
        assert_eq!(
            read(name).unwrap_err()[0].code,
            Code::TEST_FILE_NAME,
            "{name}"
        );
    }
    for name in ["README.md", "requests.jsonl", "a.json"] {
        assert_eq!(read(name).unwrap().len(), 0, "{name}");
    }
    assert_eq!(read("deep/er/a.yaml").unwrap()[0].cases.len(), 5);
}

/// The words of tests are those of decisions.
#[test]
fn outcomes_are_spelled_alike() {
    for effect in [Effect::Allow, Effect::RequireApproval, Effect::Deny] {
        let word = serde_json::to_value(Outcome::from(effect)).unwrap();
        let text = TESTS.replace(
            "outcome: pending",
            &format!("outcome: {}", word.as_str().unwrap()),
        );
        let path: BundlePath = "tests/a.yaml".parse().unwrap();
        assert!(
            read_tests(
                &[(path, Arc::from(text.as_bytes()))].into(),
                &ordain::bundle::Limits::default()
            )
            .is_ok()
        );
    }
}

#[test]
fn the_manuals_test_passes() {
    let page = |name: &str| std::fs::read_to_string(checkout().join("docs").join(name)).unwrap();
    let block = |page: &str, number: usize| {
        let block = page.split("```yaml\n").nth(number + 1).unwrap();
        block.split("```").next().unwrap().to_owned()
    };
    let env = TestEnv::new();
    env.write("acme/bundle.yaml", MANIFEST);
    let manual = page("policy.md");
    env.write("acme/policies/acme.yaml", block(&manual, 0));
    env.write("acme/policies/payments.yaml", block(&manual, 1));
    env.write(
        "acme/tests/payments.yaml",
        block(&page("testing-policies.md"), 0),
    );
    env.ordain(["policy", "test", "acme", "--min-coverage", "100"])
        .success();
}

#[test]
fn requests_are_merged_as_json_patches() {
    let path: BundlePath = "tests/a.yaml".parse().unwrap();
    let text = TESTS.replace(
        "request: {action: {name: read}}",
        "request: {subject: {id: sam, type: null}, resource: null, action: {name: read}}",
    );
    let tests = read_tests(
        &[(path, Arc::from(text.as_bytes()))].into(),
        &ordain::bundle::Limits::default(),
    )
    .unwrap();
    assert_eq!(
        tests[0].cases[4].request,
        json!({"subject": {"id": "sam"}, "action": {"name": "read"}})
    );
}
