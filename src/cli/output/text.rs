//! Decisions for people: the answer, who asked for what, and why.

use std::fmt::{self, Write as _};

use crate::cli::ui::escape;
use crate::engine::request::Request;
use crate::engine::{Decision, Outcome};
use crate::policy::Mode;

/// Writes a decision; `asked` is what [`asked`] says of the request, unless that could not be read.
pub(super) fn decision(bytes: &mut Vec<u8>, decision: &Decision, asked: Option<&str>) {
    let mut out = String::new();
    // Writing to memory does not fail.
    let () = lines(&mut out, decision, asked).unwrap_or_default();
    bytes.extend_from_slice(out.as_bytes());
}

fn lines(out: &mut String, decision: &Decision, asked: Option<&str>) -> fmt::Result {
    let answer = match decision.outcome {
        Outcome::Allowed if decision.is_audited() => "allowed, audited",
        Outcome::Allowed => "allowed",
        Outcome::Denied => "denied",
        Outcome::Pending => "needs approval",
    };
    let asked = asked.unwrap_or("(a request that cannot be read)");
    let unsigned = if decision.is_unsigned() {
        "  [unsigned policy]"
    } else {
        ""
    };
    let stale = if decision.stale {
        "  [stale policy]"
    } else {
        ""
    };
    writeln!(out, "{answer:16}  {asked}{unsigned}{stale}")?;
    let by = decision
        .rule()
        .map(|rule| format!("{rule}: "))
        .unwrap_or_default();
    writeln!(
        out,
        "{:16}  {by}{} [{}]",
        "",
        escape(&decision.reason()),
        decision.reason_code()
    )?;
    let found = found(decision);
    if !found.is_empty() {
        writeln!(out, "{:16}  {}", "", found.join("; "))?;
    }
    if let Some(remediation) = decision
        .remediation()
        .filter(|_| decision.outcome != Outcome::Allowed)
    {
        writeln!(out, "{:16}  to do: {}", "", escape(remediation))?;
    }
    if let Some(would) = decision.would() {
        let by = would
            .rule
            .map(|rule| format!(" by {rule}"))
            .unwrap_or_default();
        let mode = if would.mode == Mode::Warn {
            "warning"
        } else {
            "not enforced"
        };
        writeln!(
            out,
            "{:16}  {mode}: would be {}{by} [{}]",
            "",
            would.effect.as_str(),
            would.reason_code
        )?;
    }
    Ok(())
}

/// What catalogues say: `risk critical; lacks local-sudo; dangerous: recursive-delete`.
fn found(decision: &Decision) -> Vec<String> {
    let list = |words: &mut dyn Iterator<Item = &String>| -> Option<String> {
        let words: Vec<String> = words.map(|word| escape(word)).collect();
        Some(words.join(", ")).filter(|words| !words.is_empty())
    };
    let risk = decision
        .risk()
        .map(|risk| format!("risk {}", risk.as_str()));
    let missing = list(&mut decision.missing_capabilities().iter());
    let patterns = list(&mut decision.patterns().iter().map(|pattern| &pattern.id));
    [
        risk,
        missing.map(|missing| format!("lacks {missing}")),
        patterns.map(|patterns| format!("dangerous: {patterns}")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// `dana apply_stack github-prod`.
pub(super) fn asked(request: &Request) -> String {
    let names = request.names();
    let [subject, action, resource] = [names.subject, names.action, names.resource].map(escape);
    format!("{subject} {action} {resource}")
}
