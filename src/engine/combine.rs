//! What comes of the rules that match and of the defaults: steps 2 and 3 of [`evaluate`](super::evaluate).

use smallvec::SmallVec;

use super::evaluate::{Hit, Origin, Pick, RulePosition};
use crate::policy::{Effect, Mode};
use crate::resolve::{EffectivePolicy, EffectiveRule};

/// What is needed of a rule that matches.
///
/// Side by side, since a rule lies elsewhere in memory and most that match decide nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) effect: Effect,
    mode: Mode,
    is_raised: bool,
    /// Whether it is in force at any time.
    pub(super) is_lasting: bool,
    /// Whether a catalogue was lowered to it.
    pub(super) is_lowered: bool,
}

/// The effects, by their numbers.
const EFFECTS: [Effect; 4] = [
    Effect::Allow,
    Effect::Audit,
    Effect::RequireApproval,
    Effect::Deny,
];
/// The modes, by their numbers.
const MODES: [Mode; 3] = [Mode::AuditOnly, Mode::Warn, Mode::Enforce];

impl Head {
    /// The number of things that a rule may say: effects, modes, raised or not.
    const KINDS: usize = EFFECTS.len() * MODES.len() * 2;

    pub(super) fn of(rule: &EffectiveRule) -> Self {
        Self {
            effect: rule.effect,
            mode: rule.mode,
            is_raised: rule.is_raised(),
            is_lasting: !rule.disabled && rule.written.limits().is_none(),
            is_lowered: rule.written.lowered().is_some(),
        }
    }

    /// The same in a byte.
    pub(super) fn to_byte(self) -> u8 {
        let said = (self.effect as u8) << 2 | self.mode as u8;
        let flags = [self.is_raised, self.is_lasting, self.is_lowered];
        let bits = (4..).zip(flags).map(|(bit, flag)| u8::from(flag) << bit);
        bits.fold(said, |byte, bit| byte | bit)
    }

    /// What is in a byte; none where nothing is.
    pub(super) fn of_byte(byte: u8) -> Option<Self> {
        let flag = |bit: u8| byte & (1 << bit) != 0;
        let effect = usize::from(byte >> 2) % EFFECTS.len();
        let mode = usize::from(byte) % 4;
        (byte < 1 << 7).then_some(())?;
        Some(Self {
            effect: *EFFECTS.get(effect)?,
            mode: *MODES.get(mode)?,
            is_raised: flag(4),
            is_lasting: flag(5),
            is_lowered: flag(6),
        })
    }

    /// The number of what it says in its layer, among those of all layers.
    #[inline]
    fn kind_in(self, at: RulePosition) -> usize {
        const {
            assert!(Effect::Deny as usize + 1 == EFFECTS.len());
            assert!(Mode::Enforce as usize + 1 == MODES.len());
        }
        let said = (self.effect as usize * MODES.len() + self.mode as usize) * 2;
        at.layer() * Self::KINDS + said + usize::from(self.is_raised)
    }
}

/// Those of the rules that matched, in evaluation order.
pub(super) type Heads = SmallVec<[Head; 8]>;

/// What comes of all that is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sum {
    pub(super) binding: Option<Pick>,
    pub(super) would: Pick,
    pub(super) audited: bool,
}

/// Policies of as many layers have it ready what comes of each rule alone: it takes all layers to find that for the rules of one.
const FEW_LAYERS: usize = 32;

/// What comes of most requests, which one rule matches or none. It hangs on the rule's layer and on what the rule says, and on nothing
/// else, so it is found once.
#[derive(Debug)]
pub(super) struct Sums {
    none: Sum,
    /// By layer, and by what a rule of it says, where one says that; nothing where layers are many.
    alone: Vec<Option<Sum>>,
}

impl Sums {
    /// Those of a policy whose rules have these heads.
    pub(super) fn new(policy: &EffectivePolicy, heads: &[Head]) -> Self {
        let layers = policy.layers().len();
        let kept = if layers > FEW_LAYERS { 0 } else { layers };
        let mut alone = vec![None; kept * Head::KINDS];
        let layers = (0..).zip(policy.layers());
        let layers = layers.flat_map(|(layer, of)| (0..of.rules.len()).map(move |_| layer));
        for (layer, head) in layers.zip(heads) {
            let at = RulePosition { layer, rule: 0 };
            if let Some(sum) = alone.get_mut(head.kind_in(at)) {
                let hit = Hit { at, failed: false };
                sum.get_or_insert_with(|| sum_of(policy, &[hit], &[*head]));
            }
        }
        Self {
            none: sum_of(policy, &[], &[]),
            alone,
        }
    }

