//! Dangerous commands: where they are looked for, and what cannot be read.

use ordain::policy::Effect;
use ordain::resolve::EffectivePolicy;
use serde_json::{Value, json};

use super::{asks, catalog, decide, effective};
use crate::support::TestEnv;

fn policy(more: Value) -> EffectivePolicy {
    let mut fields = json!({
        "operations": [{"action": "run", "risk": "high"}],
        "patterns": [
            {"id": "recursive-delete", "command": {"program": "rm", "flags_all": ["recursive", "force"]}, "reason": "deletes a tree without asking"},
            {"id": "passwords", "regex": "/etc/shadow"},
        ],
    });
    let more = more.as_object().unwrap().clone();
    fields.as_object_mut().unwrap().extend(more);
    effective("acme", &[&catalog("acme", fields)]).unwrap()
}

/// The ids of the patterns that are found.
fn found(policy: &EffectivePolicy, properties: Value) -> Vec<String> {
    let decision = decide(policy, &asks(&json!([]), "run", &properties));
    let is_dangerous = decision.effect == Effect::RequireApproval;
    assert_eq!(
        is_dangerous,
        !decision.patterns().is_empty(),
        "{properties}"
    );
    let ids = decision.patterns().iter().map(|pattern| pattern.id.clone());
    ids.collect()
}

#[test]
fn commands_are_read_as_a_shell_reads_them() {
    let policy = policy(json!({}));
    for command in [
        json!("rm -rf /"),
        json!("rm  -r -f x"),
        json!("sudo rm --recursive --force /"),
        json!("bash -c 'rm -fr /'"),
        json!("cd / && rm -rf *"),
        json!(["rm", "-rf", "/"]),
        json!(["sh", "-c", "rm -rf /"]),
        json!(["rm -rf", "/"]),
        json!(["rm", "-rf /; ls"]),
    ] {
        for place in ["command", "cmd", "script", "argv"] {
            let ids = found(&policy, json!({"args": {place: command}}));
            assert_eq!(ids, ["recursive-delete"], "{command}");
        }
    }
    for command in [
        json!("ls -l"),
        json!("echo \"rm -rf\""),
        json!("rm x"),
        json!(["echo", "rm -rf /"]),
        json!(["echo", "it's", "(rm -rf"]),
        json!(""),
        json!([]),
        Value::Null,
    ] {
        let ids = found(&policy, json!({"args": {"command": command}}));
        assert!(ids.is_empty(), "{command}: {ids:?}");
    }
    // A command is looked for where commands stand.
    assert!(found(&policy, json!({"args": {"comment": "rm -rf /"}})).is_empty());
    let ids = found(
        &policy,
        json!({"args": {"command": "rm -rf / && cat /etc/shadow"}}),
    );
    assert_eq!(ids, ["recursive-delete", "passwords"]);
}

#[test]
fn what_cannot_be_read_is_dangerous() {
    let policy = policy(json!({}));
    for command in [
        json!(7),
        json!(true),
        json!({"rm": "-rf"}),
        json!(["rm", 1]),
        json!([["rm"]]),
        json!("rm 'x"),
        json!("$("),
    ] {
        let ids = found(&policy, json!({"args": {"command": command}}));
        assert_eq!(ids, ["unreadable"], "{command}");
    }
    // What stands in the way hides what is behind it.
    for args in [json!("rm -rf /"), json!(["rm", "-rf"]), json!(1)] {
        assert_eq!(
            found(&policy, json!({"args": args})),
            ["unreadable"],
            "{args}"
        );
    }
    assert!(found(&policy, json!({"args": {}})).is_empty());
    assert!(found(&policy, json!({"args": null})).is_empty());
    assert!(found(&policy, json!({})).is_empty());
    let both = found(&policy, json!({"args": {"cmd": 1, "command": "rm -rf /"}}));
    assert_eq!(both, ["recursive-delete", "unreadable"]);
    // Nobody reads commands where no pattern is about them.
    let regexes = super::tools();
    let regexes = effective("acme", &[&regexes]).unwrap();
    let asked = asks(&json!([]), "copy", &json!({"args": {"command": 7}}));
    assert!(decide(&regexes, &asked).patterns().is_empty());
}

