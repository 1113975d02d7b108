//! Pulls at once: one waits for the other, and policy never goes back.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::support::organisation::{Organisation, fails};
use crate::support::servers::Server;

#[test]
fn six_pulls_at_once_all_succeed_and_agree() {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), None);
    let pulls: Vec<_> = (0..6)
        .map(|_| {
            let mut pull = world.silent("app", &["bundle", "pull"]);
            pull.stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for pull in pulls {
        let output = pull.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{said}");
    }
    assert_eq!(world.locked("app")["revision"], 1);
    assert_eq!(world.decided_by("app", &["--frozen"]), "ONE");
}

#[test]
fn pulls_of_different_revisions_never_take_the_lockfile_back() {
    let world = Organisation::new();
    let commits: Vec<String> = (1..=8)
        .map(|n| world.publish(&format!("REV_{n}")))
        .collect();
    world.consumer("app", &world.file_url(), None);
    let branch = world.repository().join(".git/refs/heads/main");
    let revision = || world.locked("app")["revision"].as_u64().unwrap();
    // As Git does it: nobody sees half a ref.
    let point = |index: usize| {
        let next = branch.with_extension("lock");
        std::fs::write(&next, format!("{}\n", commits[index])).unwrap();
        std::fs::rename(&next, &branch).unwrap();
    };
    point(0);
    world.pull("app", &[]).success();
    let mut highest = 1;
    for new in 1..commits.len() {
        // Two pulls while the branch goes forth and back: whatever order they run in, the lower one loses.
        let start = |index: usize| {
            point(index);
            world.silent("app", &["bundle", "pull"]).spawn().unwrap()
        };
        let mut pulls = vec![start(new)];
        std::thread::sleep(Duration::from_millis(new as u64 * 7));
        pulls.push(start(new - 1));
        for pull in &mut pulls {
            while pull.try_wait().unwrap().is_none() {
                assert!(revision() >= highest);
                highest = highest.max(revision());
            }
            let status = pull.wait().unwrap().code();
            assert!([Some(0), Some(3)].contains(&status), "{status:?}");
        }
        assert!(revision() >= highest);
        highest = revision();
        assert_eq!(world.mark(), Some(highest));
    }
}

#[test]
fn two_projects_of_one_machine_share_its_marks() {
    let world = Organisation::new();
    let old = world.publish("OLD");
    world.publish("NEW");
    world.consumer("one", &world.file_url(), None);
    world.consumer("two", &world.file_url(), Some(&old));
    world.pull("one", &[]).success();
    let refused = world.pull("two", &[]);
    fails(&refused, 3, "E-TRUST-020");
    assert!(!world.env.work().join("two/ordain.lock").exists());
}

#[test]
fn deciding_does_not_wait_for_a_pull_that_hangs() {
    let world = Organisation::new();
    world.publish("ONE");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    let silent = Server::silent();
    let url = format!("git://{}/policy", silent.address);
    world.consumer("hanging", &url, None);
    let mut hanging = world
        .silent("hanging", &["bundle", "pull"])
        .spawn()
        .unwrap();
    let started = Instant::now();
    while silent.connections.load(std::sync::atomic::Ordering::SeqCst) == 0 {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "it never connects"
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    let lock = world.lockfile("app");
    for flags in [&[][..], &["--locked"], &["--frozen"]] {
        assert_eq!(world.decided_by("app", flags), "ONE");
    }
    assert!(hanging.try_wait().unwrap().is_none(), "the pull goes on");
    assert_eq!(world.lockfile("app"), lock);

    // Told to end, it ends, and says that it was told.
    let mut kill = world.env.command("kill");
    kill.arg("-TERM").arg(hanging.id().to_string());
    world.env.run(kill, b"").success();
    let status = hanging.wait().unwrap();
    assert_eq!(status.code(), Some(70), "{status}");
    assert!(!world.env.work().join("hanging/ordain.lock").exists());
}

#[test]
fn deciding_while_pulls_go_on_always_takes_one_whole_revision() {
    let world = Organisation::new();
    world.publish("REV_1");
    world.consumer("app", &world.file_url(), None);
    world.pull("app", &[]).success();
    std::thread::scope(|scope| {
        let decided = scope.spawn(|| {
            let mut last = 1;
            for _ in 0..25 {
                let code = world.decided_by("app", &[]);
                let revision = code.trim_start_matches("REV_").parse::<u32>().unwrap();
                assert!(revision >= last, "{revision} after {last}");
                last = revision;
            }
        });
        for revision in 2.. {
            if decided.is_finished() {
                break;
            }
            world.publish(&format!("REV_{revision}"));
            world.pull("app", &[]).success();
        }
    });
}
