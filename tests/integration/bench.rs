//! `ordain bench`: what it measures, and that it leaves nothing behind.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use super::support::organisation::{Organisation, fails, files_below, request};
use super::support::{Output, TestEnv};

/// A bundle with tests in `work/admin-tools`, and requests of another kind in `work/requests.jsonl`.
fn tools() -> TestEnv {
    let env = TestEnv::new();
    env.copy_from_checkout("bundles/admin-tools", "admin-tools");
    env
}

const UNSIGNED: [&str; 5] = [
    "--unsigned-dir",
    "admin-tools",
    "--scope",
    "admin",
    "--seconds=1",
];

fn bench(env: &TestEnv, more: &[&str]) -> Output {
    env.ordain(["bench"].iter().chain(&UNSIGNED).chain(more))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn the_document_holds_what_was_measured() {
    let env = tools();
    let output = bench(&env, &["--format=json", "--jobs=2"]);
    output.success();
    let report = output.json();
    assert_eq!(report["format_version"], 1);
    assert_eq!(report["policy"]["scope"], "admin");
    assert_eq!(report["policy"]["unsigned"], true);
    assert_eq!(report["policy"]["rules"], 198);
    assert_eq!(
        report["requests"], 183,
        "the cases of the bundle's own tests"
    );
    for step in ["read", "validate", "resolve", "compile"] {
        let step = &report["load"][step];
        let told = ["min_ns", "p50_ns", "max_ns"].map(|name| number(&step[name]));
        assert!(told[0] > 0.0 && told.is_sorted(), "{step}");
    }
    for what in ["evaluate", "decide"] {
        let latency = &report[what];
        let names = ["min_ns", "p50_ns", "p90_ns", "p99_ns", "p99_9_ns", "max_ns"];
        let told = names.map(|name| number(&latency[name]));
        assert!(told[0] > 0.0 && told.is_sorted(), "{latency}");
        assert!(number(&latency["samples"]) > 0.0);
        assert!(latency["is_stable"].is_boolean());
    }
    // Reading, and saying why, come on top.
    assert!(report["decide"]["p50_ns"].as_u64() > report["evaluate"]["p50_ns"].as_u64());
    for found in report["throughput"].as_array().unwrap() {
        assert_eq!(found["threads"], 2);
        assert!(number(&found["one_thread"]) > 0.0 && number(&found["all_threads"]) > 0.0);
    }
    #[cfg(target_os = "linux")]
    assert!(number(&report["memory"]["resident_bytes"]) > 1e6);
    assert_eq!(report["slowest"].as_array().unwrap().len(), 10);
}

#[test]
fn the_dearest_rule_comes_first_with_its_conditions() {
    let env = TestEnv::new();
    env.write(
        "acme/bundle.yaml",
        "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n",
    );
    env.write(
        "acme/policies/acme.yaml",
        "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n\
         - {id: cheap, effect: allow, reason: R, match: {action: x}}\n\
         - {id: other, effect: allow, reason: R, match: {action: z}}\n\
         - {id: past, effect: deny, reason: R, match: {action: x}, valid: {until: 2020-01-01T00:00:00Z}}\n\
         - id: dear\n  effect: deny\n  reason: R\n  match: {action: x}\n  \
           when: context.list.exists(a, context.list.exists(b, a + b == 'never'))\n",
    );
    let list: Vec<String> = (0..40).map(|number| format!("\"{number}\"")).collect();
    let context = format!(r#","context":{{"list":[{}]}}}}"#, list.join(","));
    let long = request("x").trim_end_matches('}').to_owned() + "}" + &context;
    env.write("requests.jsonl", format!("{}\n{long}\n", request("y")));
    let run = |format: &str| {
        env.ordain([
            "bench",
            "requests.jsonl",
            "--unsigned-dir=acme",
            "--scope=acme",
            "--seconds=1",
            format,
        ])
    };
    let output = run("--format=json");
    output.success();
    let report = output.json();
    let rules = report["cost"]["rules"].as_array().unwrap();
    let names: Vec<&str> = rules
        .iter()
        .map(|rule| rule["rule"].as_str().unwrap())
        .collect();
    // Neither the rule of another action nor the one that is over was judged.
    assert_eq!(names, ["acme#dear", "acme#cheap"], "{output}");
    let dear = &rules[0];
    assert_eq!((&dear["tried"], &dear["matched"]), (&1.into(), &0.into()));
    assert!(number(&dear["share_percent"]) > 90.0, "{dear}");
    assert_eq!(dear["source"]["file"], "policies/acme.yaml");
    let keys = dear["conditions"].as_array().unwrap();
    assert_eq!(keys[1]["key"], "when", "{dear}");
    assert!(number(&keys[1]["mean_ns"]) > number(&keys[0]["mean_ns"]));
    assert_eq!(rules[1]["matched"], 1);
    assert_eq!(report["cost"]["candidates_per_request"], 1.0);
    assert_eq!(report["slowest"][0]["request"], "requests.jsonl:2");
    let output = run("--format=text");
    let text = output.success();
    let at = |what: &str| {
        text.find(what)
            .unwrap_or_else(|| panic!("{what}\n{output}"))
    };
    assert!(at("acme#dear") < at("when: context.list") && at("when:") < at("acme#cheap"));
    for part in ["read and verify", "p99.9", "1 thread", "requests.jsonl:2"] {
        at(part);
    }
}

#[test]
fn requests_come_from_tests_from_files_and_from_standard_input() {
    let env = tools();
    let count = |output: &Output| {
        output.success();
        output.json()["requests"].clone()
    };
    let json = "--format=json";
    let one = bench(&env, &["admin-tools/tests/dangerous.yaml", json]);
    assert_eq!(
        one.json()["slowest"][0]["request"]
            .as_str()
            .map(|name| name.starts_with("admin-tools/tests/dangerous.yaml:")),
        Some(true)
    );
    assert!(count(&one).as_u64() < Some(183));
    env.write(
        "array.json",
        format!("[{},\n{}]", request("x"), request("y")),
    );
    assert_eq!(count(&bench(&env, &["array.json", json])), 2);
    let arguments = ["bench", "-", json].into_iter().chain(UNSIGNED);
    let input = request("x");
    let output = env.ordain_with_input(".", input.as_bytes(), arguments);
    assert_eq!(count(&output), 1);
    assert_eq!(output.json()["slowest"][0]["request"], "standard input:1");
}

#[test]
fn a_request_that_cannot_be_read_is_named() {
    let env = tools();
    env.write(
        "requests.jsonl",
        format!("{}\n{{\"subject\": 1}}\n", request("x")),
    );
    let output = bench(&env, &["requests.jsonl"]);
    assert_eq!(output.status, Some(2), "{output}");
    assert_eq!(output.stdout, "");
    assert!(
        output.stderr.contains("the request at `requests.jsonl:2`"),
        "{output}"
    );
    let cut = format!("{}\n{{\"subject\": {{\n", request("x"));
    env.write("cut.jsonl", cut);
    let output = bench(&env, &["cut.jsonl"]);
    fails(&output, 2, "E-REQUEST-014");
    assert!(output.stderr.contains("cut.jsonl: "), "{output}");
    fails(&bench(&env, &["missing.jsonl"]), 2, "E-CONFIG-009");
    env.write("empty.json", "[]");
    fails(&bench(&env, &["empty.json"]), 2, "E-POLICY-090");
    bench(&env, &["--jobs=0"]).code(2);
    bench(&env, &["--seconds=0"]).code(2);
}

/// Every file of home and work, with its bytes; the cache may be deleted at any time, so it is no state.
fn everything(world: &Organisation) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = files_below(world.env.root()).into_iter();
    let files = files.filter(|file| !file.starts_with(world.cache()));
    files
        .map(|file| (file.clone(), std::fs::read(file).unwrap()))
        .collect()
}

#[test]
fn nothing_is_recorded_and_no_state_changes() {
    let world = Organisation::new();
    world.publish("READ");
    world.consumer("app", &world.file_url(), None);
    let run = || {
        let files = ["read_x.json", "drop_x.json"];
        let more = ["--seconds=1", "--format=json"];
        let arguments = ["bench"].into_iter().chain(files).chain(more);
        world.env.ordain_in("app", arguments)
    };
    // What is not here is fetched, and forgotten again.
    let before = everything(&world);
    let output = run();
    output.success();
    assert_eq!(output.json()["load"]["read"], Value::Null, "{output}");
    assert_eq!(everything(&world), before);
    world.pull("app", &[]).success();
    world.decided_by("app", &[]);
    let before = everything(&world);
    let output = run();
    output.success();
    assert!(number(&output.json()["load"]["read"]["p50_ns"]) > 0.0);
    assert_eq!(output.json()["policy"]["unsigned"], false);
    assert_eq!(everything(&world), before, "log, lockfile and marks stay");
    // Nor does anyone else's news count: the lockfile says what is measured.
    world.publish("NEWS");
    let lockfile = world.lockfile("app");
    run().success();
    assert_eq!(world.lockfile("app"), lockfile);
}

#[test]
fn what_is_not_trusted_is_not_measured() {
    let world = Organisation::new();
    world.edit("READ");
    world.sign(&["carol"], &[]).success();
    world.commit();
    world.consumer("app", &world.file_url(), None);
    let output = world.env.ordain_in("app", ["bench", "read_x.json"]);
    assert_eq!(output.status, Some(3), "{output}");
    assert_eq!(output.stdout, "");
}
