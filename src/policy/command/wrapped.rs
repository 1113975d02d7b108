//! Programs that run their operands: where the command begins behind their own flags.

use std::collections::BTreeSet;

use super::programs::{DEFAULT_SHELL, Flags, wrapper};
use super::runs::{Language, Runs, from, replaced};
use super::value::RUN;

/// The most ways to read the flags of one wrapper.
const MAX_READINGS: usize = 256;
/// The most places where its command may begin.
const MAX_STARTS: usize = 8;

pub(super) fn wrapped(name: &str, arguments: &[String]) -> Vec<Runs> {
    let Some(wrapper) = wrapper(name) else {
        return Vec::new();
    };
    if name == "command"
        && arguments
            .first()
            .is_some_and(|flag| flag == "-v" || flag == "-V")
    {
        return Vec::new();
    }
    let mut all = Vec::new();
    let mut starts = candidates(&wrapper.flags, arguments, wrapper.skip);
    let is_assignment = |word: &String| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
    };
    for (index, start) in starts.iter_mut().enumerate() {
        while let Some(word) = arguments.get(*start).filter(|word| is_assignment(word)) {
            let (name, value) = word.split_once('=').unwrap_or_default();
            if index == 0 {
                all.push(Runs::Set(name.to_owned(), value.to_owned()));
            }
            *start += 1;
        }
    }
    starts.dedup();
    let placeholder = if name == "xargs" {
        xargs_placeholder(arguments)
    } else {
        None
    };
    for start in starts {
        let words = from(arguments, start);
        if words.is_empty() {
            continue;
        }
        all.push(match (name, &placeholder) {
            ("xargs", Some(text)) => {
                Runs::Words(words.iter().map(|word| replaced(word, text)).collect())
            }
            ("xargs", None) => Runs::Fed(words),
            ("watch", _) => Runs::Text(words.join(" "), None),
            _ => Runs::Words(words),
        });
    }
    if DEFAULT_SHELL.contains(&name) && all.is_empty()
        || ["sudo", "doas"].contains(&name)
            && all.is_empty()
            && arguments
                .iter()
                .any(|word| ["-s", "-i", "--shell", "--login"].contains(&word.as_str()))
    {
        all.push(Runs::Program {
            path: None,
            language: Language::Shell,
        });
    }
    all
}

/// What `xargs -I` replaces.
fn xargs_placeholder(arguments: &[String]) -> Option<String> {
    for (at, word) in arguments.iter().enumerate() {
        match word.as_str() {
            "-I" => return arguments.get(at + 1).cloned(),
            "-i" | "--replace" => return Some("{}".to_owned()),
            word => {
                let attached = word.strip_prefix("-I").or_else(|| word.strip_prefix("-i"));
                if let Some(text) = attached.or_else(|| word.strip_prefix("--replace=")) {
                    return Some(text.to_owned());
                }
            }
        }
    }
    None
}

/// Where the command may begin behind the flags and `skip` operands of a wrapper. A flag that is not known may take the word
/// after it as its value or not, so that each such flag makes one more way to read what follows it.
pub(super) fn candidates(flags: &Flags, arguments: &[String], skip: usize) -> Vec<usize> {
    let mut starts = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut open = vec![(0, skip)];
    while let Some((at, skip)) = open.pop() {
        if seen.len() >= MAX_READINGS || !seen.insert((at, skip)) {
            continue;
        }
        let Some(word) = arguments.get(at) else {
            continue;
        };
        let next_is_operand = arguments
            .get(at + 1)
            .is_some_and(|next| !next.starts_with('-'));
        if word == "--" {
            starts.insert(at + 1 + skip);
        } else if word == "-" && flags.plain.contains('-') {
            open.push((at + 1, skip));
        } else if word.len() < 2 || !word.starts_with(['-', '+']) || word.starts_with(RUN) {
            match skip.checked_sub(1) {
                Some(left) => open.push((at + 1, left)),
                None => {
                    starts.insert(at);
                }
            }
        } else {
            let takes = takes_value(flags, word);
            if takes != Some(true) {
                open.push((at + 1, skip));
            }
            if takes == Some(true) || takes.is_none() && next_is_operand {
                open.push((at + 2, skip));
            }
        }
    }
    starts.retain(|at| *at < arguments.len());
    starts.into_iter().take(MAX_STARTS).collect()
}

/// Whether the word behind a flag is its value; none where the flag is not known.
fn takes_value(flags: &Flags, word: &str) -> Option<bool> {
    if let Some(long) = word.strip_prefix("--") {
        if long.contains('=') {
            return Some(false);
        }
        return flags.valued_long.contains(&long).then_some(true);
    }
    let letters: Vec<char> = word.chars().skip(1).collect();
    let valued = letters.iter().position(|c| flags.valued.contains(*c));
    let known = |c: &char| c.is_ascii_digit() || flags.plain.contains(*c);
    match valued {
        Some(place) => Some(place + 1 == letters.len()),
        None if letters.iter().all(known) => Some(false),
        None => None,
    }
}
