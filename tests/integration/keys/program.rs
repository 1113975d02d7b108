//! External signers: ones that sign, and ones that lie, hang, or never stop.

use std::time::{Duration, Instant};

use super::{script, sign, tool, verified, world};
use crate::support::organisation::{BUNDLE, Organisation, fails};
use crate::support::{Output, checkout};

/// Signs with `alice.pem` by OpenSSL, as docs/keys.md shows it.
const OPENSSL: &str = r#"case "$1" in
public-key) openssl pkey -in alice.pem -pubout ;;
sign) cat > message && openssl pkeyutl -sign -inkey alice.pem -rawin -in message ;;
esac"#;

/// A world whose Alice has her key in `alice.pem`.
fn with_pem() -> Organisation {
    let world = world();
    let seed = crate::support::keys::snakeoil("alice")
        .signing_key()
        .to_bytes();
    // PKCS#8 of an ed25519 seed (RFC 8410, section 7) is a fixed prefix and the seed.
    let prefix = [48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 112, 4, 34, 4, 32];
    world.env.write("alice.der", [&prefix[..], &seed].concat());
    let convert = [
        "openssl",
        "pkey",
        "-inform",
        "DER",
        "-in",
        "alice.der",
        "-out",
        "alice.pem",
    ];
    tool(&world.env, &convert);
    world
}

/// Runs a signer that must fail.
#[track_caller]
fn refused(text: &str, exit: i32, code: &str) -> Output {
    refused_within("60s", text, exit, code)
}

/// Runs a signer that would go on for ever.
#[track_caller]
fn stopped(text: &str) {
    refused_within("2s", text, 4, "E-TRUST-061");
}

#[track_caller]
fn refused_within(timeout: &str, text: &str, exit: i32, code: &str) -> Output {
    let mut world = with_pem();
    world.env.set("ORDAIN_KEY_TIMEOUT", timeout);
    let program = script(&world.env, "signer", text);
    let start = Instant::now();
    let output = sign(&world, &format!("command:{program}"));
    fails(&output, exit, code);
    assert!(start.elapsed() < Duration::from_secs(30), "{output}");
    assert!(!output.stderr.contains('\u{1b}'), "{output}");
    let envelope = world.env.work().join(BUNDLE).join("bundle.dsse.json");
    assert!(!envelope.exists(), "something was signed");
    output
}

#[test]
fn a_program_signs_raw_or_in_base64() {
    let world = with_pem();
    let raw = script(&world.env, "raw", OPENSSL);
    sign(&world, &format!("command:{raw}")).success();
    verified(&world);
    let encoded = OPENSSL.replace("-in message", "-in message | base64 -w 0");
    let encoded = script(&world.env, "encoded", &encoded);
    sign(&world, &format!("command:{encoded}")).success();
    verified(&world);
}

