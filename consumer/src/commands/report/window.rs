//! The time a report is about: since <= created_at < until.

use std::fmt;

use audit_runtime::exit::UsageError;
use chrono::{DateTime, Utc};
use postgres_types::Timestamp;

use crate::commands::moment::{Moment, written};

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
