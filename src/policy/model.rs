//! The words of the language as types.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Condition, Facts, Lowered, Match, Matcher};
use crate::clock::Lifetime;
use crate::diag::Location;
use crate::name::{ReasonCode, RuleRef, Scope};

/// What a rule asks for, from the weakest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// Permit.
    Allow,
    /// Permit, and mark the decision for review.
    Audit,
    /// Permit once someone else has approved.
    RequireApproval,
    /// Refuse.
    Deny,
}

impl Effect {
    /// The word of the language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Audit => "audit",
            Self::RequireApproval => "require_approval",
            Self::Deny => "deny",
        }
    }

    /// The effect's rank as a verdict: `deny > require_approval > allow > audit`. An audit that loses leaves its mark, so
    /// an explicit `allow` says more than it.
    #[must_use]
    pub fn rank(self) -> u8 {
        match self {
            Self::Audit => 0,
            Self::Allow => 1,
            Self::RequireApproval => 2,
            Self::Deny => 3,
        }
    }
}

/// How much an operation can harm, as a catalogue says, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// It reads.
    Low,
    /// It changes what is easily put right.
    Medium,
    /// It changes what is hard to put right.
    High,
    /// It destroys, or takes control.
    Critical,
}

impl Risk {
    /// The word of the language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// How far a rule binds, from the weakest to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Never blocks; the decision records what would have happened.
    AuditOnly,
    /// As `audit-only`, and tells the user.
    Warn,
    /// Binds.
    Enforce,
}

impl Mode {
    /// The word of the language.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuditOnly => "audit-only",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
    }
}

/// What descendants may do to a rule.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum OverridePermission {
    /// Nothing.
    None,
    /// A stricter effect or a raised mode.
    #[default]
    Tighten,
    /// Anything; a loosening needs a reason.
    Any,
}

/// One line of policy.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Its qualified name.
    pub name: RuleRef,
    /// What it asks for.
    pub effect: Effect,
    /// Why, for people.
    pub reason: Arc<str>,
    /// Why, for machines; made from the id where the file gives none.
    pub reason_code: ReasonCode,
    /// Rules of a higher precedence are looked at first, within the scope.
    pub precedence: i32,
    /// What descendants may do to it.
    pub permission: OverridePermission,
    /// How far it binds: its own mode, or its layer's.
    pub mode: Mode,
    /// Which requests it speaks of.
    pub matcher: Matcher,
    /// What must hold besides.
    pub when: Option<Condition>,
    /// What few rules have.
    pub extras: Option<Box<Extras>>,
    /// Where it stands.
    pub location: Location,
}

impl Rule {
    /// Whether it speaks of the request: its `match`, and its `when` where that does not settle it.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> Match {
        let found = self.matcher.matches(facts);
        match &self.when {
            Some(when) if found != Match::No => Match::all([found, when.holds(facts)].into_iter()),
            _ => found,
        }
    }

    /// When it is in force; at any other time it is as if it were never written.
    #[must_use]
    pub fn valid(&self) -> Window {
        let extras = self.extras.as_ref();
        extras.map_or(Window::ALWAYS, |extras| extras.valid)
    }

    /// When it is in force, where that is not always.
    #[must_use]
    pub fn limits(&self) -> Option<Window> {
        Some(self.valid()).filter(|valid| *valid != Window::ALWAYS)
    }

    /// What the reader of a refusal can do.
    #[must_use]
    pub fn remediation(&self) -> Option<&Arc<str>> {
        self.extras.as_ref()?.remediation.as_ref()
    }

    /// Labels, without meaning to the engine.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        let extras = self.extras.as_ref();
        extras.map_or(&[], |extras| extras.tags.as_slice())
    }

    /// What it stands for, where a catalogue was lowered to it.
    #[must_use]
    pub fn lowered(&self) -> Option<&Lowered> {
        self.extras.as_ref()?.lowered.as_ref()
    }
}

/// What few rules have: it lies apart from them.
#[derive(Debug, Clone)]
pub struct Extras {
    /// When the rule is in force.
    pub valid: Window,
    /// What the reader of a refusal can do.
    pub remediation: Option<Arc<str>>,
    /// Labels.
    pub tags: Vec<String>,
    /// What it stands for.
    pub lowered: Option<Lowered>,
}

