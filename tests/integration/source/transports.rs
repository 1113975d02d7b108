//! Every transport, every kind of ref.

use ordain::source::git::{FetchError, Movement, Network, Transfer};

use super::{Asked, asked, commit, text};
use crate::support::repo::Repo;
use crate::support::servers::{Server, Sshd};

/// A repository with history, tags of both kinds, and a bundle in a directory.
struct World {
    repo: Repo,
    first: String,
    second: String,
    dev: String,
}

fn world(format: &str) -> World {
    let repo = Repo::with_format(format);
    let first = repo.commit(&[("bundle.yaml", "one"), ("policies/a.yaml", "a")]);
    repo.git(&["tag", "-a", "-m", "release", "v1"]);
    repo.git(&["tag", "light"]);
    repo.git(&["switch", "-q", "-c", "dev"]);
    let dev = repo.commit(&[("sub/deep/bundle.yaml", "dev"), ("run.sh", "x")]);
    repo.git(&["switch", "-q", "main"]);
    repo.commit(&[("bundle.yaml", "two")]);
    let second = repo.commit(&[("bundle.yaml", "three"), ("bundle.dsse.json", "{}")]);
    World {
        repo,
        first,
        second,
        dev,
    }
}

/// Asks for everything twice; the second time nothing may be downloaded.
fn serves_everything(world: &World, url: &str, ssh: Option<&str>) {
    let cache = tempfile::tempdir().unwrap();
    let is_local = url.starts_with('/');
    let ask = |reference: &str| {
        Asked {
            ssh: ssh.map(str::to_owned),
            ..asked(url, reference)
        }
        .fetch(cache.path())
        .unwrap_or_else(|error| panic!("{url} {reference}: {error}"))
    };
    for round in 0..2 {
        for (reference, id, manifest) in [
            ("main", &world.second, "three"),
            ("refs/heads/main", &world.second, "three"),
            ("HEAD", &world.second, "three"),
            ("v1", &world.first, "one"),
            ("refs/tags/v1", &world.first, "one"),
            ("light", &world.first, "one"),
            (world.dev.as_str(), &world.dev, "one"),
        ] {
            let fetched = ask(reference);
            assert_eq!(&commit(&fetched), id, "{url} {reference}");
            assert_eq!(
                text(&fetched.bundle, "bundle.yaml").as_deref(),
                Some(manifest)
            );
            assert_eq!(
                text(&fetched.bundle, "policies/a.yaml").as_deref(),
                Some("a")
            );
            assert_eq!(fetched.bundle.envelope.is_some(), manifest == "three");
            if round == 1 {
                assert_eq!(fetched.transfer, Transfer::UpToDate, "{url} {reference}");
                if !is_local && reference.len() < 40 {
                    assert_eq!(fetched.movement, Movement::Unmoved, "{url} {reference}");
                }
            }
        }
    }
    // Where a ref stands is told without a cache, and without an object.
    let empty = tempfile::tempdir().unwrap();
    for (reference, id) in [
        ("main", &world.second),
        ("v1", &world.first),
        ("dev", &world.dev),
    ] {
        let located = Asked {
            ssh: ssh.map(str::to_owned),
            ..asked(url, reference)
        }
        .locate(empty.path())
        .unwrap();
        assert_eq!(&located, id, "{url} {reference}");
    }
    let fetched = Asked {
        path: "sub/deep",
        ssh: ssh.map(str::to_owned),
        ..asked(url, "dev")
    }
    .fetch(cache.path())
    .unwrap();
    assert_eq!(text(&fetched.bundle, "bundle.yaml").as_deref(), Some("dev"));
    assert_eq!(fetched.bundle.files.len(), 1);
}

