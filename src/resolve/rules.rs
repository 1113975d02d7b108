//! The rules of a layer: all of them made, or each when it is first asked for.

use std::ops::Range;
use std::sync::Arc;

use super::effective::EffectiveRule;
use super::stored::KeptRules;

/// The rules of a layer in the order in which they are looked at, disabled ones included.
#[derive(Debug, Clone)]
pub struct Rules(Held);

#[derive(Debug, Clone)]
enum Held {
    Made(Vec<EffectiveRule>),
    /// Of a policy that was compiled before.
    Kept(Arc<KeptRules>),
}

impl From<Vec<EffectiveRule>> for Rules {
    fn from(rules: Vec<EffectiveRule>) -> Self {
        Self(Held::Made(rules))
    }
}

impl Rules {
    pub(super) fn kept(rules: KeptRules) -> Self {
        Self(Held::Kept(Arc::new(rules)))
    }

    /// How many there are.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::Made(rules) => rules.len(),
            Held::Kept(rules) => rules.len(),
        }
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rule at this position; none where there is none, or what was kept of it makes no rule.
    #[must_use]
    #[inline]
    pub fn get(&self, position: usize) -> Option<&EffectiveRule> {
        match &self.0 {
            Held::Made(rules) => rules.get(position),
            Held::Kept(rules) => rules.get(position),
        }
    }

    /// All of them, by their positions. Those of a policy that was compiled before are made for it, up to the first that cannot be.
    #[must_use]
    pub fn iter(&self) -> RulesIter<'_> {
        RulesIter {
            rules: self,
            left: 0..self.len(),
        }
    }

    /// The same, to change them; none of a policy that was compiled before, in which nothing changes.
    pub(super) fn made_mut(&mut self) -> Option<&mut [EffectiveRule]> {
        match &mut self.0 {
            Held::Made(rules) => Some(rules),
            Held::Kept(_) => None,
        }
    }
}

/// The rules of a layer, one after the other.
#[derive(Debug, Clone)]
pub struct RulesIter<'a> {
    rules: &'a Rules,
    left: Range<usize>,
}

impl<'a> Iterator for RulesIter<'a> {
    type Item = &'a EffectiveRule;

    fn next(&mut self) -> Option<&'a EffectiveRule> {
        self.rules.get(self.left.next()?)
    }
}

impl<'a> IntoIterator for &'a Rules {
    type Item = &'a EffectiveRule;
    type IntoIter = RulesIter<'a>;

    fn into_iter(self) -> RulesIter<'a> {
        self.iter()
    }
}
