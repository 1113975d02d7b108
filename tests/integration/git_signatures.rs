//! Signatures of Git's own, made by the real `git` and `ssh-keygen`, as evidence that a trust root asks for.

mod asked;

use std::path::PathBuf;

use ordain::bundle::Limits;
use ordain::digest::Sha256Digest;
use ordain::source::store::Store;
use ordain::trust::{Envelope, RootDocument, SecretKey, sign_root};

use super::support::keys::snakeoil;
use super::support::servers::Server;
use super::support::{Output, TestEnv};

/// Alice and Bob publish, by one signature; Carol is a principal and no publisher; Dave is nobody. Alice has signed a bundle
/// that is not committed yet.
struct World {
    env: TestEnv,
    fingerprint: String,
}

impl World {
    fn new(required: Option<&str>) -> Self {
        Self::of_format(required, "sha1")
    }

    fn of_format(required: Option<&str>, format: &str) -> Self {
        let env = TestEnv::new();
        for name in ["alice", "bob", "carol", "dave"] {
            snakeoil(name).write(&env.work().join("keys"));
        }
        let mut init = vec!["trust", "init", "--threshold=1", "--expires=1y"];
        init.extend([
            "--principal=alice=keys/alice",
            "--principal=bob=keys/bob.pub",
        ]);
        init.extend([
            "--principal=carol=keys/carol.pub",
            "--publisher=acme=alice,bob:1",
        ]);
        let rule = required.map(|required| format!("--require-git=acme={required}"));
        init.extend(rule.as_deref());
        let fingerprint = env.ordain(init).success().trim().to_owned();
        let format = format!("--object-format={format}");
        env.git(
            ".",
            [
                "init",
                "--quiet",
                "--initial-branch=main",
                &format,
                "policy",
            ],
        );
        let new = ["bundle", "new", "policy/bundles/acme", "--namespace=acme"];
        env.ordain(new).success();
        let sign = [
            "bundle",
            "sign",
            "policy/bundles/acme",
            "--key=keys/alice",
            "--expires=90d",
        ];
        env.ordain(sign).success();
        env.git("policy", ["add", "--all"]);
        Self { env, fingerprint }
    }

    /// `git`, which signs with this key.
    fn git(&self, key: &str, arguments: &[&str]) -> String {
        let key = self.env.work().join("keys").join(key);
        let key = format!("user.signingkey={}", key.display());
        let mut all = vec!["-c", "gpg.format=ssh", "-c", &key];
        all.extend(arguments);
        self.env.git("policy", all)
    }

    fn plain(&self, arguments: &[&str]) -> String {
        self.env.git("policy", arguments.iter().copied())
    }

    /// A commit that is signed with this key; its id.
    fn commit(&self, key: &str) -> String {
        self.git(
            key,
            &["commit", "--quiet", "--allow-empty", "-S", "-m", "signed"],
        );
        self.plain(&["rev-parse", "HEAD"])
    }

    fn unsigned(&self) -> String {
        self.plain(&["commit", "--quiet", "--allow-empty", "-m", "unsigned"]);
        self.plain(&["rev-parse", "HEAD"])
    }

    fn path(&self) -> String {
        self.env.work().join("policy").display().to_string()
    }

    fn file_url(&self) -> String {
        format!("file://{}", self.path())
    }

    fn verify(&self, url: &str, reference: &str) -> Output {
        let fingerprint = format!("--fingerprint={}", self.fingerprint);
        let reference = format!("--ref={reference}");
        let mut all = vec!["bundle", "verify", url, &reference, "--path=bundles/acme"];
        all.extend(["--trust-root=trust", &fingerprint]);
        self.env.ordain(all)
    }

    /// What both an in-place read and a fetch say; they agree.
    #[track_caller]
    fn refused(&self, reference: &str, code: &str) {
        for url in [self.path(), self.file_url()] {
            let output = self.verify(&url, reference);
            assert_eq!(output.status, Some(3), "{reference}: {output}");
            assert!(output.stderr.contains(code), "{reference} {code}: {output}");
        }
    }

    #[track_caller]
    fn accepted(&self, reference: &str, line: &str) {
        for url in [self.path(), self.file_url()] {
            let output = self.verify(&url, reference);
            let stdout = output.success();
            assert!(stdout.contains(line), "{reference}: {output}");
        }
    }

