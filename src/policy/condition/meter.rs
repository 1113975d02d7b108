//! What an evaluation may cost, since the interpreter has no limit of its own.
//!
//! Every evaluation has [`BUDGET`] steps. A step is about one node of an expression, one value looked at, or
//! [`BYTES_PER_STEP`] bytes of text. What takes longer than one step was rewritten at load into a function that pays for its
//! operands first ([`super::operators`], [`super::functions`]): comparing, adding, searching, ranging over a list, which pays
//! for the whole loop at once. An evaluation that cannot pay fails, whatever the expression makes of the error.
//!
//! All evaluations of one request share [`REQUEST_BUDGET`] steps ([`Purse`]), for a bundle may have many rules: once they are
//! spent, every further condition fails, in the order in which rules are asked.
//!
//! Measured over the costliest expressions that were found (`tests` of [`super`]): an evaluation that spends its whole budget
//! ends within 0.25 s without any optimisation, and within 55 ms where the interpreter alone is optimised.
//! Before the first evaluation of a request, the parts of it that conditions name are converted, in time linear in its bytes.

use std::any::Any;
use std::sync::atomic::{AtomicU64, Ordering};

use cel::ExecutionError;
use cel::common::types::{CelInt, CelList, CelMap, CelMapKey, CelString, Kind, Type};
use cel::common::value::{CowVal, StaticVal, Val};

/// The steps of one evaluation.
pub(super) const BUDGET: u64 = 200_000;
/// The steps of all conditions that one request asks.
const REQUEST_BUDGET: u64 = 20 * BUDGET;
/// The bytes of text that count as one step.
pub(super) const BYTES_PER_STEP: usize = 16;
/// The bytes that a text made by a function may have.
pub(super) const MAX_MADE: usize = 1 << 20;

static TYPE: Type = Type::simple_type(Kind::Opaque, "meter");

/// What one request has left for all its conditions.
#[derive(Debug)]
pub(in crate::policy) struct Purse(AtomicU64);

impl Default for Purse {
    fn default() -> Self {
        Self(AtomicU64::new(REQUEST_BUDGET))
    }
}

impl Purse {
    /// What the next evaluation may spend.
    pub(super) fn meter(&self) -> Meter {
        let allowed = self.0.load(Ordering::Relaxed).min(BUDGET);
        Meter {
            left: AtomicU64::new(allowed),
            allowed,
        }
    }

    /// Takes what an evaluation spent.
    pub(super) fn settle(&self, meter: &Meter) {
        let left = self.0.load(Ordering::Relaxed);
        self.0
            .store(left.saturating_sub(meter.spent()), Ordering::Relaxed);
    }
}

/// The steps that are left. Expressions hold it as a hidden variable, for functions know nothing but their arguments.
#[derive(Debug)]
pub(super) struct Meter {
    left: AtomicU64,
    allowed: u64,
}

impl Meter {
    /// Takes `steps`; once there are too few, there are none.
    pub(super) fn pay(&self, steps: u64) -> Result<(), ExecutionError> {
        // One thread evaluates: nobody comes between the two.
        let left = self.left.load(Ordering::Relaxed);
        match left.checked_sub(steps).filter(|left| *left > 0) {
            Some(left) => {
                self.left.store(left, Ordering::Relaxed);
                Ok(())
            }
            None => {
                self.left.store(0, Ordering::Relaxed);
                Err(failed("the budget is spent"))
            }
        }
    }

    /// Takes what looking at all of `value` costs.
    pub(super) fn pay_for(&self, value: &dyn Val) -> Result<(), ExecutionError> {
        self.pay(1)?;
        if let Some(text) = value.downcast_ref::<CelString<'_>>() {
            return self.pay_for_text(text.inner());
        }
        if let Some(list) = value.downcast_ref::<CelList<'_>>() {
            return list
                .inner()
                .iter()
                .try_for_each(|item| self.pay_for(item.as_ref()));
        }
        if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
            return map.inner().iter().try_for_each(|(key, value)| {
                self.pay_for(key.inner())?;
                self.pay_for(value.as_ref())
            });
        }
        Ok(())
    }

    pub(super) fn pay_for_text(&self, text: &str) -> Result<(), ExecutionError> {
        self.pay(steps_of(text))
    }

    /// Whether the budget was spent.
    pub(super) fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    pub(super) fn spent(&self) -> u64 {
        self.allowed
            .saturating_sub(self.left.load(Ordering::Relaxed))
    }
}

/// What looking at every byte of `text` costs.
pub(super) fn steps_of(text: &str) -> u64 {
    u64::try_from(text.len() / BYTES_PER_STEP).unwrap_or(u64::MAX)
}

impl Val for Meter {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    /// A copy has nothing to spend: no expression can make one.
    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(Self {
            left: AtomicU64::new(0),
            allowed: 0,
        })
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Meter {}

/// An error that costs nothing to make: nobody sees it, and the interpreter's own hold copies of values.
pub(super) fn failed(why: &'static str) -> ExecutionError {
    ExecutionError::UndeclaredReference(std::sync::Arc::new(why.to_owned()))
}

/// The meter that a rewritten call passes first.
pub(super) fn meter<'a>(value: Option<&'a CowVal<'_, '_>>) -> Result<&'a Meter, ExecutionError> {
    let found = value.and_then(|value| value.downcast_ref::<Meter>());
    found.ok_or_else(|| failed("no meter"))
}

/// `@pay(meter, value)`: the value, paid for.
pub(super) fn pay<'b, 'v>(
    mut arguments: Vec<CowVal<'b, 'v>>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments.pop().ok_or_else(|| failed("no value"))?;
    meter(arguments.first())?.pay_for(value.as_ref())?;
    Ok(value)
}

/// `@range(meter, steps, list or map)`: what a comprehension ranges over, with every turn of its loop paid for. The keys of a
/// map come sorted: the interpreter's maps have an order of their own in every run.
pub(super) fn range<'b, 'v>(
    mut arguments: Vec<CowVal<'b, 'v>>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let value = arguments.pop().ok_or_else(|| failed("no value"))?;
    let steps = arguments
        .get(1)
        .and_then(|steps| steps.downcast_ref::<CelInt>())
        .and_then(|steps| u64::try_from(*steps.inner()).ok())
        .ok_or_else(|| failed("no steps"))?;
    let meter = meter(arguments.first())?;
    meter.pay_for(value.as_ref())?;
    let turns = |length: usize| {
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        meter.pay(length.saturating_mul(steps))
    };
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        turns(list.inner().len())?;
        return Ok(value);
    }
    let map = value
        .downcast_ref::<CelMap<'_>>()
        .ok_or_else(|| failed("no list"))?;
    turns(map.inner().len())?;
    let mut keys: Vec<&CelMapKey<'v>> = map.inner().keys().collect();
    keys.sort();
    let keys: Vec<Box<dyn Val + 'v>> = keys
        .into_iter()
        .map(|key| key.inner().clone_as_boxed())
        .collect();
    Ok(CowVal::owned(CelList::from(keys)))
}
