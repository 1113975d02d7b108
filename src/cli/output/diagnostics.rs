//! Problems in files: for people, for scripts, for code scanners and for GitHub's annotations.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::report::{Failure, print_diagnostic};
use crate::cli::ui::{Output, printable_json};
use crate::diag::{Diagnostic, Severity};

/// A format for problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people, on standard error.
    Text,
    /// One JSON object a line.
    Json,
    /// SARIF 2.1.0, for code scanners.
    Sarif,
    /// Commands that GitHub Actions shows beside the lines.
    Github,
}

/// Writes `problems`; their files are relative to `root`.
pub(crate) fn write(
    out: &mut Output,
    format: Format,
    problems: &[Diagnostic],
    root: &Path,
) -> Result<(), Failure> {
    match format {
        Format::Text => problems.iter().for_each(print_diagnostic),
        Format::Json => {
            for problem in problems {
                let text = serde_json::to_string(problem).unwrap_or_default();
                out.line(&printable_json(text))?;
            }
        }
        Format::Sarif => {
            let text = serde_json::to_string_pretty(&sarif(problems, root)).unwrap_or_default();
            out.line(&printable_json(text))?;
        }
        Format::Github => {
            for problem in problems {
                out.line(&annotation(problem, root))?;
            }
        }
    }
    Ok(())
}

/// A file as the repository names it.
fn file(root: &Path, name: &str) -> String {
    let file = root.strip_prefix(".").unwrap_or(root).join(name);
    file.display().to_string()
}

/// SARIF 2.1.0: one run, the rules that it uses, and a result for each problem.
fn sarif(problems: &[Diagnostic], root: &Path) -> Value {
    let mut codes: Vec<_> = problems.iter().map(|problem| problem.code).collect();
    codes.sort_by_key(|code| code.id);
    codes.dedup();
    let rules: Vec<Value> = codes
        .iter()
        .map(|code| {
            json!({
                "id": code.id,
                "shortDescription": {"text": code.title},
                "fullDescription": {"text": code.help},
            })
        })
        .collect();
    let results: Vec<Value> = problems
        .iter()
        .map(|problem| result(problem, root))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "ordain", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    })
}

fn result(problem: &Diagnostic, root: &Path) -> Value {
    let level = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let locations = problem.location.iter().map(|location| {
        let uri: String =
            url::form_urlencoded::byte_serialize(file(root, &location.file).as_bytes())
                .collect::<String>()
                .replace("%2F", "/")
                .replace('+', "%20");
        json!({"physicalLocation": {
            "artifactLocation": {"uri": uri},
            "region": {"startLine": location.line, "startColumn": location.column},
        }})
    });
    json!({
        "ruleId": problem.code.id,
        "level": level,
        "message": {"text": sentence(problem)},
        "locations": locations.collect::<Vec<_>>(),
    })
}

fn sentence(problem: &Diagnostic) -> String {
    match &problem.hint {
        Some(hint) => format!("{}; {hint}", problem.message),
        None => problem.message.clone(),
    }
}

/// `::error file=…,line=…::…`, escaped as the Actions toolkit does.
fn annotation(problem: &Diagnostic, root: &Path) -> String {
    let command = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let data = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| data(text).replace(':', "%3A").replace(',', "%2C");
    let place = problem.location.as_ref().map(|location| {
        let file = property(&file(root, &location.file));
        format!(
            "file={file},line={},col={},",
            location.line, location.column
        )
    });
    let place = place.unwrap_or_default();
    let text = data(&sentence(problem));
    format!("::{command} {place}title={}::{text}", problem.code)
}
