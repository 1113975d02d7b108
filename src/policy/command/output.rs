//! What a command prints, where the script itself fixes that: `echo`, `printf`, `cat` of a here-document, `base64 -d`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::reader::Stdin;
use super::scan::unescape;
use super::value::{HOLE, clean};

/// The text that a command prints; none where it is not known.
pub(super) fn output_of(name: &str, arguments: &[String], stdin: &Stdin) -> Option<String> {
    match name {
        "echo" => echo(arguments),
        "printf" => printf(arguments),
        "which" => arguments.last().cloned(),
        "command" | "type" => match arguments {
            [flag, program] if ["-v", "-p", "-P"].contains(&flag.as_str()) => Some(program.clone()),
            _ => None,
        },
        // What is there already is not seen, and adding a line to it is what it is mostly printed for.
        "crontab" if arguments == ["-l"] => Some(String::new()),
        "cat" | "tee" => match stdin {
            Stdin::Text(text) if name == "tee" || arguments.iter().all(|word| word == "-") => {
                Some(text.clone())
            }
            _ => None,
        },
        "base64" => match stdin {
            Stdin::Text(text) if is_decoding(arguments) => decoded(text),
            _ => None,
        },
        "rev" => match stdin {
            Stdin::Text(text) => {
                let lines = text
                    .lines()
                    .map(|line| line.chars().rev().collect::<String>());
                Some(lines.collect::<Vec<_>>().join("\n") + "\n")
            }
            _ => None,
        },
        "true" | ":" | "false" | "cd" | "set" | "export" | "shopt" | "umask" | "unset" => {
            Some(String::new())
        }
        _ => None,
    }
}

fn is_decoding(arguments: &[String]) -> bool {
    let decodes = |word: &String| {
        matches!(word.as_str(), "-d" | "-D" | "-di")
            || (word.len() > 3 && "--decode".starts_with(word.as_str()))
    };
    arguments.iter().any(decodes)
        && arguments
            .iter()
            .all(|word| word.starts_with('-') || word == "/dev/stdin")
}

fn decoded(text: &str) -> Option<String> {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    let bytes = STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok().map(|text| clean(&text))
}

fn echo(arguments: &[String]) -> Option<String> {
    let is_flag = |word: &&String| {
        word.len() > 1 && word.starts_with('-') && word.chars().skip(1).all(|c| "neE".contains(c))
    };
    let flags = arguments.iter().take_while(is_flag).count();
    let words: Vec<&str> = arguments.iter().skip(flags).map(String::as_str).collect();
    let text = words.join(" ");
    let escapes = arguments
        .iter()
        .take(flags)
        .any(|flags| flags.contains('e'));
    match (escapes, text.contains('\\')) {
        (true, _) => Some(unescape(&text.chars().collect::<Vec<_>>()) + "\n"),
        (false, false) => Some(text + "\n"),
        // Shells differ in what they make of it.
        (false, true) => None,
    }
}

fn printf(arguments: &[String]) -> Option<String> {
    let arguments = match arguments {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    };
    let (format, values) = arguments.split_first()?;
    if format.starts_with('-') {
        return None;
    }
    let mut values = values.iter();
    let format = unescape(&format.chars().collect::<Vec<_>>());
    let mut printed = String::new();
    loop {
        let left = values.len();
        let mut chars = format.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                printed.push(c);
                continue;
            }
            match chars.next()? {
                '%' => printed.push('%'),
                's' => printed.push_str(values.next().map_or("", String::as_str)),
                'b' => {
                    let value = values.next().map_or("", String::as_str);
                    printed.push_str(&unescape(&value.chars().collect::<Vec<_>>()));
                }
                // A number or a width: not followed.
                _ => {
                    values.next();
                    printed.push(HOLE);
                    break;
                }
            }
        }
        if values.len() == 0 || values.len() == left || printed.len() > 4_096 {
            return Some(printed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, arguments: &[&str], stdin: &str) -> Option<String> {
        let arguments: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        output_of(name, &arguments, &Stdin::Text(stdin.to_owned()))
    }

    #[test]
    fn output_is_known_where_the_script_fixes_it() {
        assert_eq!(
            of("echo", &["-ne", r"rm\x20", "-rf"], "").as_deref(),
            Some("rm  -rf\n")
        );
        assert_eq!(
            of("printf", &["%s ", "rm", "-rf"], "").as_deref(),
            Some("rm -rf ")
        );
        assert_eq!(
            of("printf", &[r"\162m %s", "/"], "").as_deref(),
            Some("rm /")
        );
        assert_eq!(
            of("base64", &["-d"], "cm0gLXJmIC8K\n").as_deref(),
            Some("rm -rf /\n")
        );
        assert_eq!(of("base64", &["--dec"], "***"), None);
        assert_eq!(of("rev", &[], "fr- mr").as_deref(), Some("rm -rf\n"));
        assert_eq!(of("cat", &["file"], "x"), None);
        assert_eq!(of("tr", &["a", "b"], "x"), None);
    }
}
