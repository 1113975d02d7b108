//! From a parsed expression to one that can be run: checked, and rewritten so that it pays for what it costs.
//!
//! One walk, from the leaves up, which knows the kind of every part as far as it is known. Every problem of the expression is
//! reported, but none of an expression around one that has a problem.

mod calls;

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::Program;
use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, ListExpr, LiteralValue, MapExpr, SelectExpr,
    operators,
};
use cel::common::types::CelString;
use cel::parser::Expression;
use unicode_normalization::UnicodeNormalization as _;

use super::functions::Pattern;
use super::kind::{self, Kind};
use super::{Compiled, Condition, source};
use crate::diag::{Code, printable};
use crate::digest::Sha256Digest;
use crate::policy::data::{Data, Found};
use crate::policy::matcher::Allowance;

/// The hidden variable that holds the meter.
pub(super) const METER: &str = "@meter";
/// The hidden variables that hold compiled patterns begin so; a number follows.
pub(super) const PATTERN: &str = "@pattern";
/// The deepest expression, rewritten. A level takes up to 52 KiB of stack in the interpreter, a comprehension two levels.
pub(super) const MAX_DEPTH: usize = 20;
/// The deepest nesting of comprehensions.
const MAX_COMPREHENSIONS: usize = 2;
/// The variable in which a comprehension collects; no expression can write it.
const COLLECTED: &str = "@result";

const NAMES: &str = "the names are `subject`, `action`, `resource`, `context`, `data` and `risk`";
/// Types by name, for `type(x) == …`.
const TYPES: [&str; 8] = [
    "bool",
    "double",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "type",
];

/// What is wrong with a condition, and at which of its characters.
#[derive(Debug)]
pub(in crate::policy) struct Problem {
    pub(in crate::policy) code: Code,
    pub(in crate::policy) message: String,
    pub(in crate::policy) hint: String,
    pub(in crate::policy) offset: usize,
}

impl Problem {
    pub(super) fn new(code: Code, message: String, hint: impl Into<String>, offset: usize) -> Self {
        let hint = hint.into();
        Self {
            code,
            message,
            hint,
            offset,
        }
    }
}

/// Compiles `text`.
///
/// # Errors
/// Every problem that can be seen without a request.
pub(in crate::policy) fn compile(
    text: &str,
    data: &Arc<Data>,
    allowance: &Allowance,
) -> Result<Condition, Vec<Problem>> {
    let program = source::parse(text)?;
    let mut compiler = Compiler {
        program: &program,
        data,
        allowance,
        variables: Vec::new(),
        comprehensions: 0,
        nodes: 0,
        patterns: Vec::new(),
        reads: BTreeMap::new(),
        problems: Vec::new(),
    };
    let top = program.expression();
    let lowered = compiler.lower(top.clone(), 1);
    if let Some((_, kind)) = &lowered
        && !kind.may_be(&Kind::Bool)
    {
        let message = format!("the condition is {}, not a boolean", kind.name());
        let hint = "compare it with something";
        compiler.refuse::<()>(Code::CONDITION_TYPE, top.id, message, hint);
    }
    match lowered.filter(|_| compiler.problems.is_empty()) {
        Some((expression, _)) => Ok(Condition(Arc::new(Compiled {
            source: text.into(),
            expression,
            patterns: compiler.patterns.into(),
            data: Arc::clone(data),
            reads: compiler.reads,
        }))),
        None => Err(compiler.problems),
    }
}

type Lowered = (Expression, Kind);

struct Compiler<'a> {
    program: &'a Program,
    data: &'a Data,
    allowance: &'a Allowance,
    /// The variables of the comprehensions around, innermost last.
    variables: Vec<String>,
    comprehensions: usize,
    /// The nodes made so far.
    nodes: i64,
    patterns: Vec<Pattern>,
    reads: BTreeMap<String, Sha256Digest>,
    problems: Vec<Problem>,
}

fn node(id: u64, expr: Expr) -> Expression {
    Expression { id, expr }
}

/// A call of one of our functions, which takes the meter first.
fn paying(id: u64, name: &str, mut arguments: Vec<Expression>) -> Expression {
    arguments.insert(0, node(id, Expr::Ident(METER.to_owned())));
    plain_call(id, name, arguments)
}

fn plain_call(id: u64, name: &str, args: Vec<Expression>) -> Expression {
    let func_name = name.to_owned();
    let target = None;
    let call = CallExpr {
        func_name,
        target,
        args,
    };
    node(id, Expr::Call(call))
}

