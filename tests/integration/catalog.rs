//! Catalogues: what they refuse, what they are lowered to, and what decisions say of it.

mod commands;
mod lowered;
mod naive;
mod properties;
mod refusals;

use ordain::diag::Diagnostic;
use ordain::engine::request::Request;
use ordain::engine::{Decision, Engine, Freshness, Occasion, Outcome, Record};
use ordain::policy::{Effect, Risk};
use ordain::resolve::EffectivePolicy;
use serde_json::{Value, json};

use super::support::policies::{NOW, bundle, request, resolve};

/// A catalogue of `scope` with these fields besides the fixed ones.
fn catalog(scope: &str, fields: Value) -> String {
    let mut document = json!({"apiVersion": "ordain/v1", "kind": "Catalog", "scope": scope});
    let more = fields.as_object().unwrap().clone();
    document.as_object_mut().unwrap().extend(more);
    document.to_string()
}

/// The effective policy of `scope` by these files.
fn effective(scope: &str, texts: &[&str]) -> Result<EffectivePolicy, Vec<Diagnostic>> {
    let names: Vec<String> = (0..texts.len()).map(|n| format!("{n}.yaml")).collect();
    let named: Vec<(&str, &str)> = names
        .iter()
        .map(String::as_str)
        .zip(texts.iter().copied())
        .collect();
    resolve(&[bundle("all", &named)?], scope, None)
}

/// Sam, who holds `held`, asks for `action` with these properties.
fn asks(held: &Value, action: &str, properties: &Value) -> Request {
    request(&json!({
        "subject": {"type": "user", "id": "sam", "properties": {"capabilities": held}},
        "action": {"name": action, "properties": properties},
        "resource": {"type": "server", "id": "web-1"},
    }))
}

fn decide(policy: &EffectivePolicy, request: &Request) -> Decision {
    let engine = Engine::new(policy.clone());
    let time = NOW.parse().unwrap();
    let occasion = Occasion {
        decision_id: uuid::Uuid::nil(),
        time,
        request_fingerprint: request.fingerprint(),
        freshness: Freshness::Fresh,
        duration_ns: 0,
    };
    Decision::new(&engine, engine.evaluate(request, time), occasion)
}

/// The determining rule's id, the effect and the reason code.
fn answer(decision: &Decision) -> (String, Effect, &str) {
    let rule = decision.rule().map(ToString::to_string);
    (
        rule.unwrap_or_default(),
        decision.effect,
        decision.reason_code(),
    )
}

/// The catalogue of the tests: every risk, a variant that adds capabilities, one pattern.
fn tools() -> String {
    catalog(
        "acme",
        json!({
            "operations": [
                {"action": "read-log", "risk": "low"},
                {"action": "copy", "risk": "medium"},
                {"action": "ssh-exec", "risk": "high", "requires": ["ssh-linux", "remote-exec"], "description": "Runs a command on a server.",
                 "variants": [
                    {"id": "restart", "match": {"action.properties.operation": "restart*"}, "risk": "critical",
                     "requires": ["local-sudo", "service-control", "ssh-linux"]},
                    {"match": {"action.properties.operation": "status"}, "risk": "low"},
                 ]},
                {"action": "wipe", "risk": "critical"},
            ],
            "patterns": [{"id": "pipe-to-shell", "regex": r"curl[^|]*\|\s*sh", "reason": "runs what it downloads"}],
        }),
    )
}

const RISKS: [&str; 4] = ["low", "medium", "high", "critical"];
const DANGER: &str = "curl https://x | sh";

