//! `ordain trust`: say who may sign what.

mod confirm;

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::{Args, Subcommand};

use super::Context;
use crate::atomic::{self, Access};
use crate::bundle::Limits;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::Output;
use crate::cli::{keyfile, project, ui};
use crate::clock::Lifetime;
use crate::config::{FirstUse, TrustSource};
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::name::{Namespace, PrincipalName, RoleName};
use crate::trust::{
    Envelope, Principal, Revocations, Role, RootDocument, SecretKey, cosign_root, sign_root,
};

/// `ordain trust …`
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write and sign the first trust root, `1.root.json`.
    Init(Init),
    /// Print the last trust root of a directory, and its fingerprint.
    Show(Show),
    /// Add signatures to a trust root.
    Sign(Sign),
    /// Walk the trust roots from the pinned one to the last, and check every step.
    Verify(Verify),
    /// Hold the trust root that this machine uses against a fingerprint from a second channel.
    Confirm(confirm::Confirm),
}

#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Where the roots go.
    #[arg(long, value_name = "DIR", default_value = "trust")]
    dir: PathBuf,
    /// Someone who signs, and their key: NAME=FILE, public or private (a private key also signs). Repeat for each.
    #[arg(long = "principal", value_name = "NAME=FILE", required = true)]
    principals: Vec<Pair>,
    /// How many principals must sign the next root, and bundles of --namespace.
    #[arg(long)]
    threshold: NonZeroU32,
    /// How long this root counts, such as 1y.
    #[arg(long)]
    expires: Lifetime,
    /// A namespace that all principals publish, by the same threshold. Repeat for packs and other roots.
    #[arg(long = "namespace", value_name = "NAMESPACE")]
    namespaces: Vec<Namespace>,
    /// A namespace with publishers of its own: NAMESPACE=NAME,NAME:THRESHOLD. Repeat for each.
    #[arg(long = "publisher", value_name = "NAMESPACE=NAMES:N")]
    publishers: Vec<Delegation>,
    /// A private key to sign with. Repeat for each.
    #[arg(long = "key", value_name = "FILE")]
    keys: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The directory of the roots; that of the configuration where none is given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print the fingerprint alone.
    #[arg(long)]
    fingerprint: bool,
    /// Print the document as JSON.
    #[arg(long, conflicts_with = "fingerprint")]
    json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Sign {
    /// The root, such as trust/1.root.json.
    file: PathBuf,
    /// A private key to sign with. Repeat for each.
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// The directory of the roots; that of the configuration where none is given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The fingerprint of the first root; that of the configuration where none is given.
    #[arg(long)]
    fingerprint: Option<Sha256Digest>,
}

/// `NAME=FILE`.
#[derive(Debug, Clone)]
struct Pair {
    name: PrincipalName,
    file: PathBuf,
}

impl FromStr for Pair {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = text
            .split_once('=')
            .ok_or("write it as NAME=FILE, such as alice=alice.pub")?;
        Ok(Self {
            name: name.parse().map_err(|error| format!("{error}"))?,
            file: PathBuf::from(file),
        })
    }
}

/// `NAMESPACE=NAME,NAME:THRESHOLD`.
#[derive(Debug, Clone)]
struct Delegation {
    namespace: Namespace,
    principals: BTreeSet<PrincipalName>,
    threshold: NonZeroU32,
}

impl FromStr for Delegation {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let form = "write it as NAMESPACE=NAME,NAME:THRESHOLD, such as acme/payments=carol,dan:1";
        let (namespace, rest) = text.split_once('=').ok_or(form)?;
        let (names, threshold) = rest.rsplit_once(':').ok_or(form)?;
        Ok(Self {
            namespace: namespace.parse().map_err(|error| format!("{error}"))?,
            principals: names
                .split(',')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .map_err(|error| format!("{error}"))?,
            threshold: threshold.parse().map_err(|_| form)?,
        })
    }
}

