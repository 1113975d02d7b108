//! The life of a trust root: rotated, signed on several machines, revoked, compared.

mod disaster;
mod manual;

use std::path::PathBuf;

use super::support::keys::snakeoil;
use super::support::organisation::{Organisation, fails};
use super::support::roots;
use super::support::{Output, TestEnv};

const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "dan", "mallory"];

/// Alice and Bob, two of two, publish `acme`; Carol publishes `acme/payments`. Mallory is nobody.
struct World {
    env: TestEnv,
    fingerprint: String,
}

impl World {
    fn new() -> Self {
        let env = TestEnv::new();
        for name in PEOPLE {
            snakeoil(name).write(&env.work().join("keys"));
        }
        let init = "trust init --principal=alice=keys/alice --principal=bob=keys/bob --principal=carol=keys/carol.pub \
            --threshold=2 --expires=1y --role=root=alice,bob:2 --publisher=acme=alice,bob:2 \
            --publisher=acme/payments=carol:1";
        let fingerprint = env
            .ordain(init.split_whitespace())
            .success()
            .trim()
            .to_owned();
        Self { env, fingerprint }
    }

    /// `ordain trust` with these arguments.
    fn trust(&self, arguments: &str) -> Output {
        self.env
            .ordain(["trust"].into_iter().chain(arguments.split_whitespace()))
    }

    fn rotate(&self, arguments: &str) -> Output {
        self.trust(&format!("rotate --dir=trust --expires=1y {arguments}"))
    }

    fn verify(&self) -> Output {
        self.trust(&format!(
            "verify --dir=trust --fingerprint={}",
            self.fingerprint
        ))
    }

    fn root(&self, version: u64) -> PathBuf {
        self.env.work().join(format!("trust/{version}.root.json"))
    }

    fn copy(&self, to: &str, version: u64) {
        let to = self.env.work().join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(self.root(version), to).unwrap();
    }
}

#[test]
fn a_rotation_is_complete_once_both_sides_have_signed() {
    let world = World::new();
    let output =
        world.rotate("--principal=dan=keys/dan.pub --role=root=alice,dan:2 --key=keys/alice");
    let lines: Vec<&str> = output.success().lines().collect();
    assert!(lines[0].ends_with("trust/2.root.json"), "{output}");
    assert_eq!(
        lines[1],
        "by root 1: counts 1 of 2: alice; missing 1 of: bob"
    );
    assert_eq!(
        lines[2],
        "by root 2: counts 1 of 2: alice; missing 1 of: dan"
    );
    for line in [
        "+ principal dan",
        "+ member of role root: dan",
        "- member of role root: bob",
    ] {
        assert!(output.stderr.contains(line), "{output}");
    }
    fails(&world.verify(), 3, "E-TRUST-047");

    // The new side alone is not enough, nor is a next rotation on top of it.
    let output = world.trust("sign trust/2.root.json --key=keys/dan");
    assert!(
        output
            .success()
            .contains("by root 2: counts 2 of 2: alice, dan"),
        "{output}"
    );
    let output = world.verify();
    fails(&output, 3, "E-TRUST-047");
    assert!(
        output
            .stdout
            .contains("trust root 2, by root 1: counts 1 of 2: alice; missing 1 of: bob"),
        "{output}"
    );
    let output = world.rotate("--renew --key=keys/alice");
    fails(&output, 3, "E-TRUST-047");
    assert!(!world.root(3).exists());

    world
        .trust("sign trust/2.root.json --key=keys/bob")
        .success();
    let output = world.verify();
    assert!(
        output.success().contains("trust root 2 is good until"),
        "{output}"
    );
    // What is complete goes on.
    world
        .rotate("--renew --key=keys/alice --key=keys/dan")
        .success();
    world.verify().success();
}

