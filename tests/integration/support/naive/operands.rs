//! Patterns, networks, versions and hours, by other ways than the engine's.

use std::net::IpAddr;

use jiff::Timestamp;
use serde_json::Value;

/// Searches for a pattern of literal ASCII characters, `.`, `*` after one of them, `^` and `$`.
pub(super) fn search(pattern: &str, text: &str) -> bool {
    fn here(pattern: &[u8], text: &[u8]) -> bool {
        let fits = |wanted: u8| {
            text.first()
                .is_some_and(|found| wanted == b'.' || wanted == *found)
        };
        match pattern {
            [] => true,
            [b'$'] => text.is_empty(),
            [wanted, b'*', rest @ ..] => {
                here(rest, text) || (fits(*wanted) && here(pattern, &text[1..]))
            }
            [wanted, rest @ ..] => fits(*wanted) && here(rest, &text[1..]),
        }
    }
    let text = text.as_bytes();
    match pattern.as_bytes() {
        [b'^', rest @ ..] => here(rest, text),
        pattern => (0..=text.len()).any(|start| here(pattern, &text[start..])),
    }
}

/// Whether they are of IPv6, the first address, and the last.
type Addresses = (bool, u128, u128);

/// Where IPv6 writes the addresses of IPv4.
const MAPPED: (u128, u128) = (0xffff_0000_0000, 0xffff_ffff_ffff);

fn addresses(text: &str) -> Option<Addresses> {
    let (address, length) = text.split_once('/').unwrap_or((text, ""));
    let (is_v6, bits, first) = match address.parse().ok()? {
        IpAddr::V4(address) => (false, 32, u128::from(u32::from(address))),
        IpAddr::V6(address) => (true, 128, u128::from(address)),
    };
    let free: u32 = match length {
        "" if text.contains('/') => return None,
        "" => 0,
        length => {
            bits - length
                .parse::<u32>()
                .ok()
                .filter(|length| *length <= bits)?
        }
    };
    let hosts = 1_u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
    let last = first | hosts;
    if first & hosts != 0 {
        None
    } else if is_v6 && first >= MAPPED.0 && last <= MAPPED.1 {
        Some((false, first - MAPPED.0, last - MAPPED.0))
    } else {
        Some((is_v6, first, last))
    }
}

/// Whether every address of `value` lies in one of the networks; none where some do.
pub(super) fn lies_in(value: &str, networks: &[&str]) -> Option<bool> {
    let (is_v6, first, last) = addresses(value)?;
    let networks: Vec<Addresses> = networks
        .iter()
        .map(|text| addresses(text).unwrap())
        .collect();
    let same = || networks.iter().filter(|network| network.0 == is_v6);
    let mut next = Some(first);
    while let Some(address) = next.filter(|address| *address <= last) {
        match same().find(|network| (network.1..=network.2).contains(&address)) {
            Some(network) => next = network.2.checked_add(1),
            None => break,
        }
    }
    let is_covered = next.is_none_or(|address| address > last);
    let holds_v4 = is_v6 && first <= MAPPED.0 && last >= MAPPED.1;
    let touches = same().any(|network| network.1 <= last && first <= network.2)
        || (holds_v4 && networks.iter().any(|network| !network.0));
    if is_covered {
        Some(true)
    } else {
        (!touches).then_some(false)
    }
}

/// Its numbers, whether it is released, and the parts before a release: numbers come before words.
type Version = (u64, u64, u64, bool, Vec<(bool, u64, String)>);

fn version(text: &str) -> Option<Version> {
    let (text, _build) = text.split_once('+').unwrap_or((text, ""));
    let (numbers, before) = match text.split_once('-') {
        Some((numbers, before)) => (numbers, before.split('.').collect()),
        None => (text, Vec::new()),
    };
    let numbers: Vec<u64> = numbers
        .split('.')
        .map(|number| number.parse().ok())
        .collect::<Option<_>>()?;
    let [major, minor, patch] = numbers.try_into().ok()?;
    let part = |part: &&str| match part.parse() {
        Ok(number) => (false, number, String::new()),
        Err(_) => (true, 0, (*part).to_owned()),
    };
    let parts = before.iter().map(part).collect();
    Some((major, minor, patch, before.is_empty(), parts))
}

