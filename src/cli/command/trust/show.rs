//! `ordain trust show`: the last root as it is written, or what differs between two.

use std::str::FromStr;

use clap::Args;

use super::{Context, RootsFlags};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::{Output, counted, pretty_json};
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::name::{Namespace, PrincipalName, RoleName};
use crate::trust::{RootDraft, RootError, diff_roots};

#[derive(Debug, Args)]
pub(crate) struct Show {
    #[command(flatten)]
    roots: RootsFlags,
    /// Print the fingerprint alone.
    #[arg(long)]
    fingerprint: bool,
    /// Print what differs: N against the root before it, or N..M.
    #[arg(long, value_name = "N|N..M", conflicts_with = "fingerprint")]
    diff: Option<Between>,
    /// Print the document, or the differences, as JSON.
    #[arg(long, conflicts_with = "fingerprint")]
    json: bool,
}

/// Two versions.
#[derive(Debug, Clone, Copy)]
struct Between {
    from: usize,
    to: usize,
}

impl FromStr for Between {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = "write a version from 2 on, such as 3, or two of them, such as 1..3";
        let version = |text: &str| text.parse().ok().filter(|version| *version > 0);
        let (from, to) = match text.split_once("..") {
            Some((from, to)) => (version(from), version(to)),
            None => {
                let to = version(text);
                (to.map(|to| to - 1).filter(|from| *from > 0), to)
            }
        };
        match (from, to) {
            (Some(from), Some(to)) => Ok(Self { from, to }),
            _ => Err(form),
        }
    }
}

/// Runs `ordain trust show`.
pub(super) fn run(context: &Context, args: &Show) -> Result<Exit, Failure> {
    let place = args.roots.place(context)?;
    let drafts = place.drafts(context)?;
    let (Some(first), Some(last)) = (drafts.first(), drafts.last()) else {
        return Err(RootError::Missing.into());
    };
    let fingerprint = first.envelope().payload_digest();
    let mut out = Output::stdout();
    if args.fingerprint {
        out.line(&fingerprint.to_string())?;
    } else if let Some(between) = args.diff {
        print_diff(&mut out, &drafts, between, args.json)?;
    } else if args.json {
        out.line(&pretty_json(last.document())?)?;
    } else {
        print_root(&mut out, &fingerprint, last)?;
        let anchored = with_pipeline(context, &FetchFlags::default(), |pipeline| {
            Ok(pipeline.anchored(&place.trust)?)
        })?;
        if let Some(warning) = anchored.and_then(|known| known.confirmation.warning()) {
            out.line(warning)?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn print_diff(
    out: &mut Output,
    drafts: &[RootDraft],
    Between { from, to }: Between,
    json: bool,
) -> Result<(), Failure> {
    let version = |version: usize| {
        let draft = version.checked_sub(1).and_then(|index| drafts.get(index));
        draft.map(RootDraft::document).ok_or_else(|| {
            let message = format!(
                "there is no trust root {version}; the last is {}",
                drafts.len()
            );
            Failure::new(Code::USAGE, message).hint("give versions that are there")
        })
    };
    // The one that was asked for is the one to miss first.
    let newer = version(to)?;
    let differences = diff_roots(version(from)?, newer);
    if json {
        let value = serde_json::json!({
            "format_version": 1,
            "from": from,
            "to": to,
            "differences": differences,
        });
        return out.line(&pretty_json(&value)?);
    }
    out.line(&format!(
        "trust root {to} against {from}: {}",
        counted(differences.len(), "difference")
    ))?;
    for difference in differences {
        out.line(&difference.to_string())?;
    }
    Ok(())
}

fn print_root(
    out: &mut Output,
    fingerprint: &Sha256Digest,
    draft: &RootDraft,
) -> Result<(), Failure> {
    let root = draft.document();
    out.line(&format!(
        "trust root {}, expires {}",
        root.version, root.expires
    ))?;
    out.line(&format!("fingerprint  {fingerprint}"))?;
    for (name, principal) in &root.principals {
        for key in &principal.keys {
            let mark = if root.revoked.keys.contains(&key.id()) {
                "  (revoked)"
            } else {
                ""
            };
            out.line(&format!("principal    {name}  {}{mark}", key.id()))?;
        }
    }
    for (name, role) in &root.roles {
        let members: Vec<&str> = role.principals.iter().map(PrincipalName::as_str).collect();
        let epoch = role.epoch;
        let is_further =
            |own: &&Namespace| !matches!(name, RoleName::Publisher(first) if first == *own);
        let further = role.namespaces.iter().filter(is_further);
        let further: String = further.map(|own| format!("  also {own}")).collect();
        let git = role.git_signature.map_or_else(String::new, |required| {
            format!("  requires a git signature: {}", required.as_str())
        });
        out.line(&format!(
            "role         {name}  {} of {}  epoch {epoch}{further}{git}",
            role.threshold,
            members.join(", ")
        ))?;
    }
    for payload in &root.revoked.payloads {
        out.line(&format!("revoked      payload {payload}"))?;
    }
    for range in &root.revoked.revisions {
        let (bundle, epoch) = (&range.bundle, range.epoch);
        out.line(&format!(
            "revoked      bundle {bundle}, revisions {epoch}.{} to {epoch}.{}",
            range.from, range.to
        ))?;
    }
    let named: Vec<String> = draft.envelope().keyids().map(|id| id.to_string()).collect();
    out.line(&format!(
        "signatures   {} (named, not checked: `ordain trust verify` checks)",
        named.join(", ")
    ))
}
