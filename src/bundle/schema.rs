//! The schema of `bundle.yaml`.

use serde_json::{Value, json};

use crate::schema::Presence::{Optional, Required};
use crate::schema::{document, name, scope};

/// Semantic Versioning 2.0.0.
const VERSION: &str = "^(?:0|[1-9][0-9]*)\\.(?:0|[1-9][0-9]*)\\.(?:0|[1-9][0-9]*)\
(?:-(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)(?:\\.(?:0|[1-9][0-9]*|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*))*)?\
(?:\\+[0-9a-zA-Z-]+(?:\\.[0-9a-zA-Z-]+)*)?$";

/// The schema of a bundle's manifest.
#[must_use]
pub fn manifest_schema() -> Value {
    let version = json!({"type": "string", "pattern": VERSION, "examples": ["1.0.0"]});
    document(
        "Bundle",
        "What a bundle calls itself: `bundle.yaml` at its top.",
        vec![
            (
                "name",
                Required,
                "The bundle's name, which its signed statement repeats.",
                name(),
            ),
            (
                "version",
                Required,
                "The version for people, as Semantic Versioning writes it; what counts is the signed revision.",
                version,
            ),
            (
                "namespace",
                Required,
                "The scope that its policies define, with everything below it; its signers must speak for it.",
                scope(),
            ),
            (
                "description",
                Optional,
                "What the bundle is for.",
                json!({"type": "string"}),
            ),
        ],
    )
}
