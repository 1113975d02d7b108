//! What `--key` takes: where a key is, in one word.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::trust::KeyId;

/// What every `--key` says below its own line of help.
pub(crate) const KEY_HELP: &str = "\
KEY is one of

  FILE                 a private key, OpenSSH or PEM; the passphrase of an encrypted one is asked for
  agent:FILE.pub       the key whose public half is in FILE.pub, held by ssh-agent
  agent:SHA256:…       the same, by fingerprint
  agent:COMMENT        the same, by its comment in the agent
  env:NAME             the text of a private key, in an environment variable
  fd:N                 the same, read from an inherited file descriptor
  command:PROGRAM …    a program that signs; docs/keys.md says how it is asked

A file whose name looks like one of these is written with its directory: `./agent:x`.";

/// A key, in the words of the command line. Nothing has been looked for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyArg(KeySource);

/// Where a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeySource {
    /// In a file.
    File(PathBuf),
    /// In ssh-agent.
    Agent(AgentKeyName),
    /// In an environment variable.
    Variable(String),
    /// Behind a file descriptor.
    Descriptor(u32),
    /// With a program: the words of its command line.
    Command(String),
    /// In the word itself, by mistake. It is not kept, since messages tell words.
    Pasted,
}

/// How a key in ssh-agent is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AgentKeyName {
    /// By a file with its public half.
    File(PathBuf),
    /// By its fingerprint.
    Id(KeyId),
    /// By its comment.
    Comment(String),
}

/// Why a word names no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyArgError {
    /// Nothing.
    #[error("an empty key")]
    Empty,
    /// `agent:` and nothing.
    #[error("`agent:` names no key: write `agent:FILE.pub`, `agent:SHA256:…` or `agent:COMMENT`")]
    Agent,
    /// `agent:SHA256:` and no fingerprint.
    #[error("`{}` is not a fingerprint: `ssh-add -l` prints them, as `SHA256:` and 43 characters", .0.escape_debug())]
    Fingerprint(String),
    /// `env:` and no name.
    #[error("`{}` is not the name of an environment variable", .0.escape_debug())]
    Variable(String),
    /// `fd:` and no number.
    #[error("`{}` is not a file descriptor: write its number, 0 or from 3 on", .0.escape_debug())]
    Descriptor(String),
    /// `command:` and nothing.
    #[error("`command:` names no program: write `command:PROGRAM ARGUMENTS`")]
    Command,
}

impl KeyArg {
    /// Where the key is.
    pub(crate) fn source(&self) -> &KeySource {
        &self.0
    }
}

impl FromStr for KeyArg {
    type Err = KeyArgError;
    fn from_str(text: &str) -> Result<Self, KeyArgError> {
        let short = |text: &str| text.chars().take(80).collect::<String>();
        if text.contains("PRIVATE KEY-----") {
            // SECURITY: no error here, which would be shown with the whole word.
            return Ok(Self(KeySource::Pasted));
        }
        let source = match text.split_once(':') {
            Some(("agent", name)) => KeySource::Agent(name.parse()?),
            Some(("env", name)) => {
                let letter = |c: char| c.is_ascii_alphabetic() || c == '_';
                let rest = |c: char| letter(c) || c.is_ascii_digit();
                if !name.starts_with(letter) || !name.chars().all(rest) {
                    return Err(KeyArgError::Variable(short(name)));
                }
                KeySource::Variable(name.to_owned())
            }
            // 1 and 2 are where this program writes. One spelling of a number, so that texts round-trip.
            Some(("fd", number)) => match number.parse::<u32>() {
                Ok(fd) if fd.to_string() == number && !matches!(fd, 1 | 2) => {
                    KeySource::Descriptor(fd)
                }
                _ => return Err(KeyArgError::Descriptor(short(number))),
            },
            Some(("command", line)) if line.trim().is_empty() => return Err(KeyArgError::Command),
            Some(("command", line)) => KeySource::Command(line.to_owned()),
            _ if text.is_empty() => return Err(KeyArgError::Empty),
            _ => KeySource::File(PathBuf::from(text)),
        };
        Ok(Self(source))
    }
}

