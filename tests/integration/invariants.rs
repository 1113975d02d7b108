//! The invariants of `docs/architecture.md`, tried on the program from the outside. Those about answers alone (3, 4 and 5)
//! stand in `resolution_properties`.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::support::keys::snakeoil;
use super::support::{Output, TestEnv};
use super::vectors::machine::{Site, at_revision};

const REQUEST: &str = r#"{"subject": {"type": "user", "id": "dana"}, "action": {"name": "open"}, "resource": {"type": "door", "id": "front"}}"#;

/// A rule's effect, as the publisher writes it: what a test changes from revision to revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Deny,
    Allow,
}

/// A publisher in `work/policy`, whose bundle `acme` takes two signatures, and a consumer in `work/service`.
struct World {
    env: TestEnv,
}

impl World {
    fn new() -> Self {
        let env = TestEnv::new();
        for name in ["alice", "bob"] {
            snakeoil(name).write(&env.work());
        }
        env.ordain([
            "trust",
            "init",
            "--dir",
            "service/trust",
            "--namespace",
            "acme",
            "--threshold",
            "2",
            "--expires",
            "1y",
            "--principal",
            "alice=alice",
            "--principal",
            "bob=bob",
        ])
        .success();
        let shown = env.ordain(["trust", "show", "--dir", "service/trust", "--fingerprint"]);
        env.git(".", ["init", "--quiet", "--initial-branch=main", "policy"]);
        env.ordain(["bundle", "new", "policy/acme", "--namespace", "acme"])
            .success();
        let repository = env.work().join("policy");
        env.write(
            "service/ordain.yaml",
            format!(
                "apiVersion: ordain/v1\nkind: Config\nscope: acme\nmode: enforce\n\
                 trust: {{dir: trust, fingerprint: \"{}\"}}\n\
                 bundles:\n  - {{name: acme, git: \"file://{}\", ref: main, path: acme}}\n\
                 log: {{path: log}}\n",
                shown.success().trim_end(),
                repository.display(),
            ),
        );
        env.write("service/request.json", REQUEST);
        Self { env }
    }

    /// Commits a policy with these signatures.
    fn publish(&self, says: Says, keys: &[&str]) {
        let effect = match says {
            Says::Deny => "deny",
            Says::Allow => "allow",
        };
        self.env.write(
            "policy/acme/policies/acme.yaml",
            format!(
                "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nmode: enforce\ndefault: deny\nrules:\n  \
                 - {{id: doors, effect: {effect}, reason: Doors, match: {{action: open}}}}\n"
            ),
        );
        let mut arguments = vec!["bundle", "sign", "policy/acme", "--expires", "90d"];
        for key in keys {
            arguments.extend(["--key", key]);
        }
        self.env.ordain(arguments).success();
        self.env.git("policy", ["add", "--all"]);
        self.env
            .git("policy", ["commit", "--quiet", "--message=policy"]);
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.env.ordain_in("service", arguments)
    }

    /// What is decided with what is here, without a fetch.
    fn decide_offline(&self) -> Output {
        self.run(&["eval", "request.json", "--format", "jsonl", "--frozen"])
    }
}

#[track_caller]
fn refused(output: &Output, exit: i32, code: &str) {
    output.code(exit);
    assert!(output.stderr.contains(code), "{output}");
    assert!(!output.stdout.contains("\"allowed\""), "{output}");
}

fn decision(output: &Output) -> Value {
    serde_json::from_str(output.stdout.trim_end())
        .unwrap_or_else(|error| panic!("{error}\n{output}"))
}

