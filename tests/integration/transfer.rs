//! Across an air gap: `bundle export` on one machine, `bundle import` on another.

mod crash;
mod defects;
mod full_disk;

use serde_json::Value;

use crate::support::organisation::{Organisation, fails, files_below};
use crate::support::{Output, TestEnv, env};

/// A machine without a network: a home of its own, the consumer's configuration, and what was carried there.
pub(crate) struct Island {
    pub(crate) env: TestEnv,
    fingerprint: String,
}

impl Island {
    /// It has the pinned fingerprint, and the first trust root.
    pub(crate) fn of(world: &Organisation) -> Self {
        let island = Self::with_fingerprint(&world.fingerprint);
        let root = world.env.read("trust/1.root.json");
        island.env.write("trust/1.root.json", root);
        island
    }

    pub(crate) fn with_fingerprint(fingerprint: &str) -> Self {
        let env = TestEnv::new();
        std::fs::create_dir(env.work().join("trust")).unwrap();
        let text = format!(
            "apiVersion: ordain/v1\nkind: Config\nscope: acme\n\
             trust: {{dir: ../trust, fingerprint: \"{fingerprint}\"}}\nbundles:\n\
             - {{name: acme, git: \"https://nowhere.invalid/policy\", ref: main, path: bundles/acme}}\n"
        );
        env.write("app/ordain.yaml", text);
        env.write(
            "app/read_x.json",
            crate::support::organisation::request("read_x"),
        );
        let fingerprint = fingerprint.to_owned();
        Self { env, fingerprint }
    }

    /// Carries a file over and imports it.
    pub(crate) fn import(&self, bytes: impl AsRef<[u8]>, more: &[&str]) -> Output {
        self.env.write("app/carried", bytes);
        let arguments = ["bundle", "import", "carried"].iter().chain(more);
        self.env.ordain_in("app", arguments)
    }

    /// The reason's code of a decision, which tells the revision that decided.
    #[track_caller]
    pub(crate) fn decided_by(&self) -> String {
        let arguments = ["eval", "read_x.json", "--format=json", "--frozen"];
        let output = self.env.ordain_in("app", arguments);
        output.success();
        crate::support::organisation::reason_code(&output.json())
    }

    pub(crate) fn lock(&self) -> Option<String> {
        std::fs::read_to_string(self.env.work().join("app/ordain.lock")).ok()
    }

    pub(crate) fn mark(&self) -> Option<u64> {
        let path = self.env.home().join(".local/state/ordain/state.json");
        let state: Value = serde_json::from_slice(&std::fs::read(path).ok()?).unwrap();
        state["roots"][&self.fingerprint]["bundles"]["acme"]["revision"].as_u64()
    }
}

/// What `app` has active, as one file.
pub(crate) fn export(world: &Organisation) -> Vec<u8> {
    let output = world
        .env
        .ordain_in("app", ["bundle", "export", "--output=out", "--offline"]);
    output.success();
    std::fs::read(world.env.work().join("app/out")).unwrap()
}

/// A publisher and a consumer with a network, who has pulled revision 1.
pub(crate) fn world() -> Organisation {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), Some("main"));
    world.pull("app", &[]).success();
    world
}

/// The next root, signed by both, as `trust` takes it.
pub(crate) fn rotate(world: &Organisation, change: &[&str]) {
    let mut arguments = vec!["trust", "rotate", "--dir=trust", "--expires=1y"];
    arguments.extend(["--key=keys/alice", "--key=keys/bob"]);
    arguments.extend(change);
    world.env.ordain(arguments).success();
}

#[test]
fn what_is_exported_decides_on_a_machine_without_a_network() {
    let world = world();
    let island = Island::of(&world);
    let output = island.import(export(&world), &[]);
    assert!(
        output
            .success()
            .contains("bundle acme is new, at revision 1.1"),
        "{output}"
    );
    assert!(
        output.stderr.contains("is said to be from file://"),
        "{output}"
    );
    assert_eq!(island.decided_by(), "ONE");
    assert_eq!(island.mark(), Some(1));
    let lock: Value = serde_json::from_str(&island.lock().unwrap()).unwrap();
    let commit = &lock["bundles"]["acme"]["commit"];
    assert!(
        commit.is_null(),
        "nobody here can check the commit: {commit}"
    );
    let again = island.import(export(&world), &[]);
    assert!(
        again.success().contains("is up to date at revision 1.1"),
        "{again}"
    );
    world.publish("TWO");
    world.pull("app", &[]).success();
    let second = island.import(export(&world), &[]);
    assert!(
        second.success().contains("went from revision 1.1 to 1.2"),
        "{second}"
    );
    assert_eq!(island.decided_by(), "TWO");
}

#[test]
fn the_same_bundles_and_roots_make_the_same_bytes() {
    let world = world();
    let first = export(&world);
    assert_eq!(export(&world), first);
    // Another machine, which pulled the same.
    std::fs::remove_dir_all(world.cache()).unwrap();
    world.consumer("second", &world.file_url(), Some("main"));
    world.pull("second", &[]).success();
    let output = world
        .env
        .ordain_in("second", ["bundle", "export", "acme", "-o", "out"]);
    output.success();
    assert_eq!(
        std::fs::read(world.env.work().join("second/out")).unwrap(),
        first
    );
}

