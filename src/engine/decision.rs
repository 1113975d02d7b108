//! The decision: what is answered and recorded.
//!
//! Its fields are those of `docs/decision-log.md`. `approval` is reserved: it is absent until approvals fill it.

mod hold;

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::evaluate::{Engine, Origin, Pick, RulePosition, Verdict};
use super::findings::Findings;
use super::request::Request;
use crate::bundle::BundleIdentity;
use crate::digest::Sha256Digest;
use crate::name::{RuleRef, Scope};
use crate::policy::{Effect, FoundPattern, Mode, Risk};
use crate::resolve::{EffectivePolicy, EffectiveRule, Source};
use crate::trust::Freshness;

pub(crate) use hold::Hold;

/// What happens to the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It may go on.
    Allowed,
    /// It may not.
    Denied,
    /// It waits for an approval.
    Pending,
}

impl From<Effect> for Outcome {
    fn from(effect: Effect) -> Self {
        match effect {
            Effect::Allow | Effect::Audit => Self::Allowed,
            Effect::RequireApproval => Self::Pending,
            Effect::Deny => Self::Denied,
        }
    }
}

/// Why a decision is made without a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Verification failed.
    PolicyNotTrusted,
    /// The source cannot be reached, and nothing is here.
    PolicyUnavailable,
    /// The policy or the configuration of it is invalid.
    PolicyInvalid,
    /// This machine failed to read it.
    PolicyUnreadable,
    /// The request cannot be read.
    InvalidRequest,
    /// The decision is too long for a line of the log.
    RecordTooLong,
    /// The decision cannot be recorded.
    LogUnwritable,
}

impl Cause {
    /// The reason code.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PolicyNotTrusted => "POLICY_NOT_TRUSTED",
            Self::PolicyUnavailable => "POLICY_UNAVAILABLE",
            Self::PolicyInvalid => "POLICY_INVALID",
            Self::PolicyUnreadable => "POLICY_UNREADABLE",
            Self::InvalidRequest => "INVALID_REQUEST",
            Self::RecordTooLong => "RECORD_TOO_LONG",
            Self::LogUnwritable => "LOG_UNWRITABLE",
        }
    }
}

/// What only the caller knows of a decision.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// The decision's id, a UUIDv7.
    pub decision_id: Uuid,
    /// When it was made.
    pub time: Timestamp,
    /// The request's fingerprint.
    pub request_fingerprint: Sha256Digest,
    /// Whether the policy was stale.
    pub freshness: Freshness,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
}

impl Occasion {
    /// Of a decision that nobody acts on and no log holds: its id is the nil UUID, so that two of the same request are the same.
    #[must_use]
    #[inline]
    pub fn rehearsal(request: &Request, time: Timestamp) -> Self {
        Self {
            decision_id: Uuid::nil(),
            time,
            request_fingerprint: request.fingerprint(),
            freshness: Freshness::Fresh,
            duration_ns: 0,
        }
    }
}

/// A rule that matched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct MatchedRule<'a> {
    /// Its name; its scope is its layer.
    pub rule: &'a RuleRef,
    /// What it asks for.
    pub effect: Effect,
    /// How far it binds.
    pub mode: Mode,
    /// Whether it counts only because a condition could not be judged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// Where it was written.
    pub source: Option<&'a Source>,
}

/// What would have happened if everything were enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Would<'a> {
    /// The effect.
    pub effect: Effect,
    /// The mode of what made it: under `warn`, tell the user.
    pub mode: Mode,
    /// The rule that made it, if a rule did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'a RuleRef>,
    /// Why.
    pub reason: Cow<'a, str>,
    /// Why, for machines.
    pub reason_code: &'a str,
}

/// The answer to a request, and everything that explains it.
///
/// Names, reasons and places are those of the policy that decided, which the decision holds and reads when it is asked.
#[derive(Debug, Clone)]
pub struct Decision {
    /// A UUIDv7.
    pub decision_id: Uuid,
    /// When.
    pub time: Timestamp,
    /// The effect, from enforced rules alone.
    pub effect: Effect,
    /// What happens to the request.
    pub outcome: Outcome,
    /// `enforce` where something enforced decided; else the mode of what would have.
    pub mode: Mode,
    /// The request's fingerprint.
    pub request_fingerprint: Sha256Digest,
    /// Whether the policy was past its time.
    pub stale: bool,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
    ground: Ground,
}

