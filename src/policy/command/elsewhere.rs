//! Programs that run a command on another machine, or in a container or pod.

use std::collections::BTreeSet;

use super::programs::{CONTAINER, CONTAINER_RUN, Flags, HOST_FLAGS, POD_EXEC};
use super::runs::{Language, Runs, from};
use super::wrapped::candidates;

/// `ssh HOST COMMAND`: the words are joined and read by a shell over there, which else reads its input.
pub(super) fn remote(arguments: &[String]) -> Vec<Runs> {
    let flags = Flags {
        valued: "BbcDEeFIiJLlmOoPpQRSWw",
        plain: "46AaCfGgKkMNnqsTtVvXxYy",
        ..Flags::default()
    };
    let mut all: Vec<Runs> = Vec::new();
    for word in arguments {
        let option = word.strip_prefix("-o").unwrap_or(word);
        for name in ["ProxyCommand=", "LocalCommand="] {
            all.extend(
                option
                    .strip_prefix(name)
                    .map(|text| Runs::Text(text.to_owned(), None)),
            );
        }
    }
    let starts = candidates(&flags, arguments, 1);
    if starts.is_empty() {
        all.push(Runs::Program {
            path: None,
            language: Language::Shell,
        });
    }
    let texts = starts
        .into_iter()
        .map(|start| from(arguments, start).join(" "));
    all.extend(texts.map(|text| Runs::Text(text, None)));
    all
}

/// `docker exec C COMMAND`, `docker run IMAGE COMMAND`, and the same behind `container` and `compose`.
pub(super) fn container(arguments: &[String]) -> Vec<Runs> {
    let Some(&at) = candidates(&CONTAINER, arguments, 0).first() else {
        return Vec::new();
    };
    let rest = arguments.get(at + 1..).unwrap_or_default();
    match arguments.get(at).map(String::as_str) {
        Some("container" | "compose") => container(rest),
        Some("exec" | "run" | "create") => {
            let starts = candidates(&CONTAINER_RUN, rest, 1);
            let mut all: Vec<Runs> = Vec::new();
            let entry = rest
                .iter()
                .enumerate()
                .find_map(|(at, word)| match word.as_str() {
                    "--entrypoint" => rest.get(at + 1).cloned(),
                    word => word.strip_prefix("--entrypoint=").map(str::to_owned),
                });
            // Behind the image stand its arguments, which look like flags of the command itself.
            all.extend(entry.map(|entry| Runs::Words([&[entry], rest].concat())));
            all.extend(
                starts
                    .into_iter()
                    .map(|start| Runs::Words(from(rest, start))),
            );
            all
        }
        _ => Vec::new(),
    }
}

/// `kubectl exec POD -- COMMAND`, where the `--` may be missing and flags may stand behind the pod; `oc rsh POD COMMAND`.
pub(super) fn pod(arguments: &[String]) -> Vec<Runs> {
    let is = |word: &String, names: &[&str]| names.contains(&word.as_str());
    let mut starts = BTreeSet::new();
    let mut all = Vec::new();
    for (at, word) in arguments.iter().enumerate() {
        // The first such word may be the value of a flag: each of them counts.
        if is(word, &["exec", "rsh"]) {
            let rest = arguments.get(at + 1..).unwrap_or_default();
            let found = candidates(&POD_EXEC, rest, 1);
            if word == "rsh" && found.is_empty() {
                all.push(Runs::Program {
                    path: None,
                    language: Language::Shell,
                });
            }
            starts.extend(found.into_iter().map(|start| at + 1 + start));
        }
    }
    if let Some(separator) = arguments.iter().position(|word| word == "--") {
        let before = arguments.get(..separator).unwrap_or_default();
        if before
            .iter()
            .any(|word| is(word, &["exec", "run", "debug"]))
        {
            starts.insert(separator + 1);
        }
    }
    all.extend(
        starts
            .into_iter()
            .map(|start| Runs::Words(from(arguments, start)))
            .filter(|runs| *runs != Runs::Words(Vec::new())),
    );
    all
}

/// `pssh -h HOSTS COMMAND`: the words are joined and read by a shell on each of them.
pub(super) fn hosts(arguments: &[String]) -> Vec<Runs> {
    candidates(&HOST_FLAGS, arguments, 0)
        .into_iter()
        .map(|start| Runs::Text(from(arguments, start).join(" "), None))
        .collect()
}
