//! One defect a test: what was done to a log, and what `verify` and `open` say to it.

use std::fs;
use std::path::Path;

use ordain::digest::Sha256Digest;
use ordain::log::{
    Damage, KeyName, LineDefect, Log, LogError, NoteError, Options, Problem, RecordError, Recovery,
    Report, Signer, SyncMode, Trust, verify_directory,
};
use ordain::trust::SecretKey;
use serde_json::json;
use tempfile::TempDir;

use super::log::{now, signer};

/// Entries of [`sample`]: the record of creation, two full tiles and some.
const ENTRIES: u64 = 601;

fn options() -> Options {
    Options {
        sync: SyncMode::None,
        ..Options::default()
    }
}

fn open(directory: &Path) -> Result<Log, LogError> {
    Log::open(directory, signer(), options(), now())
}

fn append(log: &mut Log, count: u64) {
    let bodies = (0..count).map(|n| json!({"kind": "decision", "n": n, "outcome": "denied"}));
    log.append_batch(bodies, now()).unwrap();
}

fn sample() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    let mut log = open(directory.path()).unwrap();
    append(&mut log, ENTRIES - 1);
    log.finish(now()).unwrap();
    directory
}

fn report(directory: &TempDir) -> Report {
    let keys = [signer().verifier().clone()];
    verify_directory(directory.path(), Trust::Keys(&keys)).unwrap()
}

/// What `verify` must find. `open` hashes the last tile only, and notices what happened before it by its length at most.
#[track_caller]
fn assert_found(directory: &TempDir, expected: &Problem) {
    assert_eq!(report(directory).problem.as_ref(), Some(expected));
}

/// `verify` and `open` must find the same problem.
#[track_caller]
fn assert_refused(directory: &TempDir, expected: &Problem) {
    assert_found(directory, expected);
    let before = fs::read(directory.path().join("decisions.jsonl"));
    match open(directory.path()) {
        Err(LogError::Tampered { problem, .. }) => assert_eq!(&problem, expected),
        other => panic!("{other:?}"),
    }
    let after = fs::read(directory.path().join("decisions.jsonl"));
    assert_eq!(before.ok(), after.ok(), "evidence must stay as it is");
}

fn edit_lines(directory: &TempDir, edit: impl FnOnce(&mut Vec<String>)) {
    let path = directory.path().join("decisions.jsonl");
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(|line| format!("{line}\n")).collect();
    edit(&mut lines);
    fs::write(&path, lines.concat()).unwrap();
}

fn edit_file(directory: &TempDir, name: &str, edit: impl FnOnce(&mut Vec<u8>)) {
    let path = directory.path().join(name);
    let mut bytes = fs::read(&path).unwrap();
    edit(&mut bytes);
    fs::write(&path, bytes).unwrap();
}

fn offset(directory: &TempDir, line: u64) -> u64 {
    let text = fs::read_to_string(directory.path().join("decisions.jsonl")).unwrap();
    let lines = text.split_inclusive('\n');
    lines
        .take(usize::try_from(line - 1).unwrap())
        .map(|line| line.len() as u64)
        .sum()
}

fn bad_line(directory: &TempDir, line: u64, defect: LineDefect) -> Problem {
    let offset = offset(directory, line);
    Problem::Line {
        line,
        offset,
        defect,
    }
}

#[test]
fn a_good_log_is_good() {
    let directory = sample();
    let found = report(&directory);
    assert_eq!(
        (found.problem, found.damaged, found.torn),
        (None, vec![], None)
    );
    assert_eq!(
        (found.lines, found.signed, found.unsigned),
        (ENTRIES, ENTRIES, 0)
    );
    assert_eq!(
        found.signers,
        ["acme.example/ci".parse::<KeyName>().unwrap()]
    );
    let log = open(directory.path()).unwrap();
    assert_eq!(log.recovery(), &Recovery::default());
    assert_eq!(log.finish(now()).unwrap(), Recovery::default());
}

#[test]
fn an_edited_line_is_named() {
    for line in [1, 100, 256, 257, 512, 513, 590, 601] {
        let directory = sample();
        edit_lines(&directory, |lines| {
            let place = usize::try_from(line - 1).unwrap();
            lines[place] = lines[place]
                .replace("denied", "permit")
                .replace("created", "CREATED");
        });
        let expected = bad_line(&directory, line, LineDefect::Changed);
        if line > 512 {
            assert_refused(&directory, &expected);
        } else {
            assert_found(&directory, &expected);
            // The writer goes on from the root that was signed, so that the edit shows for ever.
            let mut log = open(directory.path()).unwrap();
            append(&mut log, 1);
            log.finish(now()).unwrap();
            assert_found(&directory, &expected);
        }
    }
}

