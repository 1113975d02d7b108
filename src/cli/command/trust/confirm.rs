//! `ordain trust confirm`: hold the trust root that this machine uses against a fingerprint from a second channel.

use clap::Args;

use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::trust_flags::TrustFlags;
use crate::cli::ui::Output;
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::pipeline::{Anchored, Confirmation};

#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// The fingerprint, as the root's owners told you by another way than its repository.
    fingerprint: Option<Sha256Digest>,
    #[command(flatten)]
    place: TrustFlags,
}

/// Runs `ordain trust confirm`.
pub(super) fn run(context: &Context, args: &Confirm) -> Result<Exit, Failure> {
    let source = args.place.source(context, None)?;
    let flags = FetchFlags {
        offline: true,
        ..FetchFlags::default()
    };
    let mut out = Output::stdout();
    let exit = with_pipeline(context, &flags, |pipeline| {
        let Some(fingerprint) = args.fingerprint else {
            return match pipeline.anchored(&source)? {
                Some(known) if known.confirmation == Confirmation::FirstUse => {
                    Err(unconfirmed(&known))
                }
                Some(known) => {
                    say(&mut out, &known)?;
                    Ok(Exit::Success)
                }
                None => Err(Failure::new(
                    Code::FINGERPRINT_NEEDED,
                    "this machine knows no fingerprint for the trust root",
                )
                .hint("run `ordain trust confirm sha256:…` with the one that the root's owners told you by another way than its repository")),
            };
        };
        let known = pipeline.confirm(&source, fingerprint)?;
        say(&mut out, &known)?;
        Ok(Exit::Success)
    })?;
    out.flush()?;
    Ok(exit)
}

fn say(out: &mut Output, known: &Anchored) -> Result<(), Failure> {
    out.line(&format!("root: confirmed {}", known.fingerprint))?;
    if known.confirmation == Confirmation::Confirmed {
        out.note(
            "on this machine only; for everyone who uses this configuration, add under `trust` in `ordain.yaml`:",
        )?;
        out.line(&format!("fingerprint: \"{}\"", known.fingerprint))?;
    }
    Ok(())
}

fn unconfirmed(known: &Anchored) -> Failure {
    Failure::new(
        Code::UNCONFIRMED,
        format!(
            "nobody has confirmed the trust root {}, which this machine trusts since its first use",
            known.fingerprint
        ),
    )
}