    /// Writes an object of any bytes, and points a ref at it.
    fn write(&self, kind: &str, data: &str, reference: &str) -> String {
        let mut git = self.env.command("git");
        git.current_dir(self.env.work().join("policy"));
        git.args(["hash-object", "-t", kind, "--literally", "-w", "--stdin"]);
        let output = self.env.run(git, data.as_bytes());
        let id = output.success().trim().to_owned();
        self.plain(&["update-ref", reference, &id]);
        id
    }

    /// A consumer who names the bundle by this ref.
    fn consumer(&self, reference: &str) {
        let text = format!(
            "apiVersion: ordain/v1\nkind: Config\nscope: acme\n\
             trust: {{dir: ../trust, fingerprint: \"{}\"}}\nbundles:\n\
             - {{name: acme, git: \"{}\", ref: \"{reference}\", path: bundles/acme}}\n",
            self.fingerprint,
            self.file_url()
        );
        self.env.write("app/ordain.yaml", text);
        self.env.write(
            "app/request.json",
            r#"{"subject":{"type":"u","id":"u"},"action":{"name":"a"},"resource":{"type":"r","id":"r"}}"#,
        );
    }

    fn app(&self, arguments: &[&str]) -> Output {
        self.env.ordain_in("app", arguments.iter().copied())
    }

    fn cache(&self) -> PathBuf {
        self.env.home().join(".cache/ordain")
    }
}

#[track_caller]
fn fails(output: &Output, code: &str) {
    assert_eq!(output.status, Some(3), "{output}");
    assert!(output.stderr.contains(code), "{output}");
}

#[test]
fn a_required_commit_signature_counts_by_every_transport_and_every_kind_of_ref() {
    let world = World::new(Some("commit"));
    world.unsigned();
    world.refused("main", "E-TRUST-091");
    let id = world.commit("bob");
    world.plain(&["tag", "light"]);
    world.plain(&["tag", "-a", "-m", "annotated", "heavy"]);
    let daemon = Server::git(&world.env.work());
    let http = Server::http(&world.env.work());
    for url in [
        world.path(),
        world.file_url(),
        format!("git://{}/policy/.git", daemon.address),
        format!("http://{}/policy/.git", http.address),
    ] {
        for reference in ["main", "light", "heavy", &id] {
            let output = world.verify(&url, reference);
            let line = format!(
                "git        commit signed by bob ({})",
                snakeoil("bob").fingerprint()
            );
            assert!(
                output.success().contains(&line),
                "{url} {reference}: {output}"
            );
        }
    }
}

#[test]
fn a_required_tag_signature_counts_under_the_tags_own_name_only() {
    let world = World::new(Some("tag"));
    let id = world.commit("alice");
    world.plain(&["tag", "light"]);
    world.plain(&["tag", "-a", "-m", "annotated", "heavy"]);
    world.git("bob", &["tag", "-s", "-m", "one", "v1"]);
    for reference in ["v1", "refs/tags/v1"] {
        world.accepted(reference, "git        tag v1 signed by bob (SHA256:");
    }
    let daemon = Server::git(&world.env.work());
    let url = format!("git://{}/policy/.git", daemon.address);
    // The commit is in the cache before its tag is asked for.
    fails(&world.verify(&url, "main"), "E-TRUST-091");
    world.verify(&url, "v1").success();
    for reference in ["main", "light", "heavy", "HEAD", &id] {
        world.refused(reference, "E-TRUST-091");
    }

    let object = world.plain(&["rev-parse", "v1"]);
    world.plain(&["update-ref", "refs/tags/v9", &object]);
    world.refused("v9", "E-TRUST-095");
    world.plain(&["update-ref", "refs/heads/branch", &id]);
    world.git("bob", &["tag", "-s", "-m", "of a tag", "nested", "v1"]);
    world.refused("nested", "E-TRUST-095");
    world.git("bob", &["tag", "-s", "-m", "deep", "deep/v1"]);
    world.accepted("deep/v1", "tag deep/v1 signed by bob");
    // A symbolic ref leads to the tag of another name.
    world.plain(&["symbolic-ref", "refs/tags/latest", "refs/tags/v1"]);
    world.refused("latest", "E-TRUST-095");
}

