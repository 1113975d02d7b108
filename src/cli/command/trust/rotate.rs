//! `ordain trust rotate`: the next root.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::Path;
use std::str::FromStr;

use clap::Args;
use jiff::Timestamp;

use super::{Context, Members, People, Place, RootsFlags, SigningKeys};
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::cli::{project, ui};
use crate::clock::Lifetime;
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::name::{Namespace, PrincipalName, RoleName};
use crate::trust::{
    KeyHolder, KeyId, Renewal, RevokedRevisions, RootChain, RootChange, RootDraft, RootError,
    cosign_root, diff_roots, next_root, root_drafts,
};

#[derive(Debug, Args)]
pub(crate) struct Rotate {
    #[command(flatten)]
    roots: RootsFlags,
    #[command(flatten)]
    signing: SigningKeys,
    /// How long the next root counts, such as 1y.
    #[arg(long)]
    expires: Lifetime,
    /// Write it though nothing but the expiry differs.
    #[arg(long)]
    renew: bool,
    #[command(flatten)]
    people: People,
    /// Take a key from whoever has it, by its fingerprint. Repeat for each.
    #[arg(long = "retire-key", value_name = "SHA256:…")]
    retired_keys: Vec<KeyId>,
    /// Remove someone, also from every role. Repeat for each.
    #[arg(long = "remove-principal", value_name = "NAME")]
    removed_principals: Vec<PrincipalName>,
    /// How many members of the role root must sign roots from the next one on: the next itself too.
    #[arg(long, value_name = "N")]
    threshold: Option<NonZeroU32>,
    #[command(flatten)]
    members: Members,
    /// Let nobody publish a namespace on its own any more. Repeat for each.
    #[arg(long = "remove-publisher", value_name = "NAMESPACE")]
    removed_publishers: Vec<Namespace>,
    /// Remove a role, such as approver/sre. Repeat for each.
    #[arg(long = "remove-role", value_name = "ROLE")]
    removed_roles: Vec<RoleName>,
    /// Let a publisher speak for one more namespace: PUBLISHER=NAMESPACE, such as acme=pci. Repeat for each.
    #[arg(long = "add-namespace", value_name = "PUBLISHER=NAMESPACE")]
    added_namespaces: Vec<Further>,
    /// Take a further namespace from a publisher again: PUBLISHER=NAMESPACE. Repeat for each.
    #[arg(long = "remove-namespace", value_name = "PUBLISHER=NAMESPACE")]
    removed_namespaces: Vec<Further>,
    /// Raise a publisher's epoch by one: what was signed before no longer counts. Repeat for each.
    #[arg(long = "raise-epoch", value_name = "NAMESPACE")]
    raised_epochs: Vec<Namespace>,
    /// Revoke a key, by its fingerprint. Repeat for each.
    #[arg(long = "revoke-key", value_name = "SHA256:…")]
    revoked_keys: Vec<KeyId>,
    /// Revoke a statement, by its payload's digest. Repeat for each.
    #[arg(long = "revoke-payload", value_name = "sha256:…")]
    revoked_payloads: Vec<Sha256Digest>,
    /// Revoke revisions of a bundle: BUNDLE@EPOCH.FROM-TO. Repeat for each.
    #[arg(long = "revoke-revisions", value_name = "BUNDLE@EPOCH.FROM-TO", value_parser = parse_revisions)]
    revoked_revisions: Vec<RevokedRevisions>,
}

/// `PUBLISHER=NAMESPACE`.
#[derive(Debug, Clone)]
struct Further {
    publisher: Namespace,
    namespace: Namespace,
}

impl FromStr for Further {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (publisher, namespace) = text
            .split_once('=')
            .ok_or("write it as PUBLISHER=NAMESPACE, such as acme=pci")?;
        let parse = |text: &str| text.parse().map_err(|error| format!("{error}"));
        Ok(Self {
            publisher: parse(publisher)?,
            namespace: parse(namespace)?,
        })
    }
}

/// Reads `BUNDLE@EPOCH.FROM-TO`; one revision alone may be written without `-TO`.
pub(super) fn parse_revisions(text: &str) -> Result<RevokedRevisions, String> {
    let form = "write it as BUNDLE@EPOCH.FROM-TO, such as acme@1.14-16";
    let (bundle, revisions) = text.split_once('@').ok_or(form)?;
    let (epoch, range) = revisions.split_once('.').ok_or(form)?;
    let (from, to) = range.split_once('-').unwrap_or((range, range));
    Ok(RevokedRevisions {
        bundle: bundle.parse().map_err(|error| format!("{error}"))?,
        epoch: epoch.parse().map_err(|_| form)?,
        from: from.parse().map_err(|_| form)?,
        to: to.parse().map_err(|_| form)?,
    })
}

/// Runs `ordain trust rotate`.
pub(super) fn run(context: &Context, args: &Rotate) -> Result<Exit, Failure> {
    let (people, mut keys) = args.people.load(context)?;
    keys.extend(args.signing.load(context)?);
    let mut changes: Vec<RootChange> = people
        .into_iter()
        .map(|(principal, key)| RootChange::AddKey { principal, key })
        .collect();
    changes.extend(args.changes()?);
    let renewal = if args.renew {
        Renewal::Asked
    } else {
        Renewal::NotAsked
    };
    let now = context.env.clock.now();
    let expires = project::whole_second(args.expires.after(now));
    write(
        context,
        &args.roots,
        &changes,
        Some(expires),
        renewal,
        &keys,
    )
}

