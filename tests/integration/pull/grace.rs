//! Past its time, what is active may decide for a grace, marked stale, and nothing else may.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;

use crate::support::organisation::{BUNDLE, Organisation, fails, reason_code, request};
use crate::support::roots::rotate;

/// The statement is issued at the tests' moment, and expires 90 days later.
const LATE: &str = "2027-02-21T00:00:00Z";
const TOO_LATE: &str = "2027-03-01T00:00:00Z";

fn times(world: &Organisation, times: &str) {
    let text = world.env.read("app/ordain.yaml");
    let (before, _) = text.split_once("path: bundles/acme").unwrap();
    let text = format!("{before}path: bundles/acme{times}}}\n");
    world.env.write("app/ordain.yaml", text);
}

/// A consumer with a grace of a week that has pulled revision 1.
fn world() -> Organisation {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), Some("main"));
    times(&world, ", grace: 7d");
    world.pull("app", &[]).success();
    world
}

fn records(world: &Organisation) -> String {
    let directory = world.env.work().join("app/.ordain/log");
    let entries = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    entries
        .filter(|path| path.extension().is_some_and(|ending| ending == "jsonl"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect()
}

#[track_caller]
fn is_stale(world: &Organisation, flags: &[&str]) {
    let output = world.eval("app", flags);
    output.success();
    let decision = output.json()["decisions"][0].clone();
    assert_eq!(decision["stale"], true, "{output}");
    assert_eq!(decision["outcome"], "allowed", "{output}");
    assert!(output.stderr.contains("is past its time since"), "{output}");
}

#[test]
fn what_is_active_decides_within_its_grace_and_says_that_it_is_stale() {
    let mut world = world();
    let fresh = world.eval("app", &[]);
    assert_eq!(fresh.json()["decisions"][0]["stale"], false, "{fresh}");
    assert!(!fresh.stderr.contains("past its time"), "{fresh}");
    world.env.set("ORDAIN_NOW", LATE);
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        is_stale(&world, flags);
    }
    let stale = records(&world)
        .lines()
        .filter(|line| line.contains("\"stale\":true"))
        .count();
    assert_eq!(stale, 3, "it is on record");
    let text = world.env.ordain_in("app", ["eval", "read_x.json"]);
    assert!(text.success().contains("[stale policy]"), "{text}");
    // After the grace it is denied as ever, under its own code.
    world.env.set("ORDAIN_NOW", TOO_LATE);
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        let denied = world.eval("app", flags);
        fails(&denied, 3, "E-TRUST-023");
        assert_eq!(denied.json()["decisions"][0]["outcome"], "denied");
        assert_eq!(reason_code(&denied.json()), "POLICY_NOT_TRUSTED");
    }
}

#[test]
fn without_a_grace_nothing_is_late() {
    let mut world = world();
    times(&world, "");
    world.env.set("ORDAIN_NOW", LATE);
    fails(&world.eval("app", &[]), 3, "E-TRUST-023");
    times(&world, ", grace: 0d");
    fails(&world.eval("app", &[]), 2, "E-YAML-014");
}

#[test]
fn the_grace_also_follows_max_age() {
    let mut world = world();
    times(&world, ", max_age: 30d, grace: 7d");
    world.env.set("ORDAIN_NOW", "2026-12-22T12:00:00Z");
    assert_eq!(
        world.eval("app", &[]).json()["decisions"][0]["stale"],
        false
    );
    world.env.set("ORDAIN_NOW", "2026-12-22T12:00:01Z");
    is_stale(&world, &[]);
    world.env.set("ORDAIN_NOW", "2026-12-29T12:00:01Z");
    fails(&world.eval("app", &[]), 3, "E-TRUST-024");
}

#[test]
fn what_is_fetched_late_is_never_accepted() {
    let mut world = world();
    let lock = world.lockfile("app");
    world.env.set("ORDAIN_NOW", LATE);
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        fails(&world.pull("app", flags), 3, "E-TRUST-023");
    }
    let refused = world.env.ordain_in("app", ["bundle", "verify"]);
    fails(&refused, 3, "E-TRUST-023");
    assert!(
        refused
            .stderr
            .contains("it decides until 2027-02-27T12:00:00Z"),
        "{refused}"
    );
    is_stale(&world, &[]);
    // The very same bytes, fetched again.
    fs::remove_dir_all(world.cache()).unwrap();
    fails(&world.eval("app", &[]), 3, "E-TRUST-023");
    fails(&world.eval("app", &["--locked"]), 3, "E-TRUST-023");
    assert_eq!(world.lockfile("app"), lock);
}

#[test]
fn a_machine_that_never_accepted_it_in_time_has_no_grace() {
    let mut world = world();
    world.env.set("ORDAIN_NOW", LATE);
    is_stale(&world, &["--frozen"]);
    // The lockfile and the store come from elsewhere, the state does not.
    fs::remove_dir_all(world.state()).unwrap();
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-023");
}

#[test]
fn verify_says_how_long_it_would_decide() {
    let world = world();
    let output = world.env.ordain_in("app", ["bundle", "verify"]);
    let line = "  grace      7d: active, it decides until 2027-02-27T12:00:00Z";
    assert!(output.success().contains(line), "{output}");
}

