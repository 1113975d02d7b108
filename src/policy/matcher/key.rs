//! What a `match` asks of texts, in a form that an index can look up.
//!
//! INVARIANT: where a key does not hold of the value at its path, the matcher answers no, and never that it cannot tell; the same
//! where nothing stands there. Of a value of another type the key says nothing, so whoever looks up must then ask the matcher.

use std::borrow::Cow;

use smallvec::SmallVec;

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
    Texts(Texts<'a>),
    /// A text that begins with one of these, none of which is empty.
    Prefixes(Prefixes<'a>),
    /// A list of plain values that holds one of these.
    Items(Texts<'a>),
}

/// Texts that a rule names. Most name one.
pub type Texts<'a> = SmallVec<[&'a str; 2]>;

/// What texts begin with.
pub type Prefixes<'a> = SmallVec<[Cow<'a, str>; 1]>;

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
    /// Visits the keys of this matcher: all of them hold of every request that it matches, or cannot judge. At most one for a term.
    pub fn keys<'a>(&'a self, visit: &mut impl FnMut(Key<'a>)) {
        visit_all(&self.terms, visit);
    }
}

fn visit_all<'a>(terms: &'a [Term], visit: &mut impl FnMut(Key<'a>)) {
    for term in terms {
        match term {
            Term::Path { path, test } => {
                if let Some(wants) = test.wants() {
                    visit(Key { path, wants });
                }
            }
            Term::All(groups) => {
                for group in groups {
                    visit_all(group, visit);
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
                let prefixes: Option<Prefixes<'_>> = patterns.iter().map(Pattern::prefix).collect();
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
    fn prefix(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Exactly(Scalar::Text(text)) => Some(Cow::Borrowed(text)),
            Self::Exactly(Scalar::Bool(_) | Scalar::Number(_)) => None,
            Self::Glob(glob) => Some(glob.prefix()),
        }
    }
}

impl Operator {
    fn wants(&self) -> Option<Wants<'_>> {
        match self {
            Self::Glob(globs) => of_prefixes(globs.iter().map(Glob::prefix)),
            Self::Prefix(parts) => of_prefixes(parts.iter().map(|part| Cow::Borrowed(&**part))),
            Self::ContainsAny(scalars) => of_items(scalars),
            // Each of them is wanted, so one will do.
            Self::ContainsAll(scalars) => of_items(scalars.get(..1)?),
            _ => None,
        }
    }
}

fn of_prefixes<'a>(prefixes: impl IntoIterator<Item = Cow<'a, str>>) -> Option<Wants<'a>> {
    let prefixes: Prefixes<'a> = prefixes.into_iter().collect();
    let selects = !prefixes.is_empty() && prefixes.iter().all(|prefix| !prefix.is_empty());
    selects.then_some(Wants::Prefixes(prefixes))
}

fn of_items(scalars: &[Scalar]) -> Option<Wants<'_>> {
    let texts: Option<Texts<'_>> = scalars.iter().map(Scalar::text).collect();
    texts.filter(|texts| !texts.is_empty()).map(Wants::Items)
}
