//! Walks a script and notes every program that it would run.
//!
//! 1. The text is cut into tokens, and refused where brackets nest too deep for the parser, which backtracks.
//! 2. The parser gives a tree, which is walked in order: both branches of an `if`, every arm of a `case`, bodies of loops.
//! 3. Words are expanded with what is known of variables (`words`), and each command is noted ([`Call`]).
//! 4. What a command runs in turn (`sudo …`, `sh -c …`, `find -exec …`: `runs`) is walked too, one level deeper.
//!
//! Whatever cannot be followed becomes a doubt, and a script in doubt counts as dangerous.

use std::collections::BTreeMap;
use std::ops::Range;

use brush_parser::ast::{
    AndOr, Assignment, AssignmentName, AssignmentValue, Command, CommandPrefixOrSuffixItem,
    CompoundCommand, CompoundList, ExtendedTestExpr, FunctionBody, IoFileRedirectKind,
    IoFileRedirectTarget, IoRedirect, Pipeline, SimpleCommand, SubshellCommand,
};

use super::output::output_of;
use super::runs::{Runs, runs};
use super::tokens::parse;
use super::value::{HOLE, PARAM, base, has_hole, is_fixed, is_hole, is_invisible, shown};

/// The deepest nesting of scripts in scripts, and of commands in commands.
const MAX_DEPTH: usize = 24;
/// The most commands that one script may run, loops and functions counted as often as they are walked.
const MAX_CALLS: usize = 2_000;
/// The most values of a loop that are walked one by one.
const MAX_TURNS: usize = 8;
/// The longest value of a variable, in bytes.
const MAX_VALUE_BYTES: usize = 4_096;

/// A program with its words, as it would run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Call {
    /// As it is written, with its directory; empty where only a redirection stands.
    pub(super) program: String,
    pub(super) arguments: Vec<String>,
    /// The files that its output is redirected to.
    pub(super) writes: Vec<String>,
    /// The interpreters that take what it prints for a program.
    pub(super) pipes_into: Vec<String>,
    /// Whether it is an interpreter that reads its program from its input.
    pub(super) reads_program: bool,
}

/// What a command reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stdin {
    /// The terminal, or a file.
    None,
    /// Text that the script itself holds.
    Text(String),
    /// Something that is made at run time.
    Stream,
}

/// A script that is being read.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) calls: Vec<Call>,
    doubt: Option<String>,
    variables: BTreeMap<String, Vec<String>>,
    functions: BTreeMap<String, FunctionBody>,
    aliases: BTreeMap<String, String>,
    /// `$0`, `$1` and so on, where they are known.
    arguments: Option<Vec<String>>,
    /// What process substitutions print, by the number of their file descriptor.
    streams: Vec<Option<String>>,
    unusual_separators: bool,
    depth: usize,
    walked: usize,
    /// Above 0 where what is read may not run, or run in a shell of its own.
    conditional: usize,
    /// Above 0 where a function is only defined.
    defining: usize,
    turning: usize,
}

impl Reader {
    pub(super) fn doubt(&mut self, reason: impl Into<String>) {
        self.doubt.get_or_insert_with(|| reason.into());
    }

    pub(super) fn finish(self) -> (Vec<Call>, Option<String>) {
        (self.calls, self.doubt)
    }

    pub(super) fn splits_unusually(&self) -> bool {
        self.unusual_separators
    }

    pub(super) fn variable(&self, name: &str) -> Option<Vec<String>> {
        self.variables.get(name).cloned()
    }

    pub(super) fn argument(&self, index: usize) -> Option<String> {
        let unknown = if self.defining > 0 { PARAM } else { HOLE };
        match &self.arguments {
            Some(arguments) => arguments.get(index).cloned(),
            None => Some(unknown.to_string()),
        }
    }

    pub(super) fn arguments(&self) -> Vec<String> {
        match &self.arguments {
            Some(arguments) => arguments.iter().skip(1).cloned().collect(),
            None => self.argument(1).into_iter().collect(),
        }
    }

    /// Sets a variable. What may or may not run makes a value unknown, unless it is the only one.
    pub(super) fn set(&mut self, name: &str, values: Vec<String>) {
        if name == "IFS" {
            self.unusual_separators = true;
        }
        if values.iter().map(String::len).sum::<usize>() > MAX_VALUE_BYTES {
            self.doubt(format!("the variable `{}` is too long", shown(name)));
            return;
        }
        let unsure = self.conditional > 0
            && self
                .variables
                .get(name)
                .is_some_and(|known| *known != values);
        let values = if unsure {
            vec![HOLE.to_string()]
        } else {
            values
        };
        self.variables.insert(name.to_owned(), values);
    }

