//! What is run on hostile bytes: one function for each parser of what comes from outside.
//!
//! `cargo fuzz` and `tests/integration/fuzz_smoke.rs` run the same functions, so that a crash found by one is a test of the
//! other once its bytes are in `fuzz/corpus/<target>/`. Each panics when a property is broken, and says whether it took the
//! bytes for good. Beside "it does not panic" the properties are:
//!
//! - what was accepted is written and read again as the same thing;
//! - a message holds no control character, whatever the bytes hold.

use std::fmt::Display;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use ordain::bundle::{BundlePath, Limits, Manifest, Statement};
use ordain::digest::Sha256Digest;
use ordain::engine::impact::Names;
use ordain::engine::input::RequestReader;
use ordain::engine::request::{Request, RequestLimits};
use ordain::json;
use ordain::log::{Checkpoint, Logged, LoggedLines, VerifierKey};
use ordain::policy::{CommandPatterns, Facts, read_tests, validate};
use ordain::source::transfer::Transfer;
use ordain::trust::{
    AgentAnswer, AllowedSigners, Envelope, GitCommit, GitTag, PublicKey, RootDocument,
    SshSignature, read_allowed_signers,
};
use ordain::yaml;

#[path = "entry/compiled.rs"]
pub(crate) mod compiled;
#[path = "entry/signed.rs"]
pub(crate) mod signed;
#[path = "entry/stored.rs"]
pub(crate) mod stored;

/// A function that reads hostile bytes, and says whether it took them.
pub(crate) type Entry = fn(&[u8]) -> bool;

/// Every target by its name, which is that of its corpus.
pub(crate) const TARGETS: &[(&str, Entry)] = &[
    ("agent", agent),
    ("allowed_signers", allowed_signers),
    ("checkpoint", checkpoint),
    ("command", command),
    ("compiled", compiled::compiled),
    ("condition", condition),
    ("envelope", envelope),
    ("format", format_yaml),
    ("git_commit", git_commit),
    ("git_tag", git_tag),
    ("input", input),
    ("logged", logged),
    ("manifest", manifest),
    ("path", path),
    ("policy", policy),
    ("policy_test", policy_test),
    ("public_key", public_key),
    ("request", request),
    ("root", root),
    ("ssh_signature", ssh_signature),
    ("statement", statement),
    ("stored", stored::stored),
    ("transfer", transfer),
    ("verifier_key", verifier_key),
    ("yaml", yaml),
];

/// The value, if there is one; a message must be fit for a terminal.
fn accepted<T, E: Display>(result: Result<T, E>) -> Option<T> {
    result
        .map_err(|error| {
            let message = error.to_string();
            let control = message.chars().any(char::is_control);
            assert!(!control, "a message holds a control character: {message:?}");
        })
        .ok()
}

/// One request.
pub(crate) fn request(bytes: &[u8]) -> bool {
    let limits = RequestLimits::default();
    let Some(first) = accepted(Request::from_json(bytes, &limits)) else {
        return false;
    };
    json::parse(bytes, limits.bytes).expect("a request is strict JSON, whichever way it was read");
    let preimage = first
        .fingerprint_preimage()
        .expect("the canonical form is JSON");
    assert_eq!(first.fingerprint(), Sha256Digest::of(&preimage));
    let canonical = json::canonical(first.attributes()).expect("the canonical form is JSON");
    let second = Request::from_json(&canonical, &limits).expect("the canonical form is a request");
    assert_eq!(first.attributes(), second.attributes());
    assert_eq!(first.fingerprint(), second.fingerprint());
    true
}

/// Lines of a log: it ends, and no more is found than there are lines. Accepted when every line is a record.
pub(crate) fn logged(bytes: &[u8]) -> bool {
    let lines = bytes.split(|byte| *byte == b'\n').count();
    let found: Vec<Logged> = LoggedLines::new(bytes)
        .map(|line| line.expect("memory can be read"))
        .collect();
    assert!(
        found.len() <= lines,
        "{} records in {lines} lines",
        found.len()
    );
    for request in found.iter().filter_map(|found| match found {
        Logged::Decision(decision) => decision.request.clone(),
        Logged::Other | Logged::Unreadable => None,
    }) {
        let (subject, resource) = (request.subject, request.resource);
        let names = Names::new(
            (subject.kind, subject.id),
            request.action,
            (resource.kind, resource.id),
        );
        assert_eq!(names.told().len(), 5);
    }
    !found.is_empty() && !found.contains(&Logged::Unreadable)
}

