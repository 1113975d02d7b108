//! Real Git servers on loopback: `git daemon`, `git http-backend`, `sshd`.
//!
//! Each listens on a port that the system picks, in a thread of the test, and starts the real program on every connection
//! as `inetd` would: nothing listens after the test, and no port is raced for.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::repo::{command, run};

/// A listening server; stops, with the children it started, on drop.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) connections: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    children: Arc<Mutex<Vec<Child>>>,
}

impl Server {
    /// Calls `serve` for each connection, each in a thread.
    pub(crate) fn start(
        serve: impl Fn(TcpStream, &Mutex<Vec<Child>>) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            connections: Arc::default(),
            stop: Arc::default(),
            children: Arc::default(),
        };
        let (stop, count) = (server.stop.clone(), server.connections.clone());
        let (children, serve) = (server.children.clone(), Arc::new(serve));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                count.fetch_add(1, Ordering::SeqCst);
                let (children, serve) = (children.clone(), serve.clone());
                std::thread::spawn(move || serve(stream, &children));
            }
        });
        server
    }

    /// Accepts and says nothing, for ever.
    pub(crate) fn silent() -> Self {
        Self::start(|mut stream, _| {
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    /// `git daemon` on the repositories below `base`.
    pub(crate) fn git(base: &Path) -> Self {
        let base = base.display().to_string();
        Self::start(move |stream, children| {
            let mut daemon = command("git");
            daemon.args(["daemon", "--inetd", "--export-all", "--informative-errors"]);
            daemon.arg(format!("--base-path={base}"));
            inetd(daemon, stream, children);
        })
    }

    /// `git http-backend` on the repositories below `base`.
    pub(crate) fn http(base: &Path) -> Self {
        let base = base.to_owned();
        Self::start(move |stream, _| cgi(stream, &base))
    }

    /// TLS with this certificate and key in front of `http`, for who sends these credentials (in base64) only.
    pub(crate) fn https(http: &Self, certificate: &Path, key: &Path, credentials: &str) -> Self {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = vec![CertificateDer::from_pem_file(certificate).unwrap()];
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(certificates, key)
            .unwrap();
        let config = Arc::new(config);
        let expected = format!("Basic {credentials}");
        let upstream = http.address;
        Self::start(move |stream, _| {
            let session = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(session, stream);
            let Some(request) = read_request(&mut BufReader::new(&mut tls)) else {
                return;
            };
            let mut response = Vec::new();
            if request.headers.get("authorization") == Some(&expected) {
                let mut forward = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
                for (name, value) in &request.headers {
                    if name != "transfer-encoding" && name != "content-length" {
                        forward.push_str(&format!("{name}: {value}\r\n"));
                    }
                }
                forward.push_str(&format!("content-length: {}\r\n\r\n", request.body.len()));
                let mut upstream = TcpStream::connect(upstream).unwrap();
                upstream.write_all(forward.as_bytes()).unwrap();
                upstream.write_all(&request.body).unwrap();
                upstream.read_to_end(&mut response).unwrap();
            } else {
                response.extend_from_slice(
                    b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\n\
                      Content-Length: 0\r\nConnection: close\r\n\r\n",
                );
            }
            let _ = tls.write_all(&response);
            tls.conn.send_close_notify();
            let _ = tls.flush();
        })
    }

    /// Answers every HTTP request with these bytes.
    pub(crate) fn canned(response: String) -> Self {
        Self::start(move |stream, _| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let _ = read_request(&mut reader);
            let _ = (&stream).write_all(response.as_bytes());
            let _ = stream.shutdown(Shutdown::Write);
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the listener, which then ends.
        let _ = TcpStream::connect(self.address);
        for child in self.children.lock().unwrap().iter_mut() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a program with the connection as its standard input and output.
fn inetd(mut program: std::process::Command, stream: TcpStream, children: &Mutex<Vec<Child>>) {
    let input = OwnedFd::from(stream.try_clone().unwrap());
    let child = program
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(OwnedFd::from(stream)))
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    children.lock().unwrap().push(child);
}

struct HttpRequest {
    method: String,
    target: String,
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

fn read_request(reader: &mut BufReader<impl Read>) -> Option<HttpRequest> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        Some(line.trim_end().to_owned())
    };
    let first = line()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = BTreeMap::new();
    loop {
        let header = line()?;
        let Some((name, value)) = header.split_once(':') else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let mut body = Vec::new();
    if let Some(length) = headers.get("content-length") {
        body.resize(length.parse().ok()?, 0);
        reader.read_exact(&mut body).ok()?;
    } else if headers.contains_key("transfer-encoding") {
        loop {
            let mut size = String::new();
            reader.read_line(&mut size).ok()?;
            let size = usize::from_str_radix(size.trim(), 16).ok()?;
            let start = body.len();
            body.resize(start + size + 2, 0);
            reader.read_exact(&mut body[start..]).ok()?;
            body.truncate(start + size);
            if size == 0 {
                break;
            }
        }
    }
    Some(HttpRequest {
        method,
        target,
        headers,
        body,
    })
}

fn cgi(stream: TcpStream, base: &Path) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let Some(request) = read_request(&mut reader) else {
        return;
    };
    let (path, query) = request
        .target
        .split_once('?')
        .unwrap_or((&request.target, ""));
    let mut backend = command("git");
    backend
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", base)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", path)
        .env("QUERY_STRING", query)
        .env("REQUEST_METHOD", &request.method)
        .env("CONTENT_LENGTH", request.body.len().to_string());
    for (header, variable) in [
        ("content-type", "CONTENT_TYPE"),
        ("git-protocol", "GIT_PROTOCOL"),
        ("content-encoding", "HTTP_CONTENT_ENCODING"),
    ] {
        if let Some(value) = request.headers.get(header) {
            backend.env(variable, value);
        }
    }
    let mut child = backend
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let body = request.body;
    let writer = std::thread::spawn(move || stdin.write_all(&body));
    let mut output = Vec::new();
    child
        .stdout
        .take()
        .unwrap()
        .read_to_end(&mut output)
        .unwrap();
    let _ = writer.join();
    child.wait().unwrap();
    let end = output
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .unwrap_or(0);
    let head = String::from_utf8_lossy(&output[..end]).into_owned();
    let status = head
        .lines()
        .find_map(|line| line.strip_prefix("Status: "))
        .unwrap_or("200 OK");
    let mut response = format!("HTTP/1.1 {status}\r\nConnection: close\r\n").into_bytes();
    response.extend_from_slice(format!("{head}\r\n\r\n").as_bytes());
    response.extend_from_slice(&output[(end + 4).min(output.len())..]);
    let _ = (&stream).write_all(&response);
    let _ = stream.shutdown(Shutdown::Write);
}

/// `sshd` with keys of its own.
pub(crate) struct Sshd {
    pub(crate) server: Server,
    directory: tempfile::TempDir,
}

impl Sshd {
    pub(crate) fn start() -> Self {
        let sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd"]
            .iter()
            .map(PathBuf::from)
            .find(|path| path.exists())
            .expect("sshd is missing: install the package `openssh-server`");
        // Debian's sshd wants it even where it does not use it.
        let _ = std::fs::create_dir_all("/run/sshd");
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        for name in ["host", "user", "stranger"] {
            let mut keygen = command("ssh-keygen");
            keygen.args(["-q", "-t", "ed25519", "-N", "", "-C", name, "-f"]);
            run(
                {
                    keygen.arg(path(name));
                    keygen
                },
                b"",
            );
        }
        std::fs::copy(path("user.pub"), path("authorized")).unwrap();
        let config = format!(
            "HostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nAcceptEnv GIT_PROTOCOL\nPidFile none\n",
            path("host").display(),
            path("authorized").display()
        );
        std::fs::write(path("config"), config).unwrap();
        let log = path("log");
        let config = path("config");
        let server = Server::start(move |stream, children| {
            let mut program = command(&sshd);
            program.arg("-i").arg("-f").arg(&config).arg("-E").arg(&log);
            inetd(program, stream, children);
        });
        let port = server.address.port();
        let key = std::fs::read_to_string(path("host.pub")).unwrap();
        let known = format!("[127.0.0.1]:{port} {key}");
        std::fs::write(path("known"), known).unwrap();
        Self { server, directory }
    }

    /// What to run instead of `ssh`, with one of the keys `user` and `stranger`, and one of the files `known` and `unknown`.
    pub(crate) fn command(&self, key: &str, known: &str) -> String {
        let directory = self.directory.path().display();
        format!(
            "ssh -F /dev/null -i {directory}/{key} -o IdentitiesOnly=yes -o IdentityAgent=none \
             -o UserKnownHostsFile={directory}/{known}"
        )
    }

    pub(crate) fn url(&self, path: &Path) -> String {
        let user = run(
            {
                let mut id = command("id");
                id.arg("-un");
                id
            },
            b"",
        );
        format!("ssh://{user}@{}{}", self.server.address, path.display())
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }
}
