//! The project's targets, each a ratio of this run.

use std::fmt::Write as _;

use super::tables::{memory, ratio};
use super::{Figures, USUAL};
use crate::child::{ENTRANTS, Role};
use crate::measure::Measured;

/// A ratio, and what it should be.
struct Target {
    what: &'static str,
    goal: Goal,
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
        let against = target
            .against
            .map(|against| format!(" ({against})"))
            .unwrap_or_default();
        let (found, verdict) = match target.found {
            Some(found) if target.goal.is_met(found) => (ratio(found), "met"),
            Some(found) => (ratio(found), "**missed**"),
            None => ("–".to_owned(), "not measured"),
        };
        let _ = writeln!(
            text,
            "| {}{against} | {found} | {} | {verdict} |",
            target.what,
            target.goal.shown()
        );
    }
    text
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
    let faster_than_best = |rules: usize| {
        let best = best_peer(figures, rules);
        let found = compare(best.map(|(_, latency)| latency), latency("ordain", rules));
        (found, best.map(|(title, _)| title))
    };
    let (at_usual, best_at_usual) = faster_than_best(USUAL);
    let (at_ten, best_at_ten) = faster_than_best(10);
    let target = |what, goal, found| Target {
        what,
        goal,
        found,
        against: None,
    };
    vec![
        target(
            "evaluation at 10 000 rules / the bitset floor",
            Goal::AtMost(3.0),
            compare(latency("ordain", USUAL), latency("bitset", USUAL)),
        ),
        Target {
            what: "the best peer / evaluation, 10 000 rules",
            goal: Goal::AtLeast(100.0),
            found: at_usual,
            against: best_at_usual,
        },
        Target {
            what: "the best peer / evaluation, 10 rules",
            goal: Goal::AtLeast(10.0),
            found: at_ten,
            against: best_at_ten,
        },
        target(
            "evaluation at 100 000 rules / at 10 rules",
            Goal::AtMost(6.0),
            compare(latency("ordain", 100_000), latency("ordain", 10)),
        ),
        target(
            "request bytes to decision with fingerprint, 10 000 rules / parsing and hashing those bytes",
            Goal::AtMost(2.0),
            Some(figures.bytes.ratio()),
        ),
        target(
            "load and compile, 10 000 rules / Cedar",
            Goal::AtMost(1.0),
            compare(at("ordain", load), at("cedar", load)),
        ),
        target(
            "load and compile, 10 000 rules / regorus, rules",
            Goal::AtMost(1.0),
            compare(at("ordain", load), at("regorus-rules", load)),
        ),
        target(
            "load and compile, 10 000 rules / regorus, data",
            Goal::AtMost(1.0),
            compare(at("ordain", load), at("regorus-data", load)),
        ),
        target(
            "memory of 10 000 rules / Cedar",
            Goal::AtMost(0.25),
            compare(at("ordain", memory), at("cedar", memory)),
        ),
        target(
            "one-shot `ordain eval`, 10 000 rules / `git --version`",
            Goal::AtMost(3.0),
            figures.one_shot.map(|pair| pair.ratio()),
        ),
    ]
}

/// The fastest of the other engines, in whatever form, and its median.
fn best_peer(figures: &Figures, rules: usize) -> Option<(&'static str, f64)> {
    let peers = ENTRANTS.iter().filter(|entrant| entrant.role == Role::Peer);
    let measured = peers.filter_map(|peer| {
        let measured = figures.measured(peer.name, rules)?;
        Some((peer.title, measured.median_ns as f64))
    });
    measured.min_by(|(_, one), (_, other)| one.total_cmp(other))
}
