//! The decision log under fire: killed writers, many writers, a full disk.
//!
//! The writers are this same test binary, started again on [`child_appends`] alone.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use ordain::log::{
    FirstCheckpoint, Log, LogError, Options, Signer, SyncMode, Trust, verify_directory,
};
use ordain::trust::SecretKey;
use serde_json::{Value, json};

pub(crate) fn signer() -> Signer {
    Signer::new(
        "acme.example/ci".parse().unwrap(),
        SecretKey::from_seed(&[42; 32]),
    )
}

pub(crate) fn now() -> Timestamp {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// What a child was asked to do: directory, run, batches, largest batch, from the environment.
#[test]
#[ignore = "a helper process of the tests below"]
fn child_appends() {
    let Ok(task) = std::env::var("ORDAIN_TEST_LOG_CHILD") else {
        return;
    };
    let mut task = task.splitn(4, ':');
    let mut number = || task.next().unwrap().parse::<u64>().unwrap();
    let (run, batches, largest) = (number(), number(), number());
    let directory = task.next().unwrap();
    let mut now = now();
    let first = [FirstCheckpoint::AtOnce, FirstCheckpoint::Due][usize::from(run % 2 == 0)];
    let options = Options {
        first,
        ..Options::default()
    };
    let mut log = Log::open(Path::new(directory), signer(), options, now).unwrap();
    let mut out = std::io::stdout();
    for batch in 0..batches {
        let records = (0..=batch % largest).map(
            |n| json!({"kind": "test", "run": run, "batch": batch, "n": n, "pad": "x".repeat(200)}),
        );
        now += SignedDuration::from_millis(400);
        match log.append_batch(records, now) {
            Ok(appended) => {
                for (n, seq) in appended.enumerate() {
                    writeln!(out, "ack {seq} {run} {batch} {n}").unwrap();
                }
            }
            Err(LogError::Io { .. }) => {
                writeln!(out, "refused").unwrap();
                break;
            }
            Err(error) => panic!("{error}"),
        }
        out.flush().unwrap();
    }
    // A killed child, and one whose disk is full, never get here or may fail here.
    if log.finish(now).is_ok() {
        writeln!(out, "finished").unwrap();
    }
}

/// Whoever has one batch finds it signed, and has no more to do at the end.
#[test]
fn a_first_batch_is_signed_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let open = || {
        let first = FirstCheckpoint::AtOnce;
        let options = Options {
            first,
            ..Options::default()
        };
        Log::open(&path, signer(), options, now()).unwrap()
    };
    let records = |count: u64| (0..count).map(|n| json!({"kind": "test", "n": n}));
    let checkpoint = || std::fs::read(path.join("checkpoint")).unwrap();
    let verified = |size| {
        let keys = [signer().verifier().clone()];
        let report = verify_directory(&path, Trust::Keys(&keys)).unwrap();
        assert_eq!((report.problem, report.lines), (None, size));
    };
    let mut log = open();
    log.append_batch(records(3), now()).unwrap();
    assert_eq!((log.signed(), log.size()), (4, 4));
    verified(4);
    log.append_batch(records(2), now()).unwrap();
    assert_eq!((log.signed(), log.size()), (4, 6), "only the first");
    log.finish(now()).unwrap();

    // A tile precedes the checkpoint that covers it, so that one waits for its turn.
    let mut log = open();
    log.append_batch(records(300), now()).unwrap();
    assert_eq!((log.signed(), log.size()), (6, 306));
    log.finish(now()).unwrap();
    verified(306);

    // What stands in the way of the checkpoint does not take the records back; the next batch is refused.
    let before = checkpoint();
    std::fs::create_dir(path.join("checkpoint.tmp")).unwrap();
    let mut log = open();
    assert_eq!(log.append_batch(records(1), now()).unwrap(), 306..307);
    assert_eq!((log.signed(), log.size()), (306, 307));
    let refused = log.append_batch(records(1), now()).unwrap_err();
    assert!(matches!(refused, LogError::Io { .. }), "{refused}");
    assert_eq!(checkpoint(), before);
    std::fs::remove_dir(path.join("checkpoint.tmp")).unwrap();
    log.append_batch(records(1), now()).unwrap();
    assert_eq!((log.signed(), log.size()), (307, 308));
    log.finish(now()).unwrap();
    verified(308);

    // Of a writer that was stopped before its records were on the disk: a signature over what never was.
    std::fs::write(path.join("checkpoint.tmp"), checkpoint()).unwrap();
    drop(open());
    assert!(!path.join("checkpoint.tmp").exists());
    verified(308);
}

