//! Each rule's final state, after every override that stands.
//!
//! For one rule, from the root down:
//!
//! 1. An override starts from the state that the overrides above it left; where two of them are unordered (two packs), from
//!    what is the strictest of them ([`State::strictest`]).
//! 2. The rule's author decides what may be done to that state; whatever is refused is an error of the bundle that tried.
//! 3. The state that stands is that of the lowest overrides, again the strictest where they are unordered.
//!
//! Under `tighten`, a changed precedence is refused as well: it lets another rule of the layer decide.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::effective::{AppliedOverride, EffectiveLayer, EffectiveRule, LayerKind};
use super::graph::Graph;
use super::origin::Sources;
use super::waivers::Terms;
use super::{Defined, Definitions, LoadedBundle};
use crate::diag::{Code, Diagnostic};
use crate::name::{RuleId, RuleRef, Scope};
use crate::policy::{Effect, Mode, Override, OverridePermission, Rule};

/// An override and where it comes from.
#[derive(Clone, Copy)]
struct Change<'a> {
    by: &'a Scope,
    bundle: usize,
    written: &'a Override,
}

/// What overrides change about a rule.
#[derive(Debug, Clone)]
struct State {
    effect: Effect,
    disabled: bool,
    mode: Mode,
    precedence: i32,
    reason: Arc<str>,
}

impl State {
    fn of(rule: &Rule) -> Self {
        Self {
            effect: rule.effect,
            disabled: false,
            mode: rule.mode,
            precedence: rule.precedence,
            reason: Arc::clone(&rule.reason),
        }
    }

    /// The state after `change`. A new effect switches a disabled rule on again.
    fn after(&self, change: &Override) -> Self {
        let reason = change
            .reason
            .as_ref()
            .filter(|_| change.changes_reason_only());
        Self {
            effect: change.effect.unwrap_or(self.effect),
            disabled: change.disable || (self.disabled && change.effect.is_none()),
            mode: change.mode.unwrap_or(self.mode),
            precedence: change.precedence.unwrap_or(self.precedence),
            reason: reason
                .map_or_else(|| Arc::clone(&self.reason), |reason| reason.as_str().into()),
        }
    }

    /// The part of the language by which `next` asks for less than this state, if there is one.
    fn loosened_by(&self, next: &Self) -> Option<&'static str> {
        if next.disabled && !self.disabled {
            Some("disable")
        } else if next.effect < self.effect {
            // Of a disabled rule too: to bring it back as less than it was is to loosen it twice.
            Some("effect")
        } else if self.disabled && !next.disabled && !next.refuses() {
            // What permits again had been taken away.
            Some("effect")
        } else if next.mode < self.mode {
            Some("mode")
        } else if next.precedence != self.precedence {
            Some("precedence")
        } else {
            None
        }
    }

    fn refuses(&self) -> bool {
        self.effect >= Effect::RequireApproval
    }

    /// How strict a state is as a whole, for whose reason is told. A rule that is switched off is weaker than one that refuses,
    /// and stricter than one that permits.
    fn weight(&self) -> (u8, Effect, Mode) {
        let rank = match (self.disabled, self.refuses()) {
            (false, true) => 2,
            (true, _) => 1,
            (false, false) => 0,
        };
        (rank, self.effect, self.mode)
    }

    /// What stands of states that are unordered, in a way that does not hang on their order; none of none.
    ///
    /// INVARIANT: for no request is the layer's answer looser than under each of them alone. So the parts are not all the
    /// greatest ones: mode and precedence of a rule that waits for approval come from states that bind as much. If the mode
    /// of one and the place of another met, the rule would bind in a place where neither lets it, and silence a `deny` there.
    fn strictest(states: &[&Self]) -> Option<Self> {
        // The first of equals, so that only what is stricter changes the reason.
        let strict = states.iter().copied().reduce(|best, next| {
            if next.weight() > best.weight() {
                next
            } else {
                best
            }
        })?;
        let live = || states.iter().filter(|state| !state.disabled);
        let mode = if strict.disabled {
            states.iter().map(|state| state.mode).max()
        } else {
            live().map(|state| state.mode).max()
        };
        let mode = mode.unwrap_or(strict.mode);
        let effect = if strict.disabled {
            // A later override starts from what was the most that anyone asked for.
            states.iter().map(|state| state.effect).max()
        } else {
            Some(strict.effect)
        };
        let effect = effect.unwrap_or(strict.effect);
        let precedence = match effect {
            // Nothing is stricter than it, wherever it stands.
            Effect::Deny => states.iter().map(|state| state.precedence).max(),
            Effect::RequireApproval => {
                let binding = live().filter(|state| state.mode == mode);
                binding.map(|state| state.precedence).max()
            }
            // Looking later at a rule that permits is stricter.
            Effect::Allow | Effect::Audit => states.iter().map(|state| state.precedence).min(),
        };
        Some(Self {
            effect,
            disabled: strict.disabled,
            mode,
            precedence: precedence.unwrap_or(strict.precedence),
            reason: strict.reason.clone(),
        })
    }
}

