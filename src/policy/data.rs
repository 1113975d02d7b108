//! What a bundle's conditions may look up: `data/**/*.{yaml,json}`, as `data.…`.
//!
//! - `data/release_managers.yaml` is `data.release_managers`; directories nest: `data/eu/limits.json` is `data.eu.limits`.
//! - Every name is a word of CEL, and stands for one thing: `a.yaml` beside `a.json` or `a/` is refused.
//! - Texts are in Unicode form C, as those of requests are.
//!
//! INVARIANT: a rule sees the data of its own bundle only; [`Data`] is made from the files of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::value::Val;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization as _;

use super::condition;
use crate::bundle::{BundlePath, Limits};
use crate::diag::{Code, Diagnostic, Location, printable};
use crate::digest::Sha256Digest;
use crate::{json, yaml};

/// The directory of a bundle that holds its data.
const DIRECTORY: &str = "data";

/// The data of one bundle.
#[derive(Debug)]
pub(super) struct Data {
    top: BTreeMap<String, Node>,
    /// All of it, as conditions see it.
    view: Box<dyn Val>,
}

/// A directory or a file.
#[derive(Debug)]
pub(super) enum Node {
    Directory(BTreeMap<String, Node>),
    File(Value, Sha256Digest),
}

/// What stands at a path of names.
pub(super) enum Found<'a> {
    Directory,
    /// A file; the path may have gone on into it.
    File(&'a Value),
    Nothing,
}

impl Default for Data {
    fn default() -> Self {
        Self::new(BTreeMap::new())
    }
}

impl Data {
    fn new(top: BTreeMap<String, Node>) -> Self {
        let view = condition::view(&value_of(&top));
        Self { top, view }
    }

    /// All of it, as conditions see it.
    pub(super) fn view(&self) -> &dyn Val {
        self.view.as_ref()
    }

    /// What stands at `path`, where directories and files end.
    pub(super) fn find(&self, path: &[String]) -> Found<'_> {
        let mut directory = &self.top;
        for name in path {
            match directory.get(name) {
                Some(Node::Directory(inner)) => directory = inner,
                Some(Node::File(value, _)) => return Found::File(value),
                None => return Found::Nothing,
            }
        }
        Found::Directory
    }

    /// The digests of all files at and below `path`, by the names under which conditions see them.
    pub(super) fn digests(&self, path: &[String]) -> BTreeMap<String, Sha256Digest> {
        let mut digests = BTreeMap::new();
        let mut directory = &self.top;
        for (depth, name) in path.iter().enumerate() {
            match directory.get(name) {
                Some(Node::Directory(inner)) => directory = inner,
                Some(Node::File(_, digest)) => {
                    let names = path.get(..=depth).unwrap_or_default();
                    return [(names.join("."), *digest)].into();
                }
                None => return digests,
            }
        }
        collect(directory, &path.join("."), &mut digests);
        digests
    }
}

fn collect(
    directory: &BTreeMap<String, Node>,
    above: &str,
    digests: &mut BTreeMap<String, Sha256Digest>,
) {
    for (name, node) in directory {
        let path = if above.is_empty() {
            name.clone()
        } else {
            format!("{above}.{name}")
        };
        match node {
            Node::Directory(inner) => collect(inner, &path, digests),
            Node::File(_, digest) => {
                digests.insert(path, *digest);
            }
        }
    }
}

fn value_of(directory: &BTreeMap<String, Node>) -> Value {
    let members = directory.iter().map(|(name, node)| {
        let value = match node {
            Node::Directory(inner) => value_of(inner),
            Node::File(value, _) => value.clone(),
        };
        (name.clone(), value)
    });
    Value::Object(members.collect())
}

