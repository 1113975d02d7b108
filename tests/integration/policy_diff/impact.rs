//! `policy impact`.

use serde_json::{Value, json};

use super::{edit, two};
use crate::support::organisation::{Organisation, fails, request};
use crate::support::{Output, TestEnv};

fn impact(env: &TestEnv, more: &[&str]) -> Output {
    env.ordain(["policy", "impact", "a", "b"].iter().chain(more))
}

fn asked(action: &str, more: &Value) -> String {
    let mut value: Value = serde_json::from_str(&request(action)).unwrap();
    value["context"] = more.clone();
    value.to_string()
}

/// Decides requests with the directory `a`, so that they are on record.
fn log(env: &TestEnv, requests: &str) {
    let arguments = ["eval", "--unsigned-dir=a", "--scope=acme", "--exit-zero"];
    let decided = env.ordain_with_input("", requests.as_bytes(), arguments);
    assert_ne!(decided.status, Some(70), "{decided}");
}

#[test]
fn given_requests_flip_the_worst_first() {
    let env = two();
    edit(&env, "acme", "effect: deny", "effect: audit");
    edit(&env, "acme", "effect: allow", "effect: deny");
    let requests = [
        request("apply_stack"),
        request("restore"),
        request("restore"),
        asked("apply_stack", &json!({"environment": "production"})),
        request("ssh-exec"),
    ];
    env.write("requests.jsonl", requests.join("\n"));
    let given = ["--requests=requests.jsonl", "--scope=acme"];
    let text = impact(&env, &given);
    text.success();
    insta::assert_snapshot!(text);
    let document = impact(&env, &[&given[..], &["--format=json"]].concat()).json();
    let counts = &document["counts"];
    assert_eq!(
        (&counts["asked"], &counts["distinct"]),
        (&json!(5), &json!(4))
    );
    assert_eq!(
        (&counts["flipped"], &counts["loosened"]),
        (&json!(3), &json!(1)),
        "{counts}"
    );
    assert_eq!(document["flips"][0]["before"]["rule"], "acme#no-restore");
    assert_eq!(document["flips"][0]["times"], 2);
    fails(
        &impact(&env, &[&given[..], &["--fail-on=loosening"]].concat()),
        1,
        "E-POLICY-082",
    );
    fails(
        &impact(&env, &[&given[..], &["--fail-on=flip"]].concat()),
        1,
        "E-POLICY-083",
    );
    let one = impact(&env, &[&given[..], &["--limit=1"]].concat());
    assert!(
        one.success().contains("and 2 more; `--limit` shows more"),
        "{one}"
    );
}

#[test]
fn records_tell_what_names_and_matches_tell_and_no_more() {
    let env = two();
    let requests = [
        request("restore"),
        request("restore"),
        request("apply_stack"),
        asked("apply_stack", &json!({"environment": "production"})),
        "{}".to_owned(),
    ];
    log(&env, &requests.join("\n"));
    let counts = |output: &Output| {
        output.success();
        let counts = output.json()["counts"].clone();
        ["distinct", "same", "flipped", "open"].map(|name| counts[name].as_u64().unwrap())
    };
    let run = || impact(&env, &["--log=.ordain/log", "--format=json"]);
    // The record says which rules matched, and they match alike on both sides.
    edit(&env, "acme", "effect: require_approval", "effect: deny");
    assert_eq!(counts(&run()), [3, 2, 1, 0]);
    // A rule that matches otherwise is open where properties decide.
    edit(
        &env,
        "acme",
        "environment: production",
        "environment: [production, canary]",
    );
    assert_eq!(counts(&run()), [3, 1, 0, 2]);
    let document = run().json();
    assert_eq!(document["skipped"]["without_request"], 1);
    assert_eq!(
        document["open"][0]["possible"],
        json!([["require_approval", "allow"], ["require_approval", "deny"]])
    );
    // Names alone settle what only names are asked for.
    edit(
        &env,
        "acme",
        "      action: restore\n",
        "      action: [restore, rewind]\n",
    );
    edit(&env, "acme", "effect: deny", "effect: allow");
    let flipped = run();
    assert_eq!(counts(&flipped), [3, 0, 1, 2]);
    assert_eq!(flipped.json()["flips"][0]["times"], 2);
    let text = impact(
        &env,
        &["--log=.ordain/log/decisions.jsonl", "--fail-on=loosening"],
    );
    fails(&text, 1, "E-POLICY-082");
    insta::assert_snapshot!(text);
}