#[test]
fn a_publisher_removed_and_named_by_one_rotation_keeps_its_epoch() {
    let world = World::new();
    let keys = "--key=keys/alice --key=keys/bob";
    world
        .rotate(&format!("--raise-epoch=acme {keys}"))
        .success();
    world
        .rotate(&format!(
            "--remove-publisher=acme --publisher=acme=alice:1 {keys}"
        ))
        .success();
    let epoch = |version, publisher: &str| {
        let role = format!("publisher/{publisher}").parse().unwrap();
        roots::document(&world.root(version)).roles[&role]
            .epoch
            .get()
    };
    assert_eq!(epoch(3, "acme"), 2);
    world
        .rotate(&format!("--remove-publisher=acme {keys}"))
        .success();
    // One that comes back later can begin where it was.
    world
        .rotate(&format!(
            "--publisher=acme=alice:1 --raise-epoch=acme {keys}"
        ))
        .success();
    assert_eq!(epoch(5, "acme"), 2);
    world.verify().success();
}

#[test]
fn signatures_made_on_copies_are_merged_and_only_those_over_the_same_payload() {
    let world = World::new();
    world.rotate("--raise-epoch=acme").success();
    for name in ["alice", "bob"] {
        world.copy(&format!("at-{name}/2.root.json"), 2);
        world.copy(&format!("at-{name}/1.root.json"), 1);
        let sign = format!("sign at-{name}/2.root.json --key=keys/{name}");
        world.trust(&sign).success();
    }
    let output = world
        .trust("sign trust/2.root.json --merge=at-alice/2.root.json --merge=at-bob/2.root.json");
    assert_eq!(
        output.success(),
        "by root 1: counts 2 of 2: alice, bob\nby root 2: counts 2 of 2: alice, bob\n"
    );
    world.verify().success();

    let whole = world.env.read("trust/2.root.json");
    std::fs::remove_file(world.root(2)).unwrap();
    world.rotate("--raise-epoch=acme/payments").success();
    let fresh = world.env.read("trust/2.root.json");
    let output = world.trust("sign trust/2.root.json --merge=at-alice/2.root.json");
    fails(&output, 3, "E-TRUST-116");
    assert_eq!(
        world.env.read("trust/2.root.json"),
        fresh,
        "nothing is taken over"
    );
    assert_ne!(fresh, whole);
    // A signature that no principal made is left behind.
    let stranger = fresh.replace(
        "\"signatures\": [\n",
        &format!(
            "\"signatures\": [\n    {{\"keyid\": \"x\", \"sig\": \"{}==\"}}",
            "A".repeat(86)
        ),
    );
    world.env.write("stranger.json", stranger);
    let output = world.trust("sign trust/2.root.json --merge=stranger.json");
    output.success();
    assert!(output.stderr.contains("added 0 signatures"), "{output}");
}

#[test]
fn a_key_of_nobody_is_refused_wherever_a_root_is_signed() {
    let world = World::new();
    world
        .rotate("--principal=dan=keys/dan.pub --role=root=alice,dan:2")
        .success();
    let before = world.env.read("trust/2.root.json");
    let sign = |names: &str| {
        let keys = names.split(',').map(|name| format!("--key=keys/{name}"));
        let keys: Vec<String> = keys.collect();
        world.trust(&format!("sign trust/2.root.json {}", keys.join(" ")))
    };
    fails(&sign("mallory"), 2, "E-TRUST-115");
    fails(&sign("alice,mallory"), 2, "E-TRUST-115");
    assert_eq!(
        world.env.read("trust/2.root.json"),
        before,
        "nobody's signature is written"
    );
    // Bob is leaving, Dan is coming: both sign.
    sign("bob,dan").success();
    fails(
        &world.rotate("--renew --key=keys/mallory"),
        3,
        "E-TRUST-047",
    );
    sign("alice").success();
    fails(
        &world.rotate("--renew --key=keys/mallory"),
        2,
        "E-TRUST-115",
    );
    let init = "init --dir=other --principal=alice=keys/alice.pub --threshold=1 --expires=1y --key=keys/mallory";
    fails(&world.trust(init), 2, "E-TRUST-115");
    assert!(!world.env.work().join("other").exists());
}