#[test]
fn either_signature_will_do_where_the_root_says_so() {
    let world = World::new(Some("either"));
    world.unsigned();
    world.plain(&["tag", "light"]);
    world.refused("main", "E-TRUST-091");
    world.refused("light", "E-TRUST-091");
    world.git("alice", &["tag", "-s", "-m", "one", "v1"]);
    world.accepted("v1", "tag v1 signed by alice");
    world.commit("bob");
    world.accepted("main", "commit signed by bob");
    world.git("dave", &["tag", "-s", "-m", "one", "v2"]);
    world.accepted("v2", "commit signed by bob");
    world.unsigned();
    world.git("dave", &["tag", "-s", "-m", "one", "v3"]);
    world.refused("v3", "E-TRUST-094");
}

#[test]
fn keys_that_do_not_speak_for_the_role_do_not_count() {
    let world = World::new(Some("commit"));
    for (who, says) in [
        ("carol", "carol, who is not in role `publisher/acme`"),
        ("dave", "which the trust root does not know"),
    ] {
        world.commit(who);
        world.refused("main", "E-TRUST-094");
        let output = world.verify(&world.path(), "main");
        assert!(output.stderr.contains(says), "{output}");
    }
}

#[test]
fn a_revoked_key_does_not_count_whatever_date_it_writes() {
    let mut world = World::new(Some("commit"));
    for date in ["GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"] {
        world.env.set(date, "2001-01-01T00:00:00 +0000");
    }
    world.commit("bob");
    world.accepted("main", "commit signed by bob");
    let first = world.env.read("trust/1.root.json");
    let first = Envelope::parse(first.as_bytes(), &Limits::default()).unwrap();
    let mut next = RootDocument::parse(first.payload()).unwrap();
    next.version = 2.try_into().unwrap();
    next.revoked
        .keys
        .insert(snakeoil("bob").fingerprint().parse().unwrap());
    let seed = snakeoil("alice").signing_key().to_bytes();
    let envelope = sign_root(&next, &[SecretKey::from_seed(&seed)]).unwrap();
    world.env.write("trust/2.root.json", envelope.to_json());
    world.refused("main", "E-TRUST-094");
    let output = world.verify(&world.path(), "main");
    assert!(output.stderr.contains("which is revoked"), "{output}");
}

#[test]
fn a_commit_that_was_changed_after_it_was_signed_is_refused() {
    let world = World::new(Some("commit"));
    world.commit("alice");
    let raw = world.plain(&["cat-file", "commit", "HEAD"]);
    world.write(
        "commit",
        &format!("{}!\n", raw.trim_end()),
        "refs/heads/message",
    );
    world.refused("message", "E-TRUST-093");
    let raw = format!("{raw}\n");
    world.write(
        "commit",
        &raw.replace("Test Author", "Alice"),
        "refs/heads/author",
    );
    world.refused("author", "E-TRUST-093");
    world.write("commit", &raw, "refs/heads/same");
    world.accepted("same", "commit signed by alice");
    // Amended: the tree is another one, and the signature the old one's.
    world.env.write("policy/other", "x");
    world.plain(&["add", "other"]);
    let tree = world.plain(&["write-tree"]);
    let old = world.plain(&["rev-parse", "HEAD^{tree}"]);
    world.write("commit", &raw.replace(&old, &tree), "refs/heads/tree");
    world.refused("tree", "E-TRUST-093");
}

#[test]
fn a_signed_merge_of_a_signed_tag_is_one_signature_and_not_two() {
    let world = World::new(Some("commit"));
    world.unsigned();
    world.plain(&["switch", "--quiet", "--create", "side"]);
    world.commit("dave");
    world.git("dave", &["tag", "-s", "-m", "side", "side-1"]);
    world.plain(&["switch", "--quiet", "main"]);
    world.unsigned();
    world.git(
        "alice",
        &["merge", "--quiet", "--no-ff", "-S", "-m", "merge", "side-1"],
    );
    let raw = world.plain(&["cat-file", "commit", "HEAD"]);
    assert!(raw.contains("\nmergetag object "), "{raw}");
    world.accepted("main", "commit signed by alice");
}

#[test]
fn a_replace_ref_does_not_lend_its_signature() {
    let world = World::new(Some("commit"));
    let unsigned = world.unsigned();
    let signed = world.commit("alice");
    world.plain(&["replace", &unsigned, &signed]);
    world.plain(&["update-ref", "refs/heads/old", &unsigned]);
    world.refused("old", "E-TRUST-091");
    world.accepted("main", "commit signed by alice");
}

