//! `ordain bundle pull | verify | list`: what consumers do.

use clap::Args;

use super::target::{self, SourceFlags, Target};
use crate::bundle::Origin;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::output::explanation;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::{Output, escape, note};
use crate::diag::Code;
use crate::lockfile::{LOCK_FILE, Lockfile};
use crate::pipeline::{Locking, PulledBundle, Subject, Transfer, effective};
use crate::trust::{TrustRoot, VerifiedBundle};

#[derive(Debug, Args)]
pub(crate) struct Pull {
    /// A repository's URL or path; every bundle of the configuration where none is given.
    url: Option<String>,
    /// Take what the refs point at now, even under CI.
    #[arg(long, conflicts_with_all = ["locked", "frozen", "url"])]
    update: bool,
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
    with_pipeline(context, &args.fetch, |pipeline| {
        match target::find(context, args.url.as_deref(), &args.source)? {
        Target::Configured(config, _) if args.url.is_none() => {
            let locking = if args.update {
                    Locking::Update
                } else {
                    args.fetch.locking(context, Locking::Update)
                };
            let pulled = pipeline.pull(&config, locking)?;
            for bundle in &pulled.bundles {
                out.line(&change(bundle))?;
                print(&mut out, &bundle.bundle, &pulled.root)?;
            }
            note(&format!("policy of `{}`: {}", pulled.policy.scope(), pulled.policy.digest()));
            Ok(())
        }
        Target::Repository(repository) => {
            let root = pipeline.trust_root(&args.source.trust(context)?)?;
            let pulled = pipeline.pull_repository(&context.env.current, &repository, &root)?;
            out.line(&change(&pulled))?;
            print(&mut out, &pulled.bundle, &root)?;
            note("the bundle was verified and kept; name it in `ordain.yaml` to decide with it");
            Ok(())
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

/// Runs `ordain bundle verify`.
pub(super) fn verify(context: &Context, args: &Verify) -> Result<Exit, Failure> {
    if args.explain {
        return explain(context, args);
    }
    let mut out = Output::stdout();
    with_pipeline(context, &args.fetch, |pipeline| {
        match target::find(context, args.target.as_deref(), &args.source)? {
            Target::Configured(config, bundles) => {
                let root = pipeline.trust_root(&config.trust)?;
                let lock = Lockfile::load(&config.base().join(LOCK_FILE))?.unwrap_or_default();
                let mut together = Vec::new();
                for source in &bundles {
                    let verified = pipeline.verify_repository(
                        config.base(),
                        &source.repository,
                        Some((source, lock.bundles.get(&source.name))),
                        &root,
                    )?;
                    report(&mut out, &verified.bundle, &root)?;
                    together.push(verified.bundle);
                }
                // Bundles that a pull would refuse are not verified.
                if together.len() == config.bundles.len() {
                    effective(
                        &together.iter().collect::<Vec<_>>(),
                        &config.scope,
                        context.env.clock.now(),
                        config.mode,
                    )?;
                }
                Ok(())
            }
            Target::Repository(repository) => {
                let root = pipeline.trust_root(&args.source.trust(context)?)?;
                let verified =
                    pipeline.verify_repository(&context.env.current, &repository, None, &root)?;
                report(&mut out, &verified.bundle, &root)
            }
            Target::Directory(dir) => {
                let root = pipeline.trust_root(&args.source.trust(context)?)?;
                report(
                    &mut out,
                    &pipeline.verify_directory(&dir, None, &root)?,
                    &root,
                )
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
fn print(out: &mut Output, bundle: &VerifiedBundle, root: &TrustRoot) -> Result<(), Failure> {
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
        Origin::Store { commit: None } => Ok(()),
        Origin::Directory { path } => out.line(&format!("  from       {}", escape(path))),
    }
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
    match &pulled.before {
        Some(before) if before.payload == pulled.bundle.payload() => {
            format!("bundle {name} is up to date at revision {now} ({transfer})")
        }
        Some(before) => {
            format!(
                "bundle {name} went from revision {}.{} to {now} ({transfer})",
                before.epoch, before.revision
            )
        }
        None => format!("bundle {name} is new, at revision {now} ({transfer})"),
    }
}

/// Runs `ordain bundle list`.
pub(super) fn list(context: &Context, args: &List) -> Result<Exit, Failure> {
    let config = project::config(context)?;
    let lock = Lockfile::load(&config.base().join(LOCK_FILE))?.unwrap_or_default();
    let mut out = Output::stdout();
    if args.json {
        let bundles: Vec<serde_json::Value> = config
            .bundles
            .iter()
            .map(|source| serde_json::json!({"name": source.name, "active": lock.bundles.get(&source.name)}))
            .collect();
        let value = serde_json::json!({"format_version": 1, "bundles": bundles});
        out.line(&serde_json::to_string_pretty(&value).unwrap_or_default())?;
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
    }
    out.flush()?;
    Ok(Exit::Success)
}