/// Whether a requirement such as `>=1.2, <2` admits a version. Of a version before a release nobody knows where it lies in a
/// range that names none.
pub(super) fn admits(requirement: &str, found: &str) -> Option<bool> {
    let found = version(found)?;
    let parts = || requirement.split(',').map(str::trim);
    let names_it = parts().any(|part| {
        let named = version(part.trim_start_matches(['=', '<', '>', '~', '^']));
        named.is_some_and(|named| {
            !named.3 && (named.0, named.1, named.2) == (found.0, found.1, found.2)
        })
    });
    let lies_there = parts().all(|part| spans(part, &found));
    if found.3 || names_it || !lies_there {
        Some(lies_there)
    } else {
        None
    }
}

fn spans(part: &str, found: &Version) -> bool {
    let numbers = part.trim_start_matches(['=', '<', '>', '~', '^']);
    let comparison = &part[..part.len() - numbers.len()];
    let below = |major, minor, patch| *found < (major, minor, patch, false, Vec::new());
    let named: Vec<&str> = numbers.split('-').next().unwrap().split('.').collect();
    let number = |index: usize| {
        named
            .get(index)
            .map_or(0, |number| number.parse().unwrap_or(0))
    };
    let (major, minor) = (number(0), number(1));
    let count = named.iter().filter(|number| **number != "*").count();
    let first = match count {
        3 => version(numbers).unwrap(),
        _ => (major, minor, 0, true, Vec::new()),
    };
    let before_next = match count {
        0 => true,
        1 => below(major + 1, 0, 0),
        2 => below(major, minor + 1, 0),
        _ => *found <= first,
    };
    let before_change = match (major, minor, count) {
        (1.., ..) | (0, _, 1) => below(major + 1, 0, 0),
        (_, 1.., _) | (_, _, 2) => below(0, minor + 1, 0),
        _ => below(0, 0, first.2 + 1),
    };
    match comparison {
        _ if count == 0 => true,
        "<" => *found < first,
        "<=" => before_next,
        ">" => !before_next,
        ">=" => *found >= first,
        "^" => *found >= first && before_change,
        "~" if count == 3 => *found >= first && below(major, minor + 1, 0),
        _ => *found >= first && before_next,
    }
}

/// What a clock in the zone shows at a moment.
fn shown(moment: &str, zone: &Value, format: &str) -> Option<String> {
    let moment: Timestamp = moment.parse().ok()?;
    let there = moment.in_tz(zone.as_str().unwrap()).unwrap();
    Some(there.strftime(format).to_string().to_lowercase())
}

pub(super) fn in_window(moment: &str, window: &Value) -> Option<bool> {
    let clock = shown(moment, &window["zone"], "%H:%M")?;
    let time = |name: &str| window[name].as_str().unwrap();
    let (begun, ended) = (time("from") <= &*clock, time("until") <= &*clock);
    Some(if time("from") < time("until") {
        begun && !ended
    } else {
        begun || !ended
    })
}

pub(super) fn on_day(moment: &str, days: &Value) -> Option<bool> {
    const WEEK: &str = "mon tue wed thu fri sat sun mon tue wed thu fri sat sun";
    let today = shown(moment, &days["zone"], "%a")?;
    let words: Vec<&str> = match &days["in"] {
        Value::Array(words) => words.iter().map(|word| word.as_str().unwrap()).collect(),
        word => vec![word.as_str().unwrap()],
    };
    Some(words.iter().any(|word| {
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let from = &WEEK[WEEK.find(first).unwrap()..];
        from[..from.find(last).unwrap() + 3].contains(&today)
    }))
}
