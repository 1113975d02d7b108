//! Keys where people have them: files, ssh-agent, variables, file descriptors, programs. [`signer`] turns the word that
//! `--key` takes into something that signs.
//!
//! Only a private key in a file, a variable or a descriptor ever enters this process, and it is wiped when it leaves.

use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::env::Environment;
use super::report::Failure;
use super::ui;
use crate::diag::Code;
use crate::trust::{AgentIdentity, KeyHolder, PrivateKeyError, PublicKey, SecretKey};

mod agent;
mod arg;
mod child;
mod external;
mod passphrase;

pub(crate) use arg::{KEY_HELP, KeyArg};
pub(crate) use passphrase::{is_typed, passphrase};

use arg::KeySource;

/// Bytes of the largest key read.
const MAX_KEY_FILE_BYTES: usize = 16 << 10;

/// Reads a file that must be small.
pub(crate) fn read_small(path: &Path, limit: u64) -> Result<String, Failure> {
    let name = shown(path);
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(|error| unreadable(&name, &error))?;
    read_into(&mut text, file, &name, limit)?;
    Ok(text)
}

fn read_into(text: &mut String, from: impl Read, name: &str, limit: u64) -> Result<(), Failure> {
    from.take(limit + 1)
        .read_to_string(text)
        .map_err(|error| unreadable(name, &error))?;
    if text.len() as u64 > limit {
        return Err(Failure::new(
            Code::FILE_UNREADABLE,
            format!("{name} has more than {limit} bytes"),
        ));
    }
    Ok(())
}

fn unreadable(name: &str, error: &std::io::Error) -> Failure {
    Failure::new(
        Code::FILE_UNREADABLE,
        format!("cannot read {name}: {error}"),
    )
}

/// Reads what may be a private key, into memory that is wiped and never moved.
fn read_secret(path: &Path, name: &str) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::with_capacity(MAX_KEY_FILE_BYTES + 1));
    let file = std::fs::File::open(path).map_err(|error| unreadable(name, &error))?;
    read_into(&mut text, file, name, MAX_KEY_FILE_BYTES as u64)?;
    Ok(text)
}

/// Finds the key that is meant, and whoever signs with it.
pub(crate) fn signer(env: &Environment, key: &KeyArg) -> Result<Box<dyn KeyHolder>, Failure> {
    Ok(match key.source() {
        KeySource::Agent(name) => Box::new(agent::AgentKey::find(env, name)?),
        KeySource::Command(line) => {
            Box::new(external::ExternalSigner::start(line, env.key_timeout)?)
        }
        KeySource::File(path) => Box::new(private(env, &env.resolve(path)).map_err(|failure| {
            if failure.code() == Some(Code::FILE_UNREADABLE) && key.to_string().contains(':') {
                failure
                    .hint("a key is a file, or begins with `agent:`, `env:`, `fd:` or `command:`")
            } else {
                failure
            }
        })?),
        KeySource::Pasted => {
            return Err(pasted());
        }
        KeySource::Variable(name) => {
            let text = Environment::secret(name).ok_or_else(|| {
                let message = format!("the variable `{name}` is not set, or empty");
                Failure::new(Code::KEY_VARIABLE, message)
            })?;
            Box::new(parse(env, &text, &format!("the variable `{name}`"))?)
        }
        KeySource::Descriptor(number) => Box::new(parse(
            env,
            &read_descriptor(*number)?,
            &descriptor(*number),
        )?),
    })
}

/// What is said to someone who gave the key itself. It does not repeat it.
pub(crate) fn pasted() -> Failure {
    let message = "a private key itself stands on the command line";
    Failure::new(Code::USAGE, message).hint(
        "others can read it there: make a new key; keep it in a file, or in a variable that `--key env:NAME` names",
    )
}

fn descriptor(number: u32) -> String {
    format!("file descriptor {number}")
}

fn read_descriptor(number: u32) -> Result<Zeroizing<String>, Failure> {
    let path = PathBuf::from(format!("/dev/fd/{number}"));
    read_secret(&path, &descriptor(number))
}

