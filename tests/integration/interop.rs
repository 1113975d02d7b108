//! Our formats held against other people's implementations: `securesystemslib`, `openssl`, `ssh-keygen`, and a verifier
//! of checkpoints in a page of Python.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use ordain::log::{Log, Options, Signer};
use ordain::trust::SecretKey;

use super::support::env::NOW;
use super::support::keys::snakeoil;
use super::support::{Output, TestEnv, checkout};

/// A Python that has the packages of `tests/interop/requirements.txt`.
fn python() -> PathBuf {
    let python = std::env::var_os("ORDAIN_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let found = std::process::Command::new(&python)
        .args(["-c", "import securesystemslib, cryptography"])
        .output();
    let missing = match found {
        Ok(output) if output.status.success() => return python.into(),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) => error.to_string(),
    };
    panic!(
        "the interoperability tests need a Python with the packages of tests/interop/requirements.txt, and `{}` is none \
         ({missing}): run `bash .ci/run`, which makes one, or `pip install -r tests/interop/requirements.txt`, and name \
         it in ORDAIN_TEST_PYTHON",
        Path::new(&python).display()
    );
}

/// Runs a script of `tests/interop` in `work`.
fn script<S: AsRef<OsStr>>(
    env: &TestEnv,
    name: &str,
    arguments: impl IntoIterator<Item = S>,
) -> Output {
    let mut command = env.command(python());
    command
        .arg(checkout().join("tests/interop").join(name))
        .args(arguments);
    env.run(command, b"")
}

/// A tool that has to succeed.
fn tool(env: &TestEnv, line: &[&str]) -> Output {
    let mut command = env.command(line[0]);
    command.args(&line[1..]);
    let output = env.run(command, b"");
    output.success();
    output
}

/// A bundle `acme`, signed by Alice and Bob, and the trust root that wants both.
fn signed_bundle() -> TestEnv {
    let env = TestEnv::new();
    for name in ["alice", "bob", "mallory"] {
        snakeoil(name).write(&env.work());
    }
    trust(&env, "alice.pub", "bob.pub", ["alice", "bob"]);
    env.ordain(["bundle", "new", "acme", "--namespace", "acme"])
        .success();
    for key in ["alice", "bob"] {
        sign(&env, key).success();
    }
    env
}

fn trust(env: &TestEnv, alice: &str, bob: &str, keys: [&str; 2]) {
    let principals = [format!("alice={alice}"), format!("bob={bob}")];
    env.ordain([
        "trust",
        "init",
        "--dir",
        "trust",
        "--namespace",
        "acme",
        "--threshold",
        "2",
        "--expires",
        "1y",
        "--principal",
        &principals[0],
        "--principal",
        &principals[1],
        "--key",
        keys[0],
        "--key",
        keys[1],
    ])
    .success();
}

fn sign(env: &TestEnv, key: &str) -> Output {
    env.ordain(["bundle", "sign", "acme", "--key", key, "--expires", "90d"])
}

fn verify(env: &TestEnv) -> Output {
    let shown = env.ordain(["trust", "show", "--dir", "trust", "--fingerprint"]);
    let fingerprint = shown.success().trim_end();
    env.ordain([
        "bundle",
        "verify",
        "acme",
        "--trust-root",
        "trust",
        "--fingerprint",
        fingerprint,
    ])
}

/// The statement inside the bundle's envelope, and its payload type.
fn statement(env: &TestEnv) -> (Vec<u8>, String) {
    let envelope: serde_json::Value =
        serde_json::from_str(&env.read("acme/bundle.dsse.json")).unwrap();
    let text = |field: &str| envelope[field].as_str().unwrap().to_owned();
    (
        STANDARD.decode(text("payload")).unwrap(),
        text("payloadType"),
    )
}

