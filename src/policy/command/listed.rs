//! Programs that read commands out of lists of their own: tables of `cron` and makefiles.

use super::runs::{Language, Runs, program_in};
use super::value::has_hole;

/// What `make` reads where it is told nothing.
const MAKEFILES: [&str; 3] = ["GNUmakefile", "makefile", "Makefile"];

/// `crontab FILE`, and `crontab -` for its input.
pub(super) fn crontab(arguments: &[String]) -> Vec<Runs> {
    let mut words = arguments.iter();
    let mut path = None;
    while let Some(word) = words.next() {
        match word.as_str() {
            "-u" => {
                words.next();
            }
            "-l" | "-r" | "-e" => return Vec::new(),
            flag if flag.len() > 1 && flag.starts_with('-') => {}
            operand => path = Some(operand),
        }
    }
    vec![program_in(path, Language::Crontab)]
}

/// The commands of a table, each with the input that stands behind a `%`.
pub(super) fn jobs(table: &str) -> Vec<(String, String)> {
    let lines = table.lines().map(str::trim_start);
    lines
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| {
            let times = if line.starts_with('@') { 1 } else { 5 };
            match behind(line, times) {
                Some(command) => Some(split_input(command)),
                // The times and the command may be in what is only known at run time.
                None => has_hole(line).then(|| (line.to_owned(), String::new())),
            }
        })
        .collect()
}

/// What stands behind that many words.
fn behind(line: &str, words: usize) -> Option<&str> {
    let mut rest = line;
    for _ in 0..words {
        rest = rest.split_once([' ', '\t'])?.1.trim_start();
    }
    (!rest.is_empty()).then_some(rest)
}

fn split_input(command: &str) -> (String, String) {
    let (mut text, mut input, mut escaped) = (String::new(), None::<String>, false);
    for c in command.chars() {
        let into = input.as_mut().unwrap_or(&mut text);
        match c {
            '%' if escaped => {
                into.pop();
                into.push('%');
            }
            '%' => match &mut input {
                Some(input) => input.push('\n'),
                None => input = Some(String::new()),
            },
            c => into.push(c),
        }
        escaped = c == '\\';
    }
    (text, input.unwrap_or_default())
}

/// `make -f FILE`, `make -f -`, and what stands in its own `--eval`.
pub(super) fn make(arguments: &[String]) -> Vec<Runs> {
    let mut paths: Vec<&str> = Vec::new();
    let mut all = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        let long = word.split_once('=');
        match (word.as_str(), long) {
            ("-f" | "--file" | "--makefile", _) => paths.extend(words.next().map(String::as_str)),
            (_, Some(("--file" | "--makefile", path))) => paths.push(path),
            (_, Some(("--eval", text))) => all.push(Runs::Perhaps(recipes(text))),
            (word, _) => paths.extend(word.strip_prefix("-f")),
        }
    }
    if paths.is_empty() {
        paths.extend(MAKEFILES);
    }
    let programs = paths.into_iter();
    all.extend(programs.map(|path| program_in(Some(path), Language::Makefile)));
    all
}

/// The shell text of a makefile: lines of recipes, and what `$(shell …)` holds.
pub(super) fn recipes(makefile: &str) -> Vec<String> {
    let joined = makefile.replace("\\\n", " ");
    let mut texts = Vec::new();
    for line in joined.lines() {
        let recipe = match line.strip_prefix('\t') {
            Some(recipe) => Some(recipe),
            None => line.split_once(';').map(|(_, recipe)| recipe),
        };
        let recipe = recipe.map(|text| text.trim_start_matches(['@', '-', '+', ' ', '\t']));
        texts.extend(recipe.map(|text| text.replace("$$", "$")));
        for start in ["$(shell ", "${shell "] {
            let calls = line.split(start).skip(1);
            texts.extend(calls.map(|text| {
                let end = text.rfind([')', '}']).unwrap_or(text.len());
                text.get(..end).unwrap_or(text).replace("$$", "$")
            }));
        }
        texts.extend(
            line.split_once("!=")
                .map(|(_, text)| text.replace("$$", "$")),
        );
    }
    texts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_a_table_stand_behind_their_times() {
        let table = "# rm -rf /\nA=b\n*/5 * * * *\trm -rf /\n@daily  ls\n0 0 * * 1 sh%rm x%y\n0 0 * * 1 date +\\%F\n\0 rm\n\0\n1 2 3\n";
        let found: Vec<(String, String)> = jobs(table);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(command, input)| (command.as_str(), input.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("rm -rf /", ""),
                ("ls", ""),
                ("sh", "rm x\ny"),
                ("date +%F", ""),
                ("\0 rm", ""),
                ("\0", "")
            ]
        );
    }

    #[test]
    fn recipes_hold_shell_text() {
        let makefile = "x = $(shell a b)\ny != c\nall: z ; d\n\t@-rm \\\n  x\n\techo $$HOME\n";
        assert_eq!(
            recipes(makefile),
            ["a b", " c", "d", "rm    x", "echo $HOME"]
        );
    }
}
