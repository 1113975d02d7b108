//! JSON Schemas of the documents that policy authors write. Words, limits and operators are those that the readers use; tests hold the
//! fields against what the readers say they know.

mod catalog;
mod matcher;
mod rules;
mod test;

use serde_json::{Value, json};

use super::validate::HIDDEN;
use super::{Effect, MAX_PACKS, MAX_RULES, MAX_TEXT_BYTES, Mode};
use crate::schema::Presence::{Optional, Required};
use crate::schema::{document, list, scope, text, with, words};

pub use catalog::catalog_schema;
pub use test::test_schema;

/// The schema of one scope's policy.
#[must_use]
pub fn policy_schema() -> Value {
    let mut schema = document(
        "Policy",
        "What one scope allows, denies, audits and lets approve: a file under `policies/` of a bundle.",
        vec![
            (
                "scope",
                Required,
                "The scope it speaks for, such as `acme/platform`; it lies in the bundle's namespace.",
                scope(),
            ),
            (
                "extends",
                Optional,
                "Packs: scopes, in any bundle, whose rules this scope takes over.",
                list(scope(), MAX_PACKS),
            ),
            (
                "mode",
                Optional,
                "How far its rules and default bind; `enforce` unless given.",
                mode_words(),
            ),
            (
                "min_mode",
                Optional,
                "A consumer's own rollout may not go below this; `audit-only` unless given.",
                mode_words(),
            ),
            (
                "default",
                Optional,
                "What the scope says where none of its rules matches; `abstain` unless given.",
                default_words(),
            ),
            (
                "waivers",
                Optional,
                "What an override that loosens must carry, anywhere in the organisation; in a root scope only.",
                rules::waivers(),
            ),
            (
                "rules",
                Optional,
                "What it asks for.",
                list(rules::rule(), MAX_RULES),
            ),
            (
                "overrides",
                Optional,
                "Changes to rules of ancestors and packs.",
                list(rules::change(), MAX_RULES),
            ),
        ],
    );
    with(&mut schema, "$defs", matcher::definitions());
    schema
}

/// The modes, from the weakest to the strictest.
#[must_use]
pub fn mode_words() -> Value {
    words(&[
        (
            Mode::AuditOnly.as_str(),
            "Never blocks; the decision records what would have happened.",
        ),
        (Mode::Warn.as_str(), "As `audit-only`, and tells the user."),
        (Mode::Enforce.as_str(), "Binds."),
    ])
}

/// The effects, from the weakest to the strictest.
const EFFECTS: [(&str, &str); 4] = [
    (Effect::Allow.as_str(), "Permit."),
    (
        Effect::Audit.as_str(),
        "Permit, and mark the decision for review.",
    ),
    (
        Effect::RequireApproval.as_str(),
        "Permit once someone else has approved.",
    ),
    (Effect::Deny.as_str(), "Refuse."),
];

fn effect_words() -> Value {
    words(&EFFECTS)
}

fn default_words() -> Value {
    let mut all = vec![("abstain", "Say nothing: other layers decide.")];
    all.extend(EFFECTS);
    words(&all)
}

/// A text for people: it has something to read, and nothing that a terminal obeys or hides.
fn prose() -> Value {
    let ranges: String = HIDDEN
        .iter()
        .map(|(from, to)| format!("{}-{}", escape(*from), escape(*to)))
        .collect();
    let mut schema = text(MAX_TEXT_BYTES);
    with(&mut schema, "pattern", json!("\\S"));
    with(
        &mut schema,
        "not",
        json!({"pattern": format!("[{ranges}]")}),
    );
    schema
}

/// A character in a pattern of ECMA-262.
fn escape(character: char) -> String {
    format!("\\u{:04x}", u32::from(character))
}
