//! The parts of an effective policy as data that can be kept: what it is, without rules, and each rule by itself.
//!
//! From the parts a policy is made again with some of the rules, which decides as the whole does whatever the others do not speak
//! of: whoever asks picks them. It lacks the overrides, whose work is in the rules, and whatever else only people read.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::effective::{EffectiveLayer, EffectivePolicy, EffectiveRule, LayerKind};
use super::origin::{Source, SourceFile};
use crate::bundle::BundleIdentity;
use crate::digest::Sha256Digest;
use crate::name::{BundleName, Scope};
use crate::policy::{Effect, Mode, RestoredTogether, StoredRule, WaiverTerms};
use crate::trust::{Validity, VerifiedStatement};

/// An effective policy but for its rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredPolicy {
    scope: Scope,
    digest: Sha256Digest,
    root_mode: Mode,
    /// The bundles that take part, in the policy's order.
    bundles: Vec<BundleName>,
    layers: Vec<StoredLayer>,
    /// From when to when the same overrides count.
    from: Timestamp,
    until: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLayer {
    scope: Scope,
    kind: LayerKind,
    bundle: Option<usize>,
    mode: Mode,
    min_mode: Mode,
    default: Option<Effect>,
    rules: usize,
}

/// A rule after every override.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StoredEffectiveRule {
    written: StoredRule,
    effect: Effect,
    mode: Mode,
    declared_mode: Mode,
    precedence: i32,
    reason: String,
}

impl StoredEffectiveRule {
    /// `rule` as data; none where it is switched off, or cannot be kept.
    #[must_use]
    pub(crate) fn of(rule: &EffectiveRule) -> Option<Self> {
        if rule.disabled {
            return None;
        }
        Some(Self {
            written: StoredRule::of(&rule.written)?,
            effect: rule.effect,
            mode: rule.mode,
            declared_mode: rule.declared_mode,
            precedence: rule.precedence,
            reason: rule.reason.as_ref().to_owned(),
        })
    }

    fn restore(
        self,
        layer: &StoredLayer,
        bundle: Option<&BundleIdentity>,
        together: &RestoredTogether,
    ) -> Option<EffectiveRule> {
        let written = self.written.restore(&layer.scope, together)?;
        let source = bundle.map(|bundle| {
            let location = &written.location;
            Source {
                file: Arc::new(SourceFile::of(bundle, &location.file)),
                line: location.line,
            }
        });
        Some(EffectiveRule {
            written: Arc::new(written),
            effect: self.effect,
            mode: self.mode,
            declared_mode: self.declared_mode,
            precedence: self.precedence,
            reason: self.reason.into(),
            disabled: false,
            overrides: Box::default(),
            source,
        })
    }
}

impl StoredPolicy {
    /// `policy`, resolved at `now`, without its rules.
    #[must_use]
    pub(crate) fn of(policy: &EffectivePolicy, now: Timestamp) -> Self {
        let layer = |layer: &EffectiveLayer| StoredLayer {
            scope: layer.scope.clone(),
            kind: layer.kind,
            bundle: layer.bundle,
            mode: layer.mode,
            min_mode: layer.min_mode,
            default: layer.default,
            rules: layer.rules.len(),
        };
        Self {
            scope: policy.scope().clone(),
            digest: policy.digest(),
            root_mode: policy.root_mode(),
            bundles: policy.bundles().iter().map(|b| b.name.clone()).collect(),
            layers: policy.layers().iter().map(layer).collect(),
            from: now,
            until: policy.until(),
        }
    }

    /// Whether it is the policy at `now`, too: no override has lapsed since, and the clock has not gone back.
    #[must_use]
    pub(crate) fn holds(&self, now: Timestamp) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }

    /// The policy with `rules` alone, numbered as among all of them, and in the order of their numbers; none where something does
    /// not fit. Who signed the bundles, and until when they serve, is as `bundles` have been verified to say.
    #[must_use]
    pub(crate) fn restore(
        &self,
        bundles: &[impl AsRef<VerifiedStatement>],
        rules: impl IntoIterator<Item = (usize, StoredEffectiveRule)>,
    ) -> Option<EffectivePolicy> {
        let known: BTreeMap<&BundleName, &VerifiedStatement> = bundles
            .iter()
            .map(|bundle| (&bundle.as_ref().predicate().bundle, bundle.as_ref()))
            .collect();
        let used: Option<Vec<&VerifiedStatement>> = self
            .bundles
            .iter()
            .map(|name| known.get(name).copied())
            .collect();
        // SECURITY: a policy of no bundle would be nobody's, and one that stands twice would have twice what a bundle may take.
        let is_once = self.bundles.is_sorted_by(|one, next| one < next);
        let used = used.filter(|used| is_once && !used.is_empty())?;
        let identities: Arc<[BundleIdentity]> = used.iter().map(|b| b.identity()).collect();
        let mut rules = rules.into_iter().peekable();
        let mut layers = Vec::with_capacity(self.layers.len());
        let mut together: BTreeMap<Option<usize>, RestoredTogether> = BTreeMap::new();
        let mut end = 0_usize;
        for layer in &self.layers {
            end = end.checked_add(layer.rules)?;
            let bundle = match layer.bundle {
                Some(position) => Some(identities.get(position)?),
                // What no bundle defines has no rules.
                None if layer.rules == 0 => None,
                None => return None,
            };
            let together = together.entry(layer.bundle).or_default();
            let mut restored = Vec::new();
            while let Some((_, rule)) = rules.next_if(|(number, _)| *number < end) {
                restored.push(rule.restore(layer, bundle, together)?);
            }
            layers.push(EffectiveLayer {
                scope: layer.scope.clone(),
                kind: layer.kind,
                bundle: layer.bundle,
                mode: layer.mode,
                min_mode: layer.min_mode,
                default: layer.default,
                waivers: WaiverTerms::default(),
                location: None,
                rules: restored,
            });
        }
        let validity = used.iter().fold(Validity::UNLIMITED, |all, bundle| {
            all.and(bundle.validity())
        });
        rules.next().is_none().then(|| {
            EffectivePolicy::of_parts(
                self.scope.clone(),
                self.digest,
                self.root_mode,
                (identities, validity),
                self.until,
                layers,
            )
        })
    }
}
