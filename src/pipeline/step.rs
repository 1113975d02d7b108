//! The steps from a URL to a policy, in the order in which they are taken.

use std::fmt;

use serde::{Serialize, Serializer};

use super::error::PipelineError;
use crate::source::git::FetchError;
use crate::trust::Check;

/// One step. Each bundle passes [`Step::Source`] to the last [`Check`]; the others are taken once for all bundles.
///
/// INVARIANT: the order of the variants is the order in which verification fails; a test tries pairs of defects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// This machine's memory is sound.
    State,
    /// The clock is not behind a time seen before.
    Clock,
    /// The trust root is walked from its pin to the last version, and this machine has seen no newer one.
    Root,
    /// `ordain.lock` can be read.
    Lockfile,
    /// URL, ref and path are well formed, and the transport is allowed.
    Source,
    /// The ref leads to one commit, and that is here.
    Fetch,
    /// Every object is what its id says, every name is safe, and sizes are within the limits.
    Tree,
    /// A check of [`crate::trust::verify`].
    Bundle(Check),
    /// What the bundles require of one another is met.
    Requires,
    /// The policies are valid, and resolve for the consumer's scope.
    Policy,
}

/// What a step is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What all bundles stand on.
    Before,
    /// One bundle.
    Bundle,
    /// All bundles together.
    Together,
}

impl Step {
    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        let before = [
            Self::State,
            Self::Clock,
            Self::Root,
            Self::Lockfile,
            Self::Source,
            Self::Fetch,
            Self::Tree,
        ];
        let checks = Check::ALL.into_iter().map(Self::Bundle);
        before
            .into_iter()
            .chain(checks)
            .chain([Self::Requires, Self::Policy])
    }

    /// Those of one part, in order.
    pub fn of(part: Part) -> impl Iterator<Item = Self> {
        Self::all().filter(move |step| step.part() == part)
    }

    /// What it is about.
    #[must_use]
    pub fn part(self) -> Part {
        match self {
            Self::State | Self::Clock | Self::Root | Self::Lockfile => Part::Before,
            Self::Source | Self::Fetch | Self::Tree | Self::Bundle(_) => Part::Bundle,
            Self::Requires | Self::Policy => Part::Together,
        }
    }

    /// Its stable name, in output for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Root => "trust-root",
            Self::State => "state",
            Self::Lockfile => "lockfile",
            Self::Clock => "clock",
            Self::Source => "source",
            Self::Fetch => "fetch",
            Self::Tree => "tree",
            Self::Bundle(check) => check.name(),
            Self::Requires => "requires",
            Self::Policy => "policy",
        }
    }

    /// What it asks, for people.
    #[must_use]
    pub fn question(self) -> &'static str {
        match self {
            Self::Root => {
                "the first trust root is the pinned one, each next is signed by the one before and by itself, the last has not expired, and no newer one was seen here"
            }
            Self::State => "this machine's memory is a plain file that only its owner writes",
            Self::Lockfile => "`ordain.lock` can be read",
            Self::Clock => "the clock is not behind a time that this machine has seen",
            Self::Source => "URL, host, ref and path are well formed, and the transport is allowed",
            Self::Fetch => "the ref leads to one commit, which is received within the limits",
            Self::Tree => {
                "every Git object is what its id says, every name is safe on every file system, sizes and counts are within the limits"
            }
            Self::Bundle(check) => check.question(),
            Self::Requires => "each bundle that another requires is there and new enough",
            Self::Policy => "the policies are valid and resolve for the consumer's scope",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Step {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl PipelineError {
    /// The step that failed.
    #[must_use]
    pub fn step(&self) -> Step {
        match self {
            Self::Root(_)
            | Self::RootFile { .. }
            | Self::RootUnreadable { .. }
            | Self::RootUrl(_)
            | Self::RootRef(_)
            | Self::RootFetch(_)
            | Self::RootOffline
            | Self::FingerprintNeeded
            | Self::Confirm { .. } => Step::Root,
            Self::State(_) => Step::State,
            Self::Lock(_)
            | Self::NotLocked { .. }
            | Self::LockedElsewhere { .. }
            | Self::LockChanged { .. } => Step::Lockfile,
            Self::ClockWentBack { .. } => Step::Clock,
            Self::Url { .. } | Self::Ref { .. } => Step::Source,
            Self::Fetch { error, .. } => of_fetch(error),
            Self::Store(_) | Self::Offline { .. } | Self::Transfer(_) | Self::NotCarried { .. } => {
                Step::Fetch
            }
            Self::Directory(_) => Step::Tree,
            Self::Verify { error, .. } => Step::Bundle(error.check()),
            Self::Requires(_) => Step::Requires,
            Self::Policy(_) => Step::Policy,
            Self::Lasting(error) => error.step(),
        }
    }
}

fn of_fetch(error: &FetchError) -> Step {
    match error {
        FetchError::RelativePath { .. } | FetchError::BundlePath(_) => Step::Source,
        FetchError::Offline { .. }
        | FetchError::Unreachable { .. }
        | FetchError::Stalled { .. }
        | FetchError::TooSlow { .. }
        | FetchError::TooManyBytes { .. }
        | FetchError::Interrupted { .. }
        | FetchError::Authentication { .. }
        | FetchError::Redirect { .. }
        | FetchError::ProgramMissing { .. }
        | FetchError::RefNotFound { .. }
        | FetchError::CommitNotFound { .. }
        | FetchError::Ambiguous { .. }
        | FetchError::NotACommit { .. }
        | FetchError::NotARepository { .. }
        | FetchError::Cache { .. } => Step::Fetch,
        FetchError::PathNotFound { .. }
        | FetchError::Incomplete { .. }
        | FetchError::Corrupt { .. }
        | FetchError::Content(_) => Step::Tree,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_listed_in_order_under_names_of_their_own() {
        let all: Vec<Step> = Step::all().collect();
        assert!(all.is_sorted() && all.len() == 9 + Check::ALL.len());
        let names: std::collections::BTreeSet<&str> = all.iter().map(|step| step.name()).collect();
        assert_eq!(names.len(), all.len());
    }
}
