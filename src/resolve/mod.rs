//! From layers to one effective policy: chains, packs, overrides, provenance.
//!
//! The answer depends on the bundles' contents and on `now`, never on the order of bundles, files or packs. A refused override
//! refuses the whole: an effective policy is what every author meant, or none.
//!
//! 1. `graph`: the scopes that take part, and which is above which.
//! 2. `overrides`: each rule's final effect, mode, precedence and reason, from the root down.
//! 3. `effective`: the layers in evaluation order, the digest, the view for people.
//!
//! It takes bundles that were verified, and an unsigned directory only through [`LoadedBundle::unsigned`], which marks
//! everything that comes of it.

mod bundle;
mod check;
mod content;
pub mod diff;
mod effective;
mod graph;
mod lint;
mod origin;
mod overrides;
mod rules;
mod stored;
mod tree;
mod view;
mod waivers;

use std::collections::{BTreeMap, HashSet};

use jiff::Timestamp;

use crate::diag::{Code, Diagnostic, Location};
use crate::name::Scope;
use crate::policy::{Layer, Mode};

pub use bundle::LoadedBundle;
pub use check::{Checked, check};
pub use effective::{AppliedOverride, EffectiveLayer, EffectivePolicy, EffectiveRule, LayerKind};
pub use lint::lint;
pub use origin::{Source, SourceFile};
pub use rules::{Rules, RulesIter};
pub(crate) use stored::{StoredEffectiveRule, StoredPolicy, StoredRules};
pub use tree::{Change, ChangeKind, Said, ScopeNode, ScopeTree};
pub use view::{LayerView, OverrideView, PolicyView, RuleView};

/// The greatest number of scopes in one effective policy.
pub const MAX_SCOPES: usize = 1_024;

/// Resolves the effective policy of `scope` at `now`. `cap` is the consumer's own rollout mode; it lowers every mode above
/// it, though not below the greatest `min_mode` that takes part.
///
/// # Errors
/// Every problem: scopes defined twice, an undefined root or pack, cycles, refused overrides.
pub fn resolve(
    bundles: &[LoadedBundle],
    scope: &Scope,
    now: Timestamp,
    cap: Option<Mode>,
) -> Result<EffectivePolicy, Vec<Diagnostic>> {
    let mut sorted: Vec<&LoadedBundle> = bundles.iter().collect();
    sorted.sort_by(|left, right| left.identity().name.cmp(&right.identity().name));
    let defined = index(&sorted)?;
    let graph = graph::build(&defined, scope)?;
    let layers = overrides::apply(&defined, &sorted, &graph, now)?;
    effective::assemble(&sorted, scope, layers, cap).map_err(|problem| vec![problem])
}

/// A layer and the position of its bundle.
#[derive(Debug, Clone, Copy)]
struct Defined<'a> {
    bundle: usize,
    loaded: &'a LoadedBundle,
    layer: &'a Layer,
}

impl Defined<'_> {
    /// Where a problem of the scope is.
    fn place(&self) -> Location {
        self.loaded.place(&self.layer.location)
    }

    /// Where the scope extends `pack`.
    fn place_of(&self, pack: &Scope) -> Location {
        let named = self.layer.extends_at.get(pack);
        self.loaded.place(named.unwrap_or(&self.layer.location))
    }
}

/// What was found scope by scope, each thing once. That a root is missing is one thing, however many scopes are below it.
pub(crate) fn distinct(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    problems.retain(|problem| {
        let mut key = problem.clone();
        if problem.code == Code::RESOLVE_NO_ROOT {
            (key.location, key.path) = (None, None);
        }
        seen.insert(key)
    });
    problems
}

type Definitions<'a> = BTreeMap<&'a Scope, Defined<'a>>;

/// Who defines each scope. One scope is defined by exactly one bundle.
fn index<'a>(bundles: &[&'a LoadedBundle]) -> Result<Definitions<'a>, Vec<Diagnostic>> {
    let mut problems = Vec::new();
    for pair in bundles.windows(2) {
        if let [first, second] = pair
            && first.identity().name == second.identity().name
        {
            let message = format!("two bundles are named `{}`", first.identity().name);
            let hint = "name each bundle once";
            problems.push(Diagnostic::error(Code::RESOLVE_BUNDLE_TWICE, message).hint(hint));
        }
    }
    let mut defined: Definitions<'a> = BTreeMap::new();
    for (bundle, loaded) in bundles.iter().enumerate() {
        for layer in loaded.layers() {
            let entry = Defined {
                bundle,
                loaded,
                layer,
            };
            if let Some(first) = defined.insert(&layer.scope, entry) {
                let owner = bundles
                    .get(first.bundle)
                    .map(|first| &first.identity().name);
                let message = format!(
                    "the scope `{}` is defined by bundle `{}` and by bundle `{}`",
                    layer.scope,
                    owner.map_or("", |name| name.as_str()),
                    loaded.identity().name,
                );
                problems.push(
                    Diagnostic::error(Code::RESOLVE_SCOPE_TWICE, message)
                        .at(entry.place())
                        .hint("let exactly one bundle define each scope"),
                );
            }
        }
    }
    if problems.is_empty() {
        Ok(defined)
    } else {
        Err(problems)
    }
}
