//! What the root scope of a chain demands of every override that loosens.
//!
//! It is demanded of every scope that takes part, the root itself included, and not of the packs above the root: those are as
//! the root took them over. A pack that only a team extends may stand beside the root's own packs and override their rules,
//! so being below the root is not what counts.
//!
//! `max_duration` is held against the time of the resolution: however often a waiver is renewed, none that stands has longer to
//! go. So a waiver that is refused today for lasting too long is not refused when it has less to go; it never counted before.

use jiff::Timestamp;

use super::Definitions;
use super::graph::Graph;
use crate::clock::roughly;
use crate::diag::{Code, Diagnostic};
use crate::name::Scope;
use crate::policy::{Override, WaiverField, WaiverTerms};

/// The terms of one resolution.
#[derive(Debug)]
pub(super) struct Terms<'a> {
    demanded: Option<(&'a Scope, &'a WaiverTerms)>,
    graph: &'a Graph,
    now: Timestamp,
}

impl<'a> Terms<'a> {
    pub(super) fn new(defined: &Definitions<'a>, graph: &'a Graph, now: Timestamp) -> Self {
        let root = graph
            .order
            .iter()
            .find(|(scope, is_chain)| *is_chain && scope.parent().is_none());
        let demanded = root
            .and_then(|(root, _)| Some((root, &defined.get(root)?.layer.waivers)))
            .filter(|(_, terms)| !terms.is_empty());
        Self {
            demanded,
            graph,
            now,
        }
    }

    /// Why `change`, by which `by` loosens a rule, may not stand, if so.
    pub(super) fn refuse(&self, by: &Scope, change: &Override) -> Option<Diagnostic> {
        let (root, terms) = self.demanded?;
        if self.graph.is_above(by, root) {
            return None;
        }
        let mut lacking = terms.require.clone();
        if terms.max_duration.is_some() {
            lacking.insert(WaiverField::Expires);
        }
        lacking.retain(|field| !field.is_in(change));
        if !lacking.is_empty() {
            let words: Vec<&str> = lacking.into_iter().map(WaiverField::as_str).collect();
            let message = format!(
                "the scope `{by}` loosens `{}` without `{}`, which `{root}` demands of waivers",
                change.rule,
                words.join("` and `")
            );
            let hint = format!("add `{}` to the override", words.join("` and `"));
            return Some(Diagnostic::error(Code::RESOLVE_WAIVER, message).hint(hint));
        }
        let (longest, expires) = terms.max_duration.zip(change.expires)?;
        (expires > longest.after(self.now)).then(|| {
            let message = format!(
                "the scope `{by}` loosens `{}` until {expires}, {} from now, and `{root}` lets a waiver last {longest} at most",
                change.rule,
                roughly(expires.duration_since(self.now))
            );
            let hint = "let it expire earlier, and renew it where it is still needed then";
            Diagnostic::error(Code::RESOLVE_WAIVER, message).hint(hint)
        })
    }
}
