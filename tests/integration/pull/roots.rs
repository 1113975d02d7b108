//! Trust roots that are fetched: the walk, what is kept of it, and what is refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::organisation::{Organisation, fails, files_below};
use crate::support::roots::{self, members, principal, push, rotate, rotate_to};

/// What a consumer says of trust: root 1 in a directory, newer ones in a repository.
const BOTH: &str = "dir: ../trust, FP, git: ../roots, ref: main, path: trust";

/// A consumer of one bundle whose trust root may be rotated, and where the roots are published.
pub(super) fn world() -> (Organisation, PathBuf) {
    let world = Organisation::new();
    world.publish("ONE");
    let published = roots::repository(&world);
    world.consumer("app", &world.file_url(), Some("main"));
    roots::trust(&world, "app", BOTH);
    (world, published)
}

/// The directory of the kept roots.
pub(super) fn kept(world: &Organisation) -> PathBuf {
    let hex = world.fingerprint.trim_start_matches("sha256:");
    world.state().join("roots").join(hex)
}

/// The versions of the kept roots.
pub(super) fn kept_versions(world: &Organisation) -> Vec<u64> {
    let names = files_below(&kept(world)).into_iter();
    let mut versions: Vec<u64> = names
        .map(|file| {
            let name = file.file_name().unwrap().to_str().unwrap().to_owned();
            let version = name
                .strip_suffix(".root.json")
                .unwrap_or_else(|| panic!("{name}"));
            version.parse().unwrap()
        })
        .collect();
    versions.sort_unstable();
    versions
}

pub(super) fn state(world: &Organisation) -> Value {
    serde_json::from_slice(&fs::read(world.state().join("state.json")).unwrap()).unwrap()
}

fn root_version(world: &Organisation) -> Option<u64> {
    state(world)["roots"][&world.fingerprint]["version"].as_u64()
}

#[test]
fn a_consumer_with_root_1_walks_to_root_7_and_stays_there() {
    let (world, published) = world();
    rotate_to(&published, 1, 7);
    push(&world);
    let output = world.pull("app", &[]);
    assert!(output.success().contains("trust root 1 -> 7\n"), "{output}");
    assert!(output.stdout.contains("trust root 7\n"), "{output}");
    assert_eq!(kept_versions(&world), [2, 3, 4, 5, 6, 7]);
    assert_eq!(root_version(&world), Some(7));
    assert_eq!(world.locked("app")["root_version"], 7);
    let again = world.pull("app", &[]);
    assert!(!again.success().contains("->"), "{again}");
    // Nothing of it needs the repository any more, and no older root will do.
    fs::rename(
        world.env.work().join("roots"),
        world.env.work().join("away"),
    )
    .unwrap();
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    world.pull("app", &["--locked"]).success();
    let shown = world.env.ordain_in("app", ["trust", "verify"]);
    assert!(shown.success().contains("trust root 7 is good"), "{shown}");
    fails(&world.pull("app", &[]), 2, "E-SOURCE-020");
    fs::remove_dir_all(kept(&world)).unwrap();
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-049");
}

#[test]
fn a_consumer_without_a_directory_takes_every_root_from_the_repository() {
    let (world, published) = world();
    rotate_to(&published, 1, 3);
    push(&world);
    roots::trust(&world, "app", "FP, git: ../roots, path: trust");
    fails(&world.pull("app", &["--offline"]), 4, "E-SOURCE-016");
    world.pull("app", &[]).success();
    assert_eq!(kept_versions(&world), [1, 2, 3]);
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    let shown = world.env.ordain_in("app", ["trust", "show"]);
    assert!(shown.success().contains("trust root 3, "), "{shown}");
    // Another organisation's first root is not the pinned one.
    let wrong = format!(
        "fingerprint: \"sha256:{}\", git: ../roots, path: trust",
        "0".repeat(64)
    );
    roots::trust(&world, "app", &wrong);
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-042");
    assert!(
        refused
            .stderr
            .contains("`1.root.json` of `../roots`, directory `trust`"),
        "{refused}"
    );
}

