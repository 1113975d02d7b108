//! `--locked`, `--offline`, `--frozen`, CI, and what protects when lockfile, cache or state are gone or were changed.

use std::fs;

use crate::support::Output;
use crate::support::organisation::{BUNDLE, Organisation, fails, reason_code};

/// A consumer that has pulled revision 1.
fn pulled() -> Organisation {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), Some("main"));
    world.pull("app", &[]).success();
    world
}

fn ci(world: &Organisation, arguments: &[&str]) -> Output {
    let mut command = world.env.command(crate::support::env::binary());
    command
        .args(arguments)
        .env("CI", "true")
        .current_dir(world.env.work().join("app"));
    world.env.run(command, b"")
}

#[test]
fn without_a_lockfile_locked_is_refused() {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), None);
    for flag in ["--locked", "--frozen"] {
        fails(&world.pull("app", &[flag]), 2, "E-CONFIG-007");
        let denied = world.eval("app", &[flag]);
        fails(&denied, 2, "E-CONFIG-007");
        assert_eq!(denied.json()["decisions"][0]["outcome"], "denied");
    }
    fails(&ci(&world, &["bundle", "pull"]), 2, "E-CONFIG-007");
    fails(&ci(&world, &["eval", "read_x.json"]), 2, "E-CONFIG-007");
    fails(&world.pull("app", &["--offline"]), 4, "E-SOURCE-016");
    assert!(!world.env.work().join("app/ordain.lock").exists());
    // Without flags `eval` pulls by itself.
    assert_eq!(world.decided_by("app", &[]), "ONE");
    ci(&world, &["eval", "read_x.json"]).success();
}

#[test]
fn locked_refuses_another_source() {
    let world = pulled();
    let lock = world.lockfile("app");
    for (url, reference) in [
        (world.repository().display().to_string(), "main"),
        (world.file_url(), "refs/heads/main"),
    ] {
        world.consumer("app", &url, Some(reference));
        fails(&world.pull("app", &["--locked"]), 3, "E-CONFIG-008");
        fails(&world.eval("app", &["--frozen"]), 3, "E-CONFIG-008");
        assert_eq!(world.lockfile("app"), lock);
    }
    // Without a flag the new source is taken, since it has nothing older.
    assert_eq!(world.decided_by("app", &[]), "ONE");
    assert_ne!(world.lockfile("app"), lock);
}

#[test]
fn locked_takes_the_locked_commit_wherever_the_branch_went() {
    let world = pulled();
    let lock = world.lockfile("app");
    world.publish("TWO");
    for cached in [true, false] {
        if !cached {
            fs::remove_dir_all(world.cache()).unwrap();
            fails(&world.pull("app", &["--frozen"]), 4, "E-SOURCE-016");
        }
        world.pull("app", &["--locked"]).success();
        ci(&world, &["bundle", "pull"]).success();
        assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
        assert_eq!(world.lockfile("app"), lock);
    }
}

#[test]
fn locked_and_frozen_write_nothing() {
    let world = pulled();
    // Another spelling of the same, as a formatter or `core.autocrlf` may leave it.
    let lock = world.lockfile("app").replace('\n', "\r\n");
    world.env.write("app/ordain.lock", &lock);
    for flag in ["--locked", "--frozen"] {
        world.pull("app", &[flag]).success();
        assert_eq!(world.decided_by("app", &[flag]), "ONE");
        assert_eq!(world.lockfile("app"), lock);
    }
}

