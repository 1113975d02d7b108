//! A pull that is killed leaves the old bundle active or the new one, never a mixture, and nothing that piles up.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use crate::support::disaster::{End, kill_at_random_moments};
use crate::support::organisation::{Organisation, files_below};

/// Pulls of each of two machines that work side by side. Four of five are killed before they end by themselves.
const PULLS: u32 = 125;

/// Where the kills landed.
#[derive(Debug, Default)]
struct Landed {
    /// The new bundle was nowhere yet.
    before_the_store: u32,
    /// It was in the store, and the old one still active.
    before_the_lockfile: u32,
    /// The new one was active, the mark still the old one.
    before_the_mark: u32,
    /// Everything had been written.
    after_all: u32,
    /// The program was faster.
    missed: u32,
}

impl Landed {
    fn add(&mut self, other: &Self) {
        self.before_the_store += other.before_the_store;
        self.before_the_lockfile += other.before_the_lockfile;
        self.before_the_mark += other.before_the_mark;
        self.after_all += other.after_all;
        self.missed += other.missed;
    }
}

fn machine(seed: u64) -> Landed {
    let world = Organisation::new();
    let commits: Vec<String> = (0..=PULLS + 3)
        .map(|n| world.publish(&format!("REV_{n}")))
        .collect();
    let branch = world.repository().join(".git/refs/heads/main");
    let point_to = |index: usize| std::fs::write(&branch, format!("{}\n", commits[index])).unwrap();
    world.consumer("app", &world.file_url(), Some("main"));
    let mut took = Duration::ZERO;
    for index in 0..4 {
        point_to(index);
        let started = Instant::now();
        world.pull("app", &[]).success();
        took = if index < 2 {
            Duration::ZERO
        } else {
            took.max(started.elapsed())
        };
    }
    let mut landed = Landed::default();
    let stored = || {
        files_below(&world.cache().join("store/v1"))
            .iter()
            .filter(|file| file.extension().is_some_and(|end| end == "bundle"))
            .count()
    };
    let old = RefCell::new((String::new(), None, 0));
    let start = |index: usize| {
        *old.borrow_mut() = (world.lockfile("app"), world.mark(), stored());
        point_to(index);
        world.silent("app", &["bundle", "pull"])
    };
    let check = |index: usize, end: End| {
        let (old_lock, old_mark, old_stored) = old.borrow().clone();
        let (lock, mark) = (world.lockfile("app"), world.mark());
        assert!(
            mark >= old_mark,
            "the mark went from {old_mark:?} to {mark:?}"
        );
        let kept = stored() > old_stored;
        let decided_by = world.decided_by("app", &["--frozen"]);
        assert_eq!(world.lockfile("app"), lock, "--frozen changes nothing");
        let output = world.pull("app", &[]);
        output.success();
        let new_lock = world.lockfile("app");
        let revision = index as u64 + 1;
        assert_eq!(world.locked("app")["revision"], revision);
        assert_eq!(world.mark(), Some(revision));
        if lock == old_lock {
            assert_eq!(decided_by, format!("REV_{}", index - 1));
        } else {
            assert_eq!(
                lock, new_lock,
                "the lockfile is neither the old one nor the new one"
            );
            assert_eq!(decided_by, format!("REV_{index}"));
        }
        *match (end, lock == old_lock, kept, mark == old_mark) {
            (End::ByItself, ..) => &mut landed.missed,
            (End::Killed, true, false, _) => &mut landed.before_the_store,
            (End::Killed, true, true, _) => &mut landed.before_the_lockfile,
            (End::Killed, false, _, true) => &mut landed.before_the_mark,
            (End::Killed, false, _, false) => &mut landed.after_all,
        } += 1;
    };
    kill_at_random_moments(seed, 4..commits.len(), took, start, check);
    let places = [world.cache(), world.state(), world.env.work().join("app")];
    let files: Vec<_> = places.iter().flat_map(|place| files_below(place)).collect();
    let left: Vec<_> = files
        .iter()
        .filter(|file| {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            name.contains("tmp")
                || (name.ends_with(".lock") && !["ordain.lock", "pull.lock"].contains(&&*name))
        })
        .collect();
    assert!(left.len() <= 3, "left behind: {left:#?}");
    let git = files_below(&world.cache().join("git"));
    assert!(git.len() < 250, "the cache grows without bound: {git:#?}");
    landed
}

#[test]
fn a_killed_pull_leaves_the_old_bundle_active_or_the_new_one() {
    let other = std::thread::spawn(|| machine(2));
    let mut landed = machine(1);
    landed.add(&other.join().unwrap());
    println!("{landed:?}");
    let before = landed.before_the_store + landed.before_the_lockfile;
    let after = landed.before_the_mark + landed.after_all;
    assert!(before > 0 && after > 0, "{landed:?}");
    assert!(before + after >= 150, "{landed:?}");
}
