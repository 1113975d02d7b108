//! Examples in pages: in a section, fenced blocks of YAML that begin with `# policies/…`, `# data/…` or `# tests/…` are the
//! files of one bundle, which must be free of problems and pass its tests.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

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

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let target = target.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key).or_insert(Value::Null), value);
        }
    }
}

/// The names in a list, which may stand in mappings.
fn names(list: &Value) -> BTreeSet<String> {
    let name = |item: &Value| item.as_str().or(item["rule"].as_str()).unwrap().to_owned();
    list.as_array().into_iter().flatten().map(name).collect()
}

/// Decides the request of a case, and holds the decision against what is expected.
fn run(env: &mut TestEnv, heading: &str, shared: &Value, case: &Value) {
    let either = |field: &str| {
        case[field]
            .as_str()
            .or(shared[field].as_str())
            .unwrap()
            .to_owned()
    };
    let mut request = json!({});
    for part in [&shared["request"], &case["request"]] {
        if !part.is_null() {
            merge(&mut request, part);
        }
    }
    env.write("request.json", request.to_string());
    env.set("ORDAIN_NOW", either("now"));
    let eval = [
        "eval",
        "--unsigned-dir=bundle",
        "--format=json",
        "request.json",
        "--scope",
    ];
    let output = env.ordain(eval.into_iter().chain([&*either("scope")]));
    let decision = output.json()["decisions"][0].clone();
    for (field, wanted) in case["expect"].as_object().unwrap() {
        let found = &decision[field];
        let fits = if wanted.is_array() {
            names(found) == names(wanted)
        } else {
            found == wanted
        };
        assert!(
            fits,
            "{heading}, {}: {field} is {found}, not {wanted}\n{output}",
            case["name"]
        );
    }
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
        let mut env = TestEnv::new();
        env.write("bundle/bundle.yaml", MANIFEST);
        for (name, text) in &files {
            env.write(format!("bundle/{name}"), text);
        }
        let checked = env.ordain(["policy", "check", "bundle", "--deny-warnings"]);
        assert_eq!(checked.status, Some(0), "{heading}\n{checked}");
        let tested = env.ordain(["policy", "test", "bundle", "--min-coverage=100"]);
        assert_eq!(tested.status, Some(0), "{heading}\n{tested}");
        for (name, text) in files.iter().filter(|(name, _)| name.starts_with("tests/")) {
            let document = ordain::yaml::parse::<Value>(name, text.as_bytes(), 1 << 20).unwrap();
            let shared = document.value;
            for case in shared["cases"].as_array().unwrap() {
                run(&mut env, &heading, &shared, case);
            }
        }
    }
}
