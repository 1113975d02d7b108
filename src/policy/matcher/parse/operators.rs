//! Reads the operators of a condition and their operands.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::{Parser, RequestPath};
use crate::diag::Code;
use crate::policy::fields::{Fields, kind_of};
use crate::policy::glob::Glob;
use crate::policy::matcher::{
    Comparison, Days, Hours, Networks, OperandError, Operator, Reference, Relation, Requirement,
    Zone,
};
use crate::policy::operators::sentence;
use crate::yaml::Path;

impl Parser<'_, '_> {
    pub(super) fn operators(
        &mut self,
        operators: &Map<String, Value>,
        path: &Path,
    ) -> Option<Box<[Operator]>> {
        if operators.is_empty() {
            return self.refuse(path, "the condition is empty".to_owned(), &sentence());
        }
        let read: Vec<_> = operators
            .iter()
            .map(|(name, operand)| self.operator(name, operand, &path.key(name)))
            .collect();
        read.into_iter().collect()
    }

    fn operator(&mut self, name: &str, operand: &Value, path: &Path) -> Option<Operator> {
        if let Some(relation) = relation(name)
            && let Value::Object(fields) = operand
        {
            return self.reference(relation, fields, path);
        }
        match name {
            "equals" => self
                .scalar(operand, path)
                .map(|scalar| Operator::In([scalar].into())),
            "contains" => self
                .scalar(operand, path)
                .map(|scalar| Operator::ContainsAny([scalar].into())),
            "in" => self.scalars(operand, path).map(Operator::In),
            "contains_any" => self.scalars(operand, path).map(Operator::ContainsAny),
            "contains_all" => self.scalars(operand, path).map(Operator::ContainsAll),
            "missing_any" => self.scalars(operand, path).map(Operator::MissingAny),
            "gt" | "gte" | "lt" | "lte" => self.comparison(name, operand, path),
            "glob" => {
                let texts = self.texts(operand, path)?;
                let globs = texts.iter().map(|text| Glob::new(text)).collect();
                Some(Operator::Glob(globs))
            }
            "regex" => {
                let allowance = Rc::clone(self.report.allowance());
                let read = |text: &str| allowance.regex(text).map(|compiled| compiled.regex);
                self.each(operand, path, read).map(Operator::Regex)
            }
            "prefix" => self.texts(operand, path).map(Operator::Prefix),
            "suffix" => self.texts(operand, path).map(Operator::Suffix),
            "cidr" => self
                .each(operand, path, Networks::read)
                .map(|networks| Operator::Cidr(Networks::new(&networks.into_vec()))),
            "semver" => self
                .each(operand, path, Requirement::read)
                .map(Operator::Semver),
            "time_of_day" => self.windows(operand, path).map(Operator::TimeOfDay),
            "weekday" => {
                let days = self.days(operand, path)?;
                Some(Operator::Weekday(Box::new(days)))
            }
            "ref" => self.other(operand, path).map(|other| {
                let relation = Relation::Same;
                Operator::Ref(Reference {
                    relation,
                    path: other,
                })
            }),
            "not" => self
                .test(operand, path)
                .map(|test| Operator::Not(Box::new(test))),
            "exists" => match operand {
                Value::Bool(wanted) => Some(Operator::Exists(*wanted)),
                other => {
                    let message =
                        format!("`exists` wants `true` or `false`, found {}", kind_of(other));
                    self.refuse(path, message, "write `true` or `false`, without quotes")
                }
            },
            _ => {
                let shown: String = name.chars().take(80).collect();
                let message = format!("unknown operator `{}`", shown.escape_debug());
                self.report
                    .problem(Code::POLICY_OPERATOR, path, message, &sentence());
                None
            }
        }
    }

    fn comparison(&mut self, name: &str, operand: &Value, path: &Path) -> Option<Operator> {
        let Some(number) = operand.as_f64() else {
            let message = format!("`{name}` wants a number, found {}", kind_of(operand));
            return self.refuse(path, message, "write a number, without quotes");
        };
        comparison(name).map(|comparison| Operator::Compare(comparison, number))
    }

