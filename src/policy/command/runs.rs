//! What a program runs in turn: wrappers, shells, remote and contained commands, interpreters' code.

use super::elsewhere::{container, hosts, pod, remote};
use super::languages::interpreter;
use super::launchers::launched;
use super::listed::{crontab, make};
use super::programs::{
    CONTAINERS, Flags, HANDLERS, HOSTS, INTERPRETERS, KUBECTL, MAKES, REMOTES, SHELLS,
    TAKES_COMMAND, without_version, wrapper,
};
use super::texts::{nix_shell, npx, powershell, sed};
use super::value::{HOLE, has_hole};
use super::wrapped::{candidates, wrapped};

/// What a program that is read from a file or the input is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Shell,
    /// Lines of shell text behind the times at which they run.
    Crontab,
    /// Shell text in recipes.
    Makefile,
    /// One that is not read.
    Other,
}

/// Something that a command runs or changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Runs {
    /// A command, word by word.
    Words(Vec<String>),
    /// A command to which words of the input are added.
    Fed(Vec<String>),
    /// Shell text, with its own `$0`, `$1` … where it has any.
    Text(String, Option<Vec<String>>),
    /// Texts in a program of another language, which may be commands.
    Perhaps(Vec<String>),
    /// The program in a file, or in the input.
    Program {
        path: Option<String>,
        language: Language,
    },
    /// A variable is set for what follows.
    Set(String, String),
    /// Variables are set to what is not known.
    Forget(Vec<String>),
}

/// What a program of this name runs with these arguments.
pub(super) fn runs(name: &str, arguments: &[String]) -> Vec<Runs> {
    let join = |words: &[String]| words.join(" ");
    let name = without_version(name);
    if let Some(launched) = launched(name, arguments) {
        return launched;
    }
    match name {
        name if SHELLS.contains(&name) => shell(arguments),
        name if INTERPRETERS.contains(&name) => interpreter(name, arguments),
        "eval" => vec![Runs::Text(join(after_dashes(arguments)), None)],
        "source" | "." => {
            let path = arguments.first().cloned();
            vec![program_in(path.as_deref(), Language::Shell)]
        }
        "trap" => match after_dashes(arguments) {
            [text, _, ..] if !text.starts_with('-') => vec![Runs::Text(text.clone(), None)],
            _ => Vec::new(),
        },
        "at" | "batch" => vec![Runs::Program {
            path: None,
            language: Language::Shell,
        }],
        "read" | "mapfile" | "readarray" | "getopts" | "unset" | "let" => {
            vec![Runs::Forget(arguments.to_vec())]
        }
        "printf" => match arguments {
            [flag, name, ..] if flag == "-v" => vec![Runs::Forget(vec![name.clone()])],
            _ => Vec::new(),
        },
        "find" | "fd" | "fdfind" => find(arguments),
        "parallel" => parallel(arguments),
        "git" => git(arguments),
        "ip" => match arguments {
            [netns, exec, _, words @ ..] if netns == "netns" && exec == "exec" => {
                vec![Runs::Words(words.to_vec())]
            }
            _ => Vec::new(),
        },
        "adb" | "wsl" => {
            let words = arguments
                .iter()
                .skip_while(|word| word.starts_with('-') || *word == "shell");
            vec![Runs::Text(
                words.cloned().collect::<Vec<_>>().join(" "),
                None,
            )]
        }
        name if HANDLERS.contains(&name) => handled(arguments),
        name if TAKES_COMMAND.contains(&name) => take_command(name, arguments),
        name if REMOTES.contains(&name) => remote(arguments),
        name if CONTAINERS.contains(&name) => container(arguments),
        name if KUBECTL.contains(&name) => pod(arguments),
        name if HOSTS.contains(&name) => hosts(arguments),
        name if MAKES.contains(&name) => make(arguments),
        "crontab" => crontab(arguments),
        "nix-shell" => nix_shell(arguments),
        "npx" => npx(arguments),
        "npm" | "pnpm" => match arguments {
            [exec, rest @ ..] if exec == "exec" || exec == "x" => npx(rest),
            _ => Vec::new(),
        },
        "pwsh" | "powershell" => powershell(arguments),
        "sed" | "gsed" => sed(arguments),
        _ => wrapped(name, arguments),
    }
}

fn after_dashes(arguments: &[String]) -> &[String] {
    match arguments {
        [first, rest @ ..] if first == "--" => rest,
        all => all,
    }
}

pub(super) fn from(arguments: &[String], at: usize) -> Vec<String> {
    arguments.get(at..).unwrap_or_default().to_vec()
}

pub(super) fn program_in(path: Option<&str>, language: Language) -> Runs {
    let path =
        path.filter(|path| !matches!(*path, "-" | "/dev/stdin" | "/dev/fd/0" | "/proc/self/fd/0"));
    Runs::Program {
        path: path.map(str::to_owned),
        language,
    }
}

