//! Policies that are kept compiled, as a user of `ordain eval` has them.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::organisation::{Organisation, fails, request};

/// A consumer of a policy of so many rules.
fn consumer(rules: usize) -> Organisation {
    let world = Organisation::new();
    world.publish("READ");
    let path = "policy/bundles/acme/policies/acme.yaml";
    let mut text = world.env.read(path);
    for number in 0..rules {
        text += &format!(
            "- {{id: r{number:03}, effect: deny, reason: never, match: {{action: act-{number}}}}}\n"
        );
    }
    world.env.write(path, text);
    world.sign(&["alice"], &[]).success();
    world.commit();
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    world
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// What is decided of a request, but for what differs each time.
fn decided(world: &Organisation) -> Value {
    let output = world.eval("app", &[]);
    output.success();
    let mut decision = output.json()["decisions"][0].take();
    for own in ["decision_id", "time", "duration_ns"] {
        decision.as_object_mut().unwrap().remove(own);
    }
    decision
}

#[test]
fn a_policy_is_kept_and_decides_the_same() {
    let world = consumer(300);
    let (noted, kept) = (
        world.state().join("compiled"),
        world.cache().join("compiled"),
    );
    assert!(files(&noted).is_empty() && files(&kept).is_empty());
    let first = decided(&world);
    assert_eq!((files(&noted).len(), files(&kept).len()), (1, 1));
    let written = fs::metadata(&files(&noted)[0]).unwrap().modified().unwrap();
    assert_eq!(decided(&world), first);
    // It would have been written again if it had not been used.
    let again = fs::metadata(&files(&noted)[0]).unwrap().modified().unwrap();
    assert_eq!(again, written);
    // Another revision is another policy.
    world.publish("READ_AGAIN");
    world.pull("app", &[]).success();
    assert_eq!(decided(&world)["reason_code"], "READ_AGAIN");
}

/// SECURITY: whoever may write the cache changes no answer, and leads us nowhere.
#[test]
fn a_hostile_cache_decides_nothing() {
    let world = consumer(300);
    let wanted = decided(&world);
    let kept = files(&world.cache().join("compiled"));
    let honest = fs::read(&kept[0]).unwrap();
    let mut forged = honest.clone();
    for byte in &mut forged[8..] {
        // `deny` to `denz`, and whatever else.
        *byte ^= u8::from(*byte == b'y') * 3;
    }
    for bytes in [&forged[..], &honest[..honest.len() / 2], b"", &[0xff; 64]] {
        fs::write(&kept[0], bytes).unwrap();
        assert_eq!(decided(&world), wanted);
    }
    fs::remove_file(&kept[0]).unwrap();
    assert_eq!(decided(&world), wanted);

    // Another directory under the name of ours, of one who has another policy to compile.
    let compiled = world.cache().join("compiled");
    fs::remove_dir_all(&compiled).unwrap();
    let home = world.env.work().join("home");
    fs::create_dir(&home).unwrap();
    for number in 0..50 {
        fs::write(home.join(format!("{number:064x}")), "mine").unwrap();
    }
    std::os::unix::fs::symlink(&home, &compiled).unwrap();
    assert_eq!(decided(&world), wanted);
    assert_eq!(files(&home).len(), 50);
}

/// Changes a byte of the last file in the store's entry: no signature is over it, but the statement names its digest.
fn damage_a_file(world: &Organisation) {
    let stored = world.stored("app");
    let mut bytes = fs::read(&stored).unwrap();
    let last = bytes.last_mut().unwrap();
    *last ^= 1;
    fs::write(&stored, bytes).unwrap();
}

/// SECURITY: files that are not needed are not read. Whoever needs them holds them against what was signed.
#[test]
fn a_kept_policy_stands_for_its_files_and_nothing_else_does() {
    let world = consumer(300);
    let wanted = decided(&world);
    damage_a_file(&world);
    assert_eq!(decided(&world), wanted);
    assert_eq!(world.eval("app", &["--offline"]).status, Some(0));
    // Without it the files are read.
    fs::remove_dir_all(world.cache().join("compiled")).unwrap();
    fails(&world.eval("app", &["--offline"]), 3, "E-TRUST-028");
    assert_eq!(decided(&world), wanted);
    assert_eq!(world.eval("app", &["--offline"]).status, Some(0));
}

/// SECURITY: what was signed is verified each time, whatever was kept.
#[test]
fn a_kept_policy_decides_under_a_verified_statement_only() {
    let world = consumer(300);
    let wanted = decided(&world);
    let stored = world.stored("app");
    let honest = fs::read(&stored).unwrap();
    let text = String::from_utf8_lossy(&honest).into_owned();
    let at = text.find("\"sig\": \"").unwrap() + 10;
    let mut forged = honest.clone();
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    fs::write(&stored, &forged).unwrap();
    fails(&world.eval("app", &["--offline"]), 3, "E-TRUST-009");
    assert_eq!(decided(&world), wanted);
    assert_eq!(fs::read(&stored).unwrap(), honest);

    // A mark that has risen since: the machine has seen a later revision, whatever the lockfile says.
    let lock = world.lockfile("app");
    world.publish("READ_AGAIN");
    world.pull("app", &["--update"]).success();
    world.env.write("app/ordain.lock", lock);
    fails(&world.eval("app", &["--offline"]), 3, "E-TRUST-020");
}

/// Changes a byte of a rule that was kept and that nobody asks for.
fn damage_what_was_kept(world: &Organisation) {
    let kept = files(&world.cache().join("compiled"));
    let mut bytes = fs::read(&kept[0]).unwrap();
    let at = bytes.windows(7).position(|bytes| bytes == b"act-150");
    bytes[at.unwrap()] ^= 1;
    fs::write(&kept[0], bytes).unwrap();
}

/// Many requests are decided by all that was kept, where it is as it was kept; else the files are read, and verified, after all.
#[test]
fn many_requests_are_decided_by_what_was_kept_or_by_the_files_as_they_were_signed() {
    let world = consumer(300);
    decided(&world);
    let requests = (request("read_x") + "\n").repeat(20);
    let eval = |more: &[&str]| {
        let arguments = ["eval", "-", "--format=json"].iter().chain(more);
        let input = requests.as_bytes();
        let output = world.env.ordain_with_input("app", input, arguments);
        let codes = output.json()["decisions"].as_array().unwrap().clone();
        let codes = codes
            .iter()
            .map(|decision| decision["reason_code"].to_string());
        (output.status, codes.collect::<Vec<_>>())
    };
    let wanted = (Some(0), vec!["\"READ\"".to_owned(); 20]);
    assert_eq!(eval(&[]), wanted);
    damage_a_file(&world);
    assert_eq!(eval(&["--offline"]), wanted);
    damage_what_was_kept(&world);
    let (status, codes) = eval(&["--offline"]);
    assert_eq!(status, Some(3));
    assert_eq!(codes[..8], wanted.1[..8]);
    assert!(
        codes[8..]
            .iter()
            .all(|code| code == "\"POLICY_NOT_TRUSTED\""),
        "{codes:?}"
    );
    // What is damaged is fetched again.
    assert_eq!(eval(&[]), wanted);
    assert_eq!(eval(&["--offline"]), wanted);
}

/// Bundles that cannot be had after all are told of, whatever the reason.
#[test]
fn files_that_cannot_be_had_after_all_are_told_of() {
    let world = consumer(300);
    decided(&world);
    damage_a_file(&world);
    damage_what_was_kept(&world);
    let source = world.env.work().join("policy");
    fs::rename(&source, world.env.work().join("elsewhere")).unwrap();
    // What Git objects are kept here would do.
    fs::remove_dir_all(world.cache().join("git")).unwrap();
    let requests = (request("read_x") + "\n").repeat(20);
    let arguments = ["eval", "-", "--format=json"];
    let output = world
        .env
        .ordain_with_input("app", requests.as_bytes(), arguments);
    let decisions = output.json()["decisions"].as_array().unwrap().clone();
    let allowed = |decision: &&Value| decision["effect"] == "allow";
    assert_eq!(decisions.iter().filter(allowed).count(), 8);
    assert_ne!(output.status, Some(0));
    assert_ne!(output.status, Some(1));
    assert_eq!(
        output.stderr.matches("E-SOURCE-").count(),
        1,
        "{}",
        output.stderr
    );
}

/// SECURITY: who may write the directory of digests says what decides, so it is held to what the state's own is.
#[test]
fn a_directory_that_others_may_write_says_nothing() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let world = consumer(300);
    let wanted = decided(&world);
    damage_a_file(&world);
    assert_eq!(decided(&world), wanted);
    let noted = world.state().join("compiled");
    let allow = |mode| fs::set_permissions(&noted, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o775);
    fails(&world.eval("app", &["--offline"]), 3, "E-TRUST-028");
    allow(0o700);
    assert_eq!(world.eval("app", &["--offline"]).status, Some(0));
    let elsewhere = world.env.work().join("noted");
    fs::rename(&noted, &elsewhere).unwrap();
    symlink(&elsewhere, &noted).unwrap();
    fails(&world.eval("app", &["--offline"]), 3, "E-TRUST-028");
}