#[test]
fn a_catalogue_names_its_own_places() {
    let policy = policy(json!({"commands": ["action.properties.run.line", "context.shell"]}));
    assert_eq!(
        found(&policy, json!({"run": {"line": "rm -rf /"}})),
        ["recursive-delete"]
    );
    assert!(found(&policy, json!({"args": {"command": "rm -rf /"}})).is_empty());
}

#[test]
fn people_are_told_what_was_found() {
    let env = TestEnv::new();
    env.write(
        "policy/policies/acme.yaml",
        "apiVersion: ordain/v1\nkind: Catalog\nscope: acme\noperations:\n- {action: run, risk: high, requires: [b, a]}\npatterns:\n\
         - {id: recursive-delete, command: {program: rm, flags_all: [recursive, force]}, reason: deletes a tree without asking}\n",
    );
    env.write(
        "policy/bundle.yaml",
        "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nnamespace: acme\nversion: 1.0.0\n",
    );
    let asked = |held: &[&str]| {
        let request = asks(
            &json!(held),
            "run",
            &json!({"args": {"command": "sudo rm -fr /"}}),
        );
        env.write("request.json", request.attributes().to_string());
        let output = env.ordain([
            "eval",
            "--unsigned-dir",
            "policy",
            "--scope",
            "acme",
            "request.json",
        ]);
        (output.status, output.stdout)
    };
    let (status, text) = asked(&["c"]);
    assert_eq!(status, Some(1), "{text}");
    assert_eq!(
        text,
        "denied            sam run web-1  [unsigned policy]\n                  \
         acme#catalog.run.missing: `run` needs capabilities that the caller lacks: `a`, `b` [MISSING_CAPABILITY]\n                  \
         risk high; lacks a, b; dangerous: recursive-delete\n                  \
         to do: Ask for the capabilities, or have it done by someone who holds them\n"
    );
    let (status, text) = asked(&["a", "b"]);
    assert_eq!(status, Some(5), "{text}");
    assert_eq!(
        text,
        "needs approval    sam run web-1  [unsigned policy]\n                  \
         acme#catalog.run.high.dangerous: `run`, of high risk, with dangerous arguments: deletes a tree without asking (`recursive-delete`) [DANGEROUS_ARGUMENTS]\n                  \
         risk high; dangerous: recursive-delete\n                  \
         to do: Have someone else approve it, or do without what is named\n"
    );
    let log = std::fs::read_to_string(env.work().join(".ordain/log/decisions.jsonl"));
    let log = log.unwrap();
    assert!(log.contains(r#""missing_capabilities":["a","b"]"#), "{log}");
    assert!(
        log.contains(
            r#""patterns":[{"id":"recursive-delete","reason":"deletes a tree without asking"}]"#
        ),
        "{log}"
    );
}

/// The example of the manual does what the manual says.
#[test]
fn the_manuals_catalogue() {
    let manual =
        std::fs::read_to_string(crate::support::checkout().join("docs/policy.md")).unwrap();
    let blocks = manual.split("```yaml\n").skip(1);
    let text = blocks
        .map(|block| block.split("```").next().unwrap())
        .find(|text| text.contains("kind: Catalog"));
    let policy = effective("acme", &[text.unwrap()]).unwrap();
    let asked = |held: &[&str], operation: &str, command: &str| {
        let properties = json!({"operation": operation, "args": {"command": command}});
        decide(&policy, &asks(&json!(held), "ssh-exec", &properties))
    };
    let exec = ["ssh-linux", "remote-exec"];
    let decision = asked(&exec, "restart-nginx", "");
    assert_eq!(
        (decision.effect, decision.reason_code()),
        (Effect::Deny, "MISSING_CAPABILITY")
    );
    assert_eq!(
        decision.missing_capabilities(),
        ["local-sudo", "service-control"]
    );
    assert_eq!(asked(&exec, "run", "ls").effect, Effect::RequireApproval);
    assert_eq!(asked(&exec, "status", "ls").effect, Effect::Allow);
    assert_eq!(asked(&exec, "status", "curl x | sh").effect, Effect::Audit);
}
