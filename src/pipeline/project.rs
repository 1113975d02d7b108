//! Which project a request speaks of, found out on this machine.

use std::path::Path;

use crate::engine::request::ProjectIdentity;
use crate::source::project::{Project, identify};

/// The identity of the project at `written`, a path from `base`. One that is not here is known by that path alone.
#[must_use]
pub fn project_identity(base: &Path, written: &str) -> ProjectIdentity {
    let path = base.join(written);
    match identify(&path) {
        Some(Project::Remote(url)) => ProjectIdentity::Remote(url),
        Some(Project::Path(path)) => ProjectIdentity::RealPath(path.display().to_string()),
        None => ProjectIdentity::RealPath(path.display().to_string()),
    }
}