#[test]
fn an_export_is_of_what_is_active_and_configured() {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), Some("main"));
    let export = |name: &str| {
        world
            .env
            .ordain_in("app", ["bundle", "export", name, "-o", "out"])
    };
    fails(&export("acme"), 2, "E-CONFIG-007");
    fails(&export("pci"), 2, "E-CONFIG-001");
    world.pull("app", &[]).success();
    let nowhere = ["bundle", "export", "-o", "/proc/nowhere/out"];
    fails(&world.env.ordain_in("app", nowhere), 2, "E-SOURCE-050");
    assert!(!world.env.work().join("app/out").exists());
    export("acme").success();
    let left = files_below(&world.env.work().join("app"));
    assert!(
        !left
            .iter()
            .any(|file| file.to_string_lossy().contains(".ordain-tmp")),
        "{left:?}"
    );
}

#[test]
fn newer_roots_are_walked_and_in_force_from_then_on() {
    let world = world();
    let island = Island::of(&world);
    island.import(export(&world), &[]).success();
    let carol = std::fs::read(world.env.work().join("keys/carol.pub")).unwrap();
    world.env.write("carol.pub", carol);
    rotate(&world, &["--principal=carol=carol.pub"]);
    // Root 3 revokes what the island has.
    let revoke = [
        "trust",
        "revoke",
        "--dir=trust",
        "--revisions=acme@1.1-1",
        "--key=keys/alice",
    ];
    world.env.ordain(revoke).success();
    world.publish("TWO");
    world.pull("app", &[]).success();
    let output = island.import(export(&world), &[]);
    assert!(output.success().contains("trust root 1 -> 3"), "{output}");
    assert_eq!(island.decided_by(), "TWO");
    let kept = island.env.home().join(".local/state/ordain/roots");
    assert_eq!(files_below(&kept).len(), 2, "roots 2 and 3 are kept");
}

#[test]
fn a_machine_that_has_only_the_fingerprint_gets_the_roots_from_the_file() {
    let world = world();
    let island = Island::with_fingerprint(&world.fingerprint);
    island.import(export(&world), &[]).success();
    assert_eq!(island.decided_by(), "ONE");
    let other = Island::with_fingerprint(&format!("sha256:{}", "0".repeat(64)));
    fails(&other.import(export(&world), &[]), 3, "E-TRUST-042");
    assert_eq!(other.lock(), None);
}

#[test]
fn locked_takes_what_the_lockfile_says_and_changes_nothing() {
    let world = world();
    let island = Island::of(&world);
    let first = export(&world);
    fails(&island.import(&first, &["--locked"]), 2, "E-CONFIG-007");
    island.import(&first, &[]).success();
    let lock = island.lock();
    world.publish("TWO");
    world.pull("app", &[]).success();
    fails(
        &island.import(export(&world), &["--locked"]),
        3,
        "E-CONFIG-008",
    );
    assert_eq!((island.lock(), island.mark()), (lock.clone(), Some(1)));
    // Under CI that is the default.
    std::fs::remove_dir_all(island.env.home().join(".cache")).unwrap();
    let mut ci = island.env.command(env::binary());
    ci.args(["bundle", "import", "carried"]).env("CI", "true");
    ci.current_dir(island.env.work().join("app"));
    fails(&island.env.run(ci, b""), 3, "E-CONFIG-008");
    island.import(&first, &["--locked"]).success();
    assert_eq!(island.lock(), lock);
    assert_eq!(island.decided_by(), "ONE");
}

#[test]
fn a_bundle_that_the_file_lacks_is_the_one_that_is_active() {
    let world = world();
    let island = Island::of(&world);
    let config = island.env.read("app/ordain.yaml");
    let more = "- {name: pci, git: \"https://nowhere.invalid/pci\"}\n";
    island
        .env
        .write("app/ordain.yaml", format!("{config}{more}"));
    fails(&island.import(export(&world), &[]), 4, "E-SOURCE-053");
    assert_eq!(island.lock(), None);
    // And one that is not configured is not looked at.
    let other = config.replace("name: acme", "name: other");
    island.env.write("app/ordain.yaml", other);
    fails(&island.import(export(&world), &[]), 4, "E-SOURCE-053");
    island.env.write("app/ordain.yaml", &config);
    island.import(export(&world), &[]).success();
}

#[test]
fn what_was_imported_is_verified_where_it_is_kept() {
    let world = world();
    let island = Island::of(&world);
    island.import(export(&world), &[]).success();
    for arguments in [&["--offline"][..], &["--frozen"], &["acme", "--frozen"]] {
        let arguments = ["bundle", "verify"].iter().chain(arguments);
        let verified = island.env.ordain_in("app", arguments);
        assert!(verified.success().contains("kept here"), "{verified}");
    }
    let explain = ["bundle", "verify", "--offline", "--explain"];
    island.env.ordain_in("app", explain).success();
    // What is not here, or not sound, is no less refused than elsewhere.
    let verify = ["bundle", "verify", "--frozen"];
    let store = island.env.home().join(".cache/ordain/store");
    for file in files_below(&store) {
        let mut bytes = std::fs::read(&file).unwrap();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        std::fs::write(&file, bytes).unwrap();
    }
    fails(&island.env.ordain_in("app", verify), 3, "E-TRUST-028");
    std::fs::remove_dir_all(store).unwrap();
    fails(&island.env.ordain_in("app", verify), 4, "E-SOURCE-016");
}
