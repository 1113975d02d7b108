//! `ordain eval` on several threads: the same answers, the same log, in the order of the input.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::organisation::{Organisation, request};

const ACTIONS: [&str; 3] = ["read_x", "delete_x", "drop_x"];
const OUTCOMES: [&str; 3] = ["allowed", "pending", "denied"];

fn ready() -> Organisation {
    let world = Organisation::new();
    world.publish("READ");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    world
}

/// So many requests of each kind in turn, each told apart by its context.
fn requests(count: usize) -> Vec<String> {
    (0..count)
        .map(|number| {
            let request = request(ACTIONS[number % 3]);
            let context = format!(r#","context":{{"n":{number}}}}}"#);
            format!("{}{context}", request.strip_suffix('}').unwrap())
        })
        .collect()
}

/// What differs between two runs on the same input, taken out.
fn settle(text: &str) -> String {
    let mut settled = String::new();
    for line in text.lines() {
        // A document's last element has no comma behind it.
        let (line, end) = line
            .strip_suffix(',')
            .map_or((line, "\n"), |line| (line, ",\n"));
        match serde_json::from_str::<Value>(line) {
            Ok(mut value) if value.is_object() => {
                for name in ["decision_id", "duration_ns", "salt"] {
                    if let Some(member) = value.get_mut(name) {
                        *member = Value::Null;
                    }
                }
                settled.push_str(&value.to_string());
            }
            _ => settled.push_str(line),
        }
        settled.push_str(end);
    }
    settled
}

/// What a run with this many threads prints, says and leaves on record.
fn run(world: &Organisation, input: &str, arguments: &[&str]) -> [String; 3] {
    let log = world.env.work().join("app/.ordain");
    if log.exists() {
        std::fs::remove_dir_all(&log).unwrap();
    }
    let mut all = vec!["eval"];
    all.extend(arguments);
    let output = world.env.ordain_with_input("app", input.as_bytes(), all);
    assert_eq!(output.status, Some(2), "{}", output.stderr);
    world.env.ordain_in("app", ["log", "verify"]).success();
    let records = std::fs::read_to_string(log.join("log/decisions.jsonl")).unwrap();
    [settle(&output.stdout), output.stderr, settle(&records)]
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let world = ready();
    let mut lines = requests(2_000);
    lines[700] = "{\"subject\": nonsense}".to_owned();
    lines[701] = request("read_x").replace("sam", "d\u{9b}");
    lines[1_200] = r#"{"a":1,"a":2}"#.to_owned();
    lines[1_201] = format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20));
    lines[1_500] = "{\"cut\":[".to_owned();
    let stream = lines.join("\n") + "\n";
    lines.truncate(1_400);
    lines[700] = "{}".to_owned();
    let array = format!("[{}]", lines.join(","));
    for (input, formats) in [
        (&stream, &["jsonl", "json", "text"][..]),
        (&array, &["json"]),
    ] {
        for format in formats {
            let one = run(&world, input, &["--format", format, "--jobs", "1"]);
            for jobs in ["2", "4", "7"] {
                let many = run(&world, input, &["--format", format, "--jobs", jobs]);
                for (one, many) in one.iter().zip(&many) {
                    assert!(one == many, "{format}, {jobs} threads");
                }
            }
            let default = run(&world, input, &["--format", format]);
            assert!(one == default, "{format}, as many threads as processors");
        }
    }
}

