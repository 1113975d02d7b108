//! ssh-agents on sockets of their own: a real one, and one that says what a test wants.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::Duration;

use super::{Output, TestEnv};

/// OpenSSH's agent, killed when dropped.
pub(crate) struct Agent(Child);

impl Agent {
    /// Starts one, and points `SSH_AUTH_SOCK` of later commands at it. `askpass` answers for its user.
    pub(crate) fn start(env: &mut TestEnv, askpass: Option<&str>) -> Self {
        let socket = env.root().join("agent");
        let mut command = env.command("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket);
        if let Some(program) = askpass {
            command.env("SSH_ASKPASS", program).env("DISPLAY", ":none");
        }
        let quiet = command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = quiet.stdin(Stdio::null()).spawn().expect("ssh-agent");
        let agent = Self(child);
        for _ in 0..500 {
            if UnixStream::connect(&socket).is_ok() {
                env.set("SSH_AUTH_SOCK", socket.to_str().unwrap());
                return agent;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("ssh-agent does not listen");
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// `ssh-add` with arguments, which must succeed.
pub(crate) fn ssh_add(env: &TestEnv, arguments: &[&str]) -> Output {
    let mut command = env.command("ssh-add");
    command.args(arguments);
    let output = env.run(command, b"");
    output.success();
    output
}

/// What a hostile agent does with a request.
pub(crate) enum Says {
    /// These bytes as a message, with their true length in front.
    Message(Vec<u8>),
    /// These bytes, and then it hangs up.
    Raw(Vec<u8>),
    /// One byte after the other, slowly, without end.
    Drip(Vec<u8>),
    /// Nothing, without hanging up.
    Nothing,
}

/// An agent that answers as a test says. Its threads end with the test's process.
pub(crate) fn hostile(env: &mut TestEnv, answer: impl Fn(&[u8]) -> Says + Send + 'static) {
    let socket: PathBuf = env.root().join("hostile");
    std::fs::remove_file(&socket).ok();
    let listener = UnixListener::bind(&socket).unwrap();
    env.set("SSH_AUTH_SOCK", socket.to_str().unwrap());
    std::thread::spawn(move || {
        let mut open = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut length = [0; 4];
            if stream.read_exact(&mut length).is_err() {
                continue;
            }
            let mut request = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
            stream.read_exact(&mut request).unwrap();
            match answer(&request) {
                Says::Message(bytes) => {
                    stream.write_all(&string(&bytes)).ok();
                }
                Says::Raw(bytes) => {
                    stream.write_all(&bytes).ok();
                }
                Says::Drip(bytes) => {
                    for byte in bytes {
                        if stream.write_all(&[byte]).is_err() {
                            break;
                        }
                        std::thread::sleep(Duration::from_millis(100));
                    }
                    open.push(stream);
                }
                Says::Nothing => open.push(stream),
            }
        }
    });
}

/// SSH's `string`: a length and bytes.
pub(crate) fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
    [&length[..], bytes].concat()
}

/// The wire form of a public key.
pub(crate) fn key_blob(algorithm: &str, key: &[u8]) -> Vec<u8> {
    [string(algorithm.as_bytes()), string(key)].concat()
}

/// The message that lists keys.
pub(crate) fn identities(list: &[(Vec<u8>, &str)]) -> Vec<u8> {
    let count = u32::try_from(list.len()).unwrap().to_be_bytes();
    let mut answer = [&[12][..], &count].concat();
    for (blob, comment) in list {
        answer.extend(string(blob));
        answer.extend(string(comment.as_bytes()));
    }
    answer
}

/// The message with a signature.
pub(crate) fn signature(algorithm: &str, bytes: &[u8]) -> Vec<u8> {
    [&[14][..], &string(&key_blob(algorithm, bytes))].concat()
}