impl Extras {
    /// The same, where there is something.
    #[must_use]
    pub fn boxed(self) -> Option<Box<Self>> {
        let is_something = self.valid != Window::ALWAYS
            || self.remediation.is_some()
            || !self.tags.is_empty()
            || self.lowered.is_some();
        is_something.then(|| Box::new(self))
    }
}

/// The time during which a rule is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// The first moment, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// The first moment after it, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

impl Window {
    /// Without beginning or end.
    pub const ALWAYS: Self = Self {
        from: None,
        until: None,
    };

    /// Whether `now` lies in it.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }
}

/// A scope's change to a rule that it inherits.
#[derive(Debug, Clone)]
pub struct Override {
    /// The rule that it changes.
    pub rule: RuleRef,
    /// The new effect.
    pub effect: Option<Effect>,
    /// Whether the rule is switched off.
    pub disable: bool,
    /// The new mode.
    pub mode: Option<Mode>,
    /// The new precedence within the rule's own scope.
    pub precedence: Option<i32>,
    /// Why. An override that changes nothing else puts this in the place of the rule's reason.
    pub reason: Option<String>,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Where it was agreed.
    pub ticket: Option<String>,
    /// From when on it is as if it were never written.
    pub expires: Option<Timestamp>,
    /// Where it stands.
    pub location: Location,
}

impl Override {
    /// Whether the override has lapsed at `now`.
    #[must_use]
    pub fn is_lapsed(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether it changes the rule's displayed reason and nothing else.
    #[must_use]
    pub fn changes_reason_only(&self) -> bool {
        self.effect.is_none() && !self.disable && self.mode.is_none() && self.precedence.is_none()
    }
}

/// What a root scope demands of every override that loosens, besides a reason.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct WaiverTerms {
    /// What it must carry.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub require: BTreeSet<WaiverField>,
    /// How long it may still last, at any time; one that never lapses lasts longer than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Lifetime>,
}

impl WaiverTerms {
    /// Whether nothing is demanded.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.require.is_empty() && self.max_duration.is_none()
    }
}

/// A part of an override that a root scope may demand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaiverField {
    /// Who answers for it.
    Owner,
    /// Where it was agreed.
    Ticket,
    /// When it lapses.
    Expires,
}

impl WaiverField {
    /// The word of the language.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Ticket => "ticket",
            Self::Expires => "expires",
        }
    }

    /// Whether `change` carries it.
    #[must_use]
    pub fn is_in(self, change: &Override) -> bool {
        match self {
            Self::Owner => change.owner.is_some(),
            Self::Ticket => change.ticket.is_some(),
            Self::Expires => change.expires.is_some(),
        }
    }
}

/// What one scope says.
#[derive(Debug, Clone)]
pub struct Layer {
    /// The scope.
    pub scope: Scope,
    /// The packs that it extends, sorted, without repeats.
    pub extends: Vec<Scope>,
    /// Where it names each of them.
    pub extends_at: BTreeMap<Scope, Location>,
    /// The mode of its rules and default.
    pub mode: Mode,
    /// A consumer's own rollout may not go below this.
    pub min_mode: Mode,
    /// What it says where none of its rules matches; none for `abstain`.
    pub default: Option<Effect>,
    /// What it demands of waivers; only a root scope demands something.
    pub waivers: WaiverTerms,
    /// Its rules, in the order of the file.
    pub rules: Vec<Arc<Rule>>,
    /// Its changes to inherited rules.
    pub overrides: Vec<Override>,
    /// Where it stands.
    pub location: Location,
}

impl Layer {
    /// A scope that says nothing, in the default mode.
    pub(super) fn silent(scope: Scope, location: Location) -> Self {
        Self {
            scope,
            extends: Vec::new(),
            extends_at: BTreeMap::new(),
            mode: Mode::Enforce,
            min_mode: Mode::AuditOnly,
            default: None,
            waivers: WaiverTerms::default(),
            rules: Vec::new(),
            overrides: Vec::new(),
            location,
        }
    }
}
