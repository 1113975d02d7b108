//! One `command:` pattern: what a dangerous command looks like.

use serde_json::Value;

use super::flags::Flag;
use super::programs::{INTERPRETERS, READERS, SHELLS};
use super::reader::Call;
use super::value::{Wanted, base};
use super::{MAX_WORDS, Script};
use crate::diag::Code;
use crate::policy::MAX_PATTERN_BYTES;
use crate::policy::fields::{Fields, Report, kind_of};
use crate::yaml::Path;

/// Programs that only print or look up their words: a pattern for every program is not about them.
const PRINTERS: &[&str] = &[
    "echo", "printf", ":", "true", "false", "test", "[", "type", "which", "man", "help", "logger",
    "basename", "dirname",
];

/// A pattern of dangerous commands. Every field that is there must fit one and the same command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct CommandPattern {
    programs: Vec<Wanted>,
    /// Each a run of operands, beginning with the first.
    subcommands: Vec<Vec<Wanted>>,
    flags_all: Vec<Flag>,
    flags_any: Vec<Flag>,
    args_all: Vec<Wanted>,
    args_any: Vec<Wanted>,
    writes_to: Vec<Wanted>,
    pipes_into: Vec<Wanted>,
}

impl CommandPattern {
    /// Reads the mapping at `path`; none, and problems, where it is no pattern.
    pub(in crate::policy) fn parse(
        value: Value,
        path: &Path,
        report: &mut Report<'_>,
    ) -> Option<Self> {
        let before = report.problems.len();
        let mut fields = Fields::of(value, path.clone(), report)?;
        let programs = words(&mut fields, "program", report);
        let subcommands = words(&mut fields, "subcommand", report);
        let flags_all = words(&mut fields, "flags_all", report);
        let flags_any = words(&mut fields, "flags_any", report);
        let args_all = words(&mut fields, "args_all", report);
        let args_any = words(&mut fields, "args_any", report);
        let writes_to = words(&mut fields, "writes_to", report);
        let pipes_into = words(&mut fields, "pipes_into", report);
        let paths =
            ["flags_all", "flags_any", "program", "pipes_into"].map(|field| fields.path(field));
        fields.finish(report);
        let [all_path, any_path, program_path, pipes_path] = paths;
        for (index, name) in programs.iter().enumerate() {
            if name.contains('/') || name.contains(char::is_whitespace) {
                let message = format!("`{}` is not the name of a program", name.escape_debug());
                let hint = "write the base name alone, such as `rm` or `mkfs*`; it matches in every directory, and behind `sudo`";
                report.problem(
                    Code::COMMAND_PROGRAM,
                    &program_path.index(index),
                    message,
                    hint,
                );
            }
        }
        for (index, name) in pipes_into.iter().enumerate() {
            let wanted = Wanted::new(name);
            if !SHELLS
                .iter()
                .chain(INTERPRETERS)
                .chain(READERS)
                .any(|known| wanted.is_program(known))
            {
                let message = format!("`{}` is no interpreter that is known", name.escape_debug());
                let hint = "`pipes_into` is for output that is run: name shells or interpreters, such as `sh`, `bash` or `python*`";
                report.problem(Code::COMMAND_PIPE, &pipes_path.index(index), message, hint);
            }
        }
        let names: Vec<&str> = programs.iter().map(String::as_str).collect();
        let flags_all = flags(&flags_all, &names, &all_path, report);
        let flags_any = flags(&flags_any, &names, &any_path, report);
        let globs = |words: &[String]| {
            words
                .iter()
                .map(|word| Wanted::new(word))
                .collect::<Vec<_>>()
        };
        let pattern = Self {
            subcommands: subcommands
                .iter()
                .map(|text| text.split_whitespace().map(Wanted::new).collect())
                .collect(),
            programs: globs(&programs),
            flags_all,
            flags_any,
            args_all: globs(&args_all),
            args_any: globs(&args_any),
            writes_to: globs(&writes_to),
            pipes_into: globs(&pipes_into),
        };
        if report.problems.len() == before && pattern.is_empty() {
            let message = "the pattern says nothing, and would fit every command".to_owned();
            let hint = "give `program`, or what its flags, arguments, files or pipes must be";
            report.problem(Code::COMMAND_EMPTY, path, message, hint);
        }
        (report.problems.len() == before).then_some(pattern)
    }

    /// Whether a script is seen to run such a command.
    pub(in crate::policy) fn finds(&self, script: &Script) -> bool {
        script.calls.iter().any(|call| self.fits(call))
    }

    fn is_empty(&self) -> bool {
        self.programs.is_empty()
            && self.flags_all.is_empty()
            && self.flags_any.is_empty()
            && self.args_all.is_empty()
            && self.args_any.is_empty()
            && self.writes_to.is_empty()
            && self.pipes_into.is_empty()
    }

