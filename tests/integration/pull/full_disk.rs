//! A disk that fills up at any write of a pull, or of a decision, leaves the old state or the new one, and says so.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::support::Output;
use crate::support::disaster::{Mounting, Scarce, Survey, failed_well, fill_up, may_mount};
use crate::support::organisation::{BUNDLE, Organisation, fails, files_below};
use crate::support::servers::Server;

/// A consumer at revision 1 of a publisher who is at revision 2, and what both machines held then.
struct Site {
    world: Organisation,
    _server: Server,
    saved: PathBuf,
    /// The lockfiles before and after.
    locks: [String; 2],
}

/// Kilobytes that look random, the same ones every time.
fn noise(kilobytes: u32) -> Vec<u8> {
    let block = |number: u32| Sha256::digest(number.to_le_bytes()).to_vec();
    (0..kilobytes * 32).flat_map(block).collect()
}

fn copy(from: &Path, to: &Path) {
    let mut command = std::process::Command::new("cp");
    command.arg("-a").arg(from).arg(to);
    assert!(command.status().unwrap().success());
}

impl Site {
    fn new() -> Self {
        let world = Organisation::new();
        // A server, so that the cache receives a pack; and files of several pages, which no compression makes small.
        let server = Server::git(&world.env.work());
        world.env.write(format!("{BUNDLE}/noise"), noise(12));
        world.publish("ONE");
        world.consumer(
            "app",
            &format!("git://{}/policy/.git", server.address),
            Some("main"),
        );
        world.pull("app", &[]).success();
        world.decided_by("app", &["--frozen"]);
        let old = world.lockfile("app");
        world.env.write(format!("{BUNDLE}/more"), noise(24));
        world.publish("TWO");
        let saved = world.env.root().join("saved");
        fs::create_dir(&saved).unwrap();
        copy(&world.env.home(), &saved.join("home"));
        copy(&world.env.work().join("app"), &saved.join("app"));
        world.pull("app", &[]).success();
        let new = world.lockfile("app");
        let site = Self {
            world,
            _server: server,
            saved,
            locks: [old, new],
        };
        site.prepare();
        site
    }

    /// Revision 1 is active, everywhere.
    fn prepare(&self) {
        let places = [
            (self.world.env.home(), "home"),
            (self.world.env.work().join("app"), "app"),
        ];
        for (place, name) in places {
            fs::remove_dir_all(&place).unwrap();
            copy(&self.saved.join(name), &place);
        }
    }

    /// What is active: the lockfile is the old one or the new one, whole, the mark is not above it, and the bundle of that
    /// revision passes every check, without a write.
    fn is_old_or_new(&self) -> usize {
        let lock = self.world.lockfile("app");
        let which = self.locks.iter().position(|known| *known == lock);
        let which = which.unwrap_or_else(|| panic!("neither old nor new: {lock}"));
        let mark = self.world.mark().unwrap();
        assert!(mark <= which as u64 + 1, "the mark is ahead: {mark}");
        let shown = ["policy", "resolve", "--frozen"];
        self.world.env.ordain_in("app", shown).success();
        which
    }

    /// A pull with too little room, for every amount that is too little.
    fn pull(&self, place: &Path, scarce: Scarce) -> (Survey, [u32; 2]) {
        let mut found = [0; 2];
        let survey = fill_up(
            place,
            scarce,
            || self.prepare(),
            || self.world.pull("app", &[]),
            |_| found[self.is_old_or_new()] += 1,
        );
        // With room, nothing is left of what failed.
        self.prepare();
        (survey, found)
    }
}

/// The name that the test harness knows a test by.
fn name(test: &str) -> String {
    format!("pull::full_disk::{test}")
}

