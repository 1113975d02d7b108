//! Public keys: ed25519 only, never weak.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, spki};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use ssh_key::HashAlg;
use ssh_key::encoding::Decode as _;

use crate::diag::Code;

/// Bytes of the longest key file read.
pub(super) const MAX_KEY_BYTES: usize = 16 << 10;

/// SSH's name of the one algorithm.
const ED25519: &str = "ssh-ed25519";

/// Why a key cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither an OpenSSH line nor a PEM public key.
    #[error("not a public key: expected `ssh-ed25519 AAAA…` or `-----BEGIN PUBLIC KEY-----`")]
    Format,
    /// A key of another algorithm.
    #[error("a key of type `{}`: only ed25519 keys are accepted", algorithm.escape_debug())]
    Algorithm {
        /// What it is.
        algorithm: String,
    },
    /// A low-order point, under which anyone can forge.
    #[error("a weak key (a point of low order): anyone can forge signatures under it")]
    Weak,
    /// 32 bytes that are no point of the curve, or not its canonical encoding.
    #[error("not an ed25519 public key: its bytes are not the canonical encoding of a point")]
    NotAPoint,
}

impl KeyError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Format => Code::KEY_FORMAT,
            Self::Algorithm { .. } => Code::KEY_ALGORITHM,
            Self::Weak => Code::KEY_WEAK,
            Self::NotAPoint => Code::KEY_NOT_A_POINT,
        }
    }
}

/// The OpenSSH fingerprint of a key, `SHA256:` and unpadded base64. A hint in envelopes, a name in messages.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct KeyId(String);

impl KeyId {
    /// The fingerprint as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyId {
    /// The fingerprint of a key of any algorithm, by its wire form (RFC 4253, section 6.6).
    pub(super) fn of_blob(blob: &[u8]) -> Self {
        let digest = STANDARD_NO_PAD.encode(Sha256::digest(blob));
        Self(format!("SHA256:{digest}"))
    }
}

