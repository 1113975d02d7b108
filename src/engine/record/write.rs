//! A decision as JSON, written member by member: what serialising it gives, without asking each of its types how it is written.
//!
//! What stands in nearly every record is written here; what is rare is left to serde, so that there is one spelling of it.

use std::sync::Arc;

use jiff::fmt::temporal::DateTimePrinter;
use serde::Serialize;
use uuid::Uuid;

use crate::bundle::BundleIdentity;
use crate::engine::decision::{MatchedRule, Outcome, Told};
use crate::json::{write_list, write_text};
use crate::name::RuleRef;
use crate::resolve::{Source, SourceFile};

static TIMES: DateTimePrinter = DateTimePrinter::new();

/// How the bundles of the last decision are written. Those of the next are nearly always the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct WrittenBundles(Option<(Arc<[BundleIdentity]>, Vec<u8>)>);

impl WrittenBundles {
    pub(super) fn of(
        &mut self,
        bundles: Option<&Arc<[BundleIdentity]>>,
    ) -> Result<&[u8], serde_json::Error> {
        let Some(bundles) = bundles else {
            return Ok(b"[]");
        };
        // The list is held, so no other has its address.
        let last = self.0.take();
        let written = match last.filter(|(last, _)| Arc::ptr_eq(last, bundles)) {
            Some(written) => written,
            None => (Arc::clone(bundles), serde_json::to_vec(bundles.as_ref())?),
        };
        Ok(&self.0.insert(written).1)
    }
}

/// Writes the members of a decision, with a comma in front of each; `written` is how its bundles are.
pub(super) fn members(
    out: &mut Vec<u8>,
    told: &Told<'_>,
    written: &[u8],
) -> Result<(), serde_json::Error> {
    let Told {
        decision_id,
        time,
        scope,
        effect,
        outcome,
        mode,
        rule,
        reason,
        reason_code,
        remediation,
        risk,
        missing_capabilities,
        patterns,
        audited,
        would,
        matched,
        request_fingerprint,
        policy_digest,
        bundles: _,
        stale,
        unsigned,
        duration_ns,
    } = told;
    out.extend_from_slice(b",\"decision_id\":\"");
    let id = decision_id.hyphenated();
    out.extend_from_slice(id.encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.extend_from_slice(b"\",\"time\":\"");
    // Writing to memory does not fail.
    TIMES.print_timestamp(time, &mut *out).unwrap_or_default();
    out.extend_from_slice(b"\",\"scope\":");
    write_text(out, scope.as_str());
    word(out, b",\"effect\":\"", effect.as_str());
    word(out, b",\"outcome\":\"", spelling(*outcome));
    word(out, b",\"mode\":\"", mode.as_str());
    if let Some(rule) = rule {
        out.extend_from_slice(b",\"rule\":");
        name(out, rule);
    }
    out.extend_from_slice(b",\"reason\":");
    write_text(out, reason);
    out.extend_from_slice(b",\"reason_code\":");
    write_text(out, reason_code);
    if let Some(remediation) = remediation {
        out.extend_from_slice(b",\"remediation\":");
        write_text(out, remediation);
    }
    if let Some(risk) = risk {
        word(out, b",\"risk\":\"", risk.as_str());
    }
    if !missing_capabilities.is_empty() {
        rare(out, b",\"missing_capabilities\":", missing_capabilities)?;
    }
    if !patterns.is_empty() {
        rare(out, b",\"patterns\":", patterns)?;
    }
    out.extend_from_slice(b",\"audited\":");
    flag(out, *audited);
    if let Some(would) = would {
        rare(out, b",\"would\":", would)?;
    }
    out.extend_from_slice(b",\"matched\":");
    write_list(out, matched, matched_rule)?;
    out.extend_from_slice(b",\"request_fingerprint\":");
    request_fingerprint.write(out);
    out.extend_from_slice(b",\"policy_digest\":");
    match policy_digest {
        Some(digest) => digest.write(out),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(b",\"bundles\":");
    out.extend_from_slice(written);
    out.extend_from_slice(b",\"stale\":");
    flag(out, *stale);
    out.extend_from_slice(b",\"unsigned\":");
    flag(out, *unsigned);
    rare(out, b",\"duration_ns\":", duration_ns)
}

fn matched_rule(out: &mut Vec<u8>, found: &MatchedRule<'_>) -> Result<(), serde_json::Error> {
    let MatchedRule {
        rule,
        effect,
        mode,
        failed,
        source,
    } = found;
    out.extend_from_slice(b"{\"rule\":");
    name(out, rule);
    word(out, b",\"effect\":\"", effect.as_str());
    word(out, b",\"mode\":\"", mode.as_str());
    if *failed {
        out.extend_from_slice(b",\"failed\":true");
    }
    out.extend_from_slice(b",\"source\":");
    match source {
        Some(source) => source_of(out, source)?,
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    Ok(())
}

fn source_of(out: &mut Vec<u8>, source: &Source) -> Result<(), serde_json::Error> {
    let Source { file, line } = source;
    let SourceFile {
        bundle,
        commit,
        name,
    } = &**file;
    out.extend_from_slice(b"{\"bundle\":");
    write_text(out, bundle.as_str());
    if let Some(commit) = commit {
        out.extend_from_slice(b",\"commit\":");
        write_text(out, commit.as_str());
    }
    out.extend_from_slice(b",\"file\":");
    write_text(out, name);
    rare(out, b",\"line\":", line)?;
    out.push(b'}');
    Ok(())
}

/// A rule's name: neither of its parts has anything to escape.
fn name(out: &mut Vec<u8>, rule: &RuleRef) {
    out.push(b'"');
    out.extend_from_slice(rule.scope.as_str().as_bytes());
    out.push(b'#');
    out.extend_from_slice(rule.rule.as_str().as_bytes());
    out.push(b'"');
}

/// A word of the language behind `before`, which ends in the quote that opens it.
fn word(out: &mut Vec<u8>, before: &[u8], word: &str) {
    out.extend_from_slice(before);
    out.extend_from_slice(word.as_bytes());
    out.push(b'"');
}

fn flag(out: &mut Vec<u8>, is_set: bool) {
    out.extend_from_slice(if is_set { b"true" } else { b"false" });
}

fn rare(out: &mut Vec<u8>, before: &[u8], value: &impl Serialize) -> Result<(), serde_json::Error> {
    out.extend_from_slice(before);
    serde_json::to_writer(out, value)
}

fn spelling(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Allowed => "allowed",
        Outcome::Denied => "denied",
        Outcome::Pending => "pending",
    }
}
