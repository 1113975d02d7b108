//! What a failed step expected and found, and who can mend it.

use crate::lockfile::LockError;
use crate::pipeline::error::PipelineError;
use crate::pipeline::step::Step;
use crate::source::git::FetchError;
use crate::source::state::StateError;
use crate::trust::{Contrast, Fixer, RequiresError, RootError};

impl PipelineError {
    /// The message without the name of the bundle.
    #[must_use]
    pub fn summary(&self) -> String {
        match self {
            Self::Url { error, .. } => error.to_string(),
            Self::Ref { error, .. } => error.to_string(),
            Self::Fetch { error, .. } => error.to_string(),
            Self::Verify { error, .. } => error.to_string(),
            Self::Policy(problems) => match problems.as_slice() {
                [] => self.to_string(),
                [only] => only.to_string(),
                [first, rest @ ..] => format!("{first}; and {} more", rest.len()),
            },
            Self::Lasting(error) => error.summary(),
            error => error.to_string(),
        }
    }

    /// What the step expected and found.
    #[must_use]
    pub fn contrast(&self) -> Contrast {
        use Fixer::{Consumer, Publisher};
        let found = self.summary();
        match self {
            Self::Root(error) => root(error),
            Self::RootFile { error, .. } => Contrast {
                found,
                ..root(error)
            },
            Self::RootUrl(_) | Self::RootRef(_) => Contrast::new(
                "a URL and a ref of the trust root's repository, well formed",
                found,
                Consumer,
                "correct `trust.git` and `trust.ref` in `ordain.yaml`",
            ),
            Self::RootFetch(error) => fetch(error, found),
            Self::RootOffline => Contrast::new(
                "the trust root on this machine, since the network is forbidden",
                found,
                Consumer,
                "run `ordain bundle pull` once with the network allowed",
            ),
            Self::FingerprintNeeded => Contrast::new(
                "the fingerprint of the first trust root",
                found,
                Consumer,
                "get it from its owners by another way, and write it as `trust.fingerprint` in `ordain.yaml`",
            ),
            Self::Confirm { said, remembered } => Contrast::new(
                format!("{said}, as the second channel says"),
                remembered.to_string(),
                Consumer,
                "find out by a third channel which of the two is right, before anything is decided with it",
            ),
            Self::RootUnreadable { path, .. } => Contrast::new(
                format!("a readable trust root at {}", shown(path)),
                found,
                Consumer,
                "check the file's permissions, or get it again from whoever runs the trust root",
            ),
            Self::Verify { error, .. } => error.contrast(),
            Self::Requires(error) => requires(error),
            Self::Url { .. } => Contrast::new(
                "an `https`, `ssh` or `git` URL, or a path, without credentials",
                found,
                Consumer,
                "correct `git` in `ordain.yaml`, or the URL that was given",
            ),
            Self::Ref { .. } => Contrast::new(
                "a branch, a tag, a full ref or a commit id",
                found,
                Consumer,
                "correct `ref` in `ordain.yaml`, or `--ref`",
            ),
            Self::Fetch { error, .. } => fetch(error, found),
            Self::Directory(_) => Contrast::new(
                Step::Tree.question(),
                found,
                Publisher,
                "mend the directory, and sign again",
            ),
            Self::Policy(_) => Contrast::new(
                "policies that are valid, and resolve for the consumer's scope",
                found,
                Publisher,
                "run `ordain policy check DIR` on each bundle, mend what it names, and sign again",
            ),
            Self::Transfer(_) | Self::NotCarried { .. } => Contrast::new(
                "an export that carries every configured bundle, whole",
                found,
                Consumer,
                "export again where the bundles are, with `ordain bundle export`, and carry that file here",
            ),
            Self::Store(_) => Contrast::new(
                "a bundle store that can be read and written",
                found,
                Consumer,
                "delete what is named: the store is filled again by `ordain bundle pull`",
            ),
            Self::State(error) => state(error, found),
            Self::Lock(error) => {
                let remedy = match error {
                    LockError::Io { .. } => "check the file's permissions",
                    LockError::Json { .. } | LockError::Shape { .. } => {
                        "restore `ordain.lock` from its repository: `git checkout -- ordain.lock`"
                    }
                };
                Contrast::new(
                    "a lockfile that this program wrote",
                    found,
                    Consumer,
                    remedy,
                )
            }
            Self::NotLocked { .. } | Self::LockedElsewhere { .. } => Contrast::new(
                "a lockfile that names the bundle with the configured source",
                found,
                Consumer,
                "run `ordain bundle pull --update`, and commit `ordain.lock`",
            ),
            Self::LockChanged { locked, found, .. } => Contrast::new(
                format!("payload {locked}, as locked"),
                format!("payload {found}"),
                Consumer,
                "run `ordain bundle pull --update` if the new revision shall be taken, and commit `ordain.lock`",
            ),
            Self::Offline { .. } => Contrast::new(
                "the bundle on this machine",
                found,
                Consumer,
                "run `ordain bundle pull` once with the network allowed",
            ),
            Self::Lasting(error) => error.contrast(),
            Self::ClockWentBack { now, seen } => Contrast::new(
                format!("a clock at {seen} or later, which this machine has seen"),
                now.to_string(),
                Consumer,
                "set the clock right",
            ),
        }
    }
}

