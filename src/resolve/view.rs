//! The effective policy as `policy resolve` shows it.

use jiff::Timestamp;
use serde::Serialize;

use super::effective::{
    AppliedOverride, EffectiveLayer, EffectivePolicy, EffectiveRule, LayerKind,
};
use super::origin::Source;
use crate::bundle::BundleIdentity;
use crate::digest::Sha256Digest;
use crate::name::{BundleName, ReasonCode, RuleRef, Scope};
use crate::policy::{Condition, Effect, Mode, OverridePermission, WaiverTerms, Window, Written};

/// An [`EffectivePolicy`] for people and scripts.
#[derive(Debug, Clone, Serialize)]
pub struct PolicyView<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// The policy's digest.
    pub policy_digest: Sha256Digest,
    /// Whether a bundle that takes part was not signed.
    pub unsigned: bool,
    /// The mode of `NO_MATCH`.
    pub mode: Mode,
    /// The bundles that take part.
    pub bundles: &'a [BundleIdentity],
    /// The layers in evaluation order.
    pub layers: Vec<LayerView<'a>>,
    /// What the root scope demands of waivers, where it demands something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waivers: Option<&'a WaiverTerms>,
    /// Every override that loosens.
    pub loosenings: Vec<OverrideView<'a>>,
    /// Overrides that count no more.
    pub lapsed: Vec<OverrideView<'a>>,
}

/// One layer.
#[derive(Debug, Clone, Serialize)]
pub struct LayerView<'a> {
    /// The scope.
    pub scope: &'a Scope,
    /// Why it takes part.
    pub kind: LayerKind,
    /// The bundle that defines it; none where no bundle does.
    pub bundle: Option<&'a BundleName>,
    /// Its mode.
    pub mode: Mode,
    /// What it says where none of its rules matches; none for `abstain`.
    pub default: Option<Effect>,
    /// Its rules in the order in which they are looked at.
    pub rules: Vec<RuleView<'a>>,
}

/// One rule.
#[derive(Debug, Clone, Serialize)]
pub struct RuleView<'a> {
    /// Its name.
    pub rule: &'a RuleRef,
    /// What it asks for.
    pub effect: Effect,
    /// What it asked for as written, where an override changed that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_effect: Option<Effect>,
    /// How far it binds.
    pub mode: Mode,
    /// Its precedence.
    pub precedence: i32,
    /// Whether an override switched it off.
    pub disabled: bool,
    /// What descendants may do to it.
    #[serde(rename = "override")]
    pub permission: OverridePermission,
    /// Why.
    pub reason: &'a str,
    /// Why, for machines.
    pub reason_code: &'a ReasonCode,
    /// What the reader of a refusal can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remediation: Option<&'a str>,
    /// Labels.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub tags: &'a [String],
    /// Which requests it speaks of.
    #[serde(rename = "match")]
    pub matcher: &'a Written,
    /// What must hold besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub when: Option<&'a str>,
    /// When it is in force, where it is not always.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<Window>,
    /// Where it was written.
    pub source: Option<&'a Source>,
    /// The overrides that touched it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<OverrideView<'a>>,
}

/// One override.
#[derive(Debug, Clone, Serialize)]
pub struct OverrideView<'a> {
    /// The rule that it changes.
    pub rule: &'a RuleRef,
    /// The scope that made it.
    pub by: &'a Scope,
    /// Whether it asks for less than what it found.
    pub loosens: bool,
    /// The new effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Whether it switches the rule off.
    pub disable: bool,
    /// The new mode.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// The new precedence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub precedence: Option<i32>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<&'a str>,
    /// Where it was agreed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket: Option<&'a str>,
    /// When it lapses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// Where it was written.
    pub source: Option<&'a Source>,
}

impl EffectivePolicy {
    /// The policy as `policy resolve` shows it.
    #[must_use]
    pub fn view(&self) -> PolicyView<'_> {
        let layers = self.layers().iter();
        PolicyView {
            scope: self.scope(),
            policy_digest: self.digest(),
            unsigned: self.is_unsigned(),
            mode: self.root_mode(),
            bundles: self.bundles(),
            layers: layers.map(|layer| self.layer_view(layer)).collect(),
            waivers: self.waivers(),
            loosenings: self
                .loosenings()
                .map(|(_, change)| OverrideView::of(change))
                .collect(),
            lapsed: self.lapsed().iter().map(OverrideView::of).collect(),
        }
    }

    fn layer_view<'a>(&'a self, layer: &'a EffectiveLayer) -> LayerView<'a> {
        let bundle = layer.bundle.and_then(|bundle| self.bundles().get(bundle));
        LayerView {
            scope: &layer.scope,
            kind: layer.kind,
            bundle: bundle.map(|bundle| &bundle.name),
            mode: layer.mode,
            default: layer.default,
            rules: layer.rules.iter().map(rule_view).collect(),
        }
    }
}

impl EffectiveRule {
    /// The overrides that touched the rule, in evaluation order.
    #[must_use]
    pub fn override_views(&self) -> Vec<OverrideView<'_>> {
        self.overrides.iter().map(OverrideView::of).collect()
    }
}

fn rule_view(rule: &EffectiveRule) -> RuleView<'_> {
    let written = &rule.written;
    RuleView {
        rule: &written.name,
        effect: rule.effect,
        written_effect: Some(written.effect).filter(|effect| *effect != rule.effect),
        mode: rule.mode,
        precedence: rule.precedence,
        disabled: rule.disabled,
        permission: written.permission,
        reason: &rule.reason,
        reason_code: &written.reason_code,
        remediation: written.remediation().map(AsRef::as_ref),
        tags: written.tags(),
        matcher: written.matcher.source(),
        when: written.when.as_ref().map(Condition::source),
        valid: written.limits(),
        source: rule.source.as_ref(),
        overrides: rule.override_views(),
    }
}

impl<'a> OverrideView<'a> {
    pub(super) fn of(change: &'a AppliedOverride) -> Self {
        let written = &change.written;
        Self {
            rule: &written.rule,
            by: &change.by,
            loosens: change.loosens,
            effect: written.effect,
            disable: written.disable,
            mode: written.mode,
            precedence: written.precedence,
            reason: written.reason.as_deref(),
            owner: written.owner.as_deref(),
            ticket: written.ticket.as_deref(),
            expires: written.expires,
            source: change.source.as_ref(),
        }
    }
}
