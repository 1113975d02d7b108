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

/// A bundle whose policies cannot be read, or those that it builds on.
#[derive(Debug)]
pub struct Unreadable {
    /// Every problem of every directory; places in the others than the bundle's own are whole paths.
    pub problems: Vec<Diagnostic>,
    /// The bundle's files, which may have problems besides.
    pub files: BTreeMap<BundlePath, Arc<[u8]>>,
}

/// Reads the directory `dir`, and the directories `with` whose bundles hold the scopes above it.
///
/// # Errors
/// [`PipelineError`] where a directory cannot be read.
pub fn authored(
    dir: &Path,
    with: &[&Path],
    limits: &Limits,
) -> Result<Result<Authored, Unreadable>, PipelineError> {
    let files = read_directory(dir, limits)?.files;
    let own = load(dir, &files, limits);
    let (mut bundles, mut problems) = (Vec::with_capacity(1 + with.len()), Vec::new());
    let own = match own {
        Ok(loaded) => {
            let name = loaded.identity().name.clone();
            bundles.push(loaded);
            Some(name)
        }
        Err(found) => {
            problems = found;
            None
        }
    };
    for dir in with {
        let files = read_directory(dir, limits)?.files;
        match load(dir, &files, limits) {
            Ok(loaded) => bundles.push(loaded.told_from(dir.to_path_buf())),
            Err(found) => problems.extend(found.into_iter().map(|problem| Diagnostic {
                location: problem.location.map(|location| location.below(dir)),
                ..problem
            })),
        }
    }
    Ok(match own {
        Some(own) if problems.is_empty() => Ok(Authored {
            own,
            bundles,
            files,
        }),
        _ => Err(Unreadable { problems, files }),
    })
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

pub(super) fn load(
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