/// Reads the data of a bundle. What has a problem is left out, and the problem noted.
pub(super) fn read(
    files: &BTreeMap<BundlePath, Arc<[u8]>>,
    limits: &Limits,
    problems: &mut Vec<Diagnostic>,
) -> Data {
    let found: Vec<_> = files
        .iter()
        .filter(|(name, _)| name.is_below(DIRECTORY))
        .collect();
    let bytes = found.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    if let Some((first, _)) = found.first()
        && (found.len() > limits.data_files || bytes > limits.data_bytes)
    {
        let message = format!(
            "{} files of {bytes} bytes in all are more than the limits of {} files and {} bytes",
            found.len(),
            limits.data_files,
            limits.data_bytes
        );
        let problem = Diagnostic::error(Code::DATA_LIMIT, message).at(start(first));
        problems.push(problem.hint("keep data that no condition reads outside `data/`"));
        return Data::default();
    }
    let mut top = BTreeMap::new();
    for (name, bytes) in found {
        match read_file(name, bytes, limits) {
            Ok((path, node)) => problems.extend(insert(&mut top, name, &path, node)),
            Err(problem) => problems.push(*problem),
        }
    }
    Data::new(top)
}

fn start(name: &BundlePath) -> Location {
    let file = name.as_str().into();
    let (line, column) = (1, 1);
    Location { file, line, column }
}

fn read_file(
    name: &BundlePath,
    bytes: &[u8],
    limits: &Limits,
) -> Result<(Vec<String>, Node), Box<Diagnostic>> {
    let refuse = |message: String, hint: &str| {
        let problem = Diagnostic::error(Code::DATA_NAME, message).at(start(name));
        Box::new(problem.hint(hint))
    };
    let rest = name.as_str().strip_prefix("data/").unwrap_or_default();
    let (stem, ending) = match rest.rsplit_once('.') {
        Some((stem, ending @ ("yaml" | "json"))) => (stem, ending),
        _ => {
            let message = "data is read from files that end in `.yaml` or `.json`".to_owned();
            return Err(refuse(
                message,
                "rename the file, or move it out of `data/`",
            ));
        }
    };
    let path: Vec<String> = stem.split('/').map(str::to_owned).collect();
    if let Some(word) = path.iter().find(|word| !condition::is_word(word)) {
        let message = format!("`{}` is no name of a condition", printable(word));
        let hint = "conditions name files: use letters of ASCII, digits and `_`, no digit in front, and no word of CEL such as `in`";
        return Err(refuse(message, hint));
    }
    let value = if ending == "yaml" {
        yaml::read(name.as_str(), bytes, limits.yaml_bytes)?.value
    } else {
        json::parse(bytes, limits.yaml_bytes).map_err(|error| {
            let narrow = |number| u32::try_from(number).unwrap_or(u32::MAX);
            let (line, column) = error.position().unwrap_or((1, 1));
            let place = Location {
                line: narrow(line),
                column: narrow(column),
                ..start(name)
            };
            let message = printable(&error.to_string());
            let problem = Diagnostic::error(Code::DATA_JSON, message).at(place);
            problem.hint("write strict JSON, or the same as `.yaml`")
        })?
    };
    let value = composed(value);
    let canonical = json::canonical(&value).map_err(|error| {
        let problem = Diagnostic::error(Code::DATA_JSON, error.to_string()).at(start(name));
        problem.hint("write the number as text")
    })?;
    Ok((path, Node::File(value, Sha256Digest::of(&canonical))))
}

/// The value with every text and key in form C.
fn composed(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(text.nfc().collect()),
        Value::Array(items) => Value::Array(items.into_iter().map(composed).collect()),
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(key, value)| (key.nfc().collect(), composed(value)))
                .collect(),
        ),
        other => other,
    }
}

fn insert(
    top: &mut BTreeMap<String, Node>,
    name: &BundlePath,
    path: &[String],
    node: Node,
) -> Option<Diagnostic> {
    let (last, above) = path.split_last()?;
    let mut directory = top;
    for word in above {
        let entry = directory
            .entry(word.clone())
            .or_insert_with(|| Node::Directory(BTreeMap::new()));
        match entry {
            Node::Directory(inner) => directory = inner,
            Node::File(..) => return Some(clash(name, path)),
        }
    }
    if directory.contains_key(last) {
        return Some(clash(name, path));
    }
    directory.insert(last.clone(), node);
    None
}

fn clash(name: &BundlePath, path: &[String]) -> Diagnostic {
    let message = format!(
        "`data.{}` would mean two files, or a file and a directory",
        path.join(".")
    );
    Diagnostic::error(Code::DATA_NAME, message)
        .at(start(name))
        .hint("give one of them another name")
}
