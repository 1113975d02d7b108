//! The resolution of `docs/policy.md` read aloud, on the policies' JSON: slow, recursive, and sharing nothing with the engine.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub(crate) type Policies = BTreeMap<String, Value>;

/// What the naive evaluator says: the binding effect and what would happen, each with the rule that made it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) effect: String,
    pub(crate) rule: Option<String>,
    pub(crate) would: String,
    pub(crate) would_rule: Option<String>,
    pub(crate) audited: bool,
}

/// A rule, or an override was refused.
#[derive(Debug)]
pub(crate) struct Refused;

#[derive(Clone, Debug, PartialEq)]
struct State {
    disabled: bool,
    effect: usize,
    mode: usize,
    precedence: i64,
}

const EFFECTS: [&str; 4] = ["allow", "audit", "require_approval", "deny"];
const RANKS: [usize; 4] = [1, 0, 2, 3];
const MODES: [&str; 3] = ["audit-only", "warn", "enforce"];

fn word(words: &[&str], value: &Value) -> Option<usize> {
    words.iter().position(|word| Some(*word) == value.as_str())
}

fn list<'a>(policies: &'a Policies, scope: &str, field: &str) -> Vec<&'a Value> {
    let policy = policies.get(scope).map(|policy| &policy[field]);
    policy
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .collect()
}

fn chain(scope: &str) -> Vec<String> {
    let parts: Vec<&str> = scope.split('/').collect();
    (1..=parts.len())
        .map(|end| parts[..end].join("/"))
        .collect()
}

/// One scope's resolution at `now` (RFC 3339, compared as text) under a cap.
pub(crate) struct Naive<'a> {
    policies: &'a Policies,
    members: BTreeSet<String>,
    order: Vec<String>,
    now: &'a str,
    cap: usize,
}

impl<'a> Naive<'a> {
    pub(crate) fn new(policies: &'a Policies, scope: &str, now: &'a str, cap: &str) -> Self {
        let mut naive = Self {
            policies,
            members: chain(scope).into_iter().collect(),
            order: Vec::new(),
            now,
            cap: 0,
        };
        while let Some(pack) = naive
            .members
            .iter()
            .flat_map(|member| naive.packs(member))
            .find(|pack| !naive.members.contains(pack))
        {
            naive.members.insert(pack);
        }
        for scope in chain(scope) {
            naive.walk(&scope);
        }
        let floor = naive
            .members
            .iter()
            .filter_map(|member| word(&MODES, &policies.get(member)?["min_mode"]))
            .max();
        naive.cap = word(&MODES, &cap.into()).unwrap().max(floor.unwrap_or(0));
        naive
    }

    fn packs(&self, scope: &str) -> Vec<String> {
        list(self.policies, scope, "extends")
            .into_iter()
            .map(|pack| pack.as_str().unwrap().to_owned())
            .collect()
    }

    fn directly_above(&self, scope: &str) -> Vec<String> {
        let mut above: Vec<String> = chain(scope)
            .into_iter()
            .filter(|upper| upper != scope && self.members.contains(upper))
            .collect();
        let mut packs = self.packs(scope);
        packs.sort();
        above.extend(packs);
        above
    }

    fn walk(&mut self, scope: &str) {
        for upper in self.directly_above(scope) {
            self.walk(&upper);
        }
        if !self.order.iter().any(|done| done == scope) {
            self.order.push(scope.to_owned());
        }
    }

    fn is_above(&self, upper: &str, lower: &str) -> bool {
        self.directly_above(lower)
            .iter()
            .any(|next| next == upper || self.is_above(upper, next))
    }

    fn mode(&self, scope: &str) -> usize {
        self.policies
            .get(scope)
            .and_then(|policy| word(&MODES, &policy["mode"]))
            .unwrap_or(2)
    }

    fn written(&self, scope: &str, rule: &Value) -> State {
        State {
            disabled: false,
            effect: word(&EFFECTS, &rule["effect"]).unwrap(),
            mode: word(&MODES, &rule["mode"]).unwrap_or(self.mode(scope)),
            precedence: rule["precedence"].as_i64().unwrap_or(0),
        }
    }

