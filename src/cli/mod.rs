//! The command line: parses, calls the library, prints. It decides nothing.
//!
//! A command lives in `command/<noun>.rs`; `report` turns every error into one shape, and `exit` into an exit code.

use std::process::ExitCode;

use self::args::{Arguments, Command};
use self::env::Environment;
use self::exit::Exit;
use self::report::Failure;
use self::ui::Output;

mod args;
mod command;
mod env;
mod exit;
mod input;
mod jobs;
mod keyfile;
mod logs;
mod output;
mod project;
mod report;
mod session;
mod trust_flags;
mod ui;

pub use args::command as clap_command;
pub use command::policy::schemas;

/// Runs the program with the process's arguments and environment.
#[must_use]
pub fn main() -> ExitCode {
    if is_version_question() {
        return match print_version() {
            Ok(()) => Exit::Success.into(),
            Err(failure) => failure.exit().into(),
        };
    }
    let arguments = match Arguments::read() {
        Ok(arguments) => arguments,
        // SECURITY: the parser repeats words that it does not understand.
        Err(error) if error.to_string().contains("PRIVATE KEY-----") => {
            let failure = keyfile::pasted();
            failure.print();
            return failure.exit().into();
        }
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Invalid
            } else {
                Exit::Success
            };
            let _ = error.print();
            return exit.into();
        }
    };
    let exit = run(&arguments).unwrap_or_else(|failure| {
        failure.print();
        failure.exit()
    });
    exit.into()
}

/// Whether the version is all that is asked. Scripts ask it often, and clap builds every command before it looks.
fn is_version_question() -> bool {
    let mut arguments = std::env::args_os().skip(1);
    let is_asked = arguments.next().is_some_and(|first| first == "--version");
    is_asked && arguments.next().is_none()
}

fn print_version() -> Result<(), Failure> {
    let mut out = Output::stdout();
    out.line(concat!("ordain ", env!("CARGO_PKG_VERSION")))?;
    out.flush()
}

fn run(arguments: &Arguments) -> Result<Exit, Failure> {
    // What is wrong with the environment is what it is asked for.
    if let Command::Doctor(command) = &arguments.command {
        return command::doctor::run(arguments.shared.config.clone(), command);
    }
    let env = Environment::read()?;
    if env.clock != crate::clock::Clock::System {
        ui::note("note: the clock is fixed by `ORDAIN_NOW`");
    }
    let context = command::Context {
        env,
        config: arguments.shared.config.clone(),
    };
    match &arguments.command {
        Command::Key(command) => command::key::run(&context, command),
        Command::Trust(command) => command::trust::run(&context, command),
        Command::Bundle(command) => command::bundle::run(&context, command),
        Command::Policy(command) => command::policy::run(&context, command),
        Command::Request(command) => command::request::run(&context, command),
        Command::Eval(command) => command::eval::run(&context, command),
        Command::Bench(command) => command::bench::run(&context, command),
        Command::Log(command) => command::log::run(&context, command),
        Command::Doctor(command) => command::doctor::run(arguments.shared.config.clone(), command),
        Command::Explain(command) => command::explain::run(command),
    }
}
