//! The effective policy: what decides, in evaluation order, and where every part of it comes from.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::origin::Source;
use super::rules::Rules;
use super::{LoadedBundle, content};
use crate::bundle::BundleIdentity;
use crate::diag::{Code, Diagnostic, Location};
use crate::digest::Sha256Digest;
use crate::name::Scope;
use crate::policy::{Effect, Mode, Override, Rule, WaiverTerms};
use crate::trust::Validity;

/// Why a layer takes part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LayerKind {
    /// It is the scope or one of its ancestors.
    Chain,
    /// A scope of the chain extends it, perhaps through another pack.
    Pack,
}

/// An override that was taken into account.
#[derive(Debug, Clone)]
pub struct AppliedOverride {
    /// The scope that made it.
    pub by: Scope,
    /// As written.
    pub written: Override,
    /// Whether it asks for less than what it found.
    pub loosens: bool,
    /// Where it was written.
    pub source: Option<Source>,
}

/// A rule after every override.
#[derive(Debug, Clone)]
pub struct EffectiveRule {
    /// As written.
    pub written: Arc<Rule>,
    /// What it asks for now.
    pub effect: Effect,
    /// How far it binds now, under the consumer's cap.
    pub mode: Mode,
    /// How far its author lets it bind, under the consumer's cap.
    pub declared_mode: Mode,
    /// Its precedence now.
    pub precedence: i32,
    /// Its reason now.
    pub reason: Arc<str>,
    /// Whether an override switched it off.
    pub disabled: bool,
    /// The overrides that touched it, in evaluation order.
    pub overrides: Box<[AppliedOverride]>,
    /// Where it was written.
    pub source: Option<Source>,
}

impl EffectiveRule {
    /// The order in which the rules of a layer are looked at.
    pub(super) fn compare(left: &Self, right: &Self) -> Ordering {
        let key = |rule: &Self| (Reverse(rule.precedence), Reverse(rule.effect.rank()));
        key(left)
            .cmp(&key(right))
            .then_with(|| left.written.name.rule.cmp(&right.written.name.rule))
    }

    /// Whether it counts at `now`: no override switched it off, and its author lets it.
    #[must_use]
    pub fn is_live(&self, now: Timestamp) -> bool {
        !self.disabled && self.written.valid().holds(now)
    }

    /// Whether a descendant made it binding that its author had not. Such a rule adds its verdict and silences no other: an
    /// `allow` that shadowed an enforced `deny` would make a raised mode a loosening.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.mode == Mode::Enforce && self.declared_mode < Mode::Enforce
    }
}

/// One scope's layer.
#[derive(Debug, Clone)]
pub struct EffectiveLayer {
    /// The scope.
    pub scope: Scope,
    /// Why it takes part.
    pub kind: LayerKind,
    /// The position of its bundle in [`EffectivePolicy::bundles`]; none for a scope that no bundle defines.
    pub bundle: Option<usize>,
    /// The mode of its default, under the consumer's cap.
    pub mode: Mode,
    /// The floor that it puts under the consumer's cap.
    pub min_mode: Mode,
    /// What it says where none of its rules matches.
    pub default: Option<Effect>,
    /// What it demands of waivers, where it is the root of the chain.
    pub waivers: WaiverTerms,
    /// Where it was written.
    pub location: Option<Location>,
    /// Its rules in the order in which they are looked at, disabled ones included.
    pub rules: Rules,
}

/// All layers of one scope after overrides.
#[derive(Debug, Clone)]
pub struct EffectivePolicy {
    scope: Scope,
    bundles: Arc<[BundleIdentity]>,
    layers: Vec<EffectiveLayer>,
    lapsed: Vec<AppliedOverride>,
    until: Option<Timestamp>,
    root_mode: Mode,
    unsigned: bool,
    validity: Validity,
    digest: Sha256Digest,
}

impl EffectivePolicy {
    /// A policy from parts that were kept of one, of bundles that are verified.
    pub(super) fn of_parts(
        scope: Scope,
        digest: Sha256Digest,
        root_mode: Mode,
        (bundles, validity): (Arc<[BundleIdentity]>, Validity),
        until: Option<Timestamp>,
        layers: Vec<EffectiveLayer>,
    ) -> Self {
        Self {
            scope,
            bundles,
            layers,
            lapsed: Vec::new(),
            until,
            root_mode,
            unsigned: false,
            validity,
            digest,
        }
    }

