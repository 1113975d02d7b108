//! `bundle.yaml`: what the bundle calls itself.

use serde::Deserialize;

use super::MANIFEST_FILE;
use crate::diag::{Code, Diagnostic};
use crate::name::{BundleName, Namespace};
use crate::yaml;

/// A bundle's manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// The name.
    pub name: BundleName,
    /// The version for people.
    pub version: semver::Version,
    /// The scopes it may define.
    pub namespace: Namespace,
    /// What it is for.
    pub description: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawManifest {
    #[serde(rename = "apiVersion")]
    api_version: String,
    kind: String,
    name: BundleName,
    version: semver::Version,
    namespace: Namespace,
    #[serde(default)]
    description: String,
}

impl Manifest {
    /// Parses `bundle.yaml`.
    ///
    /// # Errors
    /// The first [`Diagnostic`].
    pub fn parse(bytes: &[u8], limit: usize) -> Result<Self, Diagnostic> {
        let document = yaml::parse::<RawManifest>(MANIFEST_FILE, bytes, limit)?;
        let raw = document.value;
        for (key, found, expected) in [
            ("apiVersion", &raw.api_version, "ordain/v1"),
            ("kind", &raw.kind, "Bundle"),
        ] {
            if found != expected {
                let message = format!("`{key}` is `{}`, not `{expected}`", found.escape_debug());
                let diagnostic = Diagnostic::error(Code::MANIFEST, message).under(key);
                return Err(match document.spans.locate(key) {
                    Some(location) => diagnostic.at(location),
                    None => diagnostic,
                });
            }
        }
        let RawManifest {
            name,
            version,
            namespace,
            description,
            ..
        } = raw;
        Ok(Self {
            name,
            version,
            namespace,
            description,
        })
    }
}
