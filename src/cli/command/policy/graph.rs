//! `ordain policy graph`.

use std::path::PathBuf;

use clap::Args;

use super::which::{With, configured};
use crate::cli::command::Context;
use crate::cli::exit::Exit;
use crate::cli::output::scopes::{self, Format};
use crate::cli::report::Failure;
use crate::cli::session::FetchFlags;
use crate::cli::ui::Output;
use crate::name::Scope;
use crate::resolve::ScopeTree;

#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// A bundle's directory; the configured bundles where none is given.
    dir: Option<PathBuf>,
    #[command(flatten)]
    with: With,
    /// Only what takes part in this scope's policy.
    #[arg(long)]
    scope: Option<Scope>,
    /// How to draw it.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    #[command(flatten)]
    fetch: FetchFlags,
}

pub(super) fn run(context: &Context, args: &Graph) -> Result<Exit, Failure> {
    args.with
        .needs(args.dir.as_deref(), "a bundle's directory")?;
    let bundles = match &args.dir {
        Some(dir) => args.with.read(context, dir)?.bundles,
        None => configured(context, &args.fetch)?,
    };
    let now = context.env.clock.now();
    let tree = ScopeTree::new(&bundles, args.scope.as_ref(), now)?;
    let mut out = Output::stdout();
    scopes::write(&mut out, args.format, &tree)?;
    out.flush()?;
    Ok(Exit::Success)
}