/// A stream of requests: it ends, and every item is numbered. Accepted when nothing in it is cut off or broken.
pub(crate) fn input(bytes: &[u8]) -> bool {
    let limits = RequestLimits { bytes: 4096 };
    let mut good = true;
    let mut items = 0;
    for item in RequestReader::new(bytes, &limits) {
        items += 1;
        assert!(items <= bytes.len() + 1, "more items than bytes");
        if let Some(raw) = accepted(item) {
            assert!(raw.bytes.len() <= limits.bytes);
        } else {
            good = false;
        }
    }
    good
}

/// A bundle's manifest.
pub(crate) fn manifest(bytes: &[u8]) -> bool {
    accepted(Manifest::parse(bytes, Limits::default().yaml_bytes)).is_some()
}

/// A signature envelope.
pub(crate) fn envelope(bytes: &[u8]) -> bool {
    let limits = Limits::default();
    let Some(first) = accepted(Envelope::parse(bytes, &limits)) else {
        return false;
    };
    let second = Envelope::parse(first.to_json().as_bytes(), &limits);
    assert_eq!(second.as_ref(), Ok(&first));
    true
}

/// A commit: what its signature is over is a commit without one.
pub(crate) fn git_commit(bytes: &[u8]) -> bool {
    let Some(commit) = accepted(GitCommit::parse(bytes)) else {
        return false;
    };
    if let Some((payload, signature)) = commit.signed() {
        assert!(payload.len() + signature.len() < bytes.len());
        let rest = GitCommit::parse(payload).expect("a payload is a commit");
        assert!(rest.signed().is_none(), "a signature is left");
    }
    true
}

/// An annotated tag: its signature is its end.
pub(crate) fn git_tag(bytes: &[u8]) -> bool {
    let Some(tag) = accepted(GitTag::parse(bytes)) else {
        return false;
    };
    if let Some((payload, signature)) = tag.signed() {
        assert_eq!([payload, signature].concat(), bytes);
        let rest = GitTag::parse(payload).expect("a payload is a tag");
        assert!(rest.signed().is_none(), "a signature is left");
    }
    true
}

/// What a bundle's envelope signs.
pub(crate) fn statement(bytes: &[u8]) -> bool {
    let Some(first) = accepted(Statement::parse(bytes)) else {
        return false;
    };
    let payload = first.to_payload().expect("what was read can be written");
    assert_eq!(Statement::parse(&payload).as_ref(), Ok(&first));
    true
}

/// What a trust root's envelope signs.
pub(crate) fn root(bytes: &[u8]) -> bool {
    let Some(first) = accepted(RootDocument::parse(bytes)) else {
        return false;
    };
    let payload = first.to_payload().expect("what was read can be written");
    let second = RootDocument::parse(&payload).expect("what was written can be read");
    assert_eq!(second, first);
    true
}

/// A YAML document of any kind.
pub(crate) fn yaml(bytes: &[u8]) -> bool {
    accepted(yaml::read("fuzz.yaml", bytes, 1 << 16)).is_some()
}

/// A document that is formatted: what comes of it says the same, and comes to rest.
pub(crate) fn format_yaml(bytes: &[u8]) -> bool {
    let limit = 1 << 16;
    let Some(once) = accepted(yaml::format("fuzz.yaml", bytes, limit)) else {
        return false;
    };
    let read = |bytes: &[u8]| {
        yaml::read("fuzz.yaml", bytes, limit)
            .expect("a document")
            .value
    };
    assert_eq!(read(bytes), read(once.as_bytes()));
    let again = yaml::format("fuzz.yaml", once.as_bytes(), limit).expect("a formatted document");
    assert_eq!(again, once);
    true
}

/// The name of a file in a Git tree.
pub(crate) fn path(bytes: &[u8]) -> bool {
    let Some(path) = accepted(BundlePath::from_bytes(bytes)) else {
        return false;
    };
    assert_eq!(path.as_str().as_bytes(), bytes);
    assert!(!path.as_str().starts_with('/'));
    assert!(!path.as_str().split('/').any(|part| part == ".."));
    true
}

/// A public key, in OpenSSH's form or PEM.
pub(crate) fn public_key(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Some(key) = accepted(text.parse::<PublicKey>()) else {
        return false;
    };
    assert_eq!(key.to_openssh().parse::<PublicKey>().as_ref(), Ok(&key));
    true
}