#[test]
fn securesystemslib_verifies_our_envelope() {
    let env = signed_bundle();
    let envelope = "acme/bundle.dsse.json";
    let output = script(
        &env,
        "verify_envelope.py",
        [envelope, "2", "alice.pub", "bob.pub"],
    );
    assert_eq!(output.success().as_bytes(), statement(&env).0);
    // The script can tell: somebody else's key does not reach the threshold.
    script(
        &env,
        "verify_envelope.py",
        [envelope, "2", "alice.pub", "mallory.pub"],
    )
    .code(1);
}

#[test]
fn we_verify_the_envelope_of_securesystemslib() {
    let env = signed_bundle();
    let (payload, payload_type) = statement(&env);
    env.write("statement.json", payload);
    let by = |keys: [&str; 2]| {
        let arguments = ["statement.json", &payload_type, keys[0], keys[1]];
        let envelope = script(&env, "sign_envelope.py", arguments);
        env.write("acme/bundle.dsse.json", envelope.success());
        verify(&env)
    };
    let output = by(["alice", "bob"]);
    output.success();
    let refused = by(["alice", "mallory"]);
    refused.code(3);
    assert!(refused.stderr.contains("E-TRUST-009"), "{refused}");
}

#[test]
fn keys_of_openssl_and_ssh_keygen_sign() {
    let env = TestEnv::new();
    tool(
        &env,
        &[
            "openssl",
            "genpkey",
            "-algorithm",
            "ed25519",
            "-out",
            "alice.pem",
        ],
    );
    tool(
        &env,
        &[
            "openssl",
            "pkey",
            "-in",
            "alice.pem",
            "-pubout",
            "-out",
            "alice.pub.pem",
        ],
    );
    tool(
        &env,
        &["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "bob"],
    );
    trust(&env, "alice.pub.pem", "bob.pub", ["alice.pem", "bob"]);
    env.ordain(["bundle", "new", "acme", "--namespace", "acme"])
        .success();
    sign(&env, "alice.pem").success();
    sign(&env, "bob").success();
    verify(&env).success();
}

#[test]
fn an_encrypted_key_of_ssh_keygen_signs() {
    let mut env = TestEnv::new();
    tool(
        &env,
        &[
            "ssh-keygen",
            "-q",
            "-t",
            "ed25519",
            "-N",
            "correct horse",
            "-f",
            "alice",
        ],
    );
    snakeoil("bob").write(&env.work());
    env.ordain(["bundle", "new", "acme", "--namespace", "acme"])
        .success();
    let refused = sign(&env, "alice");
    refused.code(2);
    assert!(refused.stderr.contains("E-TRUST-037"), "{refused}");
    env.set("ORDAIN_KEY_PASSPHRASE", "correct horse");
    trust(&env, "alice.pub", "bob.pub", ["alice", "bob"]);
    sign(&env, "alice").success();
    sign(&env, "bob").success();
    verify(&env).success();
}

#[test]
fn a_verifier_of_its_own_accepts_our_log() {
    let env = TestEnv::new();
    let carol = snakeoil("carol");
    carol.write(&env.work());
    let key = SecretKey::from_seed(&carol.signing_key().to_bytes());
    let signer = Signer::new("acme.example/build-7".parse().unwrap(), key);
    let now = NOW.parse().unwrap();
    let mut log = Log::open(&env.work().join("log"), signer, Options::default(), now).unwrap();
    for batch in 0..3 {
        let records = (0..100).map(|number| serde_json::json!({"batch": batch, "number": number}));
        log.append_batch(records, now).unwrap();
    }
    let size = log.size();
    log.finish(now).unwrap();

    let check = || {
        let arguments = ["log/checkpoint", "carol.pub", "log/decisions.jsonl"];
        script(&env, "verify_checkpoint.py", arguments)
    };
    let output = check();
    let begins = format!("acme.example/build-7 {size} ");
    assert!(output.success().starts_with(&begins), "{output}");

    let lines = env.read("log/decisions.jsonl");
    env.write(
        "log/decisions.jsonl",
        lines.replacen("\"number\":7", "\"number\":8", 1),
    );
    check().code(1);
}
