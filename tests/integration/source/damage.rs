//! Servers that fail, and caches that were damaged.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ordain::bundle::Limits;
use ordain::source::git::{Credentials, FetchError, Transfer};

use super::{Asked, asked, commit, text};
use crate::support::repo::Repo;
use crate::support::servers::Server;

fn file_url(repo: &Repo) -> String {
    format!("file://{}", repo.path().display())
}

/// The bare repository of the only URL in a cache.
fn cached(cache: &Path) -> PathBuf {
    let entry = fs::read_dir(cache.join("git")).unwrap().next().unwrap();
    entry.unwrap().path().join("repo.git")
}

fn packs(cache: &Path) -> Vec<PathBuf> {
    fs::read_dir(cached(cache).join("objects/pack"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "pack"))
        .collect()
}

/// Overwrites a file that Git made read-only.
fn overwrite(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_wrong_or_missing_object_on_the_server_is_named_and_does_not_poison_the_cache() {
    for is_missing in [false, true] {
        let repo = Repo::new();
        let id = repo.commit(&[("bundle.yaml", "good"), ("other.yaml", "other")]);
        let good = repo.loose(&repo.git(&["rev-parse", "main:bundle.yaml"]));
        let bytes = fs::read(&good).unwrap();
        let swapped = fs::read(repo.loose(&repo.blob("evil"))).unwrap();
        let server = Server::git(repo.base());
        for url in [
            file_url(&repo),
            format!("git://{}/repo/.git", server.address),
            repo.path().display().to_string(),
        ] {
            if is_missing {
                fs::remove_file(&good).unwrap();
            } else {
                overwrite(&good, &swapped);
            }
            let cache = tempfile::tempdir().unwrap();
            let error = asked(&url, "main").fetch(cache.path()).unwrap_err();
            assert!(
                matches!(
                    error,
                    FetchError::Incomplete { .. }
                        | FetchError::Corrupt { .. }
                        | FetchError::Unreachable { .. }
                ),
                "{url}: {error:?}"
            );
            if !is_missing && url.starts_with("file") {
                assert!(matches!(error, FetchError::Incomplete { .. }), "{error:?}");
            }
            fs::write(&good, &bytes).unwrap_or_else(|_| overwrite(&good, &bytes));
            let fetched = asked(&url, "main").fetch(cache.path()).unwrap();
            assert_eq!(commit(&fetched), id);
            assert_eq!(
                text(&fetched.bundle, "bundle.yaml").as_deref(),
                Some("good")
            );
        }
    }
}

#[test]
fn an_object_outside_the_bundle_must_be_there_too() {
    let repo = Repo::new();
    repo.commit(&[("a/bundle.yaml", "a"), ("b/other.yaml", "b")]);
    let other = repo.loose(&repo.git(&["rev-parse", "main:b/other.yaml"]));
    let evil = fs::read(repo.loose(&repo.blob("evil"))).unwrap();
    overwrite(&other, &evil);
    let cache = tempfile::tempdir().unwrap();
    let url = file_url(&repo);
    let error = Asked {
        path: "a",
        ..asked(&url, "main")
    }
    .fetch(cache.path())
    .unwrap_err();
    assert!(matches!(error, FetchError::Incomplete { .. }), "{error:?}");
}

#[test]
fn a_damaged_cache_is_found_and_healed() {
    let repo = Repo::new();
    let noise: String = (0..4000)
        .map(|n| format!("{}\n", n * 7919 % 10007))
        .collect();
    repo.commit(&[("bundle.yaml", "good"), ("policies/a.yaml", &noise)]);
    let url = file_url(&repo);
    let cache = tempfile::tempdir().unwrap();
    let ask = || asked(&url, "main").fetch(cache.path()).unwrap();
    type Damage = fn(&Path);
    let damages: [(&str, Damage); 6] = [
        ("a flipped byte in the pack", |cache| {
            let pack = &packs(cache)[0];
            let mut bytes = fs::read(pack).unwrap();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 0x55;
            overwrite(pack, &bytes);
        }),
        ("a pack cut short", |cache| {
            let pack = &packs(cache)[0];
            let bytes = fs::read(pack).unwrap();
            overwrite(pack, &bytes[..bytes.len() / 2]);
        }),
        ("no pack", |cache| {
            let pack = &packs(cache)[0];
            fs::remove_file(pack.with_extension("idx")).unwrap();
            fs::remove_file(pack).unwrap();
        }),
        ("no configuration", |cache| {
            fs::write(cached(cache).join("config"), "[core\n").unwrap();
        }),
        ("no HEAD", |cache| {
            fs::remove_file(cached(cache).join("HEAD")).unwrap();
        }),
        ("a file in its place", |cache| {
            let cached = cached(cache);
            fs::remove_dir_all(&cached).unwrap();
            fs::create_dir(&cached).unwrap();
            fs::write(cached.join("x"), "x").unwrap();
        }),
    ];
    ask();
    for (name, damage) in damages {
        damage(cache.path());
        let fetched = ask();
        assert_eq!(
            text(&fetched.bundle, "policies/a.yaml").as_deref(),
            Some(noise.as_str()),
            "{name}"
        );
        assert!(
            matches!(fetched.transfer, Transfer::Received { .. }),
            "{name}"
        );
        assert_eq!(ask().transfer, Transfer::UpToDate, "{name}");
    }
}

#[test]
fn a_swapped_loose_object_in_the_cache_is_found() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "good")]);
    let id = repo.git(&["rev-parse", "main:bundle.yaml"]);
    let evil = fs::read(repo.loose(&repo.blob("evil"))).unwrap();
    let url = file_url(&repo);
    let cache = tempfile::tempdir().unwrap();
    asked(&url, "main").fetch(cache.path()).unwrap();
    // Unpack, then swap one object.
    let pack = packs(cache.path()).remove(0);
    let bytes = fs::read(&pack).unwrap();
    for ending in ["pack", "idx"] {
        fs::remove_file(pack.with_extension(ending)).unwrap();
    }
    let mut git = crate::support::repo::command("git");
    git.arg("-C")
        .arg(cached(cache.path()))
        .args(["unpack-objects", "-q"]);
    crate::support::repo::run(git, &bytes);
    let loose = cached(cache.path())
        .join("objects")
        .join(&id[..2])
        .join(&id[2..]);
    overwrite(&loose, &evil);
    let fetched = asked(&url, "main").fetch(cache.path()).unwrap();
    assert_eq!(
        text(&fetched.bundle, "bundle.yaml").as_deref(),
        Some("good")
    );
    assert!(matches!(fetched.transfer, Transfer::Received { .. }));
}

