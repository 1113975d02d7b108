//! Directories that nobody signed, for those who write policy.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;

use super::{PipelineError, read_directory};
use crate::bundle::{BundlePath, Limits, MANIFEST_FILE, Manifest};
use crate::diag::{Code, Diagnostic};
use crate::name::{BundleName, Scope};
use crate::policy::Mode;
use crate::resolve::{EffectivePolicy, LoadedBundle, resolve};

/// A bundle that is being written, and those that it builds on.
#[derive(Debug)]
pub struct Authored {
    /// The bundle's name.
    pub own: BundleName,
    /// The bundle first, then those that it builds on.
    pub bundles: Vec<LoadedBundle>,
    /// The bundle's files.
    pub files: BTreeMap<BundlePath, Arc<[u8]>>,
}

/// Reads the directory `dir`, and the directories `with` whose bundles hold the scopes above it.
///
/// # Errors
/// [`PipelineError`]; of policies, every problem of every directory.
pub fn authored(dir: &Path, with: &[&Path], limits: &Limits) -> Result<Authored, PipelineError> {
    let mut problems = Vec::new();
    let mut bundles = Vec::with_capacity(1 + with.len());
    let mut own = None;
    for dir in [dir].iter().chain(with) {
        let files = read_directory(dir, limits)?.files;
        match load(dir, &files, limits) {
            Ok(loaded) => {
                own.get_or_insert_with(|| (loaded.identity().name.clone(), files));
                bundles.push(loaded);
            }
            Err(found) => problems.extend(found),
        }
    }
    match own {
        Some((own, files)) if problems.is_empty() => Ok(Authored {
            own,
            bundles,
            files,
        }),
        _ => Err(PipelineError::Policy(problems)),
    }
}

/// Reads a directory that nobody signed and resolves it; everything decided with it says `unsigned`.
///
/// # Errors
/// [`PipelineError`].
pub fn unsigned(
    dir: &Path,
    scope: &Scope,
    now: Timestamp,
    cap: Option<Mode>,
    limits: &Limits,
) -> Result<EffectivePolicy, PipelineError> {
    let loaded = load_unsigned(dir, limits)?;
    resolve(&[loaded], scope, now, cap).map_err(PipelineError::Policy)
}

/// Reads a directory that nobody signed.
///
/// # Errors
/// [`PipelineError`].
pub fn load_unsigned(dir: &Path, limits: &Limits) -> Result<LoadedBundle, PipelineError> {
    let fetched = read_directory(dir, limits)?;
    load(dir, &fetched.files, limits).map_err(PipelineError::Policy)
}

fn load(
    dir: &Path,
    files: &BTreeMap<BundlePath, Arc<[u8]>>,
    limits: &Limits,
) -> Result<LoadedBundle, Vec<Diagnostic>> {
    let manifest = files
        .iter()
        .find(|(path, _)| path.as_str() == MANIFEST_FILE);
    let bytes = manifest.map(|(_, bytes)| bytes).ok_or_else(|| {
        let message = format!(
            "`{}` has no `bundle.yaml`",
            dir.display().to_string().escape_debug()
        );
        let diagnostic = Diagnostic::error(Code::MANIFEST_MISSING, message);
        vec![diagnostic.hint("run `ordain bundle new` to make a bundle")]
    })?;
    let manifest =
        Manifest::parse(bytes, limits.yaml_bytes).map_err(|diagnostic| vec![diagnostic])?;
    LoadedBundle::unsigned(manifest.name, Some(&manifest.namespace), files, limits)
}