#[test]
fn a_line_that_is_no_record_is_named() {
    let directory = sample();
    edit_lines(&directory, |lines| {
        lines[299] = lines[299].replace("denied\"", "denied");
    });
    let Some(Problem::Line { line, defect, .. }) = report(&directory).problem else {
        panic!("{:?}", report(&directory));
    };
    assert_eq!(line, 300);
    assert!(matches!(defect, LineDefect::NotARecord(_)));
    let directory = sample();
    edit_lines(&directory, |lines| {
        lines[299] = format!("{}\n", "x".repeat(70_000));
    });
    let expected = bad_line(&directory, 300, LineDefect::TooLong);
    assert_refused(&directory, &expected);
}

#[test]
fn deleted_moved_and_inserted_lines_are_named() {
    type Edit = fn(&mut Vec<String>);
    let cases: [(Edit, u64, u64); 4] = [
        (|lines| drop(lines.remove(49)), 50, 50),
        (|lines| lines.swap(9, 10), 10, 10),
        (|lines| lines.insert(20, lines[19].clone()), 21, 19),
        (|lines| lines.insert(600, lines[599].clone()), 601, 599),
    ];
    for (edit, line, found) in cases {
        let directory = sample();
        edit_lines(&directory, edit);
        let expected = line - 1;
        let expected = bad_line(&directory, line, LineDefect::Sequence { expected, found });
        assert_found(&directory, &expected);
    }
}

#[test]
fn a_deleted_line_with_the_rest_renumbered_is_named() {
    let directory = sample();
    edit_lines(&directory, |lines| {
        lines.remove(49);
        for (seq, line) in lines.iter_mut().enumerate().skip(49) {
            let old = format!("\"seq\":{},", seq + 1);
            *line = line.replace(&old, &format!("\"seq\":{seq},"));
        }
    });
    let expected = bad_line(&directory, 50, LineDefect::Changed);
    assert_refused(&directory, &expected);
}

#[test]
fn fewer_lines_than_were_signed_are_tampering() {
    for left in [0, 1, 256, 500, 600] {
        let directory = sample();
        edit_lines(&directory, |lines| lines.truncate(left));
        let (lines, signed) = (left as u64, ENTRIES);
        assert_refused(&directory, &Problem::Truncated { lines, signed });
    }
    let directory = sample();
    fs::remove_file(directory.path().join("decisions.jsonl")).unwrap();
    let (lines, signed) = (0, ENTRIES);
    assert_refused(&directory, &Problem::Truncated { lines, signed });
}

#[test]
fn a_signed_line_that_is_cut_short_is_tampering() {
    let directory = sample();
    edit_file(&directory, "decisions.jsonl", |bytes| {
        bytes.truncate(bytes.len() - 10)
    });
    let expected = bad_line(&directory, ENTRIES, LineDefect::Torn);
    assert_refused(&directory, &expected);
}

#[test]
fn an_open_log_notices_that_its_file_shrank() {
    let directory = sample();
    let mut log = open(directory.path()).unwrap();
    edit_lines(&directory, |lines| lines.truncate(600));
    let refused = log.append_batch([json!({})], now());
    let (lines, signed) = (600, ENTRIES);
    assert!(
        matches!(&refused, Err(LogError::Tampered { problem, .. }) if *problem == Problem::Truncated { lines, signed })
    );
}

#[test]
fn a_torn_line_after_the_checkpoint_is_cut_and_kept() {
    let directory = sample();
    let torn = b"{\"v\":1,\"seq\":601,\"sa";
    let before = fs::metadata(directory.path().join("decisions.jsonl"))
        .unwrap()
        .len();
    edit_file(&directory, "decisions.jsonl", |bytes| bytes.extend(torn));
    let found = report(&directory);
    assert_eq!((found.problem, found.lines), (None, ENTRIES));
    let found = found.torn.unwrap();
    assert_eq!((found.line, found.offset, found.bytes), (602, before, 20));
    let mut log = open(directory.path()).unwrap();
    let cut = log.recovery().cuts[0].clone();
    assert_eq!((cut.offset, cut.bytes), (before, 20));
    assert_eq!(fs::read(&cut.saved).unwrap(), torn);
    append(&mut log, 3);
    log.finish(now()).unwrap();
    let found = report(&directory);
    assert_eq!(
        (found.problem, found.torn, found.signed),
        (None, None, ENTRIES + 3)
    );
}

