use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use uuid::Uuid;

use super::super::super::options::{FirstCheckpoint, Options};
use super::super::super::verify::{Trust, verify_directory};
use super::*;
use crate::digest::Sha256Digest;
use crate::engine::{Cause, Decision, Freshness, Occasion, Record};
use crate::log::Signer;
use crate::policy::Mode;
use crate::trust::SecretKey;

const SALT: [u8; 16] = [7; 16];

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn sevens(bytes: &mut [u8]) -> io::Result<()> {
    bytes.fill(7);
    Ok(())
}

fn open(directory: &std::path::Path, sync: SyncMode) -> Log {
    let key = SecretKey::from_seed(&[1; 32]);
    let signer = Signer::new("acme.example/test".parse().unwrap(), key);
    let options = Options {
        sync,
        salts: sevens,
        ..Options::default()
    };
    Log::open(directory, signer, options, now()).unwrap()
}

/// `count` decisions of different lengths, for the numbers from `expected` on.
fn decisions(count: usize, expected: Option<u64>) -> Prepared {
    let mut prepared = Prepared::default();
    fill(&mut prepared, count, expected);
    prepared
}

fn fill(prepared: &mut Prepared, count: usize, expected: Option<u64>) {
    if let Some(first) = expected {
        prepared.expect(first);
    }
    for number in 0..count {
        let occasion = Occasion {
            decision_id: Uuid::nil(),
            time: now(),
            request_fingerprint: Sha256Digest::of(&[]),
            freshness: Freshness::Fresh,
            duration_ns: 0,
        };
        let (scope, cause) = ("acme".parse().unwrap(), Cause::PolicyInvalid);
        let reason = "x".repeat(number % 90);
        let decision = Decision::fail_closed(&scope, Mode::Enforce, cause, &reason, occasion);
        let salt = prepared.is_expected().then_some(&SALT);
        let record = Record::new(&decision, None);
        let members = prepared.push_decision(&record, salt).unwrap();
        assert!(members.starts_with(b"\"decision_id\""));
    }
}

#[test]
fn who_guesses_the_numbers_writes_the_same_log() {
    // Tiles are filled in the middle of what is prepared together, and the numbers get longer.
    let counts = [3, 300, 1, 800];
    let mut logs = Vec::new();
    for guess in [None, Some(0), Some(5)] {
        for sync in [SyncMode::Group, SyncMode::Always, SyncMode::None] {
            let directory = tempfile::tempdir().unwrap();
            let mut log = open(directory.path(), sync);
            let (mut first, mut batch) = (log.size(), Vec::new());
            for count in counts {
                let expected = guess.map(|wrong| first + wrong);
                let prepared = decisions(count, expected);
                let is_told = prepared.lines_from(first).is_some();
                assert_eq!(is_told, guess == Some(0));
                batch.push(prepared);
                first += count as u64;
            }
            log.append_prepared(&batch[..2], now()).unwrap();
            let appended = log.append_prepared(&batch[2..], now()).unwrap();
            assert_eq!(appended, first - 801..first);
            log.finish(now()).unwrap();
            let report = verify_directory(directory.path(), Trust::Structure).unwrap();
            assert_eq!((report.problem, report.lines), (None, first));
            let read = |name| fs::read(directory.path().join(name)).unwrap();
            logs.push(["decisions.jsonl", "checkpoint", "tile/0/003"].map(read));
        }
    }
    assert!(logs.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn a_guess_is_of_all_records_or_of_none() {
    let mut prepared = decisions(2, Some(9));
    assert!(prepared.lines_from(9).is_some());
    assert!(prepared.lines_from(10).is_none());
    prepared
        .push(&serde_json::json!({"kind": "other"}))
        .unwrap();
    assert!(prepared.lines_from(9).is_none());
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path(), SyncMode::Group);
    log.append_prepared([&prepared], now()).unwrap();
    log.finish(now()).unwrap();
    let report = verify_directory(directory.path(), Trust::Structure).unwrap();
    assert_eq!((report.problem, report.lines), (None, 4));
    prepared.clear();
    assert!(!prepared.is_expected());
    fill(&mut prepared, 3, Some(4));
    assert!(prepared.lines_from(4).is_some(), "it is as if it were new");
}

/// Lines that were written beforehand would reach the file together.
#[test]
fn each_record_reaches_the_disk_by_itself_where_that_is_asked_for() {
    for (sync, lines) in [(SyncMode::Always, 1), (SyncMode::Group, 3)] {
        let directory = tempfile::tempdir().unwrap();
        let mut log = open(directory.path(), sync);
        let prepared = decisions(3, Some(log.size()));
        // A pipe takes the lines, and cannot be synced.
        let (mut reader, writer) = io::pipe().unwrap();
        log.records = File::from(OwnedFd::from(writer));
        let add = |log: &Log, batch: &mut Batch| log.add_prepared(batch, &prepared);
        let refused = log.write_batch(add, (FirstCheckpoint::Due, now()));
        let refused = refused.unwrap_err();
        assert!(
            matches!(refused, LogError::Io { action: "sync", .. }),
            "{refused}"
        );
        drop(log);
        let mut written = String::new();
        reader.read_to_string(&mut written).unwrap();
        assert_eq!(written.lines().count(), lines, "{sync:?}");
    }
}