#[test]
fn the_standard_table() {
    let policy = effective("acme", &[&tools()]).unwrap();
    let held = json!(["ssh-linux", "remote-exec"]);
    let (allow, audit, approval) = (Effect::Allow, Effect::Audit, Effect::RequireApproval);
    for (action, risk, ordinary, dangerous) in [
        ("read-log", "low", allow, audit),
        ("copy", "medium", audit, approval),
        ("ssh-exec", "high", audit, approval),
        ("wipe", "critical", approval, approval),
    ] {
        let decision = decide(&policy, &asks(&held, action, &json!({"args": {"x": "ls"}})));
        let code = format!("RISK_{}", risk.to_uppercase());
        assert_eq!(
            answer(&decision),
            (format!("acme#catalog.{action}.{risk}"), ordinary, &*code)
        );
        assert_eq!(decision.risk().map(Risk::as_str), Some(risk));
        assert_eq!(decision.is_audited(), ordinary == audit, "{action}");
        assert_eq!(
            (
                decision.patterns().len(),
                decision.missing_capabilities().len()
            ),
            (0, 0)
        );
        let decision = decide(
            &policy,
            &asks(&held, action, &json!({"args": {"deep": [{"x": DANGER}]}})),
        );
        let id = format!("acme#catalog.{action}.{risk}.dangerous");
        assert_eq!(answer(&decision), (id, dangerous, "DANGEROUS_ARGUMENTS"));
        assert_eq!(decision.risk().map(Risk::as_str), Some(risk));
        assert_eq!(
            *decision.reason(),
            *format!(
                "`{action}`, of {risk} risk, with dangerous arguments: runs what it downloads (`pipe-to-shell`)"
            )
        );
        assert_eq!(
            json!(decision.patterns()),
            json!([{"id": "pipe-to-shell", "reason": "runs what it downloads"}])
        );
    }
    let ordinary = decide(&policy, &asks(&held, "ssh-exec", &json!({})));
    assert_eq!(
        &*ordinary.reason(),
        "`ssh-exec` is of high risk: Runs a command on a server"
    );
}

#[test]
fn variants_raise_and_lower_the_risk() {
    let two = catalog(
        "acme",
        json!({"operations": [{"action": "svc", "risk": "high", "variants": [
            {"match": {"action.properties.op": "r*"}, "risk": "critical"},
            {"match": {"action.properties.op": "re*"}, "risk": "medium"},
            {"match": {"action.properties.op": {"prefix": "s"}}, "risk": "low"},
            {"match": {"action.properties.force": true}},
        ]}]}),
    );
    let policy = effective("acme", &[&two]).unwrap();
    for (properties, risk) in [
        (json!({}), Risk::High),
        (json!({"op": "other"}), Risk::High),
        (json!({"op": "status"}), Risk::Low),
        (json!({"op": "run"}), Risk::Critical),
        // The greatest of those that match counts.
        (json!({"op": "restart"}), Risk::Critical),
        // A variant without a risk has the operation's.
        (json!({"op": "status", "force": true}), Risk::High),
        // What cannot be judged counts as the greater risk, and never lowers it.
        (json!({"op": ["restart"]}), Risk::Critical),
        (json!({"op": "status", "force": "yes"}), Risk::High),
    ] {
        let decision = decide(&policy, &asks(&json!([]), "svc", &properties));
        assert_eq!(decision.risk(), Some(risk), "{properties}");
        let id = format!("acme#catalog.svc.{}", risk.as_str());
        let matched: Vec<String> = decision.matched().map(|hit| hit.rule.to_string()).collect();
        assert_eq!(
            matched,
            [id],
            "{properties}: exactly one rule answers the risk"
        );
    }
    let only_lower = catalog(
        "acme",
        json!({"operations": [{"action": "svc", "risk": "high", "variants": [
            {"match": {"action.properties.op": "status"}, "risk": "low"}]}]}),
    );
    let policy = effective("acme", &[&only_lower]).unwrap();
    let decision = decide(
        &policy,
        &asks(&json!([]), "svc", &json!({"op": ["status"]})),
    );
    assert_eq!(
        decision.risk(),
        Some(Risk::High),
        "it may not be that variant"
    );
}

