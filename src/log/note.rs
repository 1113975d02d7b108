//! Signed notes (C2SP signed-note): a text, a blank line, and one line for each signature.
//!
//! A verifier knows keys by name and id, ignores signatures by keys it does not know, and refuses a note on which a key
//! that it does know signed something else. The text of a note means nothing until [`Note::verify`] has passed.
//! Only Ed25519 (type 0x01) is spoken; witness cosignatures (type 0x04) are ignored like any unknown signature.

use std::fmt;
use std::str::FromStr;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use sha2::{Digest as _, Sha256};

use crate::diag::Code;
use crate::digest::hex;
use crate::trust::{PublicKey, SecretKey};

/// The largest note that is read, in bytes.
pub const MAX_NOTE: usize = 64 * 1024;
/// The most signatures that one note may carry.
pub const MAX_SIGNATURES: usize = 100;
/// Ed25519, as signed-note numbers it.
const ED25519: u8 = 1;

/// Why a note, a key name or a verifier key is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// More bytes than [`MAX_NOTE`] or more signatures than [`MAX_SIGNATURES`].
    #[error("larger than a note may be (64 KiB, 100 signatures)")]
    TooLarge,
    /// Not of the form that signed-note describes.
    #[error("not a signed note: {0}")]
    Malformed(&'static str),
    /// A key that is trusted did not make the signature that carries its name and id.
    #[error("the signature of `{}` does not match the text", name.escape_debug())]
    BadSignature {
        /// The key's name.
        name: String,
    },
    /// No trusted key signed it.
    #[error("no trusted key signed it (signed by: {})", signers.escape_debug())]
    Untrusted {
        /// The names that its signatures carry, separated by commas.
        signers: String,
    },
    /// A trusted key signed it, but under another log's name.
    #[error("it speaks for the log `{}`, and its key does not", origin.escape_debug())]
    Origin {
        /// The log that it speaks for.
        origin: String,
    },
    /// A key name that signed-note forbids.
    #[error("`{}` is not a key name: {reason}", name.escape_debug())]
    KeyName {
        /// What was given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// A text that is not a verifier key of the form `name+id+key`.
    #[error("not a verifier key: {0}")]
    VerifierKey(&'static str),
}

impl NoteError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge | Self::Malformed(_) => Code::LOG_CHECKPOINT_MALFORMED,
            Self::BadSignature { .. } | Self::Untrusted { .. } | Self::Origin { .. } => {
                Code::LOG_CHECKPOINT_UNTRUSTED
            }
            Self::KeyName { .. } | Self::VerifierKey(_) => Code::LOG_KEY,
        }
    }
}

/// The name of a key, and the origin of a log: `acme.example/build-7`. No spaces, no `+`, at most 255 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoteError;
    fn from_str(name: &str) -> Result<Self, NoteError> {
        let reason = if name.is_empty() {
            "it is empty"
        } else if name.len() > 255 {
            "it is longer than 255 bytes"
        } else if name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
        {
            "spaces, control characters and `+` are not allowed"
        } else {
            return Ok(Self(name.to_owned()));
        };
        let name = name.chars().take(80).collect();
        Err(NoteError::KeyName { name, reason })
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The id of an Ed25519 key: the first 4 bytes of SHA-256(name ‖ LF ‖ 0x01 ‖ key).
type KeyId = [u8; 4];

fn key_id(name: &KeyName, key: &PublicKey) -> KeyId {
    let hash = Sha256::new().chain_update(name.as_str());
    let hash = hash
        .chain_update([b'\n', ED25519])
        .chain_update(key.as_bytes());
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    [a, b, c, d]
}

/// A public key under its name: `name+id+base64(0x01 ‖ key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: KeyName,
    id: KeyId,
    key: PublicKey,
}

impl VerifierKey {
    /// Names a public key.
    #[must_use]
    pub fn new(name: KeyName, key: PublicKey) -> Self {
        let id = key_id(&name, &key);
        Self { name, id, key }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &KeyName {
        &self.name
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut key = vec![ED25519];
        key.extend(self.key.as_bytes());
        let key = BASE64_STANDARD.encode(key);
        write!(f, "{}+{}+{key}", self.name, hex(&self.id))
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NoteError::VerifierKey("write it as `name+id+key`"));
        };
        let bytes = BASE64_STANDARD.decode(key);
        let bytes = bytes.map_err(|_| NoteError::VerifierKey("its key is not base64"))?;
        let key = match bytes.split_first() {
            Some((&ED25519, key)) => <&[u8; 32]>::try_from(key)
                .ok()
                .and_then(|key| PublicKey::from_bytes(key).ok()),
            _ => return Err(NoteError::VerifierKey("its algorithm is not Ed25519")),
        };
        let key = key.ok_or(NoteError::VerifierKey("its key is not a sound Ed25519 key"))?;
        let verifier = Self::new(name.parse()?, key);
        if hex(&verifier.id) == id {
            Ok(verifier)
        } else {
            Err(NoteError::VerifierKey(
                "its id does not belong to its name and key",
            ))
        }
    }
}

