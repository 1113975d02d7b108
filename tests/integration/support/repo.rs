//! Git repositories in temporary directories: the real `git`, fixed names and dates, nobody's configuration.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Where programs are looked for; the caller's environment is not.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A command with nothing of the caller's environment.
pub(crate) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/nonexistent")
        .env("LC_ALL", "C")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    for role in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{role}_NAME"), "Ada")
            .env(format!("GIT_{role}_EMAIL"), "ada@example.org")
            .env(format!("GIT_{role}_DATE"), "1700000000 +0000");
    }
    command
}

/// Runs a command to its end with `input`; its standard output, trimmed.
pub(crate) fn run(mut command: Command, input: &[u8]) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// A repository with a work tree, on branch `main`.
pub(crate) struct Repo {
    directory: tempfile::TempDir,
}

impl Repo {
    pub(crate) fn new() -> Self {
        Self::with_format("sha1")
    }

    pub(crate) fn with_format(format: &str) -> Self {
        let repo = Self {
            directory: tempfile::tempdir().unwrap(),
        };
        std::fs::create_dir(repo.path()).unwrap();
        repo.git(&[
            "init",
            "-q",
            "-b",
            "main",
            &format!("--object-format={format}"),
        ]);
        repo
    }

    /// The directory above, which servers export.
    pub(crate) fn base(&self) -> &Path {
        self.directory.path()
    }

    /// The work tree.
    pub(crate) fn path(&self) -> PathBuf {
        self.directory.path().join("repo")
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_with(arguments, b"")
    }

    pub(crate) fn git_with(&self, arguments: &[&str], input: &[u8]) -> String {
        let mut git = command("git");
        git.arg("-C").arg(self.path());
        // Tests look at single objects, and write trees that no checkout could hold.
        git.args(["-c", "gc.auto=0", "-c", "core.protectNTFS=false"]);
        git.args(arguments);
        run(git, input)
    }

    /// Commits these files beside what is there; the commit's id.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", "change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes a blob; its id.
    pub(crate) fn blob(&self, text: &str) -> String {
        self.git_with(&["hash-object", "-w", "--stdin"], text.as_bytes())
    }

    /// Writes a tree of raw entries, sound or not, and points `main` to a commit of it; the commit's id.
    pub(crate) fn commit_raw_tree(&self, entries: &[(&str, &[u8], &str)]) -> String {
        let mut data = Vec::new();
        for (mode, name, id) in entries {
            data.extend_from_slice(mode.as_bytes());
            data.push(b' ');
            data.extend_from_slice(name);
            data.push(0);
            data.extend(
                (0..id.len())
                    .step_by(2)
                    .map(|at| u8::from_str_radix(&id[at..at + 2], 16).unwrap()),
            );
        }
        let write = ["hash-object", "-t", "tree", "--literally", "-w", "--stdin"];
        let tree = self.git_with(&write, &data);
        let commit = self.git(&["commit-tree", &tree, "-m", "raw"]);
        self.git(&["update-ref", "refs/heads/main", &commit]);
        commit
    }

    /// The file of a loose object.
    pub(crate) fn loose(&self, id: &str) -> PathBuf {
        self.path()
            .join(".git/objects")
            .join(&id[..2])
            .join(&id[2..])
    }
}
