//! `ordain trust revoke`: a rotation that revokes one thing, and changes nothing else.

use clap::Args;

use super::rotate::{self, parse_revisions};
use super::{Context, RootsFlags, SigningKeys};
use crate::cli::exit::Exit;
use crate::cli::keyfile::KeyArg;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::clock::Lifetime;
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::trust::{KeyId, Renewal, RevokedRevisions, RootChange};

#[derive(Debug, Args)]
pub(crate) struct Revoke {
    /// A fingerprint is the key to revoke: its signatures stop counting, whatever date they claim. Anything else is
    /// a key to sign with, as `trust sign` takes it. Repeat for each.
    #[arg(long = "key", value_name = "SHA256:…|KEY")]
    keys: Vec<String>,
    /// The statement to revoke, by its payload's digest.
    #[arg(long, value_name = "sha256:…")]
    payload: Option<Sha256Digest>,
    /// The revisions of a bundle to revoke: BUNDLE@EPOCH.FROM-TO.
    #[arg(long, value_name = "BUNDLE@EPOCH.FROM-TO", value_parser = parse_revisions)]
    revisions: Option<RevokedRevisions>,
    #[command(flatten)]
    roots: RootsFlags,
    /// How long the next root counts, such as 1y; as long as the last one where none is given.
    #[arg(long)]
    expires: Option<Lifetime>,
}

/// Runs `ordain trust revoke`.
pub(super) fn run(context: &Context, args: &Revoke) -> Result<Exit, Failure> {
    let (revoked, signing): (Vec<&String>, Vec<&String>) =
        args.keys.iter().partition(|key| key.starts_with("SHA256:"));
    let mut changes = Vec::new();
    for key in revoked {
        let keyid: KeyId = key.parse().map_err(|_| {
            let key = key.escape_debug();
            Failure::new(Code::USAGE, format!("`{key}` is not a key's fingerprint"))
                .hint("`ordain trust show` prints the fingerprints of all keys")
        })?;
        changes.push(RootChange::RevokeKey(keyid));
    }
    changes.extend(args.payload.map(RootChange::RevokePayload));
    let revisions = args.revisions.iter().cloned();
    changes.extend(revisions.map(RootChange::RevokeRevisions));
    if changes.len() != 1 {
        let message = format!("{} things are to be revoked, not one", changes.len());
        return Err(Failure::new(Code::USAGE, message).hint(
            "give one of `--key SHA256:…`, `--payload sha256:…` and `--revisions BUNDLE@EPOCH.FROM-TO`; `ordain trust rotate` takes several",
        ));
    }
    let signing: Result<Vec<KeyArg>, _> = signing.into_iter().map(|key| key.parse()).collect();
    let signing = SigningKeys {
        keys: signing.map_err(|error| Failure::new(Code::USAGE, format!("`--key`: {error}")))?,
    };
    let now = context.env.clock.now();
    let expires = args
        .expires
        .map(|expires| project::whole_second(expires.after(now)));
    rotate::write(
        context,
        &args.roots,
        &changes,
        expires,
        Renewal::NotAsked,
        &signing.load(context)?,
    )
    .map_err(|failure| {
        if failure.code() == Some(Code::ROOT_UNCHANGED) {
            failure.hint("it is revoked already: `ordain trust show` prints what the last trust root revokes")
        } else {
            failure
        }
    })
}