#[test]
fn what_a_killed_fetch_left_does_not_stop_the_next() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "one")]);
    let url = file_url(&repo);
    let cache = tempfile::tempdir().unwrap();
    asked(&url, "main").fetch(cache.path()).unwrap();
    let git = cached(cache.path());
    for leftover in [
        "shallow.lock",
        "packed-refs.lock",
        "config.lock",
        "objects/pack/.tmp-1",
        "objects/pack/tmp_pack_1",
        "refs/ordain/incoming/branch.lock",
        "refs/ordain/kept/x.lock",
    ] {
        fs::write(git.join(leftover), "").unwrap();
    }
    for name in fs::read_dir(git.join("refs/ordain/kept")).unwrap() {
        let path = name.unwrap().path();
        fs::write(path.with_extension("lock"), "").unwrap();
    }
    repo.commit(&[("bundle.yaml", "two")]);
    let fetched = asked(&url, "main").fetch(cache.path()).unwrap();
    assert_eq!(text(&fetched.bundle, "bundle.yaml").as_deref(), Some("two"));
    assert!(!git.join("shallow.lock").exists());
    assert!(!git.join("objects/pack/.tmp-1").exists());
}

#[test]
fn six_fetches_at_once_share_one_cache() {
    let repo = Repo::new();
    let id = repo.commit(&[("bundle.yaml", "one")]);
    let url = file_url(&repo);
    let cache = tempfile::tempdir().unwrap();
    let received = std::thread::scope(|scope| {
        let fetches: Vec<_> = (0..6)
            .map(|_| scope.spawn(|| asked(&url, "main").fetch(cache.path()).unwrap()))
            .collect();
        fetches
            .into_iter()
            .map(|fetch| fetch.join().unwrap())
            .inspect(|fetched| assert_eq!(commit(fetched), id))
            .filter(|fetched| fetched.transfer != Transfer::UpToDate)
            .count()
    });
    assert_eq!(received, 1, "the first downloads, the others find it");
}

#[test]
fn many_fetches_do_not_pile_up() {
    let repo = Repo::new();
    let url = file_url(&repo);
    let cache = tempfile::tempdir().unwrap();
    for n in 0..60 {
        repo.commit(&[("bundle.yaml", &n.to_string())]);
        let fetched = asked(&url, "main").fetch(cache.path()).unwrap();
        assert_eq!(text(&fetched.bundle, "bundle.yaml"), Some(n.to_string()));
    }
    assert!(packs(cache.path()).len() <= 52);
}

#[test]
fn a_silent_server_times_out_and_says_so() {
    let server = Server::silent();
    for scheme in ["git", "http"] {
        let url = format!("{scheme}://{}/repo", server.address);
        let cache = tempfile::tempdir().unwrap();
        let limits = Limits {
            stall: Duration::from_millis(300),
            ..Limits::default()
        };
        let started = Instant::now();
        let error = Asked {
            limits,
            ..asked(&url, "main")
        }
        .fetch(cache.path())
        .unwrap_err();
        assert!(matches!(error, FetchError::Stalled { .. }), "{error:?}");
        assert!(started.elapsed() < Duration::from_secs(3), "{scheme}");
    }
}

