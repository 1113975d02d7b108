//! `ordain bundle new | sign | inspect`: what authors do.

use std::num::NonZeroU64;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::atomic::{self, Access};
use crate::bundle::{ENVELOPE_FILE, FetchedBundle, Limits, Manifest, Requirement, Statement};
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::keyfile::{self, KEY_HELP, KeyArg};
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, note, pretty_json};
use crate::clock::Lifetime;
use crate::diag::Code;
use crate::name::{BundleName, Namespace};
use crate::pipeline::{self, read_directory};
use crate::trust::{
    Envelope, NextRevision, OlderRevision, RevisionName, Unchanged, manifest_of, sign_bundle,
};

#[derive(Debug, Args)]
pub(crate) struct New {
    /// The directory to make.
    dir: PathBuf,
    /// The scopes that it may define.
    #[arg(long)]
    namespace: Namespace,
    /// The bundle's name; the directory's where none is given.
    #[arg(long)]
    name: Option<BundleName>,
}

#[derive(Debug, Args)]
#[command(after_long_help = KEY_HELP)]
pub(crate) struct Sign {
    /// The bundle's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// A key to sign with. Repeat for each.
    #[arg(long = "key", value_name = "KEY", required = true)]
    keys: Vec<KeyArg>,
    /// How long a new revision counts, such as 90d.
    #[arg(long)]
    expires: Option<Lifetime>,
    /// Begin a new revision though the files are unchanged.
    #[arg(long)]
    renew: bool,
    /// The epoch, after the trust root raised the role's; by itself that of the last revision, since the root is not read.
    #[arg(long)]
    epoch: Option<NonZeroU64>,
    /// The revision; by itself the next one.
    #[arg(long)]
    revision: Option<NonZeroU64>,
    /// The least revision of another bundle that this one needs: NAME@EPOCH.REVISION. Repeat for each.
    #[arg(long = "requires", value_name = "NAME@EPOCH.REVISION", value_parser = parse_requirement)]
    requires: Vec<Requirement>,
    /// Sign the files of an older revision, restored here, as a new one that says so: EPOCH.REVISION, or its payload's digest.
    #[arg(long, value_name = "REVISION")]
    rollback_to: Option<RevisionName>,
    /// The older revision's `bundle.dsse.json`; this machine's store is searched where none is given.
    #[arg(long, value_name = "FILE", requires = "rollback_to")]
    rollback_from: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Inspect {
    /// The bundle's directory.
    #[arg(default_value = ".")]
    dir: PathBuf,
    /// Print the statement as JSON.
    #[arg(long)]
    json: bool,
}

fn parse_requirement(text: &str) -> Result<Requirement, String> {
    let form = "write it as NAME@EPOCH.REVISION, such as acme@1.14";
    let (name, revision) = text.split_once('@').ok_or(form)?;
    let (epoch, revision) = revision.split_once('.').ok_or(form)?;
    Ok(Requirement {
        bundle: name.parse().map_err(|error| format!("{error}"))?,
        epoch: epoch.parse().map_err(|_| form)?,
        revision: revision.parse().map_err(|_| form)?,
        payload_sha256: None,
    })
}

/// Runs `ordain bundle new`.
pub(super) fn new(context: &Context, args: &New) -> Result<Exit, Failure> {
    let dir = context.env.resolve(&args.dir);
    let shown = escape(&args.dir.display().to_string());
    let name = match &args.name {
        Some(name) => name.clone(),
        None => {
            let name = dir
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            name.parse().map_err(|error| {
                Failure::new(Code::USAGE, format!("{error}")).hint("name the bundle with `--name`")
            })?
        }
    };
    if dir
        .read_dir()
        .is_ok_and(|mut entries| entries.next().is_some())
    {
        return Err(Failure::new(
            Code::FILE_EXISTS,
            format!("`{shown}` is not empty"),
        ));
    }
    let scope = args.namespace.top();
    let policy_file = format!("policies/{}.yaml", scope.as_str().replace('/', "-"));
    let files = [
        (".gitattributes", "* -text\n".to_owned()),
        ("bundle.yaml", manifest_text(&name, &args.namespace)),
        (policy_file.as_str(), policy_text(&args.namespace)),
    ];
    let unwritable = |error: std::io::Error| {
        Failure::new(
            Code::FILE_UNWRITABLE,
            format!("cannot write below `{shown}`: {error}"),
        )
    };
    std::fs::create_dir_all(dir.join("policies")).map_err(unwritable)?;
    let mut out = Output::stdout();
    for (file, text) in files {
        atomic::create(&dir.join(file), text.as_bytes(), Access::Shared).map_err(unwritable)?;
        out.line(&format!("{shown}/{file}"))?;
    }
    out.flush()?;
    note(&format!(
        "next: edit the policy, `ordain policy check {shown}`, `ordain bundle sign {shown} --key … --expires 90d`"
    ));
    Ok(Exit::Success)
}

pub(in crate::cli::command) fn manifest_text(name: &BundleName, namespace: &Namespace) -> String {
    format!(
        "apiVersion: ordain/v1\nkind: Bundle\nname: {name}\nversion: 0.1.0\nnamespace: {namespace}\ndescription: \"\"\n"
    )
}

fn policy_text(namespace: &Namespace) -> String {
    format!(
        r#"apiVersion: ordain/v1
kind: Policy
scope: {namespace}
mode: enforce
# What this scope says where no rule matches: abstain leaves it to the scopes below, and in the end it is denied.
default: abstain
rules:
  - id: reading-is-fine
    effect: allow
    reason: Reading changes nothing
    reason_code: READ_ONLY
    match:
      action: "read_*"
  - id: deleting-needs-a-second-pair-of-eyes
    effect: require_approval
    reason: What is deleted is gone
    reason_code: DELETE_NEEDS_APPROVAL
    remediation: Ask the owner of the resource
    match:
      action: "delete_*"
"#
    )
}

/// Runs `ordain bundle sign`.
pub(super) fn sign(context: &Context, args: &Sign) -> Result<Exit, Failure> {
    let dir = context.env.resolve(&args.dir);
    let limits = Limits::default();
    let fetched = read_directory(&dir, &limits)?;
    let keys = keyfile::signers(&context.env, &args.keys)?;
    refuse_keys_inside(&fetched)?;
    let now = context.env.clock.now();
    let next = NextRevision {
        now,
        unchanged: if args.renew {
            Unchanged::Renew
        } else {
            Unchanged::CoSign
        },
        expires: args.expires.map(|lifetime| lifetime.after(now)),
        epoch: args.epoch,
        revision: args.revision,
        requires: (!args.requires.is_empty()).then(|| args.requires.clone()),
        rolls_back: older(context, args, &fetched, &limits)?,
    };
    let signed = sign_bundle(&fetched, &keys, &next, &limits)?;
    let file = dir.join(ENVELOPE_FILE);
    atomic::replace(&file, signed.envelope.to_json().as_bytes(), Access::Shared).map_err(
        |error| {
            let name = escape(&file.display().to_string());
            Failure::new(
                Code::FILE_UNWRITABLE,
                format!("cannot write `{name}`: {error}"),
            )
        },
    )?;
    let mut out = Output::stdout();
    let predicate = &signed.statement.predicate;
    let what = if signed.cosigned {
        "co-signed"
    } else {
        "signed"
    };
    out.line(&format!(
        "{what} bundle {} revision {}.{}",
        predicate.bundle, predicate.epoch, predicate.revision
    ))?;
    print_statement(&mut out, &signed.envelope, &signed.statement)?;
    out.flush()?;
    if signed.added == 0 {
        note("note: these keys have signed this revision already; `--renew` begins a new one");
    } else if signed.cosigned {
        note(
            "note: the signatures that were there are not checked here; `ordain bundle verify` does",
        );
    }
    if signed.added > 0 && signed.cosigned && args.expires.is_some() {
        note(
            "note: the files are unchanged, so the expiry stays as it was signed; `--renew` begins a new revision",
        );
    }
    Ok(Exit::Success)
}

/// The statement of the revision to return to.
fn older(
    context: &Context,
    args: &Sign,
    fetched: &FetchedBundle,
    limits: &Limits,
) -> Result<Option<OlderRevision>, Failure> {
    let Some(wanted) = &args.rollback_to else {
        return Ok(None);
    };
    if let Some(file) = &args.rollback_from {
        let file = context.env.resolve(file);
        let text = keyfile::read_small(&file, limits.envelope_bytes as u64)?;
        let older = OlderRevision::parse(text.as_bytes(), limits)?;
        if older.is(wanted) {
            return Ok(Some(older));
        }
        let predicate = older.predicate();
        let message = format!(
            "`{}` is revision {}.{}, not {wanted}",
            escape(&file.display().to_string()),
            predicate.epoch,
            predicate.revision
        );
        return Err(Failure::new(Code::SIGN_ROLLBACK, message));
    }
    let manifest = manifest_of(fetched, limits)?;
    let found = pipeline::stored_revision(&context.env.cache, &manifest.name, wanted, limits)?;
    if found.is_some() {
        return Ok(found);
    }
    let message = format!(
        "this machine's store holds no revision {wanted} of bundle `{}`",
        manifest.name
    );
    Err(Failure::new(Code::SIGN_ROLLBACK, message).hint(
        "give its envelope: `git show COMMIT:DIR/bundle.dsse.json > old.dsse.json`, then `--rollback-from old.dsse.json`",
    ))
}

/// A private key in a bundle would be published with it.
fn refuse_keys_inside(fetched: &FetchedBundle) -> Result<(), Failure> {
    let is_key = |bytes: &[u8]| {
        bytes.starts_with(b"-----BEGIN ")
            && bytes.windows(12).take(64).any(|w| w == b"PRIVATE KEY-")
    };
    match fetched.files.iter().find(|(_, bytes)| is_key(bytes)) {
        None => Ok(()),
        Some((path, _)) => Err(Failure::new(
            Code::USAGE,
            format!("`{path}` is a private key, and the bundle is published"),
        )
        .hint("move the key out of the bundle's directory")),
    }
}

fn print_statement(
    out: &mut Output,
    envelope: &Envelope,
    statement: &Statement,
) -> Result<(), Failure> {
    let predicate = &statement.predicate;
    out.line(&format!("  payload    {}", envelope.payload_digest()))?;
    out.line(&format!(
        "  covers     {} files, namespace {}",
        statement.subjects.len(),
        predicate.namespace
    ))?;
    out.line(&format!(
        "  issued     {}, expires {}",
        predicate.issued, predicate.expires
    ))?;
    for requirement in &predicate.requires {
        let Requirement {
            bundle,
            epoch,
            revision,
            ..
        } = requirement;
        out.line(&format!(
            "  requires   {bundle} at least {epoch}.{revision}"
        ))?;
    }
    if let Some(older) = &predicate.rolls_back {
        out.line(&format!(
            "  rolls back to revision {}.{}, {}",
            older.epoch, older.revision, older.payload_sha256
        ))?;
    }
    let named: Vec<String> = envelope.keyids().map(|id| id.to_string()).collect();
    out.line(&format!("  signatures {}", named.join(", ")))
}

/// Runs `ordain bundle inspect`.
pub(super) fn inspect(context: &Context, args: &Inspect) -> Result<Exit, Failure> {
    let limits = Limits::default();
    let fetched = read_directory(&context.env.resolve(&args.dir), &limits)?;
    let manifest = fetched
        .files
        .iter()
        .find(|(path, _)| path.as_str() == crate::bundle::MANIFEST_FILE);
    let mut out = Output::stdout();
    let envelope = fetched
        .envelope
        .as_deref()
        .map(|bytes| Envelope::parse(bytes, &limits))
        .transpose();
    let envelope = envelope.map_err(crate::trust::VerifyError::from)?;
    let statement = envelope
        .as_ref()
        .map(|envelope| Statement::parse(envelope.payload()))
        .transpose();
    let statement = statement.map_err(crate::trust::VerifyError::from)?;
    if args.json {
        let payload = envelope.as_ref().map_or(&b"null"[..], Envelope::payload);
        let value: serde_json::Value = crate::json::from_slice(payload).unwrap_or_default();
        out.line(&pretty_json(&value)?)?;
    } else {
        if let Some((_, bytes)) = manifest {
            let manifest = Manifest::parse(bytes, limits.yaml_bytes)?;
            out.line(&format!(
                "bundle {} {}, namespace {}",
                manifest.name, manifest.version, manifest.namespace
            ))?;
            if !manifest.description.is_empty() {
                out.line(&format!("  {}", escape(&manifest.description)))?;
            }
        }
        match (&envelope, &statement) {
            (Some(envelope), Some(statement)) => {
                let predicate = &statement.predicate;
                out.line(&format!(
                    "  revision   {}.{}",
                    predicate.epoch, predicate.revision
                ))?;
                print_statement(&mut out, envelope, statement)?;
            }
            _ => out.line("  not signed")?,
        }
        for (path, bytes) in &fetched.files {
            out.line(&format!("  {:>9}  {path}", bytes.len()))?;
        }
    }
    out.flush()?;
    note("nothing of this was verified: `ordain bundle verify` does");
    Ok(Exit::Success)
}

/// Whether a directory holds a bundle's files, rather than a repository.
pub(super) fn is_bundle_directory(dir: &Path) -> bool {
    dir.join(crate::bundle::MANIFEST_FILE).is_file() || dir.join(ENVELOPE_FILE).is_file()
}
