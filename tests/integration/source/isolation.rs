//! Nothing around a fetch steers it: not the environment, not the user's configuration, not the repository's own. Whatever
//! runs a command there writes a canary.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use ordain::bundle::Limits;

use super::{Asked, asked, commit, text};
use crate::support::organisation::Organisation;
use crate::support::repo::{Repo, command, run};

/// A program that writes the canary, whatever it is called with.
fn program(path: &Path, canary: &Path) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let text = format!(
        "#!/bin/sh\necho \"$0 $*\" >> '{}'\nexit 1\n",
        canary.display()
    );
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[track_caller]
fn silent(canary: &Path, what: &str) {
    let said = std::fs::read_to_string(canary);
    assert!(said.is_err(), "{what} ran {}", said.unwrap());
}

/// Keys of Git's configuration that name something to run, or another place.
fn hostile_configuration(touch: &str, elsewhere: &str) -> String {
    format!(
        "[core]\n fsmonitor = {touch}\n sshCommand = {touch}\n gitProxy = {touch}\n askPass = {touch}\n pager = {touch}\n \
         editor = {touch}\n hooksPath = {elsewhere}\n alternateRefsCommand = {touch}\n worktree = {elsewhere}\n\
         [uploadpack]\n packObjectsHook = {touch}\n allowFilter = true\n\
         [credential]\n helper = !{touch}\n\
         [gpg]\n program = {touch}\n[gpg \"ssh\"]\n program = {touch}\n defaultKeyCommand = {touch}\n\
         [filter \"x\"]\n smudge = {touch}\n process = {touch}\n[diff]\n external = {touch}\n\
         [protocol]\n allow = always\n[protocol \"ext\"]\n allow = always\n\
         [alias]\n upload-pack = !{touch}\n\
         [url \"{elsewhere}\"]\n insteadOf = /\n insteadOf = file://\n insteadOf = git://\n"
    )
}

#[test]
fn the_environment_and_the_users_configuration_steer_nothing() {
    let org = Organisation::new();
    org.publish("ONE");
    let canary = org.env.root().join("canary");
    let touch = org.env.root().join("touch");
    program(&touch, &canary);
    let bin = org.env.root().join("libexec");
    for name in [
        "git-upload-pack",
        "git-pack-objects",
        "git-remote-ext",
        "git",
    ] {
        program(&bin.join(name), &canary);
    }
    let touch = touch.display().to_string();
    let elsewhere = org.env.root().join("elsewhere").display().to_string();
    let evil = hostile_configuration(&touch, &elsewhere);
    org.env.write("../home/.gitconfig", &evil);
    org.env.write("../home/.config/git/config", &evil);
    let config = org.env.write("../evil.config", &evil).display().to_string();
    let trace = canary.display().to_string();
    let repository = org.repository().display().to_string();
    let ssh = format!("ssh://127.0.0.1:1{repository}");
    for (variables, url) in [
        (vec![], org.file_url()),
        (vec![("GIT_DIR", elsewhere.as_str())], org.file_url()),
        (
            vec![
                ("GIT_WORK_TREE", &elsewhere),
                ("GIT_COMMON_DIR", &elsewhere),
            ],
            org.file_url(),
        ),
        (vec![("GIT_OBJECT_DIRECTORY", &elsewhere)], org.file_url()),
        (
            vec![("GIT_ALTERNATE_OBJECT_DIRECTORIES", &elsewhere)],
            org.file_url(),
        ),
        (vec![("GIT_CONFIG_GLOBAL", config.as_str())], org.file_url()),
        (
            vec![("GIT_CONFIG_SYSTEM", &config), ("GIT_CONFIG_NOSYSTEM", "0")],
            org.file_url(),
        ),
        (
            vec![
                ("GIT_CONFIG_COUNT", "2"),
                ("GIT_CONFIG_KEY_0", "uploadpack.packObjectsHook"),
                ("GIT_CONFIG_VALUE_0", &touch),
                ("GIT_CONFIG_KEY_1", "include.path"),
                ("GIT_CONFIG_VALUE_1", &config),
            ],
            org.file_url(),
        ),
        (
            vec![(
                "GIT_CONFIG_PARAMETERS",
                "'uploadpack.packobjectshook=touch /tmp/x'",
            )],
            org.file_url(),
        ),
        (
            vec![("GIT_EXEC_PATH", bin.to_str().unwrap())],
            org.file_url(),
        ),
        (
            vec![
                ("GIT_TRACE", &trace),
                ("GIT_TRACE2", &trace),
                ("GIT_TRACE_PACKET", &trace),
            ],
            org.file_url(),
        ),
        (
            vec![("GIT_TEMPLATE_DIR", &elsewhere), ("GIT_NAMESPACE", "x")],
            org.file_url(),
        ),
        (
            vec![("GIT_SHALLOW_FILE", &config), ("GIT_GRAFT_FILE", &config)],
            org.file_url(),
        ),
        (
            vec![("GIT_REPLACE_REF_BASE", "refs/heads/")],
            org.file_url(),
        ),
        (
            vec![
                ("GIT_ALLOW_PROTOCOL", "ext"),
                ("GIT_PROTOCOL_FROM_USER", "1"),
            ],
            org.file_url(),
        ),
        (
            vec![
                ("GIT_SSH_COMMAND", &touch),
                ("GIT_SSH", &touch),
                ("GIT_PROXY_COMMAND", &touch),
            ],
            ssh,
        ),
    ] {
        for url in [url.clone(), repository.clone()] {
            let fingerprint = format!("--fingerprint={}", org.fingerprint);
            let mut ordain = org.env.command(crate::support::env::binary());
            // The tests' own protection is taken away.
            for name in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"] {
                ordain.env_remove(name);
            }
            ordain.envs(variables.iter().copied());
            ordain.env("XDG_CACHE_HOME", tempfile::tempdir().unwrap().path());
            ordain.args(["bundle", "pull", &url, "--ref=main", "--path=bundles/acme"]);
            ordain.args(["--trust-root=trust", &fingerprint]);
            let output = org.env.run(ordain, b"");
            silent(&canary, &format!("{variables:?} {url}"));
            if url.starts_with("ssh") {
                assert_eq!(output.status, Some(4), "{output}");
            } else {
                assert!(
                    output.success().contains("bundle acme"),
                    "{variables:?} {output}"
                );
            }
        }
    }
    // An `ext` URL is refused before any of it matters.
    let mut ordain = org.env.command(crate::support::env::binary());
    ordain.env("GIT_ALLOW_PROTOCOL", "ext");
    ordain.args([
        "bundle",
        "verify",
        &format!("ext::{touch}"),
        "--trust-root=trust",
    ]);
    ordain.arg(format!("--fingerprint={}", org.fingerprint));
    let output = org.env.run(ordain, b"");
    assert_eq!(output.status, Some(2), "{output}");
    assert!(output.stderr.contains("E-SOURCE-002"), "{output}");
    silent(&canary, "ext");
}