    /// The live override that `by` makes of `name`.
    fn change(&self, by: &str, name: &str) -> Option<&'a Value> {
        let live = |change: &&Value| {
            change["expires"]
                .as_str()
                .is_none_or(|expires| expires > self.now)
        };
        list(self.policies, by, "overrides")
            .into_iter()
            .filter(live)
            .find(|change| change["rule"] == name)
    }

    /// The rule's state as the overrides of `among` leave it.
    fn state(&self, among: &[String], scope: &str, rule: &Value) -> Result<State, Refused> {
        let name = format!("{scope}#{}", rule["id"].as_str().unwrap());
        let makers: Vec<&String> = among
            .iter()
            .filter(|by| self.change(by, &name).is_some())
            .collect();
        let lowest = makers
            .iter()
            .filter(|by| !makers.iter().any(|other| self.is_above(by, other)));
        let mut state: Option<State> = None;
        for by in lowest {
            let above: Vec<String> = makers
                .iter()
                .filter(|other| self.is_above(other, by))
                .map(|by| (*by).clone())
                .collect();
            let next = step(
                self.state(&above, scope, rule)?,
                self.change(by, &name).unwrap(),
                rule,
            )?;
            state = Some(state.map_or(next.clone(), |state| stricter(state, next)));
        }
        Ok(state.unwrap_or_else(|| self.written(scope, rule)))
    }

    /// Whether `by` inherits a rule of this name.
    pub(crate) fn knows(&self, by: &str, name: &str) -> bool {
        let (scope, id) = name.split_once('#').unwrap();
        let exists = list(self.policies, scope, "rules")
            .iter()
            .any(|rule| rule["id"] == id);
        exists && self.members.contains(scope) && self.is_above(scope, by)
    }

    pub(crate) fn answer(&self, request: &Value) -> Result<Answer, Refused> {
        for by in &self.order {
            for change in list(self.policies, by, "overrides") {
                let live = change["expires"]
                    .as_str()
                    .is_none_or(|expires| expires > self.now);
                let name = change["rule"].as_str().unwrap();
                let scope = name.split('#').next().unwrap();
                let ignored =
                    !self.members.contains(scope) && chain(by).iter().any(|upper| upper == scope);
                if live && !ignored && !self.knows(by, name) {
                    return Err(Refused);
                }
            }
        }
        let (mut all, mut bound, mut audited) = (Vec::new(), Vec::new(), false);
        for scope in &self.order {
            let mut rules = Vec::new();
            for rule in list(self.policies, scope, "rules") {
                let state = self.state(&self.order, scope, rule)?;
                let matches = matches(&rule["match"], request);
                if !state.disabled && matches.unwrap_or(state.effect >= 2) {
                    let raised = state.mode.min(self.cap) == 2
                        && self.written(scope, rule).mode.min(self.cap) < 2;
                    rules.push((
                        state,
                        (raised, matches.is_none()),
                        format!("{scope}#{}", rule["id"].as_str().unwrap()),
                    ));
                }
            }
            rules.sort_by_key(|(state, _, name)| {
                (-state.precedence, 3 - RANKS[state.effect], name.clone())
            });
            let default = self
                .policies
                .get(scope)
                .and_then(|policy| word(&EFFECTS, &policy["default"]));
            let say = |rule: Option<&(State, (bool, bool), String)>, default: Option<usize>| {
                rule.map(|(state, _, name)| (state.effect, Some(name.clone())))
                    .or(default.map(|effect| (effect, None)))
            };
            let named = |(state, _, name): &(State, (bool, bool), String)| {
                (state.effect, Some(name.clone()))
            };
            let spoken = say(rules.iter().find(|(_, (_, failed), _)| !failed), default);
            audited |= spoken.as_ref().is_some_and(|(effect, _)| *effect == 1)
                || rules.iter().any(|(state, ..)| state.effect == 1);
            all.extend(spoken);
            all.extend(
                rules
                    .iter()
                    .filter(|(_, (_, failed), _)| *failed)
                    .map(named),
            );
            let enforced = |state: &State| state.mode.min(self.cap) == 2;
            let own = rules
                .iter()
                .find(|(state, adds, _)| enforced(state) && *adds == (false, false));
            bound.extend(say(
                own,
                default.filter(|_| self.mode(scope).min(self.cap) == 2),
            ));
            bound.extend(
                rules
                    .iter()
                    .filter(|(state, adds, _)| enforced(state) && *adds != (false, false))
                    .map(named),
            );
        }
        let greatest = |said: Vec<(usize, Option<String>)>| {
            said.into_iter()
                .rev()
                .max_by_key(|(effect, _)| RANKS[*effect])
        };
        let root = self
            .order
            .iter()
            .find(|scope| {
                !scope.contains('/') && chain(self.order.last().unwrap()).contains(*scope)
            })
            .unwrap();
        let silent = if self.mode(root).min(self.cap) == 2 {
            3
        } else {
            0
        };
        let (effect, rule) = greatest(bound).unwrap_or((silent, None));
        let (would, would_rule) = greatest(all).unwrap_or((3, None));
        let (effect, would) = (EFFECTS[effect].to_owned(), EFFECTS[would].to_owned());
        Ok(Answer {
            effect,
            rule,
            would,
            would_rule,
            audited,
        })
    }
}

fn step(before: State, change: &Value, rule: &Value) -> Result<State, Refused> {
    let effect = word(&EFFECTS, &change["effect"]);
    let after = State {
        disabled: change["disable"] == true || (before.disabled && effect.is_none()),
        effect: effect.unwrap_or(before.effect),
        mode: word(&MODES, &change["mode"]).unwrap_or(before.mode),
        precedence: change["precedence"].as_i64().unwrap_or(before.precedence),
    };
    let looser = (after.disabled && !before.disabled)
        || after.effect < before.effect
        || after.mode < before.mode
        || after.precedence != before.precedence;
    match rule["override"].as_str().unwrap_or("tighten") {
        "none" => Err(Refused),
        "tighten" if looser => Err(Refused),
        "any" if looser && change["reason"].is_null() => Err(Refused),
        _ => Ok(after),
    }
}