/// The layers in evaluation order, every override applied.
pub(super) fn apply(
    defined: &Definitions<'_>,
    bundles: &[&LoadedBundle],
    graph: &Graph,
    now: Timestamp,
) -> Result<(Vec<EffectiveLayer>, Vec<AppliedOverride>), Vec<Diagnostic>> {
    let mut changes: BTreeMap<&RuleRef, Vec<Change<'_>>> = BTreeMap::new();
    let mut rules = Rules {
        defined,
        names: HashMap::new(),
    };
    let sources = Sources::new(bundles);
    let mut lapsed = Vec::new();
    let mut problems = Vec::new();
    for (scope, _) in &graph.order {
        let Some((by, found)) = defined.get_key_value(scope) else {
            continue;
        };
        for written in &found.layer.overrides {
            let change = Change {
                by,
                bundle: found.bundle,
                written,
            };
            if written.is_lapsed(now) {
                lapsed.push(describe(change, &sources, false));
            } else if let Some(problem) = refuse_target(&mut rules, graph, change) {
                problems.push(blame(problem, change, bundles));
            } else {
                changes.entry(&written.rule).or_default().push(change);
            }
        }
    }
    let terms = Terms::new(defined, graph, now);
    let mut layers = Vec::new();
    for (scope, is_chain) in &graph.order {
        let kind = if *is_chain {
            LayerKind::Chain
        } else {
            LayerKind::Pack
        };
        let found = defined.get(scope);
        let mut rules = Vec::with_capacity(found.map_or(0, |found| found.layer.rules.len()));
        let written = found.into_iter().flat_map(|found| {
            let written = found.layer.rules.iter();
            written.map(|rule| (*found, rule))
        });
        for (found, rule) in written {
            let changes = changes.get(&rule.name).map_or(&[][..], Vec::as_slice);
            match settle((found, rule), changes, &sources, graph, &terms) {
                Ok(state) => rules.push(finish(rule, state, found, &sources)),
                Err(refused) => problems.extend(refused),
            }
        }
        rules.sort_by(EffectiveRule::compare);
        layers.push(EffectiveLayer {
            scope: scope.clone(),
            kind,
            bundle: found.map(|found| found.bundle),
            mode: found.map_or(Mode::Enforce, |found| found.layer.mode),
            min_mode: found.map_or(Mode::AuditOnly, |found| found.layer.min_mode),
            default: found.and_then(|found| found.layer.default),
            waivers: found
                .map(|found| found.layer.waivers.clone())
                .unwrap_or_default(),
            location: found.map(|found| found.layer.location.clone()),
            rules: rules.into(),
        });
    }
    if problems.is_empty() {
        Ok((layers, lapsed))
    } else {
        Err(problems)
    }
}

/// Which rules there are, told apart once for each scope that is asked of.
struct Rules<'a> {
    defined: &'a Definitions<'a>,
    names: HashMap<&'a Scope, HashSet<&'a RuleId>>,
}

impl<'a> Rules<'a> {
    fn contains(&mut self, rule: &'a RuleRef) -> bool {
        let names = self.names.entry(&rule.scope).or_insert_with(|| {
            let layer = self.defined.get(&rule.scope).map(|found| found.layer);
            let rules = layer.into_iter().flat_map(|layer| &layer.rules);
            rules.map(|rule| &rule.name.rule).collect()
        });
        names.contains(&rule.rule)
    }
}

/// Why `change` may not name its rule, if it may not.
fn refuse_target<'a>(
    rules: &mut Rules<'a>,
    graph: &Graph,
    change: Change<'a>,
) -> Option<Diagnostic> {
    let target = &change.written.rule;
    if !graph.contains(&target.scope) {
        // A pack may waive what its own path's ancestors say; where those take no part, there is nothing to waive.
        let is_ancestor = change.by.is_within(&target.scope);
        return (!is_ancestor).then(|| not_above(change));
    }
    if !graph.is_above(&target.scope, change.by) {
        return Some(not_above(change));
    }
    (!rules.contains(target)).then(|| {
        let message = format!(
            "the scope `{}` overrides `{target}`, which does not exist",
            change.by
        );
        Diagnostic::error(Code::RESOLVE_NO_RULE, message)
            .hint("correct the name, or remove the override")
    })
}

fn not_above(change: Change<'_>) -> Diagnostic {
    let message = format!(
        "the scope `{}` overrides `{}`, which it does not inherit",
        change.by, change.written.rule
    );
    Diagnostic::error(Code::RESOLVE_NOT_ABOVE, message)
        .hint("a scope may override rules of its ancestors and of the packs that it extends")
}

