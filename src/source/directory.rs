//! A plain directory as a [`FetchedBundle`]: for authoring, and for signing.
//!
//! The same names, kinds and caps as in Git. Nothing is skipped but a `.git` at the top, which a bundle that is a
//! repository's root has. Links are never followed: each file is opened so that the system refuses a link in its last
//! segment, and what was opened, not what was listed, is asked for its kind and size.

use std::fs::{self, File, Metadata};
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use rayon::prelude::*;

use super::content::{Collector, ContentError, admit};
use crate::bundle::{BundlePath, FetchedBundle, Limits, Origin};
use crate::diag::Code;

/// Why a directory cannot be read as a bundle.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// It holds what a bundle cannot hold.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The system refused.
    #[error("cannot read `{}`: {source}", path.display().to_string().escape_debug())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file changed its size or kind while it was read.
    #[error("`{}` changed while it was read", path.display().to_string().escape_debug())]
    Changed {
        /// Which.
        path: PathBuf,
    },
}

impl DirectoryError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Content(error) => error.code(),
            Self::Io { .. } | Self::Changed { .. } => Code::SOURCE_DIRECTORY,
        }
    }

    /// Whether something else stands where the directory should.
    #[must_use]
    pub fn is_no_directory(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == ErrorKind::NotADirectory)
    }
}

/// Reads the bundle in `directory`, on all cores.
///
/// # Errors
/// [`DirectoryError`] for the first thing that a bundle cannot hold, in the order of names, or that the system refuses.
pub fn read(directory: &Path, limits: &Limits) -> Result<FetchedBundle, DirectoryError> {
    let mut collector = Collector::new(limits);
    let mut files = Vec::new();
    list(directory, &mut Vec::new(), 0, &mut collector, &mut files)?;
    let total = AtomicU64::new(0);
    let files = files
        .into_par_iter()
        .map(|name| {
            let bytes = read_file(&directory.join(name.as_str()), &name, limits, &total)?;
            Ok((name, bytes))
        })
        .collect::<Result<Vec<_>, DirectoryError>>()?;
    let origin = Origin::Directory {
        path: directory.display().to_string(),
    };
    Ok(Collector::finish(origin, files))
}

/// Lists `directory`, whose path within the bundle is `prefix`, without following links.
fn list(
    directory: &Path,
    prefix: &mut Vec<u8>,
    depth: usize,
    collector: &mut Collector<'_>,
    files: &mut Vec<BundlePath>,
) -> Result<(), DirectoryError> {
    let failed = |source| DirectoryError::Io {
        path: directory.to_owned(),
        source,
    };
    let mut entries = fs::read_dir(directory)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(failed)?;
    entries.sort_by_cached_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name();
        if depth == 0 && name == ".git" {
            continue;
        }
        let length = prefix.len();
        prefix.extend_from_slice(name.as_encoded_bytes());
        let kind = entry.file_type().map_err(failed)?;
        if kind.is_dir() {
            collector.directory(prefix, depth + 1)?;
            prefix.push(b'/');
            list(&entry.path(), prefix, depth + 1, collector, files)?;
        } else if kind.is_file() {
            files.push(collector.file(prefix)?);
        } else {
            let path = String::from_utf8_lossy(prefix).into_owned();
            return Err(refused(path, kind.is_symlink()).into());
        }
        prefix.truncate(length);
    }
    Ok(())
}

fn refused(path: String, is_link: bool) -> ContentError {
    if is_link {
        ContentError::Symlink { path }
    } else {
        ContentError::Special {
            path,
            mode: "device, pipe or socket".to_owned(),
        }
    }
}

fn read_file(
    path: &Path,
    name: &BundlePath,
    limits: &Limits,
    total: &AtomicU64,
) -> Result<Arc<[u8]>, DirectoryError> {
    let failed = |source| DirectoryError::Io {
        path: path.to_owned(),
        source,
    };
    let changed = || DirectoryError::Changed {
        path: path.to_owned(),
    };
    let mut file = open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if !metadata.is_file() {
        return Err(changed());
    }
    if is_executable(&metadata) {
        return Err(ContentError::Executable {
            path: name.as_str().to_owned(),
        }
        .into());
    }
    admit(limits, total, name, metadata.len())?;
    let size = usize::try_from(metadata.len()).map_err(|_| changed())?;
    // As many bytes as it has, and no look at what follows: with ten thousand files each call to the system counts.
    let mut bytes = vec![0; size];
    file.read_exact(&mut bytes)
        .map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => changed(),
            _ => failed(error),
        })?;
    Ok(bytes.into())
}