#[test]
fn a_commit_that_is_gone_is_replaced_by_one_with_the_same_payload() {
    let world = pulled();
    let lock = world.lockfile("app");
    let gone = world.locked("app")["commit"].as_str().unwrap().to_owned();
    let amend = ["commit", "--quiet", "--amend", "--message=another id"];
    world.env.git("policy", amend);
    world
        .env
        .git("policy", ["reflog", "expire", "--expire=now", "--all"]);
    world.env.git("policy", ["gc", "--quiet", "--prune=now"]);
    assert_ne!(world.env.git("policy", ["rev-parse", "HEAD"]), gone);
    fs::remove_dir_all(world.cache()).unwrap();
    assert_eq!(world.decided_by("app", &["--locked"]), "ONE");
    assert_eq!(world.lockfile("app"), lock);
    // Gone, and replaced by something newer.
    world.publish("TWO");
    world
        .env
        .git("policy", ["checkout", "--quiet", "--orphan", "other"]);
    world.commit();
    world
        .env
        .git("policy", ["branch", "--force", "main", "other"]);
    world
        .env
        .git("policy", ["reflog", "expire", "--expire=now", "--all"]);
    world.env.git("policy", ["gc", "--quiet", "--prune=now"]);
    fs::remove_dir_all(world.cache()).unwrap();
    fails(&world.eval("app", &["--locked"]), 3, "E-CONFIG-008");
    assert_eq!(world.lockfile("app"), lock);
}

#[test]
fn a_commit_beside_the_bundle_changes_nothing_of_the_lockfile() {
    let world = pulled();
    let lock = world.lockfile("app");
    world.env.write("policy/README.md", "unrelated");
    world.commit();
    world.pull("app", &[]).success();
    assert_eq!(world.lockfile("app"), lock);
}

#[test]
fn a_tampered_store_is_healed_by_a_fetch_and_refused_without_one() {
    let world = pulled();
    world.publish("TWO");
    let old = fs::read(world.stored("app")).unwrap();
    world.pull("app", &[]).success();
    let path = world.stored("app");
    let whole = fs::read(&path).unwrap();
    let at = whole.windows(4).position(|bytes| bytes == b"TWO,").unwrap();
    let mut changed = whole.clone();
    changed[at..at + 3].copy_from_slice(b"EVL");
    for (what, bytes, code) in [
        ("a changed byte", &changed[..], "E-TRUST-028"),
        ("a cut", &whole[..whole.len() - 1], "E-SOURCE-041"),
        ("nothing", b"", "E-SOURCE-041"),
        ("an older bundle, well signed", &old, "E-SOURCE-041"),
    ] {
        fs::write(&path, bytes).unwrap();
        let refused = world.eval("app", &["--frozen"]);
        fails(&refused, 3, code);
        assert_eq!(
            refused.json()["decisions"][0]["outcome"],
            "denied",
            "{what}"
        );
        assert_eq!(reason_code(&refused.json()), "POLICY_NOT_TRUSTED", "{what}");
        assert_eq!(world.decided_by("app", &["--locked"]), "TWO", "{what}");
        assert!(fs::read(&path).unwrap() == whole, "{what} is healed");
        assert_eq!(world.decided_by("app", &["--frozen"]), "TWO", "{what}");
    }
}

#[test]
fn a_lockfile_edited_down_is_refused_since_the_machine_remembers() {
    let world = pulled();
    let old = world.lockfile("app");
    world.publish("TWO");
    world.pull("app", &[]).success();
    world.env.write("app/ordain.lock", &old);
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        fails(&world.eval("app", flags), 3, "E-TRUST-020");
    }
    assert_eq!(world.mark(), Some(2));
    // A number that says otherwise than the payload does not help.
    let lied = old.replace("\"revision\": 1", "\"revision\": 3");
    world.env.write("app/ordain.lock", &lied);
    fails(&world.eval("app", &["--locked"]), 3, "E-TRUST-020");
    world.env.write("app/ordain.lock", "<<<<<<< ours\n");
    fails(&world.eval("app", &[]), 2, "E-CONFIG-006");
    fs::remove_file(world.env.work().join("app/ordain.lock")).unwrap();
    assert_eq!(world.decided_by("app", &[]), "TWO");
}