/// Tiles and a checkpoint reach the disk beside their batch: what fails of them takes no record back, and nothing is signed that
/// they do not precede.
#[test]
fn tiles_and_checkpoint_reach_the_disk_beside_a_batch() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let tiles = path.join("tile/0");
    let records = |count: u64| (0..count).map(|n| json!({"kind": "test", "n": n}));
    let names = |directory: &Path| -> Vec<String> {
        let entries = directory.read_dir().unwrap();
        let mut names: Vec<String> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    let verified = |size| {
        let keys = [signer().verifier().clone()];
        let report = verify_directory(&path, Trust::Keys(&keys)).unwrap();
        assert_eq!((report.problem, report.damaged), (None, Vec::new()));
        assert_eq!((report.lines, report.unsigned), (size, 0));
    };
    for sync in [SyncMode::Group, SyncMode::Always, SyncMode::None] {
        let options = Options {
            sync,
            ..Options::default()
        };
        let mut log = Log::open(&path, signer(), options, now()).unwrap();
        let before = log.size();
        let appended = log.append_batch(records(5_000), now()).unwrap();
        assert_eq!(appended, before..before + 5_000);
        assert_eq!(log.signed(), log.size(), "{sync:?}");
        verified(before + 5_000);
        assert_eq!(names(&path).len(), 5, "{:?}", names(&path));
        let full = usize::try_from((before + 5_000) / 256).unwrap();
        assert_eq!(names(&tiles).len(), full, "{:?}", names(&tiles));
        drop(log);
    }

    let mut log = Log::open(&path, signer(), Options::default(), now()).unwrap();
    let (before, checkpoint) = (log.size(), std::fs::read(path.join("checkpoint")).unwrap());
    let next = before / 256;
    std::fs::create_dir(tiles.join(format!("{next:03}.tmp"))).unwrap();
    let appended = log.append_batch(records(5_000), now()).unwrap();
    assert_eq!(appended, before..before + 5_000);
    assert_eq!(
        log.signed(),
        before,
        "the tile that is missing precedes the checkpoint"
    );
    let refused = log.append_batch(records(1), now()).unwrap_err();
    assert!(matches!(refused, LogError::Io { .. }), "{refused}");
    assert_eq!(std::fs::read(path.join("checkpoint")).unwrap(), checkpoint);
    std::fs::remove_dir(tiles.join(format!("{next:03}.tmp"))).unwrap();
    log.append_batch(records(1), now()).unwrap();
    log.finish(now()).unwrap();
    verified(before + 5_001);
    assert_eq!(names(&path).len(), 5, "{:?}", names(&path));
    let full = usize::try_from((before + 5_001) / 256).unwrap();
    assert_eq!(names(&tiles).len(), full);
}