/// What a decision rests on.
#[derive(Debug, Clone)]
enum Ground {
    Policy {
        policy: Arc<EffectivePolicy>,
        verdict: Verdict,
    },
    /// No policy could be evaluated.
    Cause {
        scope: Scope,
        cause: Cause,
        reason: Arc<str>,
    },
}

impl Decision {
    /// The decision that `verdict`, an answer of `engine`, makes on this occasion.
    #[must_use]
    pub fn new(engine: &Engine, verdict: Verdict, occasion: Occasion) -> Self {
        Self::with(Arc::clone(engine.shared_policy()), verdict, occasion)
    }

    #[inline]
    fn with(policy: Arc<EffectivePolicy>, verdict: Verdict, occasion: Occasion) -> Self {
        let (effect, mode) = verdict.binds();
        Self {
            decision_id: occasion.decision_id,
            time: occasion.time,
            effect,
            outcome: effect.into(),
            mode,
            request_fingerprint: occasion.request_fingerprint,
            // SECURITY: the policy knows its own times; no caller can forget to say that it is past them.
            stale: occasion.freshness == Freshness::Stale
                || policy.validity().at(occasion.time) != Some(Freshness::Fresh),
            duration_ns: occasion.duration_ns,
            ground: Ground::Policy { policy, verdict },
        }
    }

    /// The decision of `engine` on `request`, on this occasion.
    #[must_use]
    pub fn of(engine: &Engine, request: &Request, occasion: Occasion) -> Self {
        let facts = engine.facts(request, occasion.time);
        let policy = Arc::clone(engine.shared_policy());
        let mut decision = Self::with(policy, Verdict::unjudged(), occasion);
        if let Ground::Policy { verdict, .. } = &mut decision.ground {
            engine.judge(&facts, verdict);
            (decision.effect, decision.mode) = verdict.binds();
            decision.outcome = decision.effect.into();
        }
        decision
    }

    /// The decision where no policy can be evaluated: invalid, unverified, missing. Under `enforce` it denies; under a lower
    /// mode it allows, with the same cause on record and the denial under `would`.
    #[must_use]
    pub fn fail_closed(
        scope: &Scope,
        mode: Mode,
        cause: Cause,
        reason: &str,
        occasion: Occasion,
    ) -> Self {
        let effect = if mode == Mode::Enforce {
            Effect::Deny
        } else {
            Effect::Allow
        };
        Self {
            decision_id: occasion.decision_id,
            time: occasion.time,
            effect,
            outcome: effect.into(),
            mode,
            request_fingerprint: occasion.request_fingerprint,
            stale: occasion.freshness == Freshness::Stale,
            duration_ns: occasion.duration_ns,
            ground: Ground::Cause {
                scope: scope.clone(),
                cause,
                reason: reason.into(),
            },
        }
    }

