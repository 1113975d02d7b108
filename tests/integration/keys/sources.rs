//! Private keys in variables and behind file descriptors.

use super::{remove, sign, verified, world};
use crate::support::Output;
use crate::support::organisation::{BUNDLE, Organisation, fails};

#[test]
fn a_key_in_a_variable_signs() {
    let mut world = world();
    let key = world.env.read("keys/alice");
    remove(&world, "keys/alice");
    world.env.set("SIGNING_KEY", key.trim_end());
    sign(&world, "env:SIGNING_KEY").success();
    verified(&world);
    fails(&sign(&world, "env:OTHER_KEY"), 2, "E-TRUST-057");
    world.env.set("SIGNING_KEY", "");
    fails(&sign(&world, "env:SIGNING_KEY"), 2, "E-TRUST-057");
    world.env.set("SIGNING_KEY", "c2VjcmV0");
    let refused = sign(&world, "env:SIGNING_KEY");
    fails(&refused, 2, "E-TRUST-036");
    assert!(!refused.stderr.contains("c2VjcmV0"), "{refused}");
}

/// `bundle sign` by a shell that opens descriptors.
fn sign_by_shell(world: &Organisation, key: &str, redirection: &str) -> Output {
    let mut command = world.env.command("sh");
    let line =
        format!("exec ordain bundle sign {BUNDLE} --expires=90d --renew --key={key} {redirection}");
    command.args(["-c", &line]);
    world.env.run(command, b"")
}

#[test]
fn a_key_behind_a_descriptor_signs() {
    let mut world = world();
    sign_by_shell(&world, "fd:3", "3<keys/alice").success();
    verified(&world);
    sign_by_shell(&world, "fd:0", "<keys/alice").success();
    let pipe =
        "cat keys/alice | ordain bundle sign policy/bundles/acme --expires=90d --renew --key=fd:0";
    let mut command = world.env.command("sh");
    command.args(["-c", pipe]);
    world.env.run(command, b"").success();
    fails(&sign_by_shell(&world, "fd:77", ""), 2, "E-CONFIG-009");
    fails(
        &sign_by_shell(&world, "fd:3", "3</dev/null"),
        2,
        "E-TRUST-036",
    );
    fails(
        &sign_by_shell(&world, "fd:3", "3</dev/zero"),
        2,
        "E-CONFIG-009",
    );
    world.env.set("ORDAIN_KEY_PASSPHRASE", "correct horse");
    let generate = ["key", "generate", "keys/sealed", "--encrypt"];
    world.env.ordain(generate).success();
    sign_by_shell(&world, "fd:3", "3<keys/sealed").success();
}

#[test]
fn words_that_name_no_key_are_usage_errors() {
    let world = world();
    for key in [
        "env:",
        "env:A-B",
        "fd:1",
        "fd:x",
        "agent:SHA256:x",
        "command:",
    ] {
        assert_eq!(sign(&world, key).status, Some(2), "{key}");
    }
    let misspelt = sign(&world, "agnet:alice");
    fails(&misspelt, 2, "E-CONFIG-009");
    assert!(
        misspelt.stderr.contains("begins with `agent:`"),
        "{misspelt}"
    );
    let public = sign(&world, "keys/alice.pub");
    fails(&public, 2, "E-TRUST-036");
    assert!(public.stderr.contains("agent:alice.pub"), "{public}");
}

#[test]
fn a_key_on_the_command_line_is_not_repeated() {
    let world = world();
    let key = world.env.read("keys/alice");
    let secret = key.lines().nth(2).unwrap();
    for word in [
        key.clone(),
        format!("env:{key}"),
        format!("command:echo {key}"),
    ] {
        let joined = sign(&world, &word);
        fails(&joined, 2, "E-CONFIG-001");
        let apart = ["bundle", "sign", BUNDLE, "--expires=90d", "--key", &word];
        let apart = world.env.ordain(apart);
        assert_eq!(apart.status, Some(2), "{apart}");
        for output in [joined, apart] {
            assert!(!output.stderr.contains(secret), "the key is shown");
            assert!(!output.stdout.contains(secret), "the key is shown");
        }
    }
    let principal = format!("--principal=alice={key}");
    let init = [
        "trust",
        "init",
        "--dir=new",
        "--threshold=1",
        "--expires=1y",
        &principal,
    ];
    let init = world.env.ordain(init);
    fails(&init, 2, "E-CONFIG-001");
    assert!(!init.stderr.contains(secret), "the key is shown");
}

#[test]
fn a_pipe_in_the_place_of_a_file_is_read_once() {
    let world = world();
    let mut command = world.env.command("bash");
    let line = "exec ordain trust init --dir new --threshold 1 --expires 1y --principal alice=<(cat keys/alice)";
    command.args(["-c", line]);
    world.env.run(command, b"").success();
    let mut command = world.env.command("bash");
    let line = format!("exec ordain bundle sign {BUNDLE} --expires 90d --key <(cat keys/alice)");
    command.args(["-c", &line]);
    world.env.run(command, b"").success();
    verified(&world);
}

#[test]
fn the_time_for_an_answer_is_a_length_of_time() {
    let mut world = world();
    for wrong in ["soon", "10", "0s", "-1s"] {
        world.env.set("ORDAIN_KEY_TIMEOUT", wrong);
        let refused = sign(&world, "keys/alice");
        fails(&refused, 2, "E-CONFIG-001");
        assert!(refused.stderr.contains("`ORDAIN_KEY_TIMEOUT`"), "{refused}");
    }
}

#[test]
fn help_explains_the_forms() {
    let world = world();
    for command in [
        &["bundle", "sign"][..],
        &["trust", "init"],
        &["trust", "sign"],
        &["bundle", "ssh-sign"],
    ] {
        let help = world.env.ordain(command.iter().chain(&["--help"]));
        for form in ["agent:FILE.pub", "env:NAME", "fd:N", "command:PROGRAM"] {
            assert!(help.success().contains(form), "{help}");
        }
    }
}
