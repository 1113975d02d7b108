//! Dangerous arguments.
//!
//! A `regex` looks at every text below `action.properties` and at the places that hold commands, shell text or a list of words; a
//! `command` at those places alone.
//!
//! SECURITY: whoever asks writes the arguments. What stands at such a place and can be read neither as shell text nor as words
//! is dangerous, and so is whatever else stands where the way to such a place should go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::Regex;
use serde::Serialize;
use serde_json::{Map, Value, json};
use unicode_normalization::UnicodeNormalization as _;

use crate::diag::Code;
use crate::digest::Sha256Digest;
use crate::json;
use crate::name::RuleId;
use crate::policy::command::{CommandPattern, Script};
use crate::policy::fields::{Fields, Report, kind_of};
use crate::policy::matcher::{Compiled, OperandError};
use crate::policy::validate::text::text;
use crate::policy::{Facts, MAX_LIST, MAX_PATTERN_BYTES, RequestPath, matcher};
use crate::yaml::Path;

/// Where shell text stands unless a catalogue says otherwise.
const COMMANDS: [&str; 4] = [
    "action.properties.args.command",
    "action.properties.args.cmd",
    "action.properties.args.script",
    "action.properties.args.argv",
];
/// The id under which decisions tell of arguments that cannot be read.
const UNREADABLE: &str = "unreadable";

/// A pattern that matched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct FoundPattern {
    /// Its id; `unreadable` for arguments that cannot be read.
    pub id: String,
    /// Why it is dangerous, where the catalogue says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The dangerous patterns of a catalogue.
#[derive(Debug)]
pub struct Patterns {
    /// In the order of the file.
    patterns: Vec<FoundPattern>,
    /// Each with the position of its pattern.
    regexes: Vec<(usize, Regex)>,
    /// Each with the position of its pattern.
    commands: Vec<(usize, CommandPattern)>,
    places: Vec<Place>,
    /// The fields `commands` and `patterns` as written.
    written: Map<String, Value>,
    digest: Sha256Digest,
}

/// A place that holds shell text, or words.
#[derive(Debug)]
struct Place {
    written: String,
    path: RequestPath,
}

impl Patterns {
    /// SHA-256 of everything that can change what is dangerous, and what is said of it.
    pub(super) fn digest(&self) -> Sha256Digest {
        self.digest
    }

    /// The fields `commands` and `patterns` as written.
    #[must_use]
    pub fn written(&self) -> &Map<String, Value> {
        &self.written
    }

    /// Reads the fields `commands` and `patterns`; none where there are no patterns.
    pub(super) fn read(fields: &mut Fields, report: &mut Report<'_>) -> Option<Arc<Self>> {
        let path = fields.path("patterns");
        let (places, mut written) = read_places(fields, report);
        let mut reader = Reader::default();
        let items = fields.list("patterns", MAX_LIST, report);
        let sources: Vec<Value> = items.iter().map(|(_, item)| item.clone()).collect();
        for (path, item) in items {
            reader.pattern(item, &path, report);
        }
        if reader.patterns.is_empty() {
            return None;
        }
        written.insert("patterns".to_owned(), Value::Array(sources));
        let canonical = json::canonical(&Value::Object(written.clone()));
        match canonical {
            Ok(canonical) => Some(Arc::new(Self {
                patterns: reader.patterns,
                regexes: reader.regexes,
                commands: reader.commands,
                places,
                written,
                digest: Sha256Digest::of(&canonical),
            })),
            Err(error) => {
                let message = format!("the patterns have no canonical form: {error}");
                let hint = "write numbers within ±(2^53 − 1)";
                report.problem(Code::CATALOG_PATTERN, &path, message, hint);
                None
            }
        }
    }

