//! `ordain trust init` writes what was asked for, or nothing.

use super::support::TestEnv;
use super::support::keys::snakeoil;

#[test]
fn one_namespace_with_two_publishers_is_refused() {
    let env = TestEnv::new();
    for name in ["alice", "bob"] {
        snakeoil(name).write(&env.work());
    }
    let base = [
        "trust",
        "init",
        "--threshold",
        "2",
        "--expires",
        "1y",
        "--namespace",
        "acme",
    ];
    let principals = ["--principal", "alice=alice", "--principal", "bob=bob"];
    let mut arguments: Vec<&str> = base.iter().chain(&principals).copied().collect();
    arguments.extend(["--publisher", "acme=bob:1"]);
    let output = env.ordain(&arguments);
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("E-CONFIG-001"), "{output}");
    assert!(!env.work().join("trust").exists(), "nothing is written");
    arguments.truncate(base.len() + principals.len());
    env.ordain(&arguments).success();
}
