//! The environment, read once: the one place that looks at variables and directories of the user.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::report::Failure;
use crate::clock::{Clock, Lifetime};
use crate::diag::Code;
use crate::pipeline::doctor::Variable;

/// A variable that changes what the program does.
struct Influence {
    name: &'static str,
    changes: &'static str,
    is_secret: bool,
}

const fn influence(name: &'static str, changes: &'static str) -> Influence {
    Influence {
        name,
        changes,
        is_secret: false,
    }
}

const fn secret(name: &'static str, changes: &'static str) -> Influence {
    Influence {
        name,
        changes,
        is_secret: true,
    }
}

/// Every variable that is read, but for `CI` and those that say where programs and the home are.
const INFLUENCES: &[Influence] = &[
    influence("ORDAIN_ASKPASS", "asks for passphrases"),
    influence("ORDAIN_CACHE_DIR", "where the cache is"),
    influence("ORDAIN_CONFIG", "which configuration counts"),
    influence("ORDAIN_CONFIG_DIR", "where the user's configuration is"),
    secret("ORDAIN_GIT_PASSWORD", "the password for https"),
    influence("ORDAIN_GIT_USERNAME", "the user name for https"),
    secret("ORDAIN_KEY_PASSPHRASE", "opens private keys without asking"),
    influence(
        "ORDAIN_KEY_TIMEOUT",
        "how long an agent or a signer may take",
    ),
    influence("ORDAIN_NOW", "fixes the time"),
    influence("ORDAIN_SSH_COMMAND", "is run instead of `ssh`"),
    influence("ORDAIN_STATE_DIR", "where this machine's memory is"),
    influence("SSH_ASKPASS", "asks for passphrases"),
    influence("SSH_AUTH_SOCK", "the agent that signs and that ssh asks"),
    influence("XDG_CACHE_HOME", "where the cache is"),
    influence("XDG_CONFIG_HOME", "where the user's configuration is"),
    influence("XDG_STATE_HOME", "where this machine's memory is"),
];

/// How long a person may take to confirm, to touch a token, or to type.
const DEFAULT_KEY_TIMEOUT: Duration = Duration::from_secs(120);

/// What the program takes from its surroundings.
#[derive(Clone)]
pub(crate) struct Environment {
    /// Bare Git stores and verified bytes: may be deleted at any time.
    pub(crate) cache: PathBuf,
    /// High-water marks and log keys: must not be deleted.
    pub(crate) state: PathBuf,
    /// The user's configuration directory.
    pub(crate) config: PathBuf,
    /// The directory the program was started in.
    pub(crate) current: PathBuf,
    /// Whether this is a CI job: no prompts, and `--locked` by default.
    pub(crate) ci: bool,
    /// Whether people watch standard error.
    pub(crate) terminal: bool,
    /// `ORDAIN_CONFIG`.
    pub(crate) config_file: Option<PathBuf>,
    /// `ORDAIN_NOW`, or the machine's clock.
    pub(crate) clock: Clock,
    /// `ORDAIN_KEY_PASSPHRASE`.
    pub(crate) passphrase: Option<Zeroizing<String>>,
    /// `ORDAIN_ASKPASS`, and what OpenSSH's variables say of such programs.
    pub(crate) askpass: Askpass,
    /// `SSH_AUTH_SOCK`: where ssh-agent listens.
    pub(crate) agent: Option<PathBuf>,
    /// `ORDAIN_KEY_TIMEOUT`: how long an agent, a signer or an askpass program may take; 2 minutes.
    pub(crate) key_timeout: Duration,
    /// `ORDAIN_GIT_USERNAME`; `git` where only a password is given.
    pub(crate) git_username: Option<String>,
    /// `ORDAIN_GIT_PASSWORD`: a password or token for HTTPS.
    pub(crate) git_password: Option<String>,
    /// `ORDAIN_SSH_COMMAND`: what to run instead of `ssh`.
    pub(crate) ssh_command: Option<String>,
}

