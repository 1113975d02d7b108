//! How layers combine: the generated truth table, and the cases that it cannot show.

use std::fmt::Write as _;

use ordain::diag::Code;
use ordain::engine::{Cause, Decision, Engine, Freshness, Occasion};
use ordain::policy::{Effect, Mode};
use ordain::resolve::{EffectivePolicy, LoadedBundle};
use serde_json::{Value, json};

use super::generated::hold;
use super::support::naive::Policies;
use super::support::policies::{many_bundles, one_bundle, plain_request, policy, resolve};

const EFFECTS: [&str; 4] = ["allow", "audit", "require_approval", "deny"];
const MODES: [&str; 3] = ["audit-only", "warn", "enforce"];

fn rule(id: &str, effect: &str) -> Value {
    json!({"id": id, "effect": effect, "reason": "because", "match": {}})
}

fn with(mut value: Value, fields: Value) -> Value {
    let fields = fields.as_object().unwrap().clone();
    value.as_object_mut().unwrap().extend(fields);
    value
}

fn decide(policy: EffectivePolicy) -> Decision {
    let engine = Engine::new(policy);
    let occasion = Occasion {
        decision_id: "01900000-0000-7000-8000-000000000000".parse().unwrap(),
        time: "2026-11-01T00:00:00Z".parse().unwrap(),
        request_fingerprint: ordain::digest::Sha256Digest::from_bytes([0; 32]),
        freshness: Freshness::Fresh,
        duration_ns: 1,
    };
    let verdict = engine.evaluate(&plain_request(), occasion.time);
    Decision::new(&engine, verdict, occasion)
}

/// What `acme` and `acme/team` decide together.
fn two_layers(org: &Value, team: &Value) -> Decision {
    let policies = Policies::from([
        policy("acme", org.clone()),
        policy("acme/team", team.clone()),
    ]);
    decide(resolve(&[one_bundle(&policies)], "acme/team", None).unwrap())
}

fn codes(policies: &Policies, scope: &str) -> Vec<Code> {
    let problems = resolve(&many_bundles(policies), scope, None).unwrap_err();
    problems.iter().map(|problem| problem.code).collect()
}

/// The things one layer can say, each with its fields.
fn sayings() -> Vec<(String, Value)> {
    let mut sayings = vec![("(abstains)".to_owned(), json!({}))];
    for effect in EFFECTS {
        sayings.push((effect.to_owned(), json!({"rules": [rule("r", effect)]})));
    }
    for effect in EFFECTS {
        sayings.push((format!("`default: {effect}`"), json!({"default": effect})));
    }
    sayings
}

fn cell(decision: &Decision) -> String {
    let mut text = decision.effect.as_str().to_owned();
    if matches!(decision.reason_code(), "NO_MATCH") {
        text += " `NO_MATCH`";
    }
    if decision.is_audited() {
        text += ", audited";
    }
    if let Some(would) = decision
        .would()
        .as_ref()
        .filter(|would| would.effect != decision.effect)
    {
        write!(
            text,
            " (would {}, {})",
            would.effect.as_str(),
            would.mode.as_str()
        )
        .unwrap();
    }
    text
}

fn verdicts(page: &mut String) {
    page.push_str("## Verdicts\n\nEvery layer enforces. The first column is what the organisation's layer says of a request, the second what the team's says.\n\n| org says | team says | answer |\n| --- | --- | --- |\n");
    for (org, org_fields) in sayings() {
        for (team, team_fields) in sayings() {
            let answer = cell(&two_layers(&org_fields, &team_fields));
            writeln!(page, "| {org} | {team} | {answer} |").unwrap();
        }
    }
}

fn one_layer(page: &mut String) {
    page.push_str("\n## Within a layer\n\nTwo rules of one scope match. At one precedence the effect decides; a higher precedence comes first.\n\n| rule `a` | rule `b` | same precedence | `a` higher |\n| --- | --- | --- | --- |\n");
    for first in EFFECTS {
        for second in EFFECTS {
            let answer = |precedence: i32| {
                let rules = [
                    with(rule("a", first), json!({"precedence": precedence})),
                    rule("b", second),
                ];
                let policies = Policies::from([policy("acme", json!({"rules": rules}))]);
                cell(&decide(
                    resolve(&[one_bundle(&policies)], "acme", None).unwrap(),
                ))
            };
            writeln!(
                page,
                "| {first} | {second} | {} | {} |",
                answer(0),
                answer(1)
            )
            .unwrap();
        }
    }
}

