//! What DSSE publishes (github.com/secure-systems-lab/dsse): the rules of protocol.md and envelope.md, and the cases of its
//! `testvectors/vectors.json`, by their names. Its keys A and B are those of RFC 8032, section 7.1, tests 1 and 2.
//!
//! The cases go through `trust::verify` with a publisher who has the trusted keys and the threshold of the case. DSSE accepts
//! where the signatures are enough and the type is known; what is inside is the next layer's, so "accepted" means here that
//! the refusal, if there is one, is about the payload.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ordain::bundle::{FetchedBundle, Limits, Origin};
use ordain::trust::{
    Envelope, Expectation, Held, RootChain, STATEMENT_PAYLOAD_TYPE, SecretKey, TrustRoot,
    VerifyError, sign_root, verify,
};
use serde_json::{Value, json};

/// RFC 8032, section 7.1: seeds and public keys of tests 1 and 2.
const KEYS: [(&str, &str, &str); 2] = [
    (
        "A",
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    ),
    (
        "B",
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
    ),
];
const STATEMENT: &str = "eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEifQ==";
/// Their signatures over the statement.
const BY_A: &str =
    "2WAfaHm5jluo0w+0rk8uVkluELJYWjSmU9x7EUzx+AyteDGJ4/nqyJXfmAUVFIAoQafWm7AxBZNw5M9ixNHiCA==";
const BY_B: &str =
    "c1+67/aT0yqEpwx8PsVY3MLHsj9D0CZ014/Fv/QlG59P+9CobUZ7xECJ/V3USG0Ob9CiE5LjReEZUzNF2l7eBw==";

/// How far `trust::verify` comes.
#[derive(Debug, PartialEq, Eq)]
enum Reached {
    /// Too few signatures: DSSE rejects.
    Signatures,
    /// Enough of them, over a type that is not ours: DSSE rejects where the type is not supported.
    PayloadType,
    /// Enough of them, over a statement's type: DSSE accepts.
    Payload,
}

struct Case {
    id: &'static str,
    payload: &'static str,
    payload_type: &'static str,
    signatures: &'static [(Option<&'static str>, &'static str)],
    threshold: u32,
    /// The head of the PAE, before the payload.
    pae: &'static str,
    reached: Reached,
}