fn shown(path: &std::path::Path) -> String {
    format!("`{}`", path.display().to_string().escape_debug())
}

fn root(error: &RootError) -> Contrast {
    use Fixer::{Consumer, RootHolders};
    const AGAIN: &str = "get the trust root again from whoever runs it, by a way that you trust";
    const NEXT: &str = "sign a trust root that keeps the rules";
    let found = error.to_string();
    match error {
        RootError::Fingerprint { pinned, found } => Contrast::new(
            format!("a first trust root with the pinned fingerprint {pinned}"),
            found.to_string(),
            Consumer,
            "find out by a second channel which of the two is right; correct `trust.fingerprint` only then",
        ),
        RootError::Missing => Contrast::new(
            "a file `1.root.json` in the trust directory",
            "none",
            Consumer,
            "check `trust.dir`, and get the trust root from whoever runs it",
        ),
        RootError::Version { expected, found } => Contrast::new(
            format!("version {expected}"),
            format!("version {found}"),
            Consumer,
            AGAIN,
        ),
        RootError::Gap { missing } => Contrast::new(
            format!("a file `{missing}.root.json`"),
            "none, and a later one",
            Consumer,
            AGAIN,
        ),
        RootError::Unsigned {
            version, shortfall, ..
        } => Contrast::new(
            format!(
                "{} distinct signers of role `{}` on trust root {version}",
                shortfall.threshold, shortfall.role
            ),
            format!("{}", shortfall.signed.len()),
            Fixer::Members {
                role: shortfall.role.clone(),
                missing: shortfall.missing.clone(),
            },
            format!(
                "run `ordain trust sign {version}.root.json --key KEY`, and hand the file out again"
            ),
        ),
        RootError::Expired { version, expires } => Contrast::new(
            format!("a trust root {version} that has not expired, or a later one"),
            format!("expired at {expires}"),
            RootHolders,
            "sign and hand out the next trust root",
        ),
        RootError::Equivocation {
            version,
            seen,
            found,
        } => Contrast::new(
            format!("payload {seen}, walked before as version {version}"),
            found.to_string(),
            RootHolders,
            "find out who signed two roots of one version; keep both files as evidence",
        ),
        RootError::Rollback { found, seen } => Contrast::new(
            format!("version {seen} or later, which this machine has seen"),
            format!("version {found}"),
            Consumer,
            AGAIN,
        ),
        RootError::Envelope(_)
        | RootError::Json(_)
        | RootError::Shape { .. }
        | RootError::PayloadType { .. } => {
            Contrast::new("a signed trust root, whole", found, Consumer, AGAIN)
        }
        RootError::TooManyRoots { limit } => Contrast::new(
            format!("at most {limit} trust roots"),
            "more",
            RootHolders,
            "begin a new trust root, and pin that",
        ),
        RootError::TooMany
        | RootError::NoRootRole
        | RootError::SharedKey { .. }
        | RootError::UnknownPrincipal { .. }
        | RootError::Threshold { .. }
        | RootError::Namespaces { .. }
        | RootError::GitSignature { .. }
        | RootError::EpochLowered { .. }
        | RootError::Overlap { .. } => Contrast::new(
            "a trust root that keeps its own rules",
            found,
            RootHolders,
            NEXT,
        ),
    }
}

