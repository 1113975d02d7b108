//! From measurements to `docs/performance.md`: each system in a process of its own, in turn, and the median of the turns.

mod page;
mod plot;
mod tables;
mod targets;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::child::{self, ENTRANTS, Entrant, Task};
use crate::generate;
use crate::measure::{Budget, Measured, Outcome};
use crate::model::Effect;
use crate::once::{self, Pair};
use crate::system::Reference;

/// Policies as small as this are decided so soon that whatever else the machine does counts.
const SMALL: usize = 10;
/// As many turns, at least, does each system get by so few rules.
const TURNS: usize = 5;

/// The size that most targets speak of.
const USUAL: usize = 10_000;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Few rules, little time, nothing written: whether it works.
    #[arg(long)]
    quick: bool,
    /// The program for one-shot evaluations; built for release unless given.
    #[arg(long)]
    ordain: Option<PathBuf>,
    /// The Python that has OPA as a library (`requirements.txt`).
    #[arg(long, default_value = "python3")]
    python: PathBuf,
    /// Numbers of rules.
    #[arg(long, value_delimiter = ',', default_values_t = [10, 100, 1_000, 10_000, 100_000])]
    rules: Vec<usize>,
    /// Only the systems of these names.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each system gets its turn, by 10 rules at least five times; the median counts.
    #[arg(long, default_value_t = 3)]
    passes: usize,
    /// Seconds for comparing the answers of one system at one size.
    #[arg(long, default_value_t = 300)]
    check: u64,
    #[command(flatten)]
    render: Render,
}

#[derive(Debug, Args)]
pub(crate) struct Render {
    /// Where the figures are kept.
    #[arg(long)]
    figures: Option<PathBuf>,
    /// The directory of `performance.md`.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs"))]
    docs: PathBuf,
}

impl Render {
    fn figures(&self) -> Result<PathBuf> {
        match &self.figures {
            Some(path) => Ok(path.clone()),
            None => Ok(beside()?.join("peers-figures.json")),
        }
    }
}

/// The directory of this program.
fn beside() -> Result<PathBuf> {
    let this = std::env::current_exe()?;
    Ok(this
        .parent()
        .context("the directory of this program")?
        .to_owned())
}

/// What the requests of one size are like.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Shape {
    rules: usize,
    teams: usize,
    actions: usize,
    /// Rules that match a request, on average.
    matching: f64,
    allowed: f64,
    denied: f64,
}

impl Shape {
    fn new(rules: usize, requests: usize) -> Self {
        let workload = generate::workload(rules, requests);
        let answers: Vec<_> = Reference::new(&workload).answers().collect();
        let share = |wanted: Effect| {
            let alike = answers
                .iter()
                .flatten()
                .filter(|(effect, _)| *effect == wanted);
            alike.count() as f64 / requests as f64
        };
        let distinct = |mut names: Vec<&str>| {
            names.sort_unstable();
            names.dedup();
            names.len()
        };
        // As many as tell the average: each looks at every rule.
        let some = workload.requests.len().min(500);
        let matching = workload.requests.iter().take(some);
        let matching: usize = matching.map(|request| workload.matching(request)).sum();
        let actions = workload.rules.iter().flat_map(|rule| &rule.actions);
        Self {
            rules,
            teams: distinct(
                workload
                    .people
                    .iter()
                    .map(|person| person.team.as_str())
                    .collect(),
            ),
            actions: distinct(actions.map(String::as_str).collect()),
            matching: matching as f64 / some as f64,
            allowed: share(Effect::Allow),
            denied: share(Effect::Deny),
        }
    }
}

/// Everything that was measured in one run.
#[derive(Debug, Serialize, Deserialize)]
struct Figures {
    rules: Vec<usize>,
    requests: usize,
    passes: usize,
    shapes: Vec<Shape>,
    /// By name and number of rules.
    outcomes: BTreeMap<String, BTreeMap<usize, Outcome>>,
    bytes: Pair,
    one_shot: Option<Pair>,
}

impl Figures {
    fn outcome(&self, name: &str, rules: usize) -> Option<&Outcome> {
        self.outcomes.get(name)?.get(&rules)
    }

    fn measured(&self, name: &str, rules: usize) -> Option<&Measured> {
        match self.outcome(name, rules)? {
            Outcome::Measured(measured) => Some(measured),
            Outcome::LeftOut(_) | Outcome::Differs(_) => None,
        }
    }
}

pub(crate) fn measure(options: &Options) -> Result<()> {
    let (rules, requests, passes) = if options.quick {
        (vec![10, 100, 1_000], 1_000, 1)
    } else {
        (options.rules.clone(), 10_000, options.passes.max(1))
    };
    let is_quick = options.quick;
    let ordain = program(options)?;
    let wanted = |entrant: &&Entrant| {
        options.only.is_empty() || options.only.iter().any(|name| name == entrant.name)
    };
    let entrants: Vec<Entrant> = ENTRANTS.iter().filter(wanted).copied().collect();
    ensure!(!entrants.is_empty(), "no system has such a name");
    let mut figures = Figures {
        shapes: rules
            .iter()
            .map(|&rules| Shape::new(rules, requests))
            .collect(),
        outcomes: BTreeMap::new(),
        bytes: once::bytes_to_decision(USUAL, requests)?,
        one_shot: match &ordain {
            Some(ordain) => Some(once::one_shot(
                ordain,
                USUAL,
                if is_quick { 5 } else { 31 },
            )?),
            None => None,
        },
        rules,
        requests,
        passes,
    };
    for &rules in &figures.rules {
        let is_small = rules <= SMALL && !is_quick;
        let passes = if is_small { passes.max(TURNS) } else { passes };
        size(
            options,
            &entrants,
            rules,
            (requests, passes),
            &mut figures.outcomes,
        )?;
    }
    let is_part = is_quick || !options.only.is_empty();
    if !is_part || options.render.figures.is_some() {
        std::fs::write(
            options.render.figures()?,
            serde_json::to_string_pretty(&figures)?,
        )?;
    }
    if is_part {
        println!("{}", tables::all(&figures));
        return Ok(());
    }
    render(&options.render)
}

