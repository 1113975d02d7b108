//! The child processes that serve `ssh` and `file` URLs: piped, bounded, and gone when they are dropped.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::error::FetchError;
use super::meter::Meter;

/// The most of a child's standard error that is kept, in bytes.
const MAX_SAID: u64 = 8 << 10;
/// How long the end of a dead child's standard error is waited for; a grandchild may hold it open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A running child, killed and reaped on drop.
#[derive(Debug)]
pub(super) struct Guard {
    child: Child,
    said: Receiver<String>,
}

impl Guard {
    /// What the child wrote to its standard error, once it has closed it.
    pub(super) fn said(&self) -> String {
        self.said.recv_timeout(LAST_WORDS).unwrap_or_default()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // A child that is gone already cannot be killed, which is what is wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts a child with all three streams piped.
pub(super) fn start(
    mut command: Command,
    url: &str,
) -> Result<(Guard, ChildStdout, ChildStdin), FetchError> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |reason: String| FetchError::Unreachable {
        url: url.to_owned(),
        reason,
    };
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => FetchError::ProgramMissing {
                program: program.clone(),
                url: url.to_owned(),
            },
            _ => failed(format!("cannot start `{program}`: {error}")),
        })?;
    let (sender, said) = channel();
    let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let guard = Guard { child, said };
    let (Some(stdin), Some(stdout), Some(stderr)) = streams else {
        return Err(failed(format!("cannot talk to `{program}`")));
    };
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let mut stderr = stderr;
        let _ = stderr.by_ref().take(MAX_SAID).read_to_end(&mut bytes);
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
        // A child whose standard error is full would stand still.
        let _ = std::io::copy(&mut stderr, &mut std::io::sink());
    });
    Ok((guard, stdout, stdin))
}

/// `program` without anything of Git's or of ours in its environment: one steers it, the other holds secrets.
pub(super) fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    // Nothing is read from the environment here: variables are kept from the child.
    for (name, _) in std::env::vars_os() {
        let name_text = name.to_string_lossy();
        if name_text.starts_with("GIT_") || name_text.starts_with("ORDAIN_") {
            command.env_remove(name);
        }
    }
    command.env("LC_ALL", "C").env("GIT_TERMINAL_PROMPT", "0");
    command
}

/// `git upload-pack` on a repository of this machine.
pub(super) fn upload_pack(path: &Path, meter: &Meter<'_>) -> Command {
    let mut command = command("git");
    command
        .arg("upload-pack")
        .arg(format!("--timeout={}", meter.stall().as_secs().max(1)))
        .arg("--")
        .arg(path)
        .env("GIT_PROTOCOL", "version=2")
        // SECURITY: `uploadpack.packObjectsHook` of the user's or the system's configuration would run.
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    command
}

/// `git-upload-pack` on another machine.
///
/// `custom` stands for `ssh` and is run by a shell, as Git runs `GIT_SSH_COMMAND`. `BatchMode` keeps ssh from asking on the
/// terminal: an unknown host key or a locked key is an error that names it.
pub(super) fn ssh(
    custom: Option<&str>,
    user: Option<&str>,
    host: &str,
    port: Option<u16>,
    path: &str,
    meter: &Meter<'_>,
) -> Command {
    let mut command = match custom {
        Some(line) => {
            let mut shell = command("sh");
            shell.args(["-c", &format!("{line} \"$@\""), "ssh"]);
            shell
        }
        None => command("ssh"),
    };
    let timeout = meter.stall().as_secs().clamp(1, 60);
    command
        .args(["-o", "SendEnv=GIT_PROTOCOL", "-o", "BatchMode=yes"])
        .args(["-o", &format!("ConnectTimeout={timeout}")])
        .env("GIT_PROTOCOL", "version=2");
    if let Some(port) = port {
        command.args(["-p", &port.to_string()]);
    }
    let destination = match user {
        Some(user) => format!("{user}@{host}"),
        None => host.to_owned(),
    };
    // SECURITY: neither can begin with `-` (`source::url`), and `--` ends the options in case that ever changes.
    command
        .arg("--")
        .arg(destination)
        .arg(format!("git-upload-pack {}", quoted(path)));
    command
}

/// `path` as one word of the remote shell, `csh` included.
fn quoted(path: &str) -> String {
    format!("'{}'", path.replace('\'', "'\\''").replace('!', "'\\!'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_of_the_remote_shell() {
        assert_eq!(quoted("/a b"), "'/a b'");
        assert_eq!(quoted("/a'; touch x; '"), "'/a'\\''; touch x; '\\'''");
        assert_eq!(quoted("/a!b"), "'/a'\\!'b'");
    }
}
