//! What to fetch of a repository: a branch, a tag, `HEAD`, or one commit.

use std::fmt;
use std::str::FromStr;

use crate::digest::CommitId;

/// A ref or a commit id, in a form that no program takes for an option or an expression.
///
/// A bare name such as `v1` or `main` is looked up as Git looks it up, a tag before a branch, and refused as ambiguous when
/// the repository has both: which of the two wins must not depend on who pushed last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GitRef(Form);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Form {
    /// The remote's default branch.
    Head,
    /// A full name, `refs/…`.
    Full(String),
    /// A tag or branch by its short name.
    Short(String),
    /// One commit.
    Commit(CommitId),
}

/// Why a text is not a ref.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RefError {
    /// It begins with `-`.
    #[error("ref `{}` begins with `-`, which a program could take for an option", text.escape_debug())]
    Option {
        /// What was given, cut to 80 characters.
        text: String,
    },
    /// A control or invisible character, white space, or one of `~ ^ : ? * [ \`.
    #[error("ref `{}` holds the character U+{:04X}, which refs cannot have", text.escape_debug(), *character as u32)]
    Character {
        /// What was given, cut to 80 characters.
        text: String,
        /// The character.
        character: char,
    },
    /// `..`, `@{`, an empty segment, a leading or trailing dot, `.lock`, or too long.
    #[error("`{}` is not a ref: {reason}", text.escape_debug())]
    Malformed {
        /// What was given, cut to 80 characters.
        text: String,
        /// The rule that it breaks.
        reason: &'static str,
    },
}

impl RefError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> crate::diag::Code {
        crate::diag::Code::SOURCE_REF_MALFORMED
    }
}

impl GitRef {
    /// The commit, when it names one.
    #[must_use]
    pub fn commit(&self) -> Option<&CommitId> {
        match &self.0 {
            Form::Commit(id) => Some(id),
            _ => None,
        }
    }

    pub(super) fn form(&self) -> &Form {
        &self.0
    }
}

impl From<CommitId> for GitRef {
    fn from(id: CommitId) -> Self {
        Self(Form::Commit(id))
    }
}

impl FromStr for GitRef {
    type Err = RefError;

    fn from_str(text: &str) -> Result<Self, RefError> {
        if text == "HEAD" {
            return Ok(Self(Form::Head));
        }
        if let Ok(id) = text.parse() {
            return Ok(Self(Form::Commit(id)));
        }
        lint(text)?;
        match text.strip_prefix("refs/") {
            Some(rest) if !rest.contains('/') => Err(RefError::Malformed {
                text: text.chars().take(80).collect(),
                reason: "a full name has three parts, such as `refs/heads/main`",
            }),
            Some(_) => Ok(Self(Form::Full(text.to_owned()))),
            None => Ok(Self(Form::Short(text.to_owned()))),
        }
    }
}

/// The rules of `git check-ref-format`, and some of ours.
fn lint(text: &str) -> Result<(), RefError> {
    let shown = || text.chars().take(80).collect();
    if text.starts_with('-') {
        return Err(RefError::Option { text: shown() });
    }
    let refused = |c: &char| {
        c.is_control()
            || c.is_whitespace()
            || matches!(c, '~' | '^' | ':' | '?' | '*' | '[' | '\\')
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    if let Some(character) = text.chars().find(refused) {
        return Err(RefError::Character {
            text: shown(),
            character,
        });
    }
    let reason = if text.is_empty() {
        "it is empty"
    } else if text.len() > 255 {
        "it is longer than 255 bytes"
    } else if text.contains("..") {
        "it holds `..`"
    } else if text.contains("@{") || text == "@" {
        "it holds `@{` or is `@`"
    } else if text.split('/').any(str::is_empty) {
        "it has an empty segment"
    } else if text
        .split('/')
        .any(|part| part.starts_with(['.', '-']) || part.ends_with(".lock"))
    {
        "a segment begins with `.` or `-`, or ends with `.lock`"
    } else if text.ends_with('.') {
        "it ends with `.`"
    } else {
        return Ok(());
    };
    Err(RefError::Malformed {
        text: shown(),
        reason,
    })
}

impl fmt::Display for GitRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Form::Head => f.write_str("HEAD"),
            Form::Full(name) | Form::Short(name) => f.write_str(name),
            Form::Commit(id) => id.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_refs_are_refused_each_for_its_own_reason() {
        let refused = |text: &str| text.parse::<GitRef>().unwrap_err();
        for text in ["-oProxyCommand=x", "--upload-pack=x", "-"] {
            assert!(matches!(refused(text), RefError::Option { .. }), "{text}");
        }
        for text in [
            "a b",
            "a\u{1b}[31m",
            "a\nb",
            "a:b",
            "+a:b",
            "a*",
            "a~1",
            "a^",
            "a\u{202e}",
            "a\\b",
            "a?",
            "[a",
        ] {
            assert!(
                matches!(refused(text), RefError::Character { .. }),
                "{text:?}"
            );
        }
        for text in [
            "",
            "a..b",
            "main@{1}",
            "@",
            "a//b",
            "/a",
            "a/",
            ".a",
            "a/.b",
            "a.lock",
            "a.lock/b",
            "a.",
            "refs/x",
            "refs/heads/-x",
        ] {
            assert!(
                matches!(refused(text), RefError::Malformed { .. }),
                "{text:?}"
            );
        }
    }

    #[test]
    fn refs_round_trip() {
        for text in [
            "HEAD",
            "main",
            "v1.0",
            "feature/x",
            "refs/heads/main",
            "refs/tags/v1",
            "0123456789abcdef0123456789abcdef01234567",
        ] {
            assert_eq!(text.parse::<GitRef>().unwrap().to_string(), text);
        }
        assert!(
            "0123456789abcdef0123456789abcdef01234567"
                .parse::<GitRef>()
                .unwrap()
                .commit()
                .is_some()
        );
    }

    proptest::proptest! {
        #[test]
        fn whatever_we_accept_git_accepts(text in "[-a-z.@{/~:\\\\ ^*]{0,12}") {
            if text.parse::<GitRef>().is_ok() {
                let full = format!("refs/heads/{text}");
                proptest::prop_assert!(gix::validate::reference::name(full.as_str().into()).is_ok());
            }
        }
    }
}