#[test]
fn without_the_machines_state_the_lockfile_protects() {
    let world = pulled();
    let first = world.env.git("policy", ["rev-parse", "HEAD"]);
    world.publish("TWO");
    world.pull("app", &[]).success();
    let lock = world.lockfile("app");
    fs::remove_dir_all(world.state()).unwrap();
    world.force(&first);
    fails(&world.pull("app", &[]), 3, "E-TRUST-020");
    assert_eq!(world.lockfile("app"), lock);
    world.publish("OTHER");
    fails(&world.pull("app", &[]), 3, "E-TRUST-021");
    assert_eq!(world.decided_by("app", &["--frozen"]), "TWO");
    assert_eq!(world.mark(), Some(2), "the mark is there again");
}

#[test]
fn a_lockfile_with_another_payload_of_the_same_revision_is_refused() {
    let mut world = pulled();
    let first = world.env.git("policy", ["rev-parse", "HEAD"]);
    world.publish("TWO");
    world.pull("app", &[]).success();
    // Another machine has been told another story, and its lockfile comes here.
    world.force(&first);
    world.publish("OTHER");
    let elsewhere = world.env.root().join("elsewhere");
    let here = world.state();
    world
        .env
        .set("ORDAIN_STATE_DIR", elsewhere.to_string_lossy());
    fs::remove_file(world.env.work().join("app/ordain.lock")).unwrap();
    world.pull("app", &[]).success();
    world.env.set("ORDAIN_STATE_DIR", here.to_string_lossy());
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        fails(&world.eval("app", flags), 3, "E-TRUST-021");
    }
    fails(&world.pull("app", &[]), 3, "E-TRUST-021");
}

#[test]
fn an_unsafe_state_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let world = pulled();
    let file = world.state().join("state.json");
    let mode = |path: &std::path::Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    mode(&file, 0o660);
    fails(&world.eval("app", &[]), 3, "E-SOURCE-043");
    mode(&file, 0o600);
    mode(&world.state(), 0o777);
    fails(&world.eval("app", &[]), 3, "E-SOURCE-043");
    mode(&world.state(), 0o700);
    let aside = world.state().with_extension("aside");
    fs::rename(world.state(), &aside).unwrap();
    std::os::unix::fs::symlink(&aside, world.state()).unwrap();
    fails(&world.eval("app", &[]), 3, "E-SOURCE-043");
}

#[test]
fn a_generous_umask_does_not_make_the_first_pull_unsafe() {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), None);
    let mut shell = world.env.command("sh");
    shell
        .args([
            "-c",
            "umask 002 && ordain bundle pull && ordain eval --frozen read_x.json",
        ])
        .current_dir(world.env.work().join("app"));
    world.env.run(shell, b"").success();
}

#[test]
fn a_damaged_state_is_refused_and_so_is_a_clock_that_was_set_back() {
    let world = pulled();
    let file = world.state().join("state.json");
    let whole = fs::read_to_string(&file).unwrap();
    for text in [
        "",
        "{",
        "{}",
        &whole.replace("ordain-state/v1", "ordain-state/v2"),
    ] {
        fs::write(&file, text).unwrap();
        fails(&world.eval("app", &["--frozen"]), 3, "E-SOURCE-044");
        fails(&world.pull("app", &[]), 3, "E-SOURCE-044");
    }
    let mut seen: serde_json::Value = serde_json::from_str(&whole).unwrap();
    seen["last_seen"] = "2099-01-01T00:00:00Z".into();
    fs::write(&file, seen.to_string()).unwrap();
    let mut command = world.env.command(crate::support::env::binary());
    command
        .args(["eval", "read_x.json"])
        .env_remove("ORDAIN_NOW")
        .current_dir(world.env.work().join("app"));
    fails(&world.env.run(command, b""), 3, "E-CONFIG-014");
}

#[test]
fn the_bundle_directory_is_what_was_published() {
    // What the tests above stand on.
    let world = pulled();
    let output = world.env.ordain(["bundle", "inspect", BUNDLE]);
    assert!(output.success().contains("revision   1.1"), "{output}");
}
