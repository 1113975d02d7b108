//! The tree of scopes, for people: who is above whom, and what each says, counted.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{AppliedOverride, LoadedBundle, OverrideView, distinct, graph, index, overrides};
use crate::diag::Diagnostic;
use crate::name::{BundleName, Scope};
use crate::policy::{Effect, Mode};

/// Scopes in the order of their names.
#[derive(Debug, Clone)]
pub struct ScopeTree {
    /// The scopes.
    pub nodes: Vec<ScopeNode>,
}

/// One scope.
#[derive(Debug, Clone)]
pub struct ScopeNode {
    /// Its name.
    pub scope: Scope,
    /// The scope above it by path, where that is in the tree.
    pub parent: Option<Scope>,
    /// What it says; none where no bundle defines it.
    pub defined: Option<Said>,
}

/// What a scope says, counted.
#[derive(Debug, Clone)]
pub struct Said {
    /// The bundle that defines it.
    pub bundle: BundleName,
    /// The packs that it extends.
    pub extends: Vec<Scope>,
    /// Its mode.
    pub mode: Mode,
    /// What it says where none of its rules matches; none for `abstain`.
    pub default: Option<Effect>,
    /// How many rules it has.
    pub rules: usize,
    /// Its overrides, in the order of the rules that they change.
    pub overrides: Vec<Change>,
}

/// One override.
#[derive(Debug, Clone)]
pub struct Change {
    /// What it comes to.
    pub kind: ChangeKind,
    applied: AppliedOverride,
}

impl Change {
    /// What it says, for people.
    #[must_use]
    pub fn view(&self) -> OverrideView<'_> {
        OverrideView::of(&self.applied)
    }
}

/// What an override comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// It asks for as much as it found, or more.
    Tightens,
    /// It is a waiver.
    Loosens,
    /// It counts no more.
    Lapsed,
}

impl ChangeKind {
    /// What it is called.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tightens => "override",
            Self::Loosens => "waiver",
            Self::Lapsed => "lapsed",
        }
    }
}

impl ScopeTree {
    /// The tree of all scopes of `bundles` at `now`; with a scope, of those that take part in its policy.
    ///
    /// # Errors
    /// Every problem that keeps a scope from being resolved.
    pub fn new(
        bundles: &[LoadedBundle],
        scope: Option<&Scope>,
        now: Timestamp,
    ) -> Result<Self, Vec<Diagnostic>> {
        let mut sorted: Vec<&LoadedBundle> = bundles.iter().collect();
        sorted.sort_by(|left, right| left.identity().name.cmp(&right.identity().name));
        let defined = index(&sorted)?;
        let members: BTreeSet<Scope> = match scope {
            Some(scope) => {
                let order = graph::build(&defined, scope)?.order;
                order.into_iter().map(|(scope, _)| scope).collect()
            }
            None => defined.keys().flat_map(|scope| scope.chain()).collect(),
        };
        let mut nodes = Vec::with_capacity(members.len());
        let mut problems = Vec::new();
        for scope in &members {
            let Some(found) = defined.get(scope) else {
                nodes.push(ScopeNode::new(scope, &members, None));
                continue;
            };
            let layers = graph::build(&defined, scope)
                .and_then(|graph| overrides::apply(&defined, &sorted, &graph, now));
            let (layers, lapsed) = match layers {
                Ok(resolved) => resolved,
                Err(found) => {
                    problems.extend(found);
                    continue;
                }
            };
            let rules = layers.iter().flat_map(|layer| &layer.rules);
            let applied = rules.flat_map(|rule| &rule.overrides);
            let applied = applied.map(|change| (change, kind_of(change)));
            let lapsed = lapsed.iter().map(|change| (change, ChangeKind::Lapsed));
            let own = applied
                .chain(lapsed)
                .filter(|(change, _)| change.by == *scope);
            let mut changes: Vec<Change> = own
                .map(|(change, kind)| Change {
                    kind,
                    applied: change.clone(),
                })
                .collect();
            changes.sort_by(|left, right| left.view().rule.cmp(right.view().rule));
            let Some(bundle) = sorted.get(found.bundle) else {
                continue;
            };
            let said = Said {
                bundle: bundle.identity().name.clone(),
                extends: found.layer.extends.clone(),
                mode: found.layer.mode,
                default: found.layer.default,
                rules: found.layer.rules.len(),
                overrides: changes,
            };
            nodes.push(ScopeNode::new(scope, &members, Some(said)));
        }
        if problems.is_empty() {
            Ok(Self { nodes })
        } else {
            Err(distinct(problems))
        }
    }
}

impl ScopeNode {
    fn new(scope: &Scope, members: &BTreeSet<Scope>, defined: Option<Said>) -> Self {
        Self {
            scope: scope.clone(),
            parent: scope.parent().filter(|parent| members.contains(parent)),
            defined,
        }
    }
}

fn kind_of(change: &AppliedOverride) -> ChangeKind {
    if change.loosens {
        ChangeKind::Loosens
    } else {
        ChangeKind::Tightens
    }
}
