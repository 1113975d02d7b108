//! File names that mean the same thing on every file system.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

use crate::diag::is_hidden;

/// The greatest length of a path, in bytes.
const MAX_PATH_BYTES: usize = 1024;
/// The greatest length of a segment, in bytes.
const MAX_SEGMENT_BYTES: usize = 255;
/// The greatest number of segments.
const MAX_SEGMENTS: usize = 17;

/// Names that Windows gives to devices, whatever their ending.
const DEVICES: &[&str] = &["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"];

/// The path of a file within a bundle: `/`-separated, relative, in NFC, safe on every file system.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BundlePath(String);

/// Why a name cannot be the path of a bundle's file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Bytes that are not UTF-8.
    #[error("file name `{name}` is not UTF-8")]
    NotUtf8 {
        /// The name, lossily.
        name: String,
    },
    /// Empty, absolute, or with an empty segment.
    #[error("file name `{}` has an empty segment", name.escape_debug())]
    EmptySegment {
        /// The name.
        name: String,
    },
    /// `.` or `..`.
    #[error("file name `{}` climbs out of its directory", name.escape_debug())]
    Traversal {
        /// The name.
        name: String,
    },
    /// `.git` or a name that some file system takes for it; `.gitmodules`.
    #[error("file name `{}` is reserved by git", name.escape_debug())]
    GitReserved {
        /// The name.
        name: String,
    },
    /// Control, bidirectional, invisible, or one of `\ : * ? " < > |`.
    #[error("file name `{}` holds the character U+{code:04X}, which is not allowed in names", name.escape_debug(), code = *character as u32)]
    Character {
        /// The name.
        name: String,
        /// The offending character.
        character: char,
    },
    /// Not in Unicode normal form C.
    #[error("file name `{}` is not in Unicode normal form C", name.escape_debug())]
    NotNfc {
        /// The name.
        name: String,
    },
    /// A Windows device, or a trailing dot or space.
    #[error("file name `{}` cannot exist on Windows", name.escape_debug())]
    Windows {
        /// The name.
        name: String,
    },
    /// Too long or too deep.
    #[error("file name `{}…` is longer than 1024 bytes or 16 directories, or a segment than 255 bytes", name.escape_debug())]
    TooLong {
        /// The beginning of the name.
        name: String,
    },
    /// Two names that one file system takes for the same.
    #[error("file names `{}` and `{}` are the same where case or normalisation is ignored", first.escape_debug(), second.escape_debug())]
    Twins {
        /// The name seen first.
        first: String,
        /// The name seen second.
        second: String,
    },
}

impl BundlePath {
    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks the raw bytes of a name, as Git trees and directories hold them.
    ///
    /// # Errors
    /// [`PathError`] for the first rule that it breaks.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PathError> {
        let name = std::str::from_utf8(bytes).map_err(|_| PathError::NotUtf8 {
            name: String::from_utf8_lossy(bytes).escape_debug().to_string(),
        })?;
        name.parse()
    }

    /// Whether the file has this directory above it: `policies` for `policies/a.yaml`.
    #[must_use]
    pub fn is_below(&self, directory: &str) -> bool {
        self.0
            .strip_prefix(directory)
            .is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether the name ends in one of these extensions, given without the dot.
    #[must_use]
    pub fn has_extension(&self, extensions: &[&str]) -> bool {
        let file = self.0.rsplit('/').next().unwrap_or_default();
        file.rsplit_once('.')
            .is_some_and(|(_, ending)| extensions.contains(&ending))
    }
}

impl std::str::FromStr for BundlePath {
    type Err = PathError;

    fn from_str(name: &str) -> Result<Self, PathError> {
        PathRef::new(name.into()).map(PathRef::into_owned)
    }
}

/// A path that is held to the same rules, and need not be copied for that.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PathRef<'a>(Cow<'a, str>);

