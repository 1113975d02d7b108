//! The arrows between modules, read from the imports.
//!
//! Every path that [`imports`] finds is held against [`LAYERS`], [`SOURCE_MAY_USE`], [`SERVANTS`] and [`HOMES`].

mod imports;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules, lowest first. A module uses its own line and the lines above it in this table.
const LAYERS: &[&[&str]] = &[
    &["name", "digest", "json", "yaml", "diag", "schema"],
    &["bundle", "policy"],
    &["trust"],
    &["resolve"],
    &["engine"],
    &["log"],
    &["config", "lockfile"],
    &["pipeline"],
    &["cli"],
];
/// `source` stands beside the layers: it uses the lowest line and `bundle`, and only `pipeline` uses it.
const SOURCE_MAY_USE: &[&str] = &["name", "digest", "json", "yaml", "diag", "bundle"];
/// Modules that stand beside the layers, use none of them, and serve only some: time and files are inputs of the rest.
const SERVANTS: &[(&str, &[&str])] = &[
    // A policy holds lengths of time; what reads the clock is kept from it below.
    ("clock", &["policy", "resolve", "config", "pipeline", "cli"]),
    (
        "atomic",
        &["log", "source", "config", "lockfile", "pipeline", "cli"],
    ),
];

/// What only some modules may name, and which ones those are.
const HOMES: &[(&str, &[&str])] = &[
    ("gix", &["source"]),
    ("crate::clock::Clock", &["pipeline", "cli"]),
    ("crate::clock::Stopwatch", &["pipeline", "cli"]),
    // `log` holds the checkpoints' signing key; every verification is `trust`'s.
    ("ed25519_dalek", &["trust", "log"]),
    ("serde_yaml", &["yaml"]),
    ("saphyr_parser", &["yaml"]),
    // They take a list for an object.
    ("serde_json::from_reader", &["json"]),
    ("serde_json::from_slice", &["json"]),
    ("serde_json::from_str", &["json"]),
    ("serde_json::from_value", &["json"]),
    ("serde_json::Deserializer", &["json", "yaml"]),
    ("reqwest", &["source"]),
    ("clap", &["cli"]),
    (
        "std::fs",
        &[
            "atomic", "source", "log", "pipeline", "cli", "config", "lockfile",
        ],
    ),
    ("std::process", &["source", "cli", "main"]),
    ("std::net", &["source"]),
];
/// Calls that read the clock; they stand in `src/clock.rs` only.
const CLOCK_CALLS: &[&[&str]] = &[&["SystemTime", "now"], &["Timestamp", "now"]];
/// The most lines of a file.
const MAX_LINES: usize = 600;

/// What one file breaks. `file` is relative to `src`.
fn check(file: &str, text: &str) -> Vec<String> {
    let modules = module_path(file);
    let top = modules.first().map_or("lib", String::as_str);
    let mut problems = Vec::new();
    if text.lines().count() > MAX_LINES {
        problems.push(format!("{file} has more than {MAX_LINES} lines: split it"));
    }
    for path in imports::of(text) {
        let written = path.join("::");
        if let Some(target) = target(&modules, &path)
            && let Some(reason) = forbidden(top, target)
        {
            problems.push(format!("{file} uses `{written}`: {reason}"));
        }
        for (name, homes) in HOMES {
            let is_named = written == *name || written.starts_with(&format!("{name}::"));
            if is_named && !homes.contains(&top) {
                problems.push(format!(
                    "{file} uses `{written}`: only {} may",
                    homes.join(", ")
                ));
            }
        }
        let reads_clock = CLOCK_CALLS.iter().any(|call| {
            let end = path.iter().rev().map(String::as_str);
            path.len() >= call.len() && call.iter().rev().copied().eq(end.take(call.len()))
        });
        if reads_clock && file != "clock.rs" {
            problems.push(format!(
                "{file} calls `{written}`: only clock.rs reads the clock"
            ));
        }
    }
    problems
}

