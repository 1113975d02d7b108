//! The same defects through the built program: the exit code, the diagnostic, and that nothing moved.

use ordain::diag::Kind;

use super::machine::{Site, at_revision, code_of};
use super::{Vector, vectors};

const REQUEST: &str = r#"{"subject":{"type":"user","id":"sam"},"action":{"name":"read"},"resource":{"type":"t","id":"r"}}"#;

/// Whether a defect is the bundle's alone, so that a consumer of the undamaged one can meet it.
pub(super) fn is_of_the_bundle(vector: &Vector) -> bool {
    use super::defect::Defect;
    !matches!(vector.expect.layer.as_str(), "source" | "root")
        && !matches!(
            vector.defect,
            Defect::RootSet(_)
                | Defect::Revoke { .. }
                | Defect::RevokePayload
                | Defect::TwoKeysOfOne
                | Defect::Now(_)
                | Defect::Seen { .. }
                | Defect::MaxAge(_)
                | Defect::Requires { base: Some(_), .. }
                | Defect::Swapped
        )
}

fn check(file: &str) {
    let all = vectors();
    let (_, vectors) = all.iter().find(|(name, _)| name == file).unwrap();
    let site = Site::new(&at_revision(6));
    site.env.write("request.json", REQUEST);
    site.ordain(&["bundle", "pull"]).success();
    let lock = site.env.read("consumer/ordain.lock");
    let state = std::fs::read(site.state()).unwrap();
    for vector in vectors.iter().filter(|vector| is_of_the_bundle(vector)) {
        let name = &vector.name;
        let mut world = at_revision(7);
        vector.defect.apply(&mut world);
        site.commit("acme", &world.acme);
        let output = site.ordain(&["bundle", "pull"]);
        let code = code_of(&output).unwrap_or_else(|| panic!("{name}: {output}"));
        assert_eq!(code.id, vector.expect.code, "{name}: {output}");
        let exit = if code.kind == Kind::Invalid { 2 } else { 3 };
        assert_eq!(output.status, Some(exit), "{name}: {output}");
        assert!(!output.stderr.contains('\u{1b}'), "{name}: {output}");
        assert_eq!(site.env.read("consumer/ordain.lock"), lock, "{name}");
        assert_eq!(std::fs::read(site.state()).unwrap(), state, "{name}");
    }
    // The bundle of before still decides.
    let output = site.ordain(&["eval", "--format", "json", "../request.json"]);
    output.success();
    assert!(output.stdout.contains("acme/base#r"), "{output}");
    // And the repaired one is taken.
    site.commit("acme", &at_revision(7).acme);
    site.ordain(&["bundle", "pull"]).success();
    assert_ne!(site.env.read("consumer/ordain.lock"), lock);
}

#[test]
fn a_bad_envelope_leaves_the_previous_bundle_active() {
    check("envelope.yaml");
    check("signers.yaml");
}

#[test]
fn a_bad_statement_leaves_the_previous_bundle_active() {
    check("statement.yaml");
    check("revision.yaml");
}

#[test]
fn bad_files_leave_the_previous_bundle_active() {
    check("files.yaml");
    check("content.yaml");
}