#[test]
fn the_signer_of_the_manual_signs() {
    let world = with_pem();
    let page = std::fs::read_to_string(checkout().join("docs/keys.md")).unwrap();
    let (_, rest) = page.split_once("```sh\n#!/bin/sh\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let program = script(&world.env, "signer", text);
    sign(&world, &format!("command:{program}")).success();
    verified(&world);
}

#[test]
fn the_program_is_told_what_it_needs_and_no_secret() {
    let mut world = with_pem();
    world.env.set("ORDAIN_KEY_PASSPHRASE", "hunter2");
    let words = r#"echo "$1 $2 $3 [$ORDAIN_KEY_PASSPHRASE] $ORDAIN_SIGNER_PROTOCOL $ORDAIN_SIGNER_PUBLIC_KEY" >&2; shift 2"#;
    let program = script(&world.env, "signer", &format!("{words}\n{OPENSSL}"));
    let output = sign(&world, &format!("command:{program}  --slot 9c"));
    output.success();
    let key = crate::support::keys::snakeoil("alice").public_openssh();
    let key = key.split(' ').take(2).collect::<Vec<_>>().join(" ");
    for line in [
        format!("{program}: --slot 9c public-key [] 1 \n"),
        format!("{program}: --slot 9c sign [] 1 {key}\n"),
    ] {
        let line = line.replace(" \n", "\n");
        assert!(output.stderr.contains(&line), "no {line} in {output}");
    }
}

/// Bob's key by a redirection of a shell, and Alice's by a program that shows what it was given.
fn sign_with_both(world: &Organisation, key: &str, redirection: &str) -> Output {
    let spy = format!("env >> seen; cat <&7 >> seen\n{OPENSSL}");
    let program = script(&world.env, "spy", &spy);
    let line = format!(
        "exec ordain bundle sign {BUNDLE} --expires 90d --renew --key command:{program} --key {key} {redirection}"
    );
    let mut command = world.env.command("bash");
    command.args(["-c", &line]);
    world.env.run(command, b"")
}

#[test]
fn the_program_is_not_given_the_other_keys() {
    let mut world = with_pem();
    let seen = |world: &Organisation| world.env.read("seen").contains("PRIVATE KEY-----");
    sign_with_both(&world, "fd:7", "7< <(cat keys/bob)").success();
    assert!(!seen(&world), "the pipe's key");
    let refused = sign_with_both(&world, "fd:7", "7<keys/bob");
    fails(&refused, 2, "E-CONFIG-001");
    assert!(refused.stderr.contains("<(cat key)"), "{refused}");
    sign_with_both(&world, "fd:0", "<keys/bob").success();
    assert!(!seen(&world), "standard input");
    let bob = world.env.read("keys/bob");
    world.env.set("BOB", bob.trim_end());
    sign_with_both(&world, "env:BOB", "").success();
    assert!(!seen(&world), "the variable's key");
    let env = world.env.read("seen");
    assert!(env.contains("PATH=") && !env.contains("BOB="), "{env}");
}

#[test]
fn there_is_no_shell() {
    let world = with_pem();
    let program = script(&world.env, "signer", OPENSSL);
    let output = sign(&world, &format!("command:{program}; touch pwned"));
    fails(&output, 4, "E-TRUST-061");
    assert!(!world.env.work().join("pwned").exists());
}

#[test]
fn a_program_that_lies_is_found_out() {
    let other = "public-key) openssl genpkey -algorithm ed25519 | openssl pkey -pubout ;;";
    let liar = OPENSSL.replace("public-key) openssl pkey -in alice.pem -pubout ;;", other);
    refused(&liar, 3, "E-TRUST-062");
    let signs_more = OPENSSL.replace("cat > message", "(cat; echo) > message");
    refused(&signs_more, 3, "E-TRUST-062");
}

#[test]
fn a_program_that_fails_is_reported_with_its_own_words() {
    let failed = refused("printf 'no \\033[2Jtoken\\n' >&2; exit 3", 4, "E-TRUST-061");
    assert!(
        failed.stderr.contains("signer: no \\u{1b}[2Jtoken"),
        "{failed}"
    );
    assert!(failed.stderr.contains("exit code 3"), "{failed}");
    let on_sign = OPENSSL.replace("sign)", "sign) exit 1;");
    refused(&on_sign, 4, "E-TRUST-061");
    refused("kill -9 $$", 4, "E-TRUST-061");
    let world = world();
    fails(&sign(&world, "command:/nowhere/signer"), 4, "E-TRUST-061");
    assert_eq!(sign(&world, "command:").status, Some(2));
}

#[test]
fn a_program_that_hangs_is_stopped() {
    stopped("exec sleep 600");
    let on_sign = OPENSSL.replace("sign)", "sign) exec sleep 600;");
    stopped(&on_sign);
    // The program is gone, and something that it started holds its output open.
    stopped("sleep 8 & exit 0");
    // It has answered and does not end.
    stopped(&format!("{OPENSSL}\nexec >&-; exec sleep 600"));
}

#[test]
fn a_program_that_says_too_much_is_stopped() {
    refused("exec yes", 4, "E-TRUST-061");
    refused(
        &OPENSSL.replace("sign)", "sign) exec yes;"),
        4,
        "E-TRUST-061",
    );
    let chatty = refused("yes | head -c 1000000 >&2; exit 1", 4, "E-TRUST-061");
    assert!(chatty.stderr.len() < 1 << 20, "{}", chatty.stderr.len());
}

#[test]
fn what_is_no_key_or_signature_is_refused() {
    refused("echo hello", 4, "E-TRUST-061");
    refused("printf '\\377'", 4, "E-TRUST-061");
    refused("echo ssh-rsa AAAA", 2, "E-TRUST-033");
    let short = OPENSSL.replace("-in message", "-in message | head -c 63");
    refused(&short, 4, "E-TRUST-061");
    let hex = OPENSSL.replace("-in message", "-in message | od -An -tx1");
    refused(&hex, 4, "E-TRUST-061");
}