fn stricter(left: State, right: State) -> State {
    let (effect, disabled) = match (left.disabled, right.disabled) {
        (true, false) => (right.effect, false),
        (false, true) => (left.effect, false),
        (both, _) => (left.effect.max(right.effect), both),
    };
    let (low, high) = (
        left.precedence.min(right.precedence),
        left.precedence.max(right.precedence),
    );
    State {
        disabled,
        effect,
        mode: left.mode.max(right.mode),
        precedence: if effect >= 2 { high } else { low },
    }
}

/// Whether `request` matches; none where nobody knows.
fn matches(group: &Value, request: &Value) -> Option<bool> {
    let entries = group.as_object().unwrap().iter();
    all(entries.map(|(key, wanted)| match key.as_str() {
        "any" => any(wanted
            .as_array()
            .unwrap()
            .iter()
            .map(|group| matches(group, request))),
        "all" => all(wanted
            .as_array()
            .unwrap()
            .iter()
            .map(|group| matches(group, request))),
        "not" => matches(wanted, request).map(|matches| !matches),
        path => {
            let path = match path {
                "subject" | "resource" => format!("/{path}/id"),
                "action" => "/action/name".to_owned(),
                _ => format!("/{}", path.replace('.', "/")),
            };
            test(
                wanted,
                request.pointer(&path).filter(|value| !value.is_null()),
            )
        }
    }))
}

fn all(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<_> = answers.collect();
    if answers.contains(&Some(false)) {
        Some(false)
    } else {
        (!answers.contains(&None)).then_some(true)
    }
}

fn any(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    all(answers.map(|answer| answer.map(|yes| !yes))).map(|none| !none)
}

fn test(wanted: &Value, found: Option<&Value>) -> Option<bool> {
    let bare = |wanted: &Value, found: &Value| match (wanted.as_str(), found.as_str()) {
        (Some(pattern), Some(text)) => Some(glob(pattern.as_bytes(), text.as_bytes())),
        _ => same_kind(wanted, found),
    };
    match (wanted, found) {
        (Value::Object(operators), _) => all(operators
            .iter()
            .map(|(name, operand)| operator(name, operand, found))),
        (_, None) => Some(false),
        (Value::Array(items), Some(found)) => any(items.iter().map(|item| bare(item, found))),
        (wanted, Some(found)) => bare(wanted, found),
    }
}

fn same(left: &Value, right: &Value) -> bool {
    left == right || (left.is_number() && left.as_f64() == right.as_f64())
}

/// As [`same`], and no answer where the two are of different types.
fn same_kind(wanted: &Value, found: &Value) -> Option<bool> {
    let is_comparable = std::mem::discriminant(wanted) == std::mem::discriminant(found);
    is_comparable.then(|| same(wanted, found))
}

fn operator(name: &str, operand: &Value, found: Option<&Value>) -> Option<bool> {
    let Some(found) = found else {
        return Some((name == "exists" && operand == false) || name == "missing_any");
    };
    let items = || {
        operand
            .as_array()
            .cloned()
            .unwrap_or_else(|| vec![operand.clone()])
    };
    let holds = |item: &Value| match (found, item) {
        (Value::Array(values), _) => Some(values.iter().any(|value| same(item, value))),
        (Value::String(text), Value::String(part)) => Some(text.contains(part.as_str())),
        _ => None,
    };
    let text = || found.as_str();
    match name {
        "equals" | "in" => any(items().iter().map(|item| same_kind(item, found))),
        "exists" => Some(operand == true),
        "not" => test(operand, Some(found)).map(|yes| !yes),
        "glob" => text().map(|text| {
            items()
                .iter()
                .any(|item| glob(item.as_str().unwrap().as_bytes(), text.as_bytes()))
        }),
        "prefix" => text().map(|text| {
            items()
                .iter()
                .any(|item| text.starts_with(item.as_str().unwrap()))
        }),
        "contains" | "contains_any" => any(items().iter().map(holds)),
        "contains_all" => all(items().iter().map(holds)),
        "missing_any" => {
            Some(!found.is_array() || items().iter().any(|item| holds(item) != Some(true)))
        }
        "gt" => found
            .as_f64()
            .map(|found| found > operand.as_f64().unwrap()),
        "gte" => found
            .as_f64()
            .map(|found| found >= operand.as_f64().unwrap()),
        "lt" => found
            .as_f64()
            .map(|found| found < operand.as_f64().unwrap()),
        "lte" => found
            .as_f64()
            .map(|found| found <= operand.as_f64().unwrap()),
        other => panic!("the naive evaluator does not know {other}"),
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
