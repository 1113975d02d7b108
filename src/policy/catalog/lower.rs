//! From a catalogue's operations to rules.
//!
//! | rule | matches | effect |
//! | --- | --- | --- |
//! | `catalog.OPERATION.RISK` | the operation at that risk, with ordinary arguments | the table's |
//! | `catalog.OPERATION.RISK.dangerous` | the same with dangerous ones, where the catalogue has patterns | the table's |
//! | `catalog.OPERATION.missing` | the operation by a caller who lacks one of its capabilities | `deny` |
//! | `catalog.OPERATION.missing.VARIANT` | that variant by a caller who lacks one that it adds | `deny` |
//! | `catalog.unknown` | every action that the catalogue does not describe | `unknown_operation` |
//!
//! Overrides name these ids, so they are a format. An operation has at most nine rules, and one for each variant that adds
//! capabilities.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::table::Table;
use super::{Arguments, Criterion, Lowered, Operation, PREFIX, Variant};
use crate::diag::{Code, Location};
use crate::name::{ReasonCode, RuleId, RuleRef, Scope};
use crate::policy::fields::Report;
use crate::policy::glob::Glob;
use crate::policy::matcher::{Operator, Pattern, Scalar, Term, Test};
use crate::policy::{
    Effect, Extras, Matcher, Mode, OverridePermission, RequestPath, Risk, Rule, Window, Written,
};
use crate::yaml::Path;

/// An operation as it was read.
pub(super) struct Entry {
    pub(super) id: RuleId,
    pub(super) operation: Arc<Operation>,
    pub(super) description: Option<String>,
    pub(super) requires: Vec<String>,
    pub(super) permission: OverridePermission,
    pub(super) location: Location,
    pub(super) path: Path,
}

/// Makes the rules of one catalogue.
pub(super) struct Lowering<'a, 'spans> {
    scope: &'a Scope,
    table: &'a Table,
    report: &'a mut Report<'spans>,
    seen: BTreeSet<RuleId>,
    rules: Vec<Rule>,
}

/// What differs between the rules.
struct Draft<'a> {
    id: String,
    effect: Effect,
    reason: String,
    code: &'static str,
    remediation: Option<&'static str>,
    permission: OverridePermission,
    matcher: Matcher,
    lowered: Lowered,
    location: &'a Location,
    path: &'a Path,
}

impl<'a, 'spans> Lowering<'a, 'spans> {
    pub(super) fn new(scope: &'a Scope, table: &'a Table, report: &'a mut Report<'spans>) -> Self {
        Self {
            scope,
            table,
            report,
            seen: BTreeSet::new(),
            rules: Vec::new(),
        }
    }

    pub(super) fn finish(self) -> Vec<Rule> {
        self.rules
    }

    /// What is asked of the operations that no entry describes; nothing, where the catalogue abstains.
    pub(super) fn unknown(&mut self, effect: Option<Effect>, entries: &[Entry]) {
        let Some(effect) = effect else {
            return;
        };
        let actions = entries.iter().map(|entry| entry.operation.action.clone());
        let known: Arc<BTreeSet<String>> = Arc::new(actions.collect());
        let mut matcher = Building::default();
        matcher.ask(Criterion::Undescribed(Arc::clone(&known)));
        let path = Path::top().key("unknown_operation");
        let location = self.report.spans().nearest(&path);
        let refuses = effect >= Effect::RequireApproval;
        self.add(Draft {
            id: format!("{PREFIX}unknown"),
            effect,
            reason: format!(
                "the catalogue of `{}` does not describe the operation",
                self.scope
            ),
            code: "UNKNOWN_OPERATION",
            remediation: refuses
                .then_some("Correct the name of the operation, or have the catalogue describe it"),
            permission: OverridePermission::default(),
            matcher: matcher.finish(),
            lowered: Lowered::UnknownOperation { known },
            location: &location,
            path: &path,
        });
    }

    pub(super) fn operation(&mut self, entry: Entry) {
        for risk in entry.operation.levels() {
            self.risk(&entry, risk, Arguments::Ordinary);
            if entry.operation.patterns.is_some() {
                self.risk(&entry, risk, Arguments::Dangerous);
            }
        }
        self.missing(&entry, None);
        for variant in &entry.operation.variants {
            self.missing(&entry, Some(variant));
        }
    }

    fn risk(&mut self, entry: &Entry, risk: Risk, arguments: Arguments) {
        let operation = &entry.operation;
        let mut matcher = Building::of_action(&operation.action);
        if !operation.variants.is_empty() {
            matcher.ask(Criterion::Risk(Arc::clone(operation), risk));
        }
        if let Some(patterns) = &operation.patterns {
            matcher.ask(Criterion::Arguments(Arc::clone(patterns), arguments));
        }
        let (action, word) = (&operation.action, risk.as_str());
        let (ending, code, reason) = match arguments {
            Arguments::Ordinary => {
                let about = entry
                    .description
                    .as_deref()
                    .map(|about| about.trim_end_matches('.'));
                let about = about.map_or_else(String::new, |about| format!(": {about}"));
                let code = match risk {
                    Risk::Low => "RISK_LOW",
                    Risk::Medium => "RISK_MEDIUM",
                    Risk::High => "RISK_HIGH",
                    Risk::Critical => "RISK_CRITICAL",
                };
                ("", code, format!("`{action}` is of {word} risk{about}"))
            }
            Arguments::Dangerous => (
                ".dangerous",
                "DANGEROUS_ARGUMENTS",
                format!("`{action}`, of {word} risk, with dangerous arguments"),
            ),
        };
        let effect = self.table.answer(risk, arguments);
        let remediation = match (effect, arguments) {
            (Effect::RequireApproval, Arguments::Ordinary) => Some("Have someone else approve it"),
            (Effect::RequireApproval, Arguments::Dangerous) => {
                Some("Have someone else approve it, or do without what is named")
            }
            (Effect::Deny, Arguments::Dangerous) => Some("Do without what is named"),
            _ => None,
        };
        self.add(Draft {
            id: format!("{PREFIX}{}.{word}{ending}", entry.id),
            effect,
            reason,
            code,
            remediation,
            permission: entry.permission,
            matcher: matcher.finish(),
            lowered: Lowered::Risk {
                operation: Arc::clone(operation),
                risk,
                arguments,
            },
            location: &entry.location,
            path: &entry.path,
        });
    }

