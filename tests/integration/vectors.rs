//! Everything that must be refused, as data: `tests/vectors/trust/*.yaml`, one defect each.
//!
//! A vector starts from a world in which all is well (`world`): a trust root of alice and bob, two bundles that two of three
//! publishers signed, a consumer who pins the root. It makes exactly one change (`defect`), and says which layer must refuse
//! the result and with which code. The undamaged world passes every layer. Vectors in `tree.yaml` make a Git tree that no
//! checkout could hold; those in `machine.yaml` tamper with what the built program keeps on disk (`machine`).

mod defect;
pub(crate) mod machine;
pub(crate) mod order;
pub(crate) mod program;
mod repository;
mod signature;
mod signed;
mod through;
pub(crate) mod world;

use std::collections::BTreeSet;
use std::fmt::Write as _;

use ordain::diag;
use serde::Deserialize;

use super::generated::hold;
use super::support::checkout;
use defect::Defect;
use world::World;

/// One thing that must be refused.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    /// What an attacker does, or what went wrong, in words.
    attack: String,
    defect: Defect,
    expect: Expect,
}

/// Who must refuse it, and how.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    layer: String,
    code: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    vectors: Vec<Vector>,
}

/// Every vector, file by file.
fn vectors() -> Vec<(String, Vec<Vector>)> {
    let directory = checkout().join("tests/vectors/trust");
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let bytes = std::fs::read(directory.join(&name)).unwrap();
            // By way of JSON, since YAML spells enums as tags, and tags are refused.
            let document = ordain::yaml::parse::<serde_json::Value>(&name, &bytes, 1 << 20)
                .unwrap_or_else(|problem| panic!("{problem}"));
            let file: File = serde_json::from_value(document.value)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, file.vectors)
        })
        .collect()
}

/// Checks the vectors of one file, and says of all of them what is wrong.
#[track_caller]
fn check(file: &str, refuse: impl Fn(&Vector) -> Result<(), (String, diag::Code)>) {
    let all = vectors();
    let (_, vectors) = all.iter().find(|(name, _)| name == file).unwrap();
    let mut wrong = String::new();
    for vector in vectors {
        let found = match refuse(vector) {
            Ok(()) => "nothing".to_owned(),
            Err((layer, code)) => format!("{layer} {code}"),
        };
        let Expect { layer, code } = &vector.expect;
        if found != format!("{layer} {code}") {
            writeln!(
                wrong,
                "{}: {layer} {code} should refuse it, {found} did",
                vector.name
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{file}\n{wrong}");
}

fn damaged(vector: &Vector) -> Result<(), (String, diag::Code)> {
    let mut world = World::default();
    vector.defect.apply(&mut world);
    world
        .run()
        .map_err(|refusal| (refusal.layer.to_owned(), refusal.code))
}

#[test]
fn the_undamaged_world_passes_every_layer() {
    World::default().run().unwrap();
}

#[test]
fn defects_of_the_envelope_are_refused() {
    check("envelope.yaml", damaged);
}

#[test]
fn defects_of_the_signers_are_refused() {
    check("signers.yaml", damaged);
}

#[test]
fn defects_of_the_statement_are_refused() {
    check("statement.yaml", damaged);
}

#[test]
fn defects_of_revision_and_time_are_refused() {
    check("revision.yaml", damaged);
}

#[test]
fn defects_of_the_trust_root_are_refused() {
    check("root.yaml", damaged);
}

#[test]
fn defects_of_the_files_are_refused() {
    check("files.yaml", damaged);
}

#[test]
fn defects_of_signed_content_are_refused() {
    check("content.yaml", damaged);
}

#[test]
fn git_trees_that_deceive_are_refused() {
    check("tree.yaml", |vector| vector.defect.tree());
}

#[test]
fn git_signatures_that_do_not_count_are_refused() {
    for sound in ["sound", "sha256", "tag-sound"] {
        signed::run(sound).unwrap();
    }
    check("git-signature.yaml", |vector| match &vector.defect {
        Defect::Signed(word) => signed::run(word),
        other => panic!("{other:?}"),
    });
}

#[test]
fn repositories_that_deceive_are_refused() {
    for sound in repository::Made::sound() {
        repository::run(&sound).unwrap();
    }
    check("repository.yaml", |vector| match &vector.defect {
        Defect::Repository(made) => repository::run(made),
        other => panic!("{other:?}"),
    });
}

#[test]
fn a_tampered_machine_is_refused() {
    check("machine.yaml", |vector| machine::run(&vector.defect));
}

#[test]
fn every_vector_has_a_name_of_its_own_and_a_code_of_the_catalogue() {
    let mut names = BTreeSet::new();
    for (file, vectors) in vectors() {
        for vector in vectors {
            assert!(
                names.insert(vector.name.clone()),
                "{file}: {} stands twice",
                vector.name
            );
            let code = diag::find(&vector.expect.code);
            assert!(code.is_some(), "{file}: {}", vector.expect.code);
        }
    }
    assert!(names.len() >= 250, "{} vectors", names.len());
}

/// Where the table stands in the threat model.
const BEGIN: &str =
    "<!-- refused: made from tests/vectors/trust by the test that holds this page -->\n";
const END: &str = "<!-- refused: end -->\n";

/// The name holds `generated`, so that the command which writes the other pages writes this table too.
#[test]
fn the_generated_table_of_what_is_refused_is_current() {
    let page = std::fs::read_to_string(checkout().join("docs/threat-model.md")).unwrap();
    let (before, rest) = page.split_once(BEGIN).expect("the table's beginning");
    let (_, after) = rest.split_once(END).expect("the table's end");
    let all = vectors();
    let count: usize = all.iter().map(|(_, vectors)| vectors.len()).sum();
    let mut table = format!("\nThere are {count} of them.\n");
    for (file, vectors) in all {
        let title = file.trim_end_matches(".yaml");
        write!(
            table,
            "\n### {title}\n\n| vector | what happens | refused by | code |\n| --- | --- | --- | --- |\n"
        )
        .unwrap();
        for Vector {
            name,
            attack,
            expect,
            ..
        } in vectors
        {
            let (layer, code) = (expect.layer, expect.code);
            let anchor = code.to_lowercase();
            writeln!(
                table,
                "| `{name}` | {} | {layer} | [{code}](diagnostics.md#{anchor}) |",
                attack.replace('|', "\\|")
            )
            .unwrap();
        }
    }
    hold(
        "docs/threat-model.md",
        &format!("{before}{BEGIN}{table}\n{END}{after}"),
    );
}
