//! Catalogues, held against each other: in operations and patterns, not in the rules that they are lowered to.
//!
//! Overrides of lowered rules are told of those rules, since overrides name them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::overrides;
use super::rules::{self, Layer, Pair};
use super::{Change, Comparison, Direction, Found, Kind, Part, Subject, part, worst};
use crate::policy::{Arguments, Effect, Lowered, Operation, Risk, Written};
use crate::resolve::{EffectiveRule, Source};

/// The lowered rules of one operation.
type Rules<'a> = Vec<Pair<'a>>;

/// Compares the lowered rules of a layer.
pub(super) fn compare(
    comparison: &Comparison<'_>,
    layer: &Layer<'_>,
    lowered: Vec<Pair<'_>>,
    found: &mut Found,
) {
    if lowered.is_empty() {
        return;
    }
    let mut unknown = None;
    let mut operations: BTreeMap<String, Rules<'_>> = BTreeMap::new();
    for pair in lowered {
        let Some(rule) = pair.either() else { continue };
        match rule.written.lowered() {
            Some(Lowered::UnknownOperation { .. }) => unknown = Some(pair),
            _ => {
                let actions = rule.written.matcher.actions().unwrap_or_default();
                let action = actions.first().copied().unwrap_or_default();
                operations.entry(action.to_owned()).or_default().push(pair);
            }
        }
        if let Pair {
            before: Some(before),
            after: Some(after),
        } = pair
        {
            let differing = overrides::compare((before, layer.lapsed.0), (after, layer.lapsed.1));
            if !differing.changes.is_empty()
                && let Some(change) = rules::change_of(pair, layer)
            {
                found.add(comparison.scope, change);
            }
        }
    }
    let catalog = Catalog { layer, unknown };
    if let Some(change) = catalog.itself(&operations) {
        found.add(comparison.scope, change);
    }
    for (action, rules) in &operations {
        if let Some(change) = catalog.operation(action, rules) {
            found.add(comparison.scope, change);
        }
    }
}

struct Catalog<'a> {
    layer: &'a Layer<'a>,
    /// The rule about what the catalogue does not describe.
    unknown: Option<Pair<'a>>,
}