fn modes(page: &mut String) {
    page.push_str("\n## Modes\n\nThe organisation's layer and the team's each have one rule and a mode. What is not enforced shows under *would*.\n\n| org | team | answer |\n| --- | --- | --- |\n");
    for org_effect in ["allow", "deny"] {
        for org_mode in MODES {
            for team_effect in EFFECTS {
                for team_mode in MODES {
                    let org = json!({"mode": org_mode, "rules": [rule("r", org_effect)]});
                    let team = json!({"mode": team_mode, "rules": [rule("r", team_effect)]});
                    let answer = cell(&two_layers(&org, &team));
                    writeln!(
                        page,
                        "| {org_effect}, {org_mode} | {team_effect}, {team_mode} | {answer} |"
                    )
                    .unwrap();
                }
            }
        }
    }
    page.push_str("\nWhere every layer abstains, the root scope's mode decides whether `NO_MATCH` binds:\n\n| root's mode | answer |\n| --- | --- |\n");
    for mode in MODES {
        let answer = cell(&two_layers(&json!({"mode": mode}), &json!({})));
        writeln!(page, "| {mode} | {answer} |").unwrap();
    }
}

fn overridden(permission: &str, original: &Value, change: &Value) -> String {
    let original = with(original.clone(), json!({"override": permission}));
    let attempt = |change: Value| {
        let change = with(change, json!({"rule": "acme#r"}));
        let org = policy("acme", json!({"rules": [original]}));
        let team = policy("acme/team", json!({"overrides": [change]}));
        resolve(
            &many_bundles(&Policies::from([org, team])),
            "acme/team",
            None,
        )
    };
    match attempt(change.clone()) {
        Ok(_) => "accepted".to_owned(),
        Err(_) => match attempt(with(change.clone(), json!({"reason": "agreed"}))) {
            Ok(policy) => {
                assert_eq!(policy.loosenings().count(), 1);
                "with a reason".to_owned()
            }
            Err(problems) => {
                let codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
                assert_eq!(codes, [Code::RESOLVE_NOT_PERMITTED]);
                "refused".to_owned()
            }
        },
    }
}

fn permissions(page: &mut String) {
    page.push_str("\n## Overrides\n\nWhat a team may do to a rule of the organisation, by the rule's `override`. A refused override refuses the whole policy.\n\n| the rule | the override | `none` | `tighten` | `any` |\n| --- | --- | --- | --- | --- |\n");
    let mut row = |written: &str, original: &Value, attempt: &str, change: &Value| {
        let [none, tighten, any] =
            ["none", "tighten", "any"].map(|permission| overridden(permission, original, change));
        writeln!(
            page,
            "| {written} | {attempt} | {none} | {tighten} | {any} |"
        )
        .unwrap();
    };
    for original in EFFECTS {
        for change in EFFECTS {
            row(
                original,
                &rule("r", original),
                &format!("`effect: {change}`"),
                &json!({"effect": change}),
            );
        }
        row(
            original,
            &rule("r", original),
            "`disable: true`",
            &json!({"disable": true}),
        );
    }
    for original in MODES {
        for change in MODES {
            let rule = with(rule("r", "deny"), json!({"mode": original}));
            row(
                &format!("deny, {original}"),
                &rule,
                &format!("`mode: {change}`"),
                &json!({"mode": change}),
            );
        }
    }
    row(
        "deny",
        &rule("r", "deny"),
        "`precedence: 1`",
        &json!({"precedence": 1}),
    );
    row(
        "deny",
        &rule("r", "deny"),
        "`reason` alone",
        &json!({"reason": "in other words"}),
    );
}

#[test]
fn the_truth_table_is_current() {
    let mut page = String::from(
        "# Resolution: the truth table\n\nThis page is made by asking the engine, and a test keeps it current; [`policy.md`](policy.md) explains it. *audited* is the mark \
         that no other rule removes; *would* is what would have happened if everything were enforced.\n\n",
    );
    verdicts(&mut page);
    one_layer(&mut page);
    modes(&mut page);
    permissions(&mut page);
    hold("docs/resolution.md", &page);
}

#[test]
fn the_examples_of_the_manual_hold() {
    let org = |effect: &str| json!({"rules": [rule("r", effect)]});
    let say = |org: &Value, team: &Value| cell(&two_layers(org, team));
    assert_eq!(say(&org("deny"), &org("allow")), "deny");
    assert_eq!(say(&org("allow"), &org("deny")), "deny");
    assert_eq!(say(&org("allow"), &json!({})), "allow");
    assert_eq!(say(&json!({}), &org("allow")), "allow");
    assert_eq!(say(&json!({"default": "deny"}), &org("allow")), "deny");
    assert_eq!(
        say(&org("require_approval"), &org("allow")),
        "require_approval"
    );
    assert_eq!(say(&org("audit"), &org("allow")), "allow, audited");
    assert_eq!(say(&json!({}), &json!({})), "deny `NO_MATCH`");
    let waivable = json!({"rules": [with(rule("r", "deny"), json!({"override": "any"}))]});
    let waiver = json!({
        "rules": [rule("own", "allow")],
        "overrides": [{"rule": "acme#r", "effect": "audit", "reason": "agreed"}],
    });
    assert_eq!(say(&waivable, &waiver), "allow, audited");
}

