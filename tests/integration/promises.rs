//! The promises that hold whatever happens, each by its name, through the built program. Their properties are tested where the
//! parts are; here the whole is held to them.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use super::support::Output;
use super::support::env::binary;
use super::vectors::machine::{Site, at_revision, code_of};

const REQUEST: &str = r#"{"subject":{"type":"user","id":"sam"},"action":{"name":"read"},"resource":{"type":"t","id":"r"}}"#;

fn site() -> Site {
    let site = Site::new(&at_revision(6));
    site.env.write("request.json", REQUEST);
    site
}

/// A site whose policy nobody can verify, and nothing pulled yet.
fn unverifiable() -> Site {
    let site = site();
    let mut world = at_revision(7);
    world.acme.statement.signers = vec!["alice".into()];
    site.commit("acme", &world.acme);
    site
}

fn eval(site: &Site) -> Output {
    site.ordain(&["eval", "--format", "jsonl", "../request.json"])
}

fn decision(output: &Output) -> Value {
    serde_json::from_str(output.stdout.trim_end())
        .unwrap_or_else(|error| panic!("{error}\n{output}"))
}

fn records(site: &Site) -> String {
    let directory = site.env.work().join("consumer/.ordain/log");
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

fn set_mode(site: &Site, mode: &str) {
    let text = site.env.read("consumer/ordain.yaml");
    let text = text.replace("mode: enforce", &format!("mode: {mode}"));
    site.env.write("consumer/ordain.yaml", text);
}

#[test]
fn nothing_unverified_decides() {
    let site = unverifiable();
    let output = eval(&site);
    assert_eq!(output.status, Some(3), "{output}");
    assert_eq!(code_of(&output).unwrap().id, "E-TRUST-009", "{output}");
    let decision = decision(&output);
    assert_eq!(decision["outcome"], "denied", "{output}");
    assert_eq!(decision["reason_code"], "POLICY_NOT_TRUSTED", "{output}");
    assert!(records(&site).contains("POLICY_NOT_TRUSTED"));
}

#[test]
fn a_directory_that_nobody_signed_marks_every_decision_and_is_refused_under_ci() {
    let mut site = unverifiable();
    site.env.write("read.json", REQUEST);
    let arguments = [
        "eval",
        "--format",
        "jsonl",
        "--scope",
        "acme",
        "--unsigned-dir",
        "../policy/acme",
        "../request.json",
    ];
    let output = site.ordain(&arguments);
    output.success();
    let decision = decision(&output);
    assert_eq!(decision["unsigned"], true, "{output}");
    site.env.set("CI", "true");
    let output = site.ordain(&arguments);
    assert_eq!(output.status, Some(3), "{output}");
    assert_eq!(code_of(&output).unwrap().id, "E-CONFIG-017");
    assert_eq!(output.stdout, "");
}

#[test]
fn bytes_that_were_verified_are_the_bytes_that_are_used() {
    let site = site();
    site.ordain(&["bundle", "pull"]).success();
    let store = site.env.home().join(".cache/ordain/store/v1");
    for entry in std::fs::read_dir(store).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        // The same length, another meaning.
        let rule = b"action.name: read";
        let found = bytes.windows(rule.len()).position(|part| part == rule);
        let end = found.expect("the rule is there") + rule.len();
        bytes[end - 4..end].copy_from_slice(b"burn");
        std::fs::write(&path, bytes).unwrap();
    }
    let output = site.ordain(&["eval", "--frozen", "../request.json"]);
    assert_eq!(output.status, Some(3), "{output}");
    assert_eq!(code_of(&output).unwrap().id, "E-TRUST-028", "{output}");
    // With the network, what was verified is fetched again, and that decides.
    site.ordain(&["eval", "../request.json"]).success();
    site.ordain(&["eval", "--frozen", "../request.json"])
        .success();
}