#[test]
fn a_copy_without_the_root_before_it_is_signed_for_its_own_side() {
    let world = World::new();
    world
        .rotate("--principal=dan=keys/dan.pub --role=root=alice,dan:2")
        .success();
    world.copy("alone/2.root.json", 2);
    fails(&world.trust("sign alone/2.root.json"), 2, "E-CONFIG-001");
    let output = world.trust("sign alone/2.root.json --key=keys/alice");
    assert_eq!(
        output.success(),
        "by root 2: counts 1 of 2: alice; missing 1 of: dan\n"
    );
    let output =
        world.trust("sign alone/2.root.json --key=keys/alice --previous=trust/1.root.json");
    assert!(
        output.success().contains("by root 1: counts 1 of 2: alice"),
        "{output}"
    );
    let output =
        world.trust("sign alone/2.root.json --key=keys/alice --previous=trust/2.root.json");
    fails(&output, 3, "E-TRUST-046");
}

#[test]
fn a_root_that_nobody_signed_yet_is_signed_by_the_first() {
    let world = World::new();
    let init = "init --dir=fresh --principal=alice=keys/alice.pub --threshold=1 --expires=1y --namespace=acme";
    world.trust(init).success();
    let output = world.trust("sign fresh/1.root.json --key=keys/alice");
    assert_eq!(output.success(), "by root 1: counts 1 of 1: alice\n");
}

#[test]
fn edits_that_make_no_sense_write_nothing() {
    let world = World::new();
    for (arguments, code) in [
        ("", "E-TRUST-112"),
        ("--principal=alice=keys/alice.pub", "E-TRUST-112"),
        ("--remove-principal=mallory", "E-TRUST-110"),
        ("--remove-principal=bob", "E-TRUST-113"),
        ("--remove-principal=carol", "E-TRUST-113"),
        ("--raise-epoch=pci", "E-TRUST-110"),
        ("--remove-role=root", "E-TRUST-110"),
        ("--add-namespace=acme=acme/payments", "E-TRUST-053"),
        ("--principal=bob=keys/alice.pub", "E-TRUST-051"),
        ("--threshold=3", "E-TRUST-052"),
        ("--publisher=pci=mallory:1", "E-TRUST-050"),
        (
            "--publisher=pci=alice:1 --role=publisher/pci=bob:1",
            "E-CONFIG-001",
        ),
    ] {
        let output = world.rotate(&format!("{arguments} --key=keys/alice"));
        let status = if matches!(
            code,
            "E-TRUST-050" | "E-TRUST-051" | "E-TRUST-052" | "E-TRUST-053"
        ) {
            3
        } else {
            2
        };
        fails(&output, status, code);
        assert!(!world.root(2).exists(), "{output}");
    }
    assert_eq!(
        world.trust("rotate --dir=trust --renew").status,
        Some(2),
        "an expiry is required"
    );
    world
        .rotate("--renew --key=keys/alice --key=keys/bob")
        .success();
    world.verify().success();
}

#[test]
fn a_next_root_never_replaces_one() {
    let world = World::new();
    world.rotate("--renew").success();
    fails(&world.verify(), 3, "E-TRUST-047");
    let first = world.env.read("trust/2.root.json");
    fails(&world.rotate("--raise-epoch=acme"), 3, "E-TRUST-047");
    assert_eq!(world.env.read("trust/2.root.json"), first);
}