fn refuses_what_is_not_there(url: &str, ssh: Option<&str>) {
    let cache = tempfile::tempdir().unwrap();
    let ask = |reference: &str, path| {
        Asked {
            path,
            ssh: ssh.map(str::to_owned),
            ..asked(url, reference)
        }
        .fetch(cache.path())
        .unwrap_err()
    };
    for reference in ["absent", "refs/heads/absent", "refs/tags/absent"] {
        let error = ask(reference, "");
        assert!(matches!(error, FetchError::RefNotFound { .. }), "{error:?}");
        assert!(error.is_not_found());
    }
    let error = ask(&"1".repeat(40), "");
    assert!(
        matches!(error, FetchError::CommitNotFound { .. }),
        "{url}: {error:?}"
    );
    assert!(error.is_not_found());
    let error = ask("main", "absent");
    assert!(
        matches!(error, FetchError::PathNotFound { .. }),
        "{error:?}"
    );
    let error = ask("main", "bundle.yaml");
    assert!(
        matches!(error, FetchError::PathNotFound { .. }),
        "{error:?}"
    );
}

#[test]
fn local_path() {
    let world = world("sha1");
    let url = world.repo.path().display().to_string();
    serves_everything(&world, &url, None);
    refuses_what_is_not_there(&url, None);
}

#[test]
fn file_url() {
    let world = world("sha1");
    let url = format!("file://{}", world.repo.path().display());
    serves_everything(&world, &url, None);
    refuses_what_is_not_there(&url, None);
}

#[test]
fn git_daemon() {
    let world = world("sha1");
    let server = Server::git(world.repo.base());
    let url = format!("git://{}/repo/.git", server.address);
    serves_everything(&world, &url, None);
    refuses_what_is_not_there(&url, None);
}

#[test]
fn http_backend() {
    let world = world("sha1");
    let server = Server::http(world.repo.base());
    let url = format!("http://{}/repo/.git", server.address);
    serves_everything(&world, &url, None);
    refuses_what_is_not_there(&url, None);
}

