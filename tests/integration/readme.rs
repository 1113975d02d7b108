//! Every command of the README runs.
//!
//! Each shell block carries a mark after its language: `main` and `tests` are run by `.ci/run`, `tutorial` blocks by the
//! test below, all of them in order as one script.

use super::support::{TestEnv, checkout};

/// The shell blocks of a page: mark and text.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut open: Option<(String, String)> = None;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => open = Some((info.to_owned(), String::new())),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some((_, body)), None) => {
                body.push_str(line);
                body.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    blocks.retain(|(info, _)| {
        ["sh", "bash", "console", "shell"]
            .iter()
            .any(|language| info.split(' ').next() == Some(language))
    });
    blocks
}

fn readme() -> Vec<(String, String)> {
    let path = checkout().join("README.md");
    blocks(&std::fs::read_to_string(path).unwrap())
}

#[test]
fn every_shell_block_has_a_mark_that_something_runs() {
    let readme = readme();
    for (info, body) in &readme {
        assert!(
            matches!(info.as_str(), "sh main" | "sh tests" | "sh tutorial"),
            "nothing runs this block of README.md, marked `{info}`:\n{body}"
        );
    }
    for mark in ["sh main", "sh tests"] {
        let count = readme.iter().filter(|(info, _)| info == mark).count();
        assert_eq!(count, 1, "README.md must have one `{mark}` block");
    }
}

#[test]
fn blocks_are_found_with_their_marks() {
    let text = "```sh main\na\nb\n```\n```yaml\nc\n```\ntext\n```sh tutorial\nd\n```\n";
    let expected = [("sh main", "a\nb\n"), ("sh tutorial", "d\n")];
    let found = blocks(text);
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(a, b)| (a.as_str(), b.as_str()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn the_tutorial_works() {
    let env = TestEnv::new();
    env.clone_of_checkout("ordain");
    let mut script =
        String::from("set -euo pipefail\ntrap 'echo \"failed: $BASH_COMMAND\" >&2' ERR\n");
    for (info, body) in readme() {
        if info == "sh tutorial" {
            script.push_str(&body);
        }
    }
    let mut command = env.command("bash");
    command
        .args(["-c", &script])
        .current_dir(env.work().join("ordain"));
    let output = env.run(command, b"");
    assert_eq!(output.status, Some(0), "\n{output}");
}
