//! Policies that were kept compiled.
//!
//! All of such a file stands behind digests, which a fuzzer cannot forge; but whoever writes the state directory as well as the cache
//! can. So an input is what is behind them, and the file is made of it here:
//!
//! ```text
//! head, one line of JSON LF  body
//! ```

use std::io::Cursor;
use std::sync::OnceLock;

use ordain::digest::Sha256Digest;
use ordain::engine::request::{Request, RequestLimits};
use ordain::engine::{Compiled, Decision, Engine, Occasion};
use ordain::trust::VerifiedBundle;
use serde_json::Value;

use super::signed::verified;

/// The bytes of a part, and of a group of digests.
const PIECE: usize = 1 << 10;

/// Requests that a policy is asked about: of few and many leaves, of values of every type, of lists with many items.
const REQUESTS: [&str; 4] = [
    r#"{"subject":{"type":"user","id":"alice"},"action":{"name":"deploy"},"resource":{"type":"server","id":"web-1"}}"#,
    r#"{"subject":{"type":"user","id":"bob","properties":{"team":"payments","groups":["a","b","c",1]}},
        "action":{"name":"restart"},"resource":{"type":"server","id":"db-2"},
        "context":{"replicas":3,"zone":"eu-west","ip":"10.0.0.1","list":[["x"],null]}}"#,
    r#"{"subject":{"type":"user","id":"carol","properties":{"team":["payments"],"groups":"a"}},
        "action":{"name":"deploy"},"resource":{"type":"server","id":"web-frontend"},
        "context":{"replicas":"3","zone":7,"environment":{"of":"production"}}}"#,
    r#"{"subject":{"type":"user","id":"dave","properties":{"groups":
        ["g0","g1","g2","g3","g4","g5","g6","g7","g8","g9","g10","g11","g12","g13","g14","g15","a"]}},
        "action":{"name":"stop"},"resource":{"type":"x","id":"re"},"context":{"environment":"production","list":[]}}"#,
];

/// When policies were compiled, and are asked.
pub(crate) const NOW: &str = "2026-11-22T12:00:00Z";

pub(crate) fn requests() -> impl Iterator<Item = Request> {
    let limits = RequestLimits::default();
    REQUESTS
        .iter()
        .map(move |text| Request::from_json(text.as_bytes(), &limits).expect("a request"))
}

/// The bundle that a policy is restored for: `acme`.
pub(crate) fn bundle() -> &'static VerifiedBundle {
    static BUNDLE: OnceLock<VerifiedBundle> = OnceLock::new();
    BUNDLE.get_or_init(|| verified(&[]))
}

/// The digests of all pieces, one after the other.
fn digests_of(bytes: &[u8]) -> Vec<u8> {
    let digests = bytes.chunks(PIECE).map(Sha256Digest::of);
    digests.flat_map(|digest| *digest.as_bytes()).collect()
}

/// The file of a head and a body, and the digest that opens it.
fn file(head: &[u8], body: &[u8]) -> (Vec<u8>, Sha256Digest) {
    let digests = digests_of(body);
    let groups = digests_of(&digests);
    let lengths = [head, &groups].map(|part| (part.len() as u64).to_be_bytes());
    let mut file = [&lengths.concat(), head, &groups].concat();
    let digest = Sha256Digest::of(&file);
    file.extend(digests);
    file.extend(body);
    (file, digest)
}

/// The input of which the same file is made.
pub(crate) fn input(file: &[u8]) -> Vec<u8> {
    let (lengths, rest) = file.split_at(16);
    let length = |at: usize| {
        let bytes = lengths[at..at + 8].try_into().expect("eight bytes");
        usize::try_from(u64::from_be_bytes(bytes)).expect("a length")
    };
    let (head, groups) = (length(0), length(8));
    let digests = groups / 32;
    // Every part has a digest, and every full group as many as fill a piece.
    let behind = &rest[head + groups..];
    let body = (0..=behind.len())
        .rev()
        .find(|bytes| behind.len() == bytes + bytes.div_ceil(PIECE) * 32)
        .expect("a body");
    assert_eq!(body.div_ceil(PIECE).div_ceil(PIECE / 32), digests);
    [&rest[..head], b"\n", &behind[behind.len() - body..]].concat()
}

/// The policy of an input.
pub(crate) fn open(bytes: &[u8]) -> Option<Compiled<Cursor<Vec<u8>>>> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (file, digest) = file(&bytes[..end], &bytes[end + 1..]);
    Compiled::open(Cursor::new(file), digest)
}

/// What an engine makes of a request.
pub(crate) fn decided(engine: &Engine, request: &Request) -> Value {
    let verdict = engine.evaluate(request, NOW.parse().expect("a time"));
    let occasion = Occasion::rehearsal(request, NOW.parse().expect("a time"));
    let decision = Decision::new(engine, verdict, occasion);
    serde_json::to_value(&decision).expect("a decision is JSON")
}

/// A kept policy: it opens or it does not, and where it decides, it decides the same whatever it decided before. Accepted when it
/// decides all requests, one by one and as a whole.
pub(crate) fn compiled(bytes: &[u8]) -> bool {
    let now = NOW.parse().expect("a time");
    let Some(mut kept) = open(bytes) else {
        return false;
    };
    let mut good = kept.holds(now) && kept.outline(&[bundle()]).is_some();
    for request in requests() {
        let decide = |kept: &mut Compiled<_>| {
            let engine = kept.engine(&request, now, &[bundle()]);
            engine.map(|engine| decided(&engine, &request))
        };
        let decision = decide(&mut kept);
        let mut fresh = open(bytes).expect("what opened once opens again");
        assert_eq!(decide(&mut fresh), decision);
        let none: [&VerifiedBundle; 0] = [];
        assert!(
            fresh.engine(&request, now, &none).is_none(),
            "nobody's policy decides"
        );
        good &= decision.is_some();
    }
    let mut fresh = open(bytes).expect("what opened once opens again");
    let none: [&VerifiedBundle; 0] = [];
    assert!(fresh.whole(&none).is_none(), "nobody's policy decides");
    let whole = fresh.whole(&[bundle()]);
    for request in requests() {
        if let Some(engine) = &whole {
            let decision = decided(engine, &request);
            assert_eq!(decided(engine, &request), decision);
        }
    }
    good && whole.is_some()
}
