//! A consumer's machine and repository, tampered with between two runs of the built program.

use std::path::PathBuf;

use ordain::diag::{self, Code};
use serde_json::Value;

use super::defect::Defect;
use super::world::{Bundle, World};
use crate::support::env::binary;
use crate::support::{Output, TestEnv};

/// A policy repository with the bundles of a world, and a consumer of it.
pub(crate) struct Site {
    pub(crate) env: TestEnv,
}

impl Site {
    /// The bundles are committed; nothing is pulled yet.
    pub(crate) fn new(world: &World) -> Self {
        let env = TestEnv::new();
        let pin = world.write_roots(&env.work().join("keys"));
        env.git(".", ["init", "--quiet", "--initial-branch=main", "policy"]);
        let site = Self { env };
        site.commit("base", &world.base);
        site.commit("acme", &world.acme);
        site.configure(&pin.to_string(), "../policy", "main");
        site
    }

    fn configure(&self, pin: &str, git: &str, reference: &str) {
        let bundle = |name: &str, git: &str, reference: &str| {
            format!("  - {{name: {name}, git: \"{git}\", ref: \"{reference}\", path: {name}}}\n")
        };
        let text = format!(
            "apiVersion: ordain/v1\nkind: Config\nscope: acme/base\nmode: enforce\n\
             trust: {{dir: ../keys, fingerprint: \"{pin}\"}}\nbundles:\n{}{}",
            bundle("base", "../policy", "main"),
            bundle("acme", git, reference),
        );
        self.env.write("consumer/ordain.yaml", text);
    }

    /// Another source of `acme` in the configuration.
    fn reconfigure(&self, git: &str, reference: &str) {
        let text = self.env.read("consumer/ordain.yaml");
        let pin = text.split("fingerprint: \"").nth(1).unwrap();
        let pin = pin.split('"').next().unwrap().to_owned();
        self.configure(&pin, git, reference);
    }

    /// Replaces a bundle's directory, and commits.
    pub(crate) fn commit(&self, name: &str, bundle: &Bundle) {
        let directory = self.env.work().join("policy").join(name);
        if directory.exists() {
            std::fs::remove_dir_all(&directory).unwrap();
        }
        std::fs::create_dir_all(&directory).unwrap();
        bundle.write(&directory);
        self.env.git("policy", ["add", "--all", "--force", "."]);
        self.env.git(
            "policy",
            ["commit", "--quiet", "--allow-empty", "--message=change"],
        );
    }

    pub(crate) fn ordain(&self, arguments: &[&str]) -> Output {
        self.env.ordain_in("consumer", arguments)
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.env.home().join(".local/state/ordain/state.json")
    }

    fn edit_json(&self, path: &PathBuf, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        change(&mut value);
        std::fs::write(path, value.to_string()).unwrap();
    }

    fn lock(&self) -> PathBuf {
        self.env.work().join("consumer/ordain.lock")
    }
}

/// A world at this revision of `acme`.
pub(crate) fn at_revision(revision: u64) -> World {
    let mut world = World::default();
    world.acme.predicate["revision"] = revision.into();
    world
}

/// The code that the program ended with.
pub(crate) fn code_of(output: &Output) -> Option<Code> {
    let id = output.stderr.split("error[").nth(1)?.split(']').next()?;
    diag::find(id)
}

/// What a code of the machine is about.
fn layer(code: Code) -> &'static str {
    match code.id {
        "E-CONFIG-005" | "E-CONFIG-006" | "E-CONFIG-007" | "E-CONFIG-008" => "lockfile",
        "E-CONFIG-014" => "clock",
        "E-CONFIG-015" | "E-CONFIG-017" => "command line",
        "E-SOURCE-042" | "E-SOURCE-043" | "E-SOURCE-044" | "E-SOURCE-045" => "state",
        "E-SOURCE-001" | "E-SOURCE-002" | "E-SOURCE-003" | "E-SOURCE-004" | "E-SOURCE-005" => {
            "configuration"
        }
        "E-SOURCE-016" | "E-SOURCE-040" | "E-SOURCE-041" => "store",
        "E-TRUST-017" => "authority",
        "E-TRUST-020" | "E-TRUST-021" => "revision",
        "E-TRUST-028" => "files",
        "E-TRUST-049" => "root",
        _ => "?",
    }
}

