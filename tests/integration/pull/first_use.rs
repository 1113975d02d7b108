//! Trust on first use: only when asked for, only where someone looks, and reported until someone confirms it.

use crate::support::Output;
use crate::support::env::binary;
use crate::support::organisation::{Organisation, fails};
use crate::support::roots::{self, members, push, rotate};

const UNCONFIRMED: &str = "root: unconfirmed (trusted on first use)";

/// A consumer whose configuration names the roots' repository and no fingerprint.
pub(crate) fn world() -> Organisation {
    let world = Organisation::new();
    world.publish("ONE");
    roots::repository(&world);
    world.consumer("app", &world.file_url(), Some("main"));
    roots::trust(&world, "app", "git: ../roots, path: trust");
    world
}

/// `ordain` with a terminal for its output; both streams are one.
pub(crate) fn on_a_terminal(world: &Organisation, directory: &str, arguments: &str) -> Output {
    let mut command = world.env.command("script");
    let line = format!("{} {arguments}", binary().display());
    command.args(["--quiet", "--return", "--command", &line, "/dev/null"]);
    command.current_dir(world.env.work().join(directory));
    world.env.run(command, b"")
}

fn ordain(world: &Organisation, arguments: &[&str]) -> Output {
    world.env.ordain_in("app", arguments)
}

#[test]
fn without_a_fingerprint_nothing_is_trusted_and_the_ways_out_are_named() {
    let world = world();
    for arguments in [
        &["bundle", "pull"][..],
        &["bundle", "verify"],
        &["eval", "read_x.json"],
    ] {
        let refused = ordain(&world, arguments);
        fails(&refused, 2, "E-CONFIG-015");
        for way in ["--tofu", "ordain trust confirm", "fingerprint"] {
            assert!(refused.stderr.contains(way), "no {way} in {refused}");
        }
    }
    fails(&ordain(&world, &["trust", "confirm"]), 2, "E-CONFIG-015");
}

#[test]
fn first_use_is_refused_under_ci_and_where_nobody_looks() {
    let mut world = world();
    let refused = ordain(&world, &["bundle", "pull", "--tofu"]);
    fails(&refused, 3, "E-CONFIG-030");
    assert!(refused.stderr.contains("without a terminal"), "{refused}");
    world.env.set("CI", "true");
    let refused = on_a_terminal(&world, "app", "bundle pull --tofu");
    assert_eq!(refused.status, Some(3), "{refused}");
    assert!(
        refused.stdout.contains("`--tofu` is refused under CI"),
        "{refused}"
    );
    assert!(!world.state().join("state.json").exists());
}

#[test]
fn a_root_of_first_use_is_reported_until_it_is_confirmed() {
    let world = world();
    let first = on_a_terminal(&world, "app", "bundle pull --tofu");
    assert!(first.success().contains(UNCONFIRMED), "{first}");
    assert!(first.stdout.contains(&world.fingerprint), "{first}");
    let says = |arguments: &[&str]| {
        let output = ordain(&world, arguments);
        output.success();
        output.stdout.contains(UNCONFIRMED)
    };
    let reports: [&[&str]; 5] = [
        &["bundle", "pull"],
        &["bundle", "verify"],
        &["bundle", "list"],
        &["trust", "show"],
        &["trust", "verify"],
    ];
    for report in reports {
        assert!(says(report), "{report:?} does not say so");
    }
    let decided = ordain(&world, &["eval", "read_x.json"]);
    decided.success();
    assert!(decided.stderr.contains(UNCONFIRMED), "{decided}");
    let list = ordain(&world, &["bundle", "list", "--json"]).json();
    assert_eq!(list["root_confirmed"], false);

    let unconfirmed = ordain(&world, &["trust", "confirm"]);
    fails(&unconfirmed, 1, "E-CONFIG-031");
    assert!(
        unconfirmed.stderr.contains(&world.fingerprint),
        "{unconfirmed}"
    );
    let confirmed = ordain(&world, &["trust", "confirm", &world.fingerprint]);
    let line = format!("fingerprint: \"{}\"", world.fingerprint);
    assert!(confirmed.success().contains(&line), "{confirmed}");
    for report in reports {
        assert!(!says(report), "{report:?} still says so");
    }
    let decided = ordain(&world, &["eval", "read_x.json"]);
    assert!(!decided.stderr.contains("unconfirmed"), "{decided}");
    ordain(&world, &["trust", "confirm"]).success();
    // The line is what the configuration wants.
    roots::trust(
        &world,
        "app",
        &format!("git: ../roots, path: trust, {line}"),
    );
    world.pull("app", &[]).success();
    let pinned = ordain(&world, &["trust", "confirm", &world.fingerprint]);
    assert!(!pinned.success().contains("fingerprint:"), "{pinned}");
}

