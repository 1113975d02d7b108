//! The `ordain` program: parse, run, exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ordain::cli::main()
}