/// A pipe in the place of a file would wait for somebody to write.
#[test]
fn a_pipe_in_the_place_of_a_file_keeps_nobody_waiting() {
    let world = consumer(300);
    let wanted = decided(&world);
    let kept = files(&world.cache().join("compiled"));
    for file in [&kept[0], &world.stored("app")] {
        fs::remove_file(file).unwrap();
        let made = std::process::Command::new("mkfifo").arg(file).status();
        assert!(made.unwrap().success());
        assert_eq!(decided(&world), wanted);
    }
}

#[test]
fn no_more_is_kept_than_is_of_use() {
    let world = consumer(300);
    let compiled = world.cache().join("compiled");
    fs::create_dir_all(&compiled).unwrap();
    for number in 0..50 {
        fs::write(compiled.join(format!("{number:064x}")), "old").unwrap();
    }
    fs::write(compiled.join("README"), "not ours").unwrap();
    decided(&world);
    assert_eq!(files(&compiled).len(), 33);
    assert!(compiled.join("README").exists());
    let small = consumer(10);
    decided(&small);
    assert!(files(&small.state().join("compiled")).is_empty());
}

/// SECURITY: what a job finds as its state, others may have left there.
#[test]
fn under_ci_nothing_is_kept_or_used() {
    let mut world = consumer(300);
    world.env.set("CI", "true");
    decided(&world);
    assert!(files(&world.state().join("compiled")).is_empty());
}

