//! Cases that are files and a command.

use std::collections::BTreeMap;

use ordain::yaml;
use serde::Deserialize;
use serde_json::Value;

use super::{Answer, hold};
use crate::schemas::validator;
use crate::support::organisation::Organisation;
use crate::support::{Output, TestEnv, checkout};
use crate::vectors::program;

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
    /// The directory under `work` in which it runs.
    #[serde(default, rename = "in")]
    directory: String,
    /// Whether there are keys, a trust root, a published bundle and a consumer of it in `app`.
    #[serde(default)]
    organisation: bool,
    /// Lines of a shell that run before, in `work`. `$FINGERPRINT` is the trust root's, and `pull URL REF PATH` pulls without a
    /// configuration.
    #[serde(default)]
    before: String,
    /// Lines of a shell instead of `run`.
    shell: Option<String>,
    /// The vector of `tests/vectors/trust` that raises it, instead of all of the above.
    vector: Option<String>,
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
/// What every shell knows.
const PRELUDE: &str = "pull() { ordain bundle pull \"$1\" --ref \"${2:-main}\" --path \"${3:-bundles/acme}\" --trust-root trust --fingerprint \"$FINGERPRINT\"; }\n";
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
        if let Some(vector) = &self.vector {
            return program::answer(vector);
        }
        let (mut env, fingerprint) = if self.organisation {
            let world = Organisation::new();
            world.publish("READ_ONLY");
            world.consumer("app", "../policy", None);
            (world.env, world.fingerprint)
        } else {
            (TestEnv::new(), String::new())
        };
        for (name, bytes) in self.files() {
            env.write(name, bytes);
        }
        env.set("FINGERPRINT", fingerprint);
        if !self.before.is_empty() {
            let prepared = shell(&env, "-eu", &self.before, "", b"");
            assert_eq!(prepared.status, Some(0), "{}\n{prepared}", self.code);
        }
        for (name, value) in &self.env {
            env.set(name, value);
        }
        let usual = ["policy", "check", "bundle"].map(str::to_owned).to_vec();
        let arguments = self.run.clone().unwrap_or(usual);
        let (command, output) = match &self.shell {
            Some(lines) => {
                let output = shell(&env, "-u", lines, &self.directory, self.input.as_bytes());
                (lines.trim_end().to_owned(), output)
            }
            None => {
                let output =
                    env.ordain_with_input(&self.directory, self.input.as_bytes(), &arguments);
                (format!("ordain {}", arguments.join(" ")), output)
            }
        };
        Answer {
            command,
            status: output.status,
            stderr: output.stderr.clone(),
            text: output.to_string(),
        }
    }
}

/// Runs lines of a shell in a directory under `work`.
fn shell(env: &TestEnv, flags: &str, lines: &str, directory: &str, input: &[u8]) -> Output {
    let mut command = env.command("sh");
    command
        .args([flags, "-c", &format!("{PRELUDE}{lines}")])
        .current_dir(env.work().join(directory));
    env.run(command, input)
}

/// Raises every code of an area, and says of all of them what is wrong.
#[track_caller]
fn check(area: &str) {
    let (_, cases) = all()
        .into_iter()
        .find(|(name, _)| name == &format!("{area}.yaml"))
        .unwrap();
    let differs =
        |case: &&Case| std::panic::catch_unwind(|| hold(&case.code, &case.raise())).is_err();
    let wrong: Vec<&str> = cases
        .iter()
        .filter(differs)
        .map(|case| &*case.code)
        .collect();
    assert!(wrong.is_empty(), "{area}: {wrong:?}, see above");
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
fn of_tests_and_formatting() {
    check("test");
}

#[test]
fn of_requests() {
    check("request");
}

#[test]
fn of_usage_and_configuration() {
    check("config");
}

#[test]
fn of_sources() {
    check("source");
}

#[test]
fn of_bundles_and_trust_roots() {
    check("trust");
}

#[test]
fn of_keys_and_signing() {
    check("sign");
}

#[test]
fn of_logs() {
    check("log");
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
        let files = case.files();
        for (name, bytes) in files.iter().filter(|(name, _)| !name.contains("/data/")) {
            let Ok(document) = yaml::parse::<Value>(name, bytes, 1 << 21) else {
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
