//! `ordain trust init`: the first root.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::PathBuf;

use clap::Args;

use super::{Context, Members, People, SigningKeys};
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::cli::{project, ui};
use crate::clock::Lifetime;
use crate::diag::Code;
use crate::name::{Namespace, PrincipalName, RoleName};
use crate::trust::{Principal, Revocations, Role, RootDocument, RootDraft, cosign_root};

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where the roots go.
    #[arg(long, value_name = "DIR", default_value = "trust")]
    dir: PathBuf,
    #[command(flatten)]
    people: People,
    /// How many principals must sign each root, this one included, and bundles of --namespace.
    #[arg(long)]
    threshold: NonZeroU32,
    /// How long this root counts, such as 1y.
    #[arg(long)]
    expires: Lifetime,
    /// A namespace that all principals publish, by the same threshold. Repeat for packs and other roots.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<Namespace>,
    #[command(flatten)]
    members: Members,
    #[command(flatten)]
    signing: SigningKeys,
}

/// Runs `ordain trust init`.
pub(super) fn run(context: &Context, args: &Init) -> Result<Exit, Failure> {
    let (people, mut keys) = args.people.load(context)?;
    if people.is_empty() {
        return Err(Failure::new(Code::USAGE, "nobody was named who signs")
            .hint("give `--principal NAME=KEY` for each, or `--allowed-signers FILE`"));
    }
    keys.extend(args.signing.load(context)?);
    let mut principals: BTreeMap<PrincipalName, Principal> = BTreeMap::new();
    for (name, key) in people {
        let principal = principals.entry(name);
        let principal = principal.or_insert_with(|| Principal { keys: Vec::new() });
        principal.keys.push(key);
    }
    let document = RootDocument {
        version: NonZeroU64::MIN,
        expires: project::whole_second(args.expires.after(context.env.clock.now())),
        roles: roles(args, principals.keys().cloned().collect())?,
        principals,
        revoked: Revocations::default(),
    };
    let mut draft = RootDraft::new(document)?;
    cosign_root(&mut draft, None, &keys)?;
    let file = super::create(&context.env.resolve(&args.dir), &draft)?;
    let mut out = Output::stdout();
    out.line(&draft.envelope().payload_digest().to_string())?;
    out.flush()?;
    let standings = draft.standings(None);
    let name = ui::escape(&file.display().to_string());
    for standing in &standings {
        let (signed, needed) = (standing.signed.len(), standing.threshold);
        // More than are needed are not some of those needed.
        let enough = if signed > needed as usize {
            format!("{signed}; it needs {needed}")
        } else {
            format!("{signed} of the {needed} it needs")
        };
        ui::note(&format!("wrote `{name}`, signed by {enough}"));
    }
    super::note_uncounted(draft.envelope().keyids(), draft.document(), None);
    super::note_incomplete(&file, &standings);
    if draft.document().publishers().next().is_none() {
        ui::note("hint: nobody may publish a bundle yet; give `--namespace` or `--publisher`");
    }
    Ok(Exit::Success)
}

fn roles(
    args: &Init,
    everyone: BTreeSet<PrincipalName>,
) -> Result<BTreeMap<RoleName, Role>, Failure> {
    let named = args.members.by_role()?;
    let mut roles: BTreeMap<RoleName, Role> = named
        .into_iter()
        .map(|(name, (principals, threshold))| {
            let role = Role::new(&name, principals, threshold);
            (name, role)
        })
        .collect();
    // Who is not told otherwise is everyone.
    roles
        .entry(RoleName::Root)
        .or_insert_with(|| Role::new(&RoleName::Root, everyone.clone(), args.threshold));
    for namespace in &args.namespaces {
        let name = RoleName::Publisher(namespace.clone());
        let role = Role::new(&name, everyone.clone(), args.threshold);
        if roles.insert(name.clone(), role).is_some() {
            return Err(super::given_twice(&name));
        }
    }
    for (namespace, required) in args.members.git_rules()? {
        let publisher = roles.get_mut(&RoleName::Publisher(namespace.clone()));
        // SECURITY: a rule for a role that is not there would be silently without effect.
        let publisher = publisher.ok_or_else(|| {
            let message = format!("`--require-git` names `{namespace}`, which has no publisher");
            Failure::new(Code::USAGE, message)
                .hint("give the namespace with `--namespace` or `--publisher`")
        })?;
        publisher.git_signature = required;
    }
    Ok(roles)
}
