//! The published schemas against the readers: what a reader takes validates, and the fields and words are the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use ordain::bundle::{Limits, Manifest, manifest_schema};
use ordain::cli::schemas;
use ordain::config::{Config, config_schema};
use ordain::diag::Diagnostic;
use ordain::policy::schema::{catalog_schema, policy_schema};
use ordain::{policy, yaml};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::support::policies::files;
use super::support::random::policies;
use super::support::{TestEnv, checkout};

/// The validator of a kind; `Document` leads to the others.
pub(crate) fn validator(kind: &str) -> Validator {
    let all = schemas();
    let resources = all.iter().map(|(name, schema)| {
        let id = format!("https://ordain.dev/schemas/v1/{}.json", name.to_lowercase());
        assert_eq!(schema["$id"], id);
        (id, jsonschema::Resource::from_contents(schema.clone()))
    });
    let registry = jsonschema::Registry::new()
        .extend(resources)
        .unwrap()
        .prepare()
        .unwrap();
    let (_, schema) = all.iter().find(|(name, _)| name == kind).unwrap();
    jsonschema::options()
        .with_registry(&registry)
        .build(schema)
        .unwrap()
}

/// What a schema says against a document; nothing where it fits.
fn objections(validator: &Validator, document: &Value) -> Vec<String> {
    let told =
        |error: jsonschema::ValidationError<'_>| format!("{}: {error}", error.instance_path());
    validator.iter_errors(document).map(told).collect()
}

