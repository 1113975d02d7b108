//! `ordain eval` as a filter: flat memory, a reader that goes away, answers as requests come.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::process::{Child, Stdio};

use crate::support::organisation::{Organisation, request};

fn ready() -> Organisation {
    let world = Organisation::new();
    world.publish("READ");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    world
}

fn filter(world: &Organisation) -> Child {
    let mut command = world.silent("app", &["eval", "--format=jsonl"]);
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The most memory that a process has used, in KiB.
fn peak(child: &Child) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap()
}

/// Decides so many requests while standard input stays open; the peak after the last answer.
fn peak_after(world: &Organisation, requests: usize) -> u64 {
    let mut child = filter(world);
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let line = request("read_x") + "\n";
        let block = line.repeat(1000);
        for _ in 0..requests / 1000 {
            stdin.write_all(block.as_bytes()).unwrap();
        }
        stdin
    });
    let mut answers = BufReader::with_capacity(1 << 20, child.stdout.take().unwrap());
    let mut line = Vec::new();
    for _ in 0..requests {
        line.clear();
        assert!(answers.read_until(b'\n', &mut line).unwrap() > 0);
    }
    assert!(
        line.windows(19)
            .any(|bytes| bytes == b"\"outcome\":\"allowed\"")
    );
    let peak = peak(&child);
    drop(writer.join().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    peak
}

#[test]
fn memory_stays_flat_however_long_the_stream_is() {
    let world = ready();
    let (few, many) = (peak_after(&world, 40_000), peak_after(&world, 200_000));
    println!("peak {few} KiB, then {many} KiB");
    assert!(many < few + few / 4 + 4096, "{few} KiB, then {many} KiB");
    world.env.ordain_in("app", ["log", "verify"]).success();
}

#[test]
fn each_request_is_answered_as_it_comes() {
    let world = ready();
    let mut child = filter(&world);
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    for action in ["read_x", "drop_x", "delete_x"] {
        writeln!(stdin, "{}", request(action)).unwrap();
        let answer: serde_json::Value =
            serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert!(answer["outcome"].is_string());
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let world = ready();
    let mut child = filter(&world);
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let block = (request("read_x") + "\n").repeat(1000);
        // It fails when the program ends, which it must.
        while stdin.write_all(block.as_bytes()).is_ok() {}
    });
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    answers.read_line(&mut line).unwrap();
    drop(answers);
    let mut said = String::new();
    child
        .stderr
        .take()
        .unwrap()
        .read_to_string(&mut said)
        .unwrap();
    let status = child.wait().unwrap();
    writer.join().unwrap();
    assert!(!said.contains("error") && !said.contains("panic"), "{said}");
    assert!(status.code().is_some(), "{status}");
    world.env.ordain_in("app", ["log", "verify"]).success();
}

/// The numbers that a stream's records are prepared for are no longer theirs then.
#[test]
fn who_writes_in_between_takes_nothing_from_the_order() {
    let world = ready();
    let app = world.env.work().join("app");
    std::fs::write(app.join("one.json"), request("read_x")).unwrap();
    let id = |line: &str| {
        let decision: serde_json::Value = serde_json::from_str(line).unwrap();
        decision["decision_id"].as_str().map(str::to_owned)
    };
    let mut child = filter(&world);
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut given = Vec::new();
    for _ in 0..3 {
        let block = (request("read_x") + "\n").repeat(1_000);
        stdin.write_all(block.as_bytes()).unwrap();
        given.extend((0..1_000).map(|_| id(&answers.next().unwrap().unwrap())));
        let arguments = ["eval", "--format=jsonl", "one.json"];
        let other = world.env.ordain_in("app", arguments);
        given.push(id(other.success()));
    }
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let log = std::fs::read_to_string(app.join(".ordain/log/decisions.jsonl")).unwrap();
    let recorded: Vec<_> = log.lines().map(id).filter(Option::is_some).collect();
    assert_eq!(recorded, given);
    world.env.ordain_in("app", ["log", "verify"]).success();
}

/// Whoever syncs each record by itself takes no lines that were written beforehand; the log is as it is otherwise.
#[test]
fn a_stream_is_on_record_however_it_reaches_the_disk() {
    for sync in ["always", "group", "none"] {
        let world = ready();
        let app = world.env.work().join("app");
        let configuration = app.join("ordain.yaml");
        let text = std::fs::read_to_string(&configuration).unwrap();
        std::fs::write(configuration, format!("{text}log: {{sync: {sync}}}\n")).unwrap();
        let requests = (request("read_x") + "\n").repeat(600);
        std::fs::write(app.join("requests.jsonl"), requests).unwrap();
        let arguments = ["eval", "--format=jsonl", "requests.jsonl"];
        let given = world.env.ordain_in("app", arguments);
        let given = given.success().lines().count();
        let log = std::fs::read_to_string(app.join(".ordain/log/decisions.jsonl")).unwrap();
        assert_eq!((given, log.lines().count()), (600, 601), "{sync}");
        world.env.ordain_in("app", ["log", "verify"]).success();
    }
}
