//! `ordain trust allowed-signers`: to and from what `ssh-keygen -Y verify` and Git read.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Context, Place, RootsFlags, Scope};
use crate::cli::exit::Exit;
use crate::cli::keyfile;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, note};
use crate::diag::Code;
use crate::trust::{
    AllowedSigners, MAX_ALLOWED_SIGNERS_BYTES, RootDocument, RootError, SignatureNamespaces,
    read_allowed_signers, write_allowed_signers,
};

/// `ordain trust allowed-signers …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Print the file for the principals of the last trust root; revoked keys are left out.
    Export(Export),
    /// Print whom a file would give `trust init` and `trust rotate`, and say what it leaves out.
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    roots: RootsFlags,
    /// What the keys may sign, such as git,bundle@ordain.dev; anything where none is given.
    #[arg(long, value_name = "NAMES")]
    namespaces: Option<SignatureNamespaces>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The allowed_signers file.
    file: PathBuf,
}

/// Runs `ordain trust allowed-signers …`.
pub(super) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    match command {
        Command::Export(args) => {
            let (document, checked) = keys_of(context, &args.roots.place(context)?)?;
            let text = write_allowed_signers(&document, args.namespaces.as_ref());
            out.raw(text.as_bytes())?;
            note(&format!(
                "the keys of trust root {}{checked}",
                document.version
            ));
        }
        Command::Import(args) => {
            for signer in read(context, &args.file)?.taken {
                out.line(&format!("{}  {}", signer.principal, signer.key.id()))?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// The root whose keys are meant, and what is to be said of it.
fn keys_of(context: &Context, place: &Place) -> Result<(RootDocument, &'static str), Failure> {
    match place.scope {
        // SECURITY: what Git and ssh-keygen will believe is no root that only lies there.
        Scope::InForce => Ok((place.trusted(context)?.root.document().clone(), "")),
        Scope::Directory(_) => {
            let last = place.drafts(context)?.pop().ok_or(RootError::Missing)?;
            Ok((
                last.document().clone(),
                "; `ordain trust verify` checks that root",
            ))
        }
    }
}

/// Reads a file; says on standard error what was left out. Nobody at all is an error.
pub(super) fn read(context: &Context, file: &Path) -> Result<AllowedSigners, Failure> {
    let path = context.env.resolve(file);
    let name = escape(&file.display().to_string());
    let text = keyfile::read_small(&path, MAX_ALLOWED_SIGNERS_BYTES as u64)?;
    let now = context.env.clock.now();
    let found = read_allowed_signers(text.as_bytes(), now)
        .map_err(|error| Failure::from(error).about(&format!("`{name}`")))?;
    for skipped in &found.skipped {
        note(&format!(
            "warning: `{name}`, line {} is left out: {}",
            skipped.line,
            escape(&skipped.reason)
        ));
    }
    if found.taken.is_empty() {
        let message = format!("`{name}` names nobody whose key can be taken");
        return Err(Failure::new(Code::ALLOWED_SIGNERS, message));
    }
    Ok(found)
}
