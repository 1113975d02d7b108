//! Digests: SHA-256 of bytes, and the ids of Git commits.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};
use sha2::{Digest as _, Sha256};

/// Why a text is not a digest or commit id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a {kind}: {reason}", text.escape_debug())]
pub struct DigestError {
    /// What was expected, in words.
    pub kind: &'static str,
    /// What was given, cut to 80 characters.
    pub text: String,
    /// The rule that it breaks.
    pub reason: &'static str,
}

/// A SHA-256 digest, written `sha256:` and 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Sha256Digest([u8; 32]);

impl Sha256Digest {
    /// Hashes `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Wraps a digest that was computed elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 lower-case hexadecimal digits, without the algorithm.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex(&self.0)
    }

    /// `sha256:` and the digits, without an allocation: every decision spells several of them.
    fn spell<'a>(&self, text: &'a mut [u8; 71]) -> &'a str {
        let (prefix, digits) = text.split_at_mut(7);
        prefix.copy_from_slice(b"sha256:");
        for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(self.0) {
            *pair = digits_of(byte);
        }
        // INVARIANT: ASCII.
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// Writes it as a JSON text to the end of `out`.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(self.spell(&mut [0; 71]).as_bytes());
        out.push(b'"');
    }

    /// Reads 64 lower-case hexadecimal digits, as in-toto's `digest.sha256` holds them.
    ///
    /// # Errors
    /// [`DigestError`] for any other text, upper-case digits included.
    pub fn from_hex(text: &str) -> Result<Self, DigestError> {
        let error = || DigestError {
            kind: "sha256 digest",
            text: text.chars().take(80).collect(),
            reason: "use 64 lower-case hexadecimal digits",
        };
        unhex(text).map(Self).ok_or_else(error)
    }
}

impl FromStr for Sha256Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| DigestError {
            kind: "digest",
            text: text.chars().take(80).collect(),
            reason: "write it as `sha256:` and 64 lower-case hexadecimal digits",
        })?;
        Self::from_hex(hex)
    }
}

impl fmt::Display for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0; 71];
        f.write_str(self.spell(&mut text))
    }
}

impl Serialize for Sha256Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.spell(&mut [0; 71]))
    }
}

impl fmt::Debug for Sha256Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl TryFrom<String> for Sha256Digest {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<Sha256Digest> for String {
    fn from(digest: Sha256Digest) -> Self {
        digest.to_string()
    }
}

/// The id of a Git commit: 40 (SHA-1) or 64 (SHA-256) lower-case hexadecimal digits. It locates, and proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CommitId(String);

impl CommitId {
    /// The id in hexadecimal.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 12 digits, for people.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl FromStr for CommitId {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, DigestError> {
        if unhex::<20>(text).is_some() || unhex::<32>(text).is_some() {
            Ok(Self(text.to_owned()))
        } else {
            Err(DigestError {
                kind: "commit id",
                text: text.chars().take(80).collect(),
                reason: "use the full 40 or 64 lower-case hexadecimal digits",
            })
        }
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for CommitId {
    type Error = DigestError;
    fn try_from(text: String) -> Result<Self, DigestError> {
        text.parse()
    }
}

impl From<CommitId> for String {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| digits_of(*byte));
    digits.map(char::from).collect()
}

/// The two digits of a byte.
fn digits_of(byte: u8) -> [u8; 2] {
    let digit = |nibble: u8| nibble + if nibble < 10 { b'0' } else { b'a' - 10 };
    [digit(byte >> 4), digit(byte & 15)]
}

/// The bytes of exactly so much lower-case hexadecimal; none for anything else.
fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    let mut bytes = [0; N];
    // Digits and letters follow each other at random, so a branch for each costs more than looking at all of them.
    let mut seen = 0;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (nibble(*high), nibble(*low));
        seen |= high | low;
        *byte = high << 4 | low;
    }
    (seen <= 15).then_some(bytes)
}

/// The value of a lower-case hexadecimal digit; for any other byte, one beyond 15.
fn nibble(byte: u8) -> u8 {
    let (digit, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
    if digit < 10 {
        digit
    } else if letter < 6 {
        letter + 10
    } else {
        u8::MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_round_trip_and_refuse_other_spellings() {
        let digest = Sha256Digest::of(b"");
        assert_eq!(
            digest.to_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(digest.to_string().parse(), Ok(digest));
        assert!(
            digest
                .to_hex()
                .to_uppercase()
                .as_str()
                .parse::<Sha256Digest>()
                .is_err()
        );
        assert!(Sha256Digest::from_hex(&digest.to_hex().to_uppercase()).is_err());
        for byte in 0..=u8::MAX {
            let (text, is_digit) = (char::from(byte), b"0123456789abcdef".contains(&byte));
            for at in [0, 1, 63] {
                let mut hex = "7".repeat(64);
                hex.replace_range(at..=at, text.encode_utf8(&mut [0; 4]));
                let read = Sha256Digest::from_hex(&hex).map(|digest| digest.to_hex());
                assert_eq!(read.is_ok(), is_digit, "{byte}");
                assert!(read.is_err() || read == Ok(hex));
            }
        }
        assert!(Sha256Digest::from_hex("e3b0").is_err());
    }

    #[test]
    fn commit_ids_are_full_and_lower_case() {
        let id = "0123456789abcdef0123456789abcdef01234567";
        assert_eq!(
            id.parse::<CommitId>().map(|id| id.to_string()),
            Ok(id.to_owned())
        );
        for text in [
            "",
            "0123",
            "0123456789ABCDEF0123456789abcdef01234567",
            "refs/heads/main",
        ] {
            assert!(text.parse::<CommitId>().is_err(), "{text:?}");
        }
    }
}
