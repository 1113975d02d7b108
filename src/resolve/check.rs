//! Every problem of the scopes that one bundle defines.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::lint::Linter;
use super::{LoadedBundle, distinct, graph, index, overrides};
use crate::diag::Diagnostic;
use crate::name::{BundleName, Scope};

/// What was found, each thing once.
#[derive(Debug)]
pub struct Checked {
    /// How many scopes the bundle defines.
    pub scopes: usize,
    /// What cannot be resolved, scope by scope, then the warnings.
    pub problems: Vec<Diagnostic>,
}

/// Resolves every scope of the bundle named `own` at `now`, with the other bundles around it, and warns of what its authors
/// certainly did not mean. Digests are not taken and what nobody overrides is looked at once, so the cost is that of the rules.
#[must_use]
pub fn check(bundles: &[LoadedBundle], own: &BundleName, now: Timestamp) -> Checked {
    let mut sorted: Vec<&LoadedBundle> = bundles.iter().collect();
    sorted.sort_by(|left, right| left.identity().name.cmp(&right.identity().name));
    let own = sorted
        .iter()
        .filter(|bundle| bundle.identity().name == *own);
    let scopes: BTreeSet<&Scope> = own
        .flat_map(|bundle| bundle.layers())
        .map(|layer| &layer.scope)
        .collect();
    let mut problems = Vec::new();
    match index(&sorted) {
        Err(found) => problems = found,
        Ok(defined) => {
            let mut linter = Linter::new(now, |scope: &Scope| scopes.contains(scope));
            for scope in &scopes {
                let layers = graph::build(&defined, scope)
                    .and_then(|graph| overrides::apply(&defined, &sorted, &graph, now));
                match layers {
                    Ok((layers, lapsed)) => linter.lint(&layers, &lapsed),
                    Err(found) => problems.extend(found),
                }
            }
            problems.append(&mut linter.found);
        }
    }
    Checked {
        scopes: scopes.len(),
        problems: distinct(problems),
    }
}