/// A signing key under its name, which is also the origin of the log that it signs.
#[derive(Clone)]
pub struct Signer {
    key: SecretKey,
    verifier: VerifierKey,
}

impl Signer {
    /// Names a signing key.
    #[must_use]
    pub fn new(name: KeyName, key: SecretKey) -> Self {
        let verifier = VerifierKey::new(name, key.public());
        Self { key, verifier }
    }

    /// The public half.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The note of `text`, which must end in LF, signed by this key.
    ///
    /// # Errors
    /// [`NoteError::Malformed`] for a text that a note cannot hold.
    pub fn sign(&self, text: &str) -> Result<String, NoteError> {
        check_characters(text)?;
        if !text.ends_with('\n') {
            return Err(NoteError::Malformed("the text does not end in a line feed"));
        }
        let mut signature = self.verifier.id.to_vec();
        signature.extend(self.key.sign(text.as_bytes()));
        let signature = BASE64_STANDARD.encode(signature);
        let name = &self.verifier.name;
        Ok(format!("{text}\n\u{2014} {name} {signature}\n"))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.verifier).finish()
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SignatureLine {
    name: KeyName,
    id: KeyId,
    signature: Vec<u8>,
}

/// A note that has been parsed and not yet verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<SignatureLine>,
}

impl Note {
    /// Parses a note.
    ///
    /// # Errors
    /// [`NoteError::TooLarge`], [`NoteError::Malformed`], or [`NoteError::KeyName`] for a signature's name.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > MAX_NOTE {
            return Err(NoteError::TooLarge);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Malformed("not UTF-8"))?;
        check_characters(note)?;
        let (text, rest) = note
            .rsplit_once("\n\n")
            .ok_or(NoteError::Malformed("no blank line before the signatures"))?;
        let lines = rest
            .strip_suffix('\n')
            .ok_or(NoteError::Malformed("the last line does not end"))?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooLarge);
        }
        Ok(Self {
            text: format!("{text}\n"),
            signatures: lines
                .split('\n')
                .map(signature_line)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The text. SECURITY: unverified.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Checks the signatures, and returns which of `keys` signed: at least one, each once.
    ///
    /// # Errors
    /// [`NoteError::BadSignature`] if a trusted key's signature fails, [`NoteError::Untrusted`] if there is none.
    pub fn verify<'k>(&self, keys: &'k [VerifierKey]) -> Result<Vec<&'k VerifierKey>, NoteError> {
        let mut signers: Vec<&VerifierKey> = Vec::new();
        for line in &self.signatures {
            let known = |key: &&VerifierKey| key.name == line.name && key.id == line.id;
            let Some(key) = keys.iter().find(known) else {
                continue;
            };
            let signature = <&[u8; 64]>::try_from(line.signature.as_slice());
            if !signature.is_ok_and(|signature| key.key.verify(self.text.as_bytes(), signature)) {
                let name = line.name.to_string();
                return Err(NoteError::BadSignature { name });
            }
            if !signers.contains(&key) {
                signers.push(key);
            }
        }
        if signers.is_empty() {
            let names: Vec<&str> = self.signatures.iter().map(|s| s.name.as_str()).collect();
            let signers = names.join(", ");
            return Err(NoteError::Untrusted { signers });
        }
        Ok(signers)
    }
}

fn check_characters(text: &str) -> Result<(), NoteError> {
    if text.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
        Err(NoteError::Malformed("a control character"))
    } else {
        Ok(())
    }
}

