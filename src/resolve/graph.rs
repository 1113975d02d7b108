//! Which scopes take part, and which of them is above which.
//!
//! 1. Take the chain from the root to the scope, and every pack that a scope taken extends, until nothing is added.
//! 2. A scope is below the packs it extends and below its path's ancestors, as far as they take part.
//! 3. Walk from the root down, whatever is above first, packs in the order of their names: the evaluation order. Whoever is
//!    met again while being walked is part of a cycle.

use std::collections::{BTreeMap, BTreeSet};

use super::{Definitions, MAX_SCOPES};
use crate::diag::{Code, Diagnostic};
use crate::name::Scope;

/// How a bundle that is not there joins those that are.
const ADD: &str =
    "add the bundle that defines it (in `ordain.yaml`, or with `--with` beside a directory)";

/// The scopes of one resolution.
#[derive(Debug)]
pub(super) struct Graph {
    /// In evaluation order, each with whether it is of the chain.
    pub(super) order: Vec<(Scope, bool)>,
    /// Every scope strictly above each.
    above: BTreeMap<Scope, BTreeSet<Scope>>,
}

impl Graph {
    /// Whether `upper` is strictly above `lower`.
    pub(super) fn is_above(&self, upper: &Scope, lower: &Scope) -> bool {
        self.above
            .get(lower)
            .is_some_and(|above| above.contains(upper))
    }

    pub(super) fn contains(&self, scope: &Scope) -> bool {
        self.above.contains_key(scope)
    }
}

pub(super) fn build(defined: &Definitions<'_>, scope: &Scope) -> Result<Graph, Vec<Diagnostic>> {
    let chain = scope.chain();
    if let Some(root) = chain.first().filter(|root| !defined.contains_key(root)) {
        return Err(vec![no_root(defined, &chain, root)]);
    }
    let members = collect(defined, &chain)?;
    let mut walk = Walk {
        defined,
        members: &members,
        above: BTreeMap::new(),
        open: Vec::new(),
        order: Vec::new(),
    };
    for scope in &chain {
        walk.visit(scope).map_err(|problem| vec![problem])?;
    }
    let order = walk.order.into_iter();
    let order = order.map(|scope| {
        let is_chain = chain.contains(&scope);
        (scope, is_chain)
    });
    Ok(Graph {
        order: order.collect(),
        above: walk.above,
    })
}

/// Its message and hint are the same for every scope below that root, so that it can be told once.
fn no_root(defined: &Definitions<'_>, chain: &[Scope], root: &Scope) -> Diagnostic {
    let message = format!("no bundle defines the root scope `{root}`");
    let hint = format!("{ADD}, or correct the scope");
    let problem = Diagnostic::error(Code::RESOLVE_NO_ROOT, message).hint(hint);
    // The scope that was asked for may be of a command line; what is above it is of a file.
    match chain.iter().rev().find_map(|scope| defined.get(scope)) {
        Some(lowest) => problem.at(lowest.place()).under("scope"),
        None => problem,
    }
}

/// The chain and every pack, transitively.
fn collect(defined: &Definitions<'_>, chain: &[Scope]) -> Result<BTreeSet<Scope>, Vec<Diagnostic>> {
    let mut members: BTreeSet<Scope> = chain.iter().cloned().collect();
    let mut open: Vec<Scope> = chain.to_vec();
    let mut problems = Vec::new();
    while let Some(scope) = open.pop() {
        let Some(found) = defined.get(&scope) else {
            continue;
        };
        for pack in &found.layer.extends {
            if !defined.contains_key(pack) {
                let message =
                    format!("the scope `{scope}` extends `{pack}`, which no bundle defines");
                problems.push(
                    Diagnostic::error(Code::RESOLVE_NO_PACK, message)
                        .at(found.place_of(pack))
                        .under("extends")
                        .hint(format!("{ADD}, or correct its name")),
                );
            } else if members.insert(pack.clone()) {
                open.push(pack.clone());
            }
        }
    }
    if members.len() > MAX_SCOPES {
        let message = format!(
            "{} scopes are more than the limit of {MAX_SCOPES}",
            members.len()
        );
        let hint = "extend fewer packs";
        problems.push(Diagnostic::error(Code::RESOLVE_LIMIT, message).hint(hint));
    }
    if problems.is_empty() {
        Ok(members)
    } else {
        problems.sort_by(|left, right| left.message.cmp(&right.message));
        Err(problems)
    }
}

struct Walk<'a> {
    defined: &'a Definitions<'a>,
    members: &'a BTreeSet<Scope>,
    above: BTreeMap<Scope, BTreeSet<Scope>>,
    /// The scopes being walked, outermost first.
    open: Vec<Scope>,
    order: Vec<Scope>,
}

impl Walk<'_> {
    /// Recursion is bounded by `MAX_SCOPES`, since no scope is open twice.
    fn visit(&mut self, scope: &Scope) -> Result<(), Diagnostic> {
        if self.above.contains_key(scope) {
            return Ok(());
        }
        if let Some(start) = self.open.iter().position(|open| open == scope) {
            return Err(self.cycle(start, scope));
        }
        self.open.push(scope.clone());
        let mut above = BTreeSet::new();
        for upper in self.directly_above(scope) {
            self.visit(&upper)?;
            above.extend(self.above.get(&upper).into_iter().flatten().cloned());
            above.insert(upper);
        }
        self.open.pop();
        self.above.insert(scope.clone(), above);
        self.order.push(scope.clone());
        Ok(())
    }

    /// Path ancestors from the root down, then packs by name.
    fn directly_above(&self, scope: &Scope) -> Vec<Scope> {
        let mut chain = scope.chain();
        chain.pop();
        let ancestors = chain
            .into_iter()
            .filter(|upper| self.members.contains(upper));
        let packs = self
            .defined
            .get(scope)
            .map(|found| found.layer.extends.clone());
        ancestors.chain(packs.into_iter().flatten()).collect()
    }

    fn cycle(&self, start: usize, scope: &Scope) -> Diagnostic {
        let names = self.open.iter().skip(start).chain([scope]);
        let names: Vec<&str> = names.map(Scope::as_str).collect();
        let message = format!("`{}` is a cycle", names.join("` → `"));
        let hint = "a scope extends packs that are neither below it nor extend it";
        let found = Diagnostic::error(Code::RESOLVE_CYCLE, message).hint(hint);
        // A scope is below its path's ancestors without saying so, so one of them extends the next.
        let links = self.open.iter().skip(start);
        let links = links.zip(self.open.iter().skip(start + 1).chain([scope]));
        let mut links = links.filter_map(|(lower, upper)| Some((self.defined.get(lower)?, upper)));
        match links.find(|(lower, upper)| lower.layer.extends.contains(upper)) {
            Some((lower, upper)) => found.at(lower.place_of(upper)).under("extends"),
            None => found,
        }
    }
}