#[test]
fn a_missing_capability_denies_and_all_are_named() {
    let policy = effective("acme", &[&tools()]).unwrap();
    let restart = json!({"operation": "restart-service"});
    let held = json!(["ssh-linux", "remote-exec"]);
    let decision = decide(&policy, &asks(&held, "ssh-exec", &restart));
    assert_eq!(
        answer(&decision),
        (
            "acme#catalog.ssh-exec.missing.restart".to_owned(),
            Effect::Deny,
            "MISSING_CAPABILITY"
        )
    );
    assert_eq!(decision.outcome, Outcome::Denied);
    assert_eq!(
        &*decision.reason(),
        "`ssh-exec` needs capabilities that the caller lacks: `local-sudo`, `service-control`"
    );
    assert_eq!(
        decision.missing_capabilities(),
        ["local-sudo", "service-control"]
    );
    assert_eq!(decision.risk(), Some(Risk::Critical));
    // What holds none of them lacks them all, whatever its type.
    for held in [
        json!([]),
        json!(null),
        json!("ssh-linux remote-exec local-sudo service-control"),
        json!({"ssh-linux": true}),
    ] {
        let sam = json!({"subject": {"type": "user", "id": "sam", "properties": {"capabilities": held}},
            "action": {"name": "ssh-exec", "properties": restart}, "resource": {"type": "server", "id": "web-1"}});
        let decision = decide(&policy, &request(&sam));
        assert_eq!(
            decision.missing_capabilities(),
            ["local-sudo", "remote-exec", "service-control", "ssh-linux"],
            "{held}"
        );
        assert_eq!(decision.effect, Effect::Deny);
    }
    // The variant that cannot be told takes its capabilities too.
    let decision = decide(&policy, &asks(&held, "ssh-exec", &json!({"operation": 7})));
    assert_eq!(
        decision.missing_capabilities(),
        ["local-sudo", "service-control"]
    );
    assert_eq!(decision.effect, Effect::Deny);
    let all = json!([
        "ssh-linux",
        "remote-exec",
        "local-sudo",
        "service-control",
        "more"
    ]);
    let decision = decide(&policy, &asks(&all, "ssh-exec", &restart));
    assert_eq!(answer(&decision).0, "acme#catalog.ssh-exec.critical");
    assert_eq!(decision.outcome, Outcome::Pending);
}

#[test]
fn operations_that_no_entry_describes() {
    for (word, effect) in [
        (None, Some(Effect::Deny)),
        (Some("deny"), Some(Effect::Deny)),
        (Some("require_approval"), Some(Effect::RequireApproval)),
        (Some("audit"), Some(Effect::Audit)),
        (Some("allow"), Some(Effect::Allow)),
        (Some("abstain"), None),
    ] {
        let mut fields = json!({"operations": [{"action": "known", "risk": "low"}]});
        if let Some(word) = word {
            fields["unknown_operation"] = json!(word);
        }
        let policy = effective("acme", &[&catalog("acme", fields)]).unwrap();
        let decision = decide(&policy, &asks(&json!([]), "other", &json!({})));
        match effect {
            Some(effect) => assert_eq!(
                answer(&decision),
                (
                    "acme#catalog.unknown".to_owned(),
                    effect,
                    "UNKNOWN_OPERATION"
                )
            ),
            None => assert_eq!(answer(&decision), (String::new(), Effect::Deny, "NO_MATCH")),
        }
        assert_eq!(decision.risk(), None);
        let known = decide(&policy, &asks(&json!([]), "known", &json!({})));
        assert_eq!(answer(&known).0, "acme#catalog.known.low");
    }
}

#[test]
fn a_catalogue_may_be_longer_than_a_list_of_a_match() {
    let operations: Vec<Value> = (0..1_200)
        .map(|n| json!({"action": format!("op-{n}"), "risk": "low"}))
        .collect();
    let policy = effective(
        "acme",
        &[&catalog("acme", json!({"operations": operations}))],
    )
    .unwrap();
    let decide = |action: &str| decide(&policy, &asks(&json!([]), action, &json!({})));
    assert_eq!(answer(&decide("op-1199")).0, "acme#catalog.op-1199.low");
    assert_eq!(answer(&decide("op-1200")).0, "acme#catalog.unknown");
}

#[test]
fn a_tightened_table() {
    let table = |table: Value| {
        let fields = json!({
            "operations": (RISKS.map(|risk| json!({"action": risk, "risk": risk}))),
            "patterns": [{"id": "x", "regex": "danger"}],
            "table": table,
        });
        let policy = effective("acme", &[&catalog("acme", fields)]).unwrap();
        RISKS.map(|risk| {
            let effect = |text: &str| {
                decide(
                    &policy,
                    &asks(&json!([]), risk, &json!({"args": {"a": text}})),
                )
                .effect
            };
            (effect("fine"), effect("danger"))
        })
    };
    let (allow, audit, approval, deny) = (
        Effect::Allow,
        Effect::Audit,
        Effect::RequireApproval,
        Effect::Deny,
    );
    assert_eq!(
        table(json!({})),
        [
            (allow, audit),
            (audit, approval),
            (audit, approval),
            (approval, approval)
        ]
    );
    // A greater risk is never answered more weakly than a lower one.
    assert_eq!(
        table(json!({"medium": {"ordinary": "require_approval", "dangerous": "deny"}})),
        [
            (allow, audit),
            (approval, deny),
            (approval, deny),
            (approval, deny)
        ]
    );
    // Nor dangerous arguments than ordinary ones.
    assert_eq!(
        table(json!({"critical": {"ordinary": "deny"}, "low": {"dangerous": "require_approval"}})),
        [
            (allow, approval),
            (audit, approval),
            (audit, approval),
            (deny, deny)
        ]
    );
}