/// All systems at one size, in turn.
fn size(
    options: &Options,
    entrants: &[Entrant],
    rules: usize,
    (requests, passes): (usize, usize),
    outcomes: &mut BTreeMap<String, BTreeMap<usize, Outcome>>,
) -> Result<()> {
    let (latency, throughput) = if options.quick {
        (0.3, 0.2)
    } else {
        (3.0, 1.5)
    };
    let mut turns: BTreeMap<&str, Vec<Measured>> = BTreeMap::new();
    for pass in 0..passes {
        // Every answer is compared once.
        let check = Duration::from_secs(if pass == 0 { options.check } else { 0 });
        let task = Task {
            rules,
            requests,
            budget: Budget {
                check,
                latency: Duration::from_secs_f64(latency),
                throughput: Duration::from_secs_f64(throughput),
            },
            python: options.python.clone(),
        };
        for entrant in entrants {
            let earlier = turns.get(entrant.name);
            // One that takes minutes to load gets one turn, and one that fails no other.
            let is_slow =
                |turns: &Vec<Measured>| turns.iter().any(|turn| turn.load_ns > 30_000_000_000);
            if pass > 0 && earlier.is_none_or(is_slow) {
                continue;
            }
            let started = Instant::now();
            let outcome = child::spawn(entrant.name, &task, check + Duration::from_secs(300))?;
            let took = started.elapsed().as_secs_f64();
            eprintln!(
                "{rules:>7} rules, turn {}: {:<14} {took:>6.1} s  {outcome:?}",
                pass + 1,
                entrant.name
            );
            match outcome {
                Outcome::Measured(measured) => {
                    turns.entry(entrant.name).or_default().push(measured)
                }
                Outcome::Differs(how) => bail!(
                    "{} answers otherwise with {rules} rules: {how}",
                    entrant.title
                ),
                left_out @ Outcome::LeftOut(_) => {
                    outcomes
                        .entry(entrant.name.to_owned())
                        .or_default()
                        .insert(rules, left_out);
                }
            }
        }
    }
    for (name, turns) in turns {
        let outcome = Outcome::Measured(median(&turns));
        outcomes
            .entry(name.to_owned())
            .or_default()
            .insert(rules, outcome);
    }
    Ok(())
}

/// Figure by figure.
fn median(turns: &[Measured]) -> Measured {
    let of = |figure: fn(&Measured) -> u64| {
        let mut values: Vec<u64> = turns.iter().map(figure).collect();
        values.sort_unstable();
        values[values.len() / 2]
    };
    let rate = |threads: usize| {
        let mut values: Vec<f64> = turns.iter().map(|turn| turn.throughput[threads]).collect();
        values.sort_unstable_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Measured {
        load_ns: of(|turn| turn.load_ns),
        compile_ns: turns[0]
            .compile_ns
            .map(|_| of(|turn| turn.compile_ns.unwrap_or(0))),
        heap: turns[0].heap.map(|_| of(|turn| turn.heap.unwrap_or(0))),
        resident: of(|turn| turn.resident),
        checked: turns.iter().map(|turn| turn.checked).max().unwrap_or(0),
        median_ns: of(|turn| turn.median_ns),
        p99_ns: of(|turn| turn.p99_ns),
        throughput: [rate(0), rate(1)],
    }
}

/// The program to start for one-shot evaluations: the given one, else a release of this checkout; none for a quick run.
fn program(options: &Options) -> Result<Option<PathBuf>> {
    if options.ordain.is_some() || options.quick {
        return Ok(options.ordain.clone());
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.toml");
    let target = beside()?
        .parent()
        .context("the build directory")?
        .to_owned();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args([
        "build",
        "--release",
        "--package",
        "ordain",
        "--bin",
        "ordain",
        "--manifest-path",
    ]);
    cargo.arg(manifest).arg("--target-dir").arg(&target);
    ensure!(cargo.status()?.success(), "the program cannot be built");
    Ok(Some(target.join("release/ordain")))
}

pub(crate) fn render(render: &Render) -> Result<()> {
    let path = render.figures()?;
    let text = std::fs::read(&path).with_context(|| format!("no figures in {}", path.display()))?;
    let figures: Figures = serde_json::from_slice(&text)?;
    let page = render.docs.join("performance.md");
    let written = page::replace(&std::fs::read_to_string(&page)?, &tables::all(&figures))?;
    std::fs::write(&page, written)?;
    let plot = render.docs.join("performance-peers.svg");
    std::fs::write(&plot, plot::latency(&figures)?)?;
    println!("{}", page.display());
    println!("{}", plot.display());
    Ok(())
}
