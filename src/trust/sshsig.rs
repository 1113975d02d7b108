//! SSH signatures (OpenSSH's PROTOCOL.sshsig): what `ssh-keygen -Y sign` makes and `ssh-keygen -Y verify` takes.
//!
//! A signature says which key made it, and that key is whoever the maker likes: [`SshSignature::verify`] tells *which key*
//! signed, [`enrolled`] *whose* it is. Read strictly where OpenSSH is lenient: ed25519 only, no weak key, one encoding of
//! a blob, version 1, an empty `reserved`, and `S` in range.
//!
//! SHA-1 is no hash of an SSH signature, and other algorithms, certificates and FIDO keys are refused by name.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh_key::encoding::{Decode as _, Encode as _, Reader as _};
use ssh_key::public::{Ed25519PublicKey, KeyData};
use ssh_key::{Algorithm, HashAlg, LineEnding, Signature, SshSig};

use super::allowed_signers::BUNDLE_SIGNATURE_NAMESPACE;
use super::key_holder::{KeyHolder, SIGNATURE_BYTES, SigningError, signature};
use super::keys::{KeyError, KeyId, PublicKey};
use super::root::TrustRoot;
use super::verify::{VerifyError, check_revocation};
use crate::bundle::{Signer, Statement, StatementError};
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::name::{Namespace, PrincipalName, RoleName};

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// Why an SSH signature does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SshSigError {
    /// Not an armored signature, or one that is not written the one way.
    #[error("not an SSH signature: {reason}")]
    Format {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Made by a key that is never accepted.
    #[error("the SSH signature's key is refused: {0}")]
    Key(#[from] KeyError),
    /// Made for something else.
    #[error("the SSH signature is for the namespace `{}`, not `{}`", found.escape_debug(), expected.escape_debug())]
    Namespace {
        /// The namespace that was wanted.
        expected: String,
        /// The namespace in the signature.
        found: String,
    },
    /// Not a signature of these bytes.
    #[error("the SSH signature that names {keyid} does not fit these bytes")]
    Mismatch {
        /// The key that the signature names.
        keyid: KeyId,
    },
    /// A key that the trust root does not know.
    #[error("the SSH signature is by {keyid}, which is nobody's key in the trust root")]
    Stranger {
        /// The key.
        keyid: KeyId,
    },
    /// A key that the trust root revokes.
    #[error("the SSH signature is by {keyid} of `{principal}`, which the trust root revokes")]
    Revoked {
        /// The key.
        keyid: KeyId,
        /// Whose it was.
        principal: PrincipalName,
    },
    /// A principal who may not sign this.
    #[error(
        "the SSH signature is by `{principal}`, who does not speak for the namespace `{namespace}`"
    )]
    Role {
        /// Who signed.
        principal: PrincipalName,
        /// What the statement is for.
        namespace: Namespace,
        /// The role that speaks for it, if there is one.
        role: Option<RoleName>,
    },
    /// What was signed is not a statement of ours.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// What was signed is revoked.
    #[error(transparent)]
    Verify(Box<VerifyError>),
}

impl SshSigError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Format { .. } => Code::SSHSIG_FORMAT,
            Self::Key(KeyError::Weak) => Code::KEY_WEAK,
            Self::Key(_) => Code::SSHSIG_KEY,
            Self::Namespace { .. } => Code::SSHSIG_NAMESPACE,
            Self::Mismatch { .. } => Code::SSHSIG_MISMATCH,
            Self::Stranger { .. } | Self::Role { .. } => Code::SSHSIG_SIGNER,
            Self::Revoked { .. } => Code::SSHSIG_REVOKED,
            Self::Statement(error) => error.code(),
            Self::Verify(error) => error.code(),
        }
    }
}

const fn format(reason: &'static str) -> SshSigError {
    SshSigError::Format { reason }
}

