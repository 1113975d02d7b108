//! The resolution of `docs/policy.md` read aloud, on the policies' JSON: slow, recursive, and sharing nothing with the engine.

mod conditions;
mod operands;
mod whens;

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use conditions::{Asked, all, matches};
pub(crate) use whens::WHENS;

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

    fn is_live(&self, change: &Value) -> bool {
        let expires = change["expires"].as_str();
        expires.is_none_or(|expires| expires > self.now)
    }

    /// The live override that `by` makes of `name`.
    fn change(&self, by: &str, name: &str) -> Option<&'a Value> {
        let live = |change: &&Value| self.is_live(change);
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
        let mut states = Vec::new();
        for by in lowest {
            let above: Vec<String> = makers
                .iter()
                .filter(|other| self.is_above(other, by))
                .map(|by| (*by).clone())
                .collect();
            let before = self.state(&above, scope, rule)?;
            let change = self.change(by, &name).unwrap();
            let next = after(&before, change);
            if is_looser(&before, &next) {
                self.permit_loosening(by, change, rule)?;
            } else if rule["override"] == "none" {
                return Err(Refused);
            }
            states.push(next);
        }
        Ok(match states.as_slice() {
            [] => self.written(scope, rule),
            states => strictest(states),
        })
    }

    /// The root of the chain.
    fn root(&self) -> String {
        chain(self.order.last().unwrap()).remove(0)
    }

    /// What the rule's author and the root scope demand of a waiver.
    fn permit_loosening(&self, by: &str, change: &Value, rule: &Value) -> Result<(), Refused> {
        if rule["override"] != "any" || change["reason"].is_null() {
            return Err(Refused);
        }
        let root = self.root();
        let Some(terms) = self.policies.get(&root).map(|policy| &policy["waivers"]) else {
            return Ok(());
        };
        if self.is_above(by, &root) {
            return Ok(());
        }
        let mut demanded = terms["require"].as_array().into_iter().flatten();
        if demanded.any(|field| change[field.as_str().unwrap()].is_null()) {
            return Err(Refused);
        }
        if let Some(days) = terms["max_duration"].as_str() {
            let days: i64 = days.strip_suffix('d').unwrap().parse().unwrap();
            let latest =
                self.now.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(24 * days);
            let expires = change["expires"].as_str().ok_or(Refused)?;
            if expires.parse::<Timestamp>().unwrap() > latest {
                return Err(Refused);
            }
        }
        Ok(())
    }

    /// Whether `by` inherits a rule of this name.
    pub(crate) fn knows(&self, by: &str, name: &str) -> bool {
        let (scope, id) = name.split_once('#').unwrap();
        let exists = list(self.policies, scope, "rules")
            .iter()
            .any(|rule| rule["id"] == id);
        exists && self.members.contains(scope) && self.is_above(scope, by)
    }

    /// Everything that does not hang on a request.
    pub(crate) fn resolve(&self) -> Result<Settled<'a>, Refused> {
        for by in &self.order {
            for change in list(self.policies, by, "overrides") {
                let name = change["rule"].as_str().unwrap();
                let scope = name.split('#').next().unwrap();
                let ignored =
                    !self.members.contains(scope) && chain(by).iter().any(|upper| upper == scope);
                if self.is_live(change) && !ignored && !self.knows(by, name) {
                    return Err(Refused);
                }
            }
        }
        let mut layers = Vec::new();
        for scope in &self.order {
            let mut rules = Vec::new();
            for rule in list(self.policies, scope, "rules") {
                let state = self.state(&self.order, scope, rule)?;
                let enforced = state.mode.min(self.cap) == 2;
                rules.push(Ruling {
                    name: format!("{scope}#{}", rule["id"].as_str().unwrap()),
                    raised: enforced && self.written(scope, rule).mode.min(self.cap) < 2,
                    enforced,
                    rule,
                    state,
                });
            }
            rules.sort_by_key(|rule| {
                let state = &rule.state;
                (
                    -state.precedence,
                    3 - RANKS[state.effect],
                    rule.name.clone(),
                )
            });
            let policy = self.policies.get(scope);
            layers.push(Layer {
                rules,
                default: policy.and_then(|policy| word(&EFFECTS, &policy["default"])),
                enforced: self.mode(scope).min(self.cap) == 2,
            });
        }
        Ok(Settled {
            layers,
            silent: if self.mode(&self.root()).min(self.cap) == 2 {
                3
            } else {
                0
            },
            now: self.now,
        })
    }
}

/// A rule after every override.
struct Ruling<'a> {
    name: String,
    rule: &'a Value,
    state: State,
    enforced: bool,
    /// A descendant made it binding.
    raised: bool,
}

struct Layer<'a> {
    rules: Vec<Ruling<'a>>,
    default: Option<usize>,
    enforced: bool,
}

/// One scope's policy, ready to be asked.
pub(crate) struct Settled<'a> {
    layers: Vec<Layer<'a>>,
    /// What binds where nobody speaks.
    silent: usize,
    now: &'a str,
}

