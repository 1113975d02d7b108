//! The order of the checks is the order in which they fail: of two defects at once, the one of the earlier check is told.

use std::collections::BTreeSet;

use ordain::pipeline::{Step, effective, read_directory, trust_root};
use ordain::trust::{Expectation, Held, HighWater, verify};

use super::machine::Site;
use super::world::{Bundle, World};
use super::{Vector, vectors};

/// The step at which a world is refused.
fn refused_at(world: &World) -> Option<Step> {
    let directory = tempfile::tempdir().unwrap();
    let now = world.now.parse().unwrap();
    let keys = directory.path().join("keys");
    let pin = world.write_roots(&keys);
    let root = match trust_root(&keys, pin, now, &world.limits) {
        Ok(root) => root,
        Err(error) => return Some(error.step()),
    };
    let one = |name: &str, bundle: &Bundle| {
        let place = directory.path().join(name);
        std::fs::create_dir(&place).unwrap();
        bundle.write(&place);
        let fetched = read_directory(&place, &world.limits).map_err(|error| error.step())?;
        let this = ordain::digest::Sha256Digest::of(&bundle.signed().payload());
        let mark = world.high_water.filter(|_| name == "acme");
        let name = name.parse().unwrap();
        let expected = Expectation {
            name: Some(&name),
            reference: None,
            now,
            high_water: mark.map(|(epoch, revision, payload)| HighWater {
                epoch,
                revision,
                payload: payload.unwrap_or(this),
            }),
            max_age: world
                .max_age_days
                .map(|days| jiff::SignedDuration::from_hours(24 * days)),
            held: Held::Fetched,
        };
        verify(fetched, &root, &expected, &world.limits)
            .map_err(|error| Step::Bundle(error.check()))
    };
    let bundles = one("acme", &world.acme).and_then(|acme| Ok([acme, one("base", &world.base)?]));
    match bundles {
        Ok(bundles) => effective(
            &bundles.iter().collect::<Vec<_>>(),
            &"acme/base".parse().unwrap(),
            now,
            None,
            &ordain::bundle::Limits::default(),
        )
        .err()
        .map(|error| error.step()),
        Err(step) => Some(step),
    }
}

/// Defects that combine: none of them undoes or hides what another one needs. Two of each step where there are two.
const COMBINING: &[&str] = &[
    "root-missing",
    "root-not-pinned",
    "file-oversized",
    "link",
    "envelope-empty-signature",
    "envelope-short-signature",
    "revoked-key-backdated",
    "payload-replaced",
    "payload-type-signed",
    "statement-type",
    "predicate-type",
    "namespace-of-nobody",
    "namespace-by-string-prefix",
    "rolled-back",
    "rolled-back-epoch",
    "future-dated",
    "older-than-max-age",
    "revoked-revisions",
    "file-unlisted",
    "file-unlisted-dotfile",
    "file-line-endings",
    "file-emptied",
    "manifest-name-differs",
    "manifest-version-differs",
    "requires-newer",
    "requires-newer-epoch",
    "yaml-alias-bomb",
    "yaml-alias",
];
/// A signed statement about another bundle, which no vector makes without replacing all of it.
const ANOTHER_NAME: &str = "(another name)";
/// A role that requires Git's signature of what no repository holds.
const NO_GIT_SIGNATURE: &str = "(no Git signature)";

fn world(all: &[Vector], names: &[&str]) -> World {
    let mut world = World::default();
    for name in names {
        if *name == ANOTHER_NAME {
            let change = ("/predicate/bundle".to_owned(), Some("other".into()));
            world.acme.statement_sets.push(change);
        } else if *name == NO_GIT_SIGNATURE {
            let role = &mut world.roots[0].value["roles"]["publisher/acme"];
            role["git_signature"] = "commit".into();
        } else {
            let vector = all.iter().find(|vector| vector.name == *name);
            let vector = vector.unwrap_or_else(|| panic!("no vector {name}"));
            vector.defect.apply(&mut world);
        }
    }
    world
}

