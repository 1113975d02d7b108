//! Which allows another scope's `default: deny` always beats.

use std::collections::HashSet;

use super::{EffectiveLayer, EffectiveRule};
use crate::name::Scope;
use crate::policy::{Effect, Mode};

/// The scopes that say `default: deny`, and what each lets through.
#[derive(Debug)]
pub(super) struct Closed<'a> {
    scopes: Vec<(&'a Scope, Openings<'a>)>,
}

/// What a closed scope has rules for other than to deny.
#[derive(Debug, Default)]
struct Openings<'a> {
    /// There is one that names no actions.
    any: bool,
    actions: HashSet<&'a str>,
}

impl<'a> Closed<'a> {
    pub(super) fn new(layers: &'a [EffectiveLayer]) -> Self {
        let closed = layers
            .iter()
            .filter(|layer| layer.default == Some(Effect::Deny) && layer.mode == Mode::Enforce);
        let scopes = closed.map(|layer| (&layer.scope, Openings::of(layer)));
        let scopes = scopes.collect();
        Self { scopes }
    }

    /// The first scope that certainly denies whatever `rule`, of the scope `own`, allows.
    pub(super) fn voiding(&self, own: &Scope, rule: &EffectiveRule) -> Option<&'a Scope> {
        if self.scopes.is_empty() {
            return None;
        }
        let actions = rule.written.matcher.actions();
        let closing = self.scopes.iter().find(|(scope, openings)| {
            *scope != own
                && !openings.any
                && match &actions {
                    Some(actions) => !actions.iter().any(|name| openings.actions.contains(name)),
                    None => openings.actions.is_empty(),
                }
        });
        closing.map(|(scope, _)| *scope)
    }
}

impl<'a> Openings<'a> {
    fn of(layer: &'a EffectiveLayer) -> Self {
        let mut openings = Self::default();
        let opening = |rule: &&EffectiveRule| !rule.disabled && rule.effect != Effect::Deny;
        for rule in layer.rules.iter().filter(opening) {
            match rule.written.matcher.actions() {
                Some(actions) => openings.actions.extend(actions),
                None => openings.any = true,
            }
        }
        openings
    }
}
