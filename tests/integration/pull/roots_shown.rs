//! What `trust show | verify | allowed-signers export` look at: the roots in force, or one directory alone.

use std::fs;

use super::roots::{kept, world};
use crate::support::keys::snakeoil;
use crate::support::organisation::{Organisation, fails};
use crate::support::roots::{self, push, rotate, rotate_to};
use crate::transfer::{Island, export};

/// Root 9 revokes Alice's key; the last is 12. Root 1 alone lies in the consumer's directory.
fn walked() -> Organisation {
    let (world, published) = world();
    rotate_to(&published, 1, 8);
    let alice = roots::key("alice").public().id();
    rotate(&published, 8, &["bob"], |root| {
        root.revoked.keys.extend([alice]);
    });
    for after in 9..12 {
        rotate(&published, after, &["bob"], |_| {});
    }
    push(&world);
    world.edit("TWO");
    world.sign(&["bob"], &[]).success();
    world.commit();
    world.pull("app", &[]).success();
    world
}

#[test]
fn the_roots_in_force_are_those_that_were_walked() {
    let world = walked();
    let trust = |arguments: &[&str]| {
        let arguments = ["trust"].iter().chain(arguments);
        world.env.ordain_in("app", arguments)
    };
    let output = trust(&["allowed-signers", "export"]);
    let keys = output.success();
    assert!(!keys.contains("alice"), "{output}");
    assert!(keys.contains("bob"), "{output}");
    let output = trust(&["show"]);
    assert!(output.success().starts_with("trust root 12, "), "{output}");
    assert_eq!(trust(&["show", "--json"]).json()["version"], 12);
    let alice = snakeoil("alice").fingerprint();
    assert_eq!(
        trust(&["show", "--diff=9"]).success(),
        format!("trust root 9 against 8: 1 difference\n! revoked: key {alice} of alice\n")
    );
    let json = trust(&["show", "--diff=1..12", "--json"]).json();
    assert_eq!(json["differences"].as_array().map(Vec::len), Some(1));
    let output = trust(&["verify"]);
    for version in 1..=12 {
        let line = format!("trust root {version}, by root {version}: counts ");
        assert!(output.success().contains(&line), "{line}{output}");
    }
    assert!(
        output.stdout.contains("trust root 12 is good until"),
        "{output}"
    );

    // A directory that is named is looked at alone.
    let output = trust(&["allowed-signers", "export", "--dir=../trust"]);
    assert!(output.success().contains("alice"), "{output}");
    let output = trust(&["show", "--dir=../trust"]);
    assert!(output.success().starts_with("trust root 1, "), "{output}");
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    let output = trust(&["verify", "--dir=../trust", &fingerprint]);
    assert!(
        output.success().contains("trust root 1 is good until"),
        "{output}"
    );

    // Without what was kept no older keys come out.
    fs::remove_dir_all(kept(&world)).unwrap();
    fails(&trust(&["allowed-signers", "export"]), 3, "E-TRUST-049");
    fails(&trust(&["verify"]), 3, "E-TRUST-049");
}

#[test]
fn what_was_carried_in_is_in_force_without_a_root_in_the_directory() {
    let world = walked();
    let island = Island::with_fingerprint(&world.fingerprint);
    island.import(export(&world), &[]).success();
    let trust = |arguments: &[&str]| {
        let arguments = ["trust"].iter().chain(arguments);
        island.env.ordain_in("app", arguments)
    };
    let output = trust(&["show"]);
    assert!(output.success().starts_with("trust root 12, "), "{output}");
    let output = trust(&["allowed-signers", "export"]);
    assert!(!output.success().contains("alice"), "{output}");
    let output = trust(&["verify"]);
    assert!(
        output.success().contains("trust root 1, by root 1: "),
        "{output}"
    );
    fails(&trust(&["show", "--dir=../trust"]), 3, "E-TRUST-041");
}

#[test]
fn roots_that_nobody_fetched_yet_are_said_to_come_with_a_pull() {
    let (world, _) = world();
    roots::trust(&world, "app", "FP, git: ../roots, path: trust");
    for arguments in [&["verify"][..], &["show"], &["allowed-signers", "export"]] {
        let arguments = ["trust"].iter().chain(arguments);
        let output = world.env.ordain_in("app", arguments);
        fails(&output, 4, "E-SOURCE-016");
        assert!(output.stderr.contains("`ordain bundle pull`"), "{output}");
        assert!(!output.stderr.contains("--offline"), "{output}");
    }
}
