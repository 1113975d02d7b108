//! What has no peer among the engines: a request from its bytes, and a whole process for one request.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ordain::engine::request::{Request, RequestLimits};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::generate;
use crate::measure::{nanoseconds, quantile};
use crate::print;
use crate::system::System as _;
use crate::system::ordain::{Ordain, decide};

/// Two medians that were taken in turn.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Pair {
    pub(crate) ours_ns: u64,
    pub(crate) theirs_ns: u64,
}

impl Pair {
    pub(crate) fn ratio(self) -> f64 {
        self.ours_ns as f64 / self.theirs_ns.max(1) as f64
    }
}

/// From the bytes of a request to its decision with fingerprint, beside parsing those bytes as JSON and hashing them.
pub(crate) fn bytes_to_decision(rules: usize, requests: usize) -> Result<Pair> {
    let workload = generate::workload(rules, requests);
    let system = Ordain::load(&Ordain::print(&workload)?)?;
    let texts: Vec<Vec<u8>> = workload
        .requests
        .iter()
        .map(|request| serde_json::to_vec(&print::ordain::request(request)))
        .collect::<Result<_, _>>()?;
    let limits = RequestLimits::default();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        for text in &texts {
            let started = Instant::now();
            let request = Request::from_json(black_box(text), &limits)?;
            drop(black_box(decide(&system.engine, &request, system.now)));
            drop(request);
            ours.push(nanoseconds(started.elapsed()));
            let started = Instant::now();
            let value: serde_json::Value = serde_json::from_slice(black_box(text))?;
            black_box(Sha256::digest(text));
            drop(black_box(value));
            theirs.push(nanoseconds(started.elapsed()));
        }
    }
    Ok(Pair {
        ours_ns: quantile(&mut ours, 0.5),
        theirs_ns: quantile(&mut theirs, 0.5),
    })
}

/// A whole `ordain eval` of one request with a signed bundle that was pulled before, beside `git --version`.
pub(crate) fn one_shot(ordain: &Path, rules: usize, rounds: usize) -> Result<Pair> {
    let consumer = Consumer::new(ordain, rules)?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..=rounds {
        let one = timed(
            consumer
                .ordain()
                .args(["eval", "--exit-zero", "request.json"]),
        )?;
        let other = timed(Command::new("git").arg("--version"))?;
        // The first is for caches.
        if round > 0 {
            ours.push(nanoseconds(one));
            theirs.push(nanoseconds(other));
        }
    }
    Ok(Pair {
        ours_ns: quantile(&mut ours, 0.5),
        theirs_ns: quantile(&mut theirs, 0.5),
    })
}

/// A project with a configuration, and a machine and a signed bundle of its own.
struct Consumer {
    directory: TempDir,
    ordain: PathBuf,
}

impl Consumer {
    fn new(ordain: &Path, rules: usize) -> Result<Self> {
        // Beside the program: a temporary directory may be in memory, where syncing is free.
        let here = std::env::current_exe()?;
        let parent = here.parent().context("the directory of this program")?;
        let directory = tempfile::tempdir_in(parent)?;
        // As an installation has it: what a linker wrote lies in the system's memory in smaller pieces, and takes longer to start.
        let program = directory.path().join("ordain");
        fs::copy(ordain, &program).with_context(|| format!("there is no {}", ordain.display()))?;
        let consumer = Self {
            directory,
            ordain: program,
        };
        consumer.publish(rules)?;
        let config = format!(
            "apiVersion: ordain/v1\nkind: Config\nscope: acme\ntrust: {{dir: trust, fingerprint: \"{}\"}}\n\
             bundles:\n  - {{name: acme, git: \"file://{}\", ref: refs/heads/main}}\nlog: {{path: log}}\n",
            run(consumer
                .ordain()
                .args(["trust", "show", "--fingerprint", "--dir", "trust"]))?
            .trim(),
            consumer.path().join("bundle").display(),
        );
        fs::write(consumer.path().join("ordain.yaml"), config)?;
        run(consumer.ordain().args(["bundle", "pull"]))?;
        Ok(consumer)
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Makes keys, trust root and bundle, and signs and commits it.
    fn publish(&self, rules: usize) -> Result<()> {
        run(self.ordain().args(["key", "generate", "key"]))?;
        run(self
            .ordain()
            .args([
                "trust",
                "init",
                "--threshold",
                "1",
                "--expires",
                "1y",
                "--namespace",
                "acme",
            ])
            .args([
                "--principal",
                "alice=key.pub",
                "--key",
                "key",
                "--dir",
                "trust",
            ]))?;
        run(self.ordain().args([
            "bundle",
            "new",
            "--name",
            "acme",
            "--namespace",
            "acme",
            "bundle",
        ]))?;
        let bundle = self.path().join("bundle");
        let policies = bundle.join("policies");
        if policies.exists() {
            fs::remove_dir_all(&policies)?;
        }
        fs::create_dir_all(&policies)?;
        let workload = generate::workload(rules, 1);
        for (name, text) in print::ordain::policy(&workload).0 {
            fs::write(bundle.join(name), text)?;
        }
        for request in &workload.requests {
            let text = print::ordain::request(request).to_string();
            fs::write(self.path().join("request.json"), text)?;
        }
        run(self.ordain().args([
            "bundle",
            "sign",
            "--expires",
            "90d",
            "--key",
            "key",
            "bundle",
        ]))?;
        for arguments in [
            &["init", "--quiet", "--initial-branch=main"][..],
            &["add", "--all"],
            &["commit", "--quiet", "--message=bundle"],
        ] {
            run(git().current_dir(&bundle).args(arguments))?;
        }
        Ok(())
    }

    /// The program, with a home in this directory.
    fn ordain(&self) -> Command {
        let mut command = Command::new(&self.ordain);
        command.env_remove("CI").env("HOME", self.path());
        for variable in ["CACHE", "STATE", "CONFIG"] {
            let home = self.path().join(variable.to_lowercase());
            command.env(format!("ORDAIN_{variable}_DIR"), home);
        }
        command.current_dir(self.path());
        command
    }
}

/// Git without anybody's configuration.
fn git() -> Command {
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

fn run(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

fn timed(command: &mut Command) -> Result<Duration> {
    let started = Instant::now();
    let output = command
        .output()
        .with_context(|| format!("cannot run {command:?}"))?;
    let took = started.elapsed();
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {said}");
    Ok(took)
}