impl Catalog<'_> {
    fn change(&self, subject: Subject, kind: Kind, parts: Vec<Part>, pair: Pair<'_>) -> Change {
        let place = |rule: Option<&EffectiveRule>| -> Option<Source> { rule?.source.clone() };
        Change {
            scope: self.layer.scope.clone(),
            subject,
            kind,
            direction: worst(&parts),
            parts,
            overrides: Vec::new(),
            reaches: Vec::new(),
            before: place(pair.before),
            after: place(pair.after),
        }
    }

    /// What changes for every operation: the dangerous patterns, and the answer to what nobody describes.
    fn itself(&self, operations: &BTreeMap<String, Rules<'_>>) -> Option<Change> {
        let all = || operations.values().flatten();
        let old = all().find_map(|pair| dangers(pair.before?));
        let new = all().find_map(|pair| dangers(pair.after?));
        let is_overridden = all().any(|pair| {
            let has = |rule: Option<&EffectiveRule>| rule.is_some_and(|r| !r.overrides.is_empty());
            has(pair.before) || has(pair.after)
        });
        // Where there is no catalogue on one side, every operation is told by itself.
        let is_whole =
            all().any(|pair| pair.before.is_some()) && all().any(|pair| pair.after.is_some());
        let mut parts = Vec::new();
        if is_whole {
            patterns(old, new, is_overridden, &mut parts);
        }
        match self.unknown {
            Some(Pair {
                before: Some(before),
                after: Some(after),
            }) => {
                // Which actions it is about is told of the operations.
                let changed = rules::parts(before, after, self.layer).into_iter();
                let changed = changed.filter(|part| {
                    ["effect", "mode", "raised", "precedence", "disabled"].contains(&&*part.what)
                });
                parts.extend(changed.map(|part| Part {
                    what: match part.what.as_str() {
                        "effect" => "unknown_operation".to_owned(),
                        what => format!("unknown_operation.{what}"),
                    },
                    ..part
                }));
            }
            Some(pair) => {
                let of = |rule: Option<&EffectiveRule>| rule.map(|rule| rule.effect);
                let direction = match (pair.before, pair.after) {
                    (Some(rule), _) => rules::removed(rule, self.layer),
                    (_, Some(rule)) => rules::added(rule, self.layer),
                    _ => Direction::Neutral,
                };
                let word = |effect: Option<Effect>| effect.map_or("abstain", Effect::as_str);
                let (old, new) = (word(of(pair.before)), word(of(pair.after)));
                parts.push(part("unknown_operation", Some(old), Some(new), direction));
            }
            None => {}
        }
        if parts.is_empty() {
            return None;
        }
        let first = self.unknown.or_else(|| all().next().copied())?;
        let subject = Subject::Catalog(self.layer.scope.clone());
        Some(self.change(subject, Kind::Changed, parts, first))
    }

    /// What changes of one operation.
    fn operation(&self, action: &str, rules: &Rules<'_>) -> Option<Change> {
        let first = rules.first().copied()?;
        let subject = Subject::Operation(action.to_owned());
        let (old, new) = (Described::before(rules), Described::after(rules));
        let (kind, parts) = match (old.operation, new.operation) {
            (Some(_), Some(_)) => (Kind::Changed, self.differences(&old, &new, rules)),
            (None, _) => (Kind::Added, self.alone(&new, Kind::Added)),
            (_, None) => (Kind::Removed, self.alone(&old, Kind::Removed)),
        };
        if parts.is_empty() {
            return None;
        }
        Some(self.change(subject, kind, parts, first))
    }

    /// An operation that one side describes, and what the other answers instead.
    fn alone(&self, described: &Described<'_>, kind: Kind) -> Vec<Part> {
        let instead = match kind {
            Kind::Removed => self.unknown.and_then(|pair| pair.after),
            Kind::Added | Kind::Changed => self.unknown.and_then(|pair| pair.before),
        };
        let instead = instead
            .filter(|rule| !rule.disabled)
            .map(|rule| rule.effect);
        let weigh = |rule: &EffectiveRule| match (kind, instead) {
            _ if rule.disabled => Direction::Neutral,
            (Kind::Removed, None) => rules::removed(rule, self.layer),
            (_, None) => rules::added(rule, self.layer),
            (_, Some(instead)) if instead == rule.effect => Direction::Neutral,
            (Kind::Removed, Some(instead)) if instead > rule.effect => Direction::Tightens,
            (Kind::Added | Kind::Changed, Some(instead)) if instead < rule.effect => {
                Direction::Tightens
            }
            _ => Direction::Loosens,
        };
        let directions = described.rules.iter().map(|rule| weigh(rule));
        let mut direction = directions.max().unwrap_or(Direction::Neutral);
        if self.layer.reads_risk {
            direction = direction.max(Direction::MayLoosen);
        }
        let mut parts = Vec::new();
        let mut tell = |what: &str, value: Value, direction: Direction| {
            let (before, after) = match kind {
                Kind::Removed => (Some(&value), None),
                Kind::Added | Kind::Changed => (None, Some(&value)),
            };
            parts.push(part(what, before, after, direction));
        };
        if let Some(operation) = described.operation {
            tell("risk", json!(operation.own_risk()), direction);
            let answer = described.answer(operation.own_risk(), Arguments::Ordinary);
            if let Some(answer) = answer {
                tell("answer", json!(answer.effect), Direction::Neutral);
            }
        }
        for (variant, (_, risk)) in described.variants() {
            tell(
                &format!("variants.{variant}"),
                json!(risk),
                Direction::Neutral,
            );
        }
        let requires = described.requires();
        if !requires.is_empty() {
            tell("requires", json!(requires), Direction::Neutral);
        }
        parts
    }

    fn differences(
        &self,
        old: &Described<'_>,
        new: &Described<'_>,
        rules: &Rules<'_>,
    ) -> Vec<Part> {
        let mut parts = Vec::new();
        let (Some(was), Some(is)) = (old.operation, new.operation) else {
            return parts;
        };
        if was.own_risk() != is.own_risk() {
            let direction = self.risk((old, was.own_risk()), (new, is.own_risk()));
            let risks = (was.own_risk(), is.own_risk());
            parts.push(part("risk", Some(&risks.0), Some(&risks.1), direction));
        }
        self.variants(old, new, &mut parts);
        let mut told: BTreeSet<String> = BTreeSet::new();
        for pair in rules {
            let (Some(before), Some(after)) = (pair.before, pair.after) else {
                capabilities(*pair, &mut parts);
                continue;
            };
            if let (
                Some(Lowered::MissingCapability { requires: was }),
                Some(Lowered::MissingCapability { requires: is }),
            ) = (before.written.lowered(), after.written.lowered())
                && was != is
            {
                let (old, new): (BTreeSet<_>, BTreeSet<_>) =
                    (was.iter().collect(), is.iter().collect());
                let direction = if new.is_superset(&old) {
                    Direction::Tightens
                } else {
                    Direction::Loosens
                };
                parts.push(part("requires", Some(&**was), Some(&**is), direction));
            }
            let differing =
                overrides::compare((before, self.layer.lapsed.0), (after, self.layer.lapsed.1));
            if !differing.changes.is_empty() {
                continue;
            }
            for found in rules::parts(before, after, self.layer) {
                let what = match found.what.as_str() {
                    "effect" => format!("answer.{}", place(after)),
                    "mode" | "raised" | "precedence" | "disabled" => {
                        format!("{}.{}", found.what, place(after))
                    }
                    "override" => "override".to_owned(),
                    "reason" => "description".to_owned(),
                    // The match is made of what is told already, and the rest follows from the effect.
                    _ => continue,
                };
                if told.insert(what.clone()) {
                    parts.push(Part { what, ..found });
                }
            }
        }
        parts
    }

    /// Another risk of the same requests: what is asked of it on either side is what counts.
    fn risk(&self, old: (&Described<'_>, Risk), new: (&Described<'_>, Risk)) -> Direction {
        let mut direction = if new.1 > old.1 {
            Direction::Tightens
        } else {
            Direction::Loosens
        };
        for arguments in [Arguments::Ordinary, Arguments::Dangerous] {
            let (was, is) = (
                old.0.answer(old.1, arguments),
                new.0.answer(new.1, arguments),
            );
            let strength =
                |rule: &EffectiveRule| (u8::from(!rule.disabled), rule.effect, rule.mode);
            let is_weaker = match (was, is) {
                (Some(was), Some(is)) => {
                    let (was, is) = (strength(was), strength(is));
                    is.0 < was.0 || is.1 < was.1 || is.2 < was.2
                }
                _ => true,
            };
            if is_weaker {
                direction = direction.max(Direction::Loosens);
            }
        }
        if self.layer.reads_risk {
            direction = direction.max(Direction::MayLoosen);
        }
        direction
    }

    fn variants(&self, old: &Described<'_>, new: &Described<'_>, parts: &mut Vec<Part>) {
        let (was, is) = (old.variants(), new.variants());
        let ids: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        let own = |described: &Described<'_>| described.operation.map(|found| found.own_risk());
        for id in ids {
            let (before, after) = (was.get(id), is.get(id));
            if before == after {
                continue;
            }
            let direction = match (before, after) {
                (Some((old_match, _)), Some((new_match, _))) if old_match != new_match => {
                    Direction::MayLoosen
                }
                (Some((_, from)), Some((_, to))) => self.risk((old, *from), (new, *to)),
                // Of a variant, its own risk counts in place of the operation's.
                (None, Some((_, to))) => match own(old) {
                    Some(from) if *to >= from => self.risk((old, from), (new, *to)),
                    _ => Direction::MayLoosen,
                },
                (Some((_, from)), None) if own(new).is_some_and(|own| own < *from) => {
                    Direction::Loosens
                }
                _ => Direction::MayLoosen,
            };
            let told = |variant: Option<&(&Written, Risk)>| {
                variant.map(|(matcher, risk)| json!({"match": matcher, "risk": risk}))
            };
            let (before, after) = (told(before), told(after));
            parts.push(part(
                format!("variants.{id}"),
                before.as_ref(),
                after.as_ref(),
                direction,
            ));
        }
    }
}

