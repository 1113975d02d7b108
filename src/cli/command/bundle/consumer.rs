//! `ordain bundle pull | verify | list`: what consumers do.

use clap::Args;
use jiff::Timestamp;

use super::target::{self, SourceFlags, Target};
use crate::bundle::{Limits, Origin};
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::output::explanation;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::{Output, escape, pretty_json};
use crate::config::{BundleSource, FirstUse, TrustSource};
use crate::diag::Code;
use crate::lockfile::{LOCK_FILE, Lockfile};
use crate::pipeline::{
    Confirmation, Locking, PipelineError, PulledBundle, Subject, Transfer, effective,
};
use crate::trust::{
    GitObject, GitSigned, TrustRoot, VerifiedBundle, VerifyError, git_signatures, whole_second,
};

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// A repository's URL or path; every bundle of the configuration where none is given.
    url: Option<String>,
    /// Take what the refs point at now, even under CI.
    #[arg(long, conflicts_with_all = ["locked", "frozen", "url"])]
    update: bool,
    /// Trust the first trust root that is found, until `ordain trust confirm`; never under CI or without a terminal.
    #[arg(long)]
    tofu: bool,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    fetch: FetchFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Verify {
    /// A configured bundle, a directory, or a repository's URL; every configured bundle where none is given.
    target: Option<String>,
    /// Tell every check in order: what passed and why, what failed and who can mend it, what was not reached.
    #[arg(long)]
    explain: bool,
    /// Print the explanation as JSON.
    #[arg(long, requires = "explain")]
    json: bool,
    #[command(flatten)]
    source: SourceFlags,
    #[command(flatten)]
    fetch: FetchFlags,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

/// Runs `ordain bundle pull`.
pub(super) fn pull(context: &Context, args: &Pull) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    let first_use = first_use(context, args)?;
    with_pipeline(context, &args.fetch, |pipeline| {
        match target::find(context, args.url.as_deref(), &args.source)? {
        Target::Configured(mut config, _) if args.url.is_none() => {
            config.trust.first_use = first_use;
            let locking = if args.update {
                    Locking::Update
                } else {
                    args.fetch.locking(context, Locking::Update)
                };
            let pulled = pipeline.pull(&config, locking)?;
            tell_root(&mut out, &pulled.root, pulled.advanced_from, pulled.confirmation)?;
            for bundle in &pulled.bundles {
                out.line(&change(bundle))?;
                print(&mut out, &bundle.bundle, &pulled.root)?;
            }
            out.note(&format!("policy of `{}`: {}", pulled.policy.scope(), pulled.policy.digest()))
        }
        Target::Repository(repository) => {
            let trust = TrustSource { first_use, ..args.source.trust(context)? };
            let (pulled, trusted) = pipeline.pull_repository(&context.env.current, &repository, &trust)?;
            tell_root(&mut out, &trusted.root, trusted.advanced_from, trusted.confirmation)?;
            out.line(&change(&pulled))?;
            print(&mut out, &pulled.bundle, &trusted.root)?;
            out.note("the bundle was verified and kept; name it in `ordain.yaml` to decide with it")
        }
        Target::Configured(..) | Target::Directory(_) => {
            Err(Failure::new(Code::USAGE, "`bundle pull` takes a repository's URL, or nothing")
                .hint("without a URL it pulls every bundle of `ordain.yaml`; `bundle verify` takes names and directories"))
        }
    }
    })?;
    out.flush()?;
    Ok(Exit::Success)
}

/// Runs `ordain bundle verify --explain`. Whatever is wrong ends the command as it does without the flag.
fn explain(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    let explanation = with_pipeline(context, &args.fetch, |pipeline| {
        let trust = || args.source.trust(context);
        Ok(
            match target::find(context, args.target.as_deref(), &args.source)? {
                Target::Configured(config, bundles) => pipeline.explain(&Subject::Configured {
                    config: &config,
                    bundles: &bundles,
                }),
                Target::Repository(repository) => pipeline.explain(&Subject::Repository {
                    base: &context.env.current,
                    repository: &repository,
                    trust: &trust()?,
                }),
                Target::Directory(dir) => pipeline.explain(&Subject::Directory {
                    dir: &dir,
                    trust: &trust()?,
                }),
            },
        )
    })?;
    let mut out = Output::stdout();
    if args.json {
        explanation::json(&mut out, &explanation)?;
    } else {
        explanation::text(&mut out, &explanation)?;
    }
    out.flush()?;
    explanation
        .error
        .map_or(Ok(Exit::Success), |error| Err(error.into()))
}

/// Whether the first root found may be trusted. Someone must see which one it is.
fn first_use(context: &Context, args: &Pull) -> Result<FirstUse, Failure> {
    if !args.tofu {
        return Ok(FirstUse::Refused);
    }
    let reason = match (context.env.ci, context.env.terminal) {
        (true, _) => "under CI",
        (false, false) => "without a terminal",
        (false, true) => return Ok(FirstUse::Allowed),
    };
    Err(Failure::new(
        Code::FIRST_USE_REFUSED,
        format!("`--tofu` is refused {reason}"),
    ))
}

