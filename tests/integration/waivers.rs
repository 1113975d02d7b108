//! What a root scope demands of waivers.

use ordain::diag::{Code, Diagnostic};
use ordain::policy;
use ordain::resolve::EffectivePolicy;
use serde_json::{Value, json};

use super::support::TestEnv;
use super::support::naive::Policies;
use super::support::policies::{NOW, files, many_bundles, policy as written, resolve};

/// `acme` with a waivable rule and these terms, and a team that makes this override of it.
fn organisation(terms: &Value, change: &Value) -> Policies {
    let rule = json!({"id": "r", "effect": "deny", "reason": "x", "override": "any", "match": {}});
    let mut over = json!({"rule": "acme#r", "reason": "agreed"});
    over.as_object_mut()
        .unwrap()
        .extend(change.as_object().unwrap().clone());
    Policies::from([
        written("acme", json!({"waivers": terms, "rules": [rule]})),
        written("acme/team", json!({"overrides": [over]})),
    ])
}

fn team(terms: &Value, change: &Value) -> Result<EffectivePolicy, Vec<Diagnostic>> {
    resolve(
        &many_bundles(&organisation(terms, change)),
        "acme/team",
        None,
    )
}

/// The message and hint of the only problem, which is a waiver's.
#[track_caller]
fn refused(result: Result<EffectivePolicy, Vec<Diagnostic>>) -> (String, String) {
    let problems = result.unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert_eq!(problems[0].code, Code::RESOLVE_WAIVER);
    assert!(problems[0].location.is_some());
    (
        problems[0].message.clone(),
        problems[0].hint.clone().unwrap(),
    )
}

#[test]
fn a_waiver_carries_what_the_root_scope_demands() {
    let terms = json!({"require": ["owner", "ticket", "expires"]});
    let (message, hint) = refused(team(&terms, &json!({"effect": "audit", "owner": "leads"})));
    assert_eq!(
        message,
        "bundle `acme-team`: the scope `acme/team` loosens `acme#r` without `ticket` and `expires`, which `acme` demands of waivers"
    );
    assert_eq!(hint, "add `ticket` and `expires` to the override");
    let whole = json!({"effect": "audit", "owner": "leads", "ticket": "T-1", "expires": "2030-01-01T00:00:00Z"});
    assert!(team(&terms, &whole).is_ok());
    for loosening in [
        json!({"disable": true}),
        json!({"precedence": 1}),
        json!({"mode": "warn"}),
    ] {
        refused(team(&terms, &loosening));
    }
    // What does not loosen is no waiver.
    assert!(team(&terms, &json!({"effect": "deny"})).is_ok());
    assert!(team(&terms, &json!({})).is_ok());
    // A lapsed waiver is as if it were never written.
    let lapsed = json!({"effect": "audit", "expires": NOW});
    assert_eq!(team(&terms, &lapsed).unwrap().lapsed().len(), 1);
}

#[test]
fn no_waiver_has_longer_to_go_than_the_root_scope_permits() {
    let terms = json!({"max_duration": "90d"});
    let until = |expires: &str| team(&terms, &json!({"effect": "audit", "expires": expires}));
    assert!(until("2027-01-30T00:00:00Z").is_ok(), "90 days from {NOW}");
    assert_eq!(
        refused(until("2027-01-30T00:00:01Z")).0,
        "bundle `acme-team`: the scope `acme/team` loosens `acme#r` until 2027-01-30T00:00:01Z, 90 days from now, and `acme` lets a waiver last 90d at most"
    );
    let (message, _) = refused(team(&terms, &json!({"effect": "audit"})));
    assert!(message.contains("without `expires`"), "{message}");
}