/// [`signer`] for several keys, in their order.
pub(crate) fn signers(
    env: &Environment,
    keys: &[KeyArg],
) -> Result<Vec<Box<dyn KeyHolder>>, Failure> {
    // SECURITY: programs inherit descriptors. A pipe is empty once it has been read, so all are read before any program runs;
    // a file can be read again.
    let runs_program = keys
        .iter()
        .any(|key| matches!(key.source(), KeySource::Command(_)));
    let mut texts = Vec::with_capacity(keys.len());
    for key in keys {
        texts.push(match key.source() {
            KeySource::Descriptor(number) => {
                if runs_program {
                    refuse_file(*number)?;
                }
                Some(read_descriptor(*number)?)
            }
            _ => None,
        });
    }
    keys.iter()
        .zip(texts)
        .map(|(key, text)| match (key.source(), text) {
            (KeySource::Descriptor(number), Some(text)) => {
                let key = parse(env, &text, &descriptor(*number))?;
                Ok(Box::new(key) as Box<dyn KeyHolder>)
            }
            _ => signer(env, key),
        })
        .collect()
}

/// Refuses a file that a program would inherit with the key in it. Standard input is replaced, so 0 is not inherited.
fn refuse_file(number: u32) -> Result<(), Failure> {
    let path = PathBuf::from(format!("/dev/fd/{number}"));
    if number == 0 || !path.metadata().is_ok_and(|meta| meta.is_file()) {
        return Ok(());
    }
    let message = format!(
        "{} is a file, which the program of `command:` could read too",
        descriptor(number)
    );
    Err(Failure::new(Code::USAGE, message)
        .hint("name the file itself, or give a pipe: `--key fd:3 3< <(cat key)`"))
}

/// The public half of a key, and whoever signs with it, unless it is a file with the public half alone.
pub(crate) fn public(
    env: &Environment,
    key: &KeyArg,
) -> Result<(PublicKey, Option<Box<dyn KeyHolder>>), Failure> {
    if let KeySource::File(path) = key.source() {
        let path = env.resolve(path);
        let name = shown(&path);
        let text = read_secret(&path, &name)?;
        if !text.contains("PRIVATE KEY-----") {
            return Ok((parse_public(&text, &name)?, None));
        }
        warn_if_shared(&path);
        // From the text at hand: a pipe is read but once.
        let key = parse(env, &text, &name)?;
        return Ok((key.public(), Some(Box::new(key))));
    }
    let holder = signer(env, key)?;
    Ok((holder.public(), Some(holder)))
}

/// Reads a private key file; asks for the passphrase where the key has one.
pub(crate) fn private(env: &Environment, path: &Path) -> Result<SecretKey, Failure> {
    let name = shown(path);
    let text = read_secret(path, &name)?;
    if text.contains("PRIVATE KEY-----") {
        warn_if_shared(path);
    }
    parse(env, &text, &name)
}

/// The keys that ssh-agent holds, usable or not.
pub(crate) fn held_by_agent(env: &Environment) -> Result<Vec<AgentIdentity>, Failure> {
    agent::identities(env)
}

/// Reads a public key file.
fn public_file(path: &Path) -> Result<PublicKey, Failure> {
    let name = shown(path);
    let text = read_secret(path, &name)?;
    if text.contains("PRIVATE KEY-----") {
        let message = format!("{name} is a private key where a public one is needed");
        return Err(Failure::new(Code::KEY_FORMAT, message)
            .hint("give the public half, such as `agent:alice.pub`; or drop `agent:` to sign with the file"));
    }
    parse_public(&text, &name)
}

fn parse_public(text: &str, name: &str) -> Result<PublicKey, Failure> {
    text.parse().map_err(|error: crate::trust::KeyError| {
        Failure::new(error.code(), format!("{name} is {error}"))
    })
}

fn parse(env: &Environment, text: &str, name: &str) -> Result<SecretKey, Failure> {
    let ask = || passphrase(env, &format!("passphrase for {name}: "));
    SecretKey::parse(text, || ask().map_err(Problem::Passphrase)).map_err(|problem| match problem {
        Problem::Passphrase(failure) => failure.about(name),
        Problem::Key(PrivateKeyError::PassphraseWrong) if env.passphrase.is_some() => {
            let message =
                format!("{name}: the passphrase in `ORDAIN_KEY_PASSPHRASE` does not open the key");
            Failure::new(Code::PASSPHRASE, message).hint("correct the variable, or unset it to be asked")
        }
        Problem::Key(PrivateKeyError::Public) => Failure::from(PrivateKeyError::Public)
            .about(name)
            .hint("if ssh-agent holds the private half, put `agent:` in front, such as `--key agent:alice.pub`"),
        Problem::Key(error) => Failure::from(error).about(name),
    })
}

/// What keeps a private key from being read.
enum Problem {
    Key(PrivateKeyError),
    Passphrase(Failure),
}

impl From<PrivateKeyError> for Problem {
    fn from(error: PrivateKeyError) -> Self {
        Self::Key(error)
    }
}

fn shown(path: &Path) -> String {
    format!("`{}`", ui::escape(&path.display().to_string()))
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