/// The final state of `rule`, which stands in `found`, and the overrides that led to it.
fn settle(
    (found, rule): (Defined<'_>, &Rule),
    changes: &[Change<'_>],
    sources: &Sources<'_>,
    graph: &Graph,
    terms: &Terms<'_>,
) -> Result<(State, Vec<AppliedOverride>), Vec<Diagnostic>> {
    let mut states: Vec<(&Scope, State)> = Vec::new();
    let mut applied = Vec::new();
    let mut problems = Vec::new();
    for change in changes {
        let above = states
            .iter()
            .filter(|(by, _)| graph.is_above(by, change.by));
        let above: Vec<&(&Scope, State)> = above.collect();
        let before = lowest(&above, graph).unwrap_or_else(|| State::of(rule));
        let after = before.after(change.written);
        let loosened = before.loosened_by(&after);
        let refused = refuse_change((found, rule), change, loosened)
            .or_else(|| loosened.and_then(|_| terms.refuse(change.by, change.written)));
        if let Some(problem) = refused {
            problems.push(blame(problem, *change, sources.bundles));
            continue;
        }
        applied.push(describe(*change, sources, loosened.is_some()));
        states.push((change.by, after));
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let all: Vec<&(&Scope, State)> = states.iter().collect();
    let state = lowest(&all, graph).unwrap_or_else(|| State::of(rule));
    Ok((state, applied))
}

/// The strictest of the states that no other scope of `states` is below.
fn lowest(states: &[&(&Scope, State)], graph: &Graph) -> Option<State> {
    let is_lowest = |by: &Scope| !states.iter().any(|(other, _)| graph.is_above(by, other));
    let lowest = states.iter().filter(|(by, _)| is_lowest(by));
    let lowest: Vec<&State> = lowest.map(|(_, state)| state).collect();
    State::strictest(&lowest)
}

/// Why the rule's author does not permit `change`, if so.
fn refuse_change(
    (found, rule): (Defined<'_>, &Rule),
    change: &Change<'_>,
    loosened: Option<&'static str>,
) -> Option<Diagnostic> {
    let (by, name) = (change.by, &rule.name);
    let at = found.loaded.place(&rule.location);
    match (rule.permission, loosened) {
        (OverridePermission::None, _) => {
            let message = format!("the scope `{by}` overrides `{name}`, which permits no override");
            let hint =
                format!("remove it, or ask the authors of `{name}` ({at}) for `override: tighten`");
            Some(Diagnostic::error(Code::RESOLVE_NOT_PERMITTED, message).hint(hint))
        }
        (OverridePermission::Tighten, Some(part)) => {
            let message = format!(
                "the scope `{by}` loosens the {} of `{name}`, which permits tightening only",
                noun(part)
            );
            let hint =
                format!("remove it, or ask the authors of `{name}` ({at}) for `override: any`");
            Some(Diagnostic::error(Code::RESOLVE_NOT_PERMITTED, message).hint(hint))
        }
        (OverridePermission::Any, Some(part)) if change.written.reason.is_none() => {
            let message = format!(
                "the scope `{by}` loosens the {} of `{name}` without a reason",
                noun(part)
            );
            let hint = "add `reason`, and best `owner`, `ticket` and `expires`";
            Some(Diagnostic::error(Code::RESOLVE_NO_REASON, message).hint(hint))
        }
        _ => None,
    }
}

fn noun(part: &'static str) -> &'static str {
    if part == "disable" { "effect" } else { part }
}

/// Adds whose error it is, and where.
fn blame(problem: Diagnostic, change: Change<'_>, bundles: &[&LoadedBundle]) -> Diagnostic {
    let bundle = bundles.get(change.bundle);
    let name = bundle.map_or("", |bundle| bundle.identity().name.as_str());
    let location = &change.written.location;
    let place = bundle.map_or_else(|| location.clone(), |bundle| bundle.place(location));
    Diagnostic {
        message: format!("bundle `{name}`: {}", problem.message),
        ..problem
    }
    .at(place)
    .under("overrides")
}

fn describe(change: Change<'_>, sources: &Sources<'_>, loosens: bool) -> AppliedOverride {
    AppliedOverride {
        by: change.by.clone(),
        written: change.written.clone(),
        loosens,
        source: sources.of(change.bundle, &change.written.location),
    }
}

fn finish(
    rule: &Arc<Rule>,
    (state, overrides): (State, Vec<AppliedOverride>),
    found: Defined<'_>,
    sources: &Sources<'_>,
) -> EffectiveRule {
    EffectiveRule {
        source: sources.of(found.bundle, &rule.location),
        written: Arc::clone(rule),
        effect: state.effect,
        mode: state.mode,
        declared_mode: rule.mode,
        precedence: state.precedence,
        reason: state.reason,
        disabled: state.disabled,
        overrides: overrides.into(),
    }
}
