//! Repositories made to deceive, and URLs made to run something.

use std::path::Path;

use ordain::bundle::{Limits, PathError};
use ordain::source::git::FetchError;
use ordain::source::{ContentError, GitRef, GitUrl, store::Store};

use super::{Asked, asked};
use crate::support::repo::Repo;

/// What both an in-place read and a fetch refuse `main` for; twice, so that the cache does not change the answer.
fn refused(repo: &Repo, limits: &Limits) -> ContentError {
    let path = repo.path().display().to_string();
    let mut errors = Vec::new();
    for url in [path.clone(), format!("file://{path}")] {
        let cache = tempfile::tempdir().unwrap();
        for _ in 0..2 {
            let error = Asked {
                limits: limits.clone(),
                ..asked(&url, "main")
            }
            .fetch(cache.path())
            .unwrap_err();
            match error {
                FetchError::Content(error) => errors.push(error),
                other => panic!("{url}: {other:?}"),
            }
        }
    }
    let first = errors.remove(0);
    assert!(
        errors.iter().all(|error| *error == first),
        "{first:?} {errors:?}"
    );
    first
}

/// What a commit of this raw tree is refused for.
fn tree(entries: &[(&str, &[u8])]) -> ContentError {
    let repo = Repo::new();
    let blob = repo.blob("x");
    let subtree = repo.git_with(&["mktree"], format!("100644 blob {blob}\tf\n").as_bytes());
    let entries: Vec<(&str, &[u8], &str)> = entries
        .iter()
        .map(|(mode, name)| {
            let id = if *mode == "40000" { &subtree } else { &blob };
            (*mode, *name, id.as_str())
        })
        .collect();
    repo.commit_raw_tree(&entries);
    refused(&repo, &Limits::default())
}

#[test]
fn entries_that_are_not_plain_files_are_refused() {
    assert!(matches!(tree(&[("120000", b"l")]), ContentError::Symlink { path } if path == "l"));
    assert!(matches!(tree(&[("100755", b"x")]), ContentError::Executable { path } if path == "x"));
    for mode in ["100664", "100600", "100777", "0100644", "60000"] {
        assert!(
            matches!(tree(&[(mode, b"m")]), ContentError::Special { mode: shown, .. } if shown == mode),
            "{mode}"
        );
    }
    let repo = Repo::new();
    let commit = repo.commit(&[("a", "a")]);
    repo.commit_raw_tree(&[("160000", b"module", &commit)]);
    assert!(matches!(
        refused(&repo, &Limits::default()),
        ContentError::Gitlink { .. }
    ));
}

#[test]
fn deceiving_names_are_refused() {
    for name in [&b".."[..], b"."] {
        let error = tree(&[("100644", name)]);
        assert!(
            matches!(error, ContentError::Path(PathError::Traversal { .. })),
            "{error:?}"
        );
    }
    for name in [&b"a/b"[..], b"../x", b"/etc/x"] {
        let error = tree(&[("100644", name)]);
        assert!(matches!(error, ContentError::Slash { .. }), "{error:?}");
    }
    for name in [&b".git"[..], b".GIT", b".gitmodules", b"git~1"] {
        let error = tree(&[("100644", name)]);
        assert!(
            matches!(error, ContentError::Path(PathError::GitReserved { .. })),
            "{error:?}"
        );
    }
    assert!(matches!(
        tree(&[("40000", b".git")]),
        ContentError::Path(PathError::GitReserved { .. })
    ));
    assert!(matches!(
        tree(&[("100644", b"a\xff")]),
        ContentError::Path(PathError::NotUtf8 { .. })
    ));
    assert!(matches!(
        tree(&[("100644", b"a\x1b[31m")]),
        ContentError::Path(PathError::Character { .. })
    ));
    for names in [
        [("100644", &b"A.yaml"[..]), ("100644", b"a.yaml")],
        [("100644", b"D"), ("40000", b"d")],
    ] {
        assert!(matches!(
            tree(&names),
            ContentError::Path(PathError::Twins { .. })
        ));
    }
}

#[test]
fn trees_that_readers_disagree_on_are_refused() {
    for names in [
        [("100644", &b"a"[..]), ("100644", b"a")],
        [("100644", b"a"), ("40000", b"a")],
    ] {
        let error = tree(&names);
        assert!(
            matches!(
                error,
                ContentError::Duplicate { .. } | ContentError::Path(PathError::Twins { .. })
            ),
            "{error:?}"
        );
    }
    assert!(matches!(
        tree(&[("100644", b"b"), ("100644", b"a")]),
        ContentError::Unsorted { path } if path == "a"
    ));
}

#[test]
fn caps_hold_before_anything_is_trusted() {
    let repo = Repo::new();
    repo.commit(&[("a/b/c", "12345"), ("d", "123"), ("e", "1")]);
    let most = Limits::default;
    assert_eq!(
        refused(&repo, &Limits { files: 2, ..most() }),
        ContentError::TooManyFiles { limit: 2 }
    );
    let small = Limits {
        file_bytes: 4,
        ..most()
    };
    assert!(matches!(
        refused(&repo, &small),
        ContentError::TooLarge {
            size: 5,
            limit: 4,
            ..
        }
    ));
    let small = Limits {
        total_bytes: 8,
        ..most()
    };
    assert_eq!(
        refused(&repo, &small),
        ContentError::TooManyBytes { limit: 8 }
    );
    assert!(matches!(
        refused(&repo, &Limits { depth: 1, ..most() }),
        ContentError::TooDeep { limit: 1, .. }
    ));
    let few = Limits {
        objects: 5,
        ..most()
    };
    assert_eq!(
        refused(&repo, &few),
        ContentError::TooManyObjects { limit: 5 }
    );
}

