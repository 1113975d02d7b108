//! Reads a rule's `match`.

mod operators;

use std::sync::Arc;

use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::{Matcher, Pattern, Scalar, Term, Test};
use crate::diag::Code;
use crate::policy::fields::{Report, kind_of};
use crate::policy::glob::Glob;
use crate::policy::written::Written;
use crate::policy::{MAX_CONDITIONS, MAX_LIST, MAX_PATTERN_BYTES, RequestPath};
use crate::yaml::Path;

/// Reads `value`, the `match` at `path`; none, and problems, where it is not one.
pub(in crate::policy) fn parse(
    value: Value,
    path: &Path,
    report: &mut Report<'_>,
) -> Option<Matcher> {
    let mut parser = Parser {
        report,
        conditions: 0,
    };
    let terms = parser.group(&value, path)?;
    if parser.conditions > MAX_CONDITIONS {
        let message = format!(
            "{} conditions are more than the limit of {MAX_CONDITIONS}",
            parser.conditions
        );
        report.problem(Code::POLICY_LIMIT, path, message, "split the rule");
        return None;
    }
    Some(Matcher {
        source: Written::of(&value),
        terms,
    })
}

/// The members to walk to the value at `key`, a path of a request; none, and a problem, where it is not one.
pub(in crate::policy) fn request_path(
    key: &str,
    path: &Path,
    report: &mut Report<'_>,
) -> Option<RequestPath> {
    let mut parser = Parser {
        report,
        conditions: 0,
    };
    parser.request_path(key, path)
}

struct Parser<'report, 'spans> {
    report: &'report mut Report<'spans>,
    conditions: usize,
}

impl Parser<'_, '_> {
    fn refuse<T>(&mut self, path: &Path, message: String, hint: &str) -> Option<T> {
        self.report.problem(Code::POLICY_MATCH, path, message, hint);
        None
    }

    /// Every entry is read even where one is refused, so that all problems are reported.
    fn group(&mut self, value: &Value, path: &Path) -> Option<Box<[Term]>> {
        let Value::Object(entries) = value else {
            let message = format!("expected a mapping of conditions, found {}", kind_of(value));
            return self.refuse(
                path,
                message,
                "write `path: value` lines, or `{}` for every request",
            );
        };
        let terms: Vec<_> = entries
            .iter()
            .map(|(key, value)| self.term(key, value, &path.key(key)))
            .collect();
        terms.into_iter().collect()
    }

    fn term(&mut self, key: &str, value: &Value, path: &Path) -> Option<Term> {
        match key {
            "any" => self.groups(value, path).map(Term::Any),
            "all" => self.groups(value, path).map(Term::All),
            "not" => match value {
                Value::Object(entries) if entries.is_empty() => {
                    let message = "an empty `not` never matches".to_owned();
                    self.refuse(path, message, "name what must not match")
                }
                _ => self.group(value, path).map(Term::Not),
            },
            _ => {
                self.conditions += 1;
                let segments = self.request_path(key, path);
                let test = self.test(value, path);
                let (path, test) = (segments?, test?);
                Some(Term::Path { path, test })
            }
        }
    }

