//! Patterns on their own, without a catalogue: to try them against commands, as tests and editors do.

use super::{CommandPattern, Script};
use crate::bundle::Limits;
use crate::diag::{Code, Diagnostic};
use crate::policy::fields::{Fields, Report};
use crate::yaml::{self, Path};

/// Dangerous commands, by the ids of their patterns.
#[derive(Debug, Clone)]
pub struct CommandPatterns {
    patterns: Vec<(String, CommandPattern)>,
}

/// What a command is found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The ids of the patterns that the command is seen to match, in their order.
    pub patterns: Vec<String>,
    /// Why the command cannot be read to its end. If so, it counts as dangerous whichever patterns are seen: decisions name it
    /// under the pattern id `unreadable`.
    pub unreadable: Option<String>,
}

impl Found {
    /// Whether the command counts as dangerous.
    #[must_use]
    pub fn is_dangerous(&self) -> bool {
        !self.patterns.is_empty() || self.unreadable.is_some()
    }
}

impl CommandPatterns {
    /// Reads `patterns: [{id: …, command: {…}, reason: …}]`, as a catalogue holds them; `file` is its name in messages.
    ///
    /// # Errors
    /// Every problem, with its place.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, Vec<Diagnostic>> {
        let document = yaml::read(file, bytes, Limits::default().yaml_bytes)
            .map_err(|problem| vec![problem])?;
        let mut report = Report::new(&document.spans);
        let mut patterns = Vec::new();
        if let Some(mut fields) = Fields::of(document.value, Path::top(), &mut report) {
            for (path, item) in fields.list("patterns", crate::policy::MAX_LIST, &mut report) {
                let Some(mut fields) = Fields::of(item, path.clone(), &mut report) else {
                    continue;
                };
                let id: Option<String> = fields.required("id", &mut report);
                let _: Option<String> = fields.required("reason", &mut report);
                let command = fields.take("command");
                let pattern = match command {
                    Some(value) => CommandPattern::parse(value, &path.key("command"), &mut report),
                    None => {
                        let message = "the field `command` is missing".to_owned();
                        report.problem(Code::POLICY_MISSING_FIELD, &path, message, "add the field");
                        None
                    }
                };
                fields.finish(&mut report);
                patterns.extend(id.zip(pattern));
            }
            fields.finish(&mut report);
        }
        if report.problems.is_empty() {
            Ok(Self { patterns })
        } else {
            Err(report.problems)
        }
    }

    /// Holds shell text against the patterns.
    #[must_use]
    pub fn try_text(&self, text: &str) -> Found {
        self.found(&Script::read(text))
    }

    /// Holds a command that is already split into words against the patterns.
    #[must_use]
    pub fn try_words(&self, words: &[&str]) -> Found {
        self.found(&Script::of_words(words))
    }

    fn found(&self, script: &Script) -> Found {
        let patterns = self.patterns.iter();
        let seen = patterns.filter(|(_, pattern)| pattern.finds(script));
        Found {
            patterns: seen.map(|(id, _)| id.clone()).collect(),
            unreadable: script.unreadable().map(str::to_owned),
        }
    }
}
