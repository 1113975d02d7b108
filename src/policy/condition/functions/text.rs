//! Functions of text. Positions count characters, from 0.

use std::any::Any;

use cel::ExecutionError;
use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelString, Kind, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use regex::Regex;

use super::Call;
use crate::policy::condition::meter::{MAX_MADE, failed, steps_of};
use crate::policy::matcher::Compiled;

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn yes_or_no<'b, 'v>(holds: bool) -> Answer<'b, 'v> {
    Ok(CowVal::owned(CelBool::from(holds)))
}

fn number<'b, 'v>(number: usize) -> Answer<'b, 'v> {
    let number = i64::try_from(number).map_err(|_| failed("too large"))?;
    Ok(CowVal::owned(CelInt::from(number)))
}

/// A text that a function made, paid for.
fn made<'b, 'v>(call: &Call<'_, '_, '_>, text: String) -> Answer<'b, 'v> {
    call.meter.pay_for_text(&text)?;
    Ok(CowVal::owned(CelString::from(text)))
}

macro_rules! functions {
    ($($name:ident($call:ident) $body:block)*) => {$(
        pub(super) fn $name<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
            let $call = Call::new(&arguments)?;
            $body
        }
    )*};
}

functions! {
    contains(call) { yes_or_no(call.text(0)?.contains(call.text(1)?)) }

    starts_with(call) { yes_or_no(call.text(0)?.starts_with(call.text(1)?)) }

    ends_with(call) { yes_or_no(call.text(0)?.ends_with(call.text(1)?)) }

    index_of(call) {
        let text = call.text(0)?;
        position(text, text.find(call.text(1)?))
    }

    last_index_of(call) {
        let text = call.text(0)?;
        position(text, text.rfind(call.text(1)?))
    }

    lower_ascii(call) { made(&call, call.text(0)?.to_ascii_lowercase()) }

    upper_ascii(call) { made(&call, call.text(0)?.to_ascii_uppercase()) }

    trim(call) { made(&call, call.text(0)?.trim().to_owned()) }

    size(call) {
        let value = call.arguments.first().ok_or_else(|| failed("no value"))?;
        if let Some(list) = value.downcast_ref::<CelList<'_>>() {
            return number(list.inner().len());
        }
        if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
            return number(map.inner().len());
        }
        number(call.text(0)?.chars().count())
    }

    substring(call) {
        let text = call.text(0)?;
        let at = |position: usize| -> Result<usize, ExecutionError> {
            let wanted = usize::try_from(call.int(position)?).map_err(|_| failed("below 0"))?;
            let ends = text.char_indices().map(|(byte, _)| byte).chain([text.len()]);
            ends.into_iter().nth(wanted).ok_or_else(|| failed("behind the end"))
        };
        let from = at(1)?;
        let until = if call.has(2) { at(2)? } else { text.len() };
        let part = text.get(from..until).ok_or_else(|| failed("ends before it begins"))?;
        made(&call, part.to_owned())
    }

    replace(call) {
        let (text, from, to) = (call.text(0)?, call.text(1)?, call.text(2)?);
        let count = text.matches(from).count();
        let length = count.saturating_mul(to.len()).saturating_add(text.len());
        if length > MAX_MADE {
            return Err(failed("too long"));
        }
        made(&call, text.replace(from, to))
    }

    split(call) {
        let (text, separator) = (call.text(0)?, call.text(1)?);
        if separator.is_empty() {
            return Err(failed("no separator"));
        }
        let count = text.matches(separator).count();
        call.meter.pay(u64::try_from(count).unwrap_or(u64::MAX).saturating_mul(2))?;
        let parts = text.split(separator);
        let parts = parts.map(|part| Box::new(CelString::from(part.to_owned())) as Box<dyn Val>);
        Ok(CowVal::owned(CelList::from(parts.collect::<Vec<_>>())))
    }

    join(call) {
        let list = call.arguments.first().and_then(|list| list.downcast_ref::<CelList<'_>>());
        let list = list.ok_or_else(|| failed("no list"))?.inner();
        let separator = if call.has(1) { call.text(1)? } else { "" };
        let mut joined = String::new();
        for (index, item) in list.iter().enumerate() {
            call.meter.pay_for(item.as_ref())?;
            let item = item.downcast_ref::<CelString<'_>>().ok_or_else(|| failed("no text"))?;
            if index > 0 {
                joined.push_str(separator);
            }
            joined.push_str(item.inner());
            if joined.len() > MAX_MADE {
                return Err(failed("too long"));
            }
        }
        made(&call, joined)
    }

    matches(call) {
        let pattern = call.arguments.get(1).and_then(|value| value.downcast_ref::<Pattern>());
        let pattern = pattern.ok_or_else(|| failed("no pattern"))?;
        let text = call.text(0)?;
        call.meter.pay((1 + steps_of(text)).saturating_mul(pattern.weight))?;
        yes_or_no(pattern.regex.is_match(text))
    }
}

/// The number of the character at a byte; -1 for none.
fn position<'b, 'v>(text: &str, byte: Option<usize>) -> Answer<'b, 'v> {
    match byte.and_then(|byte| text.get(..byte)) {
        Some(before) => number(before.chars().count()),
        None => Ok(CowVal::owned(CelInt::from(-1))),
    }
}

static TYPE: Type = Type::simple_type(Kind::Opaque, "pattern");

/// The size of a compiled pattern up to which it costs the least.
const SMALL_PATTERN: usize = 1 << 14;

/// A regular expression, compiled at load. Expressions hold it as a hidden variable.
#[derive(Debug, Clone)]
pub(in crate::policy::condition) struct Pattern {
    regex: Regex,
    /// The steps that 16 bytes of text cost: matching is linear in the text, times the pattern's size at the worst.
    weight: u64,
}

impl Pattern {
    pub(in crate::policy::condition) fn new(compiled: Compiled) -> Self {
        let Compiled { regex, size } = compiled;
        let larger = u64::try_from(size / SMALL_PATTERN).unwrap_or(u64::MAX);
        let weight = larger.max(1).saturating_mul(4);
        Self { regex, weight }
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        &TYPE
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}
