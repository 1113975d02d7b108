//! Private keys: OpenSSH and PEM (PKCS#8), encrypted or not.

use std::fmt;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, KeypairBytes};
use ed25519_dalek::{Signer as _, SigningKey};
use zeroize::Zeroizing;

use super::keys::{MAX_KEY_BYTES, PublicKey};
use crate::diag::Code;

/// A passphrase, wiped when dropped.
pub type Passphrase = Zeroizing<String>;

/// Why a private key cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrivateKeyError {
    /// Neither OpenSSH nor PKCS#8.
    #[error(
        "not a private key: expected `-----BEGIN OPENSSH PRIVATE KEY-----` or `-----BEGIN PRIVATE KEY-----`"
    )]
    Format,
    /// A public key where a private one is needed.
    #[error("a public key where a private key is needed")]
    Public,
    /// A key of another algorithm.
    #[error("a private key of another algorithm: only ed25519 keys are accepted")]
    Algorithm,
    /// Encrypted, and no passphrase was given.
    #[error("the key is encrypted and no passphrase was given")]
    PassphraseNeeded,
    /// Encrypted, and the passphrase is not its own.
    #[error("the passphrase does not open the key")]
    PassphraseWrong,
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl PrivateKeyError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Format | Self::Public => Code::PRIVATE_KEY_FORMAT,
            Self::Algorithm => Code::KEY_ALGORITHM,
            Self::PassphraseNeeded | Self::PassphraseWrong => Code::PASSPHRASE,
            Self::Random => Code::RANDOM,
        }
    }
}

/// How a private key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrivateKeyFormat {
    /// As `ssh-keygen -t ed25519` writes it.
    OpenSsh,
    /// PKCS#8, as `openssl genpkey -algorithm ed25519` writes it.
    Pem,
}

/// An ed25519 private key. It never shows its bytes.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