#[test]
fn without_a_configuration_roots_come_from_the_command_line() {
    let (world, published) = world();
    rotate_to(&published, 1, 2);
    push(&world);
    fs::create_dir(world.env.work().join("nowhere")).unwrap();
    let url = world.file_url();
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    let bundle = ["--ref=main", "--path=bundles/acme"];
    let place = [
        "--trust-git=../roots",
        "--trust-ref=main",
        "--trust-path=trust",
    ];
    for verb in ["verify", "pull"] {
        let run = |more: &[&str]| {
            let arguments = ["bundle", verb, &url]
                .into_iter()
                .chain(bundle)
                .chain(place);
            world
                .env
                .ordain_in("nowhere", arguments.chain(more.iter().copied()))
        };
        fails(&run(&[]), 2, "E-CONFIG-015");
        let output = run(&[&fingerprint]);
        assert!(output.success().contains("trust root 2\n"), "{output}");
        let is_kept = !kept_versions(&world).is_empty();
        assert_eq!(is_kept, verb == "pull", "to verify puts nothing in force");
    }
}

#[test]
fn a_bad_root_leaves_the_one_before_it_in_force_and_activates_nothing() {
    let (world, published) = world();
    world.pull("app", &[]).success();
    world.publish("TWO");
    rotate_to(&published, 1, 4);
    // From root 5 on Bob is the root; Bob has not signed, so only one side has.
    rotate(&published, 4, &["alice"], |root| {
        members(root, "root", &["bob"], 1)
    });
    push(&world);
    for _ in 0..2 {
        let lock = world.lockfile("app");
        let refused = world.pull("app", &[]);
        fails(&refused, 3, "E-TRUST-047");
        assert!(
            refused
                .stderr
                .contains("`5.root.json` of `../roots`, directory `trust`"),
            "{refused}"
        );
        assert_eq!(world.lockfile("app"), lock);
        assert_eq!(kept_versions(&world), [2, 3, 4]);
        assert_eq!(root_version(&world), Some(4));
        assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
        assert_eq!(world.decided_by("app", &[]), "ONE");
        assert_eq!(world.lockfile("app"), lock, "a root alone is no news");
    }
    // The walk goes on from root 4, even where nobody keeps the older ones.
    rotate(&published, 4, &["alice", "bob"], |root| {
        members(root, "root", &["bob"], 1)
    });
    rotate(&published, 5, &["bob"], |_| {});
    for version in 1..5 {
        fs::remove_file(roots::file(&published, version)).unwrap();
    }
    push(&world);
    let output = world.pull("app", &[]);
    assert!(output.success().contains("trust root 4 -> 6"), "{output}");
    assert_eq!(world.decided_by("app", &["--frozen"]), "TWO");
}

#[test]
fn a_gap_a_wrong_version_and_no_root_at_all_are_refused() {
    let (world, published) = world();
    rotate_to(&published, 1, 3);
    fs::remove_file(roots::file(&published, 2)).unwrap();
    push(&world);
    fails(&world.pull("app", &[]), 3, "E-TRUST-046");
    fs::copy(roots::file(&published, 3), roots::file(&published, 2)).unwrap();
    push(&world);
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-046");
    assert!(refused.stderr.contains("2.root.json"), "{refused}");
    assert!(!world.env.work().join("app/ordain.lock").exists());
    fs::write(roots::file(&published, 2), "{").unwrap();
    push(&world);
    let refused = world.pull("app", &[]);
    assert!(
        refused.stderr.contains("`2.root.json` of `../roots`"),
        "{refused}"
    );
    assert_eq!(refused.status, Some(3));
    // And in the trust directory, which says so too.
    world.env.write("trust/2.root.json", "{");
    let refused = world.pull("app", &["--offline"]);
    assert!(refused.stderr.contains("trust/2.root.json"), "{refused}");
    assert_eq!(refused.status, Some(3));
}

