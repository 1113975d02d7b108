//! An organisation for tests: snakeoil keys, a trust root, a publisher's repository, and consumers of it.
//!
//! ```text
//! work/keys/<name>          private keys          work/trust/1.root.json   the trust root
//!      policy/bundles/acme  what is published     <consumer>/ordain.yaml   who decides with it
//! ```

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::keys::snakeoil;
use super::{Output, TestEnv, env};

/// The bundle's directory, from `work`.
pub(crate) const BUNDLE: &str = "policy/bundles/acme";

/// Everything, in one temporary directory.
pub(crate) struct Organisation {
    pub(crate) env: TestEnv,
    pub(crate) fingerprint: String,
}

impl Organisation {
    /// A publisher whose bundle takes one signature, and who has published nothing.
    pub(crate) fn new() -> Self {
        Self::with_threshold(1)
    }

    /// Alice and Bob publish together what takes this many signatures; Carol is nobody.
    pub(crate) fn with_threshold(threshold: u32) -> Self {
        let env = TestEnv::new();
        for name in ["alice", "bob", "carol"] {
            snakeoil(name).write(&env.work().join("keys"));
        }
        let threshold = format!("--threshold={threshold}");
        let mut init = vec!["trust", "init", "--dir=trust", "--namespace=acme"];
        init.extend(["--expires=1y", "--principal=alice=keys/alice"]);
        init.extend(["--principal=bob=keys/bob", &threshold]);
        let fingerprint = env.ordain(init).success().trim().to_owned();
        env.git(".", ["init", "--quiet", "--initial-branch=main", "policy"]);
        env.ordain(["bundle", "new", BUNDLE, "--namespace=acme"])
            .success();
        Self { env, fingerprint }
    }

    /// The publisher's work tree.
    pub(crate) fn repository(&self) -> PathBuf {
        self.env.work().join("policy")
    }

    /// `file://` and the repository's path.
    pub(crate) fn file_url(&self) -> String {
        format!("file://{}", self.repository().display())
    }

    /// Replaces the policy; reading is then allowed for the reason with this code.
    pub(crate) fn edit(&self, reason_code: &str) {
        let text = format!(
            "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nmode: enforce\nrules:\n\
             - {{id: read, effect: allow, reason: fine, reason_code: {reason_code}, match: {{action: 'read_*'}}}}\n\
             - {{id: delete, effect: require_approval, reason: gone is gone, match: {{action: 'delete_*'}}}}\n\
             - {{id: drop, effect: deny, reason: never, match: {{action: 'drop_*'}}}}\n"
        );
        self.env.write(format!("{BUNDLE}/policies/acme.yaml"), text);
    }

    /// Signs with the keys of these people.
    pub(crate) fn sign(&self, who: &[&str], more: &[&str]) -> Output {
        let mut arguments = vec!["bundle".to_owned(), "sign".to_owned(), BUNDLE.to_owned()];
        arguments.extend(who.iter().map(|name| format!("--key=keys/{name}")));
        arguments.push("--expires=90d".to_owned());
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        self.env.ordain(arguments)
    }

    /// Commits whatever there is; the commit's id.
    pub(crate) fn commit(&self) -> String {
        self.env.git("policy", ["add", "--all"]);
        let commit = ["commit", "--quiet", "--allow-empty", "--message=change"];
        self.env.git("policy", commit);
        self.env.git("policy", ["rev-parse", "HEAD"])
    }

    /// A new revision, signed by Alice, on the checked out branch; the commit's id.
    pub(crate) fn publish(&self, reason_code: &str) -> String {
        self.publish_as(reason_code, &[])
    }

    /// The same with more arguments for `bundle sign`.
    pub(crate) fn publish_as(&self, reason_code: &str, more: &[&str]) -> String {
        self.edit(reason_code);
        self.sign(&["alice"], more).success();
        self.commit()
    }

    /// Makes the branch `main` and the work tree what they were at a commit, as a forced push does.
    pub(crate) fn force(&self, commit: &str) {
        self.env
            .git("policy", ["reset", "--quiet", "--hard", commit]);
    }