#[test]
fn a_fingerprint_that_differs_names_both_and_ends_the_trust() {
    let world = world();
    on_a_terminal(&world, "app", "bundle pull --tofu").success();
    let other = format!("sha256:{}", "7".repeat(64));
    let refused = ordain(&world, &["trust", "confirm", &other]);
    fails(&refused, 3, "E-TRUST-082");
    for digest in [&other, &world.fingerprint] {
        assert!(refused.stderr.contains(digest.as_str()), "{refused}");
    }
    let denied = world.eval("app", &[]);
    fails(&denied, 2, "E-CONFIG-015");
    assert_eq!(denied.json()["decisions"][0]["outcome"], "denied");
    // The slip is mended with the right one; a slip after that costs nothing.
    ordain(&world, &["trust", "confirm", &world.fingerprint]).success();
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    fails(
        &ordain(&world, &["trust", "confirm", &other]),
        3,
        "E-TRUST-082",
    );
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
    // A pinned one is what the configuration says, whatever this machine remembers.
    roots::trust(
        &world,
        "app",
        &format!("git: ../roots, path: trust, fingerprint: '{other}'"),
    );
    fails(
        &ordain(&world, &["trust", "confirm", &world.fingerprint]),
        3,
        "E-TRUST-082",
    );
    fails(&world.eval("app", &[]), 3, "E-TRUST-042");
}

#[test]
fn a_consumer_may_begin_with_a_confirmed_fingerprint() {
    let mut world = world();
    world.env.set("CI", "true");
    ordain(&world, &["trust", "confirm", &world.fingerprint]).success();
    world.env.set("CI", "");
    let pulled = world.pull("app", &[]);
    assert!(!pulled.success().contains("unconfirmed"), "{pulled}");
    // Another place is another matter.
    roots::trust(&world, "app", "git: ../roots, path: elsewhere");
    fails(&world.pull("app", &[]), 2, "E-CONFIG-015");
}

#[test]
fn whoever_comes_second_is_not_trusted() {
    let world = world();
    on_a_terminal(&world, "app", "bundle pull --tofu").success();
    // The repository now begins with another root, well signed by itself.
    let directory = world.env.work().join("roots/trust");
    rotate(&directory, 1, &["alice"], |root| {
        root.version = std::num::NonZeroU64::MIN;
        members(root, "root", &["alice"], 1);
    });
    std::fs::rename(roots::file(&directory, 2), roots::file(&directory, 1)).unwrap();
    push(&world);
    for arguments in ["bundle pull", "bundle pull --tofu"] {
        let refused = on_a_terminal(&world, "app", arguments);
        assert_eq!(refused.status, Some(3), "{refused}");
        assert!(refused.stdout.contains("E-TRUST-081"), "{refused}");
    }
    std::fs::remove_dir_all(world.state().join("roots")).unwrap();
    let refused = on_a_terminal(&world, "app", "bundle pull --tofu");
    assert!(refused.stdout.contains("E-TRUST-042"), "{refused}");
}

#[test]
fn a_bundle_of_a_url_may_be_the_first_use() {
    let world = world();
    std::fs::create_dir(world.env.work().join("nowhere")).unwrap();
    let url = world.file_url();
    let place = "--trust-git=../roots --trust-path=trust";
    let line = format!("bundle pull {url} --ref=main --path=bundles/acme {place} --tofu");
    let first = on_a_terminal(&world, "nowhere", &line);
    assert!(first.success().contains(UNCONFIRMED), "{first}");
    let confirm = [
        "trust",
        "confirm",
        "--trust-git=../roots",
        "--trust-path=trust",
    ];
    fails(&world.env.ordain_in("nowhere", confirm), 1, "E-CONFIG-031");
    let confirm = confirm.into_iter().chain([world.fingerprint.as_str()]);
    world.env.ordain_in("nowhere", confirm).success();
    // The configuration names the same place, so it is confirmed there too.
    let pulled = world.pull("app", &[]);
    assert!(!pulled.success().contains("unconfirmed"), "{pulled}");
}

#[test]
fn what_is_trusted_is_named_though_the_pull_fails() {
    let world = world();
    let text = world.env.read("app/ordain.yaml");
    let text = text.replace("path: bundles/acme", "path: bundles/nowhere");
    world.env.write("app/ordain.yaml", text);
    let failed = on_a_terminal(&world, "app", "bundle pull --tofu");
    assert_eq!(failed.status, Some(2), "{failed}");
    assert!(failed.stdout.contains("[E-SOURCE-009]"), "{failed}");
    let named = format!(
        "the trust root {} is trusted from now on, and nobody has confirmed it",
        world.fingerprint
    );
    assert!(failed.stdout.contains(&named), "{failed}");
    fails(&ordain(&world, &["trust", "confirm"]), 1, "E-CONFIG-031");
    // It is said once.
    let again = on_a_terminal(&world, "app", "bundle pull --tofu");
    assert!(!again.stdout.contains(&named), "{again}");
}

#[test]
fn lines_on_a_terminal_stand_in_order_beside_the_progress() {
    let world = world();
    let first = on_a_terminal(&world, "app", "bundle pull --tofu");
    let confirm = format!("trust confirm {}", world.fingerprint);
    let confirmed = on_a_terminal(&world, "app", &confirm);
    let in_order = |output: &Output, lines: &[&str]| {
        let mut rest = output.success();
        for line in lines {
            let at = rest.find(line);
            let at = at.unwrap_or_else(|| panic!("{line} is not in its place in {output}"));
            // Nothing of the progress is left in front of it.
            let before = rest[..at].rsplit(['\n', '\r']).next().unwrap();
            assert!(
                before.is_empty() || before.ends_with("\u{1b}[2K"),
                "{output:?}"
            );
            rest = &rest[at..];
        }
    };
    in_order(
        &first,
        &[
            "the trust root",
            "fingerprint",
            "hint: ask",
            "bundle acme",
            "  signed by",
            "policy of",
        ],
    );
    in_order(
        &confirmed,
        &["root: confirmed", "on this machine only", "fingerprint: "],
    );
}
