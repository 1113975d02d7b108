//! Calls of functions: looked up in the table, checked, and put in the place of the interpreter's own.

use cel::common::ast::{CallExpr, Expr, LiteralValue};
use cel::parser::Expression;

use super::{Compiler, Lowered, PATTERN, is_operator, node, paid, paying, plain_call};
use crate::diag::{Code, printable};
use crate::policy::condition::functions::{Does, HELPERS, Helper, Pattern, Style};
use crate::policy::condition::kind::Kind;
use crate::policy::matcher::OperandError;

impl Compiler<'_> {
    pub(super) fn call(&mut self, id: u64, call: CallExpr, depth: usize) -> Option<Lowered> {
        let CallExpr {
            func_name,
            target,
            mut args,
        } = call;
        if is_operator(&func_name) {
            return self.operator(id, &func_name, args, depth);
        }
        let style = match target {
            Some(target) => {
                args.insert(0, *target);
                Style::Member
            }
            None => Style::Global,
        };
        let helper = self.helper(id, &func_name, style, args.len())?;
        let mut lowered = Vec::new();
        let mut is_well = true;
        for (position, argument) in args.into_iter().enumerate() {
            is_well &= self.check_literal(helper, position, &argument);
            let wanted = helper.takes.get(position).unwrap_or(&Kind::Any);
            let at = argument.id;
            let found = self.whole(argument, depth + 2);
            if let Some((_, kind)) = found.as_ref().filter(|(_, kind)| !kind.may_be(wanted)) {
                let message = format!(
                    "`{func_name}` wants {} here, found {}",
                    wanted.name(),
                    kind.name()
                );
                let hint = "the policy manual lists the functions with their arguments";
                self.refuse::<()>(Code::CONDITION_TYPE, at, message, hint);
                is_well = false;
            }
            lowered.push(found);
        }
        let lowered: Vec<Lowered> = lowered.into_iter().collect::<Option<_>>()?;
        if !is_well {
            return None;
        }
        let expression = match helper.does {
            Does::Run(_) => {
                let values = lowered.into_iter().map(|(value, _)| value).collect();
                paying(id, &helper.internal(), values)
            }
            Does::Convert => plain_call(id, helper.name, lowered.into_iter().map(paid).collect()),
            Does::Match => self.pattern(id, helper, lowered)?,
        };
        Some((expression, helper.gives.clone()))
    }

    fn helper(
        &mut self,
        id: u64,
        name: &str,
        style: Style,
        count: usize,
    ) -> Option<&'static Helper> {
        let named = HELPERS.iter().filter(|helper| helper.name == name);
        let named: Vec<&Helper> = named.collect();
        let styled = |helper: &&&Helper| helper.style == style || helper.style == Style::Either;
        if let Some(helper) = named
            .iter()
            .filter(styled)
            .find(|helper| helper.takes.len() == count)
        {
            return HELPERS.iter().find(|known| std::ptr::eq(*known, *helper));
        }
        let shown = printable(name);
        let (message, hint) = if named.is_empty() {
            let mut names: Vec<&str> = HELPERS.iter().map(|helper| helper.name).collect();
            names.dedup();
            let hint = format!(
                "the functions are `has`, `all`, `exists`, `exists_one`, `filter`, `map`, `{}`",
                names.join("`, `")
            );
            (format!("unknown function `{shown}`"), hint)
        } else if named.iter().any(|helper| styled(&helper)) {
            let message = format!("`{shown}` does not take so many arguments");
            (
                message,
                "the policy manual lists the functions with their arguments".to_owned(),
            )
        } else if style == Style::Member {
            (
                format!("`{shown}` is not written behind a dot"),
                format!("write `{shown}(…)`"),
            )
        } else {
            (
                format!("`{shown}` is written behind a dot"),
                format!("write `text.{shown}(…)`"),
            )
        };
        self.refuse_call(id, name, message, hint)
    }

    /// Whether an argument that is a literal is one that the function can use.
    fn check_literal(&mut self, helper: &Helper, position: usize, argument: &Expression) -> bool {
        let Some((_, check)) = helper.literal.filter(|(checked, _)| *checked == position) else {
            return true;
        };
        let Expr::Literal(LiteralValue::String(text)) = &argument.expr else {
            return true;
        };
        match check(text.inner()) {
            Ok(()) => true,
            Err(message) => {
                let hint = format!("correct the argument of `{}`", helper.name);
                self.refuse::<()>(Code::CONDITION_ARGUMENT, argument.id, message, hint);
                false
            }
        }
    }

    /// `matches`, with its pattern compiled and put away.
    fn pattern(&mut self, id: u64, helper: &Helper, arguments: Vec<Lowered>) -> Option<Expression> {
        let mut arguments = arguments.into_iter().map(|(value, _)| value);
        let (text, pattern) = (arguments.next()?, arguments.next()?);
        let Expr::Literal(LiteralValue::String(written)) = &pattern.expr else {
            let message = "the pattern of `matches` is no literal".to_owned();
            let hint = "write the pattern in quotes: it is compiled once, when the policy is read";
            return self.refuse(Code::CONDITION_ARGUMENT, pattern.id, message, hint);
        };
        match self.allowance.regex(written.inner()) {
            Ok(compiled) => {
                let name = format!("{PATTERN}{}", self.patterns.len());
                self.patterns.push(Pattern::new(compiled));
                let pattern = node(pattern.id, Expr::Ident(name));
                Some(paying(id, &helper.internal(), vec![text, pattern]))
            }
            Err(OperandError::Regex { problem }) => {
                let message = OperandError::Regex { problem }.to_string();
                let hint =
                    "there is no look-around and no back-reference; `r'…'` keeps backslashes";
                self.refuse(Code::CONDITION_ARGUMENT, pattern.id, message, hint)
            }
            Err(error) => {
                let code = match error {
                    OperandError::RegexBudget => error.code(),
                    _ => Code::CONDITION_ARGUMENT,
                };
                self.refuse(code, pattern.id, error.to_string(), error.hint())
            }
        }
    }

    /// As [`Self::refuse`], of a call of `name`: the parser places a call at its bracket.
    fn refuse_call<T>(
        &mut self,
        at: u64,
        name: &str,
        message: String,
        hint: impl Into<String>,
    ) -> Option<T> {
        self.refuse::<()>(Code::CONDITION_FUNCTION, at, message, hint);
        let source = &self.program.source_info().source;
        if let Some(problem) = self.problems.last_mut() {
            let before: String = source.chars().take(problem.offset).collect();
            if let Some(before) = before.trim_end().strip_suffix(name) {
                problem.offset = before.chars().count();
            }
        }
        None
    }
}
