//! Hours and days on the clocks and calendars of a place.
//!
//! A moment is read as the wall clock of the zone shows it. So on the day on which clocks go forward the hour that they skip
//! does not exist, and on the day on which they go back both of the repeated hours count. The zones are those that the
//! program carries: one version of it gives one answer on every machine.

use std::sync::LazyLock;

use jiff::Timestamp;
use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use super::operand::{OperandError, shown};

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Where clocks and calendars are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Zone(TimeZone);

impl Zone {
    /// The zone of this IANA name.
    ///
    /// # Errors
    /// There is none.
    pub(in crate::policy) fn named(name: &str) -> Result<Self, OperandError> {
        let zone = ZONES.get(name).ok().filter(|zone| !zone.is_unknown());
        zone.map(Self)
            .ok_or_else(|| OperandError::NoZone(shown(name)))
    }

    fn local(&self, moment: Timestamp) -> DateTime {
        self.0.to_datetime(moment)
    }

    /// The hour that clocks of the zone show, from 0 to 23.
    pub(in crate::policy) fn hour(&self, moment: Timestamp) -> i8 {
        self.local(moment).hour()
    }

    /// The day that calendars of the zone show: `mon`, and so on.
    pub(in crate::policy) fn weekday(&self, moment: Timestamp) -> &'static str {
        let day = self.local(moment).weekday();
        let found = DAYS.iter().find(|(_, known)| *known == day);
        found.map_or("", |(word, _)| *word)
    }
}

/// A window of the day, from a time up to, and without, another. Where it ends before it begins, it lasts over midnight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Hours {
    from: Time,
    until: Time,
    zone: Zone,
}

impl Hours {
    /// The window between two times that differ.
    ///
    /// # Errors
    /// One of them is no time of day, or they are equal: whether that is never or always, nobody can tell.
    pub(in crate::policy) fn new(
        from: &str,
        until: &str,
        zone: Zone,
    ) -> Result<Self, OperandError> {
        let (start, end) = (time(from)?, time(until)?);
        if start == end {
            return Err(OperandError::EmptyWindow(shown(from)));
        }
        Ok(Self {
            from: start,
            until: end,
            zone,
        })
    }

    pub(super) fn hold(&self, moment: Timestamp) -> bool {
        let time = self.zone.local(moment).time();
        let (begun, ended) = (self.from <= time, self.until <= time);
        if self.from < self.until {
            begun && !ended
        } else {
            begun || !ended
        }
    }
}

/// `HH:MM`, on a clock of 24 hours.
pub(in crate::policy) fn time(text: &str) -> Result<Time, OperandError> {
    let two_digits = |part: &str| {
        let plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i8>().ok().filter(|_| plain)
    };
    text.split_once(':')
        .and_then(|(hour, minute)| Time::new(two_digits(hour)?, two_digits(minute)?, 0, 0).ok())
        .ok_or_else(|| OperandError::NoTime(shown(text)))
}

/// Days of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::policy) struct Days {
    days: Vec<Weekday>,
    zone: Zone,
}

impl Days {
    pub(in crate::policy) fn new(days: Vec<Weekday>, zone: Zone) -> Self {
        Self { days, zone }
    }

