//! Programs that hold keys or ask for passphrases: no shell, a deadline, a cap on what they say, and nothing of Git's or ours
//! in their environment.

use std::ffi::OsStr;
use std::io::{Read, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::cli::env::Environment;
use crate::cli::ui;

/// The most of a program's standard error that is passed on, in bytes.
const MAX_SAID: usize = 16 << 10;
/// How long the rest of a dead program's standard error is waited for; a grandchild may hold it open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How often a program that has said everything is asked whether it has ended.
const POLL: Duration = Duration::from_millis(5);

/// Killed and reaped when dropped.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        // A child that is gone already cannot be killed, which is what is wanted.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `program` without anything of Git's or ours in its environment, which would steer it or tell it secrets.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    Environment::withhold(&mut command);
    command
}

/// Runs a program to its end: what it wrote to standard output, or what went wrong, fit for a terminal.
///
/// `limit` is in bytes; more than that is an error. Standard error is passed on, line by line, under `name`.
pub(super) fn run(
    mut command: Command,
    name: &str,
    input: &[u8],
    limit: usize,
    timeout: Duration,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let deadline = Instant::now() + timeout;
    let stdin = if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    };
    let child = command
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("it cannot be started: {error}"))?;
    let mut guard = Guard(child);
    if let Some(mut stdin) = guard.0.stdin.take() {
        let input = input.to_owned();
        // A program that answers before it has read everything would otherwise block both sides.
        std::thread::spawn(move || stdin.write_all(&input));
    }
    let (send_output, output) = channel();
    if let Some(stdout) = guard.0.stdout.take() {
        std::thread::spawn(move || read(stdout, limit, &send_output));
    }
    let (send_end, ended) = channel();
    if let Some(stderr) = guard.0.stderr.take() {
        let name = name.to_owned();
        std::thread::spawn(move || {
            pass_on(stderr, &name);
            send_end.send(())
        });
    }
    let answer = finish(&mut guard, &output, limit, timeout, deadline);
    drop(guard);
    // What it said comes before what is said about it.
    let _ = ended.recv_timeout(LAST_WORDS);
    answer
}

fn finish(
    guard: &mut Guard,
    output: &Receiver<std::io::Result<Zeroizing<Vec<u8>>>>,
    limit: usize,
    timeout: Duration,
    deadline: Instant,
) -> Result<Zeroizing<Vec<u8>>, String> {
    let late = || format!("it took longer than {} s", timeout.as_secs_f32());
    let left = deadline.saturating_duration_since(Instant::now());
    let bytes = match output.recv_timeout(left) {
        Ok(Ok(bytes)) => bytes,
        Ok(Err(error)) => return Err(format!("its output cannot be read: {error}")),
        Err(RecvTimeoutError::Timeout) => return Err(late()),
        Err(RecvTimeoutError::Disconnected) => return Err("its output cannot be read".to_owned()),
    };
    if bytes.len() > limit {
        return Err(format!("it answered more than {limit} bytes"));
    }
    loop {
        match guard.0.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(bytes),
            Ok(Some(status)) => {
                return Err(
                    format!("it ended with {status}").replace("exit status: ", "exit code ")
                );
            }
            Ok(None) if Instant::now() >= deadline => return Err(late()),
            Ok(None) => std::thread::sleep(POLL),
            Err(error) => return Err(format!("it cannot be waited for: {error}")),
        }
    }
}

/// Reads at most one byte more than `limit`, into memory that is wiped and never moved.
fn read(stream: impl Read, limit: usize, sender: &Sender<std::io::Result<Zeroizing<Vec<u8>>>>) {
    let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 1));
    let read = stream.take(limit as u64 + 1).read_to_end(&mut bytes);
    // Nobody waits any more once the deadline has passed.
    let _ = sender.send(read.map(|_| bytes));
}

/// Passes lines on as they come: they may ask somebody to touch a token.
fn pass_on(mut stderr: impl Read, name: &str) {
    let mut said = 0;
    let mut line = Vec::new();
    let mut chunk = [0; 1024];
    let say = |line: &mut Vec<u8>| {
        let text = String::from_utf8_lossy(line);
        ui::note(&format!("{name}: {}", ui::escape(text.trim_end())));
        line.clear();
    };
    while let Ok(count) = stderr.read(&mut chunk) {
        if count == 0 {
            break;
        }
        for byte in chunk.iter().take(count) {
            said += 1;
            if said > MAX_SAID {
                // Drained all the same: a program whose standard error is full would stand still.
                continue;
            }
            match byte {
                b'\n' => say(&mut line),
                byte => line.push(*byte),
            }
        }
    }
    if !line.is_empty() {
        say(&mut line);
    }
    if said > MAX_SAID {
        ui::note(&format!("{name}: (and {} bytes more)", said - MAX_SAID));
    }
}
