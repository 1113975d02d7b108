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
//! Most requests need no step but the last two: `request/plain.rs` reads those without a tree.
//!
//! INVARIANT: two requests with the same RFC 8785 form have equal attributes.
//!
//! This module is pure. Where a project lies on disk, and what its remote is, the caller says ([`ProjectIdentity`]). It
//! lacks keyed fingerprints: [`Request::fingerprint_preimage`] is what a MAC will cover.

mod error;
mod forms;
mod identity;
mod members;
mod memory;
mod names;
mod normal;
mod plain;

use std::borrow::Cow;
use std::fmt;
use std::hint::black_box;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::digest::Sha256Digest;
use crate::json::{self, Lazy};
use crate::policy::{Facts, Leaves};

pub use error::RequestError;
pub use identity::ProjectIdentity;
pub(crate) use memory::Memory;

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
#[derive(Debug, Clone)]
pub struct Request {
    form: Form,
    attributes: Lazy,
    mapping: Cow<'static, [Mapped]>,
    fingerprint: Sha256Digest,
    leaves: Leaves,
    /// Where the names stand in the text, if the attributes are one.
    names: Option<plain::Names>,
}

/// Who asks for what: the names of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Names<'a> {
    /// `subject.type`.
    pub subject_type: &'a str,
    /// `subject.id`.
    pub subject: &'a str,
    /// `action.name`.
    pub action: &'a str,
    /// `resource.type`.
    pub resource_type: &'a str,
    /// `resource.id`.
    pub resource: &'a str,
}

impl PartialEq for Request {
    fn eq(&self, other: &Self) -> bool {
        self.form == other.form
            && self.fingerprint == other.fingerprint
            && self.mapping == other.mapping
            && self.attributes == other.attributes
    }
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
        Self::from_json_within(bytes, limits, project, &mut Memory::default())
    }

    /// The same, in the memory of a request before.
    ///
    /// # Errors
    /// As for [`Request::from_json_in`].
    pub(crate) fn from_json_within(
        bytes: &[u8],
        limits: &RequestLimits,
        project: &dyn Fn(&str) -> ProjectIdentity,
        memory: &mut Memory,
    ) -> Result<Self, RequestError> {
        if bytes.len() <= limits.bytes
            && let Some(request) = plain::read(bytes, memory)
        {
            return Ok(request);
        }
        Self::from_tree(json::parse(bytes, limits.bytes)?, project)
    }

    fn from_tree(
        tree: Value,
        project: &dyn Fn(&str) -> ProjectIdentity,
    ) -> Result<Self, RequestError> {
        let mut object = match tree {
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
            attributes: Value::Object(canonical).into(),
            mapping,
            fingerprint,
            names: None,
        })
    }

    /// The form in which it came.
    #[must_use]
    pub fn form(&self) -> Form {
        self.form
    }

    /// The canonical form: an object with `subject`, `action`, `resource` and `context`. It is built when it is first asked for.
    #[must_use]
    pub fn attributes(&self) -> &Value {
        self.attributes.tree()
    }

    /// Who asks for what.
    #[must_use]
    pub fn names(&self) -> Names<'_> {
        let [subject_type, subject, action, resource_type, resource] =
            match (self.attributes.plain(), self.names) {
                (Some(plain), Some(names)) => names.map(|name| plain.text_at(name)),
                _ => names::NAMES.map(|(entity, member, _)| {
                    let entity = self.attributes().get(entity);
                    entity.and_then(|entity| entity.get(member)?.as_str())
                }),
            }
            // INVARIANT: the canonical form has them.
            .map(Option::unwrap_or_default);
        Names {
            subject_type,
            subject,
            action,
            resource_type,
            resource,
        }
    }

    /// Whether the tree of its attributes was built.
    #[cfg(test)]
    pub(crate) fn has_tree(&self) -> bool {
        self.attributes.has_tree()
    }

    /// What rules are judged by at `now`.
    #[inline]
    pub(crate) fn facts(&self, now: Timestamp) -> Facts<'_> {
        // All that a decision will want is fetched at once, before anything has to wait for some of it.
        black_box(self.fingerprint.as_bytes().first());
        self.leaves.touch();
        Facts::lazily(&self.attributes, &self.leaves, now)
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
        match self.attributes() {
            Value::Object(object) => stable_form(object),
            other => Ok(json::canonical(other)?),
        }
    }
}

/// Whether a member of `context` is part of the fingerprint.
fn is_stable(name: &str) -> bool {
    !VOLATILE.contains(&name)
}

/// The RFC 8785 form of `canonical` without volatile members.
fn stable_form(canonical: &Map<String, Value>) -> Result<Vec<u8>, RequestError> {
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