#[test]
fn lines_after_the_checkpoint_are_kept_and_signed_next() {
    let directory = sample();
    let mut log = open(directory.path()).unwrap();
    append(&mut log, 3);
    drop(log);
    let found = report(&directory);
    assert_eq!(
        (found.problem, found.signed, found.unsigned),
        (None, ENTRIES, 3)
    );
    let log = open(directory.path()).unwrap();
    assert_eq!((log.recovery().unsigned, log.size()), (3, ENTRIES + 3));
    log.finish(now()).unwrap();
    assert_eq!(report(&directory).unsigned, 0);
}

#[test]
fn a_checkpoint_of_another_log_does_not_fit() {
    let (directory, other) = (sample(), sample());
    let checkpoint = other.path().join("checkpoint");
    fs::copy(checkpoint, directory.path().join("checkpoint")).unwrap();
    let (signed, suspect) = (ENTRIES, None);
    assert_refused(&directory, &Problem::Root { signed, suspect });
}

#[test]
fn a_checkpoint_by_another_key_is_refused() {
    let directory = sample();
    let mallory = Signer::new(
        "acme.example/ci".parse().unwrap(),
        SecretKey::from_seed(&[66; 32]),
    );
    let refused = Log::open(directory.path(), mallory.clone(), options(), now());
    let signers = "acme.example/ci".to_owned();
    let untrusted = Problem::Checkpoint(NoteError::Untrusted { signers });
    assert!(matches!(&refused, Err(LogError::Tampered { problem, .. }) if *problem == untrusted));
    // With the earlier key accepted, a new key can take over.
    let earlier_keys = vec![signer().verifier().clone()];
    let options = Options {
        earlier_keys,
        ..options()
    };
    let mut log = Log::open(directory.path(), mallory, options, now()).unwrap();
    append(&mut log, 1);
    log.finish(now()).unwrap();
    assert_refused(&directory, &untrusted);
    let structure = verify_directory(directory.path(), Trust::Structure).unwrap();
    assert_eq!((structure.problem, structure.signers), (None, vec![]));
}

#[test]
fn an_edited_checkpoint_is_refused() {
    let directory = sample();
    edit_file(&directory, "checkpoint", |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        *bytes = text.replace("\n601\n", "\n600\n").into_bytes();
    });
    let name = "acme.example/ci".to_owned();
    assert_refused(
        &directory,
        &Problem::Checkpoint(NoteError::BadSignature { name }),
    );
    fs::write(directory.path().join("checkpoint"), "").unwrap();
    assert!(matches!(
        report(&directory).problem,
        Some(Problem::Checkpoint(NoteError::Malformed(_)))
    ));
}

#[test]
fn a_deleted_checkpoint_is_tampering() {
    let directory = sample();
    fs::remove_file(directory.path().join("checkpoint")).unwrap();
    assert_refused(&directory, &Problem::CheckpointMissing);
    // Without the records, what is left of the index still tells that there was a log.
    fs::remove_file(directory.path().join("decisions.jsonl")).unwrap();
    assert!(matches!(
        open(directory.path()),
        Err(LogError::Tampered {
            problem: Problem::CheckpointMissing,
            ..
        })
    ));
}

#[test]
fn an_edited_or_missing_frontier_is_built_again() {
    type Edit = fn(&Path);
    let edits: [Edit; 4] = [
        |path| fs::remove_file(path).unwrap(),
        |path| fs::write(path, "{}").unwrap(),
        |path| {
            let text = fs::read_to_string(path).unwrap();
            fs::write(path, text.replace("\"bytes\":", "\"bytes\":1")).unwrap();
        },
        |path| {
            let text = fs::read_to_string(path).unwrap();
            let (before, after) = text.split_once("\"nodes\":\"").unwrap();
            let other = if after.starts_with('A') { 'B' } else { 'A' };
            let text = format!("{before}\"nodes\":\"{other}{}", &after[1..]);
            fs::write(path, text).unwrap();
        },
    ];
    for edit in edits {
        let directory = sample();
        edit(&directory.path().join("frontier"));
        let found = report(&directory);
        assert_eq!(
            (found.problem, found.damaged),
            (None, vec![Damage::Frontier])
        );
        let mut log = open(directory.path()).unwrap();
        assert!(log.recovery().rebuilt);
        append(&mut log, 200);
        log.finish(now()).unwrap();
        assert_eq!(report(&directory).damaged, []);
        assert!(!open(directory.path()).unwrap().recovery().rebuilt);
    }
}