/// Saving it with every checkpoint would make a file more for each: an older one costs whoever opens the log some hashing.
#[test]
fn the_frontier_is_saved_now_and_then_and_at_the_end() {
    const BATCH: u64 = 4_096;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("log");
    let open = || {
        let sync = SyncMode::None;
        let options = Options {
            sync,
            ..Options::default()
        };
        Log::open(&path, signer(), options, now()).unwrap()
    };
    let batch = || (0..BATCH).map(|n| json!({"kind": "test", "n": n}));
    let saved = || -> Value {
        let bytes = std::fs::read(path.join("frontier")).unwrap();
        serde_json::from_slice::<Value>(&bytes).unwrap()["size"].clone()
    };
    let is_sound = |signed: u64| {
        let keys = [signer().verifier().clone()];
        let report = verify_directory(&path, Trust::Keys(&keys)).unwrap();
        assert_eq!((report.problem, report.damaged), (None, Vec::new()));
        assert_eq!(report.checkpoint.map(|c| c.size), Some(signed));
    };
    let mut log = open();
    for full in 1..=10 {
        log.append_batch(batch(), now()).unwrap();
        assert_eq!(saved(), if full < 8 { 0 } else { 8 * BATCH }, "{full}");
        is_sound(full * BATCH + 1);
    }
    // Of a process that is killed the next one goes on from there.
    drop(log);
    let mut log = open();
    assert!(!log.recovery().rebuilt);
    assert_eq!(log.size(), 10 * BATCH + 1);
    log.append_batch(batch(), now()).unwrap();
    assert_eq!(saved(), 11 * BATCH, "the first of a process");
    log.append_batch(batch(), now()).unwrap();
    assert_eq!(saved(), 11 * BATCH);
    log.finish(now()).unwrap();
    assert_eq!(saved(), 12 * BATCH);
    is_sound(12 * BATCH + 1);
}

fn arguments() -> [&'static str; 4] {
    ["log::child_appends", "--exact", "--ignored", "--nocapture"]
}

fn spawn(directory: &Path, run: u64, batches: u64, largest: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments());
    start(&mut command, directory, run, batches, largest)
}

fn start(command: &mut Command, directory: &Path, run: u64, batches: u64, largest: u64) -> Child {
    let task = format!("{run}:{batches}:{largest}:{}", directory.display());
    command
        .env("ORDAIN_TEST_LOG_CHILD", task)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// What a child said until it ended.
#[derive(Default)]
struct Said {
    /// Sequence number to (run, batch, n).
    acknowledged: BTreeMap<u64, [u64; 3]>,
    refused: bool,
    finished: bool,
}

fn listen(child: &mut Child) -> std::thread::JoinHandle<Said> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    std::thread::spawn(move || {
        let mut said = Said::default();
        for line in lines.map_while(Result::ok) {
            let words: Vec<&str> = line.split(' ').collect();
            match words.as_slice() {
                ["ack", numbers @ ..] => {
                    let numbers: Vec<u64> = numbers.iter().map(|n| n.parse().unwrap()).collect();
                    let [seq, id @ ..] = numbers.as_slice() else {
                        panic!("{line}");
                    };
                    let id = id.try_into().unwrap();
                    assert_eq!(said.acknowledged.insert(seq.to_owned(), id), None);
                }
                ["refused"] => said.refused = true,
                ["finished"] => said.finished = true,
                _ => {}
            }
        }
        said
    })
}

/// Every record by its sequence number, which must be its line.
fn records(directory: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(directory.join("decisions.jsonl")).unwrap();
    let records: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (line, record) in records.iter().enumerate() {
        assert_eq!(record["seq"], line);
    }
    records
}

fn assert_whole(directory: &Path, acknowledged: &BTreeMap<u64, [u64; 3]>) -> usize {
    let keys = [signer().verifier().clone()];
    let report = verify_directory(directory, Trust::Keys(&keys)).unwrap();
    assert_eq!((&report.problem, &report.damaged), (&None, &vec![]));
    assert_eq!((report.unsigned, report.torn), (0, None));
    let records = records(directory);
    assert_eq!(report.lines, records.len() as u64);
    for (seq, id) in acknowledged {
        let record = &records[usize::try_from(*seq).unwrap()];
        let found = [&record["run"], &record["batch"], &record["n"]];
        assert_eq!(found, id.map(|n| json!(n)).each_ref(), "record {seq}");
    }
    records.len()
}

