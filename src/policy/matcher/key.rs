//! What a `match` asks of texts, in a form that an index can look up.
//!
//! INVARIANT: where a key does not hold of the value at its path, the matcher answers no, and never that it cannot tell; the same
//! where nothing stands there. Of a value of another type the key says nothing, so whoever looks up must then ask the matcher.

use super::operator::Operator;
use super::test::{Pattern, Test};
use super::value::Scalar;
use super::{Matcher, Term};
use crate::policy::glob::Glob;
use crate::policy::path::RequestPath;

/// A condition without which a rule does not match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<'a> {
    /// The path in the request.
    pub path: &'a RequestPath,
    /// What must stand there.
    pub wants: Wants<'a>,
}

/// What a key asks of the value at its path. No list is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wants<'a> {
    /// A text: one of these.
    Texts(Vec<&'a str>),
    /// A text that begins with one of these, none of which is empty.
    Prefixes(Vec<String>),
    /// A list of plain values that holds one of these.
    Items(Vec<&'a str>),
}

impl Wants<'_> {
    /// How many values would do.
    #[must_use]
    pub fn alternatives(&self) -> usize {
        match self {
            Self::Texts(texts) | Self::Items(texts) => texts.len(),
            Self::Prefixes(prefixes) => prefixes.len(),
        }
    }
}

impl Matcher {
    /// The keys of this matcher: all of them hold of every request that it matches, or cannot judge. At most one for a term.
    #[must_use]
    pub fn keys(&self) -> Vec<Key<'_>> {
        let mut keys = Vec::new();
        collect(&self.terms, &mut keys);
        keys
    }
}

fn collect<'a>(terms: &'a [Term], keys: &mut Vec<Key<'a>>) {
    for term in terms {
        match term {
            Term::Path { path, test } => {
                keys.extend(test.wants().map(|wants| Key { path, wants }));
            }
            Term::All(groups) => {
                for group in groups {
                    collect(group, keys);
                }
            }
            Term::Any(_) | Term::Not(_) | Term::Catalog(_) => {}
        }
    }
}

impl Test {
    fn wants(&self) -> Option<Wants<'_>> {
        let texts = self.texts().map(Wants::Texts);
        let texts = texts.filter(|wants| wants.alternatives() > 0);
        texts.or_else(|| match self {
            Self::Is(pattern) => of_prefixes([pattern.prefix()?]),
            Self::AnyOf(patterns) => {
                let prefixes: Option<Vec<String>> = patterns.iter().map(Pattern::prefix).collect();
                of_prefixes(prefixes?)
            }
            Self::Operators(operators) => {
                let wants = || operators.iter().filter_map(Operator::wants);
                let of_text = wants().find(|wants| matches!(wants, Wants::Prefixes(_)));
                of_text.or_else(|| wants().next())
            }
        })
    }
}

impl Pattern {
    /// What every text that it admits begins with, if that is anything; none where it admits what is no text.
    fn prefix(&self) -> Option<String> {
        match self {
            Self::Exactly(Scalar::Text(text)) => Some(text.as_ref().to_owned()),
            Self::Exactly(Scalar::Bool(_) | Scalar::Number(_)) => None,
            Self::Glob(glob) => Some(glob.prefix()),
        }
    }
}

impl Operator {
    fn wants(&self) -> Option<Wants<'_>> {
        match self {
            Self::Glob(globs) => of_prefixes(globs.iter().map(Glob::prefix)),
            Self::Prefix(parts) => of_prefixes(parts.iter().map(|part| part.as_ref().to_owned())),
            Self::ContainsAny(scalars) => of_items(scalars),
            // Each of them is wanted, so one will do.
            Self::ContainsAll(scalars) => of_items(scalars.get(..1)?),
            _ => None,
        }
    }
}

fn of_prefixes(prefixes: impl IntoIterator<Item = String>) -> Option<Wants<'static>> {
    let prefixes: Vec<String> = prefixes.into_iter().collect();
    let selects = !prefixes.is_empty() && prefixes.iter().all(|prefix| !prefix.is_empty());
    selects.then_some(Wants::Prefixes(prefixes))
}

fn of_items(scalars: &[Scalar]) -> Option<Wants<'_>> {
    let texts: Option<Vec<&str>> = scalars.iter().map(Scalar::text).collect();
    texts.filter(|texts| !texts.is_empty()).map(Wants::Items)
}
