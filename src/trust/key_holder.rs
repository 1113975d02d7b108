//! Signatures by keys that need not be in this process: in memory, in ssh-agent, behind a program.
//!
//! INVARIANT: whoever holds the key is asked, and not believed. [`signature`] is the only way from a [`KeyHolder`] to a
//! signature that is kept, and it lets nothing through that the key's owner could not have made.
//!
//! It does no I/O: those who talk to an agent or a program implement [`KeyHolder`] elsewhere.

use std::fmt;

use super::keys::{KeyId, PublicKey};
use super::private_key::SecretKey;
use crate::diag::Code;

/// Bytes of an ed25519 signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Why there is no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningError {
    /// ssh-agent gave none.
    #[error("ssh-agent gave no signature by {keyid}: {reason}")]
    Agent {
        /// The key that was to sign.
        keyid: KeyId,
        /// What happened, fit for a terminal.
        reason: String,
    },
    /// An external signer gave none.
    #[error("the signer `{program}` gave no signature: {reason}")]
    Program {
        /// The program, fit for a terminal.
        program: String,
        /// What happened, fit for a terminal.
        reason: String,
    },
    /// 64 bytes came back that the key did not make of this message.
    #[error("what came back is not a signature by {keyid} of what was to be signed")]
    Wrong {
        /// The key that was to sign.
        keyid: KeyId,
    },
}

impl SigningError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Agent { .. } => Code::AGENT_ANSWER,
            Self::Program { .. } => Code::SIGNER_PROGRAM,
            Self::Wrong { .. } => Code::SIGNATURE_WRONG,
        }
    }
}

/// Whoever can sign with a private key: the key itself, or someone who keeps it.
pub trait KeyHolder: fmt::Debug {
    /// The public half of the key.
    fn public(&self) -> PublicKey;

    /// Asks for the ed25519 signature of `message`. The answer is not to be trusted.
    ///
    /// # Errors
    /// [`SigningError`] when no signature came.
    fn ask(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SigningError>;
}

impl KeyHolder for SecretKey {
    fn public(&self) -> PublicKey {
        Self::public(self)
    }

    fn ask(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SigningError> {
        Ok(self.sign(message))
    }
}

impl<H: KeyHolder + ?Sized> KeyHolder for Box<H> {
    fn public(&self) -> PublicKey {
        (**self).public()
    }

    fn ask(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SigningError> {
        (**self).ask(message)
    }
}

/// The signature of `message` by whoever holds the key, checked.
///
/// # Errors
/// [`SigningError`] when none came, or not one by this key of this message.
pub(super) fn signature<H: KeyHolder + ?Sized>(
    holder: &H,
    message: &[u8],
) -> Result<[u8; SIGNATURE_BYTES], SigningError> {
    let public = holder.public();
    let signature = holder.ask(message)?;
    // SECURITY: strict, and a `PublicKey` is never weak: an agent that lies, or a fault in a token, ends here and not in a
    // published envelope. (A faulty deterministic signature also gives the private key away.)
    if public.verify(message, &signature) {
        Ok(signature)
    } else {
        Err(SigningError::Wrong { keyid: public.id() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signs with another key, or something else, than it says.
    #[derive(Debug)]
    struct Liar {
        says: PublicKey,
        signs: SecretKey,
        suffix: &'static [u8],
    }

    impl KeyHolder for Liar {
        fn public(&self) -> PublicKey {
            self.says.clone()
        }

        fn ask(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SigningError> {
            Ok(self.signs.sign(&[message, self.suffix].concat()))
        }
    }

    #[test]
    fn what_a_holder_says_is_checked() {
        let key = SecretKey::from_seed(&[1; 32]);
        let liar = |says: &SecretKey, suffix| {
            let (says, signs) = (says.public(), key.clone());
            Box::new(Liar {
                says,
                signs,
                suffix,
            }) as Box<dyn KeyHolder>
        };
        assert_eq!(
            signature(&liar(&key, b""), b"message"),
            Ok(key.sign(b"message"))
        );
        let other = SecretKey::from_seed(&[2; 32]);
        for (says, suffix) in [(&other, &b""[..]), (&key, b"!")] {
            let error = signature(&liar(says, suffix), b"message").unwrap_err();
            assert_eq!(error.code(), Code::SIGNATURE_WRONG);
        }
    }
}