#[test]
fn nothing_unverified_decides() {
    let world = World::new();
    world.publish(Says::Allow, &["alice"]);
    let arguments = ["eval", "request.json", "--format", "jsonl"];
    let output = world.run(&arguments);
    refused(&output, 3, "E-TRUST-009");
    assert!(output.stdout.contains("POLICY_NOT_TRUSTED"), "{output}");

    // Taking the signatures away does not take the duty to verify away.
    let envelope = world.env.work().join("policy/acme/bundle.dsse.json");
    std::fs::remove_file(envelope).unwrap();
    world.env.git(
        "policy",
        ["commit", "--quiet", "--all", "--message=unsigned"],
    );
    refused(&world.run(&arguments), 3, "E-TRUST-001");

    // The exception is loud, and none under CI.
    let unsigned = [
        "eval",
        "request.json",
        "--format",
        "jsonl",
        "--unsigned-dir",
        "../policy/acme",
        "--scope",
        "acme",
    ];
    let output = world.run(&unsigned);
    assert!(output.success().contains("\"unsigned\":true"), "{output}");
    let mut world = world;
    world.env.set("CI", "true");
    refused(&world.run(&unsigned), 3, "E-CONFIG-017");
}

#[test]
fn the_bytes_that_were_verified_are_the_bytes_that_are_used() {
    let world = World::new();
    world.publish(Says::Deny, &["alice", "bob"]);
    world.run(&["bundle", "pull"]).success();
    world.decide_offline().code(1);

    // Someone edits what is kept; the change keeps every length.
    let kept = files(&world.env.home().join(".cache/ordain/store"));
    let mut edits = 0;
    for file in kept {
        let bytes = std::fs::read(&file).unwrap();
        if let Some(at) = bytes
            .windows(12)
            .position(|window| window == b"effect: deny")
        {
            let mut bytes = bytes;
            bytes[at..at + 12].copy_from_slice(b"effect:allow");
            std::fs::write(&file, bytes).unwrap();
            edits += 1;
        }
    }
    assert!(edits > 0, "the kept policy was not found");
    refused(&world.decide_offline(), 3, "E-TRUST-028");
    // With the network it is fetched again.
    let output = world.run(&["eval", "request.json", "--format", "jsonl"]);
    assert!(output.code(1).contains("acme#doors"), "{output}");
}

#[test]
fn an_error_never_permits_in_enforce_and_is_on_record_under_warn() {
    for (mode, outcome, exit) in [
        ("enforce", "denied", 3),
        ("warn", "allowed", 0),
        ("audit-only", "allowed", 0),
    ] {
        let world = World::new();
        // One signature is missing.
        world.publish(Says::Allow, &["alice"]);
        let config = world.env.read("service/ordain.yaml");
        let config = config.replace("mode: enforce", &format!("mode: {mode}"));
        world.env.write("service/ordain.yaml", config);
        let output = world.run(&["eval", "request.json", "--format", "jsonl"]);
        output.code(exit);
        assert_eq!(decision(&output)["outcome"], outcome, "{mode}: {output}");
        assert!(output.stderr.contains("E-TRUST-009"), "{mode}: {output}");
        let log = world.env.read("service/log/decisions.jsonl");
        for text in [&output.stdout, &log] {
            assert!(text.contains("POLICY_NOT_TRUSTED"), "{mode}: {text}");
        }
    }
}

#[test]
fn the_same_inputs_give_the_same_answer() {
    let [first, second] = [(); 2].map(|()| Site::new(&at_revision(6)));
    // The other machine lists its bundles in another order.
    let text = second.env.read("consumer/ordain.yaml");
    let (head, bundles) = text.split_once("bundles:\n").unwrap();
    let mut lines: Vec<&str> = bundles.lines().collect();
    assert!(lines.len() > 1);
    lines.reverse();
    let text = format!("{head}bundles:\n{}\n", lines.join("\n"));
    second.env.write("consumer/ordain.yaml", text);
    let answer = |site: &Site| {
        site.env.write("request.json", REQUEST);
        let mut decision =
            decision(&site.ordain(&["eval", "--format", "jsonl", "../request.json"]));
        for own in ["decision_id", "duration_ns"] {
            decision.as_object_mut().unwrap().remove(own);
        }
        decision.to_string()
    };
    assert_eq!(answer(&first), answer(&second));
    assert_eq!(answer(&first), answer(&first));
    let policy = |site: &Site| {
        let resolved = site.ordain(&["policy", "resolve", "--json"]);
        resolved.success().to_owned()
    };
    assert_eq!(policy(&first), policy(&second));
}

