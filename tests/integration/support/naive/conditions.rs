//! `match` read aloud: whether a request fits, or nobody knows.

use serde_json::Value;

use super::operands;

/// What conditions are judged by.
pub(super) struct Asked<'a> {
    pub(super) request: &'a Value,
    pub(super) now: &'a str,
}

impl Asked<'_> {
    /// What stands at a path; none where something stands in its way. Null is absent, and the time is known where nobody
    /// gave one.
    fn at(&self, path: &str) -> Option<Option<Value>> {
        let pointer = match path {
            "subject" | "resource" => format!("/{path}/id"),
            "action" => "/action/name".to_owned(),
            _ => format!("/{}", path.replace('.', "/")),
        };
        for (end, _) in pointer.match_indices('/').skip(1) {
            let above = self.request.pointer(&pointer[..end]);
            if above.is_some_and(|above| !above.is_object() && !above.is_null()) {
                return None;
            }
        }
        let found = self.request.pointer(&pointer).cloned();
        let time = || (path == "context.time").then(|| self.now.into());
        Some(found.filter(|value| !value.is_null()).or_else(time))
    }
}

/// Whether the request matches; none where nobody knows.
pub(super) fn matches(group: &Value, asked: &Asked) -> Option<bool> {
    let groups = |groups: &Value| -> Vec<Option<bool>> {
        let groups = groups.as_array().unwrap().iter();
        groups.map(|group| matches(group, asked)).collect()
    };
    let entries = group.as_object().unwrap().iter();
    all(entries.map(|(key, wanted)| match key.as_str() {
        "any" => any(groups(wanted).into_iter()),
        "all" => all(groups(wanted).into_iter()),
        "not" => matches(wanted, asked).map(|yes| !yes),
        path => test(wanted, asked.at(path)?.as_ref(), asked),
    }))
}

pub(super) fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<_> = answers.collect();
    if answers.contains(&Some(false)) {
        Some(false)
    } else {
        (!answers.contains(&None)).then_some(true)
    }
}

pub(super) fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all(answers.map(|answer| answer.map(|yes| !yes))).map(|none| !none)
}

fn test(wanted: &Value, found: Option<&Value>, asked: &Asked) -> Option<bool> {
    let bare = |wanted: &Value, found: &Value| match (wanted.as_str(), found.as_str()) {
        (Some(pattern), Some(text)) => Some(glob(pattern.as_bytes(), text.as_bytes())),
        _ => same_kind(wanted, found),
    };
    match (wanted, found) {
        (Value::Object(operators), _) => all(operators
            .iter()
            .map(|(name, operand)| operator(name, operand, found, asked))),
        (_, None) => Some(false),
        (Value::Array(items), Some(found)) => any(items.iter().map(|item| bare(item, found))),
        (wanted, Some(found)) => bare(wanted, found),
    }
}

fn is_plain(value: &Value) -> bool {
    !value.is_array() && !value.is_object() && !value.is_null()
}

fn same(left: &Value, right: &Value) -> bool {
    left == right || (left.is_number() && left.as_f64() == right.as_f64())
}

/// As [`same`], and no answer where the two are of different types.
fn same_kind(wanted: &Value, found: &Value) -> Option<bool> {
    let is_comparable = std::mem::discriminant(wanted) == std::mem::discriminant(found);
    is_comparable.then(|| same(wanted, found))
}

fn in_order(name: &str, found: &Value, wanted: &Value) -> Option<bool> {
    let (found, wanted) = (found.as_f64()?, wanted.as_f64()?);
    Some(match name {
        "gt" => found > wanted,
        "gte" => found >= wanted,
        "lt" => found < wanted,
        "lte" => found <= wanted,
        other => panic!("the naive evaluator does not know {other}"),
    })
}

fn operator(name: &str, operand: &Value, found: Option<&Value>, asked: &Asked) -> Option<bool> {
    let Some(found) = found else {
        return Some((name == "exists" && operand == false) || name == "missing_any");
    };
    let items: Vec<Value> = match operand {
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    };
    let holds = |item: &Value| match (found, item) {
        (Value::Array(values), _) if values.iter().any(|value| same(item, value)) => Some(true),
        (Value::Array(values), _) => values.iter().all(is_plain).then_some(false),
        (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
        _ => None,
    };
    let texts = || items.iter().map(|item| item.as_str().unwrap());
    let text = |fits: fn(&str, &str) -> bool| {
        let text = found.as_str()?;
        Some(texts().any(|wanted| fits(wanted, text)))
    };
    let other = || asked.at(operand["ref"].as_str().or(operand.as_str()).unwrap());
    match name {
        "not" => test(operand, Some(found), asked).map(|yes| !yes),
        "exists" => Some(operand == true),
        _ if name == "ref" || operand["ref"].is_string() => refer(name, found, other()?),
        "equals" | "in" => any(items.iter().map(|item| same_kind(item, found))),
        "contains" | "contains_any" => any(items.iter().map(holds)),
        "contains_all" => all(items.iter().map(holds)),
        "missing_any" => {
            Some(!found.is_array() || items.iter().any(|item| holds(item) != Some(true)))
        }
        "glob" => text(|glob_, text| glob(glob_.as_bytes(), text.as_bytes())),
        "regex" => text(operands::search),
        "prefix" => text(|part, text| text.starts_with(part)),
        "suffix" => text(|part, text| text.ends_with(part)),
        "cidr" => operands::lies_in(found.as_str()?, &texts().collect::<Vec<_>>()),
        "semver" => any(texts().map(|wanted| operands::admits(wanted, found.as_str()?))),
        "time_of_day" => any(items
            .iter()
            .map(|window| operands::in_window(found.as_str()?, window))),
        "weekday" => operands::on_day(found.as_str()?, operand),
        bound => in_order(bound, found, operand),
    }
}

/// A value held against another of the same request.
fn refer(name: &str, found: &Value, other: Option<Value>) -> Option<bool> {
    let Some(other) = other else {
        return Some(false);
    };
    let holds = |list: &Value, item: &Value| {
        let items = list.as_array().filter(|_| is_plain(item))?;
        any(items.iter().map(|found| match is_plain(found) {
            true => Some(same(found, item)),
            false => None,
        }))
    };
    match name {
        "ref" if is_plain(found) && is_plain(&other) => same_kind(found, &other),
        "ref" => None,
        "in" => holds(&other, found),
        "contains" => holds(found, &other),
        "contains_any" => {
            let (_, wanted) = (found.as_array()?, other.as_array()?);
            any(wanted.iter().map(|item| holds(found, item)))
        }
        "contains_all" => {
            let (_, wanted) = (found.as_array()?, other.as_array()?);
            all(wanted.iter().map(|item| holds(found, item)))
        }
        bound => in_order(bound, found, &other),
    }
}

/// ASCII globs.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], _) => text.is_empty(),
        ([b'*', b'*', rest @ ..], _) => (0..=text.len()).any(|taken| glob(rest, &text[taken..])),
        ([b'*', rest @ ..], _) => (0..=text.len())
            .take_while(|taken| !text[..*taken].contains(&b'/'))
            .any(|taken| glob(rest, &text[taken..])),
        ([b'?', rest @ ..], [first, after @ ..]) => *first != b'/' && glob(rest, after),
        ([wanted, rest @ ..], [first, after @ ..]) => wanted == first && glob(rest, after),
        _ => false,
    }
}
