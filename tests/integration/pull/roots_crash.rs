//! A walk that is killed goes on where it stopped: what is kept is whole, without a gap, and every byte as it was signed.

use std::fs;
use std::time::{Duration, Instant};

use super::roots::{kept, kept_versions, world};
use crate::support::roots::{self, push, rotate_to};

/// The newest root.
const NEWEST: u64 = 24;
/// Pulls that are killed.
const PULLS: u32 = 60;

#[test]
fn a_killed_walk_leaves_whole_roots_without_a_gap_and_goes_on_from_them() {
    let (world, published) = world();
    rotate_to(&published, 1, NEWEST);
    push(&world);
    let forget = || {
        if world.state().exists() {
            fs::remove_dir_all(world.state()).unwrap();
        }
        let _ = fs::remove_file(world.env.work().join("app/ordain.lock"));
    };
    let started = Instant::now();
    world.pull("app", &[]).success();
    let mut took = started.elapsed();
    let (mut none, mut some, mut all) = (0, 0, 0);
    let mut seed = 7_u64;
    for _ in 0..PULLS {
        forget();
        let mut child = world.silent("app", &["bundle", "pull"]).spawn().unwrap();
        seed = seed
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        let dice = (seed >> 40) as f64 / (1_u64 << 24) as f64;
        std::thread::sleep(took.mul_f64(dice));
        child.kill().unwrap();
        let finished = child.wait().unwrap().success();
        let versions = match kept(&world).exists() {
            true => kept_versions_of_a_killed(&world),
            false => Vec::new(),
        };
        let expected: Vec<u64> = (2..).take(versions.len()).collect();
        assert_eq!(versions, expected, "there is a gap");
        for version in &versions {
            let (ours, theirs) = (
                roots::file(&kept(&world), *version),
                roots::file(&published, *version),
            );
            assert_eq!(
                fs::read(ours).unwrap(),
                fs::read(theirs).unwrap(),
                "{version}"
            );
        }
        match versions.len() as u64 {
            0 => none += 1,
            n if n + 1 < NEWEST => some += 1,
            _ => all += 1,
        }
        // What is not needed again may be gone from the repository: the walk goes on from what is kept.
        world.pull("app", &[]).success();
        assert_eq!(kept_versions(&world), (2..=NEWEST).collect::<Vec<_>>());
        assert_eq!(world.locked("app")["root_version"], NEWEST);
        took = if finished {
            took.mul_f64(0.9)
        } else {
            took.mul_f64(1.03)
        };
        took = took.clamp(Duration::from_millis(5), Duration::from_secs(20));
    }
    println!("killed before the first: {none}, between two: {some}, after the last: {all}");
    assert!(some >= 5, "{none} {some} {all}");
    let left = crate::support::organisation::files_below(&kept(&world));
    assert!(left.len() as u64 <= NEWEST, "left behind: {left:?}");
}

/// Without the temporary file that a killed writer leaves, and the next one removes.
fn kept_versions_of_a_killed(world: &crate::support::organisation::Organisation) -> Vec<u64> {
    for file in crate::support::organisation::files_below(&kept(world)) {
        if file
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with(".ordain-tmp-")
        {
            fs::remove_file(file).unwrap();
        }
    }
    kept_versions(world)
}
