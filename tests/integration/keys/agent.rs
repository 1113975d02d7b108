//! A real ssh-agent.

use super::{remove, sign, tool, verified, world};
use crate::support::TestEnv;
use crate::support::agent::{Agent, ssh_add};
use crate::support::keys::snakeoil;
use crate::support::organisation::{BUNDLE, Organisation, fails};

/// A world whose agent holds Alice's key, which is no file any more.
fn with_agent() -> (Organisation, Agent) {
    let mut world = world();
    let agent = Agent::start(&mut world.env, None);
    ssh_add(&world.env, &["-q", "keys/alice"]);
    remove(&world, "keys/alice");
    (world, agent)
}

#[test]
fn a_key_in_the_agent_signs_under_each_of_its_names() {
    let (world, _agent) = with_agent();
    let fingerprint = snakeoil("alice").fingerprint();
    for name in ["keys/alice.pub", "alice (snakeoil)", &fingerprint] {
        sign(&world, &format!("agent:{name}")).success();
        verified(&world);
    }
    let again = world
        .env
        .ordain(["bundle", "sign", BUNDLE, "--key=agent:keys/alice.pub"]);
    assert!(again.success().contains("co-signed"), "{again}");
}

#[test]
fn a_key_in_the_agent_signs_trust_roots() {
    let (world, _agent) = with_agent();
    let env = &world.env;
    let init = [
        "trust",
        "init",
        "--dir=other",
        "--namespace=acme",
        "--expires=1y",
        "--threshold=2",
        "--principal=alice=agent:keys/alice.pub",
        "--principal=bob=keys/bob.pub",
    ];
    let made = env.ordain(init);
    made.success();
    assert!(made.stderr.contains("signed by 1 of the 2"), "{made}");
    ssh_add(env, &["-q", "keys/bob"]);
    let bob = "--key=agent:bob (snakeoil)";
    env.ordain(["trust", "sign", "other/1.root.json", bob])
        .success();
    let fingerprint = format!("--fingerprint={}", made.stdout.trim());
    env.ordain(["trust", "verify", "--dir=other", &fingerprint])
        .success();
}

#[test]
fn the_agents_keys_are_shown() {
    let (world, _agent) = with_agent();
    let env = &world.env;
    tool(
        env,
        &[
            "ssh-keygen",
            "-q",
            "-t",
            "rsa",
            "-N",
            "",
            "-C",
            "old \u{1b}[2J",
            "-f",
            "rsa",
        ],
    );
    ssh_add(env, &["-q", "rsa"]);
    let list = env.ordain(["key", "list", "--agent"]);
    let lines: Vec<&str> = list.success().lines().collect();
    let alice = snakeoil("alice").fingerprint();
    assert_eq!(lines[0], format!("{alice}  in the agent  alice (snakeoil)"));
    assert!(
        lines[1].contains("not usable") && lines[1].contains("ssh-rsa"),
        "{list}"
    );
    assert!(!list.stdout.contains('\u{1b}'), "{list}");
    let shown = env.ordain(["key", "show", "agent:keys/alice.pub"]);
    assert!(shown.success().contains(&alice), "{shown}");
}

#[test]
fn what_the_agent_does_not_hold_is_told_apart() {
    let mut world = world();
    fails(&sign(&world, "agent:keys/alice.pub"), 2, "E-TRUST-058");
    world.env.set("SSH_AUTH_SOCK", "/nowhere/agent");
    fails(&sign(&world, "agent:keys/alice.pub"), 2, "E-TRUST-058");
    let _agent = Agent::start(&mut world.env, None);
    let empty = sign(&world, "agent:keys/alice.pub");
    fails(&empty, 2, "E-TRUST-059");
    assert!(empty.stderr.contains("it holds    no key"), "{empty}");
    ssh_add(&world.env, &["-q", "keys/bob"]);
    let fingerprint = snakeoil("alice").fingerprint();
    for name in ["keys/alice.pub", "alice", &fingerprint] {
        let absent = sign(&world, &format!("agent:{name}"));
        fails(&absent, 2, "E-TRUST-059");
        let bob = snakeoil("bob").fingerprint();
        assert!(absent.stderr.contains(&bob), "{absent}");
    }
    fails(&sign(&world, "agent:absent.pub"), 2, "E-CONFIG-009");
    fails(&sign(&world, "agent:./keys/bob"), 2, "E-TRUST-032");
    assert_eq!(sign(&world, "agent:").status, Some(2));
}

#[test]
fn one_comment_of_two_keys_names_neither() {
    let mut world = world();
    let _agent = Agent::start(&mut world.env, None);
    for name in ["one", "two"] {
        let make = [
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "laptop",
            "-f",
            name,
        ];
        tool(&world.env, &make);
        ssh_add(&world.env, &["-q", name]);
    }
    let refused = sign(&world, "agent:laptop");
    fails(&refused, 2, "E-TRUST-059");
    assert_eq!(refused.stderr.matches("SHA256:").count(), 3, "{refused}");
    sign(&world, "agent:one.pub").success();
}

#[test]
fn keys_of_other_algorithms_are_refused_by_name() {
    let mut world = world();
    let _agent = Agent::start(&mut world.env, None);
    for (kind, name) in [("rsa", "ssh-rsa"), ("ecdsa", "ecdsa-sha2-nistp256")] {
        tool(
            &world.env,
            &[
                "ssh-keygen",
                "-q",
                "-t",
                kind,
                "-N",
                "",
                "-C",
                kind,
                "-f",
                kind,
            ],
        );
        ssh_add(&world.env, &["-q", kind]);
        for key in [format!("agent:{kind}"), format!("agent:{kind}.pub")] {
            let refused = sign(&world, &key);
            fails(&refused, 2, "E-TRUST-033");
            assert!(refused.stderr.contains(name), "{refused}");
        }
    }
}

#[test]
fn a_user_who_does_not_confirm_has_not_signed() {
    let mut world = world();
    let _agent = Agent::start(&mut world.env, Some("/bin/false"));
    ssh_add(&world.env, &["-q", "-c", "keys/alice"]);
    fails(&sign(&world, "agent:keys/alice.pub"), 4, "E-TRUST-060");
    assert!(
        !world
            .env
            .work()
            .join(BUNDLE)
            .join("bundle.dsse.json")
            .exists()
    );
}

#[test]
fn a_statement_that_no_agent_takes_is_signed_otherwise() {
    let (world, _agent) = with_agent();
    for number in 0..3000 {
        world
            .env
            .write(format!("{BUNDLE}/data/{number}.json"), "{}");
    }
    let refused = sign(&world, "agent:keys/alice.pub");
    fails(&refused, 4, "E-TRUST-060");
    assert!(refused.stderr.contains("sign with a key file"), "{refused}");
    sign(&world, "keys/bob").success();
    // An SSH signature is one of a hash, so its size does not matter.
    let ssh = ["bundle", "ssh-sign", BUNDLE, "--key=agent:keys/alice.pub"];
    world.env.ordain(ssh).success();
}

#[test]
fn a_file_with_the_name_of_a_form_is_written_with_its_directory() {
    let env = TestEnv::new();
    std::fs::copy(
        snakeoil("alice").write(&env.work()),
        env.work().join("agent:x"),
    )
    .unwrap();
    let shown = env.ordain(["key", "show", "./agent:x"]);
    assert!(shown.success().contains(&snakeoil("alice").fingerprint()));
    fails(&env.ordain(["key", "show", "agent:x"]), 2, "E-TRUST-058");
}