impl Rotate {
    /// The changes besides new keys. People leave before roles are filled, so that a role which names one of them is refused.
    fn changes(&self) -> Result<Vec<RootChange>, Failure> {
        let mut changes = Vec::new();
        changes.extend(self.retired_keys.iter().cloned().map(RootChange::RetireKey));
        let removed = self.removed_principals.iter().cloned();
        changes.extend(removed.map(RootChange::RemovePrincipal));
        let publishers = self.removed_publishers.iter().cloned();
        let publishers = publishers.map(RoleName::Publisher);
        let roles = publishers.chain(self.removed_roles.iter().cloned());
        changes.extend(roles.map(RootChange::RemoveRole));
        for (role, (principals, threshold)) in self.members.by_role()? {
            changes.push(RootChange::SetRole {
                role,
                principals,
                threshold,
            });
        }
        changes.extend(self.threshold.map(|threshold| RootChange::SetThreshold {
            role: RoleName::Root,
            threshold,
        }));
        for Further {
            publisher,
            namespace,
        } in self.removed_namespaces.iter().cloned()
        {
            changes.push(RootChange::RemoveNamespace {
                publisher,
                namespace,
            });
        }
        for Further {
            publisher,
            namespace,
        } in self.added_namespaces.iter().cloned()
        {
            changes.push(RootChange::AddNamespace {
                publisher,
                namespace,
            });
        }
        for (publisher, required) in self.members.git_rules()? {
            changes.push(RootChange::RequireGit {
                publisher,
                required,
            });
        }
        let raised = self.raised_epochs.iter().cloned().map(RoleName::Publisher);
        changes.extend(raised.map(RootChange::RaiseEpoch));
        changes.extend(self.revoked_keys.iter().cloned().map(RootChange::RevokeKey));
        let payloads = self.revoked_payloads.iter().copied();
        changes.extend(payloads.map(RootChange::RevokePayload));
        let revisions = self.revoked_revisions.iter().cloned();
        changes.extend(revisions.map(RootChange::RevokeRevisions));
        Ok(changes)
    }
}

/// Writes the root that follows the last one of the directory.
pub(super) fn write(
    context: &Context,
    roots: &RootsFlags,
    changes: &[RootChange],
    expires: Option<Timestamp>,
    renewal: Renewal,
    keys: &[Box<dyn KeyHolder>],
) -> Result<Exit, Failure> {
    let place = roots.place(context)?;
    let dir = place.trust.dir.clone().ok_or_else(|| {
        Failure::new(
            Code::USAGE,
            "the configuration names no directory of trust roots",
        )
        .hint("give the directory with `--dir`: a copy of the roots' repository, say")
    })?;
    let last = last_complete(&dir, place.trust.fingerprint)?;
    let previous = last.document();
    refuse_stale(context, &place, previous.version)?;
    let now = context.env.clock.now();
    let document = next_root(previous, changes, expires, renewal, now)?;
    let mut draft = RootDraft::new(document)?;
    cosign_root(&mut draft, Some(previous), keys)?;
    let file = super::create(&dir, &draft)?;
    let name = ui::escape(&file.display().to_string());
    let standings = draft.standings(Some(previous));
    let mut out = Output::stdout();
    out.line(&name)?;
    super::print_standings(&mut out, &standings)?;
    out.flush()?;
    for difference in diff_roots(previous, draft.document()) {
        ui::note(&difference.to_string());
    }
    let keyids = draft.envelope().keyids();
    super::note_uncounted(keyids, draft.document(), Some(previous));
    super::note_incomplete(&file, &standings);
    Ok(Exit::Success)
}

/// A second root of a version that is in force would be refused by everybody who has the first.
fn refuse_stale(context: &Context, place: &Place, last: NonZeroU64) -> Result<(), Failure> {
    let known = place.drafts(context)?;
    let newest = known.last().map_or(last, |root| root.document().version);
    if newest <= last {
        return Ok(());
    }
    let message =
        format!("the directory ends with trust root {last}, and this machine knows root {newest}");
    Err(Failure::new(Code::ROOT_DIRECTORY_STALE, message).hint(
        "bring the directory up to date, from the repository of the trust roots, and begin again",
    ))
}

/// The last root of a directory, once the whole walk to it stands. Its expiry is no matter: that is what the next one is for.
fn last_complete(dir: &Path, fingerprint: Option<Sha256Digest>) -> Result<RootDraft, Failure> {
    let limits = Limits::default();
    let files = crate::pipeline::root_files(dir, &limits)?;
    let mut drafts = root_drafts(&files, &limits)?;
    let (Some(last), Some((first, later))) = (drafts.pop(), files.split_first()) else {
        return Err(RootError::Missing.into());
    };
    let previous = drafts.last().map(RootDraft::document);
    let walk = || -> Result<(), RootError> {
        last.check_signed(previous)?;
        let mut chain = RootChain::begin(first, fingerprint, &limits)?;
        later
            .iter()
            .try_for_each(|bytes| chain.step(bytes, &limits))
    };
    walk().map_err(|error| {
        let unfinished = matches!(error, RootError::Unsigned { .. });
        let failure = Failure::from(error);
        if unfinished {
            failure.hint(
                "finish it with `ordain trust sign`, or take it away, before you make the next one",
            )
        } else {
            failure
        }
    })?;
    Ok(last)
}
