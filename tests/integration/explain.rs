//! `ordain bundle verify --explain`: every check in order, and who can mend the one that failed.

use ordain::trust::RevokedRevisions;

use super::support::organisation::{BUNDLE, Organisation, fails};
use super::support::roots;
use super::vectors::order::told;

/// Published once with both signatures, and pulled.
fn pulled() -> Organisation {
    let organisation = Organisation::with_threshold(2);
    organisation.edit("ONE");
    organisation.sign(&["alice", "bob"], &[]).success();
    organisation.commit();
    organisation.consumer("consumer", "../policy", Some("main"));
    organisation.pull("consumer", &[]).success();
    organisation
}

const EXPLAIN: [&str; 3] = ["bundle", "verify", "--explain"];

#[test]
fn a_good_bundle_shows_all_its_facts() {
    let organisation = pulled();
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    output.success();
    insta::assert_snapshot!(output);
    let output = organisation
        .env
        .ordain_in("consumer", EXPLAIN.iter().chain(&["--json"]));
    output.success();
    assert_eq!(told(&output.json()), Vec::<String>::new());
    insta::assert_snapshot!("a_good_bundle_as_json", output);
}

#[test]
fn a_missing_signature_names_who_can_give_it() {
    let organisation = pulled();
    organisation.edit("TWO");
    organisation.sign(&["alice"], &[]).success();
    organisation.commit();
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    fails(&output, 3, "E-TRUST-009");
    assert!(output.stdout.contains("who: one of bob"), "{output}");
    insta::assert_snapshot!(output);
    // The answer is that of the same command without the flag.
    let plain = organisation.env.ordain_in("consumer", ["bundle", "verify"]);
    assert_eq!((plain.status, plain.stderr), (output.status, output.stderr));
}

#[test]
fn an_expired_bundle_of_a_repository_without_a_configuration() {
    let mut organisation = pulled();
    organisation.env.set("ORDAIN_NOW", "2027-03-01T00:00:00Z");
    let fingerprint = organisation.fingerprint.clone();
    let output = organisation.env.ordain([
        "bundle",
        "verify",
        "--explain",
        "policy",
        "--path=bundles/acme",
        "--trust-root=trust",
        "--fingerprint",
        &fingerprint,
    ]);
    fails(&output, 3, "E-TRUST-023");
    insta::assert_snapshot!(output);
}

#[test]
fn a_directory_with_an_edited_file() {
    let organisation = pulled();
    organisation
        .env
        .write(format!("{BUNDLE}/README.md"), "edited");
    let fingerprint = organisation.fingerprint.clone();
    let arguments = [
        "bundle",
        "verify",
        "--explain",
        BUNDLE,
        "--trust-root=trust",
        "--fingerprint",
        &fingerprint,
    ];
    let output = organisation.env.ordain(arguments);
    fails(&output, 3, "E-TRUST-026");
    insta::assert_snapshot!(output);
    let output = organisation.env.ordain(arguments.iter().chain(&["--json"]));
    assert_eq!(told(&output.json()), ["file-set"]);
    insta::assert_snapshot!("a_directory_with_an_edited_file_as_json", output);
}

#[test]
fn a_ref_that_went_back() {
    let organisation = pulled();
    let first = organisation.env.git("policy", ["rev-parse", "HEAD"]);
    organisation.edit("TWO");
    organisation.sign(&["alice", "bob"], &[]).success();
    organisation.commit();
    organisation.pull("consumer", &[]).success();
    organisation.force(&first);
    let output = organisation
        .env
        .ordain_in("consumer", ["bundle", "verify", "acme", "--explain"]);
    fails(&output, 3, "E-TRUST-020");
    assert!(output.stdout.contains("revision 1.2 or later"), "{output}");
    insta::assert_snapshot!(output);
}

#[test]
fn a_trust_root_that_is_not_the_pinned_one_leaves_nothing_to_look_at() {
    let organisation = pulled();
    let config = organisation.env.read("consumer/ordain.yaml");
    let other = format!("sha256:{}", "0".repeat(64));
    let config = config.replace(&organisation.fingerprint, &other);
    organisation.env.write("consumer/ordain.yaml", config);
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    fails(&output, 3, "E-TRUST-042");
    insta::assert_snapshot!(output);
}

