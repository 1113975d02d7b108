//! Verification told step by step: for people, a line a step; for programs, one JSON document.

use serde_json::{Value, json};

use super::FORMAT_VERSION;
use crate::cli::project::whole_second;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, counted, escape, pretty_json};
use crate::clock::roughly;
use crate::pipeline::{Explained, Explanation, Outcome, StepFact};
use crate::trust::{Contrast, Fact, Fixer, Tally};

/// Writes an explanation for people.
pub(crate) fn text(out: &mut Output, explanation: &Explanation) -> Result<(), Failure> {
    out.line("this machine")?;
    steps(out, &explanation.before)?;
    for bundle in &explanation.bundles {
        let name = bundle
            .name
            .as_ref()
            .map_or_else(|| "(unnamed)".to_owned(), ToString::to_string);
        out.line(&format!("\nbundle {name}: {}", verdict(&bundle.steps)))?;
        steps(out, &bundle.steps)?;
    }
    out.line("\ntogether")?;
    steps(out, &explanation.together)
}

/// Writes an explanation for programs.
pub(crate) fn json(out: &mut Output, explanation: &Explanation) -> Result<(), Failure> {
    let all = |steps: &[Explained]| steps.iter().map(step_json).collect::<Vec<Value>>();
    let bundles: Vec<Value> = explanation
        .bundles
        .iter()
        .map(|bundle| json!({"bundle": bundle.name, "steps": all(&bundle.steps)}))
        .collect();
    let document = json!({
        "format_version": FORMAT_VERSION,
        "verified": explanation.error.is_none(),
        "before": all(&explanation.before),
        "bundles": bundles,
        "together": all(&explanation.together),
    });
    out.line(&pretty_json(&document)?)
}

fn step_json(explained: &Explained) -> Value {
    let mut value = json!({"step": explained.step});
    let more = match &explained.outcome {
        Outcome::Passed(fact) => json!({"result": "passed", "facts": fact}),
        Outcome::Failed {
            code,
            message,
            contrast,
        } => json!({"result": "failed", "code": code, "message": message, "failure": contrast}),
        Outcome::NotReached => json!({"result": "not-reached"}),
        Outcome::LeftOut(why) => json!({"result": "left-out", "why": why}),
    };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}

fn verdict(steps: &[Explained]) -> &'static str {
    let failed = |e: &Explained| matches!(e.outcome, Outcome::Failed { .. });
    let passed = |e: &Explained| matches!(e.outcome, Outcome::Passed(_) | Outcome::LeftOut(_));
    if steps.iter().any(failed) {
        "NOT verified"
    } else if steps.iter().all(passed) {
        "verified"
    } else {
        "not looked at"
    }
}

fn steps(out: &mut Output, steps: &[Explained]) -> Result<(), Failure> {
    for Explained { step, outcome } in steps {
        match outcome {
            Outcome::Passed(fact) => out.line(&format!("  ok      {step:13} {}", told(fact)))?,
            Outcome::NotReached => out.line(&format!("  -       {step:13} not reached"))?,
            Outcome::LeftOut(why) => out.line(&format!("  -       {step:13} not asked: {why}"))?,
            Outcome::Failed {
                code,
                message,
                contrast,
            } => {
                out.line(&format!("  FAILED  {step:13} {message} [{code}]"))?;
                failure(out, contrast)?;
            }
        }
    }
    Ok(())
}

fn failure(out: &mut Output, contrast: &Contrast) -> Result<(), Failure> {
    let Contrast {
        expected,
        found,
        fixer,
        remedy,
    } = contrast;
    for (what, text) in [
        ("expected", expected.as_str()),
        ("found", found),
        ("who", &who(fixer)),
        ("do", remedy),
    ] {
        out.line(&format!("          {what:>12}: {text}"))?;
    }
    Ok(())
}

fn who(fixer: &Fixer) -> String {
    match fixer {
        Fixer::Members { role, missing } if missing.is_empty() => {
            format!("members of role `{role}`")
        }
        Fixer::Members { role, missing } => {
            let names: Vec<&str> = missing.iter().map(|name| name.as_str()).collect();
            format!("one of {}, who sign for role `{role}`", names.join(", "))
        }
        Fixer::Publisher => "whoever publishes the bundle".to_owned(),
        Fixer::RootHolders => "the holders of the trust root".to_owned(),
        Fixer::Host => "whoever runs the repository or the network".to_owned(),
        Fixer::Consumer => "you, or whoever keeps this machine and its `ordain.yaml`".to_owned(),
    }
}

