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
    top: Node,
    /// All of it, as conditions see it.
    view: Box<dyn Val>,
}

/// A directory or a file.
#[derive(Debug)]
pub(super) enum Node {
    Directory(BTreeMap<String, Node>),
    File(Value, Sha256Digest),
    /// A file that has a problem of its own.
    Unreadable,
}

/// What stands at a path of names.
pub(super) enum Found<'a> {
    Directory,
    /// A file; the path may have gone on into it.
    File(&'a Value),
    /// What a file would say whose problem is told elsewhere.
    Unreadable,
    Nothing,
}

impl Default for Data {
    fn default() -> Self {
        Self::new(Node::Directory(BTreeMap::new()))
    }
}

impl Data {
    fn new(top: Node) -> Self {
        let view = condition::view(&value_of(&top));
        Self { top, view }
    }

    /// All of it, as conditions see it.
    pub(super) fn view(&self) -> &dyn Val {
        self.view.as_ref()
    }

    /// What stands at `path`, where directories and files end.
    pub(super) fn find(&self, path: &[String]) -> Found<'_> {
        let mut node = &self.top;
        for name in path {
            let Node::Directory(inner) = node else {
                break;
            };
            match inner.get(name) {
                Some(inner) => node = inner,
                None => return Found::Nothing,
            }
        }
        match node {
            Node::Directory(_) => Found::Directory,
            Node::File(value, _) => Found::File(value),
            Node::Unreadable => Found::Unreadable,
        }
    }

    /// The digests of all files at and below `path`, by the names under which conditions see them.
    pub(super) fn digests(&self, path: &[String]) -> BTreeMap<String, Sha256Digest> {
        let mut digests = BTreeMap::new();
        let mut node = &self.top;
        let mut names = path.iter();
        let mut above = Vec::new();
        while let Node::Directory(inner) = node
            && let Some(name) = names.next()
        {
            above.push(name.as_str());
            match inner.get(name) {
                Some(inner) => node = inner,
                None => return digests,
            }
        }
        collect(node, &above.join("."), &mut digests);
        digests
    }
}

fn collect(node: &Node, path: &str, digests: &mut BTreeMap<String, Sha256Digest>) {
    match node {
        Node::Directory(inner) => {
            for (name, node) in inner {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                collect(node, &path, digests);
            }
        }
        Node::File(_, digest) => {
            digests.insert(path.to_owned(), *digest);
        }
        Node::Unreadable => {}
    }
}

fn value_of(node: &Node) -> Value {
    match node {
        Node::Directory(inner) => {
            let members = inner.iter();
            let members = members.map(|(name, node)| (name.clone(), value_of(node)));
            Value::Object(members.collect())
        }
        Node::File(value, _) => value.clone(),
        Node::Unreadable => Value::Null,
    }
}

/// Reads the data of a bundle, and notes the problems of its files. What conditions read of those is no problem of theirs.
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
        return Data::new(Node::Unreadable);
    }
    let mut top = BTreeMap::new();
    let mut unreadable = Vec::new();
    for (name, bytes) in found {
        let (stem, ending) = split(name);
        let path: Vec<String> = stem.split('/').map(str::to_owned).collect();
        match read_file(name, &path, ending, bytes, limits) {
            Ok(node) => problems.extend(insert(&mut top, name, &path, node)),
            Err(problem) => {
                problems.push(*problem);
                unreadable.push((name, path));
            }
        }
    }
    // What can be read keeps its place: two files that clash here have a problem already.
    for (name, path) in unreadable {
        let _ = insert(&mut top, name, &path, Node::Unreadable);
    }
    Data::new(Node::Directory(top))
}

/// The name below the directory without its ending, and that.
fn split(name: &BundlePath) -> (&str, &str) {
    let rest = name.as_str().strip_prefix("data/").unwrap_or_default();
    rest.rsplit_once('.').unwrap_or((rest, ""))
}

fn start(name: &BundlePath) -> Location {
    let file = name.as_str().into();
    let (line, column) = (1, 1);
    Location { file, line, column }
}

fn read_file(
    name: &BundlePath,
    path: &[String],
    ending: &str,
    bytes: &[u8],
    limits: &Limits,
) -> Result<Node, Box<Diagnostic>> {
    let refuse = |message: String, hint: &str| {
        let problem = Diagnostic::error(Code::DATA_NAME, message).at(start(name));
        Box::new(problem.hint(hint))
    };
    if !matches!(ending, "yaml" | "json") {
        let message = "data is read from files that end in `.yaml` or `.json`".to_owned();
        return Err(refuse(
            message,
            "rename the file, or move it out of `data/`",
        ));
    }
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
    Ok(Node::File(value, Sha256Digest::of(&canonical)))
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
            Node::File(..) | Node::Unreadable => return Some(clash(name, path)),
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
