//! Passphrases: from a variable, from askpass programs, from a terminal.

use std::time::{Duration, Instant};

use super::{script, sign, tool, world};
use crate::support::organisation::{Organisation, fails};

/// A world with two encrypted keys that others made: `openssh` and `pem`.
fn sealed() -> Organisation {
    let world = world();
    tool(
        &world.env,
        &[
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-a",
            "4",
            "-N",
            "correct horse",
            "-f",
            "openssh",
        ],
    );
    tool(
        &world.env,
        &[
            "openssl",
            "genpkey",
            "-algorithm",
            "ed25519",
            "-aes256",
            "-pass",
            "pass:correct horse",
            "-out",
            "pem",
        ],
    );
    world
}

/// An askpass program that notes what it was asked.
fn askpass(world: &Organisation, name: &str, answer: &str) -> String {
    script(
        &world.env,
        name,
        &format!("echo \"$1\" >> asked\necho '{answer}'"),
    )
}

#[test]
fn an_askpass_program_opens_keys_of_openssh_and_openssl() {
    let mut world = sealed();
    let program = askpass(&world, "askpass", "correct horse");
    for key in ["openssh", "pem"] {
        fails(&sign(&world, key), 2, "E-TRUST-037");
    }
    world.env.set("ORDAIN_ASKPASS", &*program);
    for key in ["openssh", "pem"] {
        sign(&world, key).success();
    }
    let asked = world.env.read("asked");
    let lines: Vec<&str> = asked.lines().collect();
    assert_eq!(lines.len(), 2, "{asked}");
    assert!(
        lines[0].starts_with("passphrase for `") && lines[0].ends_with("/openssh`: "),
        "{asked}"
    );
    // It was named for this program, so it also counts where nobody is.
    world.env.set("CI", "true");
    sign(&world, "openssh").success();
    // The variable comes first.
    world.env.set("ORDAIN_KEY_PASSPHRASE", "wrong");
    let wrong = sign(&world, "openssh");
    fails(&wrong, 2, "E-TRUST-037");
    assert!(
        wrong
            .stderr
            .contains("`ORDAIN_KEY_PASSPHRASE` does not open"),
        "{wrong}"
    );
}

#[test]
fn a_wrong_passphrase_is_one_clear_error() {
    let mut world = sealed();
    let program = askpass(&world, "askpass", "wrong horse");
    world.env.set("ORDAIN_ASKPASS", &*program);
    for key in ["openssh", "pem"] {
        let wrong = sign(&world, key);
        fails(&wrong, 2, "E-TRUST-037");
        assert!(
            wrong
                .stderr
                .contains("the passphrase does not open the key"),
            "{wrong}"
        );
        assert_eq!(wrong.stderr.matches("error[").count(), 1, "{wrong}");
        assert!(!wrong.stderr.contains("wrong horse"), "{wrong}");
    }
    assert_eq!(world.env.read("asked").lines().count(), 2);
}

#[test]
fn the_askpass_program_of_ssh_is_used_as_ssh_uses_it() {
    let mut world = sealed();
    let program = askpass(&world, "askpass", "correct horse");
    world.env.set("SSH_ASKPASS", &*program);
    // No display, so no window.
    fails(&sign(&world, "openssh"), 2, "E-TRUST-037");
    world.env.set("SSH_ASKPASS_REQUIRE", "force");
    sign(&world, "openssh").success();
    world.env.set("SSH_ASKPASS_REQUIRE", "");
    world.env.set("DISPLAY", ":none");
    sign(&world, "openssh").success();
    world.env.set("SSH_ASKPASS_REQUIRE", "never");
    fails(&sign(&world, "openssh"), 2, "E-TRUST-037");
    world.env.set("SSH_ASKPASS_REQUIRE", "force");
    world.env.set("CI", "true");
    fails(&sign(&world, "openssh"), 2, "E-TRUST-037");
    assert_eq!(world.env.read("asked").lines().count(), 2);
    let ours = askpass(&world, "ours", "correct horse");
    world.env.set("ORDAIN_ASKPASS", ours);
    sign(&world, "openssh").success();
}

#[test]
fn an_askpass_program_that_fails_is_an_error_of_its_own() {
    let mut world = sealed();
    world.env.set("ORDAIN_KEY_TIMEOUT", "2s");
    world.env.set("ORDAIN_ASKPASS", "/nowhere/askpass");
    fails(&sign(&world, "openssh"), 2, "E-TRUST-063");
    for (name, text) in [
        ("cancelled", "exit 1"),
        ("empty", "echo"),
        ("silent", "true"),
        ("hanging", "exec sleep 600"),
        ("endless", "exec yes"),
        ("binary", "printf '\\377\\n'"),
    ] {
        let program = script(&world.env, name, text);
        world.env.set("ORDAIN_ASKPASS", program);
        let start = Instant::now();
        let failed = sign(&world, "openssh");
        fails(&failed, 2, "E-TRUST-063");
        assert!(start.elapsed() < Duration::from_secs(30), "{name}");
    }
}

#[test]
fn a_new_key_is_encrypted_with_what_an_askpass_program_says_twice() {
    let mut world = sealed();
    let program = askpass(&world, "askpass", "correct horse");
    world.env.set("ORDAIN_ASKPASS", program);
    let generate = |name| world.env.ordain(["key", "generate", name, "--encrypt"]);
    generate("one").success();
    assert_eq!(world.env.read("asked"), "new passphrase: \nonce more: \n");
    let fickle = script(&world.env, "fickle", "date +%N");
    world.env.set("ORDAIN_ASKPASS", fickle);
    let differ = world.env.ordain(["key", "generate", "two", "--encrypt"]);
    fails(&differ, 2, "E-TRUST-037");
    assert!(!world.env.work().join("two").exists());
}

#[test]
fn a_terminal_is_asked() {
    let world = sealed();
    let mut command = world.env.command("script");
    let line = "ordain bundle sign policy/bundles/acme --expires=90d --key=openssh";
    command.args(["-q", "-e", "-c", line, "/dev/null"]);
    let output = world.env.run(command, b"correct horse\n");
    assert!(output.success().contains("passphrase for `"), "{output}");
    assert!(output.stdout.contains("signed bundle acme"), "{output}");
}
