//! `bundle pull URL`, `bundle verify`, `bundle list` and `bundle inspect`: with and without a configuration.

use crate::support::organisation::{BUNDLE, Organisation, fails};

fn published() -> Organisation {
    let world = Organisation::new();
    world.publish("ONE");
    std::fs::create_dir(world.env.work().join("nowhere")).unwrap();
    world
}

/// What names the bundle and the trust root on the command line, after a URL.
fn flags(fingerprint: &str) -> [String; 4] {
    [
        "--ref=main".to_owned(),
        "--path=bundles/acme".to_owned(),
        "--trust-root=../trust".to_owned(),
        format!("--fingerprint={fingerprint}"),
    ]
}

#[test]
fn a_bundle_is_pulled_without_a_configuration() {
    let world = published();
    let url = world.file_url();
    let flags = flags(&world.fingerprint);
    let pull = |more: &[String]| {
        let arguments = ["bundle", "pull", &url].map(str::to_owned);
        world.env.ordain_in("nowhere", arguments.iter().chain(more))
    };
    let first = pull(&flags);
    assert!(
        first
            .success()
            .contains("bundle acme is new, at revision 1.1"),
        "{first}"
    );
    assert!(first.stdout.contains("signed by  alice"), "{first}");
    let again = pull(&flags);
    assert!(again.success().contains("nothing downloaded"), "{again}");
    assert_eq!(world.mark(), Some(1));
    assert!(!world.env.work().join("nowhere/ordain.lock").exists());

    let wrong = format!("--fingerprint=sha256:{}", "0".repeat(64));
    let [reference, path, root, fingerprint] = flags;
    let with = |arguments: &[&String]| {
        let arguments: Vec<String> = arguments.iter().map(|&text| text.clone()).collect();
        pull(&arguments)
    };
    fails(&with(&[&reference, &path, &root, &wrong]), 3, "E-TRUST-042");
    fails(&with(&[&reference, &path, &root]), 2, "E-CONFIG-015");
    fails(&with(&[&reference, &path]), 2, "E-CONFIG-002");
    assert_eq!(with(&[&reference, &path, &fingerprint]).status, Some(2));
    fails(
        &with(&[&path, &root, &fingerprint, &"--ref=absent".to_owned()]),
        4,
        "E-SOURCE-006",
    );
    fails(
        &with(&[&root, &fingerprint, &"--path=absent".to_owned()]),
        2,
        "E-SOURCE-009",
    );

    // What was seen once is not unseen, configuration or not.
    let commit = world.env.git("policy", ["rev-parse", "HEAD"]);
    world.publish("TWO");
    with(&[&reference, &path, &root, &fingerprint]).success();
    world.force(&commit);
    fails(
        &with(&[&reference, &path, &root, &fingerprint]),
        3,
        "E-TRUST-020",
    );
}

#[test]
fn hostile_urls_and_refs_are_refused_before_anything_runs() {
    let world = published();
    let mark = world.env.work().join("ran");
    let [_, path, root, fingerprint] = flags(&world.fingerprint);
    let run = format!("touch {}", mark.display());
    for url in [
        format!("ext::{run}"),
        format!("-u{run}"),
        format!("ssh://-oProxyCommand={run}/x"),
    ] {
        let arguments = ["bundle", "pull", &path, &root, &fingerprint, "--", &url];
        let output = world.env.ordain_in("nowhere", arguments);
        assert_eq!(output.status, Some(2), "{output}");
    }
    let reference = format!("--ref=--upload-pack={run}");
    let arguments = [
        "bundle",
        "pull",
        &world.file_url(),
        &reference,
        &path,
        &root,
        &fingerprint,
    ];
    fails(
        &world.env.ordain_in("nowhere", arguments),
        2,
        "E-SOURCE-005",
    );
    assert!(!mark.exists());
}

#[test]
fn verify_takes_a_name_a_directory_or_a_url_and_activates_nothing() {
    let world = published();
    world.consumer("app", &world.file_url(), None);
    let url = world.file_url();
    let [reference, path, root, fingerprint] = flags(&world.fingerprint);
    let bundle = world.env.work().join(BUNDLE).display().to_string();
    for arguments in [
        &["acme"][..],
        &[],
        &[&bundle],
        &[&url, &reference, &path],
        &[&url, &path, &root, &fingerprint],
        &[&bundle, &root, &fingerprint],
    ] {
        let output = world
            .env
            .ordain_in("app", ["bundle", "verify"].iter().chain(arguments));
        assert!(
            output
                .success()
                .contains("bundle acme 0.1.0 is verified: revision 1.1"),
            "{output}"
        );
        assert!(output.stdout.contains("namespace acme"), "{output}");
        assert!(!world.env.work().join("app/ordain.lock").exists());
        assert_eq!(world.mark(), None);
    }
    fails(
        &world.env.ordain_in("app", ["bundle", "verify", "other"]),
        2,
        "E-CONFIG-001",
    );
    fails(
        &world.env.ordain_in("app", ["bundle", "pull", &bundle]),
        2,
        "E-CONFIG-001",
    );
    fails(
        &world
            .env
            .ordain_in("nowhere", ["bundle", "verify", &bundle]),
        2,
        "E-CONFIG-002",
    );
    world.edit("CHANGED");
    fails(
        &world.env.ordain_in("app", ["bundle", "verify", &bundle]),
        3,
        "E-TRUST-028",
    );
    world.env.write(format!("{BUNDLE}/policies/more.yaml"), "x");
    fails(
        &world.env.ordain_in("app", ["bundle", "verify", &bundle]),
        3,
        "E-TRUST-026",
    );
}

#[test]
fn list_shows_what_is_active() {
    let world = published();
    world.consumer("app", &world.file_url(), None);
    let list = || world.env.ordain_in("app", ["bundle", "list"]);
    assert!(list().success().contains("not pulled"));
    world.pull("app", &[]).success();
    let output = list();
    assert!(
        output.success().contains("1.1") && output.stdout.contains("alice"),
        "{output}"
    );
    let json = world.env.ordain_in("app", ["bundle", "list", "--json"]);
    json.success();
    let json = json.json();
    assert_eq!(json["format_version"], 1);
    assert_eq!(json["bundles"][0]["name"], "acme");
    assert_eq!(json["bundles"][0]["active"], world.locked("app"));
}

#[test]
fn inspect_shows_and_verifies_nothing() {
    let world = published();
    let inspect = |more: &[&str]| {
        world
            .env
            .ordain(["bundle", "inspect", BUNDLE].iter().chain(more))
    };
    let output = inspect(&[]);
    assert!(output.success().contains("revision   1.1"), "{output}");
    assert!(output.stdout.contains("policies/acme.yaml"), "{output}");
    assert!(
        output.stderr.contains("nothing of this was verified"),
        "{output}"
    );
    let json = inspect(&["--json"]);
    json.success();
    assert_eq!(json.json()["predicate"]["bundle"], "acme");
    world.edit("CHANGED");
    inspect(&[]).success();
    world.env.write(format!("{BUNDLE}/bundle.dsse.json"), "{");
    fails(&inspect(&[]), 3, "E-TRUST-003");
    std::fs::remove_file(world.env.work().join(BUNDLE).join("bundle.dsse.json")).unwrap();
    assert!(inspect(&[]).success().contains("not signed"));
}