/// What became of the trust root.
pub(super) fn tell_root(
    out: &mut Output,
    root: &TrustRoot,
    advanced_from: Option<u64>,
    confirmation: Confirmation,
) -> Result<(), Failure> {
    if let Some(before) = advanced_from {
        out.line(&format!("trust root {before} -> {}", root.version()))?;
    }
    if confirmation == Confirmation::FirstUse {
        out.line(&format!("fingerprint {}", root.fingerprint()))?;
        out.note(
            "hint: ask the root's owners for the fingerprint by another way, and run `ordain trust confirm sha256:…` with it",
        )?;
    }
    warn(out, confirmation)
}

fn warn(out: &mut Output, confirmation: Confirmation) -> Result<(), Failure> {
    confirmation.warning().map_or(Ok(()), |line| out.line(line))
}

/// A statement past its time is refused here; whoever wonders why decisions go on is told until when.
fn late(error: PipelineError, source: &BundleSource) -> Failure {
    let ended = match &error {
        PipelineError::Verify { error, .. } => match **error {
            VerifyError::Expired { expires } => Some(expires),
            VerifyError::TooOld { issued, max_age } => {
                Some(issued.saturating_add(max_age).unwrap_or(Timestamp::MAX))
            }
            _ => None,
        },
        _ => None,
    };
    let failure = Failure::from(error);
    match (ended, source.grace) {
        (Some(ended), Some(grace)) => {
            let until = grace.after(ended);
            failure.detail(format!(
                "grace      {grace}: if it is active already, it decides until {until}, each decision marked stale"
            ))
        }
        _ => failure,
    }
}

/// Runs `ordain bundle verify`.
pub(super) fn verify(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    if args.explain {
        return explain(context, args);
    }
    let mut out = Output::stdout();
    with_pipeline(context, &args.fetch, |pipeline| {
        match target::find(context, args.target.as_deref(), &args.source)? {
            Target::Configured(config, bundles) => {
                let trusted = pipeline.newest_root(&config.trust)?;
                let root = &trusted.root;
                let lock = Lockfile::load(&config.base().join(LOCK_FILE))?.unwrap_or_default();
                let mut together = Vec::new();
                for source in &bundles {
                    let verified = pipeline.verify_repository(
                        config.base(),
                        &source.repository,
                        Some((source, lock.bundles.get(&source.name))),
                        root,
                    );
                    let verified = verified.map_err(|error| late(error, source))?;
                    report(&mut out, &verified.bundle, root)?;
                    if let Some(grace) = source.grace {
                        let until = grace.after(verified.bundle.validity().fresh_until());
                        let until = whole_second(until.min(root.document().expires));
                        out.line(&format!(
                            "  grace      {grace}: active, it decides until {until}"
                        ))?;
                    }
                    together.push(verified.bundle);
                }
                // Bundles that a pull would refuse are not verified.
                if together.len() == config.bundles.len() {
                    effective(
                        &together.iter().collect::<Vec<_>>(),
                        &config.scope,
                        context.env.clock.now(),
                        config.mode,
                        &Limits::default(),
                    )?;
                }
                warn(&mut out, trusted.confirmation)
            }
            Target::Repository(repository) => {
                let trusted = pipeline.newest_root(&args.source.trust(context)?)?;
                let root = &trusted.root;
                let verified =
                    pipeline.verify_repository(&context.env.current, &repository, None, root)?;
                report(&mut out, &verified.bundle, root)?;
                warn(&mut out, trusted.confirmation)
            }
            Target::Directory(dir) => {
                let trusted = pipeline.newest_root(&args.source.trust(context)?)?;
                let verified = pipeline.verify_directory(&dir, None, &trusted.root)?;
                report(&mut out, &verified, &trusted.root)?;
                warn(&mut out, trusted.confirmation)
            }
        }
    })?;
    out.flush()?;
    Ok(Exit::Success)
}

fn report(out: &mut Output, bundle: &VerifiedBundle, root: &TrustRoot) -> Result<(), Failure> {
    let predicate = bundle.predicate();
    let (epoch, revision) = (predicate.epoch, predicate.revision);
    out.line(&format!(
        "bundle {} {} is verified: revision {epoch}.{revision}",
        predicate.bundle, predicate.version
    ))?;
    print(out, bundle, root)
}

