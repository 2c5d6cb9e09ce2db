//! Calendar months, as the table is partitioned by them.

use chrono::{DateTime, Datelike, NaiveDate, Utc};

/// A month of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month {
    year: i32,
    month: u32,
}

impl Month {
    /// The month a time lies in; none for times the calendar does not have.
    pub fn of_micros(micros: i64) -> Option<Self> {
        DateTime::from_timestamp_micros(micros).map(Self::of)
    }

    /// The month a time lies in.
    pub fn of(time: DateTime<Utc>) -> Self {
        Self { year: time.year(), month: time.month() }
    }

    /// The month from the name of its partition.
    pub fn of_partition(name: &str) -> Option<Self> {
        let (year, month) = name.strip_prefix("workflow_execution_audit_")?.split_once('_')?;
        let (year, month) = (year.parse().ok()?, month.parse().ok()?);
        (1..=12).contains(&month).then_some(Self { year, month })
    }

    /// The month after.
    pub fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { year: self.year, month: month + 1 },
        }
    }

    /// Whether the month may have a partition: from 2000 to the end of the year after `now`.
    /// Times outside stay in the default partition, so that odd dates cannot make thousands of tables.
    pub fn may_have_partition(self, now: DateTime<Utc>) -> bool {
        (2000..=now.year() + 1).contains(&self.year)
    }

    /// Its first day.
    pub fn first_day(self) -> NaiveDate {
        NaiveDate::from_ymd_opt(self.year, self.month, 1).expect("a month has a first day")
    }
}

impl std::fmt::Display for Month {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_follow_the_calendar() {
        let december = Month::of_micros(1_735_689_599_999_999).unwrap();
        assert_eq!(december.to_string(), "2024-12");
        assert_eq!(december.next().to_string(), "2025-01");
        assert_eq!(Month::of_partition("workflow_execution_audit_2024_12"), Some(december));
        assert_eq!(Month::of_partition("workflow_execution_audit_default"), None);
    }

    #[test]
    fn only_months_near_enough_get_a_partition() {
        let now = DateTime::from_timestamp(1_735_689_600, 0).unwrap();
        let may = |year, month| Month { year, month }.may_have_partition(now);
        assert!(may(2000, 1) && may(2026, 12));
        assert!(!may(1999, 12) && !may(2027, 1));
    }
}
