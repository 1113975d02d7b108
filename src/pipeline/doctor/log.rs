//! The decision log: its last checkpoint, its lines, and whether it can be written.

use std::fs;
use std::io;
use std::path::Path;

use super::machine::is_shared;
use super::{Finding, Id};
use crate::config::Config;
use crate::diag::Code;
use crate::log::{Checkpoint, Glance, KeyName, MAX_NOTE, Trust, VerifierKey, glance};
use crate::trust::{PrivateKeyError, SecretKey};

/// Where this machine keeps the key that signs its checkpoints.
const LOG_KEY_FILE: &str = "log.key";
/// Bytes of the largest key file read.
const MAX_KEY_BYTES: u64 = 16 << 10;

pub(super) fn findings(config: &Config, state: &Path) -> Vec<Finding> {
    let dir = &config.log.path;
    let subject = dir.display().to_string();
    let unreadable = |text: String, code: Code| {
        Finding::new(Id::LOG_UNREADABLE, &subject, text)
            .remedy("check the permissions of the log's directory and files")
            .code(code)
    };
    let mut findings = Vec::new();
    match keys(config, state) {
        Err(text) => findings.push(unreadable(text, Code::LOG_KEY)),
        Ok(keys) => {
            let trust = keys.as_deref().map_or(Trust::Structure, Trust::Keys);
            match glance(dir, trust) {
                Err(error) => findings.push(unreadable(error.to_string(), error.code())),
                Ok(None) => {
                    let text = "none yet; the first decision makes it";
                    findings.push(Finding::new(Id::LOG_MISSING, &subject, text));
                }
                Ok(Some(seen)) => findings.extend(seen_findings(&subject, &seen, keys.is_some())),
            }
        }
    }
    if let Err(error) = writable(dir) {
        findings.push(
            Finding::new(
                Id::LOG_UNWRITABLE,
                &subject,
                format!("cannot be written: {error}"),
            )
            .remedy("make the directory writable for whoever decides; until then `enforce` denies")
            .code(Code::LOG_WRITE),
        );
    }
    if is_shared(dir, 0o022) {
        findings.push(
            Finding::new(Id::LOG_SHARED, &subject, "others may write into it")
                .remedy("run `chmod go-w` on it, unless several users share one log on purpose"),
        );
    }
    findings
}

fn seen_findings(subject: &str, seen: &Glance, is_checked: bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !is_checked {
        findings.push(
            Finding::new(
                Id::LOG_KEY_MISSING,
                subject,
                "this machine has no key to check it with",
            )
            .remedy("give `ordain log verify --key` the verifier key of the machine that wrote it")
            .code(Code::LOG_KEY_MISSING),
        );
    }
    match (&seen.problem, &seen.checkpoint) {
        (Some(problem), _) => findings.push(
            Finding::new(Id::LOG_UNTRUSTED, subject, problem.to_string())
                .remedy("keep the directory as evidence, and run `ordain log verify`")
                .code(problem.code()),
        ),
        (None, Some(checkpoint)) => {
            let by: Vec<&str> = seen.signers.iter().map(KeyName::as_str).collect();
            let by = if by.is_empty() {
                "signature not checked".to_owned()
            } else {
                format!("signed by {}", by.join(", "))
            };
            let after = seen.lines - checkpoint.size.min(seen.lines);
            let text = format!(
                "{} records, checkpoint at {} {by}, {after} not signed yet",
                seen.lines, checkpoint.size
            );
            findings.push(Finding::new(Id::LOG, subject, text));
        }
        (None, None) => {}
    }
    if seen.torn > 0 {
        let text = format!("the last line is unfinished ({} bytes)", seen.torn);
        findings.push(
            Finding::new(Id::LOG_TORN, subject, text)
                .remedy("nothing, if a writer is at work; else the next one cuts it, and keeps its bytes")
                .code(Code::LOG_TORN),
        );
    }
    findings
}

/// The keys whose checkpoints count; none where this machine has none and the configuration names none.
fn keys(config: &Config, state: &Path) -> Result<Option<Vec<VerifierKey>>, String> {
    let mut keys = Vec::new();
    for text in &config.log.earlier_keys {
        let key = text.parse::<VerifierKey>();
        keys.push(key.map_err(|error| format!("`log.earlier_keys`: {error}"))?);
    }
    let path = state.join(LOG_KEY_FILE);
    let own = match read_small(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(format!("the log's key `{}`: {error}", super::shown(&path))),
        Ok(text) => {
            let parsed = SecretKey::parse(&text, || Err(PrivateKeyError::PassphraseNeeded));
            let key = parsed
                .map_err(|error| format!("the log's key `{}`: {error}", super::shown(&path)))?;
            Some(key.public())
        }
    };
    let checkpoint = fs::File::open(config.log.path.join("checkpoint"))
        .and_then(|file| read_some(file, MAX_NOTE as u64))
        .ok()
        .and_then(|text| Checkpoint::parse_unverified(text.as_bytes()).ok());
    let name = match (&config.log.origin, checkpoint) {
        (Some(name), _) => name.parse().ok(),
        // The name chooses no key: the signature under it is checked with this machine's.
        (None, Some(checkpoint)) => Some(checkpoint.origin),
        (None, None) => format!("ordain.local/{}", config.scope).parse().ok(),
    };
    if let (Some(name), Some(own)) = (name, own) {
        keys.push(VerifierKey::new(name, own));
    }
    Ok((!keys.is_empty()).then_some(keys))
}

fn read_small(path: &Path) -> io::Result<String> {
    read_some(fs::File::open(path)?, MAX_KEY_BYTES)
}

fn read_some(file: fs::File, limit: u64) -> io::Result<String> {
    use io::Read as _;
    let mut text = String::new();
    file.take(limit).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether a record could be appended: opened as a writer would, and nothing written.
fn writable(dir: &Path) -> io::Result<()> {
    let records = dir.join("decisions.jsonl");
    match fs::OpenOptions::new().append(true).open(records) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        done => return done.map(|_| ()),
    }
    let nearest = dir.ancestors().find(|dir| dir.symlink_metadata().is_ok());
    let meta = nearest.unwrap_or(dir).metadata()?;
    if !meta.is_dir() {
        return Err(io::ErrorKind::NotADirectory.into());
    }
    if meta.permissions().readonly() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(())
}
