//! `ordain doctor`: each finding is made to happen. Level, code and exit code first; nothing on the disk moves.

mod machine;
mod roots;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::SystemTime;

use ordain::pipeline::doctor::{Id, Level};
use serde_json::Value;

use super::generated::hold;
use super::support::env::binary;
use super::support::organisation::{BUNDLE, Organisation, fails};
use super::support::{Output, TestEnv};

/// Published by Alice, pulled by a consumer, who has decided once.
fn pulled() -> Organisation {
    let organisation = Organisation::new();
    organisation.publish("ONE");
    organisation.consumer("consumer", "../policy", Some("main"));
    organisation.pull("consumer", &[]).success();
    organisation.eval("consumer", &[]).success();
    organisation
}

/// Every file below a directory: kind, permissions, length, time of the last change.
fn listing(root: &Path) -> BTreeMap<PathBuf, (u32, u64, SystemTime)> {
    let mut listing = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        let meta = path.symlink_metadata().unwrap();
        if meta.is_dir() {
            open.extend(path.read_dir().unwrap().map(|entry| entry.unwrap().path()));
        }
        let facts = (
            meta.permissions().mode(),
            meta.len(),
            meta.modified().unwrap(),
        );
        listing.insert(path, facts);
    }
    listing
}

/// What was found at least once by these tests.
static SEEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Runs the doctor in a directory, checks that nothing moved and that exit code and verdict agree.
#[track_caller]
fn examine(env: &TestEnv, directory: &str, arguments: &[&str]) -> (Output, Vec<Value>) {
    let before = listing(env.root());
    let json = env.ordain_in(directory, ["doctor", "--json"].iter().chain(arguments));
    let text = env.ordain_in(directory, ["doctor"].iter().chain(arguments));
    assert!(
        before == listing(env.root()),
        "the doctor changed something"
    );
    let document = json.json();
    let status = match document["verdict"].as_str().unwrap() {
        "sound" => 0,
        "problems" => 1,
        "untrusted" => 3,
        other => panic!("{other}"),
    };
    assert_eq!(
        (json.status, text.status),
        (Some(status), Some(status)),
        "{json}"
    );
    assert_eq!(document["format_version"], 1);
    let findings = document["findings"].as_array().unwrap().clone();
    for finding in &findings {
        let name = finding["id"].as_str().unwrap();
        let id = Id::ALL.iter().find(|id| id.name == name);
        let id = id.unwrap_or_else(|| panic!("{name} is not in the list"));
        let is_bad = id.level >= Level::Warning;
        assert!(!is_bad || finding["remedy"].is_string(), "{finding:#}");
        assert!(
            text.stdout.contains(finding["text"].as_str().unwrap()),
            "{text}"
        );
        SEEN.lock().unwrap().insert(name.to_owned());
    }
    (text, findings)
}

fn ids(findings: &[Value]) -> Vec<&str> {
    findings.iter().map(|f| f["id"].as_str().unwrap()).collect()
}

/// Checks that a finding is there, with its code, and the exit code.
#[track_caller]
fn finds(env: &TestEnv, arguments: &[&str], exit: i32, id: &str, code: Option<&str>) {
    let (output, findings) = examine(env, "consumer", arguments);
    let finding = findings.iter().find(|finding| finding["id"] == id);
    let finding = finding.unwrap_or_else(|| panic!("no {id} in\n{output}"));
    assert_eq!(
        finding.get("code").and_then(Value::as_str),
        code,
        "{finding:#}"
    );
    assert_eq!(output.status, Some(exit), "{output}");
}

fn edit(env: &TestEnv, from: &str, to: &str) {
    let config = env.read("consumer/ordain.yaml");
    assert!(config.contains(from), "{config}");
    env.write("consumer/ordain.yaml", config.replace(from, to));
}