impl FromStr for AgentKeyName {
    type Err = KeyArgError;
    fn from_str(text: &str) -> Result<Self, KeyArgError> {
        if text.is_empty() {
            Err(KeyArgError::Agent)
        } else if text.starts_with("SHA256:") {
            text.parse()
                .map(Self::Id)
                .map_err(|_| KeyArgError::Fingerprint(text.chars().take(80).collect()))
        } else if text.contains('/') || text.ends_with(".pub") {
            Ok(Self::File(PathBuf::from(text)))
        } else {
            Ok(Self::Comment(text.to_owned()))
        }
    }
}

impl fmt::Display for KeyArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            KeySource::File(path) => write!(f, "{}", path.display()),
            KeySource::Agent(AgentKeyName::File(path)) => write!(f, "agent:{}", path.display()),
            KeySource::Agent(AgentKeyName::Id(id)) => write!(f, "agent:{id}"),
            KeySource::Agent(AgentKeyName::Comment(comment)) => write!(f, "agent:{comment}"),
            KeySource::Variable(name) => write!(f, "env:{name}"),
            KeySource::Descriptor(number) => write!(f, "fd:{number}"),
            KeySource::Command(line) => write!(f, "command:{line}"),
            KeySource::Pasted => f.write_str("(a private key)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "SHA256:YPb1R3dvRW9vnEE4Hrfxjyc3MaJnvVwWMpCj4Pf4r0Y";

    #[test]
    fn every_form_round_trips() {
        let file = |path: &str| KeySource::File(path.into());
        let agent = KeySource::Agent;
        for (text, source) in [
            ("keys/alice".to_owned(), file("keys/alice")),
            ("./agent:x".to_owned(), file("./agent:x")),
            ("./fd:3".to_owned(), file("./fd:3")),
            ("Agent:x".to_owned(), file("Agent:x")),
            ("a:b".to_owned(), file("a:b")),
            (
                "agent:alice.pub".to_owned(),
                agent(AgentKeyName::File("alice.pub".into())),
            ),
            (
                "agent:./alice".to_owned(),
                agent(AgentKeyName::File("./alice".into())),
            ),
            (
                format!("agent:{ID}"),
                agent(AgentKeyName::Id(ID.parse().unwrap())),
            ),
            (
                "agent:alice@example.com".to_owned(),
                agent(AgentKeyName::Comment("alice@example.com".into())),
            ),
            (
                "agent:work: laptop".to_owned(),
                agent(AgentKeyName::Comment("work: laptop".into())),
            ),
            (
                "env:SIGNING_KEY_2".to_owned(),
                KeySource::Variable("SIGNING_KEY_2".into()),
            ),
            ("fd:0".to_owned(), KeySource::Descriptor(0)),
            ("fd:63".to_owned(), KeySource::Descriptor(63)),
            (
                "command:kms  --key a:b".to_owned(),
                KeySource::Command("kms  --key a:b".into()),
            ),
        ] {
            let key: KeyArg = text.parse().unwrap();
            assert_eq!(key.source(), &source);
            assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn what_names_no_key_is_refused() {
        let refused = |text: &str| text.parse::<KeyArg>().unwrap_err();
        assert_eq!(refused(""), KeyArgError::Empty);
        assert_eq!(refused("agent:"), KeyArgError::Agent);
        for text in ["agent:SHA256:", "agent:SHA256:short"] {
            assert!(
                matches!(refused(text), KeyArgError::Fingerprint(_)),
                "{text}"
            );
        }
        for text in ["env:", "env:2", "env:A B", "env:A=B", "env:KÖNIG"] {
            assert!(matches!(refused(text), KeyArgError::Variable(_)), "{text}");
        }
        for text in [
            "fd:",
            "fd:1",
            "fd:2",
            "fd:03",
            "fd:+3",
            "fd:-1",
            "fd:x",
            "fd:4294967296",
        ] {
            assert!(
                matches!(refused(text), KeyArgError::Descriptor(_)),
                "{text}"
            );
        }
        for text in ["command:", "command:  "] {
            assert_eq!(refused(text), KeyArgError::Command);
        }
        let hostile = refused("env:\u{1b}[2J").to_string();
        assert!(!hostile.contains(char::is_control), "{hostile:?}");
    }
}