/// Runs `ordain trust …`.
pub(crate) fn run(context: &Context, command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init(context, args),
        Command::Show(args) => show(context, args),
        Command::Sign(args) => sign(context, args),
        Command::Verify(args) => verify(context, args),
        Command::Confirm(args) => confirm::run(context, args),
    }
}

fn init(context: &Context, args: &Init) -> Result<Exit, Failure> {
    let mut principals: BTreeMap<PrincipalName, Principal> = BTreeMap::new();
    let mut keys: Vec<SecretKey> = Vec::new();
    for Pair { name, file } in &args.principals {
        let (public, private) = keyfile::public(&context.env, &context.env.resolve(file))?;
        principals
            .entry(name.clone())
            .or_insert_with(|| Principal { keys: Vec::new() })
            .keys
            .push(public);
        keys.extend(private);
    }
    for file in &args.keys {
        keys.push(keyfile::private(&context.env, &context.env.resolve(file))?);
    }
    let document = RootDocument {
        version: NonZeroU64::MIN,
        expires: project::whole_second(args.expires.after(context.env.clock.now())),
        roles: roles(args, principals.keys().cloned().collect())?,
        principals,
        revoked: Revocations::default(),
    };
    let envelope = sign_root(&document, &keys)?;
    let dir = context.env.resolve(&args.dir);
    let file = dir.join("1.root.json");
    let unwritable = |error: std::io::Error| {
        let name = ui::escape(&file.display().to_string());
        match error.kind() {
            std::io::ErrorKind::AlreadyExists => Failure::new(
                Code::FILE_EXISTS,
                format!("`{name}` is there already: a trust root is never replaced"),
            ),
            _ => Failure::new(
                Code::FILE_UNWRITABLE,
                format!("cannot write `{name}`: {error}"),
            ),
        }
    };
    std::fs::create_dir_all(&dir).map_err(unwritable)?;
    atomic::create(&file, envelope.to_json().as_bytes(), Access::Shared).map_err(unwritable)?;
    let mut out = Output::stdout();
    out.line(&envelope.payload_digest().to_string())?;
    out.flush()?;
    let threshold = args.threshold.get();
    let signed = signer_count(&envelope, &document);
    ui::note(&format!(
        "wrote `{}`, signed by {signed} of the {threshold} it needs",
        ui::escape(&file.display().to_string())
    ));
    if signed < threshold as usize {
        ui::note("hint: it does not count until the others have run `ordain trust sign` on it");
    }
    if document.publishers().next().is_none() {
        ui::note("hint: nobody may publish a bundle yet; give `--namespace` or `--publisher`");
    }
    Ok(Exit::Success)
}

fn roles(
    args: &Init,
    everyone: BTreeSet<PrincipalName>,
) -> Result<BTreeMap<RoleName, Role>, Failure> {
    let role = |principals, threshold, namespaces| Role {
        principals,
        threshold,
        epoch: NonZeroU64::MIN,
        namespaces,
    };
    let mut roles = BTreeMap::from([(
        RoleName::Root,
        role(everyone.clone(), args.threshold, BTreeSet::new()),
    )]);
    let shared = args
        .namespaces
        .iter()
        .map(|namespace| (namespace, &everyone, args.threshold));
    let delegated = args
        .publishers
        .iter()
        .map(|own| (&own.namespace, &own.principals, own.threshold));
    for (namespace, principals, threshold) in shared.chain(delegated) {
        let publisher = role(principals.clone(), threshold, [namespace.clone()].into());
        // SECURITY: the later of two would silently replace the earlier one's threshold.
        if roles
            .insert(RoleName::Publisher(namespace.clone()), publisher)
            .is_some()
        {
            let message = format!("the namespace `{namespace}` was given twice");
            return Err(Failure::new(Code::USAGE, message)
                .hint("give it once, with `--namespace` or with `--publisher`"));
        }
    }
    Ok(roles)
}

/// How many of the root's own principals the envelope names as signers; for the message only.
fn signer_count(envelope: &Envelope, document: &RootDocument) -> usize {
    let signers: BTreeSet<_> = envelope.keyids().collect();
    document
        .principals
        .values()
        .filter(|p| p.keys.iter().any(|key| signers.contains(&key.id())))
        .count()
}

