//! Two bundles of one consumer: all of a pull or none of it, and what they require of one another.

use std::num::NonZeroU64;

use ordain::bundle::{Limits, Requirement};
use ordain::digest::Sha256Digest;
use ordain::trust::{Envelope, NextRevision, Unchanged, sign_bundle};

use crate::support::organisation::{BUNDLE, Organisation, fails};
use crate::support::roots;

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

/// Signs `team` with the library, which can pin a payload.
fn sign_team_requiring(world: &Organisation, pinned: Option<Sha256Digest>) {
    let dir = world.env.work().join(TEAM);
    let limits = Limits::default();
    let fetched = ordain::pipeline::read_directory(&dir, &limits).unwrap();
    let requirement = Requirement {
        bundle: "acme".parse().unwrap(),
        epoch: NonZeroU64::MIN,
        revision: NonZeroU64::MIN,
        payload_sha256: pinned,
    };
    let now = crate::support::env::NOW.parse().unwrap();
    let next = NextRevision {
        now,
        unchanged: Unchanged::Renew,
        expires: Some(now + jiff::SignedDuration::from_hours(24)),
        epoch: None,
        revision: None,
        requires: Some(vec![requirement]),
        rolls_back: None,
    };
    let signed = sign_bundle(&fetched, &[roots::key("alice")], &next, &limits).unwrap();
    std::fs::write(dir.join("bundle.dsse.json"), signed.envelope.to_json()).unwrap();
    world.commit();
}

#[test]
fn an_old_parent_is_never_mixed_with_a_new_child() {
    let world = world();
    let old = world.env.git("policy", ["rev-parse", "HEAD"]);
    world.publish("TWO");
    sign_team(&world, "alice", &["--requires=acme@1.2"]);
    // The parent comes from a mirror that stopped at revision 1, the child from the newest commit.
    world.consumer("app", &world.file_url(), Some(&old));
    let text = world
        .env
        .read("app/ordain.yaml")
        .replace("scope: acme", "scope: acme/team");
    let team = "- {name: team, git: ../policy, ref: main, path: bundles/team}\n";
    world.env.write("app/ordain.yaml", text + team);
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-055");
    assert!(
        refused
            .stderr
            .contains("requires revision 1.2 of bundle `acme`, which is at 1.1"),
        "{refused}"
    );
    assert!(!world.env.work().join("app/ordain.lock").exists());
    consumer(&world);
    world.pull("app", &[]).success();
    assert_eq!(revisions(&world), [2, 1]);
}

#[test]
fn a_pinned_payload_is_that_one_and_no_later_one() {
    let world = world();
    consumer(&world);
    sign_team_requiring(&world, Some(Sha256Digest::of(b"another")));
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-055");
    assert!(
        refused
            .stderr
            .contains(&Sha256Digest::of(b"another").to_string()),
        "{refused}"
    );
    let envelope = world.env.read(format!("{BUNDLE}/bundle.dsse.json"));
    let envelope = Envelope::parse(envelope.as_bytes(), &Limits::default()).unwrap();
    sign_team_requiring(&world, Some(envelope.payload_digest()));
    world.pull("app", &[]).success();
    let lock = world.lockfile("app");
    world.publish("TWO");
    fails(&world.pull("app", &[]), 3, "E-TRUST-055");
    assert_eq!(world.lockfile("app"), lock);
    sign_team_requiring(&world, None);
    world.pull("app", &[]).success();
    assert_eq!(revisions(&world), [2, 3]);
}

#[test]
fn bundles_that_require_one_another_are_refused() {
    let world = world();
    consumer(&world);
    sign_team(&world, "alice", &["--requires=acme@1.1"]);
    world.pull("app", &[]).success();
    let lock = world.lockfile("app");
    world.publish_as("TWO", &["--requires=team@1.1"]);
    fails(&world.pull("app", &[]), 3, "E-TRUST-056");
    assert_eq!(world.lockfile("app"), lock);
    // A bundle that nobody configured is missing, not met.
    world.publish_as("THREE", &["--requires=elsewhere@1.1"]);
    fails(&world.pull("app", &[]), 3, "E-TRUST-054");
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn each_repository_has_its_own_signers_and_speaks_for_its_own_namespace() {
    let world = Organisation::new();
    world.publish("ONE");
    // Carol publishes for the team, from a repository of its own.
    let directory = world.env.work().join("trust");
    roots::rotate(&directory, 1, &["alice"], |root| {
        let carol = "carol".parse().unwrap();
        root.principals.insert(carol, roots::principal("carol"));
        let mut role = root.roles[&"publisher/acme".parse().unwrap()].clone();
        role.namespaces = ["acme/team".parse().unwrap()].into();
        root.roles
            .insert("publisher/acme/team".parse().unwrap(), role);
        roots::members(root, "publisher/acme/team", &["carol"], 1);
    });
    world
        .env
        .git(".", ["init", "--quiet", "--initial-branch=main", "other"]);
    let new = ["bundle", "new", "other/team", "--namespace=acme/team"];
    world.env.ordain(new).success();
    let publish = |who: &str| {
        let key = format!("--key=keys/{who}");
        let sign = [
            "bundle",
            "sign",
            "other/team",
            "--renew",
            "--expires=90d",
            &key,
        ];
        world.env.ordain(sign).success();
        world.env.git("other", ["add", "--all"]);
        world
            .env
            .git("other", ["commit", "--quiet", "--message=team"]);
    };
    publish("carol");
    world.consumer("app", &world.file_url(), Some("main"));
    let text = world
        .env
        .read("app/ordain.yaml")
        .replace("scope: acme", "scope: acme/team");
    let team = "- {name: team, git: ../other, ref: main, path: team}\n";
    world.env.write("app/ordain.yaml", text + team);
    world.pull("app", &[]).success();
    let lock: serde_json::Value = serde_json::from_str(&world.lockfile("app")).unwrap();
    for (name, who) in [("acme", "alice"), ("team", "carol")] {
        assert_eq!(lock["bundles"][name]["signers"][0]["principal"], who);
    }
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    let lock = world.lockfile("app");

    // The team's signers do not speak for the organisation, nor the organisation's for the team.
    publish("alice");
    fails(&world.pull("app", &[]), 3, "E-TRUST-018");
    publish("carol");
    world.edit("TWO");
    world.sign(&["carol"], &[]).success();
    world.commit();
    fails(&world.pull("app", &[]), 3, "E-TRUST-018");
    world.publish("TWO");
    // A scope outside the namespace is refused where policies are put together.
    let outside =
        "apiVersion: ordain/v1\nkind: Policy\nscope: acme/other\nmode: enforce\nrules: []\n";
    world.env.write("other/team/policies/outside.yaml", outside);
    publish("carol");
    fails(&world.pull("app", &[]), 2, "E-POLICY-009");
    assert_eq!(world.lockfile("app"), lock);
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}
