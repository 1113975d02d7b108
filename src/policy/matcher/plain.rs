//! What a rule asks of leaves, exactly, in a form that an engine can keep beside that of other rules.
//!
//! INVARIANT: of a value of the kind that an ask is about, and of nothing, the ask says what its condition says. Of a value of
//! another kind it says nothing, so whoever judges by it must then ask the rule.

use serde::{Deserialize, Serialize};
use smallvec::smallvec;

use super::key::Texts;
use super::operator::{Comparison, Operator};
use super::test::{Pattern, Test};
use super::value::Scalar;
use super::{Match, Term};
use crate::policy::MAX_PATTERN_BYTES;
use crate::policy::glob::{Around, Glob};
use crate::policy::model::Rule;
use crate::policy::path::RequestPath;

/// What a rule asks of leaves.
#[derive(Debug)]
pub struct Plain<'a> {
    /// Each of these must hold. None holds of nothing.
    pub asks: Vec<Ask<'a>>,
    /// Whether the rule matches wherever they hold.
    pub rest: Rest,
}

/// What a rule asks besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rest {
    /// Nothing: where its asks hold, it matches.
    Nothing,
    /// Something that only the rule can judge.
    More,
}

/// What is asked of the leaf at a path.
#[derive(Debug)]
pub struct Ask<'a> {
    /// The path in the request.
    pub path: &'a RequestPath,
    /// What must stand there.
    pub wants: Exactly<'a>,
}

/// What an ask wants.
#[derive(Debug)]
pub enum Exactly<'a> {
    /// A text: one of these.
    OneOf(Texts<'a>),
    /// A text of this form.
    Like(Form<'a>),
    /// A list with one of these texts.
    Holding(Texts<'a>),
    /// A number that is so to this one.
    Number(Order, f64),
}

/// The form of a text.
#[derive(Debug, Clone, Copy)]
pub struct Form<'a>(&'a Glob);

impl<'a> Form<'a> {
    /// What stands around its star, where it is as simple as that.
    #[must_use]
    pub fn around(self) -> Option<Around<'a>> {
        self.0.around()
    }

    /// The same, to keep.
    #[must_use]
    pub fn kept(self) -> KeptForm {
        KeptForm(self.0.clone())
    }
}

/// The form of a text, kept.
#[derive(Debug)]
pub struct KeptForm(Glob);

impl KeptForm {
    /// The form of this pattern; none where it is longer than one may be.
    #[must_use]
    pub fn new(pattern: &str) -> Option<Self> {
        (pattern.len() <= MAX_PATTERN_BYTES).then(|| Self(Glob::new(pattern)))
    }

    /// A pattern of which it is the form.
    #[must_use]
    pub fn pattern(&self) -> String {
        self.0.pattern()
    }

    /// Whether a text has it.
    #[must_use]
    pub fn admits(&self, text: &str) -> bool {
        self.0.matches(text)
    }
}

/// An order of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order(Comparison);

impl Order {
    /// Whether `found` is so to `wanted`.
    #[must_use]
    pub fn holds(self, found: f64, wanted: f64) -> bool {
        self.0.holds(found, wanted) == Match::Yes
    }
}

impl Rule {
    /// What it asks of leaves.
    #[must_use]
    pub fn plain(&self) -> Plain<'_> {
        let mut plain = Plain {
            asks: Vec::with_capacity(self.matcher.terms.len()),
            rest: Rest::Nothing,
        };
        plain.collect(&self.matcher.terms);
        if self.when.is_some() {
            plain.rest = Rest::More;
        }
        plain
    }
}

impl<'a> Plain<'a> {
    fn collect(&mut self, terms: &'a [Term]) {
        for term in terms {
            match term {
                Term::Path { path, test } => match test.exactly() {
                    Some(wants) => self.asks.push(Ask { path, wants }),
                    None => self.rest = Rest::More,
                },
                Term::All(groups) => groups.iter().for_each(|group| self.collect(group)),
                Term::Any(_) | Term::Not(_) | Term::Catalog(_) => self.rest = Rest::More,
            }
        }
    }
}

impl Test {
    fn exactly(&self) -> Option<Exactly<'_>> {
        match self {
            Self::Is(Pattern::Exactly(scalar)) => Some(Exactly::OneOf(smallvec![scalar.text()?])),
            Self::Is(Pattern::Glob(glob)) => Some(Exactly::Like(Form(glob))),
            Self::AnyOf(_) => {
                let texts = self.texts().filter(|texts| !texts.is_empty());
                texts.map(Exactly::OneOf)
            }
            Self::Operators(operators) => match &**operators {
                [operator] => operator.exactly(),
                _ => None,
            },
        }
    }
}

impl Operator {
    fn exactly(&self) -> Option<Exactly<'_>> {
        match self {
            Self::In(scalars) => texts(scalars).map(Exactly::OneOf),
            Self::Glob(globs) => match &**globs {
                [glob] => Some(Exactly::Like(Form(glob))),
                _ => None,
            },
            Self::ContainsAny(scalars) => texts(scalars).map(Exactly::Holding),
            Self::Compare(comparison, wanted) => Some(Exactly::Number(Order(*comparison), *wanted)),
            _ => None,
        }
    }
}

/// The texts, where there are some and nothing else.
fn texts(scalars: &[Scalar]) -> Option<Texts<'_>> {
    let texts: Option<Texts<'_>> = scalars.iter().map(Scalar::text).collect();
    texts.filter(|texts| !texts.is_empty())
}
