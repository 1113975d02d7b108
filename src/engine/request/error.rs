//! Why bytes are not a request.

use crate::diag::Code;
use crate::json::JsonError;

use super::Form;

/// Why bytes are not a request. Paths are those of the input, as `caller.groups[1]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Not strict JSON, or too large.
    #[error("the request cannot be read: {0}")]
    Json(#[from] JsonError),
    /// Not an object.
    #[error("the request is {found}, not an object")]
    NotAnObject {
        /// What it is, in words.
        found: &'static str,
    },
    /// No member tells the form.
    #[error(
        "the request has none of the known forms; its members are {}",
        list(members)
    )]
    Unrecognised {
        /// The members it has.
        members: Vec<String>,
    },
    /// Members of several forms.
    #[error(
        "the request mixes {first} (`{}`) with {second} (`{}`)",
        first_member.escape_debug(), second_member.escape_debug()
    )]
    Mixed {
        /// One form.
        first: Form,
        /// A member that only it has.
        first_member: String,
        /// The other form.
        second: Form,
        /// A member that only the other has.
        second_member: String,
    },
    /// Members that the form does not define.
    #[error("{form} has no {}", list(members))]
    UnknownMembers {
        /// The form.
        form: Form,
        /// Their paths.
        members: Vec<String>,
        /// Where such a thing may stand, if anywhere.
        hint: &'static str,
    },
    /// A member that the form requires.
    #[error("{form} needs `{path}`")]
    Missing {
        /// The form.
        form: Form,
        /// The member's path.
        path: String,
    },
    /// Another JSON type than the form defines.
    #[error("`{}` is {found}, not {expected}", path.escape_debug())]
    WrongType {
        /// The member's path.
        path: String,
        /// What it should be, in words.
        expected: &'static str,
        /// What it is, in words.
        found: &'static str,
    },
    /// A name without a character to be seen.
    #[error("`{}` is empty", path.escape_debug())]
    Empty {
        /// The member's path.
        path: String,
    },
    /// A name with a character that hides what it is.
    #[error(
        "`{}` holds the character U+{:04X}, which cannot be seen or changes what is seen", path.escape_debug(), u32::from(*character)
    )]
    Hidden {
        /// The member's path.
        path: String,
        /// The first such character.
        character: char,
    },
    /// Two keys of one object that are equal in Unicode's normalisation form C.
    #[error(
        "`{}` holds key `{}` twice after Unicode normalisation", path.escape_debug(), key.escape_debug()
    )]
    KeyCollision {
        /// The object's path; `.` for the request itself.
        path: String,
        /// The normalised key.
        key: String,
    },
    /// An MCP configuration operation that is none.
    #[error("`{}` is not a configuration operation", operation.escape_debug())]
    UnknownOperation {
        /// What was given, cut to 80 characters.
        operation: String,
    },
}

impl RequestError {
    /// The diagnostic code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Json(JsonError::TooLarge { .. }) => Code::REQUEST_TOO_LARGE,
            Self::Json(_) => Code::REQUEST_JSON,
            Self::NotAnObject { .. } => Code::REQUEST_NOT_AN_OBJECT,
            Self::Unrecognised { .. } => Code::REQUEST_UNRECOGNISED,
            Self::Mixed { .. } => Code::REQUEST_MIXED,
            Self::UnknownMembers { .. } => Code::REQUEST_UNKNOWN_MEMBER,
            Self::Missing { .. } => Code::REQUEST_MISSING_MEMBER,
            Self::WrongType { .. } => Code::REQUEST_WRONG_TYPE,
            Self::Empty { .. } => Code::REQUEST_EMPTY,
            Self::Hidden { .. } => Code::REQUEST_HIDDEN,
            Self::KeyCollision { .. } => Code::REQUEST_KEY_COLLISION,
            Self::UnknownOperation { .. } => Code::REQUEST_UNKNOWN_OPERATION,
        }
    }

    /// What to do about it, where more can be said than in the message.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NotAnObject { .. } | Self::Unrecognised { .. } => Some(
                "give `subject`, `action` and `resource`; or `operation`, `client` and `server`; or `tool` and `caller`",
            ),
            Self::Mixed { .. } => {
                Some("send one form; the AuthZEN form can say everything that the others can")
            }
            Self::UnknownMembers { hint, .. } => Some(hint),
            Self::UnknownOperation { .. } => {
                Some("use `configure_server`, `remove_server`, `restore` or `apply_stack`")
            }
            Self::Hidden { .. } => Some(
                "send the name without it; what may hold any character stands under `properties` or `context`",
            ),
            _ => None,
        }
    }

    /// The 1-based line and column within the request's bytes, where the error has a place.
    #[must_use]
    pub fn position(&self) -> Option<(usize, usize)> {
        match self {
            Self::Json(error) => error.position(),
            _ => None,
        }
    }
}

/// At most eight names, in backticks and escaped.
fn list(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut text = names
        .iter()
        .take(SHOWN)
        .map(|name| {
            let name: String = name.chars().take(80).collect();
            format!("`{}`", name.escape_debug())
        })
        .collect::<Vec<_>>()
        .join(", ");
    match names.len() {
        0 => text.push_str("none"),
        count if count > SHOWN => text.push_str(&format!(" and {} more", count - SHOWN)),
        _ => {}
    }
    text
}