/// Programs that ask a person for a passphrase.
#[derive(Debug, Clone, Default)]
pub(crate) struct Askpass {
    /// `ORDAIN_ASKPASS`.
    pub(crate) ours: Option<OsString>,
    /// `SSH_ASKPASS`.
    pub(crate) ssh: Option<OsString>,
    /// `SSH_ASKPASS_REQUIRE`.
    pub(crate) require: AskpassRequire,
    /// Whether a window could open: `DISPLAY` or `WAYLAND_DISPLAY`.
    pub(crate) display: bool,
}

/// `SSH_ASKPASS_REQUIRE`, as ssh(1) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AskpassRequire {
    /// Where there is no terminal, and there is a display.
    #[default]
    Unset,
    /// Never.
    Never,
    /// Rather than the terminal, and there is a display.
    Prefer,
    /// Rather than the terminal, display or not.
    Force,
}

impl AskpassRequire {
    fn read(value: Option<&str>) -> Self {
        match value.map(str::to_ascii_lowercase).as_deref() {
            Some("never") => Self::Never,
            Some("prefer") => Self::Prefer,
            Some("force") => Self::Force,
            // As ssh does with a word that it does not know.
            _ => Self::Unset,
        }
    }
}

impl std::fmt::Debug for Environment {
    /// Passphrases and passwords stay out of it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Environment")
            .field("cache", &self.cache)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Environment {
    /// Reads the environment.
    pub(crate) fn read() -> Result<Self, Failure> {
        let (env, problems) = Self::read_what_there_is();
        problems.into_iter().next().map_or(Ok(env), Err)
    }

    /// Reads the environment, for a command that tells what is wrong with it: what is missing is empty.
    pub(crate) fn read_what_there_is() -> (Self, Vec<Failure>) {
        let mut problems = Vec::new();
        #[allow(
            clippy::disallowed_methods,
            reason = "the one home of environment variables"
        )]
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let path = |name: &str| {
            variable(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let home = path("HOME");
        let find = |general: &str, own: &str, fallback: &str| {
            if variable(own).is_some() && path(own).is_none() {
                return Err(Failure::new(
                    Code::HOME,
                    format!("`{own}` is not an absolute path"),
                ));
            }
            path(own)
                .or_else(|| path(general).map(|base| base.join("ordain")))
                .or_else(|| home.as_ref().map(|home| home.join(fallback).join("ordain")))
                .ok_or_else(|| {
                    Failure::new(Code::HOME, format!("neither `HOME` nor `{own}` is set"))
                        .hint("set `HOME`, or the variable, to an absolute path")
                })
        };
        let clock = match text("ORDAIN_NOW") {
            None => Clock::System,
            Some(now) => now.parse::<Timestamp>().map_or_else(
                |_| {
                    let message = format!("`ORDAIN_NOW` is `{}`, not a time", now.escape_debug());
                    problems.push(
                        Failure::new(Code::USAGE, message)
                            .hint("write it as `2026-11-22T12:00:00Z`, or unset it"),
                    );
                    Clock::System
                },
                Clock::Fixed,
            ),
        };
        let current = std::env::current_dir().unwrap_or_else(|error| {
            let message = format!("the current directory cannot be read: {error}");
            problems.push(Failure::new(Code::HOME, message));
            PathBuf::new()
        });
        let mut directory = |general: &str, own: &str, fallback: &str| {
            find(general, own, fallback).unwrap_or_else(|problem| {
                problems.push(problem);
                PathBuf::new()
            })
        };
        let cache = directory("XDG_CACHE_HOME", "ORDAIN_CACHE_DIR", ".cache");
        let state = directory("XDG_STATE_HOME", "ORDAIN_STATE_DIR", ".local/state");
        let config = directory("XDG_CONFIG_HOME", "ORDAIN_CONFIG_DIR", ".config");
        let key_timeout = match text("ORDAIN_KEY_TIMEOUT") {
            None => DEFAULT_KEY_TIMEOUT,
            Some(timeout) => timeout.parse::<Lifetime>().map_or_else(
                |error| {
                    let message = format!("`ORDAIN_KEY_TIMEOUT`: {error}");
                    let failure = Failure::new(Code::USAGE, message);
                    problems.push(failure.hint("write it as `30s` or `5m`, or unset it"));
                    DEFAULT_KEY_TIMEOUT
                },
                |timeout| timeout.duration().unsigned_abs(),
            ),
        };
        let ci = text("CI").is_some_and(|value| !matches!(value.as_str(), "0" | "false"));
        let env = Self {
            cache,
            state,
            config,
            current,
            ci,
            terminal: !ci && std::io::stderr().is_terminal(),
            config_file: variable("ORDAIN_CONFIG").map(PathBuf::from),
            clock,
            passphrase: text("ORDAIN_KEY_PASSPHRASE").map(Zeroizing::new),
            askpass: Askpass {
                ours: variable("ORDAIN_ASKPASS"),
                ssh: variable("SSH_ASKPASS"),
                require: AskpassRequire::read(text("SSH_ASKPASS_REQUIRE").as_deref()),
                display: variable("DISPLAY").is_some() || variable("WAYLAND_DISPLAY").is_some(),
            },
            agent: variable("SSH_AUTH_SOCK").map(PathBuf::from),
            key_timeout,
            git_username: text("ORDAIN_GIT_USERNAME"),
            git_password: text("ORDAIN_GIT_PASSWORD"),
            ssh_command: text("ORDAIN_SSH_COMMAND"),
        };
        (env, problems)
    }

    /// The variables that are set and change what the program does, and those that look as if they did.
    pub(crate) fn variables() -> Vec<Variable> {
        #[allow(
            clippy::disallowed_methods,
            reason = "the one home of environment variables"
        )]
        let set = std::env::vars_os();
        let mut variables: Vec<Variable> = set
            .filter(|(_, value)| !value.is_empty())
            .filter_map(|(name, value)| {
                let name = name.to_string_lossy().into_owned();
                let known = INFLUENCES.iter().find(|known| known.name == name);
                if known.is_none() && !name.starts_with("ORDAIN_") {
                    return None;
                }
                let is_secret = known.is_none_or(|known| known.is_secret);
                Some(Variable {
                    shown: (!is_secret).then(|| value.to_string_lossy().into_owned()),
                    changes: known.map(|known| known.changes),
                    name,
                })
            })
            .collect();
        variables.sort_by(|a, b| a.name.cmp(&b.name));
        variables
    }

    /// Where programs are looked for.
    pub(crate) fn search_path() -> Option<std::ffi::OsString> {
        #[allow(
            clippy::disallowed_methods,
            reason = "the one home of environment variables"
        )]
        std::env::var_os("PATH")
    }

    /// The text of a variable that the command line names; `None` where it is unset, empty, or no text.
    #[allow(
        clippy::disallowed_methods,
        reason = "the one home of environment variables"
    )]
    pub(crate) fn secret(name: &str) -> Option<Zeroizing<String>> {
        let value = std::env::var_os(name)?.into_string().ok();
        value.filter(|value| !value.is_empty()).map(Zeroizing::new)
    }

    /// Keeps what is Git's and ours from a child process, since one steers it and the other holds secrets; and private keys,
    /// whatever the variable is called, since `env:NAME` may name any.
    pub(crate) fn withhold(command: &mut Command) {
        const KEY: &[u8] = b"PRIVATE KEY-----";
        for (name, value) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let value = Zeroizing::new(value.into_encoded_bytes());
            let is_key = value.windows(KEY.len()).any(|part| part == KEY);
            if is_key || text.starts_with("GIT_") || text.starts_with("ORDAIN_") {
                command.env_remove(name);
            }
        }
    }

    /// `path`, from the current directory.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.current.join(path)
    }
}

#[cfg(test)]
mod tests {
    use super::INFLUENCES;

    #[test]
    fn every_variable_that_is_read_is_told_of() {
        let source = include_str!("env.rs");
        let quoted = source.split('"').skip(1).step_by(2);
        let read = quoted.filter(|text| {
            let is_name = |b: u8| b.is_ascii_uppercase() || b == b'_';
            text.len() > 7 && text.starts_with("ORDAIN_") && text.bytes().all(is_name)
        });
        for name in read {
            let known = INFLUENCES.iter().any(|known| known.name == name);
            assert!(
                known,
                "{name} is read, and INFLUENCES does not say what it changes"
            );
        }
    }
}