/// An effect, and the rule that asks for it.
type Said = (usize, Option<String>);

impl Settled<'_> {
    pub(crate) fn answer(&self, request: &Value) -> Answer {
        let (mut all, mut bound, mut audited) = (Vec::new(), Vec::new(), false);
        for layer in &self.layers {
            // Each rule that counts, and whether only because nobody knows.
            let rules: Vec<(&Ruling, bool)> = layer
                .rules
                .iter()
                .filter_map(|rule| {
                    let applies = self.applies(rule, request);
                    let counts = applies.unwrap_or(rule.state.effect >= 2);
                    counts.then_some((rule, applies.is_none()))
                })
                .collect();
            let named = |rule: &Ruling| -> Said { (rule.state.effect, Some(rule.name.clone())) };
            let default = layer.default.map(|effect| (effect, None));

            let spoken = rules.iter().find(|(_, failed)| !failed);
            let spoken = spoken.map(|(rule, _)| named(rule)).or(default.clone());
            audited |= spoken.as_ref().is_some_and(|(effect, _)| *effect == 1);
            audited |= rules.iter().any(|(rule, _)| rule.state.effect == 1);
            all.extend(spoken);
            all.extend(
                rules
                    .iter()
                    .filter(|(_, failed)| *failed)
                    .map(|(rule, _)| named(rule)),
            );

            let adds = |rule: &Ruling, failed: bool| rule.raised || failed;
            let enforced = || rules.iter().filter(|(rule, _)| rule.enforced);
            let own = enforced().find(|(rule, failed)| !adds(rule, *failed));
            let own = own.map(|(rule, _)| named(rule));
            let own = own.or(default.filter(|_| layer.enforced));
            audited |= own.as_ref().is_some_and(|(effect, _)| *effect == 1);
            bound.extend(own);
            bound.extend(
                enforced()
                    .filter(|(rule, failed)| adds(rule, *failed))
                    .map(|(rule, _)| named(rule)),
            );
        }
        let greatest = |said: Vec<Said>| {
            said.into_iter()
                .rev()
                .max_by_key(|(effect, _)| RANKS[*effect])
        };
        let (effect, rule) = greatest(bound).unwrap_or((self.silent, None));
        let (would, would_rule) = greatest(all).unwrap_or((3, None));
        Answer {
            effect: EFFECTS[effect].to_owned(),
            rule,
            would: EFFECTS[would].to_owned(),
            would_rule,
            audited,
        }
    }

    /// Whether the rule speaks of the request; none where nobody knows.
    fn applies(&self, rule: &Ruling, request: &Value) -> Option<bool> {
        let from = rule.rule["valid"]["from"].as_str();
        let until = rule.rule["valid"]["until"].as_str();
        let in_force =
            from.is_none_or(|from| from <= self.now) && until.is_none_or(|until| self.now < until);
        if rule.state.disabled || !in_force {
            return Some(false);
        }
        let asked = Asked {
            request,
            now: self.now,
        };
        // Every further kind of condition joins here.
        let found = matches(&rule.rule["match"], &asked);
        let holds = || whens::holds(&rule.rule["when"], request);
        all(std::iter::once(found).chain((found != Some(false)).then(holds)))
    }
}

fn after(before: &State, change: &Value) -> State {
    let effect = word(&EFFECTS, &change["effect"]);
    State {
        disabled: change["disable"] == true || (before.disabled && effect.is_none()),
        effect: effect.unwrap_or(before.effect),
        mode: word(&MODES, &change["mode"]).unwrap_or(before.mode),
        precedence: change["precedence"].as_i64().unwrap_or(before.precedence),
    }
}

fn is_looser(before: &State, after: &State) -> bool {
    (after.disabled && !before.disabled)
        || (before.disabled && !after.disabled && after.effect < 2)
        || after.effect < before.effect
        || after.mode < before.mode
        || after.precedence != before.precedence
}

/// What stands of states that are unordered.
fn strictest(states: &[State]) -> State {
    let all = |part: fn(&State) -> i64| states.iter().map(part).collect::<Vec<i64>>();
    let live: Vec<&State> = states.iter().filter(|state| !state.disabled).collect();
    let refusing = live.iter().any(|state| state.effect >= 2);
    let disabled = !refusing && live.len() < states.len();
    let counted: Vec<&State> = if disabled {
        states.iter().collect()
    } else {
        live
    };
    let effect = counted.iter().map(|state| state.effect).max().unwrap();
    let mode = counted.iter().map(|state| state.mode).max().unwrap();
    let places = match effect {
        2 => counted
            .iter()
            .filter(|state| state.mode == mode && state.disabled == disabled)
            .map(|state| state.precedence)
            .collect(),
        _ => all(|state| state.precedence),
    };
    let place = if effect >= 2 {
        places.iter().max()
    } else {
        places.iter().min()
    };
    State {
        disabled,
        effect,
        mode,
        precedence: *place.unwrap_or(&states[0].precedence),
    }
}