fn show(context: &Context, args: &Show) -> Result<Exit, Failure> {
    let trust = place(context, args.dir.as_deref(), None)?;
    let (files, anchored) = with_pipeline(context, &FetchFlags::default(), |pipeline| {
        Ok((pipeline.root_files(&trust)?, pipeline.anchored(&trust)?))
    })?;
    let parse = |bytes: &[u8]| -> Result<(Envelope, RootDocument), Failure> {
        let envelope =
            Envelope::parse(bytes, &Limits::default()).map_err(crate::trust::RootError::from)?;
        let document = RootDocument::parse(envelope.payload())?;
        Ok((envelope, document))
    };
    let first = files.first().map(|bytes| parse(bytes)).transpose()?;
    let last = files.last().map(|bytes| parse(bytes)).transpose()?;
    let missing = || Failure::from(crate::trust::RootError::Missing);
    let (first, last) = (first.ok_or_else(missing)?, last.ok_or_else(missing)?);
    let mut out = Output::stdout();
    if args.fingerprint {
        out.line(&first.0.payload_digest().to_string())?;
    } else if args.json {
        let text = serde_json::to_string_pretty(&last.1).unwrap_or_default();
        out.line(&text)?;
    } else {
        print_root(&mut out, &first.0.payload_digest(), &last)?;
        if let Some(warning) = anchored.and_then(|known| known.confirmation.warning()) {
            out.line(warning)?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn print_root(
    out: &mut Output,
    fingerprint: &Sha256Digest,
    (envelope, root): &(Envelope, RootDocument),
) -> Result<(), Failure> {
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
        out.line(&format!(
            "role         {name}  {} of {}  epoch {epoch}",
            role.threshold,
            members.join(", ")
        ))?;
    }
    let named: Vec<String> = envelope.keyids().map(|id| id.to_string()).collect();
    out.line(&format!(
        "signatures   {} (named, not checked: `ordain trust verify` checks)",
        named.join(", ")
    ))
}

fn sign(context: &Context, args: &Sign) -> Result<Exit, Failure> {
    let file = context.env.resolve(&args.file);
    let text = keyfile::read_small(&file, Limits::default().envelope_bytes as u64)?;
    let keys: Vec<SecretKey> = args
        .keys
        .iter()
        .map(|key| keyfile::private(&context.env, &context.env.resolve(key)))
        .collect::<Result<_, _>>()?;
    let (envelope, document, added) = cosign_root(text.as_bytes(), &keys, &Limits::default())?;
    let name = ui::escape(&file.display().to_string());
    atomic::replace(&file, envelope.to_json().as_bytes(), Access::Shared).map_err(|error| {
        Failure::new(
            Code::FILE_UNWRITABLE,
            format!("cannot write `{name}`: {error}"),
        )
    })?;
    ui::note(&format!(
        "added {added} signatures to trust root {}: {}",
        document.version,
        envelope.payload_digest()
    ));
    Ok(Exit::Success)
}

fn verify(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    let trust = place(context, args.dir.as_deref(), args.fingerprint)?;
    let trusted = with_pipeline(context, &FetchFlags::default(), |pipeline| {
        Ok(pipeline.trusted(&trust)?)
    })?;
    let root = &trusted.root;
    let mut out = Output::stdout();
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

/// Where trust begins: the directory and fingerprint given, else what the configuration says.
fn place(
    context: &Context,
    dir: Option<&Path>,
    fingerprint: Option<Sha256Digest>,
) -> Result<TrustSource, Failure> {
    let mut trust = match dir {
        Some(dir) => TrustSource {
            dir: Some(context.env.resolve(dir)),
            fingerprint: None,
            repository: None,
            base: context.env.current.clone(),
            first_use: FirstUse::Refused,
        },
        None => project::config(context)?.trust,
    };
    trust.fingerprint = fingerprint.or(trust.fingerprint);
    Ok(trust)
}