#[test]
fn a_repository_of_sha_256_is_signed_like_any_other() {
    let world = World::of_format(Some("either"), "sha256");
    world.unsigned();
    world.refused("main", "E-TRUST-091");
    let id = world.commit("alice");
    assert_eq!(id.len(), 64);
    let raw = world.plain(&["cat-file", "commit", "HEAD"]);
    assert!(raw.contains("gpgsig-sha256 "), "{raw}");
    world.accepted("main", "commit signed by alice");
    world.git("bob", &["tag", "-s", "-m", "one", "v1"]);
    world.accepted("v1", "tag v1 signed by bob");
    // The header's name says which of two hashes the signature is for.
    let raw = format!("{}\n", raw.replace("gpgsig-sha256", "gpgsig"));
    world.write("commit", &raw, "refs/heads/other");
    world.refused("other", "E-TRUST-096");
}

#[test]
fn where_nothing_is_required_signatures_are_told_and_refuse_nothing() {
    let world = World::new(None);
    world.unsigned();
    for url in [world.path(), world.file_url()] {
        let output = world.verify(&url, "main");
        assert!(!output.success().contains("  git "), "{output}");
    }
    world.commit("bob");
    world.accepted("main", "git        commit signed by bob (SHA256:");
    world.git("alice", &["tag", "-s", "-m", "one", "v1"]);
    world.accepted("v1", "git        tag v1 signed by alice (SHA256:");
    world.accepted("v1", "git        commit signed by bob (SHA256:");
    world.commit("dave");
    let line = format!(
        "git        the commit is signed by the key {}, which the trust root does not know; it need not count",
        snakeoil("dave").fingerprint()
    );
    world.accepted("main", &line);
    let raw = world.plain(&["cat-file", "commit", "HEAD"]);
    world.write("commit", &format!("{raw}!\n"), "refs/heads/changed");
    world.accepted(
        "changed",
        "git        the signature of the commit does not fit it; it need not count",
    );
}

#[test]
fn a_directory_has_no_commit_and_is_refused_where_one_must_be_signed() {
    let world = World::new(Some("commit"));
    let fingerprint = format!("--fingerprint={}", world.fingerprint);
    let verify = [
        "bundle",
        "verify",
        "policy/bundles/acme",
        "--trust-root=trust",
        &fingerprint,
    ];
    fails(&world.env.ordain(verify), "E-TRUST-090");
}

