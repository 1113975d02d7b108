//! What is said to ssh-agent and what it answers (draft-ietf-sshm-ssh-agent, sections 3.5 and 3.6): bytes in, bytes out.
//!
//! An agent is often forwarded from another machine, so every answer is hostile until it is parsed: each length is held
//! against what is there, trailing bytes are refused, and a message beyond [`MAX_AGENT_MESSAGE`] is never read. The socket
//! and its deadline are the caller's.

use ssh_key::encoding::{Decode as _, Encode as _, Reader};
use ssh_key::{Algorithm, Signature};

use super::key_holder::SIGNATURE_BYTES;
use super::keys::{KeyError, KeyId, PublicKey};
use crate::diag::Code;

/// Bytes of the longest message, either way; OpenSSH's own limit (`AGENT_MAX_LEN`).
pub const MAX_AGENT_MESSAGE: usize = 256 << 10;

const FAILURE: u8 = 5;
const REQUEST_IDENTITIES: u8 = 11;
const IDENTITIES_ANSWER: u8 = 12;
const SIGN_REQUEST: u8 = 13;
const SIGN_RESPONSE: u8 = 14;

/// What is wrong with an agent's answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The agent said no: the key is not there, or its user did not confirm.
    #[error("it refused")]
    Refused,
    /// A message of another type than was asked for.
    #[error("its answer is a message of type {found}, not {expected}")]
    Type {
        /// The type that was wanted.
        expected: u8,
        /// The type that came.
        found: u8,
    },
    /// Lengths that do not fit, or bytes left over.
    #[error("its answer is malformed")]
    Malformed,
    /// A signature that is not ed25519.
    #[error("its signature is of type `{}`, not `ssh-ed25519`", algorithm.escape_debug())]
    Algorithm {
        /// What it is.
        algorithm: String,
    },
    /// More to sign than fits into a message.
    #[error(
        "there are {size} bytes to sign, and an agent takes no message beyond {MAX_AGENT_MESSAGE}: sign with a key file"
    )]
    TooLarge {
        /// What there is to sign, in bytes.
        size: usize,
    },
}

impl AgentError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        Code::AGENT_ANSWER
    }
}

/// What is asked of an agent.
#[derive(Debug, Clone)]
pub enum AgentRequest<'a> {
    /// Which keys it holds.
    Identities,
    /// A signature of the message by the key.
    Sign(&'a PublicKey, &'a [u8]),
}

impl AgentRequest<'_> {
    /// The message, with its length in front.
    ///
    /// # Errors
    /// [`AgentError::TooLarge`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, AgentError> {
        let mut body = Vec::new();
        let encoded = match self {
            Self::Identities => REQUEST_IDENTITIES.encode(&mut body),
            Self::Sign(key, message) => SIGN_REQUEST
                .encode(&mut body)
                .and_then(|()| key.to_blob().encode(&mut body))
                .and_then(|()| message.encode(&mut body))
                // No flags: they choose between RSA's hashes.
                .and_then(|()| 0_u32.encode(&mut body)),
        };
        let length = u32::try_from(body.len()).ok();
        let length = length.filter(|_| encoded.is_ok() && body.len() <= MAX_AGENT_MESSAGE);
        let size = match self {
            Self::Identities => 0,
            Self::Sign(_, message) => message.len(),
        };
        let length = length.ok_or(AgentError::TooLarge { size })?;
        Ok([&length.to_be_bytes()[..], &body].concat())
    }
}

/// A key that an agent holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentIdentity {
    /// The fingerprint.
    pub id: KeyId,
    /// What the agent calls it. Anybody's words.
    pub comment: String,
    /// The key, unless it is of another algorithm, or weak.
    pub key: Result<PublicKey, KeyError>,
}

/// An agent's answer, without its length.
#[derive(Debug, Clone, Copy)]
pub struct AgentAnswer<'a>(&'a [u8]);

impl<'a> AgentAnswer<'a> {
    /// Takes the body of a message.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self(body)
    }

    /// The keys, in the agent's order.
    ///
    /// # Errors
    /// [`AgentError`] for anything but a well-formed list.
    pub fn identities(self) -> Result<Vec<AgentIdentity>, AgentError> {
        let mut body = self.body(IDENTITIES_ANSWER)?;
        let malformed = |_| AgentError::Malformed;
        let count = u32::decode(&mut body).map_err(malformed)?;
        // Not allocated ahead: the count is the agent's word.
        let mut identities = Vec::new();
        for _ in 0..count {
            let blob = Vec::<u8>::decode(&mut body).map_err(malformed)?;
            let comment = Vec::<u8>::decode(&mut body).map_err(malformed)?;
            identities.push(AgentIdentity {
                id: KeyId::of_blob(&blob),
                comment: String::from_utf8_lossy(&comment).into_owned(),
                key: PublicKey::from_blob(&blob),
            });
        }
        finished(body)?;
        Ok(identities)
    }

    /// The signature. Whether it is one, and of what, is another question.
    ///
    /// # Errors
    /// [`AgentError`] for anything but a well-formed ed25519 signature.
    pub fn signature(self) -> Result<[u8; SIGNATURE_BYTES], AgentError> {
        let mut body = self.body(SIGN_RESPONSE)?;
        let signature = body
            .read_prefixed(Signature::decode)
            .map_err(|_| AgentError::Malformed)?;
        finished(body)?;
        match signature.algorithm() {
            Algorithm::Ed25519 => signature
                .as_bytes()
                .try_into()
                .map_err(|_| AgentError::Malformed),
            other => Err(AgentError::Algorithm {
                algorithm: other.to_string(),
            }),
        }
    }

    fn body(self, expected: u8) -> Result<&'a [u8], AgentError> {
        match self.0.split_first() {
            Some((&kind, body)) if kind == expected => Ok(body),
            Some((&FAILURE, _)) => Err(AgentError::Refused),
            Some((&found, _)) => Err(AgentError::Type { expected, found }),
            None => Err(AgentError::Malformed),
        }
    }
}

