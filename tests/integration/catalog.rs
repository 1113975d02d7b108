//! Catalogues: what they refuse, what they are lowered to, and what decisions say of it.

mod properties;

use ordain::diag::{Code, Diagnostic};
use ordain::engine::request::Request;
use ordain::engine::{Decision, Engine, Freshness, Occasion, Outcome, Record};
use ordain::policy::{self, Effect, Risk};
use ordain::resolve::{EffectivePolicy, lint};
use serde_json::{Value, json};

use super::support::policies::{NOW, bundle, files, policy, request, resolve};

const HEAD: &str = "apiVersion: ordain/v1\nkind: Catalog\nscope: acme\n";

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
        request_fingerprint: request.fingerprint().to_string(),
        freshness: Freshness::Fresh,
        duration_ns: 0,
    };
    Decision::new(&engine, &engine.evaluate(request, time), occasion)
}

/// The determining rule's id, the effect and the reason code.
fn answer(decision: &Decision) -> (String, Effect, &str) {
    let rule = decision.rule.as_ref().map(ToString::to_string);
    (
        rule.unwrap_or_default(),
        decision.effect,
        &decision.reason_code,
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
        assert_eq!(decision.risk.map(Risk::as_str), Some(risk));
        assert_eq!(decision.audited, ordinary == audit, "{action}");
        assert_eq!(
            (decision.patterns.len(), decision.missing_capabilities.len()),
            (0, 0)
        );
        let decision = decide(
            &policy,
            &asks(&held, action, &json!({"args": {"deep": [{"x": DANGER}]}})),
        );
        let id = format!("acme#catalog.{action}.{risk}.dangerous");
        assert_eq!(answer(&decision), (id, dangerous, "DANGEROUS_ARGUMENTS"));
        assert_eq!(decision.risk.map(Risk::as_str), Some(risk));
        assert_eq!(
            decision.reason,
            format!(
                "`{action}`, of {risk} risk, with dangerous arguments: runs what it downloads (`pipe-to-shell`)"
            )
        );
        assert_eq!(
            json!(decision.patterns),
            json!([{"id": "pipe-to-shell", "reason": "runs what it downloads"}])
        );
    }
    let ordinary = decide(&policy, &asks(&held, "ssh-exec", &json!({})));
    assert_eq!(
        ordinary.reason,
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
        assert_eq!(decision.risk, Some(risk), "{properties}");
        let id = format!("acme#catalog.svc.{}", risk.as_str());
        let matched: Vec<String> = decision
            .matched
            .iter()
            .map(|hit| hit.rule.to_string())
            .collect();
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
        decision.risk,
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
        decision.reason,
        "`ssh-exec` needs capabilities that the caller lacks: `local-sudo`, `service-control`"
    );
    assert_eq!(
        decision.missing_capabilities,
        ["local-sudo", "service-control"]
    );
    assert_eq!(decision.risk, Some(Risk::Critical));
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
            decision.missing_capabilities,
            ["local-sudo", "remote-exec", "service-control", "ssh-linux"],
            "{held}"
        );
        assert_eq!(decision.effect, Effect::Deny);
    }
    // The variant that cannot be told takes its capabilities too.
    let decision = decide(&policy, &asks(&held, "ssh-exec", &json!({"operation": 7})));
    assert_eq!(
        decision.missing_capabilities,
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
        assert_eq!(decision.risk, None);
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
            "operations": ["low", "medium", "high", "critical"].map(|risk| json!({"action": risk, "risk": risk})),
            "patterns": [{"id": "x", "regex": "danger"}],
            "table": table,
        });
        let policy = effective("acme", &[&catalog("acme", fields)]).unwrap();
        ["low", "medium", "high", "critical"].map(|risk| {
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
            .patterns
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
    assert!(!dangerous(&own, json!({"args": {"argv": words}})));
}

#[test]
fn children_override_lowered_rules_by_name() {
    let open = catalog(
        "acme",
        json!({"operations": [{"action": "wipe", "risk": "critical", "requires": ["root"], "override": "any"},
            {"action": "copy", "risk": "high"}]}),
    );
    let child = |rule: &str, change: Value| {
        let mut change = change;
        change["rule"] = json!(rule);
        let (_, text) = policy("acme/team", json!({"overrides": [change]}));
        effective("acme/team", &[&open, &text.to_string()])
    };
    let wipe = asks(&json!(["root"]), "wipe", &json!({}));
    let waived = child(
        "acme#catalog.wipe.critical",
        json!({"effect": "allow", "reason": "a sandbox"}),
    )
    .unwrap();
    assert_eq!(decide(&waived, &wipe).effect, Effect::Allow);
    assert_eq!(waived.loosenings().count(), 1);
    let off = child(
        "acme#catalog.wipe.missing",
        json!({"disable": true, "reason": "a sandbox"}),
    )
    .unwrap();
    let decision = decide(&off, &asks(&json!([]), "wipe", &json!({})));
    assert_eq!(
        (decision.effect, decision.missing_capabilities.len()),
        (Effect::RequireApproval, 0)
    );
    let stricter = child("acme#catalog.copy.high", json!({"effect": "deny"})).unwrap();
    assert_eq!(
        decide(&stricter, &asks(&json!([]), "copy", &json!({}))).effect,
        Effect::Deny
    );
    let refused = |rule: &str, change: Value| child(rule, change).unwrap_err()[0].code;
    assert_eq!(
        refused(
            "acme#catalog.copy.high",
            json!({"effect": "allow", "reason": "x"})
        ),
        Code::RESOLVE_NOT_PERMITTED
    );
    assert_eq!(
        refused(
            "acme#catalog.unknown",
            json!({"disable": true, "reason": "x"})
        ),
        Code::RESOLVE_NOT_PERMITTED
    );
    assert_eq!(
        refused("acme#catalog.copy.low", json!({"effect": "deny"})),
        Code::RESOLVE_NO_RULE
    );
}

#[test]
fn an_operation_keeps_its_risk_when_its_rule_is_switched_off() {
    let open = |risk: &str| {
        catalog(
            "acme",
            json!({"operations": [{"action": "wipe", "risk": "high", "override": "any",
        "variants": [{"match": {"action.properties.a": 1}, "risk": risk}]}]}),
        )
    };
    let off = |risk: &str| {
        let changes = ["high", risk].map(|risk| {
            json!({"rule": format!("acme#catalog.wipe.{risk}"), "disable": true, "reason": "a sandbox"})
        });
        let (_, child) = policy(
            "acme/team",
            json!({"default": "allow", "overrides": changes}),
        );
        effective("acme/team", &[&open(risk), &child.to_string()]).unwrap()
    };
    let decision = decide(
        &off("critical"),
        &asks(&json!([]), "wipe", &json!({"a": 1})),
    );
    assert_eq!(
        (decision.effect, decision.risk),
        (Effect::Allow, Some(Risk::Critical))
    );
    assert_ne!(
        off("critical").digest(),
        off("low").digest(),
        "they decide differently"
    );
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
    assert_eq!(decision.risk, Some(Risk::Critical));
    assert_eq!(decision.missing_capabilities, ["a", "b"]);
    let ids: Vec<&str> = decision
        .patterns
        .iter()
        .map(|pattern| &*pattern.id)
        .collect();
    assert_eq!(ids, ["one", "two"]);
    // The first layer of the strictest answer determines; all that is missing is named.
    assert_eq!(answer(&decision).0, "acme#catalog.copy.missing");
    assert!(
        decision.reason.ends_with(": `a`, `b`"),
        "{}",
        decision.reason
    );
    let decision = decide(&policy, &asks(&json!([]), "own", &json!({})));
    assert_eq!(answer(&decision).0, "acme/team#catalog.unknown");
    assert_eq!(decision.risk, Some(Risk::Low));
}

#[test]
fn a_policy_and_a_catalogue_are_one_scope() {
    let (_, own) = policy(
        "acme",
        json!({"mode": "warn", "rules": [
        {"id": "vip", "effect": "allow", "reason": "x", "precedence": 1, "match": {"action": "wipe", "subject": "sam"}}]}),
    );
    let policy = effective("acme", &[&own.to_string(), &tools()]).unwrap();
    assert_eq!(policy.layers().len(), 1);
    // Its mode is the policy's, and precedence counts across both.
    let decision = decide(&policy, &asks(&json!([]), "nothing", &json!({})));
    assert_eq!(decision.effect, Effect::Allow);
    let would = decision.would.unwrap();
    assert_eq!(
        (would.effect, &*would.reason_code),
        (Effect::Deny, "UNKNOWN_OPERATION")
    );
    let decision = decide(&policy, &asks(&json!([]), "wipe", &json!({})));
    assert!(
        decision.would.is_none(),
        "the rule of a higher precedence allows"
    );
    let twice = effective("acme", &[&tools(), &tools()]).unwrap_err();
    assert_eq!(twice[0].code, Code::POLICY_SCOPE_TWICE);
}

#[test]
fn lowered_rules_say_where_they_come_from() {
    let text = format!(
        "{HEAD}operations:\n- action: a*b\n  id: ab\n  risk: low\n  variants:\n  - match: {{action.properties.x: 1}}\n    requires: [c]\n\
         patterns:\n- {{id: p, regex: x}}\nunknown_operation: deny\n"
    );
    let layer = policy::validate(&files(&[("a.yaml", &text)]), None)
        .unwrap()
        .remove(0);
    let found: Vec<(String, u32)> = layer
        .rules
        .iter()
        .map(|rule| (rule.name.to_string(), rule.location.line))
        .collect();
    let wanted = [
        ("acme#catalog.unknown", 12),
        ("acme#catalog.ab.low", 5),
        ("acme#catalog.ab.low.dangerous", 5),
        ("acme#catalog.ab.missing.v1", 9),
    ];
    assert_eq!(found, wanted.map(|(id, line)| (id.to_owned(), line)));
    let matches: Vec<&Value> = layer
        .rules
        .iter()
        .map(|rule| rule.matcher.source())
        .collect();
    assert_eq!(matches[0], &json!({"action": {"not": {"in": ["a*b"]}}}));
    assert_eq!(matches[1]["action"], json!({"equals": "a*b"}), "no glob");
    assert_eq!(matches[1]["risk"]["is"], "low");
    assert_eq!(matches[1]["arguments"]["are"], "ordinary");
    assert_eq!(
        layer.rules[1].matcher.actions(),
        Some(vec!["a*b"]),
        "the engine finds it by its action"
    );
}

/// A digest stands for what decides, so all of a catalogue is in it.
#[test]
fn the_digest_covers_the_catalogue() {
    let digest = |regex: &str, reason: &str, place: &str, variant: &str| {
        let fields = json!({"commands": [format!("action.properties.{place}")],
            "operations": [{"action": "x", "risk": "low", "variants": [{"match": {"action.properties.v": variant}, "risk": "high"}]}],
            "patterns": [{"id": "p", "regex": regex, "reason": reason}]});
        effective("acme", &[&catalog("acme", fields)])
            .unwrap()
            .digest()
    };
    let one = digest("a", "b", "c", "d");
    assert_eq!(one, digest("a", "b", "c", "d"));
    for other in [
        digest("x", "b", "c", "d"),
        digest("a", "x", "c", "d"),
        digest("a", "b", "x", "d"),
        digest("a", "b", "c", "x"),
    ] {
        assert_ne!(one, other);
    }
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

#[test]
fn lints() {
    let open = catalog(
        "acme",
        json!({"operations": [{"action": "copy", "risk": "low"}], "unknown_operation": "abstain"}),
    );
    let closed = catalog(
        "acme",
        json!({"operations": [{"action": "copy", "risk": "low"}]}),
    );
    let rule = |effect: &str, actions: Value, precedence: i32| json!({"id": "r", "effect": effect, "reason": "x", "precedence": precedence, "match": {"action": actions}});
    let codes = |scope: &str, catalog: &str, rule: Value| -> Vec<Code> {
        let (_, text) = policy(scope, json!({"rules": [rule]}));
        let policy = effective(scope, &[catalog, &text.to_string()]).unwrap();
        lint(&policy, NOW.parse().unwrap())
            .into_iter()
            .map(|found| found.code)
            .collect()
    };
    assert_eq!(codes("acme", &open, rule("deny", json!("copy"), 0)), []);
    assert_eq!(
        codes("acme", &open, rule("allow", json!(["copy", "cpoy"]), 0)),
        [Code::LINT_UNKNOWN_ACTION]
    );
    assert_eq!(
        codes("acme", &open, rule("deny", json!("cpoy"), 0)),
        [Code::LINT_UNKNOWN_ACTION]
    );
    assert_eq!(codes("acme", &open, rule("deny", json!("c*"), 0)), []);
    assert_eq!(
        codes("acme", &closed, rule("allow", json!("cpoy"), 0)),
        [Code::LINT_UNDESCRIBED_ALLOW]
    );
    assert_eq!(
        codes("acme/team", &closed, rule("allow", json!("cpoy"), 9)),
        [Code::LINT_UNDESCRIBED_ALLOW]
    );
    // Looked at first, it permits all the same.
    assert_eq!(
        codes("acme", &closed, rule("allow", json!("cpoy"), 9)),
        [Code::LINT_UNKNOWN_ACTION]
    );
    assert_eq!(
        codes(
            "acme/team",
            &closed,
            rule("allow", json!(["copy", "cpoy"]), 0)
        ),
        [Code::LINT_UNKNOWN_ACTION]
    );
    // Nothing is said of what nobody wrote.
    let same = catalog(
        "acme",
        json!({"operations": [{"action": "a", "risk": "low", "requires": ["x"], "variants": [
            {"match": {"action": "b", "action.properties.n": {"gt": 3, "lt": 2}}, "requires": ["y"]}, {"match": {}, "requires": ["z"]}]}],
            "patterns": [{"id": "p", "regex": "p"}]}),
    );
    let (_, root) = policy("acme/team", json!({"default": "deny"}));
    let policy = effective("acme/team", &[&same, &root.to_string()]).unwrap();
    assert_eq!(lint(&policy, NOW.parse().unwrap()), []);
}

/// The code, line and path of the only problem of a catalogue with these lines below the head.
#[track_caller]
fn only(lines: &str) -> (Code, u32, String) {
    let text = format!("{HEAD}{lines}");
    let problems = policy::validate(&files(&[("a.yaml", &text)]), None).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.into_iter().next().unwrap();
    assert!(problem.hint.is_some(), "{problem}");
    (
        problem.code,
        problem.location.unwrap().line,
        problem.path.unwrap_or_default(),
    )
}

#[test]
fn one_defect_each() {
    let operation = |lines: &str| format!("operations:\n- action: a\n  risk: low\n{lines}");
    let variant = |line: &str| {
        operation(&format!(
            "  variants:\n  - match: {{action.properties.x: 1}}\n    {line}\n"
        ))
    };
    let pattern = |rest: &str| format!("patterns:\n- {{id: p, {rest}}}\n");
    let long = "x".repeat(1_025);
    let twice = "operations:\n- {action: a, risk: low}\n- {action: a, risk: high, id: b}\n";
    let collide = "operations:\n- {action: a, risk: low, requires: [x], variants: [{id: low, match: {}, requires: [y]}]}\n- {action: a.missing, risk: low}\n";
    for (lines, code, line, path) in [
        (
            "colour: red\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "colour",
        ),
        (
            "mode: warn\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "mode",
        ),
        (
            "unknown_operation: maybe\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "unknown_operation",
        ),
        (
            "unknown_operation: 1\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "unknown_operation",
        ),
        (
            "commands: [1]\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "commands[0]",
        ),
        (
            "commands: [args.command]\n".to_owned(),
            Code::POLICY_MATCH,
            4,
            "commands[0]",
        ),
        (
            "operations: {}\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "operations",
        ),
        (
            "operations: [1]\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "operations[0]",
        ),
        (
            "operations:\n- risk: low\n".to_owned(),
            Code::POLICY_MISSING_FIELD,
            5,
            "operations[0]",
        ),
        (
            "operations:\n- action: a\n".to_owned(),
            Code::POLICY_MISSING_FIELD,
            5,
            "operations[0]",
        ),
        (
            "operations:\n- {action: '', risk: low}\n".to_owned(),
            Code::POLICY_TEXT,
            5,
            "operations[0].action",
        ),
        (
            format!("operations:\n- {{action: {long}, id: a, risk: low}}\n"),
            Code::POLICY_LIMIT,
            5,
            "operations[0].action",
        ),
        (
            "operations:\n- {action: Wipe Disk, risk: low}\n".to_owned(),
            Code::CATALOG_OPERATION,
            5,
            "operations[0]",
        ),
        (
            format!(
                "operations:\n- {{action: a, risk: low, id: {}}}\n",
                "x".repeat(60)
            ),
            Code::CATALOG_OPERATION,
            5,
            "operations[0]",
        ),
        (
            twice.to_owned(),
            Code::CATALOG_OPERATION,
            6,
            "operations[1].action",
        ),
        (
            collide.to_owned(),
            Code::CATALOG_OPERATION,
            6,
            "operations[1]",
        ),
        (
            operation("  colour: red\n"),
            Code::POLICY_UNKNOWN_FIELD,
            7,
            "operations[0].colour",
        ),
        (
            operation("  override: some\n"),
            Code::POLICY_TYPE,
            7,
            "operations[0].override",
        ),
        (
            operation("  requires: [1]\n"),
            Code::POLICY_TYPE,
            7,
            "operations[0].requires[0]",
        ),
        (
            operation("  requires: x\n"),
            Code::POLICY_TYPE,
            7,
            "operations[0].requires",
        ),
        (
            operation("  description: ''\n"),
            Code::POLICY_TEXT,
            7,
            "operations[0].description",
        ),
        (
            operation("  variants:\n  - risk: low\n"),
            Code::POLICY_MISSING_FIELD,
            8,
            "operations[0].variants[0]",
        ),
        (
            operation("  variants:\n  - match: {x: 1}\n"),
            Code::POLICY_MATCH,
            8,
            "operations[0].variants[0].match.x",
        ),
        (
            operation("  variants:\n  - {id: v2, match: {}}\n  - match: {}\n"),
            Code::CATALOG_OPERATION,
            9,
            "operations[0].variants[1]",
        ),
        (
            variant("risk: dire"),
            Code::POLICY_TYPE,
            9,
            "operations[0].variants[0].risk",
        ),
        (
            variant("when: x"),
            Code::POLICY_UNKNOWN_FIELD,
            9,
            "operations[0].variants[0].when",
        ),
        (
            "patterns:\n- {regex: x}\n".to_owned(),
            Code::POLICY_MISSING_FIELD,
            5,
            "patterns[0]",
        ),
        (
            "patterns:\n- {id: unreadable, regex: x}\n".to_owned(),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].id",
        ),
        (
            "patterns:\n- {id: p, regex: x}\n- {id: p, regex: y}\n".to_owned(),
            Code::CATALOG_PATTERN,
            6,
            "patterns[1].id",
        ),
        (
            pattern("reason: x"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0]",
        ),
        (
            pattern("regex: x, command: {program: rm}"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern("regex: x, reason: ''"),
            Code::POLICY_TEXT,
            5,
            "patterns[0].reason",
        ),
        (
            pattern("regex: '(x'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern("regex: '(?=x)'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern("regex: 'x*'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern(r"regex: '(\w{500}){500}'"),
            Code::CATALOG_PATTERN,
            5,
            "patterns[0].regex",
        ),
        (
            pattern(&format!("regex: {long}")),
            Code::POLICY_LIMIT,
            5,
            "patterns[0].regex",
        ),
        ("table: []\n".to_owned(), Code::POLICY_TYPE, 4, "table"),
        (
            "table: {dire: {}}\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "table.dire",
        ),
        (
            "table: {low: deny}\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "table.low",
        ),
        (
            "table: {low: {usual: deny}}\n".to_owned(),
            Code::POLICY_UNKNOWN_FIELD,
            4,
            "table.low.usual",
        ),
        (
            "table: {low: {ordinary: no}}\n".to_owned(),
            Code::POLICY_TYPE,
            4,
            "table.low.ordinary",
        ),
        (
            "table: {medium: {ordinary: allow}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.medium.ordinary",
        ),
        (
            "table: {low: {dangerous: allow}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.low.dangerous",
        ),
        (
            "table: {medium: {ordinary: deny}, high: {ordinary: audit}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.high.ordinary",
        ),
        (
            "table: {critical: {ordinary: deny, dangerous: require_approval}}\n".to_owned(),
            Code::CATALOG_TABLE,
            4,
            "table.critical.dangerous",
        ),
    ] {
        assert_eq!(only(&lines), (code, line, path.to_owned()), "{lines}");
    }
    let many = format!(
        "operations: [{}]\n",
        "{action: a, risk: low},".repeat(5_001)
    );
    assert_eq!(only(&many).0, Code::POLICY_LIMIT);
}

#[test]
fn the_ids_of_lowered_rules_are_reserved() {
    let text = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n- {id: catalog.x, effect: deny, reason: x, match: {}}\n";
    let problems = policy::validate(&files(&[("a.yaml", text)]), None).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].code, Code::POLICY_RESERVED_ID);
    assert_eq!(problems[0].path.as_deref(), Some("rules[0].id"));
}

#[test]
fn all_problems_of_a_catalogue_come_at_once() {
    let text = format!(
        "{HEAD}colour: red\ntable: {{low: deny}}\noperations:\n- {{action: a, risk: dire}}\n- {{risk: low}}\npatterns:\n- {{id: p}}\n"
    );
    let problems = policy::validate(&files(&[("a.yaml", &text)]), None).unwrap_err();
    assert_eq!(problems.len(), 5, "{problems:#?}");
}
