//! The operators of `match` in whole policies: one defect each, and what a rule author relies on.

use ordain::diag::Code;
use ordain::engine::Engine;
use ordain::policy::{self, Effect};
use ordain::resolve::lint;
use serde_json::{Value, json};

use super::support::checkout;
use super::support::naive::Policies;
use super::support::policies::{NOW, files, one_bundle, policy, request, resolve};

/// The code, line, path below `match`, message and hint of the only problem of a rule with this condition.
#[track_caller]
fn only(condition: &str) -> (Code, String, String, String) {
    let text = format!(
        "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n- id: r\n  effect: deny\n  reason: x\n  match: {condition}\n"
    );
    let problems = policy::validate(
        &files(&[("a.yaml", &text)]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    let problem = problems.into_iter().next().unwrap();
    assert_eq!(problem.location.unwrap().line, 8);
    let path = problem.path.unwrap().replace("rules[0].match", "");
    (problem.code, path, problem.message, problem.hint.unwrap())
}

#[track_caller]
fn refused(condition: &str, code: Code, path: &str, message: &str) {
    let found = only(condition);
    assert_eq!((found.0, &*found.1, &*found.2), (code, path, message));
}

#[test]
fn a_broken_regex_is_refused_with_its_place_in_the_file_and_in_the_expression() {
    refused(
        "{action: {regex: '^(a|b'}}",
        Code::POLICY_REGEX,
        ".action.regex",
        "the regular expression cannot be read: unclosed group, at its character 2",
    );
    refused(
        "{action: {regex: [a, 'b{']}}",
        Code::POLICY_REGEX,
        ".action.regex[1]",
        "the regular expression cannot be read: unclosed counted repetition, at its character 2",
    );
    refused(
        r"{action: {regex: '\w{1000}'}}",
        Code::POLICY_REGEX,
        ".action.regex",
        "the regular expression is too large",
    );
    assert_eq!(only("{action: {regex: 1}}").0, Code::POLICY_MATCH);
    assert_eq!(only("{action: {suffix: [1]}}").0, Code::POLICY_MATCH);
}

#[test]
fn networks_and_versions_that_mean_nothing_are_refused() {
    let (code, path, message, hint) = only("{context.ip: {cidr: [10.0.0.0/8, 10.1.2.3/16]}}");
    assert_eq!(
        (code, &*path),
        (Code::POLICY_OPERAND, "[\"context.ip\"].cidr[1]")
    );
    assert_eq!(
        message,
        "`10.1.2.3/16` has bits of an address behind its prefix; the network is `10.1.0.0/16`"
    );
    assert_eq!(hint, "write `10.1.0.0/16`, or the address without a prefix");
    refused(
        "{context.ip: {cidr: intranet}}",
        Code::POLICY_OPERAND,
        "[\"context.ip\"].cidr",
        "`intranet` is neither an address nor a network",
    );
    refused(
        "{context.v: {semver: '1.2.3'}}",
        Code::POLICY_OPERAND,
        "[\"context.v\"].semver",
        "`1.2.3` does not say which versions it means",
    );
    assert_eq!(
        only("{context.v: {semver: '>=1 <2'}}").0,
        Code::POLICY_OPERAND
    );
    assert_eq!(only("{context.v: {semver: []}}").0, Code::POLICY_MATCH);
}

#[test]
fn hours_days_and_zones_that_do_not_exist_are_refused() {
    let window = |fields: &str| format!("{{context.time: {{time_of_day: {{{fields}}}}}}}");
    let path = "[\"context.time\"].time_of_day";
    let zone = format!("{path}.zone");
    refused(
        &window("from: '09:00', until: '17:00', zone: Europe/Atlantis"),
        Code::POLICY_OPERAND,
        &zone,
        "`Europe/Atlantis` is no time zone",
    );
    refused(
        &window("from: '9', until: '17:00', zone: UTC"),
        Code::POLICY_OPERAND,
        path,
        "`9` is no time of day",
    );
    refused(
        &window("from: '09:00', until: '09:00', zone: UTC"),
        Code::POLICY_OPERAND,
        path,
        "the window begins and ends at `09:00`",
    );
    let without = only(&window("from: '09:00', until: '17:00'"));
    assert_eq!((without.0, &*without.1), (Code::POLICY_MISSING_FIELD, path));
    let unknown = only(&window(
        "from: '09:00', until: '17:00', zone: UTC, days: [mon]",
    ));
    assert_eq!(unknown.0, Code::POLICY_UNKNOWN_FIELD);
    assert_eq!(
        only("{context.time: {time_of_day: '09:00'}}").0,
        Code::POLICY_TYPE
    );
    assert_eq!(
        only("{context.time: {time_of_day: []}}").0,
        Code::POLICY_MATCH
    );

    let days = |fields: &str| format!("{{context.time: {{weekday: {{{fields}}}}}}}");
    refused(
        &days("in: [mon, Tuesday], zone: UTC"),
        Code::POLICY_OPERAND,
        "[\"context.time\"].weekday.in[1]",
        "`Tuesday` is no day of the week",
    );
    assert_eq!(only(&days("in: [mon]")).0, Code::POLICY_MISSING_FIELD);
    assert_eq!(
        only("{context.time: {weekday: [mon]}}").0,
        Code::POLICY_TYPE
    );
}

#[test]
fn references_that_name_no_path_are_refused() {
    refused(
        "{subject: {ref: owner}}",
        Code::POLICY_MATCH,
        ".subject.ref",
        &only("{subject: {ref: owner}}").2,
    );
    assert_eq!(only("{subject: {ref: [resource]}}").0, Code::POLICY_MATCH);
    assert_eq!(
        only("{subject: {in: {ref: nowhere.else}}}").1,
        ".subject.in.ref"
    );
    assert_eq!(
        only("{subject: {in: {path: resource}}}").0,
        Code::POLICY_MATCH
    );
    assert_eq!(
        only("{subject: {in: {ref: resource, or: 1}}}").0,
        Code::POLICY_MATCH
    );
    assert_eq!(
        only("{subject: {prefix: {ref: resource}}}").0,
        Code::POLICY_MATCH
    );
}

#[test]
fn groups_nest_as_deep_as_documents_may() {
    let nested = |levels: usize| {
        let condition = format!(
            "{}{{action: x}}{}",
            "{not: ".repeat(levels),
            "}".repeat(levels)
        );
        let text = format!(
            "apiVersion: ordain/v1\nkind: Policy\nscope: acme\nrules:\n- id: r\n  effect: deny\n  reason: x\n  match: {condition}\n"
        );
        policy::validate(
            &files(&[("a.yaml", &text)]),
            None,
            &ordain::bundle::Limits::default(),
        )
        .map_err(|problems| problems[0].code)
    };
    assert!(nested(50).is_ok());
    assert_eq!(nested(80).unwrap_err(), Code::YAML_TOO_DEEP);
}

#[test]
fn the_manuals_examples_are_read() {
    let manual = std::fs::read_to_string(checkout().join("docs/policy.md")).unwrap();
    let example = |heading: &str| {
        let (_, section) = manual.split_once(heading).unwrap();
        let (_, block) = section.split_once("```yaml\n").unwrap();
        block.split_once("```").unwrap().0.to_owned()
    };
    let head = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\n";
    let operators = format!("{head}{}", example("### Addresses, versions, hours"));
    let waivers = example("### What waivers need");
    let read = |text: &str| {
        policy::validate(
            &files(&[("a.yaml", text)]),
            None,
            &ordain::bundle::Limits::default(),
        )
        .unwrap()
    };
    assert_eq!(read(&operators)[0].rules.len(), 4);
    assert!(!read(&waivers)[0].waivers.is_empty());
}

/// What a rule of this effect and condition says at [`NOW`], or at the request's own time.
fn decide(effect: &str, condition: &Value, context: &Value) -> Effect {
    let default = if effect == "deny" { "allow" } else { "deny" };
    let rule = json!({"id": "r", "effect": effect, "reason": "because", "match": condition});
    let policy = policy("acme", json!({"default": default, "rules": [rule]}));
    let engine =
        Engine::new(resolve(&[one_bundle(&Policies::from([policy]))], "acme", None).unwrap());
    let request = request(&json!({
        "subject": {"type": "user", "id": "sam", "properties": {"team": "payments", "groups": ["dev", "ops"], "limit": 10}},
        "action": {"name": "x"},
        "resource": {"type": "stack", "id": "s", "properties": {"team": "payments", "readers": ["sam", "kim"], "cost": 12}},
        "context": context,
    }));
    engine.evaluate(&request, NOW.parse().unwrap()).effect()
}

#[test]
fn an_address_cannot_dress_up() {
    let intranet = json!({"context.ip": {"cidr": "10.0.0.0/8"}});
    for spelling in [
        "10.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:a00:1",
        "10.0.0.0/9",
        "0.0.0.0/0",
    ] {
        let context = json!({"ip": spelling});
        assert_eq!(
            decide("deny", &intranet, &context),
            Effect::Deny,
            "{spelling}"
        );
    }
    // Not even by a network that holds more, a type, or a name.
    for spelling in [
        json!("0.0.0.0/0"),
        json!(["10.0.0.1"]),
        json!("localhost"),
        json!(10),
    ] {
        let context = json!({"ip": spelling});
        assert_eq!(
            decide("allow", &intranet, &context),
            Effect::Deny,
            "{spelling}"
        );
        let opposite = json!({"not": intranet});
        assert_eq!(
            decide("allow", &opposite, &context),
            Effect::Deny,
            "{spelling}"
        );
    }
}

#[test]
fn the_hour_is_that_of_the_evaluation_unless_the_request_says() {
    // NOW is a Sunday, 01:00 in Berlin.
    let office = json!({
        "context.time": {
            "time_of_day": {"from": "09:00", "until": "17:00", "zone": "Europe/Berlin"},
            "weekday": {"in": "mon-fri", "zone": "Europe/Berlin"},
        }
    });
    assert_eq!(decide("allow", &office, &json!({})), Effect::Deny);
    let monday = json!({"time": "2026-11-02T08:00:00Z"});
    assert_eq!(decide("allow", &office, &monday), Effect::Allow);
    let night = json!({"context.time": {"not": office["context.time"]}});
    assert_eq!(decide("deny", &night, &json!({})), Effect::Deny);
    assert_eq!(decide("deny", &night, &monday), Effect::Allow);
    assert_eq!(
        decide("deny", &night, &json!({"time": "lunch"})),
        Effect::Deny
    );
}

#[test]
fn values_are_held_against_each_other() {
    let decide = |condition: Value| decide("allow", &condition, &json!({"empty": null}));
    let team = "subject.properties.team";
    for holds in [
        json!({team: {"ref": "resource.properties.team"}}),
        json!({"subject": {"in": {"ref": "resource.properties.readers"}}}),
        json!({"resource.properties.readers": {"contains": {"ref": "subject"}}}),
        json!({"resource.properties.cost": {"gt": {"ref": "subject.properties.limit"}}}),
        json!({"subject": {"not": {"in": {"ref": "subject.properties.groups"}}}}),
    ] {
        assert_eq!(decide(holds.clone()), Effect::Allow, "{holds}");
    }
    for fails in [
        json!({team: {"ref": "resource"}}),
        json!({team: {"ref": "context.empty"}}),
        json!({team: {"ref": "resource.properties.cost"}}),
        json!({team: {"not": {"ref": "resource.properties.cost"}}}),
        json!({"resource.properties.cost": {"lte": {"ref": "subject.properties.limit"}}}),
    ] {
        assert_eq!(decide(fails.clone()), Effect::Deny, "{fails}");
    }
}

#[test]
fn an_operator_that_wants_a_value_contradicts_absence() {
    for operator in [
        json!({"regex": "a"}),
        json!({"cidr": "10.0.0.0/8"}),
        json!({"semver": "*"}),
        json!({"weekday": {"in": "mon", "zone": "UTC"}}),
        json!({"ref": "subject"}),
    ] {
        let mut condition = operator;
        condition["exists"] = json!(false);
        let rule =
            json!({"id": "r", "effect": "deny", "reason": "x", "match": {"context.a": condition}});
        let policies = Policies::from([policy("acme", json!({"rules": [rule]}))]);
        let policy = resolve(&[one_bundle(&policies)], "acme", None).unwrap();
        let found: Vec<Code> = lint(&policy, NOW.parse().unwrap())
            .iter()
            .map(|found| found.code)
            .collect();
        assert_eq!(found, [Code::LINT_NEVER_MATCHES]);
    }
}