    /// What comes of the rules that matched and have these heads.
    #[inline]
    pub(super) fn of(&self, policy: &EffectivePolicy, hits: &[Hit], heads: &[Head]) -> Sum {
        match (hits, heads) {
            ([], _) => self.none,
            ([hit], [head])
                if !hit.failed
                    && let Some(Some(sum)) = self.alone.get(head.kind_in(hit.at)) =>
            {
                sum.by(hit.at)
            }
            _ => sum_of(policy, hits, heads),
        }
    }
}

impl Sum {
    /// The same, where the rule that matches is this one.
    #[inline]
    fn by(mut self, rule: RulePosition) -> Self {
        for pick in self.binding.iter_mut().chain([&mut self.would]) {
            if let Origin::Rule(at) = &mut pick.origin {
                *at = rule;
            }
        }
        self
    }
}

/// What comes of the rules that matched, in evaluation order, and have these heads.
#[inline(never)]
fn sum_of(policy: &EffectivePolicy, hits: &[Hit], heads: &[Head]) -> Sum {
    let mut said = Said::default();
    let mut all = Word::NONE;
    let mut enforced = Word::NONE;
    let mut audited = false;
    let mut matched = hits.iter().zip(heads).peekable();
    for (position, layer) in (0..).zip(policy.layers()) {
        let mut would = Voice::default();
        let mut binding = Voice::default();
        while let Some((hit, head)) = matched.next_if(|(hit, _)| hit.at.layer == position) {
            audited |= head.effect == Effect::Audit;
            let word = said.say(Pick {
                effect: head.effect,
                origin: Origin::Rule(hit.at),
                mode: head.mode,
            });
            would.hear(word, hit.failed);
            if head.mode == Mode::Enforce {
                // A raised rule adds its verdict and silences no other, and so does one whose condition could not be judged: where
                // a parent's `default: deny` stood in for it, a descendant that makes it `require_approval` must not lift that.
                binding.hear(word, hit.failed || head.is_raised);
            }
        }
        if let Some(effect) = layer.default {
            let word = said.say(Pick {
                effect,
                origin: Origin::Default(position),
                mode: layer.mode,
            });
            would.or_else(word);
            if layer.mode == Mode::Enforce {
                binding.or_else(word);
            }
        }
        audited |= would.first.is(Effect::Audit) || binding.first.is(Effect::Audit);
        all = all.or_greater(would.first).or_greater(would.added);
        enforced = enforced.or_greater(binding.first).or_greater(binding.added);
    }
    let mode = policy.root_mode();
    let no_match = Pick::no_match(mode);
    let binding = said.pick(enforced);
    Sum {
        binding: binding.or_else(|| (mode == Mode::Enforce).then_some(no_match)),
        would: said.pick(all).unwrap_or(no_match),
        audited,
    }
}

/// What rules and defaults say, one after the other.
#[derive(Default)]
struct Said(SmallVec<[Pick; 8]>);

/// One of the things that are said: small, so that some are soon weighed against others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Word {
    /// Among verdicts, more than nothing's.
    rank: u32,
    /// Its position plus one.
    position: u32,
}

impl Said {
    #[inline]
    fn say(&mut self, pick: Pick) -> Word {
        self.0.push(pick);
        Word {
            rank: Word::rank(pick.effect),
            position: u32::try_from(self.0.len()).unwrap_or(u32::MAX),
        }
    }

    fn pick(&self, word: Word) -> Option<Pick> {
        self.0.get(word.position.checked_sub(1)? as usize).copied()
    }
}

impl Word {
    const NONE: Self = Self {
        rank: 0,
        position: 0,
    };

    fn rank(effect: Effect) -> u32 {
        u32::from(effect.rank()) + 1
    }

    #[inline]
    fn is(self, effect: Effect) -> bool {
        self.rank == Self::rank(effect)
    }

    /// The greater verdict; the first of equals.
    #[inline]
    fn or_greater(self, other: Self) -> Self {
        if other.rank > self.rank { other } else { self }
    }

    #[inline]
    fn or(self, other: Self) -> Self {
        if self == Self::NONE { other } else { self }
    }
}

/// What the rules of a layer say.
struct Voice {
    /// The first of those that speak for it, and silence those after them; else its default.
    first: Word,
    /// The greatest of those that only add their verdict.
    added: Word,
}

impl Default for Voice {
    fn default() -> Self {
        let (first, added) = (Word::NONE, Word::NONE);
        Self { first, added }
    }
}

impl Voice {
    #[inline]
    fn hear(&mut self, word: Word, only_adds: bool) {
        if only_adds {
            self.added = self.added.or_greater(word);
        } else {
            self.first = self.first.or(word);
        }
    }

