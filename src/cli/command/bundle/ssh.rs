//! `ordain bundle ssh-sign | ssh-verify`: a statement and an SSH signature of it, for people who have `ssh-keygen`.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::atomic::{self, Access};
use crate::bundle::Limits;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::keyfile::{self, KEY_HELP, KeyArg};
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::trust_flags::TrustFlags;
use crate::cli::ui::{Output, escape, note};
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::pipeline::read_directory;
use crate::trust::{
    BUNDLE_SIGNATURE_NAMESPACE, SshSignature, check_statement_signature, ssh_sign_statement,
};

#[derive(Debug, Args)]
#[command(after_long_help = KEY_HELP)]
pub(crate) struct SshSign {
    /// The bundle's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// The key to sign with.
    #[arg(long, value_name = "KEY")]
    key: KeyArg,
    /// Where the statement goes, outside the bundle's directory; the signature goes to FILE.sig.
    #[arg(long, value_name = "FILE", default_value = "statement.json")]
    output: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct SshVerify {
    /// The statement, as `ssh-sign` wrote it.
    statement: PathBuf,
    /// The armored signature; STATEMENT.sig where none is given.
    #[arg(long, value_name = "FILE")]
    signature: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustFlags,
    /// The fingerprint of the first trust root.
    #[arg(long, value_name = "SHA256", requires = "trust_place")]
    fingerprint: Option<Sha256Digest>,
}

/// Runs `ordain bundle ssh-sign`.
pub(super) fn sign(context: &Context, args: &SshSign) -> Result<Exit, Failure> {
    let dir = context.env.resolve(&args.dir);
    let statement_file = context.env.resolve(&args.output);
    refuse_inside(&dir, &statement_file)?;
    let limits = Limits::default();
    let fetched = read_directory(&dir, &limits)?;
    let holder = keyfile::signer(&context.env, &args.key)?;
    let signed = ssh_sign_statement(&fetched, &holder, context.env.clock.now(), &limits)?;
    let signature_file = with_sig(&statement_file);
    write(&statement_file, &signed.payload)?;
    write(&signature_file, signed.signature.to_armored().as_bytes())?;
    let mut out = Output::stdout();
    for file in [&args.output, &with_sig(&args.output)] {
        out.line(&escape(&file.display().to_string()))?;
    }
    out.flush()?;
    let predicate = &signed.statement.predicate;
    note(&format!(
        "signed the statement of bundle {} revision {}.{} with {}, in the namespace `{BUNDLE_SIGNATURE_NAMESPACE}`",
        predicate.bundle,
        predicate.epoch,
        predicate.revision,
        holder.public().id()
    ));
    Ok(Exit::Success)
}

/// A file that nobody signed would keep the bundle from being verified.
fn refuse_inside(dir: &Path, file: &Path) -> Result<(), Failure> {
    let parent = file.parent().unwrap_or(file);
    let (Ok(dir), Ok(parent)) = (dir.canonicalize(), parent.canonicalize()) else {
        // What is not there is found out by whoever opens it.
        return Ok(());
    };
    if !parent.starts_with(dir) {
        return Ok(());
    }
    let name = escape(&file.display().to_string());
    let message =
        format!("`{name}` would stand in the bundle's directory, unlisted by its statement");
    Err(Failure::new(Code::USAGE, message)
        .hint("give `--output` a place outside, such as `--output ../statement.json`"))
}

fn with_sig(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".sig");
    name.into()
}

/// Writes a file that is new, or already says the same.
fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let name = escape(&file.display().to_string());
    let failed = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            let message = format!("`{name}` is there already, and says something else");
            Failure::new(Code::FILE_EXISTS, message)
                .hint("give another place with `--output`, or move the file away")
        }
        _ => Failure::new(
            Code::FILE_UNWRITABLE,
            format!("cannot write `{name}`: {error}"),
        ),
    };
    match atomic::create(file, bytes, Access::Shared) {
        Err(error)
            if error.kind() == std::io::ErrorKind::AlreadyExists
                && std::fs::read(file).is_ok_and(|found| found == bytes) =>
        {
            Ok(())
        }
        done => done.map_err(failed),
    }
}

/// Runs `ordain bundle ssh-verify`.
pub(super) fn verify(context: &Context, args: &SshVerify) -> Result<Exit, Failure> {
    let trust = args.trust.source(context, args.fingerprint)?;
    let statement_file = context.env.resolve(&args.statement);
    let signature_file = match &args.signature {
        Some(file) => context.env.resolve(file),
        None => with_sig(&statement_file),
    };
    let limit = Limits::default().envelope_bytes as u64;
    let payload = keyfile::read_small(&statement_file, limit)?;
    let armored = keyfile::read_small(&signature_file, SshSignature::MAX_BYTES as u64)?;
    let root = with_pipeline(context, &FetchFlags::default(), |pipeline| {
        Ok(pipeline.trust_root(&trust)?)
    })?;
    let (statement, signer) =
        check_statement_signature(payload.as_bytes(), armored.as_bytes(), &root).map_err(
            |error| {
                let name = escape(&signature_file.display().to_string());
                Failure::new(error.code(), error.to_string()).about(&format!("`{name}`"))
            },
        )?;
    let predicate = &statement.predicate;
    let (epoch, revision) = (predicate.epoch, predicate.revision);
    let mut out = Output::stdout();
    out.line(&format!(
        "the statement of bundle {} revision {epoch}.{revision} is signed by {} ({})",
        predicate.bundle, signer.principal, signer.keyid
    ))?;
    out.line(&format!(
        "  payload    {}",
        Sha256Digest::of(payload.as_bytes())
    ))?;
    out.line(&format!("  namespace  {}", predicate.namespace))?;
    let (issued, expires) = (predicate.issued, predicate.expires);
    out.line(&format!("  issued     {issued}, expires {expires}"))?;
    out.flush()?;
    if expires <= context.env.clock.now() {
        note("warning: the statement has expired");
    }
    note("this is one person's signature: whether the bundle counts, `ordain bundle verify` says");
    Ok(Exit::Success)
}