/// What ssh-agent answers: a list of keys, or a signature.
pub(crate) fn agent(bytes: &[u8]) -> bool {
    let answer = AgentAnswer::new(bytes);
    let identities = accepted(answer.identities());
    for identity in identities.iter().flatten() {
        if let Some(key) = accepted(identity.key.clone()) {
            assert_eq!(key.id(), identity.id);
        }
    }
    let signature = accepted(answer.signature());
    assert!(identities.is_none() || signature.is_none(), "both at once");
    identities.is_some() || signature.is_some()
}

/// An armored SSH signature.
pub(crate) fn ssh_signature(bytes: &[u8]) -> bool {
    let Some(first) = accepted(SshSignature::parse(bytes)) else {
        return false;
    };
    let second = SshSignature::parse(first.to_armored().as_bytes());
    assert_eq!(second.as_ref(), Ok(&first));
    accepted(first.verify(first.namespace(), b"message"));
    true
}

/// An OpenSSH allowed_signers file. Accepted when somebody is taken from it; whoever is can be written and read again.
pub(crate) fn allowed_signers(bytes: &[u8]) -> bool {
    let now = "2026-11-22T12:00:00Z".parse().expect("a time");
    let Some(found) = accepted(read_allowed_signers(bytes, now)) else {
        return false;
    };
    let mut text = String::new();
    for signer in &found.taken {
        text.push_str(&format!(
            "{} {}\n",
            signer.principal,
            signer.key.to_openssh()
        ));
    }
    let again = read_allowed_signers(text.as_bytes(), now).expect("what was read can be written");
    let people = |signers: &AllowedSigners| -> Vec<_> {
        let taken = signers.taken.iter();
        taken
            .map(|s| (s.principal.clone(), s.key.clone()))
            .collect()
    };
    assert_eq!(people(&again), people(&found));
    for skipped in found.skipped {
        accepted::<(), _>(Err(skipped.reason));
    }
    !found.taken.is_empty()
}

/// A file that carries roots and bundles to a machine without a network.
pub(crate) fn transfer(bytes: &[u8]) -> bool {
    let limits = Limits {
        files: 64,
        total_bytes: 1 << 16,
        ..Limits::default()
    };
    let length = u64::try_from(bytes.len()).expect("a length");
    let Some(found) = accepted(Transfer::read(
        &mut &*bytes,
        length,
        Path::new("fuzz"),
        &limits,
        |_| true,
    )) else {
        return false;
    };
    let files = found.bundles.iter().flat_map(|b| b.bundle.files.values());
    let carried = files.map(|file| file.len()).sum::<usize>();
    let roots = found.roots.iter().map(Vec::len).sum::<usize>();
    assert!(carried + roots <= bytes.len(), "more than there is");
    true
}

/// The `when` of a rule, held against a request.
pub(crate) fn condition(bytes: &[u8]) -> bool {
    const REQUEST: &[u8] = br#"{"subject":{"type":"user","id":"alice","properties":{"groups":["a","b"]}},
        "action":{"name":"read_x"},"resource":{"type":"r","id":"y/z"},
        "context":{"n":2,"r":0.5,"t":"pq","b":[],"m":{"k":[1,{"x":null}]},"ip":"10.0.0.1","v":"1.2.3"}}"#;
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let policy = serde_json::json!({
        "apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme",
        "rules": [{"id": "r", "effect": "deny", "reason": "x", "match": {}, "when": text}],
    });
    let files = [
        ("policies/fuzz.yaml", policy.to_string()),
        ("data/a.json", r#"{"b": [1, "alice"]}"#.to_owned()),
        ("data/d/e.yaml", "3".to_owned()),
    ]
    .map(|(name, text)| (name.parse().expect("a path"), Arc::from(text.as_bytes())));
    match validate(&files.into(), None, &ordain::bundle::Limits::default()) {
        Ok(layers) => {
            let request =
                Request::from_json(REQUEST, &RequestLimits::default()).expect("a request");
            let now = "2026-01-01T00:00:00Z".parse().expect("a time");
            let judge = || {
                let facts = Facts::new(request.attributes(), now);
                let rules = layers.iter().flat_map(|layer| &layer.rules);
                rules.map(|rule| rule.matches(&facts)).collect::<Vec<_>>()
            };
            assert_eq!(judge(), judge(), "two answers to one request");
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in problems {
                let place = problem.location.as_ref().expect("a place");
                assert!(place.line == 1 && place.column <= 2_000_000, "{place}");
                accepted::<(), _>(Err(problem));
            }
            false
        }
    }
}

