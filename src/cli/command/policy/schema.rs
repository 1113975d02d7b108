//! `ordain policy schema`.

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::bundle::manifest_schema;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::config::config_schema;
use crate::policy::schema::{catalog_schema, policy_schema, test_schema};

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The kind of document; all kinds are listed where none is given.
    #[arg(ignore_case = true)]
    kind: Option<Kind>,
}

/// The kinds of documents that people write.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// One scope's policy: `policies/**/*.yaml` of a bundle.
    #[value(name = "Policy")]
    Policy,
    /// A scope's operations and their risks: `policies/**/*.yaml` of a bundle.
    #[value(name = "Catalog")]
    Catalog,
    /// Requests, and what the policies must answer: `tests/**/*.yaml` of a bundle.
    #[value(name = "PolicyTest")]
    PolicyTest,
    /// A bundle's manifest: `bundle.yaml`.
    #[value(name = "Bundle")]
    Bundle,
    /// A consumer's configuration: `ordain.yaml`.
    #[value(name = "Config")]
    Config,
}

pub(super) fn run(args: &Schema) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    match args.kind {
        Some(kind) => out.line(&serde_json::to_string_pretty(&schema(kind)).unwrap_or_default())?,
        None => {
            for value in Kind::value_variants()
                .iter()
                .filter_map(Kind::to_possible_value)
            {
                let help = value
                    .get_help()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                out.line(&format!("{:12} {help}", value.get_name()))?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

fn schema(kind: Kind) -> Value {
    match kind {
        Kind::Policy => policy_schema(),
        Kind::Catalog => catalog_schema(),
        Kind::PolicyTest => test_schema(),
        Kind::Bundle => manifest_schema(),
        Kind::Config => config_schema(),
    }
}
