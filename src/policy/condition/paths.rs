//! Which paths of the request an expression names, for explanations.

use std::collections::BTreeSet;

use cel::common::ast::{EntryExpr, Expr, LiteralValue, operators};
use cel::parser::Expression;

/// What a path begins with.
const ROOTS: [&str; 5] = ["subject", "action", "resource", "context", "risk"];

/// The paths that `expression`, which was checked, names: the longest that are known without a request.
pub(super) fn of(expression: &Expression) -> BTreeSet<Vec<String>> {
    let mut paths = BTreeSet::new();
    walk(expression, &mut paths);
    paths
}

// The depth of what was checked is bounded.
fn walk(expression: &Expression, paths: &mut BTreeSet<Vec<String>>) {
    if let Some(path) = path(expression) {
        if path
            .first()
            .is_some_and(|root| ROOTS.contains(&root.as_str()))
        {
            paths.insert(path);
        }
        return;
    }
    match &expression.expr {
        Expr::Call(call) => {
            let target = call.target.as_deref();
            target
                .into_iter()
                .chain(&call.args)
                .for_each(|part| walk(part, paths));
        }
        Expr::Comprehension(ranging) => {
            let parts = [
                &ranging.iter_range,
                &ranging.accu_init,
                &ranging.loop_cond,
                &ranging.loop_step,
                &ranging.result,
            ];
            parts.into_iter().for_each(|part| walk(part, paths));
        }
        Expr::List(list) => list.elements.iter().for_each(|part| walk(part, paths)),
        Expr::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    walk(&entry.key, paths);
                    walk(&entry.value, paths);
                }
            }
        }
        Expr::Select(select) => walk(&select.operand, paths),
        _ => {}
    }
}

/// The path that an expression is, if it is one.
fn path(expression: &Expression) -> Option<Vec<String>> {
    match &expression.expr {
        Expr::Ident(name) => Some(vec![name.clone()]),
        Expr::Select(select) => {
            let mut path = path(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        // `context["a-b"]`, where a name of the language would not do.
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [of, key] => {
                let Expr::Literal(LiteralValue::String(key)) = &key.expr else {
                    return None;
                };
                let mut path = path(of)?;
                path.push(key.inner().to_owned());
                Some(path)
            }
            _ => None,
        },
        _ => None,
    }
}
