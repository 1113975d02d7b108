//! Conditions: the `when` of a rule, in CEL.
//!
//! 1. `source`: what a parser that descends cannot be given is refused before it is (length, brackets), since a stack that
//!    overflows ends the process. Deeply nested text is parsed on a thread with a stack of its own.
//! 2. `compile`: one walk over the parsed expression. It refuses unknown names, functions and members, types that can never
//!    fit, data that no file defines, depth; and it rewrites whatever costs more than one step, so that it pays (`meter`).
//! 3. [`Condition::holds`]: the interpreter of the crate `cel` runs it over the request, the data and the risk.
//!
//! INVARIANT: an error never permits. Whatever is not `true` or `false` — an absent member, a type that does not fit, a
//! budget that is spent, a panic of the interpreter — is [`Match::Failed`], and the caller counts that as matched where the
//! rule refuses. A release build of ours aborts on a panic: no answer is no permission either.
//!
//! INVARIANT: the same inputs give the same answer. Functions know nothing but their arguments, and maps are ranged over in
//! the order of their keys.
//!
//! The cost of an evaluation is bounded, and so is that of all evaluations for one request (`meter` says by what, and what was measured), and it needs [`STACK`] bytes of stack.
//!
//! It lacks timestamps and durations as types; the moments of a request are texts.

mod compile;
mod functions;
mod kind;
mod meter;
mod operators;
mod paths;
mod place;
mod source;
mod values;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cel::common::types::{CelBool, CelString};
use cel::parser::Expression;
use cel::{Context, Value};

use self::functions::Pattern;
use self::meter::Meter;
use super::data::Data;
use super::{Facts, Match};
use crate::digest::Sha256Digest;

pub(super) use compile::compile;
pub(super) use meter::Purse;
pub(super) use place::Index;
pub(super) use source::is_word;
pub(super) use values::view;

/// The greatest length of a condition, in bytes.
pub const MAX_CONDITION_BYTES: usize = 1_024;
/// The stack that an evaluation may need, in bytes: one frame of the interpreter for each level of it.
pub const STACK: usize = 5 << 18;

/// A rule's `when`, compiled.
#[derive(Clone)]
pub struct Condition(Arc<Compiled>);

/// Few rules have a condition, so that it lies apart from them.
struct Compiled {
    source: Box<str>,
    expression: Expression,
    patterns: Box<[Pattern]>,
    data: Arc<Data>,
    reads: BTreeMap<String, Sha256Digest>,
}

impl Condition {
    /// The expression as written.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.0.source
    }

    /// The files of the data that it may read, by the names under which it sees them.
    #[must_use]
    pub fn reads(&self) -> &BTreeMap<String, Sha256Digest> {
        &self.0.reads
    }

    /// The paths of the request that it names, sorted; `risk` is one of itself. For explanations: the text is parsed again.
    #[must_use]
    pub fn paths(&self) -> BTreeSet<Vec<String>> {
        let program = source::parse(&self.0.source).ok();
        program.map_or_else(BTreeSet::new, |program| paths::of(program.expression()))
    }

    /// Whether the condition holds; failed where it gives no boolean.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> Match {
        self.run(facts).0
    }

    fn run(&self, facts: &Facts<'_>) -> (Match, Meter) {
        let scope = values::Scope {
            condition: self,
            facts,
            risk: facts.risk().map(|risk| CelString::from(risk.as_str())),
            meter: facts.purse().meter(),
        };
        if scope.meter.is_spent() {
            return (Match::Failed, scope.meter);
        }
        let answer = functions::environment().and_then(|environment| {
            let evaluate = || {
                let mut context = Context::with_env(Arc::clone(environment));
                context.set_variable_resolver(&scope);
                let value = Value::resolve_val(&self.0.expression, &context).ok()?;
                value.downcast_ref::<CelBool>().map(|holds| *holds.inner())
            };
            // SECURITY: what panicked has no answer.
            catch_unwind(AssertUnwindSafe(evaluate)).ok().flatten()
        });
        facts.purse().settle(&scope.meter);
        // `||` and `exists` pass over errors: an answer that was reached with a spent budget is none.
        let answer = match answer.filter(|_| !scope.meter.is_spent()) {
            Some(true) => Match::Yes,
            Some(false) => Match::No,
            None => Match::Failed,
        };
        (answer, scope.meter)
    }
}

impl std::fmt::Debug for Condition {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Condition").field(&self.0.source).finish()
    }
}

#[cfg(test)]
mod tests;