/// A shell: `-c TEXT`, a file, or the input.
fn shell(arguments: &[String]) -> Vec<Runs> {
    let (mut takes_text, mut takes_input) = (false, false);
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        match word.as_str() {
            "--" | "-" => {
                at += 1;
                break;
            }
            "-o" | "+o" | "-O" | "+O" | "--rcfile" | "--init-file" => at += 2,
            "--command" => {
                takes_text = true;
                at += 1;
            }
            long if long.starts_with("--") => at += 1,
            flags if flags.len() > 1 && flags.starts_with(['-', '+']) => {
                takes_text |= flags.starts_with('-') && flags.contains(['c', HOLE]);
                takes_input |= flags.starts_with('-') && flags.contains('s');
                at += if flags.ends_with('o') { 2 } else { 1 };
            }
            _ => break,
        }
    }
    let rest = arguments.get(at..).unwrap_or_default();
    match rest {
        [text, arguments @ ..] if takes_text => {
            let name = arguments
                .first()
                .cloned()
                .unwrap_or_else(|| "sh".to_owned());
            let rest = arguments.iter().skip(1).cloned();
            let all = std::iter::once(name).chain(rest).collect();
            vec![Runs::Text(text.clone(), Some(all))]
        }
        [path, rest @ ..] if !takes_input => {
            // An unknown word may be a flag that makes the next one shell text.
            let texts = rest.iter().take(4).filter(|_| has_hole(path));
            vec![
                program_in(Some(path), Language::Shell),
                Runs::Perhaps(texts.cloned().collect()),
            ]
        }
        _ => vec![Runs::Program {
            path: None,
            language: Language::Shell,
        }],
    }
}

/// `find … -exec … ;`, and `fd -x …`.
fn find(arguments: &[String]) -> Vec<Runs> {
    let mut all = Vec::new();
    let starts = [
        "-exec",
        "-execdir",
        "-ok",
        "-okdir",
        "-x",
        "-X",
        "--exec",
        "--exec-batch",
    ];
    for (at, word) in arguments.iter().enumerate() {
        if starts.contains(&word.as_str()) {
            let words = arguments.iter().skip(at + 1);
            let words = words.take_while(|word| !matches!(word.as_str(), ";" | "+" | "\\;"));
            all.push(Runs::Words(
                words.map(|word| replaced(word, "{}")).collect(),
            ));
        }
    }
    all
}

pub(super) fn replaced(word: &str, placeholder: &str) -> String {
    word.replace(placeholder, &HOLE.to_string())
}

/// `parallel COMMAND ::: ARGUMENTS`, or commands as arguments.
fn parallel(arguments: &[String]) -> Vec<Runs> {
    let separator = arguments.iter().position(|word| word.starts_with(":::"));
    let (template, inputs) = arguments.split_at(separator.unwrap_or(arguments.len()));
    let starts = candidates(
        &Flags {
            valued: "jnNaSILdP",
            ..Flags::default()
        },
        template,
        0,
    );
    let Some(&start) = starts.first() else {
        let texts = inputs.iter().skip(1);
        let mut all: Vec<Runs> = texts.map(|text| Runs::Text(text.clone(), None)).collect();
        if separator.is_none() {
            all.push(Runs::Program {
                path: None,
                language: Language::Shell,
            });
        }
        return all;
    };
    let text = from(template, start).join(" ");
    let filled = |input: &str| {
        if text.contains("{}") {
            text.replace("{}", input)
        } else {
            format!("{text} {input}")
        }
    };
    let mut all = vec![Runs::Text(filled(&HOLE.to_string()), None)];
    all.extend(
        inputs
            .iter()
            .skip(1)
            .map(|input| Runs::Text(filled(input), None)),
    );
    all
}

/// Commands in aliases (`-c alias.x='!…'`), in `submodule foreach`, `bisect run` and `rebase --exec`.
fn git(arguments: &[String]) -> Vec<Runs> {
    let mut all = Vec::new();
    for (at, word) in arguments.iter().enumerate() {
        let next = arguments.get(at + 1);
        let text = |text: &str| Runs::Text(text.to_owned(), None);
        match (word.as_str(), next) {
            (word, _) if word.starts_with("alias.") => {
                all.extend(word.split_once("=!").map(|(_, script)| text(script)));
            }
            ("foreach", Some(_)) | ("run", Some(_)) => {
                let words = arguments
                    .iter()
                    .skip(at + 1)
                    .skip_while(|word| word.starts_with('-'));
                all.push(text(&words.cloned().collect::<Vec<_>>().join(" ")));
                break;
            }
            (
                "--exec" | "-x" | "--tree-filter" | "--index-filter" | "--msg-filter",
                Some(script),
            ) => {
                all.push(text(script));
            }
            (word, _) if word.starts_with("--exec=") => {
                all.extend(word.split_once('=').map(|(_, script)| text(script)));
            }
            _ => {}
        }
    }
    all
}

