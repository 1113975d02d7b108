//! Appending decisions beside a raw buffered write of the same lines.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::time::{Duration, Instant};

use ordain::log::{Log, Options, Signer, SyncMode};
use ordain::trust::SecretKey;

use super::fixture::DISK;
use super::interleaved;

/// Records of one batch, as `ordain eval` groups them.
const BATCH: usize = 1_024;
/// Batches of one measurement: tiles and checkpoints get their share.
const BATCHES: usize = 16;

/// A record of the size that decisions have.
#[derive(serde::Serialize)]
struct Record {
    kind: &'static str,
    decision_id: String,
    time: &'static str,
    scope: &'static str,
    effect: &'static str,
    outcome: &'static str,
    rule: &'static str,
    reason: &'static str,
    reason_code: &'static str,
    request_fingerprint: String,
    policy_digest: String,
    matched: [&'static str; 2],
}

fn record(number: usize) -> Record {
    Record {
        kind: "decision",
        decision_id: format!("0198f0a0-0000-7000-8000-{number:012}"),
        time: "2026-12-01T00:00:00Z",
        scope: "acme/platform/payments",
        effect: "deny",
        outcome: "denied",
        rule: "acme/platform#prod-stack-frozen",
        reason: "Production stacks change only through the release pipeline",
        reason_code: "PROD_STACK_FROZEN",
        request_fingerprint: format!("sha256:{number:064x}"),
        policy_digest: format!("sha256:{number:064x}"),
        matched: [
            "acme/platform#prod-stack-frozen",
            "acme/platform/payments#team-applies-its-stacks",
        ],
    }
}

/// Whether a raw write is flushed to the disk after each batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Raw {
    Synced,
    Unsynced,
}

pub(crate) fn append(rounds: usize) {
    let records: Vec<Record> = (0..BATCH).map(record).collect();
    let pairs = [
        (
            "append, group commit / raw write",
            SyncMode::Group,
            Raw::Unsynced,
        ),
        (
            "append, group commit / raw write, fdatasync",
            SyncMode::Group,
            Raw::Synced,
        ),
        ("append, no sync / raw write", SyncMode::None, Raw::Unsynced),
    ];
    for (label, sync, raw) in pairs {
        let timing = interleaved(rounds, || ours(&records, sync), || theirs(&records, raw));
        timing.print(label, None);
    }
}

fn ours(records: &[Record], sync: SyncMode) -> Duration {
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    let directory = tempfile::tempdir_in(DISK).unwrap();
    let signer = Signer::new("bench".parse().unwrap(), SecretKey::from_seed(&[3; 32]));
    let options = Options {
        sync,
        ..Options::default()
    };
    let mut log = Log::open(&directory.path().join("log"), signer, options, now).unwrap();
    let started = Instant::now();
    for _ in 0..BATCHES {
        log.append_batch(records, now).unwrap();
    }
    started.elapsed()
}

fn theirs(records: &[Record], raw: Raw) -> Duration {
    let directory = tempfile::tempdir_in(DISK).unwrap();
    let mut file = BufWriter::new(File::create_new(directory.path().join("log")).unwrap());
    let started = Instant::now();
    for _ in 0..BATCHES {
        for record in records {
            serde_json::to_writer(&mut file, record).unwrap();
            file.write_all(b"\n").unwrap();
        }
        file.flush().unwrap();
        if raw == Raw::Synced {
            file.get_ref().sync_data().unwrap();
        }
    }
    started.elapsed()
}
