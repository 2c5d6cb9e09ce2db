//! The time a report is about: since <= created_at < until.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use audit_runtime::exit::UsageError;
use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, TimeDelta, Timelike, Utc};
use postgres_types::Timestamp;

/// Which executions a report counts, by the time they were created.
#[derive(Debug, clap::Args)]
pub(super) struct WindowOptions {
    /// Created then or later: a time (RFC 3339), a date (its begin in UTC), or a duration ago
    #[arg(long, env = "AUDIT_SINCE", default_value = "7d", value_name = "TIME|DATE|DURATION")]
    since: Moment,

    /// Created before then, written likewise; without it there is no end
    #[arg(long, env = "AUDIT_UNTIL", value_name = "TIME|DATE|DURATION")]
    until: Option<Moment>,
}

impl WindowOptions {
    /// The window as of now.
    pub(super) fn at(&self, now: DateTime<Utc>) -> Result<Window, UsageError> {
        let since = self.since.at("--since", now)?;
        let until = self.until.map(|moment| moment.at("--until", now)).transpose()?;
        match until {
            Some(until) if until <= since => {
                let [since, until] = [since, until].map(written);
                Err(UsageError(format!(
                    "--until must be after --since: {until} is not after {since}"
                )))
            }
            _ => Ok(Window { since, until }),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) since: DateTime<Utc>,
    until: Option<DateTime<Utc>>,
}

impl Window {
    /// As PostgreSQL takes it. No end is after the clock: an id made elsewhere may be ahead of it.
    pub(super) fn until(&self) -> Timestamp<DateTime<Utc>> {
        self.until.map_or(Timestamp::PosInfinity, Timestamp::Value)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "since {}", written(self.since))?;
        self.until.map_or(Ok(()), |until| write!(f, ", before {}", written(until)))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    At(DateTime<Utc>),
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
    fn at(self, option: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, UsageError> {
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

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn window(since: &str, until: Option<&str>) -> Result<Window, String> {
        let options = WindowOptions {
            since: since.parse().unwrap(),
            until: until.map(|until| until.parse().unwrap()),
        };
        options.at(time("2025-03-01T12:00:00Z")).map_err(|error| error.to_string())
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
            assert_eq!(window(text, None).unwrap().since, time(expected), "{text}");
        }
        for text in ["", "yesterday", "30", "2025-13-01", "2025-01-15T10:30:00", "-5d", "2025-1"] {
            assert!(text.parse::<Moment>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_window_must_begin_before_it_ends() {
        assert!(window("2d", Some("1d")).is_ok());
        for (since, until) in [("1d", "2d"), ("1d", "1d"), ("2025-01-02", "2025-01-01")] {
            let error = window(since, Some(until)).unwrap_err();
            assert!(error.contains("--since") && error.contains("--until"), "{error}");
        }
        for since in ["999999999d", "1000000d"] {
            assert!(window(since, None).unwrap_err().contains("--since"));
        }
    }

    #[test]
    fn windows_are_said_in_words() {
        let said = |since, until| window(since, until).unwrap().to_string();
        assert_eq!(said("1d", None), "since 2025-02-28T12:00:00Z");
        assert_eq!(
            said("2025-01-01", Some("2025-02-01T00:00:00.000001Z")),
            "since 2025-01-01T00:00:00Z, before 2025-02-01T00:00:00.000001Z"
        );
    }
}
