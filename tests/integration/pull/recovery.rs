//! A thief burns the highest revision; the root raises the epoch, and nothing of the old one ever counts again.

use crate::support::organisation::{BUNDLE, Organisation, fails};
use crate::support::roots::{self, members, push, rotate};

const BURNT: &str = "--revision=9007199254740991";

#[test]
fn a_burnt_revision_is_recovered_from_by_a_new_epoch_and_never_comes_back() {
    let (world, published) = super::roots::world();
    world.pull("app", &[]).success();
    // The thief has Alice's key, and pushes.
    world.publish_as("EVIL", &[BURNT]);
    let burnt = world.env.git("policy", ["rev-parse", "HEAD"]);
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &["--frozen"]), "EVIL");
    assert_eq!(world.mark(), Some((1 << 53) - 1));
    // Whatever Bob signs now is below what everyone has seen.
    world.edit("GOOD");
    let refused = world.sign(&["bob"], &[]);
    assert_eq!(
        refused.status,
        Some(3),
        "there is no number above it: {refused}"
    );
    world.sign(&["bob"], &["--epoch=2"]).success();
    world.commit();
    fails(&world.pull("app", &[]), 3, "E-TRUST-019");

    let alice = roots::key("alice").public().id();
    rotate(&published, 1, &["bob"], |root| {
        root.revoked.keys.insert(alice);
        members(root, "root", &["bob"], 1);
        members(root, "publisher/acme", &["bob"], 1);
        let role = root
            .roles
            .get_mut(&"publisher/acme".parse().unwrap())
            .unwrap();
        role.epoch = 2.try_into().unwrap();
    });
    push(&world);
    let pulled = world.pull("app", &[]);
    assert!(pulled.success().contains("trust root 1 -> 2"), "{pulled}");
    assert!(
        pulled
            .stdout
            .contains("went from revision 1.9007199254740991 to 2.1"),
        "{pulled}"
    );
    assert_eq!(world.decided_by("app", &["--frozen"]), "GOOD");
    let good = world.env.git("policy", ["rev-parse", "HEAD"]);
    let lock = world.lockfile("app");

    // The thief pushes again: the burnt revision, a new one of Alice's, and one of the old epoch that Bob signed.
    world.force(&burnt);
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    world.force(&good);
    world.edit("OLD_EPOCH");
    world.sign(&["bob"], &["--epoch=1"]).success();
    world.commit();
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-019");
    let hint = "`ordain bundle sign --renew --epoch 2 --expires 90d`";
    assert!(refused.stderr.contains(hint), "{refused}");
    // As the hint says, it counts.
    let sign = ["bundle", "sign", BUNDLE, "--key=keys/bob", "--renew"];
    let sign = sign
        .into_iter()
        .chain(["--epoch=2", "--revision=2", "--expires=90d"]);
    world.env.ordain(sign).success();
    world.commit();
    world.env.ordain_in("app", ["bundle", "verify"]).success();
    world.force(&good);
    world.publish_as("EVIL", &[]);
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    assert_eq!(world.lockfile("app"), lock);
    assert_eq!(world.decided_by("app", &["--frozen"]), "GOOD");
    // Not even a machine that forgot everything goes back, with the lockfile or with the root.
    std::fs::remove_file(world.state().join("state.json")).unwrap();
    world.force(&burnt);
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    world.force(&good);
    world.pull("app", &[]).success();
    world.edit("NEXT");
    world.sign(&["bob"], &[]).success();
    world.commit();
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &["--frozen"]), "NEXT");
    assert_eq!(world.locked("app")["epoch"], 2);
    assert_eq!(world.mark(), Some(2));
    assert!(world.env.work().join(BUNDLE).is_dir());
}

#[test]
fn two_payloads_of_one_revision_are_written_down() {
    let world = Organisation::new();
    let base = world.publish("ONE");
    world.consumer("app", &world.file_url(), Some("main"));
    world.publish("TWO");
    world.pull("app", &[]).success();
    let seen = world.locked("app")["payload"].clone();
    world.force(&base);
    world.publish("OTHER");
    for _ in 0..2 {
        let refused = world.pull("app", &[]);
        fails(&refused, 3, "E-TRUST-021");
        assert!(refused.stderr.contains(seen.as_str().unwrap()), "{refused}");
    }
    let state = super::roots::state(&world);
    let evidence = state["equivocations"].as_array().unwrap();
    assert_eq!(evidence.len(), 1, "{state:#}");
    assert_eq!(evidence[0]["seen"], seen);
    assert_eq!(evidence[0]["of"]["bundle"]["revision"], 2);
    let found = evidence[0]["found"].as_str().unwrap();
    let refused = world.pull("app", &[]);
    assert!(refused.stderr.contains(found), "{refused}");
    assert_eq!(world.decided_by("app", &["--frozen"]), "TWO");
    let kept = ordain::source::state::State::load(&world.state()).unwrap();
    assert_eq!(kept.equivocations().len(), 1);
    // Without a configuration it is noticed, and written down, as well.
    let url = world.file_url();
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    let direct = ["bundle", "pull", &url, "--ref=main", "--path=bundles/acme"];
    let direct = direct
        .into_iter()
        .chain(["--trust-root=trust", &fingerprint]);
    fails(&world.env.ordain(direct), 3, "E-TRUST-021");
}

#[test]
fn a_clock_that_went_back_stops_every_way_of_verifying() {
    let mut world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), Some("main"));
    world.pull("app", &[]).success();
    let file = world.state().join("state.json");
    let mut state = super::roots::state(&world);
    state["last_seen"] = "2026-11-22T13:00:00Z".into();
    std::fs::write(&file, state.to_string()).unwrap();
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    let bundle = format!("../{BUNDLE}");
    let url = world.file_url();
    let direct = [url.as_str(), "--ref=main", "--path=bundles/acme"];
    let root = ["--trust-root=../trust", fingerprint.as_str()];
    let ways: [Vec<&str>; 9] = [
        vec!["bundle", "pull"],
        vec!["bundle", "pull", "--locked"],
        vec!["bundle", "verify"],
        [&["bundle", "pull"][..], &direct, &root].concat(),
        [&["bundle", "verify"][..], &direct, &root].concat(),
        [&["bundle", "verify", bundle.as_str()][..], &root].concat(),
        vec!["eval", "read_x.json"],
        vec!["trust", "verify"],
        vec!["policy", "resolve"],
    ];
    for way in &ways {
        fails(&world.env.ordain_in("app", way), 3, "E-CONFIG-014");
    }
    // A clock that lags by a little is corrected soon.
    world.env.set("ORDAIN_NOW", "2026-11-22T12:56:00Z");
    for way in &ways {
        world.env.ordain_in("app", way).success();
    }
}

#[test]
fn a_statement_from_the_future_is_refused_and_has_no_grace() {
    let mut world = Organisation::new();
    world.env.set("ORDAIN_NOW", "2026-11-22T12:06:00Z");
    world.publish("ONE");
    world.env.set("ORDAIN_NOW", "2026-11-22T12:00:00Z");
    world.consumer("app", &world.file_url(), Some("main"));
    fails(&world.pull("app", &[]), 3, "E-TRUST-022");
    world.env.set("ORDAIN_NOW", "2026-11-22T12:01:00Z");
    world.pull("app", &[]).success();
}
