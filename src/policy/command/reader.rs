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
    AndOr, Command, CommandPrefixOrSuffixItem, CompoundCommand, CompoundList, ExtendedTestExpr,
    FunctionBody, Pipeline, Program, SeparatorOperator, SimpleCommand, Word,
};

use super::programs::without_version;
use super::tokens::{openings, parse};
use super::value::{HOLE, PARAM, base, is_fixed, shown};

/// The deepest nesting of scripts in scripts, and of commands in commands.
const MAX_DEPTH: usize = 48;
/// The most commands that one script may run, loops and functions counted as often as they are walked.
const MAX_CALLS: usize = 2_000;
/// A text with no more opening brackets is read on any stack of 2 MiB.
const OPENINGS_ON_ANY_STACK: usize = 16;
/// The most values of a loop that are walked one by one.
const MAX_TURNS: usize = 8;
/// The longest value of a variable, in bytes.
const MAX_VALUE_BYTES: usize = 4_096;
/// The most work that one script may make: bytes that are read, copied or compared, and a step for each command. A script of
/// a few lines can ask for more than any machine has (`cat a a > b; cat b b > c; …`).
const MAX_WORK: usize = 4 << 20;
/// What a command costs besides its words.
const STEP: usize = 64;

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
    pub(super) doubt: Option<String>,
    pub(super) variables: BTreeMap<String, Vec<String>>,
    pub(super) functions: BTreeMap<String, Vec<FunctionBody>>,
    pub(super) aliases: BTreeMap<String, String>,
    /// `$0`, `$1` and so on, where they are known.
    pub(super) arguments: Option<Vec<String>>,
    /// What process substitutions print, by the number of their file descriptor.
    pub(super) streams: Vec<Option<String>>,
    /// What the script writes to files, and the commands that do.
    pub(super) files: BTreeMap<String, (Option<String>, Range<usize>)>,
    /// How often `exec <…` has set what all later commands read, and what that is.
    pub(super) inputs: (usize, Option<Stdin>),
    pub(super) unusual_separators: bool,
    /// Whether `${ …; }` stands somewhere, where the parser drops the blank.
    pub(super) spaced_braces: bool,
    pub(super) depth: usize,
    pub(super) walked: usize,
    /// The work done so far.
    worked: usize,
    /// Above 0 where what is read may not run, or run in a shell of its own.
    pub(super) conditional: usize,
    /// Above 0 where a function is only defined.
    pub(super) defining: usize,
    pub(super) turning: usize,
    /// Texts that run when the script ends.
    pub(super) late: Vec<String>,
    has_stack: bool,
    needs_stack: bool,
}

impl Reader {
    /// A reader on a stack that holds whatever the parser takes.
    pub(super) fn on_own_stack() -> Self {
        Self {
            has_stack: true,
            ..Self::default()
        }
    }

    /// Whether a text opened more brackets than the stack is sure to hold, so that it was not read.
    pub(super) fn needs_stack(&self) -> bool {
        self.needs_stack
    }

    pub(super) fn parse(&mut self, text: &str) -> Result<Program, String> {
        if !self.has_stack && openings(text) > OPENINGS_ON_ANY_STACK {
            self.needs_stack = true;
            return Err("the script holds too many brackets".to_owned());
        }
        parse(text)
    }