#[test]
fn a_lapsed_override_is_as_if_it_were_never_written() {
    let org = policy(
        "acme",
        json!({"rules": [with(rule("r", "deny"), json!({"override": "none"}))]}),
    );
    let lapsed = json!({"rule": "acme#r", "disable": true, "expires": "2026-11-01T00:00:00Z"});
    let team = policy("acme/team", json!({"overrides": [lapsed]}));
    let policy = resolve(
        &many_bundles(&Policies::from([org, team])),
        "acme/team",
        None,
    )
    .unwrap();
    assert_eq!(policy.lapsed().len(), 1);
    assert_eq!(decide(policy).effect, Effect::Deny);
}

#[test]
fn of_two_packs_that_override_one_rule_the_stricter_stands() {
    let base = with(rule("r", "deny"), json!({"override": "any"}));
    let pack = |scope, effect| {
        let change = json!({"rule": "base#r", "effect": effect, "reason": "agreed"});
        policy(scope, json!({"extends": ["base"], "overrides": [change]}))
    };
    let policies = Policies::from([
        policy("acme", json!({"extends": ["pack/b", "pack/a"]})),
        policy("base", json!({"rules": [base]})),
        pack("pack/a", "allow"),
        pack("pack/b", "require_approval"),
    ]);
    let decision = decide(resolve(&many_bundles(&policies), "acme", None).unwrap());
    assert_eq!(decision.effect, Effect::RequireApproval);
}

#[test]
fn a_raised_mode_silences_no_enforced_rule() {
    let rules = [
        with(
            rule("trial", "allow"),
            json!({"mode": "warn", "precedence": 10}),
        ),
        rule("frozen", "deny"),
    ];
    let raise = json!({"rule": "acme#trial", "mode": "enforce"});
    let decision = two_layers(&json!({"rules": rules}), &json!({"overrides": [raise]}));
    assert_eq!(decision.effect, Effect::Deny);
    assert_eq!(decision.rule().unwrap().to_string(), "acme#frozen");
}

#[test]
fn packs_count_once_and_cycles_are_refused() {
    let diamond = Policies::from([
        policy("acme", json!({"extends": ["p/a", "p/b", "p/a"]})),
        policy("p/a", json!({"extends": ["p/c"]})),
        policy("p/b", json!({"extends": ["p/c"]})),
        policy("p/c", json!({"rules": [rule("r", "allow")]})),
    ]);
    let resolved = resolve(&many_bundles(&diamond), "acme/team", None).unwrap();
    let order: Vec<&str> = resolved
        .layers()
        .iter()
        .map(|layer| layer.scope.as_str())
        .collect();
    assert_eq!(order, ["p/c", "p/a", "p/b", "acme", "acme/team"]);
    let cycle = Policies::from([
        policy("acme", json!({"extends": ["p/a"]})),
        policy("p/a", json!({"extends": ["p/b"]})),
        policy("p/b", json!({"extends": ["p/a"]})),
    ]);
    assert_eq!(codes(&cycle, "acme"), [Code::RESOLVE_CYCLE]);
    let own_child = Policies::from([
        policy("acme", json!({"extends": ["acme/team"]})),
        policy("acme/team", json!({})),
    ]);
    assert_eq!(codes(&own_child, "acme/team"), [Code::RESOLVE_CYCLE]);
}

