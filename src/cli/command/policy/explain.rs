//! `ordain policy explain`.

use std::path::PathBuf;

use clap::Args;
use serde_json::Value;

use super::resolve::{describe, own_mode, place, span};
use super::which::Which;
use crate::cli::command::Context;
use crate::cli::command::eval::cause_of;
use crate::cli::exit::Exit;
use crate::cli::input;
use crate::cli::output::for_people;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, note, pretty_json, printable_json};
use crate::diag::Code;
use crate::engine::input::RequestReader;
use crate::engine::request::{Request, RequestLimits};
use crate::engine::{
    Decision, Engine, Explanation, LayerSaid, Occasion, Outcome, RuleTrace, Standing,
};
use crate::pipeline::project_identity;
use crate::policy::{Effect, KeyOutcome, Match, Mode};

/// The most rules of a layer that came near, and that the text shows.
const NEAR_SHOWN: usize = 10;

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// A file with one request; `-` for standard input.
    #[arg(default_value = "-")]
    request: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(context: &Context, args: &Explain) -> Result<Exit, Failure> {
    let request = read_request(context, args)?;
    let now = context.env.clock.now();
    let occasion = Occasion::rehearsal(&request, now);
    let engine = match args.which.policy(context) {
        Ok(policy) => Engine::new(policy),
        Err(failure) => {
            let decision =
                closed(context, args, &failure, occasion).ok_or_else(|| failure.clone())?;
            failure.print();
            let nothing = Explanation {
                binds: false,
                layers: Vec::new(),
            };
            return tell(args, &request, &decision, &nothing);
        }
    };
    let verdict = engine.evaluate(&request, now);
    let decision = Decision::new(&engine, verdict.clone(), occasion);
    let explanation = engine.explain(&request, now, &verdict);
    tell(args, &request, &decision, &explanation)
}

/// What `eval` would answer where nothing may decide; none where it would end with the failure itself.
fn closed(
    context: &Context,
    args: &Explain,
    failure: &Failure,
    occasion: Occasion,
) -> Option<Decision> {
    let code = failure.code().filter(|code| *code != Code::INTERRUPTED)?;
    let config = (!args.which.is_unsigned()).then(|| args.which.config(context));
    // Without a configuration that says otherwise, the mode is `enforce`.
    let config = config?.ok()?;
    let mode = config.mode.filter(|mode| *mode != Mode::Enforce)?;
    let reason = failure.summary();
    let cause = cause_of(code);
    Some(Decision::fail_closed(
        &config.scope,
        mode,
        cause,
        &reason,
        occasion,
    ))
}

fn tell(
    args: &Explain,
    request: &Request,
    decision: &Decision,
    explanation: &Explanation<'_>,
) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    if args.json {
        let document = serde_json::json!({
            "format_version": 1,
            "decision": decision,
            "binds": explanation.binds,
            "layers": explanation.layers,
        });
        out.line(&pretty_json(&document)?)?;
    } else {
        out.raw(&for_people(decision, request))?;
        text(&mut out, explanation)?;
    }
    out.flush()?;
    note("note: this was no decision: it is not on record");
    // As `eval` ends: whoever takes this for a decision must not be told that a denied request is fine.
    Ok(match decision.outcome {
        Outcome::Allowed => Exit::Success,
        Outcome::Denied => Exit::Denied,
        Outcome::Pending => Exit::ApprovalRequired,
    })
}

fn read_request(context: &Context, args: &Explain) -> Result<Request, Failure> {
    let limits = RequestLimits::default();
    let source = input::open(&context.env, &args.request)?;
    let mut requests = RequestReader::new(source, &limits);
    let one = |what: &str| {
        Failure::new(Code::USAGE, format!("the input holds {what}"))
            .hint("give one request; `ordain eval` decides many")
    };
    let raw = requests.next().ok_or_else(|| one("no request"))??;
    if requests.next().is_some() {
        return Err(one("more than one request"));
    }
    let project = |path: &str| project_identity(&context.env.current, path);
    Ok(Request::from_json_in(&raw.bytes, &limits, &project)?)
}

fn text(out: &mut Output, explanation: &Explanation<'_>) -> Result<(), Failure> {
    for layer in &explanation.layers {
        layer_text(out, layer, explanation.binds)?;
    }
    Ok(())
}

