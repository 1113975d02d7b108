use std::os::fd::OwnedFd;
use std::path::Path;
use std::{fs, io, thread};

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::super::super::options::{FirstCheckpoint, Options};
use super::super::super::record::write_line;
use super::super::super::verify::{Trust, verify_directory};
use super::*;
use crate::log::Signer;
use crate::trust::SecretKey;

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// After which a checkpoint is due.
fn later() -> Timestamp {
    now() + SignedDuration::from_secs(2)
}

/// A log whose next checkpoint is followed by the frontier, as that of a process that has signed nothing yet.
fn open(directory: &Path) -> Log {
    let key = SecretKey::from_seed(&[1; 32]);
    let signer = Signer::new("acme.example/test".parse().unwrap(), key);
    let mut log = Log::open(directory, signer, Options::default(), now()).unwrap();
    log.saved = None;
    log
}

fn records(count: u64) -> impl Iterator<Item = Value> {
    (0..count).map(|n| json!({"kind": "test", "n": n}))
}

/// Files below a directory that have no name of their own yet.
fn unnamed(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let path = entry.path();
        if path.is_dir() {
            found.extend(unnamed(&path));
        } else if path.extension().is_some_and(|extension| extension == "tmp") {
            found.push(entry.file_name().into_string().unwrap());
        }
    }
    found
}

/// Puts what no file can replace in the place of one.
fn occupy(path: &Path) {
    fs::remove_file(path).unwrap();
    fs::create_dir(path).unwrap();
    fs::write(path.join("in the way"), "").unwrap();
}

/// With 300 records there is a full tile besides, and with 3 there is none.
#[test]
fn nothing_is_left_of_what_was_prepared_beside_a_batch_that_is_not_kept() {
    for count in [3, 300] {
        let directory = tempfile::tempdir().unwrap();
        let mut log = open(directory.path());
        let before = fs::read(directory.path().join("checkpoint")).unwrap();
        // A pipe takes the lines, and cannot be synced.
        let (mut reader, writer) = io::pipe().unwrap();
        let drained = thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        log.records = File::from(OwnedFd::from(writer));
        let write =
            |buffer: &mut Vec<u8>, seq, salt: &_, record| write_line(buffer, seq, salt, &record);
        let add = |log: &Log, batch: &mut Batch| log.add(batch, records(count), write);
        let batch = (FirstCheckpoint::Due, later());
        let refused = log.write_batch(add, batch).unwrap_err();
        assert!(
            matches!(refused, LogError::Io { action: "sync", .. }),
            "{refused}"
        );
        assert_eq!(unnamed(directory.path()), [""; 0], "{count}");
        assert_eq!((log.size(), log.signed()), (1, 1));
        assert_eq!(
            fs::read(directory.path().join("checkpoint")).unwrap(),
            before
        );
        assert!(!directory.path().join("tile/0/000").exists());
        drop(log);
        assert!(drained.join().unwrap().unwrap() > 0);
    }
}

/// Once beside a batch, once after it.
#[test]
fn a_checkpoint_or_frontier_that_gets_no_name_is_removed_and_made_again() {
    for name in ["checkpoint", "frontier"] {
        for (count, first, time) in [
            (3, FirstCheckpoint::AtOnce, now()),
            (300, FirstCheckpoint::Due, later()),
        ] {
            let directory = tempfile::tempdir().unwrap();
            let mut log = open(directory.path());
            log.first = first;
            let path = directory.path().join(name);
            occupy(&path);
            let appended = log.append_batch(records(count), time).unwrap();
            assert_eq!(appended, 1..count + 1);
            assert_eq!(log.signed(), 1, "{name}");
            assert_eq!(unnamed(directory.path()), [""; 0], "{name}, {count}");
            // Until it can be signed, no more is taken.
            let refused = log.append_batch(records(1), time).unwrap_err();
            assert!(matches!(refused, LogError::Io { .. }), "{refused}");
            assert_eq!(unnamed(directory.path()), [""; 0], "{name}, {count}");
            assert_eq!(log.size(), count + 1);
            fs::remove_dir_all(&path).unwrap();
            log.append_batch(records(1), time).unwrap();
            log.finish(time).unwrap();
            assert_eq!(unnamed(directory.path()), [""; 0], "{name}, {count}");
            let report = verify_directory(directory.path(), Trust::Structure).unwrap();
            assert_eq!((report.problem, report.lines), (None, count + 2));
            assert_eq!(report.unsigned, 0);
        }
    }
}

/// A batch whose tile cannot be written is signed with that, once it can.
#[test]
fn a_checkpoint_that_a_tile_does_not_precede_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    let tiles = directory.path().join("tile/0");
    let before = fs::read(directory.path().join("checkpoint")).unwrap();
    fs::create_dir_all(tiles.join("000/in the way")).unwrap();
    log.append_batch(records(300), later()).unwrap();
    assert_eq!(log.signed(), 1);
    assert_eq!(
        fs::read(directory.path().join("checkpoint")).unwrap(),
        before
    );
    assert_eq!(unnamed(directory.path()), ["000.tmp"]);
    fs::remove_dir_all(tiles.join("000")).unwrap();
    log.append_batch(records(1), later()).unwrap();
    log.finish(later()).unwrap();
    assert_eq!(unnamed(directory.path()), [""; 0]);
    let report = verify_directory(directory.path(), Trust::Structure).unwrap();
    assert_eq!((report.problem, report.damaged), (None, Vec::new()));
    assert_eq!((report.lines, report.unsigned), (302, 0));
}

/// The newest checkpoint is as old as it is, whoever wrote it.
#[test]
fn a_checkpoint_beside_a_batch_is_the_newest() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path());
    log.first = FirstCheckpoint::AtOnce;
    for (milliseconds, signed) in [(900, 2), (1_500, 2), (1_900, 4)] {
        let time = now() + SignedDuration::from_millis(milliseconds);
        log.append_batch(records(1), time).unwrap();
        assert_eq!(log.signed(), signed, "{milliseconds}");
    }
}