/// Opens a file, not a link to one; never waits for a pipe's other end.
#[cfg(target_os = "linux")]
fn open(path: &Path) -> std::io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    // `O_NOFOLLOW` differs between processors; std names none of them.
    const O_NOFOLLOW: i32 = if cfg!(any(
        target_arch = "aarch64",
        target_arch = "arm",
        target_arch = "powerpc64"
    )) {
        0o100_000
    } else {
        0o400_000
    };
    const O_NONBLOCK: i32 = 0o4000;
    File::options()
        .read(true)
        .custom_flags(O_NOFOLLOW | O_NONBLOCK)
        .open(path)
}

/// Opens a file that is not a link. Without the system's help the two steps can be raced.
#[cfg(not(target_os = "linux"))]
fn open(path: &Path) -> std::io::Result<File> {
    if fs::symlink_metadata(path)?.is_file() {
        File::open(path)
    } else {
        Err(std::io::Error::other("not a plain file"))
    }
}

#[cfg(unix)]
fn is_executable(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    // Git's rule: the owner's bit decides.
    metadata.permissions().mode() & 0o100 != 0
}

#[cfg(not(unix))]
fn is_executable(_: &Metadata) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        directory
    }

    fn refused(directory: &tempfile::TempDir) -> ContentError {
        match read(directory.path(), &Limits::default()) {
            Err(DirectoryError::Content(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn files_are_read_and_the_envelope_set_apart() {
        let directory = directory(&[
            ("bundle.yaml", "b"),
            ("policies/acme/a.yaml", "a"),
            ("bundle.dsse.json", "{}"),
            (".git/config", "ignored"),
        ]);
        let bundle = read(directory.path(), &Limits::default()).unwrap();
        assert_eq!(bundle.envelope.as_deref(), Some(&b"{}"[..]));
        let names: Vec<&str> = bundle.files.keys().map(BundlePath::as_str).collect();
        assert_eq!(names, ["bundle.yaml", "policies/acme/a.yaml"]);
    }

    #[cfg(unix)]
    #[test]
    fn links_executables_and_pipes_are_refused() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let linked = directory(&[("a", "a")]);
        symlink("a", linked.path().join("b")).unwrap();
        assert!(matches!(refused(&linked), ContentError::Symlink { path } if path == "b"));

        let linked = directory(&[("d/a", "a")]);
        symlink("d", linked.path().join("e")).unwrap();
        assert!(matches!(refused(&linked), ContentError::Symlink { path } if path == "e"));
        assert!(open(&linked.path().join("e")).is_err());

        let executable = directory(&[("x/run", "a")]);
        let mode = fs::Permissions::from_mode(0o755);
        fs::set_permissions(executable.path().join("x/run"), mode).unwrap();
        assert!(
            matches!(refused(&executable), ContentError::Executable { path } if path == "x/run")
        );

        let socket = directory(&[("a", "a")]);
        let _listener = std::os::unix::net::UnixListener::bind(socket.path().join("s")).unwrap();
        assert!(matches!(refused(&socket), ContentError::Special { .. }));
    }

    #[test]
    fn names_and_nested_repositories_are_linted() {
        assert!(matches!(
            refused(&directory(&[("sub/.git/config", "x")])),
            ContentError::Path(_)
        ));
        assert!(matches!(
            refused(&directory(&[(".gitmodules", "x")])),
            ContentError::Path(_)
        ));
        #[cfg(target_os = "linux")]
        assert!(matches!(
            refused(&directory(&[("a.yaml", ""), ("A.yaml", "")])),
            ContentError::Path(_)
        ));
    }

    #[test]
    fn caps_hold() {
        let directory = directory(&[("a/b/c", "12345"), ("d", "123"), ("bundle.dsse.json", "{}")]);
        let refused = |limits: Limits| match read(directory.path(), &limits) {
            Err(DirectoryError::Content(error)) => error,
            other => panic!("{other:?}"),
        };
        let most = Limits::default;
        assert_eq!(
            refused(Limits { files: 2, ..most() }),
            ContentError::TooManyFiles { limit: 2 }
        );
        assert!(matches!(
            refused(Limits {
                file_bytes: 4,
                ..most()
            }),
            ContentError::TooLarge { size: 5, .. }
        ));
        assert_eq!(
            refused(Limits {
                total_bytes: 7,
                ..most()
            }),
            ContentError::TooManyBytes { limit: 7 }
        );
        assert!(matches!(
            refused(Limits { depth: 1, ..most() }),
            ContentError::TooDeep { limit: 1, .. }
        ));
        assert!(matches!(
            refused(Limits {
                envelope_bytes: 1,
                ..most()
            }),
            ContentError::TooLarge { .. }
        ));
    }
}