/// Why `from` may not use `to`; none if it may.
fn forbidden(from: &str, to: &str) -> Option<String> {
    let rank = |module: &str| LAYERS.iter().position(|line| line.contains(&module));
    let served = |module: &str| {
        let servant = SERVANTS.iter().find(|(name, _)| *name == module);
        servant.map(|(_, users)| *users)
    };
    if from == to || from == "lib" {
        return None;
    }
    match (from, to) {
        ("main", _) => (to != "cli").then(|| "main uses cli only".to_owned()),
        (_, "source") => (from != "pipeline").then(|| "only pipeline uses source".to_owned()),
        _ if served(to).is_some_and(|users| users.contains(&from)) => None,
        _ if served(to).is_some() => Some(format!("{to} does not serve {from}")),
        _ if served(from).is_some() => Some(format!("{from} stands alone")),
        ("source", _) => (!SOURCE_MAY_USE.contains(&to))
            .then(|| format!("source uses {} only", SOURCE_MAY_USE.join(", "))),
        _ => match (rank(from), rank(to)) {
            (Some(from_rank), Some(to_rank)) => {
                (to_rank > from_rank).then(|| format!("{from} stands below {to}"))
            }
            (None, _) => Some(format!("module `{from}` has no place in LAYERS")),
            (_, None) => Some(format!("module `{to}` has no place in LAYERS")),
        },
    }
}

/// The top-level module that a path names; none for paths of other crates and of the module's own children.
fn target<'a>(modules: &[String], path: &'a [String]) -> Option<&'a str> {
    let first = path.first()?.as_str();
    let supers = path.iter().take_while(|part| *part == "super").count();
    let index = match first {
        "crate" | "ordain" => 1,
        "super" if supers >= modules.len() => supers,
        _ => return None,
    };
    let name = path.get(index)?.as_str();
    // Re-exports and macros at the crate's root are nobody's module.
    let is_module = name.starts_with(|c: char| c.is_ascii_lowercase()) && name != "self";
    is_module.then_some(name)
}

/// `trust/keys.rs` is `[trust, keys]`, `trust/mod.rs` is `[trust]`, `lib.rs` is empty.
fn module_path(file: &str) -> Vec<String> {
    let stem = file.trim_end_matches(".rs");
    let stem = stem.strip_suffix("/mod").unwrap_or(stem);
    match stem {
        "lib" => Vec::new(),
        _ => stem.split('/').map(str::to_owned).collect(),
    }
}

/// Every file below `src`, by its path there.
fn sources() -> BTreeMap<String, String> {
    let root = super::support::checkout().join("src");
    let mut files = BTreeMap::new();
    let mut tests: BTreeSet<PathBuf> = BTreeSet::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                tests.extend(test_modules(&path, &text));
                files.insert(path, text);
            }
        }
    }
    files.retain(|path, _| {
        !tests
            .iter()
            .any(|test| path.starts_with(test) || path == &test.with_extension("rs"))
    });
    let relative = |path: &Path| {
        path.strip_prefix(&root)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned()
    };
    files
        .iter()
        .map(|(path, text)| (relative(path), text.clone()))
        .collect()
}

/// The files of `#[cfg(test)] mod name;`, without their ending.
fn test_modules(file: &Path, text: &str) -> Vec<PathBuf> {
    let stem = file.file_stem().unwrap().to_str().unwrap();
    let directory = match stem {
        "mod" | "lib" | "main" => file.parent().unwrap().to_owned(),
        _ => file.with_extension(""),
    };
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .filter(|pair| pair[0] == "#[cfg(test)]")
        .filter_map(|pair| pair[1].strip_prefix("mod ")?.strip_suffix(';'))
        .map(|name| directory.join(name))
        .collect()
}

#[test]
fn imports_point_down() {
    let problems: Vec<String> = sources()
        .iter()
        .flat_map(|(file, text)| check(file, text))
        .collect();
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn modules_form_no_cycle() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, text) in sources() {
        let modules = module_path(&file);
        let Some(top) = modules.first() else { continue };
        let targets = uses.entry(top.clone()).or_default();
        for path in imports::of(&text) {
            targets.extend(
                target(&modules, &path)
                    .filter(|name| name != top)
                    .map(str::to_owned),
            );
        }
    }
    // Take away modules that use nothing that is left; what cannot be taken away stands on a cycle or above one.
    while let Some(leaf) = uses
        .iter()
        .find(|(_, targets)| !targets.iter().any(|name| uses.contains_key(name)))
        .map(|(name, _)| name.clone())
    {
        uses.remove(&leaf);
    }
    assert!(
        uses.is_empty(),
        "modules use each other in a circle: {uses:?}"
    );
}

#[test]
fn test_files_stay_short_too() {
    let root = super::support::checkout().join("tests");
    let mut directories = vec![root];
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let lines = std::fs::read_to_string(&path).unwrap().lines().count();
                assert!(lines <= MAX_LINES, "{} has {lines} lines", path.display());
            }
        }
    }
}

