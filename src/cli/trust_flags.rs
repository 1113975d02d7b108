//! Where trust begins, as given on the command line or by the configuration.

use std::path::PathBuf;

use clap::{ArgGroup, Args};

use super::command::Context;
use super::project;
use super::report::Failure;
use crate::config::{FirstUse, Repository, TrustSource};
use crate::digest::Sha256Digest;

/// A trust root that no configuration names.
#[derive(Debug, Clone, Default, Args)]
#[command(group = ArgGroup::new("trust_place").multiple(true))]
pub(crate) struct TrustFlags {
    /// The directory of the trust root; that of the configuration where none is given.
    #[arg(long, value_name = "DIR", group = "trust_place")]
    pub(crate) trust_root: Option<PathBuf>,
    /// The repository that newer trust roots are fetched from; the first one too, where there is no --trust-root.
    #[arg(long, value_name = "URL", group = "trust_place")]
    pub(crate) trust_git: Option<String>,
    /// Branch, tag or commit id of --trust-git; HEAD where none is given.
    #[arg(long, value_name = "REF", requires = "trust_git")]
    pub(crate) trust_ref: Option<String>,
    /// The directory of the roots within --trust-git.
    #[arg(long, value_name = "DIR", requires = "trust_git")]
    pub(crate) trust_path: Option<String>,
}

impl TrustFlags {
    /// The trust root on the command line, else that of the configuration.
    pub(crate) fn source(
        &self,
        context: &Context,
        fingerprint: Option<Sha256Digest>,
    ) -> Result<TrustSource, Failure> {
        if self.trust_root.is_none() && self.trust_git.is_none() {
            return Ok(project::config(context)?.trust);
        }
        Ok(TrustSource {
            dir: self.trust_root.as_ref().map(|dir| context.env.resolve(dir)),
            fingerprint,
            repository: self.trust_git.as_ref().map(|git| {
                Repository::new(
                    git.clone(),
                    self.trust_ref.clone(),
                    self.trust_path.as_deref().unwrap_or_default(),
                )
            }),
            base: context.env.current.clone(),
            first_use: FirstUse::Refused,
        })
    }
}
