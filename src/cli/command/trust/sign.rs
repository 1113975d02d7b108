//! `ordain trust sign`: one more signature on a root, or those of other copies.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Context, SigningKeys};
use crate::atomic::{self, Access};
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::cli::{keyfile, ui};
use crate::diag::Code;
use crate::trust::{KeyId, RootDraft, RootError, cosign_root, diff_roots};

/// How several people sign.
const SEVERAL: &str = "\
Several people on several machines: each signs a copy of the file, one of them joins the copies with --merge. Only
signatures over the very same content are joined.";

#[derive(Debug, Args)]
#[command(after_help = SEVERAL)]
pub(crate) struct Sign {
    /// The root, such as trust/2.root.json. The root before it lies beside it.
    file: PathBuf,
    #[command(flatten)]
    signing: SigningKeys,
    /// A copy of the root that somebody else signed: take over the signatures. Repeat for each.
    #[arg(long = "merge", value_name = "FILE")]
    copies: Vec<PathBuf>,
    /// The root before it, where that lies elsewhere.
    #[arg(long, value_name = "FILE")]
    previous: Option<PathBuf>,
}

/// Runs `ordain trust sign`.
pub(super) fn run(context: &Context, args: &Sign) -> Result<Exit, Failure> {
    if args.signing.keys.is_empty() && args.copies.is_empty() {
        return Err(Failure::new(Code::USAGE, "there is nothing to add")
            .hint("give `--key KEY` to sign, or `--merge COPY` to take over others' signatures"));
    }
    let file = context.env.resolve(&args.file);
    let mut draft = read(&file)?;
    let previous = previous(context, args, &file, &draft)?;
    let previous = previous.as_ref().map(RootDraft::document);
    let before: BTreeSet<KeyId> = draft.envelope().keyids().collect();
    let mut added = 0;
    for copy in &args.copies {
        added += draft.merge(&read(&context.env.resolve(copy))?, previous)?;
    }
    added += cosign_root(&mut draft, previous, &args.signing.load(context)?)?;
    let name = ui::escape(&file.display().to_string());
    if added > 0 {
        let text = draft.envelope().to_json();
        atomic::replace(&file, text.as_bytes(), Access::Shared).map_err(|error| {
            Failure::new(
                Code::FILE_UNWRITABLE,
                format!("cannot write `{name}`: {error}"),
            )
        })?;
    }
    let standings = draft.standings(previous);
    let mut out = Output::stdout();
    super::print_standings(&mut out, &standings)?;
    out.flush()?;
    ui::note(&format!(
        "added {} to trust root {}: {}",
        ui::counted(added, "signature"),
        draft.document().version,
        draft.envelope().payload_digest()
    ));
    let new = draft.envelope().keyids().filter(|id| !before.contains(id));
    super::note_uncounted(new, draft.document(), previous);
    // Whoever signs should see what.
    for difference in previous.map_or(Vec::new(), |previous| {
        diff_roots(previous, draft.document())
    }) {
        ui::note(&difference.to_string());
    }
    super::note_incomplete(&file, &standings);
    Ok(Exit::Success)
}

fn read(file: &Path) -> Result<RootDraft, Failure> {
    let limits = Limits::default();
    let text = keyfile::read_small(file, limits.envelope_bytes as u64)?;
    Ok(RootDraft::parse(text.as_bytes(), &limits)?)
}

/// The root before, whose members sign too. Somebody who got the file alone can still sign as a principal of it.
fn previous(
    context: &Context,
    args: &Sign,
    file: &Path,
    draft: &RootDraft,
) -> Result<Option<RootDraft>, Failure> {
    let version = draft.document().version.get();
    let Some(expected) = version.checked_sub(1).filter(|before| *before > 0) else {
        return Ok(None);
    };
    let beside = file.with_file_name(format!("{expected}.root.json"));
    let found = match &args.previous {
        Some(previous) => read(&context.env.resolve(previous))?,
        None if beside.exists() => read(&beside)?,
        None => {
            ui::note(&format!(
                "warning: `{expected}.root.json` does not lie beside it: what that root asks for cannot be said; give `--previous FILE`"
            ));
            return Ok(None);
        }
    };
    let found_version = found.document().version.get();
    if found_version != expected {
        let found = found_version;
        return Err(RootError::Version { expected, found }.into());
    }
    Ok(Some(found))
}
