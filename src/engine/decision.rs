//! The decision: what is answered and recorded.
//!
//! Its fields are those of `docs/decision-log.md`. `approval` is reserved: it is absent until approvals fill it.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::evaluate::{Engine, Hit, Origin, Pick, Verdict};
use super::findings::Findings;
use super::request::Request;
use crate::bundle::BundleIdentity;
use crate::digest::Sha256Digest;
use crate::name::{RuleRef, Scope};
use crate::policy::{Effect, FoundPattern, Mode, Risk};
use crate::resolve::{EffectivePolicy, EffectiveRule, Source};
use crate::trust::Freshness;

fn shared<T, S>(value: &Arc<T>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + ?Sized,
    S: Serializer,
{
    (**value).serialize(serializer)
}

fn perhaps_shared<T, S>(value: &Option<Arc<T>>, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + ?Sized,
    S: Serializer,
{
    value.as_deref().serialize(serializer)
}

fn displayed<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MatchedRule {
    /// Its name; its scope is its layer.
    pub rule: RuleRef,
    /// What it asks for.
    pub effect: Effect,
    /// How far it binds.
    pub mode: Mode,
    /// Whether it counts only because a condition could not be judged.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// Where it was written.
    pub source: Option<Source>,
}

/// What would have happened if everything were enforced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Would {
    /// The effect.
    pub effect: Effect,
    /// The mode of what made it: under `warn`, tell the user.
    pub mode: Mode,
    /// The rule that made it, if a rule did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// Why.
    #[serde(serialize_with = "shared")]
    pub reason: Arc<str>,
    /// Why, for machines.
    #[serde(serialize_with = "shared")]
    pub reason_code: Arc<str>,
}

/// The answer to a request, and everything that explains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// A UUIDv7.
    #[serde(serialize_with = "displayed")]
    pub decision_id: Uuid,
    /// When.
    pub time: Timestamp,
    /// The scope whose policy decided.
    pub scope: Scope,
    /// The effect, from enforced rules alone.
    pub effect: Effect,
    /// What happens to the request.
    pub outcome: Outcome,
    /// `enforce` where something enforced decided; else the mode of what would have.
    pub mode: Mode,
    /// The determining rule, if a rule determined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleRef>,
    /// Why.
    #[serde(serialize_with = "shared")]
    pub reason: Arc<str>,
    /// Why, for machines.
    #[serde(serialize_with = "shared")]
    pub reason_code: Arc<str>,
    /// What the reader of a refusal can do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "perhaps_shared")]
    pub remediation: Option<Arc<str>>,
    /// The greatest risk that a catalogue gives the operation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// The capabilities that a catalogue asks for and the subject lacks, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing_capabilities: Vec<String>,
    /// The dangerous patterns of catalogues that match the arguments.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub patterns: Vec<FoundPattern>,
    /// Whether an audit rule matched, whatever decided.
    pub audited: bool,
    /// What would have happened if everything were enforced, where something else would have decided.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would: Option<Would>,
    /// Every rule that matched, in evaluation order.
    pub matched: Vec<MatchedRule>,
    /// The request's fingerprint.
    pub request_fingerprint: Sha256Digest,
    /// The effective policy's digest; none where there was no policy to evaluate.
    pub policy_digest: Option<Sha256Digest>,
    /// The bundles that took part.
    #[serde(serialize_with = "shared")]
    pub bundles: Arc<[BundleIdentity]>,
    /// Whether the policy was past its time.
    pub stale: bool,
    /// Whether a bundle that took part was not signed.
    pub unsigned: bool,
    /// How long it took, in nanoseconds.
    pub duration_ns: u64,
}

