//! Which roots a command looks at: those in force by the configuration, or those of one directory alone.

use std::path::{Path, PathBuf};

use clap::Args;

use super::Context;
use crate::bundle::Limits;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::config::{FirstUse, TrustSource};
use crate::diag::Code;
use crate::pipeline::{PipelineError, Trusted, root_files};
use crate::trust::{RootDraft, root_drafts};

/// Where `trust init` puts the roots, and where they are looked for without a configuration.
const USUAL_DIRECTORY: &str = "trust";

/// The roots that a command is about.
#[derive(Debug, Clone, Args)]
pub(super) struct RootsFlags {
    /// The directory of the roots, looked at alone; the roots in force by the configuration where none is given, and without a
    /// configuration the directory `trust`.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// Where trust begins, and what is looked at.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) trust: TrustSource,
    pub(super) scope: Scope,
}

/// What is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Scope {
    /// One directory, and nothing else.
    Directory(PathBuf),
    /// What is in force here: the trust directory of the configuration, and the roots that this machine keeps.
    InForce,
}

impl RootsFlags {
    /// The directory given, else what the configuration says, else the usual directory.
    pub(super) fn place(&self, context: &Context) -> Result<Place, Failure> {
        if let Some(dir) = &self.dir {
            return Ok(Place::of(context, dir));
        }
        let usual = Path::new(USUAL_DIRECTORY);
        let first = context.env.resolve(usual).join("1.root.json");
        if project::find(context).is_err() && first.is_file() {
            return Ok(Place::of(context, usual));
        }
        let config = project::config(context).map_err(|failure| {
            if failure.code() == Some(Code::CONFIG_MISSING) {
                failure.hint("or give the directory of the trust roots with `--dir`")
            } else {
                failure
            }
        })?;
        Ok(Place {
            trust: config.trust,
            scope: Scope::InForce,
        })
    }
}

impl Place {
    fn of(context: &Context, dir: &Path) -> Self {
        let dir = context.env.resolve(dir);
        let trust = TrustSource {
            dir: Some(dir.clone()),
            fingerprint: None,
            repository: None,
            base: context.env.current.clone(),
            first_use: FirstUse::Refused,
        };
        Self {
            trust,
            scope: Scope::Directory(dir),
        }
    }

    /// The roots that are here. Those of a directory are not verified.
    pub(super) fn drafts(&self, context: &Context) -> Result<Vec<RootDraft>, Failure> {
        let files = with_pipeline(context, &FetchFlags::default(), |pipeline| {
            Ok(match &self.scope {
                Scope::Directory(dir) => root_files(dir, pipeline.limits)?,
                Scope::InForce => pipeline.root_files(&self.trust).map_err(not_here)?,
            })
        })?;
        Ok(root_drafts(&files, &Limits::default())?)
    }

    /// The last root, verified from the pinned one on.
    pub(super) fn trusted(&self, context: &Context) -> Result<Trusted, Failure> {
        with_pipeline(context, &FetchFlags::default(), |pipeline| {
            Ok(match &self.scope {
                Scope::Directory(dir) => pipeline.trusted_in(dir, &self.trust)?,
                Scope::InForce => pipeline.trusted(&self.trust).map_err(not_here)?,
            })
        })
    }
}

/// These commands open no connection, so that there is no flag to leave out.
fn not_here(error: PipelineError) -> Failure {
    let is_elsewhere = matches!(error, PipelineError::RootOffline);
    let failure = Failure::from(error);
    if is_elsewhere {
        failure.hint("run `ordain bundle pull`, which fetches the trust roots; this command opens no connection")
    } else {
        failure
    }
}