impl FromStr for KeyId {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        text.parse::<ssh_key::Fingerprint>()
            .ok()
            .filter(|print| print.algorithm() == HashAlg::Sha256)
            .map(|print| Self(print.to_string()))
            .ok_or(KeyError::Format)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An ed25519 public key that is a canonical point of high order.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks 32 raw bytes.
    ///
    /// # Errors
    /// [`KeyError::NotAPoint`] or [`KeyError::Weak`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
        Self::check(key, bytes)
    }

    fn check(key: VerifyingKey, bytes: &[u8; 32]) -> Result<Self, KeyError> {
        // SECURITY: under a point of low order one signature fits every message; two encodings of one point would let
        // one key count as two.
        if key.is_weak() {
            return Err(KeyError::Weak);
        }
        if key.to_edwards().compress().as_bytes() != bytes {
            return Err(KeyError::NotAPoint);
        }
        Ok(Self(key))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The OpenSSH fingerprint.
    #[must_use]
    pub fn id(&self) -> KeyId {
        KeyId(self.ssh().fingerprint(HashAlg::Sha256).to_string())
    }

    /// The key as an OpenSSH line without comment.
    #[must_use]
    pub fn to_openssh(&self) -> String {
        // Encoding an ed25519 key in memory has no way to fail.
        self.ssh().to_openssh().unwrap_or_default()
    }

    /// Reads the wire form, as agents and SSH signatures hold it (RFC 8709, section 4). The one form: no trailing bytes.
    pub(super) fn from_blob(blob: &[u8]) -> Result<Self, KeyError> {
        let mut rest = blob;
        let algorithm = String::decode(&mut rest).map_err(|_| KeyError::Format)?;
        if algorithm != ED25519 {
            return Err(KeyError::Algorithm {
                algorithm: algorithm.chars().take(60).collect(),
            });
        }
        let bytes = Vec::<u8>::decode(&mut rest).map_err(|_| KeyError::Format)?;
        match <&[u8; 32]>::try_from(bytes.as_slice()) {
            Ok(bytes) if rest.is_empty() => Self::from_bytes(bytes),
            _ => Err(KeyError::Format),
        }
    }

    /// The wire form.
    pub(super) fn to_blob(&self) -> Vec<u8> {
        // Encoding an ed25519 key in memory has no way to fail.
        self.ssh().to_bytes().unwrap_or_default()
    }

    fn ssh(&self) -> ssh_key::PublicKey {
        ssh_key::PublicKey::from(ssh_key::public::Ed25519PublicKey(*self.0.as_bytes()))
    }

    /// Whether `signature` is this key's signature of `message`, in the strict sense: canonical `S`, no small-order `R`
    /// (RFC 8032, section 5.1.7, and dalek's `verify_strict`).
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        #[allow(
            clippy::disallowed_methods,
            reason = "the one home of signature checks"
        )]
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl From<&ed25519_dalek::SigningKey> for PublicKey {
    /// A key made from a seed is never weak: its scalar is clamped.
    fn from(key: &ed25519_dalek::SigningKey) -> Self {
        Self(key.verifying_key())
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;

    /// Reads an OpenSSH line or a PEM `PUBLIC KEY` (RFC 8410).
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let text = text.trim();
        if text.len() > MAX_KEY_BYTES {
            return Err(KeyError::Format);
        }
        if text.starts_with("-----BEGIN PUBLIC KEY-----") {
            // SECURITY: dalek's PEM reader decompresses the point; `check` refuses what is weak or not canonical.
            let key = VerifyingKey::from_public_key_pem(text).map_err(|error| match error {
                spki::Error::OidUnknown { oid } => KeyError::Algorithm {
                    algorithm: oid.to_string(),
                },
                spki::Error::KeyMalformed => KeyError::NotAPoint,
                _ => KeyError::Format,
            })?;
            let bytes = *key.as_bytes();
            return Self::check(key, &bytes);
        }
        let key = ssh_key::PublicKey::from_openssh(text).map_err(|_| {
            match text.split_whitespace().next() {
                Some(kind)
                    if kind != ED25519
                        && (kind.starts_with("ssh-")
                            || kind.starts_with("ecdsa-")
                            || kind.starts_with("sk-")) =>
                {
                    KeyError::Algorithm {
                        algorithm: kind.chars().take(60).collect(),
                    }
                }
                _ => KeyError::Format,
            }
        })?;
        match key.key_data() {
            ssh_key::public::KeyData::Ed25519(key) => Self::from_bytes(&key.0),
            _ => Err(KeyError::Algorithm {
                algorithm: key.algorithm().to_string(),
            }),
        }
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_openssh())
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea";

    #[test]
    fn openssh_keys_round_trip() {
        // RFC 8032, section 7.1, test 1.
        let key: PublicKey = ALICE.parse().unwrap();
        assert_eq!(key.to_openssh(), ALICE);
        assert_eq!(key.id().as_str().parse(), Ok(key.id()));
        assert_eq!(format!("{ALICE} alice@example").parse(), Ok(key));
    }

    #[test]
    fn weak_keys_are_refused_at_enrolment() {
        // The eight points of low order, canonical and not (CCTV, ed25519).
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut minus_one = [0xff; 32];
        minus_one[0] = 0xec;
        minus_one[31] = 0x7f;
        for bytes in [[0; 32], identity, minus_one] {
            assert_eq!(PublicKey::from_bytes(&bytes), Err(KeyError::Weak));
        }
        let mut not_canonical = [0xff; 32];
        not_canonical[0] = 0xf0; // p + 3
        not_canonical[31] = 0x7f;
        assert!(PublicKey::from_bytes(&not_canonical).is_err());
    }

    #[test]
    fn other_algorithms_are_named() {
        let rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC7";
        assert!(
            matches!(rsa.parse::<PublicKey>(), Err(KeyError::Algorithm { algorithm }) if algorithm == "ssh-rsa")
        );
        assert_eq!("hello".parse::<PublicKey>(), Err(KeyError::Format));
    }
}