#[test]
fn a_killed_writer_loses_nothing_that_it_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("log");
    let mut acknowledged = BTreeMap::new();
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for run in 0..200 {
        let mut child = spawn(&directory, run, u64::MAX, 7);
        let listener = listen(&mut child);
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        std::thread::sleep(Duration::from_micros((random >> 33) % 80_000));
        child.kill().unwrap();
        child.wait().unwrap();
        for (seq, id) in listener.join().unwrap().acknowledged {
            assert_eq!(acknowledged.insert(seq, id), None, "{seq} was given twice");
        }
        if run % 50 == 49 {
            // What nobody repaired yet may have unsigned or unfinished lines, and nothing worse.
            let keys = [signer().verifier().clone()];
            let report = verify_directory(&directory, Trust::Keys(&keys)).unwrap();
            assert_eq!(report.problem, None, "after run {run}");
        }
    }
    let log = Log::open(&directory, signer(), Options::default(), now()).unwrap();
    log.finish(now()).unwrap();
    let records = assert_whole(&directory, &acknowledged);
    assert!(
        acknowledged.len() > 200,
        "only {} were written",
        acknowledged.len()
    );
    assert!(records > acknowledged.len());
}

#[test]
fn four_writers_share_a_log() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("log");
    let mut children: Vec<Child> = (0..4).map(|run| spawn(&directory, run, 134, 2)).collect();
    let mut acknowledged = BTreeMap::new();
    let listeners: Vec<_> = children.iter_mut().map(listen).collect();
    for (mut child, listener) in children.into_iter().zip(listeners) {
        assert!(child.wait().unwrap().success());
        let said = listener.join().unwrap();
        assert!(said.finished);
        for (seq, id) in said.acknowledged {
            assert_eq!(acknowledged.insert(seq, id), None, "{seq} was given twice");
        }
    }
    assert_eq!(acknowledged.len(), 4 * 201);
    // And the record of the log's creation.
    assert_eq!(assert_whole(&directory, &acknowledged), 4 * 201 + 1);
}

/// A limit on the size of files stands in for a full disk: the write that meets it is cut short, the next one fails.
#[cfg(unix)]
#[test]
fn a_write_that_fails_appends_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path().join("log");
    let mut command = Command::new("sh");
    command
        .args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .args(arguments());
    let mut child = start(&mut command, &directory, 1, u64::MAX, 5);
    let said = listen(&mut child).join().unwrap();
    child.wait().unwrap();
    assert!(said.refused);
    let log = Log::open(&directory, signer(), Options::default(), now()).unwrap();
    let recovery = log.finish(now()).unwrap();
    assert_eq!(recovery.cuts, []);
    let records = assert_whole(&directory, &said.acknowledged);
    assert_eq!(records, said.acknowledged.len() + 1);
}

#[test]
fn writers_in_one_process_see_each_other() {
    let directory = tempfile::tempdir().unwrap();
    let options = || Options {
        sync: SyncMode::None,
        ..Options::default()
    };
    let open = || Log::open(directory.path(), signer(), options(), now()).unwrap();
    let (mut one, mut two) = (open(), open());
    assert!(one.recovery().created && !two.recovery().created);
    for round in 0..300 {
        let body = || [json!({"round": round})];
        assert_eq!(
            one.append_batch(body(), now()).unwrap(),
            round * 2 + 1..round * 2 + 2
        );
        assert_eq!(
            two.append_batch(body(), now()).unwrap(),
            round * 2 + 2..round * 2 + 3
        );
    }
    one.finish(now()).unwrap();
    two.finish(now()).unwrap();
    assert_eq!(assert_whole(directory.path(), &BTreeMap::new()), 601);
}

#[test]
fn where_there_is_no_log_it_is_said_so() {
    let env = crate::support::TestEnv::new();
    for arguments in [
        &["log", "verify", "nowhere"][..],
        &["log", "verify", "nowhere", "--structure"],
    ] {
        let output = env.ordain(arguments);
        assert_eq!(output.status, Some(3), "{output}");
        assert!(
            output
                .stderr
                .contains("error[E-LOG-015]: there is no log in"),
            "{output}"
        );
        assert!(
            output.stderr.contains("the first `ordain eval` makes it"),
            "{output}"
        );
    }
    // What is left of a log is not nothing.
    env.write("left/frontier", "{}");
    let output = env.ordain(["log", "verify", "left", "--structure"]);
    assert!(output.stderr.contains("E-LOG-005"), "{output}");
}
