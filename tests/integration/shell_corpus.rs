//! Commands in disguise, and harmless ones that look like them, held against the patterns of an administrators' catalogue.

use std::path::Path;
use std::time::{Duration, Instant};

use ordain::policy::CommandPatterns;
use ordain::yaml;
use serde::Deserialize;

/// How many harmless commands of a hundred may be taken for dangerous ones.
const FALSE_ALARMS_PERCENT: usize = 2;
/// No command may take longer, built without optimisation.
const SLOWEST: Duration = Duration::from_secs(2);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    expect: Expect,
    pattern: Option<String>,
    disguise: String,
    commands: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Expect {
    Dangerous,
    Harmless,
}

fn read(name: &str) -> Vec<u8> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/shell_corpus");
    std::fs::read(directory.join(name)).unwrap()
}

fn patterns() -> CommandPatterns {
    CommandPatterns::parse("patterns.yaml", &read("patterns.yaml"))
        .unwrap_or_else(|problems| panic!("{problems:#?}"))
}

fn groups() -> Vec<Group> {
    let document = yaml::parse("commands.yaml", &read("commands.yaml"), 1 << 20);
    document.unwrap_or_else(|problem| panic!("{problem}")).value
}

#[test]
fn no_disguise_is_missed_and_hardly_a_false_alarm_is_raised() {
    let (patterns, groups) = (patterns(), groups());
    let (mut missed, mut alarms, mut dangerous, mut harmless) = (Vec::new(), Vec::new(), 0, 0);
    for group in &groups {
        for command in &group.commands {
            let started = Instant::now();
            let found = patterns.try_text(command);
            let took = started.elapsed();
            assert!(took < SLOWEST, "{command:?} took {took:?}");
            let shown = format!("{command:?} ({}): {found:?}", group.disguise);
            match (group.expect, group.pattern.as_deref()) {
                (Expect::Dangerous, Some(wanted)) => {
                    dangerous += 1;
                    let seen = match wanted {
                        "unreadable" => found.unreadable.is_some(),
                        wanted => found.patterns.iter().any(|id| id == wanted),
                    };
                    if !seen {
                        missed.push(format!("{wanted} {shown}"));
                    }
                }
                (Expect::Harmless, None) => {
                    harmless += 1;
                    if found.is_dangerous() {
                        alarms.push(shown);
                    }
                }
                _ => panic!("dangerous commands name a pattern, harmless ones none: {group:?}"),
            }
        }
    }
    println!("{dangerous} dangerous, {harmless} harmless");
    let shown = [&missed[..], &alarms[..]].concat().join("\n");
    assert!(dangerous >= 150 && harmless >= 150, "the corpus has shrunk");
    assert!(
        missed.is_empty(),
        "{} missed, {} false alarms:\n{shown}",
        missed.len(),
        alarms.len()
    );
    let most = harmless * FALSE_ALARMS_PERCENT / 100;
    assert!(
        alarms.len() <= most,
        "{} false alarms of {harmless}:\n{shown}",
        alarms.len()
    );
}

/// What people start from must not see less than the corpus' own patterns, whichever of its patterns sees it.
#[test]
fn the_shipped_catalogue_keeps_up_with_the_corpus() {
    let file = "bundles/admin-tools/policies/catalog.yaml";
    let bytes = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let catalog = yaml::parse::<serde_json::Value>(file, &bytes, 1 << 20);
    let mut catalog = catalog.unwrap_or_else(|problem| panic!("{problem}")).value;
    let all = catalog["patterns"].as_array_mut().unwrap();
    all.retain(|pattern| pattern.get("command").is_some());
    let commands = serde_json::json!({"patterns": all}).to_string();
    let patterns = CommandPatterns::parse(file, commands.as_bytes())
        .unwrap_or_else(|problems| panic!("{problems:#?}"));
    let (mut missed, mut alarms, mut harmless) = (Vec::new(), Vec::new(), 0);
    for group in groups() {
        for command in &group.commands {
            let is_dangerous = patterns.try_text(command).is_dangerous();
            let shown = format!("{command:?} ({})", group.disguise);
            match (group.expect, is_dangerous) {
                (Expect::Dangerous, false) => missed.push(shown),
                (Expect::Harmless, true) => alarms.push(shown),
                _ => {}
            }
            harmless += usize::from(group.expect == Expect::Harmless);
        }
    }
    assert!(missed.is_empty(), "missed:\n{}", missed.join("\n"));
    assert!(
        alarms.len() <= harmless * FALSE_ALARMS_PERCENT / 100,
        "{} false alarms of {harmless}:\n{}",
        alarms.len(),
        alarms.join("\n")
    );
}

#[test]
fn every_pattern_of_the_corpus_is_needed() {
    let document =
        yaml::parse::<serde_json::Value>("patterns.yaml", &read("patterns.yaml"), 1 << 20);
    let document = document.unwrap().value;
    let groups = groups();
    for pattern in document["patterns"].as_array().unwrap() {
        let id = pattern["id"].as_str();
        assert!(
            groups.iter().any(|group| group.pattern.as_deref() == id),
            "{id:?} has no case"
        );
    }
}

#[test]
fn words_that_are_already_split_are_taken_as_they_are() {
    let patterns = patterns();
    for (words, dangerous) in [
        (&["rm", "-rf", "/"][..], true),
        (&["sh", "-c", "rm -rf /"], true),
        (&["sudo", "bash", "-lc", "ls; rm -rf /"], true),
        (&["rm -rf /"], true),
        (&["ssh", "host", "rm -rf /"], true),
        (&["echo", "$(rm -rf /)"], false),
        (&["echo", "x; rm -rf /"], false),
        (&["$X", "-rf"], false),
        (&["rm", "{-rf,/}"], false),
        (&["ls", ">", "/dev/sda"], false),
        (&[], false),
    ] {
        assert_eq!(
            patterns.try_words(words).is_dangerous(),
            dangerous,
            "{words:?}"
        );
    }
}