fn signature_line(line: &str) -> Result<SignatureLine, NoteError> {
    let malformed = NoteError::Malformed("a signature line is not `— name base64`");
    let fields = line.strip_prefix("\u{2014} ");
    let Some((name, encoded)) = fields.and_then(|fields| fields.split_once(' ')) else {
        return Err(malformed);
    };
    let name: KeyName = name.parse()?;
    let bytes = BASE64_STANDARD.decode(encoded).unwrap_or_default();
    match bytes.split_first_chunk::<4>() {
        Some((&id, signature)) if !signature.is_empty() => Ok(SignatureLine {
            name,
            id,
            signature: signature.to_vec(),
        }),
        _ => Err(malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(name: &str, seed: u8) -> Signer {
        Signer::new(name.parse().unwrap(), SecretKey::from_seed(&[seed; 32]))
    }

    #[test]
    fn reads_the_note_of_the_specification() {
        let key: VerifierKey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
            .parse()
            .unwrap();
        let note = "If you think cryptography is the answer to your problem,\n\
            then you don't know what your problem is.\n\n\
            \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n\
            \u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n";
        let note = Note::parse(note.as_bytes()).unwrap();
        let keys = [key.clone()];
        assert_eq!(note.verify(&keys).unwrap(), [&key]);
        let other = [signer("EnochRoot", 9).verifier().clone()];
        assert!(matches!(
            note.verify(&other),
            Err(NoteError::Untrusted { .. })
        ));
        assert_eq!(
            key.to_string(),
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        );
    }

    #[test]
    fn an_independent_implementation_accepts_ours() {
        let signer = signer("acme.example/log", 7);
        let note = signer.sign("acme.example/log\n0\nroot=\n").unwrap();
        let theirs = signed_note::StandardVerifier::new(&signer.verifier().to_string()).unwrap();
        let keys = signed_note::VerifierList::new(vec![Box::new(theirs)]);
        let parsed = signed_note::Note::from_bytes(note.as_bytes()).unwrap();
        assert_eq!(parsed.verify(&keys).unwrap().0.len(), 1);
        let ours = [signer.verifier().clone()];
        assert!(Note::parse(note.as_bytes()).unwrap().verify(&ours).is_ok());
        assert_eq!(
            signer.verifier().to_string().parse(),
            Ok(signer.verifier().clone())
        );
    }

    #[test]
    fn a_trusted_key_that_signed_something_else_refuses_the_note() {
        let signer = signer("log", 7);
        let note = signer.sign("one\n").unwrap().replace("one", "two");
        let keys = [signer.verifier().clone()];
        let note = Note::parse(note.as_bytes()).unwrap();
        let name = "log".to_owned();
        assert_eq!(note.verify(&keys), Err(NoteError::BadSignature { name }));
    }

    #[test]
    fn refuses_what_is_not_a_note() {
        let good = signer("log", 7).sign("text\n").unwrap();
        let cases = [
            String::new(),
            "text\n".to_owned(),
            "text\n\n".to_owned(),
            good.replace("text", "te\tt"),
            good.replace('\u{2014}', "-"),
            good.replace("log ", "log  "),
            good.trim_end().to_owned(),
            format!("{good}x\n"),
            "text\n\n\u{2014} log AAAA\n".to_owned(),
        ];
        for case in cases {
            assert!(
                matches!(
                    Note::parse(case.as_bytes()),
                    Err(NoteError::Malformed(_) | NoteError::KeyName { .. })
                ),
                "{case:?}"
            );
        }
        assert_eq!(Note::parse(&vec![b'a'; 65_537]), Err(NoteError::TooLarge));
        let line = good.lines().last().unwrap();
        let many = format!("text\n\n{}", format!("{line}\n").repeat(101));
        assert_eq!(Note::parse(many.as_bytes()), Err(NoteError::TooLarge));
        assert!(Note::parse(b"\xff\n\n").is_err());
    }

    #[test]
    fn refuses_bad_names_and_weak_keys() {
        for name in ["", "a b", "a+b", "a\u{2003}b", "a\nb", &"a".repeat(256)] {
            assert!(name.parse::<KeyName>().is_err(), "{name:?}");
        }
        let mut identity = [0; 32];
        identity[0] = 1;
        let mut weak = vec![ED25519];
        weak.extend(identity);
        let hash = Sha256::new().chain_update("log\n").chain_update(&weak);
        let id = hex(hash.finalize().get(..4).unwrap());
        let weak = format!("log+{id}+{}", BASE64_STANDARD.encode(weak));
        let good = signer("log", 7).verifier().to_string();
        for text in [
            "",
            "log",
            "log+00000000",
            &good.replace("log", "lag"),
            &good.to_uppercase(),
            &weak,
        ] {
            assert!(text.parse::<VerifierKey>().is_err(), "{text:?}");
        }
    }
}