    /// The patterns that match, in the order of the file.
    pub(super) fn find(&self, facts: &Facts<'_>) -> Vec<FoundPattern> {
        let mut hits = vec![false; self.patterns.len()];
        let mut hit = |position: usize| {
            if let Some(hit) = hits.get_mut(position) {
                *hit = true;
            }
        };
        if !self.regexes.is_empty() {
            let mut see = |text: &str| {
                for (position, regex) in &self.regexes {
                    if regex.is_match(text) {
                        hit(*position);
                    }
                }
            };
            let properties = facts.request().pointer("/action/properties");
            each_text(properties.unwrap_or(&Value::Null), &mut see);
            for place in &self.places {
                match place.look(facts.request()) {
                    Ok(Some(Shell::Text(text))) => see(text),
                    // A command split into words is the same command.
                    Ok(Some(Shell::Words(words))) => see(&words.join(" ")),
                    Ok(None) | Err(_) => {}
                }
            }
        }
        let mut unreadable: Option<String> = None;
        if !self.commands.is_empty() {
            for place in &self.places {
                let script = match place.look(facts.request()) {
                    Ok(None) => continue,
                    Ok(Some(Shell::Text(text))) => Ok(Script::read(text)),
                    Ok(Some(Shell::Words(words))) => {
                        // A shell elsewhere gets them as one text: what is seen in that counts, and that it cannot be read
                        // does not.
                        let joined = Script::read(&words.join(" "));
                        let commands = self.commands.iter();
                        let found = commands.filter(|(_, command)| command.finds(&joined));
                        found.for_each(|(position, _)| hit(*position));
                        Ok(Script::of_words(&words))
                    }
                    Err(why) => Err(why),
                };
                let problem = match &script {
                    Ok(script) => {
                        let commands = self.commands.iter();
                        let found = commands.filter(|(_, command)| command.finds(script));
                        found.for_each(|(position, _)| hit(*position));
                        script.unreadable()
                    }
                    Err(why) => Some(*why),
                };
                if let Some(problem) = problem {
                    unreadable.get_or_insert_with(|| format!("`{}`: {problem}", place.written));
                }
            }
        }
        let named = self.patterns.iter().zip(hits).filter(|(_, hit)| *hit);
        let unreadable = unreadable.map(|reason| FoundPattern {
            id: UNREADABLE.to_owned(),
            reason: Some(reason),
        });
        named
            .map(|(pattern, _)| pattern.clone())
            .chain(unreadable)
            .collect()
    }
}

/// Every text in `value`. Recursion is bounded by the depth of a request.
fn each_text(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, see)),
        Value::Object(members) => members.values().for_each(|member| each_text(member, see)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// What stands where a command is expected.
enum Shell<'a> {
    Text(&'a str),
    Words(Vec<&'a str>),
}

impl Place {
    /// What stands here; none where nothing does, and an error where it is neither text nor words, or stands in the way.
    fn look<'a>(&self, request: &'a Value) -> Result<Option<Shell<'a>>, &'static str> {
        const OTHER: &str = "neither text nor a list of words";
        let mut value = request;
        for key in &*self.path {
            match value {
                Value::Object(members) => value = members.get(key).unwrap_or(&Value::Null),
                Value::Null => return Ok(None),
                _ => return Err(OTHER),
            }
        }
        match value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(Some(Shell::Text(text))),
            Value::Array(items) => {
                let words: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
                words.map(|words| Some(Shell::Words(words))).ok_or(OTHER)
            }
            Value::Bool(_) | Value::Number(_) | Value::Object(_) => Err(OTHER),
        }
    }
}

/// Reads the field `commands`, and says what counts where there is none.
fn read_places(fields: &mut Fields, report: &mut Report<'_>) -> (Vec<Place>, Map<String, Value>) {
    let given = fields.path("commands");
    let mut items = fields.list("commands", MAX_LIST, report);
    if items.is_empty() {
        items = COMMANDS
            .iter()
            .map(|place| (given.clone(), Value::from(*place)))
            .collect();
    }
    let mut places = Vec::new();
    for (at, item) in items {
        let Value::String(written) = item else {
            let message = format!("expected the path of a request, found {}", kind_of(&item));
            let hint = "write it as `action.properties.args.command`";
            report.problem(Code::POLICY_TYPE, &at, message, hint);
            continue;
        };
        if let Some(path) = matcher::parse::request_path(&written, &at, report) {
            places.push(Place { written, path });
        }
    }
    let written = places.iter().map(|place| json!(*place.path)).collect();
    let source = [("commands".to_owned(), Value::Array(written))];
    (places, source.into_iter().collect())
}

