//! `ordain policy resolve`.

use std::fmt::Write as _;

use clap::Args;

use super::which::Which;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::output::scopes::asks;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, note, pretty_json, printable_json};
use crate::engine::Freshness;
use crate::policy::{Effect, Mode, WaiverTerms, Window};
use crate::resolve::{EffectivePolicy, LayerView, OverrideView, RuleView, Source};
use crate::trust::whole_second;

#[derive(Debug, Args)]
pub(crate) struct Resolve {
    #[command(flatten)]
    which: Which,
    /// Say where each rule comes from: bundle, commit, signers, file and line, and who changed it.
    #[arg(long)]
    explain: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Resolve) -> Result<Exit, Failure> {
    let now = context.env.clock.now();
    let policy = args.which.policy(context)?;
    let mut out = Output::stdout();
    let view = policy.view();
    let validity = policy.validity();
    let is_stale = validity.at(now) != Some(Freshness::Fresh);
    if args.json {
        let value = serde_json::json!({"format_version": 1, "stale": is_stale, "policy": view});
        out.line(&pretty_json(&value)?)?;
    } else {
        if is_stale {
            out.line(&format!(
                "stale   since {}; decides until {}",
                whole_second(validity.fresh_until()),
                whole_second(validity.serves_until())
            ))?;
        }
        print(&mut out, &policy, args.explain)?;
    }
    out.flush()?;
    if policy.is_unsigned() {
        note("warning: nobody signed this policy");
    }
    Ok(Exit::Success)
}

fn print(out: &mut Output, policy: &EffectivePolicy, explain: bool) -> Result<(), Failure> {
    let view = policy.view();
    out.line(&format!("scope   {}", view.scope))?;
    out.line(&format!("policy  {}", view.policy_digest))?;
    for bundle in view.bundles.iter().filter(|_| explain) {
        let signers: Vec<&str> = bundle
            .signers
            .iter()
            .map(|signer| signer.principal.as_str())
            .collect();
        let commit = bundle.commit.as_ref().map_or_else(
            || "no commit".to_owned(),
            |commit| format!("commit {}", commit.short()),
        );
        let signers = if signers.is_empty() {
            "nobody".to_owned()
        } else {
            signers.join(", ")
        };
        out.line(&format!(
            "bundle  {} {}.{}, {commit}, signed by {signers}",
            bundle.name, bundle.epoch, bundle.revision
        ))?;
    }
    if let Some(terms) = view.waivers.filter(|_| explain) {
        out.line(&format!("waivers {}", demands(terms)))?;
    }
    for layer in &view.layers {
        print_layer(out, layer, explain)?;
    }
    if !view.loosenings.is_empty() {
        out.line("\nloosened")?;
        for change in &view.loosenings {
            out.line(&format!(
                "  {} by {}{}",
                change.rule,
                change.by,
                describe(change)
            ))?;
        }
    }
    for change in &view.lapsed {
        out.line(&format!(
            "lapsed  {} by {}{}",
            change.rule,
            change.by,
            describe(change)
        ))?;
    }
    Ok(())
}

fn print_layer(out: &mut Output, layer: &LayerView<'_>, explain: bool) -> Result<(), Failure> {
    let default = layer.default.map_or("abstain", Effect::as_str);
    out.line(&format!(
        "\n{}  mode {}, default {default}",
        layer.scope,
        layer.mode.as_str()
    ))?;
    for rule in &layer.rules {
        print_rule(out, rule, layer.mode, explain)?;
    }
    Ok(())
}

fn print_rule(
    out: &mut Output,
    rule: &RuleView<'_>,
    around: Mode,
    explain: bool,
) -> Result<(), Failure> {
    let mut line = format!("  {:16} {}", rule.effect.as_str(), rule.rule.rule);
    if rule.disabled {
        line.push_str("  (disabled)");
    }
    if let Some(written) = rule.written_effect {
        let _ = write!(line, "  (written as {})", written.as_str());
    }
    line.push_str(&own_mode(rule.mode, around));
    let _ = write!(line, "  {}", escape(rule.reason));
    out.line(&line)?;
    if explain {
        out.line(&format!(
            "    match  {}",
            printable_json(rule.matcher.value().to_string())
        ))?;
        if let Some(when) = rule.when {
            let when: Vec<&str> = when.split_whitespace().collect();
            out.line(&format!("    when   {}", escape(&when.join(" "))))?;
        }
        if let Some(valid) = rule.valid {
            out.line(&format!("    valid  {}", span(valid)))?;
        }
        if let Some(source) = rule.source {
            out.line(&format!("    from   {}", place(source)))?;
        }
        for change in &rule.overrides {
            let source = change.source.map(place).unwrap_or_default();
            out.line(&format!(
                "    change {}{}  {source}",
                change.by,
                describe(change)
            ))?;
        }
    }
    Ok(())
}

/// A rule's mode where it is another than that of its layer, `around`.
pub(super) fn own_mode(mode: Mode, around: Mode) -> String {
    if mode == around {
        return String::new();
    }
    format!("  (mode {})", mode.as_str())
}

fn demands(terms: &WaiverTerms) -> String {
    let words = terms.require.iter().map(|field| field.as_str().to_owned());
    let longest = terms.max_duration;
    let longest = longest.map(|longest| format!("at most {longest} to go"));
    let all: Vec<String> = ["reason".to_owned()]
        .into_iter()
        .chain(words)
        .chain(longest)
        .collect();
    format!("need {}", all.join(", "))
}

pub(super) fn span(valid: Window) -> String {
    let from = valid.from.map(|from| format!("from {from}"));
    let until = valid.until.map(|until| format!("until {until}"));
    let parts: Vec<String> = from.into_iter().chain(until).collect();
    parts.join(" ")
}

pub(super) fn place(source: &Source) -> String {
    escape(&format!(
        "{}:{}:{}",
        source.file.bundle, source.file.name, source.line
    ))
}

pub(super) fn describe(change: &OverrideView<'_>) -> String {
    let mut text = asks(change);
    if let Some(reason) = change.reason {
        let _ = write!(text, ": {}", escape(reason));
    }
    let facts = [("owner", change.owner), ("ticket", change.ticket)];
    for (name, value) in facts {
        if let Some(value) = value {
            let _ = write!(text, "; {name} {}", escape(value));
        }
    }
    if let Some(expires) = change.expires {
        let _ = write!(text, "; until {expires}");
    }
    text
}