/// `testvectors/vectors.json`.
const CASES: &[Case] = &[
    Case {
        id: "single-signature",
        payload: STATEMENT,
        payload_type: STATEMENT_PAYLOAD_TYPE,
        signatures: &[(Some("A"), BY_A)],
        threshold: 1,
        pae: "DSSEv1 28 application/vnd.in-toto+json 43 ",
        reached: Reached::Payload,
    },
    Case {
        id: "url-safe-base64",
        payload: "-_-_Pj8=",
        payload_type: STATEMENT_PAYLOAD_TYPE,
        signatures: &[(
            Some("A"),
            "P-_KHICeR7tI6S_YyejJTRtrXhcQyQ2LYPaL8h90KjC9qN8HU_svOQ6TuDOT1HIrsGW886DbWNWcCmX5twLrAw==",
        )],
        threshold: 1,
        pae: "DSSEv1 28 application/vnd.in-toto+json 5 ",
        reached: Reached::Payload,
    },
    Case {
        id: "payload-type-swapped",
        payload: STATEMENT,
        payload_type: "application/vnd.example.other+json",
        signatures: &[(Some("A"), BY_A)],
        threshold: 1,
        pae: "DSSEv1 34 application/vnd.example.other+json 43 ",
        reached: Reached::Signatures,
    },
    Case {
        // LEN is of bytes: 29 of them, in 28 characters.
        id: "non-ascii-payload-type",
        payload: STATEMENT,
        payload_type: "application/vnd.exämple+json",
        signatures: &[(
            Some("A"),
            "xmSk/ug66ysT7ayhkCIjhAq42zgZXSsEWuzUaNL7w2eGAdF/NU6/fRXPtmfN+5DNSAs5/i2lUnHjbbjPsu0tAw==",
        )],
        threshold: 1,
        pae: "DSSEv1 29 application/vnd.exämple+json 43 ",
        reached: Reached::PayloadType,
    },
    Case {
        id: "empty-payload",
        payload: "",
        payload_type: STATEMENT_PAYLOAD_TYPE,
        signatures: &[(
            Some("A"),
            "gSggCAaTLTYyRH6FIDBem6meyIynsYy8RTHVzwx9tnTb7Bg/1jMWnuVgI/gffqmbsC2VX5/jHfkkDqsj7CDbDg==",
        )],
        threshold: 1,
        pae: "DSSEv1 28 application/vnd.in-toto+json 0 ",
        reached: Reached::Payload,
    },
    Case {
        id: "empty-payload-type",
        payload: STATEMENT,
        payload_type: "",
        signatures: &[(
            Some("A"),
            "iC3q/+3Rm0+lpAJRueDmDh15PnwCfxKmS0NAfKsbv+zgulXQC/WM9trc+j1XEqlwDIg/vf/uNfebeD6sxInrDg==",
        )],
        threshold: 1,
        pae: "DSSEv1 0  43 ",
        reached: Reached::PayloadType,
    },
    Case {
        id: "threshold-two-distinct-keys",
        payload: STATEMENT,
        payload_type: STATEMENT_PAYLOAD_TYPE,
        signatures: &[(Some("A"), BY_A), (Some("B"), BY_B)],
        threshold: 2,
        pae: "DSSEv1 28 application/vnd.in-toto+json 43 ",
        reached: Reached::Payload,
    },
    Case {
        id: "threshold-two-one-key-twice",
        payload: STATEMENT,
        payload_type: STATEMENT_PAYLOAD_TYPE,
        signatures: &[(Some("A"), BY_A), (Some("A"), BY_A)],
        threshold: 2,
        pae: "DSSEv1 28 application/vnd.in-toto+json 43 ",
        reached: Reached::Signatures,
    },
    Case {
        id: "threshold-two-without-keyids",
        payload: STATEMENT,
        payload_type: STATEMENT_PAYLOAD_TYPE,
        signatures: &[(None, BY_A), (None, BY_B)],
        threshold: 2,
        pae: "DSSEv1 28 application/vnd.in-toto+json 43 ",
        reached: Reached::Payload,
    },
];

fn seed(hex: &str) -> [u8; 32] {
    let bytes = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
    bytes.collect::<Vec<_>>().try_into().unwrap()
}

fn keys() -> Vec<SecretKey> {
    let key = |(_, secret, public): &(&str, &str, &str)| {
        let key = SecretKey::from_seed(&seed(secret));
        assert_eq!(key.public().as_bytes(), &seed(public));
        key
    };
    KEYS.iter().map(key).collect()
}

/// A trust root in which A and B publish together.
fn root(threshold: u32) -> TrustRoot {
    let keys = keys();
    let principal = |key: &SecretKey| json!({"keys": [key.public().to_openssh()]});
    let document = json!({
        "version": 1,
        "expires": "2036-01-01T00:00:00Z",
        "principals": {"a": principal(&keys[0]), "b": principal(&keys[1])},
        "roles": {
            "root": {"principals": ["a"], "threshold": 1, "epoch": 1},
            "publisher/acme": {"principals": ["a", "b"], "threshold": threshold, "epoch": 1, "namespaces": ["acme"]},
        },
        "revoked": {},
    });
    let envelope = sign_root(&serde_json::from_value(document).unwrap(), &keys).unwrap();
    let bytes = envelope.to_json().into_bytes();
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let chain = RootChain::begin(&bytes, None, &Limits::default()).unwrap();
    chain.finish(now).unwrap()
}

fn envelope(case: &Case) -> Value {
    let signature = |(keyid, sig): &(Option<&str>, &str)| match keyid {
        Some(keyid) => json!({"keyid": keyid, "sig": sig}),
        None => json!({"sig": sig}),
    };
    json!({
        "payload": case.payload,
        "payloadType": case.payload_type,
        "signatures": case.signatures.iter().map(signature).collect::<Vec<_>>(),
    })
}