fn finished(rest: &[u8]) -> Result<(), AgentError> {
    if rest.is_empty() {
        Ok(())
    } else {
        Err(AgentError::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::super::private_key::SecretKey;
    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    }

    fn identities(list: &[(&[u8], &str)]) -> Vec<u8> {
        let count = u32::try_from(list.len()).unwrap().to_be_bytes();
        let mut answer = [&[IDENTITIES_ANSWER][..], &count].concat();
        for (blob, comment) in list {
            answer.extend(string(blob));
            answer.extend(string(comment.as_bytes()));
        }
        answer
    }

    #[test]
    fn requests_are_written_as_the_draft_says() {
        assert_eq!(
            AgentRequest::Identities.to_bytes(),
            Ok(vec![0, 0, 0, 1, REQUEST_IDENTITIES])
        );
        let key = SecretKey::from_seed(&[1; 32]).public();
        let bytes = AgentRequest::Sign(&key, b"message").to_bytes().unwrap();
        let blob = [string(b"ssh-ed25519"), string(key.as_bytes())].concat();
        let body = [&[13][..], &string(&blob), &string(b"message"), &[0; 4]].concat();
        assert_eq!(bytes, string(&body));
        let much = vec![0; MAX_AGENT_MESSAGE];
        assert_eq!(
            AgentRequest::Sign(&key, &much).to_bytes(),
            Err(AgentError::TooLarge { size: much.len() })
        );
    }

    #[test]
    fn keys_are_listed_with_those_that_cannot_be_used() {
        let key = SecretKey::from_seed(&[1; 32]).public();
        let weak = [string(b"ssh-ed25519"), string(&[0; 32])].concat();
        let fido = [
            string(b"sk-ssh-ed25519@openssh.com"),
            string(key.as_bytes()),
            string(b"ssh:"),
        ]
        .concat();
        let rsa = [string(b"ssh-rsa"), string(b"?")].concat();
        let blob = key.to_blob();
        let answer = identities(&[(&blob, "alice"), (&weak, ""), (&fido, "token"), (&rsa, "")]);
        let found = AgentAnswer::new(&answer).identities().unwrap();
        let keys: Vec<_> = found.iter().map(|identity| identity.key.clone()).collect();
        let algorithm = |name: &str| KeyError::Algorithm {
            algorithm: name.to_owned(),
        };
        assert_eq!(
            keys,
            [
                Ok(key.clone()),
                Err(KeyError::Weak),
                Err(algorithm("sk-ssh-ed25519@openssh.com")),
                Err(algorithm("ssh-rsa")),
            ]
        );
        assert_eq!((&found[0].id, &*found[0].comment), (&key.id(), "alice"));
    }

    #[test]
    fn lists_that_lie_are_refused() {
        let key = SecretKey::from_seed(&[1; 32]).public();
        let good = identities(&[(&key.to_blob(), "alice")]);
        for end in 1..good.len() {
            let cut = AgentAnswer::new(&good[..end]).identities();
            assert_eq!(cut, Err(AgentError::Malformed), "{end}");
        }
        let long = [&good[..], b"\0"].concat();
        assert_eq!(
            AgentAnswer::new(&long).identities(),
            Err(AgentError::Malformed)
        );
        let mut many = good;
        many[1] = 0xff;
        for (answer, error) in [
            (&many[..], AgentError::Malformed),
            (&[][..], AgentError::Malformed),
            (&[FAILURE][..], AgentError::Refused),
            (
                &[6][..],
                AgentError::Type {
                    expected: IDENTITIES_ANSWER,
                    found: 6,
                },
            ),
        ] {
            assert_eq!(AgentAnswer::new(answer).identities(), Err(error));
        }
    }

    #[test]
    fn signatures_are_64_bytes_of_ed25519() {
        let answer = |algorithm: &[u8], bytes: &[u8], more: &[u8]| {
            let blob = [string(algorithm), string(bytes)].concat();
            let answer = [&[SIGN_RESPONSE][..], &string(&blob), more].concat();
            AgentAnswer::new(&answer).signature()
        };
        assert_eq!(answer(b"ssh-ed25519", &[7; 64], b""), Ok([7; 64]));
        for (bytes, more) in [(&[7; 63][..], &b""[..]), (&[7; 65], b""), (&[7; 64], b"\0")] {
            assert_eq!(
                answer(b"ssh-ed25519", bytes, more),
                Err(AgentError::Malformed)
            );
        }
        assert!(matches!(
            answer(b"rsa-sha2-512", &[7; 64], b""),
            Err(AgentError::Algorithm { .. })
        ));
    }
}
