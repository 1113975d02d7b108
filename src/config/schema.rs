//! The schema of `ordain.yaml`.

use serde_json::{Value, json};

use crate::policy::schema::mode_words;
use crate::schema::Presence::{Optional, Required};
use crate::schema::{digest, document, lifetime, mapping, name, scope, with, words};

/// The schema of a consumer's configuration.
#[must_use]
pub fn config_schema() -> Value {
    let bundles = json!({"type": "array", "items": bundle(), "minItems": 1});
    document(
        "Config",
        "Which bundles a consumer trusts, for which scope, and where its log goes: `ordain.yaml`.",
        vec![
            (
                "scope",
                Required,
                "The scope whose policy decides here.",
                scope(),
            ),
            (
                "mode",
                Optional,
                "A cap on the policy's mode for this consumer's own rollout, and the mode where no policy can be read.",
                mode_words(),
            ),
            (
                "trust",
                Required,
                "Where trust begins: `dir`, `git` or both.",
                trust(),
            ),
            ("bundles", Required, "The bundles that take part.", bundles),
            ("log", Optional, "Where decisions are recorded.", log()),
        ],
    )
}

/// A text that is not empty.
fn plain() -> Value {
    json!({"type": "string"})
}

fn trust() -> Value {
    let mut trust = mapping(vec![
        (
            "dir",
            Optional,
            "The directory of `1.root.json` and its successors, relative to this file.",
            plain(),
        ),
        (
            "fingerprint",
            Optional,
            "The fingerprint of the first root, from a second channel; else the one that `ordain trust confirm` noted.",
            digest(),
        ),
        (
            "git",
            Optional,
            "A repository from which newer roots are fetched: a URL or path.",
            plain(),
        ),
        ("ref", Optional, "The branch, tag or commit in it.", plain()),
        (
            "path",
            Optional,
            "The directory of the roots in it.",
            plain(),
        ),
    ]);
    with(
        &mut trust,
        "anyOf",
        json!([{"required": ["dir"]}, {"required": ["git"]}]),
    );
    with(
        &mut trust,
        "dependentRequired",
        json!({"ref": ["git"], "path": ["git"]}),
    );
    trust
}

fn bundle() -> Value {
    mapping(vec![
        (
            "name",
            Required,
            "The name that its signed statement must carry.",
            name(),
        ),
        (
            "git",
            Required,
            "The repository: a URL, or a path relative to this file.",
            plain(),
        ),
        (
            "ref",
            Optional,
            "A branch, tag or commit id; `HEAD` unless given.",
            plain(),
        ),
        (
            "path",
            Optional,
            "The bundle's directory in the repository; its root unless given.",
            plain(),
        ),
        (
            "max_age",
            Optional,
            "The greatest age of its statement.",
            lifetime(),
        ),
        (
            "grace",
            Optional,
            "How long after its time the active statement still decides, each decision marked stale.",
            lifetime(),
        ),
    ])
}

fn log() -> Value {
    let sync = words(&[
        ("always", "Each record reaches the disk by itself."),
        (
            "group",
            "Each batch does, before it is acknowledged: the default.",
        ),
        (
            "none",
            "When the system likes: a power failure may then look like tampering.",
        ),
    ]);
    mapping(vec![
        (
            "path",
            Optional,
            "The log's directory, relative to this file; `.ordain/log` unless given.",
            plain(),
        ),
        ("sync", Optional, "When a record counts as written.", sync),
        (
            "origin",
            Optional,
            "The log's name in its checkpoints.",
            plain(),
        ),
        (
            "earlier_keys",
            Optional,
            "Verifier keys that signed its checkpoints before this machine's own.",
            json!({"type": "array", "items": {"type": "string"}}),
        ),
    ])
}
