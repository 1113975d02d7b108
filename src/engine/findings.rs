//! What catalogues say of a request beside the rules that match.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::policy::{Arguments, Facts, FoundPattern, Lowered, Operation, Risk};
use crate::resolve::{EffectiveLayer, EffectiveRule};

/// The operations of one layer's catalogue, by action.
///
/// Overrides do not touch them: whoever may switch off the rule about a risk has not made the operation harmless, and the
/// conditions of others go by its risk.
#[derive(Debug, Default)]
pub(super) struct Described(HashMap<String, Arc<Operation>>);

impl Described {
    pub(super) fn of(layer: &EffectiveLayer) -> Self {
        let operations = layer
            .rules
            .iter()
            .filter_map(|rule| rule.written.operation());
        let by_action =
            |operation: &Arc<Operation>| (operation.action().to_owned(), Arc::clone(operation));
        Self(operations.map(by_action).collect())
    }

    /// The operation that a request for `action` is, where the catalogue describes it.
    pub(super) fn operation(&self, action: &str) -> Option<&Arc<Operation>> {
        self.0.get(action)
    }

    /// Whether there is no catalogue.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// What decisions tell of a request because catalogues say it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Findings {
    /// The greatest risk that a catalogue gives the operation.
    pub(super) risk: Option<Risk>,
    /// Of most requests there is nothing more to tell.
    more: Option<Box<More>>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct More {
    missing: Vec<String>,
    patterns: Vec<FoundPattern>,
}

impl Findings {
    /// A risk, and nothing more so far.
    pub(super) fn of_risk(risk: Option<Risk>) -> Self {
        Self { risk, more: None }
    }

    /// The capabilities that a rule asks for and the subject lacks, sorted.
    pub(super) fn missing(&self) -> &[String] {
        self.more.as_ref().map_or(&[], |more| &more.missing)
    }

    /// The dangerous patterns that match, in evaluation order.
    pub(super) fn patterns(&self) -> &[FoundPattern] {
        self.more.as_ref().map_or(&[], |more| &more.patterns)
    }

    /// Notes what `operation`, which the request is for, says of it.
    pub(super) fn patterns_of(&mut self, operation: &Arc<Operation>, facts: &Facts<'_>) {
        for found in &*operation.patterns(facts) {
            if !self.patterns().contains(found) {
                let more = self.more.get_or_insert_default();
                more.patterns.push(found.clone());
            }
        }
    }

    /// Notes what `rule`, which matches, finds missing.
    pub(super) fn missing_of(&mut self, rule: &EffectiveRule, facts: &Facts<'_>) {
        for name in rule.written.missing(facts) {
            let missing = &mut self.more.get_or_insert_default().missing;
            if let Err(place) = missing.binary_search_by(|known| known.as_str().cmp(name)) {
                missing.insert(place, name.to_owned());
            }
        }
    }

    /// `rule`'s reason, with what it is about by name.
    pub(super) fn reason<'a>(&self, rule: &'a EffectiveRule) -> Cow<'a, str> {
        let named: Vec<String> = match rule.written.lowered() {
            Some(Lowered::MissingCapability { .. }) => {
                let missing = self.missing().iter();
                missing.map(|name| format!("`{name}`")).collect()
            }
            Some(Lowered::Risk {
                arguments: Arguments::Dangerous,
                ..
            }) => self.patterns().iter().map(told).collect(),
            _ => Vec::new(),
        };
        if named.is_empty() {
            return Cow::Borrowed(&rule.reason);
        }
        let more = match named.len().saturating_sub(MAX_NAMED) {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        let named: Vec<&str> = named.iter().take(MAX_NAMED).map(String::as_str).collect();
        format!("{}: {}{more}", rule.reason, named.join(", ")).into()
    }
}

/// The greatest number of things that a reason names; the decision lists them all.
const MAX_NAMED: usize = 8;

fn told(pattern: &FoundPattern) -> String {
    let id = &pattern.id;
    match &pattern.reason {
        Some(reason) => format!("{} (`{id}`)", reason.trim_end_matches('.')),
        None => format!("`{id}`"),
    }
}
