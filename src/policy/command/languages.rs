//! Interpreters of other languages: their code is not read, but texts in it that are commands are.

use super::programs::CODE_FLAGS;
use super::runs::{Language, Runs, program_in};

/// The most texts in one piece of code.
const MAX_LITERALS: usize = 32;

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
                // A module, which may take code: `timeit`.
                operand = Some("-m");
                code.extend(words.cloned());
                break;
            } else if let Some((at, _)) = flags.char_indices().find(|(_, c)| CODE_FLAGS.contains(c))
            {
                let attached: String = flags.chars().skip(at + 1).collect();
                // `-ne` is two flags; `-e1` is one with its code.
                if attached.len() < 5 && attached.chars().all(|c| c.is_ascii_alphanumeric()) {
                    code.extend(words.next().cloned());
                }
                if !attached.is_empty() {
                    code.push(attached);
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
    let texts: Vec<String> = code.iter().flat_map(|code| commands_in(code)).collect();
    let mut all = vec![Runs::Perhaps(texts)];
    if code.is_empty() && !is_awk {
        match operand {
            Some("-m") => {}
            operand => all.push(program_in(operand, Language::Other)),
        }
    }
    all
}

/// Texts in code that may be commands: none where nothing in it runs any.
pub(super) fn commands_in(code: &str) -> Vec<String> {
    const RUNNING: &[&str] = &[
        "system",
        "exec",
        "popen",
        "subprocess",
        "spawn",
        "`",
        "qx",
        "%x",
        "|getline",
        "|\"",
        "open",
        "shell",
        "pty",
    ];
    let dense: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if RUNNING.iter().any(|word| dense.contains(word)) {
        literals(code)
    } else {
        Vec::new()
    }
}

/// The quoted texts in code, each by itself, and all of them as the words of one command.
fn literals(code: &str) -> Vec<String> {
    let chars: Vec<char> = code.chars().collect();
    let mut found: Vec<String> = Vec::new();
    let mut at = 0;
    while let Some((end, from)) = opened(&chars, at) {
        let mut text = String::new();
        at = from;
        while let Some(&c) = chars.get(at) {
            at += 1;
            match c {
                '\\' => {
                    text.extend(chars.get(at));
                    at += 1;
                }
                c if c == end => break,
                c => text.push(c),
            }
        }
        if !text.is_empty() && found.len() < MAX_LITERALS {
            found.push(text);
        }
    }
    if found.len() > 1 {
        found.push(found.join(" "));
    }
    found
}

/// The next quoted text at or after `at`: what ends it, and where it begins. `q{…}`, `qw(…)` and `%x[…]` are quotes, too.
fn opened(chars: &[char], at: usize) -> Option<(char, usize)> {
    let mut at = at;
    loop {
        let c = *chars.get(at)?;
        if matches!(c, '\'' | '"' | '`') {
            return Some((c, at + 1));
        }
        let in_word = at
            .checked_sub(1)
            .and_then(|before| chars.get(before))
            .is_some_and(|before| before.is_alphanumeric() || *before == '_');
        let letter = chars.get(at + 1).copied();
        let mut behind = match (c, letter) {
            ('q', Some('q' | 'x' | 'w')) if !in_word => at + 2,
            ('q', _) if !in_word => at + 1,
            ('%', Some('x' | 'q' | 'Q' | 'w' | 'W')) => at + 2,
            _ => {
                at += 1;
                continue;
            }
        };
        while chars.get(behind) == Some(&' ') {
            behind += 1;
        }
        let end = match chars.get(behind)? {
            '(' => ')',
            '[' => ']',
            '{' => '}',
            '<' => '>',
            other if "/|!#~^:;,.@-+".contains(*other) => *other,
            _ => {
                at += 1;
                continue;
            }
        };
        return Some((end, behind + 1));
    }
}
