//! The names of a request are what they look like.
//!
//! SECURITY: rules compare the types, ids and names of a request by character, and people approve and search the log by what
//! they see. A name with a character that cannot be seen, or that turns the direction of writing, is one name to the former
//! and another to the latter: `mallory` with a zero-width space passes a rule that denies `mallory`. So it is no name. What
//! stands under `properties` and `context` is data, and may hold anything.

use serde_json::{Map, Value};

use super::{Mapped, RequestError};
use crate::diag::is_hidden;

/// The names of the canonical form.
pub(super) const NAMES: [(&str, &str, &str); 5] = [
    ("subject", "type", "subject.type"),
    ("subject", "id", "subject.id"),
    ("action", "name", "action.name"),
    ("resource", "type", "resource.type"),
    ("resource", "id", "resource.id"),
];

/// Refuses a name with a hidden character, and tells of it by its path in the input.
pub(super) fn check(
    canonical: &Map<String, Value>,
    mapping: &[Mapped],
) -> Result<(), RequestError> {
    for (entity, member, path) in NAMES {
        let name = canonical.get(entity).and_then(|entity| entity.get(member));
        let name = name.and_then(Value::as_str).unwrap_or_default();
        let is_plain = name.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        let hidden = (!is_plain).then(|| name.chars().find(|found| is_hidden(*found)));
        if let Some(character) = hidden.flatten() {
            let mapped = mapping.iter().find(|mapped| mapped.to == path);
            let path = mapped.and_then(|mapped| mapped.from).unwrap_or(path);
            return Err(RequestError::Hidden {
                path: path.to_owned(),
                character,
            });
        }
    }
    Ok(())
}
