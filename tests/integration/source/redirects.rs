//! Redirects: nothing is sent to, and nothing used from, another place than the one that was asked for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex};

use ordain::source::git::Credentials;

use super::{Asked, asked};
use crate::support::repo::Repo;
use crate::support::servers::Server;

/// The request's line and headers.
fn head(stream: &TcpStream) -> String {
    let mut text = String::new();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while reader.read_line(&mut text).is_ok_and(|read| read > 2) {}
    text
}

/// Answers every request with a redirect there, and keeps what it was asked.
fn redirect(status: u16, to: String) -> (Server, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = seen.clone();
    let server = Server::start(move |mut stream, _| {
        log.lock().unwrap().push(head(&stream));
        let answer = format!(
            "HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
    });
    (server, seen)
}

fn code(url: &str, credentials: Option<Credentials>) -> String {
    let cache = tempfile::tempdir().unwrap();
    let fetched = Asked {
        credentials,
        ..asked(url, "main")
    }
    .fetch(cache.path());
    fetched.unwrap_err().code().id.to_owned()
}

#[test]
fn another_host_or_port_gets_no_credentials_and_no_question() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "one")]);
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = seen.clone();
    let thief = Server::start(move |mut stream, _| {
        log.lock().unwrap().push(head(&stream));
        // As a server that speaks the protocol, so that the client would go on.
        let body = "001e# service=git-upload-pack\n0000000eversion 2\n000cls-refs\n000afetch\n0000";
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
    });
    for status in [301, 302, 303, 307, 308] {
        let target = format!(
            "http://{}/x/info/refs?service=git-upload-pack",
            thief.address
        );
        let (server, _) = redirect(status, target);
        let url = format!("http://{}/x", server.address);
        let credentials = Credentials::new("ada", "hunter2");
        assert_eq!(code(&url, Some(credentials)), "E-SOURCE-017", "{status}");
    }
    for request in seen.lock().unwrap().iter() {
        assert!(request.starts_with("GET "), "{request}");
        assert!(
            !request.to_lowercase().contains("authorization"),
            "{request}"
        );
    }
}

#[test]
fn a_redirect_to_another_scheme_reads_nothing() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "one")]);
    let daemon = Server::git(repo.base());
    for target in [
        format!("file://{}", repo.path().display()),
        format!("git://{}/repo/.git", daemon.address),
        "ext::sh -c true".to_owned(),
        "ssh://-oProxyCommand=true/x".to_owned(),
    ] {
        let (server, _) = redirect(302, target.clone());
        let url = format!("http://{}/x", server.address);
        assert_eq!(code(&url, None), "E-SOURCE-010", "{target}");
    }
    assert_eq!(
        daemon.connections.load(std::sync::atomic::Ordering::SeqCst),
        0
    );
}

#[test]
fn a_redirect_without_end_is_not_followed_without_end() {
    let (server, seen) = redirect(302, "/again/info/refs?service=git-upload-pack".to_owned());
    let url = format!("http://{}/x", server.address);
    assert_eq!(code(&url, None), "E-SOURCE-010");
    assert!(seen.lock().unwrap().len() <= 51);
}

#[test]
fn a_host_that_was_not_asked_for_cannot_ask_for_credentials() {
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let log = seen.clone();
    let thief = Server::start(move |mut stream, _| {
        log.lock().unwrap().push(head(&stream));
        let answer = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\n\
                      Connection: close\r\n\r\n";
        let _ = stream.write_all(answer.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
    });
    let target = format!(
        "http://{}/x/info/refs?service=git-upload-pack",
        thief.address
    );
    let (server, _) = redirect(302, target);
    let url = format!("http://{}/x", server.address);
    let credentials = Credentials::new("ada", "hunter2");
    assert_eq!(code(&url, Some(credentials)), "E-SOURCE-012");
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert!(
        !seen[0].to_lowercase().contains("authorization"),
        "{seen:?}"
    );
}