impl<'a> PathRef<'a> {
    /// Checks a name.
    pub(super) fn new(name: Cow<'a, str>) -> Result<Self, PathError> {
        lint(&name).map(|()| Self(name))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn into_owned(self) -> BundlePath {
        BundlePath(self.0.into_owned())
    }
}

/// Holds a name to the rules.
fn lint(name: &str) -> Result<(), PathError> {
    if is_plain(name) {
        return Ok(());
    }
    if name.len() > MAX_PATH_BYTES || name.split('/').count() > MAX_SEGMENTS {
        return Err(PathError::TooLong {
            name: name.chars().take(60).collect(),
        });
    }
    name.split('/')
        .try_for_each(|segment| lint_segment(name, segment))
}

/// Whether a name breaks no rule at a first glance, as nearly all do. One that does not look so may still be a good one.
fn is_plain(name: &str) -> bool {
    let mut segments = name.as_bytes().split(|byte| *byte == b'/');
    let mut first = segments.by_ref().take(MAX_SEGMENTS);
    name.len() <= MAX_PATH_BYTES && first.all(is_plain_segment) && segments.next().is_none()
}

/// ASCII letters, digits, `.`, `_` and `-`, no `.` at either end, and not both as long as a device's name and with the letter
/// that one begins with.
fn is_plain_segment(segment: &[u8]) -> bool {
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let [first, ..] = segment else {
        return false;
    };
    let stem = segment.iter().position(|byte| *byte == b'.');
    let is_short = matches!(stem.unwrap_or(segment.len()), 3 | 4);
    is_word(first)
        && segment.last().is_some_and(is_word)
        && segment.iter().all(|byte| is_word(byte) || *byte == b'.')
        && segment.len() <= MAX_SEGMENT_BYTES
        && !(is_short && b"acnplACNPL".contains(first))
}

fn lint_segment(name: &str, segment: &str) -> Result<(), PathError> {
    let owned = || name.to_owned();
    if segment.is_empty() {
        return Err(PathError::EmptySegment { name: owned() });
    }
    if segment.len() > MAX_SEGMENT_BYTES {
        return Err(PathError::TooLong {
            name: name.chars().take(60).collect(),
        });
    }
    if segment == "." || segment == ".." {
        return Err(PathError::Traversal { name: owned() });
    }
    if let Some(character) = segment.chars().find(|c| is_forbidden(*c)) {
        return Err(PathError::Character {
            name: owned(),
            character,
        });
    }
    if !unicode_normalization::is_nfc(segment) {
        return Err(PathError::NotNfc { name: owned() });
    }
    let folded = fold(segment);
    // `git~1` is the short name that NTFS gives to `.git`.
    if matches!(
        folded.trim_end_matches(['.', ' ']),
        ".git" | "git~1" | ".gitmodules"
    ) {
        return Err(PathError::GitReserved { name: owned() });
    }
    let stem = folded.split('.').next().unwrap_or_default().trim_end();
    let numbered = stem
        .strip_prefix("com")
        .or_else(|| stem.strip_prefix("lpt"));
    let is_port = numbered.is_some_and(|rest| {
        matches!(
            rest,
            "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
    });
    if segment.ends_with(['.', ' ']) || is_port || DEVICES.contains(&stem) {
        return Err(PathError::Windows { name: owned() });
    }
    Ok(())
}

/// Characters that hide what a name is, or that some file system gives a meaning.
fn is_forbidden(character: char) -> bool {
    is_hidden(character) || matches!(character, '\\' | ':' | '*' | '?' | '"' | '<' | '>' | '|')
}

/// The form under which two names are one on a file system that ignores case or normalisation.
fn fold(name: &str) -> Cow<'_, str> {
    // The same answer, many times faster: ten thousand policies have ASCII names, and few of them capitals.
    if name.is_ascii() {
        let is_folded = !name.bytes().any(|byte| byte.is_ascii_uppercase());
        return if is_folded {
            name.into()
        } else {
            name.to_ascii_lowercase().into()
        };
    }
    // Upper case first: `ß` and `ss`, `ſ` and `s` are one to a full case folding.
    name.nfkc()
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkc()
        .collect()
}

impl fmt::Display for BundlePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for BundlePath {
    type Error = PathError;
    fn try_from(name: String) -> Result<Self, PathError> {
        name.parse()
    }
}

impl From<BundlePath> for String {
    fn from(path: BundlePath) -> Self {
        path.0
    }
}

/// Finds names that are one where case or normalisation is ignored, directories included.
#[derive(Debug, Default)]
pub struct PathSet {
    /// Every folded directory, with a slash at its end, and file; with the spelling seen first where folding changed it.
    seen: HashMap<String, Option<String>>,
    /// The directory of the last file, which is most often that of the next one.
    directory: String,
}

impl PathSet {
    /// Adds a file.
    ///
    /// # Errors
    /// [`PathError::Twins`] when a file or directory of another spelling is the same to some file system, or when the
    /// file itself was added before.
    pub fn insert(&mut self, path: &BundlePath) -> Result<(), PathError> {
        let name = path.as_str();
        let directory = name.rsplit_once('/').map_or("", |(directory, _)| directory);
        if directory != self.directory {
            for (end, slash) in name.match_indices('/') {
                self.add_directory(name.get(..end + slash.len()).unwrap_or(name))?;
            }
            self.directory.clear();
            self.directory.push_str(directory);
        }
        let as_directory = format!("{name}/");
        self.refuse_twin(&fold(name), name)?;
        self.refuse_twin(&fold(&as_directory), name)?;
        self.add(name);
        Ok(())
    }

    /// Adds a directory, given with its trailing slash.
    fn add_directory(&mut self, directory: &str) -> Result<(), PathError> {
        let folded = fold(directory);
        self.refuse_twin(folded.trim_end_matches('/'), directory)?;
        match self.spelling(&folded) {
            Some(first) if first != directory => Err(twins(first, directory)),
            Some(_) => Ok(()),
            None => {
                self.add(directory);
                Ok(())
            }
        }
    }

    fn add(&mut self, name: &str) {
        let folded = fold(name).into_owned();
        let spelling = (folded != name).then(|| name.to_owned());
        self.seen.insert(folded, spelling);
    }

