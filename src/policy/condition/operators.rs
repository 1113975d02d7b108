//! The operators that look at all of their operands, as functions that pay for it first.
//!
//! They answer as the interpreter's own do, whose traits they call.

use std::cmp::Ordering;

use cel::common::ast::operators;
use cel::common::functions::Function;
use cel::common::types::CelBool;
use cel::common::value::{CowVal, Val};
use cel::{DeclarationError, Env, ExecutionError};

use super::functions::declare;
use super::meter::{failed, meter};

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// An operator, the name of the function in its place, and the function.
const PAID: &[(&str, &str, Function)] = &[
    (operators::ADD, "@add", add),
    (operators::SUBSTRACT, "@sub", subtract),
    (operators::MULTIPLY, "@mul", multiply),
    (operators::DIVIDE, "@div", divide),
    (operators::MODULO, "@mod", modulo),
    (operators::EQUALS, "@eq", equals),
    (operators::NOT_EQUALS, "@ne", not_equals),
    (operators::LESS, "@lt", less),
    (operators::LESS_EQUALS, "@le", less_or_equal),
    (operators::GREATER, "@gt", greater),
    (operators::GREATER_EQUALS, "@ge", greater_or_equal),
    (operators::IN, "@within", within),
];

/// The function in the place of this operator, where there is one.
pub(super) fn paid(operator: &str) -> Option<&'static str> {
    let found = PAID.iter().find(|(name, ..)| *name == operator);
    found.map(|(_, function, _)| *function)
}

pub(super) fn register(env: &mut Env) -> Result<(), DeclarationError> {
    PAID.iter()
        .try_for_each(|(_, name, run)| declare(env, name, 3, *run))
}

/// The two operands, paid for.
fn operands<'a, 'v>(
    arguments: &'a [CowVal<'_, 'v>],
) -> Result<(&'a (dyn Val + 'v), &'a (dyn Val + 'v)), ExecutionError> {
    let meter = meter(arguments.first())?;
    let [_, left, right] = arguments else {
        return Err(failed("two operands"));
    };
    let (left, right): (&(dyn Val + 'v), &(dyn Val + 'v)) = (&**left, &**right);
    meter.pay_for(left)?;
    meter.pay_for(right)?;
    Ok((left, right))
}

fn answer<'b, 'v>(holds: bool) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(holds)))
}

macro_rules! arithmetic {
    ($($name:ident by $accessor:ident $method:ident;)*) => {$(
        fn $name<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
            let (left, right) = operands(&arguments)?;
            let left = left.$accessor().ok_or_else(|| failed("no such operator"))?;
            Ok(CowVal::Owned(left.$method(right)?.into_owned()))
        }
    )*};
}

arithmetic! {
    add by as_adder add;
    subtract by as_subtractor sub;
    multiply by as_multiplier mul;
    divide by as_divider div;
    modulo by as_modder modulo;
}

fn equals<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let (left, right) = operands(&arguments)?;
    answer(left.equals(right))
}

fn not_equals<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let (left, right) = operands(&arguments)?;
    answer(!left.equals(right))
}

fn order(arguments: &[CowVal<'_, '_>]) -> Result<Ordering, ExecutionError> {
    let (left, right) = operands(arguments)?;
    let left = left.as_comparer().ok_or_else(|| failed("no order"))?;
    left.compare(right)
}

fn less<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    answer(order(&arguments)?.is_lt())
}

fn less_or_equal<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    answer(order(&arguments)?.is_le())
}

fn greater<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    answer(order(&arguments)?.is_gt())
}

fn greater_or_equal<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    answer(order(&arguments)?.is_ge())
}

fn within<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let (item, container) = operands(&arguments)?;
    let container = container.as_container().ok_or_else(|| failed("no list"))?;
    answer(container.contains(item)?)
}
