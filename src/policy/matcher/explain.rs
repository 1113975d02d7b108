//! Why a rule matched or did not, key by key. It asks the same terms as matching does, and nothing here is on that way.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{Match, Matcher, Term};
use crate::policy::{Condition, Facts, RequestPath, Rule};

/// What one key of a `match` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyOutcome {
    /// The key as written: a path of the request, `any`, `all` or `not`; `when` for the condition.
    pub key: String,
    /// Whether it matched; failed where the value's type cannot be judged.
    pub answer: Match,
    /// What is wanted, as written; in words where a catalogue asks.
    pub wanted: Value,
    /// The value at the path; none where the request has none, and for groups.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Value>,
    /// What stands in a group: one list for each item of `any` and `all`, one for `not`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Vec<KeyOutcome>>,
    /// What a `when` that is asked reads of the request, in the order of the paths.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<ReadValue>,
    /// Whether a catalogue asks, so that both are words and no values of the request.
    #[serde(skip)]
    pub in_words: bool,
}

/// A value of the request that a condition reads.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReadValue {
    /// Its path.
    pub path: String,
    /// The value; none where the request has none, and where the path cannot be walked.
    pub found: Option<Value>,
}

impl Matcher {
    /// What each key of the `match` found, in the order of the keys.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<KeyOutcome> {
        group(&self.source.value(), &self.terms, facts)
    }
}

/// What each key of a group found. A term for each entry, in the entries' order: that is how they are read.
fn group(source: &Value, terms: &[Term], facts: &Facts<'_>) -> Vec<KeyOutcome> {
    let entries = source.as_object().into_iter().flatten().zip(terms);
    let outcomes = entries.map(|((key, wanted), term)| outcome(key, wanted, term, facts));
    outcomes.collect()
}

fn outcome(key: &str, wanted: &Value, term: &Term, facts: &Facts<'_>) -> KeyOutcome {
    let plain = KeyOutcome {
        key: key.to_owned(),
        answer: term.matches(facts),
        wanted: wanted.clone(),
        found: None,
        groups: Vec::new(),
        reads: Vec::new(),
        in_words: false,
    };
    match term {
        Term::Path { path, .. } => KeyOutcome {
            found: facts.at(path).ok().flatten().cloned(),
            ..plain
        },
        Term::Any(groups) | Term::All(groups) => {
            let items = wanted.as_array().into_iter().flatten().zip(groups);
            let groups = items.map(|(item, terms)| group(item, terms, facts));
            KeyOutcome {
                groups: groups.collect(),
                ..plain
            }
        }
        Term::Not(terms) => KeyOutcome {
            groups: vec![group(wanted, terms, facts)],
            ..plain
        },
        Term::Catalog(criterion) => {
            let (wanted, found) = criterion.words(facts);
            KeyOutcome {
                wanted: Value::String(wanted),
                found: found.map(Value::String),
                in_words: true,
                ..plain
            }
        }
    }
}

fn condition(when: &Condition, facts: &Facts<'_>, is_asked: bool) -> KeyOutcome {
    let paths = if is_asked {
        when.paths()
    } else {
        BTreeSet::new()
    };
    let reads = paths.into_iter().map(|path| ReadValue {
        found: value_at(&path, facts),
        path: path.join("."),
    });
    KeyOutcome {
        key: "when".to_owned(),
        answer: when.holds(facts),
        wanted: Value::String(when.source().to_owned()),
        found: None,
        groups: Vec::new(),
        reads: reads.collect(),
        in_words: false,
    }
}

fn value_at(path: &[String], facts: &Facts<'_>) -> Option<Value> {
    if path.iter().eq(["risk"]) {
        return facts.risk().map(|risk| risk.as_str().into());
    }
    facts
        .at(&RequestPath::new(path.to_vec()))
        .ok()
        .flatten()
        .cloned()
}

/// One condition of a rule by itself: a key of its `match`, or its `when`.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    key: String,
    wanted: Wanted<'a>,
}

#[derive(Debug, Clone)]
enum Wanted<'a> {
    Term(&'a Term, Value),
    When(&'a Condition),
}

impl Part<'_> {
    /// The key as written: a path of the request, `any`, `all`, `not` or `when`.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// What is wanted: as written, in one line; of a catalogue, that it asks.
    #[must_use]
    pub fn wanted(&self) -> String {
        match &self.wanted {
            Wanted::Term(Term::Catalog(_), _) => "as the catalogue asks".to_owned(),
            Wanted::Term(_, source) => source.to_string(),
            Wanted::When(when) => when.source().to_owned(),
        }
    }

    /// Whether it holds, other conditions aside.
    #[must_use]
    pub fn judge(&self, facts: &Facts<'_>) -> Match {
        match &self.wanted {
            Wanted::Term(term, _) => term.matches(facts),
            Wanted::When(when) => when.holds(facts),
        }
    }
}

impl Rule {
    /// Its conditions one by one, in the order in which they are judged.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let entries = match self.matcher.source.value() {
            Value::Object(entries) => entries,
            _ => Map::new(),
        };
        let terms = entries.into_iter().zip(&self.matcher.terms);
        let keys = terms.map(|((key, source), term)| Part {
            key,
            wanted: Wanted::Term(term, source),
        });
        let when = self.when.as_ref().map(|when| Part {
            key: "when".to_owned(),
            wanted: Wanted::When(when),
        });
        keys.chain(when)
    }

    /// What each condition of the rule found: the keys of its `match`, in their order, and its `when`.
    #[must_use]
    pub fn explain(&self, facts: &Facts<'_>) -> Vec<KeyOutcome> {
        let mut outcomes = self.matcher.explain(facts);
        // Where the `match` says no, nobody asks the `when`; and to find what it reads costs as much as to read it.
        let is_asked = outcomes.iter().all(|key| key.answer != Match::No);
        let when = self
            .when
            .as_ref()
            .map(|when| condition(when, facts, is_asked));
        outcomes.extend(when);
        outcomes
    }
}
