//! The project's targets, each a ratio of this run.

use std::fmt::Write as _;

use super::tables::{memory, ratio};
use super::{Figures, USUAL};
use crate::child::{ENTRANTS, Role};
use crate::measure::Measured;
use crate::once::Pair;

/// A ratio, and what it should be.
struct Target {
    what: &'static str,
    /// Some are told for comparison only.
    goal: Option<Goal>,
    found: Option<f64>,
    /// Whom it is measured against, where that turned out in the run.
    against: Option<&'static str>,
}

#[derive(Clone, Copy)]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    fn is_met(self, found: f64) -> bool {
        match self {
            Self::AtMost(goal) => found <= goal,
            Self::AtLeast(goal) => found >= goal,
        }
    }

    fn shown(self) -> String {
        match self {
            Self::AtMost(goal) => format!("≤ {goal}"),
            Self::AtLeast(goal) => format!("≥ {goal}"),
        }
    }
}

pub(super) fn table(figures: &Figures) -> String {
    let mut text = "| what | ratio | goal | |\n| --- | ---: | ---: | --- |\n".to_owned();
    for target in targets(figures) {
        let against = target.against.map(|against| format!(" ({against})"));
        let what = format!("{}{}", target.what, against.unwrap_or_default());
        let found = target.found.map_or_else(|| "–".to_owned(), ratio);
        let goal = target.goal.map(Goal::shown).unwrap_or_default();
        let verdict = match (target.found, target.goal) {
            (None, _) => "not measured",
            (Some(_), None) => "",
            (Some(found), Some(goal)) if goal.is_met(found) => "met",
            (Some(_), Some(_)) => "**missed**",
        };
        let _ = writeln!(text, "| {what} | {found} | {goal} | {verdict} |");
    }
    text.push_str(
        "\nStreams have a benchmark of their own: `cargo bench --bench compare -- stream`.\n",
    );
    text
}

fn at_most(goal: f64) -> Option<Goal> {
    Some(Goal::AtMost(goal))
}

fn at_least(goal: f64) -> Option<Goal> {
    Some(Goal::AtLeast(goal))
}

fn targets(figures: &Figures) -> Vec<Target> {
    let latency = |name: &str, rules: usize| {
        figures
            .measured(name, rules)
            .map(|measured| measured.median_ns as f64)
    };
    let compare = |ours: Option<f64>, theirs: Option<f64>| Some(ours? / theirs?);
    let at = |name: &str, figure: fn(&Measured) -> f64| figures.measured(name, USUAL).map(figure);
    let load: fn(&Measured) -> f64 = |measured| measured.load_ns as f64;
    let compile = figures
        .measured("ordain", USUAL)
        .and_then(|measured| Some(measured.compile_ns? as f64));
    let faster_than_best = |rules: usize, among: Among| {
        let best = best_peer(figures, rules, among);
        let found = compare(best.map(|(_, latency)| latency), latency("ordain", rules));
        (found, best.map(|(title, _)| title))
    };
    let best = |what, rules, among, goal| {
        let (found, against) = faster_than_best(rules, among);
        Target {
            what,
            goal: at_least(goal),
            found,
            against,
        }
    };
    let target = |what, goal, found| Target {
        what,
        goal,
        found,
        against: None,
    };
    vec![
        target(
            "evaluation at 10 000 rules / the bitset floor",
            at_most(3.0),
            compare(latency("ordain", USUAL), latency("bitset", USUAL)),
        ),
        target(
            "evaluation at 10 000 rules / the bitset floor that finds every match, as a decision does",
            None,
            compare(latency("ordain", USUAL), latency("bitset-all", USUAL)),
        ),
        best(
            "the best peer / evaluation, 10 000 rules",
            USUAL,
            Among::All,
            100.0,
        ),
        best("the best peer / evaluation, 10 rules", 10, Among::All, 10.0),
        best(
            "the best policy engine / evaluation, 10 rules",
            10,
            Among::Engines,
            10.0,
        ),
        target(
            "evaluation at 100 000 rules / at 10 rules",
            at_most(6.0),
            compare(latency("ordain", 100_000), latency("ordain", 10)),
        ),
        target(
            "request bytes to decision with fingerprint, 10 000 rules / parsing and hashing those bytes",
            at_most(2.0),
            Some(figures.bytes.ratio()),
        ),
        target(
            "compile, 10 000 rules / Cedar's load",
            at_most(1.0),
            compare(compile, at("cedar", load)),
        ),
        target(
            "compile, 10 000 rules / regorus's load, rules",
            at_most(1.0),
            compare(compile, at("regorus-rules", load)),
        ),
        target(
            "compile, 10 000 rules / regorus's load, data: keyed by action before",
            at_most(1.0),
            compare(compile, at("regorus-data", load)),
        ),
        target(
            "load, 10 000 rules from YAML / Cedar's load",
            at_most(1.0),
            compare(at("ordain", load), at("cedar", load)),
        ),
        target(
            "load, 10 000 rules from YAML / regorus's load, rules",
            at_most(1.0),
            compare(at("ordain", load), at("regorus-rules", load)),
        ),
        target(
            "load, 10 000 rules from YAML / regorus's load, data: keyed by action before",
            at_most(1.0),
            compare(at("ordain", load), at("regorus-data", load)),
        ),
        target(
            "load, 10 000 rules compiled before / regorus's load, data: keyed by action before",
            at_most(1.0),
            compare(at("ordain-kept", load), at("regorus-data", load)),
        ),
        target(
            "the same, and every rule made, which no decision waits for",
            None,
            compare(at("ordain-made", load), at("regorus-data", load)),
        ),
        target(
            "memory of 10 000 rules / Cedar",
            at_most(0.25),
            compare(at("ordain", memory), at("cedar", memory)),
        ),
        target(
            "one-shot `ordain eval`, 10 000 rules / `git --version`",
            at_most(3.0),
            figures.one_shot.map(Pair::ratio),
        ),
        target(
            "the same / loading rules that were keyed by action before (regorus, data)",
            None,
            compare(
                figures.one_shot.map(|pair| pair.ours_ns as f64),
                at("regorus-data", load),
            ),
        ),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Among {
    All,
    /// Those that take a policy: a loop of expressions is no engine.
    Engines,
}

/// The fastest of the others, in whatever form, and its median.
fn best_peer(figures: &Figures, rules: usize, among: Among) -> Option<(&'static str, f64)> {
    let peers = ENTRANTS.iter().filter(|entrant| match among {
        Among::All => entrant.role == Role::Peer,
        Among::Engines => entrant.role == Role::Peer && entrant.name != "cel",
    });
    let measured = peers.filter_map(|peer| {
        let measured = figures.measured(peer.name, rules)?;
        Some((peer.title, measured.median_ns as f64))
    });
    measured.min_by(|(_, one), (_, other)| one.total_cmp(other))
}
