//! Interpreters of other languages: their code is not read, but texts in it that are commands are.

use super::programs::CODE_FLAGS;
use super::runs::{Language, Runs, program_in};

/// Another language: texts in its code that it may hand to a shell, or a program that it reads from its input.
pub(super) fn interpreter(name: &str, arguments: &[String]) -> Vec<Runs> {
    let is_awk = name.ends_with("awk");
    let mut code = Vec::new();
    let mut operand = None;
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if let Some(text) = word.strip_prefix("--eval=") {
            code.push(text.to_owned());
        } else if word.starts_with("--") && word.len() > 2 {
            if ["--eval", "--execute", "--print", "--run"].contains(&word.as_str()) {
                code.extend(words.next().cloned());
            }
        } else if let Some(flags) = word.strip_prefix('-').filter(|flags| !flags.is_empty()) {
            if is_awk {
                if flags == "f" || flags == "v" || flags == "F" {
                    words.next();
                }
            } else if flags.starts_with('m') {
                operand = Some("-m");
                break;
            } else if let Some((at, _)) = flags.char_indices().find(|(_, c)| CODE_FLAGS.contains(c))
            {
                let attached: String = flags.chars().skip(at + 1).collect();
                match attached.as_str() {
                    "" => code.extend(words.next().cloned()),
                    _ => code.push(attached),
                }
            }
        } else {
            operand = Some(word);
            break;
        }
    }
    if is_awk {
        code.extend(operand.map(str::to_owned));
    }
    let runs_commands = |code: &String| {
        [
            "system",
            "exec",
            "popen",
            "subprocess",
            "spawn",
            "`",
            "qx",
            "| getline",
            "|\"",
        ]
        .iter()
        .any(|word| code.contains(word))
    };
    let texts: Vec<String> = code
        .iter()
        .filter(|code| runs_commands(code))
        .flat_map(|code| literals(code))
        .collect();
    let mut all = vec![Runs::Perhaps(texts)];
    if code.is_empty() && !is_awk {
        match operand {
            Some("-m") => {}
            operand => all.push(program_in(operand, Language::Other)),
        }
    }
    all
}

/// The quoted texts in code, each by itself, and all of them as the words of one command.
fn literals(code: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut chars = code.chars();
    while let Some(c) = chars.next() {
        if !matches!(c, '\'' | '"' | '`') {
            continue;
        }
        let mut text = String::new();
        loop {
            match chars.next() {
                Some('\\') => text.extend(chars.next()),
                Some(end) if end == c => break,
                Some(other) => text.push(other),
                None => break,
            }
        }
        if !text.is_empty() {
            found.push(text);
        }
    }
    found.truncate(32);
    if found.len() > 1 {
        found.push(found.join(" "));
    }
    found
}
