//! DSSE v1.0.2 envelopes.
//!
//! Parsing takes nothing on trust: the payload stays bytes until the signatures over it have been counted. `keyid` is a
//! hint: it says which key to try first.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde::Deserialize;
use serde_json::Value;

use super::key_holder::{KeyHolder, SigningError, signature};
use super::keys::{KeyId, PublicKey};
use crate::bundle::Limits;
use crate::diag::{Code, plain_words};
use crate::digest::Sha256Digest;
use crate::json::{self, JsonError, Objects};

/// The payload type of a bundle's statement (in-toto).
pub const STATEMENT_PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// The payload type of a trust root.
pub const ROOT_PAYLOAD_TYPE: &str = "application/vnd.ordain.root.v1+json";

/// The bytes from which on an envelope is worth reading without its payload: what finds the end of that asks the processor first
/// what it can do.
const LONG: usize = 64 << 10;

/// Why bytes are not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Larger than the cap.
    #[error("the envelope has {size} bytes, more than the limit of {limit}")]
    TooLarge {
        /// Bytes given.
        size: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// Not strict JSON.
    #[error("the envelope is not strict JSON: {0}")]
    Json(#[from] JsonError),
    /// A member is missing or of another type.
    #[error("the envelope does not have DSSE's shape: {message}")]
    Shape {
        /// What serde said.
        message: String,
    },
    /// Base64 that is not canonical.
    #[error("`{field}` is not canonical base64")]
    Base64 {
        /// `payload` or `signatures[N].sig`.
        field: String,
    },
    /// No signature at all.
    #[error("the envelope has no signatures")]
    NoSignatures,
    /// More signatures than the cap.
    #[error("the envelope has {count} signatures, more than the limit of {limit}")]
    TooManySignatures {
        /// Signatures given.
        count: usize,
        /// Signatures allowed.
        limit: usize,
    },
    /// A signature that is not 64 bytes.
    #[error("`signatures[{index}].sig` has {size} bytes; an ed25519 signature has 64")]
    SignatureLength {
        /// Its place.
        index: usize,
        /// Its length in bytes.
        size: usize,
    },
}

impl EnvelopeError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::TooLarge { .. } => Code::ENVELOPE_TOO_LARGE,
            Self::Json(_) => Code::ENVELOPE_JSON,
            Self::Shape { .. } => Code::ENVELOPE_SHAPE,
            Self::Base64 { .. } => Code::ENVELOPE_BASE64,
            Self::NoSignatures => Code::ENVELOPE_NO_SIGNATURES,
            Self::TooManySignatures { .. } => Code::ENVELOPE_TOO_MANY_SIGNATURES,
            Self::SignatureLength { .. } => Code::ENVELOPE_SIGNATURE_LENGTH,
        }
    }
}

/// The wire form, with no member but these.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeV1<'a> {
    #[serde(borrow)]
    payload: Cow<'a, str>,
    #[serde(rename = "payloadType", borrow)]
    payload_type: Cow<'a, str>,
    #[serde(borrow)]
    signatures: Vec<SignatureV1<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureV1<'a> {
    /// Some signers omit it; it is only a hint.
    #[serde(default, borrow)]
    keyid: Cow<'a, str>,
    #[serde(borrow)]
    sig: Cow<'a, str>,
}

/// A parsed envelope: nothing in it is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    payload_type: String,
    /// The PAE. A payload of ten thousand files is not copied to be checked.
    pae: Vec<u8>,
    /// Where the payload begins in it.
    body: usize,
    signatures: Vec<EnvelopeSignature>,
}

/// One signature of an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnvelopeSignature {
    pub(super) keyid: String,
    pub(super) sig: [u8; 64],
}

impl Envelope {
    /// An envelope that nobody has signed yet.
    #[must_use]
    pub fn new(payload_type: &str, payload: &[u8]) -> Self {
        let mut pae = pae_header(payload_type, payload.len());
        let body = pae.len();
        pae.extend_from_slice(payload);
        Self {
            payload_type: payload_type.to_owned(),
            pae,
            body,
            signatures: Vec::new(),
        }
    }