#[test]
fn two_roots_of_one_version_are_refused_and_both_written_down() {
    let (world, published) = world();
    let ours = rotate(&published, 1, &["alice"], |_| {});
    push(&world);
    world.pull("app", &[]).success();
    let lock = world.lockfile("app");
    let directory = world.env.work().join("trust");
    let theirs = rotate(&directory, 1, &["alice"], |root| {
        members(root, "root", &["bob"], 1)
    });
    // Not signed by Bob: it is refused for that, and proves nothing against anyone.
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-047");
    assert_eq!(state(&world)["equivocations"], Value::Null);
    rotate(&directory, 1, &["alice", "bob"], |root| {
        members(root, "root", &["bob"], 1)
    });
    for refused in [world.eval("app", &["--frozen"]), world.pull("app", &[])] {
        fails(&refused, 3, "E-TRUST-081");
        for digest in [&ours, &theirs] {
            assert!(refused.stderr.contains(digest.as_str()), "{refused}");
        }
    }
    let evidence = state(&world)["equivocations"].clone();
    assert_eq!(evidence.as_array().map(Vec::len), Some(1), "{evidence}");
    assert_eq!(evidence[0]["seen"], ours.as_str());
    assert_eq!(evidence[0]["found"], theirs.as_str());
    assert_eq!(evidence[0]["of"]["root"]["version"], 2);
    // The same by the repository.
    fs::rename(roots::file(&directory, 2), roots::file(&published, 2)).unwrap();
    push(&world);
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-081");
    assert!(
        refused
            .stderr
            .contains("`2.root.json` of `../roots`, directory `trust`"),
        "{refused}"
    );
    assert_eq!(world.lockfile("app"), lock);
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn forged_twins_of_a_walked_root_are_refused_and_not_written_down() {
    let (world, published) = world();
    rotate_to(&published, 1, 3);
    push(&world);
    world.pull("app", &[]).success();
    let lock = world.lockfile("app");
    let refused = |version: u64, code: &str| {
        push(&world);
        let refused = world.pull("app", &[]);
        fails(&refused, 3, code);
        let named = format!("`{version}.root.json` of `../roots`");
        assert!(refused.stderr.contains(&named), "{refused}");
        assert_eq!(state(&world)["equivocations"], Value::Null);
        assert_eq!(world.lockfile("app"), lock);
    };
    // Bob, to whom the root role goes, did not sign.
    let two = fs::read(roots::file(&published, 2)).unwrap();
    for after in [1, 2] {
        rotate(&published, after, &["alice"], |root| {
            members(root, "root", &["bob"], 1);
        });
        refused(after + 1, "E-TRUST-047");
        fs::write(roots::file(&published, 2), &two).unwrap();
    }
    fs::write(roots::file(&published, 1), &two).unwrap();
    refused(1, "E-TRUST-042");
}

#[test]
fn a_tampered_kept_root_is_fetched_again_or_refused() {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let (world, published) = world();
    rotate_to(&published, 1, 3);
    push(&world);
    world.pull("app", &[]).success();
    let file = roots::file(&kept(&world), 2);
    let whole = fs::read(&file).unwrap();
    let first = world.env.read("trust/1.root.json");
    for bytes in [&b""[..], &whole[..whole.len() / 2], first.as_bytes()] {
        fs::write(&file, bytes).unwrap();
        fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-049");
        // What is locked needs root 3, so it is fetched, without a word from the user.
        assert_eq!(world.decided_by("app", &["--locked"]), "ONE");
        assert!(fs::read(&file).unwrap() == whole, "it is healed");
        assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    }
    let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    mode(0o666);
    fails(&world.eval("app", &[]), 3, "E-SOURCE-043");
    mode(0o600);
    let aside = kept(&world).join("aside");
    fs::rename(&file, &aside).unwrap();
    symlink(&aside, &file).unwrap();
    fails(&world.pull("app", &[]), 3, "E-SOURCE-043");
}

#[test]
fn only_the_last_root_must_not_have_expired() {
    let (world, published) = world();
    let expiring = |time: &'static str| {
        move |root: &mut ordain::trust::RootDocument| root.expires = time.parse().unwrap()
    };
    rotate(&published, 1, &["alice"], expiring("2026-01-01T00:00:00Z"));
    push(&world);
    fails(&world.pull("app", &[]), 3, "E-TRUST-048");
    assert_eq!(
        root_version(&world),
        Some(2),
        "it was signed, so no older one is in force"
    );
    rotate(&published, 2, &["alice"], expiring("2026-12-01T00:00:00Z"));
    push(&world);
    world.pull("app", &[]).success();
    let mut world = world;
    world.env.set("ORDAIN_NOW", "2026-12-02T00:00:00Z");
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-048");
    fails(&world.eval("app", &["--locked"]), 3, "E-TRUST-048");
    rotate(&published, 3, &["alice"], expiring("2027-12-01T00:00:00Z"));
    push(&world);
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-048");
    assert_eq!(world.decided_by("app", &["--locked"]), "ONE");
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn locked_fetches_roots_only_when_the_lockfile_knows_a_newer_one() {
    let (world, published) = world();
    world.pull("app", &[]).success();
    rotate_to(&published, 1, 2);
    push(&world);
    world.pull("app", &["--locked"]).success();
    assert_eq!(
        kept_versions(&world),
        [0_u64; 0],
        "root 1 does for what is locked"
    );
    // A colleague pulled with root 2, and this machine has only the lockfile.
    world.pull("app", &[]).success();
    fs::remove_dir_all(world.state()).unwrap();
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-049");
    world.pull("app", &["--locked"]).success();
    assert_eq!(kept_versions(&world), [2]);
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn a_revocation_is_in_force_when_its_root_is_whatever_becomes_of_the_pull() {
    let (world, published) = world();
    world.pull("app", &[]).success();
    let alice = roots::key("alice").public().id();
    rotate(&published, 1, &["bob"], |root| {
        root.revoked.keys.extend([alice])
    });
    push(&world);
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-009");
    world.edit("TWO");
    world.sign(&["bob"], &[]).success();
    world.commit();
    let output = world.pull("app", &[]);
    assert!(
        output.success().contains("went from revision 1.1 to 1.2"),
        "{output}"
    );
    assert_eq!(world.decided_by("app", &["--frozen"]), "TWO");
}

#[test]
fn a_revocation_in_the_trust_directory_outlives_its_file() {
    let (world, _) = world();
    roots::trust(&world, "app", "dir: ../trust, FP");
    world.pull("app", &[]).success();
    let directory = world.env.work().join("trust");
    let alice = roots::key("alice").public().id();
    rotate(&directory, 1, &["bob"], |root| {
        root.revoked.keys.extend([alice])
    });
    // Even where a later file is not a root at all.
    fs::write(roots::file(&directory, 3), "{").unwrap();
    fails(&world.eval("app", &["--frozen"]), 3, "E-TRUST-003");
    assert_eq!(root_version(&world), Some(2));
    // Whoever checks out an older branch, or takes the files away, takes nothing back.
    fs::remove_file(roots::file(&directory, 2)).unwrap();
    fs::remove_file(roots::file(&directory, 3)).unwrap();
    for command in [
        &["bundle", "pull"][..],
        &["eval", "--frozen", "read_x.json"],
    ] {
        fails(&world.env.ordain_in("app", command), 3, "E-TRUST-009");
    }
    // Without what was kept, the mark says that something is missing.
    fs::remove_dir_all(kept(&world)).unwrap();
    fails(&world.pull("app", &[]), 3, "E-TRUST-049");
}

#[test]
fn a_walk_over_new_keys_and_thresholds_needs_both_sides_at_every_step() {
    let (world, published) = world();
    let two = |root: &mut ordain::trust::RootDocument| {
        root.principals
            .insert("carol".parse().unwrap(), principal("carol"));
        members(root, "root", &["bob", "carol"], 2);
    };
    for too_few in [&["alice"][..], &["bob", "carol"], &["alice", "carol"]] {
        // Bob is a root of both sides, so that the two new ones alone do satisfy the old threshold of one.
        rotate(&published, 1, too_few, two);
        push(&world);
        match too_few {
            ["bob", "carol"] => world.env.ordain_in("app", ["bundle", "verify"]).success(),
            _ => {
                fails(&world.pull("app", &[]), 3, "E-TRUST-047");
                ""
            }
        };
    }
    rotate(&published, 1, &["bob", "carol"], two);
    rotate(&published, 2, &["alice", "carol"], |_| {});
    push(&world);
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-047");
    assert!(refused.stderr.contains("3.root.json"), "{refused}");
    assert_eq!(kept_versions(&world), [2]);
}

#[test]
fn what_the_configuration_says_of_trust_is_checked() {
    let (world, _) = world();
    for (text, code) in [
        ("FP", "E-CONFIG-004"),
        ("dir: ../trust, FP, ref: main", "E-CONFIG-004"),
        ("dir: ../trust, FP, path: trust", "E-CONFIG-004"),
        ("dir: ../trust, FP, tofu: true", "E-YAML-014"),
        ("dir: ../trust, first_use: allowed", "E-YAML-014"),
    ] {
        roots::trust(&world, "app", text);
        fails(&world.pull("app", &[]), 2, code);
    }
    roots::trust(&world, "app", "FP, git: 'ext::sh -c true'");
    fails(&world.pull("app", &[]), 2, "E-SOURCE-002");
    roots::trust(&world, "app", "FP, git: ../roots, ref: 'a..b'");
    fails(&world.pull("app", &[]), 2, "E-SOURCE-005");
    roots::trust(&world, "app", "FP, git: ../roots, path: absent");
    let refused = world.pull("app", &[]);
    fails(&refused, 2, "E-SOURCE-009");
    assert!(
        refused.stderr.contains("the trust root's repository"),
        "{refused}"
    );
}
