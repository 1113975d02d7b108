//! Passphrases, from the first of these that there is:
//!
//! 1. `ORDAIN_KEY_PASSPHRASE`;
//! 2. the program `ORDAIN_ASKPASS`, even under CI: it was named for this program;
//! 3. the program `SSH_ASKPASS`, when OpenSSH would use it rather than a terminal, never under CI;
//! 4. the terminal, never under CI.

use std::ffi::OsStr;

use super::child;
use crate::cli::env::{Askpass, AskpassRequire, Environment};
use crate::cli::report::Failure;
use crate::cli::ui;
use crate::diag::Code;
use crate::trust::{Passphrase, PrivateKeyError};

/// Bytes of the longest passphrase.
const MAX_PASSPHRASE: usize = 1024;

/// Where a passphrase comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source<'a> {
    Variable,
    Program(&'a OsStr),
    Terminal,
    Nowhere,
}

/// As the module's list says.
fn source(env: &Environment) -> Source<'_> {
    if env.passphrase.is_some() {
        return Source::Variable;
    }
    choose(&env.askpass, env.ci, env.terminal)
}

fn choose(askpass: &Askpass, ci: bool, terminal: bool) -> Source<'_> {
    if let Some(program) = &askpass.ours {
        return Source::Program(program);
    }
    let program = askpass.ssh.as_deref().filter(|_| !ci);
    let wanted = match askpass.require {
        AskpassRequire::Never => false,
        AskpassRequire::Force => true,
        AskpassRequire::Prefer => askpass.display,
        AskpassRequire::Unset => askpass.display && !terminal,
    };
    match program.filter(|_| wanted) {
        Some(program) => Source::Program(program),
        None if terminal => Source::Terminal,
        None => Source::Nowhere,
    }
}

/// Gets a passphrase. `prompt` is fit for a terminal.
pub(crate) fn passphrase(env: &Environment, prompt: &str) -> Result<Passphrase, Failure> {
    match (source(env), &env.passphrase) {
        (Source::Variable, Some(passphrase)) => Ok(passphrase.clone()),
        (Source::Program(program), _) => ask(env, program, prompt),
        (Source::Terminal, _) => rpassword::prompt_password(prompt)
            .map(Passphrase::new)
            .map_err(|_| PrivateKeyError::PassphraseNeeded.into()),
        _ => Err(PrivateKeyError::PassphraseNeeded.into()),
    }
}

/// Whether asking twice asks a person twice.
pub(crate) fn is_typed(env: &Environment) -> bool {
    matches!(source(env), Source::Program(_) | Source::Terminal)
}

/// Runs an askpass program as ssh does: the prompt is its argument, the passphrase its first line.
fn ask(env: &Environment, program: &OsStr, prompt: &str) -> Result<Passphrase, Failure> {
    let name = ui::escape(&program.to_string_lossy());
    let failed = |reason: String| {
        Failure::new(
            Code::ASKPASS,
            format!("the askpass program `{name}` gave no passphrase: {reason}"),
        )
    };
    let mut command = child::command(program);
    command.arg(prompt);
    let answer =
        child::run(command, &name, b"", MAX_PASSPHRASE, env.key_timeout).map_err(failed)?;
    let line = answer.split(|byte| *byte == b'\n').next();
    let line = line.unwrap_or_default();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match std::str::from_utf8(line) {
        Ok("") => Err(failed("it answered nothing".to_owned())),
        Ok(text) => Ok(Passphrase::new(text.to_owned())),
        Err(_) => Err(failed("what it answered is not UTF-8".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_askpass_program_is_chosen_as_openssh_does() {
        let program = |name: &'static str| Source::Program(OsStr::new(name));
        let with = |require, display| Askpass {
            ours: None,
            ssh: Some("ssh".into()),
            require,
            display,
        };
        use AskpassRequire::{Force, Never, Prefer, Unset};
        for (require, display, terminal, expected) in [
            (Unset, true, true, Source::Terminal),
            (Unset, true, false, program("ssh")),
            (Unset, false, true, Source::Terminal),
            (Unset, false, false, Source::Nowhere),
            (Never, true, true, Source::Terminal),
            (Never, true, false, Source::Nowhere),
            (Prefer, true, true, program("ssh")),
            (Prefer, false, true, Source::Terminal),
            (Prefer, false, false, Source::Nowhere),
            (Force, true, true, program("ssh")),
            (Force, false, false, program("ssh")),
        ] {
            let askpass = with(require, display);
            assert_eq!(choose(&askpass, false, terminal), expected, "{askpass:?}");
            assert_eq!(choose(&askpass, true, false), Source::Nowhere, "under CI");
            let ours = Askpass {
                ours: Some("ours".into()),
                ..askpass
            };
            assert_eq!(choose(&ours, true, false), program("ours"));
        }
        let none = Askpass::default();
        assert_eq!(choose(&none, false, true), Source::Terminal);
        assert_eq!(choose(&none, false, false), Source::Nowhere);
    }
}