    /// Parses an envelope.
    ///
    /// # Errors
    /// [`EnvelopeError`] for the first defect.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, EnvelopeError> {
        let envelope = Self::parse_draft(bytes, limits)?;
        if envelope.signatures.is_empty() {
            return Err(EnvelopeError::NoSignatures);
        }
        Ok(envelope)
    }

    /// Parses an envelope that perhaps nobody has signed yet: to sign it, never to verify it.
    ///
    /// # Errors
    /// [`EnvelopeError`] for the first defect.
    pub(super) fn parse_draft(bytes: &[u8], limits: &Limits) -> Result<Self, EnvelopeError> {
        let limit = limits.envelope_bytes;
        if bytes.len() > limit {
            return Err(EnvelopeError::TooLarge {
                size: bytes.len(),
                limit,
            });
        }
        // What is wrong with an envelope is told of the whole.
        if bytes.len() >= LONG
            && let Some(envelope) = Self::parse_apart(bytes, limits)
        {
            return Ok(envelope);
        }
        let strict;
        let wire = match json::from_slice(bytes) {
            // SECURITY: strings under known names, each once, leave nothing for two readers to see differently.
            Ok(wire) => wire,
            // Members that nobody knows, or a defect, which has the better description there.
            Err(_) => {
                strict = without_unknown_members(json::parse(bytes, limit)?);
                EnvelopeV1::deserialize(Objects(&strict)).map_err(|error| EnvelopeError::Shape {
                    message: plain_words(&error.to_string()),
                })?
            }
        };
        Self::of_wire(&wire, wire.payload.as_bytes(), limits)
    }

    /// The envelope, where nothing is wrong with it, read without its payload, which is nearly all of it: that is the text up to
    /// the next quote, since base64 has no escapes.
    fn parse_apart(bytes: &[u8], limits: &Limits) -> Option<Self> {
        let name = b"\"payload\"";
        let begin = memchr::memmem::find(bytes, name)? + name.len();
        let rest = bytes.get(begin..)?.trim_ascii_start();
        let rest = rest.strip_prefix(b":")?.trim_ascii_start();
        let rest = rest.strip_prefix(b"\"")?;
        let (before, _) = bytes.split_at_checked(bytes.len() - rest.len())?;
        let (payload, after) = rest.split_at_checked(memchr::memchr(b'"', rest)?)?;
        let frame = [before, after].concat();
        let wire: EnvelopeV1<'_> = json::from_slice(&frame).ok()?;
        // The gap is where the payload was, and no other member's.
        let is_apart = wire.payload.is_empty();
        is_apart.then(|| Self::of_wire(&wire, payload, limits).ok())?
    }

    /// `payload` is in base64.
    fn of_wire(
        wire: &EnvelopeV1<'_>,
        payload: &[u8],
        limits: &Limits,
    ) -> Result<Self, EnvelopeError> {
        let base64 = |field: String| EnvelopeError::Base64 { field };
        let mut pae = pae_header(&wire.payload_type, decoded_size(payload));
        let body = pae.len();
        decode(payload, &mut pae).ok_or_else(|| base64("payload".into()))?;
        if wire.signatures.len() > limits.signatures {
            return Err(EnvelopeError::TooManySignatures {
                count: wire.signatures.len(),
                limit: limits.signatures,
            });
        }
        let mut signatures = Vec::with_capacity(wire.signatures.len());
        for (index, signature) in wire.signatures.iter().enumerate() {
            let mut sig = Vec::new();
            decode(signature.sig.as_bytes(), &mut sig)
                .ok_or_else(|| base64(format!("signatures[{index}].sig")))?;
            let sig = sig
                .try_into()
                .map_err(|sig: Vec<u8>| EnvelopeError::SignatureLength {
                    index,
                    size: sig.len(),
                })?;
            signatures.push(EnvelopeSignature {
                keyid: signature.keyid.clone().into_owned(),
                sig,
            });
        }
        Ok(Self {
            payload_type: wire.payload_type.clone().into_owned(),
            pae,
            body,
            signatures,
        })
    }

    /// The envelope as JSON, one signature a line so that co-signing shows as an addition in a diff.
    #[must_use]
    pub fn to_json(&self) -> String {
        let string = |text: &str| serde_json::Value::from(text).to_string();
        let signatures: Vec<String> = self
            .signatures
            .iter()
            .map(|s| {
                format!(
                    "    {{\"keyid\": {}, \"sig\": \"{}\"}}",
                    string(&s.keyid),
                    STANDARD.encode(s.sig)
                )
            })
            .collect();
        format!(
            "{{\n  \"payloadType\": {},\n  \"payload\": \"{}\",\n  \"signatures\": [\n{}\n  ]\n}}\n",
            string(&self.payload_type),
            STANDARD.encode(self.payload()),
            signatures.join(",\n")
        )
    }

    /// Adds the holder's signature unless it is there already; whether it was added.
    ///
    /// # Errors
    /// [`SigningError`] when there is no signature, or a wrong one; the envelope is then as it was.
    pub fn sign<H: KeyHolder + ?Sized>(&mut self, holder: &H) -> Result<bool, SigningError> {
        let public = holder.public();
        if self
            .signatures
            .iter()
            .any(|s| public.verify(&self.pae, &s.sig))
        {
            return Ok(false);
        }
        let sig = signature(holder, &self.pae)?;
        let keyid = public.id();
        // A reader such as securesystemslib refuses an envelope in which a keyid repeats.
        self.signatures
            .retain(|signature| signature.keyid != keyid.as_str());
        self.signatures.push(EnvelopeSignature {
            keyid: keyid.as_str().to_owned(),
            sig,
        });
        Ok(true)
    }

    /// Adds the signatures of several holders; how many were added.
    ///
    /// # Errors
    /// [`SigningError`] of the first that gives none.
    pub(super) fn sign_all<H: KeyHolder>(&mut self, holders: &[H]) -> Result<usize, SigningError> {
        let mut added = 0;
        for holder in holders {
            added += usize::from(self.sign(holder)?);
        }
        Ok(added)
    }

    /// Takes over the signatures that `keys` made over this payload; how many were new.
    pub(super) fn take_signatures(&mut self, other: &Self, keys: &[PublicKey]) -> usize {
        let made_by = |key: &PublicKey, signatures: &[EnvelopeSignature], pae: &[u8]| {
            let mut signatures = signatures.iter();
            signatures.find(|s| key.verify(pae, &s.sig)).cloned()
        };
        let mut taken = 0;
        for key in keys {
            if made_by(key, &self.signatures, &self.pae).is_none()
                && let Some(signature) = made_by(key, &other.signatures, &self.pae)
            {
                let keyid = key.id().as_str().to_owned();
                // As in `sign`: a keyid never repeats.
                self.signatures.retain(|signature| signature.keyid != keyid);
                self.signatures.push(EnvelopeSignature {
                    keyid,
                    sig: signature.sig,
                });
                taken += 1;
            }
        }
        taken
    }

    /// `PAE(type, body)`: what the signatures cover (DSSE v1.0.2, protocol.md, "Signature Definition").
    #[must_use]
    pub fn pae(&self) -> &[u8] {
        &self.pae
    }

    /// The payload's type, as claimed.
    #[must_use]
    pub fn payload_type(&self) -> &str {
        &self.payload_type
    }

    /// The payload's bytes. Nothing is known of them until the signatures were counted.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.pae.get(self.body..).unwrap_or_default()
    }

    /// SHA-256 of the payload's bytes: the bundle's identity, a trust root's fingerprint.
    #[must_use]
    pub fn payload_digest(&self) -> Sha256Digest {
        Sha256Digest::of(self.payload())
    }

    /// The keys that the envelope names; hints only.
    pub fn keyids(&self) -> impl Iterator<Item = KeyId> + '_ {
        self.signatures
            .iter()
            .filter_map(|signature| signature.keyid.parse().ok())
    }

    pub(super) fn signatures(&self) -> &[EnvelopeSignature] {
        &self.signatures
    }
}

