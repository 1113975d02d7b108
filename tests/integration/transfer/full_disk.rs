//! A disk that fills up at any write of an import leaves the old bundle active or the new one, and says so.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Island, export, world};
use crate::support::disaster::{Mounting, Scarce, Survey, fill_up, may_mount};

/// A machine that has imported revision 1, with the file of revision 2 beside it, and what it held then.
struct Site {
    island: Island,
    saved: PathBuf,
    /// The lockfiles before and after.
    locks: [String; 2],
}

fn copy(from: &Path, to: &Path) {
    let mut command = Command::new("cp");
    command.arg("-a").arg(from).arg(to);
    assert!(command.status().unwrap().success());
}

impl Site {
    fn new() -> Self {
        let world = world();
        let island = Island::of(&world);
        island.import(export(&world), &[]).success();
        let old = island.lock().unwrap();
        world.publish("TWO");
        world.pull("app", &[]).success();
        island.env.write("app/carried", export(&world));
        let saved = island.env.root().join("saved");
        fs::create_dir(&saved).unwrap();
        copy(&island.env.home(), &saved.join("home"));
        copy(&island.env.work().join("app"), &saved.join("app"));
        let import = ["bundle", "import", "carried"];
        island.env.ordain_in("app", import).success();
        let new = island.lock().unwrap();
        let site = Self {
            island,
            saved,
            locks: [old, new],
        };
        site.prepare();
        site
    }

    fn places(&self) -> [(PathBuf, &'static str); 2] {
        let env = &self.island.env;
        [(env.home(), "home"), (env.work().join("app"), "app")]
    }

    fn prepare(&self) {
        for (place, name) in self.places() {
            fs::remove_dir_all(&place).unwrap();
            copy(&self.saved.join(name), &place);
        }
    }

    /// The lockfile is one of the two, whole, the mark is not above it, and what it names passes every check.
    fn is_old_or_new(&self) -> usize {
        let lock = self.island.lock().unwrap();
        let which = self.locks.iter().position(|known| *known == lock);
        let which = which.unwrap_or_else(|| panic!("neither old nor new: {lock}"));
        let mark = self.island.mark().unwrap();
        assert!(mark <= which as u64 + 1, "the mark is ahead: {mark}");
        let shown = ["policy", "resolve", "--frozen"];
        self.island.env.ordain_in("app", shown).success();
        which
    }

    fn import(&self, place: &Path, scarce: Scarce) -> (Survey, [u32; 2]) {
        let mut found = [0; 2];
        let import = ["bundle", "import", "carried"];
        let survey = fill_up(
            place,
            scarce,
            || self.prepare(),
            || self.island.env.ordain_in("app", import),
            |_| found[self.is_old_or_new()] += 1,
        );
        self.prepare();
        (survey, found)
    }
}

#[test]
fn an_import_onto_a_full_disk_leaves_the_old_bundle_active_or_the_new_one() {
    let test = "transfer::full_disk::an_import_onto_a_full_disk_leaves_the_old_bundle_active_or_the_new_one";
    if may_mount(test) != Mounting::Here {
        return;
    }
    let site = Site::new();
    let home = site.island.env.home();
    let places = [
        home.join(".cache/ordain"),
        home.join(".local/state/ordain"),
        site.island.env.work().join("app"),
    ];
    for scarce in [Scarce::Bytes, Scarce::Files] {
        for place in &places {
            let (survey, [old, new]) = site.import(place, scarce);
            assert!(survey.failures > 0 && old > 0 && new == 0, "{survey:?}");
        }
    }
}
