//! Signers of other people's making: a key management service, a token, a machine that keeps the key.
//!
//! The protocol, which docs/keys.md describes to those who write one. The program is run, without a shell, with one more
//! argument than the command line says:
//!
//! - `public-key`: it prints the public key, OpenSSH or PEM;
//! - `sign`: it reads what is to be signed from standard input, to its end, and prints the ed25519 signature of exactly those
//!   bytes: 64 raw bytes, or their standard base64. `ORDAIN_SIGNER_PUBLIC_KEY` holds the key that is meant.
//!
//! `ORDAIN_SIGNER_PROTOCOL` is `1`. The public key is the program's word only until a signature under it has been checked.

use std::process::Command;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{MAX_KEY_FILE_BYTES, child};
use crate::cli::report::Failure;
use crate::cli::ui;
use crate::diag::Code;
use crate::trust::{KeyError, KeyHolder, PublicKey, SIGNATURE_BYTES, SigningError};

/// Bytes of the longest answer to `sign`: base64 takes 88 and a line end.
const MAX_ANSWER: usize = 256;

/// A key that a program keeps.
#[derive(Debug)]
pub(super) struct ExternalSigner {
    line: String,
    timeout: Duration,
    key: PublicKey,
}

impl ExternalSigner {
    /// Asks the program for its public key.
    pub(super) fn start(line: &str, timeout: Duration) -> Result<Self, Failure> {
        let failed = |reason: String| {
            let name = name(line);
            let message = format!("the signer `{name}` gave no public key: {reason}");
            Failure::new(Code::SIGNER_PROGRAM, message)
        };
        let command = command(line, Verb::PublicKey);
        let answer = child::run(command, &name(line), b"", MAX_KEY_FILE_BYTES, timeout);
        let answer = answer.map_err(failed)?;
        let text = std::str::from_utf8(&answer);
        let text = text.map_err(|_| failed("what it answered is no text".to_owned()))?;
        let key = text.parse().map_err(|error: KeyError| match error {
            KeyError::Format => failed(format!("what it answered is {error}")),
            error => {
                let message = format!("the signer `{}` holds {error}", name(line));
                Failure::new(error.code(), message)
            }
        })?;
        let line = line.to_owned();
        Ok(Self { line, timeout, key })
    }
}

impl KeyHolder for ExternalSigner {
    fn public(&self) -> PublicKey {
        self.key.clone()
    }

    fn ask(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SigningError> {
        let failed = |reason: String| SigningError::Program {
            program: name(&self.line),
            reason,
        };
        let command = command(&self.line, Verb::Sign(&self.key));
        let name = name(&self.line);
        let answer = child::run(command, &name, message, MAX_ANSWER, self.timeout);
        let answer = answer.map_err(failed)?;
        decode(&answer).ok_or_else(|| {
            failed(format!(
                "it answered {} bytes that are neither 64 raw bytes nor their base64",
                answer.len()
            ))
        })
    }
}

/// What a program is asked.
enum Verb<'a> {
    PublicKey,
    Sign(&'a PublicKey),
}

fn command(line: &str, verb: Verb<'_>) -> Command {
    let mut words = line.split_whitespace();
    let mut command = child::command(words.next().unwrap_or_default());
    command.args(words).env("ORDAIN_SIGNER_PROTOCOL", "1");
    match verb {
        Verb::PublicKey => command.arg("public-key"),
        Verb::Sign(key) => command
            .arg("sign")
            .env("ORDAIN_SIGNER_PUBLIC_KEY", key.to_openssh()),
    };
    command
}

/// The program's name, for messages.
fn name(line: &str) -> String {
    ui::escape(line.split_whitespace().next().unwrap_or_default())
}

fn decode(answer: &[u8]) -> Option<[u8; SIGNATURE_BYTES]> {
    let raw = answer.try_into().ok();
    raw.or_else(|| STANDARD.decode(answer.trim_ascii()).ok()?.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_raw_or_base64() {
        let bytes: [u8; 64] = std::array::from_fn(|index| u8::try_from(index).unwrap());
        assert_eq!(decode(&bytes), Some(bytes));
        let text = STANDARD.encode(bytes);
        assert_eq!(decode(text.as_bytes()), Some(bytes));
        assert_eq!(decode(format!("{text}\r\n").as_bytes()), Some(bytes));
        for wrong in [
            &bytes[..63],
            &[&bytes[..], b"\n"].concat(),
            b"",
            STANDARD.encode(&bytes[..63]).as_bytes(),
            text.trim_end_matches('=').as_bytes(),
        ] {
            assert_eq!(decode(wrong), None);
        }
    }
}