fn requires(error: &RequiresError) -> Contrast {
    use Fixer::{Consumer, Publisher};
    const PULL: &str =
        "run `ordain bundle pull`; if that is the newest, its publisher has to catch up";
    match error {
        RequiresError::Missing { required, .. } => Contrast::new(
            format!("bundle `{required}` beside the one that requires it"),
            "none",
            Consumer,
            "name it under `bundles` in `ordain.yaml`",
        ),
        RequiresError::TooOld {
            requirement,
            found_epoch,
            found,
            ..
        } => Contrast::new(
            format!(
                "bundle `{}` at revision {}.{} or later",
                requirement.bundle, requirement.epoch, requirement.revision
            ),
            format!("revision {found_epoch}.{found}"),
            Publisher,
            PULL,
        ),
        RequiresError::Pin {
            required,
            pinned,
            found,
            ..
        } => Contrast::new(
            format!("bundle `{required}` with payload {pinned}"),
            found.to_string(),
            Publisher,
            PULL,
        ),
        RequiresError::Cycle { bundle } => Contrast::new(
            "requirements without a cycle",
            format!("one through bundle `{bundle}`"),
            Publisher,
            "take one of the requirements out, and sign again",
        ),
    }
}

fn fetch(error: &FetchError, found: String) -> Contrast {
    use Fixer::{Consumer, Host, Publisher};
    let (expected, fixer, remedy) = match error {
        FetchError::RelativePath { .. } | FetchError::BundlePath(_) => (
            "a path within a repository",
            Consumer,
            "correct `git` and `path` in `ordain.yaml`",
        ),
        FetchError::Offline { .. } => (
            "the bundle on this machine, since the network is forbidden",
            Consumer,
            "run it once without `--offline` or `--frozen`",
        ),
        FetchError::Unreachable { .. }
        | FetchError::Stalled { .. }
        | FetchError::TooSlow { .. }
        | FetchError::TooManyBytes { .. }
        | FetchError::Redirect { .. } => (
            "a server that answers, within the limits",
            Host,
            "check the URL and the network with `git ls-remote URL`",
        ),
        FetchError::Interrupted { .. } => ("an end of the fetch", Consumer, "run it again"),
        FetchError::Authentication { .. } => (
            "credentials that the server takes",
            Consumer,
            "give them by a git credential helper, `ORDAIN_GIT_PASSWORD`, or `ssh-agent`",
        ),
        FetchError::ProgramMissing { .. } => {
            ("the program on the search path", Consumer, "install it")
        }
        FetchError::RefNotFound { .. }
        | FetchError::CommitNotFound { .. }
        | FetchError::Ambiguous { .. }
        | FetchError::NotACommit { .. } => (
            "a ref that leads to one commit",
            Consumer,
            "check `ref` in `ordain.yaml` with `git ls-remote URL`",
        ),
        FetchError::NotARepository { .. } => (
            "a Git repository",
            Consumer,
            "correct `git` in `ordain.yaml`",
        ),
        FetchError::PathNotFound { .. } => (
            "the bundle's directory in the commit",
            Consumer,
            "correct `path` in `ordain.yaml`",
        ),
        FetchError::Incomplete { .. } | FetchError::Corrupt { .. } => (
            "objects that are what their ids say",
            Host,
            "run `git fsck` in the repository",
        ),
        FetchError::Cache { .. } => (
            "a cache that can be used",
            Consumer,
            "check the cache directory's permissions and free space; it may be deleted",
        ),
        FetchError::Content(_) => (
            "plain files under names that are safe on every file system, within the limits",
            Publisher,
            "mend the tree, sign again, commit and push",
        ),
    };
    Contrast::new(expected, found, fixer, remedy)
}

fn state(error: &StateError, found: String) -> Contrast {
    let (expected, remedy) = match error {
        StateError::Io { .. } => (
            "a state directory that can be used",
            "check its permissions and free space",
        ),
        StateError::Link { .. } => (
            "a plain file in a plain directory",
            "remove the link, and put the file in its place",
        ),
        StateError::Writable { .. } => (
            "a state that only its owner may write",
            "find out who changed its mode, then run `chmod go-w` on it",
        ),
        StateError::Json { .. } | StateError::Shape { .. } => (
            "a state that this program wrote",
            "restore it from a backup; removing it gives up the protection from rollback",
        ),
        StateError::Interrupted => ("an end of the wait", "run it again"),
        StateError::Rollback { .. }
        | StateError::Equivocation { .. }
        | StateError::RootRollback { .. } => (
            "nothing older than what this machine has seen",
            "pull again; if it stays, ask the publisher",
        ),
    };
    Contrast::new(expected, found, Fixer::Consumer, remedy)
}