/// What reads `main` in place and by `git upload-pack`, in a repository made by `change`.
fn read_both(change: impl Fn(&Repo, &Path, &str)) -> Vec<Result<String, String>> {
    let repo = Repo::new();
    let id = repo.commit(&[("bundle.yaml", "good")]);
    let canary = repo.base().join("canary");
    let touch = repo.base().join("touch");
    program(&touch, &canary);
    change(&repo, &canary, &touch.display().to_string());
    let path = repo.path().display().to_string();
    let found = [path.clone(), format!("file://{path}")].map(|url| {
        let cache = tempfile::tempdir().unwrap();
        let fetched = asked(&url, "main").fetch(cache.path());
        silent(&canary, &url);
        fetched
            .map(|fetched| {
                assert_eq!(commit(&fetched), id, "{url}");
                text(&fetched.bundle, "bundle.yaml").unwrap()
            })
            .map_err(|error| error.code().id.to_owned())
    });
    found.into()
}

fn good() -> Vec<Result<String, String>> {
    vec![Ok("good".to_owned()), Ok("good".to_owned())]
}

#[test]
fn the_configuration_of_a_repository_runs_nothing() {
    let found = read_both(|repo, canary, touch| {
        let elsewhere = repo.base().join("hooks");
        for hook in [
            "post-checkout",
            "reference-transaction",
            "pre-upload-pack",
            "post-upload-pack",
        ] {
            program(&elsewhere.join(hook), canary);
            program(&repo.path().join(".git/hooks").join(hook), canary);
        }
        let evil = hostile_configuration(touch, &elsewhere.display().to_string());
        let included = repo.base().join("included");
        std::fs::write(&included, &evil).unwrap();
        let config = repo.path().join(".git/config");
        let own = std::fs::read_to_string(&config).unwrap();
        let include = format!("[include]\n path = {}\n", included.display());
        std::fs::write(&config, format!("{own}{evil}{include}")).unwrap();
        std::fs::write(repo.path().join(".gitattributes"), "* filter=x\n").unwrap();
    });
    assert_eq!(found, good());
}

