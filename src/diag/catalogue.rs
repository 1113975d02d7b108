//! The catalogue of diagnostic codes.

use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Serialize, Serializer};

/// What a code means for the caller; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A check found something: exit 1.
    Finding,
    /// Usage, configuration or invalid policy: exit 2.
    Invalid,
    /// Not trusted: exit 3.
    Untrusted,
    /// The source cannot be reached or is incomplete: exit 4.
    Unavailable,
    /// A fault of the program or its machine: exit 70.
    Internal,
}

/// One entry of the catalogue. Equal when the ids are.
#[derive(Clone, Copy)]
pub struct Code {
    /// The stable id, such as `E-TRUST-009`.
    pub id: &'static str,
    /// What it means for the caller.
    pub kind: Kind,
    /// One line: what it says.
    pub title: &'static str,
    /// What causes it and what to do, for `ordain explain` and the docs.
    pub help: &'static str,
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}

impl Eq for Code {}

impl Hash for Code {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id)
    }
}

/// Declares the codes of one area, and the area's list of them.
macro_rules! codes {
    ($($name:ident = $id:literal, $kind:ident, $title:literal, $help:literal;)*) => {
        impl Code {
            $(
                #[doc = concat!("`", $id, "`: ", $title, ".")]
                pub const $name: Self = Self { id: $id, kind: Kind::$kind, title: $title, help: $help };
            )*
        }
        /// The codes of this area, in order.
        pub(super) const CODES: &[Code] = &[$(Code::$name),*];
    };
}

mod config;
mod log;
mod policy;
mod request;
mod source;
mod trust;

/// Every code, area by area.
pub fn all() -> impl Iterator<Item = Code> {
    [
        config::CODES,
        source::CODES,
        trust::CODES,
        policy::CODES,
        request::CODES,
        log::CODES,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The code with this id, in any case.
#[must_use]
pub fn find(id: &str) -> Option<Code> {
    all().find(|code| code.id.eq_ignore_ascii_case(id))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_and_every_entry_is_explained() {
        let mut seen = BTreeSet::new();
        for code in all() {
            assert!(seen.insert(code.id), "{code} stands twice");
            assert!(
                !code.title.is_empty() && code.help.ends_with('.'),
                "{code} is not explained"
            );
        }
        assert_eq!(find("e-trust-001"), Some(Code::ENVELOPE_MISSING));
    }
}
