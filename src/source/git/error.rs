//! Why a fetch failed, in words that say what to do; never with a credential in them.

use std::path::PathBuf;

use gix::ObjectId;

use super::meter::Stop;
use crate::bundle::PathError;
use crate::diag::Code;
use crate::source::content::ContentError;

/// Why no bundle came of a repository.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// A relative path that the caller did not resolve.
    #[error("`{}` is relative, and there is no directory to resolve it against", url.escape_debug())]
    RelativePath {
        /// The path.
        url: String,
    },
    /// The bundle's directory, as written, is not a path within a repository.
    #[error(transparent)]
    BundlePath(PathError),
    /// The network is forbidden and the cache does not have it.
    #[error("`{reference}` of `{}` is not in the cache, and the network is forbidden", url.escape_debug())]
    Offline {
        /// The URL.
        url: String,
        /// What was asked for.
        reference: String,
    },
    /// No connection, or the server refused the request.
    #[error("cannot fetch from `{}`: {reason}", url.escape_debug())]
    Unreachable {
        /// The URL.
        url: String,
        /// What the system or the server said, escaped.
        reason: String,
    },
    /// The server fell silent.
    #[error("`{}` sent nothing for {seconds} seconds", url.escape_debug())]
    Stalled {
        /// The URL.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// The server was too slow in all.
    #[error("fetching from `{}` took longer than {seconds} seconds", url.escape_debug())]
    TooSlow {
        /// The URL.
        url: String,
        /// The limit.
        seconds: u64,
    },
    /// The server sent too much.
    #[error("`{}` sent more than {limit} bytes", url.escape_debug())]
    TooManyBytes {
        /// The URL.
        url: String,
        /// The limit.
        limit: u64,
    },
    /// The caller's interrupt flag was set.
    #[error("interrupted while fetching from `{}`", url.escape_debug())]
    Interrupted {
        /// The URL.
        url: String,
    },
    /// Credentials are missing or were refused.
    #[error("`{}` wants other credentials: {reason}", url.escape_debug())]
    Authentication {
        /// The URL.
        url: String,
        /// What the server said, escaped.
        reason: String,
    },
    /// A redirect to another host.
    #[error("`{}` redirects to another host, `{}`", url.escape_debug(), target.escape_debug())]
    Redirect {
        /// The URL.
        url: String,
        /// The other host.
        target: String,
    },
    /// `ssh` or `git` is not installed.
    #[error("the program `{program}` is needed for `{}` and was not found", url.escape_debug())]
    ProgramMissing {
        /// The program.
        program: String,
        /// The URL.
        url: String,
    },
    /// No such branch, tag or ref.
    #[error("`{}` has no branch or tag `{}`", url.escape_debug(), reference.escape_debug())]
    RefNotFound {
        /// The URL.
        url: String,
        /// The ref.
        reference: String,
    },
    /// No such commit, or the server serves advertised ones only.
    #[error(
        "`{}` does not have the commit {commit}, or does not serve commits that no branch or tag points to",
        url.escape_debug()
    )]
    CommitNotFound {
        /// The URL.
        url: String,
        /// The commit.
        commit: String,
    },
    /// A tag and a branch of one name.
    #[error(
        "`{0}` is both a tag and a branch of `{1}`; write `refs/tags/{0}` or `refs/heads/{0}`",
        reference.escape_debug(), url.escape_debug()
    )]
    Ambiguous {
        /// The URL.
        url: String,
        /// The name.
        reference: String,
    },
    /// A ref to a tree, a file, or a loop of tags.
    #[error("`{}` of `{}` does not lead to a commit", reference.escape_debug(), url.escape_debug())]
    NotACommit {
        /// The URL.
        url: String,
        /// The ref.
        reference: String,
    },
    /// No such directory in the commit.
    #[error("commit {commit} has no directory `{}`", path.escape_debug())]
    PathNotFound {
        /// The directory.
        path: String,
        /// The commit.
        commit: String,
    },
    /// Not one of the commit's objects came as promised, twice.
    #[error("`{}` did not send all of what it promised: object {object} {fault}", url.escape_debug())]
    Incomplete {
        /// The URL.
        url: String,
        /// The object.
        object: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// An object of a local repository is missing, or not what its id says.
    #[error("the repository `{}` is damaged: object {object} {fault}", url.escape_debug())]
    Corrupt {
        /// The repository.
        url: String,
        /// The object.
        object: String,
        /// What is wrong with it.
        fault: &'static str,
    },
    /// A path without a repository.
    #[error("`{}` is not a git repository: {reason}", url.escape_debug())]
    NotARepository {
        /// The path.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The directory cannot be a bundle.
    #[error(transparent)]
    Content(#[from] ContentError),
    /// The cache on this machine.
    #[error("cannot use the cache `{}`: {reason}", path.display())]
    Cache {
        /// Where.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
}

impl FetchError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::RelativePath { .. } => Code::SOURCE_URL_MALFORMED,
            Self::BundlePath(error) => ContentError::Path(error.clone()).code(),
            Self::Offline { .. } => Code::SOURCE_OFFLINE,
            Self::Unreachable { .. } => Code::SOURCE_UNREACHABLE,
            Self::Stalled { .. } | Self::TooSlow { .. } => Code::SOURCE_TIMEOUT,
            Self::TooManyBytes { .. } => Code::SOURCE_FETCH_LIMIT,
            Self::Interrupted { .. } => Code::SOURCE_INTERRUPTED,
            Self::Authentication { .. } => Code::SOURCE_AUTHENTICATION,
            Self::Redirect { .. } => Code::SOURCE_REDIRECT,
            Self::ProgramMissing { .. } => Code::SOURCE_PROGRAM_MISSING,
            Self::RefNotFound { .. } | Self::CommitNotFound { .. } => Code::SOURCE_REF_NOT_FOUND,
            Self::Ambiguous { .. } => Code::SOURCE_REF_AMBIGUOUS,
            Self::NotACommit { .. } => Code::SOURCE_NOT_A_COMMIT,
            Self::PathNotFound { .. } => Code::SOURCE_PATH_NOT_FOUND,
            Self::Incomplete { .. } => Code::SOURCE_INCOMPLETE,
            Self::Corrupt { .. } => Code::SOURCE_CORRUPT,
            Self::NotARepository { .. } => Code::SOURCE_NOT_A_REPOSITORY,
            Self::Content(error) => error.code(),
            Self::Cache { .. } => Code::SOURCE_CACHE,
        }
    }

    /// Whether the ref or commit is not there, so that another name for it may be tried.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::RefNotFound { .. } | Self::CommitNotFound { .. })
    }
}

