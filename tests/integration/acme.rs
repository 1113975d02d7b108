//! The example bundle `acme` says what it should: valid, in all three forms, each expectation about a rule that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ordain::bundle::{BundlePath, Limits, MANIFEST_FILE, Manifest};
use ordain::engine::input::RequestReader;
use ordain::engine::request::{Form, Request, RequestLimits};
use ordain::policy;
use serde_json::Value;

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
    let layers = policy::validate(&files, Some(&manifest.namespace)).unwrap();
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

#[test]
fn every_request_of_acme_has_an_expectation_about_a_rule_that_exists() {
    let expected = expected();
    assert_eq!(expected.len(), requests().len());
    let rules: BTreeMap<String, String> = policy::validate(&files(&acme()), None)
        .unwrap()
        .into_iter()
        .flat_map(|layer| layer.rules)
        .map(|rule| (rule.name.to_string(), rule.reason_code.to_string()))
        .collect();
    for expected in expected {
        let code = expected["reason_code"].as_str().unwrap();
        match expected["rule"].as_str() {
            Some(rule) => assert_eq!(rules.get(rule).map(String::as_str), Some(code), "{rule}"),
            None => assert_eq!(code, "NO_MATCH"),
        }
    }
}