#[test]
fn what_cannot_be_resolved_is_refused() {
    let org = || policy("acme", json!({"rules": [rule("r", "deny")]}));
    let team = |scope, fields| Policies::from([org(), policy(scope, fields)]);
    let over = |rule: &str| json!({"overrides": [{"rule": rule, "effect": "deny"}]});
    assert_eq!(
        codes(&team("other", json!({})), "none/team"),
        [Code::RESOLVE_NO_ROOT]
    );
    let rootless = many_bundles(&Policies::from([
        policy("none/team", json!({})),
        policy("none/team/below", json!({})),
    ]));
    for scope in ["none/team", "none/team/other"] {
        let problems = resolve(&rootless, scope, None).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "policies/a.yaml:1:43: no bundle defines the root scope `none` (`scope`)"
        );
        assert!(problems[0].hint.as_ref().unwrap().contains("`--with`"));
    }
    assert_eq!(
        resolve(&rootless, "no", None).unwrap_err()[0].location,
        None
    );
    assert_eq!(
        codes(&team("acme/t", json!({"extends": ["p"]})), "acme/t"),
        [Code::RESOLVE_NO_PACK]
    );
    assert_eq!(
        codes(&team("acme/t", over("acme#gone")), "acme/t"),
        [Code::RESOLVE_NO_RULE]
    );
    assert_eq!(
        codes(&team("acme/t", over("acme/t/below#r")), "acme/t"),
        [Code::RESOLVE_NOT_ABOVE]
    );
    assert_eq!(
        codes(&team("acme/t", over("other#r")), "acme/t"),
        [Code::RESOLVE_NOT_ABOVE]
    );
    let loosen = json!({"overrides": [{"rule": "acme#r", "effect": "allow", "reason": "no"}]});
    let problems = resolve(&many_bundles(&team("acme/t", loosen)), "acme/t", None).unwrap_err();
    assert_eq!(
        problems[0].to_string(),
        "policies/a.yaml:1:56: bundle `acme-t`: the scope `acme/t` loosens the effect of `acme#r`, which permits tightening only (`overrides`)"
    );
    // Of another bundle than the one that is written, the place is a whole path.
    let fixed =
        json!({"id": "r", "effect": "deny", "reason": "because", "match": {}, "override": "none"});
    let [theirs, own]: [LoadedBundle; 2] = many_bundles(&Policies::from([
        policy("acme", json!({"rules": [fixed]})),
        policy("acme/t", over("acme#r")),
    ]))
    .try_into()
    .unwrap();
    let problems = resolve(&[theirs.told_from("/org".into()), own], "acme/t", None).unwrap_err();
    assert_eq!(problems[0].code, Code::RESOLVE_NOT_PERMITTED);
    let hint = problems[0].hint.as_ref().unwrap();
    assert!(hint.contains("(/org/policies/a.yaml:1:"), "{hint}");
    let mut twice = many_bundles(&Policies::from([org()]));
    let policies = Policies::from([org(), policy("zulu", json!({}))]);
    twice.push(one_bundle(&policies));
    let problems = resolve(&twice, "acme", None).unwrap_err();
    assert_eq!(problems[0].code, Code::RESOLVE_SCOPE_TWICE);
}

#[test]
fn a_consumers_cap_stops_at_the_floor() {
    let effect = |min_mode: &str| {
        let org = policy(
            "acme",
            json!({"min_mode": min_mode, "rules": [rule("r", "deny")]}),
        );
        let bundle = one_bundle(&Policies::from([org]));
        let decision = decide(resolve(&[bundle], "acme", Some(Mode::AuditOnly)).unwrap());
        (
            decision.effect,
            decision.mode,
            decision.would().map(|would| would.effect),
        )
    };
    assert_eq!(
        effect("audit-only"),
        (Effect::Allow, Mode::AuditOnly, Some(Effect::Deny))
    );
    assert_eq!(
        effect("warn"),
        (Effect::Allow, Mode::Warn, Some(Effect::Deny))
    );
    assert_eq!(effect("enforce"), (Effect::Deny, Mode::Enforce, None));
}

#[test]
fn a_decision_explains_itself() {
    let decision = two_layers(
        &json!({"rules": [with(rule("no-x", "deny"), json!({"remediation": "ask"}))]}),
        &json!({"rules": [rule("look", "audit")]}),
    );
    let value = serde_json::to_value(&decision).unwrap();
    assert_eq!(value["outcome"], "denied");
    assert_eq!(value["rule"], "acme#no-x");
    assert_eq!(value["reason_code"], "NO_X");
    assert_eq!(value["remediation"], "ask");
    assert_eq!(value["audited"], true);
    assert_eq!(value["unsigned"], true);
    assert_eq!(value["matched"][1]["rule"], "acme/team#look");
    assert_eq!(
        value["matched"][0]["source"],
        json!({"bundle": "all", "file": "policies/acme.yaml", "line": 1})
    );
    assert!(value.get("would").is_none() && value.get("risk").is_none());
}

#[test]
fn without_a_policy_enforce_denies_and_the_rest_allow_with_the_cause_on_record() {
    let occasion = || Occasion {
        decision_id: "01900000-0000-7000-8000-000000000000".parse().unwrap(),
        time: "2026-11-01T00:00:00Z".parse().unwrap(),
        request_fingerprint: ordain::digest::Sha256Digest::from_bytes([0; 32]),
        freshness: Freshness::Stale,
        duration_ns: 1,
    };
    let cause = Cause::PolicyInvalid;
    let decide = |mode| {
        Decision::fail_closed(
            &"acme".parse().unwrap(),
            mode,
            cause,
            "it is broken",
            occasion(),
        )
    };
    let denied = decide(Mode::Enforce);
    assert_eq!(
        (denied.effect, denied.reason_code(), denied.would()),
        (Effect::Deny, "POLICY_INVALID", None)
    );
    for mode in [Mode::Warn, Mode::AuditOnly] {
        let allowed = decide(mode);
        assert_eq!(
            (allowed.effect, allowed.reason_code()),
            (Effect::Allow, "POLICY_INVALID")
        );
        assert_eq!(allowed.would().unwrap().effect, Effect::Deny);
    }
}
