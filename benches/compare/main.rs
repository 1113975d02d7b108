//! The program beside the plain tools for the same work, pairwise: `cargo bench --bench compare`.
//!
//! Each pair runs interleaved, ours then theirs, so that whatever else the machine does falls on both. What is reported is the
//! ratio of the medians; the times beside it mean nothing on another machine. `docs/performance.md` explains the table.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on should stop loudly, and its output is a table"
)]

mod fixture;
mod log;
mod request;
mod server;
mod stream;
mod verify;
mod workload;

use std::process::Command;
use std::time::{Duration, Instant};

use fixture::{Consumer, Fixture};
use server::Server;

/// The program under test.
pub(crate) const ORDAIN: &str = env!("CARGO_BIN_EXE_ordain");

fn main() {
    // `cargo test --benches` asks whether it runs, not how fast.
    let is_measured = std::env::args().any(|argument| argument == "--bench");
    let rounds = |rounds: usize| if is_measured { rounds } else { 1 };
    let sizes: &[usize] = if is_measured { &[20, 9_990] } else { &[20] };
    // `cargo bench --bench compare -- verify` measures this part alone; so do `request` and `stream`.
    let only = |part: &str| std::env::args().any(|argument| argument == part);
    // Others delete files, so it comes first; and its own are there until the end.
    let parts = ["request", "verify"];
    let _sites = if only("stream") || !parts.into_iter().any(only) {
        stream::eval(rounds(3), is_measured)
    } else {
        Vec::new()
    };
    if only("stream") {
        return;
    }
    println!(
        "{:<56} {:>10} {:>10} {:>7} {:>6}",
        "ours beside theirs (medians)", "ours", "theirs", "ratio", "goal"
    );
    request::to_decision(rounds(101), is_measured);
    if only("request") {
        return;
    }
    verify::verification(rounds, is_measured);
    if only("verify") {
        return;
    }
    start(rounds(101));
    for &files in sizes {
        let fixture = Fixture::new(files);
        let many = rounds(if files > 100 { 9 } else { 21 });
        let server = Server::start(fixture.repositories());
        let urls = [
            ("file", fixture.file_url()),
            ("git", format!("git://{}/policy.git", server.address)),
        ];
        for (transport, url) in &urls {
            let label = |what: &str| format!("{what}, {files} files, {transport}://");
            let consumer = Consumer::new(&fixture, url);
            no_op(&label("no-op pull / git ls-remote"), many, &consumer, url);
            cold(
                &label("cold pull / git clone --depth 1"),
                many,
                &fixture,
                url,
            );
            warm_eval(&label("warm eval / git --version"), many, &consumer);
        }
        verify_directory(files, many, &fixture);
    }
    log::append(rounds(21));
}

fn start(rounds: usize) {
    let timing = interleaved(
        rounds,
        || timed(Command::new(ORDAIN).arg("--version")),
        || timed(Command::new("git").arg("--version")),
    );
    timing.print("ordain --version / git --version", Some(1.0));
}

fn no_op(label: &str, rounds: usize, consumer: &Consumer, url: &str) {
    fixture::run(&mut consumer.pull());
    let timing = interleaved(
        rounds,
        || timed(&mut consumer.pull()),
        || timed(fixture::git().args(["ls-remote", url, "refs/heads/main"])),
    );
    timing.print(label, Some(1.0));
}

fn cold(label: &str, rounds: usize, fixture: &Fixture, url: &str) {
    let timing = interleaved(
        rounds,
        || {
            let consumer = Consumer::new(fixture, url);
            timed(&mut consumer.pull())
        },
        || {
            let clone = tempfile::tempdir_in(fixture::DISK).unwrap();
            let mut git = fixture::git();
            git.args(["clone", "--quiet", "--depth", "1", url]);
            timed(git.arg(clone.path().join("clone")))
        },
    );
    timing.print(label, Some(1.0));
}

fn warm_eval(label: &str, rounds: usize, consumer: &Consumer) {
    let timing = interleaved(
        rounds,
        || timed(&mut consumer.eval()),
        || timed(Command::new("git").arg("--version")),
    );
    timing.print(label, None);
}

fn verify_directory(files: usize, rounds: usize, fixture: &Fixture) {
    let names = fixture.files();
    let timing = interleaved(
        rounds,
        || timed(&mut fixture.verify()),
        || {
            timed(
                Command::new("sha256sum")
                    .args(&names)
                    .current_dir(fixture.bundle()),
            )
        },
    );
    let goal = (files > 100).then_some(0.5);
    timing.print(&format!("bundle verify / sha256sum, {files} files"), goal);
}

/// The times of two pieces of work that took turns.
pub(crate) struct Timing {
    ours: Duration,
    theirs: Duration,
}

impl Timing {
    pub(crate) fn print(&self, label: &str, goal: Option<f64>) {
        let ratio = self.ours.as_secs_f64() / self.theirs.as_secs_f64();
        let goal = goal.map_or_else(|| "-".to_owned(), |goal| format!("≤ {goal}"));
        println!(
            "{label:<56} {:>7.2} ms {:>7.2} ms {ratio:>7.2} {goal:>6}",
            self.ours.as_secs_f64() * 1e3,
            self.theirs.as_secs_f64() * 1e3,
        );
    }
}

/// Runs both in turn, once for nothing and then `rounds` times; the medians.
pub(crate) fn interleaved(
    rounds: usize,
    mut ours: impl FnMut() -> Duration,
    mut theirs: impl FnMut() -> Duration,
) -> Timing {
    let _ = (ours(), theirs());
    let (mut our_times, mut their_times): (Vec<_>, Vec<_>) =
        (0..rounds).map(|_| (ours(), theirs())).unzip();
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times.get(times.len() / 2).copied().unwrap_or_default()
    };
    Timing {
        ours: median(&mut our_times),
        theirs: median(&mut their_times),
    }
}

/// How long the command takes; it must succeed.
pub(crate) fn timed(command: &mut Command) -> Duration {
    let started = Instant::now();
    let output = command.output().unwrap();
    let took = started.elapsed();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    took
}
