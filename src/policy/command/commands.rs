//! One command: its assignments and words, what it runs in turn, and what it changes for those after it.

use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem, IoRedirect,
    SimpleCommand, Word,
};

use super::languages::commands_in;
use super::listed::{jobs, recipes};
use super::output::output_of;
use super::reader::{Call, Reader, Stdin};
use super::runs::{Language, Runs, runs};
use super::value::{HOLE, ONE, PARAM, base, has_hole, is_fixed, is_hole, is_invisible, shown};

/// The most definitions of one function.
const MAX_BODIES: usize = 4;
/// The most texts that are read again at the end.
const MAX_LATE: usize = 16;
/// Builtins before which an assignment may last.
const KEEPING: &[&str] = &[
    ":", ".", "source", "eval", "exec", "export", "readonly", "set", "shift", "times", "trap",
    "unset",
];
/// Builtins whose operands are assignments.
const DECLARING: &[&str] = &["export", "declare", "local", "readonly", "typeset"];

impl Reader {
    pub(super) fn simple(&mut self, simple: &SimpleCommand, stdin: &Stdin) -> Option<String> {
        let start = self.calls.len();
        let mut stdin = match (stdin, &self.inputs.1) {
            (Stdin::None, Some(input)) => input.clone(),
            _ => stdin.clone(),
        };
        let before_redirects = stdin.clone();
        let (mut writes, mut words, mut assignments) = (Vec::new(), Vec::new(), Vec::new());
        let prefix = simple.prefix.as_ref().map_or(&[][..], |prefix| &prefix.0);
        let suffix = simple.suffix.as_ref().map_or(&[][..], |suffix| &suffix.0);
        for item in prefix {
            match item {
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, _) => {
                    assignments.push(self.assigned(assignment));
                }
                CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                    self.redirect(redirect, &mut stdin, &mut writes);
                }
                _ => {}
            }
        }
        if let Some(word) = &simple.word_or_name {
            words.extend(self.expand(&word.value));
        }
        for item in suffix {
            match item {
                CommandPrefixOrSuffixItem::IoRedirect(redirect) => {
                    self.redirect(redirect, &mut stdin, &mut writes);
                }
                CommandPrefixOrSuffixItem::Word(word) => words.extend(self.expand(&word.value)),
                CommandPrefixOrSuffixItem::AssignmentWord(assignment, word) => {
                    let declares = words
                        .first()
                        .is_some_and(|program| DECLARING.contains(&program.as_str()));
                    if declares {
                        let (name, values) = self.assigned(assignment);
                        self.set(&name, values);
                        words.push(name);
                    } else if let AssignmentValue::Array(members) = &assignment.value {
                        for (key, member) in members {
                            self.key(key.as_ref());
                            words.extend(self.expand(&member.value));
                        }
                    } else {
                        words.extend(self.expand(&word.value));
                    }
                }
                CommandPrefixOrSuffixItem::ProcessSubstitution(kind, script) => {
                    let printed = self.process(kind, script);
                    words.push(self.stream(printed));
                }
            }
        }
        if words.is_empty() {
            for (name, values) in assignments {
                self.set(&name, values);
            }
            if !writes.is_empty() {
                let call = Call {
                    writes,
                    ..Call::default()
                };
                self.note(call);
            }
            // `$(< file)` is what the file holds.
            let reads = prefix
                .iter()
                .any(|item| matches!(item, CommandPrefixOrSuffixItem::IoRedirect(_)));
            return match stdin {
                Stdin::Text(text) if reads => Some(text),
                _ if reads => None,
                _ => Some(String::new()),
            };
        }
        let execs = |word: &String| {
            ["exec", "command", "builtin"].contains(&word.as_str()) || word.starts_with('-')
        };
        if stdin != before_redirects
            && words.iter().all(execs)
            && words.iter().any(|word| word == "exec")
        {
            self.reads_from_now_on(stdin.clone());
        }
        // Only the command itself sees them, but for builtins that some shells make an exception of.
        let keeps = words
            .first()
            .is_some_and(|program| KEEPING.contains(&program.as_str()));
        let unusual = self.unusual_separators;
        let mut before = Vec::new();
        for (name, values) in assignments {
            self.unusual_separators |= name == "IFS";
            before.push((name.clone(), self.variables.insert(name, values)));
        }
        let reads_substitution = self.calls.len();
        let redirects = writes.clone();
        let printed = self.run(words, &stdin, writes);
        for path in &redirects {
            self.written(path, printed.clone(), start..self.calls.len());
        }
        self.feed(
            start..reads_substitution,
            reads_substitution..self.calls.len(),
        );
        self.unusual_separators = unusual || keeps && self.unusual_separators;
        for (name, values) in before.into_iter().rev() {
            self.restore(
                name,
                values.map(|values| {
                    if keeps {
                        vec![HOLE.to_string()]
                    } else {
                        values
                    }
                }),
            );
        }
        let diverted = prefix.iter().chain(suffix).any(|item| {
            matches!(item, CommandPrefixOrSuffixItem::IoRedirect(redirect) if takes_output(redirect))
        });
        printed.filter(|_| redirects.is_empty() || !diverted)
    }

    fn restore(&mut self, name: String, values: Option<Vec<String>>) {
        match values {
            Some(values) => self.variables.insert(name, values),
            None => self.variables.remove(&name),
        };
    }

    pub(super) fn assigned(&mut self, assignment: &Assignment) -> (String, Vec<String>) {
        let name = match &assignment.name {
            AssignmentName::VariableName(name) => name.clone(),
            AssignmentName::ArrayElementName(name, index) => {
                self.expand_quoted(index);
                let _ = self.assigned_values(&assignment.value);
                return (name.clone(), vec![HOLE.to_string()]);
            }
        };
        let values = self.assigned_values(&assignment.value);
        if !assignment.append {
            return (name, values);
        }
        let mut all = self.variable(&name).unwrap_or_default();
        match (&assignment.value, all.first_mut()) {
            (AssignmentValue::Scalar(_), Some(first)) => first.push_str(&values.concat()),
            _ => all.extend(values),
        }
        (name, all)
    }

    pub(super) fn assigned_values(&mut self, value: &AssignmentValue) -> Vec<String> {
        match value {
            AssignmentValue::Scalar(word) => vec![self.expand_whole(&word.value)],
            AssignmentValue::Array(members) => {
                let mut values = Vec::new();
                for (key, member) in members {
                    self.key(key.as_ref());
                    values.extend(self.expand(&member.value));
                }
                values
            }
        }
    }

    /// What is substituted in the key of a member runs.
    fn key(&mut self, key: Option<&Word>) {
        if let Some(key) = key {
            self.expand_quoted(&key.value);
        }
    }

    /// Notes a command and walks what it runs; returns what it prints where that is known.
    pub(super) fn run(
        &mut self,
        words: Vec<String>,
        stdin: &Stdin,
        writes: Vec<String>,
    ) -> Option<String> {
        let mut words = words.into_iter();
        let program = words.next()?;
        let arguments: Vec<String> = words.collect();
        if !self.descend() {
            return None;
        }
        self.check_program(&program);
        let name = base(&program).to_owned();
        let index = self.calls.len();
        let call = Call {
            program: program.clone(),
            arguments: arguments.clone(),
            writes,
            ..Call::default()
        };
        let printed = if self.note(call) {
            let mut before = Vec::new();
            for inner in runs(&name, &arguments) {
                if let Runs::Set(name, value) = inner {
                    let set = self.variables.insert(name.clone(), vec![value]);
                    before.push((name, set));
                } else {
                    self.follow(index, &name, inner, stdin);
                }
            }
            for (name, values) in before.into_iter().rev() {
                self.restore(name, values);
            }
            if self.files.contains_key(&name) {
                let path = Some(program.clone());
                self.follow(
                    index,
                    &name,
                    Runs::Program {
                        path,
                        language: Language::Shell,
                    },
                    stdin,
                );
            }
            self.builtin(index, &name, &arguments);
            self.own(&name, &arguments, stdin);
            if program != name {
                self.own(&program, &arguments, stdin);
            }
            let printed = output_of(&name, &arguments, stdin);
            if name == "tee" {
                for path in &arguments {
                    self.written(path, printed.clone(), index..index + 1);
                }
            }
            if name == "dd" {
                for path in arguments.iter().filter_map(|word| word.strip_prefix("of=")) {
                    let copied = match stdin {
                        Stdin::Text(text) => Some(text.clone()),
                        _ => None,
                    };
                    self.written(path, copied, index..index + 1);
                }
            }
            printed
        } else {
            None
        };
        self.depth -= 1;
        printed
    }

    /// A program that is only known at run time, or that looks like another.
    pub(super) fn check_program(&mut self, program: &str) {
        let name = base(program);
        if name.contains(HOLE) || name.contains(PARAM) && self.defining == 0 {
            let shown = shown(program);
            self.doubt(format!("the program `{shown}` is only known at run time"));
        } else if !name.is_empty() && !name.contains(PARAM) && !name.contains(is_word_part) {
            let shown = shown(program);
            self.doubt(format!("the program `{shown}` is whatever a glob finds"));
        } else if let Some(found) = program.chars().find(|c| is_invisible(*c)) {
            let code = u32::from(found);
            self.doubt(format!(
                "the name of a program holds the character U+{code:04X}"
            ));
        }
    }

    pub(super) fn follow(&mut self, index: usize, name: &str, inner: Runs, stdin: &Stdin) {
        match inner {
            Runs::Words(words) => {
                self.run(words, stdin, Vec::new());
            }
            Runs::Fed(mut words) => {
                // What is read becomes arguments.
                match stdin {
                    Stdin::Text(text) => {
                        let text = text.replace(['\'', '"', '\\'], "");
                        words.extend(text.split_whitespace().map(str::to_owned));
                    }
                    _ => words.push(HOLE.to_string()),
                }
                self.run(words, &Stdin::None, Vec::new());
            }
            Runs::Text(text, arguments) => {
                if has_hole(&text)
                    && let Some(call) = self.calls.get_mut(index)
                {
                    call.reads_program = true;
                }
                let before = arguments.map(|arguments| self.arguments.replace(arguments));
                self.text(&text, stdin);
                if let Some(before) = before {
                    self.arguments = before;
                }
            }
            Runs::Perhaps(texts) => {
                for text in texts {
                    self.attempt(&text);
                }
            }
            Runs::Program { path, language } => {
                let (program, by) = match path {
                    Some(path) => {
                        let by = self.files.get(base(&path));
                        (self.file(&path), by.map(|(_, by)| by.clone()))
                    }
                    None => (Some(stdin.clone()), None),
                };
                let Some(program) = program.filter(|program| *program != Stdin::None) else {
                    return;
                };
                if let Some(call) = self.calls.get_mut(index) {
                    call.reads_program = true;
                }
                if let Some(by) = by {
                    self.feed(by, index..index + 1);
                }
                match (program, language) {
                    // Code of another language, which the script holds.
                    (Stdin::Text(code), Language::Other) if self.work(code.len()) => {
                        for text in commands_in(&code) {
                            self.attempt(&text);
                        }
                    }
                    (_, Language::Other) => {}
                    (Stdin::Text(text), Language::Shell) => {
                        self.text(&text, &Stdin::None);
                    }
                    (Stdin::Text(text), Language::Crontab) => {
                        for (command, input) in jobs(&text) {
                            self.text(&command, &Stdin::Text(input));
                        }
                    }
                    (Stdin::Text(text), Language::Makefile) => {
                        for recipe in recipes(&text) {
                            self.attempt(&recipe);
                        }
                    }
                    (Stdin::None | Stdin::Stream, _) => self.doubt(format!(
                        "`{}` runs a script that is only made at run time",
                        shown(name)
                    )),
                }
            }
            Runs::Set(name, _) => self.set(&name, vec![HOLE.to_string()]),
            Runs::Forget(names) => {
                for name in names {
                    self.variables.insert(name, vec![HOLE.to_string()]);
                }
            }
        }
    }

    /// Walks what may be a script: what is seen in it counts, and that it cannot be read does not.
    pub(super) fn attempt(&mut self, text: &str) {
        if self.work(text.len()) && self.parse(text).is_ok() {
            let doubt = self.doubt.take();
            self.text(text, &Stdin::None);
            self.doubt = doubt;
        }
    }

    /// What changes the reader itself.
    pub(super) fn builtin(&mut self, index: usize, name: &str, arguments: &[String]) {
        match name {
            "set" => {
                if let Some(at) = arguments.iter().position(|word| word == "--") {
                    let rest = arguments.iter().skip(at + 1).cloned();
                    let all = std::iter::once(HOLE.to_string()).chain(rest).collect();
                    self.arguments = (self.conditional == 0).then_some(all);
                } else if arguments.iter().any(|word| !word.starts_with(['-', '+'])) {
                    self.arguments = None;
                }
            }
            name if DECLARING.contains(&name) => {
                for word in arguments {
                    if let Some((name, value)) = word.split_once('=') {
                        self.set(name.trim_end_matches('+'), vec![value.to_owned()]);
                    }
                }
            }
            "trap" => {
                let text = arguments.iter().find(|word| !word.starts_with('-'));
                self.late
                    .extend(text.filter(|_| self.late.len() < MAX_LATE).cloned());
            }
            "shift" => self.arguments = None,
            "alias" => {
                for word in arguments {
                    if let Some((alias, text)) = word.split_once('=') {
                        self.rename(alias, text);
                        self.text(text, &Stdin::None);
                    }
                }
            }
            "cp" | "ln" | "mv" | "install" => {
                let operands: Vec<&String> = arguments
                    .iter()
                    .filter(|word| !word.starts_with('-'))
                    .collect();
                if let [from, .., to] = operands.as_slice() {
                    if let Some((text, by)) = self.files.get(base(from)).cloned() {
                        self.written(to, text, by);
                    }
                    let inside = format!("{}/{}", to.trim_end_matches('/'), base(from));
                    self.rename(to.trim_start_matches("./"), from);
                    self.rename(&inside, from);
                }
            }
            "hash" => {
                if let [flag, path, name] = arguments
                    && flag == "-p"
                {
                    self.rename(name, path);
                }
            }
            "mkfifo" => {
                for path in arguments {
                    self.written(path, None, index..index);
                }
            }
            "curl" | "wget" => {
                // Where it is saved under its own name, the last part of the address is the file.
                for word in arguments.iter().filter(|word| !word.starts_with('-')) {
                    let path = word.split(['?', '#', ONE]).next().unwrap_or(word);
                    if path.contains('/') {
                        self.written(path, None, index..index + 1);
                    }
                }
                let mut words = arguments.iter();
                while let Some(word) = words.next() {
                    let takes_path = ["--output", "--output-document"].contains(&word.as_str())
                        || (word.starts_with('-') && !word.starts_with("--"))
                            && word.ends_with(['o', 'O']);
                    if let Some(path) = words.as_slice().first().filter(|_| takes_path) {
                        self.written(path, None, index..index + 1);
                    }
                }
            }
            _ => {}
        }
    }

    /// Notes that a name stands for a command; where it stood for another, it is not known which.
    fn rename(&mut self, name: &str, command: &str) {
        let known = self.aliases.get(name);
        let sure = known.is_none_or(|known| known == command);
        let command = if sure {
            command.to_owned()
        } else {
            HOLE.to_string()
        };
        self.aliases.insert(name.to_owned(), command);
    }

    /// A function or alias of the script's own.
    pub(super) fn own(&mut self, name: &str, arguments: &[String], stdin: &Stdin) {
        let name = name.trim_start_matches("./");
        if let Some(text) = self.aliases.remove(name) {
            let words = text.split_whitespace().map(str::to_owned);
            self.run(
                words.chain(arguments.iter().cloned()).collect(),
                stdin,
                Vec::new(),
            );
            self.aliases.insert(name.to_owned(), text);
        }
        // Out of the map while it is walked: one that calls itself is walked once, or twice where it changes what it reads.
        if let Some(bodies) = self.functions.remove(name) {
            for body in bodies.iter().take(MAX_BODIES) {
                let Some(before) = self.remembered() else {
                    break;
                };
                for _ in 0..2 {
                    let all = std::iter::once(HOLE.to_string()).chain(arguments.iter().cloned());
                    let outer = self.arguments.replace(all.collect());
                    self.function(body, stdin);
                    self.arguments = outer;
                    if self.variables == before {
                        break;
                    }
                }
            }
            if bodies.len() > MAX_BODIES {
                self.doubt(format!(
                    "the function `{}` is defined too often",
                    shown(name)
                ));
            }
            self.functions.insert(name.to_owned(), bodies);
        }
    }
}

/// Whether what a command prints goes elsewhere: `2>/dev/null` leaves it where it is.
fn takes_output(redirect: &IoRedirect) -> bool {
    match redirect {
        IoRedirect::File(descriptor, ..) => descriptor.is_none_or(|descriptor| descriptor == 1),
        IoRedirect::OutputAndError(..) => true,
        IoRedirect::HereDocument(..) | IoRedirect::HereString(..) => false,
    }
}

fn is_word_part(c: char) -> bool {
    !is_hole(c) && is_fixed(c.encode_utf8(&mut [0; 4]))
}