    /// Where no rule speaks for the layer, this does.
    #[inline]
    fn or_else(&mut self, default: Word) {
        self.first = self.first.or(default);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::*;
    use crate::bundle::Limits;
    use crate::resolve::{LoadedBundle, resolve};

    const MODES: [&str; 3] = ["audit-only", "warn", "enforce"];

    /// Rules of every effect and mode in two layers, of which the lower raises one of each effect and mode in the upper.
    fn policy(mode: &str, default: &str) -> EffectivePolicy {
        let effects = ["allow", "audit", "require_approval", "deny"];
        let kinds = || {
            effects
                .iter()
                .flat_map(|effect| MODES.map(|mode| (effect, mode)))
        };
        let rules = |highest: &str| {
            let kinds = kinds().filter(|(_, mode)| highest == "enforce" || *mode != "enforce");
            let rules = kinds.flat_map(|(effect, mode)| {
                ["a", "b"].map(|id| {
                    format!("- {{id: {id}-{effect}-{mode}, effect: {effect}, mode: {mode}, reason: x, override: any, match: {{}}}}\n")
                })
            });
            rules
                .collect::<String>()
                .replace("-require_approval", "-require")
        };
        let (upper, lower) = (rules(mode), rules("enforce"));
        let raised = kinds()
            .filter(|(_, mode)| *mode != "enforce")
            .map(|(effect, mode)| {
                let effect = effect.trim_end_matches("_approval");
                format!("- {{rule: 'acme#a-{effect}-{mode}', mode: enforce, reason: x}}\n")
            });
        let raised: String = raised.collect();
        let head = "apiVersion: ordain/v1\nkind: Policy\n";
        let files = [
            (
                "a",
                format!("{head}scope: acme\nmode: {mode}\ndefault: {default}\nrules:\n{upper}"),
            ),
            (
                "b",
                format!(
                    "{head}scope: acme/team\nmode: enforce\ndefault: allow\nrules:\n{lower}overrides:\n{raised}"
                ),
            ),
        ];
        let files: BTreeMap<_, Arc<[u8]>> = files
            .into_iter()
            .map(|(name, text)| {
                (
                    format!("policies/{name}.yaml").parse().unwrap(),
                    text.into_bytes().into(),
                )
            })
            .collect();
        let bundle =
            LoadedBundle::unsigned("acme".parse().unwrap(), None, &files, &Limits::default())
                .unwrap();
        let now = "2026-12-01T00:00:00Z".parse().unwrap();
        resolve(&[bundle], &"acme/team".parse().unwrap(), now, None).unwrap()
    }

    #[test]
    fn a_byte_says_all_of_a_head_or_nothing() {
        let heads = (0..=u8::MAX).filter_map(|byte| Some((byte, Head::of_byte(byte)?)));
        let heads: Vec<(u8, Head)> = heads.collect();
        assert_eq!(heads.len(), Head::KINDS * 4);
        for (byte, head) in heads {
            assert_eq!(head.to_byte(), byte, "{head:?}");
        }
        for (at, effect) in EFFECTS.into_iter().enumerate() {
            assert_eq!(effect as usize, at);
        }
        for (at, mode) in super::MODES.into_iter().enumerate() {
            assert_eq!(mode as usize, at);
        }
    }

    #[test]
    fn what_is_found_beforehand_is_what_comes_of_each_rule_alone() {
        for (mode, default, count) in [("enforce", "deny", 48), ("warn", "audit", 40)] {
            let policy = policy(mode, default);
            let rules = (0..).zip(policy.layers()).flat_map(|(layer, of)| {
                (0..)
                    .zip(&of.rules)
                    .map(move |(rule, of)| (RulePosition { layer, rule }, Head::of(of)))
            });
            let rules: Vec<(RulePosition, Head)> = rules.collect();
            let heads: Vec<Head> = rules.iter().map(|(_, head)| *head).collect();
            assert_eq!(
                (
                    heads.len(),
                    heads.iter().filter(|head| head.is_raised).count()
                ),
                (count, 8)
            );
            let sums = Sums::new(&policy, &heads);
            assert!(!sums.alone.is_empty());
            let told = |sum: Sum| format!("{sum:?}");
            assert_eq!(
                told(sums.of(&policy, &[], &[])),
                told(sum_of(&policy, &[], &[]))
            );
            for (at, head) in rules {
                for failed in [false, true] {
                    let hits = [Hit { at, failed }];
                    let found = told(sum_of(&policy, &hits, &[head]));
                    assert_eq!(told(sums.of(&policy, &hits, &[head])), found, "{head:?}");
                }
            }
        }
    }
}
