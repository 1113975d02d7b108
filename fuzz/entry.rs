//! What is run on hostile bytes: one function for each parser of what comes from outside.
//!
//! `cargo fuzz` and `tests/integration/fuzz_smoke.rs` run the same functions, so that a crash found by one is a test of the
//! other once its bytes are in `fuzz/corpus/<target>/`. Each panics when a property is broken, and says whether it took the
//! bytes for good. Beside "it does not panic" the properties are:
//!
//! - what was accepted is written and read again as the same thing;
//! - a message holds no control character, whatever the bytes hold.

use std::fmt::Display;
use std::sync::Arc;

use ordain::bundle::{BundlePath, Limits, Manifest, Statement};
use ordain::engine::input::RequestReader;
use ordain::engine::request::{Request, RequestLimits};
use ordain::json;
use ordain::log::{Checkpoint, VerifierKey};
use ordain::policy::validate;
use ordain::trust::{AgentAnswer, Envelope, PublicKey, RootDocument, SshSignature};
use ordain::yaml;

/// A function that reads hostile bytes, and says whether it took them.
pub(crate) type Entry = fn(&[u8]) -> bool;

/// Every target by its name, which is that of its corpus.
pub(crate) const TARGETS: &[(&str, Entry)] = &[
    ("agent", agent),
    ("checkpoint", checkpoint),
    ("envelope", envelope),
    ("input", input),
    ("manifest", manifest),
    ("path", path),
    ("policy", policy),
    ("public_key", public_key),
    ("request", request),
    ("root", root),
    ("ssh_signature", ssh_signature),
    ("statement", statement),
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
    let canonical = json::canonical(first.attributes()).expect("the canonical form is JSON");
    let second = Request::from_json(&canonical, &limits).expect("the canonical form is a request");
    assert_eq!(first.attributes(), second.attributes());
    assert_eq!(first.fingerprint(), second.fingerprint());
    true
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

/// One scope's policy, and its rules held against a request.
pub(crate) fn policy(bytes: &[u8]) -> bool {
    const REQUEST: &[u8] = br#"{"subject":{"type":"user","id":"alice","properties":{"groups":["a",1,null,{}]}},
        "action":{"name":"read_x"},"resource":{"type":"r","id":"y/z"},"context":{"n":2,"a":"pq","b":[]}}"#;
    let name: BundlePath = "policies/fuzz.yaml".parse().expect("a path");
    let file: Arc<[u8]> = bytes.into();
    match validate(&[(name, file)].into(), None) {
        Ok(layers) => {
            let request =
                Request::from_json(REQUEST, &RequestLimits::default()).expect("a request");
            for rule in layers.iter().flat_map(|layer| &layer.rules) {
                let _ = rule.matcher.matches(request.attributes());
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
