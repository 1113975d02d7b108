//! What the doctor finds of trust roots: where the one in force lies, what it takes away, and what its repository holds.

use ordain::trust::GitRequirement;

use super::*;
use crate::support::roots::{self, key, members, push, rotate, rotate_to};

/// A consumer with root 1 in a directory and newer ones in a repository.
pub(super) fn world() -> (Organisation, PathBuf) {
    let organisation = pulled();
    let published = roots::repository(&organisation);
    let both = "dir: ../trust, FP, git: ../roots, ref: main, path: trust";
    roots::trust(&organisation, "consumer", both);
    (organisation, published)
}

/// The finding of this name.
#[track_caller]
fn finding(env: &TestEnv, arguments: &[&str], id: &str) -> Value {
    let (output, findings) = examine(env, "consumer", arguments);
    let mut found = findings.into_iter().filter(|finding| finding["id"] == id);
    found
        .next()
        .unwrap_or_else(|| panic!("no {id} in\n{output}"))
}

pub(super) fn online() {
    let (organisation, published) = world();
    let env = &organisation.env;
    finds(env, &["--online"], 0, "root-newest", None);
    let repository = published.parent().unwrap();
    let away = repository.with_extension("away");
    std::fs::rename(repository, &away).unwrap();
    finds(
        env,
        &["--online"],
        0,
        "root-unreachable",
        Some("E-SOURCE-020"),
    );
    std::fs::rename(&away, repository).unwrap();
    rotate_to(&published, 1, 2);
    push(&organisation);
    finds(env, &["--online"], 0, "root-newer", None);
    let (_, findings) = examine(env, "consumer", &[]);
    assert!(!ids(&findings).contains(&"root-newer"), "nobody asked");
    // Bob, who shall hold the next root, has not signed it yet.
    rotate(&published, 2, &["alice"], |root| {
        members(root, "root", &["bob"], 1);
    });
    push(&organisation);
    finds(
        env,
        &["--online"],
        1,
        "root-next-refused",
        Some("E-TRUST-047"),
    );
    std::fs::write(roots::file(&published, 3), "{").unwrap();
    push(&organisation);
    finds(
        env,
        &["--online"],
        1,
        "root-next-refused",
        Some("E-TRUST-003"),
    );
    std::fs::remove_file(roots::file(&published, 3)).unwrap();
    push(&organisation);
    organisation.pull("consumer", &["--update"]).success();
    finds(env, &["--online"], 0, "root-newest", None);
    // Another one of the version that is in force; the doctor writes nothing down.
    rotate(&published, 1, &["bob"], |root| {
        root.expires = "2027-10-10T10:10:10Z".parse().unwrap();
    });
    push(&organisation);
    finds(
        env,
        &["--online"],
        1,
        "root-next-refused",
        Some("E-TRUST-081"),
    );
}

#[test]
fn a_revoked_signer_is_no_damage() {
    let (organisation, published) = world();
    let alice = key("alice").public().id();
    rotate(&published, 1, &["bob"], |root| {
        root.revoked.keys.insert(alice);
    });
    push(&organisation);
    fails(
        &organisation.pull("consumer", &["--update"]),
        3,
        "E-TRUST-009",
    );
    fails(&organisation.eval("consumer", &[]), 3, "E-TRUST-009");
    finds(
        &organisation.env,
        &[],
        3,
        "bundle-untrusted",
        Some("E-TRUST-009"),
    );
}

#[test]
fn a_git_signature_that_is_newly_required_is_no_damage() {
    let (organisation, published) = world();
    rotate(&published, 1, &["alice"], |root| {
        for (name, role) in &mut root.roles {
            if name.to_string().starts_with("publisher/") {
                role.git_signature = Some(GitRequirement::Commit);
            }
        }
    });
    push(&organisation);
    let denied = organisation.pull("consumer", &["--update"]);
    assert_eq!(denied.status, Some(3), "{denied}");
    let found = finding(&organisation.env, &[], "bundle-untrusted");
    let code = found["code"].as_str().unwrap();
    assert!(denied.stderr.contains(code), "{found:#}\n{denied}");
}

#[test]
fn the_root_in_force_is_told_with_the_place_where_it_lies() {
    let (organisation, published) = world();
    let env = &organisation.env;
    let at = |found: &Value| found["subject"].as_str().unwrap().to_owned();
    assert!(at(&finding(env, &[], "root")).ends_with("/trust"));
    rotate_to(&published, 1, 3);
    push(&organisation);
    organisation.pull("consumer", &["--update"]).success();
    let found = finding(env, &[], "root");
    let hex = organisation.fingerprint.trim_start_matches("sha256:");
    let kept = organisation.state().join("roots").join(hex);
    assert_eq!(at(&found), kept.display().to_string(), "{found:#}");
    // Without a directory all of them are this machine's.
    roots::trust(&organisation, "consumer", "FP, git: ../roots, path: trust");
    organisation.pull("consumer", &["--update"]).success();
    let found = finding(env, &[], "root");
    assert_eq!(at(&found), kept.display().to_string(), "{found:#}");
}

#[test]
fn a_state_that_others_may_write_is_one_problem() {
    let organisation = pulled();
    chmod(&organisation.state(), 0o777);
    let (output, findings) = examine(&organisation.env, "consumer", &[]);
    assert_eq!(output.status, Some(3), "{output}");
    let problems: Vec<&Value> = findings
        .iter()
        .filter(|finding| finding["level"] == "problem")
        .collect();
    assert_eq!(problems.len(), 1, "{output}");
    assert_eq!(problems[0]["id"], "state-unusable", "{output}");
}

#[test]
fn a_file_that_was_named_and_is_not_there_is_missing() {
    let organisation = pulled();
    let named = ["--config=nope.yaml"];
    let (output, findings) = examine(&organisation.env, "consumer", &named);
    assert_eq!(output.status, Some(1), "{output}");
    assert!(ids(&findings).contains(&"config-missing"), "{output}");
    assert!(!ids(&findings).contains(&"config-invalid"), "{output}");
    assert!(output.stdout.contains("nope.yaml"), "{output}");
}

/// Two roots of one version: whoever only looks says so, and writes nothing down.
#[test]
fn looking_at_an_equivocation_records_nothing() {
    let (organisation, published) = world();
    rotate_to(&published, 1, 2);
    push(&organisation);
    organisation.pull("consumer", &["--update"]).success();
    rotate(
        &organisation.env.work().join("trust"),
        1,
        &["bob"],
        |root| {
            root.expires = "2027-10-10T10:10:10Z".parse().unwrap();
        },
    );
    finds(
        &organisation.env,
        &[],
        3,
        "root-untrusted",
        Some("E-TRUST-081"),
    );
    let shown = organisation.env.ordain_in("consumer", ["trust", "verify"]);
    fails(&shown, 3, "E-TRUST-081");
    let state = || std::fs::read_to_string(organisation.state().join("state.json")).unwrap();
    assert!(!state().contains("equivocations"), "{}", state());
    // Whoever means to decide does.
    fails(&organisation.eval("consumer", &[]), 3, "E-TRUST-081");
    assert!(state().contains("equivocations"), "{}", state());
}