#[test]
fn nobody_beside_the_root_escapes_its_terms() {
    let rule = json!({"id": "r", "effect": "deny", "reason": "x", "override": "any", "match": {}});
    let change = |rule: &str| json!([{"rule": rule, "effect": "audit", "reason": "agreed"}]);
    let terms = json!({"require": ["ticket"]});
    let base = || written("base", json!({"rules": [rule]}));
    let root = |fields: Value| {
        let mut fields = fields;
        fields["waivers"] = terms.clone();
        fields["extends"] = json!(["base"]);
        written("acme", fields)
    };
    // A pack that only the team extends, and that loosens what the root took over.
    let beside = Policies::from([
        base(),
        root(json!({})),
        written(
            "pack",
            json!({"extends": ["base"], "overrides": change("base#r")}),
        ),
        written("acme/team", json!({"extends": ["pack"]})),
    ]);
    let (message, _) = refused(resolve(&many_bundles(&beside), "acme/team", None));
    assert!(message.starts_with("bundle `pack`: "), "{message}");
    // The root itself.
    let itself = Policies::from([base(), root(json!({"overrides": change("base#r")}))]);
    refused(resolve(&many_bundles(&itself), "acme", None));
    // A pack above the root is as the root took it over.
    let above = Policies::from([
        written("deep", json!({"rules": [rule]})),
        written(
            "base",
            json!({"extends": ["deep"], "overrides": change("deep#r")}),
        ),
        root(json!({})),
    ]);
    assert!(resolve(&many_bundles(&above), "acme", None).is_ok());
}

#[test]
fn terms_that_mean_nothing_are_refused() {
    let only = |scope: &str, waivers: &str| {
        let text =
            format!("apiVersion: ordain/v1\nkind: Policy\nscope: {scope}\nwaivers: {waivers}\n");
        let problems = policy::validate(
            &files(&[("a.yaml", &text)]),
            None,
            &ordain::bundle::Limits::default(),
        )
        .unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:#?}");
        assert_eq!(problems[0].location.clone().unwrap().line, 4);
        (problems[0].code, problems[0].path.clone().unwrap())
    };
    let at = |path: &str| path.to_owned();
    assert_eq!(only("acme", "{}"), (Code::POLICY_WAIVERS, at("waivers")));
    assert_eq!(
        only("acme", "{require: []}"),
        (Code::POLICY_WAIVERS, at("waivers"))
    );
    assert_eq!(
        only("acme/team", "{require: [owner]}"),
        (Code::POLICY_WAIVERS, at("waivers"))
    );
    assert_eq!(
        only("acme", "{require: [blood]}"),
        (Code::POLICY_TYPE, at("waivers.require[0]"))
    );
    assert_eq!(
        only("acme", "{max_duration: soon}"),
        (Code::POLICY_TYPE, at("waivers.max_duration"))
    );
    assert_eq!(
        only("acme", "{longest: 90d}"),
        (Code::POLICY_UNKNOWN_FIELD, at("waivers.longest"))
    );
    assert_eq!(only("acme", "[owner]"), (Code::POLICY_TYPE, at("waivers")));
}

#[test]
fn what_is_demanded_and_carried_is_shown() {
    let env = TestEnv::new();
    let terms = json!({"require": ["owner", "ticket"], "max_duration": "10y"});
    let change = json!({"effect": "audit", "owner": "leads", "ticket": "T-1", "expires": "2030-01-01T00:00:00Z"});
    let manifest =
        "apiVersion: ordain/v1\nkind: Bundle\nname: org\nversion: 1.0.0\nnamespace: acme\n";
    env.write("org/bundle.yaml", manifest);
    for (index, policy) in organisation(&terms, &change).values().enumerate() {
        env.write(format!("org/policies/{index}.yaml"), policy.to_string());
    }
    let arguments = [
        "policy",
        "resolve",
        "--scope",
        "acme/team",
        "--unsigned-dir",
        "org",
    ];
    let shown = env.ordain(arguments.into_iter().chain(["--explain"]));
    let shown = shown.success();
    for line in [
        "waivers need reason, owner, ticket, at most 10y to go",
        "  acme#r by acme/team to audit: agreed; owner leads; ticket T-1; until 2030-01-01T00:00:00Z",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
}
