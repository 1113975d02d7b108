//! A caller that holds the bundle of a commit reads nothing of it again.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use ordain::bundle::Limits;
use ordain::source::git::{FetchError, Request, Sought, fetch_unless_at};

use super::{Asked, asked, commit};
use crate::support::repo::{Repo, command, run};
use crate::support::servers::Server;

impl Asked<'_> {
    fn unless_at(&self, known: &str, cache: &Path) -> Result<Sought, FetchError> {
        let request = Request {
            url: &self.url.parse().unwrap(),
            reference: &self.reference.parse().unwrap(),
            path: self.path,
            limits: &self.limits,
            network: self.network,
            credentials: self.credentials.as_ref(),
            ssh: self.ssh.as_deref(),
        };
        let known = known.parse().unwrap();
        fetch_unless_at(&request, &known, cache, &|_| {}, &AtomicBool::new(false))
    }
}

fn repository() -> (Repo, String) {
    let repo = Repo::new();
    let first = repo.commit(&[("bundle.yaml", "one")]);
    (repo, first)
}

/// Fetches once, asks again, moves the branch, and asks once more.
fn is_read_when_it_moved(repo: &Repo, first: &str, url: &str) {
    let cache = tempfile::tempdir().unwrap();
    let main = asked(url, "main");
    main.fetch(cache.path()).unwrap();
    let sought = main.unless_at(first, cache.path()).unwrap();
    assert!(matches!(sought, Sought::Known), "{url}: {sought:?}");
    let second = repo.commit(&[("bundle.yaml", "two")]);
    match main.unless_at(first, cache.path()).unwrap() {
        Sought::Fetched(fetched) => assert_eq!(commit(&fetched), second, "{url}"),
        Sought::Known => panic!("{url}: the branch moved, and was not read"),
    }
    repo.git(&["reset", "-q", "--hard", first]);
}

#[test]
fn a_branch_that_has_not_moved_is_known_and_one_that_has_is_read() {
    let (repo, first) = repository();
    let server = Server::git(repo.base());
    let path = repo.path().display().to_string();
    let served = format!("git://{}/repo/.git", server.address);
    for url in [path.clone(), format!("file://{path}"), served] {
        is_read_when_it_moved(&repo, &first, &url);
    }
}

#[test]
fn a_commit_that_the_cache_lost_is_fetched_again() {
    let (repo, first) = repository();
    let url = format!("file://{}", repo.path().display());
    let cache = tempfile::tempdir().unwrap();
    match asked(&url, "main").unless_at(&first, cache.path()).unwrap() {
        Sought::Fetched(fetched) => assert_eq!(commit(&fetched), first),
        Sought::Known => panic!("the next pull would have nothing to serve without a network"),
    }
}

#[test]
fn a_file_url_that_has_not_moved_starts_no_server() {
    let (repo, first) = repository();
    let url = format!("file://{}", repo.path().display());
    let cache = tempfile::tempdir().unwrap();
    let main = asked(&url, "main");
    main.fetch(cache.path()).unwrap();
    // Every server is blind to the branch from now on.
    repo.git(&["config", "transfer.hideRefs", "refs/heads/main"]);
    let error = main.fetch(cache.path()).unwrap_err();
    assert!(matches!(error, FetchError::RefNotFound { .. }), "{error:?}");
    let sought = main.unless_at(&first, cache.path()).unwrap();
    assert!(matches!(sought, Sought::Known), "{sought:?}");
}

#[test]
fn a_pipe_in_place_of_the_refs_holds_nobody_up() {
    let (repo, first) = repository();
    let url = format!("file://{}", repo.path().display());
    let cache = tempfile::tempdir().unwrap();
    let main = Asked {
        limits: Limits {
            stall: Duration::from_secs(1),
            ..Limits::default()
        },
        ..asked(&url, "main")
    };
    main.fetch(cache.path()).unwrap();
    let packed = repo.path().join(".git/packed-refs");
    let mut mkfifo = command("mkfifo");
    mkfifo.arg(&packed);
    run(mkfifo, b"");
    let asked = Instant::now();
    let error = main.unless_at(&first, cache.path()).unwrap_err();
    assert!(matches!(error, FetchError::Stalled { .. }), "{error:?}");
    assert!(asked.elapsed() < Duration::from_secs(20));
}