#[test]
fn answers_and_records_come_in_the_order_of_the_input() {
    let world = ready();
    let count = 3_000;
    // Lines, an array, and requests over several lines; each a stream of its own.
    let lines = requests(count);
    world.env.write("app/lines.jsonl", lines.join("\n"));
    world
        .env
        .write("app/array.json", format!("[{}]", lines.join(",\n")));
    let pretty = lines.iter().map(|line| {
        let value: Value = serde_json::from_str(line).unwrap();
        format!("{value:#}\n")
    });
    world
        .env
        .write("app/pretty.json", pretty.collect::<String>());
    let arguments = ["eval", "--format=jsonl", "--jobs=4", "--exit-zero"];
    let files = ["lines.jsonl", "array.json", "pretty.json", "read_x.json"];
    let output = world.env.ordain_in("app", arguments.iter().chain(&files));
    output.success();
    let answers: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(answers.len(), 3 * count + 1);
    for (position, answer) in answers.iter().enumerate().take(3 * count) {
        assert_eq!(
            answer["outcome"],
            OUTCOMES[position % count % 3],
            "{position}"
        );
        let same = &answers[position % count];
        assert_eq!(
            answer["request_fingerprint"], same["request_fingerprint"],
            "{position}"
        );
    }
    let fingerprints: BTreeSet<&str> = answers
        .iter()
        .take(count)
        .map(|answer| answer["request_fingerprint"].as_str().unwrap())
        .collect();
    assert_eq!(fingerprints.len(), count);
    let ids: BTreeSet<&str> = answers
        .iter()
        .map(|answer| answer["decision_id"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), answers.len());
    // The record holds what was answered, member by member, behind its own.
    let records = world.env.read("app/.ordain/log/decisions.jsonl");
    for (record, answer) in records.lines().skip(1).zip(output.stdout.lines()) {
        let answer = answer.strip_prefix("{\"format_version\":1,").unwrap();
        let members = answer.strip_suffix('}').unwrap();
        assert!(
            record.contains(&format!(",\"kind\":\"decision\",{members},\"request\":")),
            "{record}"
        );
    }
    world.env.ordain_in("app", ["log", "verify"]).success();
}

#[test]
fn decisions_too_long_for_the_log_are_denied_wherever_they_stand() {
    let world = ready();
    let mut lines = requests(1_000);
    for long in [0, 256, 511, 999] {
        lines[long] = request("read_x").replace("sam", &"x".repeat(66_000));
    }
    let output = world.env.ordain_with_input(
        "app",
        lines.join("\n").as_bytes(),
        ["eval", "--format=jsonl", "--jobs=3"],
    );
    assert_eq!(output.status, Some(2), "{}", output.stderr);
    assert_eq!(
        output.stderr.matches("E-LOG-008").count(),
        4,
        "{}",
        output.stderr
    );
    let answers: Vec<Value> = output
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (position, answer) in answers.iter().enumerate() {
        let is_long = [0, 256, 511, 999].contains(&position);
        let wanted = if is_long {
            "denied"
        } else {
            OUTCOMES[position % 3]
        };
        assert_eq!(answer["outcome"], wanted, "{position}");
        assert_eq!(
            answer["reason_code"] == "RECORD_TOO_LONG",
            is_long,
            "{position}"
        );
    }
    world.env.ordain_in("app", ["log", "verify"]).success();
}

#[test]
fn no_more_threads_are_asked_for_than_can_be_had() {
    let world = ready();
    for jobs in ["--jobs=0", "--jobs=1025", "--jobs=65535", "--jobs=all"] {
        let output = world
            .env
            .ordain_in("app", ["eval", "--format=jsonl", jobs, "read_x.json"]);
        assert_eq!(output.status, Some(2), "{}", output.stderr);
        assert!(
            output.stderr.contains("a number from 1 to 1024"),
            "{}",
            output.stderr
        );
    }
    world
        .env
        .ordain_in(
            "app",
            ["eval", "--format=jsonl", "--jobs=1024", "read_x.json"],
        )
        .success();
}

/// A limit on the size of files stands in for a full disk, which is met in the midst of a stream. It leaves room for the first batch,
/// however many of its chunks are ready by then.
#[test]
fn a_log_that_fails_midway_leaves_no_answer_without_a_record() {
    let world = ready();
    world
        .env
        .write("app/lines.jsonl", requests(20_000).join("\n"));
    let plain = world.silent(
        "app",
        &["eval", "--format=jsonl", "--jobs=4", "lines.jsonl"],
    );
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 12000; exec \"$@\"", "sh"])
        .arg(plain.get_program())
        .args(plain.get_args())
        .current_dir(plain.get_current_dir().unwrap())
        .env_clear();
    for (name, value) in plain.get_envs() {
        command.env(name, value.unwrap());
    }
    let output = world.env.run(command, b"");
    assert_eq!(output.status, Some(70), "{}", output.stderr);
    assert!(output.stderr.contains("E-LOG-010"), "{}", output.stderr);
    let records = world.env.read("app/.ordain/log/decisions.jsonl");
    let on_record: BTreeSet<String> = records
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter_map(|record| Some(record["decision_id"].as_str()?.to_owned()))
        .collect();
    let (mut recorded, mut withheld) = (0, 0);
    for line in output.stdout.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        if answer["reason_code"] == "LOG_UNWRITABLE" {
            assert_eq!(answer["outcome"], "denied");
            withheld += 1;
        } else {
            assert!(
                on_record.contains(answer["decision_id"].as_str().unwrap()),
                "{line}"
            );
            assert_eq!(withheld, 0, "an answer follows one that was withheld");
            recorded += 1;
        }
    }
    assert_eq!(recorded, on_record.len());
    assert!(recorded > 100 && withheld > 0 && recorded + withheld < 20_000);
}

