//! Programs that run their operands: where the command begins behind their own flags.

use super::programs::{Flags, wrapper};
use super::runs::{Language, Runs, from, replaced};
use super::value::RUN;

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
    if let Some(first) = starts.first_mut() {
        while let Some(word) = arguments.get(*first).filter(|word| is_assignment(word)) {
            let (name, value) = word.split_once('=').unwrap_or_default();
            all.push(Runs::Set(name.to_owned(), value.to_owned()));
            *first += 1;
        }
    }
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
    if ["sudo", "doas"].contains(&name)
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
/// after it as its value or not, so that each such flag makes one more place.
pub(super) fn candidates(flags: &Flags, arguments: &[String], skip: usize) -> Vec<usize> {
    let (mut at, mut skip, mut unsure) = (0, skip, 0);
    while let Some(word) = arguments.get(at) {
        if word == "--" {
            at += 1 + skip;
            break;
        }
        if word.len() < 2 || !word.starts_with(['-', '+']) || word.starts_with(RUN) {
            if skip == 0 {
                break;
            }
            skip -= 1;
            at += 1;
            continue;
        }
        let next_is_operand = arguments
            .get(at + 1)
            .is_some_and(|next| !next.starts_with('-'));
        if let Some(long) = word.strip_prefix("--") {
            if long.contains('=') {
            } else if flags.valued_long.contains(&long) {
                at += 1;
            } else if next_is_operand {
                unsure += 1;
            }
        } else {
            let letters: Vec<char> = word.chars().skip(1).collect();
            let valued = letters.iter().position(|c| flags.valued.contains(*c));
            let known = |c: &char| c.is_ascii_digit() || flags.plain.contains(*c);
            match valued {
                Some(place) if place + 1 == letters.len() => at += 1,
                Some(_) => {}
                None if letters.iter().all(known) => {}
                None if next_is_operand => unsure += 1,
                None => {}
            }
        }
        at += 1;
    }
    let last = (at + unsure.min(3)).min(arguments.len().saturating_sub(1));
    (at..=last).filter(|at| *at < arguments.len()).collect()
}
