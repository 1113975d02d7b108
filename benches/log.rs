//! Appending decisions in batches, beside a raw buffered write of the same lines.

use std::io::{BufWriter, Write as _};

use divan::Bencher;
use divan::counter::ItemsCount;
use ordain::log::{Log, Options, Signer, SyncMode};
use ordain::trust::SecretKey;
use serde_json::{Value, json};

use super::now;

/// The build directory: a temporary one may be in memory, where syncing is free.
const DISK: &str = env!("CARGO_TARGET_TMPDIR");
const BATCHES: [usize; 3] = [1, 64, 1_024];

/// A record of the size that decisions have.
fn records(count: usize) -> Vec<Value> {
    (0..count)
        .map(|number| {
            json!({
                "kind": "decision",
                "decision_id": format!("0198f0a0-0000-7000-8000-{number:012}"),
                "time": now(),
                "scope": "acme/platform/payments",
                "effect": "deny",
                "outcome": "denied",
                "rule": "acme/platform#prod-stack-frozen",
                "reason": "Production stacks change only through the release pipeline",
                "reason_code": "PROD_STACK_FROZEN",
                "request_fingerprint": format!("sha256:{number:064x}"),
                "policy_digest": format!("sha256:{number:064x}"),
                "matched": ["acme/platform#prod-stack-frozen", "acme/platform/payments#team-applies-its-stacks"],
            })
        })
        .collect()
}

fn append(bencher: Bencher<'_, '_>, batch: usize, sync: SyncMode) {
    let directory = tempfile::tempdir_in(DISK).unwrap();
    let signer = Signer::new("bench".parse().unwrap(), SecretKey::from_seed(&[3; 32]));
    let options = Options {
        sync,
        ..Options::default()
    };
    let mut log = Log::open(&directory.path().join("log"), signer, options, now()).unwrap();
    let records = records(batch);
    bencher
        .counter(ItemsCount::new(batch))
        .bench_local(|| log.append_batch(&records, now()).unwrap());
}

#[divan::bench(args = BATCHES)]
fn append_synced(bencher: Bencher<'_, '_>, batch: usize) {
    append(bencher, batch, SyncMode::Group);
}

#[divan::bench(args = BATCHES)]
fn append_unsynced(bencher: Bencher<'_, '_>, batch: usize) {
    append(bencher, batch, SyncMode::None);
}

#[divan::bench(args = BATCHES)]
fn raw_buffered_write(bencher: Bencher<'_, '_>, batch: usize) {
    let records = records(batch);
    let mut file = BufWriter::new(tempfile::tempfile_in(DISK).unwrap());
    bencher.counter(ItemsCount::new(batch)).bench_local(|| {
        for record in &records {
            serde_json::to_writer(&mut file, record).unwrap();
            file.write_all(b"\n").unwrap();
        }
        file.flush().unwrap();
    });
}