#[test]
fn an_error_never_permits_in_enforce_and_is_on_record_under_warn() {
    for (mode, outcome, exit) in [
        ("enforce", "denied", 3),
        ("warn", "allowed", 0),
        ("audit-only", "allowed", 0),
    ] {
        let site = unverifiable();
        set_mode(&site, mode);
        let output = eval(&site);
        assert_eq!(output.status, Some(exit), "{mode}: {output}");
        let decision = decision(&output);
        assert_eq!(decision["outcome"], outcome, "{mode}: {output}");
        assert!(
            output.stdout.contains("POLICY_NOT_TRUSTED"),
            "{mode}: {output}"
        );
        assert!(records(&site).contains("POLICY_NOT_TRUSTED"), "{mode}");
        assert!(output.stderr.contains("E-TRUST-009"), "{mode}: {output}");
    }
}

#[test]
fn the_same_inputs_give_the_same_answer() {
    let [first, second] = [site(), site()];
    // The other machine lists its bundles in another order.
    let text = second.env.read("consumer/ordain.yaml");
    let (head, bundles) = text.split_once("bundles:\n").unwrap();
    let mut lines: Vec<&str> = bundles.lines().collect();
    lines.reverse();
    let text = format!("{head}bundles:\n{}\n", lines.join("\n"));
    second.env.write("consumer/ordain.yaml", text);
    let answer = |site: &Site| {
        let mut decision = decision(&eval(site));
        for own in ["decision_id", "duration_ns"] {
            decision.as_object_mut().unwrap().remove(own);
        }
        decision.to_string()
    };
    assert_eq!(answer(&first), answer(&second));
    assert_eq!(answer(&first), answer(&first));
    let policy = |site: &Site| {
        site.ordain(&["policy", "resolve", "--json"])
            .success()
            .to_owned()
    };
    assert_eq!(policy(&first), policy(&second));
}

#[test]
fn policy_never_goes_back() {
    let site = site();
    site.commit("acme", &at_revision(7).acme);
    site.ordain(&["bundle", "pull"]).success();
    let lock = site.env.read("consumer/ordain.lock");
    site.env
        .git("policy", ["reset", "--quiet", "--hard", "main~1"]);
    for arguments in [&["bundle", "pull"][..], &["bundle", "pull", "--offline"]] {
        let output = site.ordain(arguments);
        assert_eq!(output.status, Some(3), "{output}");
        assert_eq!(code_of(&output).unwrap().id, "E-TRUST-020", "{output}");
        assert_eq!(site.env.read("consumer/ordain.lock"), lock);
    }
    // The newer one still decides.
    site.ordain(&["eval", "../request.json"]).success();
}

#[test]
fn no_decision_without_a_record() {
    let site = site();
    eval(&site).success();
    let text = site.env.read("consumer/ordain.yaml");
    site.env.write(
        "consumer/ordain.yaml",
        format!("{text}log: {{path: blocked/log}}\n"),
    );
    site.env
        .write("consumer/blocked", "a file, not a directory");
    let output = eval(&site);
    assert_eq!(output.status, Some(70), "{output}");
    assert_eq!(code_of(&output).unwrap().id, "E-LOG-010", "{output}");
    assert!(!output.stdout.contains("allowed"), "{output}");
}

#[test]
fn a_crash_leaves_the_old_state_or_the_new_one() {
    let site = site();
    site.ordain(&["bundle", "pull"]).success();
    for round in 0..12_u64 {
        let old = site.env.read("consumer/ordain.lock");
        site.commit("acme", &at_revision(7 + round).acme);
        let mut pull = site.env.command(binary());
        pull.args(["bundle", "pull"])
            .current_dir(site.env.work().join("consumer"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = pull.spawn().unwrap();
        std::thread::sleep(Duration::from_millis(8 * round));
        child.kill().ok();
        child.wait().unwrap();
        let new = site.env.read("consumer/ordain.lock");
        let revision = |text: &str| {
            let lock: Value = serde_json::from_str(text).unwrap();
            lock["bundles"]["acme"]["revision"].as_u64().unwrap()
        };
        assert!(new == old || revision(&new) == 7 + round, "{new}");
        // Whichever it is, it decides without the network.
        site.ordain(&["eval", "--offline", "../request.json"])
            .success();
        site.ordain(&["bundle", "pull"]).success();
        assert_eq!(revision(&site.env.read("consumer/ordain.lock")), 7 + round);
    }
}