#[test]
fn policy_never_goes_back() {
    let world = World::new();
    world.publish(Says::Allow, &["alice", "bob"]);
    world.run(&["bundle", "pull"]).success();
    world.publish(Says::Deny, &["alice", "bob"]);
    world.run(&["bundle", "pull"]).success();
    world
        .env
        .git("policy", ["reset", "--quiet", "--hard", "HEAD~1"]);
    let lock = world.env.read("service/ordain.lock");
    for arguments in [&["bundle", "pull"][..], &["bundle", "pull", "--offline"]] {
        refused(&world.run(arguments), 3, "E-TRUST-020");
        assert_eq!(world.env.read("service/ordain.lock"), lock);
    }
    // The newer one still decides.
    world.decide_offline().code(1);

    // Neither does it when one of the two memories is lost: first the lockfile, then the machine's.
    let lock = world.env.work().join("service/ordain.lock");
    let locked = std::fs::read(&lock).unwrap();
    std::fs::remove_file(&lock).unwrap();
    refused(&world.run(&["bundle", "pull"]), 3, "E-TRUST-020");
    std::fs::write(&lock, locked).unwrap();
    std::fs::remove_dir_all(world.env.home().join(".local/state/ordain")).unwrap();
    refused(&world.run(&["bundle", "pull"]), 3, "E-TRUST-020");
}

#[test]
fn no_decision_without_a_record() {
    let world = World::new();
    world.publish(Says::Allow, &["alice", "bob"]);
    world.run(&["bundle", "pull"]).success();
    world.decide_offline().success();
    world.run(&["log", "verify"]).success();

    std::fs::remove_dir_all(world.env.work().join("service/log")).unwrap();
    world.env.write("service/log", "in the way");
    refused(&world.decide_offline(), 70, "E-LOG-010");
}

#[test]
fn a_crash_leaves_the_old_state_or_the_new_one() {
    let world = World::new();
    world.publish(Says::Allow, &["alice", "bob"]);
    world.run(&["bundle", "pull"]).success();
    let saved = world.env.root().join("saved");
    copy(world.env.root(), &saved);
    let old = world.env.read("service/ordain.lock");
    world.publish(Says::Deny, &["alice", "bob"]);
    let started = Instant::now();
    world.run(&["bundle", "pull"]).success();
    let mut longest = started.elapsed() + Duration::from_millis(5);
    let new = world.env.read("service/ordain.lock");
    assert_ne!(old, new);

    let (mut olds, mut news) = (0, 0);
    let mut round = 0_u32;
    while round < 200 {
        for directory in ["home", "work/service"] {
            std::fs::remove_dir_all(world.env.root().join(directory)).unwrap();
            copy(&saved.join(directory), &world.env.root().join(directory));
        }
        let mut command = world.env.command(super::support::env::binary());
        command
            .args(["bundle", "pull"])
            .current_dir(world.env.work().join("service"))
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        std::thread::sleep(longest * round / 200);
        child.kill().unwrap();
        child.wait().unwrap();

        let lock = world.env.read("service/ordain.lock");
        let output = world.decide_offline();
        if lock == old {
            olds += 1;
            output.success();
        } else {
            news += 1;
            assert_eq!(lock, new, "round {round}");
            output.code(1);
        }
        // Nothing that the killed one left stands in the way.
        if round.is_multiple_of(8) {
            world.run(&["bundle", "pull"]).success();
            assert_eq!(world.env.read("service/ordain.lock"), new, "round {round}");
        }
        round += 1;
        // The machine is busier than it was when the delays were measured.
        if round == 200 && news == 0 && longest < Duration::from_secs(10) {
            longest *= 2;
            round = 100;
        }
    }
    world.run(&["log", "verify"]).success();
    assert!(
        olds > 0 && news > 0,
        "{olds} kills before activation, {news} after: the delays miss it"
    );
}

/// Every file below a directory.
fn files(directory: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Copies a directory with its permissions, leaving out what is being written to.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        if source == to {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            copy(&source, &target);
        } else {
            std::fs::copy(&source, &target).unwrap();
        }
    }
    std::fs::set_permissions(to, from.metadata().unwrap().permissions()).unwrap();
}