    /// Pays for work before it is done; false once the script has asked for too much.
    pub(super) fn work(&mut self, bytes: usize) -> bool {
        self.worked = self.worked.saturating_add(bytes);
        if self.worked > MAX_WORK {
            self.doubt("the script takes too much work to follow");
        }
        self.worked <= MAX_WORK
    }

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
        if !self.work(text.len()) || !self.descend() {
            return None;
        }
        self.spaced_braces |= ["${ ", "${\t", "${\n"]
            .iter()
            .any(|open| text.contains(open));
        let printed = match self.parse(text) {
            Err(reason) => {
                self.doubt(reason);
                None
            }
            Ok(program) => {
                // What it sets may be another shell's: it makes a value of this one unknown at most.
                let nested = usize::from(self.depth > 1);
                self.conditional += nested;
                let (mut printed, since) = (Vec::new(), self.inputs.0);
                for list in &program.complete_commands {
                    let input = self.input_since(since);
                    printed.push(self.list(list, input.as_ref().unwrap_or(stdin)));
                }
                self.conditional -= nested;
                only(printed)
            }
        };
        self.depth -= 1;
        printed
    }

    pub(super) fn descend(&mut self) -> bool {
        if self.depth >= MAX_DEPTH {
            self.doubt("commands nest too deep");
            return false;
        }
        if !self.work(STEP) {
            return false;
        }
        self.depth += 1;
        true
    }

    /// What `exec <…` has made the input of what follows, if one has stood since.
    fn input_since(&mut self, since: usize) -> Option<Stdin> {
        let input = self.inputs.1.clone().filter(|_| self.inputs.0 > since)?;
        if let Stdin::Text(text) = &input {
            self.work(text.len());
        }
        Some(input)
    }

    pub(super) fn list(&mut self, list: &CompoundList, stdin: &Stdin) -> Option<String> {
        let (mut printed, since) = (Vec::new(), self.inputs.0);
        for item in &list.0 {
            let background = usize::from(matches!(item.1, SeparatorOperator::Async));
            self.conditional += background;
            let input = self.input_since(since);
            printed.push(self.pipeline(&item.0.first, input.as_ref().unwrap_or(stdin)));
            self.conditional -= background;
            for next in &item.0.additional {
                let (AndOr::And(pipeline) | AndOr::Or(pipeline)) = next;
                self.conditional += 1;
                let input = self.input_since(since);
                self.pipeline(pipeline, input.as_ref().unwrap_or(stdin));
                self.conditional -= 1;
                printed.push(None);
            }
        }
        only(printed)
    }

    pub(super) fn pipeline(&mut self, pipeline: &Pipeline, stdin: &Stdin) -> Option<String> {
        let first = self.calls.len();
        let mut input = stdin.clone();
        let mut printed = None;
        let piped = usize::from(pipeline.seq.len() > 1);
        self.conditional += piped;
        for (index, command) in pipeline.seq.iter().enumerate() {
            let start = self.calls.len();
            let timed = match command {
                Command::Simple(simple) if index == 0 && pipeline.timed.is_some() => {
                    timed_by_program(simple)
                }
                _ => None,
            };
            printed = self.command(timed.as_ref().unwrap_or(command), &input);
            self.feed(first..start, start..self.calls.len());
            input = printed.clone().map_or(Stdin::Stream, Stdin::Text);
        }
        self.conditional -= piped;
        printed
    }

    /// Notes that the interpreters among `readers` take what `writers` print for a program.
    pub(super) fn feed(&mut self, writers: Range<usize>, readers: Range<usize>) {
        let readers: Vec<String> = self
            .calls
            .get(readers)
            .unwrap_or_default()
            .iter()
            .filter(|call| call.reads_program)
            .flat_map(|call| {
                let name = base(&call.program);
                let plain = without_version(name);
                let plain = Some(plain).filter(|plain| *plain != name);
                std::iter::once(name).chain(plain).map(str::to_owned)
            })
            .collect();
        if !self.work(readers.len() * writers.len() * STEP) {
            return;
        }
        for call in self.calls.get_mut(writers).unwrap_or_default() {
            call.pipes_into.extend(readers.iter().cloned());
        }
    }

    pub(super) fn command(&mut self, command: &Command, stdin: &Stdin) -> Option<String> {
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
                // One that is defined again may be another shell's: all of them count.
                self.functions
                    .entry(name)
                    .or_default()
                    .push(function.body.clone());
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

    pub(super) fn function(&mut self, body: &FunctionBody, stdin: &Stdin) -> Option<String> {
        let redirects = body.1.as_ref().map_or(&[][..], |list| &list.0);
        let stdin = self.redirected(redirects.iter(), stdin);
        self.compound(&body.0, &stdin)
    }

    pub(super) fn note(&mut self, call: Call) -> bool {
        self.walked += 1;
        if self.walked > MAX_CALLS {
            self.doubt("the script runs too many commands");
            return false;
        }
        if !self.work(weight(&call.arguments) + weight(&call.writes)) {
            return false;
        }
        self.calls.push(call);
        true
    }

    pub(super) fn compound(&mut self, compound: &CompoundCommand, stdin: &Stdin) -> Option<String> {
        use CompoundCommand as C;
        match compound {
            C::BraceGroup(group) => self.list(&group.list, stdin),
            C::Subshell(subshell) => self.perhaps(&[&subshell.list], stdin),
            C::Arithmetic(arithmetic) => {
                self.expand_quoted(&arithmetic.expr.value);
                // A shell without arithmetic commands takes it for a subshell in a subshell.
                self.attempt(&arithmetic.expr.value);
                None
            }
            C::ArithmeticForClause(clause) => {
                let parts = [&clause.initializer, &clause.condition, &clause.updater];
                for part in parts.into_iter().flatten() {
                    self.expand_quoted(&part.value);
                }
                self.again(&[&clause.body.list], stdin);
                None
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
                self.again(&[&clause.0, &clause.1.list], stdin);
                None
            }
            C::Coprocess(coprocess) => {
                self.command(&coprocess.body, &Stdin::Stream);
                None
            }
        }
    }

    /// Lists that may or may not run; what is printed is that of the only one.
    pub(super) fn perhaps(&mut self, lists: &[&CompoundList], stdin: &Stdin) -> Option<String> {
        self.conditional += 1;
        let printed = lists.iter().map(|list| self.list(list, stdin)).collect();
        self.conditional -= 1;
        only(printed)
    }

    /// Lists that may run many times: what they set at their end counts at their beginning.
    fn again(&mut self, lists: &[&CompoundList], stdin: &Stdin) {
        let Some(before) = self.remembered() else {
            return;
        };
        self.perhaps(lists, stdin);
        if self.variables != before {
            self.perhaps(lists, stdin);
        }
    }

    /// A copy of the variables, to see later what has changed.
    pub(super) fn remembered(&mut self) -> Option<BTreeMap<String, Vec<String>>> {
        let values = self.variables.values();
        let bytes = values.map(|values| STEP + weight(values)).sum();
        self.work(bytes).then(|| self.variables.clone())
    }

    /// What runs when the script ends, with what its variables hold then.
    pub(super) fn end(&mut self) {
        for text in std::mem::take(&mut self.late) {
            self.text(&text, &Stdin::None);
        }
    }

    /// A loop over values: walked once for each where they are few and known.
    pub(super) fn turns(
        &mut self,
        name: &str,
        values: Vec<String>,
        body: &CompoundList,
        stdin: &Stdin,
    ) {
        self.turning += 1;
        if values.len() > MAX_TURNS || self.turning > 2 {
            self.variables
                .insert(name.to_owned(), vec![HOLE.to_string()]);
            self.again(&[body], stdin);
        } else {
            for value in values {
                let unknown = !is_fixed(&value);
                self.variables.insert(name.to_owned(), vec![value]);
                if unknown {
                    self.again(&[body], stdin);
                } else {
                    self.perhaps(&[body], stdin);
                }
            }
        }
        self.turning -= 1;
    }

    pub(super) fn test(&mut self, test: &ExtendedTestExpr) {
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
}

/// `time -v …`: the parser takes every `time` for the keyword, and a flag of the program's for the command.
fn timed_by_program(simple: &SimpleCommand) -> Option<Command> {
    let flag = simple.word_or_name.as_ref()?;
    if !flag
        .value
        .trim_start_matches(['\'', '"', '\\'])
        .starts_with('-')
    {
        return None;
    }
    let mut simple = simple.clone();
    let words = simple.suffix.get_or_insert_default();
    words
        .0
        .insert(0, CommandPrefixOrSuffixItem::Word(flag.clone()));
    simple.word_or_name = Some(Word::new("time"));
    Some(Command::Simple(simple))
}

/// The bytes of words.
pub(super) fn weight(words: &[String]) -> usize {
    words.iter().map(|word| word.len() + 1).sum()
}

/// What a list prints, where only one of its commands can print.
fn only(printed: Vec<Option<String>>) -> Option<String> {
    let mut printed: Vec<String> = printed.into_iter().collect::<Option<_>>()?;
    printed.retain(|text| !text.is_empty());
    Some(printed.concat()).filter(|text| text.len() <= MAX_VALUE_BYTES)
}
