//! Cases that take a server which answers in its own way.

use super::{Answer, hold};
use crate::support::organisation::Organisation;
use crate::support::servers::Server;

/// A code, and what raises it.
pub(super) type Made = (&'static str, fn() -> Answer);

/// All of them.
pub(super) const CASES: &[Made] = &[
    ("E-SOURCE-012", || {
        answered("HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"policy\"\r\n")
    }),
    ("E-SOURCE-017", || {
        let body = "001e# service=git-upload-pack\n0000000eversion 2\n000cls-refs\n000afetch\n0000";
        let kind = "Content-Type: application/x-git-upload-pack-advertisement";
        let length = body.len();
        let other = Server::canned(format!(
            "HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ));
        let to = format!(
            "http://{}/x/info/refs?service=git-upload-pack",
            other.address
        );
        answered(&format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\n"))
    }),
];

/// A pull from a server that answers everything so.
fn answered(head: &str) -> Answer {
    let world = Organisation::new();
    let server = Server::canned(format!(
        "{head}Content-Length: 0\r\nConnection: close\r\n\r\n"
    ));
    let url = format!("http://{}/policy.git", server.address);
    let pull = [
        "bundle",
        "pull",
        &url,
        "--ref=main",
        "--trust-root=trust",
        "--fingerprint",
        &world.fingerprint,
    ];
    let output = world.env.ordain(pull);
    Answer {
        command: "ordain bundle pull http://127.0.0.1/policy.git --ref=main".to_owned(),
        status: output.status,
        stderr: output.stderr.clone(),
        text: output.to_string(),
    }
}

#[test]
fn what_takes_more_than_files() {
    for (code, raise) in CASES {
        hold(code, &raise());
    }
}
