//! An import that is killed leaves the old bundle active or the new one, never a mixture.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{Island, export, world};
use crate::support::env;

/// Imports, of which most are killed.
const IMPORTS: u32 = 60;

#[test]
fn a_killed_import_leaves_the_old_bundle_active_or_the_new_one() {
    let world = world();
    let island = Island::of(&world);
    island.import(export(&world), &[]).success();
    let (mut old, mut new) = (0, 0);
    let mut took = Duration::from_millis(60);
    let mut dice: u64 = 7;
    for round in 2..IMPORTS + 2 {
        world.publish(&format!("REV_{round}"));
        world.pull("app", &[]).success();
        let file = export(&world);
        island.env.write("app/carried", &file);
        let (before, mark) = (island.lock().unwrap(), island.mark());
        let mut import = island.env.command(env::binary());
        import
            .args(["bundle", "import", "carried"])
            .current_dir(island.env.work().join("app"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        dice = dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let share = (dice >> 40) as f64 / (1u64 << 24) as f64;
        let started = Instant::now();
        let mut child = import.spawn().unwrap();
        std::thread::sleep(took.mul_f64(0.3 + 0.9 * share));
        child.kill().unwrap();
        child.wait().unwrap();
        let _ = started;
        assert!(island.mark() >= mark, "the mark went back");
        let after = island.lock().unwrap();
        let decided = island.decided_by();
        assert_eq!(island.lock().unwrap(), after, "--frozen changes nothing");
        let previous = if round == 2 {
            "ONE".to_owned()
        } else {
            format!("REV_{}", round - 1)
        };
        if after == before {
            assert_eq!(decided, previous);
            old += 1;
        } else {
            assert_eq!(decided, format!("REV_{round}"));
            new += 1;
        }
        let started = Instant::now();
        island.import(&file, &[]).success();
        took = (took + started.elapsed()) / 2;
        assert_eq!(island.decided_by(), format!("REV_{round}"));
        assert_eq!(island.mark(), Some(u64::from(round)));
        if after != before {
            assert_eq!(island.lock().unwrap(), after, "the lockfile was whole");
        }
    }
    println!("old {old}, new {new}");
    assert!(old > 0 && new > 0, "old {old}, new {new}");
}