/// What is wrong with a repository's objects, before it is known whose fault it is.
#[derive(Debug)]
pub(super) enum Fault {
    /// An object that is not there.
    Missing(ObjectId),
    /// An object that is not what its id says.
    Wrong(ObjectId),
    /// Sound objects that are no bundle.
    Refused(FetchError),
}

impl From<ContentError> for Fault {
    fn from(error: ContentError) -> Self {
        Self::Refused(error.into())
    }
}

impl Fault {
    /// The object and what is wrong with it; none when the objects are sound.
    pub(super) fn object(&self) -> Option<(ObjectId, &'static str)> {
        match self {
            Self::Missing(id) => Some((*id, "is missing")),
            Self::Wrong(id) => Some((*id, "is not what its id says")),
            Self::Refused(_) => None,
        }
    }

    /// The fault of a repository that belongs to the user.
    pub(super) fn of_local(self, url: &str) -> FetchError {
        match (self.object(), self) {
            (Some((object, fault)), _) => FetchError::Corrupt {
                url: url.to_owned(),
                object: object.to_string(),
                fault,
            },
            (None, Self::Refused(error)) => error,
            (None, Self::Missing(_) | Self::Wrong(_)) => FetchError::Interrupted {
                url: url.to_owned(),
            },
        }
    }

    /// The fault of what a server sent.
    pub(super) fn of_server(self, url: &str) -> FetchError {
        match self.of_local(url) {
            FetchError::Corrupt { url, object, fault } => {
                FetchError::Incomplete { url, object, fault }
            }
            other => other,
        }
    }
}