    /// The scope that it is for.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The bundles that take part, sorted by name.
    #[must_use]
    pub fn bundles(&self) -> &Arc<[BundleIdentity]> {
        &self.bundles
    }

    /// The layers in evaluation order.
    #[must_use]
    pub fn layers(&self) -> &[EffectiveLayer] {
        &self.layers
    }

    /// The root scope's mode, under the consumer's cap: that of `NO_MATCH`.
    #[must_use]
    pub fn root_mode(&self) -> Mode {
        self.root_mode
    }

    /// What the root scope demands of waivers, where it demands something.
    #[must_use]
    pub fn waivers(&self) -> Option<&WaiverTerms> {
        let is_root = |layer: &&EffectiveLayer| {
            layer.kind == LayerKind::Chain && layer.scope.parent().is_none()
        };
        let root = self.layers.iter().find(is_root)?;
        Some(&root.waivers).filter(|terms| !terms.is_empty())
    }

    /// Whether a bundle that takes part was not signed.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        self.unsigned
    }

    /// Until when it decides: until the first of the bundles that take part does no more.
    #[must_use]
    pub fn validity(&self) -> Validity {
        self.validity
    }

    /// SHA-256 of the RFC 8785 form of everything that can change an answer. Places and bundles are not part of it, so
    /// policies of one digest decide alike.
    #[must_use]
    pub fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// When the first of its overrides lapses, and it is another policy.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// Every override that loosens, with its rule.
    pub fn loosenings(&self) -> impl Iterator<Item = (&EffectiveRule, &AppliedOverride)> {
        let rules = self.layers.iter().flat_map(|layer| &layer.rules);
        let pairs = rules.flat_map(|rule| rule.overrides.iter().map(move |change| (rule, change)));
        pairs.filter(|(_, change)| change.loosens)
    }

    /// The overrides that have lapsed and count no more.
    #[must_use]
    pub fn lapsed(&self) -> &[AppliedOverride] {
        &self.lapsed
    }
}

/// Caps the modes, keeps the bundles that take part, and takes the digest.
pub(super) fn assemble(
    bundles: &[&LoadedBundle],
    scope: &Scope,
    (mut layers, lapsed): (Vec<EffectiveLayer>, Vec<AppliedOverride>),
    cap: Option<Mode>,
) -> Result<EffectivePolicy, Diagnostic> {
    let floor = layers.iter().map(|layer| layer.min_mode).max();
    let cap = cap
        .unwrap_or(Mode::Enforce)
        .max(floor.unwrap_or(Mode::AuditOnly));
    let mut used: Vec<usize> = layers.iter().filter_map(|layer| layer.bundle).collect();
    used.sort_unstable();
    used.dedup();
    for layer in &mut layers {
        layer.mode = layer.mode.min(cap);
        layer.bundle = layer
            .bundle
            .and_then(|bundle| used.binary_search(&bundle).ok());
        for rule in layer.rules.made_mut().into_iter().flatten() {
            rule.mode = rule.mode.min(cap);
            rule.declared_mode = rule.declared_mode.min(cap);
        }
    }
    let chain = scope.chain();
    let root = layers
        .iter()
        .find(|layer| chain.first() == Some(&layer.scope));
    let root_mode = root.map_or(Mode::Enforce, |root| root.mode);
    let used: Vec<&LoadedBundle> = used
        .iter()
        .filter_map(|index| bundles.get(*index).copied())
        .collect();
    let content = content::of_policy(scope, &layers).map_err(|error| {
        let message = format!("the policy has no canonical form: {error}");
        Diagnostic::error(Code::RESOLVE_LIMIT, message)
    })?;
    let rules = layers.iter().flat_map(|layer| &layer.rules);
    let changes = rules.flat_map(|rule| &rule.overrides);
    let until = changes.filter_map(|change| change.written.expires).min();
    Ok(EffectivePolicy {
        until,
        scope: scope.clone(),
        bundles: used.iter().map(|b| b.identity().clone()).collect(),
        layers,
        lapsed,
        root_mode,
        unsigned: used.iter().any(|bundle| bundle.is_unsigned()),
        validity: used.iter().fold(Validity::UNLIMITED, |all, bundle| {
            all.and(bundle.validity())
        }),
        digest: Sha256Digest::of(&content),
    })
}
