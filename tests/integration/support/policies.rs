//! Policies and requests for tests, from JSON: YAML holds it.

use std::collections::BTreeMap;
use std::sync::Arc;

use ordain::bundle::BundlePath;
use ordain::diag::Diagnostic;
use ordain::engine::request::{Request, RequestLimits};
use ordain::policy::Mode;
use ordain::resolve::{self, EffectivePolicy, LoadedBundle};
use serde_json::{Value, json};

use super::naive::Policies;

pub(crate) type Files = BTreeMap<BundlePath, Arc<[u8]>>;

/// The moment of every test.
pub(crate) const NOW: &str = "2026-11-01T00:00:00Z";

/// `policies/<name>` for each text.
pub(crate) fn files(texts: &[(&str, &str)]) -> Files {
    let file = |(name, text): &(&str, &str)| {
        let path = format!("policies/{name}").parse().unwrap();
        (path, Arc::from(text.as_bytes()))
    };
    texts.iter().map(file).collect()
}

pub(crate) fn bundle(name: &str, texts: &[(&str, &str)]) -> Result<LoadedBundle, Vec<Diagnostic>> {
    LoadedBundle::unsigned(
        name.parse().unwrap(),
        None,
        &files(texts),
        &ordain::bundle::Limits::default(),
    )
}

/// One bundle of all the policies.
pub(crate) fn one_bundle(policies: &Policies) -> LoadedBundle {
    let texts: Vec<(String, String)> = policies
        .iter()
        .map(|(scope, policy)| {
            (
                format!("{}.yaml", scope.replace('/', "-")),
                policy.to_string(),
            )
        })
        .collect();
    let texts: Vec<(&str, &str)> = texts
        .iter()
        .map(|(name, text)| (&**name, &**text))
        .collect();
    bundle("all", &texts).unwrap()
}

/// A bundle for each of the policies.
pub(crate) fn many_bundles(policies: &Policies) -> Vec<LoadedBundle> {
    let one = |(scope, policy): (&String, &Value)| {
        bundle(&scope.replace('/', "-"), &[("a.yaml", &policy.to_string())]).unwrap()
    };
    policies.iter().map(one).collect()
}

pub(crate) fn resolve(
    bundles: &[LoadedBundle],
    scope: &str,
    cap: Option<Mode>,
) -> Result<EffectivePolicy, Vec<Diagnostic>> {
    resolve::resolve(bundles, &scope.parse().unwrap(), NOW.parse().unwrap(), cap)
}

/// A policy with these fields besides the fixed ones.
pub(crate) fn policy(scope: &str, fields: Value) -> (String, Value) {
    let mut policy = json!({"apiVersion": "ordain/v1", "kind": "Policy", "scope": scope});
    let more = fields.as_object().unwrap().clone();
    policy.as_object_mut().unwrap().extend(more);
    (scope.to_owned(), policy)
}

pub(crate) fn request(value: &Value) -> Request {
    Request::from_json(value.to_string().as_bytes(), &RequestLimits::default()).unwrap()
}

/// A request for the action `x`.
pub(crate) fn plain_request() -> Request {
    request(&json!({
        "subject": {"type": "user", "id": "sam"},
        "action": {"name": "x"},
        "resource": {"type": "stack", "id": "github-a"},
    }))
}
