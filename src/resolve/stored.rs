//! The parts of an effective policy as data that can be kept: what it is, without rules, and each rule by itself.
//!
//! From the parts a policy is made again: with all rules, each made when it is first asked for, or with some, which decides as the
//! whole does whatever the others do not speak of: whoever asks picks them. It lacks the overrides, whose work is in the rules, and
//! whatever else only people read.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::effective::{EffectiveLayer, EffectivePolicy, EffectiveRule, LayerKind};
use super::origin::{Source, SourceFile};
use super::rules::Rules;
use crate::bundle::BundleIdentity;
use crate::digest::Sha256Digest;
use crate::json;
use crate::name::{BundleName, Scope};
use crate::policy::{Effect, Mode, RestoredApart, RestoredTogether, Rule, StoredRule, WaiverTerms};
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
    disabled: bool,
}

impl StoredEffectiveRule {
    /// `rule` as data; none where it cannot be kept.
    #[must_use]
    pub(crate) fn of(rule: &EffectiveRule) -> Option<Self> {
        Some(Self {
            written: StoredRule::of(&rule.written)?,
            effect: rule.effect,
            mode: rule.mode,
            declared_mode: rule.declared_mode,
            precedence: rule.precedence,
            reason: rule.reason.as_ref().to_owned(),
            disabled: rule.disabled,
        })
    }

    /// The rule again, where `written` makes that of its scope which its author wrote.
    fn restore(
        self,
        layer: &StoredLayer,
        bundle: &BundleIdentity,
        written: impl FnOnce(StoredRule, &Scope) -> Option<Rule>,
    ) -> Option<EffectiveRule> {
        let written = written(self.written, &layer.scope)?;
        let location = &written.location;
        let source = Source {
            file: Arc::new(SourceFile::of(bundle, &location.file)),
            line: location.line,
        };
        Some(EffectiveRule {
            written: Arc::new(written),
            effect: self.effect,
            mode: self.mode,
            declared_mode: self.declared_mode,
            precedence: self.precedence,
            reason: self.reason.into(),
            disabled: self.disabled,
            overrides: Box::default(),
            source: Some(source),
        })
    }
}

/// Rules as data, one after the other.
#[derive(Debug)]
pub(crate) struct StoredRules {
    /// Each as JSON.
    pub(crate) texts: Vec<u8>,
    /// Where each begins, and where the last ends.
    pub(crate) offsets: Vec<u32>,
}

impl StoredRules {
    fn get(&self, number: usize) -> Option<StoredEffectiveRule> {
        let bounds: &[u32; 2] = self.offsets.get(number..)?.first_chunk()?;
        let [start, end] = bounds.map(|bound| bound as usize);
        json::from_slice(self.texts.get(start..end)?).ok()
    }
}

/// The rules of a layer, each made when it is first asked for: most never are.
#[derive(Debug)]
pub(super) struct KeptRules {
    layer: StoredLayer,
    bundle: BundleIdentity,
    stored: Arc<StoredRules>,
    /// The number of the layer's first among them.
    first: usize,
    together: Arc<RestoredApart>,
    made: Box<[OnceLock<Option<Box<EffectiveRule>>>]>,
}

impl KeptRules {
    pub(super) fn len(&self) -> usize {
        self.made.len()
    }

    pub(super) fn get(&self, position: usize) -> Option<&EffectiveRule> {
        let made = self.made.get(position)?.get_or_init(|| {
            let stored = self.stored.get(self.first.checked_add(position)?)?;
            let restore = |rule: StoredRule, scope: &Scope| self.together.restore(rule, scope);
            stored
                .restore(&self.layer, &self.bundle, restore)
                .map(Box::new)
        });
        made.as_deref()
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
        let mut rules = rules.into_iter().peekable();
        let mut together: BTreeMap<Option<usize>, RestoredTogether> = BTreeMap::new();
        let policy = self.with_rules(bundles, |layer, bundle, range| {
            let together = together.entry(layer.bundle).or_default();
            let mut restored = Vec::new();
            while let Some((_, rule)) = rules.next_if(|(number, _)| *number < range.end) {
                let written = |rule: StoredRule, scope: &Scope| rule.restore(scope, together);
                restored.push(rule.restore(layer, bundle?, written)?);
            }
            Some(restored.into())
        })?;
        rules.next().is_none().then_some(policy)
    }

    /// The whole policy, whose rules are made as they are asked for; none where something does not fit, as far as that is looked at.
    #[must_use]
    pub(crate) fn whole(
        &self,
        bundles: &[impl AsRef<VerifiedStatement>],
        rules: StoredRules,
    ) -> Option<EffectivePolicy> {
        let count = rules.offsets.len().checked_sub(1)?;
        let stored = Arc::new(rules);
        let mut together: BTreeMap<Option<usize>, Arc<RestoredApart>> = BTreeMap::new();
        let mut end = 0;
        let policy = self.with_rules(bundles, |layer, bundle, range| {
            end = range.end;
            let Some(bundle) = bundle.filter(|_| end <= count) else {
                return range.is_empty().then(|| Vec::new().into());
            };
            Some(Rules::kept(KeptRules {
                layer: layer.clone(),
                bundle: bundle.clone(),
                stored: Arc::clone(&stored),
                first: range.start,
                together: Arc::clone(together.entry(layer.bundle).or_default()),
                made: range.map(|_| OnceLock::new()).collect(),
            }))
        })?;
        (end == count).then_some(policy)
    }

    /// The policy, of whose layers `rules_of` gives the rules, by the numbers that they have among all.
    fn with_rules(
        &self,
        bundles: &[impl AsRef<VerifiedStatement>],
        mut rules_of: impl FnMut(&StoredLayer, Option<&BundleIdentity>, Range<usize>) -> Option<Rules>,
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
        let mut layers = Vec::with_capacity(self.layers.len());
        let mut end = 0_usize;
        for layer in &self.layers {
            let start = end;
            end = end.checked_add(layer.rules)?;
            let bundle = match layer.bundle {
                Some(position) => Some(identities.get(position)?),
                // What no bundle defines has no rules.
                None if layer.rules == 0 => None,
                None => return None,
            };
            layers.push(EffectiveLayer {
                scope: layer.scope.clone(),
                kind: layer.kind,
                bundle: layer.bundle,
                mode: layer.mode,
                min_mode: layer.min_mode,
                default: layer.default,
                waivers: WaiverTerms::default(),
                location: None,
                rules: rules_of(layer, bundle, start..end)?,
            });
        }
        let validity = used.iter().fold(Validity::UNLIMITED, |all, bundle| {
            all.and(bundle.validity())
        });
        Some(EffectivePolicy::of_parts(
            self.scope.clone(),
            self.digest,
            self.root_mode,
            (identities, validity),
            self.until,
            layers,
        ))
    }
}
