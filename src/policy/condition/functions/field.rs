//! Functions of this field: globs, networks, versions, clocks. They read what the operators of `match` read.

use cel::ExecutionError;
use cel::common::types::{CelBool, CelInt, CelList, CelString};
use cel::common::value::CowVal;
use jiff::Timestamp;

use super::Call;
use crate::policy::Match;
use crate::policy::condition::meter::{failed, steps_of};
use crate::policy::glob::Glob;
use crate::policy::matcher::{Networks, Requirement, Zone};

type Answer<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

/// What reading an operand costs, whatever it is.
const READING: u64 = 8;

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

fn answer<'b, 'v>(found: Match) -> Answer<'b, 'v> {
    match found {
        Match::Yes => Ok(CowVal::owned(CelBool::from(true))),
        Match::No => Ok(CowVal::owned(CelBool::from(false))),
        Match::Failed => Err(failed("cannot be judged")),
    }
}

/// `inCidr(address, network)`, or a list of networks.
pub(super) fn in_cidr<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let call = Call::new(&arguments)?;
    let address = call.text(0)?;
    let read = |text: &str| {
        call.meter.pay(READING)?;
        Networks::read(text).map_err(|_| failed("no network"))
    };
    let second = call.arguments.get(1);
    let networks = match second.and_then(|value| value.downcast_ref::<CelList<'_>>()) {
        Some(list) => {
            let texts = list.inner().iter().map(|item| {
                let text = item.downcast_ref::<CelString<'_>>();
                read(text.ok_or_else(|| failed("no text"))?.inner())
            });
            texts.collect::<Result<Vec<_>, _>>()?
        }
        None => vec![read(call.text(1)?)?],
    };
    answer(Networks::new(&networks).hold(address))
}

pub(super) fn check_network(text: &str) -> Result<(), String> {
    Networks::read(text)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// `semverMatches(version, requirement)`
pub(super) fn semver_matches<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let call = Call::new(&arguments)?;
    call.meter.pay(2 * READING)?;
    let version = call.text(0)?.parse().map_err(|_| failed("no version"))?;
    let requirement = Requirement::read(call.text(1)?).map_err(|_| failed("no requirement"))?;
    answer(requirement.admits(&version))
}

pub(super) fn check_requirement(text: &str) -> Result<(), String> {
    Requirement::read(text)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

fn moment(call: &Call<'_, '_, '_>) -> Result<Timestamp, ExecutionError> {
    call.meter.pay(READING)?;
    call.text(0)?.parse().map_err(|_| failed("no moment"))
}

fn zone(call: &Call<'_, '_, '_>) -> Result<Zone, ExecutionError> {
    call.meter.pay(READING)?;
    Zone::named(call.text(1)?).map_err(|_| failed("no zone"))
}

/// `hour(moment, zone)`: from 0 to 23.
pub(super) fn hour<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let call = Call::new(&arguments)?;
    let hour = zone(&call)?.hour(moment(&call)?);
    Ok(CowVal::owned(CelInt::from(i64::from(hour))))
}

/// `weekday(moment, zone)`: `mon`, and so on.
pub(super) fn weekday<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let call = Call::new(&arguments)?;
    let day = zone(&call)?.weekday(moment(&call)?);
    Ok(CowVal::owned(CelString::from(day)))
}

pub(super) fn check_zone(text: &str) -> Result<(), String> {
    Zone::named(text)
        .map(|_| ())
        .map_err(|error| error.to_string())
}

/// `unixTime(moment)`: seconds since 1970.
pub(super) fn unix_time<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Answer<'b, 'v> {
    let call = Call::new(&arguments)?;
    Ok(CowVal::owned(CelInt::from(moment(&call)?.as_second())))
}

pub(super) fn check_moment(text: &str) -> Result<(), String> {
    let read = text.parse::<Timestamp>().map(|_| ());
    read.map_err(|_| {
        let shown: String = text.chars().take(80).collect();
        format!("`{}` is no moment", shown.escape_debug())
    })
}
