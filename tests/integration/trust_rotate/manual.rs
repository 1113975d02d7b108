//! What the manual and the messages say, held against what happens.

use super::{World, fails};
use crate::support::keys::snakeoil;

#[test]
fn an_authors_repository_needs_neither_a_configuration_nor_a_directory() {
    let world = World::new();
    let keys = "--key=keys/alice --key=keys/bob";
    let carol = snakeoil("carol").fingerprint();
    world
        .trust(&format!("rotate --renew --expires=1y {keys}"))
        .success();
    world
        .trust(&format!("revoke --revisions=acme@1.1 {keys}"))
        .success();
    assert!(world.root(3).exists());
    let shown = world.trust("show");
    assert!(shown.success().starts_with("trust root 3, "), "{shown}");
    assert!(
        world
            .trust("show --diff=3")
            .success()
            .contains("1 difference\n")
    );
    let verify = format!("verify --fingerprint={}", world.fingerprint);
    world.trust(&verify).success();
    fails(&world.trust("verify"), 2, "E-CONFIG-015");
    let exported = world.trust("allowed-signers export");
    assert_eq!(exported.success().lines().count(), 3, "{exported}");

    // Elsewhere there is nothing to go by.
    std::fs::create_dir(world.env.work().join("elsewhere")).unwrap();
    for arguments in [
        "show",
        "verify",
        "allowed-signers export",
        "rotate --renew --expires=1y",
        &format!("revoke --key={carol}"),
    ] {
        let arguments = ["trust"].into_iter().chain(arguments.split_whitespace());
        let output = world.env.ordain_in("elsewhere", arguments);
        fails(&output, 2, "E-CONFIG-002");
        assert!(output.stderr.contains("`--dir`"), "{output}");
    }
}

#[test]
fn a_signature_that_counts_nowhere_is_said_to() {
    let world = World::new();
    world.rotate("--renew").success();
    let output = world.trust("sign trust/2.root.json --key=keys/carol");
    output.success();
    for words in [
        "added 1 signature to trust root 2: ",
        "warning: the signature of carol does not count by trust root 1 or 2",
    ] {
        assert!(output.stderr.contains(words), "{output}");
    }
    let output = world.trust("sign trust/2.root.json --key=keys/alice");
    assert!(!output.stderr.contains("does not count by"), "{output}");
}

#[test]
fn what_is_revoked_already_is_not_to_be_renewed() {
    let world = World::new();
    let revoke = "revoke --revisions=acme@1.1 --key=keys/alice --key=keys/bob";
    world.trust(revoke).success();
    let output = world.trust(revoke);
    fails(&output, 2, "E-TRUST-112");
    assert!(!output.stderr.contains("--renew"), "{output}");
    assert!(output.stderr.contains("revoked already"), "{output}");
}

#[test]
fn a_public_key_file_is_nothing_to_hide() {
    let world = World::new();
    world.rotate("--renew").success();
    let output = world.trust("sign trust/2.root.json --key=keys/bob.pub");
    assert_eq!(output.status, Some(2), "{output}");
    assert!(!output.stderr.contains("others may read"), "{output}");
}

#[test]
fn numbers_agree_with_what_they_count() {
    let world = World::new();
    let init = "init --dir=one --principal=alice=keys/alice --principal=bob=keys/bob --threshold=1 --expires=1y --namespace=acme";
    let output = world.trust(init);
    output.success();
    assert!(
        output.stderr.contains("signed by 2; it needs 1"),
        "{output}"
    );
    let rotate = world.trust("rotate --dir=one --expires=1y --renew");
    rotate.success();
    let output = world.trust(&format!(
        "verify --dir=one --fingerprint={}",
        world.trust("show --dir=one --fingerprint").success().trim()
    ));
    fails(&output, 3, "E-TRUST-047");
    assert!(
        output.stderr.contains("0 of the 1 signature that"),
        "{output}"
    );
}
