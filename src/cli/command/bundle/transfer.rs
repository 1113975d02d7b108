//! `ordain bundle export | import`: across an air gap.

use std::path::PathBuf;

use clap::Args;

use super::consumer::{print, tell_root};
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::{Output, escape};
use crate::diag::Code;
use crate::name::BundleName;
use crate::pipeline::{Locking, PipelineError, PulledBundle};

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Configured bundles; all of them where none is given.
    names: Vec<BundleName>,
    /// The file to write.
    #[arg(long, short, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    fetch: FetchFlags,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file that `ordain bundle export` wrote.
    file: PathBuf,
    /// Take exactly what `ordain.lock` says, or fail; the default under CI.
    #[arg(long)]
    locked: bool,
}

/// Runs `ordain bundle export`.
pub(super) fn export(context: &Context, args: &Export) -> Result<Exit, Failure> {
    let config = project::config(context)?;
    let is_configured = |name: &&BundleName| config.bundles.iter().any(|b| b.name == **name);
    if let Some(name) = args.names.iter().find(|name| !is_configured(name)) {
        let message = format!("the configuration names no bundle `{name}`");
        return Err(Failure::new(Code::USAGE, message)
            .hint("`ordain bundle list` lists the configured bundles"));
    }
    let output = context.env.resolve(&args.output);
    let mut out = Output::stdout();
    with_pipeline(context, &args.fetch, |pipeline| {
        let exported = pipeline.export(&config, &args.names, &output)?;
        for bundle in &exported.bundles {
            let predicate = bundle.predicate();
            out.line(&format!(
                "bundle {} revision {}.{}, {}",
                predicate.bundle,
                predicate.epoch,
                predicate.revision,
                bundle.payload()
            ))?;
        }
        out.line(&format!(
            "trust roots 1 to {}, {}",
            exported.root.version(),
            exported.root.fingerprint()
        ))?;
        out.note(&format!(
            "wrote `{}`, {} bytes; `ordain bundle import` takes it in",
            escape(&args.output.display().to_string()),
            exported.bytes
        ))
    })?;
    out.flush()?;
    Ok(Exit::Success)
}

/// Runs `ordain bundle import`.
pub(super) fn import(context: &Context, args: &Import) -> Result<Exit, Failure> {
    let config = project::config(context)?;
    let file = context.env.resolve(&args.file);
    let flags = FetchFlags {
        locked: args.locked,
        offline: true,
        ..FetchFlags::default()
    };
    let mut out = Output::stdout();
    with_pipeline(context, &flags, |pipeline| {
        let locking = flags.locking(context, Locking::Update);
        let imported = pipeline.import(&config, &file, locking).map_err(carried)?;
        let pulled = &imported.pulled;
        tell_root(
            &mut out,
            &pulled.root,
            pulled.advanced_from,
            pulled.confirmation,
        )?;
        for bundle in &pulled.bundles {
            out.line(&change(bundle))?;
            print(&mut out, &bundle.bundle, &pulled.root)?;
        }
        for (name, said) in &imported.said {
            let commit = said.commit.as_ref().map_or("-", |commit| commit.short());
            out.note(&format!(
                "bundle {name} is said to be from {} {} {} at {commit}; nobody can check that here",
                escape(&said.git),
                escape(&said.reference),
                escape(&said.path)
            ))?;
        }
        for name in &imported.ignored {
            out.note(&format!(
                "bundle {name} of the file is not configured, and was not looked at"
            ))?;
        }
        let policy = &pulled.policy;
        out.note(&format!(
            "policy of `{}`: {}",
            policy.scope(),
            policy.digest()
        ))
    })?;
    out.flush()?;
    Ok(Exit::Success)
}

/// Bytes that nobody signed were changed on the way here, and are right where they come from.
fn carried(error: PipelineError) -> Failure {
    let is_changed = matches!(&error, PipelineError::Verify { error, .. } if error.is_damage());
    let failure = Failure::from(error);
    if is_changed {
        failure.hint(
            "carry the file over again, and compare its SHA-256 on both sides; if they agree, `ordain bundle verify` where it was exported",
        )
    } else {
        failure
    }
}

/// One line: what this import changed.
fn change(pulled: &PulledBundle) -> String {
    let predicate = pulled.bundle.predicate();
    let now = format!("{}.{}", predicate.epoch, predicate.revision);
    let name = &predicate.bundle;
    match &pulled.before {
        Some(before) if before.payload == pulled.bundle.payload() => {
            format!("bundle {name} is up to date at revision {now}")
        }
        Some(before) => {
            let (epoch, revision) = (before.epoch, before.revision);
            format!("bundle {name} went from revision {epoch}.{revision} to {now}")
        }
        None => format!("bundle {name} is new, at revision {now}"),
    }
}
