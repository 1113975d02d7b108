//! No key of low order is accepted, in any of its encodings, at any entrance; and no signature that only a lax verifier
//! takes.
//!
//! Under a point of low order one signature fits every message, or every eighth: `verify` of dalek, OpenSSL and
//! `ssh-keygen -Y verify` accept it. The fourteen encodings are those of Chalkias, Garillot and Nikolaenko, "Taming the many
//! EdDSAs" (2020), section 2 and its tables of small-order points and of non-canonical encodings, and of the Ed25519 vectors
//! of C2SP's CCTV: eight canonical ones, and six that a reader which reduces modulo p, or ignores the sign of zero, takes
//! for one of the eight.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity as _;
use ed25519_dalek::{Signature, VerifyingKey};
use ordain::bundle::Limits;
use ordain::log::VerifierKey;
use ordain::trust::{KeyError, PublicKey, RootChain, RootError};
use serde_json::json;
use sha2::{Digest as _, Sha256, Sha512};

use crate::support::TestEnv;
use crate::support::keys::{openssh_line, snakeoil};
use crate::support::organisation::fails;
use crate::vectors::world::World;

/// Canonical, in the order of the tables.
const CANONICAL: [&str; 8] = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
];
/// Not canonical: y of p or p + 1, or the sign of an x that is zero.
const NOT_CANONICAL: [&str; 6] = [
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
];

fn encodings() -> Vec<[u8; 32]> {
    let bytes = |hex: &&str| {
        let bytes = (0..32).map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
        bytes.collect::<Vec<_>>().try_into().unwrap()
    };
    CANONICAL.iter().chain(&NOT_CANONICAL).map(bytes).collect()
}

/// RFC 8410: a `PUBLIC KEY` of 32 bytes.
fn pem(point: &[u8; 32]) -> String {
    let head = [
        0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
    ];
    let text = STANDARD.encode([&head[..], point].concat());
    format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n")
}

/// Signed notes' form of a key.
fn note_key(point: &[u8; 32]) -> String {
    let id = Sha256::digest([b"log.example\n\x01".as_slice(), point].concat());
    let id: String = id[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let key = STANDARD.encode([&[1], &point[..]].concat());
    format!("log.example+{id}+{key}")
}

/// The tables hold what they say: dalek decodes each of them, to each of the eight points, and nothing is missing.
#[test]
fn the_list_is_that_of_all_points_of_low_order() {
    let encodings = encodings();
    let mut hits = [0; 8];
    for (index, bytes) in encodings.iter().enumerate() {
        let point = CompressedEdwardsY(*bytes).decompress().unwrap();
        let which = EIGHT_TORSION
            .iter()
            .position(|torsion| *torsion == point)
            .unwrap();
        hits[which] += 1;
        assert_eq!(point.compress().as_bytes() == bytes, index < 8, "{index}");
        assert!(VerifyingKey::from_bytes(bytes).unwrap().is_weak());
    }
    assert!(hits.iter().all(|hits| *hits > 0), "{hits:?}");
    // Every other encoding that is not canonical has y in p + 2 … p + 18, or the sign of x = 0, which is all listed.
    let mut sound_points = 0;
    for low in 0xed..=0xff_u8 {
        for high in [0x7f, 0xff] {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, high);
            let Some(point) = CompressedEdwardsY(bytes).decompress() else {
                continue;
            };
            assert_ne!(point.compress().as_bytes(), &bytes);
            assert_eq!(point.is_small_order(), encodings.contains(&bytes));
            sound_points += usize::from(!point.is_small_order());
            // A second encoding of a sound point would let one key count as two.
            let error = if point.is_small_order() {
                KeyError::Weak
            } else {
                KeyError::NotAPoint
            };
            assert_eq!(PublicKey::from_bytes(&bytes), Err(error.clone()));
            assert_eq!(pem(&bytes).parse::<PublicKey>(), Err(error.clone()));
            assert_eq!(openssh_line(&bytes).parse::<PublicKey>(), Err(error));
        }
    }
    assert!(sound_points > 0);
}

