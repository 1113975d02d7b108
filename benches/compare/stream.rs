//! `ordain eval` of a stream with the log on, beside the least that such a run has to do, measured apart on the same threads.
//!
//! The bound is parsing each line, two SHA-256 (of the request and of its record), serialising the record, and writing the log in
//! synced batches. The first three are measured on as many threads as `eval` has; the write on one, by the clock and in processor
//! time. Nothing can be faster than the write by itself, nor than all of the processor time shared out evenly.

use std::fs::{self, File};
use std::hint::black_box;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::fixture::DISK;
use super::{ORDAIN, workload};

const RULES: usize = 1_000;
/// Records of one synced batch of the plain write.
const BATCH: usize = 4_096;
/// The share of the bound that is aimed at.
const GOAL: f64 = 0.7;

/// Measures all sizes. What is returned holds the files: see [`Site::put_aside`].
pub(crate) fn eval(rounds: usize, is_measured: bool) -> Vec<Site> {
    let threads = thread::available_parallelism().unwrap().get();
    let sizes: [usize; 2] = if is_measured {
        [100_000, 1_000_000]
    } else {
        [1_000, 2_000]
    };
    println!(
        "{:<44} {:>10} {:>10} {:>8} {:>6} {:>10}",
        format!("streaming eval, log on, {threads} threads (medians)"),
        "eval",
        "bound",
        "of bound",
        "goal",
        "peak"
    );
    let mut sites = Vec::new();
    for size in sizes {
        let site = Site::new(size);
        let mut runs: Vec<(Duration, u64)> = Vec::new();
        let mut bounds = Vec::new();
        let mut steps = Steps::default();
        for _ in 0..rounds {
            runs.push(site.eval());
            steps = Steps::measure(&site, threads);
            bounds.push(steps.bound());
        }
        runs.sort_unstable();
        bounds.sort_unstable();
        let (took, peak) = runs[runs.len() / 2];
        let bound = bounds[bounds.len() / 2];
        println!(
            "{:<44} {:>7.0} ms {:>7.0} ms {:>7.0}% {:>5.0}% {:>6} MiB",
            format!("{size} requests, {RULES} rules"),
            took.as_secs_f64() * 1e3,
            bound.as_secs_f64() * 1e3,
            bound.as_secs_f64() / took.as_secs_f64() * 1e2,
            GOAL * 1e2,
            peak / 1024,
        );
        println!("    the last bound: {steps}");
        sites.push(site);
    }
    sites
}

/// A policy, requests, and where the log is.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    requests: Vec<u8>,
}