#[test]
fn an_object_beyond_the_allocation_limit_is_not_allocated() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", &"x".repeat(1 << 20))]);
    let url = format!("file://{}", repo.path().display());
    let cache = tempfile::tempdir().unwrap();
    let limits = Limits {
        object_bytes: 1 << 16,
        ..Limits::default()
    };
    let error = Asked {
        limits,
        ..asked(&url, "main")
    }
    .fetch(cache.path())
    .unwrap_err();
    assert!(!error.to_string().is_empty());
}

#[test]
fn nothing_in_a_url_or_ref_runs() {
    let directory = tempfile::tempdir().unwrap();
    let marker = directory.path().join("marker");
    let touch = format!("touch {}", marker.display());
    for url in [
        format!("ext::sh -c {touch}"),
        format!("ext::{touch}"),
        format!("-oProxyCommand={touch}"),
        format!("ssh://-oProxyCommand={touch}/x"),
        format!("ssh://-oProxyCommand={}@h/x", touch.replace(' ', "%20")),
        format!("--upload-pack={touch}"),
        format!("host:--upload-pack={touch}"),
        format!("-oProxyCommand={touch}@h:x"),
        "fd::3".to_owned(),
    ] {
        assert!(url.parse::<GitUrl>().is_err(), "{url}");
    }
    for reference in [format!("--upload-pack={touch}"), format!("main;{touch}")] {
        assert!(reference.parse::<GitRef>().is_err(), "{reference}");
    }
    // A path that a shell would run, as far as it gets: through `git upload-pack`, and through ssh's command line.
    let url = format!("file:///x;{};", marker.display());
    let cache = tempfile::tempdir().unwrap();
    assert!(asked(&url, "main").fetch(cache.path()).is_err());
    let url = format!("ssh://h/x';{};'", touch.replace(' ', "%20"));
    let error = Asked {
        ssh: Some("false".to_owned()),
        ..asked(&url, "main")
    }
    .fetch(cache.path());
    assert!(error.is_err());
    assert!(!marker.exists());
}

#[test]
fn hooks_and_configuration_of_a_local_repository_are_not_run() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "x")]);
    let marker = repo.base().join("marker");
    let touch = format!("touch {}", marker.display());
    for key in [
        "core.fsmonitor",
        "core.sshCommand",
        "uploadpack.packObjectsHook",
        "credential.helper",
    ] {
        repo.git(&["config", key, &touch]);
    }
    for hook in [
        "post-checkout",
        "reference-transaction",
        "post-index-change",
    ] {
        let path = repo.path().join(".git/hooks").join(hook);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = repo.path().display().to_string();
    for url in [path.clone(), format!("file://{path}")] {
        let cache = tempfile::tempdir().unwrap();
        asked(&url, "main").fetch(cache.path()).unwrap();
    }
    assert!(!marker.exists());
}

#[test]
fn replaced_objects_are_not_read() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "good")]);
    let good = repo.git(&["rev-parse", "main:bundle.yaml"]);
    let evil = repo.blob("evil");
    repo.git(&["replace", &good, &evil]);
    let path = repo.path().display().to_string();
    let cache = tempfile::tempdir().unwrap();
    for url in [path.clone(), format!("file://{path}")] {
        let fetched = asked(&url, "main").fetch(cache.path()).unwrap();
        assert_eq!(
            super::text(&fetched.bundle, "bundle.yaml").as_deref(),
            Some("good")
        );
    }
}

#[test]
fn a_relative_path_is_not_resolved_against_wherever_we_are() {
    let error = asked("some/repo", "main")
        .fetch(Path::new("/nonexistent"))
        .unwrap_err();
    assert!(
        matches!(error, FetchError::RelativePath { .. }),
        "{error:?}"
    );
}

#[test]
fn a_fetched_bundle_goes_through_the_store_unchanged() {
    let repo = Repo::new();
    repo.commit(&[
        ("bundle.yaml", "x"),
        ("bundle.dsse.json", "{}"),
        ("policies/a.yaml", "a"),
    ]);
    let url = repo.path().display().to_string();
    let cache = tempfile::tempdir().unwrap();
    let fetched = asked(&url, "main").fetch(cache.path()).unwrap();
    let store = Store::new(cache.path());
    let payload = ordain::digest::Sha256Digest::of(b"payload");
    store.insert(&payload, &fetched.bundle).unwrap();
    let loaded = store.load(&payload, &Limits::default()).unwrap().unwrap();
    assert_eq!(loaded.files, fetched.bundle.files);
    assert_eq!(loaded.envelope, fetched.bundle.envelope);
    assert_eq!(loaded.origin.commit(), fetched.bundle.origin.commit());
}