#[test]
fn a_dripping_server_times_out_and_can_be_interrupted() {
    let server = Server::start(|mut stream, _| {
        use std::io::Write as _;
        // A line of 65 516 bytes, one at a time.
        let _ = stream.write_all(b"fff0");
        while stream.write_all(b"x").is_ok() {
            std::thread::sleep(Duration::from_millis(20));
        }
    });
    let url = format!("git://{}/repo", server.address);
    let cache = tempfile::tempdir().unwrap();
    let limits = Limits {
        fetch_time: Duration::from_millis(400),
        ..Limits::default()
    };
    let error = Asked {
        limits,
        ..asked(&url, "main")
    }
    .fetch(cache.path())
    .unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error:?}");

    let interrupt = AtomicBool::new(false);
    let started = Instant::now();
    let error = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(Duration::from_millis(200));
            interrupt.store(true, Ordering::Relaxed);
        });
        asked(&url, "main").fetch_until(cache.path(), &interrupt)
    })
    .unwrap_err();
    assert!(matches!(error, FetchError::Interrupted { .. }), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_server_that_sends_too_much_is_cut_off() {
    let repo = Repo::new();
    let noise: String = (0..60_000u64)
        .map(|n| format!("{:x}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
        .collect();
    repo.commit(&[("bundle.yaml", &noise)]);
    let daemon = Server::git(repo.base());
    let http = Server::http(repo.base());
    for url in [
        file_url(&repo),
        format!("git://{}/repo/.git", daemon.address),
        format!("http://{}/repo/.git", http.address),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let limits = Limits {
            fetch_bytes: 100_000,
            ..Limits::default()
        };
        let error = Asked {
            limits,
            ..asked(&url, "main")
        }
        .fetch(cache.path())
        .unwrap_err();
        assert!(
            matches!(error, FetchError::TooManyBytes { limit: 100_000, .. }),
            "{url}: {error:?}"
        );
    }
}

#[test]
fn a_server_that_cannot_be_reached_or_has_no_repository_says_why() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "one")]);
    let daemon = Server::git(repo.base());
    let http = Server::http(repo.base());
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    for (url, said) in [
        (
            format!("git://{}/absent", daemon.address),
            "no such repository",
        ),
        (format!("http://{}/absent", http.address), "404"),
        (
            "file:///absent/repo".to_owned(),
            "not appear to be a git repository",
        ),
        (format!("git://{closed}/x"), "refused"),
        (format!("http://{closed}/x"), "refused"),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let error = asked(&url, "main").fetch(cache.path()).unwrap_err();
        assert!(matches!(error, FetchError::Unreachable { .. }), "{error:?}");
        assert!(error.to_string().contains(said), "{error}");
    }
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().display().to_string();
    let error = asked(&path, "main").fetch(empty.path()).unwrap_err();
    assert!(
        matches!(error, FetchError::NotARepository { .. }),
        "{error:?}"
    );
}

#[test]
fn credentials_never_reach_an_error() {
    let server = Server::canned(
        "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_owned(),
    );
    let url = format!("http://{}/repo", server.address);
    let cache = tempfile::tempdir().unwrap();
    let error = Asked {
        credentials: Some(Credentials::new("ada", "hunter2")),
        ..asked(&url, "main")
    }
    .fetch(cache.path())
    .unwrap_err();
    assert!(
        matches!(error, FetchError::Authentication { .. }),
        "{error:?}"
    );
    assert!(!format!("{error} {error:?}").contains("hunter2"));
}

#[test]
fn a_redirect_to_another_host_is_refused() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "one")]);
    let target = Server::http(repo.base());
    let redirect = Server::canned(format!(
        "HTTP/1.1 302 Found\r\nLocation: http://{}/repo/.git/info/refs?service=git-upload-pack\r\n\
         Content-Length: 0\r\nConnection: close\r\n\r\n",
        target.address
    ));
    let url = format!("http://{}/repo/.git", redirect.address);
    let cache = tempfile::tempdir().unwrap();
    let error = asked(&url, "main").fetch(cache.path()).unwrap_err();
    assert!(matches!(error, FetchError::Redirect { .. }), "{error:?}");
}

#[test]
fn what_a_server_says_cannot_steer_the_terminal() {
    let server = Server::start(|mut stream, _| {
        use std::io::{Read as _, Write as _};
        let _ = stream.read(&mut [0; 4096]);
        let line = "ERR \u{1b}[31mgo away";
        let _ = stream.write_all(format!("{:04x}{line}", line.len() + 4).as_bytes());
    });
    let url = format!("git://{}/repo", server.address);
    let cache = tempfile::tempdir().unwrap();
    let error = asked(&url, "main").fetch(cache.path()).unwrap_err();
    let shown = error.to_string();
    assert!(shown.contains("go away"), "{shown}");
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
}