/// An SSH signature by an ed25519 key. Of what, [`verify`](Self::verify) tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    key: PublicKey,
    namespace: String,
    hash: HashAlg,
    signature: [u8; SIGNATURE_BYTES],
}

impl SshSignature {
    /// Bytes of the longest armored signature read; one of ed25519 has some 300, one of RSA some 2000.
    pub const MAX_BYTES: usize = 8 << 10;

    /// Reads an armored signature. Lines may end in CRLF and have any length; white space around the armor is ignored.
    ///
    /// # Errors
    /// [`SshSigError::Format`] or [`SshSigError::Key`].
    pub fn parse(armored: &[u8]) -> Result<Self, SshSigError> {
        Self::from_blob(&unarmor(armored)?)
    }

    fn from_blob(blob: &[u8]) -> Result<Self, SshSigError> {
        // The key comes first in words too: an unknown algorithm does not decode further.
        let key = PublicKey::from_blob(&key_blob(blob)?)?;
        let malformed = format("its fields do not decode");
        let mut rest = blob;
        let parsed = SshSig::decode(&mut rest).map_err(|_| malformed.clone())?;
        // SECURITY: one signature, one blob. `ssh-keygen` skips `reserved` and does not sign it, so anyone could fill it.
        if parsed.encode_vec().ok().as_deref() != Some(blob) {
            return Err(malformed);
        }
        if parsed.version() != SshSig::VERSION {
            return Err(format("its version is not 1"));
        }
        if !parsed.reserved().is_empty() {
            return Err(format("its `reserved` field is not empty"));
        }
        let signature = match parsed.algorithm() {
            Algorithm::Ed25519 => parsed.signature_bytes().try_into().ok(),
            _ => None,
        };
        Ok(Self {
            key,
            namespace: parsed.namespace().to_owned(),
            hash: parsed.hash_alg(),
            signature: signature.ok_or(format("its signature is not ed25519's"))?,
        })
    }

    /// Signs `message` in `namespace`, with SHA-512 as `ssh-keygen` does.
    ///
    /// # Errors
    /// [`SigningError`] when whoever holds the key gives no signature, or a wrong one.
    pub fn sign<H: KeyHolder + ?Sized>(
        holder: &H,
        namespace: &str,
        message: &[u8],
    ) -> Result<Self, SigningError> {
        let hash = HashAlg::Sha512;
        Ok(Self {
            key: holder.public(),
            namespace: namespace.to_owned(),
            hash,
            signature: signature(holder, &signed_data(namespace, hash, message))?,
        })
    }

    /// The key that made the signature: of this `message`, for this `namespace`, in the strict sense. Whose key it is, the
    /// trust root tells: [`enrolled`].
    ///
    /// # Errors
    /// [`SshSigError::Namespace`] or [`SshSigError::Mismatch`].
    pub fn verify(&self, namespace: &str, message: &[u8]) -> Result<&PublicKey, SshSigError> {
        if self.namespace != namespace {
            return Err(SshSigError::Namespace {
                expected: namespace.to_owned(),
                found: self.namespace.chars().take(120).collect(),
            });
        }
        let data = signed_data(namespace, self.hash, message);
        if self.key.verify(&data, &self.signature) {
            Ok(&self.key)
        } else {
            let keyid = self.key.id();
            Err(SshSigError::Mismatch { keyid })
        }
    }

    /// The key that it names. A claim, until [`verify`](Self::verify) has passed.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// The namespace that it names.
    #[must_use]
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The armored form, as `ssh-keygen -Y sign` writes it.
    #[must_use]
    pub fn to_armored(&self) -> String {
        let key = KeyData::Ed25519(Ed25519PublicKey(*self.key.as_bytes()));
        // Encoding 64 bytes in memory has no way to fail; a namespace is not empty, or it would not have been signed.
        Signature::new(Algorithm::Ed25519, self.signature)
            .and_then(|signature| SshSig::new(key, &*self.namespace, self.hash, signature))
            .and_then(|blob| blob.to_pem(LineEnding::LF))
            .unwrap_or_default()
    }
}