/// The value, paid for, unless looking at it costs no more than a step.
fn paid((value, kind): Lowered) -> Expression {
    let is_cheap = matches!(value.expr, Expr::Literal(_))
        || matches!(
            kind,
            Kind::Bool | Kind::Int | Kind::Double | Kind::Null | Kind::Risk
        );
    if is_cheap {
        return value;
    }
    paying(value.id, "@pay", vec![value])
}

fn is_collected(value: &Expression) -> bool {
    matches!(&value.expr, Expr::Ident(name) if name == COLLECTED)
}

impl Compiler<'_> {
    fn refuse<T>(
        &mut self,
        code: Code,
        at: u64,
        message: String,
        hint: impl Into<String>,
    ) -> Option<T> {
        let info = self.program.source_info();
        let byte = info.offset_for(at).map_or(0, |(start, _)| start as usize);
        let before = info.source.get(..byte).unwrap_or_default();
        let offset = before.chars().count();
        self.problems
            .push(Problem::new(code, message, hint, offset));
        None
    }

    /// The expression rewritten, and its kind.
    fn lower(&mut self, value: Expression, depth: usize) -> Option<Lowered> {
        let id = value.id;
        if depth > MAX_DEPTH {
            // One such problem is enough: the whole is too deep.
            if self.problems.is_empty() {
                let message = format!("the expression nests deeper than {MAX_DEPTH} levels");
                let hint = "write fewer `+` in a row and less nesting, or split the rule";
                return self.refuse(Code::CONDITION_LIMIT, id, message, hint);
            }
            return None;
        }
        self.nodes += 1;
        match value.expr {
            Expr::Literal(literal) => self.literal(id, literal),
            Expr::Ident(name) => self.name(id, name),
            Expr::Select(select) => self.select(id, select, depth),
            Expr::Call(call) => self.call(id, call, depth),
            Expr::List(list) => self.list(id, list, depth),
            Expr::Map(map) => self.map(id, map, depth),
            Expr::Comprehension(inner) => self.comprehension(id, *inner, depth),
            Expr::Struct(_) | Expr::Unspecified => {
                let message = "messages are not part of this language".to_owned();
                self.refuse(
                    Code::CONDITION_FUNCTION,
                    id,
                    message,
                    "write a map: `{'key': value}`",
                )
            }
        }
    }

    /// As [`Self::lower`], for a place where the whole value is looked at.
    fn whole(&mut self, value: Expression, depth: usize) -> Option<Lowered> {
        let (value, kind) = self.lower(value, depth)?;
        if let Kind::Data(path) = &kind {
            self.reads.extend(self.data.digests(path));
        }
        Some((value, kind))
    }

    fn literal(&mut self, id: u64, literal: LiteralValue) -> Option<Lowered> {
        let Some(kind) = Kind::of_literal(&literal) else {
            let message = "bytes and unsigned numbers are not part of this language".to_owned();
            let hint = "write texts without `b` and numbers without `u`";
            return self.refuse(Code::CONDITION_FUNCTION, id, message, hint);
        };
        let literal = match literal {
            // Requests are in form C: the same text in another form would never be equal.
            LiteralValue::String(text) => {
                let composed: String = text.inner().nfc().collect();
                LiteralValue::String(CelString::from(composed))
            }
            other => other,
        };
        Some((node(id, Expr::Literal(literal)), kind))
    }

    fn name(&mut self, id: u64, name: String) -> Option<Lowered> {
        let kind = match name.as_str() {
            "subject" => Kind::Party("subject"),
            "resource" => Kind::Party("resource"),
            "action" => Kind::Action,
            "context" => Kind::Map,
            "risk" => Kind::Risk,
            "data" => Kind::Data(Vec::new()),
            COLLECTED => Kind::Any,
            found if self.variables.iter().any(|variable| variable == found) => Kind::Any,
            found if TYPES.contains(&found) => Kind::Type,
            _ => {
                let message = format!("unknown name `{}`", printable(&name));
                let hint = format!("{NAMES}; texts stand in quotes");
                return self.refuse(Code::CONDITION_NAME, id, message, hint);
            }
        };
        Some((node(id, Expr::Ident(name)), kind))
    }

    fn select(&mut self, id: u64, select: SelectExpr, depth: usize) -> Option<Lowered> {
        let is_test = select.test;
        // What `has` asks for stands at the bracket; its operand has a better place.
        let at = if is_test { select.operand.id } else { id };
        let (operand, kind) = self.lower(*select.operand, depth + 1)?;
        let found = self.member(at, &kind, &select.field)?;
        let select = SelectExpr {
            operand: Box::new(operand),
            ..select
        };
        let kind = if is_test { Kind::Bool } else { found };
        Some((node(id, Expr::Select(select)), kind))
    }

    /// The kind of a member.
    fn member(&mut self, id: u64, of: &Kind, field: &str) -> Option<Kind> {
        let shown = printable(field);
        match of {
            Kind::Party(root) => match field {
                "id" | "type" => Some(Kind::Text),
                "properties" => Some(Kind::Map),
                _ => {
                    let message = format!("`{root}` has no member `{shown}`");
                    let hint = format!(
                        "its members are `id`, `type` and `properties`; write `{root}.properties.{shown}`"
                    );
                    self.refuse(Code::CONDITION_NAME, id, message, hint)
                }
            },
            Kind::Action => match field {
                "name" => Some(Kind::Text),
                "properties" => Some(Kind::Map),
                _ => {
                    let message = format!("`action` has no member `{shown}`");
                    let hint = format!(
                        "its members are `name` and `properties`; write `action.properties.{shown}`"
                    );
                    self.refuse(Code::CONDITION_NAME, id, message, hint)
                }
            },
            Kind::Data(path) => {
                let mut path = path.clone();
                path.push(field.to_owned());
                match self.data.find(&path) {
                    Found::Directory => Some(Kind::Data(path)),
                    Found::File(value) => {
                        self.reads.extend(self.data.digests(&path));
                        Some(Kind::of_value(value))
                    }
                    Found::Unreadable => Some(Kind::Any),
                    Found::Nothing => {
                        let message =
                            format!("no file defines `data.{}`", printable(&path.join(".")));
                        let file = printable(&path.join("/"));
                        let hint =
                            format!("add `data/{file}.yaml` or `data/{file}.json` to the bundle");
                        self.refuse(Code::DATA_MISSING, id, message, hint)
                    }
                }
            }
            Kind::Any | Kind::Map => Some(Kind::Any),
            other => {
                let message = format!("{} has no member `{shown}`", other.name());
                let hint = "members are of maps";
                self.refuse(Code::CONDITION_TYPE, id, message, hint)
            }
        }
    }

    fn list(&mut self, id: u64, list: ListExpr, depth: usize) -> Option<Lowered> {
        let elements: Vec<_> = list
            .elements
            .into_iter()
            .map(|element| self.whole(element, depth + 2).map(paid))
            .collect();
        let elements = elements.into_iter().collect::<Option<_>>()?;
        Some((node(id, Expr::List(ListExpr::new(elements))), Kind::List))
    }

    fn map(&mut self, id: u64, mut map: MapExpr, depth: usize) -> Option<Lowered> {
        for entry in &mut map.entries {
            let EntryExpr::MapEntry(pair) = &mut entry.expr else {
                let message = "not a map".to_owned();
                return self.refuse(Code::CONDITION_FUNCTION, id, message, "quote its keys");
            };
            for part in [&mut pair.key, &mut pair.value] {
                *part = paid(self.whole(std::mem::take(part), depth + 2)?);
            }
        }
        Some((node(id, Expr::Map(map)), Kind::Map))
    }

    fn operator(
        &mut self,
        id: u64,
        operator: &str,
        arguments: Vec<Expression>,
        depth: usize,
    ) -> Option<Lowered> {
        let ids: Vec<u64> = arguments.iter().map(|argument| argument.id).collect();
        let lowered: Vec<_> = arguments
            .into_iter()
            .map(|argument| self.whole(argument, depth + 1))
            .collect();
        let lowered: Vec<Lowered> = lowered.into_iter().collect::<Option<_>>()?;
        match <[Lowered; 2]>::try_from(lowered) {
            Ok([left, right]) => {
                let kind = match kind::of_operator(operator, &left.1, &right.1) {
                    Ok(kind) => kind,
                    Err(message) => {
                        let hint = "convert one of the two, or compare what is alike";
                        return self.refuse(Code::CONDITION_TYPE, id, message, hint);
                    }
                };
                let lowered = match super::operators::paid(operator) {
                    // What a comprehension collects is added to in place, and was paid for.
                    Some(function) if !is_collected(&left.0) => {
                        paying(id, function, vec![left.0, right.0])
                    }
                    Some(_) => plain_call(id, operator, vec![left.0, right.0]),
                    None if operator == operators::INDEX => {
                        plain_call(id, operator, vec![left.0, paid(right)])
                    }
                    None => plain_call(id, operator, vec![left.0, right.0]),
                };
                Some((lowered, kind))
            }
            Err(lowered) => self.other_operator(id, operator, lowered, &ids),
        }
    }

    /// Operators of one operand or three.
    fn other_operator(
        &mut self,
        id: u64,
        operator: &str,
        lowered: Vec<Lowered>,
        ids: &[u64],
    ) -> Option<Lowered> {
        let first = lowered.first().map_or(Kind::Any, |(_, kind)| kind.clone());
        let at = ids.first().copied().unwrap_or(id);
        let (is_well, kind, wants) = match operator {
            operators::LOGICAL_NOT => {
                (first.may_be(&Kind::Bool), Kind::Bool, "`!` wants a boolean")
            }
            operators::NEGATE => {
                let is_number = first.may_be(&Kind::Int) || first.may_be(&Kind::Double);
                (is_number, first.clone(), "`-` wants a number")
            }
            _ => {
                let branches: Vec<&Kind> = lowered.iter().skip(1).map(|(_, kind)| kind).collect();
                let kind = match branches.as_slice() {
                    [left, right] if left == right => (*left).clone(),
                    _ => Kind::Any,
                };
                (
                    first.may_be(&Kind::Bool),
                    kind,
                    "`?` wants a boolean before it",
                )
            }
        };
        if !is_well {
            let message = format!("{wants}, found {}", first.name());
            return self.refuse(
                Code::CONDITION_TYPE,
                at,
                message,
                "compare it with something",
            );
        }
        let values = lowered.into_iter().map(|(value, _)| value).collect();
        Some((plain_call(id, operator, values), kind))
    }

    fn comprehension(
        &mut self,
        id: u64,
        inner: ComprehensionExpr,
        depth: usize,
    ) -> Option<Lowered> {
        let at = inner.iter_range.id;
        let range = self.whole(inner.iter_range, depth + 2);
        if let Some((_, kind)) = range.as_ref().filter(|(_, kind)| !kind.is_many()) {
            let message = format!(
                "only a list or a map can be ranged over, found {}",
                kind.name()
            );
            self.refuse::<()>(Code::CONDITION_TYPE, at, message, "range over a list");
        }
        let variable = inner.iter_var;
        let is_taken = self.variables.contains(&variable)
            || TYPES.contains(&variable.as_str())
            || matches!(
                variable.as_str(),
                "subject" | "action" | "resource" | "context" | "data" | "risk"
            );
        if is_taken || inner.iter_var2.is_some() {
            let message = format!("the name `{}` is taken", printable(&variable));
            let hint = "give the variable a name of its own";
            return self.refuse(Code::CONDITION_NAME, id, message, hint);
        }
        if self.comprehensions >= MAX_COMPREHENSIONS {
            let message =
                format!("more than {MAX_COMPREHENSIONS} comprehensions inside each other");
            let hint = "split the rule, or prepare the list in `data/`";
            return self.refuse(Code::CONDITION_LIMIT, id, message, hint);
        }
        let before = self.nodes;
        self.variables.push(variable.clone());
        self.comprehensions += 1;
        // The parser made the rest around what was written, of literals and of what is collected.
        let step = self.lower(inner.loop_step, depth + 1);
        self.comprehensions -= 1;
        self.variables.pop();
        let (range, (step, _)) = (range?, step?);
        let kind = match &inner.accu_init.expr {
            Expr::List(_) => Kind::List,
            _ => Kind::Bool,
        };
        let steps = LiteralValue::Int((self.nodes - before + 2).into());
        let steps = node(id, Expr::Literal(steps));
        let iter_range = paying(range.0.id, "@range", vec![steps, range.0]);
        let inner = ComprehensionExpr {
            iter_range,
            iter_var: variable,
            loop_step: step,
            ..inner
        };
        Some((node(id, Expr::Comprehension(Box::new(inner))), kind))
    }
}

fn is_operator(name: &str) -> bool {
    name.contains(['_', '@']) && !name.starts_with(|c: char| c.is_ascii_alphabetic())
        || matches!(name, operators::LOGICAL_NOT | operators::NEGATE)
}