#[test]
fn a_reader_that_waits_holds_back_the_input() {
    let world = ready();
    let mut child = world
        .silent("app", &["eval", "--format=jsonl", "--jobs=4"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let written = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&written);
    let block = requests(1_000).join("\n") + "\n";
    let blocks = 80;
    let length = block.len() as u64;
    let writer = std::thread::spawn(move || {
        for _ in 0..blocks {
            stdin.write_all(block.as_bytes()).unwrap();
            count.fetch_add(length, Ordering::Relaxed);
        }
    });
    // Nothing is read, so after a while nothing more is taken. A block is more than a pipe holds: the first one shows that it runs.
    let started = Instant::now();
    let mut last = (written.load(Ordering::Relaxed), Instant::now());
    let is_moving =
        |(taken, since): (u64, Instant)| taken == 0 || since.elapsed() < Duration::from_secs(3);
    while is_moving(last) && started.elapsed() < Duration::from_secs(120) {
        std::thread::sleep(Duration::from_millis(50));
        let now = written.load(Ordering::Relaxed);
        if now != last.0 {
            last = (now, Instant::now());
        }
    }
    assert!(last.0 < blocks * length / 2, "{} bytes were taken", last.0);
    let mut answers = String::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_string(&mut answers)
        .unwrap();
    writer.join().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(1));
    assert_eq!(answers.lines().count(), 80_000);
}

#[test]
fn memory_has_a_ceiling_whatever_the_requests_are() {
    let world = ready();
    let large = |number: usize| {
        let text = format!("{number:08}").repeat(8_000);
        let request = request("read_x");
        let open = request.strip_suffix('}').unwrap();
        format!("{open},\"context\":{{\"text\":\"{text}\"}}}}")
    };
    let mut child = world
        .silent("app", &["eval", "--format=jsonl", "--jobs=4"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        for number in 0..2_000 {
            writeln!(stdin, "{}", large(number)).unwrap();
        }
        stdin
    });
    let mut answers =
        std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().unwrap()));
    for _ in 0..2_000 {
        let answer: Value = serde_json::from_str(&answers.next().unwrap().unwrap()).unwrap();
        assert_eq!(answer["outcome"], "allowed");
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    let peak = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    drop(writer.join().unwrap());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    // 128 MB went through it.
    assert!(peak < 80 << 10, "{peak} KiB");
}

#[test]
fn an_interrupted_stream_ends_at_once_and_leaves_a_whole_log() {
    let world = ready();
    let mut child = world
        .silent("app", &["eval", "--format=jsonl", "--jobs=4"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || {
        let block = requests(1_000).join("\n") + "\n";
        while stdin.write_all(block.as_bytes()).is_ok() {}
    });
    let mut answers = child.stdout.take().unwrap();
    let mut some = vec![0; 1 << 20];
    answers.read_exact(&mut some).unwrap();
    let reader = std::thread::spawn(move || std::io::copy(&mut answers, &mut std::io::sink()));
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    writer.join().unwrap();
    reader.join().unwrap().unwrap();
    // What was answered before is on record; what no checkpoint covered yet, the next run signs.
    world
        .env
        .ordain_in("app", ["eval", "read_x.json"])
        .success();
    world.env.ordain_in("app", ["log", "verify"]).success();
}