    /// The words for single days.
    pub(in crate::policy) fn words() -> impl Iterator<Item = &'static str> {
        DAYS.iter().map(|(word, _)| *word)
    }

    /// The days that a word names: `mon`, or `fri-mon`, which may pass the end of the week.
    ///
    /// # Errors
    /// It names none.
    pub(in crate::policy) fn read(word: &str) -> Result<Vec<Weekday>, OperandError> {
        let day = |name: &str| DAYS.iter().position(|(known, _)| *known == name);
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (Some(first), Some(last)) = (day(first), day(last)) else {
            return Err(OperandError::NoDay(shown(word)));
        };
        let count = (last + DAYS.len() - first) % DAYS.len() + 1;
        let days = DAYS.iter().cycle().skip(first).take(count);
        Ok(days.map(|(_, day)| *day).collect())
    }

    pub(super) fn hold(&self, moment: Timestamp) -> bool {
        self.days.contains(&self.zone.local(moment).weekday())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::named(name).unwrap()
    }

    #[track_caller]
    fn check(window: (&str, &str, &str), answers: &[(&str, bool)]) {
        let (from, until, name) = window;
        let hours = Hours::new(from, until, zone(name)).unwrap();
        for (moment, wanted) in answers {
            assert_eq!(
                hours.hold(moment.parse().unwrap()),
                *wanted,
                "{moment} in {window:?}"
            );
        }
    }

    #[test]
    fn a_window_begins_with_its_first_moment_and_ends_before_its_last() {
        let answers = [
            ("2026-11-02T08:59:59.999999999Z", false),
            ("2026-11-02T09:00:00Z", true),
            ("2026-11-02T16:59:59.999999999Z", true),
            ("2026-11-02T17:00:00Z", false),
        ];
        check(("09:00", "17:00", "UTC"), &answers);
        let winter = [
            ("2026-11-02T08:00:00Z", true),
            ("2026-11-02T16:00:00Z", false),
        ];
        check(("09:00", "17:00", "Europe/Berlin"), &winter);
        let summer = [
            ("2026-07-01T07:00:00Z", true),
            ("2026-07-01T15:00:00Z", false),
        ];
        check(("09:00", "17:00", "Europe/Berlin"), &summer);
        // Half an hour off, and three quarters.
        check(
            ("09:00", "17:00", "Asia/Kolkata"),
            &[("2026-07-01T03:30:00Z", true)],
        );
        check(
            ("09:00", "17:00", "Asia/Kathmandu"),
            &[("2026-07-01T03:14:59Z", false)],
        );
    }

    #[test]
    fn a_window_may_last_over_midnight() {
        let answers = [
            ("2026-11-02T21:59:59Z", false),
            ("2026-11-02T22:00:00Z", true),
            ("2026-11-03T00:00:00Z", true),
            ("2026-11-03T05:59:59Z", true),
            ("2026-11-03T06:00:00Z", false),
        ];
        check(("22:00", "06:00", "UTC"), &answers);
        let to_the_end = [
            ("2026-11-02T23:59:59Z", true),
            ("2026-11-03T00:00:00Z", false),
        ];
        check(("18:00", "00:00", "UTC"), &to_the_end);
    }

    #[test]
    fn the_hour_that_clocks_skip_does_not_exist() {
        // 2026-03-29: 02:00 is 03:00 at once.
        let skipped = [
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", false),
        ];
        check(("02:00", "03:00", "Europe/Berlin"), &skipped);
        check(
            ("01:30", "03:30", "Europe/Berlin"),
            &[
                ("2026-03-29T00:29:59Z", false),
                ("2026-03-29T00:30:00Z", true),
                ("2026-03-29T01:29:59Z", true),
                ("2026-03-29T01:30:00Z", false),
            ],
        );
    }

    #[test]
    fn both_hours_that_clocks_repeat_count() {
        // 2026-10-25: 03:00 is 02:00 again.
        check(
            ("02:00", "03:00", "Europe/Berlin"),
            &[
                ("2026-10-24T23:59:59Z", false),
                ("2026-10-25T00:00:00Z", true),
                ("2026-10-25T00:59:59Z", true),
                ("2026-10-25T01:00:00Z", true),
                ("2026-10-25T01:59:59Z", true),
                ("2026-10-25T02:00:00Z", false),
            ],
        );
    }

    #[test]
    fn days_are_those_of_the_zone() {
        let days = |words: &[&str], name: &str| {
            let read = words.iter().flat_map(|word| Days::read(word).unwrap());
            Days::new(read.collect(), zone(name))
        };
        // A Sunday evening in Berlin is Monday in Tokyo.
        let moment: Timestamp = "2026-11-01T18:00:00Z".parse().unwrap();
        assert!(days(&["sun"], "Europe/Berlin").hold(moment));
        assert!(days(&["mon-fri"], "Asia/Tokyo").hold(moment));
        assert!(!days(&["mon-fri"], "Europe/Berlin").hold(moment));
        assert!(days(&["wed", "sat-mon"], "Europe/Berlin").hold(moment));
        assert_eq!(Days::read("fri-mon").unwrap().len(), 4);
        assert_eq!(Days::read("mon-sun").unwrap().len(), 7);
        assert_eq!(
            Days::read("sun-mon").unwrap(),
            [Weekday::Sunday, Weekday::Monday]
        );
    }

    #[test]
    fn the_ends_of_time_have_an_hour() {
        for moment in [Timestamp::MIN, Timestamp::MAX] {
            for name in ["Pacific/Kiritimati", "Etc/GMT+12", "UTC"] {
                let all = [("00:00", "12:00"), ("12:00", "00:00")];
                let held = all
                    .map(|(from, until)| Hours::new(from, until, zone(name)).unwrap().hold(moment));
                assert_ne!(held[0], held[1]);
            }
        }
    }

    #[test]
    fn what_does_not_exist_is_refused() {
        for name in [
            "Europe/Atlantis",
            "CEST",
            "+02:00",
            "",
            "Etc/Unknown",
            "../../etc/passwd",
            "\u{1b}[2J",
        ] {
            let error = Zone::named(name).unwrap_err();
            assert!(matches!(error, OperandError::NoZone(_)), "{name}");
            assert!(!error.to_string().chars().any(char::is_control));
        }
        for text in [
            "", "9:00", "24:00", "12:60", "12", "12:00:00", "+1:00", "09:0é", "noon",
        ] {
            assert!(matches!(time(text), Err(OperandError::NoTime(_))), "{text}");
        }
        let empty = Hours::new("09:00", "09:00", zone("UTC"));
        assert!(matches!(empty, Err(OperandError::EmptyWindow(_))));
        for word in ["", "Mon", "monday", "mon-", "mon-fri-sun", "mon..fri", "1"] {
            assert!(
                matches!(Days::read(word), Err(OperandError::NoDay(_))),
                "{word}"
            );
        }
    }
}
