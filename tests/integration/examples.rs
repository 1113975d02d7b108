//! The example bundles, their keys and their trust roots are what the README says of them.
//!
//! After a change to a bundle, `ORDAIN_SIGN_EXAMPLES=1 cargo test examples` signs its next revision.

use super::support::keys::{Snakeoil, snakeoil};
use super::support::{Output, TestEnv, checkout};

/// The signers. Their seeds are public, so that anyone can sign the example again; they protect nothing.
fn signers() -> [Snakeoil; 2] {
    ["alice", "bob"].map(snakeoil)
}

/// Before any clock that reads it, since a statement from the future is refused.
const SIGNED_AT: &str = "2026-11-01T00:00:00Z";

/// The bundles, each with the namespace that it speaks for.
const BUNDLES: [(&str, &str); 3] = [
    ("acme", "acme"),
    ("admin-tools", "admin"),
    ("mcp-config", "mcp"),
];

/// Makes whatever of keys, trust roots and signatures is missing or no longer true.
fn sign() {
    let mut env = TestEnv::new();
    env.set("ORDAIN_NOW", SIGNED_AT);
    let keys = checkout().join("keys");
    let private = signers().map(|key| {
        std::fs::create_dir_all(&keys).unwrap();
        let name = format!("{}.pub", key.name());
        std::fs::write(keys.join(name), key.public_openssh()).unwrap();
        key.write(&env.work()).to_str().unwrap().to_owned()
    });
    let with_keys = |arguments: &str| {
        let mut command = env.command(super::support::env::binary());
        command.args(arguments.split(' ')).current_dir(checkout());
        for key in &private {
            command.args(["--key", key]);
        }
        env.run(command, b"").success();
    };
    if !keys.join("trust/1.root.json").exists() {
        with_keys(
            "trust init --dir keys/trust --namespace acme --threshold 2 --expires 10y \
             --principal alice=keys/alice.pub --principal bob=keys/bob.pub",
        );
    }
    if !keys.join("trust/2.root.json").exists() {
        with_keys(
            "trust rotate --dir keys/trust --expires 10y \
             --publisher admin=alice,bob:2 --publisher mcp=alice,bob:2",
        );
    }
    for (bundle, _) in BUNDLES {
        if verify(bundle).status != Some(0) {
            with_keys(&format!("bundle sign bundles/{bundle} --expires 10y"));
        }
    }
}

/// `ordain bundle verify` of an example, as a consumer who pins what the repository pins.
fn verify(bundle: &str) -> Output {
    let env = TestEnv::new();
    env.copy_from_checkout(&format!("bundles/{bundle}"), bundle);
    env.copy_from_checkout("keys/trust", "trust");
    let pin = pinned();
    let with = ["--trust-root", "trust", "--fingerprint", &pin];
    env.ordain(["bundle", "verify", bundle].into_iter().chain(with))
}

/// The fingerprint that the repository's own configuration pins.
fn pinned() -> String {
    let config = std::fs::read_to_string(checkout().join("ordain.yaml")).unwrap();
    let at = config.find("sha256:").expect("a pinned fingerprint");
    config[at..]
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == ':')
        .collect()
}

#[test]
fn the_examples_are_signed_by_the_example_keys() {
    if std::env::var_os("ORDAIN_SIGN_EXAMPLES").is_some() {
        sign();
    }
    for key in signers() {
        let file = checkout().join("keys").join(format!("{}.pub", key.name()));
        assert_eq!(std::fs::read_to_string(file).unwrap(), key.public_openssh());
    }
    let listed = std::fs::read_dir(checkout().join("bundles")).unwrap();
    assert_eq!(listed.count(), BUNDLES.len());
    for (bundle, namespace) in BUNDLES {
        let output = verify(bundle);
        for word in ["alice", "bob", namespace] {
            assert!(output.success().contains(word), "{output}");
        }
    }
}

#[test]
fn the_examples_answer_as_their_own_tests_say() {
    let env = TestEnv::new();
    for bundle in ["admin-tools", "mcp-config"] {
        env.copy_from_checkout(&format!("bundles/{bundle}"), bundle);
        env.ordain(["policy", "check", bundle, "--deny-warnings"])
            .success();
        env.ordain(["policy", "test", bundle, "--min-coverage", "100"])
            .success();
        env.ordain(["policy", "fmt", bundle, "--check"]).success();
    }
}

/// The decisions of a run, cut down to the members that `expected.jsonl` names.
fn answers(output: &str, expected: &str) -> (Vec<serde_json::Value>, Vec<serde_json::Value>) {
    let parse = |text: &str| -> Vec<serde_json::Value> {
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let expected = parse(expected);
    let answers = parse(output)
        .iter()
        .zip(&expected)
        .map(|(answer, expected)| {
            let names = expected.as_object().unwrap().keys();
            names
                .map(|name| (name.clone(), answer[name].clone()))
                .collect()
        })
        .collect();
    (answers, expected)
}

#[test]
fn the_main_command_answers_in_a_fresh_clone() {
    let mut env = TestEnv::new();
    env.clone_of_checkout("ordain");
    let expected = env.read("ordain/bundles/acme/expected.jsonl");
    let arguments = ["eval", "bundles/acme/requests.jsonl", "--format", "jsonl"];
    // Under CI the lockfile must be there and stay as it is.
    for ci in ["", "true"] {
        env.set("CI", ci);
        let output = env.ordain_in("ordain", arguments);
        let (answers, expected) = answers(output.code(1), &expected);
        assert_eq!(answers, expected, "{output}");
        assert_eq!(output.stdout.lines().count(), expected.len());
    }
    assert_eq!(env.git("ordain", ["status", "--porcelain"]), "");
    env.ordain_in("ordain", ["log", "verify"]).success();
}

#[test]
fn standard_input_is_decided_like_a_file() {
    let env = TestEnv::new();
    env.clone_of_checkout("ordain");
    let requests = env.read("ordain/bundles/acme/requests.jsonl");
    let request = requests.lines().next().unwrap().as_bytes();
    let output = env.ordain_with_input("ordain", request, ["eval", "-", "--format", "json"]);
    let answer = output.json();
    let rule = "acme#known-publishers";
    assert!(
        answer.to_string().contains(rule) && output.status == Some(0),
        "{output}"
    );
    assert!(answer["format_version"].is_number(), "{output}");
}

#[test]
fn the_readme_and_the_configuration_pin_the_same_root() {
    let readme = std::fs::read_to_string(checkout().join("README.md")).unwrap();
    assert!(readme.contains(&pinned()), "README.md lacks {}", pinned());
}
