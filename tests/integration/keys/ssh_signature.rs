//! SSH signatures of statements, in both directions with `ssh-keygen -Y`.

use ordain::trust::{RootDocument, SecretKey, sign_root};

use super::{tool, world};
use crate::support::Output;
use crate::support::agent::{Agent, ssh_add};
use crate::support::keys::snakeoil;
use crate::support::organisation::{BUNDLE, Organisation, fails};

const NAMESPACE: &str = "bundle@ordain.dev";

/// A world whose bundle Alice has signed, with the people's `allowed_signers`.
fn signed() -> Organisation {
    let world = world();
    world.sign(&["alice"], &[]).success();
    let line = |name: &str| {
        format!(
            "{name} namespaces=\"{NAMESPACE}\" {}",
            snakeoil(name).public_openssh()
        )
    };
    world
        .env
        .write("allowed_signers", ["alice", "bob"].map(line).concat());
    world
}

fn ssh_sign(world: &Organisation, key: &str, more: &[&str]) -> Output {
    let key = format!("--key={key}");
    let sign = ["bundle", "ssh-sign", BUNDLE, &key];
    world.env.ordain(sign.iter().chain(more))
}

fn ssh_verify(world: &Organisation, statement: &str) -> Output {
    ssh_verify_with(world, statement, "trust", &world.fingerprint)
}

fn ssh_verify_with(world: &Organisation, statement: &str, root: &str, fingerprint: &str) -> Output {
    let root = format!("--trust-root={root}");
    let fingerprint = format!("--fingerprint={fingerprint}");
    let verify = ["bundle", "ssh-verify", statement, &root, &fingerprint];
    world.env.ordain(verify)
}

/// `ssh-keygen -Y verify` of `<statement>.sig`.
fn openssh_verify(world: &Organisation, who: &str, statement: &str) -> Output {
    let mut command = world.env.command("ssh-keygen");
    command.args([
        "-Y",
        "verify",
        "-f",
        "allowed_signers",
        "-I",
        who,
        "-n",
        NAMESPACE,
    ]);
    command.args(["-s", &format!("{statement}.sig")]);
    world.env.run(command, world.env.read(statement).as_bytes())
}

/// `ssh-keygen -Y sign`, which writes `<statement>.sig`.
fn openssh_sign(world: &Organisation, key: &str, statement: &str, more: &[&str]) {
    let file = format!("{statement}.sig");
    std::fs::remove_file(world.env.work().join(file)).ok();
    let line = ["ssh-keygen", "-q", "-Y", "sign", "-f", key, "-n", NAMESPACE];
    let line: Vec<&str> = line
        .iter()
        .chain(more)
        .chain(&[statement])
        .copied()
        .collect();
    tool(&world.env, &line);
}

#[test]
fn ssh_keygen_verifies_what_we_sign() {
    let world = signed();
    let output = ssh_sign(&world, "keys/alice", &[]);
    assert_eq!(output.success(), "statement.json\nstatement.json.sig\n");
    let said = openssh_verify(&world, "alice", "statement.json");
    assert!(said.success().contains("Good"), "{said}");
    assert_ne!(
        openssh_verify(&world, "bob", "statement.json").status,
        Some(0)
    );
    let ours = ssh_verify(&world, "statement.json");
    assert!(ours.success().contains("is signed by alice"), "{ours}");
    // It is the statement of the envelope, byte for byte, and stands beside it.
    let shown = world.env.ordain(["bundle", "inspect", BUNDLE]);
    let digest = ours
        .stdout
        .lines()
        .find(|line| line.contains("payload"))
        .unwrap();
    assert!(shown.success().contains(digest), "{shown}");
    super::verified(&world);
}