/// What one side says of an operation.
struct Described<'a> {
    operation: Option<&'a Operation>,
    rules: Vec<&'a EffectiveRule>,
}

impl<'a> Described<'a> {
    fn before(rules: &Rules<'a>) -> Self {
        Self::of(rules.iter().filter_map(|pair| pair.before).collect())
    }

    fn after(rules: &Rules<'a>) -> Self {
        Self::of(rules.iter().filter_map(|pair| pair.after).collect())
    }

    fn of(rules: Vec<&'a EffectiveRule>) -> Self {
        let operation = rules.iter().find_map(|rule| rule.written.operation());
        let operation = operation.map(|operation| &**operation);
        Self { operation, rules }
    }

    /// The rule that answers the operation at this risk.
    fn answer(&self, wanted: Risk, with: Arguments) -> Option<&'a EffectiveRule> {
        let at = |with: Arguments| {
            self.rules.iter().copied().find(|rule| {
                matches!(rule.written.lowered(), Some(Lowered::Risk { risk, arguments, .. })
                    if *risk == wanted && *arguments == with)
            })
        };
        // Without patterns no arguments are dangerous.
        at(with).or_else(|| at(Arguments::Ordinary))
    }

    fn variants(&self) -> BTreeMap<String, (&'a Written, Risk)> {
        let variants = self.operation.into_iter().flat_map(Operation::variants);
        variants
            .map(|(id, matcher, risk)| (id.to_string(), (matcher, risk)))
            .collect()
    }

    fn requires(&self) -> BTreeSet<&'a str> {
        let lowered = self.rules.iter().filter_map(|rule| rule.written.lowered());
        let requires = lowered.filter_map(|lowered| match lowered {
            Lowered::MissingCapability { requires } => Some(requires),
            _ => None,
        });
        requires
            .flat_map(|requires| requires.iter().map(String::as_str))
            .collect()
    }
}