    /// Writes the configuration of a consumer, and requests for it.
    pub(crate) fn consumer(&self, name: &str, git: &str, reference: Option<&str>) {
        let reference = reference.map_or(String::new(), |name| format!("ref: \"{name}\", "));
        let text = format!(
            "apiVersion: ordain/v1\nkind: Config\nscope: acme\n\
             trust: {{dir: ../trust, fingerprint: \"{}\"}}\nbundles:\n\
             - {{name: acme, git: \"{git}\", {reference}path: bundles/acme}}\n",
            self.fingerprint
        );
        self.env.write(format!("{name}/ordain.yaml"), text);
        for action in ["read_x", "delete_x", "drop_x"] {
            self.env
                .write(format!("{name}/{action}.json"), request(action));
        }
    }

    /// `ordain bundle pull` with more arguments.
    pub(crate) fn pull(&self, consumer: &str, more: &[&str]) -> Output {
        let arguments = ["bundle", "pull"].iter().chain(more);
        self.env.ordain_in(consumer, arguments)
    }

    /// Decides a request to read.
    pub(crate) fn eval(&self, consumer: &str, more: &[&str]) -> Output {
        let arguments = ["eval", "read_x.json", "--format=json"].iter().chain(more);
        self.env.ordain_in(consumer, arguments)
    }

    /// The same, allowed; the reason's code, which tells the revision that decided.
    #[track_caller]
    pub(crate) fn decided_by(&self, consumer: &str, more: &[&str]) -> String {
        let output = self.eval(consumer, more);
        output.success();
        reason_code(&output.json())
    }

    /// The text of the lockfile.
    pub(crate) fn lockfile(&self, consumer: &str) -> String {
        self.env.read(format!("{consumer}/ordain.lock"))
    }

    /// The entry of the lockfile.
    pub(crate) fn locked(&self, consumer: &str) -> Value {
        let lock: Value = serde_json::from_str(&self.lockfile(consumer)).unwrap();
        lock["bundles"]["acme"].clone()
    }

    /// This machine's mark: the revision.
    pub(crate) fn mark(&self) -> Option<u64> {
        let text = std::fs::read(self.state().join("state.json")).ok()?;
        let state: Value = serde_json::from_slice(&text).unwrap();
        state["roots"][&self.fingerprint]["bundles"]["acme"]["revision"].as_u64()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.env.home().join(".local/state/ordain")
    }

    pub(crate) fn cache(&self) -> PathBuf {
        self.env.home().join(".cache/ordain")
    }

    /// The store's file of what a consumer has locked.
    pub(crate) fn stored(&self, consumer: &str) -> PathBuf {
        let payload =
            self.locked(consumer)["payload"].as_str().unwrap()["sha256:".len()..].to_owned();
        self.cache().join(format!("store/v1/{payload}.bundle"))
    }

    /// A command of a consumer, not started, whose output nobody reads.
    pub(crate) fn silent(&self, consumer: &str, arguments: &[&str]) -> Command {
        let mut command = self.env.command(env::binary());
        command
            .args(arguments)
            .current_dir(self.env.work().join(consumer))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }
}

/// A request of Sam's.
pub(crate) fn request(action: &str) -> String {
    format!(
        r#"{{"subject":{{"type":"user","id":"sam"}},"action":{{"name":"{action}"}},"resource":{{"type":"stack","id":"a"}}}}"#
    )
}

/// Of the first decision.
pub(crate) fn reason_code(document: &Value) -> String {
    document["decisions"][0]["reason_code"]
        .as_str()
        .unwrap_or_else(|| panic!("{document:#}"))
        .to_owned()
}

/// Every file below a directory.
pub(crate) fn files_below(directory: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                directories.push(entry.path());
            } else {
                files.push(entry.path());
            }
        }
    }
    files
}

/// Checks the exit code first, and then that standard error names the diagnostic.
#[track_caller]
pub(crate) fn fails(output: &Output, status: i32, code: &str) {
    assert_eq!(output.status, Some(status), "\n{output}");
    assert!(
        output.stderr.contains(&format!("[{code}]")),
        "no {code} in\n{output}"
    );
}
