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

/// Publishes a bundle that claims a namespace and defines one scope, signed by one person; the consumer asks for it beside
/// `acme`.
fn publish_as(env: &TestEnv, name: &str, namespace: &str, scope: &str, signer: &str) {
    env.ordain(["bundle", "new", name, "--namespace", namespace])
        .success();
    let file = format!("{name}/policies/{}.yaml", namespace.replace('/', "-"));
    env.write(
        file,
        format!(
            "apiVersion: ordain/v1\nkind: Policy\nscope: {scope}\ndefault: abstain\nrules: []\n"
        ),
    );
    env.ordain(["bundle", "sign", name, "--key", signer, "--expires", "90d"])
        .success();
    env.git(".", ["add", "--all"]);
    env.git(".", ["commit", "--quiet", "--message=policy"]);
    let config = env.read("ordain.yaml");
    let entry = format!("  - {{name: {name}, git: ., path: {name}}}\n");
    env.write("ordain.yaml", format!("{config}{entry}"));
}

/// The world of `world`, in whose second root Dan publishes `acme/payments/cards`, and Mallory `acme-evil`.
fn deeper_world() -> TestEnv {
    let env = world();
    for name in ["dan", "mallory"] {
        snakeoil(name).write(&env.work());
    }
    env.ordain([
        "trust",
        "rotate",
        "--expires=1y",
        "--principal=dan=dan.pub",
        "--principal=mallory=mallory.pub",
        "--publisher=acme/payments/cards=dan:1",
        "--publisher=acme-evil=mallory:1",
        "--key=alice",
        "--key=carol",
    ])
    .success();
    publish(&env);
    env
}

#[track_caller]
fn refused(env: &TestEnv, code: &str) {
    let output = env.ordain(["bundle", "pull"]);
    let status = if code == "E-POLICY-009" { 2 } else { 3 };
    assert_eq!(output.status, Some(status), "{output}");
    assert!(output.stderr.contains(&format!("[{code}]")), "{output}");
    assert!(!env.work().join("ordain.lock").exists(), "{output}");
}

#[test]
fn each_publisher_speaks_for_their_own_namespace_however_deep() {
    let env = deeper_world();
    publish_as(&env, "payments", "acme/payments", "acme/payments", "carol");
    publish_as(
        &env,
        "cards",
        "acme/payments/cards",
        "acme/payments/cards",
        "dan",
    );
    env.ordain(["bundle", "pull"]).success();
}

#[test]
fn a_publisher_above_does_not_speak_for_what_was_delegated() {
    for (namespace, signer) in [
        ("acme/payments", "alice"),
        ("acme/payments/cards", "alice"),
        ("acme/payments/cards", "carol"),
        ("acme/payments/cards/eu", "carol"),
    ] {
        let env = deeper_world();
        publish_as(&env, "other", namespace, namespace, signer);
        refused(&env, "E-TRUST-018");
    }
}

#[test]
fn a_publisher_below_speaks_neither_for_what_is_above_nor_beside() {
    for (namespace, signer) in [
        ("acme", "carol"),
        ("acme/platform", "carol"),
        ("acme/payments-eu", "carol"),
        ("acme/payments", "dan"),
        ("other", "alice"),
    ] {
        let env = deeper_world();
        publish_as(&env, "other", namespace, namespace, signer);
        refused(&env, "E-TRUST-018");
    }
}

#[test]
fn a_name_that_only_begins_alike_is_another_namespace() {
    for (namespace, signer) in [
        ("acme", "mallory"),
        ("acme/payments", "mallory"),
        ("acme-evil", "alice"),
    ] {
        let env = deeper_world();
        publish_as(&env, "other", namespace, namespace, signer);
        refused(&env, "E-TRUST-018");
    }
}

#[test]
fn what_was_verified_still_defines_no_scope_outside_its_namespace() {
    for (namespace, scope, signer, code) in [
        ("acme-evil", "acme", "mallory", "E-POLICY-009"),
        ("acme-evil", "acme/platform", "mallory", "E-POLICY-009"),
        ("acme/payments", "acme", "carol", "E-POLICY-009"),
        ("acme/payments", "acme/platform", "carol", "E-POLICY-009"),
        ("acme/payments", "acme/payments-eu", "carol", "E-POLICY-009"),
        (
            "acme/payments",
            "acme/payments/cards",
            "carol",
            "E-POLICY-040",
        ),
    ] {
        let env = deeper_world();
        publish_as(&env, "other", namespace, scope, signer);
        refused(&env, code);
    }
}