/// What an SSH signature covers.
fn signed_data(namespace: &str, hash: HashAlg, message: &[u8]) -> Vec<u8> {
    // Only an empty namespace fails, and then nothing fits the signature.
    SshSig::signed_data(namespace, hash, message).unwrap_or_default()
}

fn unarmor(armored: &[u8]) -> Result<Vec<u8>, SshSigError> {
    if armored.len() > SshSignature::MAX_BYTES {
        return Err(format("it has more than 8 KiB"));
    }
    let text = std::str::from_utf8(armored).map_err(|_| format("it is not text"))?;
    let mut lines = text.trim_ascii().lines();
    if lines.next() != Some(BEGIN) {
        return Err(format(
            "it does not begin with `-----BEGIN SSH SIGNATURE-----`",
        ));
    }
    if lines.next_back() != Some(END) {
        return Err(format("it does not end with `-----END SSH SIGNATURE-----`"));
    }
    let base64: String = lines.collect();
    STANDARD
        .decode(base64)
        .map_err(|_| format("between its first and last line is no canonical base64"))
}

/// The public key inside a blob: after the magic and the version.
fn key_blob(blob: &[u8]) -> Result<Vec<u8>, SshSigError> {
    let mut rest = blob
        .strip_prefix(b"SSHSIG")
        .ok_or(format("its magic is not `SSHSIG`"))?;
    u32::decode(&mut rest)
        .and_then(|_| {
            rest.read_prefixed(|key| {
                let mut bytes = vec![0; key.remaining_len()];
                key.read(&mut bytes)?;
                Ok(bytes)
            })
        })
        .map_err(|_: ssh_key::encoding::Error| format("its fields do not decode"))
}

/// Whose key it is, unless the trust root revokes it.
///
/// # Errors
/// [`SshSigError::Stranger`] or [`SshSigError::Revoked`].
pub fn enrolled(root: &TrustRoot, key: &PublicKey) -> Result<Signer, SshSigError> {
    let keyid = key.id();
    let document = root.document();
    match document.owner_of(key).cloned() {
        None => Err(SshSigError::Stranger { keyid }),
        Some(principal) if document.revoked.keys.contains(&keyid) => {
            Err(SshSigError::Revoked { keyid, principal })
        }
        Some(principal) => Ok(Signer {
            principal,
            keyid: keyid.as_str().to_owned(),
        }),
    }
}

/// Checks an armored SSH signature of a bundle's statement: an unrevoked key of a member of the role that speaks for the
/// statement's namespace made it, over exactly `payload`, which is not revoked.
///
/// One such signature says what one member says. It replaces no threshold and no [`verify`](super::verify): files, epoch,
/// times and the high-water mark are not looked at.
///
/// # Errors
/// [`SshSigError`] for the first check that fails.
pub fn check_statement_signature(
    payload: &[u8],
    armored: &[u8],
    root: &TrustRoot,
) -> Result<(Statement, Signer), SshSigError> {
    let signature = SshSignature::parse(armored)?;
    let key = signature.verify(BUNDLE_SIGNATURE_NAMESPACE, payload)?;
    let signer = enrolled(root, key)?;
    let statement = Statement::parse(payload)?;
    let predicate = &statement.predicate;
    let name = root.document().publisher_of(&predicate.namespace);
    let role = name.and_then(|name| root.document().roles.get(name));
    // A signer speaks only for what was delegated to them.
    if !role.is_some_and(|role| role.principals.contains(&signer.principal)) {
        return Err(SshSigError::Role {
            principal: signer.principal,
            namespace: predicate.namespace.clone(),
            role: name.cloned(),
        });
    }
    check_revocation(predicate, Sha256Digest::of(payload), root)
        .map_err(|error| SshSigError::Verify(Box::new(error)))?;
    Ok((statement, signer))
}

#[cfg(test)]
mod tests;
