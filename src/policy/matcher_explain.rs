//! Why a rule matched or did not, key by key. It asks the same terms as matching does, and nothing here is on that way.

use serde::Serialize;
use serde_json::Value;

use super::Rule;
use super::facts::Facts;
use super::matcher::{Match, Matcher, Term};

/// What one key of a `match` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyOutcome {
    /// The key as written: a path of the request, `any`, `all` or `not`.
    pub key: String,
    /// Whether it matched; failed where the value's type cannot be judged.
    pub answer: Match,
    /// What is wanted, as written; in words where a catalogue asks.
    pub wanted: Value,
    /// The value at the path; none where the request has none, and for groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// Whether a catalogue asks, so that both are words and no values of the request.
    #[serde(skip)]
    pub in_words: bool,
}

impl Matcher {
    /// What each key of the `match` found, in the order of the keys.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<KeyOutcome> {
        // A term for each entry, in the entries' order: that is how they are read.
        let entries = self.source.as_object().into_iter().flatten();
        let terms = entries.zip(&self.terms);
        let outcomes = terms.map(|((key, wanted), term)| {
            let (wanted, found) = match term {
                Term::Path { path, .. } => (wanted.clone(), facts.at(path).ok().flatten().cloned()),
                Term::Any(_) | Term::All(_) | Term::Not(_) => (wanted.clone(), None),
                Term::Catalog(criterion) => {
                    let (wanted, found) = criterion.words(facts);
                    (Value::String(wanted), found.map(Value::String))
                }
            };
            KeyOutcome {
                key: key.clone(),
                answer: term.matches(facts),
                wanted,
                found,
                in_words: matches!(term, Term::Catalog(_)),
            }
        });
        outcomes.collect()
    }
}

impl Rule {
    /// What each condition of the rule found: the keys of its `match`, in their order, and its `when`.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<KeyOutcome> {
        let when = self.when.iter().map(|when| KeyOutcome {
            key: "when".to_owned(),
            answer: when.holds(facts),
            wanted: Value::String(when.source().to_owned()),
            found: None,
            in_words: false,
        });
        self.matcher
            .explain(facts)
            .into_iter()
            .chain(when)
            .collect()
    }
}