    /// The scope whose policy decided.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        match &self.ground {
            Ground::Policy { policy, .. } => policy.scope(),
            Ground::Cause { scope, .. } => scope,
        }
    }

    fn because(&self) -> Because<'_> {
        match &self.ground {
            Ground::Policy { policy, verdict } => match verdict.binding() {
                Some(pick) => Because::of(policy, pick, &verdict.findings),
                None => Because::coded("no enforced rule speaks of this request", "NOT_ENFORCED"),
            },
            Ground::Cause { cause, reason, .. } => Because::coded(reason, cause.as_str()),
        }
    }

    /// The determining rule, if a rule determined.
    #[must_use]
    pub fn rule(&self) -> Option<&RuleRef> {
        let Ground::Policy { policy, verdict } = &self.ground else {
            return None;
        };
        let rule = rule_of(policy, verdict.binding()?)?;
        Some(&rule.written.name)
    }

    /// Why.
    #[must_use]
    pub fn reason(&self) -> Cow<'_, str> {
        self.because().reason
    }

    /// Why, for machines.
    #[must_use]
    pub fn reason_code(&self) -> &str {
        self.because().reason_code
    }

    /// What the reader of a refusal can do.
    #[must_use]
    pub fn remediation(&self) -> Option<&str> {
        self.because().remediation
    }

    /// The greatest risk that a catalogue gives the operation.
    #[must_use]
    pub fn risk(&self) -> Option<Risk> {
        self.findings()?.risk
    }

    /// The capabilities that a catalogue asks for and the subject lacks, sorted.
    #[must_use]
    pub fn missing_capabilities(&self) -> &[String] {
        self.findings().map_or(&[], Findings::missing)
    }

    /// The dangerous patterns of catalogues that match the arguments.
    #[must_use]
    pub fn patterns(&self) -> &[FoundPattern] {
        self.findings().map_or(&[], Findings::patterns)
    }

    fn findings(&self) -> Option<&Findings> {
        match &self.ground {
            Ground::Policy { verdict, .. } => Some(&verdict.findings),
            Ground::Cause { .. } => None,
        }
    }

    /// Whether an audit rule matched, whatever decided.
    #[must_use]
    pub fn is_audited(&self) -> bool {
        matches!(&self.ground, Ground::Policy { verdict, .. } if verdict.is_audited())
    }

    /// What would have happened if everything were enforced, where something else would have decided.
    #[must_use]
    pub fn would(&self) -> Option<Would<'_>> {
        let (effect, mode, because) = match &self.ground {
            Ground::Policy { policy, verdict } => {
                let would = verdict.would();
                if verdict.binding().map(|pick| pick.origin) == Some(would.origin) {
                    return None;
                }
                let because = Because::of(policy, would, &verdict.findings);
                (would.effect, would.mode, because)
            }
            Ground::Cause { .. } if self.effect == Effect::Deny => return None,
            Ground::Cause { .. } => (Effect::Deny, self.mode, self.because()),
        };
        Some(Would {
            effect,
            mode,
            rule: because.rule,
            reason: because.reason,
            reason_code: because.reason_code,
        })
    }

    /// Every rule that matched, in evaluation order.
    pub fn matched(&self) -> impl Iterator<Item = MatchedRule<'_>> {
        let ground = match &self.ground {
            Ground::Policy { policy, verdict } => Some((policy, verdict)),
            Ground::Cause { .. } => None,
        };
        let hits = ground.into_iter().flat_map(|(policy, verdict)| {
            let hits = verdict.hits.iter();
            hits.map(move |hit| (rule_at(policy, hit.at), hit.failed))
        });
        hits.filter_map(|(rule, failed)| {
            let rule = rule?;
            Some(MatchedRule {
                rule: &rule.written.name,
                effect: rule.effect,
                mode: rule.mode,
                failed,
                source: rule.source.as_ref(),
            })
        })
    }

    /// The effective policy's digest; none where there was no policy to evaluate.
    #[must_use]
    pub fn policy_digest(&self) -> Option<Sha256Digest> {
        match &self.ground {
            Ground::Policy { policy, .. } => Some(policy.digest()),
            Ground::Cause { .. } => None,
        }
    }

    /// The bundles that took part.
    #[must_use]
    pub fn bundles(&self) -> &[BundleIdentity] {
        match &self.ground {
            Ground::Policy { policy, .. } => policy.bundles(),
            Ground::Cause { .. } => &[],
        }
    }

    /// The same list, held by all decisions of one policy; none where there was no policy.
    pub(super) fn shared_bundles(&self) -> Option<&Arc<[BundleIdentity]>> {
        match &self.ground {
            Ground::Policy { policy, .. } => Some(policy.bundles()),
            Ground::Cause { .. } => None,
        }
    }

    /// Whether a bundle that took part was not signed.
    #[must_use]
    pub fn is_unsigned(&self) -> bool {
        matches!(&self.ground, Ground::Policy { policy, .. } if policy.is_unsigned())
    }

    /// All that is written down of it.
    pub(super) fn told(&self) -> Told<'_> {
        let because = self.because();
        Told {
            decision_id: self.decision_id,
            time: self.time,
            scope: self.scope(),
            effect: self.effect,
            outcome: self.outcome,
            mode: self.mode,
            rule: because.rule,
            reason: because.reason,
            reason_code: because.reason_code,
            remediation: because.remediation,
            risk: self.risk(),
            missing_capabilities: self.missing_capabilities(),
            patterns: self.patterns(),
            audited: self.is_audited(),
            would: self.would(),
            matched: self.matched().collect(),
            request_fingerprint: self.request_fingerprint,
            policy_digest: self.policy_digest(),
            bundles: self.bundles(),
            stale: self.stale,
            unsigned: self.is_unsigned(),
            duration_ns: self.duration_ns,
        }
    }
}