#[test]
fn a_log_of_another_policy_and_of_other_scopes() {
    let env = two();
    log(
        &env,
        &[request("restore"), request("apply_stack")].join("\n"),
    );
    // Neither side is the policy of the record: names alone.
    edit(
        &env,
        "acme",
        "Restores overwrite evidence",
        "Restores overwrite",
    );
    let text = env.read("b/policies/acme.yaml");
    env.write("a/policies/acme.yaml", text);
    edit(&env, "acme", "effect: deny", "effect: require_approval");
    let found = impact(&env, &["--log=.ordain/log", "--format=json"]).json();
    assert_eq!(found["counts"]["flipped"], 1, "{found:#}");
    // What may apply to it is the same on both sides, whatever its environment.
    assert_eq!(found["counts"]["same"], 1, "{found:#}");
    let other = impact(
        &env,
        &[
            "--log=.ordain/log",
            "--scope=acme/payments",
            "--format=json",
        ],
    )
    .json();
    assert_eq!(other["counts"]["asked"], 0);
    let torn = env.read(".ordain/log/decisions.jsonl") + "{\"v\":1,";
    env.write(
        "copy.jsonl",
        torn.replace("\"scope\":\"acme\"", "\"scope\":\"other\""),
    );
    let skipped = impact(&env, &["--log=copy.jsonl", "--format=json"]).json();
    assert_eq!(skipped["skipped"]["without_policy"], 2, "{skipped:#}");
    assert_eq!(skipped["skipped"]["unreadable_lines"], 1);
}

#[test]
fn policy_tests_are_requests_too() {
    let env = two();
    let tests = "apiVersion: ordain/v1\nkind: PolicyTest\nscope: acme/payments\nnow: 2026-11-22T12:00:00Z\ncases:\n\
                 - {name: restore, request: {tool: restore, caller: {id: dana}}, expect: {effect: audit}}\n";
    env.write("a/tests/payments.yaml", tests);
    env.write("b/tests/payments.yaml", tests);
    edit(&env, "payments", "2027-06-30", "2026-06-30");
    let found = impact(&env, &["--tests", "--format=json"]);
    found.success();
    let document = found.json();
    assert_eq!(document["counts"]["asked"], 2);
    assert_eq!(document["counts"]["distinct"], 1);
    assert_eq!(
        document["flips"][0]["before"]["effect"], "audit",
        "{document:#}"
    );
    assert_eq!(document["flips"][0]["after"]["effect"], "deny");
    assert_eq!(document["counts"]["loosened"], 0);
}

#[test]
fn what_is_not_named_is_asked_for() {
    let env = two();
    fails(&impact(&env, &[]), 2, "E-CONFIG-001");
    env.write("requests.jsonl", request("restore"));
    fails(
        &impact(&env, &["--requests=requests.jsonl"]),
        2,
        "E-CONFIG-001",
    );
    fails(&impact(&env, &["--log=nothing"]), 2, "E-CONFIG-009");
    env.write("bad.jsonl", "{}");
    fails(
        &impact(&env, &["--requests=bad.jsonl", "--scope=acme"]),
        2,
        "E-REQUEST-004",
    );
}

#[test]
fn a_consumer_holds_its_own_log_against_a_branch() {
    let org = Organisation::new();
    org.publish("FIRST");
    org.consumer("app", "../policy", None);
    org.pull("app", &[]).success();
    for action in ["read_x", "drop_x", "drop_x"] {
        let file = format!("{action}.json");
        org.env
            .ordain_in("app", ["eval", &file, "--exit-zero"])
            .success();
    }
    org.env
        .git("policy", ["switch", "--quiet", "--create=next"]);
    let file = format!(
        "{}/policies/acme.yaml",
        crate::support::organisation::BUNDLE
    );
    let text = org.env.read(&file).replace("effect: deny", "effect: audit");
    org.env.write(&file, text);
    org.commit();
    let arguments = ["policy", "impact", "main", "next", "--log=.ordain/log"];
    let found = org.env.ordain_in("app", arguments);
    assert!(
        found
            .success()
            .contains("deny → audit  1 distinct, 2 in all  (acme#drop → acme#drop)"),
        "{found}"
    );
    assert!(found.stderr.contains("warning: `next`"), "{found}");
}