    /// A text, or a list of texts, each of them read by `read`.
    fn each<T>(
        &mut self,
        operand: &Value,
        path: &Path,
        read: impl Fn(&str) -> Result<T, OperandError>,
    ) -> Option<Box<[T]>> {
        let place = |index| match operand {
            Value::Array(_) => path.index(index),
            _ => path.clone(),
        };
        let texts = self.texts(operand, path)?;
        let read: Vec<Option<T>> = texts
            .iter()
            .enumerate()
            .map(|(index, text)| self.accept(read(text), &place(index)))
            .collect();
        read.into_iter().collect()
    }

    /// What was read, or a problem at its place.
    fn accept<T>(&mut self, read: Result<T, OperandError>, path: &Path) -> Option<T> {
        read.map_err(|error| {
            self.report
                .problem(error.code(), path, error.to_string(), &error.hint());
        })
        .ok()
    }

    /// `{ref: other.path}` in the place of a value that the policy names.
    fn reference(
        &mut self,
        relation: Relation,
        fields: &Map<String, Value>,
        path: &Path,
    ) -> Option<Operator> {
        match (fields.get("ref"), fields.len()) {
            (Some(other), 1) => {
                let other = self.other(other, &path.key("ref"))?;
                Some(Operator::Ref(Reference {
                    relation,
                    path: other,
                }))
            }
            _ => {
                let message = "a mapping that is no reference".to_owned();
                let hint = "write `{ref: path}` to compare with another path of the request";
                self.refuse(path, message, hint)
            }
        }
    }

    /// The path that a reference names.
    fn other(&mut self, operand: &Value, path: &Path) -> Option<RequestPath> {
        match operand {
            Value::String(other) => self.request_path(other, path),
            other => {
                let message = format!("`ref` wants a path, found {}", kind_of(other));
                let hint = "name a path of the request, such as `resource.properties.team`";
                self.refuse(path, message, hint)
            }
        }
    }

    /// A window of the day, or a list of them.
    fn windows(&mut self, operand: &Value, path: &Path) -> Option<Box<[Hours]>> {
        let Value::Array(_) = operand else {
            return self.window(operand, path).map(|window| [window].into());
        };
        let items = self.items(operand, path)?;
        let read: Vec<_> = items
            .iter()
            .enumerate()
            .map(|(index, item)| self.window(item, &path.index(index)))
            .collect();
        read.into_iter().collect()
    }

    fn window(&mut self, operand: &Value, path: &Path) -> Option<Hours> {
        let mut fields = Fields::of(operand.clone(), path.clone(), self.report)?;
        let from: Option<String> = fields.required("from", self.report);
        let until: Option<String> = fields.required("until", self.report);
        let zone = self.zone(&mut fields);
        fields.finish(self.report);
        let window = Hours::new(&from?, &until?, zone?);
        self.accept(window, path)
    }

    /// Days of the week, and where they are counted.
    fn days(&mut self, operand: &Value, path: &Path) -> Option<Days> {
        let mut fields = Fields::of(operand.clone(), path.clone(), self.report)?;
        let words: Option<Value> = fields.required("in", self.report);
        let days = words.and_then(|words| self.each(&words, &path.key("in"), Days::read));
        let zone = self.zone(&mut fields);
        fields.finish(self.report);
        Some(Days::new(days?.concat(), zone?))
    }

    fn zone(&mut self, fields: &mut Fields) -> Option<Zone> {
        let name: String = fields.required("zone", self.report)?;
        self.accept(Zone::named(&name), &fields.path("zone"))
    }
}

fn comparison(name: &str) -> Option<Comparison> {
    Some(match name {
        "gt" => Comparison::Greater,
        "gte" => Comparison::GreaterOrEqual,
        "lt" => Comparison::Less,
        "lte" => Comparison::LessOrEqual,
        _ => return None,
    })
}

/// What an operator asks of two values of the request, where it can.
fn relation(name: &str) -> Option<Relation> {
    Some(match name {
        "in" => Relation::In,
        "contains" => Relation::Contains,
        "contains_any" => Relation::ContainsAny,
        "contains_all" => Relation::ContainsAll,
        _ => Relation::Compare(comparison(name)?),
    })
}
