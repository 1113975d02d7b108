//! Until when a verified bundle decides: fresh within its own time, stale within a grace after it, then not at all.

use jiff::{SignedDuration, Timestamp};

/// Whether policy is within its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Freshness {
    /// It is.
    Fresh,
    /// It is served within a grace after it.
    Stale,
}

/// Where the bytes of a bundle are held, and so whether they may be late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// They were fetched just now, or are merely looked at: a statement past its time is refused.
    Fetched,
    /// They are active: this machine accepted them within their time. They may go on deciding for the grace after it.
    Active {
        /// How long after its time the statement still decides.
        grace: SignedDuration,
    },
}

/// The times of a verified bundle. Whoever decides asks [`Self::at`] for each decision, so that a process that runs for
/// long does not outlive its policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Validity {
    fresh_until: Timestamp,
    serves_until: Timestamp,
}

impl Validity {
    /// What never ends: a directory that nobody signed says nothing of time.
    pub const UNLIMITED: Self = Self {
        fresh_until: Timestamp::MAX,
        serves_until: Timestamp::MAX,
    };

    /// The times of a statement: its own expiry, or the consumer's `max_age` where that is sooner, and the grace after it.
    pub(super) fn of(
        issued: Timestamp,
        expires: Timestamp,
        max_age: Option<SignedDuration>,
        held: Held,
    ) -> Self {
        let later =
            |time: Timestamp, by: SignedDuration| time.saturating_add(by).unwrap_or(Timestamp::MAX);
        // A statement exactly as old as `max_age` is still accepted; these ends are not within their spans.
        let aged = max_age.map(|age| later(later(issued, age), SignedDuration::from_nanos(1)));
        let fresh_until = aged.map_or(expires, |aged| aged.min(expires));
        let grace = match held {
            Held::Fetched => SignedDuration::ZERO,
            Held::Active { grace } => grace,
        };
        Self {
            fresh_until,
            serves_until: later(fresh_until, grace),
        }
    }

    /// Both ends no later than those of `other`.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            fresh_until: self.fresh_until.min(other.fresh_until),
            serves_until: self.serves_until.min(other.serves_until),
        }
    }

    /// Both ends no later than `end`: what vouches for the bundle ends then, and no grace reaches beyond it.
    pub(super) fn ending_by(self, end: Timestamp) -> Self {
        self.and(Self {
            fresh_until: end,
            serves_until: end,
        })
    }

    /// Whether it decides at `time`, and how fresh it is then.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> Option<Freshness> {
        if time < self.fresh_until {
            Some(Freshness::Fresh)
        } else if time < self.serves_until {
            Some(Freshness::Stale)
        } else {
            None
        }
    }

    /// From when on it is stale.
    #[must_use]
    pub fn fresh_until(&self) -> Timestamp {
        self.fresh_until
    }

    /// From when on it decides no more.
    #[must_use]
    pub fn serves_until(&self) -> Timestamp {
        self.serves_until
    }
}

/// A moment without its fraction of a second: signed times are whole seconds, and so are those that people are told, so that
/// they can read and repeat them.
#[must_use]
pub fn whole_second(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// A length of time in the greatest unit that divides it, as a configuration writes one: `20d`, `36h`.
pub(super) fn exactly(length: SignedDuration) -> String {
    let seconds = length.as_secs();
    let units = [("d", 86_400), ("h", 3600), ("m", 60)];
    let fitting = units.into_iter().find(|(_, unit)| seconds % unit == 0);
    let (name, unit) = fitting.unwrap_or(("s", 1));
    format!("{}{name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_times_are_written_as_people_write_them() {
        for (hours, written) in [(480, "20d"), (36, "36h"), (24, "1d")] {
            assert_eq!(exactly(SignedDuration::from_hours(hours)), written);
        }
        assert_eq!(exactly(SignedDuration::from_secs(5400)), "90m");
        assert_eq!(exactly(SignedDuration::from_secs(61)), "61s");
        let late: Timestamp = "2026-01-01T00:00:10.000000001Z".parse().unwrap();
        assert_eq!(whole_second(late).to_string(), "2026-01-01T00:00:10Z");
    }

    fn second(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_sooner_of_expiry_and_age_counts_and_the_grace_follows_it() {
        let hundred = SignedDuration::from_secs(100);
        let grace = SignedDuration::from_secs(10);
        let held = Held::Active { grace };
        let plain = Validity::of(second(0), second(200), None, Held::Fetched);
        assert_eq!(plain.at(second(199)), Some(Freshness::Fresh));
        assert_eq!(plain.at(second(200)), None, "what was fetched has no grace");
        let late = Validity::of(second(0), second(200), None, held);
        assert_eq!(late.at(second(200)), Some(Freshness::Stale));
        assert_eq!(late.at(second(209)), Some(Freshness::Stale));
        assert_eq!(late.at(second(210)), None);
        let aged = Validity::of(second(0), second(200), Some(hundred), held);
        assert_eq!(aged.at(second(100)), Some(Freshness::Fresh));
        assert_eq!(aged.at(second(101)), Some(Freshness::Stale));
        assert_eq!(aged.at(second(111)), None);
        // The grace does not reach beyond the root, nor beyond another bundle.
        assert_eq!(late.ending_by(second(205)).at(second(205)), None);
        assert_eq!(late.and(aged).at(second(101)), Some(Freshness::Stale));
        let endless = Held::Active {
            grace: SignedDuration::MAX,
        };
        let endless = Validity::of(second(0), second(200), None, endless);
        assert_eq!(endless.serves_until(), Timestamp::MAX);
        assert_eq!(Validity::UNLIMITED.at(second(0)), Some(Freshness::Fresh));
    }
}