fn told(fact: &StepFact) -> String {
    match fact {
        StepFact::Root {
            version,
            fingerprint,
            confirmed,
            expires,
            signers,
        } => {
            let names: Vec<&str> = signers.iter().map(|s| s.principal.as_str()).collect();
            let known = if *confirmed {
                "known as"
            } else {
                "UNCONFIRMED, trusted on first use as"
            };
            format!(
                "version {version}, signed by {}, until {expires}; {known} {fingerprint}",
                names.join(", ")
            )
        }
        StepFact::State { last_seen: None } => "sound; no time was seen here before".to_owned(),
        StepFact::State {
            last_seen: Some(seen),
        } => format!("sound; last used {seen:.0}"),
        StepFact::Lockfile { bundles: None } => "there is none yet".to_owned(),
        StepFact::Lockfile {
            bundles: Some(count),
        } => format!("names {}", counted(*count, "bundle")),
        StepFact::Clock { now } => {
            format!("{}, not behind what was seen before", whole_second(*now))
        }
        StepFact::Source {
            git,
            reference,
            path,
        } => {
            let path = if path.is_empty() { "its root" } else { path };
            format!("{} at {}, {}", escape(git), escape(reference), escape(path))
        }
        StepFact::Fetch {
            commit,
            objects,
            bytes,
        } => {
            let commit = commit
                .as_ref()
                .map_or("(no commit)", |commit| commit.as_str());
            match objects {
                0 => format!("commit {commit}, nothing downloaded"),
                _ => format!(
                    "commit {commit}, {objects} objects, {}",
                    indicatif::HumanBytes(*bytes)
                ),
            }
        }
        StepFact::Tree { files, bytes } => format!(
            "{}, {}; every name is safe",
            counted(*files, "file"),
            indicatif::HumanBytes(*bytes)
        ),
        StepFact::Bundle(fact) => check(fact),
        StepFact::Requires {
            requirements: 0, ..
        } => "no bundle requires another".to_owned(),
        StepFact::Requires {
            requirements,
            bundles,
        } => format!(
            "{} met among {}",
            counted(*requirements, "requirement"),
            counted(*bundles, "bundle")
        ),
        StepFact::Policy { scope, digest } => format!("of `{scope}`: {digest}"),
    }
}

fn check(fact: &Fact) -> String {
    match fact {
        Fact::Envelope { bytes, signatures } => format!(
            "{}, {}",
            indicatif::HumanBytes(*bytes as u64),
            counted(*signatures, "signature")
        ),
        Fact::Signatures {
            roles,
            root_version,
        } => {
            let roles: Vec<String> = roles.iter().map(tally).collect();
            format!("{}; by trust root {root_version}", roles.join("; "))
        }
        Fact::PayloadType { payload_type } => escape(payload_type),
        Fact::Statement { payload, subjects } => {
            format!("{payload} lists {}", counted(*subjects, "file"))
        }
        Fact::Name {
            bundle,
            version,
            asked,
        } => match asked {
            Some(_) => format!("{bundle} {version}, as asked for"),
            None => format!("{bundle} {version}; any name will do"),
        },
        Fact::Namespace { namespace, role } => format!("{namespace}, for which {role} speaks"),
        Fact::Revision {
            epoch,
            revision,
            high_water,
            rolls_back,
        } => {
            let back = rolls_back.as_ref().map_or_else(String::new, |older| {
                format!(", which rolls back to {}.{}", older.epoch, older.revision)
            });
            let mark = match high_water {
                Some((epoch, revision)) => format!("the high-water mark is {epoch}.{revision}"),
                None => "there is no high-water mark to hold it against".to_owned(),
            };
            format!("{epoch}.{revision}{back}; {mark}")
        }
        Fact::Times {
            issued,
            expires,
            age,
            max_age,
            ..
        } => {
            let max_age = match max_age {
                Some(max_age) => format!("`max_age` {}", roughly(*max_age)),
                None => "no `max_age`".to_owned(),
            };
            format!(
                "issued {issued}, {} ago ({max_age}); expires {expires}",
                roughly(*age)
            )
        }
        Fact::Revocation {
            keys,
            payloads,
            revisions,
        } => match keys + payloads + revisions {
            0 => "the trust root revokes nothing".to_owned(),
            _ => format!(
                "not among {}, {}, {}",
                counted(*keys, "revoked key"),
                counted(*payloads, "revoked payload"),
                counted(*revisions, "revoked range")
            ),
        },
        Fact::GitSignature { required: true } => "a member signed the tag or commit too".to_owned(),
        Fact::GitSignature { required: false } => "the role requires none".to_owned(),
        Fact::FileSet { files } => format!("{}, all signed, none missing", counted(*files, "file")),
        Fact::Digests { files, bytes } => {
            let bytes = indicatif::HumanBytes(*bytes);
            format!("{}, {bytes}", counted(*files, "file"))
        }
        Fact::Manifest { compared } => format!("{} agree with the statement", compared.join(", ")),
    }
}

/// `publisher/acme 2 of 3: alice (SHA256:…), bob (SHA256:…)`.
fn tally(tally: &Tally) -> String {
    let signers: Vec<String> = tally
        .signers
        .iter()
        .map(|s| format!("{} ({})", s.principal, s.keyid))
        .collect();
    format!(
        "{} takes {} of {}: {}",
        tally.role,
        tally.threshold,
        tally.members,
        signers.join(", ")
    )
}
