//! `ordain` beside other policy engines, on equal policies and equal requests.
//!
//! `report` generates the policies, lets every system answer the requests and compares the answers, measures, and writes
//! `docs/performance.md` and its plot. The page says how the policies look, in which form each peer runs, and what is measured.
#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark that cannot go on should stop loudly, its output is a table, and its figures are no exact ones"
)]

mod child;
mod generate;
mod measure;
mod model;
mod once;
mod print;
mod report;
mod system;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use child::Task;
use measure::Budget;

/// `ordain` beside other policy engines, on equal policies and equal requests.
#[derive(Debug, Parser)]
struct Cli {
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Measures everything, and writes the tables and the plot.
    Report(report::Options),
    /// Writes the tables and the plot again, of what was measured last.
    Render(report::Render),
    /// Measures one system in this process, and writes JSON.
    Child(Child),
}

#[derive(Debug, Args)]
struct Child {
    /// The system's name.
    name: String,
    /// Rules of the policy.
    #[arg(long)]
    rules: usize,
    /// Requests.
    #[arg(long, default_value_t = 10_000)]
    requests: usize,
    /// Seconds for comparing answers.
    #[arg(long, default_value_t = 60.0)]
    check: f64,
    /// Seconds for latency.
    #[arg(long, default_value_t = 2.0)]
    latency: f64,
    /// Seconds for throughput, for each number of threads.
    #[arg(long, default_value_t = 1.0)]
    throughput: f64,
    /// The Python that has OPA as a library.
    #[arg(long, default_value = "python3")]
    python: PathBuf,
}

fn main() -> Result<()> {
    match Cli::parse().command {
        Verb::Report(options) => report::measure(&options),
        Verb::Render(render) => report::render(&render),
        Verb::Child(child) => {
            let task = Task {
                rules: child.rules,
                requests: child.requests,
                budget: Budget {
                    check: Duration::try_from_secs_f64(child.check)?,
                    latency: Duration::try_from_secs_f64(child.latency)?,
                    throughput: Duration::try_from_secs_f64(child.throughput)?,
                },
                python: child.python,
            };
            println!(
                "{}",
                serde_json::to_string(&child::run(&child.name, &task)?)?
            );
            Ok(())
        }
    }
}