impl Site {
    fn new(size: usize) -> Self {
        let directory = tempfile::tempdir_in(DISK).unwrap();
        let policies = directory.path().join("policy/policies");
        fs::create_dir_all(&policies).unwrap();
        let manifest =
            "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n";
        fs::write(directory.path().join("policy/bundle.yaml"), manifest).unwrap();
        fs::write(policies.join("acme.yaml"), workload::policy(RULES)).unwrap();
        let requests: Vec<u8> = (0..size)
            .flat_map(|number| (workload::request(number, RULES) + "\n").into_bytes())
            .collect();
        fs::write(directory.path().join("requests.jsonl"), &requests).unwrap();
        Self {
            directory,
            requests,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn log(&self) -> PathBuf {
        self.path(".ordain/log/decisions.jsonl")
    }

    /// Puts the last log aside.
    ///
    /// A file system may look at all files that were deleted lately whenever one is made (ext4 without a journal does, for five
    /// minutes), which is not what is measured. So none is deleted before all is measured, but for the checkpoints that a run
    /// replaces, and the one that matters gives its space back.
    fn put_aside(&self) {
        let Ok(records) = File::options().write(true).open(self.log()) else {
            return;
        };
        records.set_len(0).unwrap();
        let mut names = (0..).map(|number| self.path(&format!("log-{number}")));
        let aside = names.find(|path| !path.exists());
        fs::rename(self.path(".ordain"), aside.unwrap()).unwrap();
    }

    /// How long a run with a new log takes, and the most memory that it used, in KiB.
    fn eval(&self) -> (Duration, u64) {
        self.put_aside();
        let started = Instant::now();
        let mut child = Command::new(ORDAIN)
            .env_remove("CI")
            .env("HOME", self.directory.path())
            .env("ORDAIN_STATE_DIR", self.path("state"))
            .current_dir(self.directory.path())
            .args(["eval", "--unsigned-dir", "policy", "--scope", "acme"])
            .args(["--format", "jsonl", "--exit-zero", "requests.jsonl"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (took, peak) = watch(&mut child, started);
        (took, peak)
    }
}

/// Waits for the end of a child; how long that took, and its peak of memory shortly before, in KiB.
fn watch(child: &mut Child, started: Instant) -> (Duration, u64) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        if let Some(ended) = child.try_wait().unwrap() {
            assert!(ended.success(), "{ended}");
            return (started.elapsed(), peak);
        }
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok());
        peak = kib.unwrap_or(peak).max(peak);
        thread::sleep(Duration::from_millis(5));
    }
}

/// What a run cannot do without.
#[derive(Default)]
struct Steps {
    threads: u32,
    parse: Duration,
    hash: Duration,
    serialise: Duration,
    write: Duration,
    /// The write's processor time.
    write_work: Duration,
}

impl Steps {
    /// Each step by itself, over the requests of a run and the records that it left.
    fn measure(site: &Site, threads: usize) -> Self {
        let lines = |bytes: &[u8]| -> Vec<usize> {
            let ends = bytes.iter().enumerate();
            ends.filter(|(_, byte)| **byte == b'\n')
                .map(|(at, _)| at + 1)
                .collect()
        };
        let requests: Vec<&[u8]> = site.requests.split_inclusive(|b| *b == b'\n').collect();
        let parse = share(threads, &requests, |line| {
            black_box(serde_json::from_slice::<Value>(line).unwrap());
        });
        let log = fs::read(site.log()).unwrap();
        let ends = lines(&log);
        let records: Vec<&[u8]> = log.split_inclusive(|b| *b == b'\n').collect();
        let hash = share(threads, &requests, |line| {
            black_box(Sha256::digest(line));
        }) + share(threads, &records, |line| {
            black_box(Sha256::digest(line));
        });
        // A thousand records stand for all of them: as values they would not fit into memory.
        let values: Vec<Value> = records
            .iter()
            .skip(1)
            .take(1_000)
            .map(|line| serde_json::from_slice(line).unwrap())
            .collect();
        let values: Vec<&Value> = (0..records.len())
            .map(|at| &values[at % values.len()])
            .collect();
        let serialise = share(threads, &values, |value| {
            let mut line = Vec::with_capacity(2_048);
            serde_json::to_writer(&mut line, value).unwrap();
            black_box(line);
        });
        let (write, write_work) = write(&site.path("plain"), &log, &ends);
        Self {
            threads: u32::try_from(threads).unwrap(),
            parse,
            hash,
            serialise,
            write,
            write_work,
        }
    }

    fn bound(&self) -> Duration {
        let work = self.parse + self.hash + self.serialise + self.write_work / self.threads;
        work.max(self.write)
    }
}

impl std::fmt::Display for Steps {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "parse {:.0}, hash {:.0}, serialise {:.0}, write {:.0} (processor {:.0}) ms",
            self.parse.as_secs_f64() * 1e3,
            self.hash.as_secs_f64() * 1e3,
            self.serialise.as_secs_f64() * 1e3,
            self.write.as_secs_f64() * 1e3,
            self.write_work.as_secs_f64() * 1e3,
        )
    }
}

/// How long `threads` threads take for all items together.
fn share<T: Sync>(threads: usize, items: &[T], work: impl Fn(&T) + Sync) -> Duration {
    let started = Instant::now();
    thread::scope(|scope| {
        for part in items.chunks(items.len().div_ceil(threads).max(1)) {
            scope.spawn(|| part.iter().for_each(&work));
        }
    });
    started.elapsed()
}

/// The plain write of the log's lines; by the clock, and in processor time.
fn write(path: &Path, log: &[u8], ends: &[usize]) -> (Duration, Duration) {
    let (started, worked) = (Instant::now(), processor_time());
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path).unwrap());
    let mut start = 0;
    for batch in ends.chunks(BATCH) {
        let end = batch[batch.len() - 1];
        file.write_all(&log[start..end]).unwrap();
        file.flush().unwrap();
        file.get_ref().sync_data().unwrap();
        start = end;
    }
    let took = (started.elapsed(), processor_time().saturating_sub(worked));
    fs::remove_file(path).unwrap();
    took
}

/// What this process has had of the processors, in steps of ten milliseconds.
fn processor_time() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields = stat.rsplit_once(')').unwrap().1;
    let ticks = |field: usize| -> u64 {
        fields
            .split_whitespace()
            .nth(field)
            .unwrap()
            .parse()
            .unwrap()
    };
    Duration::from_millis(10 * (ticks(11) + ticks(12)))
}
