//! `ordain trust verify`: the walk from the pinned root to the last one, step by step.

use clap::Args;

use super::{Context, RootsFlags};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::digest::Sha256Digest;
use crate::trust::RootDraft;

#[derive(Debug, Args)]
pub(crate) struct Verify {
    #[command(flatten)]
    roots: RootsFlags,
    /// The fingerprint of the first root; that of the configuration where none is given.
    #[arg(long)]
    fingerprint: Option<Sha256Digest>,
}

/// Runs `ordain trust verify`.
pub(super) fn run(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    let mut place = args.roots.place(context)?;
    place.trust.fingerprint = args.fingerprint.or(place.trust.fingerprint);
    let mut out = Output::stdout();
    // What cannot even be read is told by the walk below, which alone decides.
    let drafts = place
        .drafts(context)
        .ok()
        .filter(|drafts| is_pinned(drafts, place.trust.fingerprint))
        .unwrap_or_default();
    let mut previous: Option<&RootDraft> = None;
    for draft in &drafts {
        let document = draft.document();
        for standing in draft.standings(previous.map(RootDraft::document)) {
            let line = super::standing_line(&standing);
            out.line(&format!("trust root {}, {line}", document.version))?;
        }
        previous = Some(draft);
    }
    let trusted = match place.trusted(context) {
        Ok(trusted) => trusted,
        Err(failure) => {
            out.flush()?;
            return Err(unsigned(&drafts).unwrap_or(failure));
        }
    };
    let root = &trusted.root;
    let signers: Vec<&str> = root
        .signers()
        .iter()
        .map(|signer| signer.principal.as_str())
        .collect();
    out.line(&format!(
        "trust root {} is good until {}",
        root.version(),
        root.document().expires
    ))?;
    out.line(&format!("signed by    {}", signers.join(", ")))?;
    out.line(&format!("fingerprint  {}", root.fingerprint()))?;
    if let Some(warning) = trusted.confirmation.warning() {
        out.line(warning)?;
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// What the last root lacks while nobody has signed it: without a signature it is no envelope to the walk.
fn unsigned(drafts: &[RootDraft]) -> Option<Failure> {
    let (last, before) = drafts.split_last()?;
    last.envelope().keyids().next().is_none().then_some(())?;
    let previous = before.last().map(RootDraft::document);
    last.check_signed(previous).err().map(Failure::from)
}

/// Of another root than the pinned one nothing is worth a look.
fn is_pinned(drafts: &[RootDraft], fingerprint: Option<Sha256Digest>) -> bool {
    let first = drafts
        .first()
        .map(|first| first.envelope().payload_digest());
    first.is_some() && fingerprint.is_none_or(|pinned| first == Some(pinned))
}