#[test]
fn what_is_kept_is_verified_again_with_its_evidence() {
    let world = World::new(Some("tag"));
    world.unsigned();
    world.git("bob", &["tag", "-s", "-m", "one", "v1"]);
    world.consumer("v1");
    let pulled = world.app(&["bundle", "pull"]);
    assert!(
        pulled.success().contains("tag v1 signed by bob"),
        "{pulled}"
    );
    let frozen = ["eval", "--frozen", "--format=json", "request.json"];
    let locked = ["eval", "--locked", "--format=json", "request.json"];
    let rule = |output: &Output| output.json()["decisions"][0]["reason_code"].to_string();
    let decided = rule(&world.app(&frozen));
    assert_ne!(decided, "\"POLICY_NOT_TRUSTED\"");

    let store = Store::new(&world.cache());
    let payload: Sha256Digest = store.list().unwrap().remove(0);
    let path = store.path(&payload);
    let whole = std::fs::read(&path).unwrap();
    let edited = |from: &str, to: &str| {
        let at = whole
            .windows(from.len())
            .position(|bytes| bytes == from.as_bytes())
            .unwrap();
        let mut bytes = whole.clone();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        bytes
    };
    let mut old = store.load(&payload, &Limits::default()).unwrap().unwrap();
    old.git = None;
    store.remove(&payload).unwrap();
    store.insert(&payload, &old).unwrap();
    let old = std::fs::read(&path).unwrap();
    for (bytes, code) in [
        (old, "E-TRUST-090"),
        (edited("tag v1\n", "tag v2\n"), "E-TRUST-095"),
        (edited("\n\none\n", "\n\nTWO\n"), "E-TRUST-093"),
        (edited("unsigned\n", "otherwise"), "E-TRUST-095"),
        (edited("refs/tags/v1", "refs/tags/v2"), "E-TRUST-095"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let refused = world.app(&frozen);
        fails(&refused, code);
        assert_eq!(rule(&refused), "\"POLICY_NOT_TRUSTED\"");
        // The locked commit is fetched, which no tag leads to, and then the tag.
        assert_eq!(rule(&world.app(&locked)), decided, "{code}");
        assert!(std::fs::read(&path).unwrap() == whole, "{code} is healed");
        assert_eq!(rule(&world.app(&frozen)), decided);
    }
    std::fs::remove_dir_all(world.cache()).unwrap();
    assert_eq!(rule(&world.app(&locked)), decided);
    let offline = world.app(&["bundle", "verify", "--offline"]);
    assert!(
        offline.success().contains("tag v1 signed by bob"),
        "{offline}"
    );

    // The tag is taken away under the same commit: what is active stays so, and who comes anew is refused.
    world.plain(&["tag", "-f", "v1", "v1^{commit}"]);
    assert_eq!(rule(&world.app(&frozen)), decided);
    std::fs::remove_dir_all(world.cache()).unwrap();
    fails(&world.app(&["bundle", "pull"]), "E-TRUST-091");
}

#[test]
fn evidence_of_another_commit_says_nothing_of_these_files() {
    let world = World::new(Some("commit"));
    world.commit("alice");
    world.consumer("main");
    world.app(&["bundle", "pull"]).success();
    let store = Store::new(&world.cache());
    let first = store.list().unwrap().remove(0);
    let signed = store.load(&first, &Limits::default()).unwrap().unwrap().git;

    // The next revision is signed by its publisher, and its commit by nobody.
    world.env.write("policy/bundles/acme/data/x.yaml", "x: 1\n");
    let sign = [
        "bundle",
        "sign",
        "policy/bundles/acme",
        "--key=keys/alice",
        "--expires=90d",
    ];
    world.env.ordain(sign).success();
    world.plain(&["add", "--all"]);
    world.unsigned();
    fails(&world.app(&["bundle", "pull"]), "E-TRUST-091");
    let unsigned = World::fetch(&world.path());
    let mut forged = unsigned;
    forged.git = signed;
    let root = world.root();
    let error = World::check(forged, &root).unwrap_err();
    assert_eq!(error.code().id, "E-TRUST-096");
}

impl World {
    fn fetch(path: &str) -> ordain::bundle::FetchedBundle {
        use ordain::source::git::{Network, Request, fetch};
        let cache = tempfile::tempdir().unwrap();
        let request = Request {
            url: &path.parse().unwrap(),
            reference: &"main".parse().unwrap(),
            path: "bundles/acme",
            limits: &Limits::default(),
            network: Network::Allowed,
            credentials: None,
            ssh: None,
        };
        let interrupt = std::sync::atomic::AtomicBool::new(false);
        fetch(&request, cache.path(), &|_| {}, &interrupt)
            .unwrap()
            .bundle
    }

    fn root(&self) -> ordain::trust::TrustRoot {
        let now = super::support::env::NOW.parse().unwrap();
        let directory = self.env.work().join("trust");
        let pin = self.fingerprint.parse().unwrap();
        ordain::pipeline::trust_root(&directory, pin, now, &Limits::default()).unwrap()
    }

    fn check(
        fetched: ordain::bundle::FetchedBundle,
        root: &ordain::trust::TrustRoot,
    ) -> Result<ordain::trust::VerifiedBundle, ordain::trust::VerifyError> {
        let expected = ordain::trust::Expectation {
            name: None,
            reference: None,
            now: super::support::env::NOW.parse().unwrap(),
            high_water: None,
            max_age: None,
            held: ordain::trust::Held::Fetched,
        };
        ordain::trust::verify(fetched, root, &expected, &Limits::default())
    }
}

#[test]
fn the_rule_is_given_when_the_root_is_made_and_shown() {
    let world = World::new(Some("tag"));
    let shown = world.env.ordain(["trust", "show", "--dir=trust"]);
    let line =
        "role         publisher/acme  1 of alice, bob  epoch 1  requires a git signature: tag";
    assert!(shown.success().contains(line), "{shown}");
    let init = |rules: &[&str]| {
        let mut all = vec![
            "trust",
            "init",
            "--dir=other",
            "--threshold=1",
            "--expires=1y",
        ];
        all.extend(["--principal=alice=keys/alice", "--namespace=acme"]);
        all.extend(rules);
        world.env.ordain(all)
    };
    for rules in [
        &["--require-git=other=tag"][..],
        &["--require-git=acme=tag", "--require-git=acme=commit"],
        &["--require-git=acme=maybe"],
        &["--require-git=acme"],
    ] {
        let output = init(rules);
        assert_eq!(output.status, Some(2), "{rules:?}: {output}");
    }
    assert!(!world.env.work().join("other/1.root.json").exists());
}
