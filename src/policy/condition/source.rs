//! The text of a condition, before and while it is parsed.
//!
//! The parser descends by recursion, a dozen frames to a bracket, and a chain of operators becomes a tree as deep as it is
//! long. Measured without optimisation: a bracket takes up to 190 KiB of stack, a link of a chain 2 KiB. So what is not short
//! and flat is parsed on a thread with [`STACK`] bytes: the parser itself stops at 96 nested expressions, and
//! [`MAX_CONDITION_BYTES`] hold some 500 links, 20 MiB together.

use std::panic::catch_unwind;
use std::thread;

use cel::Program;
use cel::parser::ParseErrors;

use super::compile::Problem;
use super::{MAX_CONDITION_BYTES, functions};
use crate::diag::{Code, printable};

/// The most brackets and `?` of a text that is parsed on the caller's stack.
const FLAT: usize = 4;
/// The most bytes of one.
const SHORT: usize = 512;
const STACK: usize = 32 << 20;

/// Words that are no names.
const WORDS: [&str; 20] = [
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
];

/// Whether `text` is a name that an expression can use.
pub(in crate::policy) fn is_word(text: &str) -> bool {
    let is_name = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && !text.is_empty();
    is_name && text != "while" && !WORDS.contains(&text)
}

pub(super) fn parse(text: &str) -> Result<Program, Vec<Problem>> {
    check_length(text).map_err(|problem| vec![problem])?;
    // Those in texts count too: whoever skips quotes must read them exactly as the parser does.
    let brackets = text.matches(['(', '[', '{', '?']).count();
    let run = || catch_unwind(|| parse_here(text));
    let outcome = if brackets <= FLAT && text.len() <= SHORT {
        run().ok()
    } else {
        thread::scope(|scope| {
            let spawned = thread::Builder::new()
                .stack_size(STACK)
                .spawn_scoped(scope, run);
            spawned.ok()?.join().ok()?.ok()
        })
    };
    // INVARIANT: what is refused has a reason. A rule without its condition must not be left out in silence.
    match outcome {
        Some(Ok(program)) => Ok(program),
        Some(Err(problems)) if !problems.is_empty() => Err(problems),
        _ => {
            let message = "the condition could not be parsed".to_owned();
            let hint = "write it in a simpler way";
            Err(vec![Problem::new(Code::CONDITION_SYNTAX, message, hint, 0)])
        }
    }
}

fn parse_here(text: &str) -> Result<Program, Vec<Problem>> {
    let Some(environment) = functions::environment() else {
        return Err(Vec::new());
    };
    environment
        .compile(text)
        .map_err(|errors| problems(text, &errors))
}

/// What the parser says, in our words. One problem: those that follow are mostly of its making.
fn problems(text: &str, errors: &ParseErrors) -> Vec<Problem> {
    let Some(first) = errors.errors.first() else {
        return Vec::new();
    };
    let (line, column) = first.pos;
    let before = usize::try_from(line.saturating_sub(1)).unwrap_or_default();
    let lines = text.split_inclusive('\n').take(before);
    let offset = lines.map(|line| line.chars().count()).sum::<usize>()
        + usize::try_from(column.saturating_sub(1)).unwrap_or_default();
    let said = first
        .msg
        .strip_prefix("Syntax error: ")
        .unwrap_or(&first.msg);
    let said = said.split(" expecting ").next().unwrap_or_default();
    let said: String = said.replace('\'', "`").chars().take(120).collect();
    let rest: String = text.chars().skip(offset).take(20).collect();
    let shown = printable(rest.trim());
    let message = if shown.is_empty() {
        "not CEL: the expression ends too early".to_owned()
    } else {
        format!("not CEL at `{shown}`: {}", printable(&said))
    };
    let hint = "the policy manual describes the language; texts stand in quotes";
    vec![Problem::new(Code::CONDITION_SYNTAX, message, hint, offset)]
}

fn check_length(text: &str) -> Result<(), Problem> {
    if text.len() > MAX_CONDITION_BYTES {
        let message = format!(
            "{} bytes are more than the limit of {MAX_CONDITION_BYTES}",
            text.len()
        );
        let hint = "split the rule, move lists to `data/`, or say it in `match`";
        return Err(Problem::new(Code::CONDITION_LIMIT, message, hint, 0));
    }
    if text.trim().is_empty() {
        let message = "the condition is empty".to_owned();
        let hint = "write an expression, or remove `when`";
        return Err(Problem::new(Code::CONDITION_SYNTAX, message, hint, 0));
    }
    Ok(())
}