/// Every file below a directory.
fn below(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![directory.to_owned()];
    while let Some(path) = left.pop() {
        if path.is_dir() {
            left.extend(
                std::fs::read_dir(path)
                    .unwrap()
                    .map(|entry| entry.unwrap().path()),
            );
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn the_schemas_are_schemas_and_describe_every_field() {
    fn described(value: &Value, path: &str) {
        let fields = value
            .get("properties")
            .and_then(Value::as_object)
            .filter(|_| value.get("additionalProperties").is_some());
        for (name, field) in fields.into_iter().flatten() {
            assert!(
                field.get("description").is_some() || path.ends_with("/table"),
                "{path}/{name} has no description"
            );
        }
        for (name, inner) in value.as_object().into_iter().flatten() {
            described(inner, &format!("{path}/{name}"));
        }
    }
    for (kind, schema) in schemas() {
        jsonschema::draft202012::meta::validate(&schema)
            .unwrap_or_else(|error| panic!("{kind}: {error}"));
        let is_of_all = kind == "Document";
        assert!(
            is_of_all || schema["properties"]["kind"]["const"] == kind,
            "{kind}"
        );
        assert!(
            schema["title"].is_string() && schema["description"].is_string(),
            "{kind}"
        );
        described(&schema, &kind);
    }
}

#[test]
fn what_is_published_is_what_the_program_prints() {
    let env = TestEnv::new();
    for (kind, schema) in schemas() {
        let output = env.ordain(["policy", "schema", &kind]);
        output.success();
        assert_eq!(output.json(), schema);
        let lower = env.ordain(["policy", "schema", &kind.to_lowercase()]);
        assert_eq!(lower.success(), output.stdout);
        assert!(env.ordain(["policy", "schema"]).success().contains(&kind));
    }
    env.ordain(["policy", "schema", "Recipe"]).code(2);
    let written = env.ordain(["policy", "schema", "--dir", "editor/schemas"]);
    assert_eq!(written.success().lines().count(), schemas().len());
    let policy = env.read("editor/schemas/policy.json");
    assert_eq!(policy, env.ordain(["policy", "schema", "policy"]).stdout);
}

#[test]
fn every_document_of_the_checkout_validates() {
    let mut kinds = BTreeSet::new();
    let mut paths = below(&checkout().join("bundles"));
    paths.extend(below(&checkout().join("fuzz/corpus")));
    paths.push(checkout().join("ordain.yaml"));
    for path in paths {
        let is_corpus = path.starts_with(checkout().join("fuzz"));
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if is_corpus && !name.starts_with("good-") || !is_corpus && !name.ends_with(".yaml") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let Ok(document) = yaml::parse::<Value>("x", &bytes, 1 << 20) else {
            continue;
        };
        let Some(kind) = document.value["kind"]
            .as_str()
            .filter(|_| document.value["apiVersion"].is_string())
        else {
            continue;
        };
        let mut found = objections(&validator(kind), &document.value);
        found.extend(objections(&validator("Document"), &document.value));
        assert!(found.is_empty(), "{}: {found:#?}", path.display());
        kinds.insert(kind.to_owned());
    }
    assert!(kinds.len() >= 3, "{kinds:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_policies_validate(policies in policies(&["none", "tighten", "any"])) {
        let validator = validator("Policy");
        for policy in policies.values() {
            prop_assert_eq!(objections(&validator, policy), Vec::<String>::new());
        }
    }
}

/// The fields at a JSON pointer of a schema.
fn fields(schema: &Value, pointer: &str) -> BTreeSet<String> {
    let found = schema
        .pointer(pointer)
        .unwrap_or_else(|| panic!("nothing at {pointer}"));
    found["properties"]
        .as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect()
}

/// The words in backticks.
fn quoted(text: &str) -> BTreeSet<String> {
    text.split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect()
}

fn problems(document: &Value) -> Vec<Diagnostic> {
    policy::validate(
        &files(&[("a.yaml", &document.to_string())]),
        None,
        &ordain::bundle::Limits::default(),
    )
    .unwrap_err()
}

/// What the reader says it knows, where it meets a field that it does not.
#[track_caller]
fn known(document: &Value) -> BTreeSet<String> {
    let found = problems(document);
    let unknown = found
        .iter()
        .find(|problem| problem.message.contains("`zzz`"))
        .unwrap_or_else(|| panic!("{found:#?}"));
    quoted(unknown.hint.as_deref().unwrap())
}

#[test]
fn the_schema_of_a_policy_knows_what_its_reader_knows() {
    let schema = policy_schema();
    let document = |more: Value| {
        let mut document = json!({"apiVersion": "ordain/v1", "kind": "Policy", "scope": "acme"});
        document
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        document
    };
    let rule = |more: Value| {
        let mut rule = json!({"id": "r", "effect": "deny", "reason": "x", "match": {}});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        document(json!({"rules": [rule]}))
    };
    for (pointer, bad) in [
        ("", document(json!({"zzz": 1}))),
        ("/properties/rules/items", rule(json!({"zzz": 1}))),
        (
            "/properties/rules/items/properties/valid",
            rule(json!({"valid": {"zzz": 1}})),
        ),
        (
            "/properties/overrides/items",
            document(json!({"overrides": [{"rule": "top#r", "zzz": 1}]})),
        ),
        (
            "/properties/waivers",
            document(json!({"waivers": {"zzz": 1}})),
        ),
        (
            "/$defs/hours",
            rule(json!({"match": {"context.time": {"time_of_day": {"zzz": 1}}}})),
        ),
        (
            "/$defs/operators/properties/weekday",
            rule(json!({"match": {"context.time": {"weekday": {"zzz": 1}}}})),
        ),
        (
            "/$defs/operators",
            rule(json!({"match": {"action": {"zzz": 1}}})),
        ),
    ] {
        assert_eq!(fields(&schema, pointer), known(&bad), "at {pointer}");
    }
    let words = |pointer: &str| -> BTreeSet<String> {
        let words = schema.pointer(pointer).unwrap()["oneOf"]
            .as_array()
            .unwrap();
        words
            .iter()
            .map(|word| word["const"].as_str().unwrap().to_owned())
            .collect()
    };
    for (pointer, bad) in [
        (
            "/properties/rules/items/properties/effect",
            rule(json!({"effect": "zzz"})),
        ),
        (
            "/properties/rules/items/properties/override",
            rule(json!({"override": "zzz"})),
        ),
        ("/properties/mode", document(json!({"mode": "zzz"}))),
    ] {
        let found = problems(&bad);
        let mut said = quoted(&found[0].message);
        for other in ["zzz", "effect", "override", "mode"] {
            said.remove(other);
        }
        assert_eq!(words(pointer), said, "{}", found[0].message);
    }
    let said = quoted(
        problems(&document(json!({"default": "zzz"})))[0]
            .hint
            .as_deref()
            .unwrap(),
    );
    assert_eq!(words("/properties/default"), said);
}

#[test]
fn the_schema_of_a_catalogue_knows_what_its_reader_knows() {
    let document = |field: &str, value: Value| {
        let mut document = json!({"apiVersion": "ordain/v1", "kind": "Catalog", "scope": "acme"});
        document[field] = value;
        document
    };
    let operation = "/properties/operations/items";
    let variant = format!("{operation}/properties/variants/items");
    for (pointer, bad) in [
        ("", document("zzz", json!(1))),
        (
            operation,
            document(
                "operations",
                json!([{"action": "a", "risk": "low", "zzz": 1}]),
            ),
        ),
        (
            &variant,
            document(
                "operations",
                json!([{"action": "a", "risk": "low", "variants": [{"match": {"subject": "x"}, "zzz": 1}]}]),
            ),
        ),
        (
            "/properties/patterns/items",
            document("patterns", json!([{"id": "a", "regex": "x", "zzz": 1}])),
        ),
        (
            "/properties/patterns/items/properties/command",
            document(
                "patterns",
                json!([{"id": "a", "command": {"program": "rm", "zzz": 1}}]),
            ),
        ),
        ("/properties/table", document("table", json!({"zzz": 1}))),
        (
            "/properties/table/properties/low",
            document("table", json!({"low": {"zzz": 1}})),
        ),
    ] {
        assert_eq!(
            fields(&catalog_schema(), pointer),
            known(&bad),
            "at {pointer}"
        );
    }
}

#[test]
fn the_other_schemas_know_what_their_readers_know() {
    let manifest = |text: &str| {
        Manifest::parse(text.as_bytes(), Limits::default().yaml_bytes)
            .unwrap_err()
            .message
    };
    let config = |text: &str| {
        Config::parse(Path::new("ordain.yaml"), text.as_bytes())
            .unwrap_err()
            .message
    };
    for (schema, pointer, said) in [
        (manifest_schema(), "", manifest("zzz: 1\n")),
        (config_schema(), "", config("zzz: 1\n")),
        (
            config_schema(),
            "/properties/trust",
            config("trust: {zzz: 1}\n"),
        ),
        (
            config_schema(),
            "/properties/bundles/items",
            config("bundles: [{zzz: 1}]\n"),
        ),
        (
            config_schema(),
            "/properties/log",
            config("log: {zzz: 1}\n"),
        ),
    ] {
        let mut known = quoted(&said);
        assert!(known.remove("zzz"), "{said}");
        assert_eq!(fields(&schema, pointer), known, "at {pointer}");
    }
    let said = quoted(&config("log: {sync: zzz}\n"));
    for word in config_schema()["properties"]["log"]["properties"]["sync"]["oneOf"]
        .as_array()
        .unwrap()
    {
        assert!(said.contains(word["const"].as_str().unwrap()), "{said:?}");
    }
    assert_eq!(said.len(), 4, "{said:?}");
}
