//! Key files: reading them with or without a passphrase.

use std::io::Read as _;
use std::path::Path;

use super::env::Environment;
use super::report::Failure;
use super::ui;
use crate::diag::Code;
use crate::trust::{Passphrase, PrivateKeyError, PublicKey, SecretKey};

/// Bytes of the largest key file read.
const MAX_KEY_FILE_BYTES: u64 = 16 << 10;

/// Reads a file that must be small.
pub(crate) fn read_small(path: &Path, limit: u64) -> Result<String, Failure> {
    let name = ui::escape(&path.display().to_string());
    let unreadable = |error: std::io::Error| {
        Failure::new(
            Code::FILE_UNREADABLE,
            format!("cannot read `{name}`: {error}"),
        )
    };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut text = String::new();
    file.take(limit + 1)
        .read_to_string(&mut text)
        .map_err(unreadable)?;
    if text.len() as u64 > limit {
        return Err(Failure::new(
            Code::FILE_UNREADABLE,
            format!("`{name}` has more than {limit} bytes"),
        ));
    }
    Ok(text)
}

/// Reads a private key; asks for the passphrase where the key has one.
pub(crate) fn private(env: &Environment, path: &Path) -> Result<SecretKey, Failure> {
    let text = zeroize::Zeroizing::new(read_small(path, MAX_KEY_FILE_BYTES)?);
    warn_if_shared(path);
    let name = ui::escape(&path.display().to_string());
    SecretKey::parse(&text, || {
        passphrase(env, &format!("passphrase for `{name}`: "))
    })
    .map_err(|error| Failure::from(error).about(&format!("`{name}`")))
}

/// Reads a public key from its own file, or from a private key's.
pub(crate) fn public(
    env: &Environment,
    path: &Path,
) -> Result<(PublicKey, Option<SecretKey>), Failure> {
    let text = zeroize::Zeroizing::new(read_small(path, MAX_KEY_FILE_BYTES)?);
    if text.contains("PRIVATE KEY-----") {
        let key = private(env, path)?;
        return Ok((key.public(), Some(key)));
    }
    let name = ui::escape(&path.display().to_string());
    match text.parse::<PublicKey>() {
        Ok(key) => Ok((key, None)),
        Err(error) => Err(Failure::new(error.code(), format!("`{name}` is {error}"))),
    }
}

/// The passphrase from the environment, or from a person.
pub(crate) fn passphrase(env: &Environment, prompt: &str) -> Result<Passphrase, PrivateKeyError> {
    if let Some(passphrase) = &env.passphrase {
        return Ok(Passphrase::new(passphrase.clone()));
    }
    if !env.terminal {
        return Err(PrivateKeyError::PassphraseNeeded);
    }
    rpassword::prompt_password(prompt)
        .map(Passphrase::new)
        .map_err(|_| PrivateKeyError::PassphraseNeeded)
}

fn warn_if_shared(path: &Path) {
    use std::os::unix::fs::MetadataExt as _;
    if path.metadata().is_ok_and(|meta| meta.mode() & 0o077 != 0) {
        let name = ui::escape(&path.display().to_string());
        ui::note(&format!(
            "warning: others may read the private key `{name}`; run `chmod 600` on it"
        ));
    }
}
