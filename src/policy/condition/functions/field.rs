//! Functions of this field: globs.

use cel::ExecutionError;
use cel::common::types::CelBool;
use cel::common::value::CowVal;

use super::Call;
use crate::policy::condition::meter::{failed, steps_of};
use crate::policy::glob::Glob;

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// The greatest length of a glob, in bytes, as in a `match`.
const MAX_GLOB: usize = crate::policy::MAX_PATTERN_BYTES;

/// `glob(pattern, text)`
pub(super) fn glob<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let call = Call::new(&arguments)?;
    let (pattern, text) = (call.text(0)?, call.text(1)?);
    if pattern.len() > MAX_GLOB {
        return Err(failed("too long"));
    }
    call.meter.pay(tries(pattern, text))?;
    Ok(CowVal::owned(CelBool::from(
        Glob::new(pattern).matches(text),
    )))
}

/// A star is tried at every place of the text, and where `*` and `**` stand beside each other, one inside the other.
fn tries(pattern: &str, text: &str) -> u64 {
    let wide = pattern.matches("**").count();
    let stars = pattern.matches('*').count();
    let number = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let once = 1 + steps_of(text);
    match (stars, wide) {
        (0, _) => once,
        (stars, wide) if wide == 0 || stars == wide * 2 => {
            once.saturating_mul(1 + number(pattern.len()))
        }
        _ => once
            .saturating_mul(1 + number(text.len()))
            .saturating_mul(1 + number(pattern.len() / 16)),
    }
}