#[test]
fn ssh_keygen_verifies_what_an_agent_signs() {
    let mut world = signed();
    let _agent = Agent::start(&mut world.env, None);
    ssh_add(&world.env, &["-q", "keys/bob"]);
    super::remove(&world, "keys/bob");
    ssh_sign(&world, "agent:keys/bob.pub", &["--output=bob.json"]).success();
    openssh_verify(&world, "bob", "bob.json").success();
    let ours = ssh_verify(&world, "bob.json");
    assert!(ours.success().contains("is signed by bob"), "{ours}");
}

#[test]
fn we_verify_what_ssh_keygen_signs() {
    let world = signed();
    ssh_sign(&world, "keys/alice", &[]).success();
    for hash in ["sha512", "sha256"] {
        let hash = format!("hashalg={hash}");
        openssh_sign(&world, "keys/bob", "statement.json", &["-O", &hash]);
        let output = ssh_verify(&world, "statement.json");
        assert!(output.success().contains("is signed by bob"), "{output}");
    }
    let named = "--signature=statement.json.sig";
    world
        .env
        .write("copy.json", world.env.read("statement.json"));
    let verify = [
        "bundle",
        "ssh-verify",
        "copy.json",
        "--trust-root=trust",
        named,
    ];
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    world
        .env
        .ordain(verify.iter().chain(&[&*fingerprint]))
        .success();
}

#[test]
fn a_signature_of_something_else_is_refused() {
    let world = signed();
    ssh_sign(&world, "keys/alice", &[]).success();
    let text = world.env.read("statement.json");
    world.env.write("statement.json", format!("{text}\n"));
    fails(&ssh_verify(&world, "statement.json"), 3, "E-TRUST-066");
    assert_ne!(
        openssh_verify(&world, "alice", "statement.json").status,
        Some(0)
    );
    world.env.write("statement.json", text);
    openssh_sign(&world, "keys/alice", "statement.json", &["-n", "git"]);
    let refused = ssh_verify(&world, "statement.json");
    fails(&refused, 3, "E-TRUST-065");
    assert!(refused.stderr.contains("`git`"), "{refused}");
    for text in [
        "",
        "hello",
        "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
    ] {
        world.env.write("statement.json.sig", text);
        fails(&ssh_verify(&world, "statement.json"), 3, "E-TRUST-064");
    }
    world.env.write("statement.json.sig", "A".repeat(9000));
    fails(&ssh_verify(&world, "statement.json"), 2, "E-CONFIG-009");
    // Signed well, and not a statement.
    world.env.write("any.json", "{}");
    openssh_sign(&world, "keys/alice", "any.json", &[]);
    fails(&ssh_verify(&world, "any.json"), 3, "E-TRUST-013");
}

#[test]
fn a_signature_by_another_algorithm_is_refused_by_name() {
    let world = signed();
    ssh_sign(&world, "keys/alice", &[]).success();
    for (kind, name) in [("rsa", "ssh-rsa"), ("ecdsa", "ecdsa-sha2-nistp256")] {
        tool(
            &world.env,
            &["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", kind],
        );
        openssh_sign(&world, kind, "statement.json", &[]);
        let refused = ssh_verify(&world, "statement.json");
        fails(&refused, 3, "E-TRUST-069");
        assert!(refused.stderr.contains(name), "{refused}");
    }
}

#[test]
fn only_those_who_speak_for_the_namespace_count() {
    let world = signed();
    ssh_sign(&world, "keys/alice", &[]).success();
    openssh_sign(&world, "keys/carol", "statement.json", &[]);
    fails(&ssh_verify(&world, "statement.json"), 3, "E-TRUST-067");
    // Carol is known here, for another namespace.
    let init = [
        "trust",
        "init",
        "--dir=delegated",
        "--expires=1y",
        "--threshold=1",
        "--principal=alice=keys/alice",
        "--principal=carol=keys/carol.pub",
        "--publisher=acme=alice:1",
        "--publisher=acme/payments=carol:1",
    ];
    let made = world.env.ordain(init);
    let fingerprint = made.success().trim();
    let refused = ssh_verify_with(&world, "statement.json", "delegated", fingerprint);
    fails(&refused, 3, "E-TRUST-067");
    assert!(
        refused
            .stderr
            .contains("`carol`, who does not speak for the namespace `acme`"),
        "{refused}"
    );
    openssh_sign(&world, "keys/alice", "statement.json", &[]);
    ssh_verify_with(&world, "statement.json", "delegated", fingerprint).success();
}

