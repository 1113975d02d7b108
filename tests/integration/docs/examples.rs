//! Examples in pages: in a section, fenced blocks of YAML that begin with `# policies/…`, `# data/…` or `# tests/…` are the
//! files of one bundle, which must be free of problems and pass its tests.

use std::collections::BTreeMap;

use crate::support::{TestEnv, checkout};

const MANIFEST: &str =
    "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n";

/// The sections of a page that hold files, each under its heading.
fn sections(page: &str) -> Vec<(String, BTreeMap<String, String>)> {
    let mut sections: Vec<(String, BTreeMap<String, String>)> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("## ") || line.starts_with("### ") {
            sections.push((
                line.trim_start_matches(['#', ' ']).to_owned(),
                BTreeMap::new(),
            ));
        }
        if !line.starts_with("```") {
            continue;
        }
        let block: Vec<&str> = lines
            .by_ref()
            .take_while(|line| !line.starts_with("```"))
            .collect();
        let name = block.first().and_then(|first| first.strip_prefix("# "));
        let is_file = |name: &&str| {
            ["policies/", "data/", "tests/"]
                .iter()
                .any(|top| name.starts_with(top))
        };
        if let (Some(name), Some((heading, files))) = (name.filter(is_file), sections.last_mut()) {
            let before = files.insert(name.to_owned(), block.join("\n") + "\n");
            assert_eq!(before, None, "{heading}: {name} stands twice");
        }
    }
    sections.retain(|(_, files)| !files.is_empty());
    sections
}

#[test]
fn the_examples_of_the_migration_page_pass() {
    let page = std::fs::read_to_string(checkout().join("docs/migrating.md")).unwrap();
    let sections = sections(&page);
    assert!(sections.len() >= 14, "{}", sections.len());
    for (heading, files) in sections {
        assert!(
            files.keys().any(|name| name.starts_with("tests/")),
            "{heading} has no tests"
        );
        let env = TestEnv::new();
        env.write("bundle/bundle.yaml", MANIFEST);
        for (name, text) in &files {
            env.write(format!("bundle/{name}"), text);
        }
        let checked = env.ordain(["policy", "check", "bundle", "--deny-warnings"]);
        assert_eq!(checked.status, Some(0), "{heading}\n{checked}");
        let tested = env.ordain(["policy", "test", "bundle", "--min-coverage=100"]);
        assert_eq!(tested.status, Some(0), "{heading}\n{tested}");
    }
}