#[test]
fn an_edited_tile_is_told_from_an_edited_line() {
    let directory = sample();
    edit_file(&directory, "tile/0/000", |bytes| bytes[40] ^= 1);
    let found = report(&directory);
    assert_eq!(
        (found.problem, found.damaged),
        (None, vec![Damage::Tile(0)])
    );
    // An editor who also repairs the tile cannot repair the root.
    let directory = sample();
    edit_lines(&directory, |lines| {
        lines[0] = lines[0].replace("created", "CREATED")
    });
    let path = directory.path().join("decisions.jsonl");
    let text = fs::read_to_string(path).unwrap();
    let leaf = ordain::log::tree::leaf_hash(text.lines().next().unwrap().as_bytes());
    edit_file(&directory, "tile/0/000", |bytes| {
        bytes[..32].copy_from_slice(leaf.as_bytes())
    });
    let (signed, suspect) = (ENTRIES, None);
    assert_found(&directory, &Problem::Root { signed, suspect });
}

#[test]
fn a_record_that_does_not_fit_is_refused_with_its_batch() {
    let directory = sample();
    let mut log = open(directory.path()).unwrap();
    let long = json!({"arguments": "x".repeat(70_000)});
    let refused = log.append_batch([json!({}), long], now());
    let Err(LogError::Record {
        position: 1,
        source: RecordError::TooLarge { .. },
    }) = refused
    else {
        panic!("{refused:?}");
    };
    let refused = log.append_batch([json!({"seq": 1})], now());
    let Err(LogError::Record {
        position: 0,
        source: RecordError::Reserved,
    }) = refused
    else {
        panic!("{refused:?}");
    };
    assert_eq!(log.size(), ENTRIES);
    append(&mut log, 1);
    log.finish(now()).unwrap();
    assert_eq!(report(&directory).signed, ENTRIES + 1);
}

#[test]
fn without_random_bytes_nothing_is_recorded() {
    let directory = sample();
    let options = Options {
        salts: |_| Err(std::io::Error::other("none")),
        ..options()
    };
    let mut log = Log::open(directory.path(), signer(), options, now()).unwrap();
    assert!(matches!(
        log.append_batch([json!({})], now()),
        Err(LogError::Random(_))
    ));
    log.finish(now()).unwrap();
    assert_eq!(report(&directory).lines, ENTRIES);
}

#[test]
fn foreign_implementations_read_the_log() {
    let directory = sample();
    let vkey = signer().verifier().to_string();
    let verifier = signed_note::StandardVerifier::new(&vkey).unwrap();
    let note = fs::read(directory.path().join("checkpoint")).unwrap();
    let note = signed_note::Note::from_bytes(&note).unwrap();
    let keys = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    assert_eq!(note.verify(&keys).unwrap().0.len(), 1);
    let checkpoint = tlog_tiles::checkpoint::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!(checkpoint.size(), ENTRIES);

    use tlog_tiles::tlog;
    struct Stored(Vec<tlog::Hash>);
    impl tlog::HashReader for Stored {
        fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
            let at = |&index| self.0[usize::try_from(index).unwrap()];
            Ok(indexes.iter().map(at).collect())
        }
    }
    let text = fs::read_to_string(directory.path().join("decisions.jsonl")).unwrap();
    let mut stored = Stored(Vec::new());
    for (seq, line) in text.lines().enumerate() {
        let hashes = tlog::stored_hashes(seq as u64, line.as_bytes(), &stored).unwrap();
        stored.0.extend(hashes);
    }
    assert_eq!(
        &tlog::tree_hash(ENTRIES, &stored).unwrap(),
        checkpoint.hash()
    );
    for index in 0..2 {
        let tile = tlog_tiles::tile::Tile::new(8, 0, index, 256, false);
        let theirs = tile.read_data(&stored).unwrap();
        let ours = fs::read(directory.path().join(ordain::log::tree::tile_path(index))).unwrap();
        assert_eq!(Sha256Digest::of(&ours), Sha256Digest::of(&theirs));
    }
}

#[cfg(unix)]
#[test]
fn only_the_owner_reads_a_log() {
    use std::os::unix::fs::PermissionsExt as _;
    let parent = tempfile::tempdir().unwrap();
    let directory = parent.path().join("log");
    open(&directory).unwrap().finish(now()).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(
            mode(&path),
            if path.is_dir() { 0o700 } else { 0o600 },
            "{path:?}"
        );
    }
}
