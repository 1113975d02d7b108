//! Credentials for HTTPS: given by the caller, or by Git's credential helpers. Never from the URL, never into a message.

use std::fmt;
use std::io::Write as _;
use std::process::Stdio;

use gix::credentials::helper::{Action, NextAction};
use gix::credentials::protocol::{Context, Outcome};
use zeroize::Zeroizing;

use super::child;
use super::http::authority;

/// A user and a password or token, from an environment variable.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: Zeroizing<String>,
}

impl Credentials {
    /// Takes them as they are. Where only a token matters, any user name does.
    #[must_use]
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            username: username.into(),
            password: Zeroizing::new(password.into()),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// Answers gix when `url` wants credentials: `given`, else what `git credential fill` finds without asking anyone.
pub(super) fn answer(
    given: Option<&Credentials>,
    url: &str,
    action: Action,
) -> gix::Result<Option<Outcome>> {
    match action {
        Action::Get(context) => {
            let asked = context.url.clone().unwrap_or_default().to_string();
            // SECURITY: a redirect must not carry credentials to another host, nor plain HTTP carry them at all.
            if authority(&asked) != authority(url) || !url.starts_with("https://") {
                return Ok(None);
            }
            let account = match given {
                Some(given) => Some((given.username.clone(), given.password.to_string())),
                None => fill(url),
            };
            Ok(account.map(|(username, password)| outcome(url, username, password)))
        }
        // The caller's own are not a helper's to store or erase.
        Action::Store(payload) if given.is_none() => {
            run("approve", &payload);
            Ok(None)
        }
        Action::Erase(payload) if given.is_none() => {
            run("reject", &payload);
            Ok(None)
        }
        Action::Store(_) | Action::Erase(_) => Ok(None),
    }
}

fn outcome(url: &str, username: String, password: String) -> Outcome {
    let next = NextAction::from(Context {
        url: Some(url.into()),
        username: Some(username.clone()),
        password: Some(password.clone()),
        ..Context::default()
    });
    Outcome {
        identity: gix::sec::identity::Account {
            username,
            password,
            oauth_refresh_token: None,
        },
        next,
    }
}

/// Asks the user's helpers. Without `git`, or without a helper that knows, there are none.
fn fill(url: &str) -> Option<(String, String)> {
    let answer = Zeroizing::new(run("fill", format!("url={url}\n\n").as_bytes())?);
    let field = |name: &str| {
        answer
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix('='))
            .map(str::to_owned)
    };
    Some((field("username")?, field("password")?))
}

fn run(verb: &str, input: &[u8]) -> Option<String> {
    let mut git = child::command("git")
        .args(["credential", verb])
        // An empty program: there is nobody to ask.
        .env("GIT_ASKPASS", "")
        .env("SSH_ASKPASS", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stdin = git.stdin.take()?;
    // A helper that does not read to the end has heard enough.
    let _ = stdin.write_all(input);
    drop(stdin);
    let output = git.wait_with_output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8(output.stdout).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_stay_on_their_host_and_out_of_debug_output() {
        let given = Credentials::new("u", "hunter2");
        assert!(!format!("{given:?}").contains("hunter2"));
        let ask =
            |asked: &str, url: &str| answer(Some(&given), url, Action::get_for_url(asked)).unwrap();
        assert!(ask("https://h/x", "https://h/x").is_some());
        assert!(ask("https://other/x", "https://h/x").is_none());
        assert!(ask("http://h/x", "http://h/x").is_none());
    }
}