impl Serialize for Decision {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.told().serialize(serializer)
    }
}

/// Two decisions that tell the same are the same, whichever policies they hold.
impl PartialEq for Decision {
    fn eq(&self, other: &Self) -> bool {
        self.told() == other.told()
    }
}

impl Eq for Decision {}

/// A decision as it is written down.
#[derive(PartialEq, Eq, Serialize)]
pub(super) struct Told<'a> {
    #[serde(serialize_with = "displayed")]
    pub(super) decision_id: Uuid,
    pub(super) time: Timestamp,
    pub(super) scope: &'a Scope,
    pub(super) effect: Effect,
    pub(super) outcome: Outcome,
    pub(super) mode: Mode,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) rule: Option<&'a RuleRef>,
    pub(super) reason: Cow<'a, str>,
    pub(super) reason_code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remediation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) risk: Option<Risk>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(super) missing_capabilities: &'a [String],
    #[serde(skip_serializing_if = "<[FoundPattern]>::is_empty")]
    pub(super) patterns: &'a [FoundPattern],
    pub(super) audited: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) would: Option<Would<'a>>,
    pub(super) matched: Vec<MatchedRule<'a>>,
    pub(super) request_fingerprint: Sha256Digest,
    pub(super) policy_digest: Option<Sha256Digest>,
    pub(super) bundles: &'a [BundleIdentity],
    pub(super) stale: bool,
    pub(super) unsigned: bool,
    pub(super) duration_ns: u64,
}

fn displayed<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// Why a verdict was reached.
struct Because<'a> {
    rule: Option<&'a RuleRef>,
    reason: Cow<'a, str>,
    reason_code: &'a str,
    remediation: Option<&'a str>,
}

impl<'a> Because<'a> {
    fn of(policy: &'a EffectivePolicy, pick: Pick, findings: &Findings) -> Self {
        let no_match = || Self::coded("no rule speaks of this request", "NO_MATCH");
        match pick.origin {
            Origin::Rule(..) => rule_of(policy, pick).map_or_else(no_match, |rule| Self {
                rule: Some(&rule.written.name),
                reason: findings.reason(rule),
                reason_code: rule.written.reason_code.as_str(),
                remediation: rule.written.remediation().map(|text| &**text),
            }),
            Origin::Default(layer) => {
                let layer = policy.layers().get(layer as usize);
                let scope = layer.map_or("", |layer| layer.scope.as_str());
                let effect = pick.effect.as_str();
                let reason = format!(
                    "no rule of `{scope}` speaks of this request, and its default is `{effect}`"
                );
                Self {
                    rule: None,
                    reason: reason.into(),
                    reason_code: match pick.effect {
                        Effect::Allow => "DEFAULT_ALLOW",
                        Effect::Audit => "DEFAULT_AUDIT",
                        Effect::RequireApproval => "DEFAULT_REQUIRE_APPROVAL",
                        Effect::Deny => "DEFAULT_DENY",
                    },
                    remediation: None,
                }
            }
            Origin::NoMatch => no_match(),
        }
    }

    fn coded(reason: &'a str, reason_code: &'a str) -> Self {
        Self {
            rule: None,
            reason: reason.into(),
            reason_code,
            remediation: None,
        }
    }
}

fn rule_of(policy: &EffectivePolicy, pick: Pick) -> Option<&EffectiveRule> {
    match pick.origin {
        Origin::Rule(at) => rule_at(policy, at),
        Origin::Default(_) | Origin::NoMatch => None,
    }
}

fn rule_at(policy: &EffectivePolicy, at: RulePosition) -> Option<&EffectiveRule> {
    policy.layers().get(at.layer())?.rules.get(at.rule())
}
