//! A rotation that is killed, or finds no room, leaves the roots as they were or the next one whole.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::World;
use crate::support::disaster::{Mounting, Scarce, fill_up, kill_at_random_moments, may_mount};
use crate::support::env::binary;

const ROTATE: &str = "trust rotate --dir=trust --expires=1y --raise-epoch=acme --key=keys/alice";
const SIGN: &str = "trust sign trust/2.root.json --key=keys/bob";

impl World {
    fn start(&self, line: &str) -> Command {
        let mut command = self.env.command(binary());
        command
            .args(line.split_whitespace())
            .current_dir(self.env.work())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    }

    /// How many have signed root 2, if it is there. It is whole, and the roots before it are what they were.
    fn signers_of_second(&self) -> Option<usize> {
        let path = self.root(2);
        let text = std::fs::read_to_string(&path).ok()?;
        let envelope: serde_json::Value = serde_json::from_str(&text).unwrap();
        self.trust("show --dir=trust").success();
        Some(envelope["signatures"].as_array().unwrap().len())
    }

    fn leftovers(&self) -> Vec<String> {
        let entries = self.env.work().join("trust").read_dir().unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.filter(|name| name.contains("tmp")).collect()
    }
}

#[test]
fn a_killed_rotation_leaves_no_root_or_a_whole_one() {
    let world = World::new();
    let started = Instant::now();
    assert!(world.start(ROTATE).status().unwrap().success());
    let took = started.elapsed().max(Duration::from_millis(5));
    let (mut without, mut with) = (0, 0);
    kill_at_random_moments(
        11,
        0..100,
        took,
        |_| {
            let _ = std::fs::remove_file(world.root(2));
            world.start(ROTATE)
        },
        |_, _| match world.signers_of_second() {
            None => without += 1,
            Some(signers) => {
                assert_eq!(signers, 1);
                with += 1;
            }
        },
    );
    assert!(without > 0 && with > 0, "{without} without, {with} with");
    // Whoever writes there next clears away what the killed ones left.
    let _ = std::fs::remove_file(world.root(2));
    assert!(world.start(ROTATE).status().unwrap().success());
    assert_eq!(world.leftovers(), Vec::<String>::new());
}

#[test]
fn a_killed_co_signature_leaves_the_root_as_it_was_or_signed() {
    let world = World::new();
    assert!(world.start(ROTATE).status().unwrap().success());
    world.copy("unsigned/2.root.json", 2);
    let started = Instant::now();
    assert!(world.start(SIGN).status().unwrap().success());
    let took = started.elapsed().max(Duration::from_millis(5));
    let (mut old, mut new) = (0, 0);
    kill_at_random_moments(
        12,
        0..100,
        took,
        |_| {
            let unsigned = world.env.work().join("unsigned/2.root.json");
            std::fs::copy(unsigned, world.root(2)).unwrap();
            world.start(SIGN)
        },
        |_, _| match world.signers_of_second() {
            Some(1) => old += 1,
            Some(2) => new += 1,
            other => panic!("{other:?}"),
        },
    );
    assert!(old > 0 && new > 0, "{old} old, {new} new");
}

#[test]
fn a_rotation_onto_a_full_disk_writes_no_root_or_a_whole_one() {
    let test = "trust_rotate::disaster::a_rotation_onto_a_full_disk_writes_no_root_or_a_whole_one";
    if may_mount(test) != Mounting::Here {
        return;
    }
    let world = World::new();
    let place = world.env.work().join("trust");
    for scarce in [Scarce::Bytes, Scarce::Files] {
        let survey = fill_up(
            &place,
            scarce,
            || {
                let _ = std::fs::remove_file(world.root(2));
            },
            || world.env.ordain(ROTATE.split_whitespace()),
            |_| {
                assert_eq!(world.signers_of_second(), None);
                assert_eq!(world.leftovers(), Vec::<String>::new());
            },
        );
        assert!(survey.failures > 0, "{survey:?}");
        assert!(survey.codes.contains("E-CONFIG-010"), "{survey:?}");
    }
}