fn reached(envelope: &Value, threshold: u32) -> Reached {
    let fetched = FetchedBundle {
        origin: Origin::Directory {
            path: String::new(),
        },
        envelope: Some(envelope.to_string().into_bytes()),
        files: BTreeMap::new(),
        git: None,
    };
    let expected = Expectation {
        name: None,
        reference: None,
        now: "2026-11-22T12:00:00Z".parse().unwrap(),
        high_water: None,
        max_age: None,
        held: Held::Fetched,
    };
    match verify(fetched, &root(threshold), &expected, &Limits::default()) {
        Err(VerifyError::Threshold(_)) => Reached::Signatures,
        Err(VerifyError::PayloadType { .. }) => Reached::PayloadType,
        Err(VerifyError::Statement(_)) => Reached::Payload,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_published_case_ends_as_published() {
    for case in CASES {
        let envelope = envelope(case);
        let parsed = Envelope::parse(envelope.to_string().as_bytes(), &Limits::default()).unwrap();
        let body = URL_SAFE
            .decode(case.payload.replace('+', "-").replace('/', "_"))
            .unwrap();
        assert_eq!(
            parsed.pae(),
            [case.pae.as_bytes(), &body].concat(),
            "{}",
            case.id
        );
        assert_eq!(
            reached(&envelope, case.threshold),
            case.reached,
            "{}",
            case.id
        );
    }
}

/// Ed25519 is deterministic, so what we sign is what they published.
#[test]
fn our_signatures_are_the_published_ones() {
    for case in CASES
        .iter()
        .filter(|case| case.reached != Reached::Signatures)
    {
        let parsed =
            Envelope::parse(envelope(case).to_string().as_bytes(), &Limits::default()).unwrap();
        let mut ours = Envelope::new(case.payload_type, parsed.payload());
        for key in keys().iter().take(case.signatures.len()) {
            assert!(ours.sign(key).unwrap());
        }
        let ours: Value = serde_json::from_str(&ours.to_json()).unwrap();
        for (index, (_, theirs)) in case.signatures.iter().enumerate() {
            let theirs = STANDARD.encode(
                URL_SAFE
                    .decode(theirs.replace('+', "-").replace('/', "_"))
                    .unwrap(),
            );
            assert_eq!(ours["signatures"][index]["sig"], theirs, "{}", case.id);
        }
    }
}

/// protocol.md, "Test Vectors": the PAE of the example. Its signature is of ECDSA, which nobody here accepts.
#[test]
fn the_example_of_the_protocol_has_the_published_encoding() {
    let example = json!({
        "payload": "aGVsbG8gd29ybGQ=",
        "payloadType": "http://example.com/HelloWorld",
        "signatures": [{
            "sig": "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==",
        }],
    });
    let parsed = Envelope::parse(example.to_string().as_bytes(), &Limits::default()).unwrap();
    assert_eq!(
        parsed.pae(),
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    );
    assert_eq!(reached(&example, 1), Reached::Signatures);
}

/// protocol.md, "Signature Definition": KEYID "MUST NOT be used for security decisions".
#[test]
fn a_keyid_decides_nothing() {
    let case = &CASES[6];
    for keyid in ["A", "", "B", "\u{1b}[2J", "SHA256:nobody"] {
        let mut envelope = envelope(case);
        for index in 0..2 {
            envelope["signatures"][index]["keyid"] = keyid.into();
        }
        assert_eq!(reached(&envelope, 2), Reached::Payload, "{keyid:?}");
        // Nor does one make a signature somebody else's.
        envelope["signatures"][1] = envelope["signatures"][0].clone();
        envelope["signatures"][1]["keyid"] = "B".into();
        assert_eq!(reached(&envelope, 2), Reached::Signatures, "{keyid:?}");
    }
}

/// protocol.md, "Multi-signature Verification": a signature that does not verify is skipped over, and keys are counted, not signatures.
/// envelope.md, "Standard JSON envelope": members that a reader does not know are for others.
#[test]
fn foreign_signatures_and_members_are_skipped() {
    let mut envelope = envelope(&CASES[6]);
    let stranger = STANDARD.encode([7; 64]);
    let signatures = envelope["signatures"].as_array_mut().unwrap();
    signatures.insert(0, json!({"keyid": "C", "sig": stranger, "extension": {}}));
    envelope["extension"] = json!({"kind": "unknown"});
    assert_eq!(reached(&envelope, 2), Reached::Payload);
}