/// One scope's policy, and its rules held against a request.
pub(crate) fn policy(bytes: &[u8]) -> bool {
    const REQUEST: &[u8] = br#"{"subject":{"type":"user","id":"alice","properties":{"groups":["a",1,null,{}]}},
        "action":{"name":"read_x","properties":{"operation":"go","args":{"command":"curl x | sh","argv":["a",1]}}},"resource":{"type":"r","id":"y/z"},"context":{"n":2,"a":"pq","b":[]}}"#;
    let name: BundlePath = "policies/fuzz.yaml".parse().expect("a path");
    let file: Arc<[u8]> = bytes.into();
    match validate(
        &[(name, file)].into(),
        None,
        &ordain::bundle::Limits::default(),
    ) {
        Ok(layers) => {
            let request =
                Request::from_json(REQUEST, &RequestLimits::default()).expect("a request");
            for rule in layers.iter().flat_map(|layer| &layer.rules) {
                let facts = Facts::new(
                    request.attributes(),
                    "2026-01-01T00:00:00Z".parse().expect("a time"),
                );
                let _ = rule.matches(&facts);
            }
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in problems {
                accepted::<(), _>(Err(problem));
            }
            false
        }
    }
}

/// A file of policy tests.
pub(crate) fn policy_test(bytes: &[u8]) -> bool {
    let name: BundlePath = "tests/fuzz.yaml".parse().expect("a path");
    let file: Arc<[u8]> = bytes.into();
    match read_tests(&[(name, file)].into(), &ordain::bundle::Limits::default()) {
        Ok(tests) => {
            let mut cases = tests.iter().flat_map(|test| &test.cases);
            assert!(cases.all(|case| !case.expected.is_empty()));
            true
        }
        Err(problems) => {
            assert!(!problems.is_empty(), "refused without a reason");
            for problem in problems {
                accepted::<(), _>(Err(problem));
            }
            false
        }
    }
}

/// Shell text against patterns of dangerous commands. Accepted when it can be read to its end; whatever stands behind a
/// dangerous command does not hide it.
pub(crate) fn command(bytes: &[u8]) -> bool {
    const PATTERNS: &[u8] = b"patterns:
- {id: rm, reason: x, command: {program: rm, flags_all: [recursive, force]}}
- {id: disk, reason: x, command: {program: dd, args_any: 'of=/dev/*'}}
- {id: pipe, reason: x, command: {program: curl, pipes_into: '*sh'}}
- {id: any, reason: x, command: {flags_any: [--force], writes_to: '/dev/sd?'}}
";
    static READ: OnceLock<CommandPatterns> = OnceLock::new();
    let patterns =
        READ.get_or_init(|| CommandPatterns::parse("fuzz.yaml", PATTERNS).expect("patterns"));
    let text = String::from_utf8_lossy(bytes);
    let found = patterns.try_text(&text);
    let words: Vec<&str> = text.split('\n').collect();
    let split = patterns.try_words(&words);
    let after = patterns.try_text(&format!("rm -rf /\n{text}"));
    assert!(after.is_dangerous(), "{text:?} hides what runs before it");
    for reason in [&found, &split]
        .into_iter()
        .filter_map(|found| found.unreadable.as_ref())
    {
        accepted::<(), _>(Err(reason));
    }
    found.unreadable.is_none()
}

/// A log's checkpoint: a signed note, of which nothing is trusted.
pub(crate) fn checkpoint(bytes: &[u8]) -> bool {
    let Some(checkpoint) = accepted(Checkpoint::parse_unverified(bytes)) else {
        return false;
    };
    let key: VerifierKey = VERIFIER_KEY.parse().expect("a key");
    accepted(Checkpoint::verify(bytes, &[key]));
    let lines = checkpoint.to_string();
    assert!(bytes.starts_with(lines.as_bytes()), "it says {lines:?}");
    true
}

/// The line that names a log's key.
pub(crate) fn verifier_key(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return false;
    };
    let Some(key) = accepted(text.parse::<VerifierKey>()) else {
        return false;
    };
    assert_eq!(key.to_string(), text);
    true
}

const VERIFIER_KEY: &str = "acme.example/log+8edf4dc5+AaAD8EYUQ/8ZyGr32j95iVlQCAPYdsjhyLVn8soIyF+g";
