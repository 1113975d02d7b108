//! The systems by name, each measured in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use serde_json::json;

use crate::generate;
use crate::measure::{self, Budget, Measured, Outcome, quantile};
use crate::model::{Answer, Effect, Workload};
use crate::print::rego;
use crate::system::regorus::{AsData, AsRules, Interpreter, Rvm};
use crate::system::{Reference, bitset, cedar, cel, kept, linear, ordain};

/// What a system is to the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Ours,
    /// Ours, of another source.
    Form,
    Floor,
    Peer,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) role: Role,
}

const fn entrant(name: &'static str, title: &'static str, role: Role) -> Entrant {
    Entrant { name, title, role }
}

pub(crate) const ENTRANTS: [Entrant; 14] = [
    entrant("ordain", "ordain, whole decision", Role::Ours),
    entrant("ordain-kept", "ordain, compiled before", Role::Form),
    entrant(
        "ordain-made",
        "ordain, compiled before, every rule made",
        Role::Form,
    ),
    entrant("bitset", "floor: index with bitsets", Role::Floor),
    entrant("bitset-all", "floor: bitsets, every match", Role::Floor),
    entrant("linear", "floor: linear scan", Role::Floor),
    entrant("cedar", "Cedar", Role::Peer),
    entrant("regorus-rules", "regorus, rules", Role::Peer),
    entrant("regorus-data", "regorus, data", Role::Peer),
    entrant("rvm-rules", "regorus RVM, rules", Role::Peer),
    entrant("rvm-data", "regorus RVM, data", Role::Peer),
    entrant("opa-rules", "OPA, rules", Role::Peer),
    entrant("opa-data", "OPA, data", Role::Peer),
    entrant("cel", "loop of CEL", Role::Peer),
];

/// What a child is told.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) rules: usize,
    pub(crate) requests: usize,
    pub(crate) budget: Budget,
    pub(crate) python: PathBuf,
}

/// Measures the system of that name in this process.
pub(crate) fn run(name: &str, task: &Task) -> Result<Outcome> {
    let workload = generate::workload(task.rules, task.requests);
    let budget = &task.budget;
    match name {
        "ordain" => measure::system::<ordain::Ordain>(&workload, budget),
        "ordain-kept" => measure::system::<kept::Kept<false>>(&workload, budget),
        "ordain-made" => measure::system::<kept::Kept<true>>(&workload, budget),
        "bitset" => measure::system::<bitset::Bitset>(&workload, budget),
        "bitset-all" => measure::system::<bitset::EveryMatch>(&workload, budget),
        "linear" => measure::system::<linear::Linear>(&workload, budget),
        "cedar" => measure::system::<cedar::Cedar>(&workload, budget),
        "regorus-rules" => measure::system::<Interpreter<AsRules>>(&workload, budget),
        "regorus-data" => measure::system::<Interpreter<AsData>>(&workload, budget),
        "rvm-rules" => measure::system::<Rvm<AsRules>>(&workload, budget),
        "rvm-data" => measure::system::<Rvm<AsData>>(&workload, budget),
        "opa-rules" => opa(&workload, rego::rules(&workload), None, task),
        "opa-data" => opa(
            &workload,
            rego::walker(),
            Some(rego::data(&workload).to_string()),
            task,
        ),
        "cel" => measure::system::<cel::Cel>(&workload, budget),
        _ => bail!("no system is named `{}`", name.escape_debug()),
    }
}

/// What `opa.py` writes.
#[derive(Deserialize)]
struct Opa {
    load_ns: u64,
    resident: u64,
    answers: Vec<(String, i64)>,
    samples: Vec<u64>,
    throughput: [f64; 2],
}

/// OPA, in a Python that has it as a library.
fn opa(workload: &Workload, policy: String, data: Option<String>, task: &Task) -> Result<Outcome> {
    let directory = tempfile::tempdir()?;
    let asked = directory.path().join("asked.json");
    let requests: Vec<_> = workload.requests.iter().map(rego::request).collect();
    let document = json!({
        "policy": policy,
        "data": data,
        "requests": requests,
        "check": task.budget.check.as_secs_f64(),
        "latency": task.budget.latency.as_secs_f64(),
        "throughput": task.budget.throughput.as_secs_f64(),
    });
    std::fs::write(&asked, document.to_string())?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("opa.py");
    let mut python = Command::new(&task.python);
    let ran = python
        .arg(script)
        .arg(&asked)
        .stderr(Stdio::piped())
        .output();
    let output = ran.with_context(|| format!("cannot run {}", task.python.display()))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        let last = text.lines().last().unwrap_or("it says nothing");
        return Ok(Outcome::LeftOut(format!("{last} ({})", output.status)));
    }
    let mut opa: Opa =
        serde_json::from_slice(&output.stdout).context("what OPA's process wrote")?;
    let reference = Reference::new(workload);
    for (request, (effect, rule)) in opa.answers.iter().enumerate() {
        let found: Answer = match (effect.as_str(), usize::try_from(*rule)) {
            ("deny", Ok(rule)) => Some((Effect::Deny, rule)),
            ("allow", Ok(rule)) => Some((Effect::Allow, rule)),
            _ => None,
        };
        if let Some(how) = measure::difference(&reference, request, &found) {
            return Ok(Outcome::Differs(how));
        }
    }
    Ok(Outcome::Measured(Measured {
        load_ns: opa.load_ns,
        compile_ns: None,
        heap: None,
        resident: opa.resident,
        checked: opa.answers.len(),
        median_ns: quantile(&mut opa.samples, 0.5),
        p99_ns: quantile(&mut opa.samples, 0.99),
        throughput: opa.throughput,
    }))
}

/// Measures the system of that name in a process of its own, which is ended after `patience`.
pub(crate) fn spawn(name: &str, task: &Task, patience: Duration) -> Result<Outcome> {
    let this = std::env::current_exe()?;
    let seconds = |time: Duration| time.as_secs_f64().to_string();
    let mut child = Command::new(this)
        .args(["child", name, "--rules", &task.rules.to_string()])
        .args(["--requests", &task.requests.to_string()])
        .args(["--check", &seconds(task.budget.check)])
        .args(["--latency", &seconds(task.budget.latency)])
        .args(["--throughput", &seconds(task.budget.throughput)])
        .arg("--python")
        .arg(&task.python)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let started = std::time::Instant::now();
    // What a child writes fits into its pipes, so it can be read when it has ended.
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if started.elapsed() > patience {
            child.kill()?;
            child.wait()?;
            return Ok(Outcome::LeftOut(format!(
                "not ready within {} s",
                patience.as_secs()
            )));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    let output = child.wait_with_output()?;
    if status.success() {
        return serde_json::from_slice(&output.stdout)
            .with_context(|| format!("what `{name}` reported"));
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let last = text.lines().last().unwrap_or("it says nothing");
    Ok(Outcome::LeftOut(format!("{last} ({status})")))
}
