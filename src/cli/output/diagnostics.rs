//! Problems in files: for people, for scripts, for code scanners and for GitHub's annotations.

use std::path::Path;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::cli::report::{Failure, print_diagnostic};
use crate::cli::ui::{Output, line_json, pretty_json};
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

/// Where files are named from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Roots<'a> {
    /// The bundle's directory as it was given; files are relative to it, but for those of other bundles.
    pub(crate) bundle: &'a Path,
    /// The current directory.
    pub(crate) current: &'a Path,
}

impl Roots<'_> {
    /// A file of another bundle as whoever asks would name it; none for the bundle's own.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let file = Path::new(name);
        let shown = file.strip_prefix(self.current).unwrap_or(file);
        file.is_absolute().then(|| shown.display().to_string())
    }

    /// A file as the repository names it.
    fn file(&self, name: &str) -> String {
        self.elsewhere(name).unwrap_or_else(|| {
            let root = self.bundle.strip_prefix(".").unwrap_or(self.bundle);
            root.join(name).display().to_string()
        })
    }
}

/// Writes `problems`, whose files are named from `roots`.
pub(crate) fn write(
    out: &mut Output,
    format: Format,
    problems: &[Diagnostic],
    roots: &Roots<'_>,
) -> Result<(), Failure> {
    match format {
        Format::Text => {
            for problem in problems {
                let mut problem = problem.clone();
                if let Some(location) = &mut problem.location
                    && let Some(file) = roots.elsewhere(&location.file)
                {
                    location.file = file.into();
                }
                print_diagnostic(&problem);
            }
        }
        Format::Json => {
            for problem in problems {
                out.line(&line_json(problem)?)?;
            }
        }
        Format::Sarif => {
            out.line(&pretty_json(&sarif(problems, roots))?)?;
        }
        Format::Github => {
            for problem in problems {
                out.line(&annotation(problem, roots))?;
            }
        }
    }
    Ok(())
}

/// SARIF 2.1.0: one run, the rules that it uses, and a result for each problem.
fn sarif(problems: &[Diagnostic], roots: &Roots<'_>) -> Value {
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
        .map(|problem| result(problem, roots))
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

fn result(problem: &Diagnostic, roots: &Roots<'_>) -> Value {
    let level = match problem.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let locations = problem.location.iter().map(|location| {
        let uri: String =
            url::form_urlencoded::byte_serialize(roots.file(&location.file).as_bytes())
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
fn annotation(problem: &Diagnostic, roots: &Roots<'_>) -> String {
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
        let file = property(&roots.file(&location.file));
        format!(
            "file={file},line={},col={},",
            location.line, location.column
        )
    });
    let place = place.unwrap_or_default();
    let text = data(&sentence(problem));
    format!("::{command} {place}title={}::{text}", problem.code)
}
