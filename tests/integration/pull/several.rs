//! Two bundles of one consumer: all of a pull or none of it, and what they require of one another.

use crate::support::organisation::{Organisation, fails};

const TEAM: &str = "policy/bundles/team";

/// The bundles `acme` and `team` in one repository; `team` requires this of `acme`.
fn world() -> Organisation {
    let world = Organisation::new();
    world
        .env
        .ordain(["bundle", "new", TEAM, "--namespace=acme/team"])
        .success();
    world.publish("ONE");
    world
}

fn sign_team(world: &Organisation, who: &str, more: &[&str]) {
    let key = format!("--key=keys/{who}");
    let arguments = ["bundle", "sign", TEAM, "--expires=90d", &key];
    world.env.ordain(arguments.iter().chain(more)).success();
    world.commit();
}

fn edit_team(world: &Organisation, description: &str) {
    let manifest = world.env.read(format!("{TEAM}/bundle.yaml"));
    let manifest = manifest.replace("description: \"", &format!("description: \"{description}"));
    world.env.write(format!("{TEAM}/bundle.yaml"), manifest);
}

/// A consumer of both.
fn consumer(world: &Organisation) {
    world.consumer("app", &world.file_url(), Some("main"));
    let text = world
        .env
        .read("app/ordain.yaml")
        .replace("scope: acme", "scope: acme/team");
    let team = "- {name: team, git: ../policy, ref: main, path: bundles/team}\n";
    world.env.write("app/ordain.yaml", text + team);
}

fn revisions(world: &Organisation) -> [u64; 2] {
    let lock: serde_json::Value = serde_json::from_str(&world.lockfile("app")).unwrap();
    ["acme", "team"].map(|name| lock["bundles"][name]["revision"].as_u64().unwrap())
}

#[test]
fn a_pull_takes_all_bundles_or_none() {
    let world = world();
    sign_team(&world, "alice", &[]);
    consumer(&world);
    world.pull("app", &[]).success();
    assert_eq!(revisions(&world), [1, 1]);
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    let lock = world.lockfile("app");
    world.publish("TWO");
    edit_team(&world, "x");
    sign_team(&world, "carol", &[]);
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    assert_eq!(world.lockfile("app"), lock);
    assert_eq!(world.mark(), Some(1));
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    sign_team(&world, "bob", &[]);
    world.pull("app", &[]).success();
    assert_eq!(revisions(&world), [2, 2]);
    assert_eq!(world.decided_by("app", &["--frozen"]), "TWO");
}

#[test]
fn a_bundle_waits_for_what_it_requires() {
    let world = world();
    sign_team(&world, "alice", &["--requires=acme@1.2"]);
    consumer(&world);
    fails(&world.pull("app", &[]), 3, "E-TRUST-055");
    assert!(!world.env.work().join("app/ordain.lock").exists());
    world.publish("TWO");
    world.pull("app", &[]).success();
    assert_eq!(revisions(&world), [2, 1]);
}

#[test]
fn a_bundle_that_is_added_leaves_the_others_as_they_were_locked() {
    let world = world();
    sign_team(&world, "alice", &[]);
    world.consumer("app", &world.file_url(), Some("main"));
    world.pull("app", &[]).success();
    world.publish("TWO");
    consumer(&world);
    fails(&world.eval("app", &["--locked"]), 2, "E-CONFIG-007");
    assert_eq!(world.decided_by("app", &[]), "ONE");
    assert_eq!(revisions(&world), [1, 1]);
    world.pull("app", &[]).success();
    assert_eq!(revisions(&world), [2, 1]);
}
