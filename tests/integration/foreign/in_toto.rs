//! in-toto's Statement v1 (github.com/in-toto/attestation, spec/v1): its published rules, each held by one case, and the two
//! places where we refuse more than it asks, which `docs/bundle-format.md` says as well.

use ordain::bundle::{Statement, StatementError};
use serde_json::{Value, json};

const DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A statement in the shape of statement.md, "Schema".
fn statement() -> Value {
    json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [
            {"name": "bundle.yaml", "digest": {"sha256": DIGEST}},
            {"name": "policies/a.yaml", "digest": {"sha256": DIGEST}},
        ],
        "predicateType": "https://ordain.dev/predicate/bundle/v1",
        "predicate": {
            "bundle": "acme", "version": "1.0.0", "namespace": "acme", "epoch": 1, "revision": 1,
            "issued": "2026-11-01T00:00:00Z", "expires": "2027-02-01T00:00:00Z",
        },
    })
}

fn parse(change: impl FnOnce(&mut Value)) -> Result<Statement, StatementError> {
    let mut value = statement();
    change(&mut value);
    Statement::parse(value.to_string().as_bytes())
}

fn without(at: &str, member: &str) -> Result<Statement, StatementError> {
    parse(|value| {
        drop(
            value
                .pointer_mut(at)
                .unwrap()
                .as_object_mut()
                .unwrap()
                .remove(member),
        )
    })
}

#[track_caller]
fn is_a_shape(result: &Result<Statement, StatementError>) {
    assert!(
        matches!(result, Err(StatementError::Shape { .. })),
        "{result:?}"
    );
}

#[test]
fn what_follows_the_schema_is_read_and_written_the_same() {
    let parsed = parse(|_| {}).unwrap();
    assert_eq!(parsed.subjects.len(), 2);
    let again: Value = serde_json::from_slice(&parsed.to_payload().unwrap()).unwrap();
    assert_eq!(again, statement());
}

/// statement.md, "Fields", `_type`: "Always `https://in-toto.io/Statement/v1` for this version of the spec"; field_types.md,
/// "TypeURI": compared as it stands, case included.
#[test]
fn the_type_is_the_published_one_to_the_letter() {
    for kind in [
        "https://in-toto.io/Statement/v0.1",
        "https://in-toto.io/Statement/v1.1",
        "https://in-toto.io/Statement/v1/",
        "https://in-toto.io/statement/v1",
        "http://in-toto.io/Statement/v1",
        "",
    ] {
        let refused = parse(|value| value["_type"] = kind.into());
        assert!(
            matches!(refused, Err(StatementError::Type { .. })),
            "{kind}"
        );
    }
    is_a_shape(&without("", "_type"));
}

/// statement.md, "Fields": `subject` and `predicateType` are required.
#[test]
fn required_members_are_required() {
    is_a_shape(&without("", "subject"));
    is_a_shape(&without("", "predicateType"));
    let foreign = parse(|value| value["predicateType"] = "https://slsa.dev/provenance/v1".into());
    assert!(matches!(foreign, Err(StatementError::PredicateType { .. })));
    // It is optional to in-toto; ours has required members.
    is_a_shape(&without("", "predicate"));
}

/// statement.md, "Fields", `subject`: "Each element MUST have `digest` set"; names "SHOULD be unique within subject", and for
/// us are, since the name is what a file is found by.
#[test]
fn each_subject_has_a_digest_and_a_name_of_its_own() {
    is_a_shape(&without("/subject/0", "digest"));
    is_a_shape(&without("/subject/0", "name"));
    is_a_shape(&parse(|value| value["subject"][0]["digest"] = json!({})));
    let twice = parse(|value| value["subject"][1]["name"] = "bundle.yaml".into());
    assert!(matches!(twice, Err(StatementError::Order { .. })));
    // "_" stands for a name without meaning; a file is called something.
    let nameless = parse(|value| value["subject"][0]["name"] = "_".into());
    assert!(nameless.is_ok(), "`_` is a file's name like another");
}

/// digest_set.md, "Supported algorithms": "lowercase hex-encoded values".
#[test]
fn a_digest_is_lowercase_hexadecimal_of_its_length() {
    for digest in [
        DIGEST.to_uppercase(),
        DIGEST[1..].to_owned(),
        format!("{DIGEST}00"),
        format!("sha256:{DIGEST}"),
        "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".to_owned(),
    ] {
        is_a_shape(&parse(|value| {
            value["subject"][0]["digest"]["sha256"] = digest.into();
        }));
    }
}

/// digest_set.md, "Guidelines": "Consumers MUST only accept algorithms that they consider secure": SHA-256, and nothing else
/// in its place.
#[test]
fn no_other_algorithm_stands_in_for_sha256() {
    for algorithm in ["sha1", "md5", "sha512", "gitBlob", "SHA256", "sha-256"] {
        is_a_shape(&parse(|value| {
            value["subject"][0]["digest"] = json!({algorithm: DIGEST});
        }));
    }
}

/// digest_set.md, "Guidelines": other algorithms of a set are to be ignored, and README.md, "Parsing rules": unrecognised
/// fields, "unless otherwise noted in the predicate specification". Ours notes otherwise: what some reader might act on, and
/// this one does not understand, is refused.
#[test]
fn what_is_not_understood_is_refused_rather_than_ignored() {
    is_a_shape(&parse(|value| {
        value["subject"][0]["digest"] = json!({"sha256": DIGEST, "sha512": DIGEST});
    }));
    is_a_shape(&parse(|value| value["annotations"] = json!({})));
    is_a_shape(&parse(|value| value["subject"][0]["uri"] = "x".into()));
    is_a_shape(&parse(|value| value["predicate"]["optional"] = true.into()));
}