    fn groups(&mut self, value: &Value, path: &Path) -> Option<Box<[Box<[Term]>]>> {
        let items = self.items(value, path)?;
        let groups: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.group(item, &path.index(index)))
            .collect();
        groups.into_iter().collect()
    }

    /// The items of a list that is neither empty nor too long.
    fn items<'value>(&mut self, value: &'value Value, path: &Path) -> Option<&'value [Value]> {
        match value {
            Value::Array(items) if items.is_empty() => {
                let message = "the list is empty".to_owned();
                self.refuse(
                    path,
                    message,
                    "name at least one item, or remove the condition",
                )
            }
            Value::Array(items) if items.len() > MAX_LIST => {
                let message = format!(
                    "{} items are more than the limit of {MAX_LIST}",
                    items.len()
                );
                self.report
                    .problem(Code::POLICY_LIMIT, path, message, "use a glob or a prefix");
                None
            }
            Value::Array(items) => Some(items),
            other => {
                let message = format!("expected a list, found {}", kind_of(other));
                self.refuse(path, message, "write it as a list, even for one item")
            }
        }
    }

    /// The members to walk from the request's top.
    fn request_path(&mut self, key: &str, path: &Path) -> Option<RequestPath> {
        if let Some(known) = self.report.paths().spelled(key) {
            return Some(known);
        }
        let segments: Vec<&str> = key.split('.').collect();
        let full: Vec<&str> = match segments.as_slice() {
            ["subject" | "resource"] => vec![key, "id"],
            ["action"] => vec![key, "name"],
            ["subject" | "resource", "type" | "id"] | ["action", "name"] => segments,
            ["subject" | "resource" | "action", "properties", _, ..] | ["context", _, ..] => {
                segments
            }
            _ => {
                let shown: String = key.chars().take(80).collect();
                let message = format!("the path `{}` is in no request", shown.escape_debug());
                let hint = "begin it with `subject`, `action`, `resource` (and `id`, `type`, `name` or `properties.…`) or `context.…`";
                return self.refuse(path, message, hint);
            }
        };
        if full.iter().any(|segment| segment.is_empty())
            || full.len() > 32
            || key.len() > MAX_PATTERN_BYTES
        {
            let message = "the path has an empty segment or is too long".to_owned();
            return self.refuse(path, message, "separate at most 32 names by single dots");
        }
        let members = full.into_iter().map(|name| name.nfc().collect());
        Some(self.report.paths().get(key, members.collect()))
    }

    fn test(&mut self, value: &Value, path: &Path) -> Option<Test> {
        match value {
            Value::Object(operators) => self.operators(operators, path).map(Test::Operators),
            Value::Array(_) => {
                let items = self.items(value, path)?;
                let patterns: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.pattern(item, &path.index(index)))
                    .collect();
                patterns.into_iter().collect::<Option<_>>().map(Test::AnyOf)
            }
            _ => self.pattern(value, path).map(Test::Is),
        }
    }

    fn scalars(&mut self, value: &Value, path: &Path) -> Option<Box<[Scalar]>> {
        let items = self.items(value, path)?;
        let scalars: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.scalar(item, &path.index(index)))
            .collect();
        scalars.into_iter().collect()
    }

    /// A text, or a list of texts.
    fn texts(&mut self, value: &Value, path: &Path) -> Option<Box<[Arc<str>]>> {
        let scalars = match value {
            Value::Array(_) => self.scalars(value, path)?,
            _ => [self.scalar(value, path)?].into(),
        };
        let texts: Option<Box<[_]>> = scalars
            .into_iter()
            .map(|scalar| match scalar {
                Scalar::Text(text) => Some(text),
                Scalar::Bool(_) | Scalar::Number(_) => None,
            })
            .collect();
        if texts.is_none() {
            let message = "expected text or a list of texts".to_owned();
            return self.refuse(path, message, "quote the value");
        }
        texts
    }

    fn pattern(&mut self, value: &Value, path: &Path) -> Option<Pattern> {
        Some(match self.scalar(value, path)? {
            Scalar::Text(text) if Glob::is_pattern(&text) => Pattern::Glob(Glob::new(&text)),
            scalar => Pattern::Exactly(scalar),
        })
    }

    fn scalar(&mut self, value: &Value, path: &Path) -> Option<Scalar> {
        match value {
            Value::String(text) if text.len() > MAX_PATTERN_BYTES => {
                let message = format!("a text of more than {MAX_PATTERN_BYTES} bytes");
                self.report
                    .problem(Code::POLICY_LIMIT, path, message, "use a prefix or a glob");
                None
            }
            // Requests are in NFC: the same text in another form would never match.
            Value::String(text) if !text.is_ascii() => {
                let text: String = text.nfc().collect();
                Some(Scalar::Text(self.report.shared(&text)))
            }
            Value::String(text) => Some(Scalar::Text(self.report.shared(text))),
            Value::Bool(value) => Some(Scalar::Bool(*value)),
            Value::Number(number) => Some(Scalar::Number(number.clone())),
            other => {
                let message = format!(
                    "expected text, a number or a boolean, found {}",
                    kind_of(other)
                );
                let hint = "to ask whether a path is there, use `exists`";
                self.refuse(path, message, hint)
            }
        }
    }
}