#[test]
fn sshd() {
    let world = world("sha1");
    let sshd = Sshd::start();
    let url = sshd.url(&world.repo.path());
    let ssh = sshd.command("user", "known");
    let probe = Asked {
        ssh: Some(ssh.clone()),
        ..asked(&url, "main")
    };
    let cache = tempfile::tempdir().unwrap();
    if let Err(error) = probe.fetch(cache.path()) {
        panic!("{error}\n{}", sshd.log());
    }
    serves_everything(&world, &url, Some(&ssh));
    refuses_what_is_not_there(&url, Some(&ssh));

    // What ssh says goes into our error, not onto the terminal.
    for (key, known, said) in [
        ("stranger", "known", "Permission denied"),
        ("user", "unknown", "Host key verification failed"),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let error = Asked {
            ssh: Some(sshd.command(key, known)),
            ..asked(&url, "main")
        }
        .fetch(cache.path())
        .unwrap_err();
        assert!(
            matches!(error, FetchError::Authentication { .. }),
            "{error:?}"
        );
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn sha256_repositories() {
    let world = world("sha256");
    let server = Server::git(world.repo.base());
    let path = world.repo.path().display().to_string();
    serves_everything(&world, &path, None);
    serves_everything(&world, &format!("file://{path}"), None);
    serves_everything(&world, &format!("git://{}/repo/.git", server.address), None);
}

#[test]
fn a_commit_that_no_ref_points_to_and_a_cached_commit_need_no_ref() {
    let world = world("sha1");
    let server = Server::git(world.repo.base());
    let url = format!("git://{}/repo/.git", server.address);
    let cache = tempfile::tempdir().unwrap();
    let old = world.repo.git(&["rev-parse", "main~1"]);
    let fetched = asked(&url, &old).fetch(cache.path()).unwrap();
    assert_eq!(text(&fetched.bundle, "bundle.yaml").as_deref(), Some("two"));
    let before = server.connections.load(std::sync::atomic::Ordering::SeqCst);
    asked(&url, &old).fetch(cache.path()).unwrap();
    let after = server.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(before, after, "a commit in the cache is not asked for");
}

#[test]
fn forced_pushes_and_moved_tags_are_followed_and_reported() {
    let world = world("sha1");
    let url = format!("file://{}", world.repo.path().display());
    let cache = tempfile::tempdir().unwrap();
    let ask = |reference: &str| asked(&url, reference).fetch(cache.path()).unwrap();
    assert_eq!(ask("main").movement, Movement::Unknown);
    ask("v1");
    world.repo.git(&["reset", "-q", "--hard", &world.first]);
    world
        .repo
        .git(&["tag", "-f", "-a", "-m", "moved", "v1", &world.second]);
    let fetched = ask("main");
    assert_eq!(commit(&fetched), world.first);
    assert_eq!(fetched.movement, Movement::Moved);
    assert_eq!(commit(&ask("v1")), world.second);
    world.repo.commit(&[("bundle.yaml", "four")]);
    let fetched = ask("main");
    assert_eq!(
        text(&fetched.bundle, "bundle.yaml").as_deref(),
        Some("four")
    );
    assert!(matches!(fetched.transfer, Transfer::Received { .. }));
}

#[test]
fn a_name_that_is_both_a_tag_and_a_branch_is_ambiguous() {
    let world = world("sha1");
    world.repo.git(&["tag", "dev", &world.first]);
    let path = world.repo.path().display().to_string();
    let cache = tempfile::tempdir().unwrap();
    for url in [path.clone(), format!("file://{path}")] {
        let error = asked(&url, "dev").fetch(cache.path()).unwrap_err();
        assert!(matches!(error, FetchError::Ambiguous { .. }), "{error:?}");
        let full = asked(&url, "refs/heads/dev").fetch(cache.path()).unwrap();
        assert_eq!(commit(&full), world.dev);
    }
}

#[test]
fn a_tag_of_a_file_is_not_a_commit() {
    let world = world("sha1");
    world.repo.git(&["tag", "file", "main:bundle.yaml"]);
    let path = world.repo.path().display().to_string();
    let cache = tempfile::tempdir().unwrap();
    for url in [path.clone(), format!("file://{path}")] {
        let error = asked(&url, "file").fetch(cache.path()).unwrap_err();
        assert!(matches!(error, FetchError::NotACommit { .. }), "{error:?}");
    }
}

#[test]
fn the_cache_serves_without_the_network() {
    let world = world("sha1");
    let server = Server::git(world.repo.base());
    let url = format!("git://{}/repo/.git", server.address);
    let cache = tempfile::tempdir().unwrap();
    let offline = |reference: &str| {
        Asked {
            network: Network::Forbidden,
            ..asked(&url, reference)
        }
        .fetch(cache.path())
    };
    assert!(matches!(offline("main"), Err(FetchError::Offline { .. })));
    asked(&url, "main").fetch(cache.path()).unwrap();
    let before = server.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(commit(&offline("main").unwrap()), world.second);
    assert_eq!(commit(&offline(&world.second).unwrap()), world.second);
    assert!(matches!(offline("v1"), Err(FetchError::Offline { .. })));
    let after = server.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert_eq!(before, after);
}

#[test]
fn ten_thousand_commits_are_pulled_as_one() {
    let repo = Repo::new();
    let mut stream = String::new();
    for n in 0..10_000 {
        let text = format!("revision {n}\n");
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter Ada <ada@example.org> {} +0000\ndata 1\nx\n",
            1_700_000_000 + n
        ));
        stream.push_str(&format!(
            "M 100644 inline bundle.yaml\ndata {}\n{text}\n",
            text.len()
        ));
    }
    repo.git_with(&["fast-import", "--quiet"], stream.as_bytes());
    let server = Server::git(repo.base());
    let sshd = Sshd::start();
    let ssh = sshd.command("user", "known");
    for (url, ssh) in [
        (format!("file://{}", repo.path().display()), None),
        (format!("git://{}/repo/.git", server.address), None),
        (sshd.url(&repo.path()), Some(ssh)),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let fetched = Asked {
            ssh,
            ..asked(&url, "main")
        }
        .fetch(cache.path())
        .unwrap();
        assert_eq!(
            text(&fetched.bundle, "bundle.yaml").as_deref(),
            Some("revision 9999\n")
        );
        match fetched.transfer {
            Transfer::Received { objects, bytes } => {
                assert_eq!(objects, 3, "{url}");
                assert!(bytes < 20_000, "{url}: {bytes}");
            }
            Transfer::UpToDate => panic!("{url}: nothing was received"),
        }
    }
}