    fn fits(&self, call: &Call) -> bool {
        let any = |wanted: &[Wanted], words: &[String], fits: fn(&Wanted, &str) -> bool| {
            wanted.is_empty()
                || wanted
                    .iter()
                    .any(|wanted| words.iter().any(|word| fits(wanted, word)))
        };
        let is_program = if self.programs.is_empty() {
            !PRINTERS.contains(&base(&call.program)) || !self.writes_to.is_empty()
        } else {
            self.programs
                .iter()
                .any(|wanted| wanted.is_program(&call.program))
        };
        is_program
            && any(&self.writes_to, &call.writes, Wanted::is_operand)
            && any(&self.pipes_into, &call.pipes_into, Wanted::is_program)
            && any(&self.args_any, &call.arguments, Wanted::is_operand)
            && self
                .args_all
                .iter()
                .all(|wanted| call.arguments.iter().any(|word| wanted.is_operand(word)))
            && self.flags_all.iter().all(|flag| flag.is_in(call))
            && (self.flags_any.is_empty() || self.flags_any.iter().any(|flag| flag.is_in(call)))
            && (self.subcommands.is_empty()
                || self
                    .subcommands
                    .iter()
                    .any(|wanted| is_subcommand(wanted, call)))
    }
}

/// Whether the operands begin so. What stands behind a flag may be its value, and is then passed over.
fn is_subcommand(wanted: &[Wanted], call: &Call) -> bool {
    let mut operands: Vec<&String> = Vec::new();
    // How many of the first operands may be values of flags.
    let (mut passable, mut still, mut after_flag) = (0, true, false);
    for word in &call.arguments {
        if word.starts_with('-') && word.len() > 1 {
            after_flag = !word.contains('=');
            continue;
        }
        still &= after_flag;
        if still {
            passable += 1;
        }
        after_flag = false;
        operands.push(word);
    }
    (0..=passable).any(|start| {
        wanted.iter().enumerate().all(|(index, wanted)| {
            operands
                .get(start + index)
                .is_some_and(|word| wanted.is_operand(word))
        })
    })
}

/// A text or a list of texts.
fn words(fields: &mut Fields, field: &'static str, report: &mut Report<'_>) -> Vec<String> {
    let path = fields.path(field);
    let items = match fields.take(field) {
        None | Some(Value::Null) => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(one) => vec![one],
    };
    let refuse = |report: &mut Report<'_>, path: &Path, message: String| {
        let hint = "write one text, or a list of texts; quote numbers";
        report.problem(Code::POLICY_TYPE, path, message, hint);
    };
    if items.is_empty() {
        refuse(report, &path, format!("`{field}`: the list is empty"));
    }
    if items.len() > MAX_WORDS {
        let message = format!(
            "{} items are more than the limit of {MAX_WORDS}",
            items.len()
        );
        report.problem(
            Code::POLICY_LIMIT,
            &path,
            message,
            "use globs, or several patterns",
        );
        return Vec::new();
    }
    let mut words = Vec::new();
    for (index, item) in items.into_iter().enumerate() {
        let path = path.index(index);
        match item {
            Value::String(text) if text.len() > MAX_PATTERN_BYTES => {
                let message = format!("a text of more than {MAX_PATTERN_BYTES} bytes");
                report.problem(
                    Code::POLICY_LIMIT,
                    &path,
                    message,
                    "shorten it, or use a glob",
                );
            }
            Value::String(text) if text.trim().is_empty() || text.contains(char::is_control) => {
                refuse(
                    report,
                    &path,
                    format!("`{field}`: a text that no command can hold"),
                );
            }
            Value::String(text) => words.push(text),
            other => refuse(
                report,
                &path,
                format!("`{field}`: expected text, found {}", kind_of(&other)),
            ),
        }
    }
    words
}

fn flags(names: &[String], programs: &[&str], path: &Path, report: &mut Report<'_>) -> Vec<Flag> {
    let mut flags = Vec::new();
    for (index, name) in names.iter().enumerate() {
        match Flag::named(name, programs) {
            Some(flag) if !name.trim_start_matches('-').is_empty() && !name.contains('=') => {
                flags.push(flag)
            }
            _ => {
                let message = format!(
                    "no flag of the pattern's programs is called `{}`",
                    name.escape_debug()
                );
                let hint = format!(
                    "write it as on a command line (`-f`, `--force`), or by a name that is known: `{}`",
                    Flag::names()
                );
                report.problem(Code::COMMAND_FLAG, &path.index(index), message, &hint);
            }
        }
    }
    flags
}