/// The patterns that were read so far.
#[derive(Default)]
struct Reader {
    patterns: Vec<FoundPattern>,
    /// Each with the position of its pattern.
    regexes: Vec<(usize, Regex)>,
    commands: Vec<(usize, CommandPattern)>,
    /// Each with its line.
    seen: BTreeMap<RuleId, u32>,
}

impl Reader {
    fn pattern(&mut self, item: Value, path: &Path, report: &mut Report<'_>) {
        let Some(mut fields) = Fields::of(item, path.clone(), report) else {
            return;
        };
        let id: Option<RuleId> = fields.required("id", report);
        let reason = text(&mut fields, "reason", report);
        let (at_regex, at_command) = (fields.path("regex"), fields.path("command"));
        let regex: Option<String> = fields.optional("regex", report);
        let command = fields.take("command").filter(|value| !value.is_null());
        fields.finish(report);
        let position = self.patterns.len();
        match (regex, command) {
            (Some(_), Some(_)) => refuse(
                &at_regex,
                "the pattern has both `regex` and `command`".to_owned(),
                "keep one of them; two patterns may have one reason",
                report,
            ),
            (None, None) => refuse(
                path,
                "the pattern has neither `regex` nor `command`".to_owned(),
                "say what is dangerous: `command: {program: rm, flags_all: [recursive, force]}`, or `regex`",
                report,
            ),
            (Some(regex), None) => {
                if let Some(regex) = read_regex(&regex, &at_regex, report) {
                    self.regexes.push((position, regex));
                }
            }
            (None, Some(command)) => {
                let command = CommandPattern::parse(command, &at_command, report);
                self.commands
                    .extend(command.map(|command| (position, command)));
            }
        }
        let Some(id) = id else {
            return;
        };
        if id.as_str() == UNREADABLE {
            let message = format!("the pattern id `{UNREADABLE}` is taken");
            let hint = "decisions use it for arguments that cannot be read; choose another id";
            refuse(&path.key("id"), message, hint, report);
        } else if let Some(first) = self.seen.get(&id) {
            let message = format!("the pattern id `{id}` stands twice, first in line {first}");
            refuse(
                &path.key("id"),
                message,
                "give one of them another id",
                report,
            );
        } else {
            let line = report.spans().nearest(path).line;
            self.seen.insert(id.clone(), line);
        }
        let id = id.to_string();
        self.patterns.push(FoundPattern { id, reason });
    }
}

fn refuse(path: &Path, message: String, hint: &str, report: &mut Report<'_>) {
    report.problem(Code::CATALOG_PATTERN, path, message, hint);
}

/// A regular expression that can be compiled, in the form in which requests hold their texts.
fn read_regex(written: &str, path: &Path, report: &mut Report<'_>) -> Option<Regex> {
    if written.len() > MAX_PATTERN_BYTES {
        let message = format!("a regular expression of more than {MAX_PATTERN_BYTES} bytes");
        let hint = "make several patterns of it";
        report.problem(Code::POLICY_LIMIT, path, message, hint);
        return None;
    }
    let regex: String = written.nfc().collect();
    match report.allowance().regex(&regex) {
        Ok(Compiled { regex, .. }) if !regex.is_match("") => return Some(regex),
        Ok(_) => {
            let message = "not a pattern: it matches the empty text, so every argument".to_owned();
            let hint = "name what is dangerous: a program, an option, a path";
            refuse(path, message, hint, report);
        }
        Err(error) => {
            let hint = match error {
                OperandError::RegexSize => "use smaller counts, or several patterns".to_owned(),
                _ => error.hint(),
            };
            let code = match error {
                OperandError::RegexBudget => error.code(),
                _ => Code::CATALOG_PATTERN,
            };
            report.problem(code, path, error.to_string(), &hint);
        }
    }
    None
}
