//! Keys that ssh-agent holds: the socket, the deadline, and which key is meant. What is said over it is `trust`'s.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;
use std::time::Duration;

use super::arg::AgentKeyName;
use super::public_file;
use crate::cli::env::Environment;
use crate::cli::report::Failure;
use crate::cli::ui;
use crate::diag::Code;
use crate::trust::{
    AgentAnswer, AgentIdentity, AgentRequest, KeyHolder, KeyId, MAX_AGENT_MESSAGE, PublicKey,
    SIGNATURE_BYTES, SigningError,
};

/// A key that ssh-agent holds.
#[derive(Debug)]
pub(super) struct AgentKey {
    socket: PathBuf,
    timeout: Duration,
    key: PublicKey,
}

impl AgentKey {
    /// Finds the key that is meant among those of the agent.
    pub(super) fn find(env: &Environment, name: &AgentKeyName) -> Result<Self, Failure> {
        // The file first: a key that can never sign is told apart from one that is not there.
        let (shown, wanted) = match name {
            AgentKeyName::File(path) => {
                let key = public_file(&env.resolve(path))?;
                (ui::escape(&path.display().to_string()), Some(key.id()))
            }
            AgentKeyName::Id(id) => (id.to_string(), Some(id.clone())),
            AgentKeyName::Comment(comment) => (ui::escape(comment), None),
        };
        let held = identities(env)?;
        let is_meant = |identity: &&AgentIdentity| match (&wanted, name) {
            (Some(id), _) => identity.id == *id,
            (None, AgentKeyName::Comment(comment)) => identity.comment == *comment,
            (None, _) => false,
        };
        let found: Vec<&AgentIdentity> = held.iter().filter(is_meant).collect();
        match found.as_slice() {
            [] => Err(absent(&shown, &held)),
            [identity] => Self::of(env, identity),
            several => {
                let ids: Vec<&str> = several.iter().map(|found| found.id.as_str()).collect();
                let message = format!("ssh-agent holds {} keys `{shown}`", several.len());
                Err(Failure::new(Code::AGENT_KEY, message)
                    .detail(format!("they are   {}", ids.join(", ")))
                    .hint("name one of them by its fingerprint, `--key agent:SHA256:…`"))
            }
        }
    }

    fn of(env: &Environment, identity: &AgentIdentity) -> Result<Self, Failure> {
        match &identity.key {
            Ok(key) => Ok(Self {
                socket: socket(env)?,
                timeout: env.key_timeout,
                key: key.clone(),
            }),
            Err(error) => {
                let message = format!("ssh-agent's key {} is {error}", identity.id);
                Err(Failure::new(error.code(), message))
            }
        }
    }
}

impl KeyHolder for AgentKey {
    fn public(&self) -> PublicKey {
        self.key.clone()
    }

    fn ask(&self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], SigningError> {
        let failed = |reason: String| SigningError::Agent {
            keyid: self.key.id(),
            reason,
        };
        let request = AgentRequest::Sign(&self.key, message).to_bytes();
        let request = request.map_err(|error| failed(error.to_string()))?;
        let answer = exchange(&self.socket, request, self.timeout)
            .map_err(|error| failed(error.to_string()))?;
        AgentAnswer::new(&answer)
            .signature()
            .map_err(|error| failed(error.to_string()))
    }
}

/// What the agent holds.
pub(super) fn identities(env: &Environment) -> Result<Vec<AgentIdentity>, Failure> {
    let socket = socket(env)?;
    let failed = |error: &dyn std::fmt::Display| {
        let message = format!("ssh-agent gave no list of its keys: {error}");
        Failure::new(Code::AGENT_ANSWER, message)
    };
    let request = AgentRequest::Identities
        .to_bytes()
        .map_err(|error| failed(&error))?;
    let answer = exchange(&socket, request, env.key_timeout).map_err(|error| match error {
        ExchangeError::Connect(error) => {
            let name = ui::escape(&socket.display().to_string());
            let message = format!("no ssh-agent answers at `{name}`: {error}");
            Failure::new(Code::AGENT_MISSING, message)
        }
        error => failed(&error),
    })?;
    AgentAnswer::new(&answer)
        .identities()
        .map_err(|error| failed(&error))
}

fn socket(env: &Environment) -> Result<PathBuf, Failure> {
    env.agent.clone().ok_or_else(|| {
        Failure::new(
            Code::AGENT_MISSING,
            "`SSH_AUTH_SOCK` is not set, so there is no ssh-agent to ask",
        )
    })
}

fn absent(shown: &str, held: &[AgentIdentity]) -> Failure {
    let failure = Failure::new(
        Code::AGENT_KEY,
        format!("ssh-agent does not hold a key `{shown}`"),
    );
    let ids: Vec<&KeyId> = held.iter().map(|identity| &identity.id).take(8).collect();
    let ids: Vec<&str> = ids.into_iter().map(KeyId::as_str).collect();
    match ids.as_slice() {
        [] => failure.detail("it holds    no key"),
        ids => failure.detail(format!("it holds    {}", ids.join(", "))),
    }
}

#[derive(Debug, thiserror::Error)]
enum ExchangeError {
    #[error("it cannot be reached: {0}")]
    Connect(std::io::Error),
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    #[error("its answer of {0} bytes is longer than {MAX_AGENT_MESSAGE}")]
    TooLong(u32),
    #[error("it was silent for {} s", .0.as_secs_f32())]
    Silent(Duration),
}

/// One question, one answer, over a connection of its own; all of it before the deadline.
fn exchange(socket: &Path, request: Vec<u8>, timeout: Duration) -> Result<Vec<u8>, ExchangeError> {
    let (sender, answer) = channel();
    let socket = socket.to_owned();
    // A thread, because connecting to a socket whose queue is full has no timeout of its own. It ends with the process.
    std::thread::spawn(move || sender.send(converse(&socket, &request)));
    answer
        .recv_timeout(timeout)
        .unwrap_or(Err(ExchangeError::Silent(timeout)))
}

fn converse(socket: &Path, request: &[u8]) -> Result<Vec<u8>, ExchangeError> {
    let mut stream = UnixStream::connect(socket).map_err(ExchangeError::Connect)?;
    stream.write_all(request)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    match usize::try_from(length) {
        Ok(size) if size <= MAX_AGENT_MESSAGE => {
            let mut answer = vec![0; size];
            stream.read_exact(&mut answer)?;
            Ok(answer)
        }
        _ => Err(ExchangeError::TooLong(length)),
    }
}
