//! Cases that are files and a command.

use std::collections::BTreeMap;

use ordain::yaml;
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, hold};
use crate::schemas::validator;
use crate::support::{TestEnv, checkout};

/// One code, and what raises it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) code: String,
    /// `bundle/policies/acme.yaml` below its head: `apiVersion`, `kind: Policy` and `scope: acme`.
    below: Option<String>,
    /// Files under `work`, besides `bundle/bundle.yaml`.
    #[serde(default)]
    files: BTreeMap<String, Content>,
    /// What `ordain` is given; `policy check bundle` unless said.
    run: Option<Vec<String>>,
    /// Standard input.
    #[serde(default)]
    input: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Why the schema cannot refuse the policy.
    schema: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Hex {
        hex: String,
    },
    Repeated {
        before: String,
        repeat: String,
        times: usize,
        after: String,
    },
}

impl Content {
    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Hex { hex } => (0..hex.len() / 2)
                .map(|at| u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap())
                .collect(),
            Self::Repeated {
                before,
                repeat,
                times,
                after,
            } => format!("{before}{}{after}", repeat.repeat(*times)).into_bytes(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    cases: Vec<Case>,
}

const MANIFEST: &str =
    "apiVersion: ordain/v1\nkind: Bundle\nname: acme\nversion: 1.0.0\nnamespace: acme\n";
const HEAD: &str = "apiVersion: ordain/v1\nkind: Policy\nscope: acme\n";

/// The cases, area by area.
pub(super) fn all() -> Vec<(String, Vec<Case>)> {
    let directory = checkout().join("tests/diagnostics");
    let mut names: Vec<String> = std::fs::read_dir(&directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let read = |name: String| {
        let bytes = std::fs::read(directory.join(&name)).unwrap();
        // By way of JSON, since YAML spells enums as tags, and tags are refused.
        let document = yaml::parse::<Value>(&name, &bytes, 1 << 20)
            .unwrap_or_else(|problem| panic!("{problem}"));
        let file: File = serde_json::from_value(document.value)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        (name, file.cases)
    };
    names.into_iter().map(read).collect()
}

impl Case {
    /// The files under `work`.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::from([(
            "bundle/bundle.yaml".to_owned(),
            MANIFEST.as_bytes().to_vec(),
        )]);
        if let Some(below) = &self.below {
            files.insert(
                "bundle/policies/acme.yaml".to_owned(),
                format!("{HEAD}{below}").into_bytes(),
            );
        }
        files.extend(
            self.files
                .iter()
                .map(|(name, content)| (name.clone(), content.bytes())),
        );
        files
    }

    fn raise(&self) -> Answer {
        let mut env = TestEnv::new();
        for (name, bytes) in self.files() {
            env.write(name, bytes);
        }
        for (name, value) in &self.env {
            env.set(name, value);
        }
        let usual = ["policy", "check", "bundle"].map(str::to_owned).to_vec();
        let arguments = self.run.clone().unwrap_or(usual);
        let output = env.ordain_with_input(".", self.input.as_bytes(), &arguments);
        Answer {
            command: format!("ordain {}", arguments.join(" ")),
            status: output.status,
            stderr: output.stderr.clone(),
            text: output.to_string(),
        }
    }
}

#[track_caller]
fn check(area: &str) {
    let (_, cases) = all()
        .into_iter()
        .find(|(name, _)| name == &format!("{area}.yaml"))
        .unwrap();
    for case in cases {
        hold(&case.code, &case.raise());
    }
}

#[test]
fn of_yaml() {
    check("yaml");
}

#[test]
fn of_policies() {
    check("policy");
}

#[test]
fn of_resolution_and_lints() {
    check("resolve");
}

#[test]
fn of_requests() {
    check("request");
}

#[test]
fn of_usage_and_configuration() {
    check("config");
}

/// What a schema can say of a policy with one defect, it says.
#[test]
fn the_schemas_refuse_what_they_can() {
    let mut refused = 0;
    let (_, cases) = all()
        .into_iter()
        .find(|(name, _)| name == "policy.yaml")
        .unwrap();
    for case in cases {
        let code = &case.code;
        let mut objects = false;
        let mut documents = 0;
        for (name, bytes) in case.files() {
            let Ok(document) = yaml::parse::<Value>(&name, &bytes, 1 << 21) else {
                continue;
            };
            let kind = document.value["kind"]
                .as_str()
                .unwrap_or("Policy")
                .to_owned();
            let kind = if ["Policy", "Catalog", "PolicyTest", "Bundle"].contains(&&*kind) {
                kind
            } else {
                "Policy".to_owned()
            };
            documents += 1;
            objects |= !validator(&kind).is_valid(&document.value);
        }
        assert!(documents > 0, "{code}");
        assert_eq!(objects, case.schema.is_none(), "{code}: {:?}", case.schema);
        refused += usize::from(objects);
    }
    assert!(refused >= 10, "{refused}");
}
