//! Branches, tags and commit ids, and what happens when they move: forth is followed, back is refused.

use crate::support::organisation::{Organisation, fails};

/// The old bundle is active, and answers.
#[track_caller]
fn stands(world: &Organisation, lock: &str, reason_code: &str) {
    assert_eq!(world.lockfile("app"), lock);
    assert_eq!(world.decided_by("app", &[]), reason_code);
    assert_eq!(world.decided_by("app", &["--frozen"]), reason_code);
}

#[test]
fn branches_tags_and_commit_ids() {
    let world = Organisation::new();
    let first = world.publish("ONE");
    world
        .env
        .git("policy", ["tag", "--annotate", "--message=v1", "v1"]);
    world.env.git("policy", ["tag", "light"]);
    world.publish("TWO");
    // One state for all of them would refuse the older ones.
    for (index, (reference, expected)) in [
        ("v1", "ONE"),
        ("refs/tags/v1", "ONE"),
        ("light", "ONE"),
        (&first, "ONE"),
        ("main", "TWO"),
        ("refs/heads/main", "TWO"),
        ("HEAD", "TWO"),
    ]
    .into_iter()
    .enumerate()
    {
        let app = format!("app{index}");
        world.consumer(&app, &world.file_url(), Some(reference));
        world.pull(&app, &[]).success();
        assert_eq!(
            world.decided_by(&app, &["--frozen"]),
            expected,
            "{reference}"
        );
        assert_eq!(world.locked(&app)["ref"], *reference);
    }
    for reference in ["absent", &"1".repeat(40)] {
        world.consumer("absent", &world.file_url(), Some(reference));
        fails(&world.pull("absent", &[]), 4, "E-SOURCE-006");
    }
}

#[test]
fn a_forced_push_forward_is_followed_and_one_back_is_refused() {
    let world = Organisation::new();
    let first = world.publish("ONE");
    world.publish("TWO");
    world.consumer("app", &world.file_url(), Some("main"));
    world.pull("app", &[]).success();
    // Another history, whose revision is higher.
    world.force(&first);
    world.publish_as("THREE", &["--revision=3"]);
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &["--frozen"]), "THREE");
    let lock = world.lockfile("app");
    world.force(&first);
    fails(&world.pull("app", &[]), 3, "E-TRUST-020");
    stands(&world, &lock, "THREE");
    fails(
        &world.env.ordain_in("app", ["bundle", "verify"]),
        3,
        "E-TRUST-020",
    );
}

#[test]
fn a_moved_tag_is_followed_forth_and_not_back() {
    let world = Organisation::new();
    world.publish("ONE");
    world.env.git("policy", ["tag", "v1"]);
    world.publish("TWO");
    world.consumer("app", &world.file_url(), Some("refs/tags/v1"));
    world.pull("app", &[]).success();
    world.env.git("policy", ["tag", "--force", "v1", "main"]);
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &["--frozen"]), "TWO");
    let lock = world.lockfile("app");
    world.env.git("policy", ["tag", "--force", "v1", "main~"]);
    fails(&world.pull("app", &[]), 3, "E-TRUST-020");
    stands(&world, &lock, "TWO");
}

#[test]
fn the_same_revision_with_other_content_is_refused() {
    let world = Organisation::new();
    let first = world.publish("ONE");
    world.publish("TWO");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    let lock = world.lockfile("app");
    world.force(&first);
    world.publish("OTHER");
    fails(&world.pull("app", &[]), 3, "E-TRUST-021");
    stands(&world, &lock, "TWO");
    // A new checkout on this machine has no lockfile; the machine remembers.
    world.consumer("fresh", &world.file_url(), None);
    fails(&world.pull("fresh", &[]), 3, "E-TRUST-021");
    // The next revision heals it.
    world.publish("THREE");
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &[]), "THREE");
}

#[test]
fn who_is_nobody_cannot_publish() {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    let lock = world.lockfile("app");
    world.edit("EVIL");
    world.sign(&["carol"], &[]).success();
    world.commit();
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    stands(&world, &lock, "ONE");
    world.edit("UNSIGNED");
    world.commit();
    let refused = world.pull("app", &[]);
    refused.code(3);
    stands(&world, &lock, "ONE");
}
