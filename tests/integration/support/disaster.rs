//! What happens to a command from outside: a kill at any moment, and a disk without room at any write.
//!
//! Both harnesses take what to prepare, the command, and a check that must hold afterwards: the old state or the new one.

use std::collections::BTreeSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Output;

/// Numbers below one, the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }
}

/// How a command ended that was to be killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Killed,
    /// It was faster.
    ByItself,
}

/// Kills a command once a round, at a moment that moves with how long it takes. `took` is how long it took at first.
///
/// `start` makes what is new and gives the command; `check` finds the old state or the new one.
pub(crate) fn kill_at_random_moments(
    seed: u64,
    rounds: std::ops::Range<usize>,
    mut took: Duration,
    mut start: impl FnMut(usize) -> Command,
    mut check: impl FnMut(usize, End),
) {
    let mut dice = Dice(seed);
    for round in rounds {
        let mut child = start(round).spawn().unwrap();
        // What matters most comes last.
        std::thread::sleep(took.mul_f64(1.1 * dice.roll().sqrt()));
        child.kill().unwrap();
        let end = match child.wait().unwrap().signal() {
            Some(9) => End::Killed,
            _ => End::ByItself,
        };
        check(round, end);
        // Kills land where the command is now, however busy the machine became.
        took = match end {
            End::Killed => took.mul_f64(1.02),
            End::ByItself => took.mul_f64(0.93),
        };
    }
}

/// What a disk has too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scarce {
    /// Room for bytes, in pages.
    Bytes,
    /// Room for files.
    Files,
}

/// What running out of it did.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// How often the command failed before there was enough.
    pub(crate) failures: u32,
    /// The codes that it gave.
    pub(crate) codes: BTreeSet<String>,
}

/// A page of memory, which is what a `tmpfs` hands out.
const PAGE: u64 = 4096;
/// A command that needs more than this is not what these tests are for.
const MOST: u64 = 2_000;

/// A small `tmpfs` in place of a directory, with what the directory held. Gone when dropped, and with it what was written.
struct SmallDisk<'a> {
    place: &'a Path,
}

/// Runs a tool; whether it succeeded.
fn tool(line: &[&str]) -> bool {
    let (program, arguments) = line.split_first().unwrap();
    let ended = Command::new(program).args(arguments).output();
    ended.is_ok_and(|output| output.status.success())
}

impl<'a> SmallDisk<'a> {
    /// Mounts it; none where this process may not mount.
    fn over(place: &'a Path) -> Option<Self> {
        let aside = tempfile::tempdir().unwrap();
        let (from, to) = (
            format!("{}/.", place.display()),
            aside.path().display().to_string(),
        );
        assert!(tool(&["cp", "-a", &from, &to]), "{from} → {to}");
        let path = place.to_str().unwrap();
        if !tool(&["mount", "-t", "tmpfs", "-o", "mode=700", "tmpfs", path]) {
            return None;
        }
        let disk = Self { place };
        let from = format!("{}/.", aside.path().display());
        assert!(tool(&["cp", "-a", &from, path]), "{from} → {path}");
        Some(disk)
    }

    fn df(&self, column: &str) -> u64 {
        let output = Command::new("df")
            .args(["--block-size=1", &format!("--output={column}")])
            .arg(self.place)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().nth(1).unwrap().trim().parse().unwrap()
    }

    /// Leaves room for so much more and nothing else.
    fn leave(&self, scarce: Scarce, more: u64) {
        let options = match scarce {
            Scarce::Bytes => format!("remount,size={}", (self.df("used") + more * PAGE).max(PAGE)),
            Scarce::Files => format!("remount,nr_inodes={}", self.df("iused") + more),
        };
        self.remount(&options);
    }

    fn free(&self) {
        self.remount("remount,size=1g,nr_inodes=100000");
    }

    /// With the type spelled out: otherwise `mount` repeats options that a user namespace may not set.
    fn remount(&self, options: &str) {
        let place = self.place.to_str().unwrap();
        assert!(
            tool(&["mount", "-t", "tmpfs", "-o", options, "tmpfs", place]),
            "{options}"
        );
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        assert!(tool(&["umount", self.place.to_str().unwrap()]) || std::thread::panicking());
    }
}

/// Whether this process may mount a `tmpfs`. Where it may not, the test is run again in a user and mount namespace of its own,
/// in which it may; where that is forbidden as well, says so loudly.
pub(crate) fn may_mount(test: &str) -> Mounting {
    let place = tempfile::tempdir().unwrap();
    if SmallDisk::over(place.path()).is_some() {
        return Mounting::Here;
    }
    if !tool(&["unshare", "-Urm", "true"]) {
        eprintln!(
            "\n*** {test}: NOT RUN WITH A FULL DISK. This process may neither mount a tmpfs (not root, or a container without \
             CAP_SYS_ADMIN) nor make a user namespace (`unshare -Urm true` fails: kernel.unprivileged_userns_clone, or seccomp). \
             What runs instead is a limit on the size of files.\n"
        );
        return Mounting::Nowhere;
    }
    let program = std::env::current_exe().unwrap();
    let inner = Command::new("unshare")
        .arg("-Urm")
        .arg(program)
        .args([test, "--exact", "--nocapture"])
        .status()
        .unwrap();
    assert!(inner.success(), "{test} in a namespace of its own");
    Mounting::Elsewhere
}

/// Where full disks can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mounting {
    Here,
    /// In another process, which has run the test already.
    Elsewhere,
    Nowhere,
}

/// Runs a command with no room at all in `place`, then with a little more, and so on until it succeeds.
///
/// `prepare` makes everything as it was before, each time. After a failure `check` looks at what there is while the disk is still
/// full; then room is made, and the same command must succeed. A failure gives a code and names something in `place`.
pub(crate) fn fill_up(
    place: &Path,
    scarce: Scarce,
    mut prepare: impl FnMut(),
    mut command: impl FnMut() -> Output,
    mut check: impl FnMut(&Output),
) -> Survey {
    let mut survey = Survey::default();
    for more in 0..MOST {
        prepare();
        let disk = SmallDisk::over(place).expect("asked for before");
        disk.leave(scarce, more);
        let output = command();
        if output.status == Some(0) {
            return survey;
        }
        survey.failures += 1;
        survey
            .codes
            .insert(failed_well(&output, &[place.to_owned()]));
        check(&output);
        disk.free();
        command().success();
    }
    panic!("{} units of {scarce:?} are not enough", MOST);
}

/// A failure that a person can do something about: an exit code, a diagnostic's code, and the path. The code.
#[track_caller]
pub(crate) fn failed_well(output: &Output, places: &[PathBuf]) -> String {
    assert!(
        output.status.is_some_and(|status| status != 0),
        "it was ended by a signal\n{output}"
    );
    let code = output.stderr.split("error[").nth(1);
    let code = code.and_then(|rest| rest.split(']').next());
    let code = code.unwrap_or_else(|| panic!("no code\n{output}"));
    assert!(
        places
            .iter()
            .any(|place| output.stderr.contains(place.to_str().unwrap())),
        "it does not say where\n{output}"
    );
    code.to_owned()
}
