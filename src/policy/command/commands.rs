//! One command: its assignments and words, what it runs in turn, and what it changes for those after it.

use brush_parser::ast::{
    Assignment, AssignmentName, AssignmentValue, CommandPrefixOrSuffixItem, SimpleCommand,
};

use super::output::output_of;
use super::reader::{Call, Reader, Stdin};
use super::runs::{Runs, runs};
use super::value::{HOLE, PARAM, base, has_hole, is_fixed, is_hole, is_invisible, shown};

impl Reader {
    pub(super) fn simple(&mut self, simple: &SimpleCommand, stdin: &Stdin) -> Option<String> {
        let start = self.calls.len();
        let mut stdin = stdin.clone();
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
                    let declares = words.first().is_some_and(|program| {
                        ["export", "declare", "local", "readonly", "typeset"]
                            .contains(&program.as_str())
                    });
                    if declares {
                        let (name, values) = self.assigned(assignment);
                        self.set(&name, values);
                        words.push(name);
                    } else if let AssignmentValue::Array(members) = &assignment.value {
                        for (_, member) in members {
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
            return Some(String::new());
        }
        // Only the command itself sees them.
        let before = (!assignments.is_empty()).then(|| {
            let before = (self.variables.clone(), self.unusual_separators);
            for (name, values) in assignments {
                self.variables.insert(name, values);
            }
            before
        });
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
        if let Some((variables, unusual)) = before {
            self.variables = variables;
            self.unusual_separators = unusual;
        }
        printed.filter(|_| redirects.is_empty())
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
                let members = members.iter();
                members
                    .flat_map(|(_, member)| self.expand(&member.value))
                    .collect()
            }
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
            for inner in runs(&name, &arguments) {
                self.follow(index, &name, inner, stdin);
            }
            if self.files.contains_key(program.trim_start_matches("./")) {
                let path = Some(program.clone());
                self.follow(index, &name, Runs::Program { path, shell: true }, stdin);
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
                    Stdin::Text(text) => words.extend(text.split_whitespace().map(str::to_owned)),
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
                let before = arguments
                    .map(|arguments| std::mem::replace(&mut self.arguments, Some(arguments)));
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
            Runs::Program { path, shell } => {
                let (program, by) = match path {
                    Some(path) => {
                        let by = self.files.get(path.trim_start_matches("./"));
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
                match program {
                    Stdin::Text(text) if shell => {
                        self.text(&text, &Stdin::None);
                    }
                    _ if shell => self.doubt(format!(
                        "`{}` runs a script that is only made at run time",
                        shown(name)
                    )),
                    _ => {}
                }
            }
            Runs::Set(name, value) => self.set(&name, vec![value]),
            Runs::Forget(names) => {
                for name in names {
                    self.variables.insert(name, vec![HOLE.to_string()]);
                }
            }
        }
    }

    /// Walks what may be a script: what is seen in it counts, and that it cannot be read does not.
    pub(super) fn attempt(&mut self, text: &str) {
        if self.parse(text).is_ok() {
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
                }
            }
            "shift" => self.arguments = None,
            "alias" => {
                for word in arguments {
                    if let Some((alias, text)) = word.split_once('=') {
                        self.aliases.insert(alias.to_owned(), text.to_owned());
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
                    let inside = format!("{}/{}", to.trim_end_matches('/'), base(from));
                    self.aliases
                        .insert(to.trim_start_matches("./").to_owned(), (*from).clone());
                    self.aliases.insert(inside, (*from).clone());
                }
            }
            "hash" => {
                if let [flag, path, name] = arguments
                    && flag == "-p"
                {
                    self.aliases.insert(name.clone(), path.clone());
                }
            }
            "mkfifo" => {
                for path in arguments {
                    self.written(path, None, index..index);
                }
            }
            "curl" | "wget" => {
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
        // Out of the map while it is walked: one that calls itself is walked once.
        if let Some(body) = self.functions.remove(name) {
            let all = std::iter::once(HOLE.to_string()).chain(arguments.iter().cloned());
            let before = self.arguments.replace(all.collect());
            self.function(&body, stdin);
            self.arguments = before;
            self.functions.insert(name.to_owned(), body);
        }
    }
}

fn is_word_part(c: char) -> bool {
    !is_hole(c) && is_fixed(c.encode_utf8(&mut [0; 4]))
}
