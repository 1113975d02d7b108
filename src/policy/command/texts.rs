//! Programs that hand text of their arguments to a shell, or run it themselves.

use super::programs::Flags;
use super::runs::{Language, Runs, from, program_in};
use super::wrapped::candidates;

/// The values of these flags, apart or behind `=`.
fn values(arguments: &[String], flags: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, word) in arguments.iter().enumerate() {
        if flags.contains(&word.as_str()) {
            found.extend(arguments.get(at + 1).cloned());
        } else if let Some((flag, value)) = word.split_once('=')
            && flags.contains(&flag)
        {
            found.push(value.to_owned());
        }
    }
    found
}

fn shell_texts(texts: Vec<String>) -> Vec<Runs> {
    let texts = texts.into_iter();
    texts.map(|text| Runs::Text(text, None)).collect()
}

/// `nix-shell --run TEXT`.
pub(super) fn nix_shell(arguments: &[String]) -> Vec<Runs> {
    shell_texts(values(arguments, &["--run", "--command"]))
}

/// `npx -c TEXT`, and `npx PROGRAM`, which may be any program.
pub(super) fn npx(arguments: &[String]) -> Vec<Runs> {
    let texts = values(arguments, &["-c", "--call"]);
    if !texts.is_empty() {
        return shell_texts(texts);
    }
    let flags = Flags {
        valued: "pw",
        valued_long: &["package", "workspace", "cache", "registry"],
        plain: "yq",
    };
    candidates(&flags, arguments, 0)
        .into_iter()
        .map(|start| Runs::Words(from(arguments, start)))
        .collect()
}

/// `pwsh -Command TEXT`: not a language that is read, but programs are called in it as in a shell.
pub(super) fn powershell(arguments: &[String]) -> Vec<Runs> {
    let is_command = |word: &String| {
        let word = word.to_ascii_lowercase();
        let name = word.strip_prefix(['-', '/']).unwrap_or_default();
        !name.is_empty()
            && ("command".starts_with(name) || name == "commandwithargs" || name == "cwa")
    };
    // Without the flag, what is no flag is a command to one edition, and a file to the other.
    let at = arguments.iter().position(is_command).map(|at| at + 1);
    let at = at.or_else(|| {
        arguments
            .iter()
            .position(|word| !word.starts_with(['-', '/']))
    });
    match at.and_then(|at| arguments.get(at..)) {
        Some([only]) if only == "-" => vec![program_in(None, Language::Other)],
        Some(words) => {
            let mut texts = vec![words.join(" ")];
            texts.extend(words.iter().take(8).cloned());
            texts.extend(words.iter().take(8).map(|text| {
                // `& { … }` and `& rm …` call what stands behind.
                text.trim_start_matches(['&', ' ', '{'])
                    .trim_end_matches([' ', '}'])
                    .to_owned()
            }));
            texts.dedup();
            vec![Runs::Perhaps(texts)]
        }
        None => vec![program_in(None, Language::Other)],
    }
}

/// GNU's `e COMMAND`, and `s/…/COMMAND/e`.
pub(super) fn sed(arguments: &[String]) -> Vec<Runs> {
    let mut scripts = values(arguments, &["-e", "--expression"]);
    scripts.extend(
        arguments
            .iter()
            .filter_map(|word| word.strip_prefix("-e").map(str::to_owned)),
    );
    if scripts.is_empty() {
        scripts.extend(
            arguments
                .iter()
                .find(|word| !word.starts_with('-'))
                .cloned(),
        );
    }
    let mut texts = Vec::new();
    for script in scripts {
        for line in script.lines() {
            let mut rest = line;
            // A command begins the line, or stands behind `;` or `{`: what comes behind an `e` is all of the line.
            for _ in 0..32 {
                texts.extend(executed(rest.trim_start()));
                match rest.split_once([';', '{']) {
                    Some((_, behind)) => rest = behind,
                    None => break,
                }
            }
        }
    }
    vec![Runs::Perhaps(texts)]
}

/// The shell text of one command of `sed`.
fn executed(command: &str) -> Option<String> {
    let command = behind_address(command);
    if let Some(text) = command.strip_prefix('e') {
        let text = text.trim();
        return (!text.is_empty()).then(|| text.to_owned());
    }
    let mut chars = command.strip_prefix('s')?.chars();
    let delimiter = chars.next()?;
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in chars {
        let last = parts.last_mut()?;
        if c == delimiter && !escaped {
            parts.push(String::new());
        } else {
            if c == delimiter {
                last.pop();
            }
            last.push(c);
        }
        escaped = c == '\\' && !escaped;
    }
    match parts.as_slice() {
        [_, text, flags] => flags
            .chars()
            .take_while(char::is_ascii_alphanumeric)
            .any(|flag| flag == 'e')
            .then(|| text.clone()),
        _ => None,
    }
}

/// A command without the lines that it is for: `1`, `$`, `2,/x/`, `/x/!`.
fn behind_address(command: &str) -> &str {
    let mut rest = command;
    loop {
        rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || "$,!~+ ".contains(c));
        match rest
            .strip_prefix('/')
            .and_then(|inside| inside.split_once('/'))
        {
            Some((_, behind)) => rest = behind,
            None => return rest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sed_runs_what_stands_behind_e() {
        for (script, text) in [
            ("e rm x", Some("rm x")),
            ("1e rm x", Some("rm x")),
            ("/a/,/b/ ! e rm x", Some("rm x")),
            (r"s/.*/rm \/x/e", Some("rm /x")),
            ("s,a,rm /x,ge;p", Some("rm /x")),
            ("s/e/x/g", None),
            ("e", None),
            ("$d", None),
            ("/x/d", None),
        ] {
            assert_eq!(executed(script).as_deref(), text, "{script}");
        }
    }
}