/// A rule about capabilities that one side has.
fn capabilities(pair: Pair<'_>, parts: &mut Vec<Part>) {
    let requires = |rule: Option<&EffectiveRule>| match rule?.written.lowered()? {
        Lowered::MissingCapability { requires } => Some(requires.to_vec()),
        _ => None,
    };
    let (was, is) = (requires(pair.before), requires(pair.after));
    if was.is_none() && is.is_none() {
        return;
    }
    let direction = if is.is_some() {
        Direction::Tightens
    } else {
        Direction::Loosens
    };
    parts.push(part("requires", was.as_ref(), is.as_ref(), direction));
}

/// Which of an operation's rules it is, such as `high` or `high.dangerous`.
fn place(rule: &EffectiveRule) -> String {
    match rule.written.lowered() {
        Some(Lowered::Risk {
            risk, arguments, ..
        }) => match arguments {
            Arguments::Ordinary => risk.as_str().to_owned(),
            Arguments::Dangerous => format!("{}.dangerous", risk.as_str()),
        },
        _ => "missing".to_owned(),
    }
}

fn dangers(rule: &EffectiveRule) -> Option<&Map<String, Value>> {
    Some(rule.written.operation()?.dangers()?.written())
}

/// What differs of the dangerous patterns, by their ids.
fn patterns(
    before: Option<&Map<String, Value>>,
    after: Option<&Map<String, Value>>,
    is_overridden: bool,
    parts: &mut Vec<Part>,
) {
    let by_id = |written: Option<&Map<String, Value>>| -> BTreeMap<String, Value> {
        let items = written.and_then(|written| written.get("patterns")?.as_array());
        let items = items.into_iter().flatten();
        let named = items.filter_map(|item| {
            let id = item.get("id")?.as_str()?;
            Some((id.to_owned(), item.clone()))
        });
        named.collect()
    };
    // Dangerous arguments are asked for no less than ordinary ones, unless an override says so.
    let more = if is_overridden {
        Direction::MayLoosen
    } else {
        Direction::Tightens
    };
    let (old, new) = (by_id(before), by_id(after));
    if old == new {
        // What decisions name first.
        let order = |written: Option<&Map<String, Value>>| {
            let items = written.and_then(|written| written.get("patterns")?.as_array());
            let items = items.into_iter().flatten();
            items
                .filter_map(|item| item.get("id").cloned())
                .collect::<Vec<Value>>()
        };
        let (was, is) = (order(before), order(after));
        if was != is {
            parts.push(part("patterns", Some(&was), Some(&is), Direction::Neutral));
        }
    }
    let ids: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for id in ids {
        let (was, is) = (old.get(id), new.get(id));
        if was != is {
            let direction = match (was, is) {
                (None, _) => more,
                (_, None) => Direction::Loosens,
                _ => Direction::MayLoosen,
            };
            parts.push(part(format!("patterns.{id}"), was, is, direction));
        }
    }
    let rest =
        |written: Option<&Map<String, Value>>| written.and_then(|w| w.get("commands")).cloned();
    if before.is_some() && after.is_some() && rest(before) != rest(after) {
        let (was, is) = (rest(before), rest(after));
        parts.push(part(
            "commands",
            was.as_ref(),
            is.as_ref(),
            Direction::MayLoosen,
        ));
    }
}
