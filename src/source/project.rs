//! What identifies a project directory of this machine.

use std::path::{Path, PathBuf};

/// A project, as found on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Project {
    /// The URL of `origin`, as its repository's own configuration has it; it may hold credentials.
    Remote(String),
    /// The path with links resolved: there is no repository, or none with that remote.
    Path(PathBuf),
}

/// Looks at the directory at `path`; none when there is nothing.
#[must_use]
pub fn identify(path: &Path) -> Option<Project> {
    let path = path.canonicalize().ok()?;
    Some(remote(&path).map_or(Project::Path(path), Project::Remote))
}

/// Nothing but the repository's own files is read: no user configuration, no `insteadOf`.
fn remote(path: &Path) -> Option<String> {
    let (found, _) = gix::discover::upwards(path).ok()?;
    let (repository, _) = found.into_repository_and_work_tree_directories();
    let repository = gix::open_opts(repository, gix::open::Options::isolated()).ok()?;
    let url = repository.config_snapshot().string("remote.origin.url")?;
    Some(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_its_origin_else_its_real_path() {
        let dir = tempfile::tempdir().unwrap();
        let real = dir.path().canonicalize().unwrap();
        std::os::unix::fs::symlink(&real, real.join("link")).unwrap();
        assert_eq!(
            identify(&real.join("link")),
            Some(Project::Path(real.clone()))
        );
        assert_eq!(identify(&real.join("missing")), None);
        gix::init(&real).unwrap();
        let config = real.join(".git/config");
        let text = std::fs::read_to_string(&config).unwrap();
        let remote = "[remote \"origin\"]\n\turl = ssh://git@example.com/a.git\n";
        std::fs::write(config, text + remote).unwrap();
        std::fs::create_dir(real.join("below")).unwrap();
        let found = Project::Remote("ssh://git@example.com/a.git".to_owned());
        assert_eq!(identify(&real.join("below")), Some(found));
    }
}