/// Text of another machine, on one line, without terminal escapes, cut to 600 characters.
pub(super) fn shown(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let joined: String = lines.join("; ").chars().take(600).collect();
    joined
        .chars()
        .flat_map(|c| {
            let keep =
                !c.is_control() && !matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let plain = keep.then_some(c);
            plain
                .into_iter()
                .chain((!keep).then(|| c.escape_unicode()).into_iter().flatten())
        })
        .collect()
}

/// The error of one exchange with a server.
///
/// `stop` is what our own reader gave up on, `said` what the child process wrote to its standard error: both know the cause
/// better than the library's error, which only sees a stream that ended.
pub(super) fn translate(
    url: &str,
    commit: Option<&str>,
    error: &gix::Error,
    stop: Option<Stop>,
    said: &str,
) -> FetchError {
    let url = url.to_owned();
    if let Some(stop) = stop {
        return stop.into_error(url);
    }
    let mut reasons: Vec<String> = Vec::new();
    for cause in error.iter_errors() {
        let text = cause.to_string();
        if !reasons.iter().any(|seen| seen.contains(&text)) {
            reasons.push(text);
        }
        // What `iter_errors` does not descend into.
        let mut source = cause.source();
        while let Some(inner) = source {
            let text = inner.to_string();
            if !reasons.iter().any(|seen| seen.contains(&text)) {
                reasons.push(text);
            }
            source = inner.source();
        }
    }
    let whole = reasons.join(": ");
    let missing_commit = whole.contains("not our ref") || whole.contains("unadvertised object");
    if let (Some(commit), true) = (commit, missing_commit || said.contains("not our ref")) {
        return FetchError::CommitNotFound {
            url,
            commit: commit.to_owned(),
        };
    }
    let is_challenge = error
        .downcast_any_ref::<gix::protocol::transport::client::AuthenticationRequired>()
        .is_some();
    let said_denied = ["Permission denied", "Host key verification failed"]
        .iter()
        .any(|text| said.contains(text));
    if said_denied {
        return FetchError::Authentication {
            url,
            reason: shown(said),
        };
    }
    // Git's own advice would be to configure what is not read here.
    if said.contains("dubious ownership") {
        let reason = "it belongs to another user; name it by its path, without `file://`, to have it read in place";
        return FetchError::Unreachable {
            url,
            reason: reason.to_owned(),
        };
    }
    if is_challenge || error.is_unauthenticated() || whole.contains("Received HTTP status 401") {
        return FetchError::Authentication {
            url,
            reason: "set a git credential helper, or the environment variable for credentials"
                .to_owned(),
        };
    }
    // `ERR message` is the server's own word for why it hung up.
    let server_said = whole
        .split_once("ERR ")
        .map(|(_, message)| message.trim_end_matches(['"', '.']));
    let reason = match (said.trim().is_empty(), server_said) {
        (false, _) => shown(said),
        (true, Some(message)) => format!("the server said: {}", shown(message)),
        (true, None) => shown(&whole),
    };
    FetchError::Unreachable { url, reason }
}

/// What the system said where this machine's own disk refused a write: it has no room, or may not be written. A socket never
/// says so.
pub(super) fn disk(error: &gix::Error) -> Option<String> {
    use std::io::ErrorKind;
    let is_of_a_disk = |error: &(dyn std::error::Error + 'static)| {
        error.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(
                error.kind(),
                ErrorKind::StorageFull
                    | ErrorKind::QuotaExceeded
                    | ErrorKind::FileTooLarge
                    | ErrorKind::ReadOnlyFilesystem
            )
        })
    };
    error.iter_errors().find_map(|cause| {
        let mut next: Option<&(dyn std::error::Error + 'static)> = Some(cause);
        while let Some(cause) = next {
            if is_of_a_disk(cause) {
                return Some(shown(&cause.to_string()));
            }
            next = cause.source();
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_other_machines_cannot_steer_the_terminal() {
        assert_eq!(
            shown("fatal: \u{1b}[31mred\n\n  x\u{202e}y "),
            "fatal: \\u{1b}[31mred; x\\u{202e}y"
        );
        assert_eq!(shown(&"a".repeat(5000)).len(), 600);
    }
}