/// A run that lasts does not outlive its waivers, whether its policy was kept or not.
#[test]
fn a_waiver_lapses_while_requests_are_decided() {
    let text = r#"
apiVersion: ordain/v1
kind: Policy
scope: acme
rules:
- {id: drop, effect: deny, override: any, reason: never, match: {action: drop_x}}
"#;
    let team = r#"
apiVersion: ordain/v1
kind: Policy
scope: acme/a
overrides:
- {rule: "acme#drop", effect: allow, reason: for a while, expires: 2026-11-02T00:00:00Z}
"#;
    let world = Organisation::new();
    world.env.write(
        "dir/bundle.yaml",
        "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n",
    );
    world.env.write("dir/policies/acme.yaml", text);
    world.env.write("dir/policies/a.yaml", team);
    let time = |text: &str| text.parse().unwrap();
    let before = time("2026-11-01T00:00:00Z");
    let limits = ordain::bundle::Limits::default();
    let scope = "acme/a".parse().unwrap();
    let dir = world.env.work().join("dir");
    let served = ordain::pipeline::Served::unsigned(dir, scope, before, &limits).unwrap();
    let asked = crate::support::organisation::request("drop_x");
    let asked = ordain::engine::request::Request::from_json(
        asked.as_bytes(),
        &ordain::engine::request::RequestLimits::default(),
    )
    .unwrap();
    let effect = |now| {
        let decided = served.with_engine(&asked, now, |engine| {
            engine.evaluate(&asked, now).effect().as_str()
        });
        decided.unwrap()
    };
    assert_eq!(effect(before), "allow");
    assert_eq!(effect(time("2026-11-01T23:59:59Z")), "allow");
    assert_eq!(effect(time("2026-11-02T00:00:00Z")), "deny");
    assert_eq!(effect(time("2026-11-03T00:00:00Z")), "deny");
}
