//! `policy new`.

use super::bundle;
use crate::support::TestEnv;
use crate::support::organisation::fails;

#[test]
fn a_new_bundle_passes_every_check_as_it_is() {
    let env = TestEnv::new();
    env.git(".", ["init", "--quiet"]);
    let made = env.ordain(["policy", "new", "bundle", "bundles/acme", "--scope=acme"]);
    made.success();
    insta::assert_snapshot!(made);
    insta::assert_snapshot!(env.read("bundles/acme/policies/acme.yaml"));
    insta::assert_snapshot!(env.read("bundles/acme/tests/acme.yaml"));
    let schema = "../../../.ordain-schemas/policy.json\n";
    assert!(
        env.read("bundles/acme/policies/acme.yaml")
            .starts_with(&format!("# yaml-language-server: $schema={schema}"))
    );
    let catalog = [
        "policy",
        "new",
        "catalog",
        "bundles/acme/policies/tools.yaml",
        "--scope=acme",
    ];
    env.ordain(catalog).success();
    let team = [
        "policy",
        "new",
        "policy",
        "bundles/acme/policies/team.yaml",
        "--scope=acme/team",
    ];
    env.ordain(team).success();
    let test = [
        "policy",
        "new",
        "test",
        "bundles/acme/tests/team.yaml",
        "--scope=acme/team",
    ];
    env.ordain(test).success();
    let check = env.ordain(["policy", "check", "bundles/acme", "--deny-warnings"]);
    assert!(
        check.success().contains("2 scopes, 0 errors, 0 warnings"),
        "{check}"
    );
    let tests = env.ordain(["policy", "test", "bundles/acme"]);
    assert!(
        tests.success().contains("2 cases passed, 0 failed"),
        "{tests}"
    );
    env.ordain(["policy", "fmt", "--check", "bundles/acme"])
        .success();
}

#[test]
fn a_test_expects_what_is_decided_now() {
    let env = bundle();
    let test = [
        "policy",
        "new",
        "test",
        "acme/tests/new.yaml",
        "--scope=acme",
    ];
    env.ordain(test).success();
    let text = env.read("acme/tests/new.yaml");
    assert!(
        text.contains("expect: {effect: deny, reason_code: NO_RESTORE}"),
        "{text}"
    );
    env.ordain(["policy", "test", "acme"]).success();
    // Where there is no bundle, nothing is permitted.
    let test = ["policy", "new", "test", "elsewhere.yaml", "--scope=acme"];
    env.ordain(test).success();
    assert!(env.read("elsewhere.yaml").contains("reason_code: NO_MATCH"));
}

#[test]
fn nothing_is_overwritten_and_no_file_is_made_that_is_not_read() {
    let env = bundle();
    let before = env.read("acme/policies/acme.yaml");
    let again = env.ordain([
        "policy",
        "new",
        "policy",
        "acme/policies/acme.yaml",
        "--scope=acme",
    ]);
    fails(&again, 2, "E-CONFIG-011");
    assert_eq!(env.read("acme/policies/acme.yaml"), before);
    fails(
        &env.ordain(["policy", "new", "bundle", "acme", "--scope=acme"]),
        2,
        "E-CONFIG-011",
    );
    let ending = env.ordain([
        "policy",
        "new",
        "policy",
        "acme/policies/b.yml",
        "--scope=acme",
    ]);
    fails(&ending, 2, "E-CONFIG-001");
    let named = env.ordain([
        "policy",
        "new",
        "test",
        "t.yaml",
        "--scope=acme",
        "--name=x",
    ]);
    fails(&named, 2, "E-CONFIG-001");
}