/// Pulls, tampers, and runs again; who refused.
pub(super) fn run(defect: &Defect) -> Result<(), (String, Code)> {
    let Defect::Machine(what) = defect else {
        panic!("not of the machine: {defect:?}")
    };
    let output = output(what);
    let code = match output.status {
        Some(0) => return Ok(()),
        _ => code_of(&output).unwrap_or_else(|| panic!("{what}: {output}")),
    };
    // The code decides the exit code, whoever reads it.
    let exit = match code.kind {
        diag::Kind::Finding => 1,
        diag::Kind::Invalid => 2,
        diag::Kind::Untrusted => 3,
        diag::Kind::Unavailable => 4,
        diag::Kind::Internal => 70,
    };
    assert_eq!(output.status, Some(exit), "{what}: {output}");
    Err((layer(code).to_owned(), code))
}

/// What the program says after this happened to a machine that had pulled.
pub(super) fn output(what: &str) -> Output {
    let mut site = Site::new(&at_revision(6));
    site.ordain(&["bundle", "pull"]).success();
    tamper(&mut site, what)
}

#[allow(clippy::too_many_lines, reason = "one arm a word")]
fn tamper(site: &mut Site, what: &str) -> Output {
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    let pull = ["bundle", "pull"];
    let lock = site.lock();
    let state = site.state();
    let old = std::fs::read(&lock).unwrap();
    let newer = |site: &Site| {
        site.commit("acme", &at_revision(7).acme);
        site.ordain(&pull).success();
    };
    match what {
        "branch_goes_back" | "tag_moves_back" | "lockfile_deleted_and_branch_goes_back" => {
            let branch = if what == "tag_moves_back" {
                "v1"
            } else {
                "main"
            };
            newer(site);
            if what == "tag_moves_back" {
                site.env.git("policy", ["tag", "v1"]);
                site.reconfigure("../policy", "v1");
                site.ordain(&pull).success();
                site.env.git("policy", ["tag", "--force", "v1", "main~1"]);
            } else {
                site.env
                    .git("policy", ["reset", "--quiet", "--hard", "main~1"]);
            }
            if what.starts_with("lockfile") {
                std::fs::remove_file(&lock).unwrap();
            }
            assert!(!branch.is_empty());
            return site.ordain(&pull);
        }
        "signed_twice" => {
            let mut other = at_revision(6);
            other.acme.files.insert("README.md".into(), b"other".into());
            site.commit("acme", &other.acme);
            return site.ordain(&pull);
        }
        "lockfile_of_an_older_revision" => {
            newer(site);
            std::fs::write(&lock, old).unwrap();
        }
        "lockfile_revision_lowered" => {
            newer(site);
            std::fs::write(&lock, old).unwrap();
            site.edit_json(&lock, |lock| lock["bundles"]["acme"]["revision"] = 1.into());
        }
        "lockfile_payload_edited" => site.edit_json(&lock, |lock| {
            let nobodys = ordain::digest::Sha256Digest::of(b"nobody's").to_string();
            lock["bundles"]["acme"]["payload"] = nobodys.into();
        }),
        "lockfile_payload_of_another" => site.edit_json(&lock, |lock| {
            lock["bundles"]["acme"]["payload"] = lock["bundles"]["base"]["payload"].clone();
        }),
        "lockfile_conflict" => {
            let text = String::from_utf8(old).unwrap();
            std::fs::write(
                &lock,
                format!("<<<<<<< ours\n{text}=======\n{text}>>>>>>> theirs\n"),
            )
            .unwrap();
        }
        "lockfile_duplicate_key" => {
            let text = String::from_utf8(old).unwrap();
            let text = text.replacen("\"revision\"", "\"revision\": 9, \"revision\"", 1);
            std::fs::write(&lock, text).unwrap();
        }
        "lockfile_of_another_version" => {
            site.edit_json(&lock, |lock| lock["version"] = 2.into());
        }
        "lockfile_missing" => {
            std::fs::remove_file(&lock).unwrap();
            return site.ordain(&["bundle", "pull", "--locked"]);
        }
        "lockfile_of_another_source" => {
            site.edit_json(&lock, |lock| {
                lock["bundles"]["acme"]["path"] = "elsewhere".into()
            });
            return site.ordain(&["bundle", "pull", "--locked"]);
        }
        "store_edited" | "store_cut" => {
            let store = site.env.home().join(".cache/ordain/store/v1");
            for entry in std::fs::read_dir(store).unwrap() {
                let path = entry.unwrap().path();
                let mut bytes = std::fs::read(&path).unwrap();
                if what == "store_cut" {
                    bytes.truncate(bytes.len() - 1);
                } else {
                    *bytes.last_mut().unwrap() ^= 1;
                }
                std::fs::write(&path, bytes).unwrap();
            }
            return site
                .env
                .ordain_in("consumer", ["bundle", "pull", "--frozen"]);
        }
        "store_swapped" => {
            let store = site.env.home().join(".cache/ordain/store/v1");
            let entries = std::fs::read_dir(store).unwrap();
            let paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
            std::fs::copy(&paths[0], &paths[1]).unwrap();
            return site.ordain(&["bundle", "pull", "--frozen"]);
        }
        "state_of_another_format" => {
            site.edit_json(&state, |state| state["format"] = "ordain-state/v9".into());
        }
        "state_overwritten" => std::fs::write(&state, "{}").unwrap(),
        "state_cut" => {
            let bytes = std::fs::read(&state).unwrap();
            std::fs::write(&state, &bytes[..bytes.len() / 2]).unwrap();
        }
        "state_link" => {
            let elsewhere = site.env.work().join("state.json");
            std::fs::rename(&state, &elsewhere).unwrap();
            symlink(elsewhere, &state).unwrap();
        }
        "state_directory_link" => {
            let elsewhere = site.env.work().join("state");
            let directory = state.parent().unwrap();
            std::fs::rename(directory, &elsewhere).unwrap();
            symlink(elsewhere, directory).unwrap();
        }
        "state_group_writable" => {
            std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o660)).unwrap();
        }
        "state_directory_writable" => {
            let mode = std::fs::Permissions::from_mode(0o777);
            std::fs::set_permissions(state.parent().unwrap(), mode).unwrap();
        }
        "root_goes_back" => {
            site.edit_json(&state, |state| {
                for root in state["roots"].as_object_mut().unwrap().values_mut() {
                    root["version"] = 2.into();
                }
            });
        }
        "clock_set_back" => {
            site.edit_json(&state, |state| {
                state["last_seen"] = "2999-01-01T00:00:00Z".into()
            });
            let mut command = site.env.command(binary());
            command
                .args(pull)
                .current_dir(site.env.work().join("consumer"));
            command.env_remove("ORDAIN_NOW");
            return site.env.run(command, b"");
        }
        "unsigned_under_ci" => {
            site.env.set("CI", "true");
            return site.ordain(&[
                "eval",
                "--scope",
                "acme",
                "--unsigned-dir",
                "../policy/acme",
            ]);
        }
        "root_without_fingerprint" => {
            return site.ordain(&[
                "bundle",
                "pull",
                "../policy",
                "--ref",
                "main",
                "--path",
                "acme",
                "--trust-root",
                "../keys",
            ]);
        }
        "ref" | "url" => panic!("say which"),
        other => {
            let (kind, text) = other.split_once(' ').unwrap_or_else(|| panic!("{other}?"));
            match kind {
                "ref" => site.reconfigure("../policy", text),
                "url" => site.reconfigure(text, "main"),
                _ => panic!("{other}?"),
            }
            return site.ordain(&pull);
        }
    }
    site.env.write("request.json", r#"{"subject":{"type":"user","id":"sam"},"action":{"name":"read"},"resource":{"type":"t","id":"r"}}"#);
    site.ordain(&["eval", "../request.json"])
}
