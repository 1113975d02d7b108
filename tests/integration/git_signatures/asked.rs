//! Evidence that a courier, another pull or a large repository brings.

use super::*;

#[test]
fn the_signature_of_another_tag_of_the_same_commit_is_not_imported() {
    let world = World::new(Some("tag"));
    world.unsigned();
    world.git("bob", &["tag", "-s", "-m", "a candidate", "v0"]);
    world.git("bob", &["tag", "-s", "-m", "a release", "v1"]);
    let lock = world.env.work().join("app/ordain.lock");
    let carry = |reference: &str, file: &str| {
        world.consumer(reference);
        world.app(&["bundle", "pull"]).success();
        world.app(&["bundle", "export", "--output", file]).success();
        std::fs::remove_file(&lock).unwrap();
        std::fs::remove_dir_all(world.cache()).unwrap();
    };
    carry("v0", "v0.export");
    carry("v1", "v1.export");
    for configured in ["v1", "refs/tags/v1"] {
        world.consumer(configured);
        let refused = world.app(&["bundle", "import", "v0.export"]);
        fails(&refused, "E-TRUST-095");
        assert!(!lock.exists(), "{refused}");
        world.app(&["bundle", "import", "v1.export"]).success();
        std::fs::remove_file(&lock).unwrap();
    }
    let id = world.plain(&["rev-parse", "HEAD"]);
    for (configured, code) in [
        // By its form a short name may be a tag's.
        ("main", "E-TRUST-095"),
        ("refs/heads/main", "E-TRUST-091"),
        ("HEAD", "E-TRUST-091"),
        (&id, "E-TRUST-091"),
    ] {
        world.consumer(configured);
        let refused = world.app(&["bundle", "import", "v1.export"]);
        fails(&refused, code);
    }
}

#[test]
fn what_a_pull_of_another_tag_left_in_the_store_is_fetched_anew() {
    let world = World::new(Some("tag"));
    world.unsigned();
    world.git("bob", &["tag", "-s", "-m", "a candidate", "v0"]);
    world.git("bob", &["tag", "-s", "-m", "a release", "v1"]);
    let store = Store::new(&world.cache());
    let pull = |reference: &str| {
        world.consumer(reference);
        world.app(&["bundle", "pull"]).success();
        let path = store.path(&store.list().unwrap().remove(0));
        (std::fs::read(&path).unwrap(), path)
    };
    let (of_v0, path) = pull("v0");
    let (of_v1, _) = pull("v1");
    assert!(of_v0 != of_v1);
    std::fs::write(&path, &of_v0).unwrap();
    fails(
        &world.app(&["eval", "--frozen", "request.json"]),
        "E-TRUST-095",
    );
    let pulled = world.app(&["bundle", "pull", "--locked"]);
    assert!(
        pulled.success().contains("tag v1 signed by bob"),
        "{pulled}"
    );
    assert!(std::fs::read(&path).unwrap() == of_v1);
    // Neither does an update take it for what the ref stands at.
    std::fs::write(&path, &of_v0).unwrap();
    let pulled = world.app(&["bundle", "pull", "--update"]);
    assert!(
        pulled.success().contains("tag v1 signed by bob"),
        "{pulled}"
    );
}

#[test]
fn a_commit_or_tag_of_a_megabyte_is_no_evidence() {
    let message = format!("{}\n", "x".repeat(1 << 20));
    for required in [Some("either"), None] {
        let world = World::new(required);
        world.env.write("message", &message);
        let large = ["commit", "--quiet", "-S", "-F", "../message"];
        world.git("bob", &large);
        world.commit("bob");
        world.git("bob", &["tag", "-s", "-F", "../message", "large"]);
        world.plain(&["update-ref", "refs/heads/it", "main~"]);
        for reference in ["it", "large"] {
            if required.is_some() {
                world.refused(reference, "E-TRUST-090");
            } else {
                let output = world.verify(&world.path(), reference);
                assert!(!output.success().contains("  git "), "{output}");
            }
        }
        world.accepted("main", "commit signed by bob");
    }
}
