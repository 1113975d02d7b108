//! Requests: what is asked, in one canonical form, and its fingerprint.
//!
//! The canonical form is OpenID AuthZEN's: `subject {type, id, properties}`, `action {name, properties}`,
//! `resource {type, id, properties}` and `context {…}`, of which the three `properties` and `context` are always
//! there. Two short forms are rewritten into it (`request/forms.rs` holds the tables).
//!
//! 1. Strict JSON ([`crate::json`]), one object, a cap on its bytes.
//! 2. Unicode form C of every text and key; whole numbers become integers.
//! 3. The members tell the form. A mixture of forms, an unknown member, a wrong type: refused, since a member that no rule
//!    can see is a rule passed by.
//! 4. Rewriting into the canonical form.
//! 5. Names are what they look like (`request/names.rs`).
//! 6. The fingerprint: SHA-256 of the RFC 8785 form without the [`VOLATILE`] members of `context`.
//!
//! INVARIANT: two requests with the same RFC 8785 form have equal attributes.
//!
//! This module is pure. Where a project lies on disk, and what its remote is, the caller says ([`ProjectIdentity`]). It
//! lacks keyed fingerprints: [`Request::fingerprint_preimage`] is what a MAC will cover.

mod error;
mod forms;
mod identity;
mod members;
mod names;
mod normal;

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::digest::Sha256Digest;
use crate::json;
use crate::policy::Leaves;

pub use error::RequestError;
pub use identity::ProjectIdentity;

/// The members of `context` that differ between two askings of the same thing, and so stay out of the fingerprint.
///
/// Only these, only directly under `context`, and only in the fingerprint: rules see them.
pub const VOLATILE: [&str; 6] = [
    "request_id",
    "span_id",
    "time",
    "trace_id",
    "traceparent",
    "tracestate",
];

/// Caps on a request. The depth is [`json::MAX_DEPTH`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// Bytes of one request.
    pub bytes: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        Self { bytes: 1 << 20 }
    }
}

/// The form in which a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// OpenID AuthZEN.
    Authzen,
    /// An MCP configuration operation.
    Configuration,
    /// An administrative tool call.
    ToolCall,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authzen => "an AuthZEN request",
            Self::Configuration => "a configuration operation",
            Self::ToolCall => "a tool call",
        })
    }
}

/// Where a member of the canonical form came from, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Mapped {
    /// The path in the canonical form.
    pub to: &'static str,
    /// The path in the input; none where the form implies the value.
    pub from: Option<&'static str>,
    /// What was done on the way.
    pub how: &'static str,
}

/// A normalised request.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    form: Form,
    attributes: Value,
    mapping: Cow<'static, [Mapped]>,
    fingerprint: Sha256Digest,
    leaves: Leaves,
}

impl Request {
    /// Reads one request; a project path is fingerprinted as it is written.
    ///
    /// # Errors
    /// [`RequestError`] for the first thing that is not as a request must be.
    pub fn from_json(bytes: &[u8], limits: &RequestLimits) -> Result<Self, RequestError> {
        Self::from_json_in(bytes, limits, &|path| {
            ProjectIdentity::RealPath(path.to_owned())
        })
    }

    /// Reads one request; `project` says what identifies the project at a path.
    ///
    /// It is asked only for a path: a `project` written as a URL or as a `sha256:` fingerprint speaks for itself.
    ///
    /// # Errors
    /// [`RequestError`] for the first thing that is not as a request must be.
    pub fn from_json_in(
        bytes: &[u8],
        limits: &RequestLimits,
        project: &dyn Fn(&str) -> ProjectIdentity,
    ) -> Result<Self, RequestError> {
        let mut object = match json::parse(bytes, limits.bytes)? {
            Value::Object(object) => object,
            other => {
                let found = members::name_of(&other);
                return Err(RequestError::NotAnObject { found });
            }
        };
        normal::normalise_object(&mut object, &normal::Place::Top)?;
        let form = forms::detect(&object)?;
        let (canonical, mapping) = match form {
            Form::Authzen => forms::authzen(object)?,
            Form::Configuration => forms::configuration(object, project)?,
            Form::ToolCall => forms::tool_call(object)?,
        };
        names::check(&canonical, &mapping)?;
        let fingerprint = Sha256Digest::of(&stable_form(&canonical)?);
        Ok(Self {
            leaves: Leaves::of(&canonical),
            form,
            attributes: Value::Object(canonical),
            mapping,
            fingerprint,
        })
    }

    /// The form in which it came.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The canonical form: an object with `subject`, `action`, `resource` and `context`.
    #[must_use]
    pub fn attributes(&self) -> &Value {
        &self.attributes
    }

    /// The leaves of the canonical form, where rules find them fast.
    #[must_use]
    pub fn leaves(&self) -> &Leaves {
        &self.leaves
    }

    /// Where each member of the canonical form came from, in the order of that form.
    #[must_use]
    pub fn mapping(&self) -> &[Mapped] {
        &self.mapping
    }

    /// SHA-256 of [`Request::fingerprint_preimage`].
    #[must_use]
    pub fn fingerprint(&self) -> Sha256Digest {
        self.fingerprint
    }

    /// The RFC 8785 form of the attributes without the [`VOLATILE`] members of `context`.
    ///
    /// # Errors
    /// [`RequestError::Json`], though never for a request that was read from JSON.
    pub fn fingerprint_preimage(&self) -> Result<Vec<u8>, RequestError> {
        match &self.attributes {
            Value::Object(object) => stable_form(object),
            other => Ok(json::canonical(other)?),
        }
    }
}

/// The RFC 8785 form of `canonical` without volatile members.
fn stable_form(canonical: &Map<String, Value>) -> Result<Vec<u8>, RequestError> {
    let is_stable = |name: &str| !VOLATILE.contains(&name);
    let mut out = Vec::with_capacity(512);
    json::write_members(
        &mut out,
        canonical,
        |_| true,
        |out, name, value| match (name, value) {
            ("context", Value::Object(context)) => {
                json::write_members(out, context, is_stable, json::write_member)
            }
            _ => json::write_member(out, name, value),
        },
    )?;
    Ok(out)
}

#[cfg(test)]
mod tests;