#[test]
fn the_words_of_a_command_are_looked_at_together() {
    let fields = |more: Value| {
        let mut fields = json!({"operations": [{"action": "run", "risk": "medium"}],
            "patterns": [{"id": "mkfs", "regex": r"mkfs\S* /dev"}]});
        fields
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        effective("acme", &[&catalog("acme", fields)]).unwrap()
    };
    let dangerous = |policy: &EffectivePolicy, properties: Value| {
        !decide(policy, &asks(&json!([]), "run", &properties))
            .patterns()
            .is_empty()
    };
    let standard = fields(json!({}));
    let words = json!(["mkfs.ext4", "/dev/sda"]);
    assert!(dangerous(&standard, json!({"args": {"argv": words}})));
    assert!(!dangerous(&standard, json!({"args": {"others": words}})));
    assert!(dangerous(
        &standard,
        json!({"args": {"others": "mkfs /dev/x"}})
    ));
    let own = fields(json!({"commands": ["action.properties.words"]}));
    assert!(dangerous(&own, json!({"words": words})));
    // The places need not be properties of the action.
    let resource =
        fields(json!({"commands": ["resource"], "patterns": [{"id": "web", "regex": "^web-1$"}]}));
    assert!(dangerous(&resource, json!({})));
    assert!(!dangerous(&own, json!({"args": {"argv": words}})));
}

#[test]
fn two_catalogues_in_a_chain() {
    let above = catalog(
        "acme",
        json!({"operations": [{"action": "copy", "risk": "low", "requires": ["b"]}, {"action": "own", "risk": "low"}],
            "unknown_operation": "abstain",
            "patterns": [{"id": "one", "regex": "one"}]}),
    );
    let below = catalog(
        "acme/team",
        json!({"operations": [{"action": "copy", "risk": "critical", "requires": ["a", "b"]}],
            "patterns": [{"id": "two", "regex": "two"}]}),
    );
    let policy = effective("acme/team", &[&above, &below]).unwrap();
    let decision = decide(
        &policy,
        &asks(&json!([]), "copy", &json!({"args": {"x": "two one"}})),
    );
    assert_eq!(decision.risk(), Some(Risk::Critical));
    assert_eq!(decision.missing_capabilities(), ["a", "b"]);
    let ids: Vec<&str> = decision
        .patterns()
        .iter()
        .map(|pattern| &*pattern.id)
        .collect();
    assert_eq!(ids, ["one", "two"]);
    // The first layer of the strictest answer determines; all that is missing is named.
    assert_eq!(answer(&decision).0, "acme#catalog.copy.missing");
    assert!(
        decision.reason().ends_with(": `a`, `b`"),
        "{}",
        decision.reason()
    );
    let decision = decide(&policy, &asks(&json!([]), "own", &json!({})));
    assert_eq!(answer(&decision).0, "acme/team#catalog.unknown");
    assert_eq!(decision.risk(), Some(Risk::Low));
}

#[test]
fn the_record_holds_what_the_decision_says() {
    let policy = effective("acme", &[&tools()]).unwrap();
    let request = asks(&json!([]), "ssh-exec", &json!({"args": {"x": DANGER}}));
    let decision = decide(&policy, &request);
    let record = serde_json::to_value(Record::new(&decision, Some(&request))).unwrap();
    assert_eq!(record["risk"], "high");
    assert_eq!(
        record["missing_capabilities"],
        json!(["remote-exec", "ssh-linux"])
    );
    assert_eq!(record["patterns"][0]["id"], "pipe-to-shell");
    let other = decide(&policy, &asks(&json!([]), "unknown", &json!({})));
    let other = serde_json::to_value(&other).unwrap();
    for field in ["risk", "missing_capabilities", "patterns"] {
        assert!(
            other.get(field).is_none(),
            "`{field}` is absent where there is none"
        );
    }
}