    /// Walks a script, and returns what it prints where that is known.
    pub(super) fn text(&mut self, text: &str, stdin: &Stdin) -> Option<String> {
        if text.trim().is_empty() {
            return Some(String::new());
        }
        if !self.descend() {
            return None;
        }
        let printed = match parse(text) {
            Err(reason) => {
                self.doubt(reason);
                None
            }
            Ok(program) => {
                let mut printed = Vec::new();
                for list in &program.complete_commands {
                    printed.push(self.list(list, stdin));
                }
                only(printed)
            }
        };
        self.depth -= 1;
        printed
    }

    fn descend(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            self.doubt("commands nest too deep");
            return false;
        }
        self.depth += 1;
        true
    }

    fn list(&mut self, list: &CompoundList, stdin: &Stdin) -> Option<String> {
        let mut printed = Vec::new();
        for item in &list.0 {
            printed.push(self.pipeline(&item.0.first, stdin));
            for next in &item.0.additional {
                let (AndOr::And(pipeline) | AndOr::Or(pipeline)) = next;
                self.conditional += 1;
                self.pipeline(pipeline, stdin);
                self.conditional -= 1;
                printed.push(None);
            }
        }
        only(printed)
    }

    fn pipeline(&mut self, pipeline: &Pipeline, stdin: &Stdin) -> Option<String> {
        let first = self.calls.len();
        let mut input = stdin.clone();
        let mut printed = None;
        for command in &pipeline.seq {
            let start = self.calls.len();
            printed = self.command(command, &input);
            self.feed(first..start, start..self.calls.len());
            input = printed.clone().map_or(Stdin::Stream, Stdin::Text);
        }
        printed
    }

    /// Notes that the interpreters among `readers` take what `writers` print for a program.
    fn feed(&mut self, writers: Range<usize>, readers: Range<usize>) {
        let readers: Vec<String> = self
            .calls
            .get(readers)
            .unwrap_or_default()
            .iter()
            .filter(|call| call.reads_program)
            .map(|call| base(&call.program).to_owned())
            .collect();
        for call in self.calls.get_mut(writers).unwrap_or_default() {
            call.pipes_into.extend(readers.iter().cloned());
        }
    }

    fn command(&mut self, command: &Command, stdin: &Stdin) -> Option<String> {
        if !self.descend() {
            return None;
        }
        let printed = match command {
            Command::Simple(simple) => self.simple(simple, stdin),
            Command::Compound(compound, redirects) => {
                let redirects = redirects.as_ref().map_or(&[][..], |list| &list.0);
                let stdin = self.redirected(redirects.iter(), stdin);
                self.compound(compound, &stdin)
            }
            Command::Function(function) => {
                let name = function.fname.value.clone();
                self.defining += 1;
                self.conditional += 1;
                let arguments = self.arguments.take();
                self.function(&function.body, &Stdin::None);
                self.arguments = arguments;
                self.conditional -= 1;
                self.defining -= 1;
                self.functions.insert(name, function.body.clone());
                None
            }
            Command::ExtendedTest(test, redirects) => {
                let redirects = redirects.as_ref().map_or(&[][..], |list| &list.0);
                self.redirected(redirects.iter(), stdin);
                self.test(&test.expr);
                Some(String::new())
            }
        };
        self.depth -= 1;
        printed
    }

    fn function(&mut self, body: &FunctionBody, stdin: &Stdin) -> Option<String> {
        let redirects = body.1.as_ref().map_or(&[][..], |list| &list.0);
        let stdin = self.redirected(redirects.iter(), stdin);
        self.compound(&body.0, &stdin)
    }

    /// Notes the redirections of a compound command, and gives what it reads.
    fn redirected<'a>(
        &mut self,
        redirects: impl Iterator<Item = &'a IoRedirect>,
        stdin: &Stdin,
    ) -> Stdin {
        let mut stdin = stdin.clone();
        let mut writes = Vec::new();
        for redirect in redirects {
            self.redirect(redirect, &mut stdin, &mut writes);
        }
        if !writes.is_empty() {
            let call = Call {
                writes,
                ..Call::default()
            };
            self.note(call);
        }
        stdin
    }

    fn note(&mut self, call: Call) -> bool {
        self.walked += 1;
        if self.walked > MAX_CALLS {
            self.doubt("the script runs too many commands");
            return false;
        }
        self.calls.push(call);
        true
    }

    fn compound(&mut self, compound: &CompoundCommand, stdin: &Stdin) -> Option<String> {
        use CompoundCommand as C;
        match compound {
            C::BraceGroup(group) => self.list(&group.list, stdin),
            C::Subshell(subshell) => self.perhaps(&[&subshell.list], stdin),
            C::Arithmetic(arithmetic) => {
                self.expand_quoted(&arithmetic.expr.value);
                None
            }
            C::ArithmeticForClause(clause) => {
                for part in [&clause.initializer, &clause.condition, &clause.updater] {
                    if let Some(part) = part {
                        self.expand_quoted(&part.value);
                    }
                }
                self.perhaps(&[&clause.body.list], stdin)
            }
            C::ForClause(clause) => {
                let values = match &clause.values {
                    Some(words) => {
                        let words = words.iter();
                        words.flat_map(|word| self.expand(&word.value)).collect()
                    }
                    None => self.arguments(),
                };
                self.turns(&clause.variable_name, values, &clause.body.list, stdin);
                None
            }
            C::CaseClause(clause) => {
                self.expand_whole(&clause.value.value);
                for case in &clause.cases {
                    for pattern in &case.patterns {
                        self.expand_whole(&pattern.value);
                    }
                    if let Some(list) = &case.cmd {
                        self.perhaps(&[list], stdin);
                    }
                }
                None
            }
            C::IfClause(clause) => {
                self.perhaps(&[&clause.condition, &clause.then], stdin);
                for part in clause.elses.iter().flatten() {
                    if let Some(condition) = &part.condition {
                        self.perhaps(&[condition], stdin);
                    }
                    self.perhaps(&[&part.body], stdin);
                }
                None
            }
            C::WhileClause(clause) | C::UntilClause(clause) => {
                self.perhaps(&[&clause.0, &clause.1.list], stdin);
                None
            }
            C::Coprocess(coprocess) => {
                self.command(&coprocess.body, &Stdin::Stream);
                None
            }
        }
    }

    /// Lists that may or may not run; what is printed is that of the only one.
    fn perhaps(&mut self, lists: &[&CompoundList], stdin: &Stdin) -> Option<String> {
        self.conditional += 1;
        let printed = lists.iter().map(|list| self.list(list, stdin)).collect();
        self.conditional -= 1;
        only(printed)
    }

    /// A loop over values: walked once for each where they are few and known.
    fn turns(&mut self, name: &str, values: Vec<String>, body: &CompoundList, stdin: &Stdin) {
        self.turning += 1;
        if values.len() > MAX_TURNS || self.turning > 2 {
            self.variables
                .insert(name.to_owned(), vec![HOLE.to_string()]);
            self.perhaps(&[body], stdin);
        } else {
            for value in values {
                self.variables.insert(name.to_owned(), vec![value]);
                self.perhaps(&[body], stdin);
            }
        }
        self.turning -= 1;
    }

    fn test(&mut self, test: &ExtendedTestExpr) {
        match test {
            ExtendedTestExpr::And(left, right) | ExtendedTestExpr::Or(left, right) => {
                self.test(left);
                self.test(right);
            }
            ExtendedTestExpr::Not(inner) | ExtendedTestExpr::Parenthesized(inner) => {
                self.test(inner);
            }
            ExtendedTestExpr::UnaryTest(_, word) => {
                self.expand_whole(&word.value);
            }
            ExtendedTestExpr::BinaryTest(_, left, right) => {
                self.expand_whole(&left.value);
                self.expand_whole(&right.value);
            }
        }
    }

    fn redirect(&mut self, redirect: &IoRedirect, stdin: &mut Stdin, writes: &mut Vec<String>) {
        match redirect {
            IoRedirect::File(descriptor, kind, target) => {
                let reads = matches!(
                    kind,
                    IoFileRedirectKind::Read | IoFileRedirectKind::DuplicateInput
                );
                let (text, printed) = match target {
                    IoFileRedirectTarget::Filename(word) => (self.expand_whole(&word.value), None),
                    IoFileRedirectTarget::Duplicate(word) => {
                        let text = self.expand_whole(&word.value);
                        (text.trim_start_matches('&').to_owned(), None)
                    }
                    IoFileRedirectTarget::Fd(_) => return,
                    IoFileRedirectTarget::ProcessSubstitution(_, script) => {
                        (String::new(), Some(self.process(script)))
                    }
                };
                if !reads {
                    if !text.is_empty() {
                        writes.push(text);
                    }
                } else if descriptor.is_none_or(|descriptor| descriptor == 0) {
                    *stdin = match printed {
                        Some(Some(text)) => Stdin::Text(text),
                        Some(None) => Stdin::Stream,
                        None => self.file(&text).unwrap_or(Stdin::None),
                    };
                }
            }
            IoRedirect::HereDocument(_, document) => {
                let text = &document.doc.value;
                *stdin = Stdin::Text(if document.requires_expansion {
                    self.expand_quoted(text)
                } else {
                    text.clone()
                });
            }
            IoRedirect::HereString(_, word) => {
                *stdin = Stdin::Text(self.expand_whole(&word.value));
            }
            IoRedirect::OutputAndError(word, _) => {
                let text = self.expand_whole(&word.value);
                writes.push(text);
            }
        }
    }

    fn process(&mut self, script: &SubshellCommand) -> Option<String> {
        self.perhaps(&[&script.list], &Stdin::None)
    }

    /// The path of a process substitution whose script this is.
    pub(super) fn stream_of(&mut self, script: &str) -> String {
        let printed = self.text(script, &Stdin::None);
        self.stream(printed)
    }

    fn stream(&mut self, printed: Option<String>) -> String {
        self.streams.push(printed);
        format!("/dev/fd/stream{}", self.streams.len() - 1)
    }

    /// What a file holds, where it is the output of a process substitution.
    fn file(&self, path: &str) -> Option<Stdin> {
        let index: usize = path.strip_prefix("/dev/fd/stream")?.parse().ok()?;
        let printed = self.streams.get(index)?;
        Some(printed.clone().map_or(Stdin::Stream, Stdin::Text))
    }

    fn simple(&mut self, simple: &SimpleCommand, stdin: &Stdin) -> Option<String> {
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
                CommandPrefixOrSuffixItem::ProcessSubstitution(_, script) => {
                    let printed = self.process(script);
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
        let redirected = !writes.is_empty();
        let printed = self.run(words, &stdin, writes);
        self.feed(
            start..reads_substitution,
            reads_substitution..self.calls.len(),
        );
        if let Some((variables, unusual)) = before {
            self.variables = variables;
            self.unusual_separators = unusual;
        }
        printed.filter(|_| !redirected)
    }

    fn assigned(&mut self, assignment: &Assignment) -> (String, Vec<String>) {
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

    fn assigned_values(&mut self, value: &AssignmentValue) -> Vec<String> {
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
            program,
            arguments: arguments.clone(),
            writes,
            ..Call::default()
        };
        let printed = if self.note(call) {
            for inner in runs(&name, &arguments) {
                self.follow(index, &name, inner, stdin);
            }
            self.builtin(&name, &arguments);
            self.own(&name, &arguments, stdin);
            output_of(&name, &arguments, stdin)
        } else {
            None
        };
        self.depth -= 1;
        printed
    }

    /// A program that is only known at run time, or that looks like another.
    fn check_program(&mut self, program: &str) {
        let name = base(program);
        if name.contains(HOLE) || name.contains(PARAM) && self.defining == 0 {
            let shown = shown(program);
            self.doubt(format!("the program `{shown}` is only known at run time"));
        } else if !name.is_empty() && !name.contains(PARAM) && !name.contains(is_word_part) {
            let shown = shown(program);
            self.doubt(format!("the program `{shown}` is whatever a glob finds"));
        } else if let Some(found) = name.chars().find(|c| is_invisible(*c)) {
            let code = u32::from(found);
            self.doubt(format!(
                "the name of a program holds the character U+{code:04X}"
            ));
        }
    }

    fn follow(&mut self, index: usize, name: &str, inner: Runs, stdin: &Stdin) {
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
                    if parse(&text).is_ok() {
                        let doubt = self.doubt.take();
                        self.text(&text, &Stdin::None);
                        self.doubt = doubt;
                    }
                }
            }
            Runs::Program { path, shell } => {
                let program = match path {
                    Some(path) => self.file(&path),
                    None => Some(stdin.clone()),
                };
                let Some(program) = program.filter(|program| *program != Stdin::None) else {
                    return;
                };
                if let Some(call) = self.calls.get_mut(index) {
                    call.reads_program = true;
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

    /// What changes the reader itself.
    fn builtin(&mut self, name: &str, arguments: &[String]) {
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
            _ => {}
        }
    }

    /// A function or alias of the script's own.
    fn own(&mut self, name: &str, arguments: &[String], stdin: &Stdin) {
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

/// What a list prints, where only one of its commands can print.
fn only(printed: Vec<Option<String>>) -> Option<String> {
    let mut printed: Vec<String> = printed.into_iter().collect::<Option<_>>()?;
    printed.retain(|text| !text.is_empty());
    Some(printed.concat()).filter(|text| text.len() <= MAX_VALUE_BYTES)
}
