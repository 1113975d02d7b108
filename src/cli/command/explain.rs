//! `ordain explain`: what a diagnostic code means.

use clap::Args;

use crate::cli::exit::Exit;
use crate::cli::report::Failure;
use crate::cli::ui::Output;
use crate::diag::{self, Code, Kind};

/// `ordain explain CODE`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The code, such as `E-TRUST-009`; all codes are listed where none is given.
    code: Option<String>,
}

/// Runs `ordain explain`.
pub(crate) fn run(args: &Arguments) -> Result<Exit, Failure> {
    let mut out = Output::stdout();
    match &args.code {
        Some(id) => {
            let code = diag::find(id).ok_or_else(|| {
                Failure::new(
                    Code::USAGE,
                    format!("`{}` is not a diagnostic code", id.escape_debug()),
                )
                .hint("`ordain explain` lists them all")
            })?;
            out.line(&format!("{}: {}", code.id, code.title))?;
            out.line("")?;
            out.line(code.help)?;
            out.line("")?;
            out.line(&format!("exit code: {}", exit_code(code.kind)))?;
        }
        None => {
            for code in diag::all() {
                out.line(&format!("{}  {}", code.id, code.title))?;
            }
        }
    }
    out.flush()?;
    Ok(Exit::Success)
}

/// The exit code and what it says.
fn exit_code(kind: Kind) -> &'static str {
    match kind {
        Kind::Finding => "1, a check found something",
        Kind::Invalid => "2, usage, configuration or invalid policy",
        Kind::Untrusted => "3, not trusted",
        Kind::Unavailable => "4, source unavailable",
        Kind::Internal => "70, internal",
    }
}
