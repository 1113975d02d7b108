//! What becomes of an envelope's signatures after they were made.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest as _, Sha512};

use super::defect::public_key;

/// What happens to the signatures after they were made.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signature {
    /// Alice's, twice.
    Twice,
    /// Alice's, twice, under two keyids.
    TwiceUnderTwoNames,
    /// Alice's under bob's keyid, and nobody else's.
    UnderAnotherName,
    /// Bob's with S + L.
    Malleated,
    /// Bob's with one bit changed.
    BitFlipped,
    /// Bob's with a trailing bit set in its base64.
    TrailingBits,
    NoPadding,
    Newline,
    /// 65 of them.
    Many,
    /// R = identity, S = 0: what weak keys accept.
    Universal,
    /// Alice's again in place of the second, with another nonce.
    AnotherNonce,
    /// The second one's with a nonce of zero.
    NonceOfZero,
    /// Over the payload, without DSSE's encoding.
    OfThePayloadAlone,
}

/// The order of the group, little endian: S and S + L satisfy the same equation.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// S + L instead of S.
pub(super) fn add_order(scalar: &mut [u8]) {
    let mut carry = 0;
    for (byte, more) in scalar.iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(more) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

fn second(envelope: &mut Value, change: impl FnOnce(Vec<u8>) -> String) {
    let sig = &mut envelope["signatures"][1]["sig"];
    let bytes = STANDARD.decode(sig.as_str().unwrap()).unwrap();
    *sig = change(bytes).into();
}

impl Signature {
    pub(super) fn change(self) -> fn(&mut Value) {
        match self {
            Self::Twice => |envelope| repeat(envelope, None),
            Self::TwiceUnderTwoNames => |envelope| repeat(envelope, Some("bob")),
            Self::UnderAnotherName => |envelope| {
                let keyid = crate::support::keys::snakeoil("bob").fingerprint();
                envelope["signatures"][0]["keyid"] = keyid.into();
            },
            Self::Malleated => |envelope| {
                second(envelope, |mut bytes| {
                    add_order(&mut bytes[32..]);
                    STANDARD.encode(bytes)
                });
            },
            Self::BitFlipped => |envelope| {
                second(envelope, |mut bytes| {
                    bytes[0] ^= 1;
                    STANDARD.encode(bytes)
                });
            },
            Self::TrailingBits => |envelope| {
                second(envelope, |bytes| {
                    let text = STANDARD.encode(bytes);
                    let (head, last) = text.trim_end_matches('=').split_at(85);
                    let next = char::from(last.as_bytes()[0] + 1);
                    format!("{head}{next}==")
                });
            },
            Self::NoPadding => |envelope| second(envelope, |bytes| STANDARD_NO_PAD.encode(bytes)),
            Self::Newline => |envelope| {
                second(envelope, |bytes| {
                    let text = STANDARD.encode(bytes);
                    format!("{}\n{}", &text[..64], &text[64..])
                });
            },
            Self::Many => |envelope| {
                for _ in 0..63 {
                    let last = envelope["signatures"][1].clone();
                    envelope["signatures"].as_array_mut().unwrap().push(last);
                }
            },
            Self::Universal => |envelope| {
                second(envelope, |_| {
                    let mut bytes = [0; 64];
                    bytes[0] = 1;
                    STANDARD.encode(bytes)
                });
            },
            Self::AnotherNonce => |envelope| {
                let sig = with_nonce("alice", Scalar::from(7_u64), &pae(envelope));
                second(envelope, |_| STANDARD.encode(sig));
            },
            Self::NonceOfZero => |envelope| {
                let sig = with_nonce("carol", Scalar::ZERO, &pae(envelope));
                second(envelope, |_| STANDARD.encode(sig));
            },
            Self::OfThePayloadAlone => |envelope| {
                let payload = STANDARD.decode(envelope["payload"].as_str().unwrap());
                let sig = crate::support::keys::snakeoil("carol").sign(&payload.unwrap());
                second(envelope, |_| STANDARD.encode(sig));
            },
        }
    }
}

fn pae(envelope: &Value) -> Vec<u8> {
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap());
    let kind = envelope["payloadType"].as_str().unwrap();
    let envelope = ordain::trust::Envelope::new(kind, &payload.unwrap());
    envelope.pae().to_vec()
}

/// A signature that satisfies the equation, whatever the nonce: RFC 8032, section 5.1.6, from step 2 on.
fn with_nonce(name: &str, nonce: Scalar, message: &[u8]) -> [u8; 64] {
    let key = crate::support::keys::snakeoil(name).signing_key();
    let point = EdwardsPoint::mul_base(&nonce).compress();
    let challenge = Sha512::new()
        .chain_update(point.as_bytes())
        .chain_update(key.verifying_key().as_bytes())
        .chain_update(message)
        .finalize();
    let answer = nonce + Scalar::from_bytes_mod_order_wide(&challenge.into()) * key.to_scalar();
    let signature = [point.to_bytes(), answer.to_bytes()].concat();
    signature.try_into().unwrap()
}

#[test]
fn signatures_with_chosen_nonces_are_signatures() {
    let sig = with_nonce("alice", Scalar::from(7_u64), b"message");
    let key: ordain::trust::PublicKey = public_key("alice").parse().unwrap();
    assert!(key.verify(b"message", &sig));
}

fn repeat(envelope: &mut Value, name: Option<&str>) {
    let mut again = envelope["signatures"][0].clone();
    if let Some(name) = name {
        again["keyid"] = crate::support::keys::snakeoil(name).fingerprint().into();
    }
    envelope["signatures"].as_array_mut().unwrap().push(again);
}