/// The document without what DSSE lets readers ignore: members that they do not know.
fn without_unknown_members(mut document: Value) -> Value {
    if let Value::Object(members) = &mut document {
        members.retain(|name, _| matches!(&**name, "payload" | "payloadType" | "signatures"));
        let signatures = members.get_mut("signatures").and_then(Value::as_array_mut);
        for signature in signatures.into_iter().flatten() {
            if let Value::Object(members) = signature {
                members.retain(|name, _| matches!(&**name, "keyid" | "sig"));
            }
        }
    }
    document
}

/// The PAE up to the payload, with room for that.
fn pae_header(payload_type: &str, payload: usize) -> Vec<u8> {
    let header = format!("DSSEv1 {} {payload_type} {payload} ", payload_type.len());
    // The decoder takes room for the padding too.
    let mut pae = Vec::with_capacity(header.len() + payload + 3);
    pae.extend_from_slice(header.as_bytes());
    pae
}

/// The bytes that canonical base64 stands for.
fn decoded_size(text: &[u8]) -> usize {
    let padding = text.iter().rev().take_while(|byte| **byte == b'=').count();
    (text.len() - padding) * 3 / 4
}

/// Appends what `text` stands for, in either alphabet; padding and trailing bits must be canonical.
fn decode(text: &[u8], bytes: &mut Vec<u8>) -> Option<()> {
    let begin = bytes.len();
    if STANDARD.decode_vec(text, bytes).is_err() {
        bytes.truncate(begin);
        URL_SAFE.decode_vec(text, bytes).ok()?;
    }
    // SECURITY: the PAE tells the size of its payload before that is there.
    (bytes.len() == begin + decoded_size(text)).then_some(())
}