/// Who signed what, until when, and what it covers.
pub(super) fn print(
    out: &mut Output,
    bundle: &VerifiedBundle,
    root: &TrustRoot,
) -> Result<(), Failure> {
    let predicate = bundle.predicate();
    let signers: Vec<String> = bundle
        .signers()
        .iter()
        .map(|s| format!("{} ({})", s.principal, s.keyid))
        .collect();
    let threshold = root
        .document()
        .roles
        .get(bundle.role())
        .map_or(0, |role| role.threshold.get());
    out.line(&format!("  signed by  {}", signers.join(", ")))?;
    out.line(&format!(
        "  as         {}, which takes {threshold}; trust root {}",
        bundle.role(),
        bundle.root_version()
    ))?;
    out.line(&format!(
        "  issued     {}, expires {}",
        predicate.issued, predicate.expires
    ))?;
    out.line(&format!(
        "  covers     {} files, namespace {}",
        bundle.files().len(),
        predicate.namespace
    ))?;
    out.line(&format!("  payload    {}", bundle.payload()))?;
    print_git(out, bundle, root)?;
    if let Some(older) = &predicate.rolls_back {
        out.line(&format!(
            "  rolls back to revision {}.{}, {}",
            older.epoch, older.revision, older.payload_sha256
        ))?;
    }
    match bundle.origin() {
        Origin::Git {
            url,
            reference,
            commit,
            ..
        } => out.line(&format!(
            "  from       {} {} at {commit}",
            escape(url),
            escape(reference)
        )),
        Origin::Store {
            commit: Some(commit),
        } => out.line(&format!("  from       commit {commit}, kept here")),
        Origin::Store { commit: None } => out.line("  from       the store, kept here"),
        Origin::Directory { path } => out.line(&format!("  from       {}", escape(path))),
    }
}

/// What Git's own signatures say, which counts only where the role requires it.
fn print_git(out: &mut Output, bundle: &VerifiedBundle, root: &TrustRoot) -> Result<(), Failure> {
    for found in git_signatures(bundle, root, &Limits::default()) {
        let line = match found {
            Ok(GitSigned {
                object: GitObject::Tag,
                name,
                signer,
            }) => format!(
                "tag {} signed by {} ({})",
                escape(&name),
                signer.principal,
                signer.keyid
            ),
            Ok(GitSigned { signer, .. }) => {
                format!("commit signed by {} ({})", signer.principal, signer.keyid)
            }
            Err(error) => format!("{}; it need not count", escape(&error.to_string())),
        };
        out.line(&format!("  git        {line}"))?;
    }
    Ok(())
}

/// One line: what this pull changed.
fn change(pulled: &PulledBundle) -> String {
    let predicate = pulled.bundle.predicate();
    let now = format!("{}.{}", predicate.epoch, predicate.revision);
    let name = &predicate.bundle;
    let transfer = match pulled.transfer {
        Transfer::UpToDate => "nothing downloaded".to_owned(),
        Transfer::Received { objects, bytes } => {
            format!("{objects} objects, {}", indicatif::HumanBytes(bytes))
        }
    };
    let step = predicate
        .rolls_back
        .as_ref()
        .map_or_else(String::new, |older| {
            format!(", which rolls back to {}.{}", older.epoch, older.revision)
        });
    match &pulled.before {
        Some(before) if before.payload == pulled.bundle.payload() => {
            format!("bundle {name} is up to date at revision {now} ({transfer})")
        }
        Some(before) => {
            format!(
                "bundle {name} went from revision {}.{} to {now}{step} ({transfer})",
                before.epoch, before.revision
            )
        }
        None => format!("bundle {name} is new, at revision {now}{step} ({transfer})"),
    }
}

/// Runs `ordain bundle list`.
pub(super) fn list(context: &Context, args: &List) -> Result<Exit, Failure> {
    let config = project::config(context)?;
    let lock = Lockfile::load(&config.base().join(LOCK_FILE))?.unwrap_or_default();
    let mut out = Output::stdout();
    let known = with_pipeline(context, &FetchFlags::default(), |pipeline| {
        Ok(pipeline.anchored(&config.trust)?)
    })?;
    let confirmation = known.map(|known| known.confirmation);
    if args.json {
        let bundles: Vec<serde_json::Value> = config
            .bundles
            .iter()
            .map(|source| serde_json::json!({"name": source.name, "active": lock.bundles.get(&source.name)}))
            .collect();
        let value = serde_json::json!({
            "format_version": 1,
            "root_confirmed": confirmation.map(|known| known != Confirmation::FirstUse),
            "bundles": bundles,
        });
        out.line(&pretty_json(&value)?)?;
    } else {
        for source in &config.bundles {
            match lock.bundles.get(&source.name) {
                Some(locked) => {
                    let signers: Vec<&str> = locked
                        .signers
                        .iter()
                        .map(|signer| signer.principal.as_str())
                        .collect();
                    let commit = locked.commit.as_ref().map_or("-", |commit| commit.short());
                    let revision = format!("{}.{}", locked.epoch, locked.revision);
                    out.line(&format!(
                        "{:20} {revision:8} {commit:12} {}",
                        source.name,
                        signers.join(", ")
                    ))?;
                }
                None => out.line(&format!("{:20} not pulled", source.name))?,
            }
        }
        if let Some(confirmation) = confirmation {
            warn(&mut out, confirmation)?;
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}