#[test]
fn of_two_defects_the_earlier_check_is_told() {
    let all: Vec<Vector> = vectors().into_iter().flat_map(|(_, all)| all).collect();
    let names: Vec<&str> = COMBINING
        .iter()
        .copied()
        .chain([ANOTHER_NAME, NO_GIT_SIGNATURE])
        .collect();
    let step = |names: &[&str]| refused_at(&world(&all, names)).unwrap();
    let alone: Vec<(&str, Step)> = names.iter().map(|name| (*name, step(&[name]))).collect();
    let covered: BTreeSet<Step> = alone.iter().map(|(_, step)| *step).collect();
    let wanted: BTreeSet<Step> = Step::all()
        .filter(|step| !BEFORE_THE_BYTES.contains(step))
        .collect();
    assert_eq!(
        covered, wanted,
        "a check without a defect that shows its place"
    );
    std::thread::scope(|scope| {
        for half in 0..2 {
            let (alone, step) = (&alone, &step);
            scope.spawn(move || {
                for (at, (a, first)) in alone.iter().enumerate().filter(|(at, _)| at % 2 == half) {
                    for (b, second) in &alone[at + 1..] {
                        let found = step(&[a, b]);
                        assert_eq!(found, *first.min(second), "{a} and {b}");
                    }
                }
            });
        }
    });
}

/// Steps that only a repository and a machine can fail; the next test tries them.
const BEFORE_THE_BYTES: [Step; 5] = [
    Step::State,
    Step::Lockfile,
    Step::Clock,
    Step::Source,
    Step::Fetch,
];

/// Damages a consumer's project or machine so that one step fails.
fn damage(site: &Site, step: Step) {
    let config = site.env.read("consumer/ordain.yaml");
    let edit = |from: &str, to: &str| {
        assert!(config.contains(from), "{config}");
        site.env
            .write("consumer/ordain.yaml", config.replace(from, to));
    };
    match step {
        Step::Root => edit("dir: ../keys", "dir: ../none"),
        Step::State => std::fs::write(site.state(), "{}").unwrap(),
        Step::Lockfile => drop(site.env.write("consumer/ordain.lock", "<<<<<<< ours")),
        Step::Source => edit("git: \"../policy\"", "git: \"ext::sh\""),
        Step::Fetch => edit("ref: \"main\"", "ref: \"gone\""),
        Step::Clock => {
            let text = std::fs::read_to_string(site.state()).unwrap();
            let mut state: serde_json::Value = serde_json::from_str(&text).unwrap();
            if state.get("roots").is_some() {
                state["last_seen"] = "2999-01-01T00:00:00Z".into();
                std::fs::write(site.state(), state.to_string()).unwrap();
            }
        }
        _ => panic!("{step} is of the bundle"),
    }
}

#[test]
fn of_two_defects_of_a_machine_the_earlier_step_is_told() {
    let steps = [
        Step::State,
        Step::Clock,
        Step::Root,
        Step::Lockfile,
        Step::Source,
        Step::Fetch,
    ];
    for (at, first) in steps.iter().enumerate() {
        for second in &steps[at..] {
            // What both of them write is written by the later one: a damaged state knows no time, a URL comes before its ref.
            if (*first, *second) == (Step::State, Step::Clock) {
                continue;
            }
            let site = Site::new(&World::default());
            site.ordain(&["bundle", "pull"]).success();
            damage(&site, *second);
            if first != second {
                damage(&site, *first);
            }
            let output = site.ordain(&["bundle", "verify", "--explain", "--json"]);
            assert_ne!(output.status, Some(0), "{first} and {second}: {output}");
            assert_eq!(
                told(&output.json()),
                [first.name()],
                "{first} and {second}: {output}"
            );
        }
    }
}

/// The names of the steps that failed, after a check that all before it passed, and none after it was reached.
#[track_caller]
pub(crate) fn told(document: &serde_json::Value) -> Vec<String> {
    assert_eq!(document["format_version"], 1);
    let mut failed = Vec::new();
    let parts = [&document["before"], &document["together"]];
    let of_bundles = document["bundles"].as_array().unwrap().iter();
    for part in parts.into_iter().chain(of_bundles.map(|b| &b["steps"])) {
        let mut is_over = false;
        for step in part.as_array().unwrap() {
            match step["result"].as_str().unwrap() {
                "failed" => {
                    assert!(!is_over, "{part:#}");
                    for member in ["expected", "found", "who", "remedy"] {
                        assert!(step["failure"][member].is_string(), "{step:#}");
                    }
                    assert!(step["code"].as_str().unwrap().starts_with("E-"));
                    failed.push(step["step"].as_str().unwrap().to_owned());
                    is_over = true;
                }
                "passed" => assert!(!is_over && step["facts"].is_object(), "{part:#}"),
                "left-out" | "not-reached" => {}
                other => panic!("{other}"),
            }
        }
    }
    assert_eq!(document["verified"], failed.is_empty());
    failed.dedup();
    failed
}