#[test]
fn a_promisor_is_not_asked_for_what_is_missing() {
    let found = read_both(|repo, _, touch| {
        for (key, value) in [
            ("core.repositoryFormatVersion", "1"),
            ("extensions.partialClone", "origin"),
            ("remote.origin.promisor", "true"),
            ("remote.origin.url", &format!("ext::{touch}")),
            ("remote.origin.uploadpack", touch),
            ("protocol.ext.allow", "always"),
        ] {
            repo.git(&["config", key, value]);
        }
        let blob = repo.git(&["rev-parse", "main:bundle.yaml"]);
        std::fs::remove_file(repo.loose(&blob)).unwrap();
    });
    assert_eq!(
        found,
        [
            Err("E-SOURCE-021".to_owned()),
            Err("E-SOURCE-010".to_owned())
        ]
    );
}

#[test]
fn grafts_shallow_files_and_replaced_commits_change_nothing() {
    let evil_commit = |repo: &Repo| {
        let good = repo.git(&["rev-parse", "main"]);
        std::fs::write(repo.path().join("bundle.yaml"), "evil").unwrap();
        repo.git(&["add", "-A"]);
        let tree = repo.git(&["write-tree"]);
        let evil = repo.git(&["commit-tree", &tree, "-m", "evil"]);
        (good, evil)
    };
    let found = read_both(|repo, _, _| {
        let (good, evil) = evil_commit(repo);
        let info = repo.path().join(".git/info");
        std::fs::create_dir_all(&info).unwrap();
        std::fs::write(info.join("grafts"), format!("{good} {evil}\n")).unwrap();
    });
    assert_eq!(found, good());
    let found = read_both(|repo, _, _| {
        let (good, _) = evil_commit(repo);
        std::fs::write(repo.path().join(".git/shallow"), format!("{good}\n")).unwrap();
    });
    assert_eq!(found, good());
    let found = read_both(|repo, _, _| {
        let (good, evil) = evil_commit(repo);
        repo.git(&["replace", &good, &evil]);
    });
    assert_eq!(found, good());
}

#[test]
fn objects_from_alternates_are_checked_like_any_other() {
    for is_sound in [true, false] {
        let found = read_both(|repo, _, _| {
            let objects = repo.path().join(".git/objects");
            let other = repo.base().join("other-objects");
            let blob = repo.git(&["rev-parse", "main:bundle.yaml"]);
            let from = if is_sound {
                blob.clone()
            } else {
                repo.blob("evil")
            };
            let from = repo.loose(&from);
            let to = other.join(&blob[..2]).join(&blob[2..]);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(from, to).unwrap();
            std::fs::remove_file(repo.loose(&blob)).unwrap();
            std::fs::create_dir_all(objects.join("info")).unwrap();
            let line = format!("{}\n", other.display());
            std::fs::write(objects.join("info/alternates"), line).unwrap();
        });
        if is_sound {
            assert_eq!(found, good());
        } else {
            let code = |id: &str| Err(id.to_owned());
            assert_eq!(found, [code("E-SOURCE-021"), code("E-SOURCE-013")]);
        }
    }
}

#[test]
fn a_configuration_that_never_ends_is_not_waited_for() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "good")]);
    let pipe = repo.base().join("pipe");
    let mut mkfifo = command("mkfifo");
    mkfifo.arg(&pipe);
    run(mkfifo, b"");
    let config = repo.path().join(".git/config");
    let own = std::fs::read_to_string(&config).unwrap();
    let include = format!("[include]\n path = {}\n", pipe.display());
    std::fs::write(&config, format!("{own}{include}")).unwrap();
    let path = repo.path().display().to_string();
    let cache = tempfile::tempdir().unwrap();
    // What it includes is not read in place, and `git upload-pack`, which reads it, has a deadline.
    asked(&path, "main").fetch(cache.path()).unwrap();
    let url = format!("file://{path}");
    let limits = Limits {
        stall: Duration::from_secs(1),
        ..Limits::default()
    };
    let error = Asked {
        limits,
        ..asked(&url, "main")
    }
    .fetch(cache.path())
    .unwrap_err();
    assert_eq!(error.code().id, "E-SOURCE-011");
}

#[test]
fn a_repository_of_another_user_is_not_served_and_read_in_place() {
    let repo = Repo::new();
    repo.commit(&[("bundle.yaml", "good")]);
    let path = repo.path().display().to_string();
    let mut chown = command("chown");
    chown.args(["-R", "nobody", &path]);
    if !chown.output().is_ok_and(|output| output.status.success()) {
        // Only root gives files away.
        return;
    }
    let cache = tempfile::tempdir().unwrap();
    asked(&path, "main").fetch(cache.path()).unwrap();
    let error = asked(&format!("file://{path}"), "main").fetch(cache.path());
    let said = error.unwrap_err().to_string();
    assert!(said.contains("without `file://`"), "{said}");
}
