//! A signed bundle of N files in a bare repository, and consumers of it. Keys are made for the run and go with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::ORDAIN;

/// The build directory: a temporary one may be in memory, where syncing is free.
pub(crate) const DISK: &str = env!("CARGO_TARGET_TMPDIR");

/// Everything that the author and the server have.
pub(crate) struct Fixture {
    directory: TempDir,
    fingerprint: String,
}

impl Fixture {
    pub(crate) fn new(files: usize) -> Self {
        let directory = tempfile::tempdir_in(DISK).unwrap();
        let base = directory.path();
        let (key, public, trust) = (base.join("key"), base.join("key.pub"), base.join("trust"));
        let bundle = base.join("bundle");
        run(ordain(base).args(["key", "generate"]).arg(&key));
        run(ordain(base)
            .args(["trust", "init", "--threshold", "1", "--expires", "1y"])
            .args(["--namespace", "acme", "--principal"])
            .arg(format!("alice={}", public.display()))
            .arg("--key")
            .arg(&key)
            .arg("--dir")
            .arg(&trust));
        let shown = run(ordain(base)
            .args(["trust", "show", "--fingerprint", "--dir"])
            .arg(&trust));
        run(ordain(base)
            .args(["bundle", "new", "--name", "acme", "--namespace", "acme"])
            .arg(&bundle));
        for number in 0..files {
            let file = bundle.join(format!("records/{:03}/{number:05}.json", number % 100));
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            let item = format!("{{\"number\": {number}}}");
            let items = vec![item; 32 + number % 200];
            fs::write(file, format!("[{}]\n", items.join(",\n"))).unwrap();
        }
        run(ordain(base)
            .args(["bundle", "sign", "--expires", "90d", "--key"])
            .arg(&key)
            .arg(&bundle));
        let in_bundle = |arguments: &[&str]| {
            run(git().current_dir(&bundle).args(arguments));
        };
        in_bundle(&["init", "--quiet", "--initial-branch=main"]);
        in_bundle(&["add", "--all"]);
        in_bundle(&["commit", "--quiet", "--message=bundle"]);
        let bare = base.join("repositories/policy.git");
        run(git()
            .args(["clone", "--quiet", "--bare"])
            .arg(&bundle)
            .arg(&bare));
        // As a server's repository is: one pack.
        run(git().arg("-C").arg(&bare).args(["repack", "-adq"]));
        Self {
            directory,
            fingerprint: shown.trim().to_owned(),
        }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn repositories(&self) -> PathBuf {
        self.path().join("repositories")
    }

    pub(crate) fn bundle(&self) -> PathBuf {
        self.path().join("bundle")
    }

    pub(crate) fn file_url(&self) -> String {
        format!("file://{}/policy.git", self.repositories().display())
    }

    /// The names of the bundle's files.
    pub(crate) fn files(&self) -> Vec<String> {
        let listed = run(git().current_dir(self.bundle()).arg("ls-files"));
        listed.lines().map(ToOwned::to_owned).collect()
    }

    /// `ordain bundle verify` of the author's directory.
    pub(crate) fn verify(&self) -> Command {
        let mut command = ordain(self.path());
        command.args(["bundle", "verify", "--fingerprint", &self.fingerprint]);
        command.arg("--trust-root").arg(self.path().join("trust"));
        command.arg(self.bundle());
        command
    }
}

/// A project with a configuration, and a machine of its own.
pub(crate) struct Consumer {
    directory: TempDir,
}

impl Consumer {
    pub(crate) fn new(fixture: &Fixture, url: &str) -> Self {
        let directory = tempfile::tempdir_in(DISK).unwrap();
        let text = format!(
            "apiVersion: ordain/v1\nkind: Config\nscope: acme\n\
             trust: {{dir: {}, fingerprint: \"{}\"}}\n\
             bundles:\n  - {{name: acme, git: \"{url}\", ref: refs/heads/main}}\n\
             log: {{path: log}}\n",
            fixture.path().join("trust").display(),
            fixture.fingerprint,
        );
        fs::write(directory.path().join("ordain.yaml"), text).unwrap();
        let request = r#"{"subject": {"type": "user", "id": "a"}, "action": {"name": "read"}, "resource": {"type": "file", "id": "b"}}"#;
        fs::write(directory.path().join("request.json"), request).unwrap();
        Self { directory }
    }

    pub(crate) fn pull(&self) -> Command {
        let mut command = ordain(self.directory.path());
        command.args(["bundle", "pull"]);
        command
    }

    /// One request, with what was pulled.
    pub(crate) fn eval(&self) -> Command {
        let mut command = ordain(self.directory.path());
        command.args(["eval", "--exit-zero", "request.json"]);
        command
    }
}

/// The program, with a home in `directory`.
fn ordain(directory: &Path) -> Command {
    let mut command = Command::new(ORDAIN);
    command.env_remove("CI").env("HOME", directory);
    for variable in ["CACHE", "STATE", "CONFIG"] {
        let home = directory.join(variable.to_lowercase());
        command.env(format!("ORDAIN_{variable}_DIR"), home);
    }
    command.current_dir(directory);
    command
}

/// Git without anybody's configuration.
pub(crate) fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "bench");
        command.env(format!("GIT_{role}_EMAIL"), "bench@localhost");
    }
    command
}

/// Runs a command that must succeed; its output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}