#[test]
fn a_pull_onto_a_full_disk_leaves_the_old_bundle_active_or_the_new_one() {
    let test = name("a_pull_onto_a_full_disk_leaves_the_old_bundle_active_or_the_new_one");
    if may_mount(&test) != Mounting::Here {
        return;
    }
    let site = Site::new();
    let project = site.world.env.work().join("app");
    for scarce in [Scarce::Bytes, Scarce::Files] {
        // Nothing refers to what is in the cache, so the old one is active whatever became of it.
        let (cache, [old, new]) = site.pull(&site.world.cache(), scarce);
        assert!(cache.failures > 3 && old > 0 && new == 0, "{cache:?}");
        // The lockfile is what activates.
        let (project, [old, new]) = site.pull(&project, scarce);
        assert!(project.failures > 0 && old > 0 && new == 0, "{project:?}");
        assert!(project.codes.contains("E-CONFIG-005"), "{project:?}");
        // The mark rises after the lockfile was written, which then goes back.
        let (state, [old, new]) = site.pull(&site.world.state(), scarce);
        assert!(state.failures > 0 && old > 0 && new == 0, "{state:?}");
        assert!(state.codes.contains("E-SOURCE-042"), "{state:?}");
        // A first pull that fails there leaves no lockfile at all.
        let lock = site.world.env.work().join("app/ordain.lock");
        let first = || {
            site.prepare();
            fs::remove_file(&lock).unwrap();
        };
        let pull = || site.world.pull("app", &[]);
        let survey = fill_up(&site.world.state(), scarce, first, pull, |_| {
            assert!(!lock.exists());
        });
        assert!(survey.failures > 0);
        println!("{scarce:?}: cache {cache:?}, project {project:?}, state {state:?}");
    }
}

/// A decision that cannot be recorded is a denial, and the log stays one that verifies.
#[test]
fn a_full_disk_denies_what_cannot_be_recorded() {
    let test = name("a_full_disk_denies_what_cannot_be_recorded");
    if may_mount(&test) != Mounting::Here {
        return;
    }
    let site = Site::new();
    let log = site.world.env.work().join("app/.ordain/log");
    let verify = || site.world.env.ordain_in("app", ["log", "verify"]);
    for scarce in [Scarce::Bytes, Scarce::Files] {
        let survey = fill_up(
            &log,
            scarce,
            || site.prepare(),
            || {
                // A page takes some four records; each run adds to what the one before it wrote.
                let batch = format!("[{}]", vec![request(); 24].join(","));
                site.world.env.ordain_with_input(
                    "app",
                    batch.as_bytes(),
                    ["eval", "--frozen", "--format=json", "-"],
                )
            },
            |output| {
                // What could be recorded before the disk was full was decided; the rest is denied. Where only the checkpoint
                // found no room, all of it was.
                let records = fs::read_to_string(log.join("decisions.jsonl")).unwrap_or_default();
                for decision in output.stdout.split("\"decision_id\":\"").skip(1) {
                    let id = decision.split('"').next().unwrap();
                    let is_denied = decision.contains("\"LOG_UNWRITABLE\"");
                    assert_ne!(records.contains(id), is_denied, "{id} in {output}");
                }
                verify().success();
            },
        );
        verify().success();
        assert!(survey.failures > 0, "{survey:?}");
        println!("{scarce:?}: {survey:?}");
    }
}

fn request() -> String {
    crate::support::organisation::request("read_x")
}

/// What can be tried everywhere: no file may grow beyond so many kilobytes, and writing more fails (`EFBIG`).
fn limited(site: &Site, blocks: u32, line: &str) -> Output {
    let mut shell = site.world.env.command("bash");
    shell
        .args([
            "-c",
            &format!("trap '' XFSZ; ulimit -f {blocks}; exec ordain {line}"),
        ])
        .current_dir(site.world.env.work().join("app"));
    site.world.env.run(shell, b"")
}

#[test]
fn a_pull_that_may_not_write_enough_leaves_the_old_bundle_active_or_the_new_one() {
    let site = Site::new();
    let places = [
        site.world.cache(),
        site.world.state(),
        site.world.env.work().join("app"),
    ];
    let mut failures = 0;
    for kilobytes in 0..64 {
        site.prepare();
        let output = limited(&site, kilobytes, "bundle pull");
        if output.status == Some(0) {
            break;
        }
        failures += 1;
        failed_well(&output, &places);
        site.is_old_or_new();
        site.world.pull("app", &[]).success();
        assert_eq!(site.is_old_or_new(), 1);
    }
    assert!(failures > 0);
    // A cache alone that cannot be written is no reason to lose what is there.
    site.prepare();
    let output = limited(&site, 0, "bundle pull --frozen");
    output.success();
    let left = files_below(&site.world.cache());
    assert!(
        left.iter()
            .all(|file| !file.to_string_lossy().contains("ordain-tmp")),
        "{left:?}"
    );
    // And a decision that cannot be recorded is a denial.
    let denied = limited(&site, 0, "eval --frozen read_x.json");
    assert_ne!(denied.status, Some(0), "{denied}");
    fails(&denied, 70, "E-LOG-010");
}
