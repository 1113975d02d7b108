//! The step back that is meant: the files of an older revision, signed as a new one that says so.

use serde_json::Value;

use crate::support::Output;
use crate::support::organisation::{BUNDLE, Organisation, fails};

/// Revisions 1 (`ONE`) and 2 (`TWO`) were published and pulled; the second was a mistake.
fn world() -> Organisation {
    let world = Organisation::new();
    world.consumer("app", &world.file_url(), Some("main"));
    for reason in ["ONE", "TWO"] {
        world.publish(reason);
        world.pull("app", &[]).success();
    }
    world
}

fn back(world: &Organisation, who: &[&str], more: &[&str]) -> Output {
    world.sign(who, &[&["--rollback-to=1.1"], more].concat())
}

fn statement(world: &Organisation) -> Value {
    let shown = world.env.ordain(["bundle", "inspect", BUNDLE, "--json"]);
    shown.success();
    shown.json()
}

#[test]
fn a_step_back_is_a_new_revision_that_says_where_it_returns_to() {
    let world = world();
    let old = world
        .env
        .git("policy", ["show", "HEAD~1:bundles/acme/bundle.dsse.json"]);
    world.edit("ONE");
    let signed = back(&world, &["alice"], &[]);
    assert!(
        signed.success().contains("signed bundle acme revision 1.3"),
        "{signed}"
    );
    assert!(
        signed.stdout.contains("rolls back to revision 1.1"),
        "{signed}"
    );
    world.commit();
    let pulled = world.pull("app", &[]);
    let line = "went from revision 1.2 to 1.3, which rolls back to 1.1";
    assert!(pulled.success().contains(line), "{pulled}");
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    assert_eq!(world.mark(), Some(3));
    // What is named is the payload that was signed then.
    let payload = statement(&world)["predicate"]["rolls_back"]["payload_sha256"].clone();
    world.env.write("old/bundle.dsse.json", old);
    let old = world.env.ordain(["bundle", "inspect", "old"]);
    assert!(old.success().contains(payload.as_str().unwrap()), "{old}");
    // The next revision is an ordinary one.
    world.publish("THREE");
    let pulled = world.pull("app", &[]);
    assert!(!pulled.success().contains("rolls back"), "{pulled}");
}

#[test]
fn the_older_envelope_may_come_from_a_file_or_be_named_by_its_payload() {
    let world = world();
    let payload = {
        let lock = world
            .env
            .git("policy", ["show", "HEAD~1:bundles/acme/bundle.dsse.json"]);
        world.env.write("old.dsse.json", lock);
        let old = world.env.read("old.dsse.json");
        let envelope =
            ordain::trust::Envelope::parse(old.as_bytes(), &ordain::bundle::Limits::default());
        envelope.unwrap().payload_digest().to_string()
    };
    std::fs::remove_dir_all(world.cache()).unwrap();
    world.edit("ONE");
    let refused = back(&world, &["alice"], &[]);
    fails(&refused, 2, "E-TRUST-080");
    assert!(refused.stderr.contains("--rollback-from"), "{refused}");
    let other = world.sign(
        &["alice"],
        &["--rollback-to=1.2", "--rollback-from=old.dsse.json"],
    );
    fails(&other, 2, "E-TRUST-080");
    let named = format!("--rollback-to={payload}");
    let signed = world.sign(&["alice"], &[&named, "--rollback-from=old.dsse.json"]);
    assert!(
        signed.success().contains("rolls back to revision 1.1"),
        "{signed}"
    );
    let alone = world.sign(&["alice"], &["--rollback-from=old.dsse.json"]);
    assert_eq!(alone.status, Some(2), "{alone}");
}

#[test]
fn other_files_than_those_of_the_older_revision_are_not_signed() {
    let world = world();
    let before = world.env.read(format!("{BUNDLE}/bundle.dsse.json"));
    for (what, reason, extra) in [
        ("a changed file", "OTHER", None),
        ("the newest files", "TWO", None),
        ("one more file", "ONE", Some("extra.txt")),
    ] {
        world.edit(reason);
        if let Some(extra) = extra {
            world.env.write(format!("{BUNDLE}/{extra}"), "x");
        }
        let refused = back(&world, &["alice"], &[]);
        fails(&refused, 2, "E-TRUST-080");
        assert!(
            refused.stderr.contains("is not as in revision 1.1"),
            "{what}: {refused}"
        );
    }
    assert_eq!(world.env.read(format!("{BUNDLE}/bundle.dsse.json")), before);
}

#[test]
fn a_directory_restored_with_its_own_envelope_does_not_reuse_a_number() {
    let world = world();
    world.env.git(
        "policy",
        ["checkout", "--quiet", "HEAD~1", "--", "bundles/acme"],
    );
    let refused = back(&world, &["alice"], &[]);
    fails(&refused, 2, "E-TRUST-040");
    back(&world, &["alice"], &["--revision=3"]).success();
    world.commit();
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn others_co_sign_the_step_back() {
    let world = Organisation::with_threshold(2);
    world.consumer("app", &world.file_url(), Some("main"));
    for reason in ["ONE", "TWO"] {
        world.edit(reason);
        world.sign(&["alice", "bob"], &[]).success();
        world.commit();
        world.pull("app", &[]).success();
    }
    world.edit("ONE");
    back(&world, &["alice"], &[]).success();
    world.commit();
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    let cosigned = back(&world, &["bob"], &[]);
    assert!(
        cosigned
            .success()
            .contains("co-signed bundle acme revision 1.3"),
        "{cosigned}"
    );
    world.commit();
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn a_statement_that_steps_back_to_something_newer_is_refused() {
    // The lint of the statement itself; its signer refuses to make it.
    let world = world();
    world.edit("TWO");
    let refused = world.sign(
        &["alice"],
        &["--rollback-to=1.2", "--epoch=1", "--revision=2"],
    );
    assert_eq!(refused.status, Some(2), "{refused}");
}
