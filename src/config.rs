//! `ordain.yaml`: which bundles a consumer trusts, for which scope, and where its log goes.
//!
//! Parsing is pure; [`Config::load`] is the one place that reads the file. Relative paths are relative to the file.

mod schema;

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::clock::Lifetime;
use crate::diag::{Code, Diagnostic};
use crate::digest::Sha256Digest;
use crate::log::SyncMode;
use crate::name::{BundleName, Scope};
use crate::policy::Mode;
use crate::yaml;

pub use schema::config_schema;

/// The name of the configuration file.
pub const CONFIG_FILE: &str = "ordain.yaml";
/// Bytes of the largest configuration read.
const MAX_CONFIG_BYTES: usize = 256 << 10;

/// A directory of a Git repository at a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// URL or local path, as written; `source` checks it.
    pub git: String,
    /// Branch, tag or commit id, as written; `HEAD` where none is.
    pub reference: String,
    /// The directory within the repository; empty for its root.
    pub path: String,
}

impl Repository {
    /// Fills in what is not written: `HEAD`, and the repository's root.
    #[must_use]
    pub fn new(git: String, reference: Option<String>, path: &str) -> Self {
        let path = path.trim_end_matches('/');
        let path = if path == "." { "" } else { path };
        Self {
            git,
            reference: reference.unwrap_or_else(|| "HEAD".to_owned()),
            path: path.to_owned(),
        }
    }
}

/// A bundle that the consumer uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BundleSource {
    /// The name that its statement must carry.
    pub name: BundleName,
    /// Where it is.
    pub repository: Repository,
    /// The greatest age of its statement.
    pub max_age: Option<Lifetime>,
    /// How long after its time the active statement still decides, each decision marked stale; not at all where none.
    pub grace: Option<Lifetime>,
}

/// Where trust begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustSource {
    /// The directory of `1.root.json` and its successors.
    pub dir: Option<PathBuf>,
    /// The fingerprint of the first root; the one that this machine remembers where none is written.
    pub fingerprint: Option<Sha256Digest>,
    /// Where newer roots are fetched from.
    pub repository: Option<Repository>,
    /// The directory that a relative path of the repository starts from.
    pub base: PathBuf,
    /// Whether the first root found may be trusted; no file says so.
    pub first_use: FirstUse,
}

/// Whether a root without a known fingerprint may be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FirstUse {
    /// It is refused.
    #[default]
    Refused,
    /// The first one found is taken, and reported until someone confirms it.
    Allowed,
}

/// Where decisions are recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogConfig {
    /// The directory of the log.
    pub path: PathBuf,
    /// When a record counts as written.
    pub sync: SyncMode,
    /// The log's name in checkpoints.
    pub origin: Option<String>,
    /// Verifier keys that signed its checkpoints before this machine's own.
    pub earlier_keys: Vec<String>,
}