#[cfg(test)]
mod tests {
    use super::super::private_key::SecretKey;
    use super::*;

    fn parse(text: &str) -> Result<Envelope, EnvelopeError> {
        Envelope::parse(text.as_bytes(), &Limits::default())
    }

    #[test]
    fn pae_matches_the_published_example() {
        // DSSE protocol.md: PAE("http://example.com/HelloWorld", "hello world").
        let envelope = Envelope::new("http://example.com/HelloWorld", b"hello world");
        assert_eq!(
            envelope.pae(),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn round_trips_and_signs_once() {
        let mut envelope = Envelope::new(STATEMENT_PAYLOAD_TYPE, b"{}");
        let key = SecretKey::from_seed(&[1; 32]);
        assert_eq!(envelope.sign(&key), Ok(true));
        assert_eq!(envelope.sign(&key), Ok(false));
        assert_eq!(parse(&envelope.to_json()), Ok(envelope));
    }

    #[test]
    fn both_alphabets_are_read_and_only_canonically() {
        let with = |payload: &str| {
            let sig = STANDARD.encode([0; 64]);
            parse(&format!(
                r#"{{"payloadType":"t","payload":"{payload}","signatures":[{{"sig":"{sig}"}}]}}"#
            ))
        };
        assert_eq!(
            with("+/+/").unwrap().payload(),
            with("-_-_").unwrap().payload()
        );
        for payload in ["YQ", "YR==", "YQ==\\n", "Y Q=", "+_+_", "YQ=", "YQ==="] {
            assert!(
                matches!(with(payload), Err(EnvelopeError::Base64 { .. })),
                "{payload}"
            );
        }
    }

    /// An envelope is read without its payload only where the whole is read as the same.
    #[test]
    fn a_payload_apart_is_the_payload_of_the_whole() {
        let mut envelope = Envelope::new(STATEMENT_PAYLOAD_TYPE, b"any payload");
        envelope.sign(&SecretKey::from_seed(&[1; 32])).unwrap();
        let text = envelope.to_json();
        let limits = Limits::default();
        let apart = |bytes: &[u8]| Envelope::parse_apart(bytes, &limits);
        assert_eq!(apart(text.as_bytes()), Some(envelope));
        let is_alike = |bytes: &[u8]| {
            if let Some(read) = apart(bytes) {
                let wire: EnvelopeV1<'_> = json::from_slice(bytes).unwrap();
                let whole = Envelope::of_wire(&wire, wire.payload.as_bytes(), &limits);
                assert_eq!(Ok(read), whole, "{}", bytes.escape_ascii());
            }
        };
        for insert in [
            "\"",
            "\\",
            ",",
            ":",
            "{",
            "}",
            " ",
            "=",
            "A",
            "\\u0041",
            "\u{0}",
            "é",
            "\"payload\": \"\",",
            "\"payload\":\"QQ==\",",
            "\"x\": \"payload\",",
            "\\\"payload\": \"",
            "\"payload\"",
            "\"payload\": ",
        ] {
            for at in 0..=text.len() {
                let (before, after) = text.split_at(at);
                is_alike(format!("{before}{insert}{after}").as_bytes());
            }
        }
        for at in 0..text.len() {
            for byte in [b'"', b'\\', b',', b'=', b'A', b'{', 0, 0xff] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                is_alike(&bytes);
            }
            is_alike(text.get(at..).unwrap_or_default().as_bytes());
        }
    }

    #[test]
    fn unknown_members_are_ignored_and_held_to_strict_json() {
        let mut envelope = Envelope::new("type", b"{}");
        envelope.sign(&SecretKey::from_seed(&[1; 32])).unwrap();
        let text = envelope.to_json();
        let with = |member: &str| {
            let outside = text.replacen('{', &format!("{{{member},"), 1);
            let inside = text.replacen("{\"keyid\"", &format!("{{{member},\"keyid\""), 1);
            assert!(outside != text && inside != text && outside != inside);
            [parse(&outside), parse(&inside)]
        };
        for known in with(r#""cert": {"a": [1, "b"]}, "\u0063": null"#) {
            assert_eq!(known.as_ref(), Ok(&envelope));
        }
        for member in [r#""a":1,"a":1"#, r#""a":{"b":1,"b":1}"#, r#""a":1e300"#] {
            for refused in with(member) {
                assert!(matches!(refused, Err(EnvelopeError::Json(_))), "{member}");
            }
        }
    }

    #[test]
    fn each_defect_has_its_own_error() {
        let sig = STANDARD.encode([0; 64]);
        let many = format!("{{\"sig\":\"{sig}\"}},").repeat(64) + &format!("{{\"sig\":\"{sig}\"}}");
        let envelope = |signatures: &str| {
            format!(r#"{{"payloadType":"t","payload":"","signatures":[{signatures}]}}"#)
        };
        assert!(matches!(parse(""), Err(EnvelopeError::Json(_))));
        assert!(matches!(parse("{}"), Err(EnvelopeError::Shape { .. })));
        for list in [
            format!(r#"["","t",[{{"sig":"{sig}"}}]]"#),
            envelope(&format!(r#"["","{sig}"]"#)),
            envelope(&format!(r#"["","{sig}"]"#)).replace('{', r#"{"more":1,"#),
            format!(r#"["{}","t",[{{"sig":"{sig}"}}]]"#, "A".repeat(LONG)),
        ] {
            let refused = parse(&list);
            let is_shape = matches!(refused, Err(EnvelopeError::Shape { .. }));
            assert!(is_shape, "{refused:?}");
        }
        assert_eq!(parse(&envelope("")), Err(EnvelopeError::NoSignatures));
        assert!(matches!(
            parse(&envelope(r#"{"sig":""}"#)),
            Err(EnvelopeError::SignatureLength { index: 0, size: 0 })
        ));
        assert!(matches!(
            parse(&envelope(&many)),
            Err(EnvelopeError::TooManySignatures { count: 65, .. })
        ));
        let small = Limits {
            envelope_bytes: 4,
            ..Limits::default()
        };
        assert!(matches!(
            Envelope::parse(b"12345", &small),
            Err(EnvelopeError::TooLarge { .. })
        ));
    }
}
