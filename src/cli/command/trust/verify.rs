//! `ordain trust verify`: the walk from the pinned root to the last one, step by step.

use std::path::PathBuf;

use clap::Args;

use super::Context;
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::Output;
use crate::config::TrustSource;
use crate::digest::Sha256Digest;
use crate::trust::{RootDraft, root_drafts};

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The directory of the roots; that of the configuration where none is given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The fingerprint of the first root; that of the configuration where none is given.
    #[arg(long)]
    fingerprint: Option<Sha256Digest>,
}

/// Runs `ordain trust verify`.
pub(super) fn run(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    let (dir, fingerprint) = super::place(context, args.dir.as_deref(), args.fingerprint)?;
    let fingerprint = fingerprint.ok_or_else(project::fingerprint_needed)?;
    let trust = TrustSource { dir, fingerprint };
    let mut out = Output::stdout();
    let limits = Limits::default();
    // What cannot even be read is told by the walk below, which alone decides.
    let drafts = crate::pipeline::root_files(&trust.dir, &limits)
        .ok()
        .and_then(|files| root_drafts(&files, &limits).ok())
        .filter(|drafts| is_pinned(drafts, fingerprint))
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
    let verdict = with_pipeline(context, &FetchFlags::default(), |pipeline| {
        Ok(pipeline.trust_root(&trust)?)
    });
    let root = match verdict {
        Ok(root) => root,
        Err(failure) => {
            out.flush()?;
            return Err(unsigned(&drafts).unwrap_or(failure));
        }
    };
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
fn is_pinned(drafts: &[RootDraft], fingerprint: Sha256Digest) -> bool {
    drafts
        .first()
        .is_some_and(|first| first.envelope().payload_digest() == fingerprint)
}