impl SecretKey {
    /// Makes a key from the operating system's random bytes.
    ///
    /// # Errors
    /// [`PrivateKeyError::Random`].
    pub fn generate() -> Result<Self, PrivateKeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut()).map_err(|_| PrivateKeyError::Random)?;
        Ok(Self::from_seed(&seed))
    }

    /// The key of a 32-byte seed (RFC 8032, section 5.1.5).
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey::from(&self.0)
    }

    /// Signs `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// Reads a key file; `passphrase` is asked only when the key is encrypted.
    ///
    /// # Errors
    /// [`PrivateKeyError`] for what is wrong with the key or its passphrase, and whatever `passphrase` fails with.
    pub fn parse<E: From<PrivateKeyError>>(
        text: &str,
        passphrase: impl FnOnce() -> Result<Passphrase, E>,
    ) -> Result<Self, E> {
        let text = text.trim();
        if text.len() > MAX_KEY_BYTES {
            return Err(PrivateKeyError::Format.into());
        }
        if text.starts_with("-----BEGIN OPENSSH PRIVATE KEY-----") {
            Self::parse_openssh(text, passphrase)
        } else if text.starts_with("-----BEGIN PRIVATE KEY-----") {
            // dalek says the same of every PKCS#8 key that is not its own.
            let key = SigningKey::from_pkcs8_pem(text).map_err(|_| PrivateKeyError::Algorithm)?;
            Ok(Self(key))
        } else if text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----") {
            let key = pkcs8::SecretDocument::from_pem(text)
                .map_err(|_| PrivateKeyError::Format)?
                .1;
            let key = pkcs8::EncryptedPrivateKeyInfoRef::try_from(key.as_bytes())
                .map_err(|_| PrivateKeyError::Format)?;
            let key = key
                .decrypt(passphrase()?.as_bytes())
                .map_err(|_| PrivateKeyError::PassphraseWrong)?;
            let key = SigningKey::from_pkcs8_der(key.as_bytes())
                .map_err(|_| PrivateKeyError::Algorithm)?;
            Ok(Self(key))
        } else if text.parse::<PublicKey>().is_ok() {
            Err(PrivateKeyError::Public.into())
        } else {
            Err(PrivateKeyError::Format.into())
        }
    }

    fn parse_openssh<E: From<PrivateKeyError>>(
        text: &str,
        passphrase: impl FnOnce() -> Result<Passphrase, E>,
    ) -> Result<Self, E> {
        let mut key =
            ssh_key::PrivateKey::from_openssh(text).map_err(|_| PrivateKeyError::Format)?;
        if key.is_encrypted() {
            key = key
                .decrypt(passphrase()?.as_bytes())
                .map_err(|_| PrivateKeyError::PassphraseWrong)?;
        }
        let pair = key.key_data().ed25519().ok_or(PrivateKeyError::Algorithm)?;
        Ok(Self::from_seed(&pair.private.to_bytes()))
    }

    /// Writes the key, encrypted where a passphrase is given.
    ///
    /// # Errors
    /// [`PrivateKeyError::Random`] when encryption gets no random bytes.
    pub fn to_text(
        &self,
        format: PrivateKeyFormat,
        passphrase: Option<&Passphrase>,
        comment: &str,
    ) -> Result<Zeroizing<String>, PrivateKeyError> {
        match format {
            PrivateKeyFormat::OpenSsh => self.to_openssh(passphrase, comment),
            PrivateKeyFormat::Pem => {
                // OpenSSL 3.0 refuses PKCS#8 version 2, which carries the public key.
                let secret_key = self.0.to_bytes();
                let document = KeypairBytes {
                    secret_key,
                    public_key: None,
                }
                .to_pkcs8_der()
                .map_err(|_| PrivateKeyError::Format)?;
                match passphrase {
                    None => document
                        .to_pem("PRIVATE KEY", LineEnding::LF)
                        .map_err(|_| PrivateKeyError::Format),
                    Some(passphrase) => {
                        let info = pkcs8::PrivateKeyInfoRef::try_from(document.as_bytes())
                            .map_err(|_| PrivateKeyError::Format)?;
                        let sealed = info
                            .encrypt_with_rng(&mut getrandom::SysRng, passphrase.as_bytes())
                            .map_err(|_| PrivateKeyError::Random)?;
                        sealed
                            .to_pem("ENCRYPTED PRIVATE KEY", LineEnding::LF)
                            .map_err(|_| PrivateKeyError::Format)
                    }
                }
            }
        }
    }

    fn to_openssh(
        &self,
        passphrase: Option<&Passphrase>,
        comment: &str,
    ) -> Result<Zeroizing<String>, PrivateKeyError> {
        let pair = ssh_key::private::Ed25519Keypair::from_seed(&self.0.to_bytes());
        let mut key =
            ssh_key::PrivateKey::new(pair.into(), comment).map_err(|_| PrivateKeyError::Format)?;
        if let Some(passphrase) = passphrase {
            key = key
                .encrypt(&mut getrandom::SysRng, passphrase.as_bytes())
                .map_err(|_| PrivateKeyError::Random)?;
        }
        key.to_openssh(LineEnding::LF)
            .map_err(|_| PrivateKeyError::Format)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public().id())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn never() -> Result<Passphrase, PrivateKeyError> {
        Err(PrivateKeyError::PassphraseNeeded)
    }

    #[test]
    fn every_form_reads_back() {
        let key = SecretKey::from_seed(&[7; 32]);
        let passphrase = Passphrase::new("correct horse".to_owned());
        for format in [PrivateKeyFormat::OpenSsh, PrivateKeyFormat::Pem] {
            let plain = key.to_text(format, None, "alice").unwrap();
            assert_eq!(
                SecretKey::parse(&plain, never).unwrap().public(),
                key.public()
            );
            let sealed = key.to_text(format, Some(&passphrase), "alice").unwrap();
            let open = |text: &str| {
                SecretKey::parse(&sealed, || {
                    Ok::<_, PrivateKeyError>(Passphrase::new(text.to_owned()))
                })
            };
            assert_eq!(open("correct horse").unwrap().public(), key.public());
            assert_eq!(open("wrong").unwrap_err(), PrivateKeyError::PassphraseWrong);
            assert_eq!(
                SecretKey::parse(&sealed, never).unwrap_err(),
                PrivateKeyError::PassphraseNeeded
            );
        }
    }

    #[test]
    fn a_key_never_shows_its_bytes() {
        let key = SecretKey::from_seed(&[7; 32]);
        assert_eq!(
            format!("{key:?}"),
            format!("SecretKey({})", key.public().id())
        );
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        let public = SecretKey::from_seed(&[7; 32]).public().to_openssh();
        for (text, error) in [
            (public.as_str(), PrivateKeyError::Public),
            ("", PrivateKeyError::Format),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\n!\n-----END OPENSSH PRIVATE KEY-----",
                PrivateKeyError::Format,
            ),
            (
                "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
                PrivateKeyError::Algorithm,
            ),
        ] {
            assert_eq!(SecretKey::parse(text, never).unwrap_err(), error);
        }
    }
}
