//! The example bundle `acme` says what its README claims: its policies are valid, its requests come in every form, and each is
//! decided as `expected.jsonl` says, which was written by hand.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ordain::bundle::{BundlePath, Limits, MANIFEST_FILE, Manifest};
use ordain::engine::input::RequestReader;
use ordain::engine::request::{Form, Request, RequestLimits};
use ordain::engine::{Decision, Engine, Freshness, Occasion};
use ordain::policy;
use ordain::resolve::{LoadedBundle, resolve};
use serde_json::Value;
use uuid::Uuid;

fn acme() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bundles/acme")
}

/// Every file of the bundle but the envelope.
fn files(root: &Path) -> BTreeMap<BundlePath, Arc<[u8]>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            if name != ordain::bundle::ENVELOPE_FILE {
                let bytes = std::fs::read(&path).unwrap();
                files.insert(name.parse().unwrap(), bytes.into());
            }
        }
    }
    files
}

fn requests() -> Vec<Request> {
    let file = std::fs::read(acme().join("requests.jsonl")).unwrap();
    let limits = RequestLimits::default();
    RequestReader::new(&file[..], &limits)
        .map(|raw| Request::from_json(&raw.unwrap().bytes, &limits).unwrap())
        .collect()
}

fn expected() -> Vec<Value> {
    let file = std::fs::read_to_string(acme().join("expected.jsonl")).unwrap();
    file.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn acme_is_a_valid_bundle() {
    let files = files(&acme());
    let limit = Limits::default().yaml_bytes;
    let manifest = files
        .iter()
        .find(|(name, _)| name.as_str() == MANIFEST_FILE);
    let manifest = Manifest::parse(manifest.unwrap().1, limit).unwrap();
    let layers = policy::validate(
        &files,
        Some(&manifest.namespace),
        &ordain::bundle::Limits::default(),
    )
    .unwrap();
    let scopes: Vec<_> = layers.iter().map(|layer| layer.scope.as_str()).collect();
    assert_eq!(
        scopes,
        [
            "acme",
            "acme/platform",
            "acme/platform/payments",
            "acme/research"
        ]
    );
}

#[test]
fn the_requests_of_acme_cover_every_form_and_differ() {
    let requests = requests();
    let forms: BTreeSet<_> = requests
        .iter()
        .map(|request| format!("{:?}", request.form()))
        .collect();
    let all = [Form::Authzen, Form::Configuration, Form::ToolCall];
    assert_eq!(forms, all.map(|form| format!("{form:?}")).into());
    let fingerprints: BTreeSet<_> = requests.iter().map(Request::fingerprint).collect();
    assert_eq!(fingerprints.len(), requests.len());
}

fn engine(scope: &str) -> Engine {
    let bundle = LoadedBundle::unsigned(
        "acme".parse().unwrap(),
        None,
        &files(&acme()),
        &ordain::bundle::Limits::default(),
    )
    .unwrap();
    let now = "2026-12-01T00:00:00Z".parse().unwrap();
    let policy = resolve(&[bundle], &scope.parse().unwrap(), now, None);
    Engine::new(policy.unwrap_or_else(|problems| panic!("{problems:#?}")))
}

/// The decision with what is new every time pinned.
fn decide(engine: &Engine, request: &Request) -> Value {
    let occasion = Occasion {
        decision_id: Uuid::nil(),
        time: "2026-12-01T00:00:00Z".parse().unwrap(),
        request_fingerprint: request.fingerprint(),
        freshness: Freshness::Fresh,
        duration_ns: 0,
    };
    let verdict = engine.evaluate(request, occasion.time);
    serde_json::to_value(Decision::new(engine, verdict, occasion)).unwrap()
}

#[test]
fn every_request_of_acme_is_decided_as_expected() {
    let (engine, requests, expected) = (engine("acme/platform/payments"), requests(), expected());
    assert_eq!(expected.len(), requests.len());
    for (index, (request, expected)) in requests.iter().zip(&expected).enumerate() {
        let decision = decide(&engine, request);
        for (key, value) in expected.as_object().unwrap() {
            let found = decision.get(key).unwrap_or(&Value::Null);
            assert_eq!(found, value, "line {}, `{key}`: {decision:#}", index + 1);
        }
    }
}

#[test]
fn the_other_team_of_acme_gets_other_answers() {
    let (engine, requests) = (engine("acme/research"), requests());
    let answer = |line: usize| {
        let decision = decide(&engine, &requests[line - 1]);
        (decision["outcome"].clone(), decision["rule"].clone())
    };
    // Its waiver lets an unknown server pass, on record.
    assert_eq!(answer(4), ("allowed".into(), "acme#server-review".into()));
    // It has none for restoring.
    assert_eq!(answer(7), ("denied".into(), "acme#no-restore".into()));
    // Its allow for plain HTTP stands below a deny that nobody may change.
    let lab = br#"{"operation": "configure_server", "client": "c", "server": {"url": "http://x.lab.acme.example/mcp"}}"#;
    let lab = Request::from_json(lab, &RequestLimits::default()).unwrap();
    let decision = decide(&engine, &lab);
    assert_eq!(decision["rule"], "acme#no-plain-http");
    let matched = decision["matched"].as_array().unwrap();
    assert!(
        matched
            .iter()
            .any(|rule| rule["rule"] == "acme/research#lab-servers")
    );
}
