//! `ordain policy schema`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use crate::atomic::{self, Access};
use crate::bundle::manifest_schema;
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::{Output, escape, pretty_json};
use crate::config::config_schema;
use crate::diag::Code;
use crate::policy::schema::{catalog_schema, policy_schema, test_schema};

#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// The kind of document; all kinds are listed where none is given.
    #[arg(ignore_case = true, conflicts_with = "dir")]
    kind: Option<Kind>,
    /// Write the schemas of all kinds into this directory, as `policy.json`, `catalog.json` and so on.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
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
    /// Any of these, told apart by `kind`; it names the other schemas' files.
    #[value(name = "Document")]
    Document,
}

/// Every schema: the kind, and the schema itself. Its file is the kind in lower case and `.json`.
#[must_use]
pub fn schemas() -> Vec<(String, Value)> {
    let kinds = Kind::value_variants().iter();
    kinds.map(|kind| (kind.name(), kind.schema())).collect()
}

impl Kind {
    fn name(self) -> String {
        let value = self.to_possible_value();
        value
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    fn schema(self) -> Value {
        match self {
            Self::Policy => policy_schema(),
            Self::Catalog => catalog_schema(),
            Self::PolicyTest => test_schema(),
            Self::Bundle => manifest_schema(),
            Self::Config => config_schema(),
            Self::Document => document_schema(),
        }
    }
}

/// The schema that leads to the others.
fn document_schema() -> Value {
    let kinds = [
        Kind::Policy,
        Kind::Catalog,
        Kind::PolicyTest,
        Kind::Bundle,
        Kind::Config,
    ];
    let names: Vec<String> = kinds.iter().map(|kind| kind.name()).collect();
    let choice = |name: &String| {
        let file = format!("{}.json", name.to_lowercase());
        json!({"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]}, "then": {"$ref": file}})
    };
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://ordain.dev/schemas/v1/document.json",
        "title": "ordain",
        "description": "Any document of ordain; `kind` says which.",
        "type": "object",
        "properties": {"kind": {"enum": names, "description": "What the document is."}},
        "required": ["apiVersion", "kind"],
        "allOf": names.iter().map(choice).collect::<Vec<_>>(),
    })
}

pub(super) fn run(context: &Context, args: &Schema) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    match (args.kind, &args.dir) {
        (Some(kind), _) => out.line(&pretty_json(&kind.schema())?)?,
        (None, Some(dir)) => {
            let dir = context.env.resolve(dir);
            for (name, schema) in schemas() {
                let path = dir.join(format!("{}.json", name.to_lowercase()));
                let shown = escape(&path.display().to_string());
                let text = pretty_json(&schema)? + "\n";
                let written = std::fs::create_dir_all(&dir)
                    .and_then(|()| atomic::replace(&path, text.as_bytes(), Access::Shared));
                written.map_err(|error| {
                    Failure::new(
                        Code::FILE_UNWRITABLE,
                        format!("cannot write `{shown}`: {error}"),
                    )
                })?;
                out.line(&shown)?;
            }
        }
        (None, None) => {
            for kind in Kind::value_variants() {
                let value = kind.to_possible_value();
                let help = value.and_then(|value| value.get_help().map(ToString::to_string));
                out.line(&format!("{:12} {}", kind.name(), help.unwrap_or_default()))?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}
