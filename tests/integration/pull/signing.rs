//! `bundle sign` and `trust`: co-signing, renewing, requirements, roots.

use crate::support::organisation::{BUNDLE, Organisation, fails};

/// The statement, as `bundle inspect` reads it.
fn predicate(world: &Organisation) -> serde_json::Value {
    let output = world.env.ordain(["bundle", "inspect", BUNDLE, "--json"]);
    output.success();
    output.json()["predicate"].clone()
}

#[test]
fn two_signers_are_needed_and_counted_once_each() {
    let world = Organisation::with_threshold(2);
    // The trust root was signed by both when it was made.
    world.edit("ONE");
    world.sign(&["alice"], &[]).success();
    world.commit();
    world.consumer("app", &world.file_url(), None);
    fails(&world.pull("app", &[]), 3, "E-TRUST-009");
    let again = world.sign(&["alice"], &[]);
    assert!(again.success().contains("co-signed"), "{again}");
    assert!(
        again.stderr.contains("have signed this revision already"),
        "{again}"
    );
    world.sign(&["carol"], &[]).success();
    world.commit();
    let refused = world.pull("app", &[]);
    fails(&refused, 3, "E-TRUST-009");
    assert!(
        refused.stderr.contains("1 of the 2 signatures"),
        "{refused}"
    );
    let both = world.sign(&["bob"], &[]);
    assert!(
        both.success()
            .contains("co-signed bundle acme revision 1.1"),
        "{both}"
    );
    world.commit();
    let pulled = world.pull("app", &[]);
    assert!(pulled.success().contains("signed by  alice"), "{pulled}");
    assert_eq!(world.locked("app")["signers"].as_array().unwrap().len(), 2);
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn a_new_revision_begins_where_files_changed_or_on_request() {
    let world = Organisation::new();
    world.publish("ONE");
    assert_eq!(predicate(&world)["revision"], 1);
    world.sign(&["bob"], &[]).success();
    assert_eq!(predicate(&world)["revision"], 1);
    world.sign(&["alice"], &["--renew"]).success();
    assert_eq!(predicate(&world)["revision"], 2);
    world.publish("TWO");
    assert_eq!(predicate(&world)["revision"], 3);
    world.edit("THREE");
    fails(&world.sign(&["alice"], &["--revision=3"]), 2, "E-TRUST-040");
    let endless = world
        .env
        .ordain(["bundle", "sign", BUNDLE, "--key=keys/alice"]);
    fails(&endless, 2, "E-TRUST-039");
    assert_eq!(predicate(&world)["revision"], 3);
    world.sign(&["alice"], &["--revision=7"]).success();
    assert_eq!(predicate(&world)["revision"], 7);
}

#[test]
fn whoever_asks_for_something_co_signs_nothing_else() {
    let world = Organisation::new();
    world.publish_as("ONE", &["--requires=pci@1.3"]);
    let envelope = || world.env.read(format!("{BUNDLE}/bundle.dsse.json"));
    let before = envelope();
    for other in [
        &["--epoch=2"][..],
        &["--revision=2"],
        &["--requires=pci@1.4"],
        &["--requires=pci@1.3", "--requires=sox@1.1"],
    ] {
        let refused = world.sign(&["bob"], other);
        fails(&refused, 2, "E-TRUST-119");
        assert!(refused.stderr.contains("--renew"), "{refused}");
        assert_eq!(envelope(), before, "{other:?}");
    }
    let same = ["--epoch=1", "--revision=1", "--requires=pci@1.3"];
    let cosigned = world.sign(&["bob"], &same);
    for line in ["co-signed bundle acme revision 1.1", "expires", "pci"] {
        assert!(cosigned.success().contains(line), "{cosigned}");
    }
    assert!(cosigned.stderr.contains("are not checked"), "{cosigned}");
}

#[test]
fn a_planted_envelope_does_not_burn_the_revisions() {
    let world = Organisation::new();
    let planted = (1_u64 << 53) - 2;
    let number = format!("--revision={planted}");
    world.publish_as("ONE", &[&number]);
    let file = format!("{BUNDLE}/bundle.dsse.json");
    let mut envelope: serde_json::Value = serde_json::from_str(&world.env.read(&file)).unwrap();
    envelope["signatures"][0]["sig"] = format!("{}==", "A".repeat(86)).into();
    world.env.write(&file, envelope.to_string());
    let before = world.env.read(&file);
    fails(&world.sign(&["bob"], &[]), 2, "E-TRUST-120");
    fails(&world.sign(&["bob"], &["--renew"]), 2, "E-TRUST-120");
    world.edit("TWO");
    fails(&world.sign(&["bob"], &[]), 2, "E-TRUST-120");
    assert_eq!(world.env.read(&file), before);
    // Whoever names the number means it.
    world.edit("ONE");
    world.sign(&["bob"], &[&number]).success();
    world.edit("TWO");
    let next = format!("--revision={}", planted + 1);
    world.sign(&["bob"], &[&next]).success();
}

#[test]
fn what_a_bundle_requires_must_be_there() {
    let world = Organisation::new();
    world.consumer("app", &world.file_url(), None);
    world.publish_as("ONE", &["--requires=pci@1.3"]);
    assert_eq!(predicate(&world)["requires"][0]["bundle"], "pci");
    fails(&world.pull("app", &[]), 3, "E-TRUST-054");
    assert!(!world.env.work().join("app/ordain.lock").exists());
    for wrong in ["--requires=pci", "--requires=pci@1", "--requires=pci@0.1"] {
        assert_eq!(world.sign(&["alice"], &[wrong]).status, Some(2), "{wrong}");
    }
}

#[test]
fn an_expired_bundle_is_refused_and_renewing_heals_it() {
    let mut world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    world.env.set("ORDAIN_NOW", "2027-03-01T00:00:00Z");
    fails(&world.pull("app", &[]), 3, "E-TRUST-023");
    let denied = world.eval("app", &[]);
    fails(&denied, 3, "E-TRUST-023");
    assert_eq!(denied.json()["decisions"][0]["outcome"], "denied");
    world.sign(&["alice"], &["--renew"]).success();
    world.commit();
    world.pull("app", &[]).success();
    assert_eq!(world.decided_by("app", &[]), "ONE");
}

#[test]
fn a_private_key_is_not_published() {
    let world = Organisation::new();
    let key = world.env.read("keys/carol");
    world.env.write(format!("{BUNDLE}/data/key.json"), key);
    fails(&world.sign(&["alice"], &[]), 2, "E-CONFIG-001");
}

#[test]
fn a_trust_root_is_made_signed_by_others_and_checked() {
    let world = Organisation::new();
    let env = &world.env;
    let init = |dir: &str| {
        let arguments = [
            "trust",
            "init",
            "--threshold=2",
            "--expires=1y",
            "--namespace=acme",
            "--principal=alice=keys/alice",
            "--principal=bob=keys/bob.pub",
            dir,
        ];
        env.ordain(arguments)
    };
    let made = init("--dir=roots");
    let fingerprint = made.success().trim().to_owned();
    assert!(made.stderr.contains("signed by 1 of the 2"), "{made}");
    fails(&init("--dir=roots"), 2, "E-CONFIG-011");
    let pinned = format!("--fingerprint={fingerprint}");
    let verify = || env.ordain(["trust", "verify", "--dir=roots", &pinned]);
    fails(&verify(), 3, "E-TRUST-047");
    let stranger = env.ordain(["trust", "sign", "roots/1.root.json", "--key=keys/carol"]);
    fails(&stranger, 2, "E-TRUST-115");
    fails(&verify(), 3, "E-TRUST-047");
    env.ordain(["trust", "sign", "roots/1.root.json", "--key=keys/bob"])
        .success();
    let good = verify();
    assert!(good.success().contains("alice, bob"), "{good}");
    let wrong = format!("--fingerprint=sha256:{}", "0".repeat(64));
    fails(
        &env.ordain(["trust", "verify", "--dir=roots", &wrong]),
        3,
        "E-TRUST-042",
    );
    fails(
        &env.ordain(["trust", "verify", "--dir=roots"]),
        2,
        "E-CONFIG-015",
    );
    let shown = env.ordain(["trust", "show", "--dir=roots"]);
    assert!(shown.success().contains(&fingerprint), "{shown}");
    let alone = env.ordain(["trust", "show", "--dir=roots", "--fingerprint"]);
    assert_eq!(alone.success().trim(), fingerprint);
    let json = env.ordain(["trust", "show", "--dir=roots", "--json"]);
    json.success();
    assert_eq!(json.json()["version"], 1);
    fails(
        &env.ordain(["trust", "show", "--dir=keys"]),
        3,
        "E-TRUST-041",
    );
    // Nobody can meet a threshold above their number.
    let arguments = [
        "trust",
        "init",
        "--dir=more",
        "--threshold=2",
        "--expires=1y",
    ];
    let output = env.ordain(arguments.iter().chain(&["--principal=alice=keys/alice"]));
    assert_ne!(output.status, Some(0), "{output}");
    assert!(output.stderr.contains("[E-TRUST-05"), "{output}");
}
