//! What the built program prints when it meets a vector.

use std::path::Path;

use super::defect::Defect;
use super::machine::{self, Site, at_revision};
use super::through::is_of_the_bundle;
use super::world::World;
use super::{repository, vectors};
use crate::diagnostics::Answer;
use crate::support::Output;

/// The program's answer to the vector of this name.
#[track_caller]
pub(crate) fn answer(name: &str) -> Answer {
    let all = vectors();
    let mut all = all.iter().flat_map(|(_, vectors)| vectors);
    let vector = all
        .find(|vector| vector.name == name)
        .unwrap_or_else(|| panic!("no vector `{name}`"));
    let said = match &vector.defect {
        Defect::Machine(what) => of(&machine::output(what), None),
        Defect::Tree(_) => {
            let repo = vector.defect.tree_repository();
            of(
                &fetch(&repo.path().display().to_string()),
                Some(repo.base()),
            )
        }
        Defect::Repository(made) => {
            let (repo, _server, url) = repository::place(made);
            of(&fetch(&url), repo.as_ref().map(|repo| repo.base()))
        }
        defect if is_of_the_bundle(vector) || matches!(vector.expect.layer.as_str(), "source") => {
            let site = Site::new(&at_revision(6));
            site.ordain(&["bundle", "pull"]).success();
            let mut world = at_revision(7);
            defect.apply(&mut world);
            site.commit("acme", &world.acme);
            of(&site.ordain(&["bundle", "pull"]), None)
        }
        defect => {
            let mut world = World::default();
            defect.apply(&mut world);
            let mut site = Site::new(&world);
            site.env.set("ORDAIN_NOW", world.now.clone());
            of(&site.ordain(&["bundle", "pull"]), None)
        }
    };
    Answer {
        command: format!("# {}", vector.attack),
        ..said
    }
}

/// Pulls `main` from somewhere, against a sound trust root.
fn fetch(url: &str) -> Output {
    let site = Site::new(&at_revision(6));
    let pin = World::default()
        .write_roots(&site.env.work().join("roots"))
        .to_string();
    let from = [
        "bundle",
        "pull",
        url,
        "--ref=main",
        "--trust-root=../roots",
        "--fingerprint",
        &pin,
    ];
    site.ordain(&from)
}

/// An answer, with the directory of a repository elsewhere replaced.
fn of(output: &Output, elsewhere: Option<&Path>) -> Answer {
    let mut text = output.to_string();
    if let Some(base) = elsewhere {
        text = text.replace(&*base.to_string_lossy(), "[elsewhere]");
    }
    Answer {
        command: String::new(),
        status: output.status,
        stderr: output.stderr.clone(),
        text,
    }
}
