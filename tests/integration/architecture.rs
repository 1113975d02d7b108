//! The arrows between modules, read from the imports.
//!
//! 1. Strip comments, literals and `#[cfg(test)]` items.
//! 2. Collect every path: those of `use` trees, and those written in place.
//! 3. Hold each against [`LAYERS`], [`SOURCE_MAY_USE`] and [`HOMES`].

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The modules, lowest first. A module uses its own line and the lines above it in this table.
const LAYERS: &[&[&str]] = &[
    &["name", "digest", "json", "yaml", "diag"],
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
/// Time is an input of everything else.
const CLOCK_IS_USED_BY: &[&str] = &["pipeline", "cli"];

/// What only some modules may name, and which ones those are.
const HOMES: &[(&str, &[&str])] = &[
    ("gix", &["source"]),
    // `log` holds the checkpoints' signing key; every verification is `trust`'s.
    ("ed25519_dalek", &["trust", "log"]),
    ("serde_yaml", &["yaml"]),
    ("saphyr_parser", &["yaml"]),
    ("reqwest", &["source"]),
    ("clap", &["cli"]),
    (
        "std::fs",
        &["source", "log", "pipeline", "cli", "config", "lockfile"],
    ),
    ("std::process", &["source", "cli", "main"]),
    ("std::net", &["source"]),
];
/// Calls that read the clock; they stand in `src/clock.rs` only.
const CLOCK_CALLS: &[&[&str]] = &[&["SystemTime", "now"], &["Timestamp", "now"]];
/// The most lines of a file.
const MAX_LINES: usize = 600;

type Paths = Vec<Vec<String>>;

/// What one file breaks. `file` is relative to `src`.
fn check(file: &str, text: &str) -> Vec<String> {
    let modules = module_path(file);
    let top = modules.first().map_or("lib", String::as_str);
    let mut problems = Vec::new();
    if text.lines().count() > MAX_LINES {
        problems.push(format!("{file} has more than {MAX_LINES} lines: split it"));
    }
    for path in paths(&tokens(&strip(text))) {
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
    if from == to || from == "lib" {
        return None;
    }
    match (from, to) {
        ("main", _) => (to != "cli").then(|| "main uses cli only".to_owned()),
        (_, "source") => (from != "pipeline").then(|| "only pipeline uses source".to_owned()),
        ("source", _) => (!SOURCE_MAY_USE.contains(&to))
            .then(|| format!("source uses {} only", SOURCE_MAY_USE.join(", "))),
        (_, "clock") => {
            (!CLOCK_IS_USED_BY.contains(&from)).then(|| "time comes in as an argument".to_owned())
        }
        ("clock", _) => Some("clock stands alone".to_owned()),
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

/// Removes comments, the contents of literals, and items under `#[cfg(test)]`.
fn strip(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            block_comment(rest)
        } else if let Some(hashes) = raw_string(rest, &code) {
            let end = format!("\"{}", "#".repeat(hashes));
            let body = rest.find('"').expect("a raw string's quote") + 1;
            body + rest[body..]
                .find(&end)
                .map_or(rest.len() - body, |at| at + end.len())
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            code.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        };
        code.push(' ');
        rest = &rest[length..];
    }
    strip_tests(&code)
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        let step = match () {
            () if rest.starts_with("/*") => {
                depth += 1;
                2
            }
            () if rest.starts_with("*/") => {
                depth -= 1;
                2
            }
            () => rest.chars().next().map_or(1, char::len_utf8),
        };
        at += step;
        if depth == 0 {
            break;
        }
    }
    at
}

/// The number of hashes of a raw string that begins here; `before` tells `r"` from the end of a name.
fn raw_string(text: &str, before: &str) -> Option<usize> {
    if before.ends_with(|c: char| c.is_alphanumeric() || c == '_') {
        return None;
    }
    let rest = text
        .strip_prefix("br")
        .or_else(|| text.strip_prefix("cr"))
        .or_else(|| text.strip_prefix('r'))?;
    let after = rest.trim_start_matches('#');
    after.starts_with('"').then(|| rest.len() - after.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// Tells `'a'` from the lifetime `'a`.
fn is_character(text: &str) -> bool {
    let mut characters = text.chars().skip(1);
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

fn strip_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(at) = rest.find("#[cfg(test)]") {
        kept.push_str(&rest[..at]);
        rest = &rest[at..];
        // The item ends at its `;`, or at the brace that closes its first one.
        let mut depth = 0_usize;
        let end = rest.char_indices().find_map(|(at, character)| {
            match character {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && matches!(character, '}' | ';')).then_some(at + 1)
        });
        rest = &rest[end.unwrap_or(rest.len())..];
    }
    kept.push_str(rest);
    kept
}

/// Names, `::`, and single other characters.
fn tokens(code: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut characters = code.chars().peekable();
    while let Some(character) = characters.next() {
        let mut token = character.to_string();
        let is_name = |c: &char| c.is_alphanumeric() || *c == '_';
        if is_name(&character) {
            while let Some(next) = characters.next_if(is_name) {
                token.push(next);
            }
        } else if character == ':' {
            token.extend(characters.next_if_eq(&':'));
        }
        if !character.is_whitespace() {
            tokens.push(token);
        }
    }
    tokens
}

/// Every path of two or more segments, and every `use`, expanded.
fn paths(tokens: &[String]) -> Paths {
    let mut found = Paths::new();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" {
            at = use_tree(tokens, at + 1, &[], &mut found);
        } else if is_name(&tokens[at]) {
            let mut path = vec![tokens[at].clone()];
            while tokens.get(at + 1).is_some_and(|token| token == "::")
                && tokens.get(at + 2).is_some_and(|token| is_name(token))
            {
                path.push(tokens[at + 2].clone());
                at += 2;
            }
            at += 1;
            if path.len() > 1 {
                found.push(path);
            }
        } else {
            at += 1;
        }
    }
    found
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Reads one branch of a `use` tree that begins at `at`; where it ends.
fn use_tree(tokens: &[String], mut at: usize, prefix: &[String], found: &mut Paths) -> usize {
    let mut path = prefix.to_owned();
    while let Some(token) = tokens.get(at).map(String::as_str) {
        match token {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token != "}") {
                    at = use_tree(tokens, at, &path, found);
                    if tokens.get(at).is_some_and(|token| token == ",") {
                        at += 1;
                    }
                }
                return at + 1;
            }
            ";" | "," | "}" => break,
            // `as name`, `self` and `*` name what the path names already.
            "as" => at += 1,
            "::" | "*" => {}
            "self" if !path.is_empty() => {}
            _ => path.push(token.to_owned()),
        }
        at += 1;
    }
    found.push(path);
    at
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
        for path in paths(&tokens(&strip(&text))) {
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
            "time comes in as an argument",
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
        ("engine/mod.rs", "use std::{fmt, fs};", "only source, log"),
        (
            "engine/mod.rs",
            "fn f() { std::fs::read(p) }",
            "only source, log",
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
