//! Version requirements, as `>=1.2, <2`.
//!
//! Pre-releases are where version rules leak. Cargo's reading leaves them out of every range that does not name one, so that
//! `1.4.1-rc.1` would slip past a rule that denies `<1.4.2`; the order of Semantic Versioning (§11) puts `2.0.0-alpha` below
//! 2.0.0, so that it would pass a rule that allows `<2`. Where the two readings differ, the test fails, and an error never
//! permits.

use std::cmp::Ordering;

use semver::{BuildMetadata, Comparator, Op, Prerelease, Version, VersionReq};

use super::Match;
use super::operand::{OperandError, shown};
use crate::diag::printable;

/// Which versions are wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Requirement(VersionReq);

impl Requirement {
    /// Reads the requirement of a policy.
    ///
    /// # Errors
    /// It is none, or one of its parts is a version alone, which npm takes for exactly this one, Cargo for those compatible.
    pub(in crate::policy) fn read(text: &str) -> Result<Self, OperandError> {
        let bare = |part: &&str| {
            part.starts_with(|first: char| first.is_ascii_digit())
                && !part.contains(['*', 'x', 'X'])
        };
        let requirement = text.parse().map_err(|error: semver::Error| {
            let (text, problem) = (shown(text), printable(&error.to_string()));
            OperandError::Requirement { text, problem }
        })?;
        match text.split(',').map(str::trim).find(bare) {
            Some(part) => Err(OperandError::BareVersion(shown(part))),
            None => Ok(Self(requirement)),
        }
    }

    /// Whether the version is wanted; failed for a pre-release on which the two readings differ.
    pub(in crate::policy) fn admits(&self, version: &Version) -> Match {
        let named = self.0.matches(version);
        let ordered = self.0.comparators.iter().all(|part| spans(part, version));
        if named == ordered {
            Match::of(named)
        } else {
            Match::Failed
        }
    }
}

/// Whether the version lies where `part` says, by the order of versions alone. Ranges of compatible versions end before the
/// pre-releases of the version that is compatible no more.
fn spans(part: &Comparator, version: &Version) -> bool {
    let first = Version {
        major: part.major,
        minor: part.minor.unwrap_or(0),
        patch: part.patch.unwrap_or(0),
        pre: part.pre.clone(),
        build: BuildMetadata::EMPTY,
    };
    let from = version.cmp_precedence(&first);
    let is_partial = part.patch.is_none();
    let within = |next: &Version| from != Ordering::Less && is_before(version, next);
    match part.op {
        Op::Exact if is_partial => within(&after_named(part)),
        Op::Exact => from == Ordering::Equal,
        Op::Greater if is_partial => !is_before(version, &after_named(part)),
        Op::Greater => from == Ordering::Greater,
        Op::GreaterEq => from != Ordering::Less,
        Op::Less => from == Ordering::Less,
        Op::LessEq if is_partial => is_before(version, &after_named(part)),
        Op::LessEq => from != Ordering::Greater,
        Op::Tilde if is_partial => within(&after_named(part)),
        Op::Tilde => within(&Version::new(first.major, first.minor.saturating_add(1), 0)),
        Op::Wildcard => within(&after_named(part)),
        Op::Caret => within(&after_compatible(part)),
        // What a later version of the crate adds is left to its own reading.
        _ => true,
    }
}

/// The version after every one whose named numbers are those of `part`.
fn after_named(part: &Comparator) -> Version {
    match (part.minor, part.patch) {
        (Some(minor), Some(patch)) => Version::new(part.major, minor, patch.saturating_add(1)),
        (Some(minor), None) => Version::new(part.major, minor.saturating_add(1), 0),
        (None, _) => Version::new(part.major.saturating_add(1), 0, 0),
    }
}

/// The version after every one that is compatible with `part`: the first number that is not 0, or the last that is named, grows.
fn after_compatible(part: &Comparator) -> Version {
    match (part.major, part.minor, part.patch) {
        (0, Some(0), Some(_)) | (0, Some(0), None) | (0, None, _) => after_named(part),
        (0, Some(minor), _) => Version::new(0, minor.saturating_add(1), 0),
        (major, ..) => Version::new(major.saturating_add(1), 0, 0),
    }
}

