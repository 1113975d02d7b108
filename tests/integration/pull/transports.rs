//! The same pull over every transport.

use crate::support::organisation::Organisation;
use crate::support::servers::{Server, Sshd};

/// Pull, decide, pull again, follow the branch, and take the locked commit from an empty cache.
fn serves(world: &Organisation, url: &str) {
    world.publish("ONE");
    world.consumer("app", url, Some("main"));
    let first = world.pull("app", &[]);
    assert!(
        first.success().contains("is new, at revision 1.1"),
        "{first}"
    );
    assert_eq!(world.decided_by("app", &[]), "ONE");
    let again = world.pull("app", &[]);
    assert!(
        again
            .success()
            .contains("up to date at revision 1.1 (nothing downloaded)"),
        "{again}"
    );
    let lock = world.lockfile("app");

    let second = world.publish("TWO");
    assert_eq!(
        world.decided_by("app", &[]),
        "ONE",
        "eval takes what is locked"
    );
    std::fs::remove_dir_all(world.cache()).unwrap();
    assert_eq!(
        world.decided_by("app", &["--locked"]),
        "ONE",
        "from the locked commit"
    );
    assert_eq!(world.lockfile("app"), lock);
    let moved = world.pull("app", &[]);
    assert!(
        moved.success().contains("went from revision 1.1 to 1.2"),
        "{moved}"
    );
    assert_eq!(world.locked("app")["commit"], *second);
    assert_eq!(world.decided_by("app", &["--frozen"]), "TWO");
}

#[test]
fn local_path() {
    let world = Organisation::new();
    let path = world.repository().display().to_string();
    serves(&world, &path);
}

#[test]
fn relative_path() {
    serves(&Organisation::new(), "../policy");
}

#[test]
fn file_url() {
    let world = Organisation::new();
    serves(&world, &world.file_url());
}

#[test]
fn git_daemon() {
    let world = Organisation::new();
    let server = Server::git(&world.env.work());
    serves(&world, &format!("git://{}/policy/.git", server.address));
}

#[test]
fn http_backend() {
    let world = Organisation::new();
    let server = Server::http(&world.env.work());
    serves(&world, &format!("http://{}/policy/.git", server.address));
}

#[test]
fn sshd() {
    let mut world = Organisation::new();
    let sshd = Sshd::start();
    world
        .env
        .set("ORDAIN_SSH_COMMAND", sshd.command("user", "known"));
    let url = sshd.url(&world.repository());
    serves(&world, &url);
}

#[test]
fn a_server_that_is_gone_leaves_what_was_locked() {
    let world = Organisation::new();
    world.publish("ONE");
    let server = Server::git(&world.env.work());
    world.consumer(
        "app",
        &format!("git://{}/policy/.git", server.address),
        None,
    );
    world.pull("app", &[]).success();
    drop(server);
    let lock = world.lockfile("app");
    let refused = world.pull("app", &[]);
    assert_eq!(refused.status, Some(4), "{refused}");
    assert_eq!(world.lockfile("app"), lock);
    assert_eq!(world.decided_by("app", &[]), "ONE");
}
