//! HTTPS: certificates from `SSL_CERT_FILE`, credentials from the caller or from Git's helpers.
//!
//! Environment variables are the process's, so the fetch runs in a process of its own: this binary again, asked for one
//! ignored test.

use std::process::Command;

use ordain::source::git::{Credentials, FetchError};

use super::{Asked, asked, text};
use crate::support::repo::{PATH, Repo, command, run};
use crate::support::servers::Server;

/// What the child reads its task from.
const URL: &str = "ORDAIN_TEST_URL";
const PASSWORD: &str = "ORDAIN_TEST_PASSWORD";

#[test]
#[ignore = "run by the tests below, with the environment that they set"]
fn child() {
    let variable = |name: &str| {
        let mut all = std::env::vars();
        all.find(|(found, _)| found == name).map(|(_, value)| value)
    };
    let url = variable(URL).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let fetched = Asked {
        credentials: variable(PASSWORD).map(|password| Credentials::new("ada", password)),
        ..asked(&url, "main")
    }
    .fetch(cache.path());
    match fetched {
        Ok(fetched) => println!("fetched {:?}", text(&fetched.bundle, "bundle.yaml")),
        Err(error @ FetchError::Authentication { .. }) => println!("refused {error}"),
        Err(error) => println!("failed {error}"),
    }
}

#[test]
fn certificates_and_credentials_come_from_where_they_should() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "one")]);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let mut openssl = command("openssl");
    openssl
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
        ])
        .args(["-nodes", "-days", "3650", "-subj", "/CN=localhost"])
        .args(["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(path("key.pem"))
        .arg("-out")
        .arg(path("cert.pem"));
    run(openssl, b"");
    let http = Server::http(repo.base());
    // `ada:hunter2`
    let https = Server::https(
        &http,
        &path("cert.pem"),
        &path("key.pem"),
        "YWRhOmh1bnRlcjI=",
    );
    let url = format!("https://localhost:{}/repo/.git", https.address.port());
    let helper =
        "[credential]\n\thelper = \"!f() { echo username=ada; echo password=hunter2; }; f\"\n";
    std::fs::write(path("helper"), helper).unwrap();

    let fetch = |variables: &[(&str, &str)]| {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child
            .args([
                "--exact",
                "source::https::child",
                "--ignored",
                "--nocapture",
            ])
            .env_clear()
            .env("PATH", PATH)
            .env("HOME", directory.path())
            .env(URL, &url)
            .envs(variables.iter().copied());
        run(child, b"")
    };
    let certificate = path("cert.pem").display().to_string();
    let trusted = ("SSL_CERT_FILE", certificate.as_str());

    let out = fetch(&[trusted, (PASSWORD, "hunter2")]);
    assert!(out.contains("fetched Some(\"one\")"), "{out}");
    let out = fetch(&[trusted, (PASSWORD, "wrong-secret")]);
    assert!(
        out.contains("refused") && !out.contains("wrong-secret"),
        "{out}"
    );
    let out = fetch(&[trusted]);
    assert!(out.contains("refused"), "{out}");
    let out = fetch(&[(PASSWORD, "hunter2")]);
    assert!(out.contains("failed") && !out.contains("hunter2"), "{out}");

    std::fs::copy(path("helper"), path(".gitconfig")).unwrap();
    let out = fetch(&[trusted]);
    assert!(out.contains("fetched Some(\"one\")"), "{out}");
}
