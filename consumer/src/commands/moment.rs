//! A point in time on the command line.

use std::str::FromStr;
use std::time::Duration;

use audit_runtime::exit::UsageError;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Timelike, Utc};

/// A point in time, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// This one.
    At(DateTime<Utc>),
    /// So long before now.
    Ago(Duration),
}

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(time) = DateTime::parse_from_rfc3339(text) {
            return Ok(Self::At(whole_microseconds(time.to_utc())));
        }
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::At(day.and_time(NaiveTime::MIN).and_utc()));
        }
        let ago = audit_runtime::duration::parse(text).map(Self::Ago);
        ago.map_err(|_| "write a time such as 2025-01-15T10:30:00Z, a date such as 2025-01-15, or a duration such as 30d")
    }
}

impl Moment {
    /// The time as of now, for messages about this option.
    ///
    /// # Errors
    /// A time that PostgreSQL or RFC 3339 does not have.
    pub(super) fn at(self, option: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, UsageError> {
        let time = match self {
            Self::At(time) => Some(time),
            Self::Ago(ago) => {
                TimeDelta::from_std(ago).ok().and_then(|ago| now.checked_sub_signed(ago))
            }
        };
        // The years that PostgreSQL and RFC 3339 have in common.
        time.filter(|time| (1..=9999).contains(&time.year()))
            .ok_or_else(|| UsageError(format!("{option} must be in the years 1 to 9999")))
    }
}

/// Rounds up to what the table's times can be: whole microseconds compare with the result as with the time itself.
fn whole_microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    let over = time.nanosecond() % 1_000;
    if over == 0 { time } else { time + TimeDelta::nanoseconds(i64::from(1_000 - over)) }
}

/// A time in messages.
pub(super) fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_moment_is_a_time_a_date_or_a_duration_ago() {
        for (text, expected) in [
            ("2025-01-15T10:30:00Z", "2025-01-15T10:30:00Z"),
            ("2025-01-15t12:30:00.5+02:00", "2025-01-15T10:30:00.5Z"),
            ("2025-01-15", "2025-01-15T00:00:00Z"),
            ("30d", "2025-01-30T12:00:00Z"),
            ("1h30m", "2025-03-01T10:30:00Z"),
            ("2025-01-15T10:30:00.000000001Z", "2025-01-15T10:30:00.000001Z"),
            ("2025-01-15T10:30:00.999999999Z", "2025-01-15T10:30:01Z"),
        ] {
            let now = time("2025-03-01T12:00:00Z");
            let found = text.parse::<Moment>().unwrap().at("--since", now).unwrap();
            assert_eq!(found, time(expected), "{text}");
        }
        for text in ["", "yesterday", "30", "2025-13-01", "2025-01-15T10:30:00", "-5d", "2025-1"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }
}
