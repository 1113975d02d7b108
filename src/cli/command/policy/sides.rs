//! The two states of policy that `policy diff` and `policy impact` hold against each other.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::which::{With, configured};
use crate::bundle::{Limits, MANIFEST_FILE};
use crate::cli::command::Context;
use crate::cli::output::policy_diff;
use crate::cli::project;
use crate::cli::report::Failure;
use crate::cli::session::{FetchFlags, with_pipeline};
use crate::cli::ui::{escape, note};
use crate::config::{Config, Repository};
use crate::diag::Code;
use crate::name::BundleName;
use crate::pipeline::{Pipeline, Reviewed, Standing, review_directory};
use crate::policy::Mode;
use crate::resolve::LoadedBundle;
use crate::trust::TrustRoot;

/// Two states of a bundle, and what both build on.
#[derive(Debug, Args)]
pub(crate) struct Sides {
    /// What it was: a directory that holds `bundle.yaml`, or a branch, tag or whole commit id of the bundle's repository.
    #[arg(value_name = "A")]
    before: String,
    /// What it becomes, given in the same way.
    #[arg(value_name = "B")]
    after: String,
    /// Whose repository the refs are of, where the configuration has several bundles.
    #[arg(long, value_name = "NAME")]
    bundle: Option<BundleName>,
    /// The repository that the refs are of, in place of the configured one: a URL or a path. Nothing of it is verified.
    #[arg(long, value_name = "URL", conflicts_with = "bundle")]
    git: Option<String>,
    /// The bundle's directory within --git.
    #[arg(long, value_name = "DIR", requires = "git")]
    path: Option<String>,
    #[command(flatten)]
    with: With,
    #[command(flatten)]
    fetch: FetchFlags,
}

/// One state, as it was given and as it was found.
pub(super) struct Side {
    /// As it was given.
    given: String,
    /// What is there.
    pub(super) reviewed: Reviewed,
}

/// Both states.
pub(super) struct Both {
    /// What it was.
    pub(super) before: Side,
    /// What it becomes.
    pub(super) after: Side,
    /// What both build on.
    others: Vec<LoadedBundle>,
    /// The consumer's cap on modes, where a configuration was read.
    pub(super) cap: Option<Mode>,
}

impl Both {
    /// Both, as a report introduces them.
    pub(super) fn introduced(&self) -> policy_diff::Sides {
        let sides = [&self.before, &self.after];
        policy_diff::Sides {
            told: sides.map(Side::told),
            json: sides.map(Side::json),
        }
    }

    /// Says what nobody vouches for though it came from where signatures are expected.
    pub(super) fn warn(&self) {
        for side in [&self.before, &self.after] {
            let standing = &side.reviewed.standing;
            if !matches!(standing, Standing::Verified { .. } | Standing::Directory) {
                note(&format!("warning: {}", side.told()));
            }
        }
    }

    /// The bundles of one side.
    pub(super) fn bundles(&self, side: &Side) -> Vec<LoadedBundle> {
        let own = &side.reviewed.bundle;
        let name = &own.identity().name;
        let others = self.others.iter();
        let others = others.filter(|other| other.identity().name != *name);
        std::iter::once(own).chain(others).cloned().collect()
    }
}

/// What an argument names.
enum Place {
    Directory(PathBuf),
    Ref(String),
}

impl Place {
    /// A directory of this machine where there is a bundle in it, or where it is written as a path; else a ref.
    fn of(context: &Context, given: &str) -> Self {
        let dir = context.env.resolve(Path::new(given));
        let is_path = given.starts_with(['.', '/']) || given.ends_with('/');
        if is_path || dir.join(MANIFEST_FILE).is_file() {
            Self::Directory(dir)
        } else {
            Self::Ref(given.to_owned())
        }
    }
}

/// Where refs are looked up.
struct Lookup {
    base: PathBuf,
    repository: Repository,
    name: Option<BundleName>,
    root: Option<TrustRoot>,
}

impl Sides {
    /// Reads both states.
    pub(super) fn read(&self, context: &Context) -> Result<Both, Failure> {
        let places = [&self.before, &self.after].map(|given| Place::of(context, given));
        let has_ref = places.iter().any(|place| matches!(place, Place::Ref(_)));
        if !has_ref && (self.git.is_some() || self.bundle.is_some()) {
            let message =
                "`--git` and `--bundle` say whose refs are meant, and both sides are directories";
            return Err(Failure::new(Code::USAGE, message)
                .hint("leave the flag out, or write the ref in full, such as `refs/heads/main`"));
        }
        let config = match (has_ref, &self.git) {
            (true, None) => Some(project::config(context).map_err(|failure| {
                failure
                    .hint("or name the repository that the refs are of with `--git` and `--path`")
            })?),
            _ => None,
        };
        with_pipeline(context, &self.fetch, |pipeline| {
            let lookup = self.lookup(context, pipeline, config.as_ref())?;
            let read = |place: &Place| match (place, &lookup) {
                (Place::Ref(reference), Some(lookup)) => {
                    let repository = Repository {
                        reference: reference.clone(),
                        ..lookup.repository.clone()
                    };
                    let (name, root) = (lookup.name.as_ref(), lookup.root.as_ref());
                    pipeline.review(&lookup.base, &repository, name, root)
                }
                (Place::Ref(dir), None) => review_directory(Path::new(dir), pipeline.limits),
                (Place::Directory(dir), _) => review_directory(dir, pipeline.limits),
            };
            let [before, after] = &places;
            let side = |given: &String, place: &Place| -> Result<Side, Failure> {
                let given = given.clone();
                let about = escape(&given);
                let reviewed = read(place)
                    .map_err(|error| Failure::from(error).about(&format!("`{about}`")))?;
                Ok(Side { given, reviewed })
            };
            Ok(Both {
                before: side(&self.before, before)?,
                after: side(&self.after, after)?,
                others: Vec::new(),
                cap: config.as_ref().and_then(|config| config.mode),
            })
        })
        .and_then(|both| {
            let others = self.others(context, config.as_ref())?;
            Ok(Both { others, ..both })
        })
    }