#[test]
fn the_grace_saves_nothing_that_is_refused_for_another_reason() {
    // Tampered with.
    let mut tampered = world();
    tampered.env.set("ORDAIN_NOW", LATE);
    let path = tampered.stored("app");
    let mut bytes = fs::read(&path).unwrap();
    let at = bytes.windows(4).position(|bytes| bytes == b"ONE,").unwrap();
    bytes[at..at + 3].copy_from_slice(b"EVL");
    fs::write(&path, bytes).unwrap();
    fails(&tampered.eval("app", &["--frozen"]), 3, "E-TRUST-028");
    // Revoked.
    let mut revoked = world();
    revoked.env.set("ORDAIN_NOW", LATE);
    let payload: ordain::digest::Sha256Digest = revoked.locked("app")["payload"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    let directory = revoked.env.work().join("trust");
    rotate(&directory, 1, &["alice"], |root| {
        root.revoked.payloads.extend([payload])
    });
    fails(&revoked.eval("app", &["--frozen"]), 3, "E-TRUST-025");
    // Rolled back.
    let mut back = world();
    let old = back.lockfile("app");
    back.publish("TWO");
    back.pull("app", &[]).success();
    back.env.write("app/ordain.lock", old);
    back.env.set("ORDAIN_NOW", LATE);
    fails(&back.eval("app", &["--frozen"]), 3, "E-TRUST-020");
}

#[test]
fn the_grace_ends_with_the_root() {
    let mut world = world();
    let directory = world.env.work().join("trust");
    rotate(&directory, 1, &["alice"], |root| {
        root.expires = "2027-02-22T00:00:00Z".parse().unwrap();
    });
    world.env.set("ORDAIN_NOW", LATE);
    let output = world.eval("app", &["--frozen"]);
    output.success();
    assert!(
        output.stderr.contains("decides until 2027-02-22T00:00:00Z"),
        "{output}"
    );
    world.env.set("ORDAIN_NOW", "2027-02-22T00:00:00Z");
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-048");
}

#[test]
fn a_run_that_lasts_does_not_outlive_its_policy() {
    let mut world = Organisation::new();
    // Real time from here on.
    world.env.set("ORDAIN_NOW", "");
    rotate(&world.env.work().join("trust"), 1, &["alice"], |root| {
        root.expires = "2100-01-01T00:00:00Z".parse().unwrap();
    });
    world.edit("ONE");
    world.consumer("app", &world.file_url(), Some("main"));
    let end = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(13);
    let sign = [
        "bundle",
        "sign",
        BUNDLE,
        "--key=keys/alice",
        "--expires=12s",
    ];
    world.env.ordain(sign).success();
    world.commit();
    world.pull("app", &[]).success();
    let mut child = world
        .silent("app", &["eval", "--format=jsonl"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    writeln!(input, "{}", request("read_x")).unwrap();
    while jiff::Timestamp::now() <= end {
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    writeln!(input, "{}", request("read_x")).unwrap();
    writeln!(input, "{}", request("read_x")).unwrap();
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let decisions: Vec<Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let outcomes: Vec<&str> = decisions
        .iter()
        .map(|d| d["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(outcomes, ["allowed", "denied", "denied"], "{said}");
    assert_eq!(decisions[1]["reason_code"], "POLICY_NOT_TRUSTED");
    assert_eq!(said.matches("[E-TRUST-023]").count(), 1, "{said}");
    assert_eq!(output.status.code(), Some(3), "{said}");
}

#[test]
fn the_policy_that_decides_is_shown_and_marked_stale() {
    let mut world = world();
    let resolve = |world: &Organisation, flags: &[&str]| {
        let arguments = ["policy", "resolve"].iter().chain(flags);
        world.env.ordain_in("app", arguments)
    };
    let fresh = resolve(&world, &["--json"]);
    assert_eq!(fresh.json()["stale"], false, "{fresh}");
    assert!(!resolve(&world, &[]).success().contains("stale"));
    let lock = world.lockfile("app");
    world.env.set("ORDAIN_NOW", LATE);
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        let shown = resolve(&world, flags);
        let line = "stale   since 2027-02-20T12:00:00Z; decides until 2027-02-27T12:00:00Z";
        assert!(shown.success().contains(line), "{shown}");
        assert!(shown.stderr.contains("is past its time since"), "{shown}");
    }
    let shown = resolve(&world, &["--json", "--frozen"]);
    assert_eq!(shown.json()["stale"], true, "{shown}");
    assert_eq!(world.lockfile("app"), lock);
    // What leaves this machine is fresh.
    let export = ["bundle", "export", "--output=out", "--frozen"];
    fails(&world.env.ordain_in("app", export), 3, "E-TRUST-023");
    world.env.set("ORDAIN_NOW", TOO_LATE);
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        fails(&resolve(&world, flags), 3, "E-TRUST-023");
    }
}

#[test]
fn lengths_and_times_are_told_as_people_write_them() {
    let mut world = world();
    times(&world, ", max_age: 20d, grace: 7d");
    world.env.set("ORDAIN_NOW", "2026-12-12T12:00:01Z");
    let stale = world.eval("app", &[]);
    let said = "past its time since 2026-12-12T12:00:00Z; it decides until 2026-12-19T12:00:00Z";
    stale.success();
    assert!(stale.stderr.contains(said), "{stale}");
    let verify = ["bundle", "verify", "--explain"];
    for refused in [world.pull("app", &[]), world.env.ordain_in("app", verify)] {
        fails(&refused, 3, "E-TRUST-024");
        assert!(refused.stderr.contains("`max_age` of 20d"), "{refused}");
        assert!(!refused.to_string().contains("480h"), "{refused}");
    }
}