#[test]
fn what_the_trust_root_revokes_does_not_count() {
    let world = signed();
    ssh_sign(&world, "keys/alice", &[]).success();
    let verify = |revoked: serde_json::Value| {
        let shown = world.env.ordain(["trust", "show", "--dir=trust", "--json"]);
        let mut document: serde_json::Value = shown.json();
        document["revoked"] = revoked;
        let document = RootDocument::parse(document.to_string().as_bytes()).unwrap();
        let bob = SecretKey::from_seed(&snakeoil("bob").signing_key().to_bytes());
        let envelope = sign_root(&document, &[bob]).unwrap();
        world.env.write("revoking/1.root.json", envelope.to_json());
        let fingerprint = envelope.payload_digest().to_string();
        ssh_verify_with(&world, "statement.json", "revoking", &fingerprint)
    };
    verify(serde_json::json!({})).success();
    let key = snakeoil("alice").fingerprint();
    let refused = verify(serde_json::json!({"keys": [key]}));
    fails(&refused, 3, "E-TRUST-068");
    assert!(refused.stderr.contains("`alice`"), "{refused}");
    let range = serde_json::json!({"bundle": "acme", "epoch": 1, "from": 1, "to": 9});
    fails(
        &verify(serde_json::json!({"revisions": [range]})),
        3,
        "E-TRUST-025",
    );
}

#[test]
fn nobody_signs_what_is_not_there() {
    let mut world = world();
    fails(&ssh_sign(&world, "keys/alice", &[]), 3, "E-TRUST-001");
    world.sign(&["alice"], &[]).success();
    let file = format!("{BUNDLE}/policies/acme.yaml");
    let text = world.env.read(&file);
    world.env.write(&file, format!("{text}# changed\n"));
    let changed = ssh_sign(&world, "keys/alice", &[]);
    fails(&changed, 2, "E-TRUST-070");
    assert!(changed.stderr.contains("`policies/acme.yaml`"), "{changed}");
    world.env.write(&file, text);
    world.env.write(format!("{BUNDLE}/notes"), "unlisted");
    fails(&ssh_sign(&world, "keys/alice", &[]), 2, "E-TRUST-070");
    super::remove(&world, &format!("{BUNDLE}/notes"));
    world.env.set("ORDAIN_NOW", "2028-01-01T00:00:00Z");
    fails(&ssh_sign(&world, "keys/alice", &[]), 3, "E-TRUST-023");
}

#[test]
fn files_are_neither_overwritten_nor_put_into_the_bundle() {
    let world = signed();
    for inside in ["statement.json", "policies/statement.json"] {
        let output = format!("--output={BUNDLE}/{inside}");
        fails(
            &ssh_sign(&world, "keys/alice", &[&output]),
            2,
            "E-CONFIG-001",
        );
    }
    let here = world
        .env
        .ordain_in(BUNDLE, ["bundle", "ssh-sign", "--key=../../../keys/alice"]);
    fails(&here, 2, "E-CONFIG-001");
    super::verified(&world);
    ssh_sign(&world, "keys/alice", &[]).success();
    ssh_sign(&world, "keys/alice", &[]).success();
    let first = world.env.read("statement.json.sig");
    fails(&ssh_sign(&world, "keys/bob", &[]), 2, "E-CONFIG-011");
    assert_eq!(world.env.read("statement.json.sig"), first);
    fails(
        &ssh_sign(&world, "keys/bob", &["--output=absent/s.json"]),
        70,
        "E-CONFIG-010",
    );
}
