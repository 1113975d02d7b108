//! The time, read once per operation and passed on as a value; how long something takes; and lengths of time as people
//! write them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// Where the time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clock {
    /// The machine's clock.
    System,
    /// One fixed moment: for tests, and for asking what was true then.
    Fixed(Timestamp),
}

impl Clock {
    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match self {
            #[allow(clippy::disallowed_methods, reason = "the one home of the clock")]
            Self::System => Timestamp::now(),
            Self::Fixed(time) => *time,
        }
    }
}

/// Measures how long something takes, by a clock that never goes back. What it says is for people, and no input of any
/// answer.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago that was.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// A length of time: a whole number and a unit, `s`, `m`, `h`, `d`, `w` or `y` (365 days). At most 100 years.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Lifetime {
    count: u32,
    unit: char,
}

/// Why a text is not a length of time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a length of time: write a whole number and s, m, h, d, w or y, such as `90d`; at most 100y", .0.escape_debug())]
pub struct LifetimeError(String);

impl Lifetime {
    fn seconds(self) -> u64 {
        let unit: u64 = match self.unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            'w' => 7 * 86_400,
            _ => 365 * 86_400,
        };
        u64::from(self.count) * unit
    }

    /// The length as a duration.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(i64::try_from(self.seconds()).unwrap_or(i64::MAX))
    }

    /// The moment this long after `start`.
    #[must_use]
    pub fn after(self, start: Timestamp) -> Timestamp {
        start
            .saturating_add(self.duration())
            .unwrap_or(Timestamp::MAX)
    }
}

/// A length of time for people, in the greatest unit that it fills twice: `45 days`, `3 hours`; `0 seconds` for less than none.
#[must_use]
pub fn roughly(length: SignedDuration) -> String {
    let seconds = length.as_secs().max(0);
    let units = [("day", 86_400), ("hour", 3600), ("minute", 60)];
    let fitting = units.into_iter().find(|(_, unit)| seconds >= 2 * unit);
    let (name, unit) = fitting.unwrap_or(("second", 1));
    let plural = if seconds / unit == 1 { "" } else { "s" };
    format!("{} {name}{plural}", seconds / unit)
}

impl FromStr for Lifetime {
    type Err = LifetimeError;
    fn from_str(text: &str) -> Result<Self, LifetimeError> {
        let error = || LifetimeError(text.chars().take(40).collect());
        let unit = text
            .chars()
            .last()
            .filter(|unit| "smhdwy".contains(*unit))
            .ok_or_else(error)?;
        let digits = text.strip_suffix(unit).unwrap_or_default();
        let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let count = digits
            .parse()
            .ok()
            .filter(|count| plain && *count > 0)
            .ok_or_else(error)?;
        let lifetime = Self { count, unit };
        if lifetime.seconds() > 100 * 365 * 86_400 {
            Err(error())
        } else {
            Ok(lifetime)
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.count, self.unit)
    }
}

impl TryFrom<String> for Lifetime {
    type Error = LifetimeError;
    fn try_from(text: String) -> Result<Self, LifetimeError> {
        text.parse()
    }
}

impl From<Lifetime> for String {
    fn from(lifetime: Lifetime) -> Self {
        lifetime.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_told_in_the_unit_that_fits() {
        for (seconds, told) in [
            (-5, "0 seconds"),
            (1, "1 second"),
            (119, "119 seconds"),
            (120, "2 minutes"),
            (7200, "2 hours"),
            (47 * 3600, "47 hours"),
            (90 * 86_400, "90 days"),
        ] {
            assert_eq!(roughly(SignedDuration::from_secs(seconds)), told);
        }
    }

    #[test]
    fn lifetimes_round_trip_and_refuse_the_rest() {
        for text in ["90d", "1y", "12h", "100y", "30s", "2w", "5m"] {
            assert_eq!(
                text.parse::<Lifetime>()
                    .map(|lifetime| lifetime.to_string()),
                Ok(text.to_owned())
            );
        }
        for text in [
            "",
            "d",
            "0d",
            "-1d",
            "+1d",
            "1",
            "1.5d",
            "101y",
            "1 d",
            "99999999999d",
            "1é",
        ] {
            assert!(text.parse::<Lifetime>().is_err(), "{text}");
        }
        let start: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let end: Timestamp = "2026-04-01T00:00:00Z".parse().unwrap();
        assert_eq!("90d".parse::<Lifetime>().unwrap().after(start), end);
    }
}
