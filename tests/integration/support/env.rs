//! A directory of its own for each test, and programs that see nothing of the machine but `PATH`.

use std::ffi::OsStr;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Output;

/// The instant at which every test runs.
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";
/// The same instant, as Git takes it.
const GIT_DATE: &str = "2026-11-22T12:00:00 +0000";

/// A temporary home, and commands that run in it. Removed when dropped.
#[derive(Debug)]
pub(crate) struct TestEnv {
    _directory: tempfile::TempDir,
    root: PathBuf,
    variables: Vec<(String, String)>,
}

impl TestEnv {
    /// An empty `work` directory beside an empty home.
    pub(crate) fn new() -> Self {
        let directory = tempfile::Builder::new()
            .prefix("ordain-test-")
            .tempdir()
            .expect("a temporary directory");
        // The canonical path, so that what programs print can be recognised.
        let root = directory.path().canonicalize().expect("its real path");
        for name in ["home", "work"] {
            std::fs::create_dir(root.join(name)).expect("a fresh directory");
        }
        let variables = Vec::new();
        Self {
            _directory: directory,
            root,
            variables,
        }
    }

    /// The directory above `home` and `work`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The directory in which commands run unless told otherwise.
    pub(crate) fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// The home directory of the commands.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Sets a variable for every later command; `ORDAIN_NOW` moves the clock.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.into()));
    }

    /// Writes a file under `work`, with the directories above it.
    pub(crate) fn write(&self, path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(path);
        let parent = path.parent().expect("a file stands in a directory");
        std::fs::create_dir_all(parent).expect("directories");
        std::fs::write(&path, bytes).expect("a file");
        path
    }

    /// Reads a text file under `work`.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.work().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Copies a directory of the checkout to `work/<to>`, byte for byte.
    pub(crate) fn copy_from_checkout(&self, from: &str, to: impl AsRef<Path>) {
        copy_tree(&super::checkout().join(from), &self.work().join(to));
    }

    /// Makes `work/<to>` a repository with what a clone of this one has of the example: what is tried is the work tree.
    pub(crate) fn clone_of_checkout(&self, to: &str) {
        for directory in ["bundles", "keys"] {
            self.copy_from_checkout(directory, format!("{to}/{directory}"));
        }
        for file in ["ordain.yaml", "ordain.lock", ".gitignore", ".gitattributes"] {
            let bytes = std::fs::read(super::checkout().join(file))
                .unwrap_or_else(|error| panic!("{file}: {error}"));
            self.write(format!("{to}/{file}"), bytes);
        }
        self.git(to, ["init", "--quiet", "--initial-branch=main"]);
        self.git(to, ["add", "--all"]);
        self.git(to, ["commit", "--quiet", "--message=The example"]);
    }

    /// A program that runs in `work` with the cleared environment.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let home = self.home();
        let mut path = vec![binary().parent().expect("a directory").to_owned()];
        path.extend(
            std::env::var_os("PATH")
                .iter()
                .flat_map(|paths| std::env::split_paths(paths).collect::<Vec<_>>()),
        );
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("PATH", std::env::join_paths(path).expect("a search path"))
            .env("HOME", &home)
            .env("XDG_CACHE_HOME", home.join(".cache"))
            .env("XDG_CONFIG_HOME", home.join(".config"))
            .env("XDG_DATA_HOME", home.join(".local/share"))
            .env("XDG_STATE_HOME", home.join(".local/state"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_AUTHOR_NAME", "Test Author")
            .env("GIT_AUTHOR_EMAIL", "author@example.com")
            .env("GIT_AUTHOR_DATE", GIT_DATE)
            .env("GIT_COMMITTER_NAME", "Test Committer")
            .env("GIT_COMMITTER_EMAIL", "committer@example.com")
            .env("GIT_COMMITTER_DATE", GIT_DATE)
            .env("LANG", "C")
            .env("LC_ALL", "C")
            .env("TZ", "UTC")
            .env("NO_COLOR", "1")
            .env("ORDAIN_NOW", NOW)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .current_dir(self.work());
        command
    }

    /// Runs `ordain` in `work`.
    pub(crate) fn ordain<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        let mut command = self.command(binary());
        command.args(arguments);
        self.run(command, b"")
    }

    /// Runs `ordain` in a directory under `work`.
    pub(crate) fn ordain_in<S: AsRef<OsStr>>(
        &self,
        directory: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = S>,
    ) -> Output {
        let mut command = self.command(binary());
        command
            .args(arguments)
            .current_dir(self.work().join(directory));
        self.run(command, b"")
    }

    /// Runs `ordain` in a directory under `work` with something on its standard input.
    pub(crate) fn ordain_with_input<S: AsRef<OsStr>>(
        &self,
        directory: impl AsRef<Path>,
        input: &[u8],
        arguments: impl IntoIterator<Item = S>,
    ) -> Output {
        let mut command = self.command(binary());
        command
            .args(arguments)
            .current_dir(self.work().join(directory));
        self.run(command, input)
    }

    /// Runs `git` in a directory under `work`; its standard output without the final newline.
    pub(crate) fn git<S: AsRef<OsStr>>(
        &self,
        directory: impl AsRef<Path>,
        arguments: impl IntoIterator<Item = S>,
    ) -> String {
        let mut command = self.command("git");
        command
            .args(arguments)
            .current_dir(self.work().join(directory));
        let output = self.run(command, b"");
        assert_eq!(output.status, Some(0), "git failed: {output}");
        output.stdout.trim_end().to_owned()
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, mut command: Command, input: &[u8]) -> Output {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {:?}: {error}", command.get_program()));
        let mut stdin = child.stdin.take().expect("a pipe");
        let input = input.to_owned();
        // A thread, because a program that answers before it has read everything would otherwise block both sides.
        let writer = std::thread::spawn(move || {
            // A program may end without reading its input.
            stdin.write_all(&input).ok();
        });
        let output = child.wait_with_output().expect("its output");
        writer.join().expect("the writer");
        Output::new(&output, &self.root)
    }
}

/// The program under test.
pub(crate) fn binary() -> &'static Path {
    Path::new(env!("CARGO_BIN_EXE_ordain"))
}

fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a directory");
    let entries =
        std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display()));
    for entry in entries {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("its type").is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[test]
fn commands_see_a_cleared_environment() {
    let mut env = TestEnv::new();
    env.set("EXTRA", "1");
    let mut command = env.command("env");
    command.arg("-0");
    let output = env.run(command, b"");
    let names: Vec<&str> = output
        .stdout
        .split('\0')
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    assert!(names.contains(&"EXTRA") && names.contains(&"ORDAIN_NOW"));
    for foreign in ["CI", "USER", "CARGO_MANIFEST_DIR", "SSH_AUTH_SOCK"] {
        assert!(!names.contains(&foreign), "{foreign} leaks into the tests");
    }
}

#[test]
fn git_commits_are_the_same_every_time() {
    let commit = || {
        let env = TestEnv::new();
        env.git(".", ["init", "--quiet", "--initial-branch=main", "repo"]);
        env.write("repo/a.txt", "a\n");
        env.git("repo", ["add", "a.txt"]);
        env.git("repo", ["commit", "--quiet", "--message=a"]);
        env.git("repo", ["rev-parse", "HEAD"])
    };
    assert_eq!(commit(), commit());
}