#[test]
fn revoking_is_a_rotation_of_its_own_that_keeps_the_expiry() {
    let world = World::new();
    let carol = snakeoil("carol").fingerprint();
    let output = world.trust(&format!(
        "revoke --dir=trust --key={carol} --key=keys/alice --key=keys/bob"
    ));
    fails(&output, 2, "E-TRUST-114");
    assert!(!world.root(2).exists());
    // With a new key for her it goes.
    let output = world.rotate(&format!(
        "--revoke-key={carol} --principal=carol=keys/dan.pub --key=keys/alice --key=keys/bob"
    ));
    assert!(
        output.success().contains("by root 2: counts 2 of 2"),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains(&format!("! revoked: key {carol} of carol")),
        "{output}"
    );
    let expiry = |version: u64| {
        let output = world.trust("show --dir=trust --json");
        let document: serde_json::Value = output.json();
        assert_eq!(document["version"], version);
        document["expires"].as_str().unwrap().to_owned()
    };
    let before = expiry(2);
    let digest = format!("sha256:{}", "0".repeat(64));
    let output = world.trust(&format!(
        "revoke --dir=trust --payload={digest} --key=keys/alice --key=keys/bob"
    ));
    output.success();
    assert!(
        output
            .stderr
            .contains(&format!("! revoked: payload {digest}")),
        "{output}"
    );
    assert_eq!(expiry(3), before);
    let output = world.trust(
        "revoke --dir=trust --revisions=acme@1.2-4 --expires=30d --key=keys/alice --key=keys/bob",
    );
    output.success();
    assert_ne!(expiry(4), before);
    world.verify().success();
    let output = world.trust("revoke --dir=trust --revisions=acme@1.2-4 --key=keys/alice");
    fails(&output, 2, "E-TRUST-112");
    let output = world.trust(&format!(
        "revoke --dir=trust --payload={digest} --revisions=acme@1.2-4"
    ));
    fails(&output, 2, "E-CONFIG-001");
    fails(
        &world.trust("revoke --dir=trust --key=keys/alice"),
        2,
        "E-CONFIG-001",
    );
}

#[test]
fn a_revocation_after_the_roots_expiry_needs_a_new_one() {
    let mut world = World::new();
    world.env.set("ORDAIN_NOW", "2028-01-01T00:00:00Z");
    let revoke = "revoke --dir=trust --revisions=acme@1.1 --key=keys/alice --key=keys/bob";
    fails(&world.trust(revoke), 2, "E-TRUST-111");
    world.trust(&format!("{revoke} --expires=1y")).success();
    world.verify().success();
}

#[test]
fn a_revoked_key_no_longer_counts_for_the_root_that_revokes_it() {
    let world = World::new();
    let alice = snakeoil("alice").fingerprint();
    // Alice's old key is still good enough for root 1, where it is not revoked.
    let rotate = format!(
        "--revoke-key={alice} --principal=alice=keys/dan.pub --key=keys/alice --key=keys/bob"
    );
    let output = world.rotate(&rotate);
    let lines: Vec<&str> = output.success().lines().skip(1).collect();
    assert_eq!(
        lines,
        [
            "by root 1: counts 2 of 2: alice, bob",
            "by root 2: counts 1 of 2: bob; missing 1 of: alice"
        ]
    );
    fails(&world.verify(), 3, "E-TRUST-047");
    world
        .trust("sign trust/2.root.json --key=keys/dan")
        .success();
    world.verify().success();
    fails(&world.rotate("--renew --key=keys/alice"), 2, "E-TRUST-115");
}

#[test]
fn differences_are_shown_in_text_and_as_json() {
    let world = World::new();
    let keys = "--key=keys/alice --key=keys/bob";
    world
        .rotate(&format!(
            "--raise-epoch=acme --publisher=pci=carol:1 {keys}"
        ))
        .success();
    world
        .trust(&format!("revoke --dir=trust --revisions=acme@2.1-3 {keys}"))
        .success();
    let show = |more: &str| world.trust(&format!("show --dir=trust --diff={more}"));
    assert_eq!(
        show("2").success(),
        "trust root 2 against 1: 2 differences\n~ epoch of role publisher/acme: 2, was 1\n\
         + role publisher/pci: 1 of carol; epoch 1\n"
    );
    assert_eq!(
        show("1..3").success().lines().next(),
        Some("trust root 3 against 1: 3 differences")
    );
    assert_eq!(
        show("3..3").success(),
        "trust root 3 against 3: 0 differences\n"
    );
    let json = show("3 --json").json();
    let range = serde_json::json!({"change": "revisions-revoked", "bundle": "acme", "epoch": 2, "from": 1, "to": 3});
    assert_eq!(
        json,
        serde_json::json!({"format_version": 1, "from": 2, "to": 3, "differences": [range]})
    );
    let missing = show("9");
    fails(&missing, 2, "E-CONFIG-001");
    assert!(
        missing
            .stderr
            .contains("there is no trust root 9; the last is 3"),
        "{missing}"
    );
    for bad in ["1", "0..2", "4", "x"] {
        assert_eq!(show(bad).status, Some(2), "{bad}");
    }
}