    /// How the name that folds to `folded` was spelt first.
    fn spelling<'a>(&'a self, folded: &'a str) -> Option<&'a str> {
        let spelling = self.seen.get(folded)?;
        Some(spelling.as_deref().unwrap_or(folded))
    }

    fn refuse_twin(&self, folded: &str, name: &str) -> Result<(), PathError> {
        self.spelling(folded)
            .map_or(Ok(()), |first| Err(twins(first, name)))
    }
}

fn twins(first: &str, second: &str) -> PathError {
    PathError::Twins {
        first: first.to_owned(),
        second: second.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hostile_names_are_refused_each_for_its_own_reason() {
        let reason = |name: &str| name.parse::<BundlePath>().unwrap_err();
        for name in ["", "/etc/passwd", "a//b", "a/"] {
            assert!(
                matches!(reason(name), PathError::EmptySegment { .. }),
                "{name}"
            );
        }
        for name in ["..", "a/../b", "./a"] {
            assert!(
                matches!(reason(name), PathError::Traversal { .. }),
                "{name}"
            );
        }
        for name in [
            ".git",
            "a/.GIT/config",
            ".gitmodules",
            "GIT~1",
            ".git.",
            ".git ",
        ] {
            assert!(
                matches!(reason(name), PathError::GitReserved { .. }),
                "{name}"
            );
        }
        for name in [
            "a\nb",
            "a\u{1b}[31m",
            "a\u{202e}b",
            "a\\b",
            "x:stream",
            "a\u{200b}",
            "\u{7f}",
            "a\u{feff}",
        ] {
            assert!(
                matches!(reason(name), PathError::Character { .. }),
                "{name:?}"
            );
        }
        for name in ["CON.yaml", "nul", "a/com1.yaml", "a.", "a ", "LPT9"] {
            assert!(
                matches!(reason(name), PathError::Windows { .. }),
                "{name:?}"
            );
        }
        assert!(matches!(
            reason("cafe\u{301}.yaml"),
            PathError::NotNfc { .. }
        ));
        assert!(matches!(
            reason(&"a".repeat(256)),
            PathError::TooLong { .. }
        ));
        assert!(matches!(
            reason(&"a/".repeat(17)),
            PathError::TooLong { .. }
        ));
        assert!(matches!(
            BundlePath::from_bytes(b"a\xff"),
            Err(PathError::NotUtf8 { .. })
        ));
        for name in [
            "bundle.yaml",
            "policies/acme/a.yaml",
            "café.yaml",
            ".gitattributes",
            "console.yaml",
            "a..b",
        ] {
            assert!(name.parse::<BundlePath>().is_ok(), "{name}");
        }
    }

    proptest! {
        /// What is let through at a first glance is what a closer look lets through.
        #[test]
        fn plain_names_break_no_rule(
            name in "([a-zA-Z0-9._-]{0,6}|(?i:con|prn|aux|nul|com[0-9]|lpt[0-9]|git~1|\\.git)[a-z.$ ]{0,2}|.{0,4}/?){1,4}"
        ) {
            let closer = name.split('/').try_for_each(|segment| lint_segment(&name, segment));
            prop_assert!(!is_plain(&name) || closer.is_ok());
        }
    }

    #[test]
    fn ordinary_names_are_plain() {
        for name in [
            "policies/team/a.yaml",
            "bundle.yaml",
            "data/012/00012.json",
            "a..b",
            "console",
        ] {
            assert!(is_plain(name), "{name}");
        }
        for name in [
            "", "..", "d/.git", "a.", "d/con", "NUL.txt", "com1", "a:b", "\u{e9}", "a//b", "/a",
            "a/",
        ] {
            assert!(!is_plain(name), "{name}");
        }
        let (long, deep) = ("b/".repeat(MAX_PATH_BYTES / 2), "b/".repeat(MAX_SEGMENTS));
        for name in ["b".repeat(256), format!("{long}b"), format!("{deep}b")] {
            assert!(!is_plain(&name) && lint(&name).is_err(), "{name}");
        }
        assert!(is_plain(deep.trim_end_matches('/')) && is_plain(&"b".repeat(255)));
    }

    #[test]
    fn twins_are_refused_files_and_directories() {
        for (first, second) in [
            ("a.yaml", "A.yaml"),
            ("d/a", "D/b"),
            ("d", "D/b"),
            ("D/b", "d"),
            ("ß", "SS"),
            ("a", "a"),
            ("k", "\u{212a}"),
        ] {
            let mut set = PathSet::default();
            let paths = [first, second].map(|name| BundlePath(name.to_owned()));
            assert!(set.insert(&paths[0]).is_ok());
            assert!(
                matches!(set.insert(&paths[1]), Err(PathError::Twins { .. })),
                "{first} {second}"
            );
        }
        let mut set = PathSet::default();
        for name in ["d/a", "d/b", "d/e/a", "da"] {
            assert!(set.insert(&name.parse().unwrap()).is_ok(), "{name}");
        }
    }
}
