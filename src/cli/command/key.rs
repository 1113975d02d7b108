//! `ordain key`: make and look at signing keys.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::Context;
use crate::atomic::{self, Access};
use crate::cli::exit::Exit;
use crate::cli::keyfile::{KEY_HELP, KeyArg};
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::cli::{keyfile, ui};
use crate::diag::Code;
use crate::trust::{PrivateKeyFormat, SecretKey};

/// `ordain key …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make an ed25519 key: FILE (0600) and FILE.pub. Refuses to overwrite.
    Generate(Generate),
    /// Print the public key and fingerprint of keys.
    Show(Show),
    /// List the keys in a directory, or those that ssh-agent holds.
    List(List),
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// Where to write the private key; the public key goes to FILE.pub.
    file: PathBuf,
    /// How to write the private key.
    #[arg(long, value_enum, default_value_t = Format::Openssh)]
    format: Format,
    /// A comment for the public key.
    #[arg(long)]
    comment: Option<String>,
    /// Encrypt the private key with a passphrase (ORDAIN_KEY_PASSPHRASE, ORDAIN_ASKPASS, or asked for).
    #[arg(long)]
    encrypt: bool,
}

/// The formats of a private key.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    /// As `ssh-keygen` writes it.
    Openssh,
    /// PKCS#8, as `openssl genpkey` writes it.
    Pem,
}

#[derive(Debug, Args)]
#[command(after_long_help = KEY_HELP)]
pub(crate) struct Show {
    /// A file with a public key, or any KEY.
    #[arg(required = true, value_name = "KEY")]
    keys: Vec<KeyArg>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// The directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// What ssh-agent holds, at SSH_AUTH_SOCK.
    #[arg(long, conflicts_with = "dir")]
    agent: bool,
}

/// Runs `ordain key …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Generate(args) => generate(context, args),
        Command::Show(args) => show(context, args),
        Command::List(args) => list(context, args),
    }
}

fn generate(context: &Context, args: &Generate) -> Result<Exit, Failure> {
    let file = context.env.resolve(&args.file);
    let public_file = with_suffix(&file, ".pub");
    for path in [&file, &public_file] {
        if path.symlink_metadata().is_ok() {
            return Err(exists(path));
        }
    }
    let comment = args.comment.clone().unwrap_or_else(|| {
        file.file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default()
    });
    if comment.chars().any(char::is_control) {
        return Err(Failure::new(
            Code::USAGE,
            "the comment holds control characters",
        ));
    }
    let passphrase = if args.encrypt {
        Some(new_passphrase(context)?)
    } else {
        None
    };
    let key = SecretKey::generate()?;
    let format = match args.format {
        Format::Openssh => PrivateKeyFormat::OpenSsh,
        Format::Pem => PrivateKeyFormat::Pem,
    };
    let text = key.to_text(format, passphrase.as_ref(), &comment)?;
    write(&file, text.as_bytes(), Access::Private)?;
    let line = format!("{} {comment}", key.public().to_openssh());
    write(
        &public_file,
        format!("{}\n", line.trim_end()).as_bytes(),
        Access::Shared,
    )?;
    let mut out = Output::stdout();
    out.line(&format!(
        "{}  {}",
        key.public().id(),
        ui::escape(&args.file.display().to_string())
    ))?;
    out.flush()?;
    Ok(Exit::Success)
}

fn new_passphrase(context: &Context) -> Result<crate::trust::Passphrase, Failure> {
    let first = keyfile::passphrase(&context.env, "new passphrase: ")?;
    if keyfile::is_typed(&context.env)
        && *keyfile::passphrase(&context.env, "once more: ")? != *first
    {
        return Err(Failure::new(Code::PASSPHRASE, "the two passphrases differ"));
    }
    if first.is_empty() {
        return Err(Failure::new(Code::PASSPHRASE, "the passphrase is empty"));
    }
    Ok(first)
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn exists(path: &Path) -> Failure {
    let name = ui::escape(&path.display().to_string());
    Failure::new(
        Code::FILE_EXISTS,
        format!("`{name}` is there already, and keys are never overwritten"),
    )
    .hint("choose another name, or move the file away")
}

fn write(path: &Path, bytes: &[u8], access: Access) -> Result<(), Failure> {
    atomic::create(path, bytes, access).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(path),
        _ => {
            let name = ui::escape(&path.display().to_string());
            Failure::new(
                Code::FILE_UNWRITABLE,
                format!("cannot write `{name}`: {error}"),
            )
        }
    })
}

fn show(context: &Context, args: &Show) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    for key in &args.keys {
        let (public, _) = keyfile::public(&context.env, key)?;
        out.line(&public.to_openssh())?;
        out.line(&format!(
            "{}  {}",
            public.id(),
            ui::escape(&key.to_string())
        ))?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn list_agent(context: &Context) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    for identity in keyfile::held_by_agent(&context.env)? {
        let what = match &identity.key {
            Ok(_) => "in the agent".to_owned(),
            Err(error) => format!("not usable: {error}"),
        };
        let comment = ui::escape(&identity.comment);
        out.line(&format!("{}  {what}  {comment}", identity.id))?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn list(context: &Context, args: &List) -> Result<Exit, Failure> {
    if args.agent {
        return list_agent(context);
    }
    let dir = context.env.resolve(&args.dir);
    let unreadable = |error: std::io::Error| {
        let name = ui::escape(&args.dir.display().to_string());
        Failure::new(
            Code::FILE_UNREADABLE,
            format!("cannot read `{name}`: {error}"),
        )
    };
    let mut files: Vec<PathBuf> = dir
        .read_dir()
        .map_err(unreadable)?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    let mut out = Output::stdout();
    for file in files {
        // Private keys are named by their `.pub`, so that no passphrase is needed.
        let Ok(text) = keyfile::read_small(&file, 16 << 10) else {
            continue;
        };
        let Ok(key) = text.parse::<crate::trust::PublicKey>() else {
            continue;
        };
        let private = file.with_extension("");
        let has_private =
            file.extension().is_some_and(|ending| ending == "pub") && private.is_file();
        let what = if has_private {
            "key pair"
        } else {
            "public key"
        };
        let name = file
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        out.line(&format!("{}  {what:10}  {}", key.id(), ui::escape(&name)))?;
    }
    out.flush()?;
    Ok(Exit::Success)
}