/// The whole round: from `ssh-keygen`'s own keys into a root, and from the root to `ssh-keygen -Y verify`.
#[test]
fn allowed_signers_go_in_and_come_out_as_ssh_keygen_reads_them() {
    let world = World::new();
    let line = |name: &str, options: &str| {
        let key = snakeoil(name).public_openssh();
        format!("{name}@example.com {options}{key}")
    };
    let lines = [
        "# the team\n".to_owned(),
        line("alice", "namespaces=\"git,bundle@ordain.dev\" "),
        line("bob", ""),
        line("carol", "cert-authority "),
        line("dan", "valid-before=\"20250101\" "),
    ];
    world.env.write("team", lines.concat());
    let output = world.trust("allowed-signers import team");
    assert_eq!(output.success().lines().count(), 2, "{output}");
    for word in [
        "line 4 is left out: a certificate authority",
        "line 5 is left out: was valid before",
    ] {
        assert!(output.stderr.contains(word), "{output}");
    }
    let init = "init --dir=second --allowed-signers=team --threshold=1 --expires=1y --namespace=acme --key=keys/alice --key=keys/bob";
    world.trust(init).success();
    let export = "allowed-signers export --dir=second --namespaces=git,bundle@ordain.dev";
    let export = |to: &str| world.env.write(to, world.trust(export).success());
    export("exported");
    let check = |signers: &str, who: &str, namespace: &str| {
        world.env.write("message", "hello\n");
        std::fs::remove_file(world.env.work().join("message.sig")).ok();
        let mut sign = world.env.command("ssh-keygen");
        sign.args(["-Y", "sign", "-n", namespace, "-f"])
            .arg(world.env.work().join("keys").join(who))
            .arg("message");
        assert_eq!(world.env.run(sign, b"").status, Some(0));
        let mut verify = world.env.command("ssh-keygen");
        verify.args([
            "-Y",
            "verify",
            "-f",
            signers,
            "-I",
            who,
            "-n",
            namespace,
            "-s",
            "message.sig",
        ]);
        world.env.run(verify, b"hello\n").status == Some(0)
    };
    assert!(check("exported", "alice", "bundle@ordain.dev"));
    assert!(check("exported", "bob", "git"));
    assert!(
        !check("exported", "alice", "file"),
        "the namespaces are limited"
    );
    assert!(
        !check("exported", "carol", "git"),
        "carol is not a principal"
    );

    let bob = snakeoil("bob").fingerprint();
    let revoke = format!("revoke --dir=second --key={bob} --key=keys/alice");
    world.trust(&revoke).success();
    export("after");
    assert!(check("after", "alice", "git"));
    assert!(!check("after", "bob", "git"), "a revoked key is left out");
    world.env.write(
        "broken",
        format!(
            "alice no-such-option {}",
            snakeoil("alice").public_openssh()
        ),
    );
    fails(
        &world.trust("allowed-signers import broken"),
        2,
        "E-TRUST-118",
    );
    world.env.write("empty", "* ssh-rsa AAAA\n");
    fails(
        &world.trust("allowed-signers import empty"),
        2,
        "E-TRUST-118",
    );
}

#[test]
fn a_directory_behind_what_this_machine_knows_makes_no_second_root() {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), None);
    let trust = |arguments: &str| {
        let arguments = ["trust"].into_iter().chain(arguments.split_whitespace());
        world.env.ordain_in("app", arguments)
    };
    let keys = "--expires=1y --key=../keys/alice --key=../keys/bob";
    trust(&format!("rotate --principal=dan=../keys/carol.pub {keys}")).success();
    world.pull("app", &[]).success();
    std::fs::remove_file(world.env.work().join("trust/2.root.json")).unwrap();
    let again = format!("rotate --principal=mallory=../keys/carol.pub {keys}");
    fails(&trust(&again), 2, "E-TRUST-121");
    assert!(!world.env.work().join("trust/2.root.json").exists());
    // Whoever names the directory means it, and nothing else.
    trust(&format!("{again} --dir=../trust")).success();
}
