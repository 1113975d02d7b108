//! A stream of requests through the whole program with its log on, beside what the work itself would take.
//!
//! The bound is measured in this process on two threads, each with half of the requests: parse the request as JSON, hash it,
//! write its record as JSON, hash that, and put it into a buffered file, which is synced at the end. Records are those that
//! the program wrote for the same requests.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::generate;
use crate::measure::nanoseconds;
use crate::once::Consumer;
use crate::print;

/// Distinct requests; a stream repeats them.
const DISTINCT: usize = 10_000;

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Streamed {
    pub(crate) requests: usize,
    pub(crate) ours_ns: u64,
    pub(crate) bound_ns: u64,
    /// The greatest resident set for a tenth of the requests, and for all.
    pub(crate) peaks: [u64; 2],
}

impl Streamed {
    /// What part of the bound's speed the program reaches.
    pub(crate) fn share(self) -> f64 {
        self.bound_ns as f64 / self.ours_ns.max(1) as f64
    }

    /// How the greatest resident set grows with ten times as many requests.
    pub(crate) fn growth(self) -> f64 {
        let [tenth, all] = self.peaks;
        all as f64 / tenth.max(1) as f64
    }
}

pub(crate) fn stream(ordain: &Path, rules: usize, requests: usize) -> Result<Streamed> {
    let consumer = Consumer::new(ordain, rules)?;
    let workload = generate::workload(rules, DISTINCT.min(requests));
    let lines: Vec<String> = workload
        .requests
        .iter()
        .map(|request| format!("{}\n", print::ordain::request(request)))
        .collect();
    let (_, tenth) = evaluate(&consumer, &lines, requests / 10)?;
    let (took, all) = evaluate(&consumer, &lines, requests)?;
    let records = records(&consumer.path().join("log/decisions.jsonl"), lines.len())?;
    let bound = bound(consumer.path(), &lines, &records, requests)?;
    Ok(Streamed {
        requests,
        ours_ns: nanoseconds(took),
        bound_ns: nanoseconds(bound),
        peaks: [tenth, all],
    })
}

/// Lets the program decide so many requests; how long that takes, and its greatest resident set.
fn evaluate(consumer: &Consumer, lines: &[String], requests: usize) -> Result<(Duration, u64)> {
    let path = consumer.path().join("requests.jsonl");
    let mut file = BufWriter::new(File::create(&path)?);
    for line in lines.iter().cycle().take(requests) {
        file.write_all(line.as_bytes())?;
    }
    file.flush()?;
    let log = consumer.path().join("log");
    if log.exists() {
        fs::remove_dir_all(log)?;
    }
    let mut command: Command = consumer.ordain();
    command.args(["eval", "--exit-zero", "requests.jsonl"]);
    let started = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let mut peak = 0;
    let status = loop {
        peak = peak.max(greatest(child.id()));
        if let Some(status) = child.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(5));
    };
    let took = started.elapsed();
    ensure!(status.success(), "{command:?}: {status}");
    Ok((took, peak))
}

/// The greatest resident set of a process so far; 0 of one that has ended.
fn greatest(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes =
        line.and_then(|text| text.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) << 10
}

fn records(path: &Path, count: usize) -> Result<Vec<Value>> {
    let file = File::open(path).with_context(|| format!("no log at {}", path.display()))?;
    let lines = BufReader::new(file).lines().take(count);
    lines
        .map(|line| Ok(serde_json::from_str(&line?)?))
        .collect()
}

fn bound(
    directory: &Path,
    lines: &[String],
    records: &[Value],
    requests: usize,
) -> Result<Duration> {
    ensure!(
        lines.len() == records.len(),
        "the log has no record of each request"
    );
    let started = Instant::now();
    let half = |name: &str| -> Result<()> {
        let file = File::create(directory.join(name))?;
        let mut writer = BufWriter::with_capacity(1 << 20, file);
        let pairs = lines.iter().zip(records).cycle();
        for (line, record) in pairs.take(requests / 2) {
            let request: Value = serde_json::from_str(line)?;
            let asked = Sha256::digest(line);
            let mut written = serde_json::to_vec(record)?;
            written.push(b'\n');
            let recorded = Sha256::digest(&written);
            std::hint::black_box((request, asked, recorded));
            writer.write_all(&written)?;
        }
        writer.flush()?;
        Ok(writer.get_ref().sync_data()?)
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| half("bound-1"));
        half("bound-0")?;
        match other.join() {
            Ok(other) => other,
            Err(_) => bail!("a thread came to an end before its time"),
        }
    })?;
    Ok(started.elapsed())
}
