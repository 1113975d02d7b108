//! The decision log as commands use it: this machine's key, and the log of a configuration.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::env::Environment;
use super::report::Failure;
use super::{keyfile, ui};
use crate::atomic::{self, Access};
use crate::config::LogConfig;
use crate::diag::Code;
use crate::log::{
    Checkpoint, FirstCheckpoint, KeyName, Log, MAX_NOTE, Options, Signer, SyncMode, VerifierKey,
};
use crate::name::Scope;
use crate::trust::{PrivateKeyFormat, SecretKey};

/// Where this machine keeps the key that signs its checkpoints.
const KEY_FILE: &str = "log.key";

/// The key that signs this machine's checkpoints, as it is: whoever only looks must not make one.
pub(crate) fn existing_key(env: &Environment) -> Result<SecretKey, Failure> {
    let path = env.state.join(KEY_FILE);
    if path.exists() {
        return keyfile::private(env, &path);
    }
    let name = ui::escape(&path.display().to_string());
    Err(Failure::new(Code::LOG_KEY_MISSING, format!("this machine has no log key at `{name}`"))
        .hint("give the key of the machine that wrote the log: `--key` with what `ordain log key` prints there"))
}

/// The key that signs this machine's checkpoints, made when it is first needed.
fn machine_key(env: &Environment) -> Result<SecretKey, Failure> {
    let path = env.state.join(KEY_FILE);
    let unwritable = |error: std::io::Error| {
        let name = ui::escape(&path.display().to_string());
        Failure::new(
            Code::FILE_UNWRITABLE,
            format!("cannot write the log's key `{name}`: {error}"),
        )
    };
    if !path.exists() {
        make_private_directory(&env.state).map_err(unwritable)?;
        let text = SecretKey::generate()?.to_text(PrivateKeyFormat::OpenSsh, None, "ordain log")?;
        match atomic::create(&path, text.as_bytes(), Access::Private) {
            // Another process was first; its key counts.
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            done => done.map_err(unwritable)?,
        }
    }
    keyfile::private(env, &path)
}

fn make_private_directory(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(dir)
}

/// The log's name in checkpoints: as configured, else as it has been, else by the scope that first wrote to it.
pub(crate) fn origin(config: &LogConfig, scope: &Scope) -> Result<KeyName, Failure> {
    let checkpoint = keyfile::read_small(&config.path.join("checkpoint"), MAX_NOTE as u64).ok();
    let so_far = checkpoint.and_then(|text| Checkpoint::parse_unverified(text.as_bytes()).ok());
    match (&config.origin, so_far) {
        // The name chooses no key: the signature under it is checked with this machine's.
        (None, Some(checkpoint)) => Ok(checkpoint.origin),
        (name, _) => {
            let name = name
                .clone()
                .unwrap_or_else(|| format!("ordain.local/{scope}"));
            name.parse().map_err(|error| {
                let message = format!("`log.origin` is not a name for a log: {error}");
                Failure::new(Code::CONFIG_INVALID, message)
            })
        }
    }
}

/// Keys that signed the log's checkpoints before this machine's.
pub(crate) fn earlier_keys(config: &LogConfig) -> Result<Vec<VerifierKey>, Failure> {
    let parse = |text: &String| {
        text.parse().map_err(|error| {
            let message = format!("`log.earlier_keys` holds what is not a verifier key: {error}");
            Failure::new(Code::CONFIG_INVALID, message)
        })
    };
    config.earlier_keys.iter().map(parse).collect()
}

/// Opens the log for appending, and tells what was found.
pub(crate) fn open(env: &Environment, config: &LogConfig, scope: &Scope) -> Result<Log, Failure> {
    let signer = Signer::new(origin(config, scope)?, machine_key(env)?);
    let options = Options {
        sync: config.sync,
        earlier_keys: earlier_keys(config)?,
        first: FirstCheckpoint::AtOnce,
        ..Options::default()
    };
    let log = Log::open(&config.path, signer, options, env.clock.now())?;
    tell(log.recovery());
    Ok(log)
}

/// Says what a writer found and mended.
pub(crate) fn tell(recovery: &crate::log::Recovery) {
    for cut in &recovery.cuts {
        let saved = ui::escape(&cut.saved.display().to_string());
        ui::note(&format!(
            "warning: the log ended in an unfinished line of {} bytes, from a write that was stopped; it was cut, and kept in `{saved}`",
            cut.bytes
        ));
    }
}

/// The log of a project without a configuration.
pub(crate) fn fallback(env: &Environment) -> LogConfig {
    LogConfig {
        path: default_path(&env.current),
        sync: SyncMode::Group,
        origin: None,
        earlier_keys: Vec::new(),
    }
}

/// Where the log is when nothing says otherwise.
fn default_path(base: &Path) -> PathBuf {
    base.join(".ordain/log")
}