fn edit_json(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// What the tests below find, all in one test so that the last one knows of every finding.
#[test]
fn every_finding_happens_and_nothing_on_the_disk_moves() {
    sound();
    configuration();
    trust();
    first_use();
    stale();
    lockfile();
    bundles();
    online();
    roots::online();
    machine::clock_and_machine();
    machine::log();
    machine::environment();
    machine::everything_at_once();
    let seen = SEEN.lock().unwrap().clone();
    let all: BTreeSet<String> = Id::ALL.iter().map(|id| id.name.to_owned()).collect();
    assert_eq!(
        all.difference(&seen).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

fn sound() {
    let organisation = pulled();
    let (output, findings) = examine(&organisation.env, "consumer", &[]);
    output.success();
    let is_bad = |f: &&Value| f["level"] == "problem";
    assert_eq!(findings.iter().filter(is_bad).count(), 0, "{output}");
    insta::assert_snapshot!("a_sound_machine", output);
    for id in [
        "bundle",
        "bundle-mark",
        "policy",
        "root",
        "root-pinned",
        "state",
        "log",
        "key",
    ] {
        assert!(ids(&findings).contains(&id), "no {id} in {output}");
    }
}

fn configuration() {
    let env = TestEnv::new();
    std::fs::create_dir(env.work().join("consumer")).unwrap();
    finds(&env, &[], 1, "config-missing", Some("E-CONFIG-002"));
    finds(&env, &[], 1, "state-missing", None);
    finds(&env, &[], 1, "cache-missing", None);
    env.write("consumer/ordain.yaml", "apiVersion: [");
    let (output, findings) = examine(&env, "consumer", &[]);
    assert!(ids(&findings).contains(&"config-invalid"), "{output}");
    assert_eq!(output.status, Some(1), "{output}");
}

fn trust() {
    let organisation = pulled();
    let root = organisation.env.work().join("trust");
    std::fs::rename(&root, root.with_extension("away")).unwrap();
    finds(
        &organisation.env,
        &[],
        3,
        "root-untrusted",
        Some("E-TRUST-041"),
    );
    std::fs::rename(root.with_extension("away"), &root).unwrap();
    edit_json(&organisation.state().join("state.json"), |state| {
        for root in state["roots"].as_object_mut().unwrap().values_mut() {
            root["version"] = 2.into();
        }
    });
    finds(
        &organisation.env,
        &[],
        3,
        "root-untrusted",
        Some("E-TRUST-049"),
    );
    let mut later = pulled();
    later.env.set("ORDAIN_NOW", "2027-11-01T00:00:00Z");
    finds(&later.env, &[], 3, "root-expires-soon", None);
    later.env.set("ORDAIN_NOW", "2028-01-01T00:00:00Z");
    finds(&later.env, &[], 3, "root-untrusted", Some("E-TRUST-048"));
    // A root that revokes something.
    let site = super::vectors::machine::Site::new(&revoking());
    site.ordain(&["bundle", "pull"]).success();
    finds(&site.env, &[], 0, "root-revokes", None);
}

/// A world whose trust root revokes revisions that nobody uses.
fn revoking() -> super::vectors::world::World {
    let mut world = super::vectors::world::World::default();
    world.roots[0].value["revoked"] =
        serde_json::json!({"revisions": [{"bundle": "acme", "epoch": 1, "from": 1, "to": 2}]});
    world
}

/// Trusted on first use, then confirmed.
fn first_use() {
    let world = super::pull::first_use::world();
    super::pull::first_use::on_a_terminal(&world, "app", "bundle pull --tofu").success();
    let (output, findings) = examine(&world.env, "app", &[]);
    assert!(ids(&findings).contains(&"root-unconfirmed"), "{output}");
    assert_eq!(output.status, Some(0), "{output}");
    let confirm = ["trust", "confirm", &world.fingerprint];
    world.env.ordain_in("app", confirm).success();
    let (output, findings) = examine(&world.env, "app", &[]);
    assert!(ids(&findings).contains(&"root-confirmed"), "{output}");
    assert!(!ids(&findings).contains(&"root-unconfirmed"), "{output}");
}

/// Past its time, within its grace.
fn stale() {
    let mut organisation = pulled();
    edit(
        &organisation.env,
        "path: bundles/acme",
        "path: bundles/acme, grace: 7d",
    );
    organisation.pull("consumer", &[]).success();
    organisation.env.set("ORDAIN_NOW", "2027-02-21T00:00:00Z");
    finds(&organisation.env, &[], 0, "bundle-stale", None);
    organisation.env.set("ORDAIN_NOW", "2027-03-21T00:00:00Z");
    finds(
        &organisation.env,
        &[],
        3,
        "bundle-untrusted",
        Some("E-TRUST-023"),
    );
}

fn lockfile() {
    let organisation = pulled();
    let lock = organisation.env.work().join("consumer/ordain.lock");
    let text = std::fs::read(&lock).unwrap();
    std::fs::remove_file(&lock).unwrap();
    finds(&organisation.env, &[], 0, "lockfile-missing", None);
    std::fs::write(&lock, "<<<<<<< ours").unwrap();
    // A lockfile that cannot be read is a configuration that is not valid; no bundle is known to be bad.
    finds(
        &organisation.env,
        &[],
        1,
        "lockfile-damaged",
        Some("E-CONFIG-006"),
    );
    std::fs::write(&lock, &text).unwrap();
    edit_json(&lock, |lock| lock["bundles"]["acme"]["revision"] = 9.into());
    finds(&organisation.env, &[], 3, "bundle-unseen", None);
    edit_json(&lock, |lock| {
        lock["bundles"]["acme"]["revision"] = 1.into();
        let nobodys = ordain::digest::Sha256Digest::of(b"nobody's").to_string();
        lock["bundles"]["acme"]["payload"] = nobodys.into();
    });
    finds(
        &organisation.env,
        &[],
        3,
        "bundle-marks-differ",
        Some("E-TRUST-021"),
    );
    edit_json(&lock, |lock| {
        lock["bundles"].as_object_mut().unwrap().remove("acme");
    });
    finds(&organisation.env, &[], 0, "bundle-not-pulled", None);
    // Behind what the machine has seen.
    std::fs::write(&lock, &text).unwrap();
    organisation.publish("TWO");
    organisation.pull("consumer", &[]).success();
    std::fs::write(&lock, &text).unwrap();
    finds(
        &organisation.env,
        &[],
        3,
        "bundle-marks-differ",
        Some("E-TRUST-020"),
    );
    finds(
        &organisation.env,
        &[],
        3,
        "bundle-untrusted",
        Some("E-TRUST-020"),
    );
}

fn bundles() {
    let mut organisation = pulled();
    edit(&organisation.env, "path: bundles/acme", "path: elsewhere");
    finds(&organisation.env, &[], 0, "bundle-elsewhere", None);
    edit(
        &organisation.env,
        "path: elsewhere",
        "path: bundles/acme, max_age: 40d",
    );
    organisation.env.set("ORDAIN_NOW", "2026-12-25T00:00:00Z");
    finds(&organisation.env, &[], 0, "bundle-ages", None);
    organisation.env.set("ORDAIN_NOW", "2027-01-25T00:00:00Z");
    finds(
        &organisation.env,
        &[],
        3,
        "bundle-untrusted",
        Some("E-TRUST-024"),
    );
    edit(&organisation.env, ", max_age: 40d", "");
    finds(&organisation.env, &[], 0, "bundle-expires-soon", None);
    organisation.env.set("ORDAIN_NOW", "2027-03-25T00:00:00Z");
    let (output, _) = examine(&organisation.env, "consumer", &[]);
    insta::assert_snapshot!("an_expired_bundle", output);
    finds(
        &organisation.env,
        &[],
        3,
        "bundle-untrusted",
        Some("E-TRUST-023"),
    );
    organisation.env.set("ORDAIN_NOW", crate::support::env::NOW);
    let kept = organisation.stored("consumer");
    let bytes = std::fs::read(&kept).unwrap();
    std::fs::write(&kept, &bytes[..bytes.len() - 1]).unwrap();
    finds(
        &organisation.env,
        &[],
        0,
        "bundle-damaged",
        Some("E-SOURCE-041"),
    );
    std::fs::remove_file(&kept).unwrap();
    finds(
        &organisation.env,
        &[],
        0,
        "bundle-not-here",
        Some("E-SOURCE-016"),
    );
    std::fs::write(&kept, &bytes).unwrap();
    edit(&organisation.env, "scope: acme", "scope: other");
    let (output, findings) = examine(&organisation.env, "consumer", &[]);
    assert!(ids(&findings).contains(&"policy-invalid"), "{output}");
    assert_ne!(output.status, Some(0), "{output}");
}

fn online() {
    let organisation = pulled();
    finds(&organisation.env, &["--online"], 0, "bundle-unmoved", None);
    organisation.publish("TWO");
    finds(&organisation.env, &["--online"], 0, "bundle-moved", None);
    let (_, findings) = examine(&organisation.env, "consumer", &[]);
    assert!(!ids(&findings).contains(&"bundle-moved"), "nobody asked");
    let policy = organisation.repository();
    std::fs::rename(&policy, policy.with_extension("away")).unwrap();
    finds(
        &organisation.env,
        &["--online"],
        0,
        "bundle-unreachable",
        Some("E-SOURCE-020"),
    );
    // Without the flag the repository is not missed.
    let (output, _) = examine(&organisation.env, "consumer", &[]);
    output.success();
    assert!(!BUNDLE.is_empty());
}

#[test]
fn the_page_of_the_doctor_is_current() {
    let mut page = String::from(
        "# The doctor\n\n`ordain doctor` says what is live on a machine, and why. It changes nothing on the disk, opens no connection without \
         `--online`, and does not stop at the first thing that is missing or broken. Problems end it with exit code 1, or 3 where \
         the policy that should decide here is not trusted; warnings do not.\n\n`--json` prints `{format_version, verdict, findings}`; \
         each finding has one of the stable names below as `id`, and `level`, `area`, `subject`, `text`, and where there is one a `code` \
         ([diagnostics](diagnostics.md)) and a `remedy`. This page is made from the program.\n",
    );
    let mut area = "";
    for id in Id::ALL {
        if area != id.area.name() {
            area = id.area.name();
            page += &format!("\n## {area}\n\n| finding | level | says |\n| --- | --- | --- |\n");
        }
        let level = serde_json::to_value(id.level).unwrap();
        page += &format!(
            "| `{}` | {} | {} |\n",
            id.name,
            level.as_str().unwrap(),
            id.meaning
        );
    }
    hold("docs/doctor.md", &page);
}