/// Programs with a flag whose value is shell text: `su -c`, `script -c`, `flock F -c`, `env -S`, `tar --to-command`.
fn take_command(name: &str, arguments: &[String]) -> Vec<Runs> {
    let longs: &[&str] = &[
        "--command",
        "--session-command",
        "--split-string",
        "--to-command",
        "--use-compress-program",
        "--rsh",
        "--checkpoint-action",
        "--info-script",
        "--new-volume-script",
    ];
    let short = match name {
        "env" => 'S',
        "rsync" => 'e',
        "tar" => 'I',
        _ => 'c',
    };
    for (at, word) in arguments.iter().enumerate() {
        let (flag, attached) = match word.split_once('=') {
            Some((flag, value)) => (flag, Some(value)),
            None => (word.as_str(), None),
        };
        let text = if longs.contains(&flag) {
            attached
                .map(str::to_owned)
                .or_else(|| arguments.get(at + 1).cloned())
        } else if let Some(flags) = word
            .strip_prefix('-')
            .filter(|flags| !flags.starts_with('-'))
        {
            let found = flags.char_indices().find(|(_, c)| *c == short);
            found.and_then(|(index, c)| match flags.get(index + c.len_utf8()..) {
                None | Some("") => arguments.get(at + 1).cloned(),
                Some(attached) => Some(attached.to_owned()),
            })
        } else {
            None
        };
        if let Some(text) = text {
            let text = text.strip_prefix("exec=").unwrap_or(&text).to_owned();
            // Behind the command that is wrapped, the flag is that command's.
            let is_own = wrapper(name).is_none_or(|wrapper| {
                let starts = candidates(&wrapper.flags, arguments, wrapper.skip);
                starts.first().is_none_or(|start| *start > at)
            });
            let mut all = if is_own {
                Vec::new()
            } else {
                wrapped(name, arguments)
            };
            if name != "env" {
                all.push(Runs::Text(text, None));
                return all;
            }
            let skipped = if attached.is_some() || word.len() > 2 && !word.starts_with("--") {
                1
            } else {
                2
            };
            let rest = from(arguments, at + skipped);
            all.push(Runs::Text(format!("{text} {}", rest.join(" ")), None));
            return all;
        }
    }
    let mut all = wrapped(name, arguments);
    if name == "su" {
        all.push(Runs::Program {
            path: None,
            language: Language::Shell,
        });
    }
    all
}

/// Each argument that may be a command, whole and behind a `!` or `=`.
fn handled(arguments: &[String]) -> Vec<Runs> {
    let mut texts = Vec::new();
    for (at, word) in arguments.iter().enumerate() {
        texts.push(word.clone());
        texts.extend(word.split_once(['!', '=']).map(|(_, text)| text.to_owned()));
        if !word.starts_with('-') {
            texts.push(from(arguments, at).join(" "));
        }
    }
    texts.truncate(64);
    vec![Runs::Perhaps(texts)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        runs(&words[0], &words[1..])
            .into_iter()
            .filter_map(|runs| match runs {
                Runs::Words(words) | Runs::Fed(words) => Some(words.join(" ")),
                Runs::Text(text, _) => Some(text),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn wrappers_run_their_operands() {
        for (line, inner) in [
            ("sudo -u root -n rm x", "rm x"),
            ("sudo -uroot A=b rm x", "rm x"),
            ("env -i A=b C=d rm x", "rm x"),
            ("nice -n 5 rm x", "rm x"),
            ("nice -5 rm x", "rm x"),
            ("timeout -k 5 --foreground 10 rm x", "rm x"),
            ("xargs -0 -n 1 rm x", "rm x"),
            ("xargs -I{} rm {}", "rm \0"),
            ("find . -name x -exec rm {} ;", "rm \0"),
            ("ssh -p 22 host -v rm x", "rm x"),
            ("su - root -c rm", "rm"),
            ("docker -H tcp://h exec -it -u 0 web rm x", "rm x"),
            ("docker run --rm -v /:/host alpine rm x", "rm x"),
            ("kubectl exec -it pod -n ns -- rm x", "rm x"),
            ("flock /lock rm x", "rm x"),
            ("chroot /mnt rm x", "rm x"),
            ("busybox rm x", "rm x"),
            ("env -S rm x", "rm x"),
            ("git submodule foreach rm x", "rm x"),
            ("parallel rm ::: x", "rm x"),
            ("tar --to-command=rm x", "rm"),
        ] {
            assert!(
                commands(line).contains(&inner.to_owned()),
                "{line}: {:?}",
                commands(line)
            );
        }
        for line in [
            "command -v rm",
            "docker rm -f x",
            "bash script.sh",
            "echo rm x",
            "trap - EXIT",
        ] {
            assert_eq!(commands(line), [""; 0], "{line}");
        }
    }

    #[test]
    fn code_of_other_languages_is_searched_for_commands() {
        let of = |code: &str| runs("python3", &["-c".to_owned(), code.to_owned()]);
        assert_eq!(
            of("import os; os.system('rm -rf /')"),
            [Runs::Perhaps(vec!["rm -rf /".to_owned()])]
        );
        assert_eq!(of("print('rm -rf /')"), [Runs::Perhaps(Vec::new())]);
    }
}