impl Decision {
    /// The decision that `verdict`, an answer of `engine`, makes on this occasion.
    #[must_use]
    pub fn new(engine: &Engine, verdict: &Verdict, occasion: Occasion) -> Self {
        let policy = engine.policy();
        let findings = &verdict.findings;
        let because = verdict
            .binding()
            .map(|pick| Because::of(policy, pick, findings));
        let because = because.unwrap_or_else(|| Because {
            rule: None,
            reason: "no enforced rule speaks of this request".into(),
            reason_code: "NOT_ENFORCED".into(),
            remediation: None,
        });
        let would = verdict.would();
        let differs = verdict.binding().map(|pick| pick.origin) != Some(would.origin);
        let hits = verdict.hits.iter().filter_map(|hit| matched(policy, *hit));
        Self {
            decision_id: occasion.decision_id,
            time: occasion.time,
            scope: policy.scope().clone(),
            effect: verdict.effect(),
            outcome: verdict.effect().into(),
            mode: verdict.binding().map_or(would.mode, |pick| pick.mode),
            rule: because.rule,
            reason: because.reason,
            reason_code: because.reason_code,
            remediation: because.remediation,
            risk: findings.risk,
            missing_capabilities: findings.missing.iter().cloned().collect(),
            patterns: findings.patterns.clone(),
            audited: verdict.is_audited(),
            would: differs.then(|| would_be(policy, would, findings)),
            matched: hits.collect(),
            request_fingerprint: occasion.request_fingerprint,
            policy_digest: Some(policy.digest()),
            bundles: Arc::clone(policy.bundles()),
            // SECURITY: the policy knows its own times; no caller can forget to say that it is past them.
            stale: occasion.freshness == Freshness::Stale
                || policy.validity().at(occasion.time) != Some(Freshness::Fresh),
            unsigned: policy.is_unsigned(),
            duration_ns: occasion.duration_ns,
        }
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
        let would = Would {
            effect: Effect::Deny,
            mode,
            rule: None,
            reason: reason.into(),
            reason_code: cause.as_str().into(),
        };
        Self {
            decision_id: occasion.decision_id,
            time: occasion.time,
            scope: scope.clone(),
            effect,
            outcome: effect.into(),
            mode,
            rule: None,
            reason: reason.into(),
            reason_code: cause.as_str().into(),
            remediation: None,
            risk: None,
            missing_capabilities: Vec::new(),
            patterns: Vec::new(),
            audited: false,
            would: Some(would).filter(|would| would.effect != effect),
            matched: Vec::new(),
            request_fingerprint: occasion.request_fingerprint,
            policy_digest: None,
            bundles: [].into(),
            stale: occasion.freshness == Freshness::Stale,
            unsigned: false,
            duration_ns: occasion.duration_ns,
        }
    }
}

/// Why a verdict was reached.
struct Because {
    rule: Option<RuleRef>,
    reason: Arc<str>,
    reason_code: Arc<str>,
    remediation: Option<Arc<str>>,
}

impl Because {
    fn of(policy: &EffectivePolicy, pick: Pick, findings: &Findings) -> Self {
        match pick.origin {
            Origin::Rule(layer, rule) => match rule_at(policy, layer, rule) {
                Some(rule) => Self {
                    rule: Some(rule.written.name.clone()),
                    reason: findings.reason(rule),
                    reason_code: rule.written.reason_code.clone().into(),
                    remediation: rule.written.remediation().cloned(),
                },
                None => Self::no_match(),
            },
            Origin::Default(layer) => {
                let scope = policy
                    .layers()
                    .get(layer)
                    .map_or("", |layer| layer.scope.as_str());
                let effect = pick.effect.as_str();
                let reason = format!(
                    "no rule of `{scope}` speaks of this request, and its default is `{effect}`"
                );
                Self {
                    rule: None,
                    reason: reason.into(),
                    reason_code: format!("DEFAULT_{}", effect.to_ascii_uppercase()).into(),
                    remediation: None,
                }
            }
            Origin::NoMatch => Self::no_match(),
        }
    }

    fn no_match() -> Self {
        Self {
            rule: None,
            reason: "no rule speaks of this request".into(),
            reason_code: "NO_MATCH".into(),
            remediation: None,
        }
    }
}

fn rule_at(policy: &EffectivePolicy, layer: usize, rule: usize) -> Option<&EffectiveRule> {
    policy.layers().get(layer)?.rules.get(rule)
}

fn would_be(policy: &EffectivePolicy, pick: Pick, findings: &Findings) -> Would {
    let because = Because::of(policy, pick, findings);
    Would {
        effect: pick.effect,
        mode: pick.mode,
        rule: because.rule,
        reason: because.reason,
        reason_code: because.reason_code,
    }
}

fn matched(policy: &EffectivePolicy, hit: Hit) -> Option<MatchedRule> {
    let rule = rule_at(policy, hit.layer, hit.rule)?;
    Some(MatchedRule {
        rule: rule.written.name.clone(),
        effect: rule.effect,
        mode: rule.mode,
        failed: hit.failed,
        source: rule.source.clone(),
    })
}