#[test]
fn a_policy_that_a_pull_would_refuse_is_not_verified() {
    let organisation = pulled();
    organisation.env.write(
        format!("{BUNDLE}/policies/other.yaml"),
        "apiVersion: ordain/v1\nkind: Policy\nscope: elsewhere\nrules: []\n",
    );
    organisation.sign(&["alice", "bob"], &[]).success();
    organisation.commit();
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    assert_ne!(output.status, Some(0), "{output}");
    assert!(output.stdout.contains("FAILED  policy"), "{output}");
    for arguments in [["bundle", "verify"], ["bundle", "pull"]] {
        let plain = organisation.env.ordain_in("consumer", arguments);
        assert_eq!(
            (plain.status, plain.stderr),
            (output.status, output.stderr.clone())
        );
    }
}

#[test]
fn json_without_an_explanation_is_refused() {
    let organisation = pulled();
    let output = organisation
        .env
        .ordain_in("consumer", ["bundle", "verify", "--json"]);
    assert_eq!(output.status, Some(2), "{output}");
}

#[test]
fn a_signature_by_a_revoked_key_is_told_as_such() {
    let organisation = pulled();
    let bob = roots::key("bob").public().id();
    let directory = organisation.env.work().join("trust");
    // Bob leaves the root role before his key is revoked.
    roots::rotate(&directory, 1, &["alice", "bob", "carol"], |root| {
        let carol = "carol".parse().unwrap();
        root.principals.insert(carol, roots::principal("carol"));
        roots::members(root, "publisher/acme", &["alice", "bob", "carol"], 2);
        roots::members(root, "root", &["alice", "carol"], 2);
    });
    roots::rotate(&directory, 2, &["alice", "carol"], |root| {
        root.revoked.keys.insert(bob.clone());
    });
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    fails(&output, 3, "E-TRUST-009");
    let found = format!("1: alice; bob's key {} is revoked", bob.as_str());
    assert!(output.stdout.contains(&found), "{output}");
}

#[test]
fn what_is_revoked_is_named_as_the_trust_root_names_it() {
    let organisation = pulled();
    let directory = organisation.env.work().join("trust");
    let payload = organisation.locked("consumer")["payload"].clone();
    let payload = payload.as_str().unwrap();
    roots::rotate(&directory, 1, &["alice", "bob"], |root| {
        root.revoked.payloads.insert(payload.parse().unwrap());
    });
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    fails(&output, 3, "E-TRUST-025");
    for told in ["a payload that", &format!("payload {payload}, revoked")] {
        assert!(output.stdout.contains(told), "no {told} in {output}");
    }
    let one = 1.try_into().unwrap();
    roots::rotate(&directory, 1, &["alice", "bob"], |root| {
        root.revoked.revisions.insert(RevokedRevisions {
            bundle: "acme".parse().unwrap(),
            epoch: one,
            from: one,
            to: one,
        });
    });
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    fails(&output, 3, "E-TRUST-025");
    assert!(output.stdout.contains("revision 1.1, revoked"), "{output}");
}

#[test]
fn a_step_back_says_where_to() {
    let organisation = pulled();
    organisation.edit("TWO");
    organisation.sign(&["alice", "bob"], &[]).success();
    organisation.commit();
    organisation.pull("consumer", &[]).success();
    organisation.edit("ONE");
    let back = organisation.sign(&["alice", "bob"], &["--rollback-to=1.1"]);
    back.success();
    organisation.commit();
    let output = organisation.env.ordain_in("consumer", EXPLAIN);
    output.success();
    let told = "1.3, which rolls back to 1.1";
    assert!(output.stdout.contains(told), "{output}");
    let output = organisation
        .env
        .ordain_in("consumer", EXPLAIN.iter().chain(&["--json"]));
    assert!(output.stdout.contains("\"rolls_back\""), "{output}");
}