fn layer_text(out: &mut Output, layer: &LayerSaid<'_>, binds: bool) -> Result<(), Failure> {
    let default = layer.default.map_or("abstain", Effect::as_str);
    let says = layer
        .says
        .map_or("nothing".to_owned(), |effect| effect.as_str().to_owned());
    let by = match (layer.says, layer.by) {
        (Some(_), Some(rule)) => format!(" by {}", rule.rule),
        (Some(_), None) => " by default".to_owned(),
        (None, _) => String::new(),
    };
    let mark = match (layer.determines, binds) {
        (true, true) => ", and that stands",
        (true, false) => ", and that would stand",
        (false, _) => "",
    };
    out.line(&format!(
        "\n{}  mode {}, default {default}: says {says}{by}{mark}",
        layer.scope,
        layer.mode.as_str()
    ))?;
    let mut near = 0;
    for rule in &layer.rules {
        if rule.standing == Standing::Near {
            near += 1;
            if near > NEAR_SHOWN {
                continue;
            }
        }
        rule_text(out, rule, layer.mode, binds)?;
    }
    if near > NEAR_SHOWN {
        let more = near - NEAR_SHOWN;
        out.line(&format!(
            "  and {more} more came near; `--json` lists them all"
        ))?;
    }
    Ok(())
}

fn rule_text(
    out: &mut Output,
    rule: &RuleTrace<'_>,
    around: Mode,
    binds: bool,
) -> Result<(), Failure> {
    let standing = match rule.standing {
        Standing::Matched if rule.determines && binds => "decides",
        Standing::Matched if rule.determines => "would decide",
        Standing::Matched => "matched",
        Standing::Failed => "counts, since a condition cannot be judged",
        Standing::NotJudged => "does not count, since a condition cannot be judged",
        Standing::Disabled => "would match, and is disabled",
        Standing::NotInForce => "would match, and is not in force",
        Standing::Near => "came near",
    };
    let source = rule.source.map(place).unwrap_or_default();
    out.line(&format!(
        "  {:16} {}{}  {standing}  {source}",
        rule.effect.as_str(),
        rule.rule.rule,
        own_mode(rule.mode, around)
    ))?;
    if let Some(valid) = rule.valid {
        out.line(&format!("    valid  {}", span(valid)))?;
    }
    let is_near = rule.standing == Standing::Near;
    // Of a rule that came near, what kept it away is what matters.
    for key in rule
        .keys
        .iter()
        .filter(|key| !is_near || key.answer != Match::Yes)
    {
        key_lines(out, key, 1)?;
    }
    for change in &rule.overrides {
        out.line(&format!("    change {}{}", change.by, describe(change)))?;
    }
    Ok(())
}

/// One key, and what stands below it.
fn key_lines(out: &mut Output, key: &KeyOutcome, depth: usize) -> Result<(), Failure> {
    let indent = "    ".repeat(depth);
    out.line(&format!("{indent}{}", key_text(key)))?;
    for (index, group) in key.groups.iter().enumerate() {
        if key.groups.len() > 1 {
            out.line(&format!("{indent}     item {}", index + 1))?;
        }
        for key in group {
            key_lines(out, key, depth + 1)?;
        }
    }
    for read in &key.reads {
        let found = read.found.as_ref();
        let found = found.map_or("nothing".to_owned(), |value| {
            printable_json(value.to_string())
        });
        out.line(&format!("{indent}     {} is {found}", escape(&read.path)))?;
    }
    Ok(())
}

fn key_text(key: &KeyOutcome) -> String {
    let mark = match key.answer {
        Match::Yes => "yes",
        Match::No => "no",
        Match::Failed => "??",
    };
    let json = |value: &Value| match value {
        Value::String(words) if key.in_words => escape(words),
        value => printable_json(value.to_string()),
    };
    let found = match &key.found {
        Some(value) => format!(", found {}", json(value)),
        None if is_path(&key.key) => ", found nothing".to_owned(),
        None => String::new(),
    };
    format!(
        "{mark:4} {}: wanted {}{found}",
        escape(&key.key),
        json(&key.wanted)
    )
}

/// Whether a key of a `match` is a path of the request, and not a group.
fn is_path(key: &str) -> bool {
    let first = key.split('.').next().unwrap_or_default();
    ["subject", "action", "resource", "context"].contains(&first)
}
