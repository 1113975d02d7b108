//! A signer speaks only for what was delegated to them.

use super::support::TestEnv;
use super::support::keys::snakeoil;

/// A publisher of all of `acme`, and one of `acme/payments` alone.
fn world() -> TestEnv {
    let env = TestEnv::new();
    for name in ["alice", "carol"] {
        snakeoil(name).write(&env.work());
    }
    env.ordain([
        "trust",
        "init",
        "--threshold",
        "1",
        "--expires",
        "1y",
        "--principal",
        "alice=alice",
        "--principal",
        "carol=carol",
        "--publisher",
        "acme=alice:1",
        "--publisher",
        "acme/payments=carol:1",
    ])
    .success();
    env.git(".", ["init", "--quiet", "--initial-branch=main"]);
    env.ordain(["bundle", "new", "acme", "--namespace", "acme"])
        .success();
    let shown = env.ordain(["trust", "show", "--dir", "trust", "--fingerprint"]);
    let fingerprint = shown.success();
    env.write(
        "ordain.yaml",
        format!(
            "apiVersion: ordain/v1\nkind: Config\nscope: acme/payments\n\
             trust: {{dir: trust, fingerprint: \"{}\"}}\n\
             bundles:\n  - {{name: acme, git: ., path: acme}}\n",
            fingerprint.trim()
        ),
    );
    env
}

fn publish(env: &TestEnv) {
    env.ordain([
        "bundle",
        "sign",
        "acme",
        "--key",
        "alice",
        "--expires",
        "90d",
    ])
    .success();
    env.git(".", ["add", "acme"]);
    env.git(".", ["commit", "--quiet", "--message=policy"]);
}

#[test]
fn a_publisher_may_not_define_a_scope_that_was_delegated_away() {
    let env = world();
    publish(&env);
    env.ordain(["bundle", "pull"]).success();
    let lock = env.read("ordain.lock");
    env.write(
        "acme/policies/payments.yaml",
        "apiVersion: ordain/v1\nkind: Policy\nscope: acme/payments\ndefault: allow\nrules: []\n",
    );
    publish(&env);
    let output = env.ordain(["bundle", "pull"]);
    assert_eq!(output.status, Some(3), "{output}");
    assert!(output.stderr.contains("E-POLICY-040"), "{output}");
    assert_eq!(
        env.read("ordain.lock"),
        lock,
        "the previous bundle stays active"
    );
}
