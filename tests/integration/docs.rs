//! Relative links of the Markdown files lead somewhere, and the examples of the migration page do what it says.

mod examples;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::support::checkout;

/// The Markdown files at the top, and those below the directories that people read.
fn pages() -> Vec<PathBuf> {
    let mut paths = children(checkout());
    paths.retain(|path| path.is_file());
    paths.extend(["bundles", "docs", "keys"].map(|name| checkout().join(name)));
    let mut pages = Vec::new();
    while let Some(path) = paths.pop() {
        if path.is_dir() {
            paths.extend(children(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            pages.push(path);
        }
    }
    pages
}

fn children(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        (!fenced && !fence).then_some((index + 1, line))
    })
}

/// The targets of `[text](target)` and `[label]: target` on one line, code spans left out.
fn links(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    if let Some((_, target)) = line.strip_prefix('[').and_then(|l| l.split_once("]: ")) {
        found.push(target.trim());
    }
    for (index, part) in line.split('`').enumerate() {
        // A link whose text is code is split by it, but its target stands whole in the part that follows.
        if index % 2 == 0 {
            let targets = part.split("](").skip(1);
            found.extend(targets.filter_map(|rest| rest.split_once(')').map(|(target, _)| target)));
        }
    }
    found
}

/// The anchors of a page, as forges derive them from its headings.
fn anchors(text: &str) -> BTreeSet<String> {
    prose(text)
        .filter(|(_, line)| line.starts_with('#'))
        .map(|(_, line)| {
            line.trim_start_matches('#')
                .trim()
                .to_lowercase()
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

fn problem(page: &Path, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (file, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = match file {
        "" => page.to_owned(),
        _ => page.parent().unwrap().join(file),
    };
    let Ok(real) = path.canonicalize() else {
        return Some(format!("`{target}` does not exist"));
    };
    if !real.starts_with(checkout().canonicalize().unwrap()) {
        return Some(format!("`{target}` leaves the repository"));
    }
    if anchor.is_empty() {
        return None;
    }
    let text = std::fs::read_to_string(&real).unwrap_or_default();
    (!anchors(&text).contains(anchor)).then(|| format!("`{target}` names no heading"))
}

#[test]
fn links_lead_somewhere() {
    let pages = pages();
    assert!(
        pages
            .iter()
            .any(|page| page.ends_with("docs/architecture.md"))
    );
    let mut problems = Vec::new();
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        for (line, text) in prose(&text) {
            let found = links(text)
                .into_iter()
                .filter_map(|target| problem(&page, target));
            problems.extend(found.map(|problem| format!("{}:{line}: {problem}", page.display())));
        }
    }
    assert!(problems.is_empty(), "\n{}\n", problems.join("\n"));
}

#[test]
fn broken_links_are_seen() {
    let page = checkout().join("README.md");
    assert_eq!(
        links("see [a](b.md), [`c`](d.md#e) and `[not](this)`"),
        ["b.md", "d.md#e"]
    );
    assert_eq!(links("[label]: docs/x.md"), ["docs/x.md"]);
    assert!(problem(&page, "docs/nowhere.md").is_some());
    assert!(problem(&page, "docs/architecture.md#nowhere").is_some());
    assert!(problem(&page, "../outside.md").is_some());
    assert!(problem(&page, "docs/architecture.md#invariants").is_none());
    assert!(problem(&page, "https://example.com/").is_none());
}

#[test]
fn every_invariant_has_a_test_of_its_name() {
    let page = std::fs::read_to_string(checkout().join("docs/architecture.md")).unwrap();
    let (_, section) = page.split_once("## Invariants").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let titles: Vec<String> = section
        .lines()
        .filter_map(|line| line.split_once(". **")?.1.split_once("**"))
        .map(|(title, _)| {
            let words = title.to_lowercase();
            words.trim_end_matches('.').replace(' ', "_")
        })
        .collect();
    assert_eq!(titles.len(), 8, "{titles:?}");
    let tests: String = children(&checkout().join("tests/integration"))
        .iter()
        .filter(|path| path.is_file())
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect();
    let names: Vec<&str> = tests
        .split("fn ")
        .filter_map(|rest| rest.split_once('(').map(|(name, _)| name))
        .filter(|name| name.contains('_'))
        .collect();
    for title in titles {
        assert!(
            names.iter().any(|name| title.starts_with(name)),
            "no test is named `{title}`, or its beginning"
        );
    }
}