    /// What the operation requires, or what the variant adds to that.
    fn missing(&mut self, entry: &Entry, variant: Option<&Variant>) {
        let requires: Vec<String> = match variant {
            None => entry.requires.clone(),
            Some(variant) => {
                let added = variant.requires.iter();
                let added = added.filter(|name| !entry.requires.contains(name));
                added.cloned().collect()
            }
        };
        if requires.is_empty() {
            return;
        }
        let mut matcher = Building::of_action(&entry.operation.action);
        if let Some(variant) = variant {
            matcher.group(&variant.matcher);
        }
        matcher.lacks(&requires);
        let which = variant.map_or_else(String::new, |variant| format!(".{}", variant.id));
        let action = &entry.operation.action;
        self.add(Draft {
            id: format!("{PREFIX}{}.missing{which}", entry.id),
            effect: Effect::Deny,
            reason: format!("`{action}` needs capabilities that the caller lacks"),
            code: "MISSING_CAPABILITY",
            remediation: Some(
                "Ask for the capabilities, or have it done by someone who holds them",
            ),
            permission: entry.permission,
            matcher: matcher.finish(),
            lowered: Lowered::MissingCapability {
                requires: requires.into(),
            },
            location: variant.map_or(&entry.location, |variant| &variant.location),
            path: &entry.path,
        });
    }

    fn add(&mut self, draft: Draft<'_>) {
        let id: RuleId = match draft.id.parse() {
            Ok(id) => id,
            Err(_) => {
                let message = format!("the rule id `{}` would be too long", draft.id);
                let hint = "give the operation, or its variant, a shorter `id`";
                self.report
                    .problem(Code::CATALOG_OPERATION, draft.path, message, hint);
                return;
            }
        };
        if !self.seen.insert(id.clone()) {
            let message = format!("two rules of the catalogue would be named `{id}`");
            let hint = "give the operation, or its variant, another `id`";
            self.report
                .problem(Code::CATALOG_OPERATION, draft.path, message, hint);
            return;
        }
        let Ok(reason_code) = draft.code.parse::<ReasonCode>() else {
            return;
        };
        self.rules.push(Rule {
            name: RuleRef {
                scope: self.scope.clone(),
                rule: id,
            },
            effect: draft.effect,
            reason: draft.reason.into(),
            reason_code,
            precedence: 0,
            permission: draft.permission,
            mode: Mode::Enforce,
            matcher: draft.matcher,
            when: None,
            extras: Extras {
                valid: Window::ALWAYS,
                remediation: draft.remediation.map(Arc::from),
                tags: Vec::new(),
                lowered: Some(draft.lowered),
            }
            .boxed(),
            location: draft.location.clone(),
        });
    }
}

/// A `match` in the making. As in one that was read, its terms stand in the order of the entries of its source.
#[derive(Default)]
struct Building(BTreeMap<String, (Value, Term)>);

impl Building {
    fn of_action(action: &str) -> Self {
        let mut building = Self::default();
        let written = if Glob::is_pattern(action) {
            json!({"equals": action})
        } else {
            json!(action)
        };
        let exactly = Pattern::Exactly(Scalar::Text(action.into()));
        building.path("action", written, &["action", "name"], Test::Is(exactly));
        building
    }

    fn add(&mut self, key: &str, written: Value, term: Term) {
        self.0.insert(key.to_owned(), (written, term));
    }

    fn path(&mut self, key: &str, written: Value, path: &[&str], test: Test) {
        let members = path.iter().map(|&name| name.to_owned());
        let path = RequestPath::new(members.collect());
        self.add(key, written, Term::Path { path, test });
    }

    fn lacks(&mut self, requires: &[String]) {
        let wanted = requires
            .iter()
            .map(|name| Scalar::Text(name.as_str().into()));
        let test = Test::Operators([Operator::MissingAny(wanted.collect())].into());
        let key = "subject.properties.capabilities";
        let path = &["subject", "properties", "capabilities"];
        self.path(key, json!({"missing_any": requires}), path, test);
    }

    fn group(&mut self, matcher: &Matcher) {
        let term = Term::All([matcher.terms.clone()].into());
        self.add("all", json!([matcher.source()]), term);
    }

    fn ask(&mut self, criterion: Criterion) {
        let (key, written) = criterion.source();
        self.add(key, written, Term::Catalog(Box::new(criterion)));
    }

    fn finish(self) -> Matcher {
        let (mut source, mut terms) = (Map::new(), Vec::new());
        for (key, (written, term)) in self.0 {
            source.insert(key, written);
            terms.push(term);
        }
        let source = Written::of(&Value::Object(source));
        let terms = terms.into_boxed_slice();
        Matcher { source, terms }
    }
}