#[test]
fn violations_are_seen() {
    for (file, text, expected) in [
        (
            "bundle/mod.rs",
            "use crate::trust::Key;",
            "bundle stands below trust",
        ),
        (
            "bundle/mod.rs",
            "use crate::{digest, trust::{self, Key}};",
            "bundle stands below trust",
        ),
        (
            "bundle/mod.rs",
            "fn f() { crate::cli::run() }",
            "bundle stands below cli",
        ),
        (
            "bundle/path.rs",
            "use super::super::engine::Engine;",
            "bundle stands below engine",
        ),
        (
            "bundle/path.rs",
            "pub use {crate::log::Writer as W};",
            "bundle stands below log",
        ),
        (
            "name.rs",
            "use super::engine::Engine;",
            "name stands below engine",
        ),
        (
            "log/mod.rs",
            "use crate::pipeline::Run;",
            "log stands below pipeline",
        ),
        (
            "cli/mod.rs",
            "use crate::source::Error;",
            "only pipeline uses source",
        ),
        (
            "source/mod.rs",
            "use crate::trust::Key;",
            "source uses name",
        ),
        (
            "engine/mod.rs",
            "use crate::clock::Clock;",
            "clock does not serve engine",
        ),
        (
            "policy/model.rs",
            "use crate::clock::Clock;",
            "only pipeline, cli may",
        ),
        (
            "policy/model.rs",
            "use crate::clock::Stopwatch;",
            "only pipeline, cli may",
        ),
        (
            "misc.rs",
            "use crate::digest::CommitId;",
            "has no place in LAYERS",
        ),
        ("main.rs", "use ordain::trust::Key;", "main uses cli only"),
        ("pipeline.rs", "use gix::Repository;", "only source may"),
        (
            "pipeline.rs",
            "fn f(r: &gix::Repository) {}",
            "only source may",
        ),
        (
            "resolve/mod.rs",
            "use ed25519_dalek as dalek;",
            "only trust, log may",
        ),
        (
            "policy/raw.rs",
            "fn f() { serde_yaml::from_str(r) }",
            "only yaml may",
        ),
        (
            "source/state.rs",
            "fn f() { serde_json::from_value(v) }",
            "only json may",
        ),
        (
            "engine/mod.rs",
            "use std::{fmt, fs};",
            "only atomic, source, log",
        ),
        (
            "engine/mod.rs",
            "fn f() { std::fs::read(p) }",
            "only atomic, source, log",
        ),
        (
            "log/mod.rs",
            "let t = std::time::SystemTime::now();",
            "only clock.rs",
        ),
        (
            "log/mod.rs",
            "let t = jiff::Timestamp::now();",
            "only clock.rs",
        ),
    ] {
        let problems = check(file, text);
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{file}: {text}: {problems:?}"
        );
    }
    let long = "\n".repeat(MAX_LINES + 1);
    assert!(check("name.rs", &long)[0].contains("split it"));
}

#[test]
fn what_is_allowed_or_not_code_is_left_alone() {
    for (file, text) in [
        (
            "trust/mod.rs",
            "use crate::bundle::BundlePath; use ed25519_dalek::SigningKey;",
        ),
        (
            "bundle/path.rs",
            "use super::Limits; use super::super::digest::CommitId;",
        ),
        (
            "bundle/mod.rs",
            "// use crate::trust::Key;\n/* crate::cli /* nested */ crate::log */",
        ),
        (
            "bundle/mod.rs",
            "/// See [`crate::trust::verify`].\nfn f() {}",
        ),
        (
            "bundle/mod.rs",
            r##"const A: &str = "crate::cli"; const B: &str = r#"crate::"log"#;"##,
        ),
        (
            "bundle/mod.rs",
            "const A: char = '\"'; fn f<'a>(x: &'a str) {} // \"\nuse crate::name::Scope;",
        ),
        (
            "bundle/mod.rs",
            "#[cfg(test)]\nmod tests { use crate::engine::Engine; fn f() { {} } }",
        ),
        ("bundle/mod.rs", "#[cfg(test)]\nuse crate::engine::Engine;"),
        (
            "pipeline.rs",
            "use crate::source::Git; use crate::clock::Clock; use std::fs;",
        ),
        (
            "clock.rs",
            "use std::time::SystemTime; fn f() { SystemTime::now() }",
        ),
        ("main.rs", "fn main() { ordain::cli::run() }"),
        ("lib.rs", "pub use trust::verify; pub mod trust;"),
        (
            "diag/catalogue.rs",
            "macro_rules! codes { () => { $crate::digest::hex } }",
        ),
    ] {
        assert_eq!(check(file, text), Vec::<String>::new(), "{file}: {text}");
    }
    let after = "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::trust::Key;";
    assert_eq!(
        check("bundle/mod.rs", after).len(),
        1,
        "what follows the tests counts"
    );
}