/// A consumer's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// The scope whose policy decides.
    pub scope: Scope,
    /// The consumer's rollout: a cap on the policy's mode, and the mode where no policy can be read.
    pub mode: Option<Mode>,
    /// Where trust begins.
    pub trust: TrustSource,
    /// The bundles, in order of name.
    pub bundles: Vec<BundleSource>,
    /// Where decisions are recorded.
    pub log: LogConfig,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    scope: Scope,
    mode: Option<Mode>,
    trust: RawTrust,
    bundles: Vec<RawBundle>,
    log: Option<RawLog>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTrust {
    dir: Option<PathBuf>,
    fingerprint: Option<Sha256Digest>,
    git: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    path: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBundle {
    name: BundleName,
    git: String,
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    path: String,
    max_age: Option<Lifetime>,
    grace: Option<Lifetime>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RawLog {
    path: Option<PathBuf>,
    sync: Option<SyncMode>,
    origin: Option<String>,
    earlier_keys: Vec<String>,
}

impl Config {
    /// Reads and parses a file.
    ///
    /// # Errors
    /// A [`Diagnostic`]: the file cannot be read, or what [`Self::parse`] finds.
    pub fn load(file: &Path) -> Result<Self, Diagnostic> {
        let unreadable = |error: std::io::Error| {
            let name = file.display().to_string();
            Diagnostic::error(
                Code::CONFIG_UNREADABLE,
                format!("cannot read `{}`: {error}", name.escape_debug()),
            )
            .hint("check that it is a file and that you may read it")
        };
        // Room for most at once: without it they are read in small steps.
        let mut bytes = Vec::with_capacity(4 << 10);
        let opened = std::fs::File::open(file).map_err(unreadable)?;
        opened
            .take(MAX_CONFIG_BYTES as u64 + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        Self::parse(file, &bytes)
    }

    /// Parses a configuration; `file` gives the base of relative paths and the name in messages.
    ///
    /// # Errors
    /// A [`Diagnostic`] with the place in the file.
    pub fn parse(file: &Path, bytes: &[u8]) -> Result<Self, Diagnostic> {
        let name = file.display().to_string();
        let document = yaml::parse::<RawConfig>(&name, bytes, MAX_CONFIG_BYTES)?;
        let at = |diagnostic: Diagnostic, path: &str| match document.spans.locate(path) {
            Some(location) => diagnostic.under(path).at(location),
            None => diagnostic.under(path),
        };
        let raw = document.value;
        for (key, found, expected) in [
            ("apiVersion", &raw.api_version, "ordain/v1"),
            ("kind", &raw.kind, "Config"),
        ] {
            if found != expected {
                let message = format!("`{key}` is `{}`, not `{expected}`", found.escape_debug());
                return Err(at(Diagnostic::error(Code::CONFIG_INVALID, message), key));
            }
        }
        let mut names = BTreeSet::new();
        for (index, bundle) in raw.bundles.iter().enumerate() {
            if !names.insert(&bundle.name) {
                let message = format!("bundle `{}` is listed twice", bundle.name);
                return Err(at(
                    Diagnostic::error(Code::CONFIG_INVALID, message),
                    &format!("bundles[{index}].name"),
                ));
            }
        }
        if raw.bundles.is_empty() {
            let diagnostic = Diagnostic::error(Code::CONFIG_INVALID, "no bundles are listed")
                .hint("list at least one under `bundles:`, with `name` and `git`");
            return Err(at(diagnostic, "bundles"));
        }
        let base = file.parent().unwrap_or(Path::new(""));
        let trust = raw
            .trust
            .check(base)
            .map_err(|message| at(Diagnostic::error(Code::CONFIG_INVALID, message), "trust"))?;
        let log = raw.log.unwrap_or_default();
        let mut bundles: Vec<BundleSource> =
            raw.bundles.into_iter().map(BundleSource::from).collect();
        bundles.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            file: file.to_owned(),
            scope: raw.scope,
            mode: raw.mode,
            trust,
            bundles,
            log: LogConfig {
                path: base.join(log.path.unwrap_or_else(|| PathBuf::from(".ordain/log"))),
                sync: log.sync.unwrap_or(SyncMode::Group),
                origin: log.origin,
                earlier_keys: log.earlier_keys,
            },
        })
    }

    /// The directory that relative paths start from.
    #[must_use]
    pub fn base(&self) -> &Path {
        self.file.parent().unwrap_or(Path::new(""))
    }
}

impl From<RawBundle> for BundleSource {
    fn from(raw: RawBundle) -> Self {
        let repository = Repository::new(raw.git, raw.reference, &raw.path);
        Self {
            name: raw.name,
            repository,
            max_age: raw.max_age,
            grace: raw.grace,
        }
    }
}

impl RawTrust {
    fn check(self, base: &Path) -> Result<TrustSource, &'static str> {
        let Self {
            dir,
            fingerprint,
            git,
            reference,
            path,
        } = self;
        if git.is_none() && (reference.is_some() || path.is_some()) {
            return Err("`trust` has a `ref` or `path`, and no `git` that they belong to");
        }
        if git.is_none() && dir.is_none() {
            return Err("`trust` names neither `dir` nor `git`");
        }
        Ok(TrustSource {
            dir: dir.map(|dir| base.join(dir)),
            fingerprint,
            repository: git
                .map(|git| Repository::new(git, reference, path.as_deref().unwrap_or_default())),
            base: base.to_owned(),
            first_use: FirstUse::Refused,
        })
    }
}
