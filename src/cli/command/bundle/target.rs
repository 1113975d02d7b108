//! What `bundle pull` and `bundle verify` are pointed at, and whose signatures count.

use std::path::PathBuf;

use clap::Args;

use super::author::is_bundle_directory;
use crate::cli::command::Context;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::trust_flags::TrustFlags;
use crate::config::{BundleSource, Config, Repository, TrustSource};
use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::name::BundleName;

/// Flags for a bundle that no configuration names.
#[derive(Debug, Clone, Args)]
pub(super) struct SourceFlags {
    /// Branch, tag or commit id; HEAD where none is given.
    #[arg(long = "ref", value_name = "REF")]
    reference: Option<String>,
    /// The bundle's directory within the repository.
    #[arg(long, value_name = "DIR")]
    path: Option<String>,
    #[command(flatten)]
    trust: TrustFlags,
    /// The fingerprint of the first trust root.
    #[arg(long, value_name = "SHA256", requires = "trust_place")]
    fingerprint: Option<Sha256Digest>,
}

/// What a command is about.
pub(super) enum Target {
    /// Bundles of the configuration.
    Configured(Box<Config>, Vec<BundleSource>),
    /// A repository.
    Repository(Repository),
    /// A directory of files.
    Directory(PathBuf),
}

impl SourceFlags {
    /// The trust root on the command line, else that of the configuration.
    pub(super) fn trust(&self, context: &Context) -> Result<TrustSource, Failure> {
        self.trust.source(context, self.fingerprint)
    }

    /// What the configuration says of a bundle is not overruled by flags.
    fn refuse_for_configured(&self) -> Result<(), Failure> {
        let given = [
            ("--ref", self.reference.is_some()),
            ("--path", self.path.is_some()),
            ("--trust-root", self.trust.trust_root.is_some()),
            ("--trust-git", self.trust.trust_git.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((flag, _)) => {
                let message =
                    format!("`{flag}` is for a bundle that the configuration does not name");
                Err(Failure::new(Code::USAGE, message).hint(
                    "give a repository's URL or a directory with it, or change `ordain.yaml`",
                ))
            }
        }
    }

    fn repository(&self, git: &str) -> Repository {
        Repository::new(
            git.to_owned(),
            self.reference.clone(),
            self.path.as_deref().unwrap_or_default(),
        )
    }
}

/// Finds out what `target` means: nothing is every configured bundle; then a configured name, a directory, a URL. `./acme`
/// is a directory whatever is configured.
pub(super) fn find(
    context: &Context,
    target: Option<&str>,
    flags: &SourceFlags,
) -> Result<Target, Failure> {
    let Some(target) = target else {
        flags.refuse_for_configured()?;
        let config = project::config(context)?;
        let bundles = config.bundles.clone();
        return Ok(Target::Configured(Box::new(config), bundles));
    };
    let name = target.parse::<BundleName>().ok();
    // Without a configuration no name is a configured one.
    if let Some(name) = &name
        && let Ok(config) = project::config(context)
        && let Some(source) = config.bundles.iter().find(|bundle| bundle.name == *name)
    {
        flags.refuse_for_configured()?;
        let bundles = vec![source.clone()];
        return Ok(Target::Configured(Box::new(config), bundles));
    }
    let dir = context.env.resolve(target.as_ref());
    if is_bundle_directory(&dir) && flags.reference.is_none() && flags.path.is_none() {
        return Ok(Target::Directory(dir));
    }
    match name {
        Some(name) if !dir.is_dir() => {
            let message = format!("`{name}` is neither a configured bundle nor a directory");
            Err(Failure::new(Code::USAGE, message)
                .hint("`ordain bundle list` lists the configured bundles"))
        }
        _ => Ok(Target::Repository(flags.repository(target))),
    }
}
