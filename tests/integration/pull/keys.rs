//! `ordain key`.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::TestEnv;
use crate::support::keys::snakeoil;
use crate::support::organisation::{Organisation, fails};

#[test]
fn a_key_is_made_private_and_never_overwritten() {
    let env = TestEnv::new();
    let made = env.ordain(["key", "generate", "alice", "--comment=alice@example.com"]);
    made.success();
    let private = env.work().join("alice");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&private), 0o600);
    let (key, public) = (env.read("alice"), env.read("alice.pub"));
    assert!(public.starts_with("ssh-ed25519 ") && public.ends_with(" alice@example.com\n"));
    let mut keygen = env.command("ssh-keygen");
    keygen.args(["-y", "-f", "alice"]);
    let derived = env.run(keygen, b"");
    assert_eq!(
        derived.success().split(' ').nth(1),
        public.split(' ').nth(1)
    );
    fails(&env.ordain(["key", "generate", "alice"]), 2, "E-CONFIG-011");
    std::fs::remove_file(&private).unwrap();
    fails(&env.ordain(["key", "generate", "alice"]), 2, "E-CONFIG-011");
    env.write("alice", key);
    let control = env.ordain(["key", "generate", "bob", "--comment=a\nb"]);
    fails(&control, 2, "E-CONFIG-001");
    assert!(!env.work().join("bob").exists());
    assert_eq!(env.read("alice.pub"), public);
}

#[test]
fn an_encrypted_key_wants_its_passphrase() {
    for format in ["openssh", "pem"] {
        let mut world = Organisation::new();
        world.edit("ONE");
        let format = format!("--format={format}");
        let generate = ["key", "generate", "keys/secret", "--encrypt", &format];
        fails(&world.env.ordain(generate), 2, "E-TRUST-037");
        world.env.set("ORDAIN_KEY_PASSPHRASE", "correct horse");
        world.env.ordain(generate).success();
        let text = world.env.read("keys/secret");
        assert!(
            text.starts_with("-----BEGIN ") && !text.contains("correct"),
            "{text}"
        );
        world.sign(&["secret"], &[]).success();
        world.env.set("ORDAIN_KEY_PASSPHRASE", "wrong");
        fails(&world.sign(&["secret"], &["--renew"]), 2, "E-TRUST-037");
        world.env.set("ORDAIN_KEY_PASSPHRASE", "");
        fails(&world.sign(&["secret"], &["--renew"]), 2, "E-TRUST-037");
    }
}

#[test]
fn pem_keys_go_to_openssl_and_come_from_it() {
    let world = Organisation::new();
    let env = &world.env;
    env.ordain(["key", "generate", "ours.pem", "--format=pem"])
        .success();
    let mut read = env.command("openssl");
    read.args(["pkey", "-in", "ours.pem", "-noout", "-text"]);
    assert!(
        env.run(read, b"")
            .success()
            .to_uppercase()
            .contains("ED25519")
    );
    let mut make = env.command("openssl");
    make.args(["genpkey", "-algorithm", "ed25519", "-out", "keys/theirs"]);
    env.run(make, b"").success();
    world.edit("ONE");
    world.sign(&["theirs"], &[]).success();
    env.ordain(["key", "show", "keys/theirs"]).success();
}

#[test]
fn keys_are_shown_and_listed_without_their_passphrase() {
    let env = TestEnv::new();
    let alice = snakeoil("alice");
    alice.write(&env.work().join("keys"));
    env.write("keys/bob.pub", snakeoil("bob").public_openssh());
    env.write("keys/carol.pem", snakeoil("carol").public_pem());
    env.write("keys/notes.txt", "nothing");
    for file in ["keys/alice", "keys/alice.pub"] {
        let shown = env.ordain(["key", "show", file]);
        assert!(shown.success().contains(&alice.fingerprint()), "{shown}");
        assert!(!shown.stdout.contains("PRIVATE"), "{shown}");
    }
    let list = env.ordain(["key", "list", "keys"]);
    let lines: Vec<&str> = list.success().lines().collect();
    assert_eq!(lines.len(), 3, "{list}");
    assert!(
        lines[0].starts_with(&alice.fingerprint()) && lines[0].contains("key pair"),
        "{list}"
    );
    assert!(lines[1].contains("public key"), "{list}");
    fails(
        &env.ordain(["key", "show", "keys/notes.txt"]),
        2,
        "E-TRUST-032",
    );
    fails(&env.ordain(["key", "show", "absent"]), 2, "E-CONFIG-009");
    fails(&env.ordain(["key", "list", "absent"]), 2, "E-CONFIG-009");
}