#[test]
fn no_key_of_low_order_is_accepted_raw_or_written() {
    for bytes in encodings() {
        let weak: Result<PublicKey, KeyError> = Err(KeyError::Weak);
        assert_eq!(PublicKey::from_bytes(&bytes), weak);
        assert_eq!(openssh_line(&bytes).parse(), weak);
        assert_eq!(pem(&bytes).parse(), weak);
        let quoted = serde_json::Value::from(openssh_line(&bytes));
        serde_json::from_value::<PublicKey>(quoted).unwrap_err();
        // The one who checks a log's checkpoints takes a key as well.
        note_key(&bytes).parse::<VerifierKey>().unwrap_err();
    }
    // The forms are right: a sound key passes in each of them.
    let sound = snakeoil("alice").signing_key().verifying_key().to_bytes();
    let key = PublicKey::from_bytes(&sound).unwrap();
    assert_eq!(openssh_line(&sound).parse().as_ref(), Ok(&key));
    assert_eq!(pem(&sound).parse().as_ref(), Ok(&key));
    note_key(&sound).parse::<VerifierKey>().unwrap();
}

#[test]
fn no_trust_root_holds_a_key_of_low_order() {
    let limits = Limits::default();
    let begin = |world: &World| RootChain::begin(&world.roots[0].envelope(), None, &limits);
    begin(&World::default()).unwrap();
    for bytes in encodings() {
        let mut world = World::default();
        let carol = &mut world.roots[0].value["principals"]["carol"]["keys"];
        *carol = json!([openssh_line(&bytes)]);
        assert!(
            matches!(begin(&world), Err(RootError::Shape { .. })),
            "{bytes:02x?}"
        );
    }
}

#[test]
fn no_command_enrols_a_key_of_low_order() {
    let env = TestEnv::new();
    snakeoil("alice").write(&env.work());
    for bytes in encodings() {
        for text in [openssh_line(&bytes), pem(&bytes)] {
            env.write("weak.pub", text);
            let output = env.ordain([
                "trust",
                "init",
                "--dir=trust",
                "--namespace=acme",
                "--expires=1y",
                "--threshold=1",
                "--principal=alice=alice",
                "--principal=mallory=weak.pub",
            ]);
            fails(&output, 3, "E-TRUST-034");
            assert!(!env.work().join("trust").exists(), "{output}");
        }
    }
}

/// R of low order and S = 0 is the signature that fits every message under a weak key. No sound key takes it for one.
#[test]
fn no_envelope_is_verified_by_a_signature_of_low_order() {
    World::default().run().unwrap();
    for bytes in encodings() {
        let mut world = World::default();
        let signature = STANDARD.encode([&bytes[..], &[0; 32]].concat());
        let at = "/signatures/1/sig".to_owned();
        world.acme.statement.sets.push((at, Some(signature.into())));
        let refusal = world.run().unwrap_err();
        assert_eq!(
            (refusal.layer, refusal.code.id),
            ("threshold", "E-TRUST-009")
        );
    }
}

/// R = identity and S = k·a: the equation holds, and whoever made it need not have chosen a nonce. Lax verification accepts it.
#[test]
fn a_signature_with_a_nonce_of_zero_counts_for_nobody() {
    let alice = snakeoil("alice").signing_key();
    let public = alice.verifying_key();
    let identity = curve25519_dalek::EdwardsPoint::identity().compress();
    let message = b"a message";
    let challenge = Sha512::new()
        .chain_update(identity.as_bytes())
        .chain_update(public.as_bytes())
        .chain_update(message)
        .finalize();
    let challenge = Scalar::from_bytes_mod_order_wide(&challenge.into());
    let answer = challenge * alice.to_scalar();
    let signature: [u8; 64] = [identity.to_bytes(), answer.to_bytes()]
        .concat()
        .try_into()
        .unwrap();
    // The lax check takes it, so this test can tell the two apart.
    ed25519_dalek::Verifier::verify(&public, message, &Signature::from_bytes(&signature)).unwrap();
    let key = PublicKey::from_bytes(public.as_bytes()).unwrap();
    assert!(!key.verify(message, &signature));
    assert!(key.verify(message, &snakeoil("alice").sign(message)));
}