/// Whether the version comes before `next` and is no pre-release of it.
fn is_before(version: &Version, next: &Version) -> bool {
    let released = Version {
        pre: Prerelease::EMPTY,
        ..version.clone()
    };
    released.cmp_precedence(next) == Ordering::Less
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(requirement: &str, version: &str, wanted: Match) {
        let read = Requirement::read(requirement).unwrap();
        assert_eq!(
            read.admits(&version.parse().unwrap()),
            wanted,
            "{version} in {requirement}"
        );
    }

    #[test]
    fn releases_lie_in_ranges() {
        for (requirement, inside, outside) in [
            (">=1.2, <2", "1.2.0", "2.0.0"),
            ("=1.2.3", "1.2.3+build.7", "1.2.4"),
            ("=1.2", "1.2.9", "1.3.0"),
            ("^1.2", "1.9.0", "2.0.0"),
            ("^0.2.3", "0.2.9", "0.3.0"),
            ("^0.0.3", "0.0.3", "0.0.4"),
            ("~1.2", "1.2.9", "1.3.0"),
            ("1.*", "1.9.9", "2.0.0"),
            (">1.2", "1.3.0", "1.2.9"),
            ("<=1.2", "1.2.9", "1.3.0"),
        ] {
            check(requirement, inside, Match::Yes);
            check(requirement, outside, Match::No);
        }
        check("*", "0.0.0", Match::Yes);
    }

    #[test]
    fn a_pre_release_is_judged_only_where_the_two_readings_agree() {
        check("<1.4.2", "1.4.1-rc.1", Match::Failed);
        check("<1.4.2", "1.4.2-rc.1", Match::Failed);
        check("<2", "2.0.0-alpha", Match::Failed);
        check(">=1.2, <2", "1.3.0-beta", Match::Failed);
        check("*", "1.0.0-beta", Match::Failed);
        check(">=1.2, <2", "2.0.0", Match::No);
        check(">=1.2, <2", "2.0.1-alpha", Match::No);
        check("^1.2", "2.0.0-alpha", Match::No);
        check("=1.2", "1.3.0-alpha", Match::No);
        check(">=1.2.3", "1.2.3-rc.1", Match::No);
        check(">=1.2.3-rc.1", "1.2.3-rc.2", Match::Yes);
        check(">=1.2.3-rc.1", "1.2.3-beta", Match::No);
        check("=1.2.3-rc.1", "1.2.3-rc.1", Match::Yes);
        check("^1.2.3-rc.1", "1.2.3-rc.9", Match::Yes);
    }

    #[test]
    fn what_means_different_things_to_different_tools_is_refused() {
        let error = |text: &str| Requirement::read(text).unwrap_err();
        for text in ["1.2.3", "1", ">=1, 1.5", " 1.2 "] {
            assert!(
                matches!(error(text), OperandError::BareVersion(_)),
                "{text}"
            );
        }
        assert_eq!(
            error("1.2.3").hint(),
            "write `=1.2.3` for this one, or `^1.2.3` for those compatible with it"
        );
        for text in [
            "",
            "latest",
            ">=1.2 <2",
            ">=v1",
            "1.2.3 - 2.0.0",
            "||",
            ">= 1.2.3.4",
            "=1.2-alpha",
        ] {
            assert!(
                matches!(error(text), OperandError::Requirement { .. }),
                "{text}"
            );
        }
        for text in ["1.*", "1.x", "*", ">= 1.2 , <2"] {
            assert!(Requirement::read(text).is_ok(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn on_releases_the_two_readings_agree(
            op in prop::sample::select(vec!["=", ">", ">=", "<", "<=", "~", "^"]),
            wanted in (0..3_u64, prop::option::of((0..3_u64, prop::option::of(0..3_u64)))),
            version in (0..4_u64, 0..4_u64, 0..4_u64),
        ) {
            let numbers = match wanted {
                (major, None) => format!("{major}"),
                (major, Some((minor, None))) => format!("{major}.{minor}"),
                (major, Some((minor, Some(patch)))) => format!("{major}.{minor}.{patch}"),
            };
            let read = Requirement::read(&format!("{op}{numbers}")).unwrap();
            let version = Version::new(version.0, version.1, version.2);
            prop_assert_eq!(read.admits(&version), Match::of(read.0.matches(&version)), "{} {}", read.0, version);
        }
    }
}