    /// Where refs are looked up, if one is given.
    fn lookup(
        &self,
        context: &Context,
        pipeline: &Pipeline<'_>,
        config: Option<&Config>,
    ) -> Result<Option<Lookup>, Failure> {
        if let Some(git) = &self.git {
            let path = self.path.as_deref().unwrap_or_default();
            return Ok(Some(Lookup {
                base: context.env.current.clone(),
                repository: Repository::new(git.clone(), None, path),
                name: None,
                root: None,
            }));
        }
        let Some(config) = config else {
            return Ok(None);
        };
        let names = || {
            let names: Vec<&str> = config
                .bundles
                .iter()
                .map(|bundle| bundle.name.as_str())
                .collect();
            names.join(", ")
        };
        let source = match (&self.bundle, config.bundles.as_slice()) {
            (Some(name), bundles) => bundles.iter().find(|bundle| bundle.name == *name),
            (None, [only]) => Some(only),
            (None, _) => {
                let message =
                    "the configuration has several bundles, and the refs could be of any of them";
                return Err(Failure::new(Code::USAGE, message)
                    .hint(format!("name one with `--bundle`: {}", names())));
            }
        };
        let Some(source) = source else {
            return Err(
                Failure::new(Code::USAGE, "`--bundle` names no configured bundle")
                    .hint(format!("name one of: {}", names())),
            );
        };
        Ok(Some(Lookup {
            base: config.base().to_owned(),
            repository: source.repository.clone(),
            name: Some(source.name.clone()),
            root: Some(pipeline.trust_root(&config.trust)?),
        }))
    }

    /// What both sides build on: the given directories, else the other configured bundles as they are active.
    fn others(
        &self,
        context: &Context,
        config: Option<&Config>,
    ) -> Result<Vec<LoadedBundle>, Failure> {
        if !self.with.is_empty() {
            return Ok(self.with.others(context, &Limits::default())?);
        }
        match config {
            Some(config) if config.bundles.len() > 1 => configured(context, &self.fetch),
            _ => Ok(Vec::new()),
        }
    }
}

impl Side {
    /// What it is and who vouches for it, for people.
    pub(super) fn told(&self) -> String {
        let given = escape(&self.given);
        let reviewed = &self.reviewed;
        let commit = reviewed.commit.as_ref();
        let commit = commit.map_or_else(String::new, |id| format!(" at commit {}", id.short()));
        let name = &reviewed.bundle.identity().name;
        let standing = match &reviewed.standing {
            Standing::Directory => "not verified: a directory".to_owned(),
            Standing::NoRoot => "not verified: no trust root was named".to_owned(),
            Standing::Refused { code, reason } => format!("not verified: {reason} [{code}]"),
            Standing::Verified { revision, signers } => {
                let signers: Vec<&str> = signers
                    .iter()
                    .map(|signer| signer.principal.as_str())
                    .collect();
                format!(
                    "revision {}.{}, verified, signed by {}",
                    revision.0,
                    revision.1,
                    signers.join(", ")
                )
            }
        };
        format!("`{given}`{commit}, bundle {name}, {standing}")
    }

    /// The same for programs.
    fn json(&self) -> Value {
        let reviewed = &self.reviewed;
        let identity = reviewed.bundle.identity();
        let mut document = json!({
            "given": self.given,
            "bundle": identity.name,
            "commit": reviewed.commit,
            "verified": matches!(reviewed.standing, Standing::Verified { .. }),
        });
        if let Some(members) = document.as_object_mut() {
            match &reviewed.standing {
                Standing::Verified { revision, signers } => {
                    let principals: Vec<&str> =
                        signers.iter().map(|s| s.principal.as_str()).collect();
                    members.insert(
                        "revision".to_owned(),
                        json!(format!("{}.{}", revision.0, revision.1)),
                    );
                    members.insert("signers".to_owned(), json!(principals));
                }
                Standing::Refused { code, reason } => {
                    members.insert(
                        "refused".to_owned(),
                        json!({"code": code, "reason": reason}),
                    );
                }
                Standing::Directory | Standing::NoRoot => {}
            }
        }
        document
    }
}
